//! Carries out the steps of a prune: renames things into the trash.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::buckets::Buckets;
use super::report::{Outcome, State};
use super::{check, ground, in_place, purge, trash};
use crate::control::{Cancel, Progress};
use crate::disk::{FileKind, error::words, processes, temporary};
use crate::human;
use crate::linker::{Error, Missing, Place};
use crate::lock::{CacheExclusive, HoldsCache as _};
use crate::plan::{Action, At, Plan, Step};
use crate::scan::print;
use crate::snapshot::TreePrint;

/// What a prune left to be done after its lock was given back.
#[derive(Debug, Default)]
pub struct Committed {
    /// What became of each step.
    pub outcomes: Vec<Outcome>,
    /// Where what was removed lies. None when nothing was, or when there was no room for a trash and it is gone already.
    pub trash: Option<trash::Run>,
    /// Whether the trash holds something that could not be put back after its step had failed: it must not be purged.
    pub stuck: bool,
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

    /// How a step ended, and why.
    pub(super) fn told(self) -> (State, String) {
        match self {
            Self::Stale(why) => (State::Stale, why),
            Self::Refused(why) => (State::Failed, why),
            Self::Failed(error) => (State::Failed, format!("{error}: {}", words(&error.source))),
        }
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

/// What becomes of a directory that cannot be renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmovable {
    /// It is deleted where it lies.
    Delete,
    /// The whole plan is refused.
    Refuse,
}

/// How things are moved into the trash.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The time of the run, by which it is named.
    pub now: Timestamp,
    /// The run, where it has removed something elsewhere already.
    pub run: Option<trash::Run>,
    /// What becomes of a directory that cannot be renamed.
    pub unmovable: Unmovable,
    /// What was as planned before environments outside of the cache were deleted in place, whose files are links to those in it.
    pub proven: BTreeSet<At>,
}

struct Pruning<'a> {
    cache: Buckets,
    /// For each step, whether its target is deleted where it lies because it cannot be renamed.
    stuck: Vec<bool>,
    unmovable: Unmovable,
    /// Where removed things go; none where there was no room even for that.
    run: Option<trash::Run>,
    /// Whether there is room for the directories the trash needs; otherwise things are removed at once.
    room: bool,
    /// The processes that run in each step's target.
    running: Vec<Vec<u32>>,
    /// For each step that goes with an environment of the cache, whether it was as planned before that went.
    proven: Vec<bool>,
    /// Whether something was deleted in place: its files are links to those of entries, which that changes.
    deleted: Cell<bool>,
    notes: Vec<String>,
    cancel: &'a Cancel,
    progress: &'a Progress,
}

/// Something that was moved into the trash, with the handles to move it back.
struct Moved {
    from: Place,
    here: Place,
    name: OsString,
}

pub(crate) const NO_ROOM: &str =
    "There was no room to make a directory for the trash: what was removed is gone, and cannot be put back.";

