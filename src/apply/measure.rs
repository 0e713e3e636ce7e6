//! Measures what was given back.

use std::path::Path;

use crate::disk::volume;
use crate::linker::Root;

/// The free bytes of the volume a cache lies on, once everything that was unlinked there has been given back.
///
/// ext4 and btrfs give blocks back when they commit, and xfs inodes a while later, in the background (Linux 6.1): what was
/// deleted last may be missing. None where the volume does not tell.
pub fn settled(cache: &Path) -> Option<u64> {
    settle(cache);
    volume::free(cache)
}

/// Lets the filesystem of a cache write what it has put off, so that it does not do so while somebody measures. That it
/// cannot makes the measurement less exact, and nothing else.
pub fn settle(cache: &Path) {
    let opened = std::fs::canonicalize(cache).ok().and_then(|real| Root::open(&real).ok());
    drop(opened.map(|root| root.place().sync_filesystem()));
}
