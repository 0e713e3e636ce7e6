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
fn a_size_is_kept_when_what_was_removed_for_it_lies_in_the_trash() {
    let ground = Ground::new();
    let size = |ground: &Ground| {
        let list = ground.done(&["list", "--json"]).json();
        let bytes = |row: &Value| row["bytes"]["disk"].as_u64().unwrap();
        let buckets = list["cache"]["buckets"].as_array().unwrap();
        let trash = buckets.iter().find(|it| it["name"] == ".cachetui-trash").map_or(0, bytes);
        (bytes(&list["cache"]) - trash, trash)
    };
    let (before, nothing) = size(&ground);
    assert_eq!(nothing, 0);
    let limit = (before - 1).to_string();
    let within = ["prune", "--unused", "--max-size", &limit];
    let told = ground.done(&[&within[..], &["--yes", "--trash", "--json"]].concat()).json();
    assert_eq!(told["plan"]["steps"].as_array().unwrap().len(), 1, "{:#}", told["plan"]);
    assert_eq!(told["plan"]["warnings"], json!([]));
    let (after, trash) = size(&ground);
    assert!(after < before && trash > 0, "{after} of {before}, {trash} in the trash");
    // It is kept now, and what lies in the trash makes nothing else go.
    let again = ground.done(&[&within[..], &["--dry-run"]].concat());
    assert!(again.stdout.contains("Nothing to remove."), "{}", again.stdout);
    assert!(again.stdout.contains("The trash takes"), "{}", again.stdout);
    // Put back, it is too large again, and the same goes.
    ground.done(&["undo"]);
    let anew = ground.done(&[&within[..], &["--dry-run", "--json"]].concat()).json();
    assert_eq!(anew["plan"]["steps"][0]["path"], told["plan"]["steps"][0]["path"]);
}

#[test]
fn undo_puts_everything_back_as_it_was() {
    let ground = Ground::new();
    let before = contents(&ground);
    let told = ground.done(&everything(&["--yes", "--trash", "--json"])).json();
    let trash = told["report"]["trash"]["path"].as_str().unwrap();
    assert!(trash.starts_with(".cachetui-trash/"), "{trash}");
    assert_eq!(told["report"]["freed"]["measured"], Value::Null, "nothing has come back yet");
    assert_eq!(ground.entries(), 1);
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
        (&json!(1), &json!("stale")),
        "the old one stays in the trash, and cannot be put back now"
    );
    std::fs::remove_file(pointers.join("1.0-py3-none-any.http")).unwrap();
    ground.no_pointer_dangles();
}

/// What `trash list` says of the only run: whether it can be put back, in words and in JSON.
fn listed(ground: &Ground) -> (String, Value) {
    let row = runs(ground).into_iter().next_back().unwrap();
    (ground.done(&["trash", "list"]).stdout, row)
}

#[test]
fn what_undo_cannot_put_back_is_not_said_to_be_such_and_undo_takes_the_next_one() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-b", "--yes", "--trash"]);
    let older = runs(&ground)[0]["run"].clone();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    ground.done(&["prune", "demo-a==1.0", "--yes", "--trash"]);
    let (said, row) = listed(&ground);
    assert_eq!((&row["state"], row["restorable"].as_u64() > Some(0)), (&json!("kept"), true), "{row:#}");
    assert!(said.contains("can be put back") && !said.contains("cannot"), "{said}");
    // uv has fetched it again: another entry, and every pointer where the old ones were.
    let entry = ground.entry("Anew567890123456");
    put(&entry.join("demo_a/__init__.py"), "new");
    let pointers = ground.cache().join("wheels-v7/index/c4b871378a779d5b/demo-a");
    std::fs::create_dir_all(&pointers).unwrap();
    symlink("../../../../archive-v0/Anew567890123456", pointers.join("1.0-py3-none-any")).unwrap();
    put(&pointers.join("1.0-py3-none-any.http"), "new");
    let before = contents(&ground);
    let (said, row) = listed(&ground);
    assert_eq!((&row["state"], &row["restorable"]), (&json!("stale"), &json!(0)), "{row:#}");
    assert!(said.contains("cannot be put back") && said.contains("fetched or built it again"), "{said}");
    assert_eq!(contents(&ground), before, "looking changes nothing");
    // The same rule: of the newest nothing would come back, so that the older one does.
    let undone = ground.done(&["undo", "--json"]).json();
    assert_eq!(undone["run"], older, "{undone:#}");
    assert!(undone["restored"].as_array().unwrap().iter().all(|it| it["state"] == "done"), "{undone:#}");
    let told = ground.run(&["undo", "--json"]);
    assert_eq!(told.code, 1, "{}", told.text());
    assert!(
        told.json()["restored"].as_array().unwrap().iter().all(|it| it["state"] != "done"),
        "{}",
        told.text()
    );
}

#[test]
fn what_can_be_put_back_in_part_says_how_much_and_putting_it_back_does_just_that() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-a==1.0", "demo-b", "--yes", "--trash"]);
    let whole = runs(&ground)[0]["restorable"].as_u64().unwrap();
    // Something lies where an entry was; of another one the pointer is there again.
    put(&ground.entry(DEMO_A).join("in-the-way"), "");
    let (said, row) = listed(&ground);
    let back = row["restorable"].as_u64().unwrap();
    assert!(back > 0 && back < whole, "{row:#}");
    assert!(said.contains(&format!("{back} of {whole} can be put back")), "{said}");
    let told = ground.run(&["undo", "--json"]);
    let rows = told.json()["restored"].as_array().unwrap().clone();
    let done = rows.iter().filter(|row| row["state"] == "done").count() as u64;
    assert_eq!((told.code, done), (1, back), "{}", told.text());
}

