//! The digests of files of caches, each taken once as long as the file shows that it is what it was.

use std::ffi::OsStr;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::store::Stored;
use crate::disk::walk::Directory;
use crate::disk::{FileStat, Time, read};
use crate::scan::print;
use crate::snapshot::FilePrint;

/// Digests that were taken, by what identifies a file that no write leaves as it is.
#[derive(Debug, Default)]
pub struct Hashed {
    digests: Mutex<FxHashMap<FilePrint, [u8; 32]>>,
    since: OnceLock<Instant>,
}

/// For how long it is believed that a file is what it was because its times are. A store through a mapping into a page that
/// is not yet written back moves none (mmap(2)), and a person may think about a plan for a day.
const LATELY: Duration = Duration::from_secs(10);

impl Hashed {
    /// Says that digests are taken from now on, if it was not said before.
    pub fn begin(&self, now: Instant) {
        self.since.get_or_init(|| now);
    }

    /// Whether they were taken within the last ten seconds.
    pub fn lately(&self, now: Instant) -> bool {
        self.since.get().is_some_and(|since| now.saturating_duration_since(*since) < LATELY)
    }
}

/// How files are hashed.
#[derive(Clone, Copy)]
pub(super) struct Hashing<'a> {
    pub(super) known: &'a Hashed,
    /// A time before anything was read.
    pub(super) began: Time,
}

/// A file, and whether it is the right one.
pub(super) struct Compared {
    pub(super) stat: FileStat,
    pub(super) same: bool,
    /// What identifies it, if it was hashed and no write leaves that as it is.
    pub(super) hashed: Option<FilePrint>,
}

impl Hashing<'_> {
    /// Compares a file of an entry with a digest, and with a size where that is known. One that cannot be read has another.
    pub(super) fn compare(
        &self,
        directory: &Directory<'_>,
        name: &OsStr,
        digest: &[u8; 32],
        size: Option<u64>,
        stored: &Stored,
    ) -> io::Result<Compared> {
        let Ok((opened, stat)) = directory.opened(name) else {
            return directory.stat(name).map(|stat| Compared { stat, same: false, hashed: None });
        };
        if read::is_huge_beside(stat.size, size) {
            return Ok(Compared { stat, same: false, hashed: None });
        }
        let hashed = if stored.tells_of(&stat) { print::settled(&stat, self.began) } else { None };
        let known = || self.known.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match hashed.and_then(|print| known().get(&print).copied()) {
            Some(found) => Ok(found),
            None => read::sha256(&opened, stat.size),
        };
        if let (Some(print), Ok(found)) = (hashed, &found) {
            known().insert(print, *found);
        }
        Ok(Compared { stat, same: found.is_ok_and(|found| found == *digest), hashed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some moment")]
    fn a_digest_is_believed_for_ten_seconds_since_the_first_was_taken() {
        let (hashed, now) = (Hashed::default(), Instant::now());
        assert!(!hashed.lately(now), "none was taken");
        hashed.begin(now);
        hashed.begin(now + LATELY);
        assert!(hashed.lately(now) && hashed.lately(now + LATELY / 2));
        assert!(!hashed.lately(now + LATELY));
    }
}
