//! Takes the locks, links, has uv fetch, and links what that brought.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::apply::State;
use crate::apply::repair::{self as apply, RepairOutcome, RepairReport};
use crate::cli::act::{self, Locked};
use crate::cli::args::Places;
use crate::cli::failure::{BUSY, Failure, INTERRUPTED};
use crate::cli::print::View;
use crate::cli::progress;
use crate::cli::surroundings::Surroundings;
use crate::control::Counts;
use crate::human;
use crate::lock::{CacheExclusive, CacheShared, EnvironmentExclusive, HoldsCache as _, Sign};
use crate::plan::At;
use crate::plan::repair::{Fetch, RepairAction, RepairPlan, RepairRequest, RepairStep, repair};
use crate::snapshot::{EnvironmentIndex, Snapshot};
use crate::worker;

/// What mending needs to know.
pub(super) struct Ground<'a> {
    pub(super) places: &'a Places,
    pub(super) surroundings: &'a Surroundings,
    pub(super) view: &'a View,
    pub(super) snapshot: &'a Snapshot,
    pub(super) environments: &'a [EnvironmentIndex],
    /// The present cache, then those that were named.
    pub(super) caches: Vec<PathBuf>,
    pub(super) dead_links: &'a [PathBuf],
}

/// What became of a plan.
#[derive(Default)]
pub(super) struct Done {
    pub(super) report: RepairReport,
    pub(super) interrupted: bool,
    /// The first lock that was not to be had, as the program's end.
    pub(super) refused: Option<Failure>,
}

impl Done {
    /// Takes note of a lock that was not to be had: of several, the first that somebody else holds.
    fn refuse<'a>(
        &mut self,
        failure: Failure,
        steps: impl Iterator<Item = &'a RepairStep>,
    ) -> impl Iterator<Item = RepairOutcome> {
        let is_stopped = failure.code() == INTERRUPTED;
        let state = if is_stopped { State::Cancelled } else { State::Failed };
        let why = (!is_stopped).then(|| failure.text());
        self.interrupted |= is_stopped;
        let is_busy = |failure: &Failure| failure.code() == BUSY;
        if !is_stopped && self.refused.as_ref().is_none_or(|it| is_busy(&failure) && !is_busy(it)) {
            self.refused = Some(failure);
        }
        steps.map(move |step| RepairOutcome::ended(step, state, why.clone()))
    }
}

/// What tells one call of uv from another: the requirement, the interpreter and the directory.
type Call = (String, At, At);

fn call_of(fetch: &Fetch) -> Call {
    (fetch.requirement.clone(), fetch.python.clone(), fetch.directory.clone())
}

