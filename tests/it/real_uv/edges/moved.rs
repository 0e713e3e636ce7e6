//! Environments that only uv has recorded, and that are not where they were.

use std::path::Path;
use std::process::{Command, Output};

use super::{PRUNE, UNUSED, folder, forget, install, listed, remembering, scene, site, text};
use crate::support::uv::{Sandbox, ran};

/// A project with an environment that uv alone knows, linked by symlinks.
fn project(sandbox: &Sandbox) {
    folder(sandbox.path("keep-root"));
    folder(sandbox.path("projects/app"));
    std::fs::write(sandbox.path("projects/app/pyproject.toml"), b"").unwrap();
    install(sandbox, "projects/app/.venv", "symlink", &["demo-a"]);
}

fn works(environment: &Path) {
    let python = std::fs::canonicalize(environment.join("bin/python")).unwrap();
    let path = site(environment);
    ran(Command::new(python).args(["-c", "import demo_a; demo_a.main()"]).env("PYTHONPATH", path));
}

/// Runs the command that an answer names to forget something.
pub(super) fn to_the_letter(sandbox: &Sandbox, said: &str) -> Output {
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = said.find("`cachetui envs --forget ").unwrap_or_else(|| panic!("no way out: {said}"));
    let command = said[start + 1..].split('`').next().unwrap().to_owned();
    let programs = Path::new(env!("CARGO_BIN_EXE_cachetui")).parent().unwrap();
    let mut shell = sandbox.command("sh");
    shell.args(["-c", &command]).env("XDG_STATE_HOME", sandbox.path("state"));
    shell.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    ran(&mut shell)
}

/// Where the project is moved, and where its environment is then.
const MOVES: [(&str, &str, &str); 6] = [
    ("projects/app", "projects/renamed", "projects/renamed/.venv"),
    ("projects/app", "projects/old/app", "projects/old/app/.venv"),
    ("projects/app", "app", "app/.venv"),
    ("projects/app", "archive/app", "archive/app/.venv"),
    ("projects/app/.venv", "projects/app/.venv-before", "projects/app/.venv-before"),
    ("projects", "work", "work/app/.venv"),
];

#[test]
fn a_project_that_was_moved_nearby_is_found_though_only_uv_has_recorded_it() {
    for (from, to, environment) in MOVES {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        project(&sandbox);
        folder(sandbox.path(to).parent().unwrap().to_owned());
        // Another project stays, so that the directory is no empty place of a mount.
        folder(sandbox.path("projects/other"));
        std::fs::rename(sandbox.path(from), sandbox.path(to)).unwrap();
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{to}: {}", text(&done));
        works(&sandbox.path(environment));
        let envs = text(&remembering(&sandbox, &["envs"]));
        assert!(envs.contains(environment.rsplit('/').next().unwrap()), "{to}: {envs}");
    }
}

/// What shows that a cache is used by symlinks.
struct Evidence {
    what: &'static str,
    give: fn(&Sandbox),
    variable: Option<(&'static str, &'static str)>,
}

const EVIDENCE: &[Evidence] = &[
    Evidence {
        what: "another environment",
        give: |sandbox| drop(install(sandbox, "keep-root/other/.venv", "symlink", &["demo-b"])),
        variable: None,
    },
    Evidence { what: "the variable", give: |_| {}, variable: Some(("UV_LINK_MODE", "symlink")) },
    Evidence {
        what: "the user's settings",
        give: |sandbox| {
            let uv = folder(sandbox.path("home/config/uv"));
            std::fs::write(uv.join("uv.toml"), "[pip]\nlink-mode = \"symlink\"\n").unwrap();
        },
        variable: None,
    },
    Evidence {
        what: "a link outside of environments",
        give: |sandbox| {
            let entry = super::entry(sandbox, "demo-b");
            std::os::unix::fs::symlink(entry, sandbox.path("keep-root/link")).unwrap();
        },
        variable: None,
    },
    Evidence {
        what: "an environment in the cache",
        give: |sandbox| drop(install(sandbox, "cache/venvs/own", "symlink", &["demo-b"])),
        variable: None,
    },
];

