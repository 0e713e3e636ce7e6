//! What uv 0.4 and older left in a cache that a newer uv uses.

use std::path::Path;

use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::{self, Wheel};

/// Releases of which each names its buckets differently: `built-wheels-v3` and `interpreter-v2` in a shape of its own, then
/// `sdists-v5`.
const OLD: [&str; 3] = ["0.2.37", "0.3.5", "0.4.30"];

fn sandbox(base: &Path) -> Option<Sandbox> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    for name in ["demo-a", "demo-b", "demo-c"] {
        Wheel::new(name, "1.0").save(&links);
    }
    wheel::sdist(&links, "demo-sd", "1.0");
    Some(sandbox)
}

fn install(sandbox: &Sandbox, name: &str, mode: &str, packages: &[&str]) -> std::path::PathBuf {
    let links = sandbox.path("links");
    let places = ["--no-index", "--find-links", links.to_str().unwrap()];
    sandbox.install(name, mode, &[&places[..], packages].concat())
}

#[test]
fn buckets_of_uv_0_4_and_older_are_understood_and_told_beside_newer_ones() {
    for version in OLD {
        let base = tempfile::tempdir().unwrap();
        let Some(mut sandbox) = sandbox(base.path()) else { return };
        let Some(()) = sandbox.use_release(version) else { return };
        let kept = install(&sandbox, "kept", "symlink", &["demo-a"]);
        let gone = install(&sandbox, "gone", "hardlink", &["demo-b", "demo-sd"]);
        let Some(()) = sandbox.use_release("0.13.9") else { return };
        let new = install(&sandbox, "new", "hardlink", &["demo-c"]);
        sandbox.delete(&gone);
        let listed = sandbox.json(&["list"]);
        assert_eq!(listed["problems"], serde_json::json!([]), "{version}");
        // What they are is told, and that they stay.
        let doctor =
            String::from_utf8(sandbox.cachetui(&["doctor", "--no-probe"]).output().unwrap().stdout).unwrap();
        assert!(doctor.contains("uv 0.4 or older wrote `"), "{version}: {doctor}");
        let stale = sandbox.json(&["prune", "--stale-buckets", "--grace", "0h", "--dry-run"]);
        assert_eq!(stale["plan"]["steps"], serde_json::json!([]), "{version}");
        let reasons: Vec<&str> =
            stale["plan"]["kept"].as_array().unwrap().iter().filter_map(|it| it["reason"].as_str()).collect();
        assert!(
            reasons.iter().any(|it| it.starts_with("uv 0.4 or older wrote it")),
            "{version}: {reasons:?}"
        );
        // Entries that they lead to go like others, with their pointers; and what is used stays.
        let answer = sandbox.json(&["prune", "--unused", "--grace", "0h", "--yes", "--allow", "most,gone"]);
        let removed: Vec<&str> =
            answer["plan"]["steps"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
        let mut sorted = removed.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["demo-b", "demo-sd"], "{version}: {:#}", answer["plan"]["kept"]);
        let dangling = sandbox.json(&["links", "--state", "dangling,malformed"]);
        assert_eq!(dangling["pointers"], serde_json::json!([]), "{version}");
        for (environment, module) in [(&kept, "demo_a"), (&new, "demo_c")] {
            let import = format!("import {module}; assert {module}.NAME");
            ran(sandbox.command(environment.join("bin/python")).args(["-c", &import]));
        }
        // The old uv finds nothing that was left half done.
        let Some(()) = sandbox.use_release(version) else { return };
        let again = install(&sandbox, "again", "hardlink", &["demo-b", "demo-sd"]);
        ran(sandbox.command(again.join("bin/python")).args(["-c", "import demo_b, demo_sd"]));
    }
}

#[test]
fn an_old_bucket_that_is_not_understood_keeps_what_it_may_lead_to() {
    let base = tempfile::tempdir().unwrap();
    let Some(mut sandbox) = sandbox(base.path()) else { return };
    let Some(()) = sandbox.use_release("0.2.37") else { return };
    let gone = install(&sandbox, "gone", "hardlink", &["demo-b", "demo-sd"]);
    sandbox.delete(&gone);
    std::fs::write(sandbox.cache().join("built-wheels-v3/manifest.json"), "{}").unwrap();
    let arguments = ["prune", "--unused", "--grace", "0h", "--yes", "--allow", "most,no-environments,gone"];
    let answer = sandbox.json(&arguments);
    assert_eq!(answer["plan"]["steps"], serde_json::json!([]));
    let reason = answer["plan"]["kept"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("`built-wheels-v3`, written by uv 0.4 or older, is not understood: `"),
        "{reason}"
    );
}
