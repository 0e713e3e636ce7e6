//! Disks without a free byte or inode, and caches and environments that can only be read.

use std::path::Path;
use std::process::Command;

use super::kills::{before_a_detach, before_a_prune, before_a_relink, before_a_repair};
use super::stage::{Case, Stage, none_of};
use super::{uv_agrees, words};
use crate::support::loopdev::Mounted;
use crate::support::uv::ran;

/// Takes what is free: bytes, or inodes.
fn fill(directory: &Path, bytes: bool) {
    use std::io::Write as _;
    let full = directory.join("full");
    std::fs::create_dir(&full).unwrap();
    if bytes {
        let mut file = std::fs::File::create(full.join("bytes")).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
        return;
    }
    let mut number = 0;
    while std::fs::File::create(full.join(number.to_string())).is_ok() {
        number += 1;
    }
}

/// Runs a command where nothing is free, then again where something is.
fn on_a_full_disk(mounted: &Mounted, stage: &Stage, arguments: &str, finally: &[&[&str]]) {
    for bytes in [true, false] {
        let what = if bytes { "byte" } else { "inode" };
        let name = format!("{} without a free {what}", arguments.split(" /").next().unwrap());
        let case = Case { name, stage, arguments: words(arguments), finally, uv: &uv_agrees };
        let ends = case.ends();
        stage.come_back();
        let before = stage.world();
        fill(mounted.path(), bytes);
        let output = case.command().output().unwrap();
        let said = crate::support::text(&output);
        let held = case.holds(&before, &ends, &case.name);
        let done = stage.world().differences(&ends.after);
        ran(Command::new("rm").arg("-rf").arg(mounted.path().join("full")));
        held.unwrap_or_else(|error| panic!("{error}"));
        match output.status.code() {
            Some(0) => none_of(&done, || format!("{}: {said}", case.name)).unwrap(),
            Some(1) => assert!(said.contains("No space left"), "{}: {said}", case.name),
            other => panic!("{}: ended with {other:?}: {said}", case.name),
        }
        case.again(&ends, &case.name).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn small() -> Option<Mounted> {
    Mounted::tmpfs("size=24m,nr_inodes=4000")
}

#[test]
fn on_a_full_disk_a_relink_loses_nothing() {
    for (from, to) in [("copy", "hardlink"), ("copy", "symlink"), ("hardlink", "copy"), ("symlink", "copy")] {
        let Some(mounted) = small() else { return };
        let Some((stage, environment)) = before_a_relink(Stage::new(mounted.path()), from) else { return };
        let arguments = format!("relink --yes {} --link-mode {to}", environment.display());
        on_a_full_disk(&mounted, &stage, &arguments, &[]);
    }
}

#[test]
fn on_a_full_disk_a_repair_an_undo_and_detaching_lose_nothing() {
    for mode in ["symlink", "hardlink", "copy"] {
        let Some(mounted) = small() else { return };
        let Some((stage, environment)) = before_a_repair(Stage::new(mounted.path()), true) else { return };
        let arguments = format!("repair --yes {} --link-mode {mode}", environment.display());
        on_a_full_disk(&mounted, &stage, &arguments, &[]);
    }
    let Some(mounted) = small() else { return };
    let Some(stage) = before_a_prune(Stage::new(mounted.path())) else { return };
    ran(&mut stage.cachetui(&words("prune one two --grace 0h --yes --trash --allow gone")));
    stage.keep();
    on_a_full_disk(&mounted, &stage, "undo", &[]);
    let Some(mounted) = small() else { return };
    let Some((stage, edited)) = before_a_detach(Stage::new(mounted.path()), "hardlink") else { return };
    stage.keep();
    on_a_full_disk(&mounted, &stage, &format!("verify --yes --detach {}", edited.display()), &[]);
}

/// Everything that reads works, everything that changes is refused with a path, and nothing is another one afterwards.
fn refuses(stage: &Stage, reads: &[&str], changes: &[&str], names: &Path) {
    let before = stage.world();
    let run = |arguments: &str| {
        let output = stage.cachetui(&words(arguments)).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    for arguments in reads {
        let (code, said) = run(arguments);
        // An edit that stays is an answer of `repair`; where all can be repaired there is none.
        let stays = arguments.starts_with("repair") && said.contains("Stays as it is");
        assert_eq!(code, Some(if stays { 3 } else { 0 }), "{arguments}: {said}");
    }
    for arguments in changes {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(1), "{arguments}: {said}");
        assert!(said.to_lowercase().contains("read-only"), "{arguments}: {said}");
        assert!(said.contains(names.to_str().unwrap()), "{arguments}: {said}");
    }
    let differences = stage.world().differences(&before);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn of_what_can_only_be_read_everything_is_shown_and_every_change_refused() {
    let Some(mounted) = small() else { return };
    let Some((stage, environment)) = before_a_detach(Stage::new(mounted.path()), "hardlink") else { return };
    let path = environment.display();
    let relink = format!("relink {path} --link-mode copy");
    let detach = format!("verify --detach {path}");
    let reads = [
        "list".to_owned(),
        "envs".to_owned(),
        "links".to_owned(),
        "locks".to_owned(),
        "why one".to_owned(),
        "prune".to_owned(),
        "trash list".to_owned(),
        format!("{relink} --dry-run"),
        format!("{detach} --dry-run"),
        format!("repair {path} --dry-run"),
    ];
    let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
    let changes = [format!("{relink} --yes"), format!("{detach} --yes")];
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    // The environments alone, then everything.
    let roots = stage.sandbox.roots();
    ran(Command::new("mount").arg("--bind").arg(&roots).arg(&roots));
    ran(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&roots));
    let unmounted = Unmounts(roots.clone());
    refuses(&stage, &reads, &changes, &roots);
    drop(unmounted);
    mounted.make_read_only();
    refuses(&stage, &reads, &changes, mounted.path());
}

/// Takes a mount away when dropped.
struct Unmounts(std::path::PathBuf);

impl Drop for Unmounts {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).output());
    }
}

#[test]
fn environments_that_are_broken_and_can_only_be_read_stay_as_they_are() {
    let Some(mounted) = small() else { return };
    let Some((stage, environment)) = before_a_repair(Stage::new(mounted.path()), true) else { return };
    mounted.make_read_only();
    let path = environment.display();
    let reads = ["list".to_owned(), format!("repair {path} --dry-run --link-mode symlink")];
    let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
    refuses(&stage, &reads, &[&format!("repair {path} --yes")], mounted.path());
}
