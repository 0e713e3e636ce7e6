//! Everything under temporary names, beside where it is to be.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::already::{Answer, Destination};
use super::{Error, Expect, Item, Kind, TreeReport};
use crate::control::{Cancel, Progress};
use crate::disk::metadata::{Loss, Metadata};
use crate::disk::temporary::temporary_name;
use crate::disk::{FileKind, FileStat, read};
use crate::linker::mode::{Fallen, Ladder, Rung, Source, make_at, operation, same_inode};
use crate::linker::place::{Found, Missing, Place, Root, directory_and_name};
use crate::scan::print;
use crate::snapshot::Mode;

/// What has been staged, for the commit.
pub(super) struct Staged {
    pub(super) report: TreeReport,
    pub(super) groups: Vec<Group>,
    /// Directories that were created, relative to the root, parents first.
    pub(super) created: Vec<PathBuf>,
}

impl From<TreeReport> for Staged {
    /// Nothing but a report.
    fn from(report: TreeReport) -> Self {
        Self { report, groups: Vec::new(), created: Vec::new() }
    }
}

/// The staged files of one directory.
pub(super) struct Group {
    /// The directory, relative to the root.
    pub(super) directory: PathBuf,
    /// The filesystem it lies on.
    pub(super) device: u64,
    pub(super) files: Vec<StagedFile>,
}

/// One file under its temporary name.
pub(super) struct StagedFile {
    pub(super) temporary: OsString,
    pub(super) name: OsString,
    /// What the temporary name holds; nothing is told of a symlink that was not looked at.
    pub(super) made: Option<Found>,
    pub(super) mode: Mode,
    /// What lay at the destination.
    pub(super) seen: Option<FileStat>,
    /// Logical size of the source, in bytes.
    pub(super) size: u64,
}

/// By how much a request has changed the number of links of a file since it began, by device and inode.
#[derive(Clone, Default)]
pub(super) struct LinkChanges(HashMap<(u64, u64), i64>);

impl LinkChanges {
    pub(super) fn add(&mut self, stat: &FileStat, change: i64) {
        *self.0.entry((stat.device, stat.inode)).or_default() += change;
    }

    /// How many links a file must have by now.
    pub(super) fn applied_to(&self, expected: &FileStat) -> u64 {
        let change = self.0.get(&(expected.device, expected.inode)).copied().unwrap_or(0);
        expected.links.saturating_add_signed(change)
    }
}

/// The first half of the work.
pub(super) struct Staging<'a> {
    entry: &'a Root,
    root: &'a Root,
    /// The entry's absolute path, for the text of symlinks.
    text: &'a Path,
    cancel: &'a Cancel,
    progress: &'a Progress,
    ladder: Ladder,
    changes: LinkChanges,
    done: Staged,
}

impl<'a> Staging<'a> {
    pub(super) fn new(
        entry: &'a Root,
        root: &'a Root,
        text: &'a Path,
        mode: Mode,
        changes: LinkChanges,
        cancel: &'a Cancel,
        progress: &'a Progress,
    ) -> Self {
        let done = Staged::from(TreeReport::default());
        Self { entry, root, text, cancel, progress, ladder: Ladder::new(mode), changes, done }
    }

    /// Stages all files, one directory after the other.
    pub(super) fn stage(&mut self, items: &[Item]) {
        let mut sorted: Vec<Wanted<'_>> = Vec::with_capacity(items.len());
        let shown = |item: &Item| self.root.place().path().join(&item.destination);
        let mut wrong = Vec::new();
        for item in items {
            match directory_and_name(&item.destination) {
                Ok((directory, name)) => sorted.push(Wanted { directory, name, item }),
                Err(error) => wrong.push(Error::new("link", shown(item), error)),
            }
        }
        sorted.sort_by(|one, other| one.key().cmp(&other.key()));
        sorted.dedup_by(|later, earlier| {
            let twice = later.key() == earlier.key();
            if twice {
                let error = io::Error::new(io::ErrorKind::InvalidInput, "it is wanted twice");
                wrong.push(Error::new("link", shown(later.item), error));
            }
            twice
        });
        for error in wrong {
            self.fail(error, 1);
        }
        for group in sorted.chunk_by(|one, other| one.key().0 == other.key().0) {
            self.directory(group[0].directory, group);
            if self.done.report.cancelled {
                return;
            }
        }
    }

    /// What has been staged. What was refused is told only now.
    pub(super) fn finish(mut self) -> Staged {
        self.done.report.refused = self.ladder.into_refused();
        self.done
    }

    fn fail(&mut self, error: Error, files: usize) {
        self.done.report.failed.push(error);
        self.done.report.unmade += files as u64;
    }

