//! Users that are hard to see: environments made again where one was, installations without `pyvenv.cfg`, layouts of a
//! newer uv, and what is mounted within an entry.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::not_run;
use crate::support::uv::{SOMEBODY, Sandbox, ran};
use crate::support::wheel::Wheel;

/// A cache with two packages of which one environment uses none any more.
fn scene(base: &Path) -> Option<(Sandbox, String)> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    std::fs::create_dir_all(&links).unwrap();
    for name in ["demo-a", "demo-b"] {
        Wheel::new(name, "1.0").save(&links);
    }
    let links = links.to_str().unwrap().to_owned();
    sandbox.install("app", "symlink", &["--no-index", "--find-links", &links, "demo-a"]);
    sandbox.install("other", "copy", &["--no-index", "--find-links", &links, "demo-b"]);
    Some((sandbox, links))
}

fn state(sandbox: &Sandbox, name: &str) -> Value {
    let list = sandbox.json(&["list", name]);
    list["entries"][0]["state"].clone()
}

/// The directory that holds an entry's own pointers.
fn entry(sandbox: &Sandbox, name: &str) -> PathBuf {
    let list = sandbox.json(&["list", name]);
    sandbox.cache().join("archive-v0").join(list["entries"][0]["id"].as_str().unwrap())
}

#[test]
fn an_environment_that_is_made_again_between_plan_and_prune_is_noticed() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    let environment = sandbox.roots().join("app/.venv");
    std::fs::remove_dir_all(&environment).unwrap();
    assert_eq!(state(&sandbox, "demo-a"), "unused");
    let plan = sandbox.path("plan.json");
    let plan = plan.to_str().unwrap();
    ran(&mut sandbox.cachetui(&["prune", "demo-a", "--save", plan]));
    // uv still has its record of this interpreter, so that nothing in the cache shows the new environment.
    sandbox.install("app", "symlink", &["--no-index", "--find-links", &links, "demo-a"]);
    let output = sandbox.cachetui(&["apply", plan, "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(state(&sandbox, "demo-a"), "protected");
    let python = environment.join("bin/python");
    ran(Command::new(python).args(["-c", "import demo_a; demo_a.main()"]));
}

#[test]
fn a_python_without_an_environment_that_uv_filled_is_a_user() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    // A Python of its own, as an installation has it: a prefix without `pyvenv.cfg`.
    let script = "import sys, sysconfig; print(sys.base_prefix); print(sysconfig.get_path('stdlib'))";
    let output = ran(Command::new("python3").args(["-c", script]));
    let text = String::from_utf8(output.stdout).unwrap();
    let (prefix, stdlib) = text.trim().split_once('\n').unwrap();
    let (prefix, stdlib) = (Path::new(prefix), Path::new(stdlib));
    let (Ok(library), Some(version)) = (stdlib.strip_prefix(prefix), stdlib.file_name()) else {
        return not_run("this Python has its library elsewhere than other installations");
    };
    let own = sandbox.path("python");
    std::fs::create_dir_all(own.join("bin")).unwrap();
    std::fs::create_dir_all(own.join(library)).unwrap();
    let program = own.join("bin").join(version);
    std::fs::copy(prefix.join("bin").join(version), &program).unwrap();
    for item in std::fs::read_dir(stdlib).unwrap().map(Result::unwrap) {
        if item.file_name() != "site-packages" && item.file_name() != "EXTERNALLY-MANAGED" {
            symlink(item.path(), own.join(library).join(item.file_name())).unwrap();
        }
    }
    std::fs::create_dir(own.join(library).join("site-packages")).unwrap();
    let install = ["pip", "install", "--quiet", "--system", "--link-mode", "symlink", "--no-index"];
    let output = sandbox
        .uv(&install)
        .args(["--find-links", &links, "--python"])
        .arg(&program)
        .arg("demo-b")
        .env("PYTHONHOME", &own)
        .output()
        .unwrap();
    // Debian's installs into `local/lib/python3.11/dist-packages`.
    let mut installed = walkdir::WalkDir::new(&own).into_iter().map(Result::unwrap);
    if !output.status.success() || !installed.any(|item| item.file_name() == "demo_b") {
        return not_run("uv does not install into a Python that was put together by hand");
    }
    std::fs::remove_dir_all(sandbox.roots().join("other")).unwrap();
    assert_eq!(state(&sandbox, "demo-b"), "protected");
}

