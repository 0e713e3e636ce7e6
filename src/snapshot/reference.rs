//! One environment uses one entry, by evidence.

use serde::Serialize;

use super::id::{EntryIndex, EnvironmentIndex};
use crate::human;

/// What shows that an environment uses an entry; later variants are stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The same name and version, and nothing more: the content is not proven.
    Name,
    /// The digest of each file in `RECORD` equals the entry's, and so do the sizes: a copy.
    Content,
    /// Extents at the same physical offset: a reflink.
    Extent,
    /// A symlink whose target resolves into the entry.
    Symlink,
    /// The same device and inode: a hardlink.
    Inode,
}

impl Evidence {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Content => "content",
            Self::Extent => "extent",
            Self::Symlink => "symlink",
            Self::Inode => "inode",
        }
    }
}

/// How many files each kind of evidence stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceCounts {
    /// Files with the same device and inode.
    pub inode: u64,
    /// Symlinks that resolve into the entry.
    pub symlink: u64,
    /// Files with shared extents.
    pub extent: u64,
    /// Files with equal digest and size.
    pub content: u64,
}

/// Files per link mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModeCounts {
    /// Reflinked files.
    pub clone: u64,
    /// Hardlinked files.
    pub hardlink: u64,
    /// Symlinked files.
    pub symlink: u64,
    /// Copied files.
    pub copy: u64,
}

impl ModeCounts {
    /// All files, whatever their mode.
    pub fn total(self) -> u64 {
        self.clone + self.hardlink + self.symlink + self.copy
    }

    /// The files in words, as `3 clones and 2 copies`; nothing when there are none.
    pub fn in_words(self) -> Option<String> {
        let counts = [
            (self.clone, "clone", "clones"),
            (self.hardlink, "hardlink", "hardlinks"),
            (self.symlink, "symlink", "symlinks"),
            (self.copy, "copy", "copies"),
        ];
        let present = counts.iter().filter(|(number, ..)| *number > 0);
        let parts: Vec<String> =
            present.map(|(number, one, many)| human::counted(*number, one, many)).collect();
        (!parts.is_empty()).then(|| human::list(&parts))
    }

    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.clone += other.clone;
        self.hardlink += other.hardlink;
        self.symlink += other.symlink;
        self.copy += other.copy;
    }
}

/// One distribution of one environment uses one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The entry that is used.
    pub entry: EntryIndex,
    /// The environment that uses it.
    pub environment: EnvironmentIndex,
    /// The position of the using distribution in `Environment::distributions`; none where files of the entry were
    /// found that no distribution there claims.
    pub distribution: Option<u32>,
    /// How many files of the entry it uses, per link mode.
    pub by: ModeCounts,
    /// The strongest evidence there is.
    pub evidence: Evidence,
    /// How many files stand behind each kind of evidence.
    pub counts: EvidenceCounts,
}
