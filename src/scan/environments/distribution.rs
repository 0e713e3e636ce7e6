//! Examines one distribution file by file, as its `RECORD` lists them.
//!
//! The long way, for copies, reflinks, broken and changed installations, and inodes that lie in several entries. Content
//! counts as equal when both `RECORD`s state the same digest and the size on disk agrees; it is hashed only where the
//! file is younger than its `RECORD`, which uv writes last.

use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

mod choose;

use super::attribute::evidence;
use super::{Against, Ambiguous, Collected, DistInfo, Loose, Tally, Way, own_bytes};
use crate::disk::{FileKind, FileStat, Time};
use crate::human;
use crate::scan::content;
use crate::scan::installed::{Class, InstalledFile, Layout, Listing, Several, Source};
use crate::scan::share::Map;
use crate::snapshot::{EvidenceCounts, FileBytes, FileCounts, JointCopy, ModeCounts};

/// What was found out about one distribution.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub(super) files: FileCounts,
    /// The entries it uses; without a count where only the name is the same.
    pub(super) uses: Vec<(u32, ModeCounts, EvidenceCounts)>,
    pub(super) bytes: FileBytes,
    /// Copies that have other names, or are listed more than once.
    pub(super) joint: Vec<JointCopy>,
    /// Files of its own whose content is not what its `RECORD` says, relative to the environment.
    pub(super) changed: Vec<PathBuf>,
    pub(super) has_record: bool,
    pub(super) note: String,
}

