//! Changes off the screen's thread: one thread per task, what becomes of it as messages.
//!
//! A task takes the cache's lock itself, waits for it as long as uv would, and gives it back before anything slow happens.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::host::{Host, Means, Told};
use super::removal::{self, Removal, Stopped};
use super::repair::{Mended, Mending};
use super::rescan::Rescan;
use super::{detach, relink, remove, repair, trash};
use crate::apply::beside::Whole;
use crate::apply::detach::DetachOutcome;
use crate::apply::relink::RelinkReport;
use crate::apply::repair::RepairReport;
use crate::apply::restore::Restored;
use crate::apply::{Report, State, weigh};
use crate::control::{Cancel, Progress};
use crate::disk::walk;
use crate::lock::{Refused, ancestor, holder};
use crate::plan::{Plan, Remove, Repair, Request};
use crate::scan::verify::{Verified, Wanted, verify};
use crate::snapshot::Snapshot;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Carry out a plan that removes; what is removed goes into the trash and stays there.
    Remove(Box<Plan>),
    /// Look at what is in environments and who runs there, and plan to remove them. Changes nothing.
    PlanRemoval(Remove),
    /// Carry out a plan to link environments otherwise.
    Relink(Box<Plan>),
    /// Find out what is broken in environments, and plan how to mend it. Changes nothing.
    PlanRepair(Repair),
    /// Carry out a plan to mend environments.
    Repair(Box<Plan>),
    /// Compare contents with `RECORD`. Changes nothing.
    Verify(Wanted),
    /// Leave edits to one environment, and take them back everywhere else.
    Detach(Box<Plan>),
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
    /// The list of known environments.
    pub registry: Option<PathBuf>,
    /// This program, whose environment is not removed.
    pub program: Option<PathBuf>,
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
    /// A plan that removes was carried out.
    Removed(Report),
    /// A plan was made for which files had to be looked at: to remove environments, or to repair.
    Planned(Box<Plan>),
    /// A plan to link environments otherwise was carried out.
    Relinked(RelinkReport),
    /// A plan to mend environments was carried out.
    Repaired(RepairReport),
    /// Contents were compared: of what, and what was found.
    Verified(Arc<Snapshot>, Verified),
    /// Edits were left to one environment.
    Detached(Box<Plan>, Vec<DetachOutcome>, Vec<String>),
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
            Task::Remove(plan) => self.remove(&plan).map(Done::Removed),
            Task::PlanRemoval(request) => {
                host.working("looking at what is in them");
                let environments = request.environments.iter();
                let chosen: Vec<_> =
                    environments.filter_map(|at| self.snapshot.find_environment(&at.path())).collect();
                let program = self.ground.program.as_deref();
                let plan = remove::plan_for(&self.snapshot, &chosen, request, program);
                Ok(Done::Planned(Box::new(plan)))
            }
            Task::Relink(plan) => {
                let done = relink::carry_out(&plan, host).map_err(|refused| explained(&refused))?;
                match done.busy {
                    // Nothing was done at all: why is all there is to say.
                    Some(refused) if done.report.count(State::Done) == 0 => Err(explained(&refused)),
                    _ => Ok(Done::Relinked(done.report)),
                }
            }
            Task::PlanRepair(request) => {
                let mending = self.mending(&request);
                let facts = repair::gather(&mending, host);
                let facts = facts.ok_or("It was stopped; nothing was planned.")?;
                Ok(Done::Planned(Box::new(repair::planned(&facts, &mending, &request))))
            }
            Task::Repair(plan) => {
                let Request::Repair(request) = &plan.request else {
                    return Err("It is no plan to repair.".to_owned());
                };
                let mending = self.mending(request);
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
                Ok(Done::Detached(plan, outcomes, host.notes()))
            }
            Task::Restore(whole) => {
                trash::restore(&whole, cache, host).map(Done::Restored).map_err(|stopped| words(&stopped))
            }
            Task::Purge(runs) => {
                let emptied = trash::empty(&runs, cache, host);
                match &emptied.refused {
                    Some(refused) if emptied.of_environments == 0 => Err(explained(refused)),
                    refused => {
                        let refused = refused.iter().map(explained);
                        let errors = emptied.errors.iter().map(|error| super::chain(error)).chain(refused);
                        Ok(Done::Purged { freed: emptied.freed, errors: errors.collect() })
                    }
                }
            }
        }
    }

    fn mending(&self, request: &Repair) -> Mending {
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

    fn remove(&self, plan: &Plan) -> Result<Report, String> {
        let mut weighed = plan.clone();
        weighed.warnings.clear();
        weigh(&mut weighed, &self.ground.cache);
        let warnings = std::mem::replace(&mut weighed.warnings, plan.warnings.clone());
        // What the person was warned of was agreed to.
        let agreed = plan.refused().map(|caution| caution.allowance).collect();
        let removal = Removal {
            cache: &self.ground.cache,
            keep: true,
            when_free: None,
            saved: None,
            rescan: &self.ground.rescan,
            agreed: &agreed,
            registry: self.ground.registry.as_deref(),
        };
        let done = removal::carry_out(&weighed, &removal, self.host).map_err(|stopped| words(&stopped))?;
        let mut report = done.report;
        let is_new = |text: &String| !plan.warnings.contains(text);
        if report.count(State::Done) > 0 {
            report.notes.extend(warnings.into_iter().filter(is_new));
        }
        match done.busy {
            // Nothing was done at all: why is all there is to say.
            Some(refused) if report.count(State::Done) == 0 => Err(explained(&refused)),
            _ => Ok(report),
        }
    }
}

/// Why nothing of a plan was carried out.
fn words(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Lock(refused) => explained(refused),
        Stopped::Interrupted => "It was stopped. Nothing was changed.".to_owned(),
        Stopped::Cautions(cautions) => {
            let texts: Vec<&str> = cautions.iter().map(|caution| caution.text.as_str()).collect();
            format!("{} Nothing was changed. Look at the new plan.", texts.join(" "))
        }
        Stopped::Failed(error) => super::chain(error),
        Stopped::Scan(text) => format!("{text}. Nothing was changed."),
    }
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
