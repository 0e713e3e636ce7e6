//! Work that changes something, for commands: it runs on a thread of its own, what it is at is shown on stderr, and its failures are
//! the program's.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
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
use crate::apply::measure;
use crate::control::{Cancel, Counts, Progress};
use crate::human;
use crate::lock::holder;
use crate::plan::{Caution, Plan};
use crate::snapshot::Snapshot;
use crate::worker;
use crate::worker::host::{Host, Means, Told};
use crate::worker::removal::{self, Done, Removal, Stopped};
use crate::worker::rescan::Rescan;

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

/// What some work brought.
pub(super) struct Hosted<Answer> {
    pub(super) answer: Answer,
    /// What is worth saying of the locks. Not escaped.
    pub(super) notes: Vec<String>,
    /// Whether Ctrl-C was pressed meanwhile.
    pub(super) interrupted: bool,
}

/// Whether everything was done, as the program's end.
pub(super) fn verdict(done: Done) -> Result<(), Failure> {
    if let Some(refused) = done.busy {
        Err(locking::failure(refused))
    } else if done.interrupted {
        Err(Failure::quiet(INTERRUPTED))
    } else if done.report.is_complete() && !done.left_over {
        Ok(())
    } else {
        Err(Failure::quiet(FAILED))
    }
}

/// The failure of a plan of which nothing was carried out.
pub(super) fn stopped(stopped: Stopped) -> Failure {
    match stopped {
        Stopped::Lock(refused) => locking::failure(refused),
        Stopped::Interrupted => Failure::quiet(INTERRUPTED),
        Stopped::Cautions(cautions) => needs_allowing(&cautions.iter().collect::<Vec<_>>()),
        Stopped::Failed(error) => Failure::new(FAILED, error),
        Stopped::Scan(text) => Failure::message(FAILED, text),
    }
}

/// What some work is at.
#[derive(Default)]
struct Stage {
    text: String,
    counts: bool,
    /// What was counted when it came to this.
    before: Option<Counts>,
}

impl Stage {
    /// What it is at, with the number of what it has done of it.
    fn describe(&mut self, counts: Counts) -> String {
        let before = *self.before.get_or_insert(counts);
        let done = |count: fn(Counts) -> u64| count(counts).saturating_sub(count(before));
        let numbers = [
            (done(|counts| counts.environments), "environment", "environments"),
            (done(|counts| counts.entries), "entry", "entries"),
            (done(|counts| counts.files), "file", "files"),
        ];
        match numbers.into_iter().find(|(number, ..)| self.counts && *number > 0) {
            Some((number, one, many)) => format!("{}: {}", self.text, human::counted(number, one, many)),
            None => self.text.clone(),
        }
    }
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
        *stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage { text, counts, before: None };
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
    let describe = |counts: Counts| stage.lock().unwrap_or_else(PoisonError::into_inner).describe(counts);
    let watch = |task: &worker::Task<_>| progress::task(task, describe, surroundings, view.quiet);
    let ((answer, mut notes), interrupted) = worker::within(job, watch)?;
    notes.splice(0..0, notice);
    Ok(Hosted { answer, notes, interrupted })
}

impl Ground<'_> {
    /// Does some work that takes locks, as [`hosted`] does.
    pub(super) fn hosted<Answer: Send>(
        &self,
        work: impl FnOnce(&Host<'_>) -> Answer + Send,
    ) -> Result<Hosted<Answer>, Failure> {
        hosted_with(self.places, self.surroundings, self.view, self.when_free.is_some(), work)
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

    /// Carries out a plan, which somebody has agreed to.
    pub(super) fn carry_out(&self, plan: &Plan, origin: Origin<'_>, keep: bool) -> Result<Done, Failure> {
        let (prepared, saved) = match origin {
            Origin::Scanned(prepared) => (prepared, None),
            Origin::Saved { prepared, snapshot } => (prepared, Some(snapshot)),
        };
        let again = prepared.clone();
        let rescan = Rescan::new(move || again.start(surroundings::now()));
        let removal = Removal {
            cache: self.cache,
            keep,
            when_free: self.when_free,
            saved,
            rescan: &rescan,
            agreed: &BTreeSet::new(),
            registry: prepared.registry(),
        };
        let hosted = self.hosted(|host| removal::carry_out(plan, &removal, host))?;
        let mut done = hosted.answer.map_err(stopped)?;
        done.report.notes.splice(0..0, hosted.notes);
        Ok(done)
    }
}

/// The failure of a plan that calls for a second look.
pub(super) fn refused(plan: &Plan) -> Option<Failure> {
    let refused: Vec<&Caution> = plan.refused().collect();
    (!refused.is_empty()).then(|| needs_allowing(&refused))
}

fn needs_allowing(cautions: &[&Caution]) -> Failure {
    let words: Vec<&str> = cautions.iter().map(|caution| caution.allowance.word()).collect();
    let texts: Vec<&str> = cautions.iter().map(|caution| caution.text.as_str()).collect();
    let hint = format!("`--allow {}` removes it all the same.", words.join(","));
    Failure::message(FAILED, format!("{} Nothing was removed.", texts.join(" "))).hint(hint)
}
