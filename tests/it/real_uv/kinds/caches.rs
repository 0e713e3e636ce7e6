//! Copies of caches, and environments that are linked to another cache.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{environment, json, row, said, sandbox};
use crate::support::uv::{Sandbox, ran};

/// cachetui with another cache.
fn with_cache(sandbox: &Sandbox, cache: &Path, arguments: &[&str]) -> String {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.args(arguments).arg("--no-remember").arg("--root").arg(sandbox.roots());
    super::text(&command.arg("--cache-dir").arg(cache).output().unwrap())
}

/// Bytes that a tree takes.
fn taken(tree: &Path) -> u64 {
    let mut seen = std::collections::BTreeSet::new();
    let files = walkdir::WalkDir::new(tree).into_iter().map(|item| item.unwrap().metadata().unwrap());
    files.filter(|it| it.is_file() && seen.insert(it.ino())).map(|it| it.blocks() * 512).sum()
}

#[test]
fn a_cache_that_was_copied_with_its_links_followed_is_told_and_repaired() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    // One of them is built, for which no pointer file names an entry.
    crate::support::wheel::sdist(&sandbox.path("links"), "demo-s", "1.0");
    environment(&sandbox, &sandbox.roots().join("app/.venv"), "copy", &["demo-a", "demo-b", "demo-s"]);
    let copy = sandbox.path("copy");
    ran(Command::new("cp").arg("-rL").arg(sandbox.cache()).arg(&copy));
    let before = taken(&copy);
    let examined = with_cache(&sandbox, &copy, &["doctor", "--no-probe"]);
    assert!(examined.contains("3 wheels lie in the cache twice"), "{examined}");
    let plan = with_cache(&sandbox, &copy, &["repair", "--links", "--dry-run"]);
    assert!(plan.contains("the wheel lies there a second time"), "{plan}");
    assert_eq!(taken(&copy), before, "a dry run changes nothing");
    let done = with_cache(&sandbox, &copy, &["repair", "--links", "--yes"]);
    assert!(taken(&copy) <= before - 2 * 16_384, "{done}");
    let examined = with_cache(&sandbox, &copy, &["doctor", "--no-probe"]);
    assert!(!examined.contains("twice") && !examined.contains("trash"), "{examined}");
    let links = walkdir::WalkDir::new(&copy).into_iter().map(|item| item.unwrap());
    assert_eq!(links.filter(|item| item.file_type().is_symlink()).count(), 3, "{done}");
    works(&sandbox, &copy);
}

#[test]
fn a_copy_without_any_links_is_repaired_and_what_differs_from_its_entry_stays() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    environment(&sandbox, &sandbox.roots().join("app/.venv"), "copy", &["demo-a", "demo-b"]);
    let bare = sandbox.path("bare");
    ran(Command::new("cp").arg("-a").arg(sandbox.cache()).arg(&bare));
    ran(Command::new("find").arg(&bare).args(["-type", "l", "-delete"]));
    let done = with_cache(&sandbox, &bare, &["repair", "--links", "--yes"]);
    assert!(done.contains('2'), "{done}");
    works(&sandbox, &bare);
    // One that has something of its own, and one of the same size with another content.
    let copy = sandbox.path("copy");
    ran(Command::new("cp").arg("-rL").arg(sandbox.cache()).arg(&copy));
    let module = |name: &str| {
        let mut found = walkdir::WalkDir::new(&copy).into_iter().map(|item| item.unwrap().into_path());
        found.find(|path| path.ends_with(name) && path.to_str().unwrap().contains("wheels-v")).unwrap()
    };
    let (more, edited) = (module("demo_a/core.py"), module("demo_b/core.py"));
    std::fs::write(more.with_file_name("mine.py"), b"mine\n").unwrap();
    let text = std::fs::read_to_string(&edited).unwrap().replace("CORE", "EROC");
    std::fs::write(&edited, text).unwrap();
    let done = with_cache(&sandbox, &copy, &["repair", "--links", "--yes"]);
    assert!(more.with_file_name("mine.py").is_file(), "{done}");
    assert!(std::fs::read_to_string(&edited).unwrap().contains("EROC"), "{done}");
    assert!(!copy.join(".cachetui-trash").exists(), "{done}");
}

/// uv prunes a cache and installs from it what it had.
fn works(sandbox: &Sandbox, cache: &Path) {
    ran(sandbox.uv(&["cache", "prune", "--quiet"]).env("UV_CACHE_DIR", cache));
    let name = cache.file_name().unwrap().to_str().unwrap();
    let path = sandbox.path(format!("again-{name}"));
    ran(sandbox.uv(&["venv", "--quiet", path.to_str().unwrap()]).env("UV_CACHE_DIR", cache));
    let python = path.join("bin/python");
    let links = sandbox.path("links");
    let install =
        ["pip", "install", "--quiet", "--no-index", "--find-links", links.to_str().unwrap(), "--python"];
    let packages = [python.to_str().unwrap(), "demo-a", "demo-b"];
    ran(sandbox.uv(&[&install[..], &packages].concat()).env("UV_CACHE_DIR", cache));
    ran(Command::new(python).args(["-c", "import demo_a.core, demo_b.core"]));
}

