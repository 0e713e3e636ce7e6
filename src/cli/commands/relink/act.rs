//! Takes the locks, carries the plan out on another thread, and measures.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::apply::relink::{Change, RelinkOutcome, RelinkReport, relink};
use crate::apply::report::State;
use crate::cli::act::sign_of;
use crate::cli::args::Places;
use crate::cli::failure::Failure;
use crate::cli::print::View;
use crate::cli::surroundings::{self, Surroundings};
use crate::cli::{locking, progress, request};
use crate::control::{Cancel, Counts, Progress};
use crate::disk::{processes, volume};
use crate::human;
use crate::linker::Root;
use crate::lock::{
    CacheShared, Directory, EnvironmentExclusive, HoldsCache as _, Patience, Refused, Sharing, WaitState,
    Waiting, holder, without_directory,
};
use crate::plan::Plan;
use crate::snapshot::Certainty;
use crate::worker;

/// What came of it.
pub(super) struct Done {
    pub(super) report: RelinkReport,
    /// The first environment whose lock somebody else holds.
    pub(super) busy: Option<Refused>,
}

/// Everything the thread needs.
struct Job {
    plan: Plan,
    directory: Option<(PathBuf, Sharing)>,
    timeout: std::time::Duration,
    /// What is waited for, as a sentence.
    waiting: Arc<Mutex<Option<String>>>,
}

/// Carries a plan out. Ctrl-C stops it after the file it is busy with.
pub(super) fn carry_out(
    plan: &Plan,
    places: &Places,
    surroundings: &Surroundings,
    view: &View,
) -> Result<Done, Failure> {
    let (timeout, notice) = locking::timeout(surroundings);
    let job = Job {
        plan: plan.clone(),
        directory: request::lock_directory(places, surroundings)?,
        timeout,
        waiting: Arc::default(),
    };
    let waiting = Arc::clone(&job.waiting);
    let all = plan.totals.bytes.files;
    let describe = move |counts: Counts| {
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let done = counts.files;
        waiting.unwrap_or_else(|| format!("Linking: {} of {} files", human::count(done), human::count(all)))
    };
    let task = worker::start(move |cancel, progress| job.run(cancel, progress));
    let (done, _) = progress::task(&task, describe, surroundings, view.quiet)?;
    let mut done = done.map_err(locking::failure)?;
    done.report.notes.extend(notice);
    Ok(done)
}

impl Job {
    fn run(&self, cancel: &Cancel, progress: &Progress) -> Result<Done, Refused> {
        let mut notes = Vec::new();
        let directory = self.directory.as_ref().and_then(|(path, sharing)| {
            let opened = Directory::open(path, *sharing);
            opened.inspect_err(|error| notes.push(without_directory(error))).ok()
        });
        let told = |state: &WaitState<'_>| self.tell(Some(state));
        let waiting = Waiting::For(Patience {
            timeout: self.timeout,
            clock: &surroundings::clock,
            sleep: &std::thread::sleep,
            cancel,
            on_wait: &told,
        });
        let cache = CacheShared::acquire(&self.plan.cache.path(), directory.as_ref(), &waiting)?;
        self.tell(None);
        notes.extend(cache.notes().iter().cloned());
        let roots: BTreeSet<PathBuf> = self.plan.relinks.iter().map(|step| step.at.path()).collect();
        notes.extend(running(&roots));
        let mut measured = Some(0);
        let (mut outcomes, mut busy) = (BTreeMap::new(), None);
        for root in &roots {
            let locked = self.environment(root, &cache, directory.as_ref(), &waiting, &mut notes);
            let done = locked.map(|lock| {
                // Between the locks, whose files take space too.
                let before = free(root);
                let outcomes = relink(&self.plan, &lock, &cache, cancel, progress);
                (outcomes, before.zip(free(root)).map(|(before, after)| after - before))
            });
            let of_root = match done {
                Ok((outcomes, change)) => {
                    measured = measured.zip(change).map(|(sum, change)| sum + change);
                    outcomes
                }
                Err(refused) => {
                    let outcomes = self.refused(root, &refused);
                    if refused.is_busy() {
                        busy.get_or_insert(refused);
                    }
                    outcomes
                }
            };
            outcomes.insert(root.clone(), VecDeque::from(of_root));
        }
        drop(cache);
        // In the plan's order, which is not that of paths.
        let mut next = |root: PathBuf| outcomes.get_mut(&root).and_then(VecDeque::pop_front);
        let outcomes: Vec<RelinkOutcome> =
            self.plan.relinks.iter().filter_map(|step| next(step.at.path())).collect();
        let freed = self.freed(&outcomes, measured);
        Ok(Done { report: RelinkReport { outcomes, freed, notes }, busy })
    }

