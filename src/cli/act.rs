//! Carrying out what was decided: the lock, a last look, the change itself, and what is told and kept of it.
//!
//! A plan is made without any lock. Under the lock it is looked at again ([`crate::worker::again`]), and what no longer holds
//! is left alone.

mod freed;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::args::Places;
use super::failure::{FAILED, Failure, INTERRUPTED};
use super::locking;
use super::print::View;
use super::progress;
use super::request::{self, Prepared};
use super::surroundings::{self, Surroundings};
use crate::apply::beside::{self, Whole};
use crate::apply::prune::Committed;
use crate::apply::{self, Manner, Outcome, Report, Run, State, Unmovable, journal, measure, purge, trash};
use crate::control::{Cancel, Counts, Progress};
use crate::disk::{FileStat, volume};
use crate::human;
use crate::lock::{CacheExclusive, CacheShared, Refused, holder};
use crate::plan::{At, Plan, Step, plan};
use crate::snapshot::Snapshot;
use crate::worker;
use crate::worker::again::{Look, Ready, ready};
use crate::worker::agreed::{ordered, still};
use crate::worker::host::{Host, Means, Told};
use crate::worker::remove::{self, Removed, Wait};

/// What every change needs to know.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) places: &'a Places,
    pub(super) surroundings: &'a Surroundings,
    pub(super) view: &'a View,
    /// The cache's root.
    pub(super) cache: &'a Path,
    /// How long the cache may be in use before it is changed, where nothing is to be held meanwhile.
    pub(super) when_free: Option<Duration>,
}

/// Where a plan comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// From a scan, which can be made again.
    Scanned(&'a Prepared),
    /// From a file, which anybody may have changed: only what a new plan has too is carried out.
    Saved {
        /// The scan that was made for it.
        prepared: &'a Prepared,
        /// What it found.
        snapshot: &'a Snapshot,
    },
}

impl<'a> Origin<'a> {
    /// The scan that can be made again; the plan as it holds by what was found, and what became of its other steps.
    fn of(self, reviewed: &Plan) -> (&'a Prepared, (Plan, Vec<Outcome>)) {
        match self {
            Origin::Scanned(prepared) => (prepared, (reviewed.clone(), Vec::new())),
            Origin::Saved { prepared, snapshot } => {
                (prepared, still(reviewed, plan(snapshot, &reviewed.request), snapshot))
            }
        }
    }
}

/// What became of a plan.
#[derive(Default)]
pub(super) struct Done {
    pub(super) report: Report,
    pub(super) interrupted: bool,
    /// Whether something that was removed could not be deleted.
    left_over: bool,
    /// The first environment whose lock another process held.
    busy: Option<Refused>,
}

/// The lock under which a plan is carried out.
enum Guard {
    /// Of a plan that changes the cache.
    Alone(CacheExclusive),
    /// Of one that changes environments only.
    Shared(CacheShared),
}

/// What some work brought.
pub(super) struct Hosted<Answer> {
    pub(super) answer: Answer,
    /// What is worth saying of the locks. Not escaped.
    pub(super) notes: Vec<String>,
    /// Whether Ctrl-C was pressed meanwhile.
    pub(super) interrupted: bool,
}

/// What became of emptying the trash.
#[derive(Default)]
pub(super) struct Emptied {
    /// What could not be deleted, and what to do about it, as sentences. Not escaped.
    pub(super) left: Vec<String>,
    /// What is worth saying of the locks. Not escaped.
    pub(super) notes: Vec<String>,
    /// Whether somebody stopped it.
    pub(super) stopped: bool,
}

impl Done {
    /// Whether everything was done, as the program's end.
    pub(super) fn verdict(self) -> Result<(), Failure> {
        if let Some(refused) = self.busy {
            Err(locking::failure(refused))
        } else if self.interrupted {
            Err(Failure::quiet(INTERRUPTED))
        } else if self.report.is_complete() && !self.left_over {
            Ok(())
        } else {
            Err(Failure::quiet(FAILED))
        }
    }
}

/// What some work is at.
#[derive(Default)]
struct Stage {
    text: String,
    counts: bool,
}

/// What jobs work with, and what is worth saying of it.
pub(super) fn means(
    places: &Places,
    surroundings: &Surroundings,
) -> Result<(Means, Option<String>), Failure> {
    let (timeout, notice) = locking::timeout(surroundings);
    let locks = request::lock_directory(places, surroundings)?;
    let state = surroundings.state_dir.clone();
    let means = Means { locks, timeout, clock: surroundings::clock, now: surroundings::now, state };
    Ok((means, notice))
}

