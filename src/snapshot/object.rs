//! The files of the content-addressed store, `files-v*` (uv's preview `content-addressed-cache`).

use std::path::PathBuf;

use super::id::EntryIndex;
use super::print::FilePrint;

/// One object: a file that entries, and through them environments, are hardlinked to.
#[derive(Clone, Debug)]
pub struct StoreObject {
    /// Where it is, relative to the cache's root.
    pub path: PathBuf,
    /// What identifies it.
    pub print: FilePrint,
    /// The entries that have it, sorted, without repetition.
    pub entries: Box<[EntryIndex]>,
    /// Whether anybody has it who is neither the store nor an entry, or may have it.
    pub held: bool,
}
