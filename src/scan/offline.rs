//! Whether uv can install from an entry again without a network.
//!
//! `--reinstall` asks the source again, also about what has not changed: uv makes a new entry then, and the next `uv cache prune` takes
//! the old one, with what environments reach there by symlinks (uv 0.5.0 to 0.13.9).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::snapshot::{EntryIndex, EnvironmentIndex, Origin, PointerState, Snapshot};
use crate::uv::bucket::{Bucket, BucketKind};

/// Whether environments other than one reach an entry by symlinks, and uv finds the entry by what the cache keeps.
pub(super) fn is_needed(snapshot: &Snapshot, index: EntryIndex, by: EnvironmentIndex) -> bool {
    let mut links = snapshot.references_to(index).iter().filter(|it| it.by.symlink + it.counts.symlink > 0);
    links.any(|it| it.environment != by) && is_possible(snapshot, index)
}

/// Whether uv finds an entry by what the cache keeps: a pointer, and for what came from an index that index's answer.
fn is_possible(snapshot: &Snapshot, index: EntryIndex) -> bool {
    let entry = snapshot.entry(index);
    let Some(name) = entry.name.as_ref().filter(|_| !entry.source.built) else { return false };
    let mut pointers = entry.pointers.iter().map(|pointer| snapshot.pointer(*pointer));
    let wheels = newest(snapshot, BucketKind::Wheels);
    let is_found = |path: &Path| wheels.as_ref().is_some_and(|bucket| path.starts_with(bucket));
    if !pointers.any(|it| it.state == PointerState::Live && is_found(&it.path)) {
        return false;
    }
    let directory = match (entry.source.origin, &entry.source.detail) {
        (Origin::Url, _) => return true,
        (Origin::Pypi, _) => PathBuf::from("pypi"),
        (Origin::Index, Some(digest)) => Path::new("index").join(digest),
        _ => return false,
    };
    let answers = newest(snapshot, BucketKind::Simple).map(|it| snapshot.cache.path.join(it).join(directory));
    answers.is_some_and(|it| it.join(format!("{name}.rkyv")).is_file())
}

/// The newest bucket of a kind: the uv that is used reads no older one.
fn newest(snapshot: &Snapshot, kind: BucketKind) -> Option<PathBuf> {
    let buckets = snapshot.cache.buckets.iter().filter_map(|it| Bucket::parse(OsStr::new(&it.name)));
    buckets.filter(|it| it.kind == kind).max().map(|it| PathBuf::from(it.to_string()))
}
