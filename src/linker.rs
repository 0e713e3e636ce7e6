//! Makes files and trees appear: by clone, hardlink, symlink or copy, or from bytes.
//!
//! [`link`], [`write_new`] and their like make one file where there was none. [`link_tree`] links a whole distribution
//! into an environment, over what is there: everything is staged beside its destination, made durable, and renamed into
//! place, so that each file is old or new at every moment. What a call began and could not finish is taken away again.
//!
//! # Locking
//! Nothing here takes a lock. Whoever links into an environment, expands a directory of it or writes a pointer holds the
//! lock of that environment, or of the cache, exclusively: temporary names that are found there are taken for those of a
//! run that was killed, and removed.
//!
//! # Paths
//! A root is trusted as the caller names it; beneath it only plain names count, and no symlink is followed (see
//! [`place`]). Everything that comes from a `RECORD` or a directory listing is a path beneath a root.

pub mod diagnose;
pub mod expand;
pub mod file;
pub mod mode;
pub mod place;
pub mod pointer;
pub mod probe;
pub mod tree;

pub use crate::disk::Error;
pub use crate::disk::temporary::is_temporary;
pub use expand::{AcceptSharedWrites, ExpandRequest, Expanded, expand, link_directory};
pub use file::{create_directories, set_time, symlink, temporary_directory, write_new};
pub use mode::{Outcome, Refusal, Refused, link};
pub use place::{Missing, Place, Root};
pub use pointer::{Existing, Form, Wanted, write_pointer};
pub use tree::{
    Expect, Item, Kind, Moved, TreeReport, TreeRequest, is_private, items_of, link_tree, link_trees,
};
