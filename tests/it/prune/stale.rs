//! What changes between a plan and its being carried out.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use super::{DEMO_A, Ground, Told, everything, install};
use crate::lock::child;

/// A saved plan for everything nobody uses.
fn saved(ground: &Ground) -> PathBuf {
    let plan = ground.path("plan.json");
    ground.done(&everything(&["--save", plan.to_str().unwrap()]));
    plan
}

fn apply(ground: &Ground) -> Told {
    let plan = ground.path("plan.json");
    ground.run(&["apply", plan.to_str().unwrap(), "--yes", "--json"])
}

/// Uses an entry by symlink in an environment that no scan has seen, as uv would.
fn use_by_symlink(ground: &Ground) -> PathBuf {
    let root = ground.path("code/new/.venv");
    let site = root.join("lib/python3.11/site-packages");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(root.join("pyvenv.cfg"), "home = /usr/bin\nuv = 0.13.8\n").unwrap();
    install(&site, &ground.cache(), DEMO_A, "demo_a-1.0.dist-info", &["demo_a/__init__.py"]);
    // uv asks every new environment's interpreter, and keeps the answer.
    std::fs::create_dir(ground.cache().join("interpreter-v5/0123456789abcdef")).unwrap();
    site.join("demo_a/__init__.py")
}

/// Nothing of the plan was done.
fn refused(told: &Told) {
    assert_eq!(told.code, 1, "{}", told.text());
    for outcome in told.json()["report"]["outcomes"].as_array().unwrap() {
        assert_eq!(outcome["state"], "stale", "{outcome}");
    }
}

fn outcome(told: &Told, id: &str) -> Value {
    let report = told.json()["report"].clone();
    let path = format!("archive-v0/{id}");
    report["outcomes"].as_array().unwrap().iter().find(|it| it["path"] == path.as_str()).unwrap().clone()
}

#[test]
fn a_saved_plan_is_carried_out_as_it_was_saved() {
    let ground = Ground::new();
    let before = ground.listing();
    let plan = saved(&ground);
    let now: Vec<String> = ground.listing().into_iter().filter(|line| !line.contains("plan.json")).collect();
    assert_eq!(now, before, "saving removes nothing");
    let again = ground.run(&["prune", "demo-b", "--save", plan.to_str().unwrap()]);
    assert_eq!((again.code, again.stderr.contains("plan.json")), (1, true), "{}", again.stderr);
    let shown = ground.done(&["apply", plan.to_str().unwrap(), "--dry-run", "--json"]);
    let mut asked = ground.command(&["apply"]);
    assert_eq!(Told::of(asked.arg(&plan).output().unwrap()).code, 2, "it asks");
    assert_eq!(ground.entries(), 9);
    let told = apply(&ground);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    let bytes = std::fs::read(&plan).unwrap();
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&told.json()["plan"], &shown.json()["plan"]), (&file, &file));
    assert_eq!(ground.entries(), 1);
    ground.no_pointer_dangles();
    ground.environment_is_whole();
    let second = apply(&ground);
    refused(&second);
}

#[test]
fn a_file_that_was_touched_or_linked_leaves_its_entry_alone_and_the_others_go() {
    for change in ["touched", "linked"] {
        let ground = Ground::new();
        saved(&ground);
        let file = ground.entry(DEMO_A).join("demo_a/__init__.py");
        let bytes = std::fs::read(&file).unwrap();
        if change == "touched" {
            std::fs::write(&file, &bytes).unwrap();
        } else {
            std::fs::hard_link(&file, ground.path("elsewhere.py")).unwrap();
        }
        let told = apply(&ground);
        assert_eq!(told.code, 1, "{}", told.text());
        let outcome = outcome(&told, DEMO_A);
        assert_eq!(outcome["state"], "stale", "{outcome}");
        assert_eq!((ground.entries(), std::fs::read(&file).unwrap()), (2, bytes), "{change}");
        ground.no_pointer_dangles();
        ground.environment_is_whole();
    }
}

