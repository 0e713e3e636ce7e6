//! Reading whole small files, safely.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Pointers, records and settings are small; what is larger than this is refused instead of read into memory.
pub const SMALL: u64 = 1 << 20;

/// The largest `RECORD` that is read: two million files.
pub const RECORD: u64 = 256 << 20;

/// Whether a file need not be read to know that it is not the one whose size `RECORD` states: it has another, and is large. A
/// sparse file may claim any size.
pub fn is_huge_beside(size: u64, recorded: Option<u64>) -> bool {
    recorded.is_some_and(|recorded| recorded != size) && size > 64 << 20
}

/// Opens a regular file for reading, without following a symlink in the last component and without blocking.
#[cfg(unix)]
pub fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => regular(File::from(file)),
        // What a socket and a device without a driver answer.
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV | rustix::io::Errno::OPNOTSUPP) => {
            Err(not_regular())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn not_regular() -> io::Error {
    io::Error::other("not a regular file")
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

/// The same for a file that a person writes, or names: symlinks to it are followed.
pub fn followed(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    small(&super::canonical(path)?, limit)
}

/// Whether an error says that nothing is there. What lies beneath something that is no directory (`XDG_CONFIG_HOME` may be
/// `/dev/null`) is as absent as what lies in no directory.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether an error says that something is there which [`small`] does not read: no regular file, or one that is too large.
pub fn is_unfit(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other
}

/// Passes a file on if it is a regular one.
#[cfg(unix)]
pub(super) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

/// The most bytes that are read at a time to take a digest.
const BLOCK: usize = 128 << 10;

/// The SHA-256 of a whole file, which is some `size` bytes long. Where reading stands in it counts for nothing, and is
/// anywhere afterwards.
pub fn sha256(file: &File, size: u64) -> io::Result<[u8; 32]> {
    // One byte more, so that a call which brings just the size has met the end.
    let room = usize::try_from(size).unwrap_or(BLOCK).saturating_add(1).min(BLOCK);
    let mut state = Sha256::new();
    let mut buffer = vec![0; room];
    let mut offset = 0;
    loop {
        match at(file, &mut buffer, offset) {
            Ok(length) => {
                state.update(&buffer[..length]);
                offset += length as u64;
                if length == 0 || length < room && offset == size {
                    return Ok(state.finalize().into());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Reads an open file of at most `limit` bytes.
pub(super) fn whole(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    // One byte more: what grows meanwhile, or says that it is empty and is not, must not be taken for a whole file.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_whole_file_whatever_size_it_is_said_to_have() {
        let directory = tempfile::tempdir().unwrap();
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let path = directory.path().join(length.to_string());
            #[expect(clippy::disallowed_methods, reason = "a test makes its file")]
            std::fs::write(&path, &bytes).unwrap();
            let mut file = open(&path).unwrap();
            for size in [0, length as u64 / 2, length as u64, length as u64 + 1, u64::MAX] {
                assert_eq!(sha256(&file, size).unwrap(), <[u8; 32]>::from(Sha256::digest(&bytes)));
            }
            // Nor does it matter where somebody has read to.
            file.read_to_end(&mut Vec::new()).unwrap();
            assert_eq!(sha256(&file, length as u64).unwrap(), <[u8; 32]>::from(Sha256::digest(&bytes)));
        }
    }
}
