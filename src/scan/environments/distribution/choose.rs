//! Chooses the entry a distribution was installed from, where several have its name and version.

use std::path::Path;

use rustc_hash::FxHashSet;

use super::{Examination, Row};
use crate::scan::installed::{self, Expected};

impl Examination<'_> {
    /// The candidate that explains most files, and what its `RECORD` says. Nothing is read where nothing is in doubt.
    pub(super) fn choose(&self, rows: &[Row], candidates: &[u32]) -> (Option<u32>, Expected) {
        let doubtful = rows.iter().any(|row| {
            let key = row.path.as_os_str().as_encoded_bytes();
            !row.private
                && (self.collected.loose.contains_key(key) || self.collected.ambiguous.contains_key(key))
        });
        if !doubtful {
            let best = candidates.iter().copied().max_by_key(|entry| {
                (
                    self.collected.tallies.get(entry).map_or(0, |tally| tally.modes.total()),
                    std::cmp::Reverse(*entry),
                )
            });
            return (best, Expected::default());
        }
        let mut best: Option<(u64, u32, Expected)> = None;
        for entry in candidates {
            let expected = self.expected(*entry);
            let score = self.score(rows, *entry, &expected);
            if best.as_ref().is_none_or(|(most, _, _)| score > *most) {
                best = Some((score, *entry, expected));
            }
        }
        best.map_or_else(|| (None, Expected::default()), |(_, entry, expected)| (Some(entry), expected))
    }

    fn score(&self, rows: &[Row], entry: u32, expected: &Expected) -> u64 {
        let mut score = self.collected.tallies.get(&entry).map_or(0, |tally| tally.modes.total());
        for row in rows {
            let key = row.path.as_os_str().as_encoded_bytes();
            if let Some(ambiguous) = self.collected.ambiguous.get(key) {
                score += u64::from(self.against.table.places(ambiguous.id).any(|place| place == entry));
            } else if self.collected.loose.contains_key(key) {
                let same = expected
                    .get(&row.path)
                    .is_some_and(|item| item.digest.is_some() && item.digest == row.digest);
                score += u64::from(same);
            }
        }
        score
    }

    fn expected(&self, entry: u32) -> Expected {
        let facts = &self.against.entries[entry as usize];
        let Some(dist_info) = &facts.dist_info else { return Expected::default() };
        let site = self.dist_info.path.parent().unwrap_or(Path::new(""));
        let mut expected =
            installed::expected(&facts.path, dist_info, site, self.scripts, &self.dist_info.name.name);
        let modified: FxHashSet<&Path> = facts.modified.iter().map(Path::new).collect();
        for item in expected.values_mut() {
            item.modified = modified.contains(&*item.source);
        }
        expected
    }
}
