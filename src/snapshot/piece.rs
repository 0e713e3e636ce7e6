//! What lies in a bucket and can go by itself.

use std::path::PathBuf;

use super::TreePrint;

/// A directory in a bucket that can go by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Relative to the cache's root.
    pub path: PathBuf,
    /// What it is.
    pub kind: PieceKind,
    /// What identifies it.
    pub print: TreePrint,
    /// Allocated bytes, each inode once; of a repository, of which several trees share files, once in all of them.
    pub disk: u64,
    /// The part of them that nothing else has: of a repository, nothing else than its other trees.
    pub alone: u64,
    /// From where a repository was fetched, without credentials.
    pub url: Option<String>,
    /// Whether a repository came from a directory of this machine that is gone.
    pub is_gone: bool,
    /// Of a repository, the name of its database: uv 0.13.9 names checkouts by another digest.
    pub database: Option<String>,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PieceKind {
    /// A revision of a source distribution that uv does not use any more: its source, the wheels that were built, and links to
    /// their entries.
    OldBuild,
    /// The unpacked source in the revision that uv uses.
    Source,
    /// Answers of package indexes.
    Index,
    /// The database of a git repository.
    Database,
    /// The checkouts of a git repository.
    Checkouts,
}
