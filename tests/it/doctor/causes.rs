//! Every cause that keeps files from being linked and that can be made on Linux.
//!
//! Network filesystems and what only Windows does stand as tables beside `diagnose`.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use super::{Clinic, assert_nothing_left, text};
use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::ran;

const NOBODY: u32 = 65_534;

fn clinic() -> Option<(tempfile::TempDir, Clinic)> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let clinic = Clinic::new(directory.path())?;
    Some((directory, clinic))
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![1; size]).is_ok() && file.sync_data().is_ok() {}
    }
}

fn chown_all(path: &Path, owner: u32) {
    for item in walkdir::WalkDir::new(path) {
        std::os::unix::fs::lchown(item.unwrap().path(), Some(owner), Some(owner)).unwrap();
    }
}

#[test]
fn a_healthy_cache_has_no_fault_and_environments_that_are_alike_are_tried_once() {
    let Some((directory, clinic)) = clinic() else { return };
    for name in ["one", "two", "three"] {
        clinic.install(&clinic.sandbox.roots().join(name).join(".venv"), "clone");
    }
    let told = clinic.doctor(&[]);
    assert_eq!((told.code, told.faults()), (0, Vec::new()), "{:#}", told.doctor);
    assert_eq!(told.doctor["probes"], 1);
    let rows = told.doctor["environments"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let could = row["could"].as_str().unwrap();
        assert!(could == "hardlink" || could == "clone", "{row:#}");
        assert_eq!((&row["has"]["mode"], &row["has"]["copied"]), (&row["could"], &0.into()));
        assert_eq!(row["tried"]["symlink"]["works"], true);
    }
    let one = clinic.doctor(&[clinic.sandbox.roots().join("one").to_str().unwrap()]);
    assert_eq!(one.doctor["environments"].as_array().unwrap().len(), 1);
    assert_nothing_left(&[directory.path()]);
}

#[test]
fn without_a_probe_nothing_is_written() {
    let Some((_directory, clinic)) = clinic() else { return };
    let environment = clinic.sandbox.roots().join("healthy/.venv");
    let library = std::fs::read_dir(environment.join("lib")).unwrap().next().unwrap().unwrap().path();
    let changed = || {
        let times = |path: &Path| {
            let metadata = std::fs::metadata(path).unwrap();
            (metadata.ctime(), metadata.ctime_nsec())
        };
        [times(&library.join("site-packages")), times(&clinic.sandbox.cache())]
    };
    let before = changed();
    let told = clinic.doctor(&["--no-probe"]);
    assert_eq!(changed(), before);
    assert_eq!((told.code, &told.doctor["probes"]), (0, &0.into()));
    assert!(told.environment(&environment)["could"].is_null());
    clinic.doctor(&[]);
    assert_ne!(changed(), before, "a probe does write, so that the comparison means something");
}

#[test]
fn an_environment_on_another_device_is_told_where_a_cache_should_lie() {
    let Some((directory, clinic)) = clinic() else { return };
    let Some(other) = Mounted::tmpfs("size=16m") else { return };
    let environment = other.path().join(".venv");
    clinic.install(&environment, "hardlink");
    let told = clinic.doctor(&["--root", other.path().to_str().unwrap()]);
    let cause = told.cause(&environment, "different-device");
    assert_eq!((told.code, &cause["fault"]), (3, &true.into()));
    assert!(cause["bytes"].as_u64().unwrap() >= 72 << 10, "{cause:#}");
    let what = text(cause, "text");
    assert!(what.contains(other.path().to_str().unwrap()) && what.contains("(tmpfs)"), "{what}");
    let advice = text(cause, "advice");
    assert!(advice.contains("UV_CACHE_DIR") && advice.contains(other.path().to_str().unwrap()), "{advice}");
    assert!(!advice.contains("copy"), "a copy is not advised: {advice}");
    let row = told.environment(&environment);
    assert_eq!((&row["could"], &row["has"]["mode"]), (&"copy".into(), &"copy".into()));
    assert_nothing_left(&[directory.path(), other.path()]);
    // With the cache there that the advice asks for, the environment is none of this cache's business.
    let empty = other.path().join("empty");
    clinic.sandbox.run_uv(&["venv", "--quiet", empty.to_str().unwrap()]);
    let told = clinic.doctor(&["--root", other.path().to_str().unwrap(), empty.to_str().unwrap()]);
    assert_eq!(told.cause(&empty, "different-device")["fault"], false);
}

