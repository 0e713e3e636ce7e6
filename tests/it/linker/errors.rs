//! What goes wrong, made for real: a clear error with path and operation, nothing lost, nothing half made.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use cachetui::disk::Error;
use cachetui::linker::{Expect, TreeRequest};
use cachetui::snapshot::Mode;

use super::mounted::Mount;
use super::{Scene, bits, child, content, inode, request, run, temporaries, write};
use crate::support::loopdev::Mounted;
use crate::support::not_run;
use crate::support::uv::ran;

const ALL: [Mode; 4] = [Mode::Clone, Mode::Hardlink, Mode::Symlink, Mode::Copy];

fn kinds(errors: &[Error]) -> Vec<std::io::ErrorKind> {
    let mut kinds: Vec<_> = errors.iter().map(|error| error.source.kind()).collect();
    kinds.dedup();
    kinds
}

/// Each file of the environment is old or new, and there is nothing else.
fn whole(entry: &Path, root: &Path) {
    let new = content(entry);
    let found = content(root);
    for (path, bytes) in &found {
        let old = format!("old {}", path.display());
        let is_link = root.join(path).is_symlink();
        assert!(is_link || *bytes == new[path] || *bytes == old.as_bytes(), "`{}` is torn", path.display());
    }
    assert_eq!(found.len(), new.len());
    assert_eq!(temporaries(root), Vec::<PathBuf>::new());
}

#[test]
fn a_full_disk_keeps_what_was_there() {
    for options in ["size=160k", "nr_inodes=20"] {
        let Some(mount) = Mount::tmpfs(options) else { return };
        let scene = Scene::new();
        let names: Vec<String> = (0..12).map(|number| format!("module{number}.py")).collect();
        for name in &names {
            scene.give(name, &format!("new {name} ").repeat(700), 0o644);
        }
        for mode in [Mode::Clone, Mode::Hardlink, Mode::Copy] {
            for name in &names {
                write(&mount.path().join(name), &format!("old {name}"), 0o644);
            }
            let report = run(&request(&scene.entry(), mount.path(), mode, Expect::NoDirectory));
            assert_eq!(kinds(&report.failed), [std::io::ErrorKind::StorageFull], "{options}: {report:#?}");
            assert!(report.unmade > 0);
            let error = &report.failed[0];
            assert!(error.operation == "copy to" || error.operation == "clone to", "{error}");
            assert_eq!(error.path.parent(), Some(mount.path()));
            whole(&scene.entry(), mount.path());
        }
    }
}

#[test]
fn a_filesystem_that_can_only_be_read_stays_as_it_is() {
    let scene = Scene::new();
    scene.give("demo/core.py", "new", 0o644);
    let old = scene.has("demo/core.py", "old", 0o644);
    let Some(_mount) = Mount::read_only(&scene.environment()) else { return };
    for mode in ALL {
        let report = scene.link(mode, Expect::NoDirectory);
        assert_eq!(kinds(&report.failed), [std::io::ErrorKind::ReadOnlyFilesystem], "{mode:?}: {report:#?}");
        assert_eq!((&report.failed[0].path, report.refused.len()), (&old, 0));
        assert_eq!(std::fs::read(&old).unwrap(), b"old");
    }
    scene.give("fresh/core.py", "new", 0o644);
    let mut request = scene.request(Mode::Copy, Expect::Absent);
    request.items.retain(|item| item.source.starts_with("fresh"));
    let report = run(&request);
    assert_eq!(report.failed[0].path, scene.environment().join("fresh"));
    assert!(report.failed[0].to_string().starts_with("Failed to create the directory `"));
}