/// Carries out the steps of a plan, and deletes in place what cannot be renamed into the trash. `now` names the trash.
///
/// # Errors
/// As for [`prune_as`].
pub fn prune(
    plan: &Plan,
    lock: &CacheExclusive,
    now: Timestamp,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Committed, Error> {
    prune_as(
        plan,
        lock,
        &Manner { now, run: None, unmovable: Unmovable::Delete, proven: BTreeSet::new() },
        cancel,
        progress,
    )
}

/// Carries out the steps of a plan.
///
/// One step that fails or is stale does not stop the others. `progress` counts files and bytes of what has been removed.
///
/// # Errors
/// When the plan is for another cache, or nothing can be changed there at all, or something that cannot be renamed is not to be
/// deleted.
pub fn prune_as(
    plan: &Plan,
    lock: &CacheExclusive,
    manner: &Manner,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Committed, Error> {
    let unmovable = manner.unmovable;
    let path = lock.cache();
    let other = || io::Error::new(io::ErrorKind::InvalidInput, "the plan is for another cache");
    if !is_same(path, &plan.cache.path()) {
        return Err(Error::new("apply the plan to", path, other()));
    }
    let cache = Buckets::of(ground::cache(lock)?);
    let real = cache.root().place().path().to_owned();
    let mut notes = Vec::new();
    let mut held = None;
    let mut stuck = vec![false; plan.steps.len()];
    let run = match trash::Run::begin(cache.root(), manner.now, manner.run.as_ref()) {
        Ok(run) => {
            let tidy = |_: &Error| purge::tidy(cache.root(), &run, [Path::new(in_place::PROBE)]);
            held = trash::hold(cache.root()).inspect_err(tidy)?;
            stuck = in_place::stuck(&cache, &run, &plan.steps).inspect_err(tidy)?;
            if let Some(first) = stuck.iter().position(|it| *it).filter(|_| unmovable == Unmovable::Refuse) {
                purge::tidy(cache.root(), &run, [Path::new(in_place::PROBE)]);
                let error = io::Error::new(io::ErrorKind::CrossesDevices, in_place::STUCK);
                return Err(Error::new("move to the trash", real.join(plan.steps[first].at.path()), error));
            }
            Some(run)
        }
        Err(error) if has_no_room(&error.source) => {
            notes.push(NO_ROOM.to_owned());
            None
        }
        Err(error) => return Err(error),
    };
    let targets: Vec<PathBuf> = plan.steps.iter().map(|step| real.join(step.at.path())).collect();
    let running = processes::within_or_on_path(&targets);
    let in_place = stuck.iter().filter(|it| **it).count() as u64;
    if in_place > 0 {
        let things = human::counted(in_place, "thing is", "things are");
        notes.push(format!(
            "{things} deleted in place and cannot be put back: this overlay cannot rename directories of its lower layer."
        ));
    }
    let proves = |step: &Step| {
        manner.proven.contains(&step.at) || goes_with_another(step) && is_as_planned(&cache, step)
    };
    let proven = plan.steps.iter().map(proves).collect();
    let mut pruning = Pruning {
        cache,
        stuck,
        unmovable,
        room: run.is_some(),
        run,
        running,
        proven,
        deleted: Cell::new(!manner.proven.is_empty()),
        notes,
        cancel,
        progress,
    };
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(plan.steps.len());
    for (number, step) in plan.steps.iter().enumerate() {
        let outcome = match stays(step, &outcomes) {
            Some(user) => Outcome {
                action: step.action,
                at: step.at.clone(),
                state: State::Stale,
                why: Some(format!("`{}` uses it, and stays", user.text())),
                moved: false,
            },
            None => pruning.outcome(number, step, lock),
        };
        outcomes.push(outcome);
    }
    let Pruning { cache, run, mut notes, .. } = pruning;
    let trash = run.filter(|run| {
        in_place::close(cache.root(), &run.doomed());
        let own = holding(plan);
        purge::tidy(cache.root(), run, own.iter().map(PathBuf::as_path));
        run.is_there(cache.root())
    });
    drop(held);
    let stuck =
        trash.is_some() && outcomes.iter().any(|outcome| outcome.state != State::Done && outcome.moved);
    if stuck {
        notes.push(
            "Something could not be put back after a step had failed: it is in the trash, which was not emptied."
                .to_owned(),
        );
    }
    Ok(Committed { outcomes, trash, stuck, notes })
}

/// Whether a step removes what an environment of the cache uses that goes too.
fn goes_with_another(step: &Step) -> bool {
    step.users().iter().any(|user| !user.path().is_absolute())
}

fn is_as_planned(cache: &Buckets, step: &Step) -> bool {
    check::target(step)
        .and_then(|(directory, name)| check::tree(cache, &directory, name.as_os_str(), step))
        .is_ok()
}

/// What a plan removes from the cache with environments and is as planned now.
///
/// # Errors
/// When the cache cannot be opened.
pub fn as_planned(plan: &Plan, lock: &CacheExclusive) -> Result<BTreeSet<At>, Error> {
    let cache = Buckets::of(ground::cache(lock)?);
    let steps = plan.steps.iter().filter(|step| step.is_in_cache() && !step.users().is_empty());
    Ok(steps.filter(|step| is_as_planned(&cache, step)).map(|step| step.at.clone()).collect())
}

/// An environment of the cache that uses what a step removes, and was not removed before it.
fn stays<'a>(step: &'a Step, outcomes: &[Outcome]) -> Option<&'a At> {
    let is_gone = |user: &At| outcomes.iter().any(|it| it.at == *user && it.state == State::Done);
    step.users().iter().find(|user| !user.path().is_absolute() && !is_gone(user))
}

