//! Several trees linked into one environment at once.

use std::path::PathBuf;

use cachetui::control::{Cancel, Progress};
use cachetui::disk::temporary::temporary_name;
use cachetui::linker::{Expect, Root, TreeRequest, link_trees};
use cachetui::snapshot::Mode;

use super::{Scene, content, inode, request, temporaries, write};

/// As many entries as there are numbers, each with files in directories of its own and in some that all have.
fn entries(scene: &Scene, count: usize) -> Vec<PathBuf> {
    let entry = |number: usize| {
        let entry = scene.directory.path().join(format!("cache/archive-v0/Entry{number:011}"));
        for part in 0..5 {
            write(&entry.join(format!("demo{number}/a/part{part}.py")), &format!("{number} {part}\n"), 0o644);
        }
        write(&entry.join(format!("shared/from{number}.py")), &format!("{number}\n"), 0o644);
        write(&entry.join(format!("top{number}.py")), &format!("top {number}\n"), 0o644);
        entry
    };
    (0..count).map(entry).collect()
}

#[test]
fn trees_that_are_linked_together_end_as_those_that_are_linked_alone() {
    // Wine only says that it makes symlinks.
    let modes = [Mode::Hardlink, Mode::Copy].into_iter().chain(cfg!(unix).then_some(Mode::Symlink));
    for mode in modes {
        let scene = Scene::new();
        let entries = entries(&scene, 12);
        let root = scene.environment();
        // A killed run has left something where several of them work.
        let left = root.join("shared").join(temporary_name());
        write(&left, "half", 0o644);
        let requests: Vec<TreeRequest> =
            entries.iter().map(|entry| request(entry, &root, mode, Expect::Absent)).collect();
        let (cancel, progress) = (Cancel::default(), Progress::default());
        let opened = Root::open(&root).unwrap();
        let reports = link_trees(&opened, &requests, 4, &cancel, &progress);
        assert_eq!(reports.len(), requests.len());
        assert!(
            reports.iter().all(|report| report.is_complete() && report.made.total() == 7),
            "{reports:#?}"
        );
        assert_eq!(reports.iter().map(|report| report.swept).sum::<u64>(), 1);
        assert_eq!(temporaries(&root), [] as [PathBuf; 0]);
        let mut found = 0;
        for entry in &entries {
            for (path, bytes) in content(entry) {
                let made = root.join(&path);
                assert_eq!(std::fs::read(&made).unwrap(), bytes);
                assert_eq!(inode(&made) == inode(&entry.join(&path)), mode == Mode::Hardlink);
                found += 1;
            }
        }
        assert_eq!(content(&root).len(), found, "nothing else is there");
        assert_eq!(progress.counts().files, found as u64);
    }
}

/// As in a cache that is addressed by content (uv 0.13.8, in preview): whoever links a file changes the change time of all.
#[cfg(unix)]
#[test]
fn a_file_that_others_link_at_the_same_moment_is_still_the_right_one() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use cachetui::disk::{FileStat, read};
    use cachetui::scan::print;

    for mode in [Mode::Hardlink, Mode::Copy, Mode::Symlink] {
        let scene = Scene::new();
        let object = scene.directory.path().join("cache/files-v0/object");
        write(&object, "", 0o644);
        let entry = |number: usize| {
            let entry = scene.directory.path().join(format!("cache/archive-v0/Entry{number:011}"));
            let package = entry.join(format!("demo{number}"));
            std::fs::create_dir_all(&package).unwrap();
            for part in 0..100 {
                std::fs::hard_link(&object, package.join(format!("part{part}.py"))).unwrap();
            }
            entry
        };
        let entries: Vec<PathBuf> = (0..16).map(entry).collect();
        let root = scene.environment();
        let mut requests: Vec<TreeRequest> =
            entries.iter().map(|entry| request(entry, &root, mode, Expect::Absent)).collect();
        let digest = read::sha256(&std::fs::File::open(&object).unwrap(), 0).unwrap();
        let hashed = print::of(&FileStat::of(&object).unwrap());
        for item in requests.iter_mut().flat_map(|request| &mut request.items) {
            (item.digest, item.hashed) = (Some(digest), Some(hashed));
        }
        // Somebody else uses the object as well.
        let done = AtomicBool::new(false);
        let other = scene.directory.path().join("other");
        let reports = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::fs::hard_link(&object, &other).unwrap();
                    std::fs::remove_file(&other).unwrap();
                }
            });
            let opened = Root::open(&root).unwrap();
            let reports = link_trees(&opened, &requests, 4, &Cancel::default(), &Progress::default());
            done.store(true, Ordering::Relaxed);
            reports
        });
        for report in &reports {
            assert!(report.is_complete() && report.made.total() == 100, "{mode:?}: {report:#?}");
        }
    }
}

#[test]
fn of_two_trees_that_want_one_place_one_is_stale_and_one_that_fails_does_not_stop_the_others() {
    let scene = Scene::new();
    let entries = entries(&scene, 3);
    for entry in &entries[..2] {
        write(&entry.join("same.py"), "same\n", 0o644);
    }
    let root = scene.environment();
    let mut requests: Vec<TreeRequest> =
        entries.iter().map(|entry| request(entry, &root, Mode::Hardlink, Expect::Absent)).collect();
    requests[2].entry = scene.directory.path().join("cache/archive-v0/nothing");
    let opened = Root::open(&root).unwrap();
    let reports = link_trees(&opened, &requests, 4, &Cancel::default(), &Progress::default());
    let stale: Vec<_> = reports.iter().flat_map(|report| &report.stale).collect();
    assert_eq!(stale, [&root.join("same.py")]);
    assert_eq!(reports[0].made.total() + reports[1].made.total(), 15);
    assert_eq!((reports[2].failed.len(), reports[2].unmade), (1, 7));
    assert_eq!(temporaries(&root), [] as [PathBuf; 0]);
    assert!(!root.join("demo2").exists());
}

#[test]
fn work_that_is_cancelled_before_it_is_committed_changes_nothing() {
    let scene = Scene::new();
    let entries = entries(&scene, 4);
    let root = scene.environment();
    let requests: Vec<TreeRequest> =
        entries.iter().map(|entry| request(entry, &root, Mode::Copy, Expect::Absent)).collect();
    let cancel = Cancel::default();
    cancel.cancel();
    let opened = Root::open(&root).unwrap();
    let reports = link_trees(&opened, &requests, 2, &cancel, &Progress::default());
    assert!(reports.iter().all(|report| report.cancelled && report.made.total() == 0));
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "not even directories are left");
}
