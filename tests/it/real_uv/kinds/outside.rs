//! Files of a distribution that lie outside of the directory with the distributions of a prefix, a `--target` that is for one
//! version of Python, and a RECORD that was cut off.

use std::path::Path;

use serde_json::Value;

use super::{environment, json, row, said, sandbox, site, text};
use crate::support::uv::Sandbox;
use crate::support::wheel::Wheel;

/// A prefix with a distribution that has a file in `etc`, by a link mode.
fn prefix(sandbox: &Sandbox, mode: &str) -> std::path::PathBuf {
    let links = sandbox.path("links");
    Wheel::new("odd", "1.0").data("data/etc/odd.conf", &"conf = 1\n".repeat(900), 0o644).save(&links);
    let prefix = sandbox.roots().join("prefix");
    super::install(sandbox, mode, &["--prefix", prefix.to_str().unwrap()], &["odd"]);
    prefix
}

fn kept(answer: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = answer["plan"]["kept"].as_array().unwrap().iter();
    rows.map(|it| (word(&it["path"]), word(&it["because"]["kind"]))).collect()
}

#[test]
fn what_relink_does_not_reach_is_named_before_and_nothing_more_is_promised() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let prefix = prefix(&sandbox, "symlink");
    let (name, conf) = (prefix.to_str().unwrap(), prefix.join("etc/odd.conf"));
    for mode in ["hardlink", "copy"] {
        let plan = json(&sandbox, &["relink", name, "--link-mode", mode, "--dry-run"]);
        let rows = kept(&plan);
        assert!(
            rows.iter().any(|(path, kind)| path.ends_with("etc/odd.conf") && kind == "outside"),
            "{plan:#}"
        );
        let done = json(&sandbox, &["relink", name, "--link-mode", mode, "--yes"]);
        let made = done["report"]["outcomes"][0]["done"].clone();
        assert_eq!(plan["plan"]["totals"]["files"], done["plan"]["totals"]["files"], "{made}");
        assert!(conf.is_symlink(), "{mode}");
        let shown = said(&sandbox, &["relink", name, "--link-mode", mode, "--yes"]);
        assert!(!shown.contains("something changed"), "{shown}");
    }
    assert_eq!(kept(&json(&sandbox, &["relink", name, "--link-mode", "symlink", "--dry-run"])), []);
}

#[test]
fn a_missing_file_out_of_reach_is_not_said_to_be_nobodys() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let prefix = prefix(&sandbox, "hardlink");
    std::fs::remove_file(prefix.join("etc/odd.conf")).unwrap();
    let plan = json(&sandbox, &["repair", prefix.to_str().unwrap(), "--dry-run"]);
    let left = &plan["plan"]["kept"][0];
    assert_eq!(left["because"], "outside", "{plan:#}");
    assert!(left["reason"].as_str().unwrap().starts_with("1 file belongs outside"), "{left:#}");
    assert!(left["commands"][0].to_string().contains("--reinstall"), "{left:#}");
}

#[test]
fn an_edit_with_a_name_out_of_reach_is_not_half_detached() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let prefix = prefix(&sandbox, "hardlink");
    let app = environment(&sandbox, &sandbox.roots().join("app"), "hardlink", &["odd"]);
    let edited = "conf = 2\n".repeat(900);
    std::fs::write(app.join("etc/odd.conf"), &edited).unwrap();
    let is_so = |path: &Path| std::fs::read_to_string(path.join("etc/odd.conf")).unwrap() == edited;
    assert!(is_so(&prefix), "they are one file");
    let told = json(&sandbox, &["verify", "--all"]);
    assert!(!told["advice"].to_string().contains("--detach"), "{told:#}");
    for name in [&app, &prefix] {
        let output =
            sandbox.cachetui(&["verify", "--detach", name.to_str().unwrap(), "--yes"]).output().unwrap();
        assert!(text(&output).contains("outside of the directory"), "{}", text(&output));
        assert!(is_so(&app) && is_so(&prefix), "all or nothing");
    }
}

#[test]
fn a_target_is_filled_again_for_its_own_python() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let target = sandbox.roots().join("target");
    super::install(&sandbox, "copy", &["--target", target.to_str().unwrap()], &["demo-a", "demo-b"]);
    let name = target.to_str().unwrap();
    assert_eq!(row(&json(&sandbox, &["envs", name]), &target)["python"], Value::Null, "they are for any");
    let wheel = target.join("demo_b-1.0.dist-info/WHEEL");
    let tags = std::fs::read_to_string(&wheel).unwrap().replace("py3-none-any", "cp312-cp312-linux_x86_64");
    std::fs::write(&wheel, tags).unwrap();
    assert_eq!(row(&json(&sandbox, &["envs", name]), &target)["python"], "3.12");
    std::fs::write(target.join("demo_a/core.py"), "edited\n").unwrap();
    let told = json(&sandbox, &["verify", name]);
    assert!(told["advice"].to_string().contains("\"--python\",\"3.12\""), "{told:#}");
}

#[test]
fn a_record_that_was_cut_off_is_not_believed() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let app = environment(&sandbox, &sandbox.roots().join("app"), "hardlink", &["demo-a"]);
    let (name, record) = (app.to_str().unwrap(), site(&app).join("demo_a-1.0.dist-info/RECORD"));
    let whole = std::fs::read(&record).unwrap();
    for length in [0, whole.len() / 3] {
        std::fs::write(&record, &whole[..length]).unwrap();
        std::fs::remove_file(site(&app).join("demo_a/core.py")).unwrap();
        let envs = json(&sandbox, &["envs", name]);
        assert_ne!(row(&envs, &app)["distributions"][0]["state"], "ok", "{length}");
        let output = sandbox.cachetui(&["verify", name]).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{length}: {}", text(&output));
        let plan = json(&sandbox, &["repair", name, "--dry-run"]);
        let commands = &plan["plan"]["kept"][0]["commands"];
        crate::real_uv::repair::hand::run_all(&sandbox, commands);
        let whole = sandbox.cachetui(&["verify", name]).output().unwrap();
        assert_eq!(whole.status.code(), Some(0), "{length}: {}", text(&whole));
        assert!(site(&app).join("demo_a/core.py").is_file(), "{length}");
    }
}
