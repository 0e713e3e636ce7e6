//! Pointers in JSON: the rows of `links`, and what leads to an entry in `list`.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::environments::EntryName;
use super::text::{Bytes, lossless};
use crate::snapshot::{DamagedLink, Pointer, PointerIndex, Snapshot};

/// One of an entry's `pointers`.
#[derive(Serialize)]
pub struct PointerBrief<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    form: &'static str,
    state: &'static str,
}

/// One of `pointers` of `links`.
#[derive(Serialize)]
pub struct PointerRow<'a> {
    #[serde(flatten)]
    brief: PointerBrief<'a>,
    target: &'a str,
    note: &'a str,
    modified: Option<Timestamp>,
    #[serde(flatten)]
    leads_to: EntryName<'a>,
    name: Option<&'a str>,
    version: Option<&'a str>,
}

/// One of `damaged` of `links`.
#[derive(Serialize)]
pub struct DamagedRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    damage: &'static str,
    /// The pointer files beside it that name entries which are there.
    named_by: Vec<Cow<'a, str>>,
    #[serde(flatten)]
    entry: EntryName<'a>,
}

impl<'a> DamagedRow<'a> {
    /// The row of a link that does not keep its entry.
    pub fn new(snapshot: &'a Snapshot, link: &'a DamagedLink) -> Self {
        let (path, path_bytes) = lossless(&link.path);
        let named_by = link.named_by.iter().map(|index| lossless(&snapshot.pointer(*index).path).0);
        Self {
            path,
            path_bytes,
            damage: link.damage.word(),
            named_by: named_by.collect(),
            entry: EntryName::new(snapshot, link.entry(snapshot)),
        }
    }
}

impl<'a> PointerBrief<'a> {
    /// The row of a pointer.
    pub fn new(pointer: &'a Pointer) -> Self {
        let (path, path_bytes) = lossless(&pointer.path);
        Self { path, path_bytes, form: pointer.form.word(), state: pointer.state.word() }
    }
}

impl<'a> PointerRow<'a> {
    /// The row of a pointer and of the entry it leads to.
    pub fn new(snapshot: &'a Snapshot, index: PointerIndex) -> Self {
        let pointer = snapshot.pointer(index);
        let entry = pointer.entry.map(|index| snapshot.entry(index));
        Self {
            brief: PointerBrief::new(pointer),
            target: &pointer.target,
            note: &pointer.note,
            modified: pointer.modified,
            leads_to: EntryName::new(snapshot, pointer.entry),
            name: entry.and_then(|entry| entry.name.as_deref()),
            version: entry.and_then(|entry| entry.version.as_deref()),
        }
    }
}
