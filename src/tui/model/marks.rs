//! Marks: named by identity, so that they survive ordering, filtering and a new scan, and summed up jointly.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::human;
use crate::snapshot::{EntryKey, EnvironmentIndex, Holder, Outside, Reclaimable, Selection, Snapshot};

use super::facts::environment_name;

/// What is marked.
#[derive(Debug, Default)]
pub(in crate::tui) struct Marks {
    /// Entries.
    pub entries: HashSet<EntryKey>,
    /// Environments, by their roots.
    pub environments: HashSet<PathBuf>,
}

/// What the marks come to, jointly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tui) struct Joint {
    /// Marked rows that the snapshot has.
    pub rows: usize,
    /// What deleting exactly these gives back.
    pub now: Reclaimable,
    /// What deleting the environments that hold the rest would give back beyond that, in bytes.
    pub later: u64,
    /// Those environments. Escaped.
    pub holders: Vec<String>,
}

/// Marks that the shown list does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tui) struct Unseen {
    /// Marked rows of the shown view that its filter leaves out.
    pub hidden: usize,
    /// Marked entries, where another view is shown.
    pub entries: usize,
    /// Marked environments, where another view is shown.
    pub environments: usize,
}

impl Unseen {
    /// Which they are, as `2 hidden by the filter, 1 in Environments`; nothing where there are none.
    pub(in crate::tui) fn words(self) -> Option<String> {
        let parts = [
            (self.hidden, "hidden by the filter"),
            (self.entries, "in Entries"),
            (self.environments, "in Environments"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, where_)| format!("{} {where_}", human::count(number as u64)))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl Marks {
    /// Whether nothing is marked.
    pub(in crate::tui) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.environments.is_empty()
    }

    /// Forgets what a complete snapshot no longer has.
    pub(in crate::tui) fn retain(&mut self, snapshot: &Snapshot) {
        self.entries.retain(|key| snapshot.find_entry(key).is_some());
        self.environments.retain(|path| snapshot.find_environment(path).is_some());
    }

    /// What the marks come to.
    pub(in crate::tui) fn joint(&self, snapshot: &Snapshot, home: Option<&Path>) -> Joint {
        let mut selection = Selection::new(snapshot);
        let mut rows = 0;
        let mut marked = vec![false; snapshot.entries.len()];
        for index in self.entries.iter().filter_map(|key| snapshot.find_entry(key)) {
            selection.add_entry(index);
            marked[index.position()] = true;
            rows += 1;
        }
        for (index, environment) in snapshot.environments() {
            if self.environments.contains(&environment.path) {
                selection.add_environment(index);
                rows += 1;
            }
        }
        let now = snapshot.reclaimable(&selection);
        // The environments that alone stand between a marked entry's bytes and the disk's free space.
        let mut holders = vec![false; snapshot.environments.len()];
        let held =
            snapshot.groups.iter().filter(|group| group.outside != Outside::Unexplained).filter(|group| {
                group
                    .holders
                    .iter()
                    .any(|holder| matches!(holder, Holder::Entry(index) if marked[index.position()]))
            });
        for holder in held.flat_map(|group| group.holders.iter()) {
            if let Holder::Environment(index) = holder {
                holders[index.position()] = true;
            }
        }
        let mut names = Vec::new();
        for (position, _) in holders.iter().enumerate().filter(|(_, holds)| **holds) {
            let index = EnvironmentIndex::new(position);
            if !self.environments.contains(&snapshot.environment(index).path) {
                selection.add_environment(index);
                names.push(environment_name(snapshot, index, home));
            }
        }
        let with_holders = snapshot.reclaimable(&selection);
        let own: u64 = names_bytes(snapshot, &holders, self);
        let later = with_holders.bytes.saturating_sub(now.bytes).saturating_sub(own);
        Joint { rows, now, later, holders: names }
    }
}

/// Bytes that the unmarked holders keep all by themselves: they would come back too, but are not the marks' bytes.
fn names_bytes(snapshot: &Snapshot, holders: &[bool], marks: &Marks) -> u64 {
    let counted = |holder: &Holder| match holder {
        Holder::Environment(index) => {
            holders[index.position()] && !marks.environments.contains(&snapshot.environment(*index).path)
        }
        _ => false,
    };
    let own = snapshot.groups.iter().filter(|group| group.outside != Outside::Unexplained);
    own.filter(|group| group.holders.iter().all(counted)).map(|group| group.disk).sum()
}
