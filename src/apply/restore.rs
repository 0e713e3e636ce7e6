//! Puts back what a run removed, as far as uv has not made it anew.
//!
//! Entries come back before the pointers that lead to them. An entry is left in the trash when something lies at its place,
//! or when every pointer to it has been written anew: then uv has fetched or built the same thing again. A pointer comes
//! back only where nothing lies and where the entry it leads to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::buckets::Buckets;
use super::purge;
use super::report::State;
use super::trash::Run;
use super::{ground, in_place};
use crate::disk::{FileKind, FileStat, error::words};
use crate::human;
use crate::linker::{Error, Missing, Place, Root};
use crate::lock::{CacheExclusive, HoldsCache as _};
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::pointer::{self, Payload};
use crate::uv::{link, link_file, shard};

/// The most bytes of a pointer that is a file.
const LONGEST: u64 = pointer::LONGEST_FILE as u64;

/// What became of one thing in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Where it was, relative to the cache's root; an environment by its absolute path.
    pub path: PathBuf,
    /// What became of it: done, or stale when it stays in the trash because uv has made it anew.
    pub state: State,
    /// Why, unless it is back. Not escaped.
    pub why: Option<String>,
}

impl Restored {
    /// Whether it is an entry, which is what plans count; pointers and other things come back with entries.
    pub fn is_entry(&self) -> bool {
        let mut parts = self.path.components();
        let bucket = parts.next().and_then(|bucket| Bucket::parse(bucket.as_os_str()));
        bucket.is_some_and(|bucket| bucket.kind == BucketKind::Archive) && parts.count() == 1
    }

    /// What came back of several things, in words, as `4 entries and 8 pointers and other files`.
    pub fn in_words(all: &[Self]) -> String {
        let done = all.iter().filter(|item| item.state == State::Done);
        let (environments, rest): (Vec<&Self>, Vec<&Self>) = done.partition(|item| item.path.is_absolute());
        let (entries, others): (Vec<&Self>, Vec<&Self>) = rest.into_iter().partition(|item| item.is_entry());
        let mut parts = Vec::new();
        if !environments.is_empty() {
            parts.push(human::counted(environments.len() as u64, "environment", "environments"));
        }
        if !entries.is_empty() || environments.is_empty() {
            parts.push(human::counted(entries.len() as u64, "entry", "entries"));
        }
        if !others.is_empty() {
            let number = others.len() as u64;
            parts.push(human::counted(number, "pointer or other file", "pointers and other files"));
        }
        human::list(&parts)
    }
}

/// One thing in the trash.
struct Item {
    /// The directory it lay in, relative to the cache's root.
    directory: PathBuf,
    name: OsString,
    /// What a pointer leads to, as far as that could be read.
    leads_to: io::Result<Option<Target>>,
}

/// What a pointer leads to.
struct Target {
    /// The id of the entry.
    id: OsString,
    /// The path that a link of an old release or of Windows says, where it is absolute: the cache may have been moved.
    absolute: Option<PathBuf>,
}

impl Target {
    /// What a link with this text leads to, if it is an entry.
    fn of(text: &Path) -> Option<Self> {
        let id = link::archive_target(text)?.id;
        Some(Self { id, absolute: text.is_absolute().then(|| text.to_owned()) })
    }

    /// What a pointer leads to that says only the id.
    fn by_id(id: &str) -> Self {
        Self { id: id.into(), absolute: None }
    }
}

impl Item {
    fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// What a link has in common with the `.http` or `.rev` beside it.
    fn key(&self) -> PathBuf {
        let path = self.directory.join(&self.name);
        match path.extension().and_then(OsStr::to_str) {
            Some("http" | "rev") => path.with_extension(""),
            _ => path,
        }
    }
}

/// Puts back what a run removed. What is left in the trash stays there.
///
/// # Errors
/// When the trash of the run is not there or cannot be read.
pub fn restore(lock: &CacheExclusive, run: &Run) -> Result<Vec<Restored>, Error> {
    let path = lock.cache();
    let cache = ground::cache(lock)?;
    let _held = super::trash::hold(&cache)?;
    if run.is_purging() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is being emptied");
        return Err(Error::new("put back from", path.join(run.path()), error));
    }
    if !lock.still_valid() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "its lock file was replaced");
        return Err(Error::new("put back into", path, error));
    }
    let restored = go(Buckets::of(cache), run, Acting::Moves)?;
    let cache = ground::cache(lock)?;
    // What pointers lay in was emptied file by file.
    if let Ok(top) = cache.directory(&run.path(), Missing::Fail) {
        let holds = |name: &&OsString| Bucket::parse(name).is_some_and(|it| it.kind.holds_pointers());
        for name in top.names().unwrap_or_default().iter().filter(holds) {
            purge::remove_empty(&top, name);
        }
    }
    purge::tidy(&cache, run, restored.iter().filter_map(|item| item.path.parent()));
    Ok(restored)
}

