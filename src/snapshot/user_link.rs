//! What leads into an entry from outside every environment.

use std::path::PathBuf;

use super::id::EntryIndex;

/// A symlink, or a line of a path file, that lies outside every environment and leads into an entry: what reads it breaks
/// when the entry goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserLink {
    /// The entry.
    pub entry: EntryIndex,
    /// The symlink or the path file, absolute.
    pub path: PathBuf,
    /// Which of the two it is.
    pub form: UserLinkForm,
}

/// How something outside an environment leads into an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserLinkForm {
    /// A symlink.
    Symlink,
    /// A line of a path file (`*.pth`).
    PathFile,
}

impl UserLinkForm {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::PathFile => "path-file",
        }
    }
}
