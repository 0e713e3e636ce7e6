//! One walk over everything in a cache: who owns it, who may use it, how many links it has; and over environments: which
//! symlinks lead into another cache.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::disk;
use crate::disk::walk::{Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat};
use crate::uv::link::archive_target;

/// What is expected of everything in a cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The owner of its root.
    pub(super) owner: u32,
    /// The write bits of group and others that its root has: who shares it.
    pub(super) sharing: u32,
    /// How many links its filesystem allows a file.
    pub(super) limit: Option<u64>,
    /// This user, where it is not one who may link every file.
    pub(super) user: Option<u32>,
}

/// How many of a kind, and the first of them by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) count: u64,
    pub(super) first: Option<PathBuf>,
    /// The deepest directory that has all of them below it, or the one there is.
    pub(super) top: Option<PathBuf>,
}

/// What a walk over a cache found.
#[derive(Debug)]
pub(super) struct Tally {
    expected: Expected,
    /// Whether the tree that is walked holds entries.
    pub(super) entries: bool,
    pub(super) owners: FxHashMap<u32, Found>,
    /// Files of another owner that have other names too, by device and inode.
    pub(super) linked: FxHashMap<(u64, u64), u32>,
    pub(super) closed_directories: Found,
    pub(super) closed_files: Found,
    pub(super) many_links: Found,
    pub(super) most_links: u64,
    /// Files of entries that cannot be linked any more, a few.
    pub(super) full: Vec<PathBuf>,
    /// A file of an entry that belongs to somebody else than this user, who may not write it.
    pub(super) foreign: Option<PathBuf>,
}

/// Files at their limit that are remembered.
const FULL: usize = 4;

impl Found {
    fn add(&mut self, path: impl FnOnce() -> PathBuf) {
        self.count += 1;
        // Ordered by path within a walk it is not; the shortest says most.
        let path = path();
        self.widen(&path);
        let length = |path: &PathBuf| (path.components().count(), path.clone());
        if self.first.as_ref().is_none_or(|first| length(&path) < length(first)) {
            self.first = Some(path);
        }
    }

    fn widen(&mut self, path: &Path) {
        let above = |top: &PathBuf| path.ancestors().find(|it| top.starts_with(it)).map(Path::to_owned);
        self.top = self.top.as_ref().map_or_else(|| Some(path.to_owned()), above);
    }

    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if let Some(top) = &other.top {
            self.widen(top);
        }
        if let Some(path) = other.first {
            self.add(|| path);
        }
        self.count = count;
    }
}

impl Tally {
    pub(super) fn new(expected: Expected) -> Self {
        Self {
            expected,
            entries: false,
            owners: FxHashMap::default(),
            linked: FxHashMap::default(),
            closed_directories: Found::default(),
            closed_files: Found::default(),
            many_links: Found::default(),
            most_links: 0,
            full: Vec::new(),
            foreign: None,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (owner, found) in other.owners {
            self.owners.entry(owner).or_default().merge(found);
        }
        self.linked.extend(other.linked);
        self.closed_directories.merge(other.closed_directories);
        self.closed_files.merge(other.closed_files);
        self.many_links.merge(other.many_links);
        self.most_links = self.most_links.max(other.most_links);
        self.full.extend(other.full);
        self.full.sort();
        self.full.truncate(FULL);
        self.foreign = self.foreign.take().into_iter().chain(other.foreign).min();
    }

    /// Looks at one file or directory.
    pub(super) fn look(&mut self, path: impl Fn() -> PathBuf, stat: &FileStat) {
        let expected = self.expected;
        if stat.owner != expected.owner {
            if stat.kind == FileKind::File && stat.links > 1 {
                // Whose they are beside the cache's is looked at next.
                self.linked.insert((stat.device, stat.inode), stat.owner);
            }
            self.owners.entry(stat.owner).or_default().add(&path);
        }
        match stat.kind {
            FileKind::Directory if stat.mode_bits & expected.sharing != expected.sharing => {
                self.closed_directories.add(&path);
            }
            FileKind::File => {
                // Who may write to the root should be able to read what is below: the read bit stands left of it.
                let readable = expected.sharing << 1;
                if stat.mode_bits & readable != readable {
                    self.closed_files.add(&path);
                }
                self.links(&path, stat);
                if self.entries
                    && self.foreign.is_none()
                    && expected.user.is_some_and(|user| user != stat.owner)
                    && !disk::stat::may_write(&path())
                {
                    self.foreign = Some(path());
                }
            }
            _ => {}
        }
    }

    fn links(&mut self, path: impl Fn() -> PathBuf, stat: &FileStat) {
        let Some(limit) = self.expected.limit.filter(|limit| stat.links > limit - limit / 13) else { return };
        self.many_links.add(&path);
        self.most_links = self.most_links.max(stat.links);
        if self.entries && stat.links >= limit && self.full.len() < FULL {
            self.full.push(path());
        }
    }
}

impl Visitor for Tally {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        self.look(|| directory.path(), stat);
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        self.look(|| parent.path().join(name), stat);
    }

