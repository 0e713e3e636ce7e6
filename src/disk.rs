//! Reads the filesystem: stat, walk, extents, volumes. Nothing here changes anything.
//!
//! A file that is opened is opened without following a symlink in its last component and without blocking (a FIFO in a
//! cache must not hang a scan), and only regular files are read.

pub mod attributes;
mod canonical;
pub mod error;
pub mod extent;
pub mod file_number;
pub mod located;
pub mod metadata;
pub mod mounts;
pub mod open_files;
pub mod overlay;
pub mod processes;
pub mod read;
pub mod same;
pub mod stat;
pub mod temporary;
pub mod usage;
pub mod volume;
pub mod walk;

pub use canonical::canonical;
pub use error::Error;
pub use stat::{Content, FileKind, FileStat, Time};
