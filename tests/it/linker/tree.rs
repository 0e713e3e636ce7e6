//! Whole trees where nothing goes wrong.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cachetui::control::{Cancel, Progress};
use cachetui::disk::{FileStat, Time};
use cachetui::linker::{Expect, Kind, set_time};
use cachetui::scan::print;
use cachetui::snapshot::{Mode, ModeCounts};
use sha2::{Digest as _, Sha256};

use super::{Scene, bits, content, inode, link_tree, run, temporaries};
use crate::support::loopdev::Mounted;

/// A small wheel with a program, a namespace and what uv keeps private.
fn wheel(scene: &Scene) {
    scene.give("demo/__init__.py", "", 0o644);
    scene.give("demo/core.py", "core = 1\n", 0o644);
    scene.give("demo/tool.sh", "#!/bin/sh\n", 0o755);
    scene.give("space/demo/part.py", "part = 1\n", 0o644);
    scene.give("demo-1.0.dist-info/METADATA", "Name: demo\n", 0o644);
    scene.give("demo-1.0.dist-info/RECORD", "demo/core.py,,\n", 0o644);
}

#[test]
fn each_mode_makes_its_kind_of_file_and_never_links_what_is_private() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let scene = Scene::new();
        wheel(&scene);
        let before = content(&scene.entry());
        let report = scene.link(mode, Expect::Absent);
        assert!(report.is_complete() && report.refused.is_empty(), "{report:#?}");
        let mut expected = ModeCounts { copy: 1, ..ModeCounts::default() };
        match mode {
            Mode::Hardlink => expected.hardlink = 5,
            Mode::Symlink => expected.symlink = 5,
            _ => expected.copy = 6,
        }
        assert_eq!(report.made, expected);
        for path in before.keys() {
            let (from, to) = (scene.entry().join(path), scene.environment().join(path));
            let private = path.ends_with("RECORD");
            assert_eq!(inode(&from) == inode(&to), mode == Mode::Hardlink && !private);
            assert_eq!(
                std::fs::read_link(&to).ok(),
                (mode == Mode::Symlink && !private).then(|| from.clone())
            );
            assert_eq!(std::fs::read(&to).unwrap(), before[path]);
            assert_eq!(bits(&to), bits(&from));
        }
        assert_eq!(content(&scene.entry()), before);
        assert_eq!(temporaries(&scene.environment()), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn what_is_as_wanted_already_is_not_touched() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let scene = Scene::new();
        wheel(&scene);
        scene.link(mode, Expect::Absent);
        let stat = |path: &Path| {
            let metadata = std::fs::symlink_metadata(scene.environment().join(path)).unwrap();
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.nlink())
        };
        let paths: Vec<_> = content(&scene.environment()).into_keys().collect();
        let before: Vec<_> = paths.iter().map(|path| stat(path)).collect();
        let directory = stat(Path::new("demo"));
        let mut request = scene.request(mode, Expect::SameContent);
        request.touch = vec!["demo".into()];
        let report = run(&request);
        assert_eq!((report.already, report.made.total()), (6, 0), "{report:#?}");
        assert_eq!(paths.iter().map(|path| stat(path)).collect::<Vec<_>>(), before);
        assert_eq!(stat(Path::new("demo")), directory, "nothing changed, so nothing is touched");
    }
}

#[test]
fn any_mode_becomes_any_other() {
    let scene = Scene::new();
    wheel(&scene);
    scene.link(Mode::Copy, Expect::Absent);
    let core = scene.environment().join("demo/core.py");
    let modes = [Mode::Hardlink, Mode::Copy, Mode::Symlink, Mode::Hardlink, Mode::Symlink, Mode::Copy];
    for mode in modes {
        let report = scene.link(mode, Expect::SameContent);
        assert!(report.is_complete(), "{report:#?}");
        assert_eq!((report.made.total(), report.already), (5, 1), "all but RECORD, {mode:?}: {report:#?}");
        assert_eq!(inode(&core) == inode(&scene.entry().join("demo/core.py")), mode == Mode::Hardlink);
        assert_eq!(std::fs::read_link(&core).is_ok(), mode == Mode::Symlink);
        assert_eq!(std::fs::read(&core).unwrap(), b"core = 1\n");
    }
    assert_eq!(std::fs::metadata(scene.entry().join("demo/core.py")).unwrap().nlink(), 1);
}

#[test]
fn a_changed_file_is_reported_and_left_alone() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let scene = Scene::new();
        wheel(&scene);
        scene.link(Mode::Copy, Expect::Absent);
        let edited = scene.has("demo/core.py", "core = 2\n", 0o644);
        let elsewhere = scene.environment().join("demo/__init__.py");
        std::fs::remove_file(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&edited, &elsewhere).unwrap();
        let report = scene.link(mode, Expect::SameContent);
        assert_eq!(report.modified, [elsewhere.clone(), edited.clone()]);
        assert_eq!(std::fs::read(&edited).unwrap(), b"core = 2\n");
        assert_eq!(std::fs::read_link(&elsewhere).unwrap(), edited);
    }
}

