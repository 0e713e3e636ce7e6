//! What is promised, against what the files take before and after.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use cachetui::snapshot::Mode;
use serde_json::Value;

use super::Told;
use crate::support::holding::Holding;
use crate::support::loopdev::Mounted;
use crate::support::made::{self, Form, Made, SITE, Unpacked};

/// Allocated bytes below a directory, each inode once: what `du` says.
pub(super) fn du(root: &Path) -> u64 {
    let items = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let blocks: BTreeMap<u64, u64> = items
        .map(|item| {
            let stat = item.path().symlink_metadata().unwrap();
            (stat.ino(), stat.blocks() * 512)
        })
        .collect();
    blocks.values().sum()
}

/// A command of cachetui on a ground; what changed a moment ago counts as old.
pub(super) fn command(made: &Made, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
    command.args(arguments).arg("--cache-dir").arg(made.cache()).arg("--root").arg(made.code());
    if arguments[0] == "prune" {
        command.args(["--grace", "0h"]);
    }
    let home = std::env::temp_dir().join("cachetui-no-home");
    command.arg("--no-remember").env_clear().env("HOME", &home).env("UV_LOCK_TIMEOUT", "0").current_dir("/");
    command.env("XDG_STATE_HOME", home);
    command
}

pub(super) fn run(made: &Made, arguments: &[&str]) -> Told {
    Told::of(command(made, arguments).output().unwrap())
}

/// Runs a command that has to do all it was asked for, and answers with its JSON.
pub(super) fn done(made: &Made, arguments: &[&str]) -> Value {
    let told = run(made, &[arguments, &["--json"]].concat());
    assert_eq!(told.code, 0, "{arguments:?}: {}", told.text());
    told.json()
}

/// A wheel with a file of some blocks.
pub(super) fn wheel(id: &str, name: &str) -> Unpacked {
    let mut unpacked = Unpacked::new(id, name, "1.0");
    unpacked.files.insert(format!("{name}/data.bin"), name.as_bytes().repeat(20_000));
    unpacked
}

