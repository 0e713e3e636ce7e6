//! The buckets of a cache: its top-level directories, named `<word>-v<number>`.
//!
//! The number changes when uv changes what it stores there, about once a month, so several versions of one bucket may lie
//! side by side. A version that no tested release writes is read by the newest rules, and believed only where everything in
//! it has the forms that these expect.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

/// The directory beside the buckets in which cachetui keeps what it removed, until that is purged or put back.
pub const TRASH: &str = ".cachetui-trash";

/// What a bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BucketKind {
    /// Entries: unpacked wheels and whole environments.
    Archive,
    /// Pointers to unpacked wheels that were downloaded or named by path.
    Wheels,
    /// Source distributions, and pointers to the wheels built from them.
    Sdists,
    /// What `sdists` was called by uv 0.4 and older.
    BuiltWheels,
    /// Pointers to cached environments, and environments of scripts and projects.
    Environments,
    /// Temporary directories of running builds.
    Builds,
    /// Files by content, which entries hard-link (preview `content-addressed-cache`).
    Files,
    /// What uv learnt by asking interpreters.
    Interpreter,
    /// Answers of package indexes.
    Simple,
    /// Flat indexes, as given to `--find-links`.
    FlatIndex,
    /// Git databases and checkouts.
    Git,
    /// Programs that uv downloads, such as formatters.
    Binaries,
    /// Downloads of managed Python versions.
    Python,
    /// Answers of the vulnerability database.
    Osv,
}

impl BucketKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Archive,
        Self::Wheels,
        Self::Sdists,
        Self::BuiltWheels,
        Self::Environments,
        Self::Builds,
        Self::Files,
        Self::Interpreter,
        Self::Simple,
        Self::FlatIndex,
        Self::Git,
        Self::Binaries,
        Self::Python,
        Self::Osv,
    ];

    /// The word that starts the directory's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Wheels => "wheels",
            Self::Sdists => "sdists",
            Self::BuiltWheels => "built-wheels",
            Self::Environments => "environments",
            Self::Builds => "builds",
            Self::Files => "files",
            Self::Interpreter => "interpreter",
            Self::Simple => "simple",
            Self::FlatIndex => "flat-index",
            Self::Git => "git",
            Self::Binaries => "binaries",
            Self::Python => "python",
            Self::Osv => "osv",
        }
    }

    /// The first and the last number of the kind that tested releases write; `None` for a kind that only older ones knew.
    fn known(self) -> Option<(u32, u32)> {
        Some(match self {
            Self::BuiltWheels => return None,
            Self::Archive | Self::Builds | Self::Files | Self::Binaries => (0, 0),
            Self::Wheels => (3, 8),
            Self::Sdists => (6, 11),
            Self::Environments => (1, 2),
            Self::Interpreter => (3, 5),
            Self::Simple => (14, 28),
            Self::FlatIndex => (2, 7),
            Self::Git => (0, 2),
            Self::Python | Self::Osv => (0, 1),
        })
    }

    /// The numbers of the kind that are known, for a person, as `` `wheels-v3` to `wheels-v8` ``.
    pub fn numbers(self) -> String {
        let named = |version| format!("`{}`", Bucket { kind: self, version });
        match self.known() {
            None => "none".to_owned(),
            Some((first, last)) if first == last => named(first),
            Some((first, last)) => format!("{} to {}", named(first), named(last)),
        }
    }

    /// Whether pointers to entries may lie in such a bucket.
    pub fn holds_pointers(self) -> bool {
        matches!(self, Self::Wheels | Self::Sdists | Self::BuiltWheels | Self::Environments)
    }
}

/// Whether a path relative to the cache's root is that of an object of the content-addressed store, as
/// `files-v0/<2 hex digits>/<64 hex digits>` (uv 0.13.8).
pub fn is_object(path: &Path) -> bool {
    let names: Option<Vec<&str>> = path.iter().map(OsStr::to_str).collect();
    let digits = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match names.as_deref() {
        Some([bucket, first, name]) => {
            let bucket = Bucket::parse(OsStr::new(bucket));
            bucket.is_some_and(|it| it.kind == BucketKind::Files) && digits(first, 2) && digits(name, 64)
        }
        _ => false,
    }
}

