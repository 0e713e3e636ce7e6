//! A disk in a file on btrfs, which can be cloned at any moment: what the clone holds is what a power cut leaves.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::ran;

/// A filesystem in a file, mounted; always at the same place.
pub(super) struct Disk {
    host: Mounted,
    mount: PathBuf,
}

impl Disk {
    /// Makes a filesystem by `mkfs.<kind>`; `None` where that is not possible, which has been said.
    pub(super) fn new(kind: &str) -> Option<Self> {
        let host = Mounted::new("btrfs", 2_048)?;
        let mount = host.path().join("mount");
        std::fs::create_dir(&mount).unwrap();
        let disk = Self { host, mount };
        let image = disk.image("now");
        std::fs::File::create(&image).unwrap().set_len(320 << 20).unwrap();
        let made = Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image).output();
        if !made.is_ok_and(|output| output.status.success()) {
            not_run(&format!("`mkfs.{kind}` does not work here"));
            return None;
        }
        disk.mount();
        Some(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.mount
    }

    fn image(&self, name: &str) -> PathBuf {
        self.host.path().join(name)
    }

    fn mount(&self) {
        ran(Command::new("mount").args(["-o", "loop"]).arg(self.image("now")).arg(&self.mount));
    }

    /// Keeps everything as it is now.
    pub(super) fn keep(&self) {
        ran(Command::new("umount").arg(&self.mount));
        self.cut("kept");
        self.mount();
    }

    /// Keeps what has reached the disk at this moment, under a name.
    pub(super) fn cut(&self, name: &str) {
        ran(Command::new("cp").arg("--reflink=always").arg(self.image("now")).arg(self.image(name)));
    }

    /// Goes on with what was kept under a name.
    pub(super) fn insert(&self, name: &str) {
        ran(Command::new("umount").arg(&self.mount));
        std::fs::remove_file(self.image("now")).unwrap();
        ran(Command::new("cp").arg("--reflink=always").arg(self.image(name)).arg(self.image("now")));
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nothing is mounted where making it failed; lazily, as a test that failed may have left a process behind.
        drop(Command::new("umount").arg("--lazy").arg(&self.mount).output());
    }
}
