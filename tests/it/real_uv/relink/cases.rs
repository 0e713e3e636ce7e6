//! What happens around relinking: many environments, somebody else at work, limits, odd environments.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tree::Tree;
use super::{install, relink, signed, wheels};
use crate::support::holding::Running;
use crate::support::loopdev::Mounted;
use crate::support::uv::{Sandbox, ran};

fn site(environment: &Path) -> PathBuf {
    let mut versions = environment.join("lib").read_dir().unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

fn sandbox(base: &Path) -> Option<(Sandbox, Vec<String>)> {
    let sandbox = Sandbox::new(base)?;
    let places = wheels(&sandbox);
    Some((sandbox, places))
}

#[test]
fn worktrees_with_copies_give_their_bytes_back() {
    let Some(mounted) = Mounted::new("ext4", 256) else { return };
    let Some((sandbox, places)) = sandbox(mounted.path()) else { return };
    for project in ["trees/a", "trees/b", "trees/c", "other"] {
        install(&sandbox, &places, project, "copy");
    }
    let other = Tree::read(&sandbox.roots().join("other"));
    let trees = sandbox.roots().join("trees");
    let under = ["--all", "--under", trees.to_str().unwrap(), "--link-mode", "hardlink"];
    let before = mounted.free();
    let done = relink(&sandbox, &[&under[..], &["--yes"]].concat(), 0);
    assert_eq!(done["plan"]["totals"]["steps"], 9);
    assert!(Tree::read(&sandbox.roots().join("other")).is_untouched_since(&other));
    let predicted = signed(&done, "predicted");
    assert!(predicted > 3 * 8 * 1024 * 1024, "three times what the wheels hold: {predicted}");
    let measured = i64::try_from(mounted.free() - before).unwrap();
    for measured in [measured, signed(&done, "measured")] {
        assert!(
            (measured - predicted).abs() * 100 <= predicted,
            "{predicted} predicted, {measured} measured"
        );
    }
    let again = relink(&sandbox, &[&under[..], &["--yes"]].concat(), 0);
    assert_eq!(again["plan"]["steps"], json!([]));
}

#[test]
fn a_symlinked_environment_becomes_independent_of_its_cache() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, &places, "project", "symlink");
    let name = environment.to_str().unwrap();
    let before = Tree::read(&environment);
    let states = |sandbox: &Sandbox| -> Vec<Value> {
        let answer = sandbox.json(&["list"]);
        answer["entries"].as_array().unwrap().iter().map(|entry| entry["state"].clone()).collect()
    };
    assert_eq!(states(&sandbox), ["protected", "protected", "protected"]);
    relink(&sandbox, &[name, "--link-mode", "copy", "--package", "one", "--yes"], 0);
    assert_eq!(states(&sandbox).iter().filter(|state| **state == "protected").count(), 2);
    relink(&sandbox, &[name, "--link-mode", "copy", "--yes"], 0);
    assert!(!states(&sandbox).contains(&json!("protected")));
    sandbox.run_uv(&["cache", "clean", "--quiet"]);
    Tree::read(&environment).has_the_content_of(&before, "after the cache was cleaned");
    sandbox.run_uv(&["pip", "check", "--quiet", "--python", name]);
}

#[test]
fn directories_that_are_symlinks_into_an_entry_become_directories_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    for mode in ["copy", "hardlink", "symlink"] {
        let environment = install(&sandbox, &places, mode, "copy");
        let package = site(&environment).join("one");
        let archive = sandbox.cache().join("archive-v0");
        let entries = archive.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let entry = entries.into_iter().find(|entry| entry.join("one-1.0.dist-info").is_dir()).unwrap();
        std::fs::remove_dir_all(&package).unwrap();
        std::os::unix::fs::symlink(entry.join("one"), &package).unwrap();
        let cached = Tree::read(&archive);
        let before = std::fs::read(package.join("bulk.bin")).unwrap();
        relink(&sandbox, &[environment.to_str().unwrap(), "--link-mode", mode, "--yes"], 0);
        let is_directory = std::fs::symlink_metadata(&package).unwrap().is_dir();
        assert!(is_directory, "{mode}");
        assert_eq!(std::fs::read(package.join("bulk.bin")).unwrap(), before);
        assert!(Tree::read(&archive).has_the_files_of(&cached), "{mode}");
    }
}

