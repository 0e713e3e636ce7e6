//! The trash beside environments: listed, put back, emptied, and left alone by searches.

use super::{all, environment, removed, sandbox};
use crate::support::uv::ran;

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

/// Of a `.venv` that is a symlink or a file only itself goes; what it leads to goes when that is named. Undoing brings it back.
#[test]
fn of_a_link_only_the_link_goes() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let target = environment(&sandbox, "target", "hardlink", &["demo-a"]);
    let before = all(&target);
    let project = sandbox.roots().join("project");
    std::fs::create_dir_all(&project).unwrap();
    let link = project.join(".venv");
    for kind in ["symlink", "file", "dangling"] {
        match kind {
            "symlink" => std::os::unix::fs::symlink(&target, &link).unwrap(),
            "file" => std::fs::write(&link, format!("{}\n", target.display())).unwrap(),
            _ => std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap(),
        }
        let made = |path: &std::path::Path| {
            (std::fs::read_link(path).ok(), path.is_file().then(|| std::fs::read(path).unwrap()))
        };
        let was = made(&link);
        for named in [&project, &link] {
            let answer = removed(&sandbox, &[named.to_str().unwrap(), "--trash"]);
            let steps = answer["plan"]["steps"].as_array().unwrap();
            assert_eq!(steps.len(), 1, "{kind}: {answer:#}");
            assert_eq!(steps[0]["action"], "remove-link", "{kind}");
            assert!(link.symlink_metadata().is_err(), "{kind}");
            ran(&mut sandbox.cachetui(&["undo"]));
            assert_eq!(made(&link), was, "{kind}");
        }
        removed(&sandbox, &[project.to_str().unwrap()]);
        assert!(link.symlink_metadata().is_err() && all(&target) == before, "{kind}");
        assert_eq!(std::fs::read_dir(&project).unwrap().count(), 0, "{kind}: no trash is left");
    }
    // A symlink to the directory of a project is no link to an environment: the project's environment was meant.
    let alias = sandbox.roots().join("alias");
    std::os::unix::fs::symlink(target.parent().unwrap(), &alias).unwrap();
    removed(&sandbox, &[alias.to_str().unwrap()]);
    assert!(!target.exists() && alias.symlink_metadata().is_ok());
}

/// Two runs that end in different places are put back one by one, the newest first; each can be named.
#[test]
fn runs_are_put_back_one_by_one_in_any_order() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let one = environment(&sandbox, "one", "hardlink", &["demo-a"]);
    let two = environment(&sandbox, "two", "hardlink", &["demo-b"]);
    let entries = ["--with-entries", "--grace", "0h", "--allow", "most", "--trash"];
    removed(&sandbox, &[&[one.to_str().unwrap()], &entries[..]].concat());
    removed(&sandbox, &[&[two.to_str().unwrap()], &entries[..]].concat());
    let listed = sandbox.json(&["trash", "list"]);
    let first = listed["runs"][0]["run"].as_str().unwrap();
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2, "{listed:#}");
    ran(&mut sandbox.cachetui(&["trash", "restore", first]));
    assert!(one.exists() && !two.exists());
    ran(&mut sandbox.cachetui(&["undo"]));
    assert!(one.exists() && two.exists());
    for (root, module) in [(one, "demo_a"), (two, "demo_b")] {
        let mut python = sandbox.command(root.join("bin/python"));
        ran(python.args(["-c", &format!("import {module}")]));
    }
    assert_eq!(sandbox.json(&["list"])["entries"].as_array().unwrap().len(), 2);
}

/// What root moves into a trash in another user's directory stays that user's, and so does the trash; undoing gives it back as it was.
#[test]
fn what_root_removes_for_another_user_stays_that_users() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    if sandbox.by(1234, &sandbox.command("true")).is_none() {
        return;
    }
    let root = environment(&sandbox, "theirs", "copy", &["demo-a"]);
    let project = root.parent().unwrap();
    ran(std::process::Command::new("chown").args(["-R", "1234:1234"]).arg(project));
    let before = all(&root);
    removed(&sandbox, &[root.to_str().unwrap(), "--trash"]);
    for item in walkdir::WalkDir::new(project).into_iter().map(Result::unwrap) {
        assert_eq!(item.path().symlink_metadata().unwrap().uid(), 1234, "{}", item.path().display());
    }
    ran(&mut sandbox.cachetui(&["undo"]));
    assert_eq!(all(&root), before);
    assert!(!project.join(".cachetui-trash").exists());
}

/// Directories that are empty are a part of what was removed, in the cache's trash and beside environments, also where only a part
/// of a run comes back.
#[test]
fn empty_directories_come_back_too() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let paths = ["one", "two"].map(|name| sandbox.roots().join("together").join(name));
    for (path, package) in paths.iter().zip(["demo-a", "demo-b"]) {
        sandbox.run_uv(&["venv", "--quiet", path.to_str().unwrap()]);
        super::install(&sandbox, path, "hardlink", &[package]);
        std::fs::create_dir_all(path.join("share/empty/within")).unwrap();
    }
    let entries = sandbox.json(&["list"])["entries"].as_array().unwrap().clone();
    let entries: Vec<std::path::PathBuf> = entries
        .iter()
        .map(|row| {
            let id = row["id"].as_str().unwrap();
            sandbox.cache().join(row["bucket"].as_str().unwrap_or("archive-v0")).join(id)
        })
        .collect();
    for entry in &entries {
        std::fs::create_dir(entry.join("empty")).unwrap();
    }
    let before = paths.each_ref().map(|path| all(path));
    let named = [paths[0].to_str().unwrap(), paths[1].to_str().unwrap()];
    let how = ["--with-entries", "--grace", "0h", "--trash", "--allow", "most,gone"];
    removed(&sandbox, &[&named[..], &how].concat());
    assert!(entries.iter().all(|entry| !entry.exists()));
    std::fs::write(&paths[0], "in the way").unwrap();
    let output = sandbox.cachetui(&["undo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(all(&paths[1]), before[1]);
    assert!(entries.iter().all(|entry| entry.join("empty").is_dir()));
    std::fs::remove_file(&paths[0]).unwrap();
    ran(&mut sandbox.cachetui(&["undo"]));
    assert_eq!(all(&paths[0]), before[0]);
}