/// Directories on each kind of filesystem that can be had here.
pub(super) fn everywhere(check: impl Fn(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    check(directory.path());
    for mounted in [
        Mounted::tmpfs("size=64m"),
        Mounted::new("ext4", 64),
        Mounted::new("xfs", 320),
        Mounted::new("btrfs", 160),
    ]
    .into_iter()
    .flatten()
    {
        check(mounted.path());
    }
}

#[test]
fn what_three_environments_share_with_each_other_comes_back_with_the_last_of_them() {
    everywhere(|directory| {
        let made = Made::new(&directory.join("ground"));
        let wheel = wheel("OneOneOneOneOneOneOne", "one");
        made.unpack(&wheel);
        let first = made.venv("first");
        made.install("first", &wheel, Mode::Copy);
        for name in ["second", "third"] {
            let root = made.venv(name);
            made.install(name, &wheel, Mode::Copy);
            for file in wheel.linked().keys() {
                std::fs::remove_file(root.join(SITE).join(file)).unwrap();
                std::fs::hard_link(first.join(SITE).join(file), root.join(SITE).join(file)).unwrap();
            }
        }
        rustix::fs::sync();
        // Of one alone nothing comes back.
        let one = done(&made, &["relink", first.to_str().unwrap(), "--link-mode", "hardlink", "--dry-run"]);
        assert_eq!(one["plan"]["totals"]["bytes"]["reclaimable"], 0, "{one:#}");
        let before = du(made.base());
        let all = done(&made, &["relink", "--all", "--link-mode", "hardlink", "--yes"]);
        rustix::fs::sync();
        let freed = before - du(made.base());
        let report = &all["report"]["freed"];
        assert!(freed > 50_000, "{freed}");
        let bytes = &all["plan"]["totals"]["bytes"];
        let promised = bytes["reclaimable"].as_u64().unwrap();
        // btrfs keeps small files inline, where a copy cannot be told from a clone.
        let holds = if bytes["certainty"] == "exact" { promised == freed } else { promised <= freed };
        assert!(holds, "{freed} {all:#}");
        assert_eq!((&report["predicted"], &report["measured"]), (&promised.into(), &freed.into()), "{all:#}");
    });
}

#[test]
fn a_path_that_two_distributions_list_counts_once() {
    let directory = made::directory();
    let made = Made::new(&directory.path().join("ground"));
    let one = wheel("OneOneOneOneOneOneOne", "one");
    let mut two = Unpacked::new("TwoTwoTwoTwoTwoTwoTwo", "two", "1.0");
    two.files.insert("one/data.bin".to_owned(), one.files["one/data.bin"].clone());
    made.venv("app");
    for wheel in [&one, &two] {
        made.unpack(wheel);
        made.install("app", wheel, Mode::Copy);
    }
    let before = du(&made.code());
    let all = done(&made, &["relink", "--all", "--link-mode", "symlink", "--yes"]);
    let freed = before - du(&made.code());
    assert_eq!(all["plan"]["totals"]["bytes"]["reclaimable"], freed, "{all:#}");
    assert_eq!(all["report"]["freed"]["measured"], freed, "{all:#}");
}

#[test]
fn what_a_relink_did_is_measured_by_its_files_whatever_else_happens_on_the_volume() {
    let directory = made::directory();
    let made = Made::new(&directory.path().join("ground"));
    let wheel = wheel("OneOneOneOneOneOneOne", "one");
    made.unpack(&wheel);
    made.venv("app");
    made.install("app", &wheel, Mode::Copy);
    let noise = directory.path().join("noise");
    let mut writer = Command::new("sh");
    let script = format!("while :; do head -c 9000000 /dev/zero > '{0}'; rm -f '{0}'; done", noise.display());
    let mut writer = writer.args(["-c", &script]).stderr(Stdio::null()).spawn().unwrap();
    let before = du(&made.code());
    let all = done(&made, &["relink", "--all", "--link-mode", "hardlink", "--yes"]);
    writer.kill().unwrap();
    writer.wait().unwrap();
    let after = du(&made.code()) - du_of_linked(&made, &wheel);
    assert_eq!(all["report"]["freed"]["measured"], before - after, "{all:#}");
    assert_eq!(all["report"]["freed"]["why"], Value::Null, "{all:#}");
}

#[test]
fn what_a_prune_and_a_purge_did_is_measured_by_their_files_whatever_else_happens_on_the_volume() {
    everywhere(|directory| {
        let made = Made::new(&directory.join("ground"));
        let (one, two) = (wheel("OneOneOneOneOneOneOne", "one"), wheel("TwoTwoTwoTwoTwoTwoTwo", "two"));
        for unpacked in [&one, &two] {
            made.unpack(unpacked);
            made.point(Form::Relative, 7, unpacked);
        }
        // A file that stays under another name frees nothing.
        std::fs::hard_link(made.entry(&one.id).join("one/data.bin"), made.base().join("elsewhere")).unwrap();
        rustix::fs::sync();
        let noise = directory.join("noise");
        let script =
            format!("while :; do head -c 9000000 /dev/zero > '{0}'; rm -f '{0}'; done", noise.display());
        let mut writer = Command::new("sh");
        let mut writer = writer.args(["-c", &script]).stderr(Stdio::null()).spawn().unwrap();
        let before = du(made.base());
        let pruned = done(&made, &["prune", "one", "--yes"]);
        let after = du(made.base());
        done(&made, &["prune", "two", "--yes", "--trash"]);
        let kept = du(made.base());
        let purged = done(&made, &["trash", "purge", "--yes"]);
        let end = du(made.base());
        writer.kill().unwrap();
        writer.wait().unwrap();
        let freed = &pruned["report"]["freed"];
        assert_eq!(freed["measured"], before - after, "{pruned:#}");
        // btrfs keeps small files inline, and does not say that nothing else has their bytes.
        let exact = freed["certainty"] == "exact";
        let (measured, predicted) = (freed["measured"].as_u64(), freed["predicted"].as_u64());
        assert!(if exact { measured == predicted } else { measured >= predicted }, "{pruned:#}");
        assert_eq!(freed["why"].is_null(), exact, "{pruned:#}");
        assert!(freed["volume"].is_u64(), "{pruned:#}");
        assert_eq!(purged["freed"]["measured"], kept - end, "{purged:#}");
    });
}

/// What an environment shares with an entry.
fn du_of_linked(made: &Made, wheel: &Unpacked) -> u64 {
    let entry = made.entry(&wheel.id);
    wheel.linked().keys().map(|file| entry.join(file).metadata().unwrap().blocks() * 512).sum()
}

#[test]
fn what_a_process_holds_open_is_not_promised_and_the_process_is_named() {
    everywhere(|directory| {
        let made = Made::new(&directory.join("ground"));
        let (one, two) = (wheel("OneOneOneOneOneOneOne", "one"), wheel("TwoTwoTwoTwoTwoTwoTwo", "two"));
        for unpacked in [&one, &two] {
            made.unpack(unpacked);
            made.point(Form::Relative, 7, unpacked);
        }
        rustix::fs::sync();
        let arguments = ["prune", "one", "two", "--dry-run"];
        let free = done(&made, &arguments)["plan"]["totals"]["bytes"]["reclaimable"].as_u64().unwrap();
        let file = made.entry(&one.id).join("one/data.bin");
        let held = file.metadata().unwrap().blocks() * 512;
        let holding = Holding::new(&file);
        let plan = done(&made, &arguments);
        let bytes = &plan["plan"]["totals"]["bytes"];
        assert_eq!(
            (&bytes["reclaimable"], &bytes["open"]),
            (&(free - held).into(), &held.into()),
            "{plan:#}"
        );
        let pid = holding.id();
        let told = run(&made, &arguments);
        let said = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("when process {pid} (sh) ends")), "{said}");
        // Another name of it elsewhere keeps the bytes anyway.
        let elsewhere = made.base().join("elsewhere");
        std::fs::hard_link(&file, &elsewhere).unwrap();
        let plan = done(&made, &arguments);
        assert_eq!(plan["plan"]["totals"]["bytes"].get("open"), None, "{plan:#}");
        std::fs::remove_file(&elsewhere).unwrap();
        drop(holding);
        assert_eq!(done(&made, &arguments)["plan"]["totals"]["bytes"]["reclaimable"], free);
    });
}

