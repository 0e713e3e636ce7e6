//! Symlinks to whole directories of an entry: expanded, and made only by whoever was warned.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cachetui::control::{Cancel, Progress};
use cachetui::disk::Error;
use cachetui::linker::{AcceptSharedWrites, ExpandRequest, Expanded, Expect, Root, expand, link_directory};
use cachetui::snapshot::Mode;

use super::{Scene, content, inode, temporaries, write};

/// An environment whose package is a symlink into the entry.
fn scene() -> (Scene, ExpandRequest) {
    let scene = Scene::new();
    scene.give("demo/core.py", "core = 1\n", 0o644);
    scene.give("demo/inner/tool", "#!/bin/sh\n", 0o755);
    scene.give("demo-1.0.dist-info/RECORD", "", 0o644);
    std::fs::create_dir(scene.environment().join("lib")).unwrap();
    let text = scene.entry().join("demo");
    symlink(&text, scene.environment().join("lib/demo")).unwrap();
    let request = ExpandRequest {
        link: "lib/demo".into(),
        text,
        identity: None,
        entry: scene.entry(),
        inside: "demo".into(),
        mode: Mode::Hardlink,
    };
    (scene, request)
}

fn expanded(scene: &Scene, request: &ExpandRequest) -> Result<Expanded, Error> {
    expand(&Root::open(&scene.environment()).unwrap(), request, &Cancel::default(), &Progress::default())
}

/// The names beside the package.
fn beside(scene: &Scene) -> Vec<String> {
    let names = std::fs::read_dir(scene.environment().join("lib")).unwrap();
    names.map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_symlink_becomes_a_directory_of_file_links() {
    for mode in [Mode::Hardlink, Mode::Symlink, Mode::Copy] {
        let (scene, mut request) = scene();
        request.mode = mode;
        let before = content(&scene.entry());
        let Expanded::Done(report) = expanded(&scene, &request).unwrap() else {
            panic!("there was a symlink")
        };
        assert_eq!(report.made.total(), 2);
        let package = scene.environment().join("lib/demo");
        assert!(!package.is_symlink() && package.join("inner").is_dir());
        let (from, to) = (scene.entry().join("demo/core.py"), package.join("core.py"));
        assert_eq!(inode(&from) == inode(&to), mode == Mode::Hardlink);
        assert_eq!(std::fs::read_link(&to).ok(), (mode == Mode::Symlink).then_some(from));
        assert_eq!(content(&scene.entry()), before);
        assert_eq!(beside(&scene), ["demo"]);
        assert!(matches!(expanded(&scene, &request).unwrap(), Expanded::Already));
    }
}

#[test]
fn a_relative_symlink_is_expanded_too() {
    let (scene, mut request) = scene();
    let link = scene.environment().join("lib/demo");
    std::fs::remove_file(&link).unwrap();
    request.text = Path::new("../../cache/archive-v0/Entry67890123456/demo").to_owned();
    symlink(&request.text, &link).unwrap();
    assert!(matches!(expanded(&scene, &request).unwrap(), Expanded::Done(_)));
    assert_eq!(std::fs::read(link.join("core.py")).unwrap(), b"core = 1\n");
}

#[test]
fn another_symlink_than_the_expected_one_stays() {
    let (scene, request) = scene();
    let victim = scene.directory.path().join("victim");
    write(&victim.join("core.py"), "victim", 0o644);
    let link = scene.environment().join("lib/demo");
    std::fs::remove_file(&link).unwrap();
    symlink(&victim, &link).unwrap();
    let error = expanded(&scene, &request).unwrap_err();
    assert_eq!(
        (error.path, error.source.to_string().as_str()),
        (link.clone(), "its text is not the expected one")
    );
    let wrong = ExpandRequest { text: victim.clone(), ..request.clone() };
    let error = expanded(&scene, &wrong).unwrap_err();
    assert_eq!(error.source.to_string(), "it leads elsewhere");
    assert_eq!(std::fs::read_link(&link).unwrap(), victim);
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "a file").unwrap();
    assert_eq!(expanded(&scene, &request).unwrap_err().source.to_string(), "it is no symlink");
    assert_eq!(std::fs::read(&link).unwrap(), b"a file");
    assert_eq!(beside(&scene), ["demo"]);
}

