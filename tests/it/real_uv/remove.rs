//! Environments that are removed: what goes, what stays and why, what it frees, and that all of it comes back.

mod refused;
mod trash;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// A sandbox with wheels to install.
fn sandbox(base: &Path) -> Option<Sandbox> {
    std::fs::create_dir_all(base).unwrap();
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    for name in ["demo-a", "demo-b", "demo-c"] {
        let module = name.replace('-', "_");
        Wheel::new(name, "1.0").entry_point().bulk(&format!("{module}/bulk.bin"), 200).save(&links);
    }
    Some(sandbox)
}

/// Makes the `.venv` of a project and installs into it.
fn environment(sandbox: &Sandbox, name: &str, mode: &str, packages: &[&str]) -> PathBuf {
    let path = sandbox.environment(name);
    install(sandbox, &path, mode, packages);
    path
}

fn install(sandbox: &Sandbox, environment: &Path, mode: &str, packages: &[&str]) {
    let (python, links) = (environment.join("bin/python"), sandbox.path("links"));
    let start = ["pip", "install", "--quiet", "--no-index", "--link-mode", mode, "--find-links"];
    let whereto = [links.to_str().unwrap(), "--python", python.to_str().unwrap()];
    sandbox.run_uv(&[&start[..], &whereto, packages].concat());
}

/// What `remove` does with some arguments, without asking.
fn remove(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.cachetui(&[&["remove", "--yes"], arguments].concat()).output().unwrap()
}

