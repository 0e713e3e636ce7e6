//! Where a path lies, in terms that can be compared later: the mount point, and what identifies the filesystem there.
//!
//! Device numbers are given anew at each mount, and a bind mount has that of the filesystem it shows. What tells filesystems
//! apart is their own number (`f_fsid` of statvfs(3)) with the inode of the directory at the mount point; of a filesystem
//! in memory also the boot of the machine, after which nothing of it is left.

use std::path::{Path, PathBuf};

use super::stat::FileStat;
use super::volume;

/// Where something lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// The mount point.
    pub point: PathBuf,
    /// What identifies the filesystem there, for comparing only.
    pub identity: String,
}

/// What comparing a place remembered with the same place now says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The same filesystem is mounted there.
    Same,
    /// It is not: what lay there may be somewhere else.
    Different,
    /// It was in memory, and the machine was started since: what lay there is gone.
    Lost,
}

/// Begins the identity of a filesystem in memory.
const MEMORY: &str = "memory";

/// Where a path lies that is there, symlinks in it resolved; none where that cannot be read.
pub fn located(path: &Path) -> Option<Located> {
    let path = super::canonical(path).ok()?;
    let on = |path: &Path| Some((volume::mount(path), FileStat::of(path).ok()?.device));
    let here = on(&path)?;
    let point = path.ancestors().take_while(|above| on(above) == Some(here)).last()?.to_owned();
    let stat = FileStat::of(&point).ok()?;
    let number = number(&point).unwrap_or(0);
    let in_memory = ["tmpfs", "ramfs"].contains(&volume::filesystem(&point).name);
    let mut identity = format!("{number:x}-{:x}", stat.inode);
    if number == 0 {
        // Nothing but the device number is left to tell it by, for as long as that lasts.
        identity = format!("{identity}-{:x}-{}", stat.device, boot());
    }
    if in_memory {
        identity = format!("{MEMORY}-{}-{identity}", boot());
    }
    Some(Located { point, identity })
}

impl Located {
    /// Compares where something lay with where the rest of its path lies now.
    pub fn compare(&self, now: &Self) -> Compared {
        let boot = |identity: &str| {
            let rest = identity.strip_prefix(MEMORY)?.strip_prefix('-')?;
            Some(rest.get(..BOOT)?.to_owned())
        };
        let here = boot_id();
        if self == now {
            Compared::Same
        } else if boot(&self.identity).is_some_and(|then| !here.is_empty() && then != here) {
            Compared::Lost
        } else {
            Compared::Different
        }
    }
}

/// The length of what identifies a boot.
const BOOT: usize = 36;

/// What identifies this boot of the machine, always [`BOOT`] characters.
fn boot() -> String {
    format!("{:-<BOOT$}", boot_id())
}

/// What identifies this boot (`proc_sys_kernel(5)`); empty where that is not told.
fn boot_id() -> String {
    let bytes = super::read::small(Path::new("/proc/sys/kernel/random/boot_id"), 64).unwrap_or_default();
    String::from_utf8(bytes)
        .map(|text| text.trim().to_owned())
        .ok()
        .filter(|id| id.len() == BOOT)
        .unwrap_or_default()
}

#[cfg(unix)]
fn number(path: &Path) -> Option<u64> {
    rustix::fs::statvfs(path).ok().map(|answer| answer.f_fsid)
}

#[cfg(not(unix))]
fn number(path: &Path) -> Option<u64> {
    // The serial number of the volume.
    FileStat::of(path).ok().map(|stat| stat.device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_as_itself_and_another_filesystem_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let here = located(directory.path()).unwrap();
        assert_eq!(here.compare(&located(directory.path()).unwrap()), Compared::Same);
        let other = Located { identity: format!("{}0", here.identity), ..here.clone() };
        assert_ne!(other.compare(&here), Compared::Same);
        assert!(located(&directory.path().join("missing")).is_none());
    }

    #[test]
    fn what_was_in_memory_is_lost_with_another_boot_only() {
        if boot_id().is_empty() {
            return;
        }
        let of = |boot: &str, rest: &str| Located {
            point: PathBuf::from("/tmp"),
            identity: format!("{MEMORY}-{boot}-{rest}"),
        };
        let then = "0123456-89ab-cdef-0123-456789abcdef0";
        assert_eq!(then.len(), BOOT);
        assert_eq!(of(then, "1-2").compare(&of(&boot_id(), "1-2")), Compared::Lost);
        assert_eq!(of(&boot_id(), "1-2").compare(&of(&boot_id(), "3-2")), Compared::Different);
    }
}