#[test]
fn what_was_replaced_and_is_still_open_is_not_said_to_be_free() {
    let directory = tempfile::tempdir().unwrap();
    let made = Made::new(&directory.path().join("ground"));
    let wheel = wheel("OneOneOneOneOneOneOne", "one");
    made.unpack(&wheel);
    let root = made.venv("app");
    made.install("app", &wheel, Mode::Copy);
    let file = root.join(SITE).join("one/data.bin");
    let held = file.metadata().unwrap().blocks() * 512;
    let holding = Holding::new(&file);
    let all = done(&made, &["relink", "--all", "--link-mode", "hardlink", "--yes"]);
    let freed = &all["report"]["freed"];
    let number = |key: &str| freed[key].as_u64().unwrap();
    assert_eq!(number("predicted") - number("measured"), held, "{all:#}");
    let notes = all["report"]["notes"].to_string();
    assert!(notes.contains(&format!("process {} (sh)", holding.id())), "{notes}");
}

#[test]
fn what_other_users_may_have_open_in_a_shared_cache_is_at_most_what_comes_back() {
    use std::os::unix::fs::PermissionsExt as _;
    if !rustix::process::geteuid().is_root() {
        return crate::support::not_run("another user needs root");
    }
    let directory = tempfile::tempdir().unwrap();
    let made = Made::new(&directory.path().join("ground"));
    made.unpack(&wheel("OneOneOneOneOneOneOne", "one"));
    let open = |path: &Path, bits| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
    };
    open(directory.path(), 0o755);
    let program = directory.path().join("cachetui");
    std::fs::copy(env!("CARGO_BIN_EXE_cachetui"), &program).unwrap();
    for (bits, certainty) in [(0o755, "exact"), (0o1777, "at-most")] {
        open(made.cache(), bits);
        let inner = command(&made, &["prune", "one", "--dry-run", "--json"]);
        let mut outer = Command::new("setpriv");
        outer.args(["--reuid=12345", "--regid=12345", "--clear-groups"]).arg(&program).args(inner.get_args());
        let told = Told::of(outer.current_dir("/").env("HOME", "/nowhere").output().unwrap());
        assert_eq!(told.json()["plan"]["totals"]["bytes"]["certainty"], certainty, "{}", told.text());
    }
}
