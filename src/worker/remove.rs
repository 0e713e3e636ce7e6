//! Removing environments: what speaks against each, the locks, the work environment by environment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::host::Host;
use crate::apply::beside::{self, Whole};
use crate::apply::prune::NO_ROOM;
use crate::apply::remove::{self, Refusal, Removing};
use crate::apply::{Outcome, Run, State};
use crate::disk::{FileStat, processes, volume};
use crate::lock::{EnvironmentExclusive, HoldsCache, Refused};
use crate::plan::{
    Action, Allowance, At, Class, Kept, KeptBecause, Plan, Remove, Request, Step, against_removal,
    kept_environment, plan as planned,
};
use crate::scan::foreign::{self, Inside};
use crate::snapshot::{EnvironmentIndex, Snapshot};

/// What came of it.
#[derive(Debug, Default)]
pub struct Removed {
    /// What became of the steps that remove environments outside of the cache.
    pub outcomes: Vec<Outcome>,
    /// Where the environments lie now; none where nothing was removed.
    pub whole: Option<Whole>,
    /// Whether something is deleted already, for which there was no room in a trash.
    pub unmeasured: bool,
    /// The first environment whose lock another process holds.
    pub busy: Option<Refused>,
}

/// The plan to remove some environments, as a request says that has none yet. What is in them and who runs there was looked at.
/// `program` is this program's, whose environment stays.
pub fn plan_for(
    snapshot: &Snapshot,
    chosen: &[EnvironmentIndex],
    mut request: Remove,
    program: Option<&Path>,
) -> Plan {
    let (environments, kept) = looked_at(snapshot, chosen, &request.allow, program);
    request.environments = environments;
    let mut plan = planned(snapshot, &Request::Remove(request));
    plan.kept.extend(kept);
    plan
}

/// Looks at what is in some environments, and who runs there: those that may go as far as that is concerned, and what is kept.
pub fn looked_at(
    snapshot: &Snapshot,
    chosen: &[EnvironmentIndex],
    allow: &BTreeSet<Allowance>,
    program: Option<&Path>,
) -> (Vec<At>, Vec<Kept>) {
    let root = |index: EnvironmentIndex| snapshot.environment(index).path.clone();
    let (looked, others): (Vec<EnvironmentIndex>, Vec<EnvironmentIndex>) =
        chosen.iter().partition(|index| against_removal(snapshot.environment(**index)).is_none());
    let paths: Vec<PathBuf> = looked.iter().map(|index| root(*index)).collect();
    let found = look(&paths, &snapshot.cache.canonical, allow);
    let mut environments: Vec<At> = others.iter().map(|index| At::new(&root(*index))).collect();
    let mut kept = Vec::new();
    let program = program.and_then(|path| crate::disk::canonical(path).ok());
    for ((index, path), against) in looked.iter().zip(&paths).zip(found) {
        let is_own = program.as_ref().is_some_and(|program| program.starts_with(path));
        let own = is_own.then(|| KeptBecause::Never { why: "cachetui runs from it".to_owned() });
        match own.or(against) {
            None => environments.push(At::new(path)),
            Some(because) => kept.push(kept_environment(snapshot.environment(*index), because)),
        }
    }
    (environments, kept)
}

/// What speaks against removing the environments at some paths, by what is in them and who runs there; nothing for those that may go.
pub fn look(paths: &[PathBuf], cache: &Path, allow: &BTreeSet<Allowance>) -> Vec<Option<KeptBecause>> {
    let running = processes::within_or_on_path(paths);
    let against = |(path, processes): (&PathBuf, Vec<u32>)| {
        if let Some(why) = foreign::never(path, cache) {
            return Some(KeptBecause::Never { why: why.to_owned() });
        }
        if !processes.is_empty() {
            return Some(KeptBecause::Running { processes });
        }
        if is_mount(path) {
            return Some(KeptBecause::Mounted);
        }
        let named = |paths: &[PathBuf]| paths.iter().map(|path| At::new(path)).collect();
        match foreign::inside(path) {
            Ok(Inside { others, .. }) if !others.is_empty() => {
                Some(KeptBecause::Holds { what: named(&others) })
            }
            Ok(_) if allow.contains(&Allowance::ForeignFiles) => None,
            Ok(Inside { foreign, .. }) if foreign.is_empty() => None,
            Ok(Inside { foreign, .. }) => Some(KeptBecause::Foreign { what: named(&foreign) }),
            Err(_) => Some(KeptBecause::Unread),
        }
    };
    paths.iter().zip(running).map(against).collect()
}

/// Whether something is mounted at a path.
fn is_mount(path: &Path) -> bool {
    let Some(above) = path.parent() else { return true };
    let device = |path: &Path| FileStat::of(path).ok().map(|stat| stat.device);
    let differ =
        |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one != other);
    differ(device(path), device(above)) || differ(volume::mount(path), volume::mount(above))
}

/// How the lock of an environment is taken that another process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It is waited for.
    Yes,
    /// The environment stays: others wait for the cache meanwhile.
    No,
}

