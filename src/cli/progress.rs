//! Waiting for a scan or other work: progress on stderr when it takes long and somebody watches, and an end by Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::SIGINT;

use super::failure::{FAILED, Failure, INTERRUPTED};
use super::surroundings::Surroundings;
use crate::control::{Counts, Phase};
use crate::human;
use crate::snapshot::Snapshot;
use crate::worker::{ScanEvent, ScanJob, Task};

/// Scans that end sooner show nothing.
const PATIENCE: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_millis(50);

/// Waits for the final snapshot. Ctrl-C cancels the scan and ends quietly; a second one ends at once.
pub(super) fn wait(
    job: &ScanJob,
    surroundings: &Surroundings,
    quiet: bool,
) -> Result<Arc<Snapshot>, Failure> {
    let interrupted = Interrupt::watch();
    let mut bar = Bar::new(surroundings, quiet);
    let end = loop {
        match job.events.recv_timeout(STEP) {
            Ok(ScanEvent::Partial(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(ScanEvent::Finished(snapshot)) => break Ok(snapshot),
            Ok(ScanEvent::Failed(message)) => break Err(Failure::message(FAILED, message)),
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Failure::message(FAILED, "The scan ended without a result."));
            }
        }
        if interrupted.happened() {
            job.cancel.cancel();
            break Err(Failure::quiet(INTERRUPTED));
        }
        if surroundings.started.elapsed() > PATIENCE {
            bar.show(describe(job.progress.counts()));
        }
    };
    bar.clear();
    // A Ctrl-C that came with the last message still counts; from here on one ends the program at once.
    if interrupted.end() { Err(Failure::quiet(INTERRUPTED)) } else { end }
}

/// Waits for some work, told by `describe`. Ctrl-C asks it to stop, and its answer is waited for still; a second one ends
/// the program at once. Tells whether it was asked to stop.
pub(super) fn task<Answer>(
    task: &Task<Answer>,
    describe: impl Fn(Counts) -> String,
    surroundings: &Surroundings,
    quiet: bool,
) -> Result<(Answer, bool), Failure> {
    let interrupted = Interrupt::watch();
    let mut bar = Bar::new(surroundings, quiet);
    let mut waited = Duration::ZERO;
    let answer = loop {
        match task.answer.recv_timeout(STEP) {
            Ok(answer) => break answer,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::message(FAILED, "The work ended without a result."));
            }
        }
        if interrupted.happened() {
            task.cancel.cancel();
        }
        waited += STEP;
        if waited > PATIENCE {
            bar.show(describe(task.progress.counts()));
        }
    };
    bar.clear();
    Ok((answer, interrupted.end()))
}

/// One line on stderr that changes.
pub(super) struct Bar {
    shown: Option<ProgressBar>,
    wanted: bool,
}

impl Bar {
    /// A line that nobody sees before something is shown in it.
    pub(super) fn new(surroundings: &Surroundings, quiet: bool) -> Self {
        Self { shown: None, wanted: surroundings.stderr_is_terminal && !quiet }
    }

    /// Shows a message, if there is a terminal to show it in.
    pub(super) fn show(&mut self, message: String) {
        if !self.wanted {
            return;
        }
        let bar = self.shown.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid");
            bar.with_style(style)
        });
        bar.set_message(message);
        bar.tick();
    }

    /// Takes the line away.
    pub(super) fn clear(self) {
        if let Some(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}

fn describe(counts: Counts) -> String {
    let doing = match counts.phase {
        Phase::Idle => "Starting",
        Phase::Cache => "Reading the cache",
        Phase::Search => "Looking for environments",
        Phase::Environments => "Reading environments",
        Phase::Evidence => "Comparing files",
        Phase::Done => "Finishing",
    };
    let mut parts = vec![human::counted(counts.files, "file", "files")];
    if counts.bytes > 0 {
        parts.push(human::bytes(counts.bytes));
    }
    for (number, singular, plural) in [
        (counts.entries, "entry", "entries"),
        (counts.environments, "environment", "environments"),
        (counts.directories, "directory searched", "directories searched"),
    ] {
        if number > 0 {
            parts.push(human::counted(number, singular, plural));
        }
    }
    format!("{doing}: {}", parts.join(", "))
}

/// Ctrl-C as a flag. As long as somebody watches the first signal only sets it; once it is set, and while nobody watches, a
/// signal ends the program with 130.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to watch. The handlers are the same for the whole program, so that there is one flag.
    pub(super) fn watch() -> Self {
        static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let flag = FLAG.get_or_init(|| {
            let flag = Arc::new(AtomicBool::new(false));
            // In this order: the first signal must not see the flag that it sets itself.
            let shutdown = signal_hook::flag::register_conditional_shutdown(
                SIGINT,
                i32::from(INTERRUPTED),
                Arc::clone(&flag),
            );
            if shutdown.is_ok() {
                // Without the handler the signal ends the program in its default way, which is as good.
                drop(signal_hook::flag::register(SIGINT, Arc::clone(&flag)));
            }
            flag
        });
        flag.store(false, Ordering::Relaxed);
        Self(Arc::clone(flag))
    }

    /// Whether it happened.
    pub(super) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Stops watching, and tells whether it happened.
    pub(super) fn end(self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn waited(events: &[ScanEvent]) -> Result<Arc<Snapshot>, Failure> {
        let (sender, receiver) = mpsc::channel();
        for event in events {
            sender.send(event.clone()).unwrap();
        }
        drop(sender);
        let job =
            ScanJob { events: receiver, progress: Arc::default(), cancel: crate::control::Cancel::default() };
        wait(&job, &Surroundings::read().unwrap(), true)
    }

    #[test]
    fn the_last_snapshot_is_the_answer_and_a_scan_that_fails_or_vanishes_is_a_failure() {
        let snapshot = Arc::new(Snapshot::default());
        let partial = ScanEvent::Partial(Arc::default());
        let finished = ScanEvent::Finished(Arc::clone(&snapshot));
        assert!(Arc::ptr_eq(&waited(&[partial.clone(), finished]).unwrap(), &snapshot));
        assert_eq!(
            waited(&[partial.clone(), ScanEvent::Failed("no".to_owned())]).unwrap_err().code(),
            FAILED
        );
        assert_eq!(waited(&[partial]).unwrap_err().code(), FAILED);
    }

    #[test]
    fn progress_names_what_it_counts() {
        let counts = Counts { phase: Phase::Cache, files: 1_204, entries: 1, ..Counts::default() };
        assert_eq!(describe(counts), "Reading the cache: 1,204 files, 1 entry");
    }
}
