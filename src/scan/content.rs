//! Whether a file's content is what `RECORD` says: its size first, then its SHA-256.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::disk::{FileStat, read};

/// Whether the file differs from what a row of `RECORD` says; a row that says nothing differs from nothing. A file that
/// cannot be read counts as different.
pub(super) fn differs(path: &Path, stat: &FileStat, size: Option<u64>, digest: Option<&[u8; 32]>) -> bool {
    if size.is_some_and(|size| size != stat.size) {
        return true;
    }
    let Some(digest) = digest else { return false };
    !read::open(path).and_then(|file| sha256(file, stat.size)).is_ok_and(|found| found == *digest)
}

/// The most bytes that are read at a time.
const BLOCK: usize = 128 << 10;

/// The SHA-256 of a file's content, of some `size` bytes.
pub(super) fn sha256(mut file: File, size: u64) -> io::Result<[u8; 32]> {
    let mut state = Sha256::new();
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(BLOCK).clamp(1, BLOCK)];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(state.finalize().into()),
            Ok(length) => state.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
