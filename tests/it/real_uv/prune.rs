//! Pruned caches and real uv: whatever kind of source an entry came from, uv installs it again, and finds nothing that was
//! left half done.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::lab::Lab;
use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// The kinds of sources, by the packages of the lab that come from them, and whether uv needs nothing but this machine's
/// disk to have them again.
const SOURCES: [(&str, bool); 9] = [
    ("demo-a", true),
    ("demo-odd", true),
    ("demo-index", false),
    ("demo-url", false),
    ("demo-path", true),
    // What uv built of a source distribution stays beside its entry.
    ("demo-sdist", true),
    ("demo-sdist-index", true),
    ("demo-sdist-url", true),
    ("demo-git", true),
];

/// A lab of which a certain uv makes the cache.
struct Old {
    lab: Lab,
}

impl Old {
    fn uv(&self, arguments: &[&str]) -> Command {
        self.lab.sandbox.uv(arguments)
    }

    fn requirement(&self, package: &str) -> String {
        let everything = self.lab.everything();
        let begins = |it: &&String| it.split([' ', '=']).next() == Some(package);
        everything.iter().find(begins).unwrap_or_else(|| panic!("{package} is in the lab")).clone()
    }

    /// Installs packages by copying into a new environment; it is removed again, so that nobody uses them.
    fn installs(&self, name: &str, packages: &[&str], more: &[&str]) -> Output {
        let environment = self.lab.sandbox.roots().join(name).join(".venv");
        ran(&mut self.uv(&["venv", "--quiet", environment.to_str().unwrap()]));
        let python = environment.join("bin/python");
        let mut command =
            self.uv(&["pip", "install", "--link-mode", "copy", "--python", python.to_str().unwrap()]);
        command.args(self.lab.places()).args(more);
        let output = command.args(packages.iter().map(|package| self.requirement(package))).output().unwrap();
        if output.status.success() {
            for package in packages {
                let module = package.replace('-', "_");
                let import = format!("import {module}; assert {module}.NAME == {package:?}");
                ran(self.lab.sandbox.command(&python).args(["-c", &import]));
            }
        }
        // Its project stays: without that it would be away while others are linked by symlinks.
        std::fs::remove_dir_all(&environment).unwrap();
        output
    }

    fn prune(&self, arguments: &[&str]) -> Value {
        let answer = self
            .lab
            .sandbox
            .json(&[&["prune", "--grace", "0h", "--allow", "gone", "--yes"], arguments].concat());
        let outcomes = answer["report"]["outcomes"].as_array().unwrap();
        assert!(outcomes.iter().all(|it| it["state"] == "done"), "{arguments:?}: {:#}", answer["report"]);
        answer
    }

