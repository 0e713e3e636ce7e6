//! The modes of one tree, from the wanted one down: what was refused once is not tried for the next file.

use std::io;
use std::path::{Path, PathBuf};

use super::{About, fallback, what_about};
use crate::snapshot::Mode;

/// A mode that did not work in a tree, told once.
#[derive(Debug)]
pub struct Refused {
    /// The mode.
    pub mode: Mode,
    /// What the operating system answered, the first time.
    pub reason: io::Error,
    /// The file it was answered for.
    pub path: PathBuf,
    /// How many files of the tree have another mode because of it.
    pub count: u64,
}

/// Where the linking of a tree stands.
#[derive(Debug)]
pub(in crate::linker) struct Ladder {
    current: Mode,
    refused: Vec<Refused>,
}

/// How a file was made.
#[derive(Debug)]
pub(in crate::linker) struct Rung<T> {
    pub(in crate::linker) made: T,
    pub(in crate::linker) mode: Mode,
    /// Whether it is no hardlink because the source can have no more of them.
    pub(in crate::linker) at_limit: bool,
}

/// The mode that failed for good, and why.
#[derive(Debug)]
pub(in crate::linker) struct Fallen {
    pub(in crate::linker) mode: Mode,
    pub(in crate::linker) reason: io::Error,
}

impl Ladder {
    /// Starts with the wanted mode.
    pub(in crate::linker) fn new(wanted: Mode) -> Self {
        Self { current: wanted, refused: Vec::new() }
    }

    /// The mode that is tried first.
    pub(in crate::linker) fn current(&self) -> Mode {
        self.current
    }

    /// What was refused.
    pub(in crate::linker) fn into_refused(self) -> Vec<Refused> {
        self.refused
    }

    /// Makes one file by the first mode that works.
    ///
    /// A refusal is remembered only once a lower mode has worked: where no mode works it is not the mode's fault. The
    /// link limit is that of one source and is never remembered; its file is cloned if that can be, else copied.
    pub(in crate::linker) fn make<T>(
        &mut self,
        path: &Path,
        mut attempt: impl FnMut(Mode) -> io::Result<T>,
    ) -> Result<Rung<T>, Fallen> {
        let mut mode = self.current;
        let mut refusals: Vec<(Mode, io::Error)> = Vec::new();
        let mut at_limit = false;
        loop {
            let reason = match attempt(mode) {
                Ok(made) => {
                    self.remember(refusals, path, (!at_limit).then_some(mode));
                    return Ok(Rung { made, mode, at_limit });
                }
                Err(reason) => reason,
            };
            let next = match what_about(mode, &reason) {
                About::Limit => {
                    at_limit = true;
                    let cloning_failed = self.refused.iter().map(|it| it.mode);
                    let failed =
                        cloning_failed.chain(refusals.iter().map(|it| it.0)).any(|it| it == Mode::Clone);
                    Some(if failed { Mode::Copy } else { Mode::Clone })
                }
                About::Mode if at_limit => (mode == Mode::Clone).then_some(Mode::Copy),
                About::Mode => fallback(mode),
                About::File => None,
            };
            match next {
                Some(next) => {
                    if !at_limit {
                        refusals.push((mode, reason));
                    }
                    mode = next;
                }
                None => return Err(fallen(refusals, mode, reason)),
            }
        }
    }

    fn remember(&mut self, refusals: Vec<(Mode, io::Error)>, path: &Path, worked: Option<Mode>) {
        for (mode, reason) in refusals {
            self.current = fallback(mode).unwrap_or(self.current);
            self.refused.push(Refused { mode, reason, path: path.to_owned(), count: 0 });
        }
        if worked.is_some() {
            self.refused.iter_mut().for_each(|it| it.count += 1);
        }
    }
}