#[test]
fn what_a_newer_layout_leads_to_is_not_removed() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    std::fs::remove_dir_all(sandbox.roots().join("other")).unwrap();
    for bucket in ["wheels-v8", "shelves-v0"] {
        let old = sandbox.cache().join("wheels-v7");
        let new = sandbox.cache().join(bucket);
        std::fs::create_dir(&new).unwrap();
        std::fs::rename(old.join("index"), new.join("registry")).unwrap();
        let unused =
            ["prune", "--unused", "--unreferenced", "--grace", "0h", "--allow", "most,gone", "--yes"];
        let output = sandbox.cachetui(&unused).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(entry(&sandbox, "demo-b").join("demo_b").is_dir(), "{bucket}: {said}");
        std::fs::rename(new.join("registry"), old.join("index")).unwrap();
        std::fs::remove_dir(&new).unwrap();
    }
}

#[test]
fn what_is_mounted_within_an_entry_is_nobodys_to_remove() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, _)) = scene(base.path()) else { return };
    if !rustix::process::geteuid().is_root() {
        return not_run("a bind mount needs root");
    }
    let outside = sandbox.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("precious"), "kept").unwrap();
    let within = entry(&sandbox, "demo-b").join("mounted");
    std::fs::create_dir(&within).unwrap();
    let mounted = Command::new("mount").arg("--bind").args([&outside, &within]).output().unwrap();
    if !mounted.status.success() {
        return not_run("a bind mount cannot be made here");
    }
    let output = sandbox.cachetui(&["prune", "demo-b", "--allow", "gone", "--yes"]).output().unwrap();
    ran(Command::new("umount").arg(&within));
    assert_eq!(std::fs::read_to_string(outside.join("precious")).unwrap(), "kept");
    assert!(within.parent().unwrap().join("demo_b/__init__.py").is_file());
    assert!(
        !output.status.success() || String::from_utf8_lossy(&output.stdout).contains("Nothing to remove")
    );
}

/// The system calls into which an error is put, each by its number within the thread that changes files.
const CALLS: [&str; 5] = ["renameat2", "mkdirat", "openat", "statx", "newfstatat"];

/// For each of [`CALLS`], how many of them the thread that removes makes before its first change of the cache, and how
/// many in all. `strace` counts the calls of each thread by itself (strace(1), `when`).
fn calls_of_a_prune(sandbox: &Sandbox, prune: &[&str]) -> Vec<(usize, usize)> {
    let log = sandbox.path("strace.log");
    let plain = sandbox.cachetui(prune);
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-e"]).arg(format!("trace={}", CALLS.join(","))).arg("-o").arg(&log);
    ran(strace.arg(plain.get_program()).args(plain.get_args()));
    ran(&mut sandbox.cachetui(&["undo"]));
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(thread, call)| (thread, call.trim_start()))
        .filter(|(_, call)| !call.starts_with('<'))
        .collect();
    let worker = lines.iter().find(|(_, call)| call.starts_with("renameat2")).expect("nothing was renamed").0;
    let lines: Vec<&str> =
        lines.iter().filter(|(thread, _)| *thread == worker).map(|(_, call)| *call).collect();
    let first = lines.iter().position(|call| call.starts_with("mkdirat")).expect("no directory was made");
    let of = |calls: &[&str], name: &str| {
        calls.iter().filter(|call| call.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))).count()
    };
    CALLS.iter().map(|name| (of(&lines[..first], name), of(&lines, name))).collect()
}

#[test]
fn an_error_in_the_middle_of_a_step_loses_nothing() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        return not_run("injecting errors needs strace");
    }
    let whole = |sandbox: &Sandbox| {
        let files =
            walkdir::WalkDir::new(sandbox.cache()).sort_by_file_name().into_iter().map(Result::unwrap);
        files.filter(|item| !item.file_type().is_dir()).map(walkdir::DirEntry::into_path).collect::<Vec<_>>()
    };
    let prune = ["prune", "demo-b", "--allow", "gone", "--yes", "--trash"];
    let before = whole(&sandbox);
    let mut failures = 0;
    for (call, (first, last)) in CALLS.iter().zip(calls_of_a_prune(&sandbox, &prune)) {
        // Before the first change most calls are the loader's and the scan's: of those some.
        let early = (1..first).step_by(20);
        for number in early.chain(first.max(1)..=last + 2) {
            let plain = sandbox.cachetui(&prune);
            let mut strace = sandbox.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
            strace.arg("-e").arg(format!("inject={call}:error=EIO:when={number}"));
            strace.arg(plain.get_program()).args(plain.get_args());
            let output = strace.output().unwrap();
            if output.status.success() {
                ran(&mut sandbox.cachetui(&["undo"]));
                assert_eq!(whole(&sandbox), before, "the {number}. {call}");
                continue;
            }
            failures += 1;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if whole(&sandbox) != before {
                // What could not be put back is in the trash, and comes back from there.
                drop(sandbox.cachetui(&["undo"]).output());
                assert_eq!(whole(&sandbox), before, "the {number}. {call}: {said}");
            }
        }
    }
    assert!(failures > 5, "only {failures} errors were met");
    let target = sandbox.path("target");
    let install = ["pip", "install", "--quiet", "--offline", "--no-index", "--find-links", &links];
    ran(sandbox.uv(&install).args(["--target", target.to_str().unwrap(), "demo-a", "demo-b"]));
}

