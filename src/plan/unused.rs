//! What is unused, told together with what of it can go: one number everywhere.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{Action, Bytes, KeptCount, Plan, kept_counts, room};
use crate::snapshot::{Completeness, EntryIndex, EntryState, Reclaimable, Snapshot};

/// The entries that nothing uses, and what of them can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// How many there are.
    pub entries: u64,
    /// What removing all of them frees.
    pub frees: Reclaimable,
    /// What can go now.
    pub can_go: CanGo,
    /// What cannot, by reason.
    pub kept: Vec<KeptCount>,
    /// How many are environments in the cache, which are a kind of their own.
    pub environments: u64,
}

/// The part of something that can go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanGo {
    /// How many.
    pub entries: u64,
    /// What removing them frees.
    pub frees: Reclaimable,
}

impl Unused {
    /// Works it out. `None` where nothing is unused, or where that is not known.
    pub fn new(snapshot: &Snapshot, grace: u64) -> Option<Self> {
        let any = snapshot.entries.iter().any(|entry| is_unused(entry.state));
        any.then(|| Self::by(snapshot, &room::unused(snapshot, grace))).flatten()
    }

    /// The same from a plan for everything that nothing uses.
    pub fn by(snapshot: &Snapshot, plan: &Plan) -> Option<Self> {
        let unused: HashMap<PathBuf, EntryIndex> = snapshot
            .entries()
            .filter(|(_, entry)| is_unused(entry.state))
            .map(|(index, entry)| (entry.key.path(), index))
            .collect();
        if unused.is_empty() || snapshot.scope.completeness != Completeness::Complete {
            return None;
        }
        let goes: Vec<EntryIndex> = plan
            .steps
            .iter()
            .filter(|step| step.action == Action::RemoveEntry)
            .filter_map(|step| unused.get(&step.at.path()).copied())
            .collect();
        let kept = plan.kept.iter().filter(|kept| unused.contains_key(&kept.at.path()));
        let kept = kept_counts(kept);
        let (entries, number) = (unused.len() as u64, goes.len() as u64);
        let told = number + kept.iter().map(|it| it.number).sum::<u64>();
        // With their pointers, as the plan counts them.
        let Bytes { reclaimable, certainty, .. } = plan.totals.bytes;
        let alone = snapshot.reclaimable_of(goes);
        let all = snapshot.reclaimable_of(unused.into_values());
        let bytes = reclaimable.saturating_add(all.bytes.saturating_sub(alone.bytes));
        let frees = Reclaimable { bytes, certainty: all.certainty.and(certainty), ..all };
        let can_go = CanGo { entries: number, frees: Reclaimable { bytes: reclaimable, certainty, ..alone } };
        Some(Self { entries, frees, can_go, kept, environments: entries.saturating_sub(told) })
    }

    /// Whether all of it can go.
    pub fn all_goes(&self) -> bool {
        self.can_go.entries == self.entries
    }
}

fn is_unused(state: EntryState) -> bool {
    matches!(state, EntryState::Unused | EntryState::Unreferenced)
}
