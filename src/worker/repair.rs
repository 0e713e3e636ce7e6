//! Mending: what is broken and what could mend it, the locks, the links, what uv fetches, and the links to that.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::host::Host;
use crate::apply::State;
use crate::apply::repair::{self as apply, RepairOutcome, RepairReport};
use crate::disk::{error::words, walk};
use crate::human;
use crate::lock::{CacheShared, Refused};
use crate::plan::repair::{Fetch, repair};
use crate::plan::{Action, At, Kept, Plan, Repair, Request, Scope, Step};
use crate::scan::repair::{self as scan, Facts};
use crate::snapshot::{EnvironmentIndex, Snapshot};

/// What is to be mended, and with what.
#[derive(Clone, Debug)]
pub struct Mending {
    /// The cache and its environments as a scan found them.
    pub snapshot: Arc<Snapshot>,
    /// The environments.
    pub environments: Vec<EnvironmentIndex>,
    /// The present cache, then others that may have what is missing.
    pub caches: Vec<PathBuf>,
    /// `.venv` whose environments are gone.
    pub dead_links: Vec<PathBuf>,
    /// Whether the cache's own links are mended.
    pub links: bool,
    /// Whether the snapshot is an [outline](crate::scan::outline).
    pub outline: bool,
    /// Digests of files of the caches, which whoever looks a second time need not take again.
    pub hashed: Arc<scan::Hashed>,
    /// The program that fetches what no cache has, where it may.
    pub uv: OsString,
    /// Where the directory is made that it installs into, and that is thrown away.
    pub temporary: PathBuf,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Mended {
    /// What became of the plan.
    pub report: RepairReport,
    /// The first lock that was not to be had, one that somebody else holds before others.
    pub refused: Option<Refused>,
}

/// What tells one call of uv from another: the requirement, the interpreter and the directory.
type Call = (Vec<String>, String, At, At);

fn call_of(fetch: &Fetch) -> Call {
    (fetch.options.clone(), fetch.requirement.clone(), fetch.python.clone(), fetch.directory.clone())
}

/// Looks at what is broken, and at what could mend it. Nothing, if it was cancelled.
pub fn gather(mending: &Mending, host: &Host<'_>) -> Option<Facts> {
    host.working("comparing files with entries");
    mending.hashed.begin(host.clock());
    let request = scan::Request {
        snapshot: &mending.snapshot,
        environments: &mending.environments,
        caches: &mending.caches,
        dead_links: &mending.dead_links,
        links: mending.links,
        outline: mending.outline,
        hashed: &mending.hashed,
        threads: walk::threads(),
    };
    let facts = scan::gather(&request, host.cancel);
    (!host.cancel.is_cancelled()).then_some(facts)
}

/// The plan for what was found.
pub fn planned(facts: &Facts, mending: &Mending, request: &Repair) -> Plan {
    Plan { scope: Scope::of(&mending.snapshot), ..repair(facts, request) }
}

/// Carries a plan out. Cancelled, it ends after the file it is busy with.
pub fn carry_out(plan: &Plan, mending: &Mending, host: &Host<'_>) -> Mended {
    apply::sweep(&mending.temporary);
    let mut work = Work { mending, host, refused: None, kept: Vec::new() };
    let repairs = plan.repairs().map(|(step, _)| step);
    let (fetch, link): (Vec<&Step>, Vec<&Step>) = repairs.partition(|step| step.action == Action::Fetch);
    let mut outcomes = work.restore_links(plan);
    outcomes.extend(work.link(&link));
    if host.cancel.is_cancelled() {
        outcomes.extend(cancelled(&fetch));
    } else if !fetch.is_empty() {
        match work.fetched(plan, &fetch) {
            Ok(fetched) => outcomes.extend(fetched),
            Err(refused) => outcomes.extend(work.refuse(refused, fetch.iter().copied())),
        }
    }
    let Work { refused, kept, .. } = work;
    let mut report = RepairReport { outcomes: ordered(plan, outcomes), kept, notes: host.notes() };
    host.journal(plan, &report);
    report.notes.extend(host.notes());
    Mended { report, refused }
}

struct Work<'a> {
    mending: &'a Mending,
    host: &'a Host<'a>,
    refused: Option<Refused>,
    kept: Vec<Kept>,
}