#[test]
fn what_is_not_as_expected_is_stale() {
    let scene = Scene::new();
    wheel(&scene);
    let core = scene.has("demo/core.py", "other\n", 0o644);
    let report = scene.link(Mode::Copy, Expect::Absent);
    assert_eq!((report.stale, report.made.copy), (vec![core.clone()], 5));
    let mut request = scene.request(Mode::Hardlink, Expect::SameContent);
    for item in &mut request.items {
        let stat = FileStat::of(&scene.environment().join(&item.destination)).unwrap();
        item.expect = Expect::Stat(stat);
    }
    set_time(&core, Time::new(1, 0)).unwrap();
    std::fs::remove_file(scene.environment().join("demo/tool.sh")).unwrap();
    let report = run(&request);
    assert_eq!(report.stale, [core.clone(), scene.environment().join("demo/tool.sh")]);
    assert_eq!(report.made.hardlink, 3, "{report:#?}");
    assert_eq!(std::fs::read(core).unwrap(), b"other\n");
}

#[test]
fn one_inode_in_many_places_stays_as_expected_while_its_links_come_and_go() {
    let scene = Scene::new();
    let first = scene.give("a/first.py", "", 0o644);
    for name in ["a/second.py", "b/third.py", "c/fourth.py"] {
        std::fs::create_dir_all(scene.entry().join(name).parent().unwrap()).unwrap();
        std::fs::hard_link(&first, scene.entry().join(name)).unwrap();
    }
    let expect_what_is_there = |mode| {
        let mut request = scene.request(mode, Expect::Absent);
        for item in &mut request.items {
            let path = scene.environment().join(&item.destination);
            item.expect = FileStat::of(&path).map_or(Expect::Absent, Expect::Stat);
        }
        run(&request)
    };
    assert_eq!(expect_what_is_there(Mode::Hardlink).made.hardlink, 4);
    assert_eq!(std::fs::metadata(&first).unwrap().nlink(), 8);
    assert_eq!(expect_what_is_there(Mode::Copy).made.copy, 4);
    std::fs::remove_file(scene.environment().join("c/fourth.py")).unwrap();
    std::fs::hard_link(&first, scene.environment().join("c/fourth.py")).unwrap();
    let report = expect_what_is_there(Mode::Hardlink);
    assert_eq!((report.made.hardlink, report.already, report.stale.len()), (3, 1, 0), "{report:#?}");
    assert_eq!(std::fs::metadata(&first).unwrap().nlink(), 8);
}

#[test]
fn a_namespace_of_two_distributions_is_merged() {
    let scene = Scene::new();
    wheel(&scene);
    scene.has("space/other/part.py", "other = 1\n", 0o644);
    let taken = scene.has("space/demo/part.py", "taken = 1\n", 0o644);
    let report = scene.link(Mode::Hardlink, Expect::Absent);
    assert_eq!(report.stale, std::slice::from_ref(&taken));
    assert_eq!(std::fs::read(&taken).unwrap(), b"taken = 1\n");
    let report = scene.link(Mode::Hardlink, Expect::NoDirectory);
    assert!(report.is_complete());
    assert_eq!(std::fs::read(&taken).unwrap(), b"part = 1\n");
    assert_eq!(std::fs::read(scene.environment().join("space/other/part.py")).unwrap(), b"other = 1\n");
}

#[test]
fn permissions_of_the_environment_are_kept_by_what_is_a_file_of_its_own() {
    let scene = Scene::new();
    scene.give("tool", "content", 0o644);
    scene.give("plain", "content", 0o755);
    let tool = scene.has("tool", "content", 0o755);
    scene.has("plain", "content", 0o600);
    std::fs::hard_link(&tool, scene.environment().join("second name")).unwrap();
    let report = scene.link(Mode::Copy, Expect::SameContent);
    assert_eq!((report.made.copy, report.already), (1, 1));
    assert_eq!(bits(&tool), 0o755);
    assert_eq!(bits(&scene.environment().join("plain")), 0o600);
    let report = scene.link(Mode::Hardlink, Expect::SameContent);
    assert_eq!(
        (report.made.total(), report.kept.len()),
        (0, 2),
        "a hardlink has the bits of the cache's file"
    );
    assert_eq!(bits(&tool), 0o755);
    assert_eq!(bits(&scene.environment().join("plain")), 0o600);
    scene.link(Mode::Copy, Expect::NoDirectory);
    assert_eq!((bits(&tool), bits(&scene.environment().join("plain"))), (0o755, 0o600));
    assert_eq!((bits(&scene.entry().join("tool")), bits(&scene.entry().join("plain"))), (0o644, 0o755));
}

