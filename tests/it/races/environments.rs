//! Removing an environment, putting it back and deleting it under attack.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cachetui::apply::State;
use cachetui::apply::beside::Whole;
use cachetui::apply::remove::{self, Removing};
use cachetui::apply::trash;
use cachetui::control::{Cancel, Progress};
use cachetui::lock::{CacheShared, EnvironmentExclusive, Sign, Waiting};
use cachetui::plan::{At, Plan, Remove, Request, plan};
use jiff::Timestamp;

use super::{Arena, FEW, Ground, MANY, Rounds};
use crate::support::made::SITE;

/// Where the environment lies, relative to the ground.
fn root(ground: &Ground) -> PathBuf {
    ground.made.environment("app").strip_prefix(ground.made.base()).unwrap().to_owned()
}

/// Directories of the environment and above it, each with the same one of the victim.
fn places(arena: &Arena) -> Vec<(PathBuf, PathBuf)> {
    let root = root(&arena.ground());
    let within = ["", "lib", SITE].map(|inside| root.join(inside));
    let above = root.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
    let all = within.into_iter().chain(above.map(Path::to_owned));
    all.map(|place| (place.clone(), place)).collect()
}

/// Directories of the trash beside the environment. The victim has none: a symlink leads to its environment instead.
fn in_trash(arena: &Arena) -> Vec<(PathBuf, PathBuf)> {
    let ground = arena.ground();
    let (_, whole) = removed(&ground);
    let (root, trash) = (root(&ground), whole.beside[0].strip_prefix(ground.made.base()).unwrap().to_owned());
    let run = trash.join(whole.run.path());
    let mut places = vec![(trash.join(trash::DIRECTORY), trash.clone()), (run.clone(), trash.clone())];
    for inside in ["", "lib", SITE] {
        places.push((run.join(".venv").join(inside), root.join(inside)));
    }
    places
}

fn planned(ground: &Ground) -> Plan {
    let environments = vec![At::new(&ground.made.environment("app"))];
    let plan = plan(&ground.made.scan(), &Request::Remove(Remove { environments, ..Remove::default() }));
    assert_eq!(plan.steps.len(), 1, "{:#?}", plan.kept);
    plan
}

/// Moves the environment into the trash; nothing where something kept it from that.
fn take(ground: &Ground, plan: &Plan) -> Option<Whole> {
    let cache = CacheShared::acquire(ground.made.cache(), None, &Waiting::Never).ok()?;
    let root = ground.made.environment("app");
    let lock = EnvironmentExclusive::acquire(&root, Sign::PyvenvCfg, &cache, None, &Waiting::Never).ok()?;
    let mut removing = Removing { now: Timestamp::UNIX_EPOCH, run: None, keep: true };
    let run = remove::environment(plan, &plan.steps[0], lock, &mut removing).ok()??;
    let beside = vec![root.parent().unwrap().to_owned()];
    Some(Whole { run, in_cache: false, beside, environments: 1 })
}

/// Removes it undisturbed. A process that another test is starting has the locks of this one open for a moment.
fn removed(ground: &Ground) -> (BTreeSet<u64>, Whole) {
    let (before, plan) = (ground.inodes(), planned(ground));
    let mut attempts = (0..500).map(|_| {
        let taken = take(ground, &plan);
        if taken.is_none() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        taken
    });
    (before, attempts.find_map(|taken| taken).unwrap())
}

/// Nothing is lost, and where the environment is in its place it is whole.
fn is_sound(ground: &Ground, before: &BTreeSet<u64>, when: &str) {
    let now = ground.inodes();
    let lost: Vec<_> = before.difference(&now).collect();
    assert!(lost.is_empty(), "{when}: {} files are lost", lost.len());
    ground.nothing_dangles(when);
    if ground.made.environment("app").symlink_metadata().is_ok() {
        ground.environment_is_whole(when);
    }
}

fn remove(rounds: Rounds) {
    let arena = Arena::new();
    let prepare = |ground: &Ground, _| (planned(ground), ground.inodes());
    let run = |ground: &Ground, (plan, _): &(Plan, _)| {
        let done = take(ground, plan).is_some();
        (done, !done)
    };
    let check =
        |ground: &Ground, (_, before): &(_, BTreeSet<u64>), when: &str| is_sound(ground, before, when);
    arena.attack("remove", &places(&arena), rounds, prepare, run, check);
}

fn undo(rounds: Rounds) {
    let arena = Arena::new();
    let all = [places(&arena).split_off(3), in_trash(&arena)].concat();
    let prepare = |ground: &Ground, _| removed(ground);
    let run = |_: &Ground, (_, whole): &(_, Whole)| match whole.restore(None) {
        Ok(restored) => {
            let is = |done| restored.iter().any(|item| (item.state == State::Done) == done);
            (is(true), is(false))
        }
        Err(_) => (false, true),
    };
    let check =
        |ground: &Ground, (before, _): &(BTreeSet<u64>, _), when: &str| is_sound(ground, before, when);
    arena.attack("undo of remove", &all, rounds, prepare, run, check);
}

fn purge(rounds: Rounds) {
    let arena = Arena::new();
    let prepare = |ground: &Ground, _| {
        let (_, whole) = removed(ground);
        (ground.outside_the_trash(), whole)
    };
    let run = |ground: &Ground, (_, whole): &(_, Whole)| {
        let cache = ground.made.cache();
        let (_, errors) = whole.purge_beside(true, cache, None, &Cancel::default(), &Progress::default());
        (errors.is_empty(), !errors.is_empty())
    };
    let check = |ground: &Ground, (outside, _): &(BTreeSet<u64>, _), when: &str| {
        assert!(outside.is_subset(&ground.inodes()), "{when}: files outside the trash are lost");
        ground.nothing_dangles(when);
    };
    arena.attack("purge of remove", &in_trash(&arena), rounds, prepare, run, check);
}

#[test]
fn removing_an_environment_touches_nothing_behind_a_symlink() {
    remove(FEW);
}

#[test]
fn putting_an_environment_back_touches_nothing_behind_a_symlink() {
    undo(FEW);
}

#[test]
fn deleting_an_environment_touches_nothing_behind_a_symlink() {
    purge(FEW);
}

#[test]
#[ignore = "some minutes: a thousand runs at each directory"]
fn environments_that_are_removed_touch_nothing_behind_a_symlink_at_length() {
    remove(MANY);
    undo(MANY);
    purge(MANY);
}
