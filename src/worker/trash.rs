//! Emptying the trash and putting back what lies in it, for the command line and the screen.

use std::io;
use std::path::{Path, PathBuf};

use super::host::Host;
use crate::apply::beside::{self, Whole};
use crate::apply::restore::Restored;
use crate::apply::{Run, measure, purge, trash};
use crate::disk::Error;
use crate::lock::Refused;

use super::removal::Stopped;

/// What became of emptying the trash.
#[derive(Debug, Default)]
pub struct Emptied {
    /// The bytes that were freed, by the files, where the filesystem tells.
    pub freed: Option<u64>,
    /// What could not be deleted.
    pub errors: Vec<Error>,
    /// Whether a person stopped it.
    pub stopped: bool,
    /// Of how many runs the environments were deleted.
    pub of_environments: usize,
    /// Why nothing was deleted in the cache, where its lock was not to be had.
    pub refused: Option<Refused>,
}

impl Emptied {
    /// What could not be deleted, and what to do about it, as sentences. Not escaped. That it was stopped is no failure where a
    /// person stopped it.
    pub fn left(&self) -> Vec<String> {
        let is_stop = |error: &&Error| self.stopped && error.source.kind() == io::ErrorKind::Interrupted;
        let errors = self.errors.iter().filter(|error| !is_stop(error));
        let mut left: Vec<String> =
            errors.map(|error| format!("{error}: {}.", crate::disk::error::words(&error.source))).collect();
        if self.stopped || !left.is_empty() {
            left.push(
                "What is left of it lies in the trash: `cachetui trash purge` deletes that too.".to_owned(),
            );
        }
        left
    }

    fn add(&mut self, other: Self) {
        self.freed = self.freed.zip(other.freed).map(|(sum, more)| sum + more);
        self.errors.extend(other.errors);
        self.stopped |= other.stopped;
        self.of_environments += other.of_environments;
        self.refused = self.refused.take().or(other.refused);
    }
}

/// Deletes what runs removed: environments first, since entries are freed with the last link. What an interrupted run left in the
/// cache's trash goes with it.
pub fn empty(chosen: &[Whole], cache: &Path, host: &Host<'_>) -> Emptied {
    let mut emptied = Emptied { freed: Some(0), ..Emptied::default() };
    for whole in chosen.iter().filter(|whole| !whole.beside.is_empty()) {
        if host.cancel.is_cancelled() {
            break;
        }
        emptied.add(empty_beside(whole, true, cache, host));
    }
    emptied.stopped |= host.cancel.is_cancelled();
    let runs: Vec<Run> = chosen.iter().filter(|it| it.in_cache).map(|whole| whole.run.clone()).collect();
    if !runs.is_empty() && !emptied.stopped {
        emptied.add(empty_cache(runs, None, cache, host));
    }
    emptied
}

/// Deletes what lies in the cache's own trash, under its lock, held with others. `trees` are the things that the runs moved there;
/// without them the directories of the trash count too.
pub(super) fn empty_cache(
    mut runs: Vec<Run>,
    trees: Option<&[PathBuf]>,
    cache: &Path,
    host: &Host<'_>,
) -> Emptied {
    let before = measure::trash(cache, &runs, trees);
    let asked = runs.clone();
    let interrupted = trash::runs(cache).unwrap_or_default();
    runs.extend(interrupted.into_iter().filter(|run| run.is_purging() && !asked.contains(run)));
    let lock = match host.shared(cache) {
        Ok(lock) => lock,
        Err(refused) => {
            let stopped = matches!(refused, Refused::Cancelled { .. });
            return Emptied { freed: Some(0), stopped, refused: Some(refused), ..Emptied::default() };
        }
    };
    host.working("deleting");
    let errors = purge::purge(&lock, &runs, host.cancel, host.progress);
    let freed = measure::freed(cache, &asked, trees, before);
    Emptied { freed, errors, stopped: host.cancel.is_cancelled(), ..Emptied::default() }
}

/// Deletes the environments of a run, which lie beside their places. `own`: the directories of the trash count too.
pub(super) fn empty_beside(whole: &Whole, own: bool, cache: &Path, host: &Host<'_>) -> Emptied {
    host.working("deleting");
    let (freed, errors) = whole.purge_beside(own, cache, host.state(), host.cancel, host.progress);
    Emptied { freed, errors, stopped: host.cancel.is_cancelled(), of_environments: 1, refused: None }
}

/// Puts back what a run removed.
///
/// # Errors
/// When nothing of it could be put back.
pub fn restore(whole: &Whole, cache: &Path, host: &Host<'_>) -> Result<Vec<Restored>, Stopped> {
    let lock = whole.in_cache.then(|| host.alone(cache)).transpose()?;
    if host.cancel.is_cancelled() {
        return Err(Stopped::Interrupted);
    }
    host.working("putting back");
    let restored = whole.restore(lock.as_ref()).map_err(Stopped::Failed)?;
    if let Some(state) = host.state() {
        whole.beside.iter().for_each(|directory| beside::forget(state, directory, cache));
    }
    Ok(restored)
}
