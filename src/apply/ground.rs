//! The environment that is changed, held open.
//!
//! A path says where an environment was a moment ago. Somebody may since have put a symlink in the place of a directory
//! above it, so that the same path leads to another environment, which may be equal to the last byte. What is proven and
//! what is changed therefore lie beneath one handle, and that handle is the directory whose lock is held.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::prune::Trouble;
use crate::disk::FileStat;
use crate::linker::{Missing, Root};
use crate::lock::EnvironmentExclusive;
use crate::scan::print;
use crate::snapshot::FilePrint;

/// Opens the environment whose lock is held: its lock file is the one in the directory that was opened.
pub(super) fn open(environment: &EnvironmentExclusive<'_>) -> Result<Root, Trouble> {
    let root = Root::open(environment.root())?;
    let failed = |error| Trouble::failed("look at", environment.root().join(".lock"), error);
    let held = environment.lock_file().map_err(failed)?;
    let here = root.place().find(OsStr::new(".lock")).map_err(failed)?;
    match here {
        Some(here) if (here.stat.device, here.stat.inode) == (held.device, held.inode) => Ok(root),
        _ => Err(Trouble::Stale("another directory has taken its place".to_owned())),
    }
}

/// Whether the `RECORD` of a distribution, by the path of its directory beneath the root, is the one that was seen.
///
/// Of a `.dist-info` that is a symlink the `RECORD` lies outside, in the entry, and is looked at there: beneath the root it
/// is the symlink that has to be proven.
pub(super) fn has_record(root: &Root, dist_info: &Path, seen: &FilePrint) -> bool {
    let record = OsStr::new("RECORD");
    let stat = match root.directory(dist_info, Missing::Fail) {
        Ok(directory) => directory.find(record).and_then(|found| found.map(|it| it.stat).ok_or_else(gone)),
        Err(error) if error.source.kind() == io::ErrorKind::NotADirectory => {
            FileStat::of(&root.place().path().join(dist_info).join(record))
        }
        Err(error) => Err(error.source),
    };
    stat.is_ok_and(|stat| print::of(&stat) == *seen)
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}
