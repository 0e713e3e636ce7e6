//! Environments that are linked to another cache than the one that is looked at: another `UV_CACHE_DIR`, or the one of pixi,
//! of prek, of a container.
//!
//! Symlinks name it. A hardlink does not; but the caches that a search meets, or that other programs are known to have, can be
//! asked for the same inode.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use super::environments::{LinkedFile, Reading};
use crate::disk::FileStat;
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::distribution::parse_dist_info;

/// Other caches, and their entries once somebody asks for them.
#[derive(Debug, Default)]
pub(super) struct OtherCaches {
    roots: Vec<PathBuf>,
    /// Entries by the name of their `.dist-info`: the cache's number, and the entry.
    entries: OnceLock<FxHashMap<OsString, Vec<(usize, PathBuf)>>>,
}

/// An entry of another cache.
pub(super) struct OtherEntry<'a> {
    /// The root of that cache.
    pub(super) cache: &'a Path,
    /// Its files, by device and inode.
    pub(super) files: FxHashSet<(u64, u64)>,
}

impl OtherCaches {
    /// The caches at `roots`, every symlink resolved, but for `this` one.
    pub(super) fn new(mut roots: Vec<PathBuf>, this: &Path) -> Self {
        roots.retain(|root| root != this);
        roots.sort_unstable();
        roots.dedup();
        Self { roots, entries: OnceLock::new() }
    }

    /// The entry that has the very `METADATA` that an environment has in a `.dist-info` of this name.
    pub(super) fn with(&self, dist_info: &OsStr, metadata: &FileStat) -> Option<OtherEntry<'_>> {
        let entries = self.entries.get_or_init(|| self.read()).get(dist_info)?;
        let is_it = |(_, entry): &&(usize, PathBuf)| {
            FileStat::of(&entry.join(dist_info).join("METADATA"))
                .is_ok_and(|stat| (stat.device, stat.inode) == (metadata.device, metadata.inode))
        };
        let (number, entry) = entries.iter().find(is_it)?;
        let files = files_of(entry);
        Some(OtherEntry { cache: &self.roots[*number], files })
    }

    fn read(&self) -> FxHashMap<OsString, Vec<(usize, PathBuf)>> {
        let mut found: FxHashMap<OsString, Vec<(usize, PathBuf)>> = FxHashMap::default();
        for (number, root) in self.roots.iter().enumerate() {
            let buckets = names(root).into_iter().filter(|name| is_archive(name));
            for entry in buckets.flat_map(|bucket| children(&root.join(bucket))) {
                for name in names(&entry).into_iter().filter(|name| parse_dist_info(name).is_some()) {
                    found.entry(name).or_default().push((number, entry.clone()));
                }
            }
        }
        found
    }
}

/// Marks distributions whose files have names that were not found in any environment, as where a cache outside of what was
/// searched has them. That they are no copies is all that is known.
pub(super) fn mark_unseen(readings: &mut [Reading]) {
    let inodes = readings.iter().flat_map(|it| &it.linked).map(|file| (file.device, file.inode));
    let mut found: FxHashMap<(u64, u64), u64> = FxHashMap::default();
    for inode in inodes {
        *found.entry(inode).or_default() += 1;
    }
    for Reading { environment, linked, .. } in readings {
        let is_unexplained = |file: &&LinkedFile| file.links > found[&(file.device, file.inode)];
        let unexplained: FxHashSet<(u64, u64)> =
            linked.iter().filter(is_unexplained).map(|file| (file.device, file.inode)).collect();
        if unexplained.is_empty() {
            continue;
        }
        for distribution in &mut environment.distributions {
            let modes = distribution.files.modes;
            if distribution.other_cache.is_some() || modes.hardlink + modes.symlink + modes.clone > 0 {
                continue;
            }
            let metadata = environment.path.join(&distribution.dist_info).join("METADATA");
            let Ok(stat) = FileStat::of(&metadata) else { continue };
            if unexplained.contains(&(stat.device, stat.inode)) {
                distribution.linked_elsewhere = true;
                environment.modes.copy -= modes.copy;
                environment.modes.hardlink += modes.copy;
            }
        }
    }
}

/// Whether a directory is a cache: it has a bucket of entries.
pub(super) fn is_cache(path: &Path) -> bool {
    names(path).iter().any(|name| is_archive(name))
}

/// How many symlinks lead into which other cache: those that lead somewhere.
pub(super) fn named<'a>(texts: impl Iterator<Item = &'a Path>) -> BTreeMap<PathBuf, u64> {
    let mut named = BTreeMap::new();
    for target in texts.filter_map(crate::uv::link::archive_target).filter(|it| it.prefix.is_absolute()) {
        *named.entry(target.prefix).or_default() += 1;
    }
    named
}

fn is_archive(name: &OsStr) -> bool {
    Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
}

fn children(directory: &Path) -> Vec<PathBuf> {
    names(directory).into_iter().map(|name| directory.join(name)).collect()
}

fn names(directory: &Path) -> Vec<OsString> {
    let items = std::fs::read_dir(directory).into_iter().flatten().flatten();
    items.map(|item| item.file_name()).collect()
}

/// The files of a tree, by device and inode.
fn files_of(top: &Path) -> FxHashSet<(u64, u64)> {
    let (mut files, mut next) = (FxHashSet::default(), vec![top.to_owned()]);
    while let Some(directory) = next.pop() {
        for path in children(&directory) {
            match FileStat::of(&path) {
                Ok(stat) if stat.kind == crate::disk::FileKind::Directory => next.push(path),
                Ok(stat) => {
                    files.insert((stat.device, stat.inode));
                }
                Err(_) => {}
            }
        }
    }
    files
}
