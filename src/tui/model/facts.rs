//! A snapshot with what the lists need to know about every row, computed once per snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::planning::Planning;
use crate::human;
use crate::lock::Survey;
use crate::snapshot::{
    Completeness, Entry, EntryIndex, EntryState, EnvironmentIndex, EnvironmentKind, Group, Holder, Outside,
    Reclaimable, Snapshot, Totals,
};
use crate::tui::glyphs::Glyphs;
use crate::tui::page::health;
use crate::tui::text;

/// Which of the five byte numbers the lists show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tui) enum Measure {
    /// Allocated blocks, each inode once.
    #[default]
    Disk,
    /// Sizes added up.
    Logical,
    /// The part of the blocks that others hold too.
    Shared,
    /// The part that nobody else holds.
    Exclusive,
    /// What deleting the row alone gives back.
    Reclaimable,
}

impl Measure {
    /// The number that comes after this one.
    pub(in crate::tui) fn next(self) -> Self {
        match self {
            Self::Disk => Self::Logical,
            Self::Logical => Self::Shared,
            Self::Shared => Self::Exclusive,
            Self::Exclusive => Self::Reclaimable,
            Self::Reclaimable => Self::Disk,
        }
    }

    /// The heading of its column.
    pub(in crate::tui) fn title(self) -> &'static str {
        match self {
            Self::Disk => "SIZE",
            Self::Logical => "LOGICAL",
            Self::Shared => "SHARED",
            Self::Exclusive => "EXCLUSIVE",
            Self::Reclaimable => "FREES",
        }
    }

    /// What it counts, as a sentence's end.
    pub(in crate::tui) fn about(self) -> &'static str {
        match self {
            Self::Disk => "bytes on disk, each inode once",
            Self::Logical => "sizes of all files added up",
            Self::Shared => "bytes on disk that something else uses too",
            Self::Exclusive => "bytes on disk that nothing else uses",
            Self::Reclaimable => "bytes that deleting the row alone frees",
        }
    }
}

/// Bytes that deleting a row alone does not give back, by what keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tui) struct Held {
    /// They would come back if the environments that share them went too.
    pub environments: u64,
    /// Other parts of the cache share them, and no environment does.
    pub cache: u64,
    /// Something that was not found shares them.
    pub elsewhere: u64,
}

/// A snapshot and what follows from it.
#[derive(Debug)]
pub(in crate::tui) struct Facts {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// Its sums.
    pub totals: Totals,
    /// What tells entries of one name and version apart. Escaped.
    pub distinctions: BTreeMap<EntryIndex, String>,
    /// What deleting each entry alone gives back.
    pub entries_alone: Vec<Reclaimable>,
    /// What deleting each entry alone does not give back.
    pub entries_kept: Vec<Held>,
    /// What deleting each environment alone gives back.
    pub environments_alone: Vec<Reclaimable>,
    /// What is known about locks.
    pub locks: Arc<Survey>,
    /// Whether that was ever asked.
    pub asked_locks: bool,
    /// What the view of the plan shows.
    pub planning: Planning,
    /// The widest name of an entry, path of an environment, path of a pointer, resource of a lock, and thing to be pruned,
    /// in cells.
    pub widest: [u16; 5],
    /// The widest words about an environment's health, in cells.
    pub widest_health: u16,
    /// Counts snapshots, so that what was made from an older one can be told.
    pub generation: u64,
}

impl Facts {
    /// Computes what follows from a snapshot.
    pub(in crate::tui) fn new(snapshot: Arc<Snapshot>, generation: u64, home: Option<&Path>) -> Self {
        let distinctions: BTreeMap<EntryIndex, String> = snapshot
            .distinctions()
            .into_iter()
            .map(|(index, label)| (index, human::escape(&label).into_owned()))
            .collect();
        Self {
            locks: Arc::default(),
            asked_locks: false,
            planning: Planning::default(),
            widest: widest(&snapshot, home, &distinctions),
            distinctions,
            widest_health: widest_health(&snapshot),
            totals: totals(&snapshot),
            entries_alone: snapshot.reclaimable_per_entry(),
            entries_kept: kept(&snapshot),
            environments_alone: snapshot.reclaimable_per_environment(),
            snapshot,
            generation,
        }
    }

    /// Who uses the entry in a row, as far as that can be said: before a scan's end nothing can, and of a cancelled scan
    /// only who was found is sure.
    pub(in crate::tui) fn state(&self, row: usize) -> Option<EntryState> {
        let state = self.snapshot.entries[row].state;
        let nobody = matches!(state, EntryState::Unused | EntryState::Unreferenced);
        match self.snapshot.scope.completeness {
            Completeness::Complete => Some(state),
            Completeness::Cancelled => (!nobody).then_some(state),
            Completeness::Running => None,
        }
    }