#[test]
fn a_source_that_is_still_what_was_hashed_is_not_read_again() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let scene = Scene::new();
        scene.give("core.py", "good", 0o644);
        scene.give("other.py", "good", 0o644);
        let hashed = |path: &str| Some(print::of(&FileStat::of(&scene.entry().join(path)).unwrap()));
        let mut request = scene.request(mode, Expect::Absent);
        for item in &mut request.items {
            item.hashed = hashed(item.source.to_str().unwrap());
            // What it is not: whoever reads it refuses it.
            item.digest = Some([7; 32]);
        }
        // One is written to, after more than a tick of the kernel, and says that it was not.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let path = scene.entry().join("other.py");
        let modified = FileStat::of(&path).unwrap().modified;
        std::fs::write(&path, "evil").unwrap();
        set_time(&path, modified).unwrap();
        let report = run(&request);
        assert_eq!((report.made.total(), report.unmade), (1, 1), "{mode:?}: {report:#?}");
        assert!(report.failed[0].source.to_string().contains("not what is recorded"));
        assert_eq!(std::fs::read(scene.environment().join("core.py")).unwrap(), b"good");
        assert!(!scene.environment().join("other.py").exists());
    }
}

#[test]
fn a_symlink_that_was_seen_gives_way_and_one_that_came_since_does_not() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let scene = Scene::new();
        scene.give("old.py", "content", 0o644);
        scene.give("new.py", "content", 0o644);
        let at = |name: &str| scene.environment().join(name);
        for name in ["old.py", "new.py"] {
            std::os::unix::fs::symlink("/nowhere", at(name)).unwrap();
        }
        let mut request = scene.request(mode, Expect::Absent);
        for item in &mut request.items {
            item.expect = Expect::Stat(FileStat::of(&scene.environment().join(&item.destination)).unwrap());
        }
        std::os::unix::fs::symlink("/elsewhere", at("new")).unwrap();
        std::fs::rename(at("new"), at("new.py")).unwrap();
        let report = run(&request);
        assert_eq!((report.made.total(), report.stale), (1, vec![at("new.py")]));
        assert_eq!(std::fs::read_link(at("new.py")).unwrap(), Path::new("/elsewhere"));
        assert_eq!(std::fs::read(at("old.py")).unwrap(), b"content");
        assert_eq!(temporaries(&scene.environment()), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_source_with_another_digest_is_not_linked() {
    let scene = Scene::new();
    scene.give("good.py", "good", 0o644);
    scene.give("bad.py", "poisoned", 0o644);
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let mut request = scene.request(mode, Expect::NoDirectory);
        for item in &mut request.items {
            item.digest = Some(Sha256::digest("good").into());
        }
        let report = run(&request);
        assert_eq!((report.made.total(), report.unmade), (1, 1));
        assert_eq!(report.failed[0].path, scene.entry().join("bad.py"));
        assert_eq!(report.failed[0].source.to_string(), "its content is not what is recorded of it");
        assert!(!scene.environment().join("bad.py").exists());
    }
}

#[test]
fn an_entry_is_never_linked_into_itself() {
    let scene = Scene::new();
    let file = scene.give("demo/core.py", "core = 1\n", 0o644);
    let before = inode(&file);
    let request = super::request(&scene.entry(), &scene.entry(), Mode::Copy, Expect::NoDirectory);
    let report = run(&request);
    assert_eq!(report.failed[0].source.to_string(), "the destination is the cache entry itself");
    assert_eq!(inode(&file), before);
}

#[test]
fn paths_that_leave_the_root_and_destinations_named_twice_are_refused() {
    let scene = Scene::new();
    scene.give("a", "content", 0o644);
    let item = scene.request(Mode::Copy, Expect::NoDirectory).items.remove(0);
    let mut request = scene.request(Mode::Copy, Expect::NoDirectory);
    for destination in ["../a", "/a", "b/../../a", "", "a"] {
        request.items.push(cachetui::linker::Item { destination: destination.into(), ..item.clone() });
    }
    for source in ["../a", "/etc/passwd", ""] {
        let destination = format!("c{}", source.len()).into();
        request.items.push(cachetui::linker::Item { source: source.into(), destination, ..item.clone() });
    }
    let report = run(&request);
    assert_eq!((report.made.copy, report.unmade, report.failed.len()), (1, 8, 8), "{report:#?}");
    assert_eq!(content(&scene.environment()).len(), 1);
    assert_eq!(content(scene.directory.path()).len(), 2);
}

