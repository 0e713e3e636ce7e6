//! Who is named as the holder where the kernel's list alone would name nobody, or the wrong one.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use cachetui::lock::{CacheShared, Maker, Resource, Share, State, SurveyRequest, Waiting, holder, survey};

use super::Scene;
use super::child::{self, Child};
use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::ran;

fn request(scene: &Scene) -> SurveyRequest {
    SurveyRequest {
        cache: scene.cache(),
        environments: vec![scene.environment()],
        ..SurveyRequest::default()
    }
}

#[test]
fn a_child_that_inherited_the_lock_is_named_when_whoever_took_it_is_gone() {
    let scene = Scene::new();
    let lock = scene.path("cache/.lock");
    std::fs::write(&lock, "").unwrap();
    // `flock` locks the file that the shell has open, and ends.
    let mut shell = Command::new("sh")
        .args(["-c", "exec 9<>\"$0\"; flock -x 9 && echo held; read line"])
        .arg(&lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    if line.is_empty() {
        shell.wait().unwrap();
        return not_run("there is no `flock`");
    }
    let holders = holder::of(&lock);
    let named: Vec<_> = holders.iter().map(|it| (it.pid, it.share, it.waits)).collect();
    assert_eq!(named, [(shell.id(), Share::Exclusive, false)]);
    assert!(holders[0].command.starts_with("sh -c exec 9"), "{}", holders[0].command);
    drop(shell.stdin.take());
    shell.wait().unwrap();
    assert!(holder::of(&lock).is_empty());
}

#[test]
fn a_survey_tells_who_holds_and_who_waits_and_locks_nothing() {
    let scene = Scene::new();
    let mut other = Child::start("environment", &scene.path(""));
    assert_eq!(other.says(), "held");
    let lock = scene.path("cache/.lock");
    let mut waiter = Command::new("flock").arg("-x").arg(&lock).arg("true").spawn().unwrap();
    let waits = || holder::of(&lock).into_iter().find(|it| it.waits);
    let waiting = loop {
        if let Some(waiting) = waits() {
            break waiting;
        }
        assert!(waiter.try_wait().unwrap().is_none(), "it waits for the lock");
        std::thread::yield_now();
    };
    assert_eq!((waiting.pid, waiting.share), (waiter.id(), Share::Exclusive));
    let found = survey(&request(&scene));
    let states: Vec<_> = found.files.iter().map(|it| (&it.resource, &it.state)).collect();
    let (cache, environment) = (Resource::Cache(scene.cache()), Resource::Environment(scene.environment()));
    assert_eq!(states, [(&cache, &State::Shared), (&environment, &State::Exclusive)]);
    let held: Vec<_> = found.files[0].holders.iter().map(|it| (it.pid, it.waits)).collect();
    assert_eq!(held, [(other.pid(), false), (waiter.id(), true)]);
    assert_eq!(found.files[1].holders[0].pid, other.pid());
    assert!(found.files[1].modified.is_some());
    assert_eq!(found.ancestor, None);
    other.end();
    assert!(waiter.wait().unwrap().success());
}

#[test]
fn locks_of_single_items_are_listed_when_held_and_counted_otherwise() {
    let scene = Scene::new();
    let wheel = scene.path("cache/wheels-v7/pypi/demo/1.0-py3-none-any.lock");
    let source = scene.path("cache/sdists-v10/pypi/demo/1.0/.lock");
    let unpacked = scene.path("cache/sdists-v10/pypi/demo/1.0/0123456789abcdef/src/poetry.lock");
    let repository = scene.path("cache/git-v1/locks/0123456789abcdef");
    let central = scene.path("cache/environments-v2/demo-cp3.11.7-0123456789abcdef/pyvenv.cfg");
    for path in [&wheel, &source, &unpacked, &repository, &central] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let items = |found: &cachetui::lock::Survey| {
        let items = found.files.iter().filter_map(|file| match &file.resource {
            Resource::Item(path) => Some((path.to_str().unwrap().to_owned(), file.state.word())),
            _ => None,
        });
        items.collect::<Vec<_>>()
    };
    let found = survey(&request(&scene));
    assert_eq!((items(&found), found.left_out), (Vec::new(), 3));
    let central = Resource::Environment(central.parent().unwrap().to_owned());
    assert!(found.files.iter().any(|file| file.resource == central && file.state == State::Missing));
    let file = std::fs::File::open(&wheel).unwrap();
    file.lock().unwrap();
    let found = survey(&request(&scene));
    let held = ("wheels-v7/pypi/demo/1.0-py3-none-any".to_owned(), "exclusive");
    assert_eq!((items(&found), found.left_out), (vec![held.clone()], 2));
    let found = survey(&SurveyRequest { all: true, ..request(&scene) });
    let free = |path: &str| (path.to_owned(), "free");
    let expected = vec![free("git-v1/db/0123456789abcdef"), free("sdists-v10/pypi/demo/1.0"), held];
    assert_eq!((items(&found), found.left_out), (expected, 0));
    drop(file);
}

/// What a survey says of the cache on a filesystem whose files have other device numbers than their locks.
fn is_found_on(scene: &Scene, cache: &Path) {
    std::fs::create_dir_all(cache.join("archive-v0")).unwrap();
    let request = SurveyRequest { cache: cache.to_owned(), ..request(scene) };
    let state = || survey(&request).cache().unwrap().state.clone();
    assert_eq!(state(), State::Missing);
    let held = CacheShared::acquire(cache, None, &Waiting::Never).unwrap();
    assert_eq!(state(), State::Shared);
    let holders = holder::of(&cache.join(".lock"));
    assert_eq!(holders.iter().map(|it| it.pid).collect::<Vec<_>>(), [std::process::id()]);
    drop(held);
    while state() != State::Free {
        // A process that another test is just starting may keep the file open for a moment longer.
        std::thread::yield_now();
    }
}

#[test]
fn locks_are_found_on_btrfs_also_where_two_subvolumes_have_files_of_one_number() {
    let scene = Scene::new();
    let Some(mounted) = Mounted::new("btrfs", 128) else { return };
    is_found_on(&scene, &mounted.path().join("cache"));
    let lock = |name: &str| mounted.path().join(name).join("cache/.lock");
    for name in ["one", "two"] {
        ran(Command::new("btrfs").args(["subvolume", "create"]).arg(mounted.path().join(name)));
        is_found_on(&scene, &mounted.path().join(name).join("cache"));
    }
    let inode = |name: &str| cachetui::disk::FileStat::of(&lock(name)).unwrap().inode;
    assert_eq!(inode("one"), inode("two"), "the numbers are those of each subvolume");
    let held = CacheShared::acquire(lock("one").parent().unwrap(), None, &Waiting::Never).unwrap();
    assert!(!holder::of(&lock("one")).is_empty());
    assert!(holder::of(&lock("two")).is_empty());
    drop(held);
}

#[test]
fn locks_are_found_on_overlayfs_and_what_they_are_worth_is_told() {
    let scene = Scene::new();
    if !rustix::process::geteuid().is_root() {
        return not_run("mounting an overlay needs root");
    }
    for name in ["lower/archive-v0", "upper", "work", "merged"] {
        std::fs::create_dir_all(scene.path(name)).unwrap();
    }
    let of = |name: &str| scene.path(name).display().to_string();
    let options = format!("lowerdir={},upperdir={},workdir={}", of("lower"), of("upper"), of("work"));
    let mount =
        || Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options, &of("merged")]).output();
    if !mount().is_ok_and(|output| output.status.success()) {
        return not_run("an overlay cannot be mounted here");
    }
    let looked = std::panic::catch_unwind(|| {
        is_found_on(&scene, &scene.path("merged"));
        survey(&SurveyRequest { cache: scene.path("merged"), ..SurveyRequest::default() }).notes
    });
    ran(Command::new("umount").arg("--lazy").arg(of("merged")));
    let notes = looked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert!(notes.iter().any(|note| note.contains("lies on overlayfs")), "{notes:?}");
}

