//! Opens directories of a cache, those of buckets that were moved included.
//!
//! A bucket may be a symlink to where it was moved, which uv follows. What lies there can be renamed into the trash only on
//! the same mount. Where each such symlink leads is found once, before anything is changed, and held open: what is swapped
//! later is not followed, and below it no symlink is either.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::linker::{Error, Missing, Place, Root};
use crate::scan::near::is_near;
use crate::uv::bucket::Bucket;

/// A cache whose moved buckets are open.
pub(super) struct Buckets {
    cache: Root,
    moved: Vec<(OsString, Root)>,
}

impl Buckets {
    /// Opens the moved buckets of a cache, whose root is no symlink.
    pub(super) fn of(cache: Root) -> Self {
        let real = cache.place().path().to_owned();
        let mut moved = Vec::new();
        for name in cache.place().names().unwrap_or_default() {
            if Bucket::parse(&name).is_some()
                && let Some(root) = followed(&real, &name)
            {
                moved.push((name, root));
            }
        }
        Self { cache, moved }
    }

    /// The cache's root.
    pub(super) fn root(&self) -> &Root {
        &self.cache
    }

    /// Whether a bucket is a symlink to where it was moved.
    pub(super) fn is_moved(&self, bucket: &OsStr) -> bool {
        self.moved.iter().any(|(name, _)| name == bucket)
    }

    /// Walks down to a directory, as [`Root::directory`] does.
    pub(super) fn directory(&self, relative: &Path, missing: Missing) -> Result<Place, Error> {
        let mut parts = relative.components();
        let first = parts.next().map_or(OsStr::new(""), |part| part.as_os_str());
        match self.moved.iter().find(|(name, _)| name == first) {
            Some((_, root)) => root.directory(parts.as_path(), missing),
            None => self.cache.directory(relative, missing),
        }
    }
}

/// Where a bucket was moved, if it is a symlink to where things can still be removed.
fn followed(cache: &Path, name: &OsStr) -> Option<Root> {
    let path = cache.join(name);
    std::fs::read_link(&path).ok()?;
    let root = Root::open(&crate::disk::canonical(&path).ok()?).ok()?;
    // Asked when it is open: what is swapped before is looked at, and what is swapped later is not entered.
    let is_it = || {
        let now = crate::disk::FileStat::following(&path).ok()?;
        let opened = root.place().own_stat().ok()?;
        Some((now.device, now.inode) == (opened.device, opened.inode))
    };
    (is_near(cache, name) && is_it().unwrap_or_default()).then_some(root)
}
