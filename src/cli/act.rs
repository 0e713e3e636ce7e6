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

use super::args::Places;
use super::failure::{FAILED, Failure, INTERRUPTED};
use super::locking;
use super::print::View;
use super::progress;
use super::request::{self, Prepared};
use super::surroundings::{self, Surroundings};
use crate::apply::{self, Report, Run, State, Unmovable, journal, measure, purge, trash};
use crate::control::{Cancel, Counts, Progress};
use crate::disk::volume;
use crate::human;
use crate::lock::{CacheExclusive, Refused, holder};
use crate::plan::{At, Plan, plan};
use crate::snapshot::Snapshot;
use crate::worker;
use crate::worker::again::{Look, Ready, ready};
use crate::worker::agreed::{ordered, still};
use crate::worker::host::{Host, Means, Told};

/// What every change needs to know.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) places: &'a Places,
    pub(super) surroundings: &'a Surroundings,
    pub(super) view: &'a View,
    /// The cache's root.
    pub(super) cache: &'a Path,
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

/// What became of a plan.
#[derive(Default)]
pub(super) struct Done {
    pub(super) report: Report,
    pub(super) interrupted: bool,
    /// Whether something that was removed could not be deleted.
    left_over: bool,
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
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.interrupted {
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
            let left = human::counted(state.remaining.as_secs(), "second", "seconds");
            if !surroundings.stderr_is_terminal && !view.quiet && !said.swap(true, Ordering::Relaxed) {
                // Where stderr cannot be written there is nobody left to tell.
                drop(writeln!(io::stderr(), "Waiting for `{path}`, locked by {who}, for {left} at most."));
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
        let hosted = hosted(self.places, self.surroundings, self.view, |host| host.alone(self.cache))?;
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
        let mut left = Vec::new();
        // That it was stopped is no failure where somebody stopped it.
        let is_stop =
            |error: &&crate::disk::Error| stopped && error.source.kind() == io::ErrorKind::Interrupted;
        for error in errors.iter().filter(|error| !is_stop(error)) {
            left.push(format!("{error}: {}.", crate::disk::error::words(&error.source)));
        }
        if stopped || !left.is_empty() {
            left.push(
                "What is left of it lies in the trash: `cachetui trash purge` deletes that too.".to_owned(),
            );
        }
        Ok(Ok(Emptied { left, notes, stopped }))
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
        let notes = RefCell::default();
        let Ready { go, left } = self.ready(plan, origin, &notes)?;
        let mut done = match go {
            Some((current, guard)) => self.commit(plan, current, guard, notes.into_inner(), keep)?,
            None => Done::default(),
        };
        let outcomes = std::mem::take(&mut done.report.outcomes);
        done.report.outcomes = ordered(plan, outcomes, left);
        let state = self.surroundings.state_dir.as_deref();
        let told = state.and_then(|it| journal::keep(it, surroundings::now(), plan, &done.report));
        done.report.notes.extend(told);
        Ok(done)
    }

    /// The plan as it still holds, with the lock under which it does, and what of it no longer does. The notes are those of
    /// the lock.
    fn ready(
        &self,
        reviewed: &Plan,
        origin: Origin<'_>,
        notes: &RefCell<Vec<String>>,
    ) -> Result<Ready, Failure> {
        let (prepared, (current, left)) = match origin {
            Origin::Scanned(prepared) => (prepared, (reviewed.clone(), Vec::new())),
            Origin::Saved { prepared, snapshot } => {
                (prepared, still(reviewed, plan(snapshot, &reviewed.request), snapshot))
            }
        };
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

    /// Removes under the lock, gives it back, and unlinks.
    fn commit(
        &self,
        reviewed: &Plan,
        current: Plan,
        guard: CacheExclusive,
        mut notes: Vec<String>,
        keep: bool,
    ) -> Result<Done, Failure> {
        let now = surroundings::now();
        let before = volume::free(self.cache);
        let unmovable = if keep { Unmovable::Refuse } else { Unmovable::Delete };
        let task = worker::start(move |cancel, progress| {
            apply::prune_as(&current, &guard, now, unmovable, cancel, progress)
        });
        let describe =
            |counts: Counts| format!("Removing: {}", human::counted(counts.entries, "entry", "entries"));
        let trees: Vec<PathBuf> = reviewed.steps.iter().map(|step| step.at.path()).collect();
        let (committed, interrupted) = progress::task(&task, describe, self.surroundings, self.view.quiet)?;
        let committed = committed.map_err(|error| Failure::new(FAILED, error))?;
        notes.extend(committed.notes);
        let mut done = Done { interrupted, ..Done::default() };
        let mut files = None;
        let predicted = freed::predicted(reviewed, &committed.outcomes);
        done.report.outcomes = committed.outcomes;
        match committed.trash {
            Some(run) if keep || interrupted || committed.stuck => {
                done.report.trash = Some(At::new(&run.path()));
            }
            Some(run) => match self.measured(&run, &trees, &mut files)? {
                Ok(emptied) => {
                    done.left_over = !emptied.left.is_empty();
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
            },
            None => {}
        }
        let is_there = done.report.trash.is_none() && done.report.count(State::Done) > 0;
        let after = if is_there { self.settled()? } else { None };
        let volume = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        let measured = if is_there { files.or(volume) } else { None };
        done.report.freed = freed::freed(reviewed, self.cache, predicted, measured, !done.left_over);
        done.report.freed.volume = volume;
        done.report.notes = notes;
        Ok(done)
    }
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

/// The failure of a run whose plan kept something only because it, or what it depends on, could not be read.
pub(super) fn unread(plan: &Plan) -> Option<Failure> {
    let kept = plan.unread().count() as u64;
    let first = plan.scope.failed.first().filter(|_| kept > 0)?;
    let path = human::escape_os(first.at.path().as_os_str()).into_owned();
    let more = match plan.scope.failed.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", human::counted(more as u64, "more path", "more paths")),
    };
    let (things, were) = (human::counted(kept, "thing", "things"), if kept == 1 { "was" } else { "were" });
    let text = format!(
        "{things} {were} kept because of what could not be read: `{path}` ({}){more}.",
        first.message
    );
    let hint = "Once that can be read, the same command removes what nobody uses of it.";
    Some(Failure::message(FAILED, text).hint(hint))
}
