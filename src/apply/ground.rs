//! The environment that is changed, held open.
//!
//! A path says where an environment was a moment ago. Somebody may since have put a symlink in the place of a directory
//! above it, so that the same path leads to another environment, which may be equal to the last byte. What is proven and
//! what is changed therefore lie beneath one handle, and that handle is the directory whose lock is held.

use std::ffi::OsStr;
use std::path::Path;

use super::prune::Trouble;
use crate::disk::{FileKind, FileStat};
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
/// Of a `.dist-info` that is a symlink the `RECORD` lies in the entry, and is looked at where the symlink beneath the root
/// says.
pub(super) fn has_record(root: &Root, dist_info: &Path, seen: &FilePrint) -> bool {
    record(root, dist_info).is_some_and(|stat| print::of(&stat) == *seen)
}

fn record(root: &Root, dist_info: &Path) -> Option<FileStat> {
    let (above, name) = (dist_info.parent()?, dist_info.file_name()?);
    let site = root.directory(above, Missing::Fail).ok()?;
    match site.find(name).ok()??.stat.kind {
        FileKind::Symlink => {
            let text = site.read_link(name).ok()?;
            FileStat::of(&site.path().join(text).join("RECORD")).ok()
        }
        _ => Some(site.directory(name).ok()?.find(OsStr::new("RECORD")).ok()??.stat),
    }
}
