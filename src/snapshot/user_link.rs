//! What leads into an entry from outside every environment.

use std::path::PathBuf;

use super::id::EntryIndex;

/// A symlink, a line of a path file, or a mount, outside every environment, that leads into an entry: what reads it breaks
/// when the entry goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserLink {
    /// The entry.
    pub entry: EntryIndex,
    /// The symlink, the path file or the mount point, absolute.
    pub path: PathBuf,
    /// Which of them it is.
    pub form: UserLinkForm,
}

/// How something outside an environment leads into an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserLinkForm {
    /// A symlink.
    Symlink,
    /// A line of a path file (`*.pth`).
    PathFile,
    /// A mount that shows a part of the entry, or has it as a layer.
    Mount,
}

impl UserLinkForm {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::PathFile => "path-file",
            Self::Mount => "mount",
        }
    }

    /// Whether it stays when the machine is started again. The kernel's table tells of all mounts, each time.
    pub fn is_kept(self) -> bool {
        self != Self::Mount
    }
}
