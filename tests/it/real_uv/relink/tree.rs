//! Everything in a directory, to be compared with what it was before.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// One file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    inode: u64,
    /// Of what it leads to, if it is a symlink.
    mode: u32,
    links: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Of what it leads to.
    written: (i64, i64),
    /// None for directories.
    content: Option<Vec<u8>>,
}

/// Everything in a directory, by path.
pub(in crate::real_uv) struct Tree(BTreeMap<PathBuf, Node>);

impl Tree {
    pub(in crate::real_uv) fn read(root: &Path) -> Self {
        let walk = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
        Self(walk.map(|item| (item.path().to_owned(), Node::read(item.path()))).collect())
    }

    pub(in crate::real_uv) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter(|(_, node)| node.content.is_some()).map(|(path, _)| path)
    }

    pub(in crate::real_uv) fn inode(&self, path: &Path) -> u64 {
        self.0[path].inode
    }

    /// Whether what is read at each path was written when it was before.
    pub(in crate::real_uv) fn has_the_times_of(&self, before: &Self) -> bool {
        self.paths().all(|path| self.0[path].written == before.0[path].written)
    }

    /// Whether not even a time is another.
    pub(in crate::real_uv) fn is_untouched_since(&self, before: &Self) -> bool {
        self.0 == before.0
    }

    /// Whether the same files are there with their bytes, bits and times, whatever links there are to them.
    pub(in crate::real_uv) fn has_the_files_of(&self, before: &Self) -> bool {
        let of = |tree: &Self| -> Vec<_> {
            let nodes = tree.0.clone().into_iter();
            nodes.map(|(path, node)| (path, node.inode, node.mode, node.modified, node.content)).collect()
        };
        of(self) == of(before)
    }

    /// Proves that every path has the bytes and the bits it had, and that none came or went.
    pub(in crate::real_uv) fn has_the_content_of(&self, before: &Self, what: &str) {
        let names = |tree: &Self| tree.0.keys().cloned().collect::<Vec<_>>();
        // uv makes a lock file, which is there already, and cachetui nothing.
        assert_eq!(names(self), names(before), "{what}");
        for (path, node) in &self.0 {
            let was = &before.0[path];
            assert_eq!((node.mode, &node.content), (was.mode, &was.content), "{what}: {}", path.display());
        }
    }
}

impl Node {
    fn read(path: &Path) -> Self {
        let own = std::fs::symlink_metadata(path).unwrap();
        let target = std::fs::metadata(path).unwrap();
        Self {
            inode: own.ino(),
            mode: target.mode() & 0o7777,
            links: own.nlink(),
            modified: (own.mtime(), own.mtime_nsec()),
            written: (target.mtime(), target.mtime_nsec()),
            changed: (own.ctime(), own.ctime_nsec()),
            content: target.is_file().then(|| Sha256::digest(std::fs::read(path).unwrap()).to_vec()),
        }
    }
}

/// Edits a file as careful editors do: a new file takes its place.
pub(in crate::real_uv) fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}
