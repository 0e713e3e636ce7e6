//! Examines one distribution file by file, as its `RECORD` lists them.
//!
//! The long way, for copies, reflinks, broken and changed installations, and inodes that lie in several entries. Content
//! counts as equal when both `RECORD`s state the same digest and the size on disk agrees; it is hashed only where the
//! file is younger than its `RECORD`, which uv writes last.

use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

mod choose;
mod examined;
mod linked;
mod loose;

use super::attribute::evidence;
use super::{Against, Collected, DistInfo, Tally, Way};
use crate::disk::Time;
use crate::scan::installed::{Class, InstalledFile, Layout, Listing, Origin, Several};
use crate::snapshot::{EvidenceCounts, FileCounts, ModeCounts};
use examined::Broken;
pub(super) use examined::Examined;
use loose::Equal;

struct Examination<'a> {
    root: &'a Path,
    dist_info: &'a DistInfo,
    collected: &'a Collected,
    several: &'a Several,
    against: &'a Against<'a>,
    /// When it was installed: what is younger may have been changed.
    installed: Option<Time>,
    layout: Layout<'a>,
    /// Whether files of it are links into an entry.
    is_linked: bool,
}

/// Examines a distribution that may have come from any of `candidates`, entries with its name and version.
pub(super) fn examine(
    root: &Path,
    dist_info: &DistInfo,
    listing: std::io::Result<Listing>,
    candidates: &[u32],
    (collected, several): (&Collected, &Several),
    against: &Against<'_>,
) -> Examined {
    let record_path = dist_info.path.join("RECORD");
    let examination = Examination {
        root,
        dist_info,
        collected,
        several,
        against,
        installed: collected
            .loose
            .get(record_path.as_os_str().as_encoded_bytes())
            .map(|record| record.stat.modified),
        layout: Layout::of(root, &dist_info.path),
        is_linked: candidates
            .iter()
            .filter_map(|entry| collected.tallies.get(entry))
            .any(|tally| tally.modes.total() > 0),
    };
    match listing {
        Ok(listing) => {
            let unclear = listing.unclear;
            let mut examined = examination.examine(listing, candidates);
            examined.has_record = unclear == 0;
            examined.unclear = unclear;
            examined
        }
        Err(error) => {
            let uses = examination.uses_without_record(candidates);
            let mut files = FileCounts::default();
            for (by, _) in uses.values() {
                files.modes.add(*by);
            }
            let stray = collected.strays.get(dist_info.path.as_os_str().as_encoded_bytes());
            files.dangling += u64::from(stray.is_some_and(|stray| stray.dangling));
            let unread = Some(crate::disk::error::words(&error));
            Examined { files, uses: used(uses), unread, ..Examined::default() }
        }
    }
}

