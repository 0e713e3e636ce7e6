//! Carries out the steps of a prune: renames things into the trash.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::report::{Outcome, State};
use super::{check, purge, trash};
use crate::control::{Cancel, Progress};
use crate::disk::processes;
use crate::linker::{Error, Missing, Place, Root};
use crate::lock::{CacheExclusive, HoldsCache as _};
use crate::plan::{Action, Plan, Step};
use crate::scan::print;

/// What a prune left to be done after its lock was given back.
#[derive(Debug, Default)]
pub struct Committed {
    /// What became of each step.
    pub outcomes: Vec<Outcome>,
    /// Where what was removed lies. None when nothing was, or when there was no room for a trash and it is gone already.
    pub trash: Option<trash::Run>,
    /// What else is worth saying, as sentences. Not escaped.
    pub notes: Vec<String>,
}

/// Why a step was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something is not as the plan expects.
    Stale(String),
    /// The plan asks for what no plan may.
    Refused(String),
    /// It failed.
    Failed(Error),
}

impl Trouble {
    pub(super) fn failed(operation: &'static str, path: PathBuf, error: io::Error) -> Self {
        Self::Failed(Error::new(operation, path, error))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        if error.source.kind() == io::ErrorKind::NotFound {
            return Self::Stale("it is gone already".to_owned());
        }
        Self::Failed(error)
    }
}

/// Where removed things go.
enum Bin {
    /// Into the trash.
    Trash(trash::Run),
    /// Away at once: there is no room to make a directory.
    Away,
}

struct Pruning<'a> {
    cache: Root,
    bin: Bin,
    cancel: &'a Cancel,
    progress: &'a Progress,
}

/// Carries out the steps of a plan. `now` names the trash.
///
/// One step that fails or is stale does not stop the others. `progress` counts files and bytes of what has been removed.
///
/// # Errors
/// When the plan is for another cache, or nothing can be changed there at all.
pub fn prune(
    plan: &Plan,
    lock: &CacheExclusive,
    now: Timestamp,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Committed, Error> {
    let path = lock.cache();
    let other = || io::Error::new(io::ErrorKind::InvalidInput, "the plan is for another cache");
    if !is_same(path, &plan.cache.path()) {
        return Err(Error::new("apply the plan to", path, other()));
    }
    // The root may be a symlink; what lies beneath it is not followed.
    let real = std::fs::canonicalize(path).map_err(|error| Error::new("find the cache", path, error))?;
    let cache = Root::open(&real)?;
    let mut committed = Committed::default();
    let bin = match trash::Run::begin(&cache, now) {
        Ok(run) => Bin::Trash(run),
        Err(error) if has_no_room(&error.source) => {
            committed.notes.push(
                "There was no room to make a directory for the trash: what was removed is gone, and cannot be put back."
                    .to_owned(),
            );
            Bin::Away
        }
        Err(error) => return Err(error),
    };
    let mut pruning = Pruning { cache, bin, cancel, progress };
    for step in &plan.steps {
        committed.outcomes.push(pruning.outcome(step, lock));
    }
    committed.trash = match pruning.bin {
        Bin::Trash(run) if committed.outcomes.iter().any(|outcome| outcome.state == State::Done) => Some(run),
        Bin::Trash(run) => {
            purge::forget(&pruning.cache, &run);
            None
        }
        Bin::Away => None,
    };
    Ok(committed)
}

/// Whether two paths lead to one directory.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || std::fs::canonicalize(one).is_ok_and(|one| std::fs::canonicalize(other).is_ok_and(|it| it == one))
}

