//! Makes a file appear where there was none: by clone, hardlink, symlink or copy, or from bytes.
//!
//! Nothing here replaces or removes what is already there, so that a call that fails leaves everything as it was. A file
//! that was begun and could not be finished is taken away again.

pub mod diagnose;
pub mod file;
pub mod mode;
pub mod probe;

pub use crate::disk::Error;
pub use file::{create_directories, set_time, symlink, temporary_directory, write_new};
pub use mode::{Outcome, Refusal, link};
