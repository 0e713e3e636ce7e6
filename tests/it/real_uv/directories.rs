//! Environments whose package directories are symlinks into the cache as a whole, which uv does not make but others do.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::uv::Sandbox;
use crate::support::wheel::Wheel;

/// An environment with `demo-a` and `demo-b`, all of whose directories are symlinks to those of the entries.
fn scene(base: &Path) -> Option<(Sandbox, PathBuf)> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    std::fs::create_dir_all(&links).unwrap();
    for name in ["demo-a", "demo-b"] {
        let module = name.replace('-', "_");
        Wheel::new(name, "1.0").file(&format!("{module}/inner/deep.py"), "DEEP = 1\n").save(&links);
    }
    let find = ["--no-index", "--find-links", links.to_str().unwrap(), "demo-a", "demo-b"];
    let environment = sandbox.install("app", "symlink", &find);
    let site = site_packages(&environment);
    for (directory, file) in
        [("demo_a", "__init__.py"), ("demo_b", "__init__.py"), ("demo_a-1.0.dist-info", "METADATA")]
    {
        let target = std::fs::read_link(site.join(directory).join(file)).unwrap();
        std::fs::remove_dir_all(site.join(directory)).unwrap();
        symlink(target.parent().unwrap(), site.join(directory)).unwrap();
    }
    Some((sandbox, environment))
}

fn site_packages(environment: &Path) -> PathBuf {
    let lib = environment.join("lib");
    let python = std::fs::read_dir(&lib).unwrap().next().unwrap().unwrap();
    python.path().join("site-packages")
}

fn distributions(sandbox: &Sandbox) -> Vec<Value> {
    let answer = sandbox.json(&["envs", "--dists"]);
    answer["environments"][0]["distributions"].as_array().unwrap().clone()
}

#[test]
fn directories_that_are_symlinks_into_entries_are_read_and_protect_them() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, environment)) = scene(base.path()) else { return };
    let found = distributions(&sandbox);
    let names: Vec<&str> = found.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["demo-a", "demo-b"]);
    for item in &found {
        assert_eq!((&item["state"], &item["mode"]), (&"ok".into(), &"symlink".into()), "{item:#}");
        assert!(item["entry"].is_string(), "{item:#}");
        assert!(item["files"]["symlink"].as_u64().unwrap() >= 2, "{item:#}");
    }
    let list = sandbox.json(&["list"]);
    for entry in list["entries"].as_array().unwrap() {
        assert_eq!(entry["state"], "protected", "{entry:#}");
        assert_eq!(entry["users"][0]["environment"], environment.to_str().unwrap());
    }
}

#[test]
fn directories_that_are_symlinks_to_nothing_are_broken_distributions() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    let found = distributions(&sandbox);
    let names: Vec<&str> = found.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["demo-a", "demo-b"], "a name is left of what is gone");
    for item in &found {
        assert_eq!(item["state"], "broken", "{item:#}");
    }
    assert_eq!(sandbox.json(&["envs"])["environments"][0]["health"], "broken");
    // uv 0.13.0 and before remove the cache's directory as well.
    std::fs::remove_dir_all(sandbox.cache()).unwrap();
    assert_eq!(sandbox.json(&["envs"])["environments"][0]["health"], "broken");
    assert_eq!(sandbox.cachetui(&["list"]).output().unwrap().status.code(), Some(1));
}