impl Examination<'_> {
    /// Files found by inode in any of the candidates.
    fn tallied(&self, candidates: &[u32]) -> Tally {
        let mut tally = Tally::default();
        for entry in candidates {
            tally.add(self.collected.tallies.get(entry).copied().unwrap_or_default());
        }
        tally
    }

    fn uses_by_inode(&self, candidates: &[u32]) -> Vec<(u32, ModeCounts, EvidenceCounts)> {
        let tallies = &self.collected.tallies;
        let by = |entry: &u32| tallies.get(entry).map_or_else(ModeCounts::default, Tally::all);
        candidates.iter().map(|entry| (*entry, by(entry), evidence(by(entry)))).collect()
    }

    /// Without `RECORD` nobody knows which files are this distribution's: all that lie in a candidate may be.
    fn uses_without_record(&self, candidates: &[u32]) -> FxHashMap<u32, (ModeCounts, EvidenceCounts)> {
        let mut uses: FxHashMap<u32, (ModeCounts, EvidenceCounts)> = FxHashMap::default();
        for (entry, by, counts) in self.uses_by_inode(candidates) {
            uses.insert(entry, (by, counts));
        }
        for ambiguous in self.collected.ambiguous.values() {
            let places: FxHashSet<u32> = self.against.table.places(ambiguous.id).collect();
            for entry in candidates.iter().filter(|entry| places.contains(entry)) {
                let (by, counts) = uses.entry(*entry).or_default();
                match ambiguous.way {
                    Way::Hardlink => (by.hardlink, counts.inode) = (by.hardlink + 1, counts.inode + 1),
                    Way::Symlink => (by.symlink, counts.symlink) = (by.symlink + 1, counts.symlink + 1),
                    Way::Clone => (by.clone, counts.extent) = (by.clone + 1, counts.extent + 1),
                }
            }
        }
        uses
    }

    fn examine(&self, mut listing: Listing, candidates: &[u32]) -> Examined {
        let mut uses: FxHashMap<u32, (ModeCounts, EvidenceCounts)> = FxHashMap::default();
        for (entry, by, counts) in self.uses_by_inode(candidates) {
            uses.insert(entry, (by, counts));
        }
        let chosen = self.choose(&mut listing, candidates);
        let mut examined = Examined::default();
        let Tally { modes, bytes, .. } = self.tallied(candidates);
        (examined.files.modes, examined.bytes) = (modes, bytes);
        let (mut presumed, mut compiled) = (Vec::new(), 0);
        for file in listing.files.iter().filter(|file| !file.is_beside()) {
            let key = file.path.as_os_str().as_encoded_bytes();
            if let Some(loose) = self.collected.loose.get(key) {
                let equal = self.loose(file, loose, chosen, &mut examined);
                if let (Some(mode), Some(entry)) = (equal, chosen) {
                    let (by, counts) = uses.entry(entry).or_default();
                    counts.content += 1;
                    by.copy += u64::from(mode == Equal::Copy);
                }
            } else if let Some(ambiguous) = self.collected.ambiguous.get(key) {
                let source = file.source.as_ref();
                if ambiguous.way == Way::Clone && source.is_some_and(|source| source.always_copied) {
                    examined.files.private += 1;
                } else {
                    if ambiguous.way != Way::Clone && source.is_some_and(|source| source.modified) {
                        self.compare(file, &mut examined);
                    }
                    self.ambiguous(file, ambiguous, chosen, candidates, &mut examined, &mut uses);
                }
            } else if let Some(stray) = self.collected.strays.get(key) {
                let target = crate::uv::link::archive_target(&stray.text);
                if stray.dangling && file.class != Class::Private {
                    let named = target.map(|target| (target.bucket, target.id));
                    examined.broken.push(Broken { path: file.path.clone(), named, dangling: true });
                }
                examined.files.modes.symlink += u64::from(!stray.dangling);
            } else if self.collected.named.get(key).is_some_and(|entry| !candidates.contains(entry)) {
                // Another distribution wrote it last, or a person did.
                let changed = self.compare(file, &mut examined);
                examined.files.own += u64::from(!changed);
            } else if file.path.extension().is_none_or(|extension| extension != "pyc") {
                presumed.push(file);
            } else {
                compiled += u64::from(!file.is_private());
            }
        }
        self.presumed(&presumed, compiled, candidates, &mut examined, &mut uses);
        self.beside(&listing.files, candidates, &mut examined, &mut uses);
        self.leave_out_absent(&listing, chosen, &mut examined);
        examined.decide();
        examined.count_broken();
        examined.elsewhere = self.elsewhere(&listing.files);
        examined.uses = used(uses);
        examined
    }

    /// Leaves out what is missing because the wheel does not have it: its `RECORD` has a row too many.
    fn leave_out_absent(&self, listing: &Listing, chosen: Option<u32>, examined: &mut Examined) {
        let Some(entry) = chosen.filter(|_| examined.broken.iter().any(|it| !it.dangling)) else { return };
        let sources = self.sources(entry);
        let path = &self.against.entries[entry as usize].path;
        let (root, installed, is_wheel) = (self.root, self.installed, listing.is_of(&sources));
        let origin = Origin { root, installed, path, sources: &sources, is_wheel };
        let lacked = |it: &Broken| {
            let file = listing.files.iter().find(|file| file.path == it.path);
            !it.dangling && file.is_some_and(|file| origin.lacks(file))
        };
        examined.broken.retain(|it| !lacked(it));
    }

    /// Another path of a cache, which symlinks name.
    fn elsewhere(&self, files: &[InstalledFile]) -> Option<PathBuf> {
        files.iter().find_map(|file| {
            let stray = self.collected.strays.get(file.path.as_os_str().as_encoded_bytes())?;
            let target = crate::uv::link::archive_target(&stray.text)?;
            (target.prefix != self.against.cache).then_some(target.prefix)
        })
    }
}

/// The entries that are used. Those that only have the name stand for `name` evidence where nothing better was found.
fn used(uses: FxHashMap<u32, (ModeCounts, EvidenceCounts)>) -> Vec<(u32, ModeCounts, EvidenceCounts)> {
    let proven = |counts: &EvidenceCounts| counts.inode + counts.symlink + counts.extent + counts.content > 0;
    let any = uses.values().any(|(_, counts)| proven(counts));
    let mut uses: Vec<_> = uses
        .into_iter()
        .filter(|(_, (_, counts))| !any || proven(counts))
        .map(|(entry, (by, counts))| (entry, by, counts))
        .collect();
    uses.sort_unstable_by_key(|(entry, _, _)| *entry);
    uses
}
