//! Files that no inode explains: copies, what was edited, and what an installer wrote.

use super::super::Loose;
use super::{Examination, Examined};
use crate::disk::FileStat;
use crate::scan::content;
use crate::scan::installed::{Class, InstalledFile, Source};
use crate::scan::share::Map;
use crate::snapshot::JointCopy;

/// How a loose file equals an entry's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Equal {
    Copy,
    /// It was given other permissions, so that it is no copy that could be linked.
    Apart,
    Unprovable,
}

impl Examination<'_> {
    /// Classifies a file that no inode explains; answers how its content is known to equal the entry's, if it does.
    pub(super) fn loose(
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
            examined.change(&file.path);
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
                let is_shared = loose.stat.links > 1 || matches!(loose.map, Some(Map::Shared(_)));
                if is_shared && !self.against.wanted.is_empty() {
                    examined.undecided += 1;
                    return None;
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
        // Of files that uv links one that is none was replaced, whatever its times say.
        let alone = file.class == Class::Linked && self.is_linked;
        let doubtful = young || alone || self.several.is_contended(&file.path);
        doubtful && content::differs(&self.root.join(&file.path), stat, file.row)
    }
}
