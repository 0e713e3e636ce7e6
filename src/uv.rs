//! What uv writes, turned from names and bytes into types, and back.
//!
//! Everything here is pure and total: it reads no disk, knows no clock, and answers any bytes with a value or an error,
//! within bounds of time and memory that follow from the length of its input. What it does not know it says so, and
//! callers keep it. The facts were established by running uv 0.5.0 to 0.13.8; shapes that differ between releases are
//! told apart by their content, never by a version that somebody wrote down.

pub mod bucket;

pub mod archive_id;

pub mod root;

pub mod link_file;

pub mod link;

pub mod pointer;

pub mod shard;

pub mod distribution;

pub mod record;

pub mod environment;

pub mod interpreter;

pub mod sources;

pub mod url;

mod msgpack;
