//! Many processes at once: they never overlap, and a lock that is held is never swept away.

use super::Scene;
use super::child::{self, Child};

fn start(scene: &Scene, job: &str, number: usize, rounds: usize) -> Vec<Child> {
    let children: Vec<Child> = (0..number)
        .map(|_| {
            Child::run(child::command(job, &scene.path("")).env("CACHETUI_TEST_ROUNDS", rounds.to_string()))
        })
        .collect();
    children
        .into_iter()
        .map(|mut child| {
            assert_eq!(child.says(), "ready");
            child
        })
        .collect()
}

/// Tells all children to begin, without waiting for what they say.
fn begin(children: &mut [Child]) {
    for child in children {
        child.tell("go");
    }
}

fn counted(scene: &Scene) -> u64 {
    std::fs::read_to_string(scene.path("counter")).unwrap().parse().unwrap()
}

#[test]
fn many_processes_never_overlap() {
    // Under Wine a process takes a second to begin.
    let (processes, rounds) = if cfg!(windows) { (8, 32) } else { (32, 32) };
    let scene = Scene::new();
    std::fs::write(scene.path("counter"), "0").unwrap();
    let mut children = start(&scene, "count", processes, rounds);
    begin(&mut children);
    for mut child in children {
        assert_eq!(child.says(), "done");
        child.end();
    }
    assert_eq!(counted(&scene), (processes * rounds) as u64);
}

#[test]
fn sweeping_never_takes_a_lock_from_whoever_holds_it() {
    let scene = Scene::new();
    std::fs::write(scene.path("counter"), "0").unwrap();
    let mut sweepers = start(&scene, "sweep", 2, 0);
    let mut children = start(&scene, "own", 6, 100);
    begin(&mut sweepers);
    begin(&mut children);
    for mut child in children {
        assert_eq!(child.says(), "done");
        child.end();
    }
    std::fs::write(scene.path("stop"), "").unwrap();
    let removed: usize = sweepers
        .into_iter()
        .map(|mut child| {
            let removed: usize = child.says().parse().unwrap();
            child.end();
            removed
        })
        .sum();
    assert_eq!(counted(&scene), 600);
    assert!(removed > 0, "the sweepers met free files");
}