/// One bucket: its kind and the version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// What it holds.
    pub kind: BucketKind,
    /// The version of its layout.
    pub version: u32,
}

impl Bucket {
    /// Reads a directory's name; `None` for every name that uv would not give to a bucket of a kind known here.
    pub fn parse(name: &OsStr) -> Option<Self> {
        let (word, digits) = name.to_str()?.rsplit_once("-v")?;
        let kind = BucketKind::ALL.into_iter().find(|kind| kind.word() == word)?;
        let canonical = digits == "0" || !digits.starts_with('0');
        if !canonical || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { kind, version: digits.parse().ok()? })
    }

    /// Whether a tested release writes this version: see [`super::TESTED`].
    pub fn is_known(self) -> bool {
        // uv went from `sdists-v6` to `sdists-v8`.
        let skipped = self.kind == BucketKind::Sdists && self.version == 7;
        self.kind.known().is_some_and(|(first, last)| (first..=last).contains(&self.version)) && !skipped
    }

    /// Whether only releases write this version that are older than every tested one: uv 0.4 and before.
    pub fn is_old(self) -> bool {
        self.kind.known().is_none_or(|(first, _)| self.version < first)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-v{}", self.kind.word(), self.version)
    }
}

/// Whether a path lies in a bucket in which environments may be, of whatever cache.
pub fn lies_in_one(path: &Path) -> bool {
    let makes = [BucketKind::Archive, BucketKind::Environments, BucketKind::Builds];
    path.iter().filter_map(Bucket::parse).any(|bucket| makes.contains(&bucket.kind))
}

/// Names that uv puts in a cache's root beside the buckets; the `.gitignore` there is no mark, since projects have one too.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".lock"];

/// Names that no cache has, but the directories do that must never be taken for one: a filesystem's root, a home, a
/// project, an environment.
const FOREIGN: [&str; 22] = [
    ".bash_history",
    ".bashrc",
    ".config",
    ".local",
    ".profile",
    ".ssh",
    ".zshrc",
    "AppData",
    "Library",
    "Program Files",
    "System",
    "Users",
    "Windows",
    "bin",
    "etc",
    "home",
    "proc",
    "pyproject.toml",
    "pyvenv.cfg",
    "setup.py",
    "usr",
    "uv.toml",
];

/// Whether a name is shaped as a bucket's is, `<word>-v<number>`, of whatever kind.
pub fn is_shaped(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.rsplit_once("-v"));
    parts.is_some_and(|(word, digits)| {
        !word.is_empty() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a directory that holds these names may be a cache in which nothing is left: there is nothing but the files that
/// `uv cache clean` leaves (uv 0.13.1 and later leave `.lock`), or nothing at all.
pub fn may_be_emptied<'a>(names: impl IntoIterator<Item = &'a OsStr>) -> bool {
    names.into_iter().all(|name| MARKS.iter().chain(&[".git", ".gitignore"]).any(|mark| name == *mark))
}

/// Whether a directory that holds these names may be taken for a cache.
///
/// Asks for one of uv's own marks beside a bucket, or for a bucket of entries or wheels in a version seen before; one name
/// that belongs to a home, a project or a whole system refuses it. An emptied cache is refused too, see [`may_be_emptied`].
pub fn looks_like_cache<'a>(names: impl IntoIterator<Item = &'a OsStr>) -> bool {
    let (mut marked, mut buckets, mut certain) = (false, false, false);
    for name in names {
        if FOREIGN.iter().any(|foreign| name == *foreign) {
            return false;
        }
        marked |= MARKS.iter().any(|mark| name == *mark);
        if let Some(bucket) = Bucket::parse(name) {
            buckets = true;
            certain |= matches!(bucket.kind, BucketKind::Archive | BucketKind::Wheels) && bucket.is_known();
        }
    }
    certain || (marked && buckets)
}