impl Work<'_> {
    /// Takes note of a lock that was not to be had: of several, the first that somebody else holds. Answers how whatever
    /// needed it ends.
    fn note(&mut self, refused: Refused) -> (State, Option<String>) {
        let is_stopped = matches!(refused, Refused::Cancelled { .. });
        let state = if is_stopped { State::Cancelled } else { State::Failed };
        let why = (!is_stopped).then(|| super::chain(&refused));
        if !is_stopped && self.refused.as_ref().is_none_or(|it| refused.is_busy() && !it.is_busy()) {
            self.refused = Some(refused);
        }
        (state, why)
    }

    fn refuse<'step>(
        &mut self,
        refused: Refused,
        steps: impl Iterator<Item = &'step Step>,
    ) -> Vec<RepairOutcome> {
        let (state, why) = self.note(refused);
        steps.map(|step| RepairOutcome::ended(step, state, why.clone())).collect()
    }

    /// Writes the cache's own links anew, and gives its lock back before environments are touched.
    fn restore_links(&mut self, plan: &Plan) -> Vec<RepairOutcome> {
        let links: Vec<_> = plan.links().collect();
        if links.is_empty() {
            return Vec::new();
        }
        match self.host.alone(&self.mending.caches[0]) {
            Ok(lock) => {
                self.host.working("writing links of the cache");
                let now = self.host.now();
                apply::restore_links(&links, &lock, now, self.host.cancel, self.host.progress)
            }
            Err(refused) => self.refuse(refused, links.into_iter().map(|(step, _)| step)),
        }
    }

    /// Links the files of steps, environment by environment.
    fn link(&mut self, steps: &[&Step]) -> Vec<RepairOutcome> {
        let used: BTreeSet<PathBuf> =
            steps.iter().filter_map(|step| Some(step.repair()?.cache.path())).collect();
        let mut caches = Vec::new();
        for cache in &used {
            match self.host.shared(cache) {
                Ok(lock) => caches.push(lock),
                Err(refused) => return self.refuse(refused, steps.iter().copied()),
            }
        }
        let roots: BTreeSet<PathBuf> = steps.iter().map(|step| step.at.path()).collect();
        let mut outcomes = Vec::new();
        for root in &roots {
            let of_root = || steps.iter().copied().filter(|step| step.at.path() == *root);
            match self.environment(root, steps, &caches) {
                Ok(of_root) => outcomes.extend(of_root),
                Err(refused) => outcomes.extend(self.refuse(refused, of_root())),
            }
        }
        outcomes
    }

    fn environment(
        &self,
        root: &Path,
        steps: &[&Step],
        caches: &[CacheShared],
    ) -> Result<Vec<RepairOutcome>, Refused> {
        let lock = self.host.environment(root, &caches[0])?;
        self.host.working("linking");
        // Somebody may have thought about the plan, or the lock may have been waited for.
        let believed = self.mending.hashed.lately(self.host.clock());
        let steps = steps.iter().copied();
        Ok(apply::link(steps, &lock, caches, believed, self.host.cancel, self.host.progress))
    }

    /// Has uv fetch what steps ask for, and links it.
    fn fetched(&mut self, plan: &Plan, steps: &[&Step]) -> Result<Vec<RepairOutcome>, Refused> {
        self.clear(steps)?;
        let said = self.uv(steps);
        if self.host.cancel.is_cancelled() {
            return Ok(cancelled(steps).collect());
        }
        // What the cache has now; what was linked before is whole, and not in the plan again.
        let Some(facts) = gather(self.mending, self.host) else { return Ok(cancelled(steps).collect()) };
        let Request::Repair(request) = &plan.request else { return Ok(cancelled(steps).collect()) };
        let again = repair(&facts, &Repair { with_uv: false, ..request.clone() });
        let is_of = |step: &Step, at: &At, name: &Option<String>, version: &Option<String>| {
            (&step.at, &step.name, &step.version) == (at, name, version)
        };
        let mut links = again.steps;
        links.retain(|it| steps.iter().any(|step| is_of(step, &it.at, &it.name, &it.version)));
        let linked = self.link(&links.iter().collect::<Vec<_>>());
        let has = |step: &Step, at: &At| {
            step.repair().is_some_and(|work| work.files.iter().any(|file| file.at == *at))
        };
        let mut outcomes = Vec::new();
        for step in steps {
            let mut outcome = RepairOutcome::ended(step, State::Done, None);
            let own = linked.iter().filter(|it| is_of(step, &it.at, &it.name, &it.version));
            own.for_each(|it| outcome.add(it));
            let mut left = again
                .kept
                .iter()
                .filter(|left| {
                    left.files().iter().any(|file| has(step, file))
                        && is_of(step, &left.at, &left.name, &left.version)
                })
                .peekable();
            if left.peek().is_some() && outcome.state == State::Done {
                let why = step
                    .repair()
                    .and_then(|work| work.fetch.as_ref())
                    .and_then(|fetch| said.get(&call_of(fetch)).cloned().flatten());
                outcome.state = State::Failed;
                outcome.why = Some(why.unwrap_or_else(|| "what uv fetched has not its content".to_owned()));
            }
            self.kept.extend(left.cloned());
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Removes pointers that uv would fail on.
    fn clear(&self, steps: &[&Step]) -> Result<(), Refused> {
        let mut pointers: Vec<_> = steps
            .iter()
            .filter_map(|step| step.repair()?.fetch.as_ref())
            .flat_map(|it| &it.pointers)
            .collect();
        pointers.sort_unstable_by(|one, other| one.at.cmp(&other.at));
        pointers.dedup();
        if pointers.is_empty() {
            return Ok(());
        }
        let pointers: Vec<_> = pointers.into_iter().cloned().collect();
        // The lock goes before uv is called, which would wait for it.
        let lock = self.host.alone(&self.mending.caches[0])?;
        for note in apply::clear(&pointers, &lock) {
            self.host.note(note);
        }
        Ok(())
    }

    /// Calls uv: for each interpreter, directory and source once, and where that fails for each distribution. Answers with what it
    /// said where it failed.
    fn uv(&self, steps: &[&Step]) -> BTreeMap<Call, Option<String>> {
        let mut groups: BTreeMap<(&At, &At, &[String]), Vec<&Fetch>> = BTreeMap::new();
        for fetch in steps.iter().filter_map(|step| step.repair()?.fetch.as_ref()) {
            let group = groups.entry((&fetch.python, &fetch.directory, &fetch.options)).or_default();
            if !group.contains(&fetch) {
                group.push(fetch);
            }
        }
        let mut said = BTreeMap::new();
        for group in groups.into_values() {
            let failed = self.call(&group);
            if failed.is_none() || group.len() == 1 {
                said.extend(group.into_iter().map(|fetch| (call_of(fetch), failed.clone())));
                continue;
            }
            for fetch in group {
                said.insert(call_of(fetch), self.call(&[fetch]));
            }
        }
        said
    }

    fn call(&self, group: &[&Fetch]) -> Option<String> {
        let first = group.first().filter(|_| !self.host.cancel.is_cancelled())?;
        let requirements: Vec<String> = group.iter().map(|fetch| fetch.requirement.clone()).collect();
        let (python, directory) = (first.python.path(), first.directory.path());
        let fetching = apply::fetch::Fetching {
            uv: &self.mending.uv,
            cache: &self.mending.caches[0],
            options: &first.options,
            requirements: &requirements,
            python: &python,
            directory: &directory,
            temporary: &self.mending.temporary,
            sleep: &std::thread::sleep,
        };
        let what = match requirements.as_slice() {
            [one] => human::escape(one).into_owned(),
            many => human::counted(many.len() as u64, "distribution", "distributions"),
        };
        self.host.working(&format!("fetching {what} with uv"));
        apply::fetch(&fetching, self.host.cancel).err().map(|error| match &error {
            apply::fetch::FetchError::Failed(inner) => format!("{inner}: {}", words(&inner.source)),
            other => other.to_string(),
        })
    }
}

fn cancelled(steps: &[&Step]) -> impl Iterator<Item = RepairOutcome> {
    steps.iter().map(|step| RepairOutcome::ended(step, State::Cancelled, None))
}

/// What became of each step, in the plan's order: a distribution may have a step for each entry.
fn ordered(plan: &Plan, outcomes: Vec<RepairOutcome>) -> Vec<RepairOutcome> {
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
