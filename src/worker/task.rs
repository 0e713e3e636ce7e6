//! Changes off the screen's thread: one thread per task, what becomes of it as messages.
//!
//! A task takes the cache's lock itself, waits for it as long as uv would, and gives it back before anything slow happens.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::again::{Look, Ready, ready};
use super::agreed::ordered;
use super::host::{Host, Means, Told};
use super::repair::{Mended, Mending};
use super::{ScanEvent, ScanJob, detach, relink, repair};
use crate::apply::beside::{self, Whole};
use crate::apply::detach::DetachOutcome;
use crate::apply::prune::Committed;
use crate::apply::relink::RelinkReport;
use crate::apply::repair::RepairReport;
use crate::apply::restore::Restored;
use crate::apply::{self, Freed, Manner, Report, Run, State, Unmovable, measure, purge, weigh};
use crate::control::{Cancel, Progress};
use crate::disk::walk;
use crate::lock::{CacheShared, HoldsCache as _, Refused, ancestor, holder};
use crate::plan::repair::{RepairPlan, RepairRequest, repair as plan_repair};
use crate::plan::{Allowance, At, DetachPlan, Plan, Step};
use crate::scan::verify::{Verified, Wanted, verify};
use crate::snapshot::{Certainty, Completeness, Snapshot};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Carry out a plan to prune; what is removed goes into the trash and stays there.
    Prune(Box<Plan>),
    /// Carry out a plan to link environments otherwise.
    Relink(Box<Plan>),
    /// Find out what is broken in environments, and plan how to mend it. Changes nothing.
    PlanRepair(RepairRequest),
    /// Carry out a plan to mend environments.
    Repair(Box<RepairPlan>),
    /// Compare contents with `RECORD`. Changes nothing.
    Verify(Wanted),
    /// Leave edits to one environment, and take them back everywhere else.
    Detach(Box<DetachPlan>),
    /// Put back what a run removed.
    Restore(Whole),
    /// Empty the trash.
    Purge(Vec<Whole>),
}

/// Where and how tasks work.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The cache's root.
    pub cache: PathBuf,
    /// How locks are taken, and where it is written what was done.
    pub means: Means,
    /// The program that fetches what is in no cache.
    pub uv: OsString,
    /// Where directories are made that are thrown away.
    pub temporary: PathBuf,
    /// Scans the cache and its environments again.
    pub rescan: Rescan,
}

/// Starts the scan that the interface shows the result of.
#[derive(Clone)]
pub struct Rescan(Arc<dyn Fn() -> ScanJob + Send + Sync>);

impl Rescan {
    /// What starts a scan.
    pub fn new(start: impl Fn() -> ScanJob + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// Scans and waits for the result.
    fn wait(&self, cancel: &Cancel) -> Result<Arc<Snapshot>, String> {
        let job = (self.0)();
        for event in &job.events {
            match event {
                ScanEvent::Partial(_) if cancel.is_cancelled() => job.cancel.cancel(),
                ScanEvent::Partial(_) => {}
                ScanEvent::Finished(snapshot) if snapshot.scope.completeness == Completeness::Complete => {
                    return Ok(snapshot);
                }
                ScanEvent::Finished(_) => return Err("It was stopped. Nothing was changed.".to_owned()),
                ScanEvent::Failed(message) => return Err(message),
            }
        }
        Err("The scan ended without a result. Nothing was changed.".to_owned())
    }
}

impl fmt::Debug for Rescan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rescan")
    }
}

/// What a task reports.
#[derive(Clone, Debug)]
pub enum TaskEvent {
    /// It waits for a lock.
    Waiting {
        /// Who holds it, in words, escaped.
        holders: String,
        /// How long it will wait at most.
        remaining: Duration,
    },
    /// It has what it needs and works: on what, as `linking`. Escaped.
    Working(String),
    /// It has ended.
    Finished(Done),
    /// It could not be done, and nothing was changed: the whole chain of errors as one sentence. Not escaped.
    Failed(String),
}

/// What a task has done.
#[derive(Clone, Debug)]
pub enum Done {
    /// A plan was carried out.
    Pruned(Report),
    /// A plan to link environments otherwise was carried out.
    Relinked(RelinkReport),
    /// What is broken, and how it could be mended.
    RepairPlanned(Box<RepairPlan>),
    /// A plan to mend environments was carried out.
    Repaired(RepairReport),
    /// Contents were compared: of what, and what was found.
    Verified(Arc<Snapshot>, Verified),
    /// Edits were left to one environment.
    Detached(DetachPlan, Vec<DetachOutcome>, Vec<String>),
    /// What was in the trash was put back.
    Restored(Vec<Restored>),
    /// The trash was emptied.
    Purged {
        /// By how many bytes the free space of the volume grew.
        freed: Option<u64>,
        /// What could not be removed, as sentences. Not escaped.
        errors: Vec<String>,
    },
}

