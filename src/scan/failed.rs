//! What an error kept from being read, so that nobody knows what depends on it.
//!
//! Much that cannot be read is no surprise: what has vanished, a home directory of somebody else, a share that is offline.
//! It is kept in mind as not searched, or in doubt. Where a disk fails, memory or descriptors run out, or something cannot
//! be read in the cache or a place that somebody named, what was asked for may stay undone for it, and that is a failure.

use std::io;
use std::path::{Path, PathBuf};

use super::Request;
use super::cache::Layout;
use super::discover::is_absence;
use crate::snapshot::Problem;

/// Something that could not be read.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    problem: Problem,
    /// Whether that is a failure wherever it lies.
    fault: bool,
}

impl Failed {
    /// The failure to look at what somebody said is there.
    pub(super) fn named(path: &Path, operation: &'static str, error: &io::Error) -> Self {
        Self { problem: super::problem(path.to_owned(), operation, error), fault: true }
    }

    /// What an error means; nothing where nothing is there, or where the error is one of our own making.
    pub(super) fn of(path: &Path, operation: &'static str, error: &io::Error) -> Option<Self> {
        let tells = is_absence(error) || error.raw_os_error().is_none();
        (!tells).then(|| Self {
            problem: super::problem(path.to_owned(), operation, error),
            fault: is_fault(error),
        })
    }
}

/// Whether an error has nothing to do with what is there: a disk failed, or memory or descriptors ran out.
pub(super) fn is_fault(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| FAULTS.contains(&code))
}

#[cfg(unix)]
const FAULTS: [i32; 7] = {
    use rustix::io::Errno;
    [
        Errno::IO.raw_os_error(),
        Errno::NOMEM.raw_os_error(),
        Errno::MFILE.raw_os_error(),
        Errno::NFILE.raw_os_error(),
        Errno::STALE.raw_os_error(),
        // What a filesystem says whose own checksums are wrong.
        Errno::BADMSG.raw_os_error(),
        CORRUPT,
    ]
};

/// "Structure needs cleaning": a filesystem that has found itself damaged.
#[cfg(target_os = "linux")]
const CORRUPT: i32 = rustix::io::Errno::UCLEAN.raw_os_error();

/// There is no other.
#[cfg(all(unix, not(target_os = "linux")))]
const CORRUPT: i32 = rustix::io::Errno::IO.raw_os_error();

/// `ERROR_TOO_MANY_OPEN_FILES`, `ERROR_NOT_ENOUGH_MEMORY`, `ERROR_OUTOFMEMORY`, `ERROR_CRC`, `ERROR_SECTOR_NOT_FOUND`,
/// `ERROR_READ_FAULT`, `ERROR_GEN_FAILURE`, `ERROR_IO_DEVICE`, `ERROR_FILE_CORRUPT`, `ERROR_DISK_CORRUPT`,
/// `ERROR_NO_SYSTEM_RESOURCES`.
#[cfg(windows)]
const FAULTS: [i32; 11] = [4, 8, 14, 23, 27, 30, 31, 1117, 1392, 1393, 1450];

/// Of what could not be read, the failures: faults, and whatever lies where somebody asked for it to be read.
pub(super) fn failures(failed: Vec<Failed>, request: &Request, layout: &Layout) -> Vec<Problem> {
    let places = request.places.iter().filter(|place| place.named).map(|place| &place.path);
    let mut named: Vec<PathBuf> = places.chain(&request.targets).cloned().collect();
    let real: Vec<PathBuf> = named.iter().filter_map(|path| crate::disk::canonical(path).ok()).collect();
    named.extend(real);
    named.extend([layout.root.clone(), layout.canonical.clone()]);
    let asked_for = |path: &Path| named.iter().any(|above| path.starts_with(above));
    let counts = |failed: &Failed| failed.fault || asked_for(&failed.problem.path);
    let mut failures: Vec<Problem> = failed.into_iter().filter(counts).map(|failed| failed.problem).collect();
    failures.sort_unstable();
    failures.dedup();
    failures
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_failing_disk_is_a_fault_and_what_tells_that_nothing_is_there_is_nothing() {
        use rustix::io::Errno;
        let faults = [Errno::IO, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::STALE];
        let others = [Errno::ACCESS, Errno::PERM, Errno::LOOP, Errno::NOTCONN, Errno::NAMETOOLONG];
        let nothing = [Errno::NOENT, Errno::NOTDIR];
        let of = |errno: Errno| Failed::of(Path::new("x"), "read", &errno.into()).map(|it| it.fault);
        for (errnos, meaning) in [(&faults[..], Some(true)), (&others, Some(false)), (&nothing, None)] {
            for errno in errnos {
                assert_eq!(of(*errno), meaning, "{errno:?}");
            }
        }
        let own = io::Error::other("it changed");
        assert!(Failed::of(Path::new("x"), "read", &own).is_none());
    }
}
