//! Who holds a lock, as far as the platform tells.

use std::path::PathBuf;

use jiff::Timestamp;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// Together with others.
    Shared,
    /// Alone.
    Exclusive,
}

/// A process that holds a lock, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its command line, its arguments joined with spaces, not escaped; empty where it cannot be read.
    pub command: String,
    /// When it started.
    pub since: Option<Timestamp>,
    /// Its working directory.
    pub directory: Option<PathBuf>,
    /// How it holds the lock, or wants to.
    pub share: Share,
    /// Whether it only waits for the lock.
    pub waits: bool,
}
