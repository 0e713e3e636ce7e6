//! The environment or cache that is changed, held open.
//!
//! A path says where an environment was a moment ago. Somebody may since have put a symlink in the place of a directory
//! above it, so that the same path leads to another environment, which may be equal to the last byte. What is proven and
//! what is changed therefore lie beneath one handle, and that handle is the directory whose lock is held.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::prune::Trouble;
use crate::disk::{FileKind, FileStat};
use crate::linker::{Error, Missing, Root};
use crate::lock::{EnvironmentExclusive, HoldsCache};
use crate::scan::print;
use crate::snapshot::FilePrint;

/// Opens the environment whose lock is held: its lock file is the one in the directory that was opened.
pub(super) fn open(environment: &EnvironmentExclusive<'_>) -> Result<Root, Trouble> {
    let root = Root::open(environment.root())?;
    let failed = |error| Trouble::failed("look at", environment.root().join(".lock"), error);
    let held = environment.lock_file().map_err(failed)?;
    if has(&root, &held).map_err(failed)? {
        Ok(root)
    } else {
        Err(Trouble::Stale("another directory has taken its place".to_owned()))
    }
}

/// Opens the cache whose lock is held, likewise. Its root may be a symlink; what lies beneath it is not followed.
pub(super) fn cache(lock: &impl HoldsCache) -> Result<Root, Error> {
    let path = lock.cache();
    let real = crate::disk::canonical(path).map_err(|error| Error::new("find the cache", path, error))?;
    let root = Root::open(&real)?;
    let failed = |error| Error::new("look at", real.join(".lock"), error);
    let held = lock.lock_file().map_err(failed)?;
    if has(&root, &held).map_err(failed)? {
        return Ok(root);
    }
    let text = "its lock file was replaced, or another directory has taken its place";
    Err(Error::new("open the cache", path, io::Error::new(io::ErrorKind::InvalidData, text)))
}

/// Whether a directory holds the lock file that was locked.
fn has(root: &Root, held: &FileStat) -> io::Result<bool> {
    let here = root.place().find(OsStr::new(".lock"))?;
    Ok(here.is_some_and(|here| (here.stat.device, here.stat.inode) == (held.device, held.inode)))
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