#[test]
fn a_bind_mount_of_the_same_device_is_another_mount() {
    let Some((directory, clinic)) = clinic() else { return };
    let real = clinic.sandbox.path("real");
    std::fs::create_dir(&real).unwrap();
    let Some(bound) = Mounted::bind(&real) else { return };
    let environment = bound.path().join(".venv");
    clinic.install(&environment, "hardlink");
    let told = clinic.doctor(&["--root", bound.path().to_str().unwrap()]);
    let cause = told.cause(&environment, "other-mount");
    let what = text(cause, "text");
    assert!(what.contains(bound.path().to_str().unwrap()), "{what}");
    assert!(text(cause, "advice").contains("Mount the directory above both once"));
    let tried = &told.environment(&environment)["tried"];
    assert_eq!(tried["cache"]["device"], tried["environment"]["device"]);
    assert_ne!(tried["cache"]["mount"], tried["environment"]["mount"]);
    assert_nothing_left(&[directory.path(), bound.path()]);
}

#[test]
fn the_layers_of_a_container_are_told() {
    let Some((directory, clinic)) = clinic() else { return };
    let Some(layers) = Mounted::overlay() else { return };
    let environment = layers.path().join(".venv");
    clinic.install(&environment, "hardlink");
    let told = clinic.doctor(&["--root", layers.path().to_str().unwrap()]);
    let cause = told.cause(&environment, "container-layer");
    let advice = text(cause, "advice");
    assert!(advice.contains("cache mount") && advice.contains("The price is"), "{advice}");
    assert_eq!(told.code, 3);
    assert_nothing_left(&[directory.path(), layers.path()]);
}

#[test]
fn two_subvolumes_clone_and_do_not_hardlink() {
    let Some(btrfs) = Mounted::new("btrfs", 256) else { return };
    let Some(clinic) = Clinic::new(btrfs.path()) else { return };
    let volume = btrfs.path().join("roots/volume");
    ran(Command::new("btrfs").args(["subvolume", "create"]).arg(&volume));
    let environment = volume.join(".venv");
    clinic.install(&environment, "clone");
    let told = clinic.doctor(&[]);
    let cause = told.cause(&environment, "subvolume");
    assert_eq!((told.code, &cause["fault"]), (0, &false.into()), "{:#}", told.doctor);
    assert_eq!(told.environment(&environment)["could"], "clone");
    assert_eq!(
        told.environment(&clinic.sandbox.roots().join("healthy/.venv"))["causes"],
        serde_json::json!([])
    );
    assert_nothing_left(&[btrfs.path()]);
}

#[test]
fn a_filesystem_without_links_is_named() {
    let Some((directory, clinic)) = clinic() else { return };
    let Some(stick) = Mounted::without_links() else { return };
    let target = stick.path().join("target");
    clinic.pip(&["--link-mode", "copy", "--target", target.to_str().unwrap()]);
    let told = clinic.doctor(&["--target", target.to_str().unwrap()]);
    let cause = told.cause(&target, "no-links");
    let what = text(cause, "text");
    assert!(what.contains("FAT") && what.contains(stick.path().to_str().unwrap()), "{what}");
    assert!(text(cause, "advice").contains("filesystem with links"));
    assert_eq!(told.environment(&target)["tried"]["symlink"]["works"], false);
    assert_nothing_left(&[directory.path(), stick.path()]);
}

#[test]
fn a_read_only_environment_is_told() {
    let Some((directory, clinic)) = clinic() else { return };
    let Some(other) = Mounted::tmpfs("size=16m") else { return };
    let environment = other.path().join(".venv");
    clinic.install(&environment, "copy");
    other.make_read_only();
    let told = clinic.doctor(&["--root", other.path().to_str().unwrap()]);
    let cause = told.cause(&environment, "read-only");
    assert!(text(cause, "text").contains("the environment"), "{cause:#}");
    assert_eq!((told.code, &told.environment(&environment)["could"]), (3, &"none".into()));
    assert_nothing_left(&[directory.path()]);
}

#[test]
fn a_read_only_cache_is_told_and_looked_at_with_a_file_of_an_entry() {
    let Some((directory, clinic)) = clinic() else { return };
    let Some(bound) = Mounted::bind(directory.path()) else { return };
    ran(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(bound.path()));
    let mut command = clinic.sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.args(["doctor", "--json", "--no-remember", "--cache-dir"]).arg(bound.path().join("cache"));
    let told = super::Told::by(command.arg("--root").arg(clinic.sandbox.roots()));
    let environment = clinic.sandbox.roots().join("healthy/.venv");
    assert!(text(told.cause(&environment, "read-only"), "text").contains("the cache"));
    // The hardlink went from one mount to another; that is known although nothing could be written to the cache.
    told.cause(&environment, "other-mount");
    assert_nothing_left(&[directory.path()]);
}

