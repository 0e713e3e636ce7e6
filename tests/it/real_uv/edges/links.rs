//! Links into entries outside of environments, which one scan has met and the next does not search for.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::moved::to_the_letter;
use super::{
    PRUNE, UNUSED, Unmounted, bind, entry, folder, forget, listed, memory, remembering, scene, text, unmount,
};
use crate::support::not_run;
use crate::support::uv::Sandbox;

/// Looks once below a directory that later scans are not told of.
fn look(sandbox: &Sandbox, root: &Path) {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
    command.arg("list").arg("--cache-dir").arg(sandbox.cache()).arg("--root").arg(root);
    let output = command.env("XDG_STATE_HOME", sandbox.path("state")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// Makes a link into the entry in a directory.
type Make = fn(&Path, &Path) -> PathBuf;

const LINKS: [(&str, Make); 4] = [
    ("a symlink to an entry", |entry, place| {
        symlink(entry, place.join("link")).unwrap();
        place.join("link")
    }),
    ("a symlink to a file", |entry, place| {
        symlink(entry.join("demo_a/__init__.py"), place.join("link.py")).unwrap();
        place.join("link.py")
    }),
    ("a path file", |entry, place| {
        std::fs::write(place.join("names.pth"), format!("{}\n", entry.display())).unwrap();
        place.join("names.pth")
    }),
    ("a symlink by the path of a container", |entry, place| {
        let id = entry.file_name().unwrap();
        symlink(Path::new("/in/a/container/archive-v0").join(id), place.join("link")).unwrap();
        place.join("link")
    }),
];

#[test]
fn a_link_that_was_met_once_keeps_its_entry_until_it_is_gone() {
    for (what, make) in LINKS {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        folder(sandbox.path("keep-root"));
        let place = folder(sandbox.path("elsewhere/tools"));
        let link = make(&entry(&sandbox, "demo-a"), &place);
        forget(&sandbox);
        look(&sandbox, &sandbox.path("elsewhere"));
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{what}: {}", text(&done));
        assert!(listed(&sandbox, UNUSED).is_null(), "the rest goes, {what}: {}", text(&done));
        let why = remembering(&sandbox, &["why", "demo-a"]);
        assert!(text(&why).contains(link.file_name().unwrap().to_str().unwrap()), "{what}: {}", text(&why));
        // Moved with its directory, it may still be used; so it is away.
        std::fs::rename(&place, sandbox.path("elsewhere/moved")).unwrap();
        let kept = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{what}: {}", text(&kept));
        std::fs::rename(sandbox.path("elsewhere/moved"), &place).unwrap();
        let kept = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "still remembered, {what}: {}", text(&kept));
        std::fs::remove_file(&link).unwrap();
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_null(), "{what}: {}", text(&done));
    }
}

#[test]
fn a_link_that_is_away_is_forgotten_when_a_person_says_so() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    let place = folder(sandbox.path("elsewhere/tools"));
    symlink(entry(&sandbox, "demo-a"), place.join("link")).unwrap();
    forget(&sandbox);
    look(&sandbox, &sandbox.path("elsewhere"));
    std::fs::rename(&place, sandbox.path("elsewhere/moved")).unwrap();
    let kept = text(&remembering(&sandbox, &PRUNE));
    assert!(listed(&sandbox, "demo-a").is_object(), "{kept}");
    to_the_letter(&sandbox, &kept);
    let done = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, "demo-a").is_null(), "{}", text(&done));
}

/// Mounts one directory, or something else, at another.
type Mount = fn(&Path, &Path) -> bool;

#[test]
fn a_link_on_a_filesystem_that_is_not_mounted_is_away() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    let ways: [(&str, Mount); 2] =
        [("a bind mount", bind), ("a filesystem", |_, place| memory(place, place))];
    for (what, mount) in ways {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        folder(sandbox.path("keep-root"));
        let (source, place) = (folder(sandbox.path("source")), folder(sandbox.path("place")));
        std::fs::write(place.join("note"), b"not empty").unwrap();
        if !mount(&source, &place) {
            return not_run("nothing can be mounted here");
        }
        let _unmounted = Unmounted(vec![place.clone(), sandbox.path("kept")]);
        symlink(entry(&sandbox, "demo-a"), place.join("link")).unwrap();
        forget(&sandbox);
        look(&sandbox, &place);
        let kept = folder(sandbox.path("kept"));
        assert!(bind(&place, &kept));
        unmount(&place);
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{what}: {}", text(&done));
        assert!(listed(&sandbox, UNUSED).is_object(), "{what}: {}", text(&done));
        assert!(bind(&kept, &place));
        assert!(remembering(&sandbox, &PRUNE).status.code().is_some());
        assert!(listed(&sandbox, "demo-a").is_object(), "{what}");
    }
}

#[test]
fn a_link_that_was_renamed_beside_where_it_was_keeps_its_entry() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    folder(sandbox.path("keep-root"));
    let place = folder(sandbox.path("elsewhere/tools"));
    symlink(entry(&sandbox, "demo-a"), place.join("link")).unwrap();
    forget(&sandbox);
    look(&sandbox, &sandbox.path("elsewhere"));
    std::fs::rename(place.join("link"), place.join("renamed")).unwrap();
    for _ in 0..2 {
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{}", text(&done));
    }
    std::fs::remove_file(place.join("renamed")).unwrap();
    let done = remembering(&sandbox, &PRUNE);
    assert!(listed(&sandbox, "demo-a").is_null(), "{}", text(&done));
}