#[test]
fn site_packages_is_touched_when_anything_below_it_changed() {
    let scene = Scene::new();
    scene.give("demo/core.py", "core = 1\n", 0o644);
    scene.has("lib/demo/core.py", "core = 1\n", 0o644);
    let library = scene.environment().join("lib");
    set_time(&library, Time::new(1, 0)).unwrap();
    let mut request = scene.request(Mode::Hardlink, Expect::SameContent);
    request.items[0].destination = "lib/demo/core.py".into();
    request.touch = vec!["lib".into()];
    assert_eq!(run(&request).made.hardlink, 1);
    let touched = FileStat::of(&library).unwrap().modified;
    assert!(touched > Time::new(1, 0));
}

#[test]
fn leftovers_of_a_killed_run_go_and_nothing_else_does() {
    let scene = Scene::new();
    scene.give("demo/core.py", "core = 1\n", 0o644);
    let name = |digit: &str| format!("demo/.cachetui-{}.tmp", digit.repeat(32));
    let victim = scene.has("victim", "content", 0o644);
    let file = scene.has(&name("0"), "half", 0o600);
    let link = scene.environment().join(name("1"));
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let directory = scene.environment().join(name("2"));
    std::fs::create_dir(&directory).unwrap();
    let notes = scene.has("demo/.cachetui-notes.tmp", "mine", 0o644);
    let report = scene.link(Mode::Hardlink, Expect::NoDirectory);
    assert_eq!(report.swept, 2);
    assert!(!file.exists() && std::fs::symlink_metadata(&link).is_err());
    assert!(directory.is_dir() && notes.exists() && victim.exists());
}

#[test]
fn cancelled_work_changes_nothing() {
    let scene = Scene::new();
    wheel(&scene);
    let old = scene.has("demo/core.py", "old", 0o644);
    let before = content(&scene.environment());
    let cancel = Cancel::default();
    cancel.cancel();
    let request = scene.request(Mode::Hardlink, Expect::NoDirectory);
    let report = link_tree(&request, &cancel, &Progress::default());
    assert!(report.cancelled && report.made.total() == 0);
    assert_eq!(content(&scene.environment()), before);
    assert_eq!(std::fs::read(old).unwrap(), b"old");
    assert!(!scene.environment().join("space").exists(), "directories that were made are gone again");
}

#[test]
fn progress_counts_every_file_and_its_bytes() {
    let scene = Scene::new();
    wheel(&scene);
    let progress = Progress::default();
    let request = scene.request(Mode::Copy, Expect::Absent);
    link_tree(&request, &Cancel::default(), &progress);
    let bytes: usize = content(&scene.entry()).values().map(Vec::len).sum();
    let counts = progress.counts();
    assert_eq!((counts.files, counts.bytes), (6, bytes as u64));
}

#[test]
fn a_rewritten_script_is_copied_although_its_path_says_nothing() {
    let scene = Scene::new();
    let script = scene.give("bin/tool", "#!python\n", 0o755);
    let mut request = scene.request(Mode::Hardlink, Expect::Absent);
    request.items[0].kind = Kind::Private;
    assert_eq!(run(&request).made.copy, 1);
    let installed = scene.environment().join("bin/tool");
    assert!(inode(&installed) != inode(&script) && bits(&installed) == 0o755);
    std::fs::remove_file(&installed).unwrap();
    std::fs::hard_link(&script, &installed).unwrap();
    request.items[0].expect = Expect::SameContent;
    assert_eq!(run(&request).made.copy, 1, "a link to the cache is no private file");
    assert_ne!(inode(&installed), inode(&script));
}

#[test]
fn clones_share_their_bytes_keep_their_bits_and_are_not_made_twice() {
    for kind in ["btrfs", "xfs"] {
        let Some(mounted) = Mounted::new(kind, 320) else { continue };
        let scene = Scene::beneath(mounted.path());
        wheel(&scene);
        scene.give("demo/data.bin", &"0123456789abcdef".repeat(4096), 0o755);
        let report = scene.link(Mode::Clone, Expect::Absent);
        assert_eq!((report.made.clone, report.made.copy, report.refused.len()), (6, 1, 0), "{report:#?}");
        for path in content(&scene.entry()).keys() {
            let (from, to) = (scene.entry().join(path), scene.environment().join(path));
            assert_eq!((bits(&from), inode(&from) == inode(&to)), (bits(&to), false));
        }
        let report = scene.link(Mode::Clone, Expect::SameContent);
        assert_eq!((report.already, report.made.total()), (7, 0), "{kind}: {report:#?}");
        std::fs::write(scene.environment().join("demo/data.bin"), "0123456789abcdef".repeat(4096)).unwrap();
        let report = scene.link(Mode::Clone, Expect::SameContent);
        assert_eq!(
            (report.already, report.made.clone),
            (6, 1),
            "{kind}: what shares nothing is cloned again"
        );
    }
}
