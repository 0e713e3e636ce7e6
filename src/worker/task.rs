//! Changes off the screen's thread: one thread per task, what becomes of it as messages.
//!
//! A task takes the cache's lock itself, waits for it as long as uv would, and gives it back before anything slow happens.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::apply::restore::Restored;
use crate::apply::{self, Freed, Report, Run, State, check, purge};
use crate::control::{Cancel, Progress};
use crate::disk::volume;
use crate::lock::{CacheExclusive, Directory, HoldsCache as _, Patience, Refused, Sharing, Waiting, holder};
use crate::plan::Plan;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Carry out a plan; what is removed goes into the trash and stays there.
    Prune(Box<Plan>),
    /// Put back what a run removed.
    Restore(Run),
    /// Empty the trash.
    Purge(Vec<Run>),
}

/// Where and how tasks work.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The cache's root.
    pub cache: PathBuf,
    /// cachetui's own lock directory.
    pub locks: Option<(PathBuf, Sharing)>,
    /// How long a lock is waited for.
    pub timeout: Duration,
    /// The clock that measures it.
    pub clock: fn() -> Instant,
    /// The time of day.
    pub now: fn() -> Timestamp,
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
    /// It has what it needs and works.
    Working,
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

/// Starts a task.
pub fn start_task(task: Task, ground: Ground) -> TaskJob {
    let (sender, events) = mpsc::channel();
    let progress = Arc::new(Progress::default());
    let cancel = Cancel::default();
    let job = TaskJob { events, progress: Arc::clone(&progress), cancel: cancel.clone() };
    super::spawn(move || {
        let working = Working { ground: &ground, sender: &sender, cancel: &cancel, progress: &progress };
        let last = match working.run(task) {
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
    sender: &'a Sender<TaskEvent>,
    cancel: &'a Cancel,
    progress: &'a Progress,
}

impl Working<'_> {
    fn run(&self, task: Task) -> Result<Done, String> {
        match task {
            Task::Prune(plan) => self.prune(&plan).map(Done::Pruned),
            Task::Restore(run) => {
                let (lock, _) = self.lock()?;
                self.tell(TaskEvent::Working);
                let restored = apply::restore(&lock, &run).map_err(|error| super::chain(&error))?;
                Ok(Done::Restored(restored))
            }
            Task::Purge(runs) => {
                self.tell(TaskEvent::Working);
                let free = || volume::space(&self.ground.cache).map(|(_, available)| available);
                let before = free();
                let errors = purge::purge(&self.ground.cache, &runs, self.cancel, self.progress);
                let freed = before.zip(free()).map(|(before, after)| after.saturating_sub(before));
                let errors = errors.iter().map(|error| super::chain(error)).collect();
                Ok(Done::Purged { freed, errors })
            }
        }
    }

    fn prune(&self, plan: &Plan) -> Result<Report, String> {
        let (lock, mut notes) = self.lock()?;
        self.tell(TaskEvent::Working);
        let changed = check::changed(lock.cache(), plan);
        if let Some(first) = changed.first() {
            let rest = match changed.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Err(format!(
                "Something has changed since the scan (`{}`{rest}); nothing was done. Look at the new plan.",
                first.display()
            ));
        }
        let committed = apply::prune(plan, &lock, (self.ground.now)(), self.cancel, self.progress);
        let committed = committed.map_err(|error| super::chain(&error))?;
        drop(lock);
        let done = |position: usize| committed.outcomes[position].state == State::Done;
        let steps = plan.steps.iter().enumerate().filter(|(position, _)| done(*position));
        let predicted = steps.map(|(_, step)| step.bytes.reclaimable).sum();
        notes.extend(committed.notes);
        Ok(Report {
            outcomes: committed.outcomes,
            freed: Freed { predicted, measured: None, why: None },
            trash: committed.trash.map(|run| crate::plan::At::new(&run.path())),
            notes,
        })
    }

    /// Takes the cache's lock alone, and tells who is waited for.
    fn lock(&self) -> Result<(CacheExclusive, Vec<String>), String> {
        let ground = self.ground;
        let mut notes = Vec::new();
        let directory = match &ground.locks {
            Some((path, sharing)) => match Directory::open(path, *sharing) {
                Ok(directory) => Some(directory),
                Err(error) => {
                    notes.push(crate::lock::guard::without_directory(&error));
                    None
                }
            },
            None => None,
        };
        let waiting = Waiting::For(Patience {
            timeout: ground.timeout,
            clock: &ground.clock,
            sleep: &std::thread::sleep,
            cancel: self.cancel,
            on_wait: &|state| {
                let holders = holder::in_words(state.holders);
                self.tell(TaskEvent::Waiting { holders, remaining: state.remaining });
            },
        });
        match CacheExclusive::acquire(&ground.cache, directory.as_ref(), &waiting) {
            Ok(lock) => {
                notes.extend_from_slice(lock.notes());
                Ok((lock, notes))
            }
            Err(refused) => Err(explained(&refused)),
        }
    }

    fn tell(&self, event: TaskEvent) {
        drop(self.sender.send(event));
    }
}

/// Why a lock was not taken, and what to do where the reason is this program's own ancestor.
fn explained(refused: &Refused) -> String {
    let text = super::chain(refused);
    match refused {
        Refused::Busy { holders, .. } | Refused::TimedOut { holders, .. } => {
            match crate::lock::ancestor::among(holders) {
                Some(ancestor) => format!("{text}. {}", crate::lock::ancestor::explanation(&ancestor)),
                None => text,
            }
        }
        _ => text,
    }
}
