//! Which rows a command shows, and in which order: pure functions over a snapshot.

pub mod entries;
pub mod environments;
pub mod holders;
pub mod pattern;
pub mod pointers;
