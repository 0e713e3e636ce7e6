//! What keeps entries from counting as unused, or as unreferenced, although nothing was found: whatever could not be
//! read or understood may use them, or lead to them.

use std::path::PathBuf;

use rustc_hash::FxHashSet;

use super::Gathered;
use super::environments::Reading;
use crate::snapshot::{Doubt, Entry, EntryIndex, EntryKind, PointerState, Snapshot};
use crate::uv::distribution::normalize;
use crate::uv::shard::{self, Place};

/// What is doubtful, entry by entry.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Why an entry may have users nobody found.
    pub(super) users: Vec<Option<Doubt>>,
    /// Entries that a pointer may lead to, although none was found.
    pub(super) pointers: FxHashSet<EntryIndex>,
}

/// Collects the doubts. `unreached`: where an environment is, or may be, that nobody can look at.
pub(super) fn collect(
    gathered: &Gathered,
    readings: &[Reading],
    unreached: &[PathBuf],
    snapshot: &Snapshot,
    cancelled: bool,
) -> Doubts {
    let all = if cancelled {
        Some(Doubt::Cancelled)
    } else if !unreached.is_empty() || readings.iter().any(|reading| reading.blind) {
        Some(Doubt::Environment)
    } else {
        None
    };
    let mut users = vec![all; gathered.facts.len()];
    for reading in readings {
        for entry in &reading.named_elsewhere {
            users[*entry as usize].get_or_insert(Doubt::NamedElsewhere);
        }
        if reading.environment.unread {
            // Its distributions are known; what else it has could not be looked at.
            for used in &reading.uses {
                users[used.entry as usize].get_or_insert(Doubt::Environment);
            }
        }
    }
    Doubts { users, pointers: pointers(gathered, snapshot) }
}

/// Entries that a pointer may lead to which could not be read, or names another path: those with the package's name where
/// the pointer's place tells it, else all.
fn pointers(gathered: &Gathered, snapshot: &Snapshot) -> FxHashSet<EntryIndex> {
    let mut packages: FxHashSet<String> = FxHashSet::default();
    let (mut environments, mut everything) = (false, gathered.pointers_unread);
    let unclear = |state| matches!(state, PointerState::Malformed | PointerState::Foreign);
    for pointer in snapshot.pointers.iter().filter(|pointer| unclear(pointer.state)) {
        match shard::place(&pointer.path) {
            Place::Wheel { package, .. } | Place::BuiltWheel { package: Some(package), .. } => {
                packages.insert(normalize(&package));
            }
            Place::CachedEnvironment => environments = true,
            _ => everything = true,
        }
    }
    let may_be_led_to = |(index, _): &(EntryIndex, &Entry)| {
        let facts = &gathered.facts[index.position()];
        let name = facts.dist_info.as_deref().and_then(crate::uv::distribution::parse_dist_info);
        everything
            || environments && super::entry_kind(facts) == EntryKind::Environment
            || name.map_or(!packages.is_empty(), |name| packages.contains(&normalize(&name.name)))
    };
    let alone = snapshot.entries().filter(|(_, entry)| entry.pointers.is_empty());
    alone.filter(may_be_led_to).map(|(index, _)| index).collect()
}