/// A task that runs on a thread of its own.
#[derive(Debug)]
pub struct TaskJob {
    /// Its reports; closed after [`TaskEvent::Finished`] or [`TaskEvent::Failed`].
    pub events: Receiver<TaskEvent>,
    /// How far it has come.
    pub progress: Arc<Progress>,
    /// Stops it at the next convenient point.
    pub cancel: Cancel,
}

/// Starts a task on what a scan has found.
pub fn start_task(task: Task, snapshot: Arc<Snapshot>, ground: Ground) -> TaskJob {
    let (sender, events) = mpsc::channel();
    let progress = Arc::new(Progress::default());
    let cancel = Cancel::default();
    let job = TaskJob { events, progress: Arc::clone(&progress), cancel: cancel.clone() };
    super::spawn(move || {
        let tell = |told: Told<'_>| {
            let event = match told {
                Told::Waiting(state) => {
                    let holders = holder::in_words(state.holders);
                    TaskEvent::Waiting { holders, remaining: state.remaining }
                }
                Told::Working(what) => TaskEvent::Working(what.to_owned()),
            };
            drop(sender.send(event));
        };
        let host = Host::new(&ground.means, &cancel, &progress, &tell);
        let last = match (Working { ground: &ground, snapshot, host: &host }).run(task) {
            Ok(done) => TaskEvent::Finished(done),
            Err(message) => TaskEvent::Failed(message),
        };
        // Nobody listens only when the interface is gone; the work is done all the same.
        drop(sender.send(last));
    });
    job
}

struct Working<'a> {
    ground: &'a Ground,
    snapshot: Arc<Snapshot>,
    host: &'a Host<'a>,
}

