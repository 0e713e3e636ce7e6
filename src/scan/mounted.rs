//! Mounts that show a part of an entry: a bind mount of a package's directory, a container's volume, an overlay with an
//! entry as one of its layers.
//!
//! Nothing below such a mount leads back to the cache, and renaming the entry does not end it: what reads through it sees the
//! files vanish. The kernel's tables tell of each mount which directory of its filesystem it shows, by the filesystem's own
//! path, which is the same however that is mounted. They are read once per scan.

use std::path::{Path, PathBuf};

use super::cache::Layout;
use super::outside::Entries;
use crate::disk::canonical;
use crate::disk::mounts::{self, Mount};
use crate::snapshot::{EntryIndex, UserLink, UserLinkForm};
use crate::uv::bucket::BucketKind;

/// A bucket of entries by the paths that mounts know it by.
struct Bucket {
    name: String,
    /// Its real path.
    real: PathBuf,
    /// The device of its filesystem, and its path there.
    within: Option<(Vec<u8>, PathBuf)>,
}

/// The mounts of this machine that lead into entries.
pub(super) fn links(entries: &Entries<'_>, layout: &Layout) -> Vec<UserLink> {
    let own = mounts::read();
    if own.is_empty() {
        return Vec::new();
    }
    let buckets = buckets(layout, &own);
    let mut links = Vec::new();
    for mount in own.iter().chain(&mounts::of_others()) {
        links.extend(leads(mount, &buckets, entries).into_iter().map(|entry| UserLink {
            entry: EntryIndex::new(entry as usize),
            path: mount.point.clone(),
            form: UserLinkForm::Mount,
        }));
    }
    links
}

fn buckets(layout: &Layout, mounts: &[Mount]) -> Vec<Bucket> {
    let archives = layout.parts.iter().filter(|part| part.is(BucketKind::Archive));
    let bucket = |part: &super::cache::Part| {
        let real = canonical(&layout.root.join(&part.name)).ok()?;
        let within = mounts::of(mounts, &real).and_then(|mount| {
            let below = real.strip_prefix(&mount.point).ok()?;
            Some((mount.device.clone(), joined(&mount.root, below)))
        });
        Some(Bucket { name: part.name.to_str()?.to_owned(), real, within })
    };
    archives.filter_map(bucket).collect()
}

/// A path below a directory, without the separator that an empty rest would add.
fn joined(above: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { above.to_owned() } else { above.join(below) }
}

/// The entries that a mount shows a part of.
fn leads(mount: &Mount, buckets: &[Bucket], entries: &Entries<'_>) -> Vec<u32> {
    let mut found = Vec::new();
    for bucket in buckets {
        if let Some((device, place)) = &bucket.within
            && *device == mount.device
            && let Ok(inside) = mount.root.strip_prefix(place)
        {
            found.extend(entry(inside, bucket, entries));
        }
        for layer in mount.layers() {
            // The path is that of another time, and perhaps of another namespace: what is there now has to agree.
            let Ok(layer) = canonical(&layer) else { continue };
            if let Ok(inside) = layer.strip_prefix(&bucket.real) {
                found.extend(entry(inside, bucket, entries));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The entry that a path inside a bucket begins with.
fn entry(inside: &Path, bucket: &Bucket, entries: &Entries<'_>) -> Option<u32> {
    let id = inside.iter().next()?;
    entries.by_id.all(Some(bucket.name.as_ref()), id).next()
}
