//! What lies in a bucket and can go by itself: old builds of source distributions, and what uv keeps of git repositories.
//!
//! A source distribution's directory has a directory for each *revision* of its source, with the source, the wheels that were built
//! and the links to their entries. `revision.http` or `revision.rev` beside them names the one that uv uses; `uv cache prune`
//! removes the others (uv 0.12.5 to 0.13.9).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::super::print;
use crate::disk::walk::Directory;
use crate::disk::{FileKind, FileStat};
use crate::scan::repositories;
use crate::snapshot::{Piece, PieceKind, TreePrint};
use crate::uv::bucket::BucketKind;
use crate::uv::pointer::{self, Payload};
use crate::uv::shard;

/// What is known of a tree so far.
#[derive(Default)]
struct Tree {
    print: TreePrint,
    disk: u64,
    alone: u64,
    url: Option<String>,
}

/// The names of files that have several, by filesystem and number: how many there are, and how many were met.
type Linked = FxHashMap<(u64, u64), (u64, u64)>;

/// Collects the pieces of one bucket.
pub(super) struct Pieces {
    bucket: PathBuf,
    kind: BucketKind,
    /// By their path below the bucket.
    trees: FxHashMap<PathBuf, Tree>,
    /// Of git, one for each repository: its checkouts are linked to its database. Else one for each tree.
    linked: FxHashMap<PathBuf, Linked>,
    /// The revisions that a source distribution's directory names; nothing where a name could not be read.
    named: FxHashMap<PathBuf, Option<Vec<String>>>,
}

impl Pieces {
    /// Where a bucket of this kind can have pieces.
    pub(super) fn of(bucket: &OsStr, kind: Option<BucketKind>) -> Option<Self> {
        let kind = kind.filter(|kind| matches!(kind, BucketKind::Sdists | BucketKind::Git))?;
        Some(Self {
            bucket: PathBuf::from(bucket),
            kind,
            trees: FxHashMap::default(),
            linked: FxHashMap::default(),
            named: FxHashMap::default(),
        })
    }

    /// The piece in which a path below the bucket lies, or which it is.
    fn piece(&self, path: &Path) -> Option<PathBuf> {
        if self.kind == BucketKind::Sdists {
            // What was built from a commit is in use as long as that is: git has no revisions.
            let revision = shard::revision(&self.bucket.join(path))?;
            return revision.strip_prefix(&self.bucket).ok().map(Path::to_owned);
        }
        let top = path.iter().next()?;
        let is_part = (top == "db" || top == "checkouts") && path.iter().count() >= 2;
        is_part.then(|| path.iter().take(2).collect())
    }

    /// What files with several names are counted with.
    fn group(&self, piece: &Path) -> PathBuf {
        match self.kind {
            BucketKind::Git => piece.file_name().map(PathBuf::from).unwrap_or_default(),
            _ => piece.to_owned(),
        }
    }

    /// Takes a directory.
    pub(super) fn directory(&mut self, path: &Path, stat: &FileStat) {
        let Some(piece) = self.piece(path) else { return };
        let below = path.strip_prefix(&piece).unwrap_or(path).to_owned();
        let tree = self.trees.entry(piece).or_default();
        print::directory(&mut tree.print, &below, stat);
        tree.disk += stat.disk;
        tree.alone += stat.disk;
    }

    /// Takes anything else.
    pub(super) fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let path = parent.relative().join(name);
        if self.kind == BucketKind::Sdists && (name == "revision.http" || name == "revision.rev") {
            let read = parent.read(name, pointer::LONGEST_FILE as u64).ok();
            let named = read.and_then(|bytes| match pointer::parse_revision(&bytes) {
                Ok(Payload::Revision { id }) => Some(id),
                _ => None,
            });
            let all = self.named.entry(parent.relative().to_owned()).or_insert_with(|| Some(Vec::new()));
            match (all.as_mut(), named) {
                (Some(all), Some(named)) => all.push(named),
                _ => *all = None,
            }
        }
        // A file where a tree belongs, as the lock of a source distribution or the mark of a checkout.
        let Some(piece) = self.piece(&path).filter(|piece| *piece != path) else { return };
        let group = self.group(&piece);
        let tree = self.trees.entry(piece).or_default();
        print::file(&mut tree.print, stat);
        if self.kind == BucketKind::Git && name == "FETCH_HEAD" && stat.kind == FileKind::File {
            let read = parent.read(name, repositories::LONGEST).ok();
            tree.url = tree.url.take().or_else(|| repositories::url(&read?));
        }
        if stat.links < 2 {
            tree.disk += stat.disk;
            tree.alone += stat.disk;
            return;
        }
        let linked = self.linked.entry(group).or_default();
        let (links, met) = linked.entry((stat.device, stat.inode)).or_insert((stat.links, 0));
        *met += 1;
        if *met == 1 {
            tree.disk += stat.disk;
        }
        if *met == *links {
            tree.alone += stat.disk;
        }
    }

    /// The pieces that could go, ordered by path.
    pub(super) fn found(self) -> Vec<Piece> {
        let mut found = Vec::new();
        for (path, tree) in self.trees {
            let kind = match self.kind {
                BucketKind::Git if path.starts_with("db") => PieceKind::Database,
                BucketKind::Git => PieceKind::Checkouts,
                _ => {
                    let above = path.parent().unwrap_or(&path);
                    let named = self.named.get(above).and_then(Option::as_ref);
                    let name = path.file_name().and_then(OsStr::to_str);
                    // Without a name of the one in use nobody can tell which are old.
                    let is_old = named
                        .zip(name)
                        .is_some_and(|(named, name)| !named.is_empty() && !named.iter().any(|it| it == name));
                    if !is_old {
                        continue;
                    }
                    PieceKind::OldBuild
                }
            };
            let Tree { print, disk, alone, url } = tree;
            found.push(Piece { path: self.bucket.join(path), kind, print, disk, alone, url });
        }
        found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        found
    }
}