/// Does some work that takes locks on a thread of its own, and shows on stderr what it is at: who is waited for, or what it
/// does and to how many files. Ctrl-C asks it to stop.
pub(super) fn hosted<Answer: Send>(
    places: &Places,
    surroundings: &Surroundings,
    view: &View,
    work: impl FnOnce(&Host<'_>) -> Answer + Send,
) -> Result<Hosted<Answer>, Failure> {
    hosted_with(places, surroundings, view, false, work)
}

/// The same; `ends` says to tell how each process is ended that is waited for.
fn hosted_with<Answer: Send>(
    places: &Places,
    surroundings: &Surroundings,
    view: &View,
    ends: bool,
    work: impl FnOnce(&Host<'_>) -> Answer + Send,
) -> Result<Hosted<Answer>, Failure> {
    let (means, notice) = means(places, surroundings)?;
    let stage = Mutex::new(Stage::default());
    let at = |text: String, counts| {
        *stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage { text, counts };
    };
    let said = AtomicBool::new(false);
    let tell = |told: Told<'_>| match told {
        Told::Waiting(state) => {
            let who = human::escape(&holder::in_words(state.holders)).into_owned();
            let path = view.path(state.path);
            let left = human::duration(state.remaining);
            let tells = ends || !surroundings.stderr_is_terminal;
            if tells && !view.quiet && !said.swap(true, Ordering::Relaxed) {
                // Where stderr cannot be written there is nobody left to tell.
                drop(writeln!(io::stderr(), "Waiting for `{path}`, locked by {who}, for {left} at most."));
                for holder in state.holders.iter().filter(|_| ends) {
                    let line = holder.end(view.now);
                    if let Some(line) = line {
                        drop(writeln!(io::stderr(), "  {}", human::escape(&line)));
                    }
                }
            }
            at(format!("{left} left, waiting for {who}, who holds `{path}`"), false);
        }
        Told::Working(what) => at(human::capitalized(what), true),
    };
    let job = |cancel: &Cancel, progress: &Progress| {
        let host = Host::new(&means, cancel, progress, &tell);
        let answer = work(&host);
        (answer, host.notes())
    };
    let describe = |counts: Counts| {
        let stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
        match (stage.counts, counts.files) {
            (true, files) if files > 0 => {
                format!("{}: {}", stage.text, human::counted(files, "file", "files"))
            }
            _ => stage.text.clone(),
        }
    };
    let watch = |task: &worker::Task<_>| progress::task(task, describe, surroundings, view.quiet);
    let ((answer, mut notes), interrupted) = worker::within(job, watch)?;
    notes.splice(0..0, notice);
    Ok(Hosted { answer, notes, interrupted })
}

impl Ground<'_> {
    /// Takes the cache's lock alone. Answers with what is worth saying of it, too.
    pub(super) fn lock(&self) -> Result<(CacheExclusive, Vec<String>), Failure> {
        let work = |host: &Host<'_>| match self.when_free {
            Some(longest) => host.alone_when_free(self.cache, longest),
            None => host.alone(self.cache),
        };
        let hosted = hosted_with(self.places, self.surroundings, self.view, self.when_free.is_some(), work)?;
        let lock = hosted.answer.map_err(locking::failure)?;
        if hosted.interrupted { Err(Failure::quiet(INTERRUPTED)) } else { Ok((lock, hosted.notes)) }
    }

    /// Unlinks what lies in some runs of the trash, and what an interrupted run left there, under the cache's lock, held
    /// with others. Refused, nothing was unlinked.
    pub(super) fn purge(&self, mut runs: Vec<trash::Run>) -> Result<Result<Emptied, Refused>, Failure> {
        for run in trash::runs(self.cache).unwrap_or_default() {
            if run.is_purging() && !runs.contains(&run) {
                runs.push(run);
            }
        }
        let work = |host: &Host<'_>| {
            let lock = host.shared(self.cache)?;
            host.working("deleting");
            Ok(purge::purge(&lock, &runs, host.cancel, host.progress))
        };
        let hosted = hosted(self.places, self.surroundings, self.view, work)?;
        let Hosted { answer, notes, interrupted: stopped } = hosted;
        let errors = match answer {
            Ok(errors) => errors,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(Ok(Emptied { left: left(&errors, stopped), notes, stopped }))
    }

    /// The free bytes of the cache's volume once its filesystem has written what it has put off, which may take a while.
    /// Ctrl-C does not shorten it.
    pub(super) fn settled(&self) -> Result<Option<u64>, Failure> {
        let cache = self.cache.to_owned();
        let task = worker::start(move |_, _| measure::settled(&cache));
        let describe = |_| "Waiting for the disk to write what it has put off".to_owned();
        let (free, _) = progress::task(&task, describe, self.surroundings, self.view.quiet)?;
        Ok(free)
    }

    /// Unlinks a run, and measures by its files what that frees.
    fn measured(
        &self,
        run: &Run,
        trees: &[PathBuf],
        files: &mut Option<u64>,
    ) -> Result<Result<Emptied, Refused>, Failure> {
        let runs = [run.clone()];
        let before = measure::trash(self.cache, &runs, Some(trees));
        let emptied = self.purge(runs.to_vec())?;
        *files = measure::freed(self.cache, &runs, Some(trees), before);
        Ok(emptied)
    }

    /// Carries out a plan, which somebody has agreed to.
    pub(super) fn carry_out(&self, plan: &Plan, origin: Origin<'_>, keep: bool) -> Result<Done, Failure> {
        if plan.is_empty() {
            return Ok(Done::default());
        }
        if !keep {
            self.settled()?;
        }
        let (go, left, notes) = self.go(plan, origin)?;
        let mut done = match go {
            Some((current, guard)) => self.commit(plan, &current, guard, notes, keep)?,
            None => Done::default(),
        };
        let outcomes = std::mem::take(&mut done.report.outcomes);
        done.report.outcomes = ordered(plan, outcomes, left);
        if done.report.beside.is_empty() {
            self.forget(&mut done.report);
        }
        let state = self.surroundings.state_dir.as_deref();
        let told = state.and_then(|it| journal::keep(it, surroundings::now(), plan, &done.report));
        done.report.notes.extend(told);
        Ok(done)
    }

    /// The plan as it still holds, with the lock under which it does; what of it no longer does; and what is worth saying of the lock.
    #[expect(clippy::type_complexity, reason = "three answers of one question")]
    fn go(
        &self,
        reviewed: &Plan,
        origin: Origin<'_>,
    ) -> Result<(Option<(Plan, Guard)>, Vec<Outcome>, Vec<String>), Failure> {
        if reviewed.changes_cache() {
            let notes = RefCell::default();
            let Ready { go, left } = self.ready(reviewed, origin, &notes)?;
            return Ok((go.map(|(plan, lock)| (plan, Guard::Alone(lock))), left, notes.into_inner()));
        }
        let (_, (current, left)) = origin.of(reviewed);
        if let Some(failure) = refused(&current) {
            return Err(failure);
        }
        let hosted = hosted(self.places, self.surroundings, self.view, |host| host.shared(self.cache))?;
        let lock = hosted.answer.map_err(locking::failure)?;
        if hosted.interrupted {
            return Err(Failure::quiet(INTERRUPTED));
        }
        Ok((Some((current, Guard::Shared(lock))), left, hosted.notes))
    }

    /// The plan as it still holds, with the lock under which it does, and what of it no longer does. The notes are those of
    /// the lock.
    fn ready(
        &self,
        reviewed: &Plan,
        origin: Origin<'_>,
        notes: &RefCell<Vec<String>>,
    ) -> Result<Ready, Failure> {
        let (prepared, (current, left)) = origin.of(reviewed);
        let look = Look {
            lock: &|| {
                let (guard, said) = self.lock()?;
                notes.replace(said);
                Ok(guard)
            },
            scan: &|| {
                let job = prepared.start(surroundings::now());
                progress::wait(&job, self.surroundings, self.view.quiet)
            },
            refused: &refused,
            cancel: &Cancel::default(),
        };
        ready(reviewed, current, left, &look)
    }

    /// Notes that environments which were removed are gone: one that is not where it was could have been moved.
    fn forget(&self, report: &mut Report) {
        let gone = |it: &&Outcome| it.state == State::Done && it.at.path().is_absolute();
        let gone: Vec<PathBuf> = report.outcomes.iter().filter(gone).map(|it| it.at.path()).collect();
        let is_listed = !self.places.no_remember && self.surroundings.state_dir.is_some();
        if is_listed && request::forget(self.places, &gone, self.surroundings).is_err() {
            report.notes.push(
                "The list of known environments could not be changed; it still has what was removed."
                    .to_owned(),
            );
        }
    }

    /// Removes under the lock, gives it back, and unlinks.
    fn commit(
        &self,
        reviewed: &Plan,
        current: &Plan,
        guard: Guard,
        mut notes: Vec<String>,
        keep: bool,
    ) -> Result<Done, Failure> {
        let before = volume::free(self.cache);
        let mut done = Done::default();
        let removed = self.environments(current, &guard, keep, &mut done, &mut notes)?;
        let (current, left) = remove::rest(current, &removed.outcomes);
        let mut outcomes = removed.outcomes;
        outcomes.extend(left);
        done.busy = removed.busy;
        let committed = match guard {
            Guard::Alone(guard) if !current.steps.is_empty() => {
                let run = removed.whole.as_ref().map(|whole| whole.run.clone());
                let (steps, is_first) = (current.steps.clone(), outcomes.is_empty());
                match self.prune(current, guard, run, keep, &mut done) {
                    Err(failure) if !is_first => failed(&steps, &failure),
                    committed => committed?,
                }
            }
            _ => Committed::default(),
        };
        notes.extend(committed.notes);
        outcomes.extend(committed.outcomes);
        let predicted = freed::predicted(reviewed, &outcomes);
        done.report.outcomes = outcomes;
        let mut files = (!removed.unmeasured).then_some(0);
        let stays = keep || done.interrupted || committed.stuck;
        if let Some(whole) = removed.whole {
            if stays {
                done.report.beside = whole.places().iter().map(|(path, _)| At::new(path)).collect();
            } else {
                let (freed, emptied) = self.purge_beside(whole.clone(), false)?;
                files = files.zip(freed).map(|(files, freed)| files + freed);
                done.left_over |= !emptied.left.is_empty();
                done.interrupted |= emptied.stopped;
                notes.extend(emptied.left);
                done.report.beside = whole.left();
            }
        }
        let trees: Vec<PathBuf> = reviewed.steps.iter().flat_map(Step::places).map(At::path).collect();
        match committed.trash {
            Some(run) if stays => {
                done.report.trash = Some(At::new(&run.path()));
            }
            Some(run) => {
                let mut more = None;
                match self.measured(&run, &trees, &mut more)? {
                    Ok(emptied) => {
                        done.left_over |= !emptied.left.is_empty();
                        done.interrupted |= emptied.stopped;
                        notes.extend(emptied.left);
                    }
                    Err(refused) => {
                        done.report.trash = Some(At::new(&run.path()));
                        done.left_over = true;
                        done.interrupted |= matches!(refused, Refused::Cancelled { .. });
                        notes.push(format!(
                            "{refused}: what was removed lies in the trash, and `cachetui trash purge` deletes it."
                        ));
                    }
                }
                files = files.zip(more).map(|(files, more)| files + more);
            }
            // What could not be moved into a trash is gone without having been measured.
            None if done
                .report
                .outcomes
                .iter()
                .any(|it| it.state == State::Done && !it.at.path().is_absolute()) =>
            {
                files = None;
            }
            None => {}
        }
        let is_gone = done.report.trash.is_none() && done.report.beside.is_empty();
        let is_there = is_gone && done.report.count(State::Done) > 0;
        let after = if is_there { self.settled()? } else { None };
        // Of an environment on another volume the cache's tells nothing.
        let device = |path: &Path| FileStat::following(path).ok().map(|stat| stat.device);
        let is_elsewhere = |step: &Step| {
            let path = step.at.path();
            !step.is_in_cache() && path.parent().and_then(device) != device(self.cache)
        };
        let is_here = !reviewed.steps.iter().any(is_elsewhere);
        let volume =
            before.zip(after).map(|(before, after)| after.saturating_sub(before)).filter(|_| is_here);
        let measured = if is_there { files.or(volume) } else { None };
        done.report.freed = freed::freed(reviewed, self.cache, predicted, measured, !done.left_over);
        done.report.freed.volume = volume;
        done.report.notes = notes;
        Ok(done)
    }

    /// Moves the environments of a plan into the trash beside them.
    fn environments(
        &self,
        plan: &Plan,
        guard: &Guard,
        keep: bool,
        done: &mut Done,
        notes: &mut Vec<String>,
    ) -> Result<Removed, Failure> {
        if plan.steps.iter().all(Step::is_in_cache) {
            return Ok(Removed::default());
        }
        let state = self.surroundings.state_dir.as_deref();
        let work = |host: &Host<'_>| match guard {
            Guard::Alone(lock) => remove::environments(plan, lock, state, keep, Wait::No, host),
            Guard::Shared(lock) => remove::environments(plan, lock, state, keep, Wait::Yes, host),
        };
        let hosted = hosted(self.places, self.surroundings, self.view, work)?;
        done.interrupted |= hosted.interrupted;
        notes.extend(hosted.notes);
        Ok(hosted.answer)
    }

    /// Moves what a plan removes from the cache into its trash, and gives the lock back.
    fn prune(
        &self,
        current: Plan,
        guard: CacheExclusive,
        run: Option<Run>,
        keep: bool,
        done: &mut Done,
    ) -> Result<Committed, Failure> {
        let unmovable = if keep { Unmovable::Refuse } else { Unmovable::Delete };
        let manner = Manner { now: surroundings::now(), run, unmovable };
        let task = worker::start(move |cancel, progress| {
            apply::prune_as(&current, &guard, &manner, cancel, progress)
        });
        let describe =
            |counts: Counts| format!("Removing: {}", human::counted(counts.entries, "entry", "entries"));
        let (committed, interrupted) = progress::task(&task, describe, self.surroundings, self.view.quiet)?;
        done.interrupted |= interrupted;
        committed.map_err(|error| Failure::new(FAILED, error))
    }

    /// Takes the notes of trash beside environments away that is gone.
    pub(super) fn tidied(&self, whole: &Whole) {
        for (state, directory) in self
            .surroundings
            .state_dir
            .iter()
            .flat_map(|state| whole.beside.iter().map(move |it| (state, it)))
        {
            beside::forget(state, directory, self.cache);
        }
    }

    /// Deletes environments that lie in the trash beside their places; answers with the bytes that this frees, too, those of the trash's
    /// `own` directories included.
    pub(super) fn purge_beside(&self, whole: Whole, own: bool) -> Result<(Option<u64>, Emptied), Failure> {
        let state = self.surroundings.state_dir.clone();
        let cache = self.cache.to_owned();
        let task = worker::start(move |cancel, progress| {
            whole.purge_beside(own, &cache, state.as_deref(), cancel, progress)
        });
        let describe =
            |counts: Counts| format!("Deleting: {}", human::counted(counts.files, "file", "files"));
        let ((freed, errors), stopped) = progress::task(&task, describe, self.surroundings, self.view.quiet)?;
        Ok((freed, Emptied { left: left(&errors, stopped), notes: Vec::new(), stopped }))
    }
}