#[test]
fn files_of_somebody_else_that_the_kernel_protects_are_told() {
    let Some((directory, clinic)) = clinic() else { return };
    if !rustix::process::geteuid().is_root() {
        return not_run("files of two users need root");
    }
    let protected = std::fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap();
    if protected.trim() == "0" {
        return not_run("the kernel does not protect hardlinks here: fs.protected_hardlinks is 0");
    }
    let environment = clinic.sandbox.roots().join("healthy/.venv");
    let Some(told) = clinic.doctor_to_nobody(&[]) else { return };
    assert_eq!(told.cause(&environment, "not-writable")["fault"], true);
    chown_all(&environment, NOBODY);
    std::fs::set_permissions(clinic.sandbox.cache(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let before = std::fs::metadata(clinic.cached_file()).unwrap();
    let Some(told) = clinic.doctor_to_nobody(&[]) else { return };
    let cause = told.cause(&environment, "foreign-files");
    let what = text(cause, "text");
    assert!(what.contains("user 0") && what.contains("fs.protected_hardlinks"), "{what}");
    // Root must not take them from the environments that share them.
    assert!(text(cause, "advice").contains("relink ENV --link-mode copy"));
    assert!(!text(cause, "advice").contains("chown") && !text(cause, "advice").contains("sudo"));
    assert_eq!(
        told.environment(&environment)["tried"]["hardlink"]["works"],
        true,
        "a file of one's own can be"
    );
    let after = std::fs::metadata(clinic.cached_file()).unwrap();
    assert_eq!((before.nlink(), before.ctime_nsec()), (after.nlink(), after.ctime_nsec()));
    assert_nothing_left(&[directory.path()]);
    // An environment whose owner may write is told what uv does there; root may link everything.
    chown(&environment, Some(0), Some(0)).unwrap();
    assert!(!clinic.doctor(&[]).faults().contains(&"foreign-files"));
}

#[test]
fn a_file_with_as_many_links_as_ext4_allows_is_named() {
    let Some(ext4) = Mounted::new("ext4", 128) else { return };
    let Some(clinic) = Clinic::new(ext4.path()) else { return };
    let file = clinic.cached_file();
    let spare = ext4.path().join("spare");
    std::fs::create_dir(&spare).unwrap();
    let full = (0..70_000).find_map(|number| std::fs::hard_link(&file, spare.join(number.to_string())).err());
    assert_eq!(full.unwrap().kind(), std::io::ErrorKind::TooManyLinks);
    let told = clinic.doctor(&[]);
    let environment = clinic.sandbox.roots().join("healthy/.venv");
    let cause = told.cause(&environment, "link-limit");
    let what = text(cause, "text");
    assert!(what.contains("demo_a/__init__.py") && what.contains("65,000 links"), "{what}");
    assert_eq!((&cause["fault"], told.code), (&false.into(), 0), "one file of many is no fault");
    assert!(text(told.finding("many-links"), "text").contains("65,000 of 65,000"));
    assert_eq!(std::fs::metadata(&file).unwrap().nlink(), 65_000);
    assert_nothing_left(&[&clinic.sandbox.cache(), &environment]);
}

#[test]
fn a_full_filesystem_is_told() {
    let Some((directory, clinic)) = clinic() else { return };
    let Some(other) = Mounted::tmpfs("size=2m") else { return };
    let environment = other.path().join(".venv");
    clinic.install(&environment, "copy");
    fill(&other.path().join("filler"));
    let told = clinic.doctor(&["--root", other.path().to_str().unwrap()]);
    let cause = told.cause(&environment, "no-space");
    assert!(text(cause, "text").contains(other.path().to_str().unwrap()), "{cause:#}");
    assert!(text(cause, "advice").contains("Make room"));
    told.cause(&environment, "different-device");
    assert_nothing_left(&[directory.path(), other.path()]);
}

#[test]
fn a_quota_that_is_used_up_is_told() {
    let Some(btrfs) = Mounted::new("btrfs", 256) else { return };
    let Some(clinic) = Clinic::new(btrfs.path()) else { return };
    let volume = btrfs.path().join("roots/volume");
    ran(Command::new("btrfs").args(["quota", "enable"]).arg(btrfs.path()));
    ran(Command::new("btrfs").args(["subvolume", "create"]).arg(&volume));
    let environment = volume.join(".venv");
    clinic.install(&environment, "clone");
    // Accounts are kept by transaction; what was installed has to be booked before the limit means anything.
    ran(Command::new("sync").arg("-f").arg(&volume));
    ran(Command::new("btrfs").args(["qgroup", "limit", "8M"]).arg(&volume));
    fill(&volume.join("filler"));
    ran(Command::new("sync").arg("-f").arg(&volume));
    let told = clinic.doctor(&[]);
    let cause = told.cause(&environment, "quota");
    assert!(text(cause, "text").contains("quota"), "{cause:#}");
    assert_eq!(told.code, 3);
    assert_nothing_left(&[btrfs.path()]);
}
