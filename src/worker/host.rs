//! What a job has of whoever started it: how it takes locks, a way to be stopped, and somebody to tell.

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::apply::journal;
use crate::control::{Cancel, Progress};
use crate::lock::{
    CacheExclusive, CacheShared, Directory, EnvironmentExclusive, HoldsCache, Patience, Refused, Sharing,
    Sign, WaitState, Waiting, ancestor, without_directory,
};

/// Where jobs take locks, how long they wait for one, and where they write what they did.
#[derive(Clone, Debug)]
pub struct Means {
    /// cachetui's own lock directory.
    pub locks: Option<(PathBuf, Sharing)>,
    /// How long a lock is waited for.
    pub timeout: Duration,
    /// The clock that measures it.
    pub clock: fn() -> Instant,
    /// The time of day.
    pub now: fn() -> Timestamp,
    /// cachetui's state directory, for the journal.
    pub state: Option<PathBuf>,
}

/// What a job tells while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// It waits for a lock; told again and again.
    Waiting(&'a WaitState<'a>),
    /// It has what it waited for, and does something: what, as `linking`.
    Working(&'a str),
}

/// What a job has of whoever started it.
pub struct Host<'a> {
    /// Stops it at the next convenient point.
    pub cancel: &'a Cancel,
    /// How far it has come.
    pub progress: &'a Progress,
    means: &'a Means,
    directory: OnceCell<Option<Directory>>,
    notes: RefCell<Vec<String>>,
    tell: &'a dyn Fn(Told<'_>),
}

impl<'a> Host<'a> {
    /// A host. Nothing is opened before something is locked: who only looks makes no lock directory.
    pub fn new(
        means: &'a Means,
        cancel: &'a Cancel,
        progress: &'a Progress,
        tell: &'a dyn Fn(Told<'_>),
    ) -> Self {
        Self { cancel, progress, means, directory: OnceCell::new(), notes: RefCell::default(), tell }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.means.now)()
    }

    /// The time by the clock that measures durations.
    pub fn clock(&self) -> Instant {
        (self.means.clock)()
    }

    /// cachetui's own lock directory. One that cannot be used is left out, and told as a note.
    fn directory(&self) -> Option<&Directory> {
        let open = || {
            let (path, sharing) = self.means.locks.as_ref()?;
            let opened = Directory::open(path, *sharing);
            opened.inspect_err(|error| self.note(without_directory(error))).ok()
        };
        self.directory.get_or_init(open).as_ref()
    }

    /// Takes a cache's lock alone.
    ///
    /// # Errors
    /// When somebody else holds it for too long, or it is not to be had at all.
    pub fn alone(&self, cache: &Path) -> Result<CacheExclusive, Refused> {
        let lock = self.waiting(|waiting| CacheExclusive::acquire(cache, self.directory(), waiting))?;
        self.notes.borrow_mut().extend_from_slice(lock.notes());
        Ok(lock)
    }

    /// Takes a cache's lock alone as soon as no process holds it, and holds nothing meanwhile, so that others may work for hours.
    ///
    /// # Errors
    /// When it is not to be had for so long, or at all.
    pub fn alone_when_free(&self, cache: &Path, longest: Duration) -> Result<CacheExclusive, Refused> {
        const PAUSE: Duration = Duration::from_millis(100);
        let begun = self.clock();
        loop {
            let refused = match CacheExclusive::acquire(cache, self.directory(), &Waiting::Never) {
                Ok(lock) => {
                    self.notes.borrow_mut().extend_from_slice(lock.notes());
                    return Ok(lock);
                }
                Err(refused) => refused,
            };
            let Refused::Busy { path, wanted, holders } = refused else { return Err(refused) };
            let waited = self.clock().saturating_duration_since(begun);
            let remaining = longest.saturating_sub(waited);
            if ancestor::is_hopeless(&holders) {
                return Err(Refused::Busy { path, wanted, holders });
            }
            if remaining.is_zero() {
                return Err(Refused::TimedOut { path, wanted, holders, waited });
            }
            let (path, holders) = (&path, holders.as_slice());
            (self.tell)(Told::Waiting(&WaitState { path, wanted, waited, remaining, holders }));
            for _ in 0..10 {
                if self.cancel.is_cancelled() {
                    return Err(Refused::Cancelled { path: path.clone() });
                }
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Takes a cache's lock together with others.
    ///
    /// # Errors
    /// As for [`Self::alone`].
    pub fn shared(&self, cache: &Path) -> Result<CacheShared, Refused> {
        let lock = self.waiting(|waiting| CacheShared::acquire(cache, self.directory(), waiting))?;
        self.notes.borrow_mut().extend_from_slice(lock.notes());
        Ok(lock)
    }

    /// Takes an environment's lock if no process holds it. With the cache's held alone nothing is waited for, because others wait for that.
    ///
    /// # Errors
    /// As for [`Self::environment`].
    pub fn environment_at_once<'cache>(
        &self,
        root: &Path,
        cache: &'cache impl HoldsCache,
    ) -> Result<EnvironmentExclusive<'cache>, Refused> {
        let lock = EnvironmentExclusive::acquire(root, sign(root), cache, self.directory(), &Waiting::Never)?;
        self.notes.borrow_mut().extend_from_slice(lock.notes());
        Ok(lock)
    }

    /// Takes an environment's lock. What was found without a `pyvenv.cfg` was named by somebody, or is conda's.
    ///
    /// # Errors
    /// As for [`Self::alone`], and when no environment is there any more.
    pub fn environment<'cache>(
        &self,
        root: &Path,
        cache: &'cache impl HoldsCache,
    ) -> Result<EnvironmentExclusive<'cache>, Refused> {
        let directory = self.directory();
        let lock = self
            .waiting(|waiting| EnvironmentExclusive::acquire(root, sign(root), cache, directory, waiting))?;
        self.notes.borrow_mut().extend_from_slice(lock.notes());
        Ok(lock)
    }

    fn waiting<Guard>(
        &self,
        acquire: impl FnOnce(&Waiting<'_>) -> Result<Guard, Refused>,
    ) -> Result<Guard, Refused> {
        let on_wait = |state: &WaitState<'_>| (self.tell)(Told::Waiting(state));
        acquire(&Waiting::For(Patience {
            timeout: self.means.timeout,
            clock: &self.means.clock,
            sleep: &std::thread::sleep,
            cancel: self.cancel,
            on_wait: &on_wait,
        }))
    }

    /// Tells what it does now.
    pub fn working(&self, what: &str) {
        (self.tell)(Told::Working(what));
    }

    /// cachetui's state directory.
    pub fn state(&self) -> Option<&Path> {
        self.means.state.as_deref()
    }

    /// Writes what was done into the journal.
    pub fn journal(&self, plan: &impl Serialize, report: &impl Serialize) {
        let told = self.state().and_then(|state| journal::keep(state, (self.means.now)(), plan, report));
        self.notes.borrow_mut().extend(told);
    }

    /// Adds something that is worth saying.
    pub fn note(&self, note: String) {
        self.notes.borrow_mut().push(note);
    }

    /// What is worth saying of the locks and the rest, each once. Not escaped.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for note in self.notes.borrow_mut().drain(..) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }
}

/// By what a directory counts as an environment.
fn sign(root: &Path) -> Sign {
    if root.join("pyvenv.cfg").is_file() { Sign::PyvenvCfg } else { Sign::Target }
}