impl Ground<'_> {
    /// Carries a plan out.
    pub(super) fn carry_out(&self, plan: &RepairPlan) -> Done {
        let mut done = Done::default();
        let (fetch, link): (Vec<_>, Vec<_>) =
            plan.steps.iter().cloned().partition(|step| step.action == RepairAction::Fetch);
        let mut outcomes = self.link(&link, &mut done);
        if done.interrupted {
            outcomes.extend(fetch.iter().map(|step| RepairOutcome::ended(step, State::Cancelled, None)));
        } else if !fetch.is_empty() {
            match self.fetched(plan, &fetch, &mut done) {
                Ok(fetched) => outcomes.extend(fetched),
                Err(failure) => outcomes.extend(done.refuse(failure, fetch.iter())),
            }
        }
        done.report.outcomes = ordered(plan, outcomes);
        done
    }

    /// Links the files of steps, environment by environment.
    fn link(&self, steps: &[RepairStep], done: &mut Done) -> Vec<RepairOutcome> {
        if steps.is_empty() {
            return Vec::new();
        }
        let used: BTreeSet<PathBuf> = steps.iter().map(|step| step.cache.path()).collect();
        let mut caches = Vec::new();
        for cache in &used {
            let locked = act::locked(self.places, self.surroundings, self.view, |directory, waiting| {
                CacheShared::acquire(cache, directory, waiting)
            });
            let Locked { guard, notes } = match locked {
                Ok(locked) => locked,
                Err(failure) => return done.refuse(failure, steps.iter()).collect(),
            };
            done.report.notes.extend(notes.into_iter().chain(guard.notes().iter().cloned()));
            caches.push(guard);
        }
        let roots: BTreeSet<PathBuf> = steps.iter().map(|step| step.at.path()).collect();
        let mut outcomes = Vec::new();
        for root in &roots {
            let of_root = || steps.iter().filter(|step| step.at.path() == *root);
            if done.interrupted {
                outcomes.extend(of_root().map(|step| RepairOutcome::ended(step, State::Cancelled, None)));
                continue;
            }
            match self.environment(root, steps, &caches, done) {
                Ok(of_root) => outcomes.extend(of_root),
                Err(failure) => outcomes.extend(done.refuse(failure, of_root())),
            }
        }
        outcomes
    }

    fn environment(
        &self,
        root: &Path,
        steps: &[RepairStep],
        caches: &[CacheShared],
        done: &mut Done,
    ) -> Result<Vec<RepairOutcome>, Failure> {
        // What was found without it was named by somebody, or is conda's.
        let sign = if root.join("pyvenv.cfg").is_file() { Sign::PyvenvCfg } else { Sign::Target };
        let Locked { guard, notes } =
            act::locked(self.places, self.surroundings, self.view, |directory, waiting| {
                EnvironmentExclusive::acquire(root, sign, &caches[0], directory, waiting)
            })?;
        done.report.notes.extend(notes.into_iter().chain(guard.notes().iter().cloned()));
        let describe = |counts: Counts| format!("Linking: {}", human::counted(counts.files, "file", "files"));
        let watch = |task: &worker::Task<Vec<RepairOutcome>>| {
            progress::task(task, describe, self.surroundings, self.view.quiet)
        };
        let link = |cancel: &_, progress: &_| apply::link(steps, &guard, caches, cancel, progress);
        let (outcomes, interrupted) = worker::within(link, watch)?;
        done.interrupted |= interrupted;
        Ok(outcomes)
    }

    /// Has uv fetch what steps ask for, and links it.
    fn fetched(
        &self,
        plan: &RepairPlan,
        steps: &[RepairStep],
        done: &mut Done,
    ) -> Result<Vec<RepairOutcome>, Failure> {
        self.clear(steps, done)?;
        let said = self.uv(steps, done)?;
        let cancelled = || steps.iter().map(|step| RepairOutcome::ended(step, State::Cancelled, None));
        if done.interrupted {
            return Ok(cancelled().collect());
        }
        // What the cache has now; what was linked before is whole, and not in the plan again.
        let facts = self.gather()?;
        let again = repair(&facts, &RepairRequest { with_uv: false, ..plan.request.clone() });
        let is_of = |step: &RepairStep, at: &At, name: Option<&str>, version: Option<&str>| {
            step.at == *at && Some(step.name.as_str()) == name && Some(step.version.as_str()) == version
        };
        let mut links = again.steps;
        links.retain(|it| steps.iter().any(|step| is_of(step, &it.at, Some(&it.name), Some(&it.version))));
        let linked = self.link(&links, done);
        let mut outcomes = Vec::new();
        for step in steps {
            let mut outcome = RepairOutcome::ended(step, State::Done, None);
            let own = linked.iter().filter(|it| is_of(step, &it.at, Some(&it.name), Some(&it.version)));
            own.for_each(|it| outcome.add(it));
            let mut left = again
                .kept
                .iter()
                .filter(|left| {
                    left.files.iter().any(|file| step.files.iter().any(|it| it.at == *file))
                        && is_of(step, &left.at, left.name.as_deref(), left.version.as_deref())
                })
                .peekable();
            if left.peek().is_some() && outcome.state == State::Done {
                let why = step.fetch.as_ref().and_then(|fetch| said.get(&call_of(fetch)).cloned().flatten());
                outcome.state = State::Failed;
                outcome.why = Some(why.unwrap_or_else(|| "what uv fetched has not its content".to_owned()));
            }
            done.report.kept.extend(left.cloned());
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Removes pointers that uv would fail on.
    fn clear(&self, steps: &[RepairStep], done: &mut Done) -> Result<(), Failure> {
        let mut pointers: Vec<_> =
            steps.iter().filter_map(|step| step.fetch.as_ref()).flat_map(|it| &it.pointers).collect();
        pointers.sort_unstable_by(|one, other| one.at.cmp(&other.at));
        pointers.dedup();
        if pointers.is_empty() {
            return Ok(());
        }
        let pointers: Vec<_> = pointers.into_iter().cloned().collect();
        let Locked { guard, notes } =
            act::locked(self.places, self.surroundings, self.view, |directory, waiting| {
                CacheExclusive::acquire(&self.caches[0], directory, waiting)
            })?;
        done.report.notes.extend(notes.into_iter().chain(guard.notes().iter().cloned()));
        // The lock goes before uv is called, which would wait for it.
        done.report.notes.extend(apply::clear(&pointers, &guard));
        Ok(())
    }

    /// Calls uv: for each interpreter and directory once, and where that fails for each distribution. Answers with what it
    /// said where it failed.
    fn uv(&self, steps: &[RepairStep], done: &mut Done) -> Result<BTreeMap<Call, Option<String>>, Failure> {
        let mut groups: BTreeMap<(&At, &At), Vec<&Fetch>> = BTreeMap::new();
        for fetch in steps.iter().filter_map(|step| step.fetch.as_ref()) {
            let group = groups.entry((&fetch.python, &fetch.directory)).or_default();
            if !group.contains(&fetch) {
                group.push(fetch);
            }
        }
        let mut said = BTreeMap::new();
        for group in groups.into_values() {
            let failed = self.call(&group, done)?;
            if failed.is_none() || group.len() == 1 {
                said.extend(group.into_iter().map(|fetch| (call_of(fetch), failed.clone())));
                continue;
            }
            for fetch in group {
                let failed = self.call(&[fetch], done)?;
                said.insert(call_of(fetch), failed);
            }
        }
        Ok(said)
    }

    fn call(&self, group: &[&Fetch], done: &mut Done) -> Result<Option<String>, Failure> {
        let Some(first) = group.first().filter(|_| !done.interrupted) else { return Ok(None) };
        let requirements: Vec<String> = group.iter().map(|fetch| fetch.requirement.clone()).collect();
        let (python, directory) = (first.python.path(), first.directory.path());
        let fetching = apply::fetch::Fetching {
            uv: self.surroundings.variable("UV").unwrap_or(OsStr::new("uv")),
            cache: &self.caches[0],
            requirements: &requirements,
            python: &python,
            directory: &directory,
            temporary: &self.surroundings.temporary,
            sleep: &std::thread::sleep,
        };
        let what = match requirements.as_slice() {
            [one] => human::escape(one).into_owned(),
            many => human::counted(many.len() as u64, "distribution", "distributions"),
        };
        let watch = |task: &worker::Task<_>| {
            let describe = |_| format!("uv fetches {what}");
            progress::task(task, describe, self.surroundings, self.view.quiet)
        };
        let (fetched, interrupted) = worker::within(|cancel, _| apply::fetch(&fetching, cancel), watch)?;
        done.interrupted |= interrupted;
        Ok(fetched.err().map(|error| match &error {
            apply::fetch::FetchError::Failed(inner) => {
                format!("{inner}: {}", crate::disk::error::words(&inner.source))
            }
            other => other.to_string(),
        }))
    }
}

/// What became of each step, in the plan's order: a distribution may have a step for each entry.
fn ordered(plan: &RepairPlan, outcomes: Vec<RepairOutcome>) -> Vec<RepairOutcome> {
    let mut left: Vec<Option<RepairOutcome>> = outcomes.into_iter().map(Some).collect();
    let mut ordered = Vec::new();
    for step in &plan.steps {
        let is_it = |outcome: &&mut Option<RepairOutcome>| {
            outcome.as_ref().is_some_and(|it| {
                (it.action, &it.at, &it.name, &it.version)
                    == (step.action, &step.at, &step.name, &step.version)
            })
        };
        ordered.extend(left.iter_mut().find(is_it).and_then(Option::take));
    }
    ordered
}
