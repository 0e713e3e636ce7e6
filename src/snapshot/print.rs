//! What identifies something on disk, and tells whether it has changed since it was looked at.
//!
//! A plan carries these for everything it means to change; whoever carries it out compares again, and leaves alone what is
//! no longer the same.

use serde::{Deserialize, Serialize};

/// Which file or directory something is, by whatever path it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Identifies the filesystem.
    pub device: u64,
    /// Identifies the file or directory within it.
    pub inode: u64,
}

/// What identifies a file or symlink, and tells whether it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FilePrint {
    /// Identifies the filesystem.
    pub device: u64,
    /// Identifies the file within it.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its allocated bytes.
    pub disk: u64,
    /// Its hard links.
    pub links: u64,
    /// The last change of its content, in nanoseconds since 1970.
    pub modified: i64,
    /// The last change of its content, mode, owner, name or link count, in nanoseconds since 1970.
    pub changed: i64,
}

impl TreePrint {
    /// Which directory its top is.
    pub fn identity(&self) -> Identity {
        Identity { device: self.device, inode: self.inode }
    }
}

/// What identifies a whole directory tree, and tells whether anything in it has changed: content, mode, owner, names and
/// hard links all move one of these numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreePrint {
    /// Identifies the filesystem of its top directory.
    pub device: u64,
    /// Identifies its top directory.
    pub inode: u64,
    /// Everything in it but directories.
    pub files: u64,
    /// The sizes of its regular files added up, in bytes.
    pub logical: u64,
    /// The hard links of its regular files added up.
    pub links: u64,
    /// The newest of all modification and change times in it, in nanoseconds since 1970.
    pub newest: i64,
    /// A sum over the inodes and change times of everything in it, for when a clock was wrong: 53 bits, so that any reader of
    /// JSON keeps them.
    pub mix: u64,
}
