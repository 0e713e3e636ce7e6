//! What lies at a destination: whether it is what was expected, and whether it is as wanted already.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io;

use super::content;
use super::stage::LinkChanges;
use super::{Expect, Kind};
use crate::disk::extent::{Extent, ExtentState, extents};
use crate::disk::metadata::{Loss, Metadata};
use crate::disk::{FileKind, FileStat};
use crate::linker::mode::{Attributes, Keeps, Source, same_inode};
use crate::linker::place::{Calls as _, Found, Place};
use crate::snapshot::Mode;

/// A destination as it was found.
pub(super) struct Destination<'a> {
    place: &'a Place,
    name: &'a OsStr,
    pub(super) found: Option<Found>,
    source: &'a Source<'a>,
    equal: OnceCell<bool>,
    leads: OnceCell<bool>,
}

/// Whether a destination is as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    Modified,
    Stale,
}

impl<'a> Destination<'a> {
    /// Looks at a destination. A symlink that somebody has seen is taken for what it was: it is looked at once, right before
    /// something takes its place.
    pub(super) fn look(
        place: &'a Place,
        name: &'a OsStr,
        source: &'a Source<'a>,
        expect: &Expect,
    ) -> io::Result<Self> {
        let found = match expect {
            Expect::Stat(seen) if seen.kind == FileKind::Symlink => {
                Some(Found { stat: *seen, bits: seen.mode_bits })
            }
            _ => place.find(name)?,
        };
        Ok(Self { place, name, found, source, equal: OnceCell::new(), leads: OnceCell::new() })
    }

    fn stat(&self) -> Option<&FileStat> {
        self.found.as_ref().map(|found| &found.stat)
    }

    /// Whether it is what the item expects.
    pub(super) fn answers(&self, expect: &Expect, changes: &LinkChanges) -> io::Result<Answer> {
        let yes_or = |is_so, otherwise| if is_so { Answer::Yes } else { otherwise };
        let Some(stat) = self.stat() else {
            return Ok(yes_or(matches!(expect, Expect::Absent | Expect::NoDirectory), Answer::Stale));
        };
        Ok(match expect {
            Expect::Absent => Answer::Stale,
            Expect::NoDirectory => yes_or(stat.kind != FileKind::Directory, Answer::Stale),
            Expect::Stat(expected) if expected.kind == FileKind::Symlink => Answer::Yes,
            Expect::Stat(expected) => {
                let links = changes.applied_to(expected);
                yes_or(
                    stat.kind != FileKind::Directory && is_still(expected, stat) && stat.links == links,
                    Answer::Stale,
                )
            }
            Expect::SameContent => match stat.kind {
                FileKind::File => yes_or(self.is_equal()?, Answer::Modified),
                FileKind::Symlink => yes_or(self.leads_to_source(), Answer::Modified),
                FileKind::Directory | FileKind::Other => Answer::Stale,
            },
        })
    }

    /// Whether it is already what `mode` would make of the source.
    ///
    /// What cannot be compared counts as different: it is made again. So is a symlink that was expected as what somebody saw
    /// of it before: it led somewhere else, or nowhere.
    pub(super) fn is_already(&self, mode: Mode, kind: Kind, expect: &Expect) -> bool {
        let Some(stat) = self.stat() else { return false };
        let is_file = stat.kind == FileKind::File;
        let is_own_file = is_file && stat.links == 1 && !same_inode(stat, &self.source.found.stat);
        match mode {
            Mode::Hardlink => is_file && same_inode(stat, &self.source.found.stat),
            Mode::Symlink => {
                let seen = matches!(expect, Expect::Stat(seen) if seen.kind == FileKind::Symlink);
                stat.kind == FileKind::Symlink && !seen && self.leads_to_source()
            }
            // A private file need only be one of its own with the right content.
            Mode::Copy => is_own_file && self.is_equal().unwrap_or(false),
            Mode::Clone => {
                is_own_file && kind == Kind::Link && self.shares_extents() && self.is_equal().unwrap_or(false)
            }
        }
    }

