//! Small filesystems in memory, and directories that can only be read.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::not_run;
use crate::support::uv::ran;

/// A mount of its own, unmounted when dropped.
pub(super) struct Mount {
    path: PathBuf,
    _directory: Option<TempDir>,
}

impl Mount {
    /// A tmpfs with some options; `None` where that is not possible, which has been said.
    pub(super) fn tmpfs(options: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            not_run("mounting a tmpfs needs root");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            not_run("a tmpfs cannot be mounted here");
            return None;
        }
        Some(Self { path, _directory: Some(directory) })
    }

    /// A directory mounted over itself, so that it can only be read.
    pub(super) fn read_only(path: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            not_run("a bind mount needs root");
            return None;
        }
        ran(Command::new("mount").arg("--bind").arg(path).arg(path));
        let mount = Self { path: path.to_owned(), _directory: None };
        ran(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(path));
        Some(mount)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.path).output();
        assert!(std::thread::panicking() || unmounted.unwrap().status.success(), "the mount is taken away");
    }
}
