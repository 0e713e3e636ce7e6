//! The same by path, looking before each step whether it is a symlink: what cachetui must not do, and what shows that the
//! attacks find what they look for. For what is written into environments see the linker's race.

use std::path::Path;

use super::{Arena, Ground};
use crate::support::swap::{Pair, seen, while_swapping};

/// The most runs until a twin is caught; it mostly takes a handful.
const PATIENCE: usize = 3_000;

/// Attacks a twin until the victim is hit.
fn is_caught(place: &str, leads_to: &str, prepare: impl Fn(&Ground), twin: impl Fn(&Ground)) {
    let arena = Arena::new();
    for _ in 0..PATIENCE {
        let ground = arena.ground();
        prepare(&ground);
        let symlink = ground.traps.join("trap");
        std::os::unix::fs::symlink(arena.victim().join(leads_to), &symlink).unwrap();
        let pair = Pair { directory: ground.made.base().join(place), symlink };
        while_swapping(&pair, || twin(&ground));
        if seen(&arena.victim()) != arena.untouched {
            return;
        }
    }
    panic!("the twin was not caught: checking a path and then using it is a race");
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|stat| stat.is_dir())
}

/// Removes a tree as naive programs do.
fn remove(path: &Path) {
    if !is_directory(path) {
        drop(std::fs::remove_file(path));
        return;
    }
    for item in std::fs::read_dir(path).into_iter().flatten().flatten() {
        remove(&item.path());
    }
    drop(std::fs::remove_dir(path));
}

#[test]
fn removing_by_path_hits_the_victim() {
    let place = "cache/archive-v0/Alpha67890123456/alpha";
    is_caught(place, place, |_| (), |ground| remove(&ground.made.entry("Alpha67890123456")));
}

#[test]
fn moving_into_the_trash_and_out_of_it_by_path_hits_the_victim() {
    let place = "cache/archive-v0";
    let trash = |ground: &Ground| ground.made.base().join("elsewhere");
    let entry = |ground: &Ground| ground.made.entry("Alpha67890123456");
    let twin = |ground: &Ground| {
        if is_directory(entry(ground).parent().unwrap()) {
            drop(std::fs::rename(entry(ground), trash(ground)));
        }
        if is_directory(entry(ground).parent().unwrap()) {
            drop(std::fs::rename(trash(ground), entry(ground)));
        }
    };
    is_caught(place, place, |_| (), twin);
}