/// An environment that was filled from another cache.
fn from(sandbox: &Sandbox, cache: &Path, name: &str, mode: &str) -> PathBuf {
    let path = sandbox.roots().join(name).join(".venv");
    ran(sandbox.uv(&["venv", "--quiet", path.to_str().unwrap()]).env("UV_CACHE_DIR", cache));
    let python = path.join("bin/python");
    let links = sandbox.path("links");
    let start = ["pip", "install", "--quiet", "--no-index", "--link-mode", mode, "--find-links"];
    let rest = [links.to_str().unwrap(), "--python", python.to_str().unwrap(), "demo-a"];
    ran(sandbox.uv(&[&start[..], &rest].concat()).env("UV_CACHE_DIR", cache));
    path
}

#[test]
fn an_environment_of_another_cache_is_told_with_that_cache_and_keeps_nothing() {
    // Where a search meets it, and where pixi, prek and uv itself keep theirs.
    let places =
        ["roots/shared/uv", "home/cache/rattler/cache/uv-cache", "home/cache/prek/cache/uv", "home/cache/uv"];
    for place in places {
        for mode in ["hardlink", "symlink"] {
            let base = tempfile::tempdir().unwrap();
            let Some(sandbox) = sandbox(base.path()) else { return };
            environment(&sandbox, &sandbox.path("seed"), "copy", &["demo-a"]);
            std::fs::remove_dir_all(sandbox.path("seed")).unwrap();
            let other = sandbox.path(place);
            let app = from(&sandbox, &other, "app", mode);
            let envs = json(&sandbox, &["envs"]);
            let found = row(&envs, &app);
            let path = other.to_str().unwrap();
            assert_eq!(found["other_caches"][0]["path"], path, "{place} {mode}: {found:#}");
            assert_eq!(found["distributions"][0]["other_cache"], path, "{place} {mode}: {found:#}");
            assert_eq!(found["distributions"][0]["mode"], mode, "{place}: {found:#}");
            assert_eq!(found["health"], "ok", "{place} {mode}: {found:#}");
            let shown = said(&sandbox, &["envs", app.to_str().unwrap()]);
            assert!(shown.contains("linked to another cache"), "{place} {mode}: {shown}");
            assert!(!shown.contains("copy"), "{place} {mode}: {shown}");
            let why = said(&sandbox, &["why", "demo-a"]);
            assert!(why.contains("linked to another cache") && why.contains(path), "{place} {mode}: {why}");
            let listed = json(&sandbox, &["list"]);
            assert_eq!(listed["entries"][0]["state"], "unused", "{place} {mode}: {listed:#}");
        }
    }
}

#[test]
fn copies_and_links_to_this_cache_are_not_told_to_be_of_another() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let other = sandbox.roots().join("shared/uv");
    from(&sandbox, &other, "other", "hardlink");
    for mode in ["copy", "hardlink", "symlink"] {
        let app = environment(&sandbox, &sandbox.roots().join(mode), mode, &["demo-a"]);
        let envs = json(&sandbox, &["envs"]);
        let found = row(&envs, &app);
        assert_eq!(found["other_caches"].as_array().unwrap().len(), 0, "{found:#}");
        assert_eq!(found["distributions"][0]["mode"], mode, "{found:#}");
    }
    // Two that share with each other, after their cache was cleaned, have copies.
    let (one, two) = (sandbox.roots().join("hardlink"), sandbox.roots().join("twin"));
    ran(Command::new("cp").arg("-al").args([&one, &two]));
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    environment(&sandbox, &sandbox.roots().join("again"), "copy", &["demo-a"]);
    let envs = json(&sandbox, &["envs"]);
    assert_eq!(row(&envs, &two)["other_caches"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_hardlinked_to_a_cache_that_nobody_searched_is_no_copy() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let links = sandbox.path("links");
    let made = environment(&sandbox, &sandbox.roots().join("made"), "copy", &["demo-a"]);
    let app = sandbox.roots().join("app");
    sandbox.run_uv(&["venv", "--quiet", app.to_str().unwrap()]);
    let python = app.join("bin/python");
    let other = sandbox.path("elsewhere/cache");
    let install = ["pip", "install", "--quiet", "--no-index", "--link-mode", "hardlink", "--find-links"];
    let mut uv = sandbox.uv(&install);
    uv.arg(&links).args(["--python", python.to_str().unwrap(), "--cache-dir"]).arg(&other);
    ran(uv.args(["demo-a", "demo-b"]));
    for (root, elsewhere, mode) in [(&app, true, "hardlink"), (&made, false, "copy")] {
        let envs = json(&sandbox, &["envs", root.to_str().unwrap()]);
        for found in row(&envs, root)["distributions"].as_array().unwrap() {
            assert_eq!(
                (&found["linked_elsewhere"], &found["mode"]),
                (&elsewhere.into(), &mode.into()),
                "{found:#}"
            );
        }
    }
    assert!(said(&sandbox, &["envs", app.to_str().unwrap()]).contains("linked elsewhere"));
    assert!(said(&sandbox, &["why", "demo-a"]).contains("linked elsewhere"));
    // Two environments that share with each other are explained.
    let copy = sandbox.roots().join("copied");
    ran(sandbox.command("cp").arg("-al").arg(&made).arg(&copy));
    let envs = json(&sandbox, &["envs", "--dists"]);
    for root in [&made, &copy] {
        assert_eq!(row(&envs, root)["distributions"][0]["linked_elsewhere"], false, "{envs:#}");
    }
}
