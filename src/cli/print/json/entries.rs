//! Entries in JSON: the rows of `list` and `why`.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::frame::{BytesRow, SizeRow};
use super::pointers::PointerBrief;
use super::text::{Bytes, lossless};
use crate::plan::{CanGo, KeptCount, Unused};
use crate::snapshot::{Doubt, EntryIndex, LastUse, Reclaimable, Reference, Snapshot, Totals, UserLink};

/// One of `entries`.
#[derive(Serialize)]
pub struct EntryRow<'a> {
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_bytes: Option<Bytes<'a>>,
    bucket: &'a str,
    kind: &'static str,
    name: Option<&'a str>,
    version: Option<&'a str>,
    tags: &'a [String],
    source: SourceRow<'a>,
    files: u64,
    bytes: BytesRow,
    modified: u64,
    created: Option<Timestamp>,
    last_use: Option<LastUseRow>,
    newest: Option<Timestamp>,
    pointers: Vec<PointerBrief<'a>>,
    users: Vec<UserRow<'a>>,
    /// What leads into it from outside of environments.
    linked_from: Vec<UserLinkRow<'a>>,
    links: LinksRow,
    unexplained_extents: u64,
    /// Why it does not count as unused although no user was found.
    doubt: Option<&'static str>,
    state: &'static str,
    unread: bool,
}

#[derive(Serialize)]
struct SourceRow<'a> {
    origin: &'static str,
    built: bool,
    detail: Option<&'a str>,
    /// The path it came from, where that is gone.
    gone: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_bytes: Option<Bytes<'a>>,
}

#[derive(Serialize)]
pub(super) struct LastUseRow {
    time: Timestamp,
    evidence: &'static str,
}

impl LastUseRow {
    /// The row of a sign of use.
    pub(super) fn new(last_use: LastUse) -> Self {
        Self { time: last_use.time, evidence: last_use.evidence.word() }
    }
}

#[derive(Serialize)]
struct LinksRow {
    external: u64,
    explained: u64,
    unexplained: u64,
}

#[derive(Serialize)]
struct UserRow<'a> {
    environment: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_bytes: Option<Bytes<'a>>,
    distribution: Option<&'a str>,
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_cache: Option<Cow<'a, str>>,
    by: ModesRow,
    evidence: &'static str,
    files: EvidenceRow,
}

#[derive(Serialize)]
struct UserLinkRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    form: &'static str,
}

impl<'a> UserLinkRow<'a> {
    fn new(link: &'a UserLink) -> Self {
        let (path, path_bytes) = lossless(&link.path);
        Self { path, path_bytes, form: link.form.word() }
    }
}

/// Files per link mode.
#[derive(Serialize)]
pub struct ModesRow {
    clone: u64,
    hardlink: u64,
    symlink: u64,
    copy: u64,
}

#[derive(Serialize)]
struct EvidenceRow {
    inode: u64,
    symlink: u64,
    extent: u64,
    content: u64,
}

/// `totals` of `list`: over the whole cache, whatever the filters.
#[derive(Serialize)]
pub struct TotalsRow<'a> {
    entries: u64,
    environments: u64,
    files: u64,
    bytes: SizeRow,
    unused: UnusedRow<'a>,
}

/// What nothing uses, and what of it can go.
#[derive(Serialize)]
pub struct UnusedRow<'a> {
    entries: u64,
    reclaimable: u64,
    certainty: &'static str,
    can_go: CanGoRow,
    kept: &'a [KeptCount],
    environments: u64,
}

impl<'a> UnusedRow<'a> {
    /// The row of these totals, with what of it can go, when that is known.
    pub fn new(totals: &Totals, unused: Option<&'a Unused>) -> Self {
        Self {
            entries: totals.unused_entries,
            reclaimable: unused.map_or(totals.unused, |it| it.frees).bytes,
            certainty: unused.map_or(totals.unused, |it| it.frees).certainty.word(),
            can_go: CanGoRow::new(unused.map(|it| it.can_go)),
            kept: unused.map_or(&[], |it| &it.kept),
            environments: unused.map_or(0, |it| it.environments),
        }
    }
}