    fn directory(&mut self, directory: &Path, items: &[Wanted<'_>]) {
        let created = &mut self.done.created;
        let entered = self.root.enter(directory, Missing::Create, &mut |path| created.push(path));
        let looked = entered.and_then(|place| match place.own_stat() {
            Ok(stat) => Ok((place, stat)),
            Err(error) => Err(Error::new("read the attributes", place.path(), error)),
        });
        let (place, stat) = match looked {
            Ok(looked) => looked,
            Err(error) => return self.fail(error, items.len()),
        };
        let mut group = Group { directory: directory.to_owned(), device: stat.device, files: Vec::new() };
        // The files of one directory mostly come from one directory.
        let mut from: Option<Origin<'_>> = None;
        for Wanted { name, item, .. } in items {
            if self.cancel.is_cancelled() {
                self.done.report.cancelled = true;
                break;
            }
            match self.item(&place, &stat, &mut from, name, item) {
                Ok(file) => group.files.extend(file),
                Err(error) => self.fail(error, 1),
            }
        }
        self.done.groups.push(group);
    }

    /// Stages one file, unless it is as wanted already or not as expected.
    fn item<'i>(
        &mut self,
        place: &Place,
        own: &FileStat,
        from: &mut Option<Origin<'i>>,
        name: &OsStr,
        item: &'i Item,
    ) -> Result<Option<StagedFile>, Error> {
        let shown = self.text.join(&item.source);
        let wrong = |error| Error::new("open the file", &shown, error);
        let (directory, source_name) = directory_and_name(&item.source).map_err(wrong)?;
        let from = match from {
            Some(known) if known.directory == directory => known,
            _ => from.insert(self.origin(directory, own)?),
        };
        let found = if item.hashed.is_some() { Source::look } else { Source::open };
        let mut source = found(&from.place, source_name, shown.clone()).map_err(wrong)?;
        source.leads = from.leads && from.proven.get();
        prove(&mut source, item).map_err(|error| Error::new("link from", &shown, error))?;
        let path = place.join(name);
        let read = |error| Error::new("compare with the cache", &path, error);
        let destination = Destination::look(place, name, &source, &item.expect).map_err(read)?;
        let size = source.found.stat.size;
        match destination.answers(&item.expect, &self.changes).map_err(read)? {
            Answer::Yes => {}
            Answer::Modified => {
                self.done.report.modified.push(path);
                return Ok(None);
            }
            Answer::Stale => {
                self.done.report.stale.push(path);
                return Ok(None);
            }
        }
        // Read only where something takes its place.
        let own = OnceCell::new();
        let own = || match own.get() {
            Some(own) => Ok(own),
            None => destination.own().map(|read: Option<Metadata>| own.get_or_init(|| read)),
        };
        // What has to go in any case has its successor as a copy, where a link would lack something.
        let goes = matches!(&item.expect, Expect::Stat(seen) if seen.kind == FileKind::File);
        let own_kind = || Ok(destination.lost_to_link(own()?.as_ref())?.map_or(item.kind, |_| Kind::Private));
        let kind = if goes { own_kind().map_err(read)? } else { item.kind };
        let make = |mode| {
            if destination.is_already(mode, kind, &item.expect) {
                return Ok(None);
            }
            let own: Option<&Metadata> = own()?.as_ref();
            if matches!(mode, Mode::Hardlink | Mode::Symlink)
                && let Some(loss) = destination.lost_to_link(own)?
            {
                return Err(loss.into());
            }
            let temporary = temporary_name();
            let made = make_at(&source, place, &temporary, mode, destination.attributes(&item.expect, own))?;
            Ok(Some((temporary, made)))
        };
        let rung = match kind {
            Kind::Link => self.ladder.make(&path, make),
            Kind::Private => make(Mode::Copy)
                .map(|made| Rung { made, mode: Mode::Copy, at_limit: false })
                .map_err(|reason| Fallen { mode: Mode::Copy, reason }),
        };
        let rung = match rung {
            Ok(rung) => rung,
            Err(fallen) => match Loss::behind(&fallen.reason) {
                Some(loss) => {
                    self.done.report.kept.push((path, loss.clone()));
                    return Ok(None);
                }
                None => return Err(Error::new(operation(fallen.mode), &path, fallen.reason)),
            },
        };
        self.progress.add_files(1, size);
        if rung.at_limit {
            self.done.report.link_limit.push(path);
        }
        let Some((temporary, made)) = rung.made else {
            self.done.report.already += 1;
            return Ok(None);
        };
        if let Some(made) = made.filter(|_| rung.mode == Mode::Hardlink) {
            self.changes.add(&made.stat, 1);
        }
        if rung.mode == Mode::Symlink {
            from.proven.set(true);
        }
        let seen = destination.found.map(|found| found.stat);
        Ok(Some(StagedFile { temporary, name: name.to_owned(), made, mode: rung.mode, seen, size }))
    }
}

/// A file of a request, and its destination taken apart.
struct Wanted<'i> {
    directory: &'i Path,
    name: &'i OsStr,
    item: &'i Item,
}

impl<'i> Wanted<'i> {
    fn key(&self) -> (&'i OsStr, &'i OsStr) {
        (self.directory.as_os_str(), self.name)
    }
}

/// A directory of the entry.
struct Origin<'i> {
    /// The directory, relative to the entry.
    directory: &'i Path,
    place: Place,
    /// Whether the text of a symlink into it leads there.
    leads: bool,
    /// Whether a symlink was made that does.
    proven: Cell<bool>,
}

impl Staging<'_> {
    /// Opens a directory of the entry, and proves that it is not the one to link into.
    fn origin<'i>(&self, directory: &'i Path, destination: &FileStat) -> Result<Origin<'i>, Error> {
        let place = self.entry.directory(directory, Missing::Fail)?;
        let text = self.text.join(directory);
        let own = place.own_stat().map_err(|error| Error::new("look at", &text, error))?;
        if same_inode(&own, destination) {
            let error = wrong("the destination is the cache entry itself");
            return Err(Error::new("link from", text, error));
        }
        let is_symlink = self.ladder.current() == Mode::Symlink;
        let leads = is_symlink && FileStat::following(&text).is_ok_and(|stat| same_inode(&stat, &own));
        Ok(Origin { directory, place, leads, proven: Cell::new(false) })
    }
}

/// Proves what can be proven of a source before it is linked.
fn prove(source: &mut Source<'_>, item: &Item) -> io::Result<()> {
    let Some(expected) = item.digest else { return Ok(()) };
    if item.hashed.is_some_and(|hashed| hashed == print::of(&source.found.stat)) {
        source.digest = item.digest;
        return Ok(());
    }
    if read::sha256(source.file()?, source.found.stat.size)? == expected {
        Ok(())
    } else {
        Err(wrong("its content is not what is recorded of it"))
    }
}

fn wrong(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
