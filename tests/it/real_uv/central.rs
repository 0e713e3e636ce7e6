//! Environments that real uv keeps in the cache for projects: they go when the project has no `.venv` any more, and else
//! stay. A project that is not where it was may have been moved.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::uv::{Sandbox, ran};
use crate::support::wheel;

/// A project with a central environment, which it is installed in when it can be built.
fn project(sandbox: &Sandbox, name: &'static str, installs: bool) -> PathBuf {
    let directory = sandbox.roots().join(name);
    if installs {
        wheel::project(&directory, name, "1.0");
    } else {
        std::fs::create_dir_all(&directory).unwrap();
        let text = format!("[project]\nname = \"{name}\"\nversion = \"1\"\nrequires-python = \">=3.8\"\n");
        std::fs::write(directory.join("pyproject.toml"), text).unwrap();
    }
    sync(sandbox, &directory);
    directory
}

fn sync(sandbox: &Sandbox, directory: &Path) {
    let mut sync = sandbox.uv(&["sync", "--quiet", "--offline"]);
    ran(sync.env("UV_PREVIEW_FEATURES", "centralized-project-envs").current_dir(directory));
}

/// The program with a memory of its own, which another home would not have.
fn cachetui(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.args(arguments).arg("--cache-dir").arg(sandbox.cache()).arg("--root").arg(sandbox.roots());
    command.env("XDG_STATE_HOME", sandbox.path("state"));
    command
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = ran(cachetui(sandbox, arguments).arg("--json"));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What has become of the projects, by the name at the start of the environment's.
fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    let answer = json(sandbox, &["envs"]);
    let central = answer["environments"].as_array().unwrap().iter().filter(|it| it["kind"] == "central");
    let mut states: Vec<(String, String)> = central
        .map(|it| {
            let name = Path::new(it["path"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
            let name = name.split("-cp").next().unwrap().to_owned();
            (name, it["project"]["state"].as_str().unwrap().to_owned())
        })
        .collect();
    states.sort();
    states
}

fn pairs(states: &[(&str, &str)]) -> Vec<(String, String)> {
    states.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

const PRUNE: [&str; 5] = ["prune", "--orphaned-central", "--grace", "0h", "--yes"];

#[test]
fn environments_in_the_cache_go_when_their_project_is_known_to_have_no_link_to_them() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    let itself = project(&sandbox, "itself", true);
    let seen = project(&sandbox, "seen", false);
    let linked = project(&sandbox, "linked", false);
    let unlinked = project(&sandbox, "unlinked", false);
    let other = project(&sandbox, "other", false);
    // What is only linked has been seen once, by this scan.
    let all = ["itself", "linked", "other", "seen", "unlinked"].map(|name| (name, "linked"));
    assert_eq!(states(&sandbox), pairs(&all));
    // Of this one nothing will tell: no scan has seen it while it was there.
    let unseen = project(&sandbox, "unseen", false);
    for gone in [&itself, &seen, &unseen] {
        std::fs::remove_dir_all(gone).unwrap();
    }
    for project in [&unlinked, &other] {
        std::fs::remove_file(project.join(".venv")).unwrap();
    }
    ran(&mut sandbox.uv(&["venv", "--quiet", other.join(".venv").to_str().unwrap()]));
    let all = [
        ("itself", "missing"),
        ("linked", "linked"),
        ("other", "there"),
        ("seen", "missing"),
        ("unlinked", "unlinked"),
        ("unseen", "unknown"),
    ];
    assert_eq!(states(&sandbox), pairs(&all));
    // Another scan, which finds no `.venv` of theirs, has not forgotten it.
    assert_eq!(states(&sandbox), pairs(&all));

    let dry = json(&sandbox, &["prune", "--orphaned-central", "--grace", "0h", "--dry-run"]);
    // The same when the cache is named through a symlink.
    let link = sandbox.path("link-to-cache");
    std::os::unix::fs::symlink(sandbox.cache(), &link).unwrap();
    let mut through = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    through.args(["prune", "--orphaned-central", "--grace", "0h", "--dry-run", "--json", "--cache-dir"]);
    through.arg(&link).arg("--root").arg(sandbox.roots()).env("XDG_STATE_HOME", sandbox.path("state"));
    let through: Value = serde_json::from_slice(&ran(&mut through).stdout).unwrap();
    assert_eq!(through["plan"]["steps"], dry["plan"]["steps"]);
    assert_eq!(through["plan"]["kept"], dry["plan"]["kept"]);
    let done = json(&sandbox, &PRUNE);
    assert_eq!(done["plan"], dry["plan"]);
    let steps = done["plan"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "{:#}", done["plan"]);
    assert_eq!(steps[0]["price"]["kind"], "make", "{:#}", done["plan"]);
    assert!(steps.iter().all(|step| step["action"] == "remove-environment"), "{steps:#?}");
    assert_eq!(done["plan"]["kept"].as_array().unwrap().len(), 5, "{:#}", done["plan"]);
    let left = [
        ("itself", "missing"),
        ("linked", "linked"),
        ("other", "there"),
        ("seen", "missing"),
        ("unseen", "unknown"),
    ];
    assert_eq!(states(&sandbox), pairs(&left));
    // What is left works, and uv makes again what went.
    ran(&mut sandbox.command(linked.join(".venv/bin/python")));
    sync(&sandbox, &unlinked);
    assert!(unlinked.join(".venv/bin/python").exists());
    sync(&sandbox, &linked);
}

#[test]
fn a_project_that_was_moved_takes_its_environment_along() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    let old = project(&sandbox, "app", true);
    assert_eq!(states(&sandbox), pairs(&[("app", "linked")]));
    std::fs::rename(&old, sandbox.roots().join("renamed")).unwrap();
    assert_eq!(states(&sandbox), pairs(&[("app", "linked")]));
    let done = json(&sandbox, &PRUNE);
    assert_eq!(done["plan"]["steps"], serde_json::json!([]));
    // Also where no search comes.
    let away = sandbox.path("elsewhere");
    std::fs::rename(sandbox.roots().join("renamed"), &away).unwrap();
    assert_eq!(states(&sandbox), pairs(&[("app", "missing")]));
    let done = json(&sandbox, &PRUNE);
    assert_eq!(done["plan"]["steps"], serde_json::json!([]));
    ran(&mut sandbox.command(away.join(".venv/bin/python")));
}

#[test]
fn the_environment_of_a_deleted_project_goes_by_consent() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    let deleted = project(&sandbox, "deleted", false);
    let back = project(&sandbox, "back", false);
    let deeper = sandbox.roots().join("work/deeper");
    let text = "[project]\nname = \"deeper\"\nversion = \"1\"\nrequires-python = \">=3.8\"\n";
    std::fs::create_dir_all(&deeper).unwrap();
    std::fs::write(deeper.join("pyproject.toml"), text).unwrap();
    sync(&sandbox, &deeper);
    let all = ["back", "deeper", "deleted"].map(|name| (name, "linked"));
    assert_eq!(states(&sandbox), pairs(&all));
    std::fs::remove_dir_all(&deleted).unwrap();
    std::fs::remove_dir_all(deeper.parent().unwrap()).unwrap();
    std::fs::rename(&back, sandbox.path("aside")).unwrap();
    let missing = [("back", "missing"), ("deeper", "out-of-reach"), ("deleted", "missing")];
    assert_eq!(states(&sandbox), pairs(&missing));
    let removed = |answer: &Value| answer["plan"]["steps"].as_array().unwrap().len();
    assert_eq!(removed(&json(&sandbox, &PRUNE)), 0);
    // One that is there again stays, whatever is allowed.
    std::fs::rename(sandbox.path("aside"), &back).unwrap();
    let done = json(&sandbox, &[&PRUNE[..], &["--allow", "gone"]].concat());
    assert_eq!(removed(&done), 1, "{:#}", done["plan"]);
    assert_eq!(done["plan"]["steps"][0]["price"]["kind"], "make");
    ran(&mut sandbox.command(back.join(".venv/bin/python")));
    // Of the other not even its directory is there: it has to be named.
    let forget = |path: &Path| ran(&mut cachetui(&sandbox, &["envs", "--forget", path.to_str().unwrap()]));
    forget(&sandbox.roots());
    assert_eq!(states(&sandbox), pairs(&[("back", "linked"), ("deeper", "gone")]));
    let done = json(&sandbox, &PRUNE);
    assert_eq!(removed(&done), 1, "{:#}", done["plan"]);
    assert_eq!(states(&sandbox), pairs(&[("back", "linked")]));
    ran(&mut sandbox.command(back.join(".venv/bin/python")));
    // What is made later is not meant by what was said before.
    let later = project(&sandbox, "later", false);
    assert_eq!(states(&sandbox), pairs(&[("back", "linked"), ("later", "linked")]));
    std::fs::remove_dir_all(&later).unwrap();
    assert_eq!(states(&sandbox), pairs(&[("back", "linked"), ("later", "missing")]));
}
