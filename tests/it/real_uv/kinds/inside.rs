//! Environments in the cache's directory, also those that were made under the path that a container has for it.

use std::process::Command;

use super::{environment, json, row, said, sandbox, site};
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran};

/// The path of the cache in a container.
const CONTAINER: &str = "in-a-container";

/// Runs a shell in a mount namespace in which the cache lies at another path; whether that could be done.
fn in_container(sandbox: &Sandbox, script: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        not_run("a mount namespace needs root");
        return false;
    }
    let place = sandbox.path(CONTAINER);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::create_dir_all(sandbox.cache()).unwrap();
    let able = Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|it| it.success());
    if !able {
        not_run("no mount namespace can be made");
        return false;
    }
    let uv = sandbox.uv(&[]);
    let mut command = sandbox.command("unshare");
    for (name, value) in uv.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let script = format!("set -e\nmount --bind \"$1\" \"$2\"\n{script}");
    command.env("UV_CACHE_DIR", &place).args(["-m", "sh", "-c", &script, "sh"]);
    ran(command.arg(sandbox.cache()).arg(&place).arg(uv.get_program()).arg(sandbox.path("links")));
    std::fs::remove_dir(&place).unwrap();
    true
}

/// Makes an environment there by symlinks, and one by hardlinks that hides the use of the first.
const MAKE: &str = r#"
cache=$2; uv=$3; links=$4
make() {
    name=$1; mode=$2; shift 2
    "$uv" venv --quiet "$cache/venvs/$name"
    "$uv" pip install --quiet --no-index --find-links "$links" --link-mode "$mode" --python "$cache/venvs/$name/bin/python" "$@"
}
make app symlink demo-a demo-b
make other hardlink demo-a
"#;

fn entries(sandbox: &Sandbox) -> Vec<String> {
    let listed = json(sandbox, &["list"]);
    let entries = listed["entries"].as_array().unwrap().iter();
    let mut names: Vec<String> = entries.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_a_container_made_in_the_cache_survives_every_class_of_prune() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let gone = sandbox.path("seed/.venv");
    environment(&sandbox, &gone, "copy", &["demo-unused"]);
    sandbox.delete(&gone);
    if !in_container(&sandbox, MAKE) {
        return;
    }
    let app = sandbox.cache().join("venvs/app");
    let module = site(&app).join("demo_a/core.py");
    assert!(std::fs::read_link(&module).unwrap().starts_with(sandbox.path(CONTAINER)));
    let listed = json(&sandbox, &["list"]);
    for entry in listed["entries"].as_array().unwrap() {
        let expected = if entry["name"] == "demo-unused" { "unused" } else { "protected" };
        assert_eq!(entry["state"], expected, "{entry:#}, {:#}, {:#}", listed["scope"], listed["problems"]);
    }
    let all = "most,no-environments,gone";
    let classes: [&[&str]; 9] = [
        &["--unreferenced"],
        &["--superseded"],
        &["--cached-environments"],
        &["--orphaned-central"],
        &["--stale-buckets"],
        &["--crash-leftovers"],
        &["--unused", "--older-than", "0s"],
        &["--unused", "--superseded", "--max-size", "0"],
        &["demo-a", "demo-b"],
    ];
    for class in classes {
        let plan = [&["prune", "--grace", "0h", "--yes", "--allow", all][..], class].concat();
        let done = said(&sandbox, &plan);
        let works =
            in_container(&sandbox, "\"$2/venvs/app/bin/python\" -c 'import demo_a.core, demo_b.core'");
        assert!(works, "{class:?}: {done}");
        let left = entries(&sandbox);
        assert!(
            left.contains(&"demo-a".to_owned()) && left.contains(&"demo-b".to_owned()),
            "{class:?}: {done}"
        );
    }
    assert_eq!(entries(&sandbox), ["demo-a", "demo-b"], "what has no user goes");
}

#[test]
fn an_environment_in_the_cache_is_told_with_what_deletes_it_and_its_links_stay() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    if !in_container(&sandbox, MAKE) {
        return;
    }
    let app = sandbox.cache().join("venvs/app");
    let examined = json(&sandbox, &["doctor", "--no-probe"]);
    let kinds: Vec<&str> = examined["doctor"]["cache"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"inside-cache") && kinds.contains(&"other-name"), "{kinds:?}");
    assert!(!kinds.contains(&"strays") && !kinds.contains(&"foreign-symlinks"), "{kinds:?}");
    let report = said(&sandbox, &["doctor", "--no-probe"]);
    assert!(report.contains("2 environments lie in the cache's directory."), "{report}");
    assert!(report.contains("Do not run `uv cache prune`"), "{report}");
    assert_eq!(row(&json(&sandbox, &["envs"]), &app)["inside_cache"], true);
    // In the container they work, and would not any more if they named the cache as it is called here.
    let module = site(&app).join("demo_a/core.py");
    let before = std::fs::read_link(&module).unwrap();
    for named in [&["--all"][..], &[app.to_str().unwrap()]] {
        let repaired = said(&sandbox, &[&["repair", "--yes"], named].concat());
        assert_eq!(std::fs::read_link(&module).unwrap(), before, "{repaired}");
        assert!(repaired.contains("as in a container"), "{repaired}");
    }
}

#[test]
fn an_environment_in_the_cache_that_is_called_as_here_is_whole() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let app = environment(&sandbox, &sandbox.cache().join("deep/er/venvs/app"), "symlink", &["demo-a"]);
    super::forget(&sandbox);
    let envs = json(&sandbox, &["envs"]);
    let row = row(&envs, &app);
    assert_eq!((&row["health"], &row["inside_cache"]), (&"ok".into(), &true.into()), "{row:#}");
    let output = said(&sandbox, &["envs", app.to_str().unwrap()]);
    assert!(output.contains("in the cache's directory: `uv cache prune` deletes it"), "{output}");
    // uv does what is said of it.
    sandbox.run_uv(&["cache", "prune", "--quiet"]);
    assert!(!app.exists());
}
