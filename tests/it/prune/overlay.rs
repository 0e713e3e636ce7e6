//! Caches on overlays, as containers have them.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use cachetui::snapshot::Mode;
use serde_json::Value;

use super::bytes::{command, done, du, run, wheel};
use super::{Told, listing};
use crate::support::loopdev::Mounted;
use crate::support::made::{Form, Made, Unpacked};

/// A ground of which one wheel lies in the lower layer and one in the upper one.
struct Layers {
    made: Made,
    below: Unpacked,
    above: Unpacked,
    upper: PathBuf,
    _overlay: Mounted,
    _other: Option<Mounted>,
    _directory: tempfile::TempDir,
}

impl Layers {
    /// `apart`: the upper layer lies on another filesystem.
    fn new(apart: bool, options: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let other = if apart { Some(Mounted::tmpfs("size=64m")?) } else { None };
        let layers = other.as_ref().map_or(directory.path(), Mounted::path).to_owned();
        let [upper, work] = ["upper", "work"].map(|name| layers.join(name));
        for path in [&upper, &work] {
            std::fs::create_dir(path).unwrap();
        }
        let merged = directory.path().join("merged");
        let made = Made::new(&merged);
        let (below, above) =
            (wheel("BelowBelowBelowBelowB", "below"), wheel("AboveAboveAboveAboveA", "above"));
        made.unpack(&below);
        made.point(Form::Relative, 7, &below);
        let overlay = Mounted::overlay_over_with(&merged, &upper, &work, options)?;
        made.unpack(&above);
        made.point(Form::Relative, 7, &above);
        Some(Self { made, below, above, upper, _overlay: overlay, _other: other, _directory: directory })
    }

    /// Each kind that can be had here, with whether its directories can be renamed.
    fn all(check: impl Fn(&Self, bool)) {
        for (apart, options, renames) in [
            (false, ",redirect_dir=off", false),
            (false, ",redirect_dir=on", true),
            (true, ",redirect_dir=off", false),
            (true, ",redirect_dir=on,metacopy=on", true),
            (false, ",redirect_dir=off,index=on", false),
            (true, ",redirect_dir=off,xino=on", false),
        ] {
            if let Some(layers) = Self::new(apart, options) {
                check(&layers, renames);
            }
        }
    }

    /// Runs a command where the upper layer cannot be reached, as in a container.
    fn contained(&self, arguments: &[&str]) -> Told {
        let hidden = self.upper.parent().unwrap();
        let is_above = self.made.base().starts_with(hidden);
        let hidden = if is_above { &self.upper } else { hidden };
        let inner = command(&self.made, arguments);
        let mut outer = Command::new("unshare");
        let script = r#"mount -t tmpfs hidden "$0" && exec "$@""#;
        outer
            .args(["--mount", "sh", "-c", script])
            .arg(hidden)
            .arg(inner.get_program())
            .args(inner.get_args());
        for (key, value) in inner.get_envs() {
            if let Some(value) = value {
                outer.env(key, value);
            }
        }
        Told::of(outer.current_dir("/").output().unwrap())
    }

    fn pointer(&self, wheel: &Unpacked) -> PathBuf {
        let name = &wheel.name;
        self.made.cache().join(format!("wheels-v7/index/c4b871378a779d5b/{name}/1.0-py3-none-any"))
    }
}

fn bytes(answer: &Value) -> (u64, String) {
    let bytes = &answer["plan"]["totals"]["bytes"];
    (bytes["reclaimable"].as_u64().unwrap(), bytes["certainty"].as_str().unwrap().to_owned())
}

#[test]
fn the_lower_layer_frees_nothing_and_the_upper_one_what_it_takes_to_the_block() {
    Layers::all(|layers, _| {
        let entry = layers.made.entry(&layers.above.id);
        let takes = du(&entry);
        let (promised, certainty) = bytes(&done(&layers.made, &["prune", "above", "--dry-run"]));
        assert_eq!((promised, certainty.as_str()), (takes, "exact"));
        let (promised, certainty) = bytes(&done(&layers.made, &["prune", "below", "--dry-run"]));
        assert_eq!((promised, certainty.as_str()), (0, "at-most"));
        let told = run(&layers.made, &["prune", "below", "--dry-run"]);
        assert!(told.stdout.contains("lower layer"), "{}", told.stdout);
        assert!(!told.text().contains("at least"), "{}", told.text());
        let before = du(&layers.upper);
        let report = done(&layers.made, &["prune", "above", "--yes"]);
        assert_eq!(report["report"]["freed"]["predicted"], takes, "{report:#}");
        assert_eq!(before - du(&layers.upper), takes);
        assert!(!entry.exists() && layers.pointer(&layers.above).symlink_metadata().is_err());
    });
}

