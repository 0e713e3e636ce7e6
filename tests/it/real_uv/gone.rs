//! What cannot be had again: entries that real uv made from files which are gone.

use super::lab::Lab;
use crate::support::uv::ran;

#[test]
fn what_came_from_a_path_that_is_gone_needs_a_word_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    let everything = lab.everything();
    lab.install("app", "hardlink", &everything);
    let sandbox = &lab.sandbox;
    let source = |name: &str| {
        let answer = sandbox.json(&["list"]);
        let entries = answer["entries"].as_array().unwrap();
        entries.iter().find(|it| it["name"] == name).unwrap()["source"]["gone"].clone()
    };
    let wheel = sandbox.path("paths/demo_path-1.0-py3-none-any.whl");
    for name in ["demo-path", "demo-sdist", "demo-dir", "demo-git", "demo-a"] {
        assert_eq!(source(name), serde_json::Value::Null, "{name}");
    }
    std::fs::remove_file(&wheel).unwrap();
    std::fs::remove_dir_all(sandbox.path("git")).unwrap();
    assert_eq!(source("demo-path"), wheel.to_str().unwrap());
    assert_eq!(source("demo-git"), sandbox.path("git").to_str().unwrap());
    assert_eq!(source("demo-sdist"), serde_json::Value::Null, "that is still there");

    let prune = ["prune", "--package", "demo-path", "--yes"];
    let refused = sandbox.cachetui(&prune).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("cannot be had again"), "{said}");
    assert!(said.contains("It needs `--allow gone`."), "{said}");
    let left = sandbox.json(&["list"]);
    assert!(left["entries"].as_array().unwrap().iter().any(|it| it["name"] == "demo-path"));
    ran(sandbox.cachetui(&prune).args(["--allow", "gone"]));
    let left = sandbox.json(&["list"]);
    assert!(left["entries"].as_array().unwrap().iter().all(|it| it["name"] != "demo-path"));
}
