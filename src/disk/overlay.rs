//! Overlays: which files lie in the lower layer, and whether its directories can be renamed.
//!
//! Removing a file of the lower layer frees nothing: the overlay only hides it. Containers begin with such files, those that
//! their image has. No call tells a file's layer plainly; two things do (measured on Linux 6.18):
//! - Where the upper layer can be reached, as on the machine that mounted the overlay, what is there is in it.
//! - The handle of a file, which the kernel gives without any privilege since Linux 6.6, says whether the file has never been
//!   in a lower layer. One that has been copied up has the handle it had below.

use std::path::{Path, PathBuf};

use super::FileStat;
use super::mounts::{self, Mount};
#[cfg(target_os = "linux")]
use super::volume;

/// An overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Where it is mounted; none where the table of mounts cannot be read.
    mount: Option<Mount>,
    /// Its upper layer, where that can be reached.
    upper: Option<PathBuf>,
}

/// What removing the last name of a file frees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frees {
    /// So many bytes.
    Exactly(u64),
    /// So many bytes if it lies in the upper layer, else none.
    AtMost(u64),
}

/// The overlay that a path lies on, if it lies on one.
pub fn at(path: &Path) -> Option<Overlay> {
    let real = super::canonical(path).ok()?;
    let mounts = mounts::read();
    let mount = mounts::of(&mounts, &real).cloned();
    let named = mount.as_ref().is_some_and(|mount| mount.filesystem.contains("overlay"));
    (named || is_overlay(&real)).then(|| {
        let upper = mount.as_ref().and_then(upper);
        Overlay { mount, upper }
    })
}

/// Whether the filesystem says that it is one.
#[cfg(target_os = "linux")]
fn is_overlay(path: &Path) -> bool {
    volume::filesystem(path).name == "overlayfs"
}

/// Whether the filesystem says that it is one; only Linux has overlays.
#[cfg(not(target_os = "linux"))]
fn is_overlay(_path: &Path) -> bool {
    false
}

/// The upper layer of an overlay, if it can be reached: the table names it as whoever mounted the overlay sees it, and in a
/// container that is somewhere else.
fn upper(mount: &Mount) -> Option<PathBuf> {
    let (upper, work) = (mount.option("upperdir")?, mount.option("workdir")?);
    let shown = upper.join(mount.root.strip_prefix("/").unwrap_or(&mount.root));
    // The kernel makes a directory in the other, and the overlay's own directory has the times of the upper one's: that tells the
    // layer from another directory of the same path.
    let times = |path: &Path| FileStat::of(path).ok().map(|stat| (stat.modified, stat.changed));
    let is_one = upper.is_absolute()
        && work.join("work").is_dir()
        && times(&shown).is_some_and(|layer| times(&mount.point) == Some(layer));
    is_one.then_some(shown)
}

impl Overlay {
    /// Whether directories of its lower layer can be renamed; not known where the table of mounts does not tell.
    pub fn renames(&self) -> Option<bool> {
        let mount = self.mount.as_ref().filter(|mount| mount.filesystem == "overlay")?;
        match mount.option("redirect_dir") {
            // The table has only what differs from the kernel's own setting.
            None => std::fs::read_to_string("/sys/module/overlay/parameters/redirect_dir")
                .ok()
                .map(|text| text.trim() == "Y"),
            Some(value) => Some(value == Path::new("on")),
        }
    }

    /// What removing the last name of a file, a symlink or a directory frees. `path` has no symlinks above its last component.
    pub fn frees(&self, path: &Path, stat: &FileStat) -> Frees {
        if let Some(found) = self.in_upper(path) {
            return Frees::Exactly(found.map_or(0, |found| found.disk.min(stat.disk)));
        }
        if is_pure_upper(path) { Frees::Exactly(stat.disk) } else { Frees::AtMost(stat.disk) }
    }

    /// Whether a directory is one of the lower layer, which nothing was made in since: removing it frees next to nothing. Not known:
    /// no.
    pub fn lies_below(&self, path: &Path) -> bool {
        match self.in_upper(path) {
            Some(found) => found.is_none(),
            None => is_from_below(path),
        }
    }

