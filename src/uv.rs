//! What uv writes, turned from names and bytes into types, and back.
//!
//! Everything here is pure and total: it reads no disk, knows no clock, and answers any bytes with a value or an error,
//! within bounds of time and memory that follow from the length of its input. What it does not know it says so, and
//! callers keep it. The facts were established by running the releases in [`TESTED`]; shapes that differ between releases
//! are told apart by their content, never by a version that somebody wrote down.

/// The releases of uv that this program was tested with, as a literal.
macro_rules! tested {
    () => {
        "uv 0.5.0 to 0.13.9"
    };
}

/// The releases of uv that this program was tested with.
pub const TESTED: &str = tested!();

/// What `--version` says: this program's version, and the releases of uv that it was tested with.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (tested with ", tested!(), ")");

pub mod bucket;

pub mod archive_id;

pub mod root;

pub mod link_file;

pub mod link;

pub mod pointer;

pub mod shard;

pub mod distribution;

pub mod requirement;

pub mod dependency;

pub mod record;

pub mod installed;

pub mod environment;

pub mod path_file;

pub mod interpreter;

pub mod sources;

pub mod url;

pub mod metadata;
mod msgpack;