fn removed(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = remove(sandbox, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn planned(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    sandbox.json(&[&["remove", "--dry-run"], arguments].concat())["plan"].take()
}

/// Why something is kept, by its path.
fn kept(plan: &Value) -> BTreeMap<String, String> {
    let kept = plan["kept"].as_array().unwrap().iter();
    kept.map(|it| {
        (it["path"].as_str().unwrap().to_owned(), it["because"]["kind"].as_str().unwrap().to_owned())
    })
    .collect()
}

/// Everything below a directory: kind, inode, mode, owner, times, links and content.
fn all(root: &Path) -> BTreeMap<PathBuf, String> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(Result::unwrap)
        .filter(|item| item.file_name() != ".lock" && item.path() != root)
        .map(|item| {
            let stat = item.path().symlink_metadata().unwrap();
            let content = if stat.is_file() { std::fs::read(item.path()).unwrap() } else { Vec::new() };
            let link = std::fs::read_link(item.path()).unwrap_or_default();
            let about = format!(
                "{} {:o} {} {} {}.{} {} {} {content:?}",
                stat.ino(),
                stat.mode(),
                stat.uid(),
                stat.gid(),
                stat.mtime(),
                stat.mtime_nsec(),
                stat.nlink(),
                link.display(),
            );
            (item.path().to_owned(), about)
        })
        .collect()
}

/// In every link mode the environment goes with the entries that only it uses, and nothing else does; `uv` can make it again.
#[test]
fn an_environment_goes_with_the_entries_that_only_it_uses() {
    let directory = tempfile::tempdir().unwrap();
    for mode in ["hardlink", "symlink", "copy", "clone"] {
        let Some(sandbox) = sandbox(&directory.path().join(mode)) else { return };
        let stays = environment(&sandbox, "stays", mode, &["demo-a"]);
        let goes = environment(&sandbox, "goes", mode, &["demo-a", "demo-b"]);
        environment(&sandbox, "other", mode, &["demo-c"]);
        let (before, path) = (all(&stays), goes.to_str().unwrap());

        let plan = planned(&sandbox, &[path, "--with-entries"]);
        assert_eq!(plan["steps"].as_array().unwrap().len(), 1, "{mode}: entries of today are too young");
        let answer = removed(&sandbox, &[path, "--with-entries", "--grace", "0h"]);
        let steps = answer["plan"]["steps"].as_array().unwrap();
        let named: Vec<(&Value, &Value)> =
            steps.iter().map(|step| (&step["action"], &step["name"])).collect();
        assert_eq!(named.len(), 2, "{mode}: {named:?}");
        assert_eq!(named[0].0, "remove-environment");
        assert_eq!((named[1].0.as_str(), named[1].1.as_str()), (Some("remove-entry"), Some("demo-b")));
        let freed = &answer["report"]["freed"];
        assert_eq!(freed["predicted"], freed["measured"], "{mode}: {freed}");
        assert!(freed["predicted"].as_u64().unwrap() > 200 << 10, "{mode}: {freed}");

        assert!(!goes.exists() && !goes.parent().unwrap().join(".cachetui-trash").exists(), "{mode}");
        let mut python = sandbox.command(stays.join("bin/python"));
        ran(python.args(["-c", "import demo_a"]).env("PYTHONDONTWRITEBYTECODE", "1"));
        let without_links = |all: BTreeMap<PathBuf, String>| {
            all.into_iter()
                .map(|(path, about)| (path, about.split_once('[').map(|it| it.1.to_owned())))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(without_links(all(&stays)), without_links(before), "{mode}");
        let entries = sandbox.json(&["list"]);
        let names: Vec<&str> =
            entries["entries"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert!(
            names.contains(&"demo-a") && names.contains(&"demo-c") && !names.contains(&"demo-b"),
            "{mode}: {names:?}"
        );
        // What is gone is gone for good: nothing is kept for its sake.
        assert_eq!(sandbox.json(&["list"])["scope"]["away"].as_array().map_or(0, Vec::len), 0, "{mode}");
        environment(&sandbox, "goes", mode, &["demo-a", "demo-b"]);
    }
}

/// What is promised is what the disk has more afterwards, and what the files said; undoing gives every file back.
#[test]
fn what_it_frees_is_what_was_promised_and_undo_brings_every_file_back() {
    for (kind, size) in [("ext4", 64), ("xfs", 320), ("btrfs", 160), ("tmpfs", 0)] {
        let device = if kind == "tmpfs" { Mounted::tmpfs("size=128m") } else { Mounted::new(kind, size) };
        let Some(device) = device else {
            not_run(&format!("{kind} could not be mounted"));
            continue;
        };
        let mode = if matches!(kind, "xfs" | "btrfs") { "clone" } else { "hardlink" };
        let Some(sandbox) = sandbox(device.path()) else { return };
        environment(&sandbox, "stays", mode, &["demo-a"]);
        let goes = environment(&sandbox, "goes", mode, &["demo-a", "demo-b", "demo-c"]);
        let arguments = [goes.to_str().unwrap(), "--with-entries", "--grace", "0h", "--allow", "most"];
        let (before, cache) = (all(&goes), all(&sandbox.cache().join("archive-v0")));

        let answer = removed(&sandbox, &[&arguments[..], &["--trash"]].concat());
        assert!(!goes.exists(), "{kind}");
        assert_eq!(answer["report"]["beside"].as_array().unwrap().len(), 1, "{kind}");
        let listed = sandbox.json(&["trash", "list"]);
        let runs = listed["runs"].as_array().unwrap();
        assert_eq!(
            (runs.len(), &runs[0]["environments"], &runs[0]["entries"]),
            (1, &1.into(), &2.into()),
            "{kind}"
        );
        ran(&mut sandbox.cachetui(&["undo"]));
        assert_eq!(all(&goes), before, "{kind}");
        let names = |all: &BTreeMap<PathBuf, String>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&all(&sandbox.cache().join("archive-v0"))), names(&cache), "{kind}");
        assert!(sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().is_empty(), "{kind}");

        let free = device.free();
        let answer = removed(&sandbox, &arguments);
        let freed = &answer["report"]["freed"];
        let (predicted, measured) =
            (freed["predicted"].as_u64().unwrap(), freed["measured"].as_u64().unwrap());
        let more = device.free().saturating_sub(free);
        assert!(predicted > 400 << 10, "{kind}: {freed}");
        let least = freed["certainty"] == "at-least";
        assert!(
            least && measured >= predicted || measured.abs_diff(predicted) * 100 <= predicted,
            "{kind}: {freed}"
        );
        // The state directory, with locks and the journal, lies on the same device.
        let slack = predicted / 100 + (64 << 10) + if kind == "btrfs" { 512 << 10 } else { 0 };
        assert!(
            more.abs_diff(if least { measured } else { predicted }) <= slack,
            "{kind}: {more} more free, {freed}"
        );
    }
}

/// A plan that was saved is carried out later, as far as it holds: what was changed since stays, and so do its entries.
#[test]
fn a_saved_plan_is_carried_out_as_far_as_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let one = environment(&sandbox, "one", "hardlink", &["demo-a"]);
    let other = environment(&sandbox, "other", "hardlink", &["demo-b"]);
    let file = sandbox.path("plan.json");
    let roots = sandbox.roots();
    let arguments =
        ["remove", "--under", roots.to_str().unwrap(), "--with-entries", "--grace", "0h", "--save"];
    let allow = ["--allow", "most"];
    ran(&mut sandbox.cachetui(&[&arguments[..], &[file.to_str().unwrap()], &allow].concat()));
    assert!(one.exists() && other.exists());
    // Another environment that is linked to the same files changes nothing; a package that is installed does.
    environment(&sandbox, "third", "hardlink", &["demo-c"]);
    install(&sandbox, &one, "hardlink", &["demo-c"]);

    let output = sandbox.cachetui(&["apply", file.to_str().unwrap(), "--yes", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = answer["report"]["outcomes"].as_array().unwrap();
    let state = |path: &str| outcomes.iter().find(|it| it["path"] == path).map(|it| it["state"].clone());
    assert_eq!(state(one.to_str().unwrap()).unwrap(), "stale", "{answer:#}");
    assert_eq!(state(other.to_str().unwrap()).unwrap(), "done", "{answer:#}");
    assert!(one.exists() && !other.exists());
    let list = sandbox.json(&["list"]);
    let names: Vec<&str> =
        list["entries"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"demo-a") && !names.contains(&"demo-b"), "{names:?}");
    assert_eq!(output.status.code(), Some(1), "something of it was not done");
}

/// After it, `uv sync` makes the environment of a project with a lock file again, and the plan says so.
#[test]
fn uv_sync_makes_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let (project, links) = (sandbox.roots().join("app"), sandbox.path("links"));
    std::fs::create_dir_all(&project).unwrap();
    let text = format!(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"demo-a\"]\n\
         [tool.uv]\nno-index = true\nfind-links = [{:?}]\n",
        links.to_str().unwrap()
    );
    std::fs::write(project.join("pyproject.toml"), text).unwrap();
    let sync = || ran(sandbox.uv(&["sync", "--quiet"]).current_dir(&project));
    sync();
    let plan = planned(&sandbox, &[project.to_str().unwrap()]);
    assert_eq!(plan["steps"][0]["price"]["kind"], "sync");
    let text = ran(&mut sandbox.cachetui(&["remove", project.to_str().unwrap(), "--dry-run"])).stdout;
    assert!(String::from_utf8(text).unwrap().contains("uv sync makes it again"));
    removed(&sandbox, &[project.to_str().unwrap(), "--with-entries", "--grace", "0h", "--allow", "most"]);
    assert!(!project.join(".venv").exists());
    sync();
    let mut python = sandbox.command(project.join(".venv/bin/python"));
    ran(python.args(["-c", "import demo_a"]));
}

