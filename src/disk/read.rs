//! Reading whole small files, safely.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Pointers, records and settings are small; what is larger than this is refused instead of read into memory.
pub const SMALL: u64 = 1 << 20;

/// The largest `RECORD` that is read: two million files.
pub const RECORD: u64 = 256 << 20;

/// Opens a regular file for reading, without following a symlink in the last component and without blocking.
#[cfg(unix)]
pub fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    regular(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Opens a regular file for reading, without following a symlink in the last component and without fetching what lies in
/// a cloud.
#[cfg(windows)]
pub fn open(path: &Path) -> io::Result<File> {
    use super::stat::FileStat;
    use crate::win32::file::{self, Follow, Look};
    let looked = FileStat::of(path)?;
    if let Some(error) = looked.unreadable() {
        return Err(error);
    }
    // What a driver answers for (deduplicated or compressed data) can only be read the way everybody does. That it is
    // still the file that was looked at shows that no link was followed.
    let file = file::open(path, Look::Content, Follow::Yes)?;
    let opened = FileStat::of_file(&file)?;
    if (opened.device, opened.inode, opened.kind) == (looked.device, looked.inode, looked.kind) {
        Ok(file)
    } else {
        Err(io::Error::other("it was replaced while it was opened"))
    }
}

/// Reads a regular file of at most `limit` bytes, without following a symlink in the last component.
pub fn small(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?, limit)
}

/// Passes a file on if it is a regular one.
#[cfg(unix)]
pub(super) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Reads an open file of at most `limit` bytes.
pub(super) fn whole(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