    fn environment<'cache>(
        &self,
        root: &Path,
        cache: &'cache CacheShared,
        directory: Option<&Directory>,
        waiting: &Waiting<'_>,
        notes: &mut Vec<String>,
    ) -> Result<EnvironmentExclusive<'cache>, Refused> {
        let lock = EnvironmentExclusive::acquire(root, sign_of(root), cache, directory, waiting)?;
        self.tell(None);
        notes.extend(lock.notes().iter().cloned());
        Ok(lock)
    }

    fn refused(&self, root: &Path, refused: &Refused) -> Vec<RelinkOutcome> {
        let (state, why) = match refused {
            Refused::Cancelled { .. } => (State::Cancelled, None),
            other => (State::Failed, Some(other.to_string())),
        };
        let steps = self.plan.relinks.iter().filter(|step| step.at.path() == root);
        steps.map(|step| RelinkOutcome::ended(step, state, why.clone())).collect()
    }

    fn tell(&self, state: Option<&WaitState<'_>>) {
        let text = state.map(|state| {
            format!(
                "Waiting for {} ({} more at most)",
                holder::in_words(state.holders),
                human::counted(state.remaining.as_secs(), "second", "seconds")
            )
        });
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn freed(&self, outcomes: &[RelinkOutcome], measured: Option<i64>) -> Change {
        let done = self.plan.relinks.iter().zip(outcomes).filter(|(_, it)| it.state == State::Done);
        let (mut predicted, mut certainty, mut refused) = (0, Certainty::Exact, false);
        for (step, outcome) in done {
            predicted += signed(step.bytes.reclaimable) - signed(step.bytes.needed);
            certainty = certainty.max(step.bytes.certainty);
            refused |= !outcome.refused.is_empty() || !outcome.link_limit.is_empty();
        }
        let differs = measured.is_some_and(|it| it.abs_diff(predicted) * 100 > predicted.unsigned_abs());
        let why = differs.then(|| {
            let why = match (refused, certainty) {
                (true, _) => "a mode that was refused became another one",
                (false, Certainty::AtLeast) => "the filesystem does not say what the files share",
                (false, Certainty::Exact) => {
                    "others wrote to the disk at the same time, or what was replaced is still open"
                }
            };
            why.to_owned()
        });
        Change { predicted, measured, why }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Tells which processes run in the environments; they keep what they have open.
fn running(roots: &BTreeSet<PathBuf>) -> Vec<String> {
    let paths: Vec<PathBuf> = roots.iter().cloned().collect();
    let found = processes::within(&paths);
    let told = paths.iter().zip(found).filter(|(_, processes)| !processes.is_empty());
    told.map(|(path, processes)| {
        let who = match processes.as_slice() {
            [one] => format!("Process {one} runs"),
            many => format!("{} processes run", many.len()),
        };
        format!("{who} in `{}`; what is open there stays as it is until it is closed.", path.display())
    })
    .collect()
}

/// The free bytes of the volume that an environment lies on, once everything written to it has its place.
fn free(root: &Path) -> Option<i64> {
    Root::open(root).ok()?.place().sync_filesystem().ok()?;
    Some(signed(volume::space(root)?.1))
}