/// Moves the environments of a plan into the trash beside them. `state` is where it is noted that they lie there; `keep`, whether
/// they stay in the trash, so that one that cannot be noted is not removed.
pub fn environments(
    plan: &Plan,
    cache: &impl HoldsCache,
    state: Option<&Path>,
    keep: bool,
    wait: Wait,
    host: &Host<'_>,
) -> Removed {
    let mut removed = Removed::default();
    let mut removing = Removing { now: host.now(), run: None, keep };
    for step in plan.steps.iter().filter(|step| !step.is_in_cache()) {
        let needed = still_needed(step, &removed.outcomes);
        let mut ended = |state, why| {
            let (action, at) = (step.action, step.at.clone());
            removed.outcomes.push(Outcome { action, at, state, why, moved: false });
        };
        if host.cancel.is_cancelled() {
            ended(State::Cancelled, None);
            continue;
        }
        if let Some(user) = needed {
            ended(State::Stale, Some(format!("`{}` needs it, and stays", user.text())));
            continue;
        }
        let directory = match remove::directory(step, cache.cache()) {
            Ok(directory) => directory,
            Err(Refusal(why)) => {
                ended(State::Failed, Some(why));
                continue;
            }
        };
        let lock = match lock(step, cache, wait, host) {
            Ok(lock) => lock,
            Err(Refused::Cancelled { .. }) => {
                ended(State::Cancelled, None);
                continue;
            }
            Err(refused) => {
                ended(State::Failed, Some(super::chain(&refused)));
                if refused.is_busy() {
                    removed.busy.get_or_insert(refused);
                }
                continue;
            }
        };
        host.working("removing");
        let noted = state.map(|state| beside::note(state, &directory, cache.cache(), keep));
        let unnoted = match noted {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(super::chain(&error)),
            None => Some("there is no state directory".to_owned()),
        };
        if let Some(why) = unnoted.filter(|_| keep) {
            ended(State::Failed, Some(format!("nothing would know what is in its trash: {why}")));
            continue;
        }
        let done = match lock {
            Some(lock) => remove::environment(plan, step, lock, &mut removing),
            None => remove::link(plan, step, &mut removing),
        };
        match done {
            Ok(run) => {
                ended(State::Done, None);
                host.progress.add_environment();
                if let Some(run) = run {
                    add(&mut removed.whole, run, directory);
                } else {
                    removed.unmeasured = true;
                    host.note(NO_ROOM.to_owned());
                }
            }
            Err((state_of, why)) => {
                ended(state_of, Some(why));
                if let Some(state) = state {
                    beside::forget(state, &directory, cache.cache());
                }
            }
        }
    }
    removed
}

/// An environment that needs the one of a step, and was not removed before.
fn still_needed<'a>(step: &'a Step, outcomes: &[Outcome]) -> Option<&'a At> {
    let is_gone = |user: &At| outcomes.iter().any(|it| it.at == *user && it.state == State::Done);
    step.users().iter().find(|user| !is_gone(user))
}

/// Takes the lock of an environment. A link to one has none.
fn lock<'cache>(
    step: &Step,
    cache: &'cache impl HoldsCache,
    wait: Wait,
    host: &Host<'_>,
) -> Result<Option<EnvironmentExclusive<'cache>>, Refused> {
    match step.action {
        Action::RemoveLink => Ok(None),
        _ if wait == Wait::No => host.environment_at_once(&step.at.path(), cache).map(Some),
        _ => host.environment(&step.at.path(), cache).map(Some),
    }
}

fn add(whole: &mut Option<Whole>, run: Run, directory: PathBuf) {
    let whole =
        whole.get_or_insert_with(|| Whole { run, in_cache: false, beside: Vec::new(), environments: 0 });
    whole.environments += 1;
    if !whole.beside.contains(&directory) {
        whole.beside.push(directory);
    }
}

/// The part of a plan that changes the cache, without the entries of environments that stayed; and what became of those.
pub fn rest(plan: &Plan, outcomes: &[Outcome]) -> (Plan, Vec<Outcome>) {
    let gone: BTreeSet<&At> =
        outcomes.iter().filter(|it| it.state == State::Done).map(|outcome| &outcome.at).collect();
    let stays = |step: &Step| {
        // Those of the cache go with it.
        let stayed = step.users().iter().find(|user| user.path().is_absolute() && !gone.contains(user));
        stayed
            // What was named goes although it is used.
            .filter(|_| step.class() != Some(Class::Named))
            .map(|user| format!("`{}` uses it", user.text()))
    };
    let mut left = Vec::new();
    let mut rest = plan.clone();
    rest.steps.retain(|step| {
        if !step.is_in_cache() {
            return false;
        }
        match stays(step) {
            None => true,
            Some(why) => {
                left.push(super::again::stale(step, why));
                false
            }
        }
    });
    if !left.is_empty() {
        // What an entry that stays is linked to stays too.
        super::again::drop_objects(&mut rest, &mut left);
    }
    (rest, left)
}
