//! The trash beside environments: listed, put back, emptied, and left alone by searches.

use super::{all, environment, removed, sandbox};

/// What lies in the trash beside an environment is no environment and no user; it is listed, and emptied with the rest.
#[test]
fn what_lies_in_the_trash_is_listed_and_is_no_environment() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let one = environment(&sandbox, "one", "symlink", &["demo-a"]);
    let two = environment(&sandbox, "two", "hardlink", &["demo-b"]);
    let named = [one.to_str().unwrap(), two.to_str().unwrap(), "--trash"];
    let answer = removed(&sandbox, &named);
    assert_eq!(answer["report"]["beside"].as_array().unwrap().len(), 2);
    assert!(answer["report"]["trash"].is_null());
    assert!(
        sandbox.json(&["envs"])["environments"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| { !row["path"].as_str().unwrap().contains("/roots/") })
    );
    let listed = sandbox.json(&["trash", "list"]);
    assert_eq!(listed["runs"][0]["environments"], 2);
    assert!(listed["runs"][0]["bytes"]["reclaimable"].as_u64().unwrap() > 0);
    let purged = sandbox.json(&["trash", "purge", "--yes"]);
    assert_eq!(purged["purged"][0]["environments"], 2);
    let freed = |key: &str| purged["freed"][key].as_u64().unwrap();
    // The directories of the trash go with the last run.
    assert_eq!(freed("measured"), freed("predicted") + 2 * 4096, "{purged:#}");
    for root in [one, two] {
        assert_eq!(std::fs::read_dir(root.parent().unwrap()).unwrap().count(), 0);
    }
    assert!(sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().is_empty());
    let notes = sandbox.path("home/state/cachetui/trash");
    assert!(!notes.exists() || std::fs::read_dir(notes).unwrap().count() == 0);
}

/// Where uv has made the environment again, the old one stays in the trash, and says why.
#[test]
fn one_that_was_made_again_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "one", "hardlink", &["demo-a"]);
    removed(&sandbox, &[root.to_str().unwrap(), "--trash"]);
    environment(&sandbox, "one", "hardlink", &["demo-b"]);
    let before = all(&root);
    let output = sandbox.cachetui(&["undo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("something lies there now"), "{output:?}");
    assert_eq!(all(&root), before);
    assert_eq!(sandbox.json(&["trash", "list"])["runs"][0]["state"], "stale");
}
