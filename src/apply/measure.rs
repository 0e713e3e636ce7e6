//! Measures what was given back.

use std::path::Path;

use crate::disk::volume;
use crate::linker::Root;

/// The free bytes of the volume a cache lies on, once its filesystem has written what it had put off. None where the
/// volume does not tell.
///
/// ext4 and btrfs give blocks back when they commit, and xfs inodes a while later, in the background (Linux 6.1): what was
/// deleted last may be missing. That the filesystem cannot be asked to write makes the answer less exact, and nothing else.
pub fn settled(cache: &Path) -> Option<u64> {
    let opened = crate::disk::canonical(cache).ok().and_then(|real| Root::open(&real).ok());
    drop(opened.map(|root| root.place().sync_filesystem()));
    volume::free(cache)
}