/// An environment whose `.project` names a project that is gone is orphaned; one whose project is there, or may lie on a disk that is
/// not mounted, is not.
#[test]
fn orphaned_are_the_environments_whose_project_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let projects = sandbox.path("projects");
    std::fs::create_dir_all(projects.join("there")).unwrap();
    let made = |name: &str, project: &Path| {
        let root = sandbox.roots().join("workon").join(name);
        sandbox.run_uv(&["venv", "--quiet", root.to_str().unwrap()]);
        install(&sandbox, &root, "hardlink", &["demo-a"]);
        std::fs::write(root.join(".project"), format!("{}\n", project.display())).unwrap();
        root
    };
    let gone = made("gone", &projects.join("gone"));
    let there = made("there", &projects.join("there"));
    let away = made("away", Path::new("/mnt/away/project"));
    environment(&sandbox, "usual", "hardlink", &["demo-b"]);
    let envs = sandbox.json(&["envs"]);
    let state = |root: &Path| -> String {
        let rows = envs["environments"].as_array().unwrap();
        let row = rows.iter().find(|row| row["path"] == root.to_str().unwrap()).unwrap();
        row["project"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!([&gone, &there, &away].map(|root| state(root)), ["missing", "there", "out-of-reach"]);
    let answer = removed(&sandbox, &["--orphaned"]);
    let steps = answer["plan"]["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0]["path"]), (1, &gone.to_str().unwrap().into()));
    assert!(!gone.exists() && there.exists() && away.exists());
}

/// `--broken` takes the environments that do not work, and `--under` those of a directory; together those of which both are true.
#[test]
fn rules_that_are_given_together_all_have_to_hold() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let broken = [
        environment(&sandbox, "one/a", "symlink", &["demo-a"]),
        environment(&sandbox, "two/a", "symlink", &["demo-a"]),
    ];
    let whole = environment(&sandbox, "one/b", "hardlink", &["demo-b"]);
    let entries = std::fs::read_dir(sandbox.cache().join("archive-v0")).unwrap().map(|it| it.unwrap().path());
    let entry = entries.into_iter().find(|path| path.join("demo_a").exists()).unwrap();
    std::fs::remove_dir_all(entry.join("demo_a")).unwrap();
    let paths = |arguments: &[&str]| -> Vec<String> {
        let plan = planned(&sandbox, arguments);
        let steps = plan["steps"].as_array().unwrap().iter();
        let mut paths: Vec<String> = steps.map(|step| step["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    let text = |root: &PathBuf| root.to_str().unwrap().to_owned();
    let one = sandbox.roots().join("one");
    let under = ["--under", one.to_str().unwrap()];
    assert_eq!(paths(&["--broken"]), broken.each_ref().map(text));
    assert_eq!(paths(&under), [text(&broken[0]), text(&whole)]);
    assert_eq!(paths(&[&["--broken"], &under[..]].concat()), [text(&broken[0])]);
    let output = sandbox.cachetui(&["remove", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "nothing was chosen");
}