struct Examination<'a> {
    root: &'a Path,
    dist_info: &'a DistInfo,
    collected: &'a Collected,
    several: &'a Several,
    against: &'a Against<'a>,
    /// When it was installed: what is younger may have been changed.
    installed: Option<Time>,
    layout: Layout<'a>,
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
        layout: Layout::of(&dist_info.path),
    };
    match listing {
        Ok(listing) => {
            let unclear = listing.unclear;
            let mut examined = examination.examine(listing, candidates);
            examined.has_record = unclear == 0;
            if unclear > 0 {
                let lines = human::counted(unclear, "line", "lines");
                let separator = if examined.note.is_empty() { "" } else { "; " };
                examined.note =
                    format!("{lines} of `RECORD` could not be understood{separator}{}", examined.note);
            }
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
            let note = format!("Failed to read `RECORD`: {}", crate::disk::error::words(&error));
            Examined { files, uses: used(uses), note, ..Examined::default() }
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
        let by =
            |entry: &u32| self.collected.tallies.get(entry).map_or_else(ModeCounts::default, |it| it.modes);
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
        let files = &listing.files;
        let mut examined = Examined::default();
        let Tally { modes, bytes } = self.tallied(candidates);
        (examined.files.modes, examined.bytes) = (modes, bytes);
        let mut presumed = Vec::new();
        for file in files {
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
                    let modified = source.is_some_and(|source| source.modified);
                    examined.files.modified += u64::from(ambiguous.way != Way::Clone && modified);
                    self.ambiguous(file, ambiguous, chosen, candidates, &mut examined, &mut uses);
                }
            } else if let Some(stray) = self.collected.strays.get(key) {
                examined.files.dangling += u64::from(stray.dangling);
                examined.files.modes.symlink += u64::from(!stray.dangling);
            } else if self.collected.named.get(key).is_some_and(|entry| !candidates.contains(entry)) {
                examined.files.own += 1;
            } else if file.path.extension().is_none_or(|extension| extension != "pyc") {
                // A link has whatever its entry has.
                examined.files.modified += u64::from(file.source.as_ref().is_some_and(|it| it.modified));
                presumed.push(file);
            }
        }
        self.presumed(&presumed, candidates, &mut examined, &mut uses);
        if files.iter().all(|file| file.source.is_none()) {
            // Every file is a link, so that all that is changed in the entry is changed here.
            let linked = candidates.iter().filter(|entry| self.collected.tallies.contains_key(entry));
            examined.files.modified +=
                linked.map(|entry| self.against.entries[*entry as usize].modified.len() as u64).sum::<u64>();
        }
        examined.note = self.note(files, &examined);
        examined.uses = used(uses);
        examined
    }

    /// Classifies a file that no inode explains; answers how its content is known to equal the entry's, if it does.
    fn loose(
        &self,
        file: &InstalledFile,
        loose: &Loose,
        chosen: Option<u32>,
        examined: &mut Examined,
    ) -> Option<Equal> {
        let files = &mut examined.files;
        if file.is_private() {
            files.private += 1;
            return None;
        }
        let changed = self.changed(file, &loose.stat);
        if changed && file.class == Class::Compiled {
            files.private += 1;
            return None;
        }
        if changed {
            files.modified += 1;
            examined.changed.push(file.path.clone());
            return None;
        }
        if file.class == Class::Generated {
            files.private += 1;
            return None;
        }
        match file.same_source() {
            Some(source) if source.digest.is_some() && !source.modified => {
                let comparable = match loose.map {
                    None => !(self.against.reflinks && loose.stat.size == 0),
                    Some(map) => map != Map::Opaque,
                };
                if self.other_bits(loose, chosen, source) {
                    files.own += 1;
                    return Some(Equal::Apart);
                }
                if !comparable {
                    files.unprovable += 1;
                    return Some(Equal::Unprovable);
                }
                files.modes.copy += 1;
                let FileStat { device, inode, links, disk, .. } = loose.stat;
                if links == 1 && !self.several.has(&file.path) {
                    examined.bytes.copied += disk;
                } else {
                    examined.joint.push(JointCopy { path: file.path.clone(), device, inode, links, disk });
                }
                return Some(Equal::Copy);
            }
            _ => files.own += 1,
        }
        None
    }

    /// Whether a file was given other permissions than the entry's has, so that it cannot be a link to that.
    fn other_bits(&self, loose: &Loose, chosen: Option<u32>, source: &Source) -> bool {
        // uv writes `RECORD` last, and giving permissions changes a file's change time.
        let touched = self.installed.is_none_or(|installed| loose.stat.changed > installed);
        let cached = || {
            let entry = &self.against.entries[chosen? as usize];
            FileStat::of(&entry.path.join(&source.path)).ok()
        };
        touched && cached().is_some_and(|it| it.mode_bits & 0o777 != loose.stat.mode_bits & 0o777)
    }

    /// Whether a file is not what its row says: another size; or younger than `RECORD`, or listed by another
    /// distribution too, and with another digest.
    fn changed(&self, file: &InstalledFile, stat: &FileStat) -> bool {
        if file.row.size.is_some_and(|size| size != stat.size) {
            return true;
        }
        let young = self.installed.is_some_and(|installed| stat.modified > installed);
        let doubtful = young || self.several.is_contended(&file.path);
        doubtful && content::differs(&self.root.join(&file.path), stat, file.row)
    }

    fn ambiguous(
        &self,
        file: &InstalledFile,
        ambiguous: &Ambiguous,
        chosen: Option<u32>,
        candidates: &[u32],
        examined: &mut Examined,
        uses: &mut FxHashMap<u32, (ModeCounts, EvidenceCounts)>,
    ) {
        let places = || self.against.table.places(ambiguous.id);
        let entry = chosen
            .filter(|chosen| places().any(|place| place == *chosen))
            .or_else(|| places().find(|place| candidates.contains(place)));
        let Some(entry) = entry else {
            // Another distribution wrote it last.
            examined.files.own += 1;
            return;
        };
        if ambiguous.way == Way::Clone
            && self.installed.is_some_and(|installed| ambiguous.stat.modified > installed)
        {
            let path = self.root.join(&file.path);
            let same = FileStat::of(&path).is_ok_and(|stat| !content::differs(&path, &stat, file.row));
            if !same {
                examined.files.modified += 1;
                return;
            }
        }
        let modes = &mut examined.files.modes;
        let bytes = &mut examined.bytes;
        let (by, counts) = uses.entry(entry).or_default();
        match ambiguous.way {
            Way::Hardlink => {
                bytes.linked += ambiguous.stat.disk;
                modes.hardlink += 1;
                by.hardlink += 1;
                counts.inode += 1;
            }
            Way::Symlink => {
                bytes.linked += self.against.table.record(ambiguous.id).disk();
                bytes.symlinks += own_bytes(&ambiguous.stat);
                modes.symlink += 1;
                by.symlink += 1;
                counts.symlink += 1;
            }
            Way::Clone => {
                modes.clone += 1;
                by.clone += 1;
                counts.extent += 1;
            }
        }
    }

    /// Looks at what should have been found by inode, where the numbers do not agree.
    fn presumed(
        &self,
        files: &[&InstalledFile],
        candidates: &[u32],
        examined: &mut Examined,
        uses: &mut FxHashMap<u32, (ModeCounts, EvidenceCounts)>,
    ) {
        let content = files.iter().filter(|file| !file.is_private()).count() as u64;
        let certain =
            content == self.tallied(candidates).modes.total() && self.collected.directories.is_empty();
        for file in files.iter().filter(|file| file.is_private() || !certain) {
            let path = self.root.join(&file.path);
            let Ok(stat) = FileStat::following(&path) else {
                examined.files.missing += 1;
                continue;
            };
            let found = self.against.table.find(stat.device, stat.inode);
            let through =
                self.collected.directories.iter().find(|(directory, _)| file.path.starts_with(directory));
            if let (Some((_, entry)), Some(_)) = (through, found) {
                let (by, counts) = uses.entry(*entry).or_default();
                by.symlink += 1;
                counts.symlink += 1;
                examined.files.modes.symlink += 1;
                examined.bytes.linked += stat.disk;
            } else if found
                .is_none_or(|id| !self.against.table.places(id).any(|place| candidates.contains(&place)))
            {
                // There, but somebody else's: another distribution wrote it last.
                examined.files.own += u64::from(stat.kind == FileKind::File);
            }
        }
    }

    fn note(&self, listed: &[InstalledFile], examined: &Examined) -> String {
        let files = &examined.files;
        let mut notes = Vec::new();
        if files.dangling > 0 {
            let links = human::counted(files.dangling, "symlink leads", "symlinks lead");
            notes.push(format!("{links} to files that are gone"));
        }
        if files.missing > 0 {
            notes.push(format!("{} missing", human::counted(files.missing, "file is", "files are")));
        }
        if files.unprovable > 0 {
            notes.push(format!(
                "{} stored inline or empty: reflink and copy look alike",
                human::counted(files.unprovable, "file is", "files are")
            ));
        }
        let stray = listed.iter().find_map(|file| {
            let stray = self.collected.strays.get(file.path.as_os_str().as_encoded_bytes())?;
            let target = crate::uv::link::archive_target(&stray.text)?;
            (target.prefix != self.against.cache).then_some(target.prefix)
        });
        if let Some(prefix) = stray {
            notes.push(format!("symlinks name the cache `{}`", human::escape_os(prefix.as_os_str())));
        }
        notes.join("; ")
    }
}

/// How a loose file equals an entry's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Equal {
    Copy,
    /// It was given other permissions, so that it is no copy that could be linked.
    Apart,
    Unprovable,
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