/// What [`restore`] would do now. Nothing is changed, and no lock is needed; what uv does meanwhile may change the answer.
///
/// # Errors
/// When the trash of the run is not there or cannot be read.
pub fn could(cache: &Path, run: &Run) -> Result<Vec<Restored>, Error> {
    if run.is_purging() {
        return Ok(Vec::new());
    }
    let real = crate::disk::canonical(cache).map_err(|error| Error::new("find the cache", cache, error))?;
    let cache = Buckets::of(Root::open(&real)?);
    go(cache, run, Acting::Looks { coming: BTreeSet::new() })
}

/// Whether anything of a run would come back.
pub fn is_restorable(cache: &Path, run: &Run) -> bool {
    could(cache, run).is_ok_and(|items| items.iter().any(|item| item.state == State::Done))
}

/// What a look at a run does with what it finds.
enum Acting {
    /// It moves things back.
    Moves,
    /// It only says what would become of them.
    Looks {
        /// The ids of the entries that would be there again.
        coming: BTreeSet<OsString>,
    },
}

fn go(cache: Buckets, run: &Run, acting: Acting) -> Result<Vec<Restored>, Error> {
    let top = cache.directory(&run.path(), Missing::Fail)?;
    let mut entries = Vec::new();
    let mut others = Vec::new();
    let mut pointers = Vec::new();
    // What was being deleted where it lay is no thing of the trash.
    for name in names(&top)?.into_iter().filter(|name| name != in_place::MARKS) {
        let bucket = Bucket::parse(&name);
        let whole = || Item { directory: PathBuf::new(), name: name.clone(), leads_to: Ok(None) };
        match bucket.map(|bucket| bucket.kind) {
            Some(BucketKind::Archive) => {
                let place = top.directory(&name);
                let place =
                    place.map_err(|error| Error::new("open the directory", top.join(&name), error))?;
                let directory = PathBuf::from(&name);
                let item = |name| Item { directory: directory.clone(), name, leads_to: Ok(None) };
                entries.extend(names(&place)?.into_iter().map(item));
            }
            Some(BucketKind::Files) => collect(&top, &name, Path::new(&name), &mut others)?,
            // One by one, also where the bucket went as a whole: what a pointer led to may be gone by now.
            Some(kind) if kind.holds_pointers() => {
                collect(&top, &name, Path::new(&name), &mut pointers)?;
            }
            // uv keeps others beside those that went.
            Some(kind @ (BucketKind::Git | BucketKind::Simple | BucketKind::FlatIndex))
                if cache.directory(Path::new(&name), Missing::Fail).is_ok() =>
            {
                let open = |error| Error::new("open the directory", top.join(&name), error);
                let bucket = top.directory(&name).map_err(open)?;
                let item = |directory: &Path, name| Item {
                    directory: directory.to_owned(),
                    name,
                    leads_to: Ok(None),
                };
                for part in names(&bucket)? {
                    let directory = Path::new(&name).join(&part);
                    if kind == BucketKind::Git {
                        let open = |error| Error::new("open the directory", bucket.join(&part), error);
                        let place = bucket.directory(&part).map_err(open)?;
                        others.extend(names(&place)?.into_iter().map(|name| item(&directory, name)));
                    } else {
                        others.push(item(Path::new(&name), part));
                    }
                }
            }
            Some(_) | None => others.push(whole()),
        }
    }
    let mut restoring = Restoring { cache, run, acting, restored: Vec::new() };
    restoring.run(entries, &pointers, &others);
    Ok(restoring.restored)
}

struct Restoring<'a> {
    cache: Buckets,
    run: &'a Run,
    acting: Acting,
    restored: Vec<Restored>,
}

