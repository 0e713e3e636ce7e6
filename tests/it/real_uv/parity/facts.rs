//! What a file of an environment is to the file of an entry that it was made from.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cachetui::disk::extent::{Extent, ExtentState, extents};
use cachetui::snapshot::Mode;

/// What a file is to the entry's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A symlink with this text.
    Symlink(PathBuf),
    /// The same inode.
    Hardlink,
    /// A file whose bytes lie where the entry's do.
    Shared,
    /// A file of its own, of which more cannot be said: neither it nor the entry's has bytes at a place that could be
    /// compared, because they are empty or inline (btrfs).
    Unprovable,
    /// A file of its own.
    Own,
}

/// Everything that is compared of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) how: How,
    /// Permission bits; those of what a symlink leads to.
    pub(super) bits: u32,
    pub(super) content: Vec<u8>,
}

impl How {
    pub(super) fn is_link(&self) -> bool {
        matches!(self, Self::Symlink(_) | Self::Hardlink)
    }

    /// Whether a mode makes such a file. A copy shares its bytes where the filesystem can, because the standard library
    /// copies with `copy_file_range`.
    pub(super) fn can_be(&self, mode: Mode) -> bool {
        match mode {
            Mode::Clone => matches!(self, Self::Shared | Self::Unprovable),
            Mode::Hardlink => *self == Self::Hardlink,
            Mode::Symlink => matches!(self, Self::Symlink(_)),
            Mode::Copy => !self.is_link(),
        }
    }
}

/// Looks at a file that was made from `source`. The filesystem has to be settled: what is not written yet lies nowhere.
pub(super) fn of(source: &Path, path: &Path) -> Facts {
    Facts { how: how(source, path), bits: bits(path), content: std::fs::read(path).unwrap() }
}

/// The permission bits of what a path leads to.
pub(super) fn bits(path: &Path) -> u32 {
    let found = std::fs::metadata(path);
    found.unwrap_or_else(|error| panic!("`{}` is there: {error}", path.display())).mode() & 0o7777
}

fn how(source: &Path, path: &Path) -> How {
    let cached = std::fs::symlink_metadata(source).unwrap();
    let own = std::fs::symlink_metadata(path).unwrap();
    assert!(cached.is_file(), "the entry has files only");
    if own.is_symlink() {
        return How::Symlink(std::fs::read_link(path).unwrap());
    }
    if (own.dev(), own.ino()) == (cached.dev(), cached.ino()) {
        return How::Hardlink;
    }
    // tmpfs has no extents at all.
    let read = |path: &Path| extents(&File::open(path).unwrap()).ok();
    match (read(source), read(path)) {
        (Some(cached), Some(own)) if all(&cached, ExtentState::Opaque) && all(&own, ExtentState::Opaque) => {
            How::Unprovable
        }
        (Some(cached), Some(own))
            if all(&cached, ExtentState::Shared) && all(&own, ExtentState::Shared) && cached == own =>
        {
            How::Shared
        }
        _ => How::Own,
    }
}

fn all(extents: &[Extent], state: ExtentState) -> bool {
    extents.iter().all(|extent| extent.state == state)
}
