//! Files of an environment that have an entry's inode, counted for each entry.

use crate::disk::FileStat;
use crate::scan::spot::Spot;
use crate::snapshot::{FileBytes, ModeCounts};

/// What a symlink gives back when it is replaced: nothing while it has other names, as `cp -al` makes them.
pub(super) fn own_bytes(symlink: &FileStat) -> u64 {
    if symlink.links == 1 { symlink.disk } else { 0 }
}

/// Whether a file that has an entry's inode also has the name that uv gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Rightly,
    Otherwise,
    Unknown,
}

impl Named {
    pub(super) fn of(spot: Spot, expected: Spot) -> Self {
        if !(spot.is_known() && expected.is_known()) {
            Self::Unknown
        } else if spot == expected {
            Self::Rightly
        } else {
            Self::Otherwise
        }
    }
}

/// Files found by inode in one entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Files that lie where uv installs them, or of which that is not known.
    pub(super) modes: ModeCounts,
    pub(super) bytes: FileBytes,
    /// How many of these it is not known of.
    pub(super) unsure: u64,
    /// Files that lie under another name than uv gave them.
    pub(super) renamed: ModeCounts,
}

impl Tally {
    pub(super) fn hardlink(&mut self, disk: u64, named: Named) {
        if named == Named::Otherwise {
            self.renamed.hardlink += 1;
            return;
        }
        self.unsure += u64::from(named == Named::Unknown);
        self.modes.hardlink += 1;
        self.bytes.linked += disk;
    }

    /// Counts a symlink to a file that takes `target` bytes.
    pub(super) fn symlink(&mut self, target: u64, own: &FileStat, named: Named) {
        if named == Named::Otherwise {
            self.renamed.symlink += 1;
            return;
        }
        self.unsure += u64::from(named == Named::Unknown);
        self.modes.symlink += 1;
        self.bytes.linked += target;
        self.bytes.symlinks += own_bytes(own);
    }

    /// Every file, whatever its name.
    pub(super) fn all(&self) -> ModeCounts {
        let mut all = self.modes;
        all.add(self.renamed);
        all
    }

    /// Whether every file is known to lie where uv installs it.
    pub(super) fn is_in_place(&self) -> bool {
        self.unsure == 0 && self.renamed.total() == 0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.modes.add(other.modes);
        self.bytes.add(other.bytes);
        self.unsure += other.unsure;
        self.renamed.add(other.renamed);
    }
}