impl Restoring<'_> {
    fn run(&mut self, entries: Vec<Item>, pointers: &[Item], others: &[Item]) {
        let mut leading: BTreeMap<&OsStr, Vec<&Item>> = BTreeMap::new();
        for pointer in pointers {
            if let Ok(Some(target)) = &pointer.leads_to {
                leading.entry(&target.id).or_default().push(pointer);
            }
        }
        let mut left: BTreeSet<OsString> = BTreeSet::new();
        for entry in entries {
            let led = leading.get(entry.name.as_os_str()).map(Vec::as_slice).unwrap_or_default();
            if !led.is_empty() && led.iter().all(|pointer| self.lies(pointer)) {
                self.stays(&entry, "uv has fetched or built it again");
            } else {
                self.item(&entry);
            }
            // What lies in its place, in a bucket that is a symlink, may be another cache's: the symlink can be another one by now.
            let is_back = self.restored.last().is_some_and(|item| item.state == State::Done);
            if !is_back && self.cache.is_moved(entry.directory.as_os_str()) {
                left.insert(entry.name);
            }
        }
        for item in others {
            self.item(item);
        }
        // A key's link and its `.http` or `.rev` belong together: uv follows one and prunes by the other.
        let mut whole: Vec<Item> = Vec::new();
        let mut rest: Vec<&Item> = Vec::new();
        for pointer in pointers {
            match self.revision(pointer, pointers, &left) {
                Some(revision) if whole.last().is_none_or(|last| last.path() != revision) => {
                    let directory = revision.parent().unwrap_or(&revision).to_owned();
                    let name = revision.file_name().unwrap_or_default().to_owned();
                    whole.push(Item { directory, name, leads_to: Ok(None) });
                }
                Some(_) => {}
                None => rest.push(pointer),
            }
        }
        let pointers = rest;
        for item in &whole {
            self.item(item);
        }
        let anew: BTreeSet<PathBuf> =
            pointers.iter().filter(|pointer| self.lies(pointer)).map(|it| it.key()).collect();
        for pointer in pointers {
            if anew.contains(&pointer.key()) {
                self.stays(pointer, "uv has written it again");
                continue;
            }
            match &pointer.leads_to {
                // Nobody knows whether that is there.
                Err(error) => {
                    let why = format!("what it leads to could not be read: {}", words(error));
                    self.failed(pointer, why);
                }
                Ok(Some(target)) if left.contains(&target.id) || !self.has_entry(&target.id) => {
                    self.stays(pointer, "the entry it leads to is not there");
                }
                Ok(Some(Target { absolute: Some(path), .. })) if !path.exists() => {
                    self.stays(pointer, "it leads to where the cache no longer is");
                }
                // What leads nowhere that can be told, as the environment of a script, is put back as it was.
                Ok(_) => self.item(pointer),
            }
        }
    }

    /// The directory of an old build, or of a source, that something lay in, where that comes back as a whole: it is not there any
    /// more, and all that its links lead to is.
    fn revision(&self, item: &Item, all: &[Item], left: &BTreeSet<OsString>) -> Option<PathBuf> {
        let trees = [shard::revision(&item.directory), shard::source(&item.directory)];
        let is_gone = |tree: &PathBuf| self.cache.directory(tree, Missing::Fail).is_err();
        let revision = trees.into_iter().flatten().find(is_gone)?;
        let is_back = |target: &Target| {
            !left.contains(&target.id)
                && self.has_entry(&target.id)
                && target.absolute.as_ref().is_none_or(|path| path.exists())
        };
        let mut within = all.iter().filter(|it| it.directory.starts_with(&revision));
        let comes = within.all(|it| it.leads_to.as_ref().is_ok_and(|it| it.as_ref().is_none_or(is_back)));
        comes.then_some(revision)
    }

    /// Whether something lies where an item was.
    fn lies(&self, item: &Item) -> bool {
        let place = self.cache.directory(&item.directory, Missing::Fail);
        place.is_ok_and(|place| place.find(&item.name).is_ok_and(|found| found.is_some()))
    }

    fn has_entry(&self, id: &OsStr) -> bool {
        if let Acting::Looks { coming } = &self.acting
            && coming.contains(id)
        {
            return true;
        }
        let buckets = self.cache.root().place().names().unwrap_or_default();
        let archives = buckets
            .iter()
            .filter(|name| Bucket::parse(name).is_some_and(|it| it.kind == BucketKind::Archive));
        archives.into_iter().any(|bucket| {
            let place = self.cache.directory(Path::new(bucket), Missing::Fail);
            place.is_ok_and(|place| place.find(id).is_ok_and(|found| found.is_some()))
        })
    }

    fn item(&mut self, item: &Item) {
        if let Acting::Looks { .. } = self.acting {
            self.look(item);
            return;
        }
        let place = self.cache.directory(&item.directory, Missing::Create);
        let moved = place
            .and_then(|place| self.run.give_back(self.cache.root(), &place, &item.directory, &item.name));
        let path = item.directory.join(&item.name);
        match moved {
            Ok(()) => self.restored.push(Restored { path, state: State::Done, why: None }),
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                self.stays(item, "something lies there now");
            }
            Err(error) => self.failed(item, format!("{error}: {}", words(&error.source))),
        }
    }

    /// Says what moving an item back would come to.
    fn look(&mut self, item: &Item) {
        if self.lies(item) {
            self.stays(item, "something lies there now");
            return;
        }
        let from = self.cache.root().place().path().join(self.run.path()).join(&item.directory);
        if let Err(error) = writable(&from).and_then(|()| writable(&self.nearest(&item.directory))) {
            self.failed(item, format!("it cannot be moved: {}", words(&error)));
            return;
        }
        if let Acting::Looks { coming } = &mut self.acting {
            coming.insert(item.name.clone());
        }
        let path = item.directory.join(&item.name);
        self.restored.push(Restored { path, state: State::Done, why: None });
    }

    /// The directory of an item in the cache, or the one above it in which it would be made.
    fn nearest(&self, directory: &Path) -> PathBuf {
        let root = self.cache.root().place().path();
        let mut above = directory.ancestors().map(|it| root.join(it));
        above.find(|path| path.is_dir()).unwrap_or_else(|| root.to_owned())
    }

    fn failed(&mut self, item: &Item, why: String) {
        let path = item.directory.join(&item.name);
        self.restored.push(Restored { path, state: State::Failed, why: Some(why) });
    }

    fn stays(&mut self, item: &Item, why: &str) {
        let path = item.directory.join(&item.name);
        self.restored.push(Restored { path, state: State::Stale, why: Some(why.to_owned()) });
    }
}

