//! Real environments linked otherwise: every pair of modes on every filesystem, and uv afterwards.

mod cases;
pub(super) mod tree;

use serde_json::Value;

use super::farm::look::du;
use super::lab::MODES;
use crate::support::loopdev::Mounted;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;
use tree::{Tree, replace};

/// Wheels with everything that is installed in a way of its own.
pub(super) fn wheels(sandbox: &Sandbox) -> Vec<String> {
    let links = sandbox.path("wheels");
    for version in ["1.0", "2.0"] {
        Wheel::new("one", version)
            .entry_point()
            .program("one/run.sh", "#!/bin/sh\necho run\n")
            .file("one/empty.py", "")
            .file("one/edited.py", "EDITED = False\n")
            .data("scripts/one-say", "#!python\nprint('say')\n", 0o755)
            .data("scripts/one-run", "#!/bin/sh\necho run\n", 0o755)
            .data("scripts/one-plain", "#!/bin/sh\necho plain\n", 0o644)
            .data("data/share/one/data.txt", "data\n", 0o644)
            .data("headers/one.h", "#define ONE 1\n", 0o644)
            .data("purelib/one_pure.py", "PURE = True\n", 0o644)
            .bulk("one/bulk.bin", 6_144)
            .save(&links);
    }
    Wheel::empty("two", "1.0")
        .file("shared/two.py", "NAME = 'two'\n".repeat(50))
        .file("shared/py.typed", "partial\n")
        .bulk("shared/bulk.bin", 2_048)
        .save(&links);
    Wheel::empty("three", "1.0").file("shared/py.typed", "partial\n").file("three.py", "3\n").save(&links);
    ["--no-index", "--find-links"]
        .map(String::from)
        .into_iter()
        .chain([links.display().to_string()])
        .collect()
}

/// Installs what the wheels hold in one mode, and compiles it.
pub(super) fn install(sandbox: &Sandbox, places: &[String], project: &str, mode: &str) -> std::path::PathBuf {
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let arguments = [&places[..], &["--compile-bytecode", "one==1.0", "two", "three"]].concat();
    sandbox.install(project, mode, &arguments)
}

