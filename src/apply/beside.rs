//! The trash beside environments, and all that one run has in the trash: there and in the cache.
//!
//! An environment can be anywhere. The directories whose trash has something are noted in the state directory, each in a file of its
//! own, so that processes that note at the same time do not lose what others wrote.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::measure;
use super::prune::is_same;
use super::purge::{self, Marks};
use super::report::State;
use super::restore::{self, Restored};
use super::state;
use super::trash::{self, DIRECTORY, Held, Run};
use crate::control::{Cancel, Progress};
use crate::disk::{FileStat, error::words, read};
use crate::linker::{Error, Missing, Root, probe};
use crate::lock::CacheExclusive;
use crate::plan::At;

/// The directory of notes in the state directory.
const NOTES: &str = "trash";

/// A note: a directory whose trash has, or had, something.
#[derive(Serialize, Deserialize)]
struct Note {
    schema_version: u32,
    #[serde(flatten)]
    at: At,
    /// The cache with which the environments were removed.
    cache: At,
}

/// All that one run has in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The run.
    pub run: Run,
    /// Whether it has something in the cache's trash.
    pub in_cache: bool,
    /// The directories with environments that it removed.
    pub beside: Vec<PathBuf>,
    /// How many environments those were, when this was found.
    pub environments: u64,
}

fn file_of(state: &Path, directory: &Path, cache: &Path) -> PathBuf {
    state::named(state, NOTES, &[directory, cache])
}

/// Notes that the trash in a directory has something, removed with a cache. Where it is to stay there, the note is durable when this
/// answers: without it nothing would know what lies there.
///
/// # Errors
/// When the note cannot be written, as on a full disk.
pub fn note(state: &Path, directory: &Path, cache: &Path, stays: bool) -> Result<(), Error> {
    let note = Note { schema_version: 1, at: At::new(directory), cache: At::new(cache) };
    let path = file_of(state, directory, cache);
    let bytes = serde_json::to_vec(&note).map_err(|error| Error::new("write", &path, error.into()))?;
    if stays { state::save_durably(&path, &bytes) } else { state::save(&path, &bytes) }
}

/// Takes the note of a directory away once its trash is gone. What cannot be removed now is passed over when notes are read.
pub fn forget(state: &Path, directory: &Path, cache: &Path) {
    let trash = directory.join(DIRECTORY).symlink_metadata();
    // A directory that is out of reach may come back with its trash.
    if !directory.is_dir() || trash.map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| true) {
        return;
    }
    let path = file_of(state, directory, cache);
    if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
        && let Ok(notes) = state::open(parent, Missing::Fail)
    {
        drop(notes.place().remove_file(name));
    }
}

/// The directories whose trash has something that was removed with a cache. A note that cannot be understood is passed over.
fn directories(state: &Path, cache: &Path) -> Vec<PathBuf> {
    let notes = std::fs::read_dir(state.join(NOTES)).into_iter().flatten().flatten();
    let read = |item: std::fs::DirEntry| {
        let bytes = read::small(&item.path(), read::SMALL).ok()?;
        let note: Note = serde_json::from_slice(&bytes).ok()?;
        let directory = note.at.path();
        let is_one = note.schema_version == 1
            && is_same(&note.cache.path(), cache)
            && directory.is_absolute()
            && directory.join(DIRECTORY).is_dir();
        is_one.then_some(directory)
    };
    let mut directories: Vec<PathBuf> = notes.filter_map(read).collect();
    directories.sort_unstable();
    directories.dedup();
    directories
}

/// The runs that have something in the trash of a cache or beside environments, oldest first.
///
/// # Errors
/// When the trash of the cache cannot be read.
pub fn runs(cache: &Path, state: Option<&Path>) -> Result<Vec<Whole>, Error> {
    let mut all: Vec<Whole> = trash::runs(cache)?
        .into_iter()
        .map(|run| Whole { run, in_cache: true, beside: Vec::new(), environments: 0 })
        .collect();
    for directory in state.map(|state| directories(state, cache)).unwrap_or_default() {
        // What cannot be read now has nothing that could be put back.
        for run in trash::runs(&directory).unwrap_or_default() {
            if !is_own(&directory, &run) {
                continue;
            }
            let position = all.iter().position(|whole| whole.run == run).unwrap_or_else(|| {
                all.push(Whole { run: run.clone(), in_cache: false, beside: Vec::new(), environments: 0 });
                all.len() - 1
            });
            all[position].environments += names(&directory, &run).map_or(0, |names| names.len() as u64);
            all[position].beside.push(directory.clone());
        }
    }
    all.sort_by(|one, other| one.run.cmp(&other.run));
    Ok(all)
}

