//! Filesystems in a file, mounted where root allows it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::not_run;
use super::uv::ran;

/// A filesystem or mount of its own, unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    mount: PathBuf,
    /// A loop device that does not go by itself.
    device: Option<String>,
    _directory: TempDir,
}

fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        not_run(&format!("{what} needs root"));
    }
    root
}

fn worked(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Mounted {
    /// Makes and mounts a filesystem of `mebibytes` by `mkfs.<kind>`; `None` when that is not possible here, which has
    /// been said.
    pub(crate) fn new(kind: &str, mebibytes: u64) -> Option<Self> {
        if !is_root(&format!("a loop device with {kind}")) {
            return None;
        }
        let (directory, image, mount) = places(mebibytes);
        let quiet = if kind == "xfs" || kind == "ext4" { &["-q"][..] } else { &["-q", "-f"][..] };
        if !worked(Command::new(format!("mkfs.{kind}")).args(quiet).arg(&image)) {
            not_run(&format!("`mkfs.{kind}` does not work here"));
            return None;
        }
        if !worked(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount)) {
            not_run(&format!("a loop device with {kind} cannot be mounted here"));
            return None;
        }
        Some(Self { mount, device: None, _directory: directory })
    }

    /// Makes and mounts a filesystem without links: FAT, or exFAT in userspace where the kernel knows no FAT.
    pub(crate) fn without_links() -> Option<Self> {
        if !is_root("a loop device with FAT") {
            return None;
        }
        let (directory, image, mount) = places(64);
        let fat = worked(Command::new("mkfs.vfat").arg(&image))
            && worked(Command::new("mount").args(["-t", "vfat", "-o", "loop"]).arg(&image).arg(&mount));
        if fat {
            return Some(Self { mount, device: None, _directory: directory });
        }
        let attached = Command::new("losetup").args(["--find", "--show"]).arg(&image).output();
        let device = attached.ok().and_then(|output| String::from_utf8(output.stdout).ok());
        let device = device.map(|text| text.trim().to_owned()).filter(|device| !device.is_empty());
        let mounted = device.as_ref().is_some_and(|device| {
            worked(Command::new("mkfs.exfat").arg(device))
                && worked(Command::new("mount.exfat-fuse").arg(device).arg(&mount))
        });
        if mounted {
            return Some(Self { mount, device, _directory: directory });
        }
        if let Some(device) = device {
            ran(Command::new("losetup").arg("--detach").arg(device));
        }
        not_run("neither FAT nor exFAT can be mounted here");
        None
    }

    /// Mounts a filesystem in memory with some options, as `size=4m`.
    pub(crate) fn tmpfs(options: &str) -> Option<Self> {
        Self::by_command("tmpfs", |mount, _| {
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(mount).output()
        })
    }

    /// Shows a directory at another place too.
    pub(crate) fn bind(directory: &Path) -> Option<Self> {
        Self::by_command("a bind mount", |mount, _| {
            Command::new("mount").arg("--bind").arg(directory).arg(mount).output()
        })
    }

    /// Mounts an overlay with empty layers, as containers have them.
    pub(crate) fn overlay() -> Option<Self> {
        Self::by_command("an overlay", |mount, scratch| {
            let layer = |name: &str| {
                std::fs::create_dir(scratch.join(name)).unwrap();
                scratch.join(name).display().to_string()
            };
            let layers =
                format!("lowerdir={},upperdir={},workdir={}", layer("lower"), layer("upper"), layer("work"));
            Command::new("mount").args(["-t", "overlay", "-o", &layers, "overlay"]).arg(mount).output()
        })
    }

    /// Mounts an overlay over its own lower layer, so that what is there keeps its path.
    pub(crate) fn overlay_over(lower: &Path, upper: &Path, work: &Path) -> Option<Self> {
        Self::overlay_over_with(lower, upper, work, "")
    }

    /// The same with some more options, each behind a comma.
    pub(crate) fn overlay_over_with(lower: &Path, upper: &Path, work: &Path, options: &str) -> Option<Self> {
        if !is_root("an overlay") {
            return None;
        }
        let (lower_layer, upper, work) = (lower.display(), upper.display(), work.display());
        let layers = format!("lowerdir={lower_layer},upperdir={upper},workdir={work}{options}");
        if !worked(Command::new("mount").args(["-t", "overlay", "-o", &layers, "overlay"]).arg(lower)) {
            not_run("an overlay cannot be mounted here");
            return None;
        }
        Some(Self { mount: lower.to_owned(), device: None, _directory: tempfile::tempdir().unwrap() })
    }

    fn by_command(
        what: &str,
        command: impl FnOnce(&Path, &Path) -> std::io::Result<std::process::Output>,
    ) -> Option<Self> {
        if !is_root(what) {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let mount = directory.path().join("mount");
        std::fs::create_dir(&mount).unwrap();
        if !command(&mount, directory.path()).is_ok_and(|output| output.status.success()) {
            not_run(&format!("{what} cannot be mounted here"));
            return None;
        }
        Some(Self { mount, device: None, _directory: directory })
    }

    /// Lets nothing be written any more.
    pub(crate) fn make_read_only(&self) {
        ran(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.mount));
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
        if let Some(device) = &self.device {
            // The filesystem in userspace may still be letting go of it.
            drop(Command::new("losetup").arg("--detach").arg(device).output());
        }
    }
}

/// A directory with an empty image of `mebibytes` and a place to mount it.
fn places(mebibytes: u64) -> (TempDir, PathBuf, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let (image, mount) = (directory.path().join("image"), directory.path().join("mount"));
    std::fs::create_dir(&mount).unwrap();
    std::fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
    (directory, image, mount)
}