/// What of something can go now.
#[derive(Serialize)]
struct CanGoRow {
    entries: u64,
    reclaimable: u64,
    certainty: &'static str,
}

impl CanGoRow {
    fn new(can_go: Option<CanGo>) -> Self {
        let (entries, frees) = can_go.map_or_else(Default::default, |it| (it.entries, it.frees));
        Self { entries, reclaimable: frees.bytes, certainty: frees.certainty.word() }
    }
}

impl From<crate::snapshot::ModeCounts> for ModesRow {
    fn from(modes: crate::snapshot::ModeCounts) -> Self {
        Self { clone: modes.clone, hardlink: modes.hardlink, symlink: modes.symlink, copy: modes.copy }
    }
}

impl<'a> EntryRow<'a> {
    /// The row of an entry; `alone` is what deleting it alone gives back.
    pub fn new(snapshot: &'a Snapshot, index: EntryIndex, alone: Reclaimable) -> Self {
        let entry = snapshot.entry(index);
        let (id, id_bytes) = lossless(&entry.key.id);
        let (gone, gone_bytes) = entry.source.gone.as_ref().map(lossless).unzip();
        Self {
            id,
            id_bytes,
            bucket: &entry.key.bucket,
            kind: entry.kind.word(),
            name: entry.name.as_deref(),
            version: entry.version.as_deref(),
            tags: &entry.tags,
            source: SourceRow {
                origin: entry.source.origin.word(),
                built: entry.source.built,
                detail: entry.source.detail.as_deref(),
                gone,
                gone_bytes: gone_bytes.flatten(),
            },
            files: entry.files,
            bytes: BytesRow::new(entry.logical, entry.disk, entry.shared, alone),
            modified: entry.modified,
            created: entry.created,
            last_use: entry.last_use.map(LastUseRow::new),
            newest: entry.newest,
            pointers: entry
                .pointers
                .iter()
                .chain(&entry.foreign)
                .map(|it| PointerBrief::new(snapshot.pointer(*it)))
                .collect(),
            users: snapshot.references_to(index).iter().map(|it| UserRow::new(snapshot, it)).collect(),
            linked_from: snapshot.user_links_to(index).iter().map(UserLinkRow::new).collect(),
            links: LinksRow {
                external: entry.links.external,
                explained: entry.links.explained,
                unexplained: entry.links.unexplained,
            },
            unexplained_extents: entry.unexplained_extents,
            doubt: entry.doubt.map(Doubt::word),
            state: entry.state.word(),
            unread: entry.unread,
        }
    }
}

impl<'a> UserRow<'a> {
    fn new(snapshot: &'a Snapshot, reference: &Reference) -> Self {
        let environment = snapshot.environment(reference.environment);
        let distribution =
            reference.distribution.and_then(|position| environment.distributions.get(position as usize));
        let (path, environment_bytes) = lossless(&environment.path);
        Self {
            environment: path,
            environment_bytes,
            distribution: distribution.map(|it| it.name.as_str()),
            version: distribution.map(|it| it.version.as_str()),
            other_cache: distribution
                .and_then(|it| it.other_cache.as_ref())
                .map(|path| path.to_string_lossy()),
            by: reference.by.into(),
            evidence: reference.evidence.word(),
            files: EvidenceRow {
                inode: reference.counts.inode,
                symlink: reference.counts.symlink,
                extent: reference.counts.extent,
                content: reference.counts.content,
            },
        }
    }
}

impl<'a> TotalsRow<'a> {
    /// The row of these totals.
    pub fn new(totals: &Totals, unused: Option<&'a Unused>) -> Self {
        Self {
            entries: totals.entries,
            environments: totals.environments,
            files: totals.files,
            bytes: SizeRow::new(totals.logical, totals.disk),
            unused: UnusedRow::new(totals, unused),
        }
    }
}
