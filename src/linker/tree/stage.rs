//! Everything under temporary names, beside where it is to be.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use super::already::{Answer, Destination};
use super::{Error, Item, Kind, TreeReport, TreeRequest};
use crate::control::{Cancel, Progress};
use crate::disk::temporary::{is_temporary, original_of, temporary_name};
use crate::disk::{FileKind, FileStat, read, walk};
use crate::linker::mode::{Fallen, Ladder, Rung, Source, make_at, operation, same_inode};
use crate::linker::place::{Calls as _, Found, Missing, Place, Root, directory_and_name, is_in_use};
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
    fn add(&mut self, stat: &FileStat, change: i64) {
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
        prove(&source, item).map_err(|error| Error::new("link from", &shown, error))?;
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
        let attributes = destination.attributes(&item.expect);
        // A link would take the right to run from a program that uv copied to give it (uv 0.13.8, `.data/scripts`).
        let runs = |bits: u32| bits & 0o111 != 0;
        let loses = destination.found.is_some_and(|found| {
            found.stat.kind == FileKind::File && runs(found.bits) && !runs(source.found.bits)
        });
        let kind = if loses { Kind::Private } else { item.kind };
        let make = |mode| {
            if destination.is_already(mode, kind, &item.expect) {
                return Ok(None);
            }
            let temporary = temporary_name();
            let made = make_at(&source, place, &temporary, mode, attributes)?;
            Ok(Some((temporary, made)))
        };
        let rung = match kind {
            Kind::Link => self.ladder.make(&path, make),
            Kind::Private => make(Mode::Copy)
                .map(|made| Rung { made, mode: Mode::Copy, at_limit: false })
                .map_err(|reason| Fallen { mode: Mode::Copy, reason }),
        };
        let rung = rung.map_err(|fallen| Error::new(operation(fallen.mode), &path, fallen.reason))?;
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
fn prove(source: &Source<'_>, item: &Item) -> io::Result<()> {
    let Some(expected) = item.digest else { return Ok(()) };
    if item.hashed.is_some_and(|hashed| hashed == print::of(&source.found.stat)) {
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

/// Removes what killed runs left in the directories of some requests, before anything is staged for any of them: it changes
/// the number of links of files elsewhere in the tree. Answers with those changes, and with what each request has to
/// report of it. A directory that is missing has nothing, one that cannot be entered is told when it is needed.
pub(super) fn sweep_before(
    root: &Root,
    requests: &[TreeRequest],
    threads: usize,
) -> (LinkChanges, Vec<TreeReport>) {
    let mut seen = FxHashSet::default();
    let mut directories: Vec<(usize, &Path)> = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        for item in &request.items {
            let Ok((directory, _)) = directory_and_name(&item.destination) else { continue };
            if seen.insert(directory.as_os_str()) {
                directories.push((number, directory));
            }
        }
    }
    let swept = walk::map(&directories, threads, |(_, directory)| {
        Some(sweep(&root.directory(directory, Missing::Fail).ok()?))
    });
    let mut changes = LinkChanges::default();
    let mut reports: Vec<TreeReport> = requests.iter().map(|_| TreeReport::default()).collect();
    for ((number, _), swept) in directories.into_iter().zip(swept) {
        let report = &mut reports[number];
        match swept {
            Some(Ok(swept)) => {
                report.swept += swept.len() as u64;
                for stat in &swept {
                    changes.add(stat, -1);
                }
            }
            Some(Err(error)) => report.failed.push(error),
            None => {}
        }
    }
    (changes, reports)
}

/// Removes the temporary names in a directory that are files or symlinks, and tells what they were. A file that was
/// moved aside goes back first, unless another has taken its place.
pub(in crate::linker) fn sweep(place: &Place) -> Result<Vec<FileStat>, Error> {
    let names =
        place.calls().names().map_err(|error| Error::new("read the directory", place.path(), error))?;
    let mut swept = Vec::new();
    for name in &names {
        let original = original_of(name);
        if original.is_none() && !is_temporary(name) {
            continue;
        }
        let failed = |error| Error::new("remove the temporary file", place.join(name), error);
        let Some(found) = place.find(name).map_err(failed)? else { continue };
        let is_ours = matches!(found.stat.kind, FileKind::File | FileKind::Symlink);
        if let Some(original) = original.filter(|_| is_ours) {
            match place.calls().rename_new(name, original) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                moved => {
                    moved.map_err(|error| Error::new("put back the file", place.join(name), error))?;
                    continue;
                }
            }
        }
        if is_ours {
            match place.calls().remove_file(name) {
                // A later run takes it away, when the program that runs from it has ended.
                Err(error) if is_in_use(&error) => continue,
                removed => removed.map_err(failed)?,
            }
            swept.push(found.stat);
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::temporary::aside_name;
    use crate::linker::write_new;

    #[cfg(windows)]
    #[test]
    fn what_somebody_uses_is_left_to_a_later_run() {
        use std::os::windows::fs::OpenOptionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(temporary_name());
        write_new(&path, b"moved aside", 0o644).unwrap();
        let root = Root::open(directory.path()).unwrap();
        // As what runs is open: others may read it, and not remove it.
        let user = std::fs::OpenOptions::new().read(true).share_mode(1).open(&path).unwrap();
        assert_eq!(sweep(root.place()).unwrap().len(), 0);
        drop(user);
        assert_eq!(sweep(root.place()).unwrap().len(), 1);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_a_killed_run_moved_aside_goes_back_unless_its_successor_stands() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let aside = |name: &str, text: &[u8]| {
            write_new(&path.join(aside_name(OsStr::new(name)).unwrap()), text, 0o644).unwrap();
        };
        // Killed before the successor came, and after.
        aside("module.pyd", b"old");
        write_new(&path.join("other.py"), b"new", 0o644).unwrap();
        aside("other.py", b"old");
        write_new(&path.join(temporary_name()), b"half", 0o644).unwrap();
        let root = Root::open(path).unwrap();
        assert_eq!(sweep(root.place()).unwrap().len(), 2, "what went for good");
        let mut names = root.place().calls().names().unwrap();
        names.sort();
        assert_eq!(names, ["module.pyd", "other.py"]);
        assert_eq!(std::fs::read(path.join("module.pyd")).unwrap(), b"old");
        assert_eq!(std::fs::read(path.join("other.py")).unwrap(), b"new");
        assert_eq!(sweep(root.place()).unwrap().len(), 0);
    }
}
