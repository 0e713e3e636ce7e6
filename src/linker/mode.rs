//! One file from another by a link mode, with uv's fallback where the mode is refused.
//!
//! uv 0.13.8 falls back from clone to hardlink to copy, and from symlink to copy, without a word; here the answer says
//! which mode it became and why the earlier ones were refused. A copy on btrfs or xfs shares extents too, because the
//! standard library copies with `copy_file_range`, as does uv's.

mod ladder;
mod make;

use std::io;
use std::path::Path;

use super::{Error, file};
use crate::disk::metadata::Loss;
use crate::snapshot::Mode;

pub use ladder::Refused;
pub(super) use ladder::{Fallen, Ladder, Rung};
pub(super) use make::{Attributes, Keeps, Source, make as make_at, same_inode};

/// How a file came to be.
#[derive(Debug)]
pub struct Outcome {
    /// The mode that worked.
    pub mode: Mode,
    /// The modes that were tried before it, in order.
    pub refused: Vec<Refusal>,
}

/// A mode that did not work.
#[derive(Debug)]
pub struct Refusal {
    /// The mode.
    pub mode: Mode,
    /// What the operating system answered.
    pub reason: io::Error,
}

/// Makes `destination` from the regular file `source` by `mode`, or by what uv falls back to.
///
/// The text of a symlink is `source` made absolute, as uv writes it; nothing else needs `source` to exist then. Mode bits
/// are kept. An error means that nothing was made: what speaks of the files and not of the mode (the destination exists,
/// the source is missing, the disk is full) is not tried again by another mode.
pub fn link(source: &Path, destination: &Path, mode: Mode) -> Result<Outcome, Error> {
    let mut refused = Vec::new();
    let mut attempt = mode;
    loop {
        let reason = match make(source, destination, attempt) {
            Ok(()) => return Ok(Outcome { mode: attempt, refused }),
            Err(reason) => reason,
        };
        match fallback(attempt) {
            Some(next) if what_about(attempt, &reason) != About::File => {
                refused.push(Refusal { mode: attempt, reason });
                attempt = next;
            }
            _ => return Err(Error::new(operation(attempt), destination, reason)),
        }
    }
}

fn make(source: &Path, destination: &Path, mode: Mode) -> io::Result<()> {
    if mode != Mode::Symlink && !std::fs::symlink_metadata(source)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the source is not a regular file"));
    }
    match mode {
        Mode::Clone => reflink_copy::reflink(source, destination),
        Mode::Hardlink => hardlink(source, destination),
        Mode::Symlink => file::link_to(&std::path::absolute(source)?, destination),
        Mode::Copy => file::copy(source, destination),
    }
}

#[expect(clippy::disallowed_methods, reason = "hardlinks are made here")]
fn hardlink(source: &Path, destination: &Path) -> io::Result<()> {
    std::fs::hard_link(source, destination)
}

/// What uv 0.13.8 tries next.
fn fallback(mode: Mode) -> Option<Mode> {
    match mode {
        Mode::Clone => Some(Mode::Hardlink),
        Mode::Hardlink | Mode::Symlink => Some(Mode::Copy),
        Mode::Copy => None,
    }
}

/// What a failure speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The mode: the next one is tried.
    Mode,
    /// The source has as many hardlinks as its filesystem allows.
    Limit,
    /// The file, the directory or the disk: no other mode would do better.
    File,
}

/// Tells what a failure speaks of.
///
/// A refused permission counts for the mode: link(2) answers so where `fs.protected_hardlinks` (see proc(5)) forbids a
/// link to somebody else's file, or where a filesystem has no links. If the directory is meant, the copy that is tried
/// next is refused as well.
fn what_about(mode: Mode, reason: &io::Error) -> About {
    use io::ErrorKind::{
        AlreadyExists, FileTooLarge, Interrupted, InvalidData, InvalidInput, NotADirectory, NotFound,
        OutOfMemory, QuotaExceeded, ReadOnlyFilesystem, ResourceBusy, StaleNetworkFileHandle, StorageFull,
    };
    let about_files = [
        AlreadyExists,
        FileTooLarge,
        Interrupted,
        InvalidData,
        InvalidInput,
        NotADirectory,
        NotFound,
        OutOfMemory,
        QuotaExceeded,
        ReadOnlyFilesystem,
        ResourceBusy,
        StaleNetworkFileHandle,
        StorageFull,
    ];
    let kind = reason.kind();
    if mode == Mode::Hardlink && kind == io::ErrorKind::TooManyLinks {
        return About::Limit;
    }
    // A clone answers "invalid argument" where the filesystem cannot do it; the kind alone would not tell it from ours.
    let clone_is_invalid = reason.raw_os_error().is_some() && kind == InvalidInput;
    if (about_files.contains(&kind) && !clone_is_invalid)
        || is_passing(reason)
        || Loss::behind(reason).is_some()
    {
        About::File
    } else {
        About::Mode
    }
}