#[test]
fn a_new_pointer_a_new_environment_or_a_new_installation_makes_a_saved_plan_stale() {
    let changes: [&dyn Fn(&Ground); 4] = [
        &|ground| {
            let pointer = ground.cache().join("wheels-v7/url/57ffc4d3856ee71d/new-1.0-py3-none-any");
            symlink(format!("../../../archive-v0/{DEMO_A}"), pointer).unwrap();
        },
        &|ground| drop(use_by_symlink(ground)),
        &|ground| {
            let site = ground.path("code/proj/.venv/lib/python3.11/site-packages");
            install(&site, &ground.cache(), DEMO_A, "demo_a-1.0.dist-info", &["demo_a/__init__.py"]);
        },
        // One that is empty, or holds what is understood, is planned for like any other.
        &|ground| {
            std::fs::create_dir_all(ground.cache().join("wheels-v99/pypi/demo")).unwrap();
            std::fs::write(ground.cache().join("wheels-v99/pypi/demo/1.0.zst"), "").unwrap();
        },
    ];
    for change in changes {
        let ground = Ground::new();
        saved(&ground);
        change(&ground);
        let told = apply(&ground);
        assert_eq!(told.code, 1, "{}", told.text());
        assert_eq!(outcome(&told, DEMO_A)["state"], "stale", "{}", told.text());
        assert!(ground.entry(DEMO_A).join("demo_a/__init__.py").is_file());
        ground.no_pointer_dangles();
        ground.environment_is_whole();
    }
}

#[test]
fn what_somebody_begins_to_use_while_the_lock_is_waited_for_is_left_and_told() {
    let ground = Ground::new();
    let mut child = child::Child::run(&mut child::command("exclusive", &ground.cache()));
    assert_eq!(child.says(), "held");
    let mut command = ground.command(&everything(&["--yes", "--json"]));
    command.env("UV_LOCK_TIMEOUT", "120").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("Waiting for `") && said.contains(&child.pid().to_string()), "{said}");
    let used = use_by_symlink(&ground);
    child.end();
    let told = Told::of(waiting.wait_with_output().unwrap());
    assert_eq!(told.code, 1, "{}", told.text());
    let outcome = outcome(&told, DEMO_A);
    assert_eq!(outcome["state"], "stale");
    assert!(outcome["why"].as_str().unwrap().contains("code/new/.venv` uses it now"), "{outcome}");
    assert!(used.exists(), "the new environment works");
    assert_eq!(ground.entries(), 2, "everything else is gone");
    ground.no_pointer_dangles();
}

#[test]
fn what_is_installed_elsewhere_while_the_lock_is_waited_for_refuses_nothing() {
    let ground = Ground::new();
    let mut child = child::Child::run(&mut child::command("exclusive", &ground.cache()));
    assert_eq!(child.says(), "held");
    let mut command = ground.command(&everything(&["--yes", "--json"]));
    command.env("UV_LOCK_TIMEOUT", "120").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("Waiting for `"), "{said}");
    let site = ground.path("code/proj/.venv/lib/python3.11/site-packages");
    std::fs::create_dir(site.join("other-1.0.dist-info")).unwrap();
    std::fs::write(site.join("other.py"), "").unwrap();
    child.end();
    let told = Told::of(waiting.wait_with_output().unwrap());
    assert_eq!(told.code, 0, "{}", told.text());
    assert_eq!(ground.entries(), 1);
    ground.no_pointer_dangles();
    ground.environment_is_whole();
}

/// What only an environment of the cache uses goes with it, and stays with it.
#[test]
fn what_an_environment_of_the_cache_uses_stays_when_it_does() {
    let ground = Ground::new();
    let plan: Value = serde_json::from_slice(&std::fs::read(saved(&ground)).unwrap()).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let used = steps.iter().find(|step| step["users"].as_array().is_some_and(|users| !users.is_empty()));
    let used = used.unwrap_or_else(|| panic!("{plan:#}"));
    assert_eq!(used["reason"], "only an environment uses it that goes too");
    let environment = ground.cache().join(used["users"][0]["path"].as_str().unwrap());
    let entry = ground.cache().join(used["path"].as_str().unwrap());
    std::fs::write(environment.join("note.txt"), "").unwrap();
    let told = apply(&ground);
    assert_eq!(told.code, 1, "{}", told.text());
    assert!(environment.is_dir() && entry.is_dir());
    let stayed = outcome(&told, entry.file_name().unwrap().to_str().unwrap());
    assert_eq!(stayed["state"], "stale");
    assert!(stayed["why"].as_str().unwrap().ends_with("uses it, and stays"), "{stayed}");
    assert_eq!(ground.entries(), 3, "everything else is gone");
    ground.no_pointer_dangles();
}
