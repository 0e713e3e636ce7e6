//! Finds, takes and explains locks: uv's own and cachetui's.
//!
//! # Order
//! uv takes `<cache>/.lock` first, shared by whatever reads and adds, exclusively by `uv cache prune` and `clean`, and
//! keeps it while it runs; then `<environment>/.lock` exclusively (uv 0.13.8). [`guard`] has that order in its types. Of
//! each resource cachetui's own lock, in its [`directory`], is taken before uv's, so that all processes take all locks
//! in one order and none waits in a circle.
//!
//! # Kind
//! All of them are the standard library's file locks, which is what uv uses: flock(2) on Unix, `LockFileEx` on Windows.
//! They go when their process goes, however it ends.
//!
//! # Promises
//! A lock file that uv made is never removed, truncated, written to or given another mode. Asking what is held
//! ([`survey()`]) takes no lock on Linux, where the kernel tells; elsewhere it tries each file for a moment.

pub mod ancestor;
pub mod directory;
mod file;
pub mod guard;
pub mod holder;
#[cfg(unix)]
pub mod owner;
pub mod refused;
pub mod survey;
pub mod sweep;
pub mod waiting;

pub use directory::{Directory, Sharing};
pub use guard::{CacheExclusive, CacheShared, EnvironmentExclusive, HoldsCache, Sign, without_directory};
pub use holder::{Holder, Share};
pub use refused::Refused;
pub use survey::{LockFile, Maker, Resource, State, Survey, SurveyRequest, of_cache, survey};
pub use waiting::{Patience, WaitState, Waiting};
