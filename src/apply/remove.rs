//! Removes environments: one rename each into a trash beside it, which lies on the same mount.
//!
//! The lock of the environment and that of its cache are held. Everything that speaks against it is looked at again under the
//! lock: what lies in it, who runs in it, and whether it is the directory that was planned.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::ground;
use super::prune::{Trouble, away, has_no_room};
use super::report::State;
use super::trash::{self, Run};
use crate::disk::{FileKind, FileStat, canonical, processes};
use crate::linker::Root;
use crate::lock::EnvironmentExclusive;
use crate::plan::{Action, Allowance, Plan, Step};
use crate::scan::{belonging, foreign, print};

/// What a run works with.
#[derive(Clone, Debug)]
pub struct Removing {
    /// The time of the run, by which its trash is named.
    pub now: Timestamp,
    /// The run, once something was removed.
    pub run: Option<Run>,
    /// Whether what is removed is kept in the trash.
    pub keep: bool,
}

/// The directory in which an environment or a link to one lies, every symlink resolved. The trash of it lies in it.
///
/// # Errors
/// When the path is one that nothing outside of a cache has that a plan may remove so, or cannot be found.
pub fn directory(step: &Step, cache: &Path) -> Result<PathBuf, Refusal> {
    let path = step.at.path();
    let refused = || Refusal(format!("a plan cannot {} `{}`", step.action.word(), step.at.text()));
    let is_one = matches!(step.action, Action::RemoveEnvironment | Action::RemoveLink)
        && !step.is_in_cache()
        && step.pointers().is_empty()
        && step.objects().is_empty();
    if let Some(why) = foreign::never(&path, cache).filter(|_| is_one) {
        return Err(Refusal(why.to_owned()));
    }
    let above = path.parent().filter(|_| is_one && path.file_name().is_some()).ok_or_else(refused)?;
    canonical(above).map_err(|error| {
        let shown = crate::human::escape_os(above.as_os_str());
        Refusal(format!("Failed to find `{shown}`: {}", crate::disk::error::words(&error)))
    })
}

/// Why a step is not done, as a sentence. Not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// Moves the environment of a step into the trash beside it. Answers with the run whose trash it is; none where there was no room
/// for one, so that the environment is deleted already.
///
/// # Errors
/// How the step ended when it was not done, and why. Not escaped.
pub fn environment(
    plan: &Plan,
    step: &Step,
    environment: EnvironmentExclusive<'_>,
    removing: &mut Removing,
) -> Result<Option<Run>, (State, String)> {
    take_environment(plan, step, environment, removing).map_err(Trouble::told)
}

/// Moves a link to an environment into the trash beside it, likewise. What it leads to stays.
///
/// # Errors
/// As for [`environment`].
pub fn link(plan: &Plan, step: &Step, removing: &mut Removing) -> Result<Option<Run>, (State, String)> {
    take_link(plan, step, removing).map_err(Trouble::told)
}

fn take_environment(
    plan: &Plan,
    step: &Step,
    environment: EnvironmentExclusive<'_>,
    removing: &mut Removing,
) -> Result<Option<Run>, Trouble> {
    let above = above(step, &plan.cache.path())?;
    let path = step.at.path();
    let found = find(&above, step)?;
    let held = ground::open(&environment)?;
    let own = held.place().own_stat().map_err(|error| Trouble::failed("look at", path.clone(), error))?;
    if found.kind != FileKind::Directory || (own.device, own.inode) != (found.device, found.inode) {
        return Err(Trouble::Stale(ANOTHER.to_owned()));
    }
    if held.place().mount().zip(above.place().mount()).is_some_and(|(one, other)| one != other) {
        return Err(Trouble::Refused("something is mounted at it".to_owned()));
    }
    drop(held);
    look(plan, step, &path)?;
    if !environment.still_valid() {
        return Err(Trouble::Stale("its lock file was replaced".to_owned()));
    }
    // Windows renames no directory in which a file is open, and the lock file lies in it.
    let environment = if cfg!(windows) {
        drop(environment);
        None
    } else {
        Some(environment)
    };
    let run = take(&above, step, removing);
    drop(environment);
    run
}

