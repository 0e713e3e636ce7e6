//! Which environments, and in which order.

use std::cmp::Reverse;

use crate::snapshot::{EnvironmentIndex, EnvironmentKind, Health, LinkMode, Reclaimable, Snapshot};
use crate::uv::distribution::compare_versions;

/// Which environments are wanted. An empty list wants all.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentFilter {
    /// Of one of these healths.
    pub health: Vec<Health>,
    /// Linked in one of these modes.
    pub modes: Vec<LinkMode>,
    /// Of one of these kinds.
    pub kinds: Vec<EnvironmentKind>,
    /// Without a sign of use for so many seconds.
    pub idle: Option<u64>,
    /// Only these.
    pub only: Option<Vec<EnvironmentIndex>>,
}

/// What environments are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvironmentSort {
    /// The path.
    #[default]
    Path,
    /// The Python version, newest first.
    Python,
    /// The kind.
    Kind,
    /// Distributions, most first.
    Dists,
    /// Bytes on disk, largest first.
    Size,
    /// Files, most first.
    Files,
    /// What deleting it alone gives back, most first.
    Exclusive,
    /// The newest installation, longest ago first.
    Installed,
    /// The newest sign of use, longest ago first.
    Used,
    /// The health, worst first.
    Health,
}

impl EnvironmentSort {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Path,
        Self::Python,
        Self::Kind,
        Self::Dists,
        Self::Size,
        Self::Files,
        Self::Exclusive,
        Self::Installed,
        Self::Used,
        Self::Health,
    ];

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Python => "python",
            Self::Kind => "kind",
            Self::Dists => "dists",
            Self::Size => "size",
            Self::Files => "files",
            Self::Exclusive => "exclusive",
            Self::Installed => "installed",
            Self::Used => "used",
            Self::Health => "health",
        }
    }
}

impl EnvironmentFilter {
    /// The environments that pass, in the order of the snapshot.
    pub fn apply(&self, snapshot: &Snapshot) -> Vec<EnvironmentIndex> {
        snapshot
            .environments()
            .filter(|(index, _)| self.only.as_ref().is_none_or(|only| only.contains(index)))
            .filter(|(_, item)| self.health.is_empty() || self.health.contains(&item.health))
            .filter(|(_, item)| self.modes.is_empty() || self.modes.contains(&item.mode()))
            .filter(|(_, item)| self.idle.is_none_or(|idle| snapshot.is_idle(item, idle)))
            .filter(|(_, item)| self.kinds.is_empty() || self.kinds.contains(&item.kind))
            .map(|(index, _)| index)
            .collect()
    }
}

/// Orders `rows`; what is equal stays ordered by path. `alone` is what deleting each environment of the snapshot gives
/// back.
pub fn sort(
    snapshot: &Snapshot,
    rows: &mut [EnvironmentIndex],
    key: EnvironmentSort,
    reverse: bool,
    alone: &[Reclaimable],
) {
    let item = |index: &EnvironmentIndex| snapshot.environment(*index);
    rows.sort_by(|one, other| item(one).path.cmp(&item(other).path));
    match key {
        EnvironmentSort::Path => {}
        EnvironmentSort::Python => rows.sort_by(|one, other| {
            let python = |index| item(index).python.as_deref().unwrap_or_default();
            compare_versions(python(other), python(one))
        }),
        EnvironmentSort::Kind => rows.sort_by_key(|index| item(index).kind),
        EnvironmentSort::Dists => rows.sort_by_key(|index| Reverse(item(index).distributions.len())),
        EnvironmentSort::Size => rows.sort_by_key(|index| Reverse(item(index).disk)),
        EnvironmentSort::Files => rows.sort_by_key(|index| Reverse(item(index).files)),
        EnvironmentSort::Exclusive => rows.sort_by_key(|index| Reverse(alone[index.position()].bytes)),
        EnvironmentSort::Installed => {
            rows.sort_by_key(|index| (item(index).installed.is_none(), item(index).installed));
        }
        EnvironmentSort::Used => rows.sort_by_key(|index| {
            let used = item(index).last_use.map(|last_use| last_use.time);
            (used.is_none(), used)
        }),
        EnvironmentSort::Health => rows.sort_by_key(|index| Reverse(item(index).health)),
    }
    if reverse {
        rows.reverse();
    }
}
