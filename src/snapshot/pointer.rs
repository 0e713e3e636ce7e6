//! What inside the cache leads to an entry.

use std::path::PathBuf;

use super::id::EntryIndex;
use super::print::FilePrint;

/// One pointer: a symlink, a link file, or a `.http` or `.rev` file.
#[derive(Clone, Debug)]
pub struct Pointer {
    /// Where it is, relative to the cache root.
    pub path: PathBuf,
    /// What it is.
    pub form: PointerForm,
    /// Whether it leads to an entry.
    pub state: PointerState,
    /// The entry it leads to, when it is live.
    pub entry: Option<EntryIndex>,
    /// What it says, for a person: the link text or the archive id. Empty when it could not be read.
    pub target: String,
    /// Why it is not live, as a sentence; empty when it is.
    pub note: String,
    /// Its modification time.
    pub modified: Option<jiff::Timestamp>,
    /// What identifies its file.
    pub print: FilePrint,
}

/// The form of a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointerForm {
    /// A symbolic link or junction.
    Symlink,
    /// A file that holds a path, in uv's text form or the wide form.
    LinkFile,
    /// A `.http` file: `MessagePack`, then the cache policy.
    Http,
    /// A `.rev` file: `MessagePack`.
    Rev,
}

/// Whether a pointer leads to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointerState {
    /// It leads to an entry of this cache.
    Live,
    /// It leads to an entry that is not there.
    Dangling,
    /// It leads outside this cache, as when a cache was moved or was written inside a container.
    Foreign,
    /// It could not be read or understood.
    Malformed,
}

impl PointerForm {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::LinkFile => "link-file",
            Self::Http => "http",
            Self::Rev => "rev",
        }
    }
}

impl PointerState {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Dangling => "dangling",
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
        }
    }
}
