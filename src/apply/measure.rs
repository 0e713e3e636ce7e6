//! Measures what was given back: by the files of what is unlinked, and by the volume.

use std::path::{Path, PathBuf};

use super::trash::{self, Run};

use crate::disk::{FileStat, volume};
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

/// What unlinking some runs would free, by their files. `trees` are the things that a run has moved, relative to the cache:
/// other directories in the trash are the run's own, and free what making them took. None tells to count those too. None is
/// answered where the filesystem does not tell.
pub fn trash(cache: &Path, runs: &[Run], trees: Option<&[PathBuf]>) -> Option<u64> {
    let files = trash::frees(cache, runs, trees);
    // The directory of all runs goes with the last one.
    let own = || FileStat::of(&cache.join(trash::DIRECTORY)).map_or(0, |stat| stat.disk);
    Some(files? + if trees.is_none() { own() } else { 0 })
}

/// What unlinking some runs has freed: what it was before, without what is left of it.
pub fn freed(cache: &Path, runs: &[Run], trees: Option<&[PathBuf]>, before: Option<u64>) -> Option<u64> {
    let left = trash(cache, runs, trees)?;
    before.map(|before| before.saturating_sub(left))
}
