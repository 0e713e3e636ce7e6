//! What `relink` promises is what `du` says before and after, to the block: one table of situations, on each filesystem.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;

use cachetui::snapshot::Mode;
use serde_json::Value;

use super::bytes::{done, du, everywhere, wheel};
use crate::support::loopdev::Mounted;
use crate::support::made::{Made, SITE, Unpacked};

/// A situation: its name, what makes it, and the environments that are relinked.
type Row = (&'static str, fn(&Made), &'static [&'static str]);

const TABLE: [Row; 9] = [
    ("one alone", |made| three(made, false), &["first"]),
    ("three with copies of their own", |made| three(made, false), &["first", "second", "third"]),
    ("three that share with each other", |made| three(made, true), &["first", "second", "third"]),
    ("two of three that share with each other", |made| three(made, true), &["first", "third"]),
    ("two owners of a path", |made| two_owners(made, &["first"]), &["first"]),
    ("two owners of a path, in two that share", shared_owners, &["first", "second"]),
    ("partly edited", edited, &["first", "second"]),
    ("partly linked already", partly, &["first"]),
    ("files of two users", two_users, &["first", "second"]),
];

const MODES: [&str; 3] = ["hardlink", "symlink", "copy"];

fn one() -> Unpacked {
    wheel("OneOneOneOneOneOneOne", "one")
}

fn site(made: &Made, name: &str) -> std::path::PathBuf {
    made.environment(name).join(SITE)
}

/// Makes the files of one environment names of those of another.
fn join(made: &Made, from: &str, to: &str, wheel: &Unpacked) {
    for file in wheel.linked().keys() {
        let (from, to) = (site(made, from).join(file), site(made, to).join(file));
        std::fs::remove_file(&to).unwrap();
        std::fs::hard_link(from, to).unwrap();
    }
}

fn three(made: &Made, share: bool) {
    let wheel = one();
    made.unpack(&wheel);
    for name in ["first", "second", "third"] {
        made.venv(name);
        made.install(name, &wheel, Mode::Copy);
        if share && name != "first" {
            join(made, "first", name, &wheel);
        }
    }
}

fn other() -> Unpacked {
    let mut two = Unpacked::new("TwoTwoTwoTwoTwoTwoTwo", "two", "1.0");
    two.files.insert("one/data.bin".to_owned(), one().files["one/data.bin"].clone());
    two
}

fn two_owners(made: &Made, names: &[&str]) {
    for wheel in [one(), other()] {
        made.unpack(&wheel);
    }
    for name in names {
        made.venv(name);
        for wheel in [one(), other()] {
            made.install(name, &wheel, Mode::Copy);
        }
    }
}

fn shared_owners(made: &Made) {
    two_owners(made, &["first", "second"]);
    for wheel in [one(), other()] {
        join(made, "first", "second", &wheel);
    }
}

fn edited(made: &Made) {
    three(made, false);
    let path = site(made, "first").join("one/data.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"edited");
    std::fs::write(path, bytes).unwrap();
}

fn partly(made: &Made) {
    let wheel = one();
    made.unpack(&wheel);
    made.venv("first");
    made.install("first", &wheel, Mode::Copy);
    let path = site(made, "first").join("one/data.bin");
    std::fs::remove_file(&path).unwrap();
    std::fs::hard_link(made.entry(&wheel.id).join("one/data.bin"), path).unwrap();
}

fn two_users(made: &Made) {
    three(made, false);
    if rustix::process::geteuid().is_root() {
        for file in ["first", "second"] {
            chown(site(made, file).join("one/data.bin"), Some(5001), Some(5001)).unwrap();
        }
    }
}

/// What a plan promises: positive where it frees.
fn promised(answer: &Value) -> (i64, bool) {
    let bytes = &answer["plan"]["totals"]["bytes"];
    let number = |key: &str| bytes[key].as_i64().unwrap_or(0);
    (number("reclaimable") - number("needed"), bytes["certainty"] == "exact")
}

fn filesystem(answer: &Value) -> &str {
    answer["cache"]["filesystem"].as_str().unwrap()
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap()
}

#[test]
fn a_relink_moves_what_it_promised_to_the_block() {
    everywhere(|directory| {
        for (name, make, selected) in TABLE {
            for mode in MODES {
                let made = Made::new(&directory.join("ground"));
                make(&made);
                rustix::fs::sync();
                let roots: Vec<String> =
                    selected.iter().map(|name| made.environment(name).display().to_string()).collect();
                let mut arguments = vec!["relink"];
                arguments.extend(roots.iter().map(String::as_str));
                arguments.extend(["--link-mode", mode, "--yes"]);
                let case = format!("{name}, {mode}, {}", directory.display());
                let before = signed(du(made.base()));
                let answer = done(&made, &arguments);
                rustix::fs::sync();
                // `du` counts bytes twice that copies share with the cache's files.
                let shares = mode == "copy" && ["xfs", "btrfs"].contains(&filesystem(&answer));
                let measured = answer["report"]["freed"]["measured"].as_i64();
                let moved = if shares { measured.unwrap_or(0) } else { before - signed(du(made.base())) };
                let (promise, exact) = promised(&answer);
                // btrfs keeps small files inline, where a copy cannot be told from a clone.
                let holds = if exact { promise == moved } else { promise <= moved };
                assert!(holds, "{case}: {promise} promised, {moved} moved: {answer:#}");
                assert!(
                    measured.is_none_or(|measured| measured == moved),
                    "{case}: {moved} moved: {answer:#}"
                );
                std::fs::remove_dir_all(made.base()).unwrap();
            }
        }
    });
}

/// Replaces a copy by a clone of the entry's file.
fn clone(from: &Path, to: &Path) {
    std::fs::remove_file(to).unwrap();
    let done = Command::new("cp").args(["--reflink=always", "-p"]).arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[test]
fn of_clones_nothing_is_promised_that_the_volume_does_not_get() {
    for (kind, size) in [("xfs", 320), ("btrfs", 160)] {
        for part in [false, true] {
            let Some(mounted) = Mounted::new(kind, size) else { continue };
            let made = Made::new(&mounted.path().join("ground"));
            let wheel = one();
            three(&made, false);
            for name in ["first", "second"] {
                for file in wheel.linked().keys() {
                    clone(&made.entry(&wheel.id).join(file), &site(&made, name).join(file));
                }
            }
            if part {
                let path = site(&made, "first").join("one/data.bin");
                std::fs::remove_file(&path).unwrap();
                std::fs::copy(made.entry(&wheel.id).join("one/data.bin"), &path).unwrap();
                // A copy may share its bytes here; written by hand it does not.
                let bytes = std::fs::read(&path).unwrap();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, bytes).unwrap();
            }
            rustix::fs::sync();
            let shares = site(&made, "second").join("one/data.bin").metadata().unwrap().nlink();
            assert_eq!(shares, 1);
            let before = signed(mounted.free());
            let answer = done(&made, &["relink", "--all", "--link-mode", "hardlink", "--yes"]);
            let moved = signed(mounted.free()) - before;
            let (promise, _) = promised(&answer);
            // What the filesystem keeps of itself comes back a while later.
            assert!(
                (promise - moved).abs() <= 1 << 17,
                "{kind}, {part}: {promise} promised, {moved} moved: {answer:#}"
            );
        }
    }
}
