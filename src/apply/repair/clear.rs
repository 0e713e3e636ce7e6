//! Takes pointer files out of uv's way that name entries which are gone.
//!
//! uv follows such a pointer when it installs a wheel again, and fails (uv 0.13.8: from directories, paths and URLs). It is
//! unlinked, not kept: it says nothing that is true.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::apply::check;
use crate::apply::ground;
use crate::apply::prune::Trouble;
use crate::disk::error::words;
use crate::disk::read;
use crate::linker::{Error, Missing, Root};
use crate::lock::{CacheExclusive, HoldsCache as _};
use crate::plan::repair::DeadPointer;
use crate::scan::print;
use crate::snapshot::FilePrint;
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::pointer::{self, Payload};

/// Removes pointer files, each with the link beside it. Answers why those that stay do, as sentences. Not escaped.
pub fn clear(pointers: &[DeadPointer], lock: &CacheExclusive) -> Vec<String> {
    let failed = |error: Error| format!("{error}: {}", words(&error.source));
    let cache = match ground::cache(lock) {
        Ok(cache) => cache,
        Err(error) => return vec![failed(error)],
    };
    let mut left = Vec::new();
    for pointer in pointers {
        if !lock.still_valid() {
            left.push("The cache's lock file was replaced; the pointers in it stay.".to_owned());
            break;
        }
        let removed = one(&cache, pointer);
        left.extend(removed.err().map(|trouble| {
            let shown = pointer.at.text();
            match trouble {
                Trouble::Stale(why) | Trouble::Refused(why) => format!("The pointer `{shown}` stays: {why}."),
                Trouble::Failed(error) => failed(error),
            }
        }));
    }
    left
}

fn one(cache: &Root, pointer: &DeadPointer) -> Result<(), Trouble> {
    let path = pointer.at.path();
    remove(cache, &path, &pointer.expects, &|whole| is_dead(cache, whole))?;
    if let Some(link) = &pointer.link {
        remove(cache, &link.at.path(), &link.expects, &|_| true)?;
    }
    Ok(())
}

/// Removes a file or symlink that is what was seen. One that is gone already is as good.
fn remove(
    cache: &Root,
    path: &Path,
    expects: &FilePrint,
    still: &dyn Fn(&Path) -> bool,
) -> Result<(), Trouble> {
    let (directory, name): (PathBuf, PathBuf) = check::pointer(path)?;
    let place = match cache.directory(&directory, Missing::Fail) {
        Ok(place) => place,
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Trouble::Failed(error)),
    };
    let name: &OsStr = name.as_os_str();
    let failed = |operation, error| Trouble::failed(operation, place.join(name), error);
    match place.find(name).map_err(|error| failed("look at", error))? {
        None => Ok(()),
        Some(found) if print::of(&found.stat) == *expects && still(&place.join(name)) => {
            place.remove_file(name).map_err(|error| failed("remove", error))
        }
        Some(_) => Err(Trouble::Stale("it has changed since the scan".to_owned())),
    }
}

/// Whether a pointer file names an entry that no bucket has.
fn is_dead(cache: &Root, path: &Path) -> bool {
    let Ok(bytes) = read::small(path, pointer::LONGEST_FILE as u64) else { return false };
    let payload = match path.extension().and_then(OsStr::to_str) {
        Some("http") => pointer::parse_http(&bytes),
        Some("rev") => pointer::parse_rev(&bytes),
        _ => return false,
    };
    let Ok(Payload::Archive(archive)) = payload else { return false };
    let Ok(names) = cache.place().names() else { return false };
    let is_archive = |name: &&std::ffi::OsString| {
        Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
    };
    // What cannot be looked at may well be there.
    names.iter().filter(is_archive).all(|bucket| {
        let whole = cache.place().join(bucket).join(&archive.id);
        whole.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    })
}
