//! The trash: putting back, listing, deleting.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{DEMO_A, Ground, everything};

/// Every file, symlink and directory of the cache with its inode, mode, time and content; of directories in which names
/// come and go the time is left out.
fn contents(ground: &Ground) -> Vec<(PathBuf, String, Vec<u8>)> {
    let cache = ground.cache();
    let items = walkdir::WalkDir::new(&cache).sort_by_file_name().into_iter().map(Result::unwrap);
    items
        .map(|item| {
            let meta = item.path().symlink_metadata().unwrap();
            let relative = item.path().strip_prefix(&cache).unwrap().to_owned();
            let in_entry = relative.starts_with("archive-v0") && relative.components().count() > 1;
            let time = (in_entry || !meta.is_dir()).then(|| (meta.mtime(), meta.mtime_nsec()));
            let content = match meta.file_type() {
                kind if kind.is_file() => std::fs::read(item.path()).unwrap(),
                kind if kind.is_symlink() => {
                    std::fs::read_link(item.path()).unwrap().into_os_string().into_encoded_bytes()
                }
                _ => Vec::new(),
            };
            (relative, format!("{} {:o} {time:?}", meta.ino(), meta.mode()), content)
        })
        .collect()
}

fn runs(ground: &Ground) -> Vec<Value> {
    ground.done(&["trash", "list", "--json"]).json()["runs"].as_array().unwrap().clone()
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn undo_puts_everything_back_as_it_was() {
    let ground = Ground::new();
    let before = contents(&ground);
    let told = ground.done(&everything(&["--yes", "--trash", "--json"])).json();
    let trash = told["report"]["trash"]["path"].as_str().unwrap();
    assert!(trash.starts_with(".cachetui-trash/"), "{trash}");
    assert_eq!(told["report"]["freed"]["measured"], Value::Null, "nothing has come back yet");
    assert_eq!(ground.entries(), 2);
    ground.no_pointer_dangles();
    let doctor = ground.run(&["doctor", "--no-probe", "--json"]).json();
    let findings = doctor["doctor"]["cache"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|it| it["kind"] == "trash"), "{findings:#?}");
    assert!(findings.iter().all(|it| it["kind"] != "strays"), "{findings:#?}");
    let list = ground.done(&["list", "--json"]).json();
    let buckets = list["cache"]["buckets"].as_array().unwrap();
    assert!(buckets.iter().any(|it| it["name"] == ".cachetui-trash" && it["known"] == true), "{buckets:#?}");
    let undone = ground.done(&["undo", "--json"]).json();
    assert!(undone["restored"].as_array().unwrap().iter().all(|it| it["state"] == "done"), "{undone:#}");
    assert_eq!(contents(&ground), before);
    assert_eq!(ground.done(&["undo"]).stdout, "There is nothing to undo: the trash is empty.\n");
}

#[test]
fn undo_leaves_alone_what_uv_has_made_anew() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-a==1.0", "demo-b", "--yes", "--trash"]);
    // uv has fetched demo-a again: another entry, and pointers to it where the old ones were.
    let entry = ground.entry("Anew567890123456");
    put(&entry.join("demo_a/__init__.py"), "new");
    let pointers = ground.cache().join("wheels-v7/index/c4b871378a779d5b/demo-a");
    std::fs::create_dir_all(&pointers).unwrap();
    let link = pointers.join("1.0-py3-none-any");
    symlink("../../../../archive-v0/Anew567890123456", &link).unwrap();
    put(&pointers.join("1.0-py3-none-any.http"), "new");
    let told = ground.run(&["undo", "--json"]);
    assert_eq!(told.code, 1, "{}", told.text());
    let answer = told.json();
    let state = |path: &str| {
        let rows = answer["restored"].as_array().unwrap();
        rows.iter().find(|row| row["path"] == path).unwrap()["state"].clone()
    };
    assert_eq!(state(&format!("archive-v0/{DEMO_A}")), "stale");
    assert_eq!(state("wheels-v7/index/c4b871378a779d5b/demo-b/1.0-py3-none-any"), "done");
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("../../../../archive-v0/Anew567890123456"));
    assert_eq!(std::fs::read_to_string(pointers.join("1.0-py3-none-any.http")).unwrap(), "new");
    assert_eq!(std::fs::read_to_string(entry.join("demo_a/__init__.py")).unwrap(), "new");
    let run = &runs(&ground)[0];
    assert_eq!(
        (&run["entries"], &run["state"]),
        (&json!(1), &json!("kept")),
        "the old one stays in the trash"
    );
    std::fs::remove_file(pointers.join("1.0-py3-none-any.http")).unwrap();
    ground.no_pointer_dangles();
}

#[test]
fn runs_are_listed_restored_by_name_and_deleted_after_a_yes() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-b", "--yes", "--trash"]);
    ground.done(&["prune", "demo-uni", "--yes", "--trash"]);
    let listed = runs(&ground);
    assert_eq!(listed.len(), 2);
    let name = |position: usize| listed[position]["run"].as_str().unwrap();
    assert!(listed.iter().all(|run| run["bytes"]["reclaimable"].as_u64().unwrap() > 0), "{listed:#?}");
    assert_eq!(ground.run(&["trash", "restore", "nothing"]).code, 1);
    let common = &name(0)[..4];
    assert_eq!(ground.run(&["trash", "restore", common]).code, 1, "two runs begin so");
    ground.done(&["trash", "restore", name(0)]);
    assert_eq!((ground.entries(), runs(&ground).len()), (8, 1));
    let asked = ground.run(&["trash", "purge"]);
    assert_eq!((asked.code, runs(&ground).len()), (2, 1), "{}", asked.text());
    ground.done(&["trash", "purge", "--dry-run"]);
    assert_eq!(runs(&ground).len(), 1);
    ground.done(&["trash", "purge", "--yes"]);
    assert!(!ground.cache().join(".cachetui-trash").exists());
    assert_eq!(ground.done(&["trash", "purge", "--yes"]).stdout, "The trash is empty.\n");
    ground.no_pointer_dangles();
}

#[test]
fn what_an_interrupted_deletion_left_is_swept_by_the_next_and_never_put_back() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-b", "--yes", "--trash"]);
    let trash = ground.cache().join(".cachetui-trash");
    let run = std::fs::read_dir(&trash).unwrap().next().unwrap().unwrap().path();
    let mut name = run.file_name().unwrap().to_owned();
    name.push(".purging");
    std::fs::rename(&run, trash.join(&name)).unwrap();
    assert_eq!(runs(&ground)[0]["state"], "purging");
    assert!(ground.done(&["undo"]).stdout.contains("nothing to undo"));
    let told = ground.run(&["trash", "restore", name.to_str().unwrap()]);
    assert_eq!((told.code, ground.entries()), (1, 8), "{}", told.text());
    ground.done(&["prune", "demo-uni", "--yes"]);
    assert!(!trash.exists(), "both are gone");
}
