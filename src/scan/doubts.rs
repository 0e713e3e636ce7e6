//! What keeps entries from counting as unused, or as unreferenced, although nothing was found: whatever could not be
//! read or understood may use them, or lead to them.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use super::Gathered;
use super::cache::entry::Facts;
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
    /// Entries that a pointer may lead to which could not be read or understood, whether others do or not.
    pub(super) unclear: FxHashSet<EntryIndex>,
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
    let (pointers, unclear) = pointers(gathered, snapshot);
    Doubts { users, pointers, unclear }
}

/// Entries without a pointer to which one may lead that could not be read, or names another path; and all to which one
/// may lead that could not be read: those with the package's name where the pointer's place tells it, else all.
fn pointers(gathered: &Gathered, snapshot: &Snapshot) -> (FxHashSet<EntryIndex>, FxHashSet<EntryIndex>) {
    let mut unread = Unclear { everything: gathered.pointers_unread, ..Unclear::default() };
    for pointer in snapshot.pointers.iter().filter(|pointer| pointer.state == PointerState::Malformed) {
        unread.add(&pointer.path);
    }
    let mut unclear = unread.clone();
    for pointer in snapshot.pointers.iter().filter(|pointer| pointer.state == PointerState::Foreign) {
        unclear.add(&pointer.path);
    }
    let alone = |(_, entry): &(EntryIndex, &Entry)| entry.pointers.is_empty();
    let led = |unclear: &Unclear, index: EntryIndex| unclear.may_lead_to(&gathered.facts[index.position()]);
    let indices = |(index, _)| index;
    (
        snapshot.entries().filter(alone).map(indices).filter(|index| led(&unclear, *index)).collect(),
        snapshot.entries().map(indices).filter(|index| led(&unread, *index)).collect(),
    )
}

/// What pointers that are not understood may lead to.
#[derive(Clone, Debug, Default)]
struct Unclear {
    packages: FxHashSet<String>,
    environments: bool,
    everything: bool,
}

impl Unclear {
    fn add(&mut self, pointer: &Path) {
        match shard::place(pointer) {
            Place::Wheel { package, .. } | Place::BuiltWheel { package: Some(package), .. } => {
                self.packages.insert(normalize(&package));
            }
            Place::CachedEnvironment => self.environments = true,
            _ => self.everything = true,
        }
    }

    fn may_lead_to(&self, facts: &Facts) -> bool {
        let name = facts.dist_info.as_deref().and_then(crate::uv::distribution::parse_dist_info);
        self.everything
            || self.environments && super::entry_kind(facts) == EntryKind::Environment
            || name.map_or(!self.packages.is_empty(), |name| self.packages.contains(&normalize(&name.name)))
    }
}
