//! Which files processes hold open or have mapped, as far as `/proc` tells (proc(5)).
//!
//! The bytes of such a file come free when the last process closes it, even if its last name is gone before.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// A file by its device and inode.
pub type Inode = (u64, u64);

/// Who holds a file: the lowest process id, and what that process calls itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its name; empty where it cannot be read. Not escaped.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(formatter, "process {}", self.pid),
            name => write!(formatter, "process {} ({name})", self.pid),
        }
    }
}

/// The regular files that processes hold and that may be files of a cache: they have several names, or their name lies or lay in
/// the cache. This process is left out. Nothing is known elsewhere than on Linux, nor of processes of other users without
/// their rights: those can hardly have opened what only this user may enter. `cache` has no symlinks.
#[cfg(target_os = "linux")]
pub fn read(cache: &Path) -> BTreeMap<Inode, Holder> {
    let mut found = BTreeMap::new();
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    let mut pids: Vec<u32> =
        processes.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    for pid in pids.into_iter().filter(|pid| *pid != std::process::id()) {
        let files = linux::files(pid, cache);
        if files.is_empty() {
            continue;
        }
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        for inode in files {
            let holder = || Holder { pid, name: name.trim_end().to_owned() };
            found.entry(inode).or_insert_with(holder);
        }
    }
    found
}

/// The regular files that processes hold; not known here.
#[cfg(not(target_os = "linux"))]
pub fn read(_cache: &Path) -> BTreeMap<Inode, Holder> {
    BTreeMap::new()
}

/// Whether other users may have files of a cache open without being seen: they may write to it, and only root sees what their
/// processes hold.
#[cfg(target_os = "linux")]
pub fn may_be_hidden(cache: &Path) -> bool {
    let shared = super::FileStat::of(cache).is_ok_and(|stat| stat.mode_bits & 0o002 != 0);
    shared && !rustix::process::geteuid().is_root()
}

/// Whether other users may have files of a cache open without being seen; nothing is known here.
#[cfg(not(target_os = "linux"))]
pub fn may_be_hidden(_cache: &Path) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};

    use super::Inode;
    use crate::disk::{FileKind, FileStat};

    /// The regular files that a process has open or mapped.
    pub(super) fn files(pid: u32, cache: &Path) -> BTreeSet<Inode> {
        let directory = Path::new("/proc").join(pid.to_string());
        let mut found = BTreeSet::new();
        let mut add = |path: &Path, name: &Path| {
            // The link of a descriptor leads to the file even if its name is gone; that name counts all the same. One that was
            // gone elsewhere may have the inode of what was removed here a moment ago.
            if let Ok(stat) = FileStat::following(path)
                && stat.kind == FileKind::File
                && (stat.links > 1 || name.starts_with(cache))
            {
                found.insert((stat.device, stat.inode));
            }
        };
        let name = |path: &Path| std::fs::read_link(path).unwrap_or_default();
        let program = directory.join("exe");
        add(&program, &name(&program));
        for item in std::fs::read_dir(directory.join("fd")).into_iter().flatten().flatten() {
            add(&item.path(), &name(&item.path()));
        }
        let maps = std::fs::read(directory.join("maps")).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for line in maps.split(|byte| *byte == b'\n') {
            let Some(start) = line.iter().position(|byte| *byte == b'/') else { continue };
            if !seen.insert(&line[start..]) {
                continue;
            }
            // The range names the mapping in `map_files`, where that may be read; else the path has to do.
            let range = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            let mapped = directory.join("map_files").join(OsStr::from_bytes(range));
            let path = PathBuf::from(OsStr::from_bytes(&line[start..]));
            if FileStat::following(&mapped).is_ok() {
                add(&mapped, &path);
            } else {
                add(&path, &path);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_a_process_has_open_is_found_and_so_is_one_whose_name_is_gone() {
        use std::io::{Read as _, Write as _};
        use std::process::{Command, Stdio};
        let directory = tempfile::tempdir().unwrap();
        let (kept, gone) = (directory.path().join("kept"), directory.path().join("gone"));
        for path in [&kept, &gone] {
            crate::linker::write_new(path, b"text", 0o644).unwrap();
        }
        let inode = |path| {
            let stat = crate::disk::FileStat::of(path).unwrap();
            (stat.device, stat.inode)
        };
        let (first, second) = (inode(&kept), inode(&gone));
        let script = format!("exec 8<'{}' 9<'{}'; echo; cat", kept.display(), gone.display());
        let mut child = Command::new("sh");
        let mut child =
            child.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test removes what it made")]
        std::fs::remove_file(&gone).unwrap();
        let found = super::read(directory.path());
        child.stdin.take().unwrap().write_all(b"!").unwrap();
        child.wait().unwrap();
        // The shell's child has them too; the lowest is named.
        let holder = found.get(&first).map(|it| it.pid);
        assert_eq!((holder, found.get(&second).map(|it| it.pid)), (Some(child.id()), holder));
    }
}
