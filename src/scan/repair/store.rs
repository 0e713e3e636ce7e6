//! The entries of a cache by name, version and id: one listing per entry, nothing else is read.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use crate::disk::{FileKind, FileStat, volume};
use crate::snapshot::Identity;
use crate::uv::archive_id::is_archive_id;
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::distribution::{normalize, parse_dist_info};

/// One unpacked wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Where it is, relative to the cache's root: bucket and id.
    pub(super) path: PathBuf,
    /// Which directory it is.
    pub(super) identity: Identity,
    /// Whether change times tell on its filesystem.
    tells: bool,
    /// The names of the `.dist-info` directories in it; a wheel has one.
    pub(super) dist_infos: Vec<OsString>,
}

impl Stored {
    /// Whether a file in it cannot be written to without its change time telling.
    pub(super) fn tells_of(&self, stat: &FileStat) -> bool {
        self.tells && stat.device == self.identity.device
    }
}

/// The entries of a cache.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// The cache's root, as it was named: links are made with this path.
    pub(super) root: PathBuf,
    entries: Vec<Stored>,
    by_name: FxHashMap<(String, String), Vec<usize>>,
    by_path: FxHashMap<PathBuf, usize>,
    /// Whether change times tell, by filesystem.
    tells: FxHashMap<u64, bool>,
}

impl Store {
    /// Lists a cache. What cannot be read is not there.
    pub(super) fn read(root: &Path) -> Self {
        let mut store = Self { root: root.to_owned(), ..Self::default() };
        let is_archive =
            |name: &OsString| Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive);
        for bucket in names(root).into_iter().filter(is_archive) {
            for id in names(&root.join(&bucket)).into_iter().filter(|id| is_archive_id(id)) {
                store.add(Path::new(&bucket).join(id));
            }
        }
        store
    }

    fn add(&mut self, path: PathBuf) {
        let whole = self.root.join(&path);
        // A symlink is no entry of uv's, and the linker would not enter it.
        let found = FileStat::of(&whole).ok().filter(|stat| stat.kind == FileKind::Directory);
        let Some(FileStat { device, inode, .. }) = found else { return };
        let mut dist_infos = names(&whole);
        dist_infos.retain(|name| parse_dist_info(name).is_some());
        let number = self.entries.len();
        for parsed in dist_infos.iter().filter_map(|name| parse_dist_info(name)) {
            self.by_name.entry((normalize(&parsed.name), parsed.version)).or_default().push(number);
        }
        let tells = *self.tells.entry(device).or_insert_with(|| volume::tells_of_changes(&whole));
        self.by_path.insert(path.clone(), number);
        self.entries.push(Stored { path, identity: Identity { device, inode }, tells, dist_infos });
    }

    /// The entries with this normalized name and version, ordered by path.
    pub(super) fn named(&self, name: &str, version: &str) -> impl Iterator<Item = &Stored> {
        let found = self.by_name.get(&(name.to_owned(), version.to_owned()));
        found.into_iter().flatten().map(|number| &self.entries[*number])
    }

    /// The entry with this bucket and id.
    pub(super) fn at(&self, bucket: &OsStr, id: &OsStr) -> Option<&Stored> {
        self.by_path.get(&Path::new(bucket).join(id)).map(|number| &self.entries[*number])
    }
}

/// The names in a directory, in order; none where it cannot be read.
fn names(path: &Path) -> Vec<OsString> {
    let items = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<OsString> = items.map(|item| item.file_name()).collect();
    names.sort_unstable();
    names
}
