//! Carries out a plan that removes: the locks, a last look, the change itself, what it freed, and the journal. `prune`, `remove`, `gc`,
//! `apply` and the screen have this in common.
//!
//! A plan is made without any lock. Under the lock it is looked at again ([`super::again`]), and what no longer holds is left alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::again::{Ready, ready};
use super::agreed::{ordered, still};
use super::freed;
use super::host::Host;
use super::remove::{self, Removed, Wait};
use super::rescan::Rescan;
use super::trash;
use crate::apply::prune::{Committed, as_planned};
use crate::apply::{self, Manner, Outcome, Report, Run, State, Unmovable, measure};
use crate::disk::{FileStat, volume};
use crate::lock::{CacheExclusive, CacheShared, Refused};
use crate::plan::{Allowance, At, Caution, Plan, Step, plan as planned};
use crate::snapshot::{Certainty, Snapshot};

/// How a plan is carried out.
pub struct Removal<'a> {
    /// The cache's root.
    pub cache: &'a Path,
    /// Whether what is removed stays in the trash. Otherwise it is deleted when the lock is given back.
    pub keep: bool,
    /// How long the cache may be in use before it is changed, where nothing is to be held meanwhile.
    pub when_free: Option<Duration>,
    /// What a scan found for a plan from a file, which may have been changed: only what a new plan has too is carried out.
    pub saved: Option<&'a Snapshot>,
    /// Scans again.
    pub rescan: &'a Rescan,
    /// What the person agreed to beside what the plan's request allows.
    pub agreed: &'a BTreeSet<Allowance>,
    /// The list of known environments.
    pub registry: Option<&'a Path>,
}

/// Why nothing of a plan was carried out.
#[derive(Debug)]
pub enum Stopped {
    /// A lock was not to be had.
    Lock(Refused),
    /// A person stopped it.
    Interrupted,
    /// The plan, made again, calls for a second look.
    Cautions(Vec<Caution>),
    /// The cache could not be scanned, or not be changed at all.
    Failed(crate::disk::Error),
    /// The same, in words.
    Scan(String),
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Done {
    /// What became of each step, and what it freed.
    pub report: Report,
    /// Whether a person stopped it.
    pub interrupted: bool,
    /// Whether something that was removed could not be deleted.
    pub left_over: bool,
    /// The first environment whose lock another process held.
    pub busy: Option<Refused>,
}

/// The lock under which a plan is carried out.
enum Guard {
    /// Of a plan that changes the cache.
    Alone(CacheExclusive),
    /// Of one that changes environments only.
    Shared(CacheShared),
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Cancelled { .. } => Self::Interrupted,
            refused => Self::Lock(refused),
        }
    }
}

/// Carries out a plan that was agreed to.
///
/// # Errors
/// When nothing of it was carried out.
pub fn carry_out(plan: &Plan, removal: &Removal<'_>, host: &Host<'_>) -> Result<Done, Stopped> {
    if plan.is_empty() {
        return Ok(Done::default());
    }
    if !removal.keep {
        settled(removal.cache, host);
    }
    let (current, left) = match removal.saved {
        None => (plan.clone(), Vec::new()),
        Some(snapshot) => still(plan, planned(snapshot, &plan.request), snapshot),
    };
    let (go, left) = if plan.changes_cache() {
        let Ready { go, left } = ready(plan, current, left, removal, host)?;
        (go.map(|(plan, lock)| (plan, Guard::Alone(lock))), left)
    } else {
        removal.cautious(&current)?;
        (Some((current, Guard::Shared(host.shared(removal.cache)?))), left)
    };
    if host.cancel.is_cancelled() {
        return Err(Stopped::Interrupted);
    }
    let mut done = match go {
        Some((current, guard)) => commit(plan, &current, guard, removal, host)?,
        None => Done::default(),
    };
    let outcomes = std::mem::take(&mut done.report.outcomes);
    done.report.outcomes = ordered(plan, outcomes, left);
    if done.report.beside.is_empty() {
        forget(&mut done.report, removal.registry, host);
    }
    done.report.notes.splice(0..0, host.notes());
    host.journal(plan, &done.report);
    done.report.notes.extend(host.notes());
    Ok(done)
}

