//! Long work off the screen's thread: one thread per job, its results as messages.
//!
//! A job ends by itself when nobody listens any more, at the latest when its work is done.

mod again;
pub mod agreed;
pub mod detach;
mod freed;
pub mod host;
pub mod relink;
pub mod removal;
pub mod remove;
pub mod repair;
pub mod rescan;
pub mod task;
pub mod trash;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::apply::beside::{self, Whole};
use crate::apply::weigh::weigh;
use crate::control::{Cancel, Progress};
use crate::lock::{self, Survey, SurveyRequest};
use crate::plan::Plan;
use crate::scan::registry::{self, Remembered};
use crate::scan::{self, Live};
use crate::snapshot::{Completeness, FileRow, FilesRequest, Problem, Snapshot};

/// How often a running scan shows what it knows so far.
const PARTIAL: Duration = Duration::from_millis(150);

/// What a running scan reports.
#[derive(Clone, Debug)]
pub enum ScanEvent {
    /// What is known so far; replaces every earlier event.
    Partial(Arc<Snapshot>),
    /// The final result, complete or cancelled.
    Finished(Arc<Snapshot>),
    /// The scan could not be done at all: the whole chain of errors as one sentence.
    Failed(String),
}

/// A scan that runs on a thread of its own.
#[derive(Debug)]
pub struct ScanJob {
    /// Its reports; closed after [`ScanEvent::Finished`] or [`ScanEvent::Failed`].
    pub events: Receiver<ScanEvent>,
    /// How far it has come.
    pub progress: Arc<Progress>,
    /// Stops it early.
    pub cancel: Cancel,
}

/// Starts a scan. What it finds is remembered in the file `remember`, if one is given; that it could not be is a
/// problem of the scan, not a failure.
pub fn start_scan(request: scan::Request, remember: Option<PathBuf>) -> ScanJob {
    let (sender, events) = mpsc::channel();
    let progress = Arc::new(Progress::default());
    let cancel = Cancel::default();
    let job = ScanJob { events, progress: Arc::clone(&progress), cancel: cancel.clone() };
    spawn(move || {
        let live = Arc::new(Live::default());
        let (done, finished) = mpsc::channel();
        let scanned = Arc::clone(&live);
        let stop = cancel.clone();
        spawn(move || {
            let mut result = scan::scan(&request, &scanned, &cancel, &progress);
            if let (Ok(snapshot), Some(path)) = (&mut result, remember) {
                keep(snapshot, &request.remembered, path);
            }
            // Nobody listens only when the job itself was dropped.
            drop(done.send(result));
        });
        let last = loop {
            match finished.recv_timeout(PARTIAL) {
                Ok(Ok(snapshot)) => break ScanEvent::Finished(Arc::new(snapshot)),
                Ok(Err(error)) => break ScanEvent::Failed(chain(&error)),
                Err(RecvTimeoutError::Timeout) => {
                    if sender.send(ScanEvent::Partial(Arc::new(live.snapshot()))).is_err() {
                        stop.cancel();
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break ScanEvent::Failed("The scan ended unexpectedly".to_owned());
                }
            }
        };
        drop(sender.send(last));
    });
    job
}

/// Lists files off the caller's thread; the answer comes once.
pub fn list_files(cache: PathBuf, request: FilesRequest) -> Receiver<Result<Vec<FileRow>, String>> {
    let (sender, answer) = mpsc::channel();
    spawn(move || {
        let rows = scan::files::list(&cache, &request).map_err(|error| chain(&error));
        drop(sender.send(rows));
    });
    answer
}

/// Looks at what a plan changes, off the caller's thread; the plan comes back once, with the bytes that come free and
/// without what would lose something. `reflinks`: whether the cache's filesystem has them.
pub fn weigh_plan(mut plan: Box<Plan>, cache: PathBuf, reflinks: bool) -> Receiver<Box<Plan>> {
    let (sender, answer) = mpsc::channel();
    spawn(move || {
        if plan.relinks().next().is_none() {
            weigh(&mut plan, &cache);
        } else {
            relink::look(&mut plan, reflinks);
        }
        drop(sender.send(plan));
    });
    answer
}

/// Any other work that runs on a thread of its own.
#[derive(Debug)]
pub struct Task<Answer> {
    /// Its answer, which comes once.
    pub answer: Receiver<Answer>,
    /// How far it has come.
    pub progress: Arc<Progress>,
    /// Stops it early.
    pub cancel: Cancel,
}

/// Starts some work.
pub fn start<Answer: Send + 'static>(
    work: impl FnOnce(&Cancel, &Progress) -> Answer + Send + 'static,
) -> Task<Answer> {
    let (sender, answer) = mpsc::channel();
    let progress = Arc::new(Progress::default());
    let cancel = Cancel::default();
    let task = Task { answer, progress: Arc::clone(&progress), cancel: cancel.clone() };
    spawn(move || drop(sender.send(work(&cancel, &progress))));
    task
}

/// Does some work on a thread of its own that may borrow, as locks are, while `watch` waits for its answer.
pub fn within<Answer: Send, Told>(
    work: impl FnOnce(&Cancel, &Progress) -> Answer + Send,
    watch: impl FnOnce(&Task<Answer>) -> Told,
) -> Told {
    let (sender, answer) = mpsc::channel();
    let task = Task { answer, progress: Arc::default(), cancel: Cancel::default() };
    let (cancel, progress) = (task.cancel.clone(), Arc::clone(&task.progress));
    #[expect(clippy::disallowed_methods, reason = "the jobs' threads start here and nowhere else")]
    std::thread::scope(|scope| {
        // Whoever does not wait for the answer waits for the thread all the same.
        drop(scope.spawn(move || drop(sender.send(work(&cancel, &progress)))));
        watch(&task)
    })
}

/// What goes on around a cache besides what a scan sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The locks.
    pub locks: Survey,
    /// The runs in the trash, of the cache and of environments, oldest first.
    pub trash: Vec<Whole>,
}

/// Finds out what goes on around a cache, off the caller's thread; the answer comes once. `state`: where it is noted which directories
/// have a trash of environments.
pub fn look_around(request: SurveyRequest, state: Option<PathBuf>) -> Receiver<Around> {
    let (sender, answer) = mpsc::channel();
    spawn(move || {
        // A trash that cannot be read is as good as none: nothing can be put back from it.
        let trash = beside::runs(&request.cache, state.as_deref()).unwrap_or_default();
        drop(sender.send(Around { locks: lock::survey(&request), trash }));
    });
    answer
}

/// Remembers the environments of a complete scan.
fn keep(snapshot: &mut Snapshot, before: &[Remembered], path: PathBuf) {
    if snapshot.scope.completeness != Completeness::Complete {
        return;
    }
    if let Err(error) = crate::apply::state::save(&path, &registry::bytes(snapshot, before)) {
        snapshot.problems.push(Problem { path, message: chain(&error) });
    }
}

/// Notes in the list of known environments that what is missing at some paths is gone.
///
/// # Errors
/// When the list cannot be read or written.
pub fn forget(list: &Path, paths: Vec<PathBuf>, now: jiff::Timestamp) -> Result<(), registry::Error> {
    let before = registry::read(list)?;
    Ok(crate::apply::state::save(list, &registry::forget(before, paths, now))?)
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    #[expect(clippy::disallowed_methods, reason = "the jobs' threads start here and nowhere else")]
    drop(std::thread::spawn(work));
}

/// An error and its sources as one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
