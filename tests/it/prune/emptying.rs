//! Emptying the trash keeps away whoever would empty it too, and nobody else.

use cachetui::lock::{CacheExclusive, CacheShared, Waiting, holder};
use serde_json::Value;

use super::Ground;
use crate::support::stepper::{self, Kind, Then};

/// Whether something in the trash is being deleted.
fn is_purging(ground: &Ground) -> bool {
    let runs = std::fs::read_dir(ground.cache().join(".cachetui-trash")).into_iter().flatten();
    runs.map(Result::unwrap).any(|run| run.file_name().to_str().unwrap().ends_with(".purging"))
}

#[test]
fn while_the_trash_is_emptied_others_may_install_and_nobody_may_prune() {
    if !stepper::works() {
        return;
    }
    let ground = Ground::new();
    ground.done(&["prune", "demo-uni", "--yes", "--trash"]);
    for arguments in [&["trash", "purge", "--yes"][..], &["prune", "demo-b", "--yes"]] {
        let mut seen = 0;
        let ended = stepper::step(&mut ground.command(arguments), &[Kind::Change], &mut |_| {
            if is_purging(&ground) {
                seen += 1;
                assert!(CacheShared::acquire(&ground.cache(), None, &Waiting::Never).is_ok());
                let alone = CacheExclusive::acquire(&ground.cache(), None, &Waiting::Never);
                assert!(alone.unwrap_err().is_busy());
            }
            Then::Go
        });
        assert_eq!(ended.code, Some(0), "{}", ended.said());
        assert!(seen > 5, "{arguments:?}: {seen}");
    }
}

#[test]
fn what_was_removed_stays_in_the_trash_while_somebody_has_the_cache_alone() {
    if !stepper::works() {
        return;
    }
    let ground = Ground::new();
    let entries = ground.entries();
    let lock = std::fs::File::open(ground.cache().join(".lock")).unwrap();
    let mut prune = ground.command(&["prune", "demo-b", "--yes", "--json"]);
    let ended = std::thread::scope(|scope| {
        let mut waiting = None;
        let ended = stepper::step(prune.env("UV_LOCK_TIMEOUT", "0"), &[Kind::Change], &mut |_| {
            // Whoever waits in the kernel gets the lock the moment that it is given back.
            if waiting.is_none() && ground.cache().join(".cachetui-trash").exists() {
                waiting = Some(scope.spawn(|| lock.lock().unwrap()));
                while !holder::of(&ground.cache().join(".lock")).iter().any(|it| it.waits) {
                    std::thread::yield_now();
                }
            }
            Then::Go
        });
        waiting.unwrap().join().unwrap();
        ended
    });
    assert_eq!(ended.code, Some(1), "{}", ended.said());
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let run = report["report"]["trash"]["path"].as_str().unwrap();
    assert!(ground.cache().join(run).join("archive-v0").exists());
    assert!(
        report["report"]["notes"].to_string().contains("`cachetui trash purge` deletes it"),
        "{report:#}"
    );
    let mut purge = ground.command(&["trash", "purge", "--yes"]);
    assert_eq!(purge.env("UV_LOCK_TIMEOUT", "0").status().unwrap().code(), Some(11));
    assert!(ground.cache().join(run).join("archive-v0").exists());
    lock.unlock().unwrap();
    ground.done(&["undo"]);
    assert_eq!(ground.entries(), entries);
}
