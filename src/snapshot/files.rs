//! The files of one entry or one distribution, for whoever wants to look closer than a snapshot does.
//!
//! A snapshot keeps no names of files. These lists are made on demand, by reading the place again.

use std::path::PathBuf;

use super::environment::Mode;
use super::id::EntryKey;

/// Whose files are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FilesRequest {
    /// Those of an entry.
    Entry(EntryKey),
    /// Those of one distribution of an environment, as its `RECORD` lists them.
    Distribution {
        /// The environment's root.
        environment: PathBuf,
        /// The distribution's `.dist-info` directory, relative to the environment's root.
        dist_info: PathBuf,
        /// The entry it was installed from, as far as the scan found out.
        entry: Option<EntryKey>,
    },
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Where it is, relative to the entry or the environment's root.
    pub path: PathBuf,
    /// Its size in bytes; zero where it is missing.
    pub size: u64,
    /// What became of it.
    pub what: FileFate,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileFate {
    /// It is linked to, or equal with, a file of a cache entry.
    Linked(Mode),
    /// uv keeps it private: it is never linked.
    Private,
    /// Its content is not what `RECORD` says.
    Modified,
    /// It is a symlink whose target is gone.
    Dangling,
    /// `RECORD` lists it, and it is not there.
    Missing,
    /// Its content is what `RECORD` says, but no known entry has it.
    Own,
    /// It lies in the cache and nothing is said of it.
    Plain,
}

impl FileFate {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Linked(mode) => mode.word(),
            Self::Private => "private",
            Self::Modified => "modified",
            Self::Dangling => "dangling",
            Self::Missing => "missing",
            Self::Own => "own",
            Self::Plain => "plain",
        }
    }
}