fn take_link(plan: &Plan, step: &Step, removing: &mut Removing) -> Result<Option<Run>, Trouble> {
    let above = above(step, &plan.cache.path())?;
    let found = find(&above, step)?;
    if found.kind == FileKind::Directory || belonging::link(&step.at.path()).is_none() {
        return Err(Trouble::Refused("it is no link to an environment".to_owned()));
    }
    if (found.size, found.modified.0) != (step.expects().logical, step.expects().newest) {
        return Err(Trouble::Stale("it has changed since the scan".to_owned()));
    }
    take(&above, step, removing)
}

/// Opens the directory in which something lies.
fn above(step: &Step, cache: &Path) -> Result<Root, Trouble> {
    let above = directory(step, cache).map_err(|Refusal(why)| Trouble::Refused(why))?;
    Ok(Root::open(&above)?)
}

/// Finds what a step removes, which has to be what was planned.
fn find(above: &Root, step: &Step) -> Result<FileStat, Trouble> {
    let path = step.at.path();
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let found = above.place().find(name).map_err(|error| Trouble::failed("look at", path.clone(), error))?;
    let found = found.ok_or_else(|| Trouble::Stale("it is gone already".to_owned()))?.stat;
    if (found.device, found.inode) == (step.expects().device, step.expects().inode) {
        Ok(found)
    } else {
        Err(Trouble::Stale(ANOTHER.to_owned()))
    }
}

const ANOTHER: &str = "something else has taken its place";

/// Moves what lies under a step's name into the trash.
fn take(above: &Root, step: &Step, removing: &mut Removing) -> Result<Option<Run>, Trouble> {
    let expected = (step.expects().device, step.expects().inode);
    let path = step.at.path();
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let run = match &removing.run {
        Some(run) if run.is_there(above) => run.clone(),
        other => match Run::begin_beside(above, removing.now, other.as_ref()) {
            Ok(run) => run,
            Err(error) if has_no_room(&error.source) && !removing.keep => {
                away(above.place(), name, expected)?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        },
    };
    let held = trash::hold(above).inspect_err(|_| super::purge::tidy(above, &run, []))?;
    let taken = run.take(above, above.place(), Path::new(""), name);
    drop(held);
    let there = taken.inspect_err(|_| super::purge::tidy(above, &run, []))?;
    // Between the look and the rename something else may have taken its place.
    let found = there.find(name).ok().flatten().map(|found| (found.stat.device, found.stat.inode));
    if found != Some(expected) {
        let back = there.move_new(name, above.place(), name);
        super::purge::tidy(above, &run, []);
        back.map_err(|error| Trouble::failed("move back", there.join(name), error))?;
        return Err(Trouble::Stale(ANOTHER.to_owned()));
    }
    removing.run.get_or_insert_with(|| run.clone());
    Ok(Some(run))
}

/// Looks again at what is in an environment, and who runs in it.
fn look(plan: &Plan, step: &Step, path: &Path) -> Result<(), Trouble> {
    match print::environment(path) {
        Some(now) if now == step.expects() => {}
        Some(_) => return Err(Trouble::Stale("it has changed since the scan".to_owned())),
        None => {
            return Err(Trouble::Stale("something in it could not be read, or is mounted there".to_owned()));
        }
    }
    let inside = foreign::inside(path).map_err(|error| Trouble::failed("read", path.to_owned(), error))?;
    if let Some(first) = inside.others.first() {
        let shown = first.display();
        return Err(Trouble::Refused(format!("`{shown}` in it is an environment or a cache of its own")));
    }
    let is_allowed = plan.request.allows().contains(&Allowance::ForeignFiles);
    if let Some(first) = inside.foreign.first().filter(|_| !is_allowed) {
        let shown = first.display();
        return Err(Trouble::Refused(format!("`{shown}` in it was not installed")));
    }
    let running = processes::within_or_on_path(std::slice::from_ref(&path.to_owned()));
    match running.first().and_then(|processes| processes.first()) {
        Some(process) => Err(Trouble::Stale(format!("process {process} runs in it"))),
        None => Ok(()),
    }
}
