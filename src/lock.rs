//! Finds, takes and explains locks: uv's own and cachetui's.

pub mod holder;
pub mod survey;

pub use holder::{Holder, Share};
pub use survey::{LockFile, Maker, Resource, State, Survey};