#[test]
fn a_directory_that_cannot_be_filled_leaves_the_symlink() {
    let (scene, request) = scene();
    symlink("nowhere", scene.entry().join("demo/inner/dangling")).unwrap();
    let error = expanded(&scene, &request).unwrap_err();
    assert_eq!(error.path, scene.entry().join("demo/inner/dangling"));
    assert_eq!(std::fs::read_link(scene.environment().join("lib/demo")).unwrap(), request.text);
    let cancel = Cancel::default();
    cancel.cancel();
    assert!(
        expand(&Root::open(&scene.environment()).unwrap(), &request, &cancel, &Progress::default()).is_err()
    );
    assert_eq!(beside(&scene), ["demo"], "nothing half made is left");
}

#[test]
fn what_a_killed_call_left_is_cleared_or_put_back() {
    let (scene, request) = scene();
    let library = scene.environment().join("lib");
    let half = library.join(format!(".cachetui-{}.tmp", "0".repeat(32)));
    write(&half.join("inner/deeper/core.py"), "half", 0o644);
    let victim = scene.directory.path().join("victim");
    write(&victim.join("core.py"), "victim", 0o644);
    symlink(&victim, half.join("out")).unwrap();
    let kept = library.join(format!(".cachetui-{}.kept", "1".repeat(32)));
    std::fs::rename(library.join("demo"), &kept).unwrap();
    let foreign = library.join(format!(".cachetui-{}.kept", "2".repeat(32)));
    symlink("somewhere else", &foreign).unwrap();
    assert!(matches!(expanded(&scene, &request).unwrap(), Expanded::Done(_)));
    assert!(library.join("demo/core.py").is_file() && !half.exists() && !kept.is_symlink());
    assert_eq!(std::fs::read_link(&foreign).unwrap(), Path::new("somewhere else"));
    assert_eq!(std::fs::read(victim.join("core.py")).unwrap(), b"victim");
    assert_eq!(temporaries(&scene.environment()), Vec::<PathBuf>::new());
}

#[test]
fn a_tree_is_never_linked_through_a_directory_that_is_the_caches_own() {
    let (scene, request) = scene();
    let mut tree = scene.request(Mode::Copy, Expect::NoDirectory);
    for item in &mut tree.items {
        item.destination = Path::new("lib").join(&item.destination);
    }
    let before = (content(&scene.entry()), inode(&scene.entry().join("demo/core.py")));
    let report = super::run(&tree);
    assert_eq!((report.made.copy, report.unmade), (1, 2), "only RECORD: {report:#?}");
    assert_eq!((content(&scene.entry()), inode(&scene.entry().join("demo/core.py"))), before);
    expanded(&scene, &request).unwrap();
    assert!(super::run(&tree).is_complete());
    assert_eq!((content(&scene.entry()), inode(&scene.entry().join("demo/core.py"))), before);
}

#[test]
fn a_directory_is_linked_only_where_nothing_is_and_after_the_warning() {
    let (scene, request) = scene();
    let root = Root::open(&scene.environment()).unwrap();
    let accepted = AcceptSharedWrites::after_the_warning();
    let error = link_directory(&root, Path::new("lib/demo"), &request.text, accepted).unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::AlreadyExists);
    link_directory(&root, Path::new("fresh/demo"), &request.text, accepted).unwrap();
    let link = scene.environment().join("fresh/demo");
    assert_eq!(std::fs::read_link(&link).unwrap(), request.text);
    for target in [scene.entry().join("missing"), scene.entry().join("demo/core.py"), "demo".into()] {
        assert!(link_directory(&root, Path::new("other"), &target, accepted).is_err());
    }
    assert!(!scene.environment().join("other").is_symlink());
    assert!(AcceptSharedWrites::WARNING.contains("changes the cache"));
}