/// What runs keep together: of a file with several links all may lie in one run, or in several.
pub fn held(wholes: &[Whole], cache: &Path) -> Held {
    let places = wholes.iter().flat_map(|whole| whole.directories(cache).map(|place| (place, &whole.run)));
    trash::held(&places.map(|(place, run)| (place.to_owned(), run.clone())).collect::<Vec<_>>())
}

/// Whether a run is this user's, or, for root, that of the directory's owner: in a directory that others write to too, any name may be
/// theirs.
fn is_own(directory: &Path, run: &Run) -> bool {
    let owner = |path: &Path| FileStat::of(path).ok().map(|stat| stat.owner);
    let (run, above) = (owner(&directory.join(run.path())), owner(directory));
    match probe::user() {
        None => true,
        Some(0) => run == Some(0) || run.is_some() && run == above,
        user => run == user,
    }
}

impl Whole {
    /// What it keeps.
    pub fn held(&self, cache: &Path) -> Held {
        held(std::slice::from_ref(self), cache)
    }

    /// The directories in whose trash it has something.
    fn directories<'a>(&'a self, cache: &'a Path) -> impl Iterator<Item = &'a Path> {
        let of_cache = self.in_cache.then_some(cache);
        of_cache.into_iter().chain(self.beside.iter().map(PathBuf::as_path))
    }

    /// Where the environments of it lie now, each with the directory in which it was.
    pub fn places(&self) -> Vec<(PathBuf, PathBuf)> {
        let here = |directory: &PathBuf| {
            let names = names(directory, &self.run).unwrap_or_default();
            let place = directory.join(self.run.path());
            names.into_iter().map(|name| (place.join(name), directory.clone())).collect::<Vec<_>>()
        };
        self.beside.iter().flat_map(here).collect()
    }

    /// The trash that is left of it beside places of environments, also where deleting it has begun.
    pub fn left(&self) -> Vec<At> {
        let runs = [self.run.clone(), self.run.doomed()];
        let there = |directory: &PathBuf| {
            let paths = runs.iter().map(|run| directory.join(run.path()));
            paths
                .filter(|path| path.symlink_metadata().is_ok())
                .map(|path| At::new(&path))
                .collect::<Vec<_>>()
        };
        self.beside.iter().flat_map(there).collect()
    }

