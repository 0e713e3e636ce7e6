//! uv and cachetui keep each other out, in both directions, and each names the other.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use cachetui::control::Cancel;
use cachetui::disk::FileStat;
use cachetui::lock::{
    CacheExclusive, CacheShared, EnvironmentExclusive, HoldsCache as _, Patience, Refused, Share, Sign,
    Waiting, holder,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lock::child::{self, Child};
use crate::support::uv::{self, Sandbox, ran};
use crate::support::wheel::Wheel;

/// A cache with one wheel, and an environment `app` that uses it.
fn scene() -> Option<(Sandbox, TempDir)> {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(directory.path())?;
    let wheels = sandbox.path("wheels");
    Wheel::new("good-a", "1.0").entry_point().save(&wheels);
    Wheel::new("good-b", "1.0").save(&wheels);
    sandbox.install("app", "hardlink", &["--no-index", "--find-links", wheels.to_str().unwrap(), "good-a"]);
    Some((sandbox, directory))
}

/// Arguments that install the second wheel into the environment.
fn install(sandbox: &Sandbox) -> Vec<String> {
    let python = sandbox.roots().join("app/.venv/bin/python");
    ["pip", "install", "--no-index", "--find-links"]
        .map(str::to_owned)
        .into_iter()
        .chain([sandbox.path("wheels").display().to_string(), "--python".to_owned()])
        .chain([python.display().to_string(), "good-b".to_owned()])
        .collect()
}

fn strings(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// A uv in the background, killed if a test fails.
struct Running(process::Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Reads what it says on its standard error until a line holds some text.
    fn until(&mut self, text: &str) {
        let mut lines = BufReader::new(self.0.stderr.as_mut().unwrap());
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.contains(text)) {
            assert!(lines.read_line(&mut said).unwrap() > 0, "uv never said {text:?}, but: {said}");
        }
    }

    /// Reads the first line of its standard output.
    fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// Waits until it ends, which has to be well.
    fn end(mut self) {
        drop(self.0.stdin.take());
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if std::thread::panicking() {
            self.0.kill().ok();
        }
        self.0.wait().ok();
    }
}

/// A uv that holds the cache's lock until its input ends.
fn uv_run(sandbox: &Sandbox) -> Running {
    let mut running =
        Running::start(&mut sandbox.uv(&["run", "--no-project", "--", "sh", "-c", "echo ready; cat"]));
    assert_eq!(running.first_line(), "ready\n");
    running
}

#[test]
fn uv_waits_while_the_cache_is_held_alone_and_goes_on_afterwards() {
    let Some((sandbox, _directory)) = scene() else { return };
    let held = CacheExclusive::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap();
    let arguments = install(&sandbox);
    let mut uv = Running::start(sandbox.uv(&strings(&arguments)).arg("--verbose"));
    uv.until("Waiting to acquire shared lock");
    let waits = |holders: &[cachetui::lock::Holder]| holders.iter().any(|it| it.waits && it.pid == uv.0.id());
    while !waits(&holder::of(&sandbox.cache().join(".lock"))) {
        // uv says that it will wait, and then does.
        std::thread::yield_now();
    }
    assert!(uv.0.try_wait().unwrap().is_none());
    assert!(held.still_valid());
    drop(held);
    uv.end();
    assert!(sandbox.roots().join("app/.venv/lib").exists());
    assert_eq!(sandbox.run_uv(&["pip", "check", "--python", &arguments[6]]).status.code(), Some(0));
}

#[test]
fn while_uv_runs_something_the_cache_is_busy_and_uv_is_named() {
    let Some((sandbox, _directory)) = scene() else { return };
    let uv = uv_run(&sandbox);
    let refused = CacheExclusive::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap_err();
    let Refused::Busy { holders, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(holders.iter().map(|it| (it.pid, it.share)).collect::<Vec<_>>(), [(uv.0.id(), Share::Shared)]);
    assert!(holders[0].command.ends_with("uv run --no-project -- sh -c echo ready; cat"), "{holders:?}");
    assert_eq!(holders[0].directory, Some(sandbox.path("home")));
    assert!(holders[0].since.is_some());
    let answer = sandbox.json(&["locks"]);
    let cache = answer["locks"][0].clone();
    assert_eq!((&cache["resource"]["kind"], &cache["state"]), (&json!("cache"), &json!("shared")));
    assert_eq!(cache["holders"][0]["pid"], uv.0.id());
    drop(CacheShared::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap());
    uv.end();
}

#[test]
fn a_shared_lock_lets_uv_install_and_makes_it_wait_before_it_prunes() {
    let Some((sandbox, _directory)) = scene() else { return };
    let held = CacheShared::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap();
    sandbox.run_uv(&strings(&install(&sandbox)));
    let mut prune = Running::start(&mut sandbox.uv(&["cache", "prune"]));
    prune.until("Cache is currently in-use");
    assert!(prune.0.try_wait().unwrap().is_none());
    drop(held);
    prune.end();
}

#[test]
fn uv_waits_for_the_lock_of_an_environment() {
    let Some((sandbox, _directory)) = scene() else { return };
    let cache = CacheShared::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap();
    let root = sandbox.roots().join("app/.venv");
    let held = EnvironmentExclusive::acquire(&root, Sign::PyvenvCfg, &cache, None, &Waiting::Never).unwrap();
    let mut uv = Running::start(sandbox.uv(&strings(&install(&sandbox))).arg("--verbose"));
    uv.until("Waiting to acquire exclusive lock");
    assert!(uv.0.try_wait().unwrap().is_none());
    drop(held);
    uv.end();
}

/// Starts a `uv cache clean` that removes the lock file in the end, and waits for us to release it first.
fn old_clean(sandbox: &Sandbox) -> Option<(CacheShared, Running)> {
    let old = uv::release("0.9.30")?;
    let held = CacheShared::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap();
    let mut clean = Running::start(&mut sandbox.uv_at(&old, &["cache", "clean"]));
    clean.until("Cache is currently in-use");
    Some((held, clean))
}

#[test]
fn an_old_uv_that_removes_the_cache_with_its_lock_file_is_noticed() {
    let Some((sandbox, _directory)) = scene() else { return };
    let Some((held, clean)) = old_clean(&sandbox) else { return };
    assert!(held.still_valid());
    drop(held);
    clean.end();
    let refused = CacheShared::acquire(&sandbox.cache(), None, &Waiting::Never).unwrap_err();
    assert!(matches!(refused, Refused::Vanished { .. }), "{refused:?}");
    assert!(!sandbox.cache().exists(), "looking for a lock makes no cache");
}

#[test]
fn whoever_waits_while_an_old_uv_cleans_gets_the_new_lock_file_and_not_the_removed_one() {
    let Some((sandbox, _directory)) = scene() else { return };
    let Some(begun) = old_clean(&sandbox) else { return };
    let first = FileStat::of(&sandbox.cache().join(".lock")).unwrap();
    // The removed file keeps its number for as long as this holds it open.
    let kept = std::fs::File::open(sandbox.cache().join(".lock")).unwrap();
    let begun = Cell::new(Some(begun));
    let now = Instant::now();
    let patience = Patience {
        timeout: Duration::from_secs(300),
        clock: &|| now,
        // In the pause between two attempts uv cleans the cache, and another one fills it again.
        sleep: &|_| {
            if let Some((held, clean)) = begun.take() {
                drop(held);
                clean.end();
                sandbox.run_uv(&strings(&install(&sandbox)));
            }
        },
        cancel: &Cancel::default(),
        on_wait: &|state| assert!(!state.holders.is_empty()),
    };
    let held = CacheExclusive::acquire(&sandbox.cache(), None, &Waiting::For(patience)).unwrap();
    assert!(held.still_valid());
    assert_ne!(FileStat::of(&sandbox.cache().join(".lock")).unwrap().inode, first.inode);
    kept.try_lock().unwrap();
}

#[test]
fn running_under_uv_is_recognised_and_the_ways_out_are_named() {
    let Some((sandbox, _directory)) = scene() else { return };
    let inner = sandbox.cachetui(&["locks", "--json"]);
    let mut outer = sandbox.uv(&["run", "--no-project", "--"]);
    outer.arg(inner.get_program()).args(inner.get_args());
    let running = outer.stdout(Stdio::piped()).spawn().unwrap();
    let pid = running.id();
    let answer: Value = serde_json::from_slice(&running.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(answer["ancestor"]["pid"], pid);
    assert_eq!(answer["ancestor"]["share"], "shared");
    let notes = answer["notes"].to_string();
    assert!(
        notes.contains("`uv tool install cachetui`") && notes.contains("`uvx --no-cache cachetui`"),
        "{notes}"
    );
    assert_eq!(answer["locks"][0]["state"], "shared");
    // Looking works all the same.
    let inner = sandbox.cachetui(&["list", "--json"]);
    let mut outer = sandbox.uv(&["run", "--no-project", "--"]);
    let list = ran(outer.arg(inner.get_program()).args(inner.get_args()));
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list["entries"].as_array().unwrap().len(), 1);
    // Nobody waits for what ends only after them.
    let inner = child::command("patient", &sandbox.cache());
    let mut outer = sandbox.uv(&["run", "--no-project", "--"]);
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().map(|(name, value)| (name, value.unwrap())));
    let mut patient = Child::run(&mut outer);
    assert_eq!(patient.says(), format!("busy {}", patient.pid()));
    patient.end();
    // The variable that uv sets says nothing by itself.
    let mut alone = sandbox.cachetui(&["locks", "--json"]);
    let alone: Value = serde_json::from_slice(&ran(alone.env("UV", "/usr/bin/uv")).stdout).unwrap();
    assert_eq!(alone["ancestor"], Value::Null);
    assert!(!alone["notes"].to_string().contains("uvx"));
}

#[test]
fn the_locks_that_uv_makes_are_all_told_with_what_they_are_for() {
    let Some((sandbox, _directory)) = scene() else { return };
    let project = sandbox.roots().join("project");
    std::fs::create_dir(&project).unwrap();
    let text = "[project]\nname = \"project\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"good-b\"]\n";
    std::fs::write(project.join("pyproject.toml"), text).unwrap();
    let wheels = sandbox.path("wheels").display().to_string();
    let places = ["--no-index", "--find-links", &wheels];
    ran(sandbox.uv(&[&["sync", "--quiet"], &places[..]].concat()).current_dir(&project));
    ran(&mut sandbox.uv(&[&["tool", "install", "--quiet"], &places[..], &["good-a"]].concat()));
    let told = |answer: &Value| {
        let rows = answer["locks"].as_array().unwrap().clone();
        let told = rows.iter().map(|row| {
            let resource = &row["resource"];
            let path = resource["path"].as_str().unwrap_or_default();
            (resource["kind"].as_str().unwrap().to_owned(), path.to_owned(), row["state"].clone())
        });
        told.collect::<Vec<_>>()
    };
    let answer = sandbox.json(&["locks"]);
    let rows = told(&answer);
    let path = |path: std::path::PathBuf| path.display().to_string();
    for (kind, path) in [
        ("cache", path(sandbox.cache())),
        ("environment", path(sandbox.roots().join("app/.venv"))),
        ("environment", path(project.join(".venv"))),
        ("tools", path(sandbox.path("home/data/uv/tools"))),
        // The name of its file holds only a digest.
        ("project", path(project.clone())),
    ] {
        assert!(rows.contains(&(kind.to_owned(), path.clone(), json!("free"))), "{kind} {path}: {rows:#?}");
    }
    assert!(!rows.iter().any(|(kind, ..)| kind == "item"), "{rows:#?}");
    assert!(answer["left_out"].as_u64().unwrap() >= 2);
    let all = told(&sandbox.json(&["locks", "--all"]));
    let wheel = all.iter().find(|(kind, path, _)| kind == "item" && path.contains("/good-a/"));
    let (_, wheel, _) = wheel.unwrap_or_else(|| panic!("{all:#?}"));
    // What is told to be the lock of the wheel is where uv has it.
    let mut lock = sandbox.cache().join(wheel).into_os_string();
    lock.push(".lock");
    assert!(std::path::Path::new(&lock).is_file());
}