/// Where permission was refused by every mode, the first answer is the one about what was asked for.
fn fallen(refusals: Vec<(Mode, io::Error)>, mode: Mode, reason: io::Error) -> Fallen {
    let denied = |reason: &io::Error| reason.kind() == io::ErrorKind::PermissionDenied;
    let first = refusals.into_iter().next();
    match first {
        Some((mode, first)) if denied(&first) && denied(&reason) => Fallen { mode, reason: first },
        _ => Fallen { mode, reason },
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn answer(errno: Errno) -> io::Error {
        errno.into()
    }

    /// Makes one file on a system that refuses some modes, and tells what was tried.
    fn made(ladder: &mut Ladder, refuses: &[(Mode, Errno)]) -> (Vec<Mode>, Result<Mode, io::ErrorKind>) {
        let mut tried = Vec::new();
        let made = ladder.make(Path::new("file"), |mode| {
            tried.push(mode);
            refuses.iter().find(|it| it.0 == mode).map_or(Ok(()), |it| Err(answer(it.1)))
        });
        (tried, made.map(|rung| rung.mode).map_err(|fallen| fallen.reason.kind()))
    }

    #[test]
    fn a_refused_mode_is_not_tried_for_the_next_file_and_told_once() {
        let mut ladder = Ladder::new(Mode::Clone);
        let refuses = [(Mode::Clone, Errno::NOTSUP), (Mode::Hardlink, Errno::XDEV)];
        let (tried, mode) = made(&mut ladder, &refuses);
        assert_eq!(
            (tried.as_slice(), mode),
            (&[Mode::Clone, Mode::Hardlink, Mode::Copy][..], Ok(Mode::Copy))
        );
        for _ in 0..2 {
            assert_eq!(made(&mut ladder, &refuses), (vec![Mode::Copy], Ok(Mode::Copy)));
        }
        let told: Vec<_> = ladder.into_refused().iter().map(|it| (it.mode, it.count)).collect();
        assert_eq!(told, [(Mode::Clone, 3), (Mode::Hardlink, 3)]);
    }

    #[test]
    fn the_link_limit_concerns_one_file_only() {
        for (wanted, refuses, tried, becomes) in [
            (Mode::Hardlink, vec![], vec![Mode::Hardlink, Mode::Clone], Mode::Clone),
            (
                Mode::Hardlink,
                vec![(Mode::Clone, Errno::NOTSUP)],
                vec![Mode::Hardlink, Mode::Clone, Mode::Copy],
                Mode::Copy,
            ),
            (
                Mode::Clone,
                vec![(Mode::Clone, Errno::NOTSUP)],
                vec![Mode::Clone, Mode::Hardlink, Mode::Copy],
                Mode::Copy,
            ),
        ] {
            let mut ladder = Ladder::new(wanted);
            let full = [refuses, vec![(Mode::Hardlink, Errno::MLINK)]].concat();
            assert_eq!(made(&mut ladder, &full), (tried, Ok(becomes)));
            assert_eq!(made(&mut ladder, &[]), (vec![Mode::Hardlink], Ok(Mode::Hardlink)));
            assert!(ladder.into_refused().iter().all(|it| it.mode == Mode::Clone));
        }
    }

    #[test]
    fn what_speaks_of_the_file_ends_the_attempt_and_says_nothing_about_the_next() {
        let about_files = [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::NOENT,
            Errno::EXIST,
            Errno::MFILE,
            Errno::IO,
            Errno::BUSY,
            Errno::INTR,
            Errno::STALE,
            Errno::NOLCK,
        ];
        for errno in about_files {
            let mut ladder = Ladder::new(Mode::Hardlink);
            let (tried, mode) = made(&mut ladder, &[(Mode::Hardlink, errno)]);
            assert_eq!((tried, mode), (vec![Mode::Hardlink], Err(answer(errno).kind())), "{errno:?}");
            assert!(ladder.into_refused().is_empty());
        }
        let mut ladder = Ladder::new(Mode::Hardlink);
        let refuses = [(Mode::Hardlink, Errno::PERM), (Mode::Copy, Errno::NOSPC)];
        assert_eq!(made(&mut ladder, &refuses).1, Err(io::ErrorKind::StorageFull));
        assert_eq!(made(&mut ladder, &[]), (vec![Mode::Hardlink], Ok(Mode::Hardlink)));
    }

    #[test]
    fn a_directory_without_permission_is_told_by_the_mode_that_was_asked_for() {
        let mut ladder = Ladder::new(Mode::Hardlink);
        let fallen = ladder.make(Path::new("file"), |_| Err::<(), _>(answer(Errno::ACCESS))).unwrap_err();
        assert_eq!((fallen.mode, fallen.reason.raw_os_error()), (Mode::Hardlink, Some(13)));
    }
}
