//! Faults in the middle of every operation, on caches and environments that real uv made: whatever is left, no environment
//! has lost anything, no pointer leads nowhere, and a second run ends where an undisturbed one does.
//!
//! By default one run of each operation is looked at before each call that changes something, and a part of the calls is
//! disturbed, spread over all. `CACHETUI_FAULTS=all cargo test --test it real_uv::faults -- --nocapture` disturbs every
//! one, and tells how many that were.

mod cuts;
mod disk;
mod errors;
mod kills;
mod places;
mod stage;
mod world;

use std::path::PathBuf;

use stage::Stage;
use tempfile::TempDir;

use crate::support::uv::ran;
use crate::support::wheel::Wheel;

/// A directory in memory where there is one: what is killed loses nothing that was written, on whatever filesystem.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Writes the wheels that are installed, and answers how uv is told to find them.
fn wheels(stage: &Stage) -> Vec<String> {
    let links = stage.sandbox.path("links");
    Wheel::new("one", "1.0")
        .entry_point()
        .program("one/run.sh", "#!/bin/sh\necho run\n")
        .file("one/edited.py", "EDITED = False\n")
        .file("one/deep/er/part.py", "X = 1\n")
        .data("scripts/one-plain", "#!/bin/sh\necho plain\n", 0o644)
        .data("data/share/one/data.txt", "data\n", 0o644)
        .bulk("one/bulk.bin", 8)
        .save(&links);
    Wheel::empty("two", "1.0").file("shared/two.py", "2\n").bulk("shared/bulk.bin", 4).save(&links);
    ["--no-index", "--find-links", links.to_str().unwrap()].map(str::to_owned).to_vec()
}

/// Makes an environment with both wheels.
fn install(stage: &Stage, places: &[String], project: &str, mode: &str) -> PathBuf {
    let mut arguments: Vec<&str> = places.iter().map(String::as_str).collect();
    arguments.extend(["one", "two"]);
    stage.sandbox.install(project, mode, &arguments)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn site(environment: &std::path::Path) -> PathBuf {
    let mut versions = environment.join("lib").read_dir().unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

/// uv finds nothing wrong with any environment, and installs everything again, without the network.
fn uv_agrees(stage: &Stage, when: &str) {
    let said = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{when}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for project in std::fs::read_dir(stage.sandbox.roots()).unwrap() {
        let environment = project.unwrap().path().join(".venv");
        if !environment.exists() {
            continue;
        }
        said(&mut stage.uv(&["pip", "check", "--quiet", "--python", environment.to_str().unwrap()]));
    }
    let links = stage.sandbox.path("links");
    let target = stage.sandbox.path("tmp/target");
    let mut install = stage.uv(&["pip", "install", "--quiet", "--offline", "--no-index", "--find-links"]);
    said(install.arg(links).arg("--target").arg(&target).args(["one", "two"]));
    said(&mut stage.uv(&["cache", "prune", "--quiet"]));
    ran(std::process::Command::new("rm").arg("-rf").arg(target));
}
