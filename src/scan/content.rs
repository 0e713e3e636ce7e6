//! Whether a file's content is what `RECORD` says: its size first, then its SHA-256.

use std::path::Path;

use crate::disk::{FileKind, FileStat, read};
use crate::uv::installed::Stated;

/// Whether a row without a digest agrees with what lies there. A file then only has to have its size; a row may name a
/// directory as well.
pub(super) fn agrees_without_digest(stat: &FileStat, row: Stated) -> bool {
    row.digest.is_none() && (stat.kind != FileKind::File || row.size.is_none_or(|size| size == stat.size))
}

/// Whether the file differs from what a row of `RECORD` says; a row that says nothing differs from nothing. A file that
/// cannot be read counts as different.
pub(super) fn differs(path: &Path, stat: &FileStat, row: Stated) -> bool {
    if row.size.is_some_and(|size| size != stat.size) {
        return true;
    }
    let Some(digest) = row.digest else { return false };
    !read::open(path).and_then(|file| read::sha256(&file, stat.size)).is_ok_and(|found| found == digest)
}