/// What the linker says when it runs as somebody who is not root.
fn as_nobody(scene: &Scene, mode: Mode) -> Option<String> {
    let mut wrapper = vec![];
    if rustix::process::geteuid().is_root() {
        wrapper = vec!["setpriv", "--reuid", "65534", "--clear-groups"];
        let able = Command::new("setpriv").args(&wrapper[1..]).arg("true").status();
        if !able.is_ok_and(|status| status.success()) {
            not_run("root cannot become somebody else here: `setpriv` does not work");
            return None;
        }
        for directory in [scene.directory.path(), &scene.environment()] {
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let output = ran(&mut child::command(&wrapper, &scene.entry(), &scene.environment(), mode));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_directory_without_permission_is_an_error_and_no_reason_for_another_mode() {
    let scene = Scene::new();
    scene.give("demo/core.py", "new", 0o644);
    let old = scene.has("demo/core.py", "old", 0o644);
    let directory = scene.environment().join("demo");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o555)).unwrap();
    let operations = ["clone to", "hardlink to", "symlink from", "copy to"];
    for (mode, operation) in ALL.into_iter().zip(operations) {
        let Some(told) = as_nobody(&scene, mode) else { return };
        let expected = format!("Failed to {operation} `{}`: PermissionDenied", old.display());
        assert!(told.contains(&expected) && !told.contains("refused"), "{mode:?}: {told}");
        assert_eq!(std::fs::read(&old).unwrap(), b"old");
    }
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(temporaries(&scene.environment()), Vec::<PathBuf>::new());
}

#[test]
fn links_to_somebody_elses_files_are_copies_where_the_system_forbids_them() {
    let protected = std::fs::read("/proc/sys/fs/protected_hardlinks").unwrap_or_default();
    if protected != b"1\n" || !rustix::process::geteuid().is_root() {
        return not_run("needs root and `fs.protected_hardlinks`");
    }
    let scene = Scene::new();
    scene.give("one.py", "new", 0o644);
    scene.give("two.py", "new", 0o644);
    std::os::unix::fs::chown(scene.environment(), Some(65534), Some(65534)).unwrap();
    let Some(told) = as_nobody(&scene, Mode::Hardlink) else { return };
    assert!(told.contains("refused hardlink 2 Os { code: 1"), "{told}");
    assert!(told.contains("copy: 2"), "{told}");
    for name in ["one.py", "two.py"] {
        assert_ne!(inode(&scene.entry().join(name)), inode(&scene.environment().join(name)));
        assert_eq!(bits(&scene.environment().join(name)), 0o644);
    }
}

#[test]
fn another_filesystem_gets_copies_and_says_why_once() {
    let Some(mount) = Mount::tmpfs("size=1m") else { return };
    let scene = Scene::new();
    for number in 0..5 {
        scene.give(&format!("module{number}.py"), "content", 0o755);
    }
    for (mode, refused) in
        [(Mode::Hardlink, &[Mode::Hardlink][..]), (Mode::Clone, &[Mode::Clone, Mode::Hardlink])]
    {
        let root = mount.path().join(mode.word());
        std::fs::create_dir(&root).unwrap();
        let report = run(&request(&scene.entry(), &root, mode, Expect::Absent));
        assert_eq!(report.made.copy, 5);
        assert_eq!(report.refused.iter().map(|it| it.mode).collect::<Vec<_>>(), refused);
        for it in &report.refused {
            assert_eq!((it.count, it.path.clone()), (5, root.join("module0.py")));
        }
        let reason = &report.refused.last().unwrap().reason;
        assert_eq!(reason.kind(), std::io::ErrorKind::CrossesDevices);
        assert_eq!(bits(&root.join("module3.py")), 0o755);
    }
    let root = mount.path().join("symlink");
    std::fs::create_dir(&root).unwrap();
    assert_eq!(run(&request(&scene.entry(), &root, Mode::Symlink, Expect::Absent)).made.symlink, 5);
}

#[test]
fn the_link_limit_of_ext4_concerns_one_file_and_leaves_the_caches_file_alone() {
    let Some(mounted) = Mounted::new("ext4", 64) else { return };
    let scene = Scene::beneath(mounted.path());
    let full = scene.give("demo/__init__.py", "", 0o644);
    let other = scene.give("demo/core.py", "core = 1\n", 0o644);
    let links = mounted.path().join("links");
    std::fs::create_dir(&links).unwrap();
    let mut made = 1;
    while std::fs::hard_link(&full, links.join(made.to_string())).is_ok() {
        made += 1;
    }
    assert_eq!((made, std::fs::metadata(&full).unwrap().nlink()), (65_000, 65_000));
    let before = inode(&full);
    for name in ["first", "second", "third"] {
        let root = mounted.path().join(name);
        std::fs::create_dir(&root).unwrap();
        for expect in [Expect::Absent, Expect::SameContent] {
            let report = run(&request(&scene.entry(), &root, Mode::Hardlink, expect));
            assert!(report.is_complete() && report.refused.is_empty(), "{report:#?}");
            assert_eq!(report.link_limit, [root.join("demo/__init__.py")]);
            let expected = if matches!(expect, Expect::Absent) { (1, 1, 0) } else { (0, 0, 2) };
            assert_eq!((report.made.copy, report.made.hardlink, report.already), expected, "{report:#?}");
        }
        assert_eq!(std::fs::read(root.join("demo/__init__.py")).unwrap(), b"");
        assert_eq!(inode(&root.join("demo/core.py")), inode(&other));
    }
    assert_eq!((inode(&full), std::fs::metadata(&full).unwrap().nlink()), (before, 65_000));
}

#[test]
fn a_source_that_vanished_is_an_error_and_the_rest_goes_on() {
    for mode in ALL {
        let scene = Scene::new();
        let gone = scene.give("demo/gone.py", "new", 0o644);
        scene.give("demo/core.py", "new", 0o644);
        let old = scene.has("demo/gone.py", "old", 0o644);
        let request = scene.request(mode, Expect::NoDirectory);
        std::fs::remove_file(&gone).unwrap();
        let report = run(&request);
        assert_eq!((report.made.total(), report.unmade), (1, 1), "{mode:?}: {report:#?}");
        assert_eq!((&report.failed[0].path, report.failed[0].operation), (&gone, "open the file"));
        assert_eq!(kinds(&report.failed), [std::io::ErrorKind::NotFound]);
        assert_eq!(std::fs::read(&old).unwrap(), b"old");
        std::fs::remove_dir_all(scene.entry()).unwrap();
        let report = run(&request);
        assert_eq!((report.unmade, &report.failed[0].path), (2, &scene.entry()));
        assert_eq!(content(&scene.environment()).len(), 2);
    }
}

#[test]
fn what_is_no_regular_file_in_an_entry_is_not_linked() {
    for mode in ALL {
        let scene = Scene::new();
        scene.give("demo/core.py", "new", 0o644);
        let secret = write(&scene.directory.path().join("secret"), "secret", 0o600);
        symlink(&secret, scene.entry().join("demo/link.py")).unwrap();
        ran(Command::new("mkfifo").arg(scene.entry().join("demo/fifo.py")));
        let report = scene.link(mode, Expect::Absent);
        assert_eq!((report.made.total(), report.unmade), (1, 2), "{mode:?}: {report:#?}");
        assert_eq!(content(&scene.environment()).len(), 1);
    }
}

#[test]
fn a_directory_that_is_a_symlink_is_named_and_what_it_leads_to_is_not_touched() {
    for mode in ALL {
        let scene = Scene::new();
        scene.give("demo/inner/core.py", "new", 0o644);
        scene.give("fine/core.py", "new", 0o644);
        let victim = scene.directory.path().join("victim");
        write(&victim.join("inner/core.py"), "victim", 0o644);
        let before = content(&victim);
        let link = scene.environment().join("demo");
        symlink(&victim, &link).unwrap();
        let report = scene.link(mode, Expect::NoDirectory);
        assert_eq!((report.made.total(), report.unmade), (1, 1));
        assert_eq!((&report.failed[0].path, report.failed[0].operation), (&link, "enter the directory"));
        assert_eq!(report.failed[0].source.to_string(), "it is a symlink; what it leads to is left alone");
        let root = scene.directory.path().join("linked environment");
        symlink(&victim, &root).unwrap();
        let request = TreeRequest { root: root.clone(), ..scene.request(mode, Expect::NoDirectory) };
        let report = run(&request);
        assert_eq!((&report.failed[0].path, report.unmade), (&root, 2));
        assert_eq!(content(&victim), before);
    }
}

#[test]
fn few_open_files_are_enough_for_many_directories() {
    let scene = Scene::new();
    for number in 0..400 {
        scene.give(&format!("package{number}/a/b/c/module.py"), "content", 0o644);
    }
    let wrapper = ["sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\""];
    let output = ran(&mut child::command(&wrapper, &scene.entry(), &scene.environment(), Mode::Copy));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("copy: 400") && told.contains(" 0 unmade"), "{told}");
}