fn has_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Pruning<'_> {
    fn outcome(&mut self, step: &Step, lock: &CacheExclusive) -> Outcome {
        let result = if self.cancel.is_cancelled() {
            None
        } else if lock.still_valid() {
            Some(self.step(step))
        } else {
            Some(Err(Trouble::Stale("the cache's lock file was replaced".to_owned())))
        };
        let (state, why) = match result {
            None => (State::Cancelled, None),
            Some(Ok(())) => (State::Done, None),
            Some(Err(Trouble::Stale(why))) => (State::Stale, Some(why)),
            Some(Err(Trouble::Refused(why))) => (State::Failed, Some(why)),
            Some(Err(Trouble::Failed(error))) => {
                let why = format!("{error}: {}", crate::disk::error::words(&error.source));
                (State::Failed, Some(why))
            }
        };
        if state == State::Done {
            self.progress.add_files(step.bytes.files, step.bytes.disk);
            self.progress.add_entry();
        }
        Outcome { action: step.action, at: step.at.clone(), state, why }
    }

    fn step(&mut self, step: &Step) -> Result<(), Trouble> {
        let (directory, name) = check::target(step)?;
        let place = check::tree(&self.cache, &directory, name.as_os_str(), step)?;
        // A cached environment may have been started in since.
        if step.action != Action::RemoveBucket {
            let running = processes::within(&[place.join(name.as_os_str())]);
            if running.iter().any(|processes| !processes.is_empty()) {
                return Err(Trouble::Stale("a process runs in it".to_owned()));
            }
        }
        let mut pointers = Vec::new();
        for pointer in &step.pointers {
            let (directory, name) = check::pointer(&pointer.at.path())?;
            let place = match self.cache.directory(&directory, Missing::Fail) {
                Ok(place) => place,
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let found = place.find(name.as_os_str());
            match found.map_err(|error| Trouble::failed("look at", place.join(name.as_os_str()), error))? {
                None => {}
                Some(found) if print::of(&found.stat) == pointer.expects => pointers.push((directory, name)),
                Some(_) => {
                    let text = pointer.at.text();
                    return Err(Trouble::Stale(format!("its pointer `{text}` has changed since the scan")));
                }
            }
        }
        self.commit(step, &place, &directory, name.as_os_str(), &pointers)
    }

    /// Removes the pointers, then what they lead to. What was moved is moved back when the rest fails.
    fn commit(
        &mut self,
        step: &Step,
        place: &Place,
        directory: &Path,
        name: &OsStr,
        pointers: &[(PathBuf, PathBuf)],
    ) -> Result<(), Trouble> {
        for (position, (directory, name)) in pointers.iter().enumerate() {
            let removed = self
                .cache
                .directory(directory, Missing::Fail)
                .and_then(|place| self.remove(&place, directory, name.as_os_str()));
            if let Err(error) = removed {
                self.put_back(&pointers[..position]);
                return Err(error.into());
            }
        }
        if let Err(error) = self.remove(place, directory, name) {
            self.put_back(pointers);
            return Err(error.into());
        }
        let Bin::Trash(run) = &self.bin else { return Ok(()) };
        // Between the look and the rename somebody may have put something else there, whatever lock they hold.
        let here = self.cache.directory(&run.path().join(directory), Missing::Fail)?;
        let moved = here.find(name).ok().flatten().map(|found| (found.stat.device, found.stat.inode));
        if moved != Some((step.expects.device, step.expects.inode)) {
            run.give_back(&self.cache, place, directory, name)?;
            self.put_back(pointers);
            return Err(Trouble::Stale("something else was put there meanwhile".to_owned()));
        }
        Ok(())
    }

    fn remove(&self, place: &Place, directory: &Path, name: &OsStr) -> Result<(), Error> {
        match &self.bin {
            Bin::Trash(run) => run.take(&self.cache, place, directory, name),
            Bin::Away => purge::remove(place, name, &Cancel::default(), &Progress::default()).map(|_| ()),
        }
    }

    /// Puts pointers back whose entry stays. One that cannot be put back is one that uv has to write again, no more.
    fn put_back(&self, pointers: &[(PathBuf, PathBuf)]) {
        let Bin::Trash(run) = &self.bin else { return };
        for (directory, name) in pointers {
            let place = self.cache.directory(directory, Missing::Fail);
            drop(place.and_then(|place| run.give_back(&self.cache, &place, directory, name.as_os_str())));
        }
    }
}
