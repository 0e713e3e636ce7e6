//! Buckets of the cache that lie somewhere else: what a plan promises is done, and what cannot be done is kept before
//! anything is promised.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Unmounted, bind, folder, memory, scene, text};
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran};

/// Puts a bucket somewhere else.
type Put = fn(&Sandbox, &Path) -> Option<Unmounted>;

fn aside(bucket: &Path, place: PathBuf) -> PathBuf {
    folder(place.parent().unwrap().to_owned());
    std::fs::rename(bucket, &place).unwrap();
    place
}

const PLACES: [(&str, Put); 9] = [
    ("of its own name", |sandbox, bucket| {
        let real = aside(bucket, sandbox.path("aside").join(bucket.file_name().unwrap()));
        symlink(real, bucket).unwrap();
        Some(Unmounted(Vec::new()))
    }),
    ("of another user", |sandbox, bucket| {
        let real = aside(bucket, sandbox.path("aside").join(bucket.file_name().unwrap()));
        std::os::unix::fs::chown(&real, Some(5001), Some(5001)).unwrap();
        symlink(real, bucket).unwrap();
        Some(Unmounted(Vec::new()))
    }),
    ("of another name", |sandbox, bucket| {
        symlink(aside(bucket, sandbox.path("aside/other")), bucket).unwrap();
        Some(Unmounted(Vec::new()))
    }),
    ("on another filesystem", |sandbox, bucket| {
        let disk = folder(sandbox.path("disk"));
        if !memory(&disk, &disk) {
            return None;
        }
        let real = disk.join(bucket.file_name().unwrap());
        ran(Command::new("cp").arg("-a").arg(bucket).arg(&real));
        std::fs::remove_dir_all(bucket).unwrap();
        symlink(real, bucket).unwrap();
        Some(Unmounted(vec![disk]))
    }),
    ("in another cache", |sandbox, bucket| {
        let other = folder(sandbox.path("second"));
        std::fs::write(other.join(".lock"), b"").unwrap();
        symlink(aside(bucket, other.join(bucket.file_name().unwrap())), bucket).unwrap();
        Some(Unmounted(Vec::new()))
    }),
    ("nowhere", |sandbox, bucket| {
        aside(bucket, sandbox.path("aside/unplugged"));
        symlink(sandbox.path("not/mounted"), bucket).unwrap();
        Some(Unmounted(Vec::new()))
    }),
    ("in a circle", |sandbox, bucket| {
        aside(bucket, sandbox.path("aside/unplugged"));
        symlink(bucket, bucket).unwrap();
        Some(Unmounted(Vec::new()))
    }),
    ("under a bind mount", |sandbox, bucket| {
        let real = aside(bucket, sandbox.path("aside/other"));
        std::fs::create_dir(bucket).unwrap();
        bind(&real, bucket).then(|| Unmounted(vec![bucket.to_owned()]))
    }),
    ("under a mount", |sandbox, bucket| {
        let real = aside(bucket, sandbox.path("aside/other"));
        std::fs::create_dir(bucket).unwrap();
        if !memory(bucket, bucket) {
            return None;
        }
        ran(Command::new("cp").arg("-a").arg(real.join(".")).arg(bucket));
        Some(Unmounted(vec![bucket.to_owned()]))
    }),
];

const BUCKETS: [&str; 7] =
    ["archive-v0", "wheels-v7", "sdists-v10", "interpreter-v5", "environments-v2", "builds-v0", "simple-v27"];

/// A cache with something in each bucket.
fn cache(base: &Path) -> Option<Sandbox> {
    let sandbox = scene(base, &["demo-a"])?;
    let script = sandbox.path("script.py");
    std::fs::write(&script, "# /// script\n# dependencies = [\"demo-a\"]\n# ///\nimport demo_a\n").unwrap();
    let links = sandbox.path("links");
    sandbox.run_uv(&[
        "run",
        "--quiet",
        "--no-index",
        "--find-links",
        links.to_str().unwrap(),
        script.to_str().unwrap(),
    ]);
    std::fs::write(folder(sandbox.cache().join("builds-v0/.tmpAbC123")).join("left"), b"left").unwrap();
    std::fs::write(folder(sandbox.cache().join("simple-v27/pypi")).join("demo.rkyv"), b"x").unwrap();
    Some(sandbox)
}

/// Every class that does not need a bucket to be old.
const ALL: [&str; 11] = [
    "prune",
    "--unused",
    "--unreferenced",
    "--stale-buckets",
    "--cached-environments",
    "--crash-leftovers",
    "--grace",
    "0h",
    "--yes",
    "--allow",
    "most,no-environments,gone",
];

#[test]
fn what_is_promised_of_a_bucket_that_lies_elsewhere_is_done() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    for bucket in BUCKETS {
        for (place, put) in PLACES {
            let base = tempfile::tempdir().unwrap();
            let Some(sandbox) = cache(base.path()) else { return };
            let Some(_unmounted) = put(&sandbox, &sandbox.cache().join(bucket)) else {
                return not_run("nothing can be mounted here");
            };
            let output = sandbox.cachetui(&ALL).arg("--json").output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let outcomes = answer["report"]["outcomes"].as_array().cloned().unwrap_or_default();
            for outcome in &outcomes {
                assert_eq!(outcome["state"], "done", "{bucket} {place}: {outcome}");
            }
            // What tells of users or leads to entries and cannot be read fails, and keeps all that depends on it.
            let lost = ["nowhere", "in a circle"].contains(&place);
            let tells = !["builds-v0", "simple-v27"].contains(&bucket);
            let code = i32::from(lost && tells);
            assert_eq!(output.status.code(), Some(code), "{bucket} {place}: {}", text(&output));
            if place == "of another user" {
                let is_in = |it: &&Value| it["path"].as_str().unwrap().starts_with(bucket);
                assert_eq!(outcomes.iter().filter(is_in).count(), 0, "{bucket} {place}: {answer:#}");
            }
            let entries = outcomes.iter().filter(|it| it["action"] == "remove-entry").count();
            if lost && tells {
                assert_eq!(entries, 0, "{bucket} {place}: {answer:#}");
            }
            let works = ["sdists-v10", "interpreter-v5", "builds-v0", "simple-v27"].contains(&bucket)
                && !(lost && tells);
            if works || place == "of its own name" {
                assert!(entries > 0, "{bucket} {place}: {}", answer["plan"]["kept"]);
            }
        }
    }
}
