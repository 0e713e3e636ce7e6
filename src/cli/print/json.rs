//! JSON output: one object, written straight from the snapshot without building it in memory first.
//!
//! Schema version 1. Keys are `snake_case`, bytes are integers, times are RFC 3339, and the words are those of the tables.
//! Every answer carries `cache`, `scope` and `problems` beside its own rows.
//!
//! A path or name that is not UTF-8 appears twice: under its key with U+FFFD for what cannot be shown, and under
//! `<key>_bytes` as the standard base64 of its bytes (on Windows of its WTF-8 form, in which a lone surrogate takes three
//! bytes). The second key is there only when it is needed. Characters that could command a terminal are written as
//! `\uXXXX`, which is the same text to a JSON reader.

pub mod doctor;
pub mod entries;
pub mod environments;
pub mod find;
pub mod frame;
pub mod locks;
pub mod plan;
pub mod pointers;
pub mod relink;
pub mod repair;
mod safe;
pub mod text;
pub mod verify;

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::View;
use crate::snapshot::Snapshot;
use frame::{CacheName, CacheRow, ProblemRow, ScopeRow};

/// The version of the schema: it grows when a key changes its meaning or goes, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a, Cache: Serialize, Body: Serialize, Problems: Serialize> {
    schema_version: u32,
    cache: Cache,
    scope: ScopeRow<'a>,
    problems: Problems,
    #[serde(flatten)]
    body: Body,
}

/// Rows that are made while they are written.
pub struct Rows<F>(pub F);

impl<F, I> Serialize for Rows<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Writes an answer: `body`, whose keys stand beside what every answer carries. It is indented for a terminal and on one
/// line otherwise, and ends in a newline.
pub fn write(
    snapshot: &Snapshot,
    body: impl Serialize,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    write_about(CacheRow::new(&snapshot.cache), snapshot, body, view, writer)
}

/// The same where the cache was not read, so that its sizes are not known.
pub fn write_unread(
    snapshot: &Snapshot,
    body: impl Serialize,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    write_about(CacheName::new(&snapshot.cache), snapshot, body, view, writer)
}

fn write_about(
    cache: impl Serialize,
    snapshot: &Snapshot,
    body: impl Serialize,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let document = Document {
        schema_version: SCHEMA_VERSION,
        cache,
        scope: ScopeRow::new(&snapshot.scope),
        problems: Rows(|| snapshot.problems.iter().map(ProblemRow::new)),
        body,
    };
    write_document(&document, view, writer)
}

/// Writes any document in the form of all answers.
pub(in crate::cli) fn write_document(
    document: &impl Serialize,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    if view.columns.is_some() {
        let formatter = safe::Safe(serde_json::ser::PrettyFormatter::new());
        document.serialize(&mut serde_json::Serializer::with_formatter(&mut *writer, formatter))?;
    } else {
        let formatter = safe::Safe(serde_json::ser::CompactFormatter);
        document.serialize(&mut serde_json::Serializer::with_formatter(&mut *writer, formatter))?;
    }
    writeln!(writer)
}