    /// One of the five numbers of an entry, in bytes.
    pub(in crate::tui) fn entry_bytes(&self, index: EntryIndex, measure: Measure) -> u64 {
        let entry = self.snapshot.entry(index);
        match measure {
            Measure::Disk => entry.disk,
            Measure::Logical => entry.logical,
            Measure::Shared => entry.shared,
            Measure::Exclusive => entry.exclusive(),
            Measure::Reclaimable => self.entries_alone[index.position()].bytes,
        }
    }

    /// One of the five numbers of an environment, in bytes.
    pub(in crate::tui) fn environment_bytes(&self, index: EnvironmentIndex, measure: Measure) -> u64 {
        let environment = self.snapshot.environment(index);
        match measure {
            Measure::Disk => environment.disk,
            Measure::Logical => environment.logical,
            Measure::Shared => environment.shared,
            Measure::Exclusive => environment.exclusive(),
            Measure::Reclaimable => self.environments_alone[index.position()].bytes,
        }
    }
}

/// The sums; while a scan runs, the cache's bytes are those of the entries read so far.
fn totals(snapshot: &Snapshot) -> Totals {
    let mut totals = snapshot.totals();
    if snapshot.scope.completeness == Completeness::Running {
        totals.disk = snapshot.entries.iter().map(|entry| entry.disk).sum();
    }
    totals
}

/// What keeps the bytes of each entry that deleting it alone does not give back.
fn kept(snapshot: &Snapshot) -> Vec<Held> {
    let mut kept = vec![Held::default(); snapshot.entries.len()];
    for group in &snapshot.groups {
        let Some(place) = keeper(group) else { continue };
        for holder in &group.holders {
            if let Holder::Entry(index) = holder {
                *place(&mut kept[index.position()]) += group.disk;
            }
        }
    }
    kept
}

/// Where the bytes of a group count that more than one holds.
fn keeper(group: &Group) -> Option<fn(&mut Held) -> &mut u64> {
    let cache = group.holders.iter().filter(|holder| !matches!(holder, Holder::Environment(_))).count();
    if group.outside == Outside::Unexplained {
        Some(|kept| &mut kept.elsewhere)
    } else if group.holders.len() < 2 {
        None
    } else if cache < 2 {
        Some(|kept| &mut kept.environments)
    } else {
        Some(|kept| &mut kept.cache)
    }
}

/// The widest names, so that a column takes no more room than it needs.
fn widest(snapshot: &Snapshot, home: Option<&Path>, distinctions: &BTreeMap<EntryIndex, String>) -> [u16; 5] {
    let label = |index: EntryIndex| distinctions.get(&index).map_or(0, |label| text::width(label) + 1);
    let entries =
        snapshot.entries().map(|(index, entry)| text::width(&entry_name(entry)) + label(index)).max();
    let environments =
        snapshot.environments().map(|(index, _)| text::width(&environment_name(snapshot, index, home))).max();
    let pointers = snapshot.pointers.iter().map(|pointer| pointer.path.as_os_str().len()).max();
    // What a lock guards is nearly always a path: its column is as wide as it likes.
    let locks = Some(usize::from(u16::MAX));
    [entries, environments, pointers, locks, locks]
        .map(|width| u16::try_from(width.unwrap_or(0)).unwrap_or(u16::MAX))
}

/// The same for what is said about environments' health; which signs are used makes no difference.
fn widest_health(snapshot: &Snapshot) -> u16 {
    let words = snapshot.environments.iter().map(|item| health(Glyphs::default(), item, usize::MAX));
    let widest = words.map(|words| text::width(&words)).max();
    u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// What to call an entry: its name, or else its id. Escaped.
pub(in crate::tui) fn entry_name(entry: &Entry) -> String {
    match &entry.name {
        Some(name) => human::escape(name).into_owned(),
        None => human::escape_os(&entry.key.id).into_owned(),
    }
}

/// An entry's name and version. Escaped.
pub(in crate::tui) fn entry_title(entry: &Entry) -> String {
    match &entry.version {
        Some(version) => format!("{} {}", entry_name(entry), human::escape(version)),
        None => entry_name(entry),
    }
}

/// What to call an environment: its path, or the tool it was made for when it lies hidden in the cache. Escaped.
pub(in crate::tui) fn environment_name(
    snapshot: &Snapshot,
    index: EnvironmentIndex,
    home: Option<&Path>,
) -> String {
    let environment = snapshot.environment(index);
    let tool = environment.entry.map(|entry| snapshot.entry(entry)).filter(|entry| entry.name.is_some());
    match (environment.kind, tool) {
        (EnvironmentKind::Cached, Some(entry)) => format!("uvx {}", entry_title(entry)),
        _ => human::path(&environment.path, home),
    }
}