    /// Whether a directory lies in the upper layer alone, so that it can be renamed on every overlay. Not known: no.
    pub fn is_movable(&self, path: &Path) -> bool {
        is_pure_upper(path)
    }

    /// What lies in the upper layer at a path, if that layer can be reached.
    #[expect(clippy::option_option, reason = "the upper layer may be out of reach, or have nothing there")]
    fn in_upper(&self, path: &Path) -> Option<Option<FileStat>> {
        let (upper, mount) = (self.upper.as_ref()?, self.mount.as_ref()?);
        let relative = path.strip_prefix(&mount.point).ok()?;
        match FileStat::of(&upper.join(relative)) {
            Ok(found) => Some(Some(found)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(None),
            Err(_) => None,
        }
    }
}

/// Whether a file or directory of an overlay has never been in a lower layer, as far as its handle tells.
#[cfg(target_os = "linux")]
fn is_pure_upper(path: &Path) -> bool {
    handle::flags(path).is_some_and(|flags| flags & handle::UPPER != 0)
}

/// Whether a file or directory of an overlay has never been in a lower layer; not known here.
#[cfg(not(target_os = "linux"))]
fn is_pure_upper(_path: &Path) -> bool {
    false
}

/// Whether a file or directory of an overlay is or was one of the lower layer, as far as its handle tells.
#[cfg(target_os = "linux")]
fn is_from_below(path: &Path) -> bool {
    handle::flags(path).is_some_and(|flags| flags & handle::UPPER == 0)
}

/// Whether a file or directory of an overlay is or was one of the lower layer; not known here.
#[cfg(not(target_os = "linux"))]
fn is_from_below(_path: &Path) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod handle {
    use std::ffi::{CString, c_char, c_int, c_uint};
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    /// `OVL_FH_FLAG_PATH_UPPER` of the kernel's `fs/overlayfs/overlayfs.h`.
    pub(super) const UPPER: u8 = 1 << 2;
    /// `OVL_FILEID_V1`.
    const OVERLAY: c_int = 0xf8;
    /// `OVL_FH_MAGIC`.
    const MAGIC: u8 = 0xfb;
    /// `AT_HANDLE_FID` of `linux/fcntl.h`: a handle that identifies, and need not be one that can be opened.
    const IDENTIFIES: c_int = 0x200;
    /// `AT_FDCWD`.
    const HERE: c_int = -100;
    /// `MAX_HANDLE_SZ`.
    const LONGEST: usize = 128;

    /// `struct file_handle` with room for the handle.
    #[repr(C)]
    struct Handle {
        length: c_uint,
        kind: c_int,
        bytes: [u8; LONGEST],
    }

    #[expect(unsafe_code, reason = "the call is not in the standard library")]
    // SAFETY: this is the declaration in `fcntl.h`.
    unsafe extern "C" {
        fn name_to_handle_at(
            directory: c_int,
            path: *const c_char,
            handle: *mut Handle,
            mount: *mut c_int,
            flags: c_int,
        ) -> c_int;
    }

    /// The flags in the handle that an overlay gives a file; none of other filesystems, and before Linux 6.6.
    pub(super) fn flags(path: &Path) -> Option<u8> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        let mut handle = Handle { length: c_uint::try_from(LONGEST).ok()?, kind: 0, bytes: [0; LONGEST] };
        let mut mount = 0;
        #[expect(unsafe_code, reason = "the call writes through pointers")]
        // SAFETY: the path ends with a zero, and at most as many bytes are written as the handle says it has room for.
        let done =
            unsafe { name_to_handle_at(HERE, path.as_ptr(), &raw mut handle, &raw mut mount, IDENTIFIES) };
        // Three bytes of padding, then `struct ovl_fb`: its version, magic number, length and flags.
        let is_one = done == 0 && handle.kind == OVERLAY && handle.bytes[4] == MAGIC && handle.length > 6;
        is_one.then_some(handle.bytes[6])
    }
}