#[test]
fn whoever_holds_a_lock_outside_a_container_is_told_to_be_outside() {
    let scene = Scene::new();
    let held = CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    let contain = || {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]);
        command
    };
    if !contain().arg("true").output().is_ok_and(|output| output.status.success()) {
        return not_run("a process namespace cannot be made here");
    }
    let inner = child::command("exclusive", &scene.cache());
    let mut outer = contain();
    outer
        .arg(inner.get_program())
        .args(inner.get_args())
        .envs(inner.get_envs().map(|(k, v)| (k, v.unwrap())));
    let mut other = Child::run(&mut outer);
    assert_eq!(other.says(), "busy 0");
    other.end();
    let mut command = contain();
    command.arg(env!("CARGO_BIN_EXE_cachetui")).args(["locks", "--json", "--no-remember", "--cache-dir"]);
    command.arg(scene.cache()).env("HOME", scene.path("home")).current_dir(scene.path("home"));
    let answer: serde_json::Value = serde_json::from_slice(&ran(&mut command).stdout).unwrap();
    let notes = answer["notes"].to_string();
    assert!(notes.contains("This is a container"), "{notes}");
    drop(held);
}

#[test]
fn another_users_process_is_named_as_far_as_it_may_be_looked_at() {
    let scene = Scene::new();
    let held = CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    let Some(mut command) = child::as_nobody(&child::command("exclusive", &scene.cache())) else {
        return not_run("becoming somebody else needs root and `setpriv`");
    };
    let mut other = Child::run(&mut command);
    assert_eq!(other.says(), format!("busy {}", std::process::id()));
    other.end();
    drop(held);
}

