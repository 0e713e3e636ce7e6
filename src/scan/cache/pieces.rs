//! What lies in a bucket and can go by itself: old builds of source distributions, unpacked sources, answers of indexes, and what uv
//! keeps of git repositories.
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
    database: Option<String>,
}

/// The names of files that have several, by filesystem and number: how many there are, and how many were met.
type Linked = FxHashMap<(u64, u64), (u64, u64)>;

/// Collects the pieces of one bucket.
pub(super) struct Pieces {
    bucket: PathBuf,
    kind: BucketKind,
    /// By their path below the bucket.
    trees: FxHashMap<PathBuf, Tree>,
    /// Of git, one for all: checkouts are linked to databases. Else one for each tree.
    linked: FxHashMap<PathBuf, Linked>,
    /// The revisions that a source distribution's directory names; nothing where a name could not be read.
    named: FxHashMap<PathBuf, Option<Vec<String>>>,
}

impl Pieces {
    /// Where a bucket of this kind can have pieces.
    pub(super) fn of(bucket: &OsStr, kind: Option<BucketKind>) -> Option<Self> {
        let kind = kind.filter(|kind| {
            matches!(kind, BucketKind::Sdists | BucketKind::Git | BucketKind::Simple | BucketKind::FlatIndex)
        })?;
        Some(Self {
            bucket: PathBuf::from(bucket),
            kind,
            trees: FxHashMap::default(),
            linked: FxHashMap::default(),
            named: FxHashMap::default(),
        })
    }

    /// The pieces in which a path below the bucket lies, or which it is: a source is one within a revision.
    fn pieces(&self, path: &Path) -> Vec<PathBuf> {
        let first = |depth: usize| {
            let is_in = path.iter().count() >= depth && path.iter().next().is_some();
            is_in.then(|| path.iter().take(depth).collect::<PathBuf>())
        };
        match self.kind {
            // What was built from a commit is in use as long as that is: git has no revisions.
            BucketKind::Sdists => {
                let whole = self.bucket.join(path);
                let pieces = [shard::revision(&whole), shard::source(&whole)].into_iter().flatten();
                pieces.filter_map(|piece| Some(piece.strip_prefix(&self.bucket).ok()?.to_owned())).collect()
            }
            BucketKind::Git if path.starts_with("db") || path.starts_with("checkouts") => {
                first(2).into_iter().collect()
            }
            BucketKind::Git => Vec::new(),
            _ => first(1).into_iter().collect(),
        }
    }

    /// What files with several names are counted with.
    fn group(&self, piece: &Path) -> PathBuf {
        match self.kind {
            BucketKind::Git => PathBuf::new(),
            _ => piece.to_owned(),
        }
    }

    /// Takes a directory.
    pub(super) fn directory(&mut self, path: &Path, stat: &FileStat) {
        for piece in self.pieces(path) {
            let below = path.strip_prefix(&piece).unwrap_or(path).to_owned();
            let tree = self.trees.entry(piece).or_default();
            print::directory(&mut tree.print, &below, stat);
            tree.disk += stat.disk;
            tree.alone += stat.disk;
        }
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
        for piece in self.pieces(&path) {
            // A file where a tree belongs, as the lock of a source distribution or the mark of a checkout.
            if piece != path {
                self.file_of(piece, parent, name, stat);
            }
        }
    }

    fn file_of(&mut self, piece: PathBuf, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let group = self.group(&piece);
        let tree = self.trees.entry(piece).or_default();
        print::file(&mut tree.print, stat);
        if self.kind == BucketKind::Git && name == "FETCH_HEAD" && stat.kind == FileKind::File {
            let read = parent.read(name, repositories::LONGEST).ok();
            tree.url = tree.url.take().or_else(|| repositories::url(&read?));
        }
        if self.kind == BucketKind::Git && name == "config" && parent.relative().ends_with(".git") {
            let read = parent.read(name, repositories::LONGEST).ok();
            tree.database = tree.database.take().or_else(|| repositories::database(&read?));
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

    /// What a part of a source distribution is; none for what goes with the revision that uv uses, and where nothing tells which
    /// that is.
    fn kind_of(&self, path: &Path) -> Option<PieceKind> {
        let whole = self.bucket.join(path);
        let revision = shard::revision(&whole)?;
        let named = self.named.get(revision.parent()?.strip_prefix(&self.bucket).ok()?)?.as_ref()?;
        let name = revision.file_name()?.to_str()?;
        let is_old = !named.is_empty() && !named.iter().any(|it| it == name);
        let is_source = whole != revision;
        match (is_old, is_source) {
            (true, false) => Some(PieceKind::OldBuild),
            (false, true) if !named.is_empty() => Some(PieceKind::Source),
            _ => None,
        }
    }

    /// The pieces that could go, ordered by path.
    pub(super) fn found(mut self) -> Vec<Piece> {
        let mut found = Vec::new();
        for (path, tree) in std::mem::take(&mut self.trees) {
            let kind = match self.kind {
                BucketKind::Git if path.starts_with("db") => PieceKind::Database,
                BucketKind::Git => PieceKind::Checkouts,
                BucketKind::Sdists => match self.kind_of(&path) {
                    Some(kind) => kind,
                    None => continue,
                },
                _ => PieceKind::Index,
            };
            let Tree { print, disk, alone, url, database } = tree;
            // Up to uv 0.13.8 both have one digest.
            let own = || Some(path.file_name()?.to_str()?.to_owned());
            let database = match kind {
                PieceKind::Database => own(),
                PieceKind::Checkouts => database.or_else(own),
                PieceKind::OldBuild | PieceKind::Source | PieceKind::Index => None,
            };
            let is_gone = url.as_deref().is_some_and(repositories::is_gone);
            found.push(Piece {
                path: self.bucket.join(path),
                kind,
                print,
                disk,
                alone,
                url,
                is_gone,
                database,
            });
        }
        found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        found
    }
}
