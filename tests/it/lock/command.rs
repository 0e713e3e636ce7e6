//! `locks`: what it prints, and what `--clean` removes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cachetui::lock::{CacheShared, Directory, HoldsCache as _, Share, Sharing, Waiting, holder};
use serde_json::{Value, json};

use super::{Scene, is_gone};
use crate::support::told::told;

fn cachetui(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
    let home = scene.path("home");
    command.env_clear().env("HOME", &home).env("XDG_STATE_HOME", home.join("state")).env("LANG", "C.UTF-8");
    // Where Windows keeps it.
    command.env("LOCALAPPDATA", home.join("state"));
    command.env("TMPDIR", scene.path("home")).env("PATH", std::env::var_os("PATH").unwrap());
    command.args(arguments).arg("--cache-dir").arg(scene.cache()).arg("--root").arg(scene.path("roots"));
    command.arg("--no-remember").current_dir(home);
    command
}

fn answer(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn parsed(command: &mut Command) -> Value {
    let (code, stdout, stderr) = answer(command);
    assert_eq!((code, stderr.as_str()), (0, ""));
    serde_json::from_str(&stdout).unwrap()
}

/// A lock directory with a held lock of the cache and a free one of the environment.
fn locks(scene: &Scene) -> (Directory, PathBuf, CacheShared) {
    let directory = Directory::open(&scene.path("locks"), Sharing::Named).unwrap();
    let held = CacheShared::acquire(&scene.cache(), Some(&directory), &Waiting::Never).unwrap();
    let free = directory.file_of(&scene.environment());
    drop(directory.acquire(&scene.environment(), Share::Exclusive, &Waiting::Never).unwrap());
    while !holder::of(&free).is_empty() {
        // A process that another test is just starting may keep the file open for a moment longer.
        std::thread::yield_now();
    }
    (directory, free, held)
}

#[test]
fn listing_makes_nothing_and_ends_well_whatever_is_held() {
    let scene = Scene::new();
    let (code, stdout, stderr) = answer(&mut cachetui(&scene, &["locks"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.contains("0 lock files, none held. `--all` adds 2 locks that have no file yet."),
        "{stdout}"
    );
    let (_, all, _) = answer(&mut cachetui(&scene, &["locks", "--all"]));
    assert!(all.contains("missing") && told(&all).contains("roots/app/.venv/.lock"), "{all}");
    assert!(is_gone(&scene.path("cache/.lock")) && is_gone(&scene.path("home/state")));

    let held = CacheShared::acquire(&scene.cache(), None, &Waiting::Never).unwrap();
    let (code, stdout, _) = answer(&mut cachetui(&scene, &["locks"]));
    assert_eq!(code, 0);
    assert!(stdout.contains("1 lock file, 1 held."), "{stdout}");
    assert!(stdout.contains("  shared  "), "{stdout}");
    drop(held);
    let elsewhere = scene.path("elsewhere");
    let mut command = cachetui(&scene, &["locks"]);
    let (code, _, stderr) = answer(command.arg("--cache-dir").arg(&elsewhere).env("UV_CACHE_DIR", elsewhere));
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn programs_get_every_lock_with_its_resource_state_and_holders() {
    let scene = Scene::new();
    let (directory, free, held) = locks(&scene);
    let mut command = cachetui(&scene, &["locks", "--json"]);
    let answer = parsed(command.arg("--lock-dir").arg(directory.path()));
    assert_eq!(answer["schema_version"], 1);
    assert_eq!(answer["cache"]["path"], scene.cache().to_str().unwrap());
    assert_eq!(answer["scope"]["complete"], true);
    assert_eq!(answer["problems"], json!([]));
    let rows = answer["locks"].as_array().unwrap();
    let row = |path: &Path| rows.iter().find(|row| row["path"] == path.to_str().unwrap()).unwrap();
    let cache = row(&scene.path("cache/.lock"));
    assert_eq!(cache["resource"], json!({"kind": "cache", "path": scene.cache()}));
    assert_eq!((&cache["maker"], &cache["state"]), (&json!("uv"), &json!("shared")));
    let own = row(&directory.file_of(&scene.cache()));
    assert_eq!((&own["maker"], &own["state"]), (&json!("cachetui"), &json!("shared")));
    let environment = row(&scene.environment().join(".lock"));
    assert_eq!((&environment["state"], &environment["modified"]), (&json!("missing"), &Value::Null));
    assert_eq!(row(&free)["resource"], json!({"kind": "environment", "path": scene.environment()}));
    assert_eq!(row(&free)["state"], "free");
    if cfg!(target_os = "linux") {
        let holder = &cache["holders"][0];
        assert_eq!(answer["ancestor"], *holder, "this test started the program and holds the lock");
        assert_eq!((&holder["pid"], &holder["share"]), (&json!(std::process::id()), &json!("shared")));
        assert_eq!(holder["waits"], false);
        assert!(holder["since"].as_str().unwrap().ends_with('Z'));
    }
    drop(held);
}

#[test]
fn cleaning_asks_and_without_a_terminal_does_nothing() {
    let scene = Scene::new();
    let (directory, free, _held) = locks(&scene);
    let mut command = cachetui(&scene, &["locks", "--clean"]);
    let (code, stdout, stderr) = answer(command.env("UV_LOCK_DIR", directory.path()));
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("`--yes` does it without asking"), "{stderr}");
    assert!(free.exists());
    for misuse in [&["locks", "--yes"][..], &["locks", "--clean", "--yes", "--dry-run"]] {
        assert_eq!(answer(&mut cachetui(&scene, misuse)).0, 2);
    }
}

#[test]
fn cleaning_removes_what_is_provably_free_and_says_what_it_keeps() {
    let scene = Scene::new();
    let (directory, free, held) = locks(&scene);
    std::fs::write(directory.path().join("README"), "").unwrap();
    let clean = |more: &[&str]| {
        let mut command = cachetui(&scene, &["locks", "--clean"]);
        answer(command.args(more).arg("--lock-dir").arg(directory.path()))
    };
    let (code, dry, _) = clean(&["--dry-run"]);
    assert_eq!(code, 0);
    assert!(dry.contains(&format!("would remove {}\n", free.display())), "{dry}");
    assert!(dry.contains("1 lock file would be removed, 1 kept."), "{dry}");
    assert!(free.exists());
    let (code, done, stderr) = clean(&["--yes"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(done.contains(&format!("removed {}\n", free.display())), "{done}");
    let own = directory.file_of(&scene.cache());
    assert!(done.contains(&format!("kept {}\n", own.display())), "{done}");
    if cfg!(target_os = "linux") {
        assert!(done.contains(&format!("It is held by process {}", std::process::id())), "{done}");
    }
    assert!(is_gone(&free) && own.exists() && directory.path().join("README").exists());
    assert!(held.still_valid() && scene.path("cache/.lock").exists());
    drop(held);
    let mut command = cachetui(&scene, &["locks", "--clean", "--yes", "--json"]);
    let cleaned = parsed(command.arg("--lock-dir").arg(directory.path()))["cleaned"].clone();
    assert_eq!(cleaned["dry_run"], false);
    // A process that another test is just starting may keep the file open for a moment longer.
    let told = cleaned["removed"].as_array().unwrap().iter().chain(cleaned["kept"].as_array().unwrap());
    assert_eq!(told.map(|row| row["path"].clone()).collect::<Vec<_>>(), [json!(own)]);
    assert!(scene.path("cache/.lock").exists(), "uv's lock file stays");
}

#[test]
fn without_a_lock_directory_there_is_nothing_to_clean() {
    let scene = Scene::new();
    let (code, stdout, _) = answer(&mut cachetui(&scene, &["locks", "--clean", "--yes"]));
    assert_eq!(code, 0);
    assert!(stdout.starts_with("There is no lock file of cachetui's in `"), "{stdout}");
    assert!(is_gone(&scene.path("home/state")));
}
