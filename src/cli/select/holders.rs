//! Who holds the storage of an entry besides itself, and what all of them together give back.

use std::collections::BTreeSet;

use crate::snapshot::{EntryIndex, EnvironmentIndex, Holder, Reclaimable, Selection, Snapshot};

/// An entry and everybody known who holds a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// The other entries.
    pub entries: Vec<EntryIndex>,
    /// The environments.
    pub environments: Vec<EnvironmentIndex>,
    /// Whether the content-addressed store is one of them.
    pub store: bool,
    /// What deleting the entry and all of these gives back. Only storage of the entry counts.
    pub back: Reclaimable,
}

/// Finds them.
pub fn together(snapshot: &Snapshot, index: EntryIndex) -> Together {
    let own = Holder::Entry(index);
    let groups: Vec<_> =
        snapshot.groups.iter().filter(|group| group.holders.contains(&own)).cloned().collect();
    let holders: BTreeSet<Holder> = groups.iter().flat_map(|group| group.holders.iter().copied()).collect();
    let mut selection = Selection::new(snapshot);
    let mut found = Together::default();
    for holder in holders {
        match holder {
            Holder::Entry(entry) => {
                selection.add_entry(entry);
                if entry != index {
                    found.entries.push(entry);
                }
            }
            Holder::Environment(environment) => {
                selection.add_environment(environment);
                found.environments.push(environment);
            }
            Holder::Store => {
                selection.add_store();
                found.store = true;
            }
            Holder::Cache | Holder::Trash => {}
        }
    }
    // The storage that the others hold without this entry is not what the question is about.
    found.back = Snapshot { groups, ..Snapshot::default() }.reclaimable(&selection);
    found
}
