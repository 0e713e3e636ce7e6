//! Which entries, and in which order.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;

use super::pattern::name_matches;
use crate::snapshot::{
    Entry, EntryIndex, EntryKind, EntryState, EnvironmentIndex, Evidence, Origin, Reclaimable, Snapshot, What,
};
use crate::uv::distribution::{compare_versions, normalize};

/// Which entries are wanted. An empty list wants all.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Named or identified by one of these.
    pub what: Vec<What>,
    /// With a name that matches one of these patterns.
    pub names: Vec<String>,
    /// In one of these states.
    pub states: Vec<EntryState>,
    /// Of one of these kinds.
    pub kinds: Vec<EntryKind>,
    /// From one of these kinds of places.
    pub origins: Vec<Origin>,
    /// With at least so many bytes on disk.
    pub min_disk: Option<u64>,
    /// Whose newest sign of use, or creation where there is none, is older than this. An entry without any time does
    /// not count as old.
    pub older_than: Option<Duration>,
    /// Used by one of these environments, by better evidence than a name.
    pub used_by: Option<Vec<EnvironmentIndex>>,
}

/// What entries are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntrySort {
    /// The name, then the version.
    Name,
    /// Bytes on disk, largest first.
    #[default]
    Size,
    /// Files, most first.
    Files,
    /// Environments that use it, most first.
    Users,
    /// When it came into being, oldest first.
    Age,
    /// The newest sign of use, longest ago first.
    LastUse,
    /// What deleting it alone gives back, most first.
    Reclaimable,
    /// The state: protected, used, held elsewhere, unused, unreferenced.
    State,
}

impl EntrySort {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Size,
        Self::Files,
        Self::Users,
        Self::Age,
        Self::LastUse,
        Self::Reclaimable,
        Self::State,
    ];

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Files => "files",
            Self::Users => "users",
            Self::Age => "age",
            Self::LastUse => "last-use",
            Self::Reclaimable => "reclaimable",
            Self::State => "state",
        }
    }
}

impl EntryFilter {
    /// The entries that pass, in the order of the snapshot.
    pub fn apply(&self, snapshot: &Snapshot, now: Timestamp) -> Vec<EntryIndex> {
        let named: Option<Vec<EntryIndex>> = (!self.what.is_empty()).then(|| {
            let mut named: Vec<EntryIndex> = self.what.iter().flat_map(|what| what.find(snapshot)).collect();
            named.sort_unstable();
            named
        });
        snapshot
            .entries()
            .filter(|(index, _)| named.as_ref().is_none_or(|named| named.binary_search(index).is_ok()))
            .filter(|(_, entry)| self.wants(entry, now))
            .filter(|(index, _)| self.wants_users_of(snapshot, *index))
            .map(|(index, _)| index)
            .collect()
    }

    fn wants(&self, entry: &Entry, now: Timestamp) -> bool {
        let name = entry.name.as_deref().unwrap_or_default();
        (self.names.is_empty() || self.names.iter().any(|pattern| name_matches(pattern, name)))
            && (self.states.is_empty() || self.states.contains(&entry.state))
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && (self.origins.is_empty() || self.origins.contains(&entry.source.origin))
            && self.min_disk.is_none_or(|least| entry.disk >= least)
            && self.older_than.is_none_or(|age| is_older(last_sign(entry), now, age))
    }

    fn wants_users_of(&self, snapshot: &Snapshot, index: EntryIndex) -> bool {
        self.used_by.as_ref().is_none_or(|environments| {
            snapshot
                .references_to(index)
                .iter()
                .any(|item| item.evidence > Evidence::Name && environments.contains(&item.environment))
        })
    }
}

/// The newest time that shows an entry was used, or else when it came into being.
fn last_sign(entry: &Entry) -> Option<Timestamp> {
    entry.last_use.map(|last| last.time).or(entry.created)
}

fn is_older(time: Option<Timestamp>, now: Timestamp, age: Duration) -> bool {
    time.is_some_and(|time| Duration::try_from(now.duration_since(time)).is_ok_and(|passed| passed > age))
}

/// Orders `rows`; what is equal stays ordered by name and version. `alone` is what deleting each entry of the snapshot
/// gives back.
pub fn sort(
    snapshot: &Snapshot,
    rows: &mut [EntryIndex],
    key: EntrySort,
    reverse: bool,
    alone: &[Reclaimable],
) {
    let entry = |index: &EntryIndex| snapshot.entry(*index);
    // What has no name comes last. Versions are read only where the names are equal.
    rows.sort_by_cached_key(|index| {
        let name = entry(index).name.as_deref().map(normalize);
        (name.is_none(), name)
    });
    for namesakes in rows.chunk_by_mut(|one, other| same_name(entry(one), entry(other))) {
        namesakes.sort_by(|one, other| compare_versions(version(entry(one)), version(entry(other))));
    }
    match key {
        EntrySort::Name => {}
        EntrySort::Size => rows.sort_by_key(|index| Reverse(entry(index).disk)),
        EntrySort::Files => rows.sort_by_key(|index| Reverse(entry(index).files)),
        EntrySort::Users => rows.sort_by_cached_key(|index| Reverse(snapshot.user_count(*index))),
        EntrySort::Age => rows.sort_by_key(|index| unknown_last(entry(index).created)),
        EntrySort::LastUse => rows.sort_by_key(|index| unknown_last(entry(index).last_use.map(|it| it.time))),
        EntrySort::Reclaimable => rows.sort_by_key(|index| Reverse(alone[index.position()].bytes)),
        EntrySort::State => rows.sort_by_key(|index| entry(index).state),
    }
    if reverse {
        rows.reverse();
    }
}

fn unknown_last(time: Option<Timestamp>) -> (bool, Option<Timestamp>) {
    (time.is_none(), time)
}

fn same_name(one: &Entry, other: &Entry) -> bool {
    one.name == other.name || one.name.as_deref().map(normalize) == other.name.as_deref().map(normalize)
}

fn version(entry: &Entry) -> &str {
    entry.version.as_deref().unwrap_or_default()
}
