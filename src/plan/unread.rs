//! What is kept because an error kept something from being read: not a doubt that stays, but one that goes with the error.

use std::ffi::OsStr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::repair::Command;
use super::{At, Kept, KeptBecause, Plan};
use crate::human;
use crate::snapshot::{Doubt, Entry, Snapshot};
use crate::uv::bucket::{Bucket, BucketKind};

/// What an error kept from being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Where.
    #[serde(flatten)]
    pub at: At,
    /// What happened, as a sentence without the path. Not escaped.
    pub message: String,
}

impl Plan {
    /// What was asked for and is kept only because something could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().filter(|kept| kept.because == KeptBecause::ReadFailed)
    }
}

/// What the scan could not read.
pub(super) fn failed(snapshot: &Snapshot) -> Vec<Unread> {
    let failed = snapshot.scope.failed.iter();
    failed.map(|it| Unread { at: At::new(&it.path), message: it.message.clone() }).collect()
}

/// Why something is kept of which nobody knows whether it is used.
pub(super) fn in_doubt(snapshot: &Snapshot) -> KeptBecause {
    if snapshot.scope.failed.is_empty() { KeptBecause::Doubt } else { KeptBecause::ReadFailed }
}

/// Why everything stays, where a bucket of the cache is not understood.
pub(super) fn not_understood(snapshot: &Snapshot) -> Option<KeptBecause> {
    snapshot.cache.odd().next().map(|(_, why)| KeptBecause::NotUnderstood { why })
}

/// What speaks against removing an entry when it, its users or its pointers are not known.
pub(super) fn against(snapshot: &Snapshot, entry: &Entry) -> Option<KeptBecause> {
    match entry.doubt {
        Some(Doubt::Cancelled) => Some(KeptBecause::Doubt),
        // A link of which an error hides where it leads looks like one that leads to another cache.
        Some(Doubt::Unread | Doubt::Environment | Doubt::NamedElsewhere) => Some(in_doubt(snapshot)),
        None if entry.unread => Some(in_doubt(snapshot)),
        None if entry.unclear && !snapshot.scope.failed.is_empty() => Some(KeptBecause::ReadFailed),
        None if entry.unclear => Some(not_understood(snapshot).unwrap_or(KeptBecause::UnclearPointer)),
        None => None,
    }
}

/// What is said of environments that are away, with the way out; nothing where none is.
pub(super) fn away(snapshot: &Snapshot) -> Option<String> {
    let (first, rest) = snapshot.scope.away.split_first()?;
    let command = Command::new(["cachetui", "envs", "--forget"], vec![first.display().to_string()]);
    let (others, they) = match rest.len() {
        0 => (String::new(), "it is"),
        more => (
            format!(" and {}", human::counted(more as u64, "more environment", "more environments")),
            "they are",
        ),
    };
    Some(format!(
        "`{}`{others} may have been moved, or the filesystem is not mounted: what no known environment uses is kept. If {they} \
         gone, say so with the path or a directory above: `{}`",
        first.display(),
        command.text()
    ))
}

/// Archive buckets that could not be listed, and entries of which not even the kind could be told: nobody knows whether
/// they were asked for.
pub(super) fn unlisted(snapshot: &Snapshot) -> impl Iterator<Item = Kept> + '_ {
    let is_archive = |path: &Path| {
        let name = path.iter().next().unwrap_or(OsStr::new(""));
        Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
    };
    let is_listed = |path: &Path| {
        let names: Vec<&OsStr> = path.iter().take(2).collect();
        let [bucket, id] = names[..] else { return false };
        snapshot.entries.iter().any(|entry| OsStr::new(&*entry.key.bucket) == bucket && entry.key.id == id)
    };
    let places = snapshot.scope.failed.iter().filter_map(|it| snapshot.cache.relative(&it.path));
    let unlisted = places.filter(move |path| is_archive(path) && !is_listed(path));
    unlisted.map(|path| Kept {
        at: At::new(path),
        name: None,
        version: None,
        disk: 0,
        modified: 0,
        because: KeptBecause::ReadFailed,
        reason: KeptBecause::ReadFailed.sentence(),
    })
}
