//! Carries out plans; nothing else changes a cache or an environment.
//!
//! # Locking
//! What changes the cache takes a [`CacheExclusive`](crate::lock::CacheExclusive) as its witness. Only renames happen
//! under it; what was renamed away is unlinked after the lock was given back ([`purge`]).
//!
//! # Order
//! Each step is looked at again before it is done, and left alone when anything is not as the plan expects. Pointers go
//! before the entry they lead to, and come back after it. A crash between any two system calls leaves a cache that uv can
//! use: at worst an entry to which nothing leads, and trash.

pub mod beside;
mod buckets;
pub mod check;
pub mod detach;
mod ground;
mod in_place;
pub mod journal;
pub mod measure;
pub mod prune;
pub mod purge;
pub mod relink;
pub mod remove;
pub mod repair;
pub mod report;
pub mod restore;
pub mod state;
pub mod trash;
pub mod weigh;

pub use prune::{Manner, Unmovable, prune, prune_as};
pub use relink::{RelinkOutcome, RelinkReport, relink};
pub use report::{Freed, Outcome, Report, State};
pub use restore::restore;
pub use trash::Run;
pub use weigh::weigh;