#[test]
fn what_a_killed_run_has_left_is_not_taken_for_what_is_installed() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, &places, "project", "hardlink");
    let name = environment.to_str().unwrap();
    let site = site(&environment);
    // Its files became copies, and links to the same files of the cache are left under temporary names.
    for (number, path) in ["shared/two.py", "shared/bulk.bin"].into_iter().enumerate() {
        let left = format!(".cachetui-{:08x}{number:08x}0123456789abcdef.tmp", 1);
        std::fs::rename(site.join(path), site.join("shared").join(left)).unwrap();
        let left = site.join("shared").read_dir().unwrap().map(|it| it.unwrap().path());
        let content = left.filter(|it| it.to_str().unwrap().contains(&format!("{number:08x}0123"))).last();
        std::fs::write(site.join(path), std::fs::read(content.unwrap()).unwrap()).unwrap();
    }
    let answer = sandbox.json(&["envs", name]);
    let distributions = answer["environments"][0]["distributions"].as_array().unwrap();
    let two = distributions.iter().find(|it| it["name"] == "two").unwrap();
    assert_eq!(two["files"]["copy"], 2, "{two}");
    relink(&sandbox, &[name, "--link-mode", "hardlink", "--yes"], 0);
    assert!(!Tree::read(&environment).paths().any(|path| path.to_str().unwrap().contains(".cachetui-")));
}

#[test]
fn an_environment_that_somebody_holds_is_left_alone_and_the_others_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let held = install(&sandbox, &places, "held", "copy");
    let free = install(&sandbox, &places, "free", "copy");
    let before = Tree::read(&held);
    let mut flock = Command::new("flock");
    flock.args(["--exclusive"]).arg(held.join(".lock")).args(["sh", "-c", "echo; cat"]);
    let holder = Running::start(&mut flock);
    let mut command = sandbox.cachetui(&["relink", "--all", "--link-mode", "hardlink", "--yes", "--json"]);
    let output = command.env("UV_LOCK_TIMEOUT", "0").output().unwrap();
    assert!(holder.end());
    assert_eq!(output.status.code(), Some(11));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(".lock") && said.contains("flock"), "{said}");
    assert!(Tree::read(&held).is_untouched_since(&before));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = answer["report"]["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 6);
    for outcome in outcomes {
        let state = if outcome["path"] == free.to_str().unwrap() { "done" } else { "failed" };
        assert_eq!(outcome["state"], state, "{outcome}");
    }
}

#[test]
fn a_cache_that_is_being_pruned_is_waited_for_and_then_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, &places, "project", "copy");
    let before = Tree::read(&environment);
    let mut flock = Command::new("flock");
    flock.args(["--exclusive"]).arg(sandbox.cache().join(".lock")).args(["sh", "-c", "echo; cat"]);
    let holder = Running::start(&mut flock);
    let mut command = sandbox.cachetui(&["relink", "--all", "--link-mode", "hardlink", "--yes"]);
    let output = command.env("UV_LOCK_TIMEOUT", "0").output().unwrap();
    assert!(holder.end());
    assert_eq!(output.status.code(), Some(11));
    assert!(Tree::read(&environment).is_untouched_since(&before));
}