#[test]
fn after_the_cache_was_cleaned_or_moved_the_list_says_what_undo_does() {
    for case in ["cleaned", "moved", "purging", "read-only"] {
        let ground = Ground::new();
        ground.done(&["prune", "demo-a==1.0", "demo-b", "--yes", "--trash"]);
        let trash = ground.cache().join(".cachetui-trash");
        let run = trash.join(runs(&ground)[0]["run"].as_str().unwrap());
        match case {
            // What uv leaves of a cache when something of the trash is in use elsewhere: the entries are gone.
            "cleaned" => {
                std::fs::remove_dir_all(run.join("archive-v0")).unwrap();
            }
            "moved" => std::fs::rename(ground.cache(), ground.path("moved")).unwrap(),
            "purging" => std::fs::rename(&run, run.with_extension("purging")).unwrap(),
            _ => std::fs::remove_dir_all(run.join("wheels-v7")).unwrap(),
        }
        if case == "moved" {
            std::fs::rename(ground.path("moved"), ground.cache()).unwrap();
        }
        let rows = runs(&ground);
        let (expected, state) = (rows[0]["restorable"].as_u64().unwrap(), rows[0]["state"].clone());
        let told = ground.run(&["undo", "--json"]);
        let answer = told.json();
        let done = answer["restored"].as_array().unwrap().iter().filter(|row| row["state"] == "done").count();
        assert_eq!(done as u64, expected, "{case}: {answer:#}");
        let words = match case {
            "cleaned" => "stale",
            "purging" => "purging",
            _ => "kept",
        };
        assert_eq!(state, words, "{case}: {rows:#?}");
    }
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

#[test]
fn of_a_bucket_that_went_as_a_whole_only_pointers_whose_entries_are_there_come_back() {
    let ground = Ground::new();
    let run = ground.cache().join(".cachetui-trash/20260101T000000Z-1-0");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::rename(ground.cache().join("wheels-v7"), run.join("wheels-v7")).unwrap();
    std::fs::remove_dir_all(ground.entry(DEMO_A)).unwrap();
    let told = ground.run(&["undo", "--json"]);
    assert_eq!(told.code, 1, "{}", told.text());
    let rows = told.json()["restored"].as_array().unwrap().clone();
    let stays: Vec<&Value> = rows.iter().filter(|row| row["state"] == "stale").collect();
    assert_eq!(stays.len(), 2, "the link and the pointer of the entry that is gone: {rows:#?}");
    assert!(rows.iter().any(|row| row["state"] == "done"));
    ground.no_pointer_dangles();
}

#[test]
fn while_somebody_works_on_the_trash_nothing_is_removed_emptied_or_put_back() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-a==1.0", "--yes", "--trash"]);
    let trash = std::fs::File::open(ground.cache().join(".cachetui-trash")).unwrap();
    trash.try_lock().unwrap();
    let before = contents(&ground);
    for arguments in [&["prune", "demo-b", "--yes"][..], &["undo"], &["trash", "purge", "--yes"]] {
        let told = ground.run(arguments);
        assert_eq!(told.code, 1, "{arguments:?}: {}", told.text());
        assert!(told.text().contains("another cachetui"), "{arguments:?}: {}", told.text());
        assert_eq!(contents(&ground), before, "{arguments:?}");
    }
    trash.unlock().unwrap();
    ground.done(&["undo"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_prune_holds_the_trash_also_when_it_makes_it() {
    let ground = Ground::new();
    let mut strace = std::process::Command::new("strace");
    if strace.arg("-V").output().is_err() {
        return crate::support::not_run("watching system calls needs strace");
    }
    let plain = ground.command(&["prune", "demo-b", "--yes"]);
    let told = ground.path("strace.txt");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=flock,renameat2", "-o"]).arg(&told);
    strace.arg(plain.get_program()).args(plain.get_args()).env_clear();
    strace.env("HOME", ground.path("home")).env("XDG_STATE_HOME", ground.path("state")).current_dir("/");
    assert!(strace.output().unwrap().status.success());
    let text = std::fs::read_to_string(told).unwrap();
    let held =
        text.lines().position(|line| line.contains("flock(") && line.contains(".cachetui-trash>, LOCK_EX"));
    let moved = text.lines().position(|line| line.contains("renameat2(") && line.contains("archive-v0"));
    assert!(held.is_some() && held < moved, "{text}");
}

#[test]
fn a_cache_without_any_bucket_gets_back_what_lies_in_its_trash() {
    let ground = Ground::new();
    ground.done(&["prune", "demo-b", "--yes", "--trash"]);
    let cache = ground.cache();
    let kept = ["CACHEDIR.TAG", ".gitignore", ".lock", ".cachetui-trash"];
    for item in std::fs::read_dir(&cache).unwrap().map(Result::unwrap) {
        if item.file_type().unwrap().is_dir() && !kept.contains(&item.file_name().to_str().unwrap()) {
            std::fs::remove_dir_all(item.path()).unwrap();
        }
    }
    std::fs::write(cache.join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55").unwrap();
    ground.done(&["undo"]);
    assert!(cache.join("archive-v0").exists());
}
