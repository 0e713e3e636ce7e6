//! What renaming a staged file into place frees and takes, by the files themselves.

use std::ffi::OsStr;

use super::stage::StagedFile;
use crate::disk::extent::{self, ExtentState};
use crate::disk::volume::{self, Accounting, Filesystem, Reflinks};
use crate::disk::{FileKind, FileStat};
use crate::linker::place::Place;
use crate::snapshot::Mode;

/// Allocated bytes that came free and that were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Of files whose last name was replaced.
    pub freed: u64,
    /// Of what was made in their place.
    pub taken: u64,
    /// The files whose last name was replaced, by device and inode, with their bytes: a process may still have them open.
    pub gone: Vec<((u64, u64), u64)>,
    /// Whether the filesystem keeps its accounts to itself, so that the numbers say nothing.
    pub unsaid: bool,
}

impl Moved {
    /// Adds other bytes to these.
    pub fn add(&mut self, other: Self) {
        self.freed += other.freed;
        self.taken += other.taken;
        self.gone.extend(other.gone);
        self.unsaid |= other.unsaid;
    }
}

/// Watches the files of one directory.
pub(super) struct Scales {
    filesystem: Filesystem,
}

/// A file whose last name is about to be replaced, and what that frees.
pub(super) struct Last {
    inode: (u64, u64),
    bytes: u64,
}

impl Scales {
    pub(super) fn of(place: &Place) -> Self {
        Self { filesystem: volume::filesystem(place.path()) }
    }

    /// What lies where a staged file is to go, if that is its last name.
    pub(super) fn before(&self, place: &Place, file: &StagedFile) -> Option<Last> {
        file.seen.as_ref()?;
        let now = place.find(&file.name).ok()??.stat;
        let is_last = now.links == 1 && now.kind != FileKind::Directory;
        is_last.then(|| Last { inode: (now.device, now.inode), bytes: self.own(place, &file.name, &now) })
    }

    /// Adds a file that was renamed into place.
    pub(super) fn renamed(&self, place: &Place, file: &StagedFile, last: Option<Last>, moved: &mut Moved) {
        moved.unsaid |= self.filesystem.accounting == Accounting::Unknown;
        if let Some(last) = last {
            moved.freed += last.bytes;
            moved.gone.push((last.inode, last.bytes));
        }
        // A link has nothing of its own, and a clone shares all it has.
        if matches!(file.mode, Mode::Symlink | Mode::Copy)
            && let Ok(Some(found)) = place.find(&file.name)
        {
            moved.taken += self.own(place, &file.name, &found.stat);
        }
    }

    /// The bytes that only this file has.
    fn own(&self, place: &Place, name: &OsStr, stat: &FileStat) -> u64 {
        let may_share = self.filesystem.reflinks == Reflinks::Possible && stat.disk > 0;
        if stat.kind != FileKind::File || !may_share {
            return stat.disk;
        }
        let Ok(extents) = place.open_file(name).and_then(|file| extent::extents(&file)) else {
            return stat.disk;
        };
        let shared = extents.iter().filter(|extent| extent.state == ExtentState::Shared);
        stat.disk.saturating_sub(shared.map(|extent| extent.length).sum())
    }
}
