//! What is on the disk: what a user reads, what everything is, and how much room it takes. Nothing here knows of scans.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// A file as a user reads it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Fact {
    content: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} bytes, {:o}, {:?}", self.content.len(), self.mode, self.owner)
    }
}

pub(super) type Read = BTreeMap<PathBuf, Fact>;

/// Everything below some places that can be read through whatever link, but what lies outside of `base`.
pub(super) fn read(base: &Path, places: &[PathBuf]) -> Read {
    let no_file = |name: &OsStr| name == "__pycache__" || name == ".lock" || name == "lib64";
    let mut read = Read::new();
    for place in places {
        let walk = WalkDir::new(place).follow_links(true).into_iter();
        for item in walk.filter_entry(|item| !no_file(item.file_name())).flatten() {
            let inside = || item.path().canonicalize().is_ok_and(|real| real.starts_with(base));
            if item.file_type().is_file() && inside() {
                let metadata = item.path().metadata().unwrap();
                // A link is its environment's, whoever owns what it leads to.
                let own = item.path().symlink_metadata().unwrap();
                let owner = (own.uid(), own.gid());
                let content = std::fs::read(item.path()).unwrap();
                read.insert(item.into_path(), Fact { content, mode: metadata.mode(), owner });
            }
        }
    }
    read
}

/// How two readings differ; nothing where they do not.
pub(super) fn differs(before: &Read, after: &Read, may_grow: bool) -> Vec<String> {
    let lost = before.iter().filter(|(path, fact)| after.get(*path) != Some(*fact));
    let lost = lost.map(|(path, fact)| format!("{}: {fact:?} is {:?}", path.display(), after.get(path)));
    let new = after.keys().filter(|path| !may_grow && !before.contains_key(*path));
    lost.chain(new.map(|path| format!("{} is new", path.display()))).collect()
}

/// A thing on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    mode: u32,
    pub(super) owner: (u32, u32),
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
    link: Option<PathBuf>,
}

pub(super) type Tree = BTreeMap<PathBuf, Node>;

/// Everything below a directory but what lies below some others.
pub(super) fn tree(top: &Path, without: &[PathBuf]) -> Tree {
    let walk = WalkDir::new(top).into_iter();
    // An environment may lie in another one, whose lock is uv's and no change.
    let is_lock = |item: &walkdir::DirEntry| item.file_name() == ".lock" && !without.is_empty();
    let walk = walk.filter_entry(|item| !is_lock(item) && !without.iter().any(|it| it == item.path()));
    let mut tree = Tree::new();
    for item in walk.flatten() {
        let metadata = item.path().symlink_metadata().unwrap();
        let is_directory = metadata.is_dir();
        let node = Node {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            size: if is_directory { 0 } else { metadata.size() },
            modified: if is_directory { (0, 0) } else { (metadata.mtime(), metadata.mtime_nsec()) },
            inode: (metadata.dev(), metadata.ino()),
            link: std::fs::read_link(item.path()).ok(),
        };
        tree.insert(item.into_path(), node);
    }
    tree
}

/// How two trees differ; nothing where they do not.
pub(super) fn changes(before: &Tree, after: &Tree, inodes: bool) -> Vec<String> {
    let same = |one: &Node, other: &Node| {
        let other = Node { inode: if inodes { other.inode } else { one.inode }, ..other.clone() };
        *one == other
    };
    let paths: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter(|path| match (before.get(*path), after.get(*path)) {
        (Some(one), Some(other)) => !same(one, other),
        _ => true,
    });
    changed
        .map(|path| format!("{}: {:?} became {:?}", path.display(), before.get(path), after.get(path)))
        .collect()
}

/// The allocated bytes below some directories, each inode once.
pub(in crate::real_uv) fn du(tops: &[PathBuf]) -> u64 {
    let mut seen = HashSet::new();
    let items = tops.iter().flat_map(|top| WalkDir::new(top).into_iter().flatten());
    let metadata = items.filter_map(|item| item.path().symlink_metadata().ok());
    metadata.filter(|it| seen.insert((it.dev(), it.ino()))).map(|it| it.blocks() * 512).sum()
}

/// What of the cache leads nowhere: symlinks without a target, and pointer files that name an entry which is not there.
/// `known` are the entries that ever were there.
pub(super) fn dangling(cache: &Path, known: &BTreeSet<String>) -> BTreeSet<PathBuf> {
    let walk = WalkDir::new(cache).into_iter();
    // What is given up may be anything, and an environment that lies there is a user.
    let walk = walk.filter_entry(|item| item.file_name() != ".cachetui-trash" && item.file_name() != "venvs");
    let names_none = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        let names = |id: &&String| bytes.windows(id.len()).any(|part| part == id.as_bytes());
        known.iter().filter(names).any(|id| !cache.join("archive-v0").join(id).exists())
    };
    let leads_nowhere = |path: &Path| match path.extension().and_then(OsStr::to_str) {
        Some("rev" | "http") if path.is_file() => names_none(path),
        _ => path.is_symlink() && !path.exists(),
    };
    walk.flatten().map(walkdir::DirEntry::into_path).filter(|path| leads_nowhere(path)).collect()
}

/// The entries of a cache.
pub(super) fn entries(cache: &Path) -> BTreeSet<String> {
    let items = std::fs::read_dir(cache.join("archive-v0")).into_iter().flatten().flatten();
    items.filter_map(|item| item.file_name().into_string().ok()).filter(|name| name.len() >= 16).collect()
}

/// The directory of distributions of an environment.
pub(super) fn site(environment: &Path) -> PathBuf {
    let mut versions = std::fs::read_dir(environment.join("lib")).unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}