impl Removal<'_> {
    /// Takes the cache's lock alone.
    pub(super) fn lock(&self, host: &Host<'_>) -> Result<CacheExclusive, Stopped> {
        let lock = match self.when_free {
            Some(longest) => host.alone_when_free(self.cache, longest),
            None => host.alone(self.cache),
        }?;
        if host.cancel.is_cancelled() { Err(Stopped::Interrupted) } else { Ok(lock) }
    }

    /// That a plan does not call for a second look.
    pub(super) fn cautious(&self, plan: &Plan) -> Result<(), Stopped> {
        let new = plan.refused().filter(|caution| !self.agreed.contains(&caution.allowance));
        let new: Vec<Caution> = new.cloned().collect();
        if new.is_empty() { Ok(()) } else { Err(Stopped::Cautions(new)) }
    }
}

/// The free bytes of the cache's volume once its filesystem has written what it has put off, which may take a while and is not stopped.
fn settled(cache: &Path, host: &Host<'_>) -> Option<u64> {
    host.working("waiting for the disk to write what it has put off");
    measure::settled(cache)
}

/// Removes under the lock, gives it back, and deletes.
fn commit(
    reviewed: &Plan,
    current: &Plan,
    guard: Guard,
    removal: &Removal<'_>,
    host: &Host<'_>,
) -> Result<Done, Stopped> {
    let before = volume::free(removal.cache);
    let mut done = Done::default();
    let mut proven = match &guard {
        // Where there may be no room for a trash, environments are deleted, and with them links of entries.
        Guard::Alone(lock) if is_nearly_full(current, removal.cache) => {
            as_planned(current, lock).map_err(Stopped::Failed)?
        }
        _ => BTreeSet::new(),
    };
    let removed = environments(current, &guard, removal, host);
    if !removed.unmeasured {
        proven.clear();
    }
    let (rest, left) = remove::rest(current, &removed.outcomes);
    let mut outcomes = removed.outcomes;
    outcomes.extend(left);
    done.busy = removed.busy;
    let committed = match guard {
        Guard::Alone(lock) if !rest.steps.is_empty() => {
            let run = removed.whole.as_ref().map(|whole| whole.run.clone());
            match prune(&rest, lock, run, proven, removal, host) {
                // The environments are gone by now, which is told with it.
                Err(error) if !outcomes.is_empty() => failed(&rest.steps, &error),
                committed => committed.map_err(Stopped::Failed)?,
            }
        }
        _ => Committed::default(),
    };
    done.interrupted = host.cancel.is_cancelled();
    let mut notes = committed.notes;
    outcomes.extend(committed.outcomes);
    let predicted = freed::predicted(reviewed, &outcomes);
    done.report.outcomes = outcomes;
    let mut files = (!removed.unmeasured).then_some(0);
    let stays = removal.keep || done.interrupted || committed.stuck;
    if let Some(whole) = removed.whole {
        if stays {
            done.report.beside = whole.places().iter().map(|(path, _)| At::new(path)).collect();
        } else {
            let emptied = trash::empty_beside(&whole, false, removal.cache, host);
            files = files.zip(emptied.freed).map(|(files, freed)| files + freed);
            done.take(emptied, &mut notes);
            done.report.beside = whole.left();
        }
    }
    match committed.trash {
        Some(run) if stays => done.report.trash = Some(At::new(&run.path())),
        Some(run) => {
            let trees: Vec<PathBuf> = reviewed.steps.iter().flat_map(Step::places).map(At::path).collect();
            let emptied = trash::empty_cache(vec![run.clone()], Some(&trees), removal.cache, host);
            files = files.zip(emptied.freed).map(|(files, freed)| files + freed);
            if emptied.refused.is_some() {
                done.report.trash = Some(At::new(&run.path()));
            }
            done.take(emptied, &mut notes);
        }
        // What could not be moved into a trash is gone without having been measured.
        None if done.report.outcomes.iter().any(is_gone_from_cache) => files = None,
        None => {}
    }
    measured(&mut done, reviewed, before, predicted, files, removal, host);
    done.report.notes = notes;
    Ok(done)
}

/// Whether an environment of a plan, or the cache, lies on a volume on which a directory may not be made any more.
fn is_nearly_full(plan: &Plan, cache: &Path) -> bool {
    let environments = plan.steps.iter().filter(|step| !step.is_in_cache()).map(|step| step.at.path());
    let mut places = environments.filter_map(|path| Some(path.parent()?.to_owned()));
    places.any(|path| volume::is_nearly_full(&path)) || volume::is_nearly_full(cache)
}