    /// What a file of its own gets. The permissions are those of the file it replaces, if that one is meant to stay the
    /// same in everything but its mode, else the source's. The modification time is that of what it replaces, if only the
    /// mode changes: `CPython` goes on using what it compiled, and whoever compares times sees that nothing changed.
    ///
    /// Of a file, unlike a symlink, everything else stays too: `own` is what it has.
    pub(super) fn attributes<'m>(&self, expect: &Expect, own: Option<&'m Metadata>) -> Attributes<'m> {
        let replaced = self.found.filter(|found| found.stat.kind == FileKind::File);
        let bits = match (expect, replaced) {
            (Expect::SameContent | Expect::Stat(_), Some(found)) => found.bits & 0o777,
            _ => self.source.found.bits & 0o777,
        };
        let same = matches!(expect, Expect::SameContent);
        let modified = same.then(|| replaced.unwrap_or(self.source.found).stat.modified);
        let same_file = |found: Found| same_inode(&found.stat, &self.source.found.stat);
        let shared = replaced.map_or(own.is_some(), same_file);
        Attributes { bits, modified, keeps: own.map(|own| Keeps { own, shared }) }
    }

    /// What the file has that lies there, beside its content; nothing where there is none.
    pub(super) fn own(&self) -> io::Result<Option<Metadata>> {
        match self.stat() {
            Some(stat) if stat.kind == FileKind::File => Metadata::of(&self.open()?).map(Some),
            // Through a symlink the source's attributes were seen.
            Some(stat) if stat.kind == FileKind::Symlink && self.leads_to_source() => {
                let seen = Metadata::of(self.source.file()?)?;
                Ok(seen.is_special().then_some(Metadata { fixed: None, ..seen }))
            }
            _ => Ok(None),
        }
    }

    /// What the file would lose if it became a link to the source.
    pub(super) fn lost_to_link(&self, own: Option<&Metadata>) -> io::Result<Option<Loss>> {
        let Some(own) = own else { return Ok(None) };
        if self.stat().is_some_and(|stat| same_inode(stat, &self.source.found.stat)) {
            return Ok(own.fixed.map(Loss::Fixed));
        }
        Ok(own.lost_to(&Metadata::of(self.source.file()?)?))
    }

    fn is_equal(&self) -> io::Result<bool> {
        if let Some(known) = self.equal.get() {
            return Ok(*known);
        }
        let source = &self.source.found.stat;
        let equal = match self.stat() {
            Some(stat) if same_inode(stat, source) => true,
            Some(stat) if stat.kind == FileKind::File && stat.size == source.size => {
                content::equal(&self.open()?, self.source.file()?)?
            }
            _ => false,
        };
        Ok(*self.equal.get_or_init(|| equal))
    }

    fn leads_to_source(&self) -> bool {
        *self.leads.get_or_init(|| {
            let leads = self.place.calls().following(self.name);
            leads.is_ok_and(|stat| same_inode(&stat, &self.source.found.stat))
        })
    }

    /// Opens what was found, and nothing that took its place since.
    fn open(&self) -> io::Result<File> {
        let file = self.place.open_file(self.name)?;
        let opened = FileStat::of_file(&file)?;
        if self.stat().is_some_and(|stat| same_inode(stat, &opened)) {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it was replaced meanwhile"))
        }
    }

    /// Whether its bytes lie where the source's do, or where nothing could be shared: inline, or nowhere.
    fn shares_extents(&self) -> bool {
        let own = self.open().and_then(|file| extents(&file));
        own.and_then(|own| Ok(same_extents(&own, &extents(self.source.file()?)?))).unwrap_or(false)
    }
}

fn same_extents(one: &[Extent], other: &[Extent]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| match (one.state, other.state) {
            (ExtentState::Opaque, ExtentState::Opaque) => true,
            (ExtentState::Shared, ExtentState::Shared) => {
                (one.physical, one.length) == (other.physical, other.length)
            }
            _ => false,
        })
}

/// Whether a file is the one that was seen before. The change time and the number of links are not compared: they
/// change whenever another name of the same file comes or goes.
pub(super) fn is_still(seen: &FileStat, now: &FileStat) -> bool {
    same_inode(seen, now) && (seen.kind, seen.size, seen.modified) == (now.kind, now.size, now.modified)
}