impl Working<'_> {
    fn run(&self, task: Task) -> Result<Done, String> {
        let (cache, host) = (&self.ground.cache, self.host);
        match task {
            Task::Prune(plan) => self.prune(&plan).map(Done::Pruned),
            Task::Relink(plan) => {
                let done = relink::carry_out(&plan, host).map_err(|refused| explained(&refused))?;
                match done.busy {
                    // Nothing was done at all: why is all there is to say.
                    Some(refused) if done.report.count(State::Done) == 0 => Err(explained(&refused)),
                    _ => Ok(Done::Relinked(done.report)),
                }
            }
            Task::PlanRepair(request) => {
                let facts = repair::gather(&self.mending(&request), host);
                let facts = facts.ok_or("It was stopped; nothing was planned.")?;
                Ok(Done::RepairPlanned(Box::new(plan_repair(&facts, &request))))
            }
            Task::Repair(plan) => {
                let mending = self.mending(&plan.request);
                let Mended { report, refused } = repair::carry_out(&plan, &mending, host);
                match refused {
                    Some(refused) if report.count(State::Done) == 0 => Err(explained(&refused)),
                    _ => Ok(Done::Repaired(report)),
                }
            }
            Task::Verify(wanted) => {
                host.working("comparing with RECORD");
                let snapshot = Arc::clone(&self.snapshot);
                let verified = verify(&snapshot, &wanted, walk::threads(), host.cancel, host.progress);
                Ok(Done::Verified(snapshot, verified))
            }
            Task::Detach(plan) => {
                let outcomes =
                    detach::carry_out(&plan, cache, host).map_err(|refused| explained(&refused))?;
                Ok(Done::Detached(*plan, outcomes, host.notes()))
            }
            Task::Restore(whole) => {
                let lock = whole.in_cache.then(|| host.alone(cache)).transpose();
                let lock = lock.map_err(|refused| explained(&refused))?;
                host.working("putting back");
                let restored = whole.restore(lock.as_ref()).map_err(|error| super::chain(&error))?;
                let state = self.ground.means.state.iter();
                state.for_each(|state| whole.beside.iter().for_each(|it| beside::forget(state, it, cache)));
                Ok(Done::Restored(restored))
            }
            Task::Purge(runs) => {
                let lock = host.shared(cache).map_err(|refused| explained(&refused))?;
                host.working("unlinking");
                Ok(self.purge(&lock, &runs))
            }
        }
    }

    fn mending(&self, request: &RepairRequest) -> Mending {
        let environments = request.environments.iter();
        Mending {
            snapshot: Arc::clone(&self.snapshot),
            environments: environments.filter_map(|at| self.snapshot.find_environment(&at.path())).collect(),
            caches: vec![self.ground.cache.clone()],
            dead_links: Vec::new(),
            links: request.links,
            outline: false,
            hashed: Arc::default(),
            uv: self.ground.uv.clone(),
            temporary: self.ground.temporary.clone(),
        }
    }

    /// Empties the trash: that of environments first, since entries are freed with the last link.
    fn purge(&self, lock: &CacheShared, all: &[Whole]) -> Done {
        let state = self.ground.means.state.as_deref();
        let (mut freed, mut errors) = (Some(0), Vec::new());
        for whole in all {
            let (more, failed) =
                whole.purge_beside(true, lock.cache(), state, self.host.cancel, self.host.progress);
            freed = freed.zip(more).map(|(sum, more)| sum + more);
            errors.extend(failed);
        }
        let runs: Vec<Run> = all.iter().filter(|it| it.in_cache).map(|whole| whole.run.clone()).collect();
        if !runs.is_empty() {
            let before = measure::trash(lock.cache(), &runs, None);
            errors.extend(purge::purge(lock, &runs, self.host.cancel, self.host.progress));
            let more = measure::freed(lock.cache(), &runs, None, before);
            freed = freed.zip(more).map(|(sum, more)| sum + more);
        }
        Done::Purged { freed, errors: errors.iter().map(|error| super::chain(error)).collect() }
    }

    fn prune(&self, plan: &Plan) -> Result<Report, String> {
        let host = self.host;
        // What the person was warned of was agreed to.
        let agreed: HashSet<Allowance> = plan.refused().map(|caution| caution.allowance).collect();
        let look = Look {
            lock: &|| {
                let lock = host.alone(&self.ground.cache).map_err(|refused| explained(&refused))?;
                host.working("looking again");
                Ok(lock)
            },
            scan: &|| {
                host.working("scanning again");
                self.ground.rescan.wait(host.cancel)
            },
            refused: &|plan| refused(plan, &agreed),
            cancel: host.cancel,
        };
        let Ready { go, left } = ready(plan, plan.clone(), Vec::new(), &look)?;
        let mut committed = Committed::default();
        let mut weighed = plan.clone();
        if let Some((current, lock)) = go {
            weighed.steps.retain(|step| current.steps.iter().any(|it| it.at == step.at));
            weighed.warnings.clear();
            weigh(&mut weighed, &self.ground.cache);
            host.working("removing");
            let manner = Manner { now: (self.ground.means.now)(), run: None, unmovable: Unmovable::Refuse };
            let done = apply::prune_as(&current, &lock, &manner, host.cancel, host.progress);
            committed = done.map_err(|error| super::chain(&error))?;
        }
        let outcomes = ordered(plan, committed.outcomes, left);
        let done: HashSet<_> = outcomes
            .iter()
            .filter(|outcome| outcome.state == State::Done)
            .map(|outcome| (outcome.action, &outcome.at))
            .collect();
        let steps = weighed.steps.iter().filter(|step| done.contains(&(step.action, &step.at)));
        let add = |(sum, certainty): (u64, Certainty), step: &Step| {
            (sum + step.bytes.reclaimable, certainty.and(step.bytes.certainty))
        };
        let (predicted, certainty) = steps.fold((0, Certainty::Exact), add);
        let mut notes = self.host.notes();
        notes.extend(committed.notes);
        if !done.is_empty() {
            notes.extend(weighed.warnings);
        }
        let mut report = Report {
            outcomes,
            freed: Freed { predicted, certainty, measured: None, volume: None, why: None },
            trash: committed.trash.map(|run| At::new(&run.path())),
            beside: Vec::new(),
            notes,
        };
        self.host.journal(plan, &report);
        report.notes.extend(self.host.notes());
        Ok(report)
    }
}

/// Why a plan that was made again is not carried out: it has a caution that the one that was agreed to did not have.
fn refused(plan: &Plan, agreed: &HashSet<Allowance>) -> Option<String> {
    let new = plan.refused().filter(|caution| !agreed.contains(&caution.allowance));
    let texts: Vec<&str> = new.map(|caution| caution.text.as_str()).collect();
    (!texts.is_empty()).then(|| format!("{} Nothing was changed. Look at the new plan.", texts.join(" ")))
}

/// Why a lock was not taken, and what to do where the reason is this program's own ancestor.
fn explained(refused: &Refused) -> String {
    let text = super::chain(refused);
    match refused {
        Refused::Busy { holders, .. } | Refused::TimedOut { holders, .. } => ancestor::among(holders)
            .map_or_else(
                || format!("{text}. Nothing was changed."),
                |ancestor| format!("{text}. {}", ancestor::explanation(&ancestor)),
            ),
        _ => text,
    }
}
