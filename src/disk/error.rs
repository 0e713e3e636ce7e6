//! What went wrong on the disk, with the operation and the path.

use std::io;
use std::path::PathBuf;

/// A failed operation. `Display` does not repeat the source; print the chain.
#[derive(Debug, thiserror::Error)]
#[error("Failed to {operation} `{}`", crate::human::escape_os(path.as_os_str()))]
pub struct Error {
    /// What was tried, as it stands after "Failed to", as `read the directory`.
    pub operation: &'static str,
    /// The path it was tried on.
    pub path: PathBuf,
    /// What the operating system answered.
    pub source: io::Error,
}

impl Error {
    /// An error of `operation` on `path`.
    pub fn new(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { operation, path: path.into(), source }
    }
}

/// What the operating system answered, without its error number, as `Permission denied`.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
