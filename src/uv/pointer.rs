//! The `.http` and `.rev` files beside downloaded wheels and source distributions.
//!
//! uv follows them, not the symlink beside them, when it installs a wheel again; one that outlives its entry makes uv
//! fail. An archive inside them was an array of two values (uv 0.5.0), three (0.6.0), four (0.9.30), a map (0.12.5) and an
//! array of five (0.13.8). A `.rev` file is that archive after the time stamp of its source. A `.http` file starts with
//! it, and what follows (uv's cache policy, in three layouts) does not matter here. The file named `revision.http` or
//! `revision.rev` beside a source distribution has the same shapes but names a revision directory.

use std::ffi::OsStr;

use super::archive_id::is_archive_id;
use super::msgpack::Value;

/// The most bytes such a file can sensibly have; longer ones need not be read.
pub const LONGEST_FILE: usize = 1 << 20;

/// What a pointer file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An entry.
    Archive(ArchivePointer),
    /// The directory of a source distribution's current revision, beside the file.
    Revision {
        /// Its name.
        id: String,
    },
}

/// An entry, as a pointer file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivePointer {
    /// The entry's id, one plain component.
    pub id: String,
    /// The wheel's file name, where the release recorded it.
    pub filename: Option<String>,
    /// The wheel's digests: algorithm, as `Sha256`, and value in hexadecimal.
    pub hashes: Vec<(String, String)>,
    /// The wheel's size in bytes, where the release recorded it.
    pub size: Option<u64>,
}

/// Why a pointer file could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is not `MessagePack`, or ends too early, or goes beyond every bound.
    #[error("Failed to read it as MessagePack: {0}")]
    NotMessagePack(String),
    /// It is none of the shapes that uv has written so far.
    #[error("Its shape is none that {} write", super::TESTED)]
    UnknownShape,
    /// Its id is not one plain name, so that it could lead anywhere.
    #[error("Its id is not the plain name of a directory")]
    BadId,
}

/// Reads a `.http` file of a wheel.
pub fn parse_http(bytes: &[u8]) -> Result<Payload, PointerError> {
    archive(&read(bytes)?).map(Payload::Archive)
}

/// Reads a `.rev` file of a wheel.
pub fn parse_rev(bytes: &[u8]) -> Result<Payload, PointerError> {
    let value = read(bytes)?;
    archive(stamped(&value, "archive").ok_or(PointerError::UnknownShape)?).map(Payload::Archive)
}

/// Reads a `revision.http` or `revision.rev` file of a source distribution; the content tells which.
pub fn parse_revision(bytes: &[u8]) -> Result<Payload, PointerError> {
    let value = read(bytes)?;
    let revision = stamped(&value, "revision").unwrap_or(&value);
    Ok(Payload::Revision { id: id(revision)?.to_owned() })
}

fn read(bytes: &[u8]) -> Result<Value, PointerError> {
    Value::read(bytes).map_err(PointerError::NotMessagePack)
}

/// What a `.rev` file holds after the stamp of its source, which is an array or a map itself.
fn stamped<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value.array() {
        Some([Value::Array(_) | Value::Map(_), payload]) => Some(payload),
        Some(_) => None,
        None => value.get(name),
    }
}

fn id(value: &Value) -> Result<&str, PointerError> {
    let named = value.array().and_then(<[_]>::first).or_else(|| value.get("id")).and_then(Value::text);
    let id = named.ok_or(PointerError::UnknownShape)?;
    if is_archive_id(OsStr::new(id)) { Ok(id) } else { Err(PointerError::BadId) }
}

fn archive(value: &Value) -> Result<ArchivePointer, PointerError> {
    let id = id(value)?.to_owned();
    let fields = value.array().unwrap_or_default();
    let field = |index: usize, name: &str| fields.get(index).or_else(|| value.get(name));
    let hashes = field(1, "hashes").and_then(Value::array).ok_or(PointerError::UnknownShape)?;
    Ok(ArchivePointer {
        id,
        // In uv 0.6.0 the third of three values is a version number, which is no text.
        filename: field(2, "filename").and_then(Value::text).map(str::to_owned),
        hashes: hashes.iter().filter_map(hash).collect(),
        size: field(4, "size").and_then(Value::unsigned),
    })
}

/// A digest, as `["Sha256", hex]` or `{"Sha256": hex}`.
fn hash(value: &Value) -> Option<(String, String)> {
    let (algorithm, digest) = match value {
        Value::Array(pair) => match pair.as_slice() {
            [algorithm, digest] => (algorithm, digest),
            _ => return None,
        },
        Value::Map(pairs) => pairs.first().map(|(algorithm, digest)| (algorithm, digest))?,
        _ => return None,
    };
    Some((algorithm.text()?.to_owned(), digest.text()?.to_owned()))
}
