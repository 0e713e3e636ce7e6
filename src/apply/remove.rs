//! Removes environments: one rename each into a trash beside it, which lies on the same mount.
//!
//! Whoever removes an environment holds its lock and its cache's. Everything that speaks against it is looked at again under the
//! lock: what lies in it, who runs in it, and whether it is the directory that was planned.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::ground;
use super::prune::{Trouble, away, has_no_room};
use super::report::State;
use super::trash::{self, Run};
use crate::disk::{canonical, processes};
use crate::linker::Root;
use crate::lock::EnvironmentExclusive;
use crate::plan::{Action, Allowance, Plan, Step};
use crate::scan::foreign::foreign;
use crate::scan::print;

/// What a run works with.
#[derive(Clone, Debug)]
pub struct Removing {
    /// The time of the run, by which its trash is named.
    pub now: Timestamp,
    /// The run, once something was removed.
    pub run: Option<Run>,
    /// Whether what is removed is to be put back some day.
    pub keep: bool,
}

/// The directory in which an environment lies, every symlink resolved. The trash of the environment lies in it.
///
/// # Errors
/// When the path is one that no environment outside of a cache has, or cannot be found.
pub fn directory(step: &Step) -> Result<PathBuf, Refusal> {
    let path = step.at.path();
    let refused = || Refusal(format!("a plan cannot {} `{}`", step.action.word(), step.at.text()));
    let is_one = step.action == Action::RemoveEnvironment
        && !step.is_in_cache()
        && step.pointers.is_empty()
        && step.objects.is_empty()
        && !crate::uv::bucket::lies_in_one(&path);
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
    environment: &EnvironmentExclusive<'_>,
    removing: &mut Removing,
) -> Result<Option<Run>, (State, String)> {
    take(plan, step, environment, removing).map_err(Trouble::told)
}

fn take(
    plan: &Plan,
    step: &Step,
    environment: &EnvironmentExclusive<'_>,
    removing: &mut Removing,
) -> Result<Option<Run>, Trouble> {
    let above = directory(step).map_err(|Refusal(why)| Trouble::Refused(why))?;
    let path = step.at.path();
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let held = ground::open(environment)?;
    let above = Root::open(&above)?;
    let here = above.place().find(name).map_err(|error| Trouble::failed("look at", path.clone(), error))?;
    let expected = (step.expects.device, step.expects.inode);
    let own = held.place().own_stat().map_err(|error| Trouble::failed("look at", path.clone(), error))?;
    let is_it = here.is_some_and(|here| (here.stat.device, here.stat.inode) == expected);
    if !is_it || (own.device, own.inode) != expected {
        return Err(Trouble::Stale("another directory has taken its place".to_owned()));
    }
    if held.place().mount().zip(above.place().mount()).is_some_and(|(one, other)| one != other) {
        return Err(Trouble::Refused("something is mounted at it".to_owned()));
    }
    look(plan, step, &path)?;
    if !environment.still_valid() {
        return Err(Trouble::Stale("its lock file was replaced".to_owned()));
    }
    let run = match &removing.run {
        Some(run) if run.is_there(&above) => run.clone(),
        other => match Run::begin(&above, removing.now, other.as_ref()) {
            Ok(run) => run,
            Err(error) if has_no_room(&error.source) && !removing.keep => {
                away(above.place(), name, expected)?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        },
    };
    let held = trash::hold(&above)?;
    let taken = run.take(&above, above.place(), Path::new(""), name);
    drop(held);
    let there = taken.inspect_err(|_| super::purge::tidy(&above, &run))?;
    // Between the look and the rename another directory may have taken its place.
    let found = there.find(name).ok().flatten().map(|found| (found.stat.device, found.stat.inode));
    if found != Some(expected) {
        let back = there.move_new(name, above.place(), name);
        super::purge::tidy(&above, &run);
        back.map_err(|error| Trouble::failed("move back", there.join(name), error))?;
        return Err(Trouble::Stale("another directory has taken its place".to_owned()));
    }
    removing.run.get_or_insert_with(|| run.clone());
    Ok(Some(run))
}

/// Looks again at what is in an environment, and who runs in it.
fn look(plan: &Plan, step: &Step, path: &Path) -> Result<(), Trouble> {
    match print::environment(path) {
        Some(now) if now == step.expects => {}
        Some(_) => return Err(Trouble::Stale("it has changed since the scan".to_owned())),
        None => {
            return Err(Trouble::Stale("something in it could not be read, or is mounted there".to_owned()));
        }
    }
    let allowed = plan.request.allows();
    if !allowed.contains(&Allowance::ForeignFiles) {
        let found = foreign(path).map_err(|error| Trouble::failed("read", path.to_owned(), error))?;
        if let Some(first) = found.first() {
            let shown = first.display();
            return Err(Trouble::Refused(format!("no environment has `{shown}`, which is in it")));
        }
    }
    let running = processes::within_or_on_path(std::slice::from_ref(&path.to_owned()));
    match running.first().and_then(|processes| processes.first()) {
        Some(process) => Err(Trouble::Stale(format!("process {process} runs in it"))),
        None => Ok(()),
    }
}
