//! Chooses the entry a distribution was installed from, where several have its name and version.

use std::path::Path;

use rustc_hash::FxHashSet;

use super::Examination;
use crate::scan::installed::{self, InstalledFile, Listing, Sources};

impl Examination<'_> {
    /// The candidate that explains most files, whose files are then attached. Nothing is read where nothing is in doubt.
    pub(super) fn choose(&self, listing: &mut Listing, candidates: &[u32]) -> Option<u32> {
        let doubtful = listing.files.iter().any(|file| {
            let key = file.path.as_os_str().as_encoded_bytes();
            !file.is_private()
                && (self.collected.loose.contains_key(key) || self.collected.ambiguous.contains_key(key))
        });
        if !doubtful {
            let best = candidates.iter().copied().max_by_key(|entry| {
                (
                    self.collected.tallies.get(entry).map_or(0, |tally| tally.modes.total()),
                    std::cmp::Reverse(*entry),
                )
            });
            return best;
        }
        let mut best: Option<(u64, u32, Sources)> = None;
        for entry in candidates {
            let sources = self.sources(*entry);
            let score = self.score(&listing.files, *entry, &sources);
            if best.as_ref().is_none_or(|(most, _, _)| score > *most) {
                best = Some((score, *entry, sources));
            }
        }
        let (_, entry, sources) = best?;
        listing.attach(self.layout, &sources);
        Some(entry)
    }

    fn score(&self, files: &[InstalledFile], entry: u32, sources: &Sources) -> u64 {
        let mut score = self.collected.tallies.get(&entry).map_or(0, |tally| tally.modes.total());
        for file in files {
            let key = file.path.as_os_str().as_encoded_bytes();
            if let Some(ambiguous) = self.collected.ambiguous.get(key) {
                score += u64::from(self.against.table.places(ambiguous.id).any(|place| place == entry));
            } else if self.collected.loose.contains_key(key) {
                let same = sources
                    .get(&file.path)
                    .is_some_and(|source| source.digest.is_some() && source.digest == file.row.digest);
                score += u64::from(same);
            }
        }
        score
    }

    pub(super) fn sources(&self, entry: u32) -> Sources {
        let facts = &self.against.entries[entry as usize];
        let Some(dist_info) = &facts.dist_info else { return Sources::default() };
        let mut sources = installed::sources(&facts.path, dist_info, self.layout, &self.dist_info.name.name);
        let modified: FxHashSet<&Path> = facts.modified.iter().map(|path| &**path).collect();
        for source in sources.values_mut() {
            source.modified = modified.contains(&*source.path);
        }
        sources
    }
}
