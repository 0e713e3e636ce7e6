//! Where removed things wait: a directory in the cache's root, in which each run has one of its own.
//!
//! A run's directory mirrors the cache: `archive-v0/<id>` lies in it as `archive-v0/<id>`. What has to be known to put
//! things back is therefore in the paths themselves, and nothing needs to be written for it. `uv cache prune` and `uv cache
//! clean` remove the directory, as they do whatever uv does not know (uv 0.13.8): it is a second broom, not a backup.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::control::Cancel;
use crate::disk::open_files::{self, Holder, Inode};
use crate::disk::overlay::{self, Frees, Overlay};
use crate::disk::volume::{self, Accounting, Reflinks};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, extent};
use crate::linker::{Error, Missing, Place, Root};
use crate::snapshot::Certainty;
use crate::uv::bucket::{Bucket, BucketKind};

/// The directory in the cache's root.
pub use crate::uv::bucket::TRASH as DIRECTORY;

/// Ends the name of a run that is being purged and cannot be put back any more.
const PURGING: &str = ".purging";

/// The trash of one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    name: OsString,
}

impl Run {
    /// The run's name: when it was, and some digits to tell it from others of the same second.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Where it is, relative to the cache's root.
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }

    /// When it was.
    pub fn time(&self) -> Option<Timestamp> {
        let text = self.name.to_str()?.split('.').next()?;
        let digits = text.get(..15)?;
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", digits)
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    }

    /// Whether it is being purged, or was when something stopped that.
    pub fn is_purging(&self) -> bool {
        self.name.to_str().is_some_and(|name| name.ends_with(PURGING))
    }

    /// Begins the trash of a run: under the name that it has elsewhere already, else under one of `now`. Fails where no directory
    /// can be made, as on a full disk.
    pub(super) fn begin(cache: &Root, now: Timestamp, elsewhere: Option<&Self>) -> Result<Self, Error> {
        Self::begin_as(cache, now, elsewhere, false)
    }

    /// The same beside environments, where the run is for its owner alone: others may write there too.
    pub(super) fn begin_beside(
        above: &Root,
        now: Timestamp,
        elsewhere: Option<&Self>,
    ) -> Result<Self, Error> {
        Self::begin_as(above, now, elsewhere, true)
    }

    fn begin_as(
        cache: &Root,
        now: Timestamp,
        elsewhere: Option<&Self>,
        private: bool,
    ) -> Result<Self, Error> {
        let trash = cache.directory(Path::new(DIRECTORY), Missing::Create)?;
        // In a shared cache the next user works in it too. One that belongs to somebody else is as it is.
        drop(trash.open_like(cache.place()));
        let make = |name: &OsStr| {
            if private {
                trash.create_private_directory(name).map(drop)
            } else {
                trash.create_new_directory(name)
            }
        };
        if let Some(run) = elsewhere.filter(|run| make(&run.name).is_ok()) {
            return Ok(run.clone());
        }
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 0..1_000 {
            let name = OsString::from(format!("{time}-{:x}-{number}", std::process::id()));
            match make(&name) {
                Ok(()) => return Ok(Self { name }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(Error::new("create the directory", trash.join(&name), error)),
            }
        }
        Err(Error::new("create a directory in", trash.path(), last))
    }

    /// The run under a name from which nothing is ever put back.
    pub(super) fn doomed(&self) -> Self {
        let mut name = self.name.clone();
        name.push(PURGING);
        Self { name }
    }

    /// Whether it is there, or may be.
    pub(super) fn is_there(&self, cache: &Root) -> bool {
        let trash = cache.directory(Path::new(DIRECTORY), Missing::Fail).map_err(|error| error.source);
        match trash.and_then(|trash| trash.find(&self.name)) {
            Ok(found) => found.is_some(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Moves something into the trash, where it lies at the same path as in the cache; answers with its directory there.
    pub(super) fn take(
        &self,
        cache: &Root,
        place: &Place,
        directory: &Path,
        name: &OsStr,
    ) -> Result<Place, Error> {
        let here = cache.directory(&self.path().join(directory), Missing::Create)?;
        let moved = place.move_new(name, &here, name);
        moved.map_err(|error| Error::new("move into the trash", place.join(name), error))?;
        Ok(here)
    }

    /// Moves it back. Fails when something lies there now.
    pub(super) fn give_back(
        &self,
        cache: &Root,
        place: &Place,
        directory: &Path,
        name: &OsStr,
    ) -> Result<(), Error> {
        let here = cache.directory(&self.path().join(directory), Missing::Fail)?;
        here.move_new(name, place, name)
            .map_err(|error| Error::new("move back from the trash", place.join(name), error))
    }

    /// Gives it another name, after which nobody puts anything back from it.
    pub(super) fn claim(&self, trash: &Place) -> Result<Self, Error> {
        if self.is_purging() {
            return Ok(self.clone());
        }
        let claimed = self.doomed();
        match trash.move_new(&self.name, trash, &claimed.name) {
            Ok(()) => Ok(claimed),
            // The trash lies in the lower layer of an overlay. The cache's lock keeps others from putting back from it.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(self.clone()),
            Err(error) => Err(Error::new("rename", trash.join(&self.name), error)),
        }
    }
}

/// Keeps others from emptying the trash, or putting back from it, for as long as the answer lives. Nothing keeps them where
/// directories cannot be locked.
///
/// # Errors
/// When somebody else works on the trash at this moment.
pub(super) fn hold(cache: &Root) -> Result<Option<Hold>, Error> {
    let path = cache.place().path().join(DIRECTORY);
    let Ok(directory) = File::open(&path) else { return Ok(None) };
    match directory.try_lock() {
        Ok(()) => Ok(Some(Hold(directory))),
        Err(TryLockError::WouldBlock) => {
            let text = "another cachetui is emptying it or putting things back";
            Err(Error::new("use the trash", path, io::Error::new(io::ErrorKind::ResourceBusy, text)))
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The trash, held by one run.
pub(super) struct Hold(File);

impl Drop for Hold {
    fn drop(&mut self) {
        // Closing it is not enough: a process that another thread is starting has it open for a moment.
        drop(self.0.unlock());
    }
}

/// What a run keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Entries.
    pub entries: u64,
    /// Everything but directories, each inode once.
    pub files: u64,
    /// Allocated bytes, each inode once.
    pub disk: u64,
    /// Those of them that purging frees: an inode counts when all its links are in the run, and no process has it open; its
    /// extents count that no other file shares.
    pub reclaimable: u64,
    /// How sure that is.
    pub certainty: Certainty,
    /// Bytes that come back only when processes close what they have open.
    pub open: u64,
}

struct Counting<'a> {
    held: Held,
    /// What counts of the directories: those in these; none where all do.
    trees: Option<&'a [PathBuf]>,
    /// Whether files may share extents with others, which stay.
    shares: bool,
    open: BTreeMap<Inode, Holder>,
    overlay: Option<Overlay>,
    /// By device and inode: its links, and how many of them were found.
    linked: FxHashMap<(u64, u64), (u64, u64)>,
}

impl Visitor for Counting<'_> {
    fn directory(&mut self, parent: &Directory<'_>, _name: &OsStr) -> Descend {
        let bucket = Bucket::parse(parent.relative().as_os_str());
        self.held.entries += u64::from(bucket.is_some_and(|it| it.kind == BucketKind::Archive));
        Descend::Yes
    }

    fn entered(&mut self, entered: &Directory<'_>, stat: &FileStat) -> Descend {
        self.held.disk += stat.disk;
        let counts = |trees: &&[PathBuf]| trees.iter().any(|tree| entered.relative().starts_with(tree));
        if self.trees.as_ref().is_none_or(counts) {
            self.free(&entered.path(), stat);
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let (links, found) = self.linked.entry((stat.device, stat.inode)).or_insert((stat.links, 0));
        *found += 1;
        let (first, whole) = (*found == 1, *found == *links);
        self.held.files += u64::from(first);
        self.held.disk += if first { stat.disk } else { 0 };
        if whole && self.open.contains_key(&(stat.device, stat.inode)) {
            self.held.open += stat.disk;
        } else if whole {
            self.free(&parent.path().join(name), stat);
        }
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: io::Error) {}
}

impl Counting<'_> {
    /// Adds something that purging removes the last name of.
    fn free(&mut self, path: &Path, stat: &FileStat) {
        self.held.reclaimable += match self.overlay.as_ref().map(|overlay| overlay.frees(path, stat)) {
            None if self.shares && stat.kind == FileKind::File => extent::exclusive(path, stat),
            None => stat.disk,
            Some(Frees::Exactly(bytes)) => bytes,
            Some(Frees::AtMost(bytes)) => {
                self.held.certainty = self.held.certainty.and(Certainty::AtMost);
                bytes
            }
        };
    }
}

/// What deleting runs frees together, by their files, also where that has begun. `trees` are the things that lie in them; without
/// them their own directories count too. None where the filesystem does not tell.
pub(super) fn frees(cache: &Path, runs: &[Run], trees: Option<&[PathBuf]>) -> Option<u64> {
    let real = crate::disk::canonical(cache).ok()?;
    if volume::filesystem(&real).accounting == Accounting::Unknown {
        return None;
    }
    let both = runs.iter().flat_map(|run| [run.clone(), run.doomed()]);
    let there: Vec<(PathBuf, Run)> =
        both.filter(|run| real.join(run.path()).is_dir()).map(|run| (real.clone(), run)).collect();
    Some(look(&there, trees).reclaimable)
}

/// Looks at what runs keep together, each in the trash of a directory; what cannot be read is not counted.
pub(super) fn held(places: &[(PathBuf, Run)]) -> Held {
    look(places, None)
}

fn look(places: &[(PathBuf, Run)], trees: Option<&[PathBuf]>) -> Held {
    let mut counting = Counting {
        held: Held::default(),
        trees,
        shares: false,
        open: BTreeMap::new(),
        overlay: None,
        linked: FxHashMap::default(),
    };
    let mut last = None;
    for (directory, run) in places {
        let Ok(real) = crate::disk::canonical(directory) else { continue };
        if last.as_ref() != Some(&real) {
            let filesystem = volume::filesystem(&real);
            let unsaid = filesystem.accounting == Accounting::Unknown;
            counting.overlay = overlay::at(&real);
            counting.shares = filesystem.reflinks == Reflinks::Possible && !unsaid;
            counting.open = open_files::read(&real);
            if unsaid && counting.overlay.is_none() && !cfg!(target_vendor = "apple") {
                counting.held.certainty = counting.held.certainty.and(Certainty::AtMost);
            }
        }
        walk::walk(&real.join(run.path()), &Cancel::default(), &mut counting);
        last = Some(real);
    }
    counting.held
}

/// The runs that are in a cache's trash, oldest first.
pub fn runs(cache: &Path) -> Result<Vec<Run>, Error> {
    let path = cache.join(DIRECTORY);
    let failed = |error| Error::new("read the directory", path.clone(), error);
    let items = match std::fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        items => items.map_err(failed)?,
    };
    let mut runs = Vec::new();
    for item in items {
        let item = item.map_err(failed)?;
        if item.file_type().is_ok_and(|kind| kind.is_dir()) {
            runs.push(Run { name: item.file_name() });
        }
    }
    runs.sort_unstable();
    Ok(runs)
}
