//! Full and read-only filesystems.

use std::path::Path;

use serde_json::Value;

use super::{Ground, Told, everything};
use crate::support::loopdev::Mounted;

fn free(mounted: &Mounted) -> (u64, u64) {
    let space = rustix::fs::statvfs(mounted.path()).unwrap();
    (space.f_bfree, space.f_ffree)
}

/// Prunes, and answers the notes of the report.
fn prunes(mounted: &Mounted, ground: &Ground) -> Value {
    let told = ground.run(&everything(&["--yes", "--json"]));
    assert_eq!(told.code, 0, "{}", told.text());
    let report = told.json()["report"].clone();
    assert_eq!(ground.entries(), 1);
    let (blocks, inodes) = free(mounted);
    assert!(blocks > 0 && inodes > 0, "{report:#}");
    ground.no_pointer_dangles();
    ground.environment_is_whole();
    report["notes"].clone()
}

/// Writes a file until nothing more can be written.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
}

#[test]
fn on_a_disk_without_a_free_byte_a_prune_frees_space() {
    let Some(mounted) = Mounted::tmpfs("size=4m") else { return };
    let ground = Ground::new().copied_to(mounted.path());
    fill(&mounted.path().join("full"));
    assert_eq!(free(&mounted).0, 0);
    prunes(&mounted, &ground);
}

#[test]
fn on_a_disk_without_a_free_inode_a_prune_frees_some() {
    let Some(mounted) = Mounted::tmpfs("size=8m,nr_inodes=400") else { return };
    let ground = Ground::new().copied_to(mounted.path());
    let mut number = 0;
    while std::fs::File::create(mounted.path().join(format!("full{number}"))).is_ok() {
        number += 1;
    }
    assert_eq!(free(&mounted).1, 0);
    let notes = prunes(&mounted, &ground);
    assert!(notes.to_string().contains("There was no room to make a directory for the trash"), "{notes:#}");
}

#[test]
fn on_a_disk_with_room_for_a_part_of_the_trash_a_prune_frees_what_it_should() {
    for left in [1, 2, 4, 6] {
        let Some(mounted) = Mounted::tmpfs("size=8m,nr_inodes=400") else { return };
        let ground = Ground::new().copied_to(mounted.path());
        let mut number = 0;
        while std::fs::File::create(mounted.path().join(format!("full{number}"))).is_ok() {
            number += 1;
        }
        for number in 0..left {
            std::fs::remove_file(mounted.path().join(format!("full{number}"))).unwrap();
        }
        assert_eq!(free(&mounted).1, left);
        prunes(&mounted, &ground);
    }
}

#[test]
fn of_a_read_only_cache_everything_can_be_read_and_every_change_is_refused_with_the_path() {
    let Some(mounted) = Mounted::tmpfs("size=8m") else { return };
    let ground = Ground::new().copied_to(mounted.path());
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = ground.command(arguments);
        Told::of(command.env("HOME", home.path()).env("XDG_STATE_HOME", home.path()).output().unwrap())
    };
    let plan = home.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    assert_eq!(run(&[&everything(&["--trash", "--yes"])[..]].concat()).code, 0);
    assert_eq!(run(&["undo"]).code, 0);
    assert_eq!(run(&["prune", "demo-b", "--trash", "--yes"]).code, 0);
    assert_eq!(run(&["prune", "demo-a==2.0", "--save", plan]).code, 0);
    mounted.make_read_only();
    for arguments in [&["list"][..], &["prune"], &["prune", "--unused", "--dry-run"], &["trash", "list"]] {
        let told = run(arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {}", told.text());
    }
    let before = super::listing(&ground.cache());
    for arguments in
        [&everything(&["--yes"])[..], &["apply", plan, "--yes"], &["undo"], &["trash", "purge", "--yes"]]
    {
        let told = run(arguments);
        assert_eq!(told.code, 1, "{arguments:?}: {}", told.text());
        assert!(told.text().contains(ground.cache().to_str().unwrap()), "{arguments:?}: {}", told.text());
        assert!(told.text().to_lowercase().contains("read-only"), "{arguments:?}: {}", told.text());
    }
    assert_eq!(super::listing(&ground.cache()), before);
}

/// Who removes an environment because the disk is full gets all that the plan says, although there is no room for a trash.
#[test]
fn on_a_disk_without_a_free_inode_an_environment_goes_with_its_entries() {
    let Some(mounted) = Mounted::tmpfs("size=8m,nr_inodes=400") else { return };
    let ground = Ground::new().copied_to(mounted.path());
    let environment = ground.path("code/proj/.venv");
    // Its files are links to those of the entry.
    for item in walkdir::WalkDir::new(&environment).into_iter().map(Result::unwrap) {
        if item.path_is_symlink() && item.path().is_file() {
            let target = std::fs::read_link(item.path()).unwrap();
            std::fs::remove_file(item.path()).unwrap();
            std::fs::hard_link(target, item.path()).unwrap();
        }
    }
    // uv has worked in it, and made its lock file.
    std::fs::File::create(environment.join(".lock")).unwrap();
    let mut number = 0;
    while std::fs::File::create(mounted.path().join(format!("full{number}"))).is_ok() {
        number += 1;
    }
    let arguments = ["remove", environment.to_str().unwrap(), "--with-entries", "--grace", "0h"];
    let more = ["--allow", "most,gone,no-environments,foreign-files,hidden-processes", "--yes", "--json"];
    let told = ground.run(&[&arguments[..], &more].concat());
    let answer = told.json();
    assert!(answer["plan"]["steps"].as_array().unwrap().len() > 1, "{answer:#}");
    assert_eq!(told.code, 0, "{}", answer["report"]);
    assert!(!environment.exists());
    assert!(answer["report"]["notes"].to_string().contains("no room"), "{}", answer["report"]);
    ground.no_pointer_dangles();
}
