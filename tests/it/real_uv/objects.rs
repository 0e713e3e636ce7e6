//! The content-addressed store of real uv (preview): its files go when nothing links to them, or only what goes with them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// The files of the store, with their links.
fn objects(sandbox: &Sandbox) -> Vec<(PathBuf, u64)> {
    let store = walkdir::WalkDir::new(sandbox.cache().join("files-v0")).sort_by_file_name();
    let files = store.into_iter().map(Result::unwrap).filter(|item| item.file_type().is_file());
    files.map(|item| (item.path().to_owned(), item.path().symlink_metadata().unwrap().nlink())).collect()
}

/// The objects of a plan, as whole paths.
fn planned(sandbox: &Sandbox, answer: &Value) -> BTreeSet<PathBuf> {
    let steps = answer["plan"]["steps"].as_array().unwrap();
    let objects = steps.iter().filter(|step| step["action"] == "remove-objects");
    let objects = objects.flat_map(|step| step["objects"].as_array().unwrap());
    objects.map(|object| sandbox.cache().join(object["path"].as_str().unwrap())).collect()
}

fn prune(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let answer = sandbox.json(&[&["prune", "--grace", "0h", "--yes"], arguments].concat());
    let outcomes = answer["report"]["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().all(|it| it["state"] == "done"), "{arguments:?}: {:#}", answer["report"]);
    answer
}

/// A cache of two wheels, which have one file in common.
fn filled(base: &std::path::Path) -> Option<(Sandbox, Vec<String>)> {
    let mut sandbox = Sandbox::new(base)?;
    sandbox.preview = "content-addressed-cache";
    let wheels = sandbox.path("wheels");
    for name in ["one", "two"] {
        Wheel::new(name, "1.0")
            .bulk(&format!("{name}/bulk.bin"), 64)
            .file(&format!("{name}/same.py"), "SAME = 1\n")
            .save(&wheels);
    }
    let places = ["--no-index", "--find-links"].map(String::from);
    let places = places.into_iter().chain([wheels.to_str().unwrap().to_owned()]).collect();
    Some((sandbox, places))
}

fn install(sandbox: &Sandbox, name: &str, mode: &str, places: &[String], packages: &[&str]) -> PathBuf {
    let arguments: Vec<&str> = places.iter().map(String::as_str).chain(packages.iter().copied()).collect();
    sandbox.install(name, mode, &arguments)
}

fn uv_finds_nothing(sandbox: &Sandbox) {
    let output = sandbox.run_uv(&["cache", "prune"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("No unused entries found"), "{said}");
}

#[test]
fn what_only_entries_that_go_link_to_goes_with_them_and_comes_back_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = filled(directory.path()) else { return };
    let gone = install(&sandbox, "gone", "copy", &places, &["one"]);
    install(&sandbox, "kept", "hardlink", &places, &["two"]);
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    let before = objects(&sandbox);
    let unused = ["--unused", "--allow", "most,gone"];
    let answer = prune(&sandbox, &[&unused[..], &["--trash"]].concat());
    let left: BTreeSet<PathBuf> = objects(&sandbox).into_iter().map(|(path, _)| path).collect();
    let went: BTreeSet<PathBuf> =
        before.iter().map(|(path, _)| path.clone()).filter(|path| !left.contains(path)).collect();
    // The module, METADATA and the noise are its own; WHEEL and what both have stay.
    assert_eq!(went, planned(&sandbox, &answer));
    assert_eq!(went.len(), 3, "{went:?}");
    ran(&mut sandbox.cachetui(&["undo"]));
    assert_eq!(objects(&sandbox), before);
    ran(sandbox.uv(&["venv", "--quiet"]).arg(sandbox.roots().join("again/.venv")));
    let mut again = sandbox.uv(&["pip", "install", "--offline", "--link-mode", "copy", "one", "--python"]);
    ran(again.arg(sandbox.roots().join("again/.venv")).args(&places));
    std::fs::remove_dir_all(sandbox.roots().join("again")).unwrap();

    let answer = prune(&sandbox, &unused);
    let freed = &answer["report"]["freed"];
    let predicted = freed["predicted"].as_u64().unwrap();
    assert!(predicted > 64 << 10, "{freed:#}");
    assert_eq!(objects(&sandbox).len(), left.len());
    uv_finds_nothing(&sandbox);
    let kept = sandbox.roots().join("kept/.venv/bin/python");
    ran(sandbox.command(kept).args(["-c", "import two; assert two.NAME == 'two'"]));
    let again = install(&sandbox, "anew", "hardlink", &places, &["one", "two"]);
    ran(sandbox.command(again.join("bin/python")).args(["-c", "import one, two"]));
}

#[test]
fn what_nothing_links_to_any_more_is_what_uv_would_remove() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = filled(directory.path()) else { return };
    let gone = install(&sandbox, "gone", "hardlink", &places, &["one"]);
    install(&sandbox, "kept", "hardlink", &places, &["two"]);
    sandbox.run_uv(&["cache", "clean", "--quiet", "one"]);
    let alone = |sandbox: &Sandbox| -> BTreeSet<PathBuf> {
        objects(sandbox).into_iter().filter(|(_, links)| *links == 1).map(|(path, _)| path).collect()
    };
    assert_eq!(alone(&sandbox), BTreeSet::new(), "the environment has them");
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    let lonely = alone(&sandbox);
    assert_eq!(lonely.len(), 3, "{lonely:?}");

    // What is young stays, as everything does.
    let young = sandbox.json(&["prune", "--unreferenced", "--dry-run"]);
    assert_eq!(planned(&sandbox, &young), BTreeSet::new());
    let answer = prune(&sandbox, &["--unreferenced"]);
    assert_eq!(planned(&sandbox, &answer), lonely);
    let bytes = &answer["plan"]["totals"]["bytes"];
    assert_eq!((&bytes["reclaimable"], &bytes["held"]), (&bytes["disk"], &0.into()), "{bytes:#}");
    assert_eq!(alone(&sandbox), BTreeSet::new());
    uv_finds_nothing(&sandbox);
    let kept = sandbox.roots().join("kept/.venv/bin/python");
    ran(sandbox.command(kept).args(["-c", "import two"]));
}
