//! Whether a bucket that was moved lies where cachetui can still remove from it.

use std::ffi::OsStr;
use std::path::Path;

use crate::disk::{FileStat, canonical, volume};
use crate::uv::bucket::{Bucket, BucketKind};

/// Whether what a bucket is, or its symlink leads to, can be treated as if it lay in the cache: it is on the cache's own
/// mount, so that rename(2) reaches the trash, and is no part of another cache, whose lock is another one. A bucket of entries
/// also has the bucket's name, by which symlinks of environments are understood. It is the cache's owner's: where root works on
/// a user's cache, the user's symlink must not lead root elsewhere.
pub fn is_near(cache: &Path, name: &OsStr) -> bool {
    let (Ok(cache), Ok(real)) = (canonical(cache), canonical(&cache.join(name))) else { return false };
    let place = |path: &Path| FileStat::of(path).ok().map(|stat| (stat.device, stat.owner));
    let of_another = |above: &Path| {
        above != cache
            && [".lock", "CACHEDIR.TAG"].iter().any(|name| above.join(name).symlink_metadata().is_ok())
    };
    let is_archive = Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive);
    (!is_archive || real.file_name() == Some(name))
        && place(&real).is_some()
        && place(&real) == place(&cache)
        && volume::mount(&real) == volume::mount(&cache)
        && real.parent().is_some_and(|above| !of_another(above))
}
