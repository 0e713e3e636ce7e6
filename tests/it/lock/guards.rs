//! Which locks exclude which, between processes; who may not; and what uv's lock file looks like afterwards.

#[cfg(unix)]
use std::process::Command;

use cachetui::lock::{CacheExclusive, CacheShared, EnvironmentExclusive, Refused, Share, Sign, Waiting};

use super::Scene;
use super::child::{self, Child};

#[test]
fn two_processes_share_a_cache_only_where_both_want_to() {
    let scene = Scene::new();
    for (theirs, ours, expected) in [
        ("shared", Share::Shared, true),
        ("shared", Share::Exclusive, false),
        ("exclusive", Share::Shared, false),
        ("exclusive", Share::Exclusive, false),
    ] {
        let mut other = Child::start(theirs, &scene.cache());
        assert_eq!(other.says(), "held");
        let cache = scene.cache();
        let taken = match ours {
            Share::Shared => CacheShared::acquire(&cache, None, &Waiting::Never).map(drop),
            Share::Exclusive => CacheExclusive::acquire(&cache, None, &Waiting::Never).map(drop),
        };
        assert_eq!(taken.is_ok(), expected, "{theirs} and then {ours:?}: {taken:?}");
        if let Err(refused) = taken {
            let Refused::Busy { path, wanted, holders } = refused else { panic!("{refused:?}") };
            assert_eq!((path, wanted), (cache.join(".lock"), ours));
            if cfg!(target_os = "linux") {
                let named: Vec<_> = holders.iter().map(|it| (it.pid, it.share, it.waits)).collect();
                let share = if theirs == "shared" { Share::Shared } else { Share::Exclusive };
                assert_eq!(named, [(other.pid(), share, false)]);
                assert!(holders[0].command.contains("lock::child::child"), "{}", holders[0].command);
            }
        }
        other.end();
        drop(child::patiently(|waiting| CacheExclusive::acquire(&cache, None, waiting)).unwrap());
    }
}

#[test]
fn an_environment_belongs_to_one_process_while_the_cache_is_shared() {
    let scene = Scene::new();
    let mut other = Child::start("environment", &scene.path(""));
    assert_eq!(other.says(), "held");
    let cache = CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    let root = scene.environment();
    let acquire = |waiting: &Waiting<'_>| {
        EnvironmentExclusive::acquire(&root, Sign::PyvenvCfg, &cache, None, waiting).map(drop)
    };
    let refused = acquire(&Waiting::Never).unwrap_err();
    assert!(matches!(&refused, Refused::Busy { path, .. } if *path == root.join(".lock")), "{refused:?}");
    other.end();
    child::patiently(acquire).unwrap();
}

#[test]
fn a_process_that_is_killed_leaves_no_lock() {
    let scene = Scene::new();
    let mut other = Child::start("exclusive", &scene.cache());
    assert_eq!(other.says(), "held");
    other.kill();
    drop(child::patiently(|waiting| CacheShared::acquire(&scene.cache(), None, waiting)).unwrap());
}

// On Windows a file keeps its name, or is not removed, while somebody has it open.
#[cfg(unix)]
#[test]
fn a_lock_file_that_is_removed_while_it_is_held_is_noticed_by_both() {
    use cachetui::lock::HoldsCache as _;
    let scene = Scene::new();
    let mut other = Child::start("exclusive", &scene.cache());
    assert_eq!(other.says(), "held");
    assert_eq!(other.ask("still?"), "true");
    std::fs::remove_file(scene.path("cache/.lock")).unwrap();
    assert_eq!(other.ask("still?"), "false");
    let ours = CacheExclusive::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    assert!(ours.still_valid());
    assert_eq!(other.ask("still?"), "false");
    other.end();
}

#[cfg(unix)]
#[test]
fn a_lock_file_is_for_everybody_whatever_the_umask_and_nothing_else_is_left() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let inner = child::command("exclusive", &scene.cache());
    let mut outer = Command::new("sh");
    outer.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    let mut other = Child::run(&mut outer);
    assert_eq!(other.says(), "held");
    other.end();
    let metadata = std::fs::metadata(scene.path("cache/.lock")).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.len()), (0o666, 0));
    let mut names: Vec<_> =
        std::fs::read_dir(scene.cache()).unwrap().map(|item| item.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".lock", "CACHEDIR.TAG", "archive-v0", "wheels-v7"]);
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_may_not_use_a_lock_is_told_so_and_not_that_it_is_busy() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let answer = || {
        let command = child::command("exclusive", &scene.cache());
        let mut other = Child::run(&mut child::as_nobody(&command)?);
        let answer = other.says();
        other.end();
        Some(answer)
    };
    let Some(without_file) = answer() else {
        return crate::support::not_run("becoming somebody else needs root and `setpriv`");
    };
    assert_eq!(without_file, "denied");
    assert!(super::is_gone(&scene.path("cache/.lock")));
    let lock = scene.path("cache/.lock");
    std::fs::write(&lock, "").unwrap();
    for (mode, expected) in [(0o666, "held"), (0o644, "held"), (0o600, "denied")] {
        std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(answer().unwrap(), expected, "{mode:o}");
        let now = std::fs::metadata(&lock).unwrap().permissions().mode() & 0o7777;
        assert_eq!(now, mode, "the mode is left alone");
    }
}

#[cfg(unix)]
#[test]
fn a_symlink_in_the_place_of_a_lock_file_is_refused_and_its_target_untouched() {
    let scene = Scene::new();
    let victim = scene.path("victim");
    std::fs::write(&victim, "content").unwrap();
    std::os::unix::fs::symlink(&victim, scene.path("cache/.lock")).unwrap();
    let refused = CacheExclusive::acquire(&scene.cache(), None, &Waiting::Never).unwrap_err();
    let expected =
        format!("`{}` is a symlink, not a lock file; it was left alone", scene.path("cache/.lock").display());
    assert_eq!(refused.to_string(), expected);
    std::fs::File::open(&victim).unwrap().try_lock().unwrap();
    assert_eq!(std::fs::read(&victim).unwrap(), b"content");
}