#[test]
fn a_lock_directory_that_cannot_be_used_is_told_and_not_made() {
    let scene = Scene::new();
    let notes = |directory: &str| {
        let directory = Some(scene.path(directory));
        // Inside a container there are other notes too.
        let mut notes = survey(&SurveyRequest { directory, ..request(&scene) }).notes;
        notes.retain(|note| note.starts_with("cachetui's own locks"));
        notes
    };
    std::fs::write(scene.path("file"), "").unwrap();
    let told = notes("file/locks");
    assert!(told[0].starts_with("cachetui's own locks are left out: Failed to create"), "{told:?}");
    assert_eq!(notes("not/yet/there"), Vec::<String>::new());
    assert!(super::is_gone(&scene.path("not")));
}

#[test]
fn own_lock_files_are_told_with_what_they_are_for() {
    let scene = Scene::new();
    let locks = scene.path("locks");
    let directory = cachetui::lock::Directory::open(&locks, cachetui::lock::Sharing::Named).unwrap();
    let cache = CacheShared::acquire(&scene.cache(), Some(&directory), &Waiting::Never).unwrap();
    drop(directory.acquire(&scene.environment(), Share::Exclusive, &Waiting::Never).unwrap());
    std::fs::write(locks.join("0123456789abcdef0123456789abcdef.lock"), "/etc/passwd").unwrap();
    std::fs::write(locks.join("README"), "").unwrap();
    let found = survey(&SurveyRequest { directory: Some(locks), ..request(&scene) });
    let own = found.files.iter().filter(|file| file.maker == Maker::Cachetui);
    let told: Vec<_> = own.map(|file| (file.resource.clone(), file.state.is_held())).collect();
    let environment = Resource::Environment(scene.environment());
    assert_eq!(told[0], (Resource::Cache(scene.cache()), true));
    assert_eq!(
        told.iter().map(|(resource, _)| resource).collect::<Vec<_>>()[1..],
        [&environment, &Resource::Unknown]
    );
    drop(cache);
}