/// Whether a failure says that a mode does not work here, and not that something is wrong with the file or the disk.
pub(super) fn cannot_be_made(mode: Mode, reason: &io::Error) -> bool {
    what_about(mode, reason) == About::Mode
}

/// Whether the system is short of something, or the disk does not answer: another mode would only hide it.
#[cfg(unix)]
fn is_passing(reason: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOLCK, Errno::IO];
    passing.iter().any(|errno| reason.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether the system is short of something; only Unix has such limits in practice.
#[cfg(not(unix))]
fn is_passing(_reason: &io::Error) -> bool {
    false
}

pub(super) fn operation(mode: Mode) -> &'static str {
    match mode {
        Mode::Clone => "clone to",
        Mode::Hardlink => "hardlink to",
        Mode::Symlink => "symlink from",
        Mode::Copy => "copy to",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        file::write_new(&from, b"content", 0o755).unwrap();
        (directory, from, to)
    }

    #[cfg(unix)]
    #[test]
    fn each_mode_makes_what_its_name_says() {
        use std::os::unix::fs::MetadataExt as _;
        for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
            let (_directory, from, to) = sample();
            let outcome = link(&from, &to, mode).unwrap();
            assert_eq!((outcome.mode, outcome.refused.len()), (mode, 0));
            assert_eq!(std::fs::read(&to).unwrap(), b"content");
            let same =
                std::fs::symlink_metadata(&to).unwrap().ino() == std::fs::metadata(&from).unwrap().ino();
            assert_eq!(same, mode == Mode::Hardlink);
            assert_eq!(std::fs::read_link(&to).ok(), (mode == Mode::Symlink).then(|| from.clone()));
            assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o777, 0o755, "{mode:?} keeps the mode bits");
        }
    }

    #[test]
    fn a_clone_that_the_filesystem_refuses_says_so_and_is_a_hardlink() {
        let (_directory, from, to) = sample();
        let outcome = link(&from, &to, Mode::Clone).unwrap();
        match outcome.mode {
            Mode::Clone => assert!(outcome.refused.is_empty()),
            mode => {
                assert_eq!(mode, Mode::Hardlink);
                assert_eq!(outcome.refused.iter().map(|it| it.mode).collect::<Vec<_>>(), [Mode::Clone]);
            }
        }
        assert_eq!(std::fs::read(&to).unwrap(), b"content");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_hardlink_to_another_filesystem_is_a_copy() {
        let shared = Path::new("/dev/shm");
        let other = tempfile::tempdir_in(shared);
        let (directory, from, _) = sample();
        let Ok(other) = other else { return };
        let device = |path: &Path| crate::disk::FileStat::of(path).unwrap().device;
        if device(other.path()) == device(directory.path()) {
            return;
        }
        let outcome = link(&from, &other.path().join("to"), Mode::Hardlink).unwrap();
        assert_eq!(outcome.mode, Mode::Copy);
        assert_eq!(outcome.refused[0].reason.kind(), io::ErrorKind::CrossesDevices);
    }

    #[test]
    fn what_exists_is_never_replaced() {
        for mode in [Mode::Clone, Mode::Hardlink, Mode::Symlink, Mode::Copy] {
            let (_directory, from, to) = sample();
            file::write_new(&to, b"older", 0o644).unwrap();
            let error = link(&from, &to, mode).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists, "{mode:?}");
            assert_eq!(std::fs::read(&to).unwrap(), b"older");
        }
    }

    #[test]
    fn only_a_symlink_may_lead_to_nothing() {
        let (directory, _, to) = sample();
        let missing = directory.path().join("missing");
        for mode in [Mode::Clone, Mode::Hardlink, Mode::Copy] {
            let error = link(&missing, &to, mode).unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::NotFound, "{mode:?}");
        }
        #[cfg(unix)]
        assert_eq!(link(&missing, &to, Mode::Symlink).unwrap().mode, Mode::Symlink);
    }

    #[test]
    fn a_directory_is_refused_by_name() {
        let (directory, _, to) = sample();
        let error = link(directory.path(), &to, Mode::Clone).unwrap_err();
        assert_eq!(error.source.to_string(), "the source is not a regular file");
    }
}