    // The scan has already said what cannot be read.
    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: std::io::Error) {}
}

/// What a walk over environments found.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    /// By the root that they name, and whether that is this cache under another name.
    pub(super) by_prefix: BTreeMap<(PathBuf, bool), Found>,
    /// What a probe left that was killed.
    pub(super) temporary: Found,
}

/// Walks environments.
#[derive(Debug)]
pub(super) struct Symlinks<'a> {
    pub(super) found: Foreign,
    /// Prefixes that are this cache, and those that are not.
    known: FxHashMap<PathBuf, bool>,
    /// This cache's root with every symlink resolved.
    cache: PathBuf,
    /// The ids of its entries.
    ids: &'a FxHashSet<&'a OsStr>,
    /// Files that are the cache's too.
    pub(super) shared: FxHashSet<(u64, u64)>,
    /// Files of the cache that are worth knowing about where an environment shares them.
    wanted: Arc<FxHashMap<(u64, u64), u32>>,
}

impl<'a> Symlinks<'a> {
    /// Nothing yet; `cache` is the root of this cache with every symlink resolved.
    pub(super) fn new(
        cache: &Path,
        wanted: &Arc<FxHashMap<(u64, u64), u32>>,
        ids: &'a FxHashSet<&'a OsStr>,
    ) -> Self {
        Self {
            found: Foreign::default(),
            known: FxHashMap::default(),
            cache: cache.to_owned(),
            ids,
            shared: FxHashSet::default(),
            wanted: Arc::clone(wanted),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (prefix, found) in other.found.by_prefix {
            self.found.by_prefix.entry(prefix).or_default().merge(found);
        }
        self.found.temporary.merge(other.found.temporary);
    }

    fn is_this_cache(&mut self, prefix: &Path) -> bool {
        let cache = &self.cache;
        let same = |prefix: &PathBuf| crate::disk::canonical(prefix).is_ok_and(|path| path == *cache);
        *self.known.entry(prefix.to_owned()).or_insert_with_key(same)
    }
}

impl Visitor for Symlinks<'_> {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        if name.as_encoded_bytes().starts_with(b".tmpcachetui-") {
            self.found.temporary.add(|| parent.path().join(name));
        }
        Descend::Yes
    }

    fn entered(&mut self, _directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if stat.kind != FileKind::Symlink {
            let file = (stat.device, stat.inode);
            if stat.links > 1 && self.wanted.contains_key(&file) {
                self.shared.insert(file);
            }
            return;
        }
        let Ok(text) = parent.read_link(name) else { return };
        let Some(target) = archive_target(&text).filter(|target| target.prefix.is_absolute()) else { return };
        if !self.is_this_cache(&target.prefix) {
            let is_this = self.ids.contains(target.id.as_os_str()) && parent.following(name).is_err();
            let found = self.found.by_prefix.entry((target.prefix, is_this)).or_default();
            found.add(|| parent.path().join(name));
        }
    }

    // The scan has already said what cannot be read.
    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: std::io::Error) {}
}
