//! What a scan searched, so that "unused" can always say where nobody was found.

use std::path::PathBuf;

use super::print::FilePrint;
use super::problem::Problem;

/// What was searched, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The places that were searched for environments.
    pub roots: Vec<ScopeRoot>,
    /// Directories that were read as environments because somebody said so.
    pub targets: Vec<PathBuf>,
    /// Whether the search went into other mounts.
    pub cross_mounts: bool,
    /// The options that said so, as a command that looks in the same places needs them: `--root`, `--target` and so on.
    pub options: Vec<String>,
    /// What could not be read below those places, or crossed into another mount.
    pub unread: Vec<PathBuf>,
    /// What an error kept from being read, so that entries are in doubt: more than an environment of somebody else that
    /// nobody may look at. Each is among the problems too.
    pub failed: Vec<Problem>,
    /// Where an environment was once and is none now: one that is made there again is not new to uv, which keeps its record
    /// of the interpreter (uv 0.13.8).
    pub absent: Vec<PathBuf>,
    /// Where an environment was that is not there and not known to be gone: it may have been moved, or its filesystem is not
    /// mounted.
    pub away: Vec<PathBuf>,
    /// Directories of distributions of installations that uv knows and that have nothing of the cache now.
    pub bystanders: Vec<(PathBuf, FilePrint)>,
    /// `.venv` links and files below those places that lead to environments which are gone.
    pub dead_links: Vec<PathBuf>,
    /// Whether it is hidden which processes run, so that one may run in any environment of the cache.
    pub processes_hidden: bool,
    /// Whether the scan has seen everything it set out to see.
    pub completeness: Completeness,
    /// When the scan started.
    pub started: Option<jiff::Timestamp>,
    /// How long it took, or has taken so far.
    pub elapsed: std::time::Duration,
}

/// One place that was searched for environments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRoot {
    /// The directory.
    pub path: PathBuf,
    /// Why it was searched, as `--root` or `current directory`.
    pub reason: &'static str,
    /// Whether it was there and could be read.
    pub readable: bool,
    /// How many levels deep it was searched.
    pub depth: usize,
    /// Whether somebody named it, and expects it to be there.
    pub named: bool,
}

/// Whether a scan has seen everything it set out to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completeness {
    /// The scan is still running; every number may grow and every state may change.
    #[default]
    Running,
    /// The scan came to its end.
    Complete,
    /// The scan was cancelled; what it did not reach counts as in use.
    Cancelled,
}