    /// Nothing dangles, for us and for uv.
    fn is_sound(&self, what: &str) {
        let dangling = self.lab.sandbox.json(&["links", "--state", "dangling,malformed"]);
        assert_eq!(dangling["pointers"], serde_json::json!([]), "{what}");
        let output = ran(&mut self.uv(&["cache", "prune"]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("No unused entries found"), "{what}: {said}");
        let dangling = self.lab.sandbox.json(&["links", "--state", "dangling,malformed"]);
        assert_eq!(dangling["pointers"], serde_json::json!([]), "{what}, after uv's own prune");
    }
}

fn succeeded(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
}

/// Fills a cache, and prunes it in every way.
fn scenario(version: &str) {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut lab) = Lab::new(directory.path(), "") else { return };
    let Some(()) = lab.sandbox.use_release(version) else { return };
    let old = Old { lab };
    let packages: Vec<&str> = SOURCES.iter().map(|(package, _)| *package).collect();
    let known = old.lab.sandbox.roots().join("kept/.venv");
    succeeded(&old.installs("filling", &packages, &[]), "filling");
    // Somebody whose environment is there, and uses another entry by symlink.
    ran(&mut old.uv(&["venv", "--quiet", known.to_str().unwrap()]));
    assert!(Sandbox::was_made_by(&known, version));
    let python = known.join("bin/python");
    let mut keep =
        old.uv(&["pip", "install", "--link-mode", "symlink", "--python", python.to_str().unwrap()]);
    ran(keep.args(old.lab.packages(&["demo-ns-b"])));
    for (package, offline) in SOURCES {
        // Named, one by one.
        let answer = old.prune(&["--package", package]);
        let steps = answer["plan"]["steps"].as_array().unwrap();
        assert!(!steps.is_empty(), "{package}: {:#}", answer["plan"]);
        assert!(steps.iter().all(|step| step["name"] == package), "{package}");
        let more: &[&str] = if offline { &["--offline"] } else { &[] };
        succeeded(&old.installs("again", &[package], more), package);
    }
    old.is_sound("named one by one");
    // Everything nobody uses, at once.
    let answer = old.prune(&["--unused", "--unreferenced", "--allow", "most,gone"]);
    let gone = answer["plan"]["totals"]["entries"].as_u64().unwrap();
    assert!(gone >= SOURCES.len() as u64, "{:#}", answer["plan"]["kept"]);
    let left = old.lab.sandbox.json(&["list"]);
    let names: Vec<&str> =
        left["entries"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert!(names.contains(&"demo-ns-b"), "{names:?}");
    old.is_sound("everything at once");
    let local: Vec<&str> =
        SOURCES.iter().filter(|(_, offline)| *offline).map(|(package, _)| *package).collect();
    succeeded(&old.installs("offline", &local, &["--offline"]), "offline");
    succeeded(&old.installs("online", &packages, &[]), "online");
    old.is_sound("installed again");
    works(&old, &python);
    // Put back, then used without a network.
    old.prune(&["--unused", "--allow", "most,gone", "--trash"]);
    ran(&mut old.lab.sandbox.cachetui(&["undo"]));
    succeeded(&old.installs("undone", &packages, &["--offline"]), "undone");
    old.is_sound("undone");
    works(&old, &python);
}

fn works(old: &Old, python: &Path) {
    ran(old
        .lab
        .sandbox
        .command(python)
        .args(["-c", "import demo_ns.b; assert demo_ns.b.NAME == 'demo-ns-b'"]));
    ran(&mut old.uv(&["pip", "check", "--python", python.to_str().unwrap()]));
}

#[test]
fn uv_0_13_8_installs_every_kind_of_source_again() {
    scenario("0.13.8");
}

#[test]
fn uv_0_13_9_installs_every_kind_of_source_again() {
    scenario("0.13.9");
}

#[test]
fn uv_0_12_5_installs_every_kind_of_source_again() {
    scenario("0.12.5");
}

#[test]
fn uv_0_9_30_installs_every_kind_of_source_again() {
    scenario("0.9.30");
}

#[test]
fn what_comes_back_on_ext4_is_what_was_predicted() {
    let Some(mounted) = Mounted::new("ext4", 512) else { return };
    let Some(sandbox) = Sandbox::new(mounted.path()) else { return };
    let wheels = sandbox.path("wheels");
    let names = ["one", "two", "three", "four"];
    for name in names {
        let mut wheel = Wheel::new(name, "1.0").bulk(&format!("{name}/bulk.bin"), 12_288);
        for number in 0..20 {
            wheel = wheel.bulk(&format!("{name}/part{number}.bin"), 32);
        }
        wheel.save(&wheels);
    }
    let places = ["--no-index", "--find-links", wheels.to_str().unwrap()];
    let gone = sandbox.install("gone", "hardlink", &[&places[..], &names[..3]].concat());
    sandbox.install("kept", "hardlink", &[&places[..], &names[2..]].concat());
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    for arguments in [&["--unused"][..], &["--package", "three"]] {
        let before = mounted.free();
        let more = ["--grace", "0h", "--yes", "--allow", "most,gone"];
        let answer = sandbox.json(&[&["prune"], arguments, &more[..]].concat());
        let freed = &answer["report"]["freed"];
        let after = mounted.free();
        let (predicted, told) = (freed["predicted"].as_u64().unwrap(), freed["measured"].as_u64().unwrap());
        assert!(told.abs_diff(predicted) <= predicted / 100, "{predicted} predicted, {told} told: {freed:#}");
        // The journal lies there too: a few blocks.
        let measured = after.saturating_sub(before);
        let slack = if predicted > 1 << 20 { predicted / 100 } else { 32 << 10 };
        assert!(
            measured.abs_diff(predicted) <= slack,
            "{predicted} predicted, {measured} measured: {freed:#}"
        );
        let others = answer["plan"]["totals"]["bytes"]["held"].as_u64().unwrap();
        assert_eq!(
            others > 12 << 20,
            arguments[0] == "--package",
            "what `kept` holds comes back with it: {others}"
        );
    }
    let three = sandbox.roots().join("kept/.venv/bin/python");
    ran(sandbox.command(three).args(["-c", "import three, four"]));
}

#[test]
fn room_that_emptying_the_trash_makes_is_not_taken_from_the_cache() {
    let Some(mounted) = Mounted::new("ext4", 256) else { return };
    let Some(sandbox) = Sandbox::new(mounted.path()) else { return };
    let wheels = sandbox.path("wheels");
    for name in ["one", "two"] {
        Wheel::new(name, "1.0").bulk(&format!("{name}/bulk.bin"), 12_288).save(&wheels);
    }
    let places = ["--no-index", "--find-links", wheels.to_str().unwrap()];
    let gone = sandbox.install("gone", "copy", &[&places[..], &["one", "two"]].concat());
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    let grace = ["--grace", "0h", "--allow", "most,no-environments,gone"];
    ran(&mut sandbox.cachetui(&[&["prune", "one", "--yes", "--trash"], &grace[..]].concat()));
    // What the user may write, of which cachetui speaks, too.
    let free = || {
        mounted.free();
        sandbox.json(&["list"])["cache"]["space"]["available"].as_u64().unwrap()
    };
    let mebibytes = |more: u64| (free() + (more << 20)).to_string();
    let plan = |least: &str| {
        let keep = ["prune", "--unused", "--keep-free", least, "--dry-run"];
        sandbox.json(&[&keep[..], &grace].concat())["plan"].clone()
    };
    let little = plan(&mebibytes(6));
    assert_eq!(little["steps"], serde_json::json!([]), "{little:#}");
    assert!(little["warnings"][0].as_str().unwrap().contains("lie in the trash"), "{little:#}");
    let least = mebibytes(18);
    let much = plan(&least);
    assert_eq!((&much["steps"][0]["name"], much["steps"].as_array().unwrap().len()), (&"two".into(), 1));
    // Together they make the room that was asked for.
    let keep = ["prune", "--unused", "--keep-free", &least, "--yes"];
    ran(&mut sandbox.cachetui(&[&keep[..], &grace].concat()));
    assert!(free() < least.parse().unwrap());
    ran(&mut sandbox.cachetui(&["trash", "purge", "--yes"]));
    assert!(free() >= least.parse().unwrap());
}

#[test]
fn under_uv_run_a_prune_is_busy_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(directory.path()) else { return };
    let wheels = sandbox.path("wheels");
    Wheel::new("one", "1.0").save(&wheels);
    sandbox.install("app", "copy", &["--no-index", "--find-links", wheels.to_str().unwrap(), "one"]);
    let plan = sandbox.cachetui(&["prune", "--package", "one", "--grace", "0h", "--yes"]);
    let mut run = sandbox.uv(&["run", "--no-project", "--"]);
    run.arg(plan.get_program()).args(plan.get_args()).env("UV_FIND_LINKS", sandbox.sources());
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(0) {
        return not_run("this uv run holds no lock");
    }
    assert_eq!(output.status.code(), Some(11), "{said}");
    assert!(said.contains("uv tool install cachetui"), "{said}");
    assert_eq!(sandbox.json(&["list"])["entries"].as_array().unwrap().len(), 1);
}
