//! Waiting for a lock: bounded, watched, and cancelled at any time.
//!
//! The standard library has no lock with a time limit, so it is tried again and again, first soon and then every quarter of
//! a second. Waiting for a uv that itself waits for this process would never end, and is not begun. Who waits in the kernel, as uv does, is served before whoever tries.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Refused;
use super::ancestor;
use super::file::{self, Access, Attempt, Held};
use super::holder::{self, Holder, Share};
use crate::control::Cancel;

/// The first pause between two attempts.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest one; pauses double until then.
const LONGEST: Duration = Duration::from_millis(250);

/// What to do about a lock that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub enum Waiting<'a> {
    /// Say so at once.
    Never,
    /// Wait for it, for a while.
    For(Patience<'a>),
}

/// How to wait. The clock and the pause are the caller's, who alone reads clocks.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// How long at most, for each lock file.
    pub timeout: Duration,
    /// The clock that measures it.
    pub clock: &'a dyn Fn() -> Instant,
    /// Passes some time.
    pub sleep: &'a dyn Fn(Duration),
    /// Ends it early.
    pub cancel: &'a Cancel,
    /// Told before each pause.
    pub on_wait: &'a dyn Fn(&WaitState<'_>),
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub struct WaitState<'a> {
    /// The lock file.
    pub path: &'a Path,
    /// How it is wanted.
    pub wanted: Share,
    /// How long it has been waited for.
    pub waited: Duration,
    /// How long it will be at most.
    pub remaining: Duration,
    /// Who holds it, then who waits for it.
    pub holders: &'a [Holder],
}

impl std::fmt::Debug for Patience<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Patience").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Takes a lock, which is tried first.
pub(super) fn take(
    path: &Path,
    wanted: Share,
    access: Access,
    waiting: &Waiting<'_>,
) -> Result<Held, Refused> {
    let begun = match waiting {
        Waiting::Never => None,
        Waiting::For(patience) => Some((patience.clock)()),
    };
    let mut pause = SHORTEST;
    let (mut holders, mut looked) = (Vec::new(), None::<Duration>);
    loop {
        if let Attempt::Held(held) = file::attempt(path, wanted, access)? {
            return Ok(held);
        }
        let path = path.to_owned();
        let (Waiting::For(patience), Some(begun)) = (waiting, begun) else {
            return Err(Refused::Busy { holders: holder::of_busy(&path, wanted), path, wanted });
        };
        let waited = (patience.clock)().saturating_duration_since(begun);
        let remaining = patience.timeout.saturating_sub(waited);
        // Whoever pauses for less than that does not want to spend the time on looking.
        if remaining.is_zero() || looked.is_none_or(|looked| waited >= looked + LONGEST) {
            holders = holder::of_busy(&path, wanted);
            looked = Some(waited);
        }
        if ancestor::is_hopeless(&holders) {
            return Err(Refused::Busy { path, wanted, holders });
        }
        if patience.cancel.is_cancelled() {
            return Err(Refused::Cancelled { path });
        }
        if remaining.is_zero() {
            return Err(Refused::TimedOut { path, wanted, holders, waited });
        }
        (patience.on_wait)(&WaitState { path: &path, wanted, waited, remaining, holders: &holders });
        (patience.sleep)(pause.min(remaining));
        pause = (pause * 2).min(LONGEST);
    }
}