#[test]
fn room_is_made_by_what_frees_it_and_not_by_what_lies_below() {
    Layers::all(|layers, _| {
        let limits = |arguments: &[&str]| {
            let mut all = vec!["prune", "--unreferenced", "--unused", "--allow", "no-environments,most,gone"];
            all.extend(arguments);
            all.push("--dry-run");
            done(&layers.made, &all)
        };
        // More than the volume has: everything goes that frees something, and nothing else does.
        let answer = limits(&["--keep-free", "900TiB"]);
        let names: Vec<&str> =
            answer["plan"]["steps"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, ["above"], "{answer:#}");
        // A size is about what the cache has, wherever it lies.
        let answer = limits(&["--max-size", "0"]);
        assert_eq!(answer["plan"]["steps"].as_array().unwrap().len(), 2, "{answer:#}");
    });
}

#[test]
fn in_a_container_it_is_at_most_what_may_lie_below_and_exact_for_the_rest() {
    Layers::all(|layers, _| {
        let of = |name: &str| {
            let told = layers.contained(&["prune", name, "--dry-run", "--json"]);
            assert_eq!(told.code, 0, "{}", told.text());
            bytes(&told.json())
        };
        let (promised, certainty) = of("above");
        assert_eq!((promised, certainty.as_str()), (du(&layers.made.entry(&layers.above.id)), "exact"));
        let (promised, certainty) = of("below");
        assert_eq!((promised > 0, certainty.as_str()), (true, "at-most"));
        let list = layers.contained(&["list", "--json"]);
        assert!(list.text().contains("at-most") && !list.text().contains("at-least"), "{}", list.text());
    });
}

#[test]
fn what_cannot_be_renamed_is_deleted_in_place_and_the_trash_is_refused_before_anything_changes() {
    Layers::all(|layers, renames| {
        let made = &layers.made;
        let before = listing(made.base());
        if renames {
            let answer = done(made, &["prune", "below", "--yes", "--trash"]);
            assert!(
                answer["report"]["trash"].is_object() || answer["report"]["trash"].is_string(),
                "{answer:#}"
            );
            let told = run(made, &["undo"]);
            assert_eq!(told.code, 0, "{}", told.text());
            assert!(made.entry(&layers.below.id).is_dir() && layers.pointer(&layers.below).exists());
        } else {
            let told = run(made, &["prune", "below", "above", "--yes", "--trash", "--allow", "most"]);
            assert_eq!(told.code, 1, "{}", told.text());
            assert!(told.stderr.contains("cannot rename directories"), "{}", told.stderr);
            let names = |lines: &[String]| -> Vec<String> {
                lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
            };
            assert_eq!(names(&listing(made.base())), names(&before), "nothing was changed");
            let told = run(made, &["prune", "below", "--dry-run"]);
            let said = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("1 step deletes in place"), "{said}");
        }
        let told = run(made, &["prune", "below", "above", "--yes", "--allow", "most", "--json"]);
        assert_eq!(told.code, 0, "{}", told.text());
        assert_eq!(told.json()["report"]["freed"]["certainty"], "at-most", "{}", told.text());
        for wheel in [&layers.below, &layers.above] {
            assert!(!made.entry(&wheel.id).exists(), "{}", told.text());
            assert!(layers.pointer(wheel).symlink_metadata().is_err());
        }
        assert!(!made.cache().join(".cachetui-trash").exists());
        assert_eq!(told.json()["report"]["notes"].to_string().contains("deleted in place"), !renames);
    });
}

#[test]
fn a_hardlink_to_the_lower_layer_is_not_promised_to_take_nothing() {
    Layers::all(|layers, _| {
        let made = &layers.made;
        let device = |path: &Path| path.metadata().unwrap().dev();
        if device(&made.entry(&layers.below.id).join("below/core.py"))
            != device(&made.entry(&layers.above.id))
        {
            // Layers on two filesystems look like two filesystems, and nothing is planned.
            return;
        }
        made.venv("app");
        made.install("app", &layers.below, Mode::Copy);
        let before = du(&layers.upper);
        let answer = done(made, &["relink", "--all", "--link-mode", "hardlink", "--yes"]);
        let (back, certainty) = bytes(&answer);
        let needed = answer["plan"]["totals"]["bytes"]["needed"].as_u64().unwrap();
        let change = i64::try_from(before).unwrap() - i64::try_from(du(&layers.upper)).unwrap();
        assert_eq!(certainty, "at-most", "{answer:#}");
        assert!(change <= i64::try_from(back).unwrap(), "{change} {answer:#}");
        // Directories of the lower layer are made in the upper one as well.
        assert!(-change <= i64::try_from(needed).unwrap() + 64 * 1024, "{change} {answer:#}");
    });
}

