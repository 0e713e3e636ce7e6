//! The Windows program and the real Windows uv on one cache, under Wine; what they do is measured from here.
//!
//! What Wine 8 cannot show is not claimed: it makes no symlinks.

mod interface;
mod lab;
mod same;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::text;
use crate::support::uv::ran;
use lab::{Lab, ends};

fn list<'a>(answer: &'a Value, key: &str) -> &'a Vec<Value> {
    answer[key].as_array().unwrap_or_else(|| panic!("no `{key}`: {answer:#}"))
}

/// The files of a tree.
fn files(root: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    walk.filter(|item| item.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

fn inodes(root: &Path) -> BTreeSet<u64> {
    files(root).iter().map(|path| path.metadata().unwrap().ino()).collect()
}

/// How many files of a tree are the cache's too.
fn linked(lab: &Lab, environment: &Path) -> usize {
    let cached = inodes(&lab.cache().join("archive-v0"));
    files(environment).iter().filter(|path| cached.contains(&path.metadata().unwrap().ino())).count()
}

#[test]
fn entries_environments_and_links_are_what_lies_on_disk() {
    let Some(lab) = Lab::new() else { return };
    let hard = lab.install("hard", "hardlink", &["demo-a==1.0", "demo-b"]);
    lab.install("copied", "copy", &["demo-a==1.0"]);
    let (answer, code) = lab.json(&["list"]);
    assert_eq!((code, list(&answer, "problems")), (0, &Vec::new()));
    let entries = list(&answer, "entries");
    let mut ids: Vec<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, lab.entries());
    for entry in entries {
        let own = files(&lab.cache().join("archive-v0").join(entry["id"].as_str().unwrap()));
        let bytes: u64 = own.iter().map(|path| path.metadata().unwrap().len()).sum();
        assert_eq!((&entry["files"], &entry["bytes"]["logical"]), (&own.len().into(), &bytes.into()));
        let name = entry["name"].as_str().unwrap();
        let users = list(entry, "users");
        let by = |environment: &str, mode: &str| {
            let fits =
                |user: &&Value| user["environment"] == lab.windows(&format!("envs/{environment}/.venv"));
            users.iter().find(fits).map_or(0, |user| user["by"][mode].as_u64().unwrap())
        };
        let shared = own.iter().filter(|path| path.metadata().unwrap().nlink() > 1).count() as u64;
        assert!(shared > 1, "{name}: uv made hardlinks");
        assert_eq!(by("hard", "hardlink"), shared, "{entry:#}");
        assert_eq!(by("copied", "copy"), if name == "demo-a" { shared } else { 0 }, "{entry:#}");
        assert_eq!(entry["state"], "used");
    }

    let (answer, code) = lab.json(&["envs", "--dists"]);
    let environments = list(&answer, "environments");
    let paths: Vec<&str> = environments.iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(
        (code, paths),
        (0, vec![&*lab.windows("envs/copied/.venv"), &*lab.windows("envs/hard/.venv")])
    );
    for (environment, mode, packages) in [(&environments[0], "copy", 1), (&environments[1], "hardlink", 2)] {
        let distributions = list(environment, "distributions");
        assert_eq!((distributions.len(), &environment["health"]), (packages, &"ok".into()));
        let fits = |it: &Value| it["mode"] == mode && it["state"] == "ok";
        assert!(distributions.iter().all(fits), "{environment:#}");
        assert_eq!((&environment["python"], &environment["manager"]), (&"3.11.7".into(), &"uv".into()));
    }
    let counted: u64 = list(&environments[1], "distributions")
        .iter()
        .map(|it| it["files"]["hardlink"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, linked(&lab, &hard) as u64);

    let (answer, code) = lab.json(&["links"]);
    let pointers = list(&answer, "pointers");
    assert!(code == 0 && pointers.iter().all(|pointer| pointer["state"] == "live"), "{answer:#}");
    let shown: Vec<(String, Vec<u8>)> = pointers
        .iter()
        .filter(|pointer| pointer["form"] == "link-file")
        .map(|pointer| {
            let path = pointer["path"].as_str().unwrap().replace('\\', "/");
            (path, pointer["target"].as_str().unwrap().into())
        })
        .collect();
    assert_eq!(shown, lab.link_files());
    assert!(shown.iter().all(|(_, said)| said.len() == 27), "archive-v0/ and 16 characters, no newline");
}

#[test]
fn what_is_pruned_can_be_installed_again_and_undone() {
    let Some(lab) = Lab::new() else { return };
    let hard = lab.install("hard", "hardlink", &["demo-a==1.0", "demo-b"]);
    let before: Vec<Vec<u8>> = files(&hard).iter().map(|path| std::fs::read(path).unwrap()).collect();
    let all = lab.entries();
    let (answer, code) = lab.json(&["prune", "demo-a", "--yes", "--trash", "--allow", "gone"]);
    assert_eq!((code, &answer["report"]["outcomes"][0]["state"]), (0, &"done".into()), "{answer:#}");
    assert_eq!(lab.entries().len(), 1);
    assert!(lab.link_files().iter().all(|(path, _)| !path.contains("demo-a")));
    let now: Vec<Vec<u8>> = files(&hard).iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(now, before, "an environment of hardlinks keeps everything");
    ends(&mut lab.cachetui(&["trash", "list"]), 0);
    ends(&mut lab.cachetui(&["undo"]), 0);
    assert_eq!(lab.entries(), all);
    let (answer, code) = lab.json(&["prune", "demo-a", "--yes", "--allow", "gone"]);
    assert_eq!((code, &answer["report"]["outcomes"][0]["state"]), (0, &"done".into()), "{answer:#}");
    lab.install("again", "hardlink", &["demo-a==1.0"]);
    assert_eq!(lab.entries().len(), 2);
    ran(&mut lab.uv(&["cache", "prune", "--quiet"]));
    assert_eq!(lab.entries().len(), 2, "uv's own prune finds nothing that was left half done");
    assert!(!lab.cache().join(".cachetui-trash").exists());
}

#[test]
fn an_environment_is_removed_with_its_entries_and_put_back() {
    let Some(lab) = Lab::new() else { return };
    let stays = lab.install("stays", "hardlink", &["demo-b"]);
    let goes = lab.install("goes", "hardlink", &["demo-a==1.0", "demo-b"]);
    let content = |root: &std::path::Path| -> Vec<Vec<u8>> {
        files(root).iter().map(|path| std::fs::read(path).unwrap()).collect()
    };
    let (before, other, all) = (content(&goes), content(&stays), lab.entries());
    let root = lab.windows("envs/goes/.venv");
    let start = [
        "remove",
        &root,
        "--with-entries",
        "--grace",
        "0h",
        "--allow",
        "gone,most,hidden-processes",
        "--yes",
    ];
    let (answer, code) = lab.json(&[&start[..], &["--trash"]].concat());
    let states = answer["report"]["outcomes"].as_array().unwrap();
    assert!(code == 0 && states.len() == 2 && states.iter().all(|it| it["state"] == "done"), "{answer:#}");
    assert_eq!((lab.entries().len(), goes.exists()), (1, false));
    let (listed, _) = lab.json(&["trash", "list"]);
    assert_eq!(listed["runs"][0]["environments"], 1, "{listed:#}");
    ends(&mut lab.cachetui(&["undo"]), 0);
    assert_eq!((content(&goes), lab.entries()), (before, all));
    let (answer, code) = lab.json(&start);
    assert_eq!(code, 0, "{answer:#}");
    assert!(!goes.exists() && !goes.parent().unwrap().join(".cachetui-trash").exists());
    assert_eq!(content(&stays), other);
}

/// A policy is carried out, is cheap where nothing is due, and what a timer would run is shown; nothing of it needs a Unix.
#[test]
fn a_policy_is_carried_out_and_a_task_of_the_system_would_run_it() {
    let Some(lab) = Lab::new() else { return };
    let stays = lab.install("stays", "hardlink", &["demo-b"]);
    let goes = lab.install("goes", "hardlink", &["demo-a==1.0"]);
    std::fs::remove_dir_all(&goes).unwrap();
    // A project that is there without its environment.
    std::fs::write(goes.parent().unwrap().join("README"), "").unwrap();
    let gc =
        ["gc", "--auto", "--older-than", "0d", "--grace", "off", "--allow", "gone,most,hidden-processes"];
    let (answer, code) = lab.json(&gc);
    assert_eq!((code, &answer["gc"]["due"]), (0, &true.into()), "{answer:#}");
    assert_eq!(lab.entries().len(), 1, "{answer:#}");
    assert!(lab.link_files().iter().all(|(path, _)| !path.contains("demo-a")));
    let (answer, _) = lab.json(&gc);
    assert_eq!(answer["gc"]["due"], false);
    ends(&mut lab.cachetui(&["undo"]), 0);
    assert_eq!(lab.entries().len(), 2);
    assert!(stays.join("pyvenv.cfg").is_file());

    let mut show = lab.cachetui(&["config", "show", "--json"]);
    let (shown, code) =
        lab::json(show.env("CACHETUI_MAX_SIZE", "40G").env("CACHETUI_ROOTS", r"C:\one;C:\two"));
    let value = |key: &str| {
        let row = list(&shown, "settings").iter().find(|row| row["key"] == key);
        row.unwrap_or_else(|| panic!("{shown:#}"))["value"].as_str().unwrap().to_owned()
    };
    assert_eq!((code, &*value("policy.max-size")), (0, "40G"));
    assert!(value("roots").starts_with(r"C:\one, C:\two"), "{shown:#}");
    let mut install = lab.cachetui(&["schedule", "install", "--dry-run", "--json"]);
    let (task, code) = lab::json(install.env("CACHETUI_MAX_SIZE", "40G"));
    assert_eq!((code, &task["system"]), (0, &"task-scheduler".into()), "{task:#}");
    let text = task["files"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("gc --auto --when-free=8h --cache-dir") && text.contains(".exe</Command>"),
        "{text}"
    );
}

/// Lays something over a link file.
fn damage(path: &Path, what: Option<&str>) {
    std::fs::remove_file(path).unwrap();
    if let Some(text) = what {
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn without_its_link_file_an_entry_is_lost_to_uv() {
    let Some(lab) = Lab::new() else { return };
    lab.install("hard", "hardlink", &["demo-b"]);
    let (path, said) = lab.link_files().remove(0);
    damage(&lab.cache().join(path), Some(&format!("{}\n", String::from_utf8(said).unwrap())));
    ran(&mut lab.uv(&["cache", "prune", "--quiet"]));
    assert_eq!(lab.entries(), [] as [String; 0], "a newline is enough");
    ran(&mut lab.uv(&["venv", "--quiet", &lab.windows("envs/again/.venv")]));
    let failed = lab.pip("again", &["install", "demo-b"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(2), "{}", text(&failed));
}

#[test]
fn link_files_are_written_anew_to_the_byte_and_uv_keeps_their_entries() {
    let Some(lab) = Lab::new() else { return };
    lab.install("hard", "hardlink", &["demo-a==1.0", "demo-b"]);
    lab.install("other", "hardlink", &["demo-a==2.0"]);
    let (before, all) = (lab.link_files(), lab.entries());
    assert_eq!((before.len(), all.len()), (3, 3));
    let half = String::from_utf8_lossy(&before[2].1[..14]).into_owned();
    let stale = String::from_utf8_lossy(&before[1].1).replace("v0", "v1");
    for whats in [[None, Some("archive-v0/Gone567890123456"), Some(&*half)], [Some(""), Some(&*stale), None]]
    {
        for ((path, _), what) in before.iter().zip(whats) {
            damage(&lab.cache().join(path), what);
        }
        let said = text(&ran(&mut lab.cachetui(&["links"])));
        assert!(said.contains("`cachetui repair --links`"), "{said}");
        ends(&mut lab.cachetui(&["doctor", "--no-probe"]), 3);
        let (answer, code) = lab.json(&["repair", "--links", "--yes"]);
        let steps = list(&answer["plan"], "steps");
        assert!(code == 0 && steps.len() == 3, "{answer:#}");
        assert!(
            steps.iter().all(|it| it["action"] == "restore-link" && it["form"] == "link-file"),
            "{answer:#}"
        );
        assert_eq!(lab.link_files(), before, "27 bytes each, as uv wrote them");
        let again = ends(&mut lab.cachetui(&["repair", "--links"]), 0);
        assert!(again.contains("Nothing is broken"), "{again}");
        ran(&mut lab.uv(&["cache", "prune", "--quiet"]));
        assert_eq!(lab.entries(), all);
    }
    lab.install("again", "hardlink", &["demo-a==1.0", "demo-b"]);
}

#[test]
fn environments_are_relinked_and_uv_goes_on_with_them() {
    let Some(lab) = Lab::new() else { return };
    let root = lab.install("app", "hardlink", &["demo-a==1.0", "demo-b"]);
    let windows = lab.windows("envs/app/.venv");
    let content = |root: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        files(root).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = content(&root);
    let links = linked(&lab, &root);
    assert!(links > 6, "{links}");
    for (mode, expected) in [("copy", 0), ("hardlink", links), ("copy", 0)] {
        let (answer, code) = lab.json(&["relink", &windows, "--link-mode", mode, "--yes"]);
        assert_eq!(code, 0, "{answer:#}");
        assert_eq!(linked(&lab, &root), expected, "{mode}: {answer:#}");
        let now: Vec<_> = content(&root).into_iter().filter(|(path, _)| !path.ends_with(".lock")).collect();
        let then: Vec<_> = before.iter().filter(|(path, _)| !path.ends_with(".lock")).cloned().collect();
        assert_eq!(now, then, "{mode}: every file is as it was");
        ran(&mut lab.pip("app", &["check"]));
    }
    ran(&mut lab.pip("app", &["uninstall", "demo-a"]));
    assert!(!root.join("Lib/site-packages/demo_a").exists());
    ran(&mut lab.pip("app", &["install", "demo-a==2.0"]));
    ends(&mut lab.cachetui(&["verify"]), 0);
}

#[test]
fn a_file_that_is_missing_is_linked_again() {
    let Some(lab) = Lab::new() else { return };
    let root = lab.install("app", "hardlink", &["demo-a==1.0"]);
    let module = root.join("Lib/site-packages/demo_a/bulk.bin");
    let inode = module.metadata().unwrap().ino();
    std::fs::remove_file(&module).unwrap();
    ends(&mut lab.cachetui(&["envs"]), 0);
    let (answer, code) = lab.json(&["repair", "--all", "--yes"]);
    assert_eq!((code, &answer["plan"]["steps"][0]["action"]), (0, &"link".into()), "{answer:#}");
    assert_eq!(module.metadata().unwrap().ino(), inode, "a hardlink of the entry's");
}

#[test]
fn uv_waits_for_our_lock_and_we_answer_busy_for_its() {
    let Some(lab) = Lab::new() else { return };
    let root = lab.install("app", "hardlink", &["demo-a==1.0"]);
    lab.install("copied", "copy", &["demo-a==1.0"]);
    let all = lab.entries();
    // uv runs a program, and holds the cache's lock together with others for as long.
    let at_work = lab.uv_at_work();
    let mut prune = lab.cachetui(&["prune", "demo-a", "--yes", "--allow", "gone"]);
    let said = ends(prune.env("UV_LOCK_TIMEOUT", "0"), 11);
    assert!(said.contains("lock"), "{said}");
    assert_eq!(lab.entries(), all);
    ends(&mut lab.cachetui(&["list"]), 0);
    drop(at_work);

    // cachetui keeps an edit in one environment: it has the cache's lock alone, and waits for the environment's.
    let module = root.join("Lib/site-packages/demo_a/__init__.py");
    let mut edited = std::fs::File::options().append(true).open(&module).unwrap();
    edited.write_all(b"EDITED = True\n").unwrap();
    drop(edited);
    ends(&mut lab.cachetui(&["verify"]), 3);
    let in_the_way = lab.hold("exclusive", "envs/app/.venv/.lock");
    let mut detach = lab.cachetui(&["verify", "--detach", &lab.windows("envs/app/.venv"), "--yes"]);
    let detach = detach.env("UV_LOCK_TIMEOUT", "120").stderr(std::process::Stdio::piped()).spawn();
    let mut detach = detach.unwrap();
    // It says that it waits, and has the cache's lock then.
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(detach.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.starts_with("Waiting for") && line.contains(".lock"), "{line}");
    let mut uv = lab.uv(&["cache", "prune"]);
    let output = uv.env("UV_LOCK_TIMEOUT", "1").output().unwrap();
    assert!(output.status.code() == Some(2) && text(&output).contains("Timeout"), "{}", text(&output));
    drop(in_the_way);
    assert!(detach.wait().unwrap().success());
    ran(&mut lab.uv(&["cache", "prune", "--quiet"]));
    assert_eq!(lab.entries(), all);
    assert!(std::fs::read_to_string(&module).unwrap().ends_with("EDITED = True\n"));
    assert_eq!(linked(&lab, &root) + 1, linked(&lab, &lab.install("new", "hardlink", &["demo-a==1.0"])));
}

#[test]
fn every_command_answers_in_paths_that_people_use() {
    let Some(lab) = Lab::new() else { return };
    lab.install("app", "hardlink", &["demo-a==1.0", "demo-b"]);
    std::fs::remove_file(lab.path("envs/app/.venv/Lib/site-packages/demo_b/__init__.py")).unwrap();
    let asked: [(&[&str], i32); 12] = [
        (&["list"], 0),
        (&["envs"], 0),
        (&["links"], 0),
        (&["why", "demo-a"], 0),
        (&["doctor"], 3),
        (&["verify"], 0),
        (&["locks", "--all"], 0),
        (&["prune", "--unused", "--dry-run"], 0),
        (&["relink", "--all", "--link-mode", "copy", "--dry-run"], 0),
        (&["repair", "--all", "--dry-run"], 0),
        (&["undo"], 0),
        (&["trash", "list"], 0),
    ];
    for (arguments, code) in asked {
        let said = ends(&mut lab.cachetui(arguments), code);
        assert!(!said.contains(r"\\?\"), "{arguments:?}: {said}");
    }
}

#[test]
fn without_standard_handles_it_does_its_work_and_says_nothing() {
    let Some(lab) = Lab::new() else { return };
    lab.install("app", "hardlink", &["demo-a==1.0", "demo-b"]);
    for arguments in [&["list"][..], &["envs", "--json"]] {
        assert_eq!(ends(&mut lab.bare(arguments), 0), "", "{arguments:?}");
    }
    ends(&mut lab.bare(&["prune", "demo-b", "--yes", "--allow", "gone"]), 0);
    assert_eq!(lab.entries().len(), 1);
    ends(&mut lab.bare(&["tui"]), 2);
}
