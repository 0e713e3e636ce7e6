//! The cache, its buckets and its entries.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::group::Certainty;
use super::id::{EntryKey, PointerIndex};
use super::layout::Odd;
use super::print::TreePrint;
use crate::human;
use crate::uv::bucket::TRASH;

/// The cache itself.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Its root, absolute.
    pub path: PathBuf,
    /// Its root without symlinks, under which what lies in it was found; as [`Self::path`] where nothing is there.
    pub canonical: PathBuf,
    /// How the root was found, as `--cache-dir` or `the default`.
    pub found_by: String,
    /// The type of the filesystem it lies on, as `ext4`, where known.
    pub filesystem: Option<String>,
    /// Whether files on it may share extents, as far as is known.
    pub reflinks: bool,
    /// How sure it is that removing the last name of a file frees its allocated bytes: at most so many where the filesystem has
    /// layers or a server behind it.
    pub certainty: Certainty,
    /// The space of the volume it lies on.
    pub space: Option<Space>,
    /// Its buckets, and every other directory or file in its root, ordered by name.
    pub buckets: Vec<Bucket>,
    /// All files in it added up, in bytes.
    pub logical: u64,
    /// Allocated bytes of everything in it, each inode once.
    pub disk: u64,
    /// All files, links and other non-directories in it.
    pub files: u64,
}

impl Cache {
    /// A path in the cache relative to its root, however the cache was named.
    pub fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let below =
            |root: &Path| (!root.as_os_str().is_empty()).then(|| path.strip_prefix(root).ok()).flatten();
        below(&self.canonical).or_else(|| below(&self.path))
    }

    /// The trash, if there is one.
    pub fn trash(&self) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.name == TRASH)
    }

    /// Bytes that emptying the trash gives back at least: of what has no other name, where files do not share extents.
    pub fn trash_gives(&self) -> u64 {
        self.trash().filter(|_| !self.reflinks).map_or(0, |trash| trash.single)
    }
}

/// The space of a volume, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Its size.
    pub total: u64,
    /// What the user may still write.
    pub available: u64,
    /// One block, the least that a file takes.
    pub block: u64,
}

/// One bucket, or one other thing in the cache root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its file name.
    pub name: String,
    /// Whether a tested release of uv writes buckets of this kind and version, or cachetui has made it itself.
    pub known: bool,
    /// Of another bucket: what of it does not have the forms that are known. Nothing where everything does.
    pub odd: Option<Odd>,
    /// Non-directories in it.
    pub files: u64,
    /// Their sizes added up, in bytes.
    pub logical: u64,
    /// Allocated bytes, each inode once per bucket.
    pub disk: u64,
    /// The part of `disk` that has no other name. Not known of archive buckets.
    pub single: u64,
    /// Whether it lies where nothing can be moved to the trash from: it is a symlink to elsewhere, or a mount.
    pub moved: bool,
    /// Whether it is a symlink, wherever that leads: it does not go as a whole.
    pub linked: bool,
    /// What identifies it; of archive buckets, whose entries are looked at one by one, nothing.
    pub print: TreePrint,
}

/// One directory under `archive-v*`: an unpacked wheel, or a whole environment.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// What names it.
    pub key: EntryKey,
    /// What it is.
    pub kind: EntryKind,
    /// The distribution's normalized name (PEP 503), as uv prints it; for a cached environment that of its first
    /// distribution and the number of others, as `ruff +2`.
    pub name: Option<String>,
    /// The distribution's version.
    pub version: Option<String>,
    /// Wheel tags, as `py3-none-any`; several for compressed tag sets.
    pub tags: Vec<String>,
    /// Where it came from.
    pub source: Source,
    /// Whether it lies in the lower layer of an overlay, so that removing it frees next to nothing.
    pub below: bool,
    /// Files and symlinks in it.
    pub files: u64,
    /// Their sizes added up, in bytes.
    pub logical: u64,
    /// Allocated bytes including directories, each inode once.
    pub disk: u64,
    /// The part of `disk` that somebody else holds too.
    pub shared: u64,
    /// Files whose content is not what `RECORD` says, as far as sizes and times gave cause to look.
    pub modified: u64,
    /// The links of its files.
    pub links: Links,
    /// Files that share extents with something that was not found.
    pub unexplained_extents: u64,
    /// When it came into being: the oldest modification time of its files.
    pub created: Option<Timestamp>,
    /// The newest time at which something shows it was used.
    pub last_use: Option<LastUse>,
    /// The newest of all modification and change times in it.
    pub newest: Option<Timestamp>,
    /// Who uses it, in one word.
    pub state: EntryState,
    /// What leads to it.
    pub pointers: Vec<PointerIndex>,
    /// Pointers that name it, by its id, in another cache: this one was moved, copied, or is used under another name.
    pub foreign: Vec<PointerIndex>,
    /// What keeps it from counting as unused although no user was found.
    pub doubt: Option<Doubt>,
    /// Whether files in it belong to another user than the cache.
    pub other_owner: bool,
    /// Whether a pointer may lead to it that could not be understood: uv might follow it when the entry is gone.
    pub unclear: bool,
    /// What identifies it.
    pub print: TreePrint,
    /// Something in it could not be read, so that its numbers are lower bounds and it counts as in use.
    pub unread: bool,
}

impl Entry {
    /// The part of `disk` that nobody else holds, in bytes.
    pub fn exclusive(&self) -> u64 {
        self.disk.saturating_sub(self.shared)
    }