fn is_gone_from_cache(outcome: &Outcome) -> bool {
    outcome.state == State::Done && !outcome.at.path().is_absolute()
}

impl Done {
    /// Takes over what could not be deleted.
    fn take(&mut self, emptied: trash::Emptied, notes: &mut Vec<String>) {
        self.interrupted |= emptied.stopped;
        self.left_over |= !emptied.errors.is_empty() || emptied.refused.is_some();
        notes.extend(emptied.left());
        if let Some(refused) = emptied.refused {
            self.interrupted |= matches!(refused, Refused::Cancelled { .. });
            notes.push(format!(
                "{refused}: what was removed lies in the trash, and `cachetui trash purge` deletes it."
            ));
        }
    }
}

/// Measures what was freed, where everything is gone.
fn measured(
    done: &mut Done,
    reviewed: &Plan,
    before: Option<u64>,
    predicted: (u64, Certainty),
    files: Option<u64>,
    removal: &Removal<'_>,
    host: &Host<'_>,
) {
    let report = &mut done.report;
    let is_gone = report.trash.is_none() && report.beside.is_empty() && report.count(State::Done) > 0;
    let after = if is_gone { settled(removal.cache, host) } else { None };
    // Of an environment on another volume the cache's tells nothing.
    let device = |path: &Path| FileStat::following(path).ok().map(|stat| stat.device);
    let is_elsewhere = |step: &Step| {
        let path = step.at.path();
        !step.is_in_cache() && path.parent().and_then(device) != device(removal.cache)
    };
    let is_here = !reviewed.steps.iter().any(is_elsewhere);
    let volume = before.zip(after).map(|(before, after)| after.saturating_sub(before)).filter(|_| is_here);
    let measured = if is_gone { files.or(volume) } else { None };
    report.freed = freed::freed(removal.cache, predicted, measured, !done.left_over);
    report.freed.volume = volume;
}

/// Moves the environments of a plan into the trash beside them.
fn environments(plan: &Plan, guard: &Guard, removal: &Removal<'_>, host: &Host<'_>) -> Removed {
    if plan.steps.iter().all(Step::is_in_cache) {
        return Removed::default();
    }
    let (state, keep) = (host.state(), removal.keep);
    match guard {
        Guard::Alone(lock) => remove::environments(plan, lock, state, keep, Wait::No, host),
        Guard::Shared(lock) => remove::environments(plan, lock, state, keep, Wait::Yes, host),
    }
}

/// Moves what a plan removes from the cache into its trash, and gives the lock back.
#[expect(clippy::needless_pass_by_value, reason = "the lock is given back")]
fn prune(
    plan: &Plan,
    lock: CacheExclusive,
    run: Option<Run>,
    proven: BTreeSet<At>,
    removal: &Removal<'_>,
    host: &Host<'_>,
) -> Result<Committed, crate::disk::Error> {
    host.working("removing");
    let unmovable = if removal.keep { Unmovable::Refuse } else { Unmovable::Delete };
    let manner = Manner { now: host.now(), run, unmovable, proven };
    apply::prune_as(plan, &lock, &manner, host.cancel, host.progress)
}

/// That nothing of a cache was removed after environments were.
fn failed(steps: &[Step], error: &crate::disk::Error) -> Committed {
    let why = super::chain(error);
    let outcome = |step: &Step| Outcome {
        action: step.action,
        at: step.at.clone(),
        state: State::Failed,
        why: Some(why.clone()),
        moved: false,
    };
    Committed { outcomes: steps.iter().map(outcome).collect(), ..Committed::default() }
}

/// Notes that environments which were removed are gone: one that is not where it was could have been moved.
fn forget(report: &mut Report, registry: Option<&Path>, host: &Host<'_>) {
    let gone = |it: &&Outcome| it.state == State::Done && it.at.path().is_absolute();
    let gone: Vec<PathBuf> = report.outcomes.iter().filter(gone).map(|it| it.at.path()).collect();
    let Some(registry) = registry.filter(|_| !gone.is_empty()) else { return };
    if super::forget(registry, gone, host.now()).is_err() {
        report.notes.push(
            "The list of known environments could not be changed; it still has what was removed.".to_owned(),
        );
    }
}