#[test]
fn a_process_that_runs_in_the_environment_goes_on_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, &places, "project", "copy");
    // It has one file open and imports another when the work is done.
    let code = "import sys, one; held = open(one.__path__[0] + '/bulk.bin', 'rb'); print(flush=True); \
                sys.stdin.read(); import one_pure, one.edited; sys.exit(len(held.read()) != 6144 * 1024)";
    let mut python = sandbox.command(environment.join("bin/python"));
    let process = Running::start(python.args(["-c", code]));
    let done = relink(&sandbox, &[environment.to_str().unwrap(), "--link-mode", "hardlink", "--yes"], 0);
    let notes = done["report"]["notes"].to_string();
    assert!(notes.contains(&format!("Process {} runs in", process.id())), "{notes}");
    assert!(process.end());
}

#[test]
fn a_file_of_the_cache_that_can_have_no_more_links_is_copied_and_told() {
    let Some(mounted) = Mounted::new("ext4", 128) else { return };
    let Some((sandbox, places)) = sandbox(mounted.path()) else { return };
    let environment = install(&sandbox, &places, "project", "copy");
    let entries = sandbox.cache().join("archive-v0").read_dir().unwrap();
    let source =
        entries.map(|entry| entry.unwrap().path().join("one/run.sh")).find(|path| path.exists()).unwrap();
    let crowd = sandbox.path("crowd");
    std::fs::create_dir(&crowd).unwrap();
    let mut number = 0;
    while std::fs::hard_link(&source, crowd.join(number.to_string())).is_ok() {
        number += 1;
    }
    assert!(number > 60_000, "{number}");
    let done = relink(&sandbox, &[environment.to_str().unwrap(), "--link-mode", "hardlink", "--yes"], 0);
    let outcomes = done["report"]["outcomes"].as_array().unwrap();
    let one = outcomes.iter().find(|outcome| outcome["name"] == "one").unwrap();
    let path = site(&environment).join("one/run.sh");
    assert_eq!(one["link_limit"], json!([{"path": path.to_str().unwrap()}]), "{one}");
    assert_eq!(one["state"], "done");
    ran(Command::new(&path).arg("x"));
}

#[test]
fn what_is_asked_for_in_vain_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, &places, "project", "copy");
    let name = environment.to_str().unwrap();
    let before = Tree::read(&environment);
    let code = |arguments: &[&str]| {
        let mut command = sandbox.cachetui(&["relink"]);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for (arguments, expected, word) in [
        (&["--link-mode", "hardlink", "--yes"][..], 2, "--all"),
        (&[name, "--link-mode", "hardlink"], 2, "--yes"),
        (&[name, "--link-mode", "hardlink", "--json"], 2, "--dry-run"),
        (&[name, "--link-mode", "softlink", "--yes"], 2, "hardlink"),
        (&[name, "--under", "here", "--link-mode", "copy", "--yes"], 2, "--under"),
        (&[name, "--package", "nothing", "--link-mode", "symlink", "--yes"], 1, "`nothing`"),
        (&["/nowhere", "--link-mode", "symlink", "--yes"], 1, "/nowhere"),
    ] {
        let (code, said) = code(arguments);
        assert_eq!(code, expected, "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    assert!(Tree::read(&environment).is_untouched_since(&before));
}

#[test]
fn an_interrupt_while_it_waits_ends_with_130_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some((sandbox, places)) = sandbox(directory.path()) else { return };
    let environment = install(&sandbox, &places, "project", "copy");
    let before = Tree::read(&environment);
    let lock = environment.join(".lock");
    let mut flock = Command::new("flock");
    flock.args(["--exclusive"]).arg(&lock).args(["sh", "-c", "echo; cat"]);
    let holder = Running::start(&mut flock);
    let mut command = sandbox.cachetui(&["relink", "--all", "--link-mode", "hardlink", "--yes"]);
    let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It holds the cache's lock from when it begins to want the environment's.
    let cache = std::fs::File::open(sandbox.cache().join(".lock")).unwrap();
    while cache.try_lock().is_ok() {
        cache.unlock().unwrap();
        assert!(waiting.try_wait().unwrap().is_none(), "it waits for the environment");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&waiting);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    assert!(holder.end());
    assert!(Tree::read(&environment).is_untouched_since(&before));
}