/// Whether this user may move things into and out of a directory.
#[cfg(unix)]
fn writable(directory: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD};
    let access = Access::WRITE_OK | Access::EXEC_OK;
    Ok(rustix::fs::accessat(CWD, directory, access, AtFlags::EACCESS)?)
}

/// Whether this user may move things into and out of a directory; only trying tells.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn writable(_directory: &Path) -> io::Result<()> {
    Ok(())
}

fn names(place: &Place) -> Result<Vec<OsString>, Error> {
    let mut names = place.names().map_err(|error| Error::new("read the directory", place.path(), error))?;
    names.sort_unstable();
    Ok(names)
}

/// Collects the pointers below a directory of the trash; an environment there is one thing.
fn collect(place: &Place, name: &OsStr, relative: &Path, items: &mut Vec<Item>) -> Result<(), Error> {
    let failed = |error| Error::new("open the directory", place.join(name), error);
    let directory = place.directory(name).map_err(failed)?;
    for name in names(&directory)? {
        let found =
            directory.find(&name).map_err(|error| Error::new("look at", directory.join(&name), error))?;
        let Some(found) = found else { continue };
        let is_environment = found.stat.kind == FileKind::Directory
            && directory
                .directory(&name)
                .is_ok_and(|it| it.find(OsStr::new("pyvenv.cfg")).is_ok_and(|found| found.is_some()));
        if found.stat.kind == FileKind::Directory && !is_environment {
            collect(&directory, &name, &relative.join(&name), items)?;
        } else {
            let leads_to = leads_to(&directory, &name, &found.stat);
            items.push(Item { directory: relative.to_owned(), name, leads_to });
        }
    }
    Ok(())
}

/// What a pointer leads to, if it is an entry.
fn leads_to(place: &Place, name: &OsStr, stat: &FileStat) -> io::Result<Option<Target>> {
    match stat.kind {
        FileKind::Symlink => Ok(Target::of(&place.read_link(name)?)),
        FileKind::File if stat.size <= LONGEST => Ok(says(name, &place.read(name, LONGEST)?)),
        FileKind::File | FileKind::Directory | FileKind::Other => Ok(None),
    }
}

/// What a pointer that is a file leads to.
fn says(name: &OsStr, bytes: &[u8]) -> Option<Target> {
    let payload = match Path::new(name).extension().and_then(OsStr::to_str) {
        Some("http") => pointer::parse_http(bytes).ok(),
        Some("rev") => pointer::parse_rev(bytes).ok(),
        _ => None,
    };
    match payload {
        Some(Payload::Archive(archive)) => Some(Target::by_id(&archive.id)),
        Some(Payload::Revision { .. }) => None,
        None => match link_file::parse(bytes).ok()? {
            link_file::LinkFile::Text(target) => Some(Target::by_id(&target.id)),
            link_file::LinkFile::Wide(units) => Target::of(&link_file::wide_to_path(&units)),
        },
    }
}