    /// What putting it back would come to now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn could(&self, cache: &Path) -> Result<Vec<Restored>, Error> {
        if self.run.is_purging() {
            return Ok(Vec::new());
        }
        let mut all = if self.in_cache { restore::could(cache, &self.run)? } else { Vec::new() };
        for directory in &self.beside {
            all.extend(back(directory, &self.run, |_, _, _| Ok(()))?);
        }
        Ok(all)
    }

    /// Whether anything of it would come back.
    pub fn is_restorable(&self, cache: &Path) -> bool {
        self.could(cache).is_ok_and(|items| items.iter().any(|item| item.state == State::Done))
    }

    /// Puts everything back: what was in the cache first, since environments may have symlinks into it. `lock` is the lock of the
    /// cache where something of it lies there.
    ///
    /// # Errors
    /// When something of it cannot be read. What was put back before stays.
    pub fn restore(&self, lock: Option<&CacheExclusive>) -> Result<Vec<Restored>, Error> {
        let mut all = match lock.filter(|_| self.in_cache) {
            Some(lock) => restore::restore(lock, &self.run)?,
            None => Vec::new(),
        };
        for directory in &self.beside {
            // One that is out of reach keeps none of the others.
            all.extend(restore_beside(directory, &self.run).unwrap_or_else(|error| {
                let why = Some(format!("{error}: {}", words(&error.source)));
                vec![Restored { path: directory.clone(), state: State::Failed, why }]
            }));
        }
        Ok(all)
    }

    /// What deleting it frees, by the files, of what was moved there: without the directories of the trash. `trees` is what lay in
    /// the cache, relative to it. None where a filesystem does not tell.
    pub fn holds(&self, cache: &Path, trees: &[PathBuf]) -> Option<u64> {
        let runs = [self.run.clone()];
        let in_cache = if self.in_cache { measure::trash(cache, &runs, Some(trees))? } else { 0 };
        let beside = self.beside.iter();
        let beside = beside.map(|it| measure::trash(it, &runs, Some(&moved(it, &self.run))));
        beside.sum::<Option<u64>>().map(|beside| in_cache + beside)
    }

    /// Deletes the environments of it for good. What cannot be removed is told; with the bytes that this frees, by the files, where
    /// the filesystem tells. `own`: the directories of the trash count too, which came with the run.
    pub fn purge_beside(
        &self,
        own: bool,
        cache: &Path,
        state: Option<&Path>,
        cancel: &Cancel,
        progress: &Progress,
    ) -> (Option<u64>, Vec<Error>) {
        let (mut errors, mut freed) = (Vec::new(), Some(0));
        for directory in &self.beside {
            let runs = [self.run.clone()];
            let trees = moved(directory, &self.run);
            let trees = (!own).then_some(trees.as_slice());
            let before = measure::trash(directory, &runs, trees);
            match Root::open(directory) {
                Ok(root) => errors.extend(purge::purge_in(&root, &runs, Marks::Ignored, cancel, progress)),
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => errors.push(error),
            }
            let gone = measure::freed(directory, &runs, trees, before);
            freed = freed.zip(gone).map(|(sum, gone)| sum + gone);
            if let Some(state) = state {
                forget(state, directory, cache);
            }
        }
        (freed, errors)
    }
}

/// What a run has in the trash of a directory, relative to the directory of the run; nothing where that cannot be read.
fn moved(directory: &Path, run: &Run) -> Vec<PathBuf> {
    names(directory, run).unwrap_or_default().into_iter().map(PathBuf::from).collect()
}

/// The names of what a run has in the trash of a directory.
fn names(directory: &Path, run: &Run) -> Result<Vec<OsString>, Error> {
    let place = Root::open(directory)?.directory(&run.path(), Missing::Fail)?;
    let mut names = place.names().map_err(|error| Error::new("read the directory", place.path(), error))?;
    names.sort_unstable();
    Ok(names)
}

fn restore_beside(directory: &Path, run: &Run) -> Result<Vec<Restored>, Error> {
    let root = Root::open(directory)?;
    let _held = trash::hold(&root)?;
    let restored =
        back(directory, run, |root, run, name| run.give_back(root, root.place(), Path::new(""), name))?;
    purge::tidy(&root, run, []);
    Ok(restored)
}

/// Puts what a run has in the trash of a directory back by `give`, where nothing lies in its place.
fn back(
    directory: &Path,
    run: &Run,
    give: impl Fn(&Root, &Run, &OsStr) -> Result<(), Error>,
) -> Result<Vec<Restored>, Error> {
    let root = Root::open(directory)?;
    let mut restored = Vec::new();
    for name in names(directory, run)? {
        let path = directory.join(&name);
        let stale = || Restored {
            path: path.clone(),
            state: State::Stale,
            why: Some("something lies there now".to_owned()),
        };
        let failed = |why| Restored { path: path.clone(), state: State::Failed, why: Some(why) };
        restored.push(match root.place().find(&name) {
            Ok(Some(_)) => stale(),
            Err(error) => failed(format!("it could not be looked at: {}", words(&error))),
            Ok(None) => match give(&root, run, &name) {
                Ok(()) => Restored { path, state: State::Done, why: None },
                Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => stale(),
                Err(error) => failed(format!("{error}: {}", words(&error.source))),
            },
        });
    }
    Ok(restored)
}
