//! What keeps entries from counting as unused, or as unreferenced, although nothing was found: whatever could not be
//! read or understood may use them, or lead to them.

use std::path::PathBuf;

use rustc_hash::FxHashSet;

use super::Gathered;
use super::environments::Reading;
use crate::snapshot::{Doubt, EntryIndex, EntryKind, PointerState, Snapshot};
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

/// Entries that a pointer may lead to which could not be read: those with the package's name where the pointer's place
/// tells it, else all.
fn pointers(gathered: &Gathered, snapshot: &Snapshot) -> FxHashSet<EntryIndex> {
    let mut doubtful = FxHashSet::default();
    let everything = gathered.pointers_unread;
    for (index, entry) in snapshot.entries() {
        let name = gathered.facts[index.position()]
            .dist_info
            .as_deref()
            .and_then(crate::uv::distribution::parse_dist_info)
            .map(|parsed| normalize(&parsed.name));
        let is_environment = super::entry_kind(&gathered.facts[index.position()]) == EntryKind::Environment;
        let may_lead = |place: Place| match place {
            Place::Wheel { package, .. } | Place::BuiltWheel { package: Some(package), .. } => {
                name.as_ref().is_none_or(|name| *name == normalize(&package))
            }
            Place::CachedEnvironment => is_environment,
            _ => true,
        };
        let unclear = |state| matches!(state, PointerState::Malformed | PointerState::Foreign);
        let mut unclear = snapshot.pointers.iter().filter(|pointer| unclear(pointer.state));
        if entry.pointers.is_empty()
            && (everything || unclear.any(|pointer| may_lead(shard::place(&pointer.path))))
        {
            doubtful.insert(index);
        }
    }
    doubtful
}