/// The directories in which what a plan removes lies.
fn holding(plan: &Plan) -> BTreeSet<PathBuf> {
    let places = plan.steps.iter().flat_map(|step| {
        let pointers = step.pointers().iter().map(|pointer| &pointer.at);
        step.places().chain(pointers).chain(step.objects().iter().map(|object| &object.at))
    });
    let own = places.filter_map(|at| Some(at.path().parent()?.to_owned()));
    own.chain([PathBuf::from(in_place::PROBE)]).collect()
}

/// Whether two paths lead to one directory.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || crate::disk::canonical(one)
            .is_ok_and(|one| crate::disk::canonical(other).is_ok_and(|it| it == one))
}

pub(super) fn has_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Pruning<'_> {
    fn outcome(&mut self, number: usize, step: &Step, lock: &CacheExclusive) -> Outcome {
        let mut left = false;
        let result = if self.cancel.is_cancelled() {
            None
        } else if lock.still_valid() {
            let (result, stuck) = self.step(number, step);
            left = stuck;
            Some(result)
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
        Outcome { action: step.action, at: step.at.clone(), state, why, moved: left }
    }

    /// Does a step; tells whether something of it is left in the trash although it was not done.
    fn step(&mut self, number: usize, step: &Step) -> (Result<(), Trouble>, bool) {
        if step.action == Action::RemoveObjects {
            return (self.objects(step), false);
        }
        let looked = match self.look(number, step) {
            Ok(looked) => looked,
            Err(trouble) => return (Err(trouble), false),
        };
        if self.stuck.get(number).copied().unwrap_or_default() {
            return (self.delete(&looked), false);
        }
        let mut moved = Vec::new();
        match self.commit(&looked, &mut moved) {
            Ok(()) => (Ok(()), false),
            Err(trouble) => {
                let stuck = !put_back(moved);
                match trouble {
                    // There is some room, but not for every directory that the trash needs.
                    Trouble::Failed(error) if self.room && has_no_room(&error.source) && !stuck => {
                        self.room = false;
                        self.notes.push(NO_ROOM.to_owned());
                        (self.commit(&looked, &mut Vec::new()), false)
                    }
                    Trouble::Failed(error) if !stuck && in_place::is_stuck(self.cache.root(), &error) => {
                        match self.unmovable {
                            Unmovable::Delete => (self.delete(&looked), false),
                            Unmovable::Refuse => (Err(Trouble::Refused(in_place::STUCK.to_owned())), false),
                        }
                    }
                    trouble => (Err(trouble), stuck),
                }
            }
        }
    }

    /// Looks again at everything a step is about.
    fn look(&self, number: usize, step: &Step) -> Result<Looked, Trouble> {
        let (directory, name) = check::target(step)?;
        let place = if self.deleted.get() && self.proven.get(number).copied().unwrap_or_default() {
            check::there(&self.cache, &directory, name.as_os_str(), step.expects())?
        } else {
            check::tree(&self.cache, &directory, name.as_os_str(), step)?
        };
        // A cached environment may have been started in since.
        if step.action != Action::RemoveBucket && self.running.get(number).is_some_and(|it| !it.is_empty()) {
            return Err(Trouble::Stale("a process runs in it".to_owned()));
        }
        let mut pointers = Vec::new();
        for pointer in step.pointers() {
            let (directory, name) = check::pointer(&pointer.at.path())?;
            let place = match self.cache.directory(&directory, Missing::Fail) {
                Ok(place) => place,
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let found = place.find(name.as_os_str());
            match found.map_err(|error| Trouble::failed("look at", place.join(name.as_os_str()), error))? {
                None => {}
                Some(found) if !matches!(found.stat.kind, FileKind::File | FileKind::Symlink) => {
                    let text = pointer.at.text();
                    return Err(Trouble::Refused(format!("`{text}` is no file and no symlink")));
                }
                Some(found) if print::of(&found.stat) == pointer.expects => pointers.push((directory, name)),
                Some(_) => {
                    let text = pointer.at.text();
                    return Err(Trouble::Stale(format!("its pointer `{text}` has changed since the scan")));
                }
            }
        }
        let mut trees = Vec::new();
        for tree in step.trees() {
            let (directory, name) = check::other(tree)?;
            let place = check::same(&self.cache, &directory, name.as_os_str(), tree.expects)?;
            let name = name.into_os_string();
            trees.push(Looked {
                place,
                directory,
                name,
                expects: tree.expects,
                pointers: Vec::new(),
                trees: Vec::new(),
            });
        }
        Ok(Looked { place, directory, name: name.into_os_string(), expects: step.expects(), pointers, trees })
    }

    /// Removes the pointers, then what they lead to where it lies. From the first pointer on it cannot be put back.
    fn delete(&self, looked: &Looked) -> Result<(), Trouble> {
        self.deleted.set(true);
        for (directory, name) in &looked.pointers {
            let place = self.cache.directory(directory, Missing::Fail)?;
            let removed = place.remove_file(name.as_os_str());
            removed.map_err(|error| Trouble::failed("remove", place.join(name.as_os_str()), error))?;
        }
        for looked in std::iter::once(looked).chain(&looked.trees) {
            let expects = looked.expects;
            let Some(run) = &self.run else {
                away(&looked.place, &looked.name, (expects.device, expects.inode))?;
                continue;
            };
            let path = looked.directory.join(&looked.name);
            in_place::remove(self.cache.root(), &run.doomed(), &looked.place, &path, expects.identity())?;
        }
        Ok(())
    }

    /// Removes the pointers, then what they lead to. What was moved is told, so that it can be moved back.
    fn commit(&self, looked: &Looked, moved: &mut Vec<Moved>) -> Result<(), Trouble> {
        self.deleted.set(self.deleted.get() || self.trash().is_none());
        for (directory, name) in &looked.pointers {
            let place = self.cache.directory(directory, Missing::Fail)?;
            if let Some(run) = self.trash() {
                moved.push(self.park(run, &place, directory, name.as_os_str())?);
            } else {
                let removed = place.remove_file(name.as_os_str());
                removed.map_err(|error| Trouble::failed("remove", place.join(name.as_os_str()), error))?;
            }
        }
        for looked in std::iter::once(looked).chain(&looked.trees) {
            let expected = (looked.expects.device, looked.expects.inode);
            let Some(run) = self.trash() else {
                away(&looked.place, &looked.name, expected)?;
                continue;
            };
            let parked = self.park(run, &looked.place, &looked.directory, &looked.name)?;
            // Between the look and the rename something else may have taken its place, whatever lock is held.
            let found = parked.here.find(&looked.name).ok().flatten();
            let same = found.map(|found| (found.stat.device, found.stat.inode)) == Some(expected);
            moved.push(parked);
            if !same {
                return Err(Trouble::Stale("something else was put there meanwhile".to_owned()));
            }
        }
        Ok(())
    }

    /// Removes objects of the content-addressed store. One that somebody has come to use, or that is another by now, stays.
    fn objects(&mut self, step: &Step) -> Result<(), Trouble> {
        check::target(step)?;
        let store = step.at.path();
        let (mut gone, mut stay) = (0_u64, 0_u64);
        let mut directories = BTreeSet::new();
        for object in step.objects() {
            let (directory, name) = check::object(&store, &object.at.path())?;
            directories.insert(directory.clone());
            let place = match self.cache.directory(&directory, Missing::Fail) {
                Ok(place) => place,
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let is_it = |place: &Place| {
                let expects = &object.expects;
                place.find(name.as_os_str()).ok().flatten().is_some_and(|found| {
                    let now = print::of(&found.stat);
                    found.stat.kind == FileKind::File
                        && (now.device, now.inode, now.size, now.modified)
                            == (expects.device, expects.inode, expects.size, expects.modified)
                        && now.links <= expects.links
                })
            };
            if !is_it(&place) {
                stay += 1;
                continue;
            }
            if let Some(run) = self.trash() {
                let moved = self.park(run, &place, &directory, name.as_os_str())?;
                // Whoever linked it between the look and the rename keeps his file; the next one makes the object anew.
                if !is_it(&moved.here) {
                    put_back(vec![moved]);
                    stay += 1;
                    continue;
                }
            } else {
                let removed = place.remove_file(name.as_os_str());
                removed.map_err(|error| Trouble::failed("remove", place.join(name.as_os_str()), error))?;
            }
            gone += 1;
        }
        // uv's own prune would remove those that are empty; one that is not stays.
        if let Ok(place) = self.cache.directory(&store, Missing::Fail) {
            for name in directories.iter().filter_map(|directory| directory.file_name()) {
                drop(place.remove_directory(name));
            }
        }
        if gone == 0 && stay > 0 {
            return Err(Trouble::Stale("all of it is in use again".to_owned()));
        }
        if stay > 0 {
            let files = crate::human::counted(stay, "file", "files");
            self.notes
                .push(format!("{files} of `{}` have come into use since the scan and stay.", step.at.text()));
        }
        Ok(())
    }

    fn trash(&self) -> Option<&trash::Run> {
        self.run.as_ref().filter(|_| self.room)
    }

    /// Moves something into the trash. After an error it is where it was.
    fn park(&self, run: &trash::Run, place: &Place, directory: &Path, name: &OsStr) -> Result<Moved, Error> {
        let again = |error| Error::new("open the directory", place.path(), error);
        let from = place.again().map_err(again)?;
        let here = run.take(self.cache.root(), place, directory, name)?;
        Ok(Moved { from, here, name: name.to_owned() })
    }
}

/// What a step is about, after it was looked at again.
struct Looked {
    place: Place,
    directory: PathBuf,
    name: OsString,
    expects: TreePrint,
    /// Directories and names of the pointers that are there.
    pointers: Vec<(PathBuf, PathBuf)>,
    /// What goes after it.
    trees: Vec<Looked>,
}

/// Moves everything back, what was moved last first, so that an entry is there before its pointers. Tells whether all of
/// it is back.
fn put_back(moved: Vec<Moved>) -> bool {
    let mut all = true;
    for Moved { from, here, name } in moved.into_iter().rev() {
        all &= here.move_new(&name, &from, &name).is_ok();
    }
    all
}

/// Removes a tree where there is no room for a trash: under another name first, which uv does not know, so that nobody
/// meets half of it.
pub(super) fn away(place: &Place, name: &OsStr, expected: (u64, u64)) -> Result<(), Trouble> {
    let hidden = same_length(name);
    let moved = place.move_new(name, place, &hidden);
    moved.map_err(|error| Trouble::failed("rename", place.join(name), error))?;
    let found = place.find(&hidden).ok().flatten().map(|found| (found.stat.device, found.stat.inode));
    if found != Some(expected) {
        let back = place.move_new(&hidden, place, name);
        back.map_err(|error| Trouble::failed("rename back", place.join(&hidden), error))?;
        return Err(Trouble::Stale("something else was put there meanwhile".to_owned()));
    }
    purge::remove(place, &hidden, &Cancel::default(), &Progress::default())?;
    Ok(())
}

/// Another name of the same length: a longer one might need a block that is not there.
fn same_length(name: &OsStr) -> OsString {
    const LETTERS: &[u8; 16] = b"0123456789abcdef";
    let text = temporary::temporary_name();
    let random = text.as_encoded_bytes().iter().rev().skip(".tmp".len()).copied();
    let wanted = name.len().max(2);
    let tail = random.chain(LETTERS.iter().copied().cycle()).take(wanted - 1);
    std::iter::once('.').chain(tail.map(char::from)).collect::<String>().into()
}