    /// Whether it could be read, with everything that may use it or lead to it.
    pub fn is_certain(&self) -> bool {
        self.doubt.is_none() && !self.unread && !self.unclear
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// An unpacked wheel.
    Wheel,
    /// A whole environment, as `uvx` makes them.
    Environment,
    /// Neither, as far as could be read. It is shown and kept.
    #[default]
    Unknown,
}

/// Where an entry came from, as its pointers tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The kind of place.
    pub origin: Origin,
    /// Whether uv built it from a source distribution or a directory.
    pub built: bool,
    /// Whether the cache still has the wheel that was built, from which uv unpacks it again.
    pub wheel: bool,
    /// The URL, path or index digest where known.
    pub detail: Option<String>,
    /// The size of the wheel that was downloaded, in bytes, where the pointer tells (uv 0.12.5 and later).
    pub download: Option<u64>,
    /// The file or directory on this machine that it came from, where an environment tells it and it is gone.
    pub gone: Option<PathBuf>,
    /// Whether it came from this machine, and nothing tells from where, or whether that is still there: it may be the last copy.
    pub unlocated: bool,
}

/// The kind of place an entry came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// `PyPI`.
    Pypi,
    /// Another package index.
    Index,
    /// A directory given by `--find-links`, or an index on disk.
    FindLinks,
    /// A URL.
    Url,
    /// A local wheel, source distribution or directory.
    Path,
    /// A git repository.
    Git,
    /// A directory, installed editable.
    Editable,
    /// `uvx` or `uv run --with`: an environment made for one command.
    Command,
    /// No pointer tells.
    #[default]
    Unknown,
}

/// The links of an entry's files, counted over all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Links beyond those inside the cache.
    pub external: u64,
    /// Of those, the ones found in known environments.
    pub explained: u64,
    /// Of those, the ones that were not found.
    pub unexplained: u64,
}

/// The newest sign that an entry or an environment was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub time: Timestamp,
    /// What shows it.
    pub evidence: LastUseEvidence,
}

/// What shows when an entry or an environment was last used. Access times never do: uv does not read files it links, and backups
/// do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LastUseEvidence {
    /// It was unpacked then.
    Unpacked,
    /// A pointer was written then.
    Pointer,
    /// A file's change time: a hardlink was made or removed then.
    Link,
    /// It was installed into an environment then; of an environment, something was installed into it.
    Install,
    /// The environment was made then: the time of its `pyvenv.cfg`.
    Made,
    /// A script was written into the environment then.
    Script,
    /// Python compiled a module of the environment then: it was imported for the first time after it was installed.
    Compiled,
    /// uv asked the environment's interpreter then, and wrote down what it answered.
    Record,
}

/// Why nobody can say that an entry is unused. What cannot be read or understood counts as in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// Something in the entry itself could not be read.
    Unread,
    /// An environment, or a place where one is known to have been, could not be read.
    Environment,
    /// Symlinks of an environment name it under another path: the cache was moved, or is seen from a container.
    NamedElsewhere,
    /// The scan was cancelled.
    Cancelled,
}

impl Doubt {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Environment => "unread-environment",
            Self::NamedElsewhere => "named-elsewhere",
            Self::Cancelled => "cancelled",
        }
    }

    /// Why it is kept, as a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unread => "A part of it could not be read.",
            Self::Environment => {
                "Something that may use it could not be read, or is not there now: an environment, a searched directory, or the \
                 list of environments found earlier. The problems name it."
            }
            Self::NamedElsewhere => {
                "Symlinks of an environment name it under another path, as when the cache was moved or the environment \
                 is used in a container."
            }
            Self::Cancelled => "The scan was cancelled, so that its users may not have been found.",
        }
    }
}

/// Who uses an entry, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryState {
    /// A known environment, or something outside every environment, reaches it by symlink: removing it would break that.
    Protected,
    /// A known environment uses it by hardlink, reflink or copy.
    Used,
    /// No known environment uses it, but links or shared extents are counted that were not found, or a part of it
    /// could not be read.
    HeldElsewhere,
    /// Nobody within the scan's scope uses it.
    #[default]
    Unused,
    /// Nobody uses it and no pointer leads to it: uv itself will never use it again.
    Unreferenced,
}

impl EntryKind {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wheel => "wheel",
            Self::Environment => "environment",
            Self::Unknown => "unknown",
        }
    }
}

impl Origin {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pypi => "pypi",
            Self::Index => "index",
            Self::FindLinks => "find-links",
            Self::Url => "url",
            Self::Path => "path",
            Self::Git => "git",
            Self::Editable => "editable",
            Self::Command => "command",
            Self::Unknown => "unknown",
        }
    }
}

impl LastUse {
    /// When it was, and what shows it, as `3 days ago (a pointer was written)`.
    pub fn in_words(self, now: Timestamp) -> String {
        format!("{} ({})", human::ago(self.time, now), self.evidence.words())
    }
}

impl LastUseEvidence {
    /// What the evidence is, to stand in brackets after a time.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unpacked => "it was unpacked",
            Self::Pointer => "a pointer was written",
            Self::Link => "a link was made or removed",
            Self::Install => "it was installed",
            Self::Made => "it was made",
            Self::Script => "a script was written",
            Self::Compiled => "Python compiled a module",
            Self::Record => "uv asked its interpreter",
        }
    }

    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unpacked => "unpacked",
            Self::Pointer => "pointer",
            Self::Link => "link",
            Self::Install => "install",
            Self::Made => "made",
            Self::Script => "script",
            Self::Compiled => "compiled",
            Self::Record => "record",
        }
    }
}

impl EntryState {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Used => "used",
            Self::HeldElsewhere => "held-elsewhere",
            Self::Unused => "unused",
            Self::Unreferenced => "unreferenced",
        }
    }
}
