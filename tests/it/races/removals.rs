//! Pruning, putting back and deleting under attack.

use std::collections::BTreeSet;

use cachetui::apply::{self, Run, State, purge};
use cachetui::control::{Cancel, Progress};
use cachetui::lock::CacheExclusive;

use super::{Arena, FEW, Ground, MANY, Rounds, in_cache, in_trash};
use crate::support::made;

const INSIDE: [&str; 4] = ["", "archive-v0", "archive-v0/Alpha67890123456", "wheels-v7"];

/// Nothing is lost, nothing dangles, and the environment has all it had.
fn is_sound(ground: &Ground, before: &BTreeSet<u64>, when: &str) {
    let now = ground.inodes();
    let lost: Vec<_> = before.difference(&now).collect();
    assert!(lost.is_empty(), "{when}: {} files are lost", lost.len());
    ground.nothing_dangles(when);
    ground.environment_is_whole(when);
}

fn prune(rounds: Rounds) {
    let arena = Arena::new();
    let mut places = [in_cache(), in_trash(&arena.run, &INSIDE[..2])].concat();
    places.retain(|(place, _)| !place.to_string_lossy().contains(".purging"));
    let prepare = |ground: &Ground, number: u64| {
        if number.is_multiple_of(2) {
            // The trash is there before, or is made.
            let old = ground.made.cache().join(".cachetui-trash/20200101T000000Z-1-0/archive-v0/Old/x.py");
            made::put(&old, b"x", 0o644);
        }
        (ground.plan(), ground.inodes())
    };
    let run = |ground: &Ground, (plan, _): &_| match ground.prune(plan) {
        Ok(committed) => {
            let is = |done| committed.outcomes.iter().any(|outcome| (outcome.state == State::Done) == done);
            (is(true), is(false))
        }
        Err(_) => (false, true),
    };
    let check =
        |ground: &Ground, (_, before): &(_, BTreeSet<u64>), when: &str| is_sound(ground, before, when);
    arena.attack("prune", &places, rounds, prepare, run, check);
}

/// A ground whose unused entries are in the trash, with the run.
fn pruned(ground: &Ground) -> (Run, BTreeSet<u64>) {
    let before = ground.inodes();
    ground.prune(&ground.plan()).unwrap();
    let mut runs = ground.runs();
    assert_eq!(runs.len(), 1);
    (runs.remove(0), before)
}

fn undo(rounds: Rounds) {
    let arena = Arena::new();
    let mut places = [in_cache(), in_trash(&arena.run, &INSIDE)].concat();
    places.retain(|(place, _)| !place.to_string_lossy().contains(".purging"));
    let prepare = |ground: &Ground, _| pruned(ground);
    let run = |ground: &Ground, (run, _): &_| match apply::restore(&ground.lock(), run) {
        Ok(restored) => {
            let is = |done| restored.iter().any(|item| (item.state == State::Done) == done);
            (is(true), is(false))
        }
        Err(_) => (false, true),
    };
    let check =
        |ground: &Ground, (_, before): &(_, BTreeSet<u64>), when: &str| is_sound(ground, before, when);
    arena.attack("undo", &places, rounds, prepare, run, check);
}

fn purge(rounds: Rounds) {
    let arena = Arena::new();
    let inside = [&INSIDE[..], &["archive-v0/Alpha67890123456/alpha"]].concat();
    let places = in_trash(&arena.run, &inside);
    // Locked before: what is deleted is there for a moment only, and most swaps have to fall into that.
    let prepare = |ground: &Ground, _| (pruned(ground).0, ground.outside_the_trash(), ground.lock());
    let run = |_: &Ground, (run, _, lock): &(Run, _, CacheExclusive)| {
        let runs = std::slice::from_ref(run);
        let errors = purge::purge(lock, runs, &Cancel::default(), &Progress::default());
        (errors.is_empty(), !errors.is_empty())
    };
    let check = |ground: &Ground, (_, outside, _): &(_, BTreeSet<u64>, _), when: &str| {
        let now = ground.inodes();
        assert!(outside.is_subset(&now), "{when}: files outside the trash are lost");
        ground.nothing_dangles(when);
        ground.environment_is_whole(when);
    };
    arena.attack("purge", &places, rounds, prepare, run, check);
}

#[test]
fn a_prune_touches_nothing_behind_a_symlink() {
    prune(FEW);
}

#[test]
fn an_undo_touches_nothing_behind_a_symlink() {
    undo(FEW);
}

#[test]
fn emptying_the_trash_touches_nothing_behind_a_symlink() {
    purge(FEW);
}

#[test]
#[ignore = "some minutes: a thousand runs at each directory"]
fn removals_touch_nothing_behind_a_symlink_at_length() {
    prune(MANY);
    undo(MANY);
    purge(MANY);
}
