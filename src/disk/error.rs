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

/// What the operating system answered, without its error number and, as Windows ends with one, without a full stop, as
/// `Permission denied`.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error ").unwrap_or(text.len());
    text[..end].trim_end().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_neither_numbered_nor_a_whole_sentence() {
        let said = |text: &str| words(&io::Error::other(text));
        assert_eq!(said("Permission denied (os error 13)"), "Permission denied");
        assert_eq!(
            said("The system cannot find the file specified. (os error 2)"),
            "The system cannot find the file specified"
        );
        assert_eq!(said("it is a symlink"), "it is a symlink");
    }
}