#[test]
fn what_is_missing_with_its_project_is_away_where_the_cache_is_used_by_symlinks() {
    for evidence in EVIDENCE {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a", "demo-b"]) else { return };
        project(&sandbox);
        let far = folder(sandbox.path("far/away/from/here")).join("app");
        std::fs::rename(sandbox.path("projects/app"), &far).unwrap();
        (evidence.give)(&sandbox);
        let run = |arguments: &[&str]| {
            let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
            command.args(arguments).arg("--cache-dir").arg(sandbox.cache());
            command.arg("--root").arg(sandbox.path("keep-root")).env("XDG_STATE_HOME", sandbox.path("state"));
            command.envs(evidence.variable).output().unwrap()
        };
        let kept = run(&PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{}: {}", evidence.what, text(&kept));
        works(&far.join(".venv"));
        to_the_letter(&sandbox, &text(&kept));
        let done = run(&PRUNE);
        assert!(listed(&sandbox, UNUSED).is_null(), "{}: {}", evidence.what, text(&done));
    }
}

#[test]
fn what_is_missing_with_its_project_is_gone_where_nothing_shows_symlinks() {
    for mode in ["hardlink", "copy"] {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        folder(sandbox.path("keep-root"));
        folder(sandbox.path("projects/other"));
        install(&sandbox, "projects/app/.venv", mode, &["demo-a"]);
        std::fs::remove_dir_all(sandbox.path("projects/app")).unwrap();
        let done = remembering(&sandbox, &PRUNE);
        assert!(
            listed(&sandbox, "demo-a").is_null() && listed(&sandbox, UNUSED).is_null(),
            "{}",
            text(&done)
        );
    }
}

#[test]
fn one_command_forgets_everything_that_is_away() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    for (count, place) in [(3, "few with spaces"), (9, "many")] {
        folder(sandbox.path(place).join("other"));
        for number in 0..count {
            install(&sandbox, &format!("{place}/app{number}/.venv"), "symlink", &["demo-a"]);
        }
    }
    let alive = install(&sandbox, "many/alive/.venv", "symlink", &["demo-a"]);
    assert!(remembering(&sandbox, &["list"]).status.success());
    forget(&sandbox);
    for (count, place) in [(3, "few with spaces"), (9, "many")] {
        for number in 0..count {
            std::fs::remove_dir_all(sandbox.path(place).join(format!("app{number}"))).unwrap();
        }
        let kept = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, UNUSED).is_object(), "{place}: {}", text(&kept));
        to_the_letter(&sandbox, &text(&kept));
        if place == "many" {
            break;
        }
        let still = text(&remembering(&sandbox, &PRUNE));
        assert!(!still.contains("forget"), "nothing is away any more: {still}");
        // Made again, so that there is something to keep for the next.
        install(&sandbox, "seed", "copy", &[UNUSED]);
        std::fs::remove_dir_all(sandbox.path("seed")).unwrap();
        forget(&sandbox);
    }
    let done = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, UNUSED).is_null(), "{}", text(&done));
    // What is there is not forgotten with what is not, though nothing else names it.
    assert!(listed(&sandbox, "demo-a").is_object(), "{}", text(&done));
    works(&alive);
}

#[test]
fn a_target_that_was_renamed_is_found() {
    for (from, to) in [("libraries/one", "libraries/two"), ("libraries", "shelf"), ("libraries/one", "one")] {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        folder(sandbox.path("keep-root"));
        let target = sandbox.path("libraries/one");
        let python = sandbox.path("roots/keep/bin/python");
        let whereto = ["--python", python.to_str().unwrap(), "--target", target.to_str().unwrap()];
        super::install_by(&sandbox, "symlink", &whereto, &["demo-a"]);
        let seen = remembering(&sandbox, &["list", "--target", target.to_str().unwrap()]);
        assert!(text(&seen).contains("protected"), "{}", text(&seen));
        forget(&sandbox);
        std::fs::rename(sandbox.path(from), sandbox.path(to)).unwrap();
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{to}: {}", text(&done));
    }
}