/// What `prune --unused` answers to somebody who is not root, and its exit code.
fn pruned_by_somebody(sandbox: &Sandbox, more: &[&str]) -> Option<(Value, Option<i32>, String)> {
    let unused = ["prune", "--unused", "--grace", "0h", "--allow", "most,gone", "--yes", "--json"];
    let output = sandbox.unprivileged(sandbox.cachetui(&[&unused[..], more].concat()))?.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    Some((answer.unwrap_or_else(|error| panic!("{error}: {said}")), output.status.code(), said))
}

fn kept(answer: &Value) -> Vec<(&str, &str)> {
    let kept = answer["plan"]["kept"].as_array().unwrap().iter();
    kept.map(|it| (it["name"].as_str().unwrap_or("-"), it["because"]["kind"].as_str().unwrap())).collect()
}

#[test]
fn what_stays_because_it_cannot_be_read_is_a_failure_and_an_environment_of_somebody_else_is_none() {
    let base = tempfile::tempdir().unwrap();
    let Some((sandbox, links)) = scene(base.path()) else { return };
    if !rustix::process::geteuid().is_root() {
        return not_run("it needs directories of two users, and so root");
    }
    let theirs = sandbox.path("theirs");
    let theirs = theirs.to_str().unwrap();
    let environment = format!("{theirs}/.venv");
    sandbox.run_uv(&["venv", "--quiet", &environment]);
    let install = ["pip", "install", "--quiet", "--link-mode", "copy", "--python", &environment];
    sandbox.run_uv(&[&install[..], &["--no-index", "--find-links", &links, "demo-b"]].concat());
    std::fs::remove_dir_all(sandbox.roots().join("other")).unwrap();
    ran(Command::new("chown").args(["-R", &SOMEBODY.to_string()]).arg(base.path()));
    let bits = |path: &Path, bits: &str| ran(Command::new("chmod").arg(bits).arg(path));
    ran(Command::new("chown").args(["-R", "0", theirs]));
    bits(theirs.as_ref(), "700");

    // Nobody named it: what it may use stays, and that is all there is to say.
    let Some((answer, code, said)) = pruned_by_somebody(&sandbox, &[]) else { return };
    assert_eq!((code, kept(&answer)), (Some(0), vec![("demo-b", "doubt")]), "{said}");
    assert_eq!(answer["plan"]["scope"]["failed"], Value::Null, "{answer:#}");
    let mut unread = answer["scope"]["unread"].as_array().unwrap().iter();
    assert!(unread.any(|it| it["path"] == environment.as_str()), "{answer:#}");

    // Somebody asked for it to be searched.
    let (answer, code, said) = pruned_by_somebody(&sandbox, &["--root", theirs]).unwrap();
    assert_eq!((code, kept(&answer)), (Some(1), vec![("demo-b", "read-failed")]), "{said}");
    assert!(said.contains(&format!("`{theirs}` (")) && said.contains("Permission denied"), "{said}");
    let told = answer["problems"].as_array().unwrap().iter();
    assert!(told.into_iter().any(|it| it["path"] == environment.as_str()), "{answer:#}");
    ran(Command::new("rm").args(["-r", theirs]));

    // A part of the cache, which was to be pruned: what can be read is. Of a Python that only root may look at nobody tells.
    std::fs::remove_dir_all(sandbox.cache().join("interpreter-v5")).unwrap();
    let locked = entry(&sandbox, "demo-b");
    std::fs::remove_dir_all(sandbox.roots().join("app")).unwrap();
    ran(Command::new("chown").args(["-R", &SOMEBODY.to_string()]).arg(base.path()));
    ran(Command::new("chown").arg("0").arg(locked.join("demo_b")));
    bits(&locked.join("demo_b"), "700");
    let (answer, code, said) =
        pruned_by_somebody(&sandbox, &["--allow", "other-owners,no-environments,gone"]).unwrap();
    assert_eq!((code, kept(&answer)), (Some(1), vec![("demo-b", "read-failed")]), "{said}");
    assert_eq!(answer["report"]["outcomes"][0]["state"], "done", "{answer:#}");
    assert!(said.contains("demo_b`") && said.contains("1 thing was kept"), "{said}");

    // Once it can be read there is nothing to say.
    ran(Command::new("chown").arg(SOMEBODY.to_string()).arg(locked.join("demo_b")));
    let (answer, code, said) =
        pruned_by_somebody(&sandbox, &["--allow", "other-owners,no-environments,gone"]).unwrap();
    assert_eq!((code, kept(&answer)), (Some(0), vec![]), "{said}");
}