/// What `relink` answers, whose exit code is the given one.
fn relink(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Value {
    let output = sandbox.cachetui(&["relink", "--json"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn signed(answer: &Value, key: &str) -> i64 {
    answer["report"]["freed"][key].as_i64().unwrap()
}

/// The mode that files have after they were asked to have another, as the scan sees them.
fn becomes(kind: &str, mode: &str) -> &'static [&'static str] {
    match (kind, mode) {
        ("ext4", "clone") | (_, "hardlink") => &["hardlink"],
        (_, "symlink") => &["symlink"],
        ("ext4", _) => &["copy"],
        _ => &["clone"],
    }
}

/// From one mode to another.
fn pair(kind: &str, sandbox: &Sandbox, places: &[String], from: &str, to: &str) {
    let what = format!("{from} to {to} on {kind}");
    let environment = install(sandbox, places, &format!("{from}-{to}"), from);
    let site =
        environment.join("lib").read_dir().unwrap().next().unwrap().unwrap().path().join("site-packages");
    let edited = site.join("one/edited.py");
    replace(&edited, b"EDITED = True # by hand\n");
    let name = environment.to_str().unwrap();
    let cached = Tree::read(&sandbox.cache().join("archive-v0"));
    let before = Tree::read(&environment);

    let dry = relink(sandbox, &[name, "--link-mode", to, "--dry-run"], 0);
    assert!(Tree::read(&environment).is_untouched_since(&before), "{what}: the dry run changed something");
    let done = relink(sandbox, &[name, "--link-mode", to, "--yes"], 0);
    assert_eq!(dry["plan"].to_string(), done["plan"].to_string(), "{what}");
    let after = Tree::read(&environment);
    after.has_the_content_of(&before, &what);
    assert!(Tree::read(&sandbox.cache().join("archive-v0")).has_the_files_of(&cached), "{what}: the cache");
    // Python goes on using what it compiled.
    assert!(to != "copy" || after.has_the_times_of(&before), "{what}: times");
    for path in before.paths().filter(|path| is_private(path) || **path == *edited) {
        assert_eq!(before.inode(path), after.inode(path), "{what}: {}", path.display());
    }
    let answer = sandbox.json(&["envs", name]);
    let distributions = answer["environments"][0]["distributions"].as_array().unwrap();
    for distribution in distributions.iter().filter(|it| it["name"] != "three") {
        let mode = distribution["mode"].as_str().unwrap();
        assert!(becomes(kind, to).contains(&mode), "{what}: {distribution}");
    }
    if done["plan"]["steps"].as_array().unwrap().iter().any(|step| step["name"] == "one") {
        let listed = done["report"]["outcomes"].as_array().unwrap();
        let one = listed.iter().find(|outcome| outcome["name"] == "one").unwrap();
        assert_eq!(one["modified"], serde_json::json!([{"path": edited.to_str().unwrap()}]), "{what}");
        // Symlinks of btrfs and xfs, and inodes of xfs, come and go in the trees of the filesystem.
        let (predicted, measured) = (signed(&done, "predicted"), signed(&done, "measured"));
        let slack = predicted.abs() / 100 + if kind == "ext4" { 0 } else { 256 << 10 };
        assert!(
            (predicted - measured).abs() <= slack,
            "{what}: {predicted} predicted, {measured} measured: {done}"
        );
    }

    let again = relink(sandbox, &[name, "--link-mode", to, "--yes"], 0);
    assert_eq!(again["plan"]["steps"], serde_json::json!([]), "{what}");
    assert!(Tree::read(&environment).is_untouched_since(&after), "{what}: the second run changed something");
    works_with_uv(sandbox, places, name, &what);
}

/// What uv and Python write for one environment alone.
fn is_private(path: &std::path::Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    ["RECORD", "INSTALLER", "REQUESTED", "uv_cache.json", "one", "one-say", "one-plain", "pyvenv.cfg"]
        .contains(&name)
        || path.extension().is_some_and(|extension| extension == "pyc")
}

/// uv checks, uninstalls, upgrades and reinstalls what is there.
fn works_with_uv(sandbox: &Sandbox, places: &[String], environment: &str, what: &str) {
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let pip = |command: &[&str], rest: &[&str]| {
        let all = [&["pip"], command, &["--quiet", "--python", environment], rest].concat();
        sandbox.run_uv(&all);
    };
    pip(&["check"], &[]);
    pip(&["uninstall"], &["two"]);
    let left = Tree::read(environment.as_ref());
    assert!(!left.paths().any(|path| path.ends_with("shared/two.py")), "{what}");
    pip(&["install"], &[&places[..], &["--upgrade", "one==2.0"]].concat());
    pip(&["install"], &[&places[..], &["--reinstall", "one==2.0", "two"]].concat());
    let python = std::path::Path::new(environment).join("bin/python");
    let code = "import one, shared.two, one_pure; print(one.VERSION, shared.two.NAME)";
    let output = ran(sandbox.command(python).args(["-c", code]));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2.0 two", "{what}");
    pip(&["check"], &[]);
}

fn all_pairs(kind: &str, mebibytes: u64) {
    let Some(mounted) = Mounted::new(kind, mebibytes) else { return };
    let Some(sandbox) = Sandbox::new(mounted.path()) else { return };
    let places = wheels(&sandbox);
    for from in MODES {
        for to in MODES {
            pair(kind, &sandbox, &places, from, to);
        }
    }
}

#[test]
fn environments_go_from_every_mode_to_every_other_on_ext4() {
    all_pairs("ext4", 512);
}

#[test]
fn environments_go_from_every_mode_to_every_other_on_xfs() {
    all_pairs("xfs", 512);
}

#[test]
fn environments_go_from_every_mode_to_every_other_on_btrfs() {
    all_pairs("btrfs", 768);
}

#[test]
fn symlinks_that_fit_into_their_inode_take_nothing_on_ext4() {
    let Some(mounted) = Mounted::new("ext4", 64) else { return };
    let Some(sandbox) = Sandbox::new(mounted.path()) else { return };
    let entry = sandbox.cache().join("archive-v0").join("i".repeat(16));
    let room = 59_usize.checked_sub(entry.as_os_str().len() + 1).unwrap();
    let links = sandbox.path("links");
    // Around the length at which they no longer fit, whatever the length of the entry's id.
    let lengths = room.saturating_sub(8).max(1)..room + 8;
    let files = lengths.map(|length| "a".repeat(length));
    files.fold(Wheel::empty("q", "1.0"), |wheel, file| wheel.file(&file, format!("{file}\n"))).save(&links);
    let environment =
        sandbox.install("app", "hardlink", &["--no-index", "--find-links", links.to_str().unwrap(), "q"]);
    let done = relink(&sandbox, &[environment.to_str().unwrap(), "--link-mode", "symlink", "--yes"], 0);
    assert_eq!(signed(&done, "predicted"), signed(&done, "measured"), "{done:#}");
    assert!(signed(&done, "measured") < 0, "the long ones take a block each: {done:#}");
}

#[test]
fn symlinks_with_other_names_are_not_promised() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let links = sandbox.path("links");
    Wheel::new("one", "1.0").bulk("one/bulk.bin", 64).save(&links);
    let all = ["--no-index", "--find-links", links.to_str().unwrap(), "one"];
    let environment = sandbox.install("made", "symlink", &all);
    let (project, copy) = (sandbox.roots().join("made"), sandbox.roots().join("copy"));
    ran(std::process::Command::new("cp").arg("-al").args([&project, &copy]));
    let tops = [sandbox.cache(), sandbox.roots()];
    let before = du(&tops);
    let answer = relink(&sandbox, &["--yes", "--link-mode", "hardlink", environment.to_str().unwrap()], 0);
    let moved = i64::try_from(before).unwrap() - i64::try_from(du(&tops)).unwrap();
    assert!(answer["report"]["outcomes"][0]["made"]["hardlink"].as_u64() > Some(0), "{answer:#}");
    assert!(moved >= signed(&answer, "predicted"), "{moved}: {answer:#}");
}

#[test]
fn an_environment_on_a_bind_mount_of_the_same_filesystem_cannot_be_hardlinked() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = Sandbox::new(base.path()) else { return };
    let links = sandbox.path("links");
    Wheel::new("one", "1.0").bulk("one/bulk.bin", 64).save(&links);
    let source = sandbox.path("source");
    std::fs::create_dir(&source).unwrap();
    let Some(mounted) = Mounted::bind(&source) else { return };
    let environment = mounted.path().join(".venv");
    sandbox.run_uv(&["venv", "--quiet", environment.to_str().unwrap()]);
    let python = environment.join("bin/python");
    let all = ["--no-index", "--find-links", links.to_str().unwrap(), "--python", python.to_str().unwrap()];
    sandbox.run_uv(&[&["pip", "install", "--quiet", "--link-mode", "copy"], &all[..], &["one"]].concat());
    let reflinks = sandbox.json(&["list"])["cache"]["filesystem"]
        .as_str()
        .is_some_and(|it| it != "ext4" && it != "tmpfs");
    for mode in ["hardlink", "clone"].iter().take(if reflinks { 1 } else { 2 }) {
        let arguments = ["--yes", "--link-mode", mode, environment.to_str().unwrap()];
        let answer = relink(&sandbox, &arguments, 0);
        assert_eq!(answer["plan"]["steps"], serde_json::json!([]), "{mode}: {answer:#}");
        assert_eq!(answer["plan"]["kept"][0]["because"]["kind"], "other-filesystem", "{mode}: {answer:#}");
    }
    // A symlink reaches it.
    let arguments = ["--yes", "--link-mode", "symlink", environment.to_str().unwrap()];
    let answer = relink(&sandbox, &arguments, 0);
    assert_eq!(answer["report"]["outcomes"][0]["state"], "done", "{answer:#}");
}
