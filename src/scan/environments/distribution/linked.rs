//! Files that are links, or should be: whether each lies under the name that uv gave it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::{Ambiguous, Named, Way, own_bytes};
use super::examined::Broken;
use super::{Examination, Examined};
use crate::disk::{FileKind, FileStat};
use crate::scan::content;
use crate::scan::installed::{self, BrokenLink, Class, InstalledFile};
use crate::scan::spot::{Spot, Spots};
use crate::snapshot::{EvidenceCounts, ModeCounts};
use crate::uv::installed::Stated;
use crate::uv::link;

impl Examination<'_> {
    /// A file whose inode lies in several entries.
    pub(super) fn ambiguous(
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
            // Another distribution wrote it last, or a person did.
            let changed = self.compare(file, examined);
            examined.files.own += u64::from(!changed);
            return;
        };
        let spot = Spots::of_file(&file.path, self.is_site());
        let mut own = self.against.table.spots(ambiguous.id).filter(|(place, _)| *place == entry);
        if own.all(|(_, other)| !fits(file, spot, other)) && self.compare(file, examined) {
            return;
        }
        if ambiguous.way == Way::Clone
            && self.installed.is_some_and(|installed| ambiguous.stat.modified > installed)
        {
            let path = self.root.join(&file.path);
            let same = FileStat::of(&path).is_ok_and(|stat| !content::differs(&path, &stat, file.row));
            if !same {
                examined.change(&file.path);
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

    /// Looks at what should have been found by inode, where the numbers do not agree. `compiled` is how much bytecode of the wheel
    /// there should be besides, which is counted and no damage if it is another.
    pub(super) fn presumed(
        &self,
        files: &[&InstalledFile],
        compiled: u64,
        candidates: &[u32],
        examined: &mut Examined,
        uses: &mut FxHashMap<u32, (ModeCounts, EvidenceCounts)>,
    ) {
        let content = files.iter().filter(|file| !file.is_private()).count() as u64;
        let tally = self.tallied(candidates);
        let are_counted = content + compiled == tally.modes.total() && tally.is_in_place();
        // Files are known by their names alone, since headers are installed at places that depend on the interpreter.
        let edited: FxHashSet<&OsStr> = candidates
            .iter()
            .flat_map(|entry| &self.against.entries[*entry as usize].modified)
            .filter_map(|path| path.file_name())
            .collect();
        if are_counted && edited.is_empty() && self.collected.directories.is_empty() {
            return;
        }
        let table = self.against.table;
        for file in files.iter().filter(|file| !file.is_private()) {
            let path = self.root.join(&file.path);
            let Ok(stat) = FileStat::following(&path) else {
                if self.names_this_cache(&path) {
                    examined.symlinks.extend(in_real_directory(&path));
                }
                gone(file, &path, examined);
                continue;
            };
            let found = table.find(stat.device, stat.inode);
            let through =
                self.collected.directories.iter().find(|(directory, _)| file.path.starts_with(directory));
            if let (Some((_, entry)), Some(_)) = (through, found) {
                let (by, counts) = uses.entry(*entry).or_default();
                by.symlink += 1;
                counts.symlink += 1;
                examined.files.modes.symlink += 1;
                examined.bytes.linked += stat.disk;
                continue;
            }
            let places = found.into_iter().flat_map(|id| table.spots(id));
            let mut own = places.filter(|(place, _)| candidates.contains(place)).peekable();
            if own.peek().is_none() {
                // There, but not an entry's of this distribution: another distribution wrote it last, or a person did.
                if self.changed_behind(file, &stat, found.is_some()) {
                    examined.change(&file.path);
                } else {
                    examined.files.own += u64::from(stat.kind == FileKind::File);
                }
                continue;
            }
            let spot = Spots::of_file(&file.path, self.is_site());
            if own.all(|(_, other)| !fits(file, spot, other)) {
                self.misnamed(file, &stat, examined);
            } else if file.path.file_name().is_some_and(|name| edited.contains(name)) {
                // A link has whatever its entry has.
                self.compare(file, examined);
            }
        }
    }

    /// Counts a file if its content is not what its row says, whatever its times say; answers whether it is not.
    pub(super) fn compare(&self, file: &InstalledFile, examined: &mut Examined) -> bool {
        let real = crate::disk::canonical(&self.root.join(&file.path));
        let differs =
            |real: PathBuf| FileStat::of(&real).is_ok_and(|stat| content::differs(&real, &stat, file.row));
        let changed = file.is_comparable() && real.is_ok_and(differs);
        if changed {
            examined.change(&file.path);
        }
        changed
    }

    /// Whether what is read is itself the directory of distributions.
    fn is_site(&self) -> bool {
        self.layout.site().as_os_str().is_empty()
    }

    /// A link to a file of the right entry, but not to the one that belongs here. Equal files may have been made one.
    fn misnamed(&self, file: &InstalledFile, stat: &FileStat, examined: &mut Examined) {
        let path = self.root.join(&file.path);
        let real = crate::disk::canonical(&path);
        if real.is_ok_and(|real| content::differs(&real, stat, file.row)) {
            examined.change(&file.path);
            return;
        }
        let is_symlink = FileStat::of(&path).is_ok_and(|stat| stat.kind == FileKind::Symlink);
        examined.files.modes.symlink += u64::from(is_symlink);
        examined.files.modes.hardlink += u64::from(!is_symlink);
        examined.bytes.linked += stat.disk;
    }

    /// Whether what a link leads to outside of the distribution's entries is not what the file's row says; or no file lies there
    /// at all. What is linked to another entry was not written here, so that no time tells anything.
    fn changed_behind(&self, file: &InstalledFile, stat: &FileStat, is_of_another: bool) -> bool {
        if stat.kind != FileKind::File {
            return file.is_comparable();
        }
        let is_young = self.installed.is_some_and(|installed| stat.modified > installed);
        let row = Stated { digest: file.row.digest.filter(|_| is_young || is_of_another), ..file.row };
        let real = crate::disk::canonical(&self.root.join(&file.path));
        file.is_comparable() && real.is_ok_and(|real| content::differs(&real, stat, row))
    }

    /// Looks at files that lie beside the directory that is read, where no walk comes by.
    pub(super) fn beside(
        &self,
        files: &[InstalledFile],
        candidates: &[u32],
        examined: &mut Examined,
        uses: &mut FxHashMap<u32, (ModeCounts, EvidenceCounts)>,
    ) {
        let table = self.against.table;
        for file in files.iter().filter(|file| file.is_beside() && !file.is_private()) {
            let path = self.root.join(&file.path);
            let Ok(stat) = FileStat::following(&path) else {
                gone(file, &path, examined);
                continue;
            };
            let id = table.find(stat.device, stat.inode);
            let entry = id.and_then(|id| table.places(id).find(|place| candidates.contains(place)));
            if let Some(entry) = entry {
                let is_symlink = FileStat::of(&path).is_ok_and(|stat| stat.kind == FileKind::Symlink);
                let (by, counts) = uses.entry(entry).or_default();
                let modes = &mut examined.files.modes;
                if is_symlink {
                    (by.symlink, counts.symlink) = (by.symlink + 1, counts.symlink + 1);
                    modes.symlink += 1;
                    examined.symlinks.extend(in_real_directory(&path));
                } else {
                    (by.hardlink, counts.inode) = (by.hardlink + 1, counts.inode + 1);
                    modes.hardlink += 1;
                    // Where another environment is read whose root is above, it counts the link.
                    examined.links.extend(id.filter(|_| !self.is_read_elsewhere(&path)));
                }
                examined.bytes.linked += stat.disk;
                if !self.is_unchanged_source(file, entry, &stat) {
                    self.compare(file, examined);
                }
            } else if file.is_comparable() && self.changed_behind(file, &stat, id.is_some()) {
                examined.change(&file.path);
            } else if file.class == Class::Generated {
                examined.files.private += 1;
            } else {
                examined.files.own += 1;
            }
        }
    }

    /// Whether a symlink names this cache by its own path.
    fn names_this_cache(&self, path: &Path) -> bool {
        let target = std::fs::read_link(path).ok().and_then(|text| link::archive_target(&text));
        target.is_some_and(|target| self.against.entries().is_own(&target.prefix))
    }

    /// Whether a file is the very one of the entry that belongs there, and that is as it was unpacked.
    fn is_unchanged_source(&self, file: &InstalledFile, entry: u32, stat: &FileStat) -> bool {
        let facts = &self.against.entries[entry as usize];
        let source = file.source.as_ref().filter(|source| !facts.modified.contains(&source.path));
        let twin = source.and_then(|source| FileStat::of(&facts.path.join(&source.path)).ok());
        twin.is_some_and(|twin| (twin.device, twin.inode) == (stat.device, stat.inode))
    }

    /// Whether a path lies in another place that is read as an environment.
    fn is_read_elsewhere(&self, path: &Path) -> bool {
        let others = || self.against.roots.iter().filter(|root| **root != self.root);
        crate::disk::canonical(path).is_ok_and(|real| others().any(|root| real.starts_with(root)))
    }
}

/// Whether a file of an entry belongs in the place of a file. Where headers belong is not known.
fn fits(file: &InstalledFile, spot: Spot, other: Spot) -> bool {
    match Named::of(spot, other) {
        Named::Rightly => true,
        Named::Otherwise => false,
        Named::Unknown => installed::is_header(&file.path),
    }
}

/// A path with every symlink above the file resolved.
fn in_real_directory(path: &Path) -> Option<PathBuf> {
    let above = crate::disk::canonical(path.parent()?).ok()?;
    Some(above.join(path.file_name()?))
}

/// A file that is not there, or a broken symlink. A person's own, to a disk that is not there, is no damage.
fn gone(file: &InstalledFile, path: &Path, examined: &mut Examined) {
    let link = installed::broken_link(path);
    if link.as_ref().is_some_and(|link| !link.names_cache()) {
        examined.files.own += 1;
    } else if file.is_needed() || link.is_some() {
        let named = link.as_ref().and_then(BrokenLink::entry);
        examined.broken.push(Broken { path: file.path.clone(), named, dangling: link.is_some() });
    }
}
