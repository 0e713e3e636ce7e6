//! Every lock file that concerns a cache and its environments, with what it guards and who holds it.

use std::path::PathBuf;

use jiff::Timestamp;

use super::holder::Holder;

/// What a lock file guards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The whole cache, by its root.
    Cache(PathBuf),
    /// An environment, by its root.
    Environment(PathBuf),
    /// One wheel, source distribution, repository or cached environment, by the path inside the cache that it is about.
    Item(PathBuf),
    /// uv's directory of tools.
    Tools(PathBuf),
    /// A project directory or an interpreter, of which the file's name holds only a digest.
    Project(Option<PathBuf>),
    /// Not told by the file's name.
    Unknown,
}

/// Which program makes a lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// uv.
    Uv,
    /// cachetui, in its own directory.
    Cachetui,
}

/// Whether a lock is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody holds it.
    Free,
    /// Somebody holds it together with others.
    Shared,
    /// Somebody holds it alone.
    Exclusive,
    /// There is no such file; nobody can hold it.
    Missing,
    /// It cannot be asked, and why: no permission, or no locks on that filesystem.
    Unknown(String),
}

/// One lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile {
    /// Its path.
    pub path: PathBuf,
    /// The program that made it.
    pub maker: Maker,
    /// What it guards.
    pub resource: Resource,
    /// Whether it is held.
    pub state: State,
    /// Who holds it, then who waits for it.
    pub holders: Vec<Holder>,
    /// When it was last changed, which for most locks is when it was made.
    pub modified: Option<Timestamp>,
}

/// All lock files, and what a lock is worth here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The lock files: the cache's first, then by resource and path.
    pub files: Vec<LockFile>,
    /// Sentences about the whole: a filesystem on which locks do not reach other machines, a directory that cannot be
    /// written, an ancestor of this process that holds the cache's lock.
    pub notes: Vec<String>,
    /// The ancestor of this process that holds the cache's lock: it runs under `uvx` or `uv run`.
    pub ancestor: Option<Holder>,
}
