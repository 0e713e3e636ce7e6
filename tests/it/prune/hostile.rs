//! Plans that somebody has changed: nothing outside what a plan may remove is ever touched.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{DEMO_A, DEMO_C, Ground, Told, everything, listing};

/// A saved plan, and a directory that must not change, which looks like a cache too.
struct Trap {
    ground: Ground,
    plan: Value,
}

impl Trap {
    fn new() -> Self {
        let ground = Ground::new();
        let path = ground.path("plan.json");
        ground.done(&everything(&["--save", path.to_str().unwrap()]));
        let plan = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for directory in ["victim/archive-v0/entry", "victim/wheels-v7/pypi/x"] {
            std::fs::create_dir_all(ground.path(directory)).unwrap();
        }
        for file in [
            "victim/archive-v0/entry/file",
            "victim/wheels-v7/pypi/x/1.0-py3-none-any",
            "victim/CACHEDIR.TAG",
        ] {
            std::fs::write(ground.path(file), "precious").unwrap();
        }
        Self { ground, plan }
    }

    /// Carries out the plan with one step, changed by `change`; answers what was told.
    fn spring(&self, change: impl FnOnce(&mut Value)) -> Told {
        let mut plan = self.plan.clone();
        let path = format!("archive-v0/{DEMO_A}");
        plan["steps"].as_array_mut().unwrap().retain(|step| step["path"] == path.as_str());
        change(&mut plan);
        let file = self.ground.path("changed.json");
        std::fs::write(&file, serde_json::to_vec(&plan).unwrap()).unwrap();
        self.ground.run(&["apply", file.to_str().unwrap(), "--yes"])
    }
}

#[test]
fn paths_that_leave_the_cache_or_name_what_no_plan_may_remove_are_refused() {
    let trap = Trap::new();
    let ground = &trap.ground;
    symlink(ground.path("victim/archive-v0"), ground.cache().join("archive-v1")).unwrap();
    let absolute = ground.path("victim/archive-v0/entry").to_str().unwrap().to_owned();
    let paths = [
        "../victim/archive-v0/entry",
        "archive-v0/../../victim",
        "archive-v0/..",
        "archive-v0",
        "",
        ".",
        "/",
        &absolute,
        "archive-v1/entry",
        "wheels-v7/index",
        ".lock",
        "CACHEDIR.TAG",
        "archive-v0/S-OK9lY4v3cWBBoK/demo_ns",
    ];
    let before = (listing(&ground.path("victim")), listing(&ground.cache()));
    for path in paths {
        for action in ["remove-entry", "remove-environment", "remove-bucket", "remove-leftover"] {
            let told = trap.spring(|plan| {
                plan["steps"][0]["path"] = path.into();
                plan["steps"][0]["action"] = action.into();
            });
            // A plan that contradicts itself is not even read.
            let code = if told.stderr.contains("as a plan") { 2 } else { 1 };
            assert_eq!(told.code, code, "{action} {path}: {}", told.text());
        }
        let told = trap.spring(|plan| plan["steps"][0]["pointers"][0]["path"] = path.into());
        let code = if told.stderr.contains("as a plan") { 2 } else { 1 };
        assert_eq!(told.code, code, "pointer {path}: {}", told.text());
    }
    let raw = trap.spring(|plan| {
        plan["steps"][0]["path_bytes"] = data_encoding::BASE64.encode(absolute.as_bytes()).into();
    });
    assert_eq!(raw.code, 2, "what is shown has to be what is meant: {}", raw.text());
    assert_eq!(listing(&ground.path("victim")), before.0);
    // Runs that remove nothing make a trash and take it away, which the root's own times show; `listing` leaves it out.
    assert_eq!(listing(&ground.cache()), before.1);
}

#[test]
fn an_entry_in_use_is_not_removed_under_the_name_of_another() {
    let trap = Trap::new();
    let told = trap.spring(|plan| plan["steps"][0]["path"] = format!("archive-v0/{DEMO_C}").into());
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("uses it now"), "{}", told.text());
    assert_eq!(trap.ground.entries(), 9);
    trap.ground.environment_is_whole();
}

#[test]
fn a_plan_for_another_cache_and_what_is_no_plan_are_refused_before_anything_is_locked() {
    let trap = Trap::new();
    let victim = trap.ground.path("victim");
    let before = (listing(&victim), trap.ground.listing());
    let other = trap.spring(|plan| plan["cache"] = json!({"path": victim.to_str().unwrap()}));
    assert_eq!((other.code, other.stderr.contains("is for the cache")), (2, true), "{}", other.text());
    let version = trap.spring(|plan| plan["schema_version"] = 99.into());
    assert_eq!((version.code, version.stderr.contains("version 99")), (2, true), "{}", version.text());
    let broken = trap.spring(|plan| plan["steps"][0]["action"] = "remove-home".into());
    assert_eq!((broken.code, broken.stderr.contains("changed.json")), (2, true), "{}", broken.text());
    for text in ["", "{}", "[]", "null", "{\"schema_version\":1}", "\u{0}"] {
        let file = trap.ground.path("changed.json");
        std::fs::write(&file, text).unwrap();
        assert_eq!(trap.ground.run(&["apply", file.to_str().unwrap(), "--yes"]).code, 2, "{text:?}");
    }
    std::fs::remove_file(trap.ground.path("changed.json")).unwrap();
    assert_eq!((listing(&victim), trap.ground.listing()), before);
}

#[test]
fn no_text_of_a_plan_reaches_the_terminal_as_a_command() {
    let trap = Trap::new();
    let told = trap.spring(|plan| {
        let step = &mut plan["steps"][0];
        for key in ["name", "version", "reason", "path"] {
            step[key] = "\u{1b}]0;evil\u{7}\u{202e}".into();
        }
        step["users"] = json!([{"path": "\u{1b}[2J"}]);
        plan["scope"]["unread"] = json!([{"path": "/\u{1b}[2J"}]);
        plan["cautions"] = json!([{"allowance": "most", "text": "\u{1b}[2J"}]);
        let kept = json!({"path": "x", "name": "\u{1b}[2J", "version": "\u{7}", "disk": u64::MAX,
            "because": {"kind": "doubt"}, "reason": "\u{9b}2J"});
        plan["kept"] = json!([kept.clone(), kept]);
    });
    assert!(
        told.code != 0 && !told.text().contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']),
        "{:?}",
        told.text()
    );
    assert!(told.text().contains("\\x1b]0;evil"), "{}", told.text());
}

#[test]
fn a_trash_that_is_a_symlink_is_neither_filled_nor_emptied_nor_put_back() {
    let trap = Trap::new();
    let ground = &trap.ground;
    let victim = ground.path("victim");
    symlink(&victim, ground.cache().join(".cachetui-trash")).unwrap();
    let before = (listing(&victim), listing(&ground.cache()));
    let prune = everything(&["--yes"]);
    for arguments in [&prune[..], &["undo"], &["trash", "restore", "wheels-v7"], &["trash", "purge", "--yes"]]
    {
        let told = ground.run(arguments);
        assert_eq!(told.code, 1, "{arguments:?}: {}", told.text());
        assert!(told.text().contains(".cachetui-trash"), "{arguments:?}: {}", told.text());
    }
    assert_eq!((listing(&victim), listing(&ground.cache())), before);
}
