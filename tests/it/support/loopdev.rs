//! Filesystems in a file, mounted where root allows it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::uv::{not_run, ran};

/// A filesystem of its own, unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    mount: PathBuf,
    _directory: TempDir,
}

impl Mounted {
    /// Makes and mounts a filesystem of `mebibytes` by `mkfs.<kind>`; `None` when that is not possible here, which has
    /// been said.
    pub(crate) fn new(kind: &str, mebibytes: u64) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            not_run(&format!("a loop device with {kind} needs root"));
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        let mount = directory.path().join("mount");
        std::fs::create_dir(&mount).unwrap();
        std::fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        let quiet = if kind == "xfs" || kind == "ext4" { &["-q"][..] } else { &["-q", "-f"][..] };
        let made = Command::new(format!("mkfs.{kind}")).args(quiet).arg(&image).output();
        if !made.is_ok_and(|output| output.status.success()) {
            not_run(&format!("`mkfs.{kind}` does not work here"));
            return None;
        }
        let mounted = Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            not_run(&format!("a loop device with {kind} cannot be mounted here"));
            return None;
        }
        Some(Self { mount, _directory: directory })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// The free bytes of the filesystem, once everything that was deleted has been given back.
    pub(crate) fn free(&self) -> u64 {
        // xfs frees inodes in the background, and a remount waits for it.
        ran(Command::new("sync").arg("-f").arg(&self.mount));
        ran(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.mount));
        ran(Command::new("mount").args(["-o", "remount,rw"]).arg(&self.mount));
        let space = rustix::fs::statvfs(&self.mount).unwrap();
        space.f_bfree * space.f_frsize
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a test that failed may have left a process behind.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.mount).output();
        assert!(
            std::thread::panicking() || unmounted.unwrap().status.success(),
            "the loop device is unmounted"
        );
    }
}