#[test]
fn a_trash_in_the_lower_layer_is_emptied() {
    let (made, wheel, directory) = plain();
    made.point(Form::Relative, 7, &wheel);
    done(&made, &["prune", "one", "--yes", "--trash"]);
    let [upper, work] = ["upper", "work"].map(|name| directory.path().join(name));
    for path in [&upper, &work] {
        std::fs::create_dir(path).unwrap();
    }
    let options = ",redirect_dir=off";
    let Some(_overlay) = Mounted::overlay_over_with(made.base(), &upper, &work, options) else { return };
    let list = done(&made, &["trash", "list"]);
    assert_eq!(list["runs"][0]["bytes"]["reclaimable"], 0, "{list:#}");
    let told = run(&made, &["undo"]);
    assert_eq!(told.code, 1, "what cannot be renamed cannot be put back: {}", told.text());
    let told = run(&made, &["trash", "purge", "--yes"]);
    assert_eq!(told.code, 0, "{}", told.text());
    assert!(!made.cache().join(".cachetui-trash").exists());
}

/// A ground on one filesystem.
fn plain() -> (Made, Unpacked, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let made = Made::new(&directory.path().join("ground"));
    let wheel = wheel("OneOneOneOneOneOneOne", "one");
    made.unpack(&wheel);
    (made, wheel, directory)
}

#[test]
fn what_a_killed_run_was_deleting_in_place_is_deleted_by_the_next_purge_and_nothing_else_is() {
    for (shift, gone) in [(0, true), (1, false)] {
        let (made, wheel, _directory) = plain();
        let entry = made.entry(&wheel.id);
        let stat = entry.metadata().unwrap();
        std::fs::remove_dir_all(entry.join("one")).unwrap();
        let mark = format!(".in-place/{}-{}/archive-v0/{}", stat.dev(), stat.ino() + shift, wheel.id);
        let run_of = made.cache().join(".cachetui-trash/20260101T000000Z-1-0.purging");
        std::fs::create_dir_all(run_of.join(mark)).unwrap();
        let told = run(&made, &["trash", "purge", "--yes"]);
        assert_eq!(told.code, 0, "{}", told.text());
        assert_eq!(entry.exists(), !gone);
        assert!(!made.cache().join(".cachetui-trash").exists());
    }
}

/// Moves a bucket elsewhere and leaves a symlink.
fn moved(made: &Made, bucket: &str, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let from = made.cache().join(bucket);
    let copied = Command::new("cp").arg("-a").arg(&from).arg(to).status().unwrap();
    assert!(copied.success());
    std::fs::remove_dir_all(&from).unwrap();
    symlink(to, &from).unwrap();
}

#[test]
fn a_bucket_that_is_a_symlink_on_the_same_filesystem_is_pruned_and_put_back() {
    let (made, wheel, _directory) = plain();
    made.point(Form::Relative, 7, &wheel);
    moved(&made, "archive-v0", &made.base().join("big/archive-v0"));
    let entry = made.entry(&wheel.id);
    let takes = du(&entry.canonicalize().unwrap());
    let answer = done(&made, &["prune", "one", "--yes", "--trash"]);
    assert_eq!(bytes(&answer).0, takes, "{answer:#}");
    assert!(!entry.exists());
    let told = run(&made, &["undo"]);
    assert_eq!(told.code, 0, "{}", told.text());
    assert!(entry.join("one/core.py").is_file());
    done(&made, &["prune", "one", "--yes"]);
    assert!(!entry.exists() && made.base().join("big/archive-v0").is_dir());
}

#[test]
fn an_entry_of_a_moved_bucket_that_an_environment_reaches_by_a_directory_stays() {
    let (made, wheel, _directory) = plain();
    made.point(Form::Relative, 7, &wheel);
    moved(&made, "archive-v0", &made.base().join("big/archive-v0"));
    let root = made.venv("app");
    symlink(made.entry(&wheel.id).join("one"), root.join("lib/python3.11/site-packages/one")).unwrap();
    let answer = done(&made, &["prune", "--unused", "--dry-run"]);
    assert_eq!(answer["plan"]["steps"], serde_json::json!([]), "{answer:#}");
}

#[test]
fn a_bucket_on_another_filesystem_or_of_another_cache_is_kept_for_the_true_reason() {
    let (made, wheel, directory) = plain();
    made.point(Form::Absolute, 7, &wheel);
    let other = Made::new(&directory.path().join("other"));
    std::fs::remove_dir(other.cache().join("archive-v0")).unwrap();
    moved(&made, "archive-v0", &other.cache().join("archive-v0"));
    let kept = |made: &Made| {
        let answer = done(made, &["prune", "one", "--dry-run"]);
        assert_eq!(answer["plan"]["steps"], serde_json::json!([]), "{answer:#}");
        assert_eq!(answer["plan"]["kept"][0]["because"]["kind"], "moved-bucket", "{answer:#}");
    };
    kept(&made);
    let Some(tmpfs) = Mounted::tmpfs("size=64m") else { return };
    std::fs::remove_file(made.cache().join("archive-v0")).unwrap();
    std::fs::create_dir(made.cache().join("archive-v0")).unwrap();
    made.unpack(&wheel);
    moved(&made, "archive-v0", &tmpfs.path().join("archive-v0"));
    kept(&made);
}
