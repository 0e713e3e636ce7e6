//! What could not be read or understood.

use std::path::PathBuf;

/// One thing that could not be read or understood. Whatever it concerns counts as in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What the problem is about.
    pub path: PathBuf,
    /// What happened, as a sentence without the path, as ``Failed to read the directory: Permission denied``.
    pub message: String,
}