/// That nothing of a cache was removed after environments were, which is told with them.
fn failed(steps: &[Step], failure: &Failure) -> Committed {
    let why = failure.text();
    let outcome = |step: &Step| Outcome {
        action: step.action,
        at: step.at.clone(),
        state: State::Failed,
        why: Some(why.clone()),
        moved: false,
    };
    Committed { outcomes: steps.iter().map(outcome).collect(), ..Committed::default() }
}

/// What could not be deleted, and what to do about it, as sentences. That it was stopped is no failure where a person stopped it.
fn left(errors: &[crate::disk::Error], stopped: bool) -> Vec<String> {
    let is_stop = |error: &&crate::disk::Error| stopped && error.source.kind() == io::ErrorKind::Interrupted;
    let mut left: Vec<String> = errors
        .iter()
        .filter(|error| !is_stop(error))
        .map(|error| format!("{error}: {}.", crate::disk::error::words(&error.source)))
        .collect();
    if stopped || !left.is_empty() {
        left.push(
            "What is left of it lies in the trash: `cachetui trash purge` deletes that too.".to_owned(),
        );
    }
    left
}

/// The failure of a plan that calls for a second look.
pub(super) fn refused(plan: &Plan) -> Option<Failure> {
    let refused: Vec<_> = plan.refused().collect();
    let words: Vec<&str> = refused.iter().map(|caution| caution.allowance.word()).collect();
    let texts: Vec<&str> = refused.iter().map(|caution| caution.text.as_str()).collect();
    (!refused.is_empty()).then(|| {
        let hint = format!("`--allow {}` removes it all the same.", words.join(","));
        Failure::message(FAILED, format!("{} Nothing was removed.", texts.join(" "))).hint(hint)
    })
}
