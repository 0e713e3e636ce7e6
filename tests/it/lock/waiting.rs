//! Waiting, by a clock that the test turns.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::{Duration, Instant};

use cachetui::control::Cancel;
use cachetui::lock::{CacheExclusive, CacheShared, HoldsCache as _, Patience, Refused, Waiting};

use super::Scene;

/// A clock that moves only while somebody sleeps.
struct Clock {
    start: Instant,
    passed: Cell<Duration>,
    pauses: RefCell<Vec<Duration>>,
    told: RefCell<Vec<Duration>>,
    cancel: Cancel,
}

impl Clock {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            passed: Cell::default(),
            pauses: RefCell::default(),
            told: RefCell::default(),
            cancel: Cancel::default(),
        }
    }

    /// Waits for the cache's lock for some seconds; `meanwhile` is called in each pause with its number.
    fn wait(&self, cache: &Path, seconds: u64, meanwhile: &dyn Fn(usize)) -> Result<CacheExclusive, Refused> {
        let sleep = |pause: Duration| {
            self.passed.set(self.passed.get() + pause);
            self.pauses.borrow_mut().push(pause);
            meanwhile(self.pauses.borrow().len());
        };
        let patience = Patience {
            timeout: Duration::from_secs(seconds),
            clock: &|| self.start + self.passed.get(),
            sleep: &sleep,
            cancel: &self.cancel,
            on_wait: &|state| {
                assert_eq!(state.path, cache.join(".lock"));
                assert_eq!(state.waited, self.passed.get());
                self.told.borrow_mut().push(state.remaining);
            },
        };
        CacheExclusive::acquire(cache, None, &Waiting::For(patience))
    }
}

#[test]
fn waiting_ends_when_the_time_is_up_and_counts_down_until_then() {
    let scene = Scene::new();
    let held = CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    let clock = Clock::new();
    let refused = clock.wait(&scene.cache(), 2, &|_| {}).unwrap_err();
    let Refused::TimedOut { waited, holders, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(*waited, Duration::from_secs(2), "not a moment longer");
    if cfg!(target_os = "linux") {
        assert_eq!(holders[0].pid, std::process::id());
        assert!(
            refused.to_string().contains(&format!("was locked for 2 seconds by process {}", holders[0].pid))
        );
    }
    let told = clock.told.borrow();
    assert_eq!(told[0], Duration::from_secs(2));
    assert!(told.is_sorted_by(|a, b| a > b), "{told:?}");
    let pauses = clock.pauses.borrow();
    assert_eq!(pauses[..4], [50, 100, 200, 250].map(Duration::from_millis));
    assert!(held.still_valid());
}

#[test]
fn a_lock_that_becomes_free_is_taken_at_the_next_attempt() {
    let scene = Scene::new();
    let held = RefCell::new(Some(CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap()));
    let clock = Clock::new();
    let meanwhile = |pause| {
        if pause == 3 {
            drop(held.take());
        }
    };
    let taken = clock.wait(&scene.cache(), 300, &meanwhile).unwrap();
    assert!(taken.still_valid());
    // A process that another test is just starting may keep the file open for a moment longer.
    assert!((3..10).contains(&clock.pauses.borrow().len()));
}

#[test]
fn waiting_can_be_cancelled() {
    let scene = Scene::new();
    let held = CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    let clock = Clock::new();
    let refused = clock.wait(&scene.cache(), 300, &|pause| {
        if pause == 2 {
            clock.cancel.cancel();
        }
    });
    assert!(matches!(refused, Err(Refused::Cancelled { .. })));
    assert_eq!(clock.pauses.borrow().len(), 2);
    assert!(held.still_valid());
}

#[test]
fn a_free_lock_is_taken_without_a_word_even_when_there_is_no_time() {
    let scene = Scene::new();
    let clock = Clock::new();
    assert!(clock.wait(&scene.cache(), 0, &|_| {}).unwrap().still_valid());
    assert!(clock.told.borrow().is_empty());
    let held = CacheShared::acquire(&scene.cache(), None, &Waiting::Never);
    if held.is_ok() {
        let refused = clock.wait(&scene.cache(), 0, &|_| {}).unwrap_err();
        assert!(matches!(refused, Refused::TimedOut { waited: Duration::ZERO, .. }), "{refused:?}");
    }
}
