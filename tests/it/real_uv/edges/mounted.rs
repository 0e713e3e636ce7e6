//! Mounts that show a part of an entry.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{UNUSED, Unmounted, bind, entry, folder, forget, listed, prune, scene, text};
use crate::support::not_run;
use crate::support::uv::Sandbox;

/// Mounts a part of an entry at a place, and answers with a file that is read through it.
type Mount = fn(&Path, &Path) -> Option<PathBuf>;

const MOUNTS: [(&str, Mount); 5] = [
    ("an entry", |entry, place| bind(entry, place).then(|| place.join("demo_a/__init__.py"))),
    ("a package", |entry, place| bind(&entry.join("demo_a"), place).then(|| place.join("__init__.py"))),
    ("a file", |entry, place| {
        let file = place.join("one.py");
        std::fs::write(&file, b"").unwrap();
        bind(&entry.join("demo_a/__init__.py"), &file).then_some(file)
    }),
    ("a mount of a mount", |entry, place| {
        let between = folder(place.parent().unwrap().join("between"));
        (bind(entry, &between) && bind(&between.join("demo_a"), place)).then(|| place.join("__init__.py"))
    }),
    ("a layer of an overlay", |entry, place| {
        let scratch = place.parent().unwrap();
        let (upper, work) = (folder(scratch.join("upper")), folder(scratch.join("work")));
        let layers =
            format!("lowerdir={},upperdir={},workdir={}", entry.display(), upper.display(), work.display());
        let mounted =
            Command::new("mount").args(["-t", "overlay", "-o", &layers, "overlay"]).arg(place).status();
        mounted.is_ok_and(|it| it.success()).then(|| place.join("demo_a/__init__.py"))
    }),
];

fn mounted(below: &str) {
    for (what, mount) in MOUNTS {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        let place = folder(sandbox.path(below).join("place"));
        let _unmounted =
            Unmounted(vec![place.join("one.py"), place.clone(), sandbox.path(below).join("between")]);
        let Some(file) = mount(&entry(&sandbox, "demo-a"), &place) else {
            return not_run("nothing can be mounted here");
        };
        let content = std::fs::read(&file).unwrap();
        assert!(!content.is_empty());
        forget(&sandbox);
        let row = listed(&sandbox, "demo-a");
        assert_eq!(row["state"], "protected", "{what}: {row}");
        let forms = row["linked_from"].as_array().unwrap();
        assert!(forms.iter().any(|it| it["form"] == "mount"), "{what}: {row}");
        let done = prune(&sandbox, &[]);
        // A mount of another filesystem below a root is not searched, which keeps everything without a known user.
        let all = below == "roots" && what == "a layer of an overlay";
        assert_eq!(listed(&sandbox, UNUSED).is_null(), !all, "{what}: {}", text(&done));
        // Neither by name.
        let named = sandbox.cachetui(&["prune", "--package", "demo-a", "--yes"]).output().unwrap();
        assert_eq!(std::fs::read(&file).unwrap_or_default(), content, "{what}: {}", text(&named));
        assert!(all || text(&named).contains("would break"), "{what}: {}", text(&named));
    }
}

#[test]
fn a_mount_that_shows_a_part_of_an_entry_below_a_root_keeps_it() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    mounted("roots");
}

#[test]
fn a_mount_that_shows_a_part_of_an_entry_where_nothing_is_searched_keeps_it() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    mounted("elsewhere");
}

/// A process with mounts of its own, ended when it is dropped.
struct Container(Child);

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn container(sandbox: &Sandbox, entry: &Path) -> Option<Container> {
    let place = folder(sandbox.path("in-the-container"));
    let ready = sandbox.path("ready");
    let script = "mount --bind \"$1\" \"$2\" && touch \"$3\" && exec sleep 600";
    let child = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
        .args([entry, &place, &ready])
        .stdin(Stdio::null())
        .spawn()
        .ok()?;
    let container = Container(child);
    for _ in 0..200 {
        if ready.exists() {
            return Some(container);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    None
}

#[test]
fn a_mount_of_another_namespace_keeps_the_entry_it_shows() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let Some(_container) = container(&sandbox, &entry(&sandbox, "demo-a")) else {
        return not_run("`unshare` does not work here");
    };
    forget(&sandbox);
    assert_eq!(listed(&sandbox, "demo-a")["state"], "protected");
    let done = prune(&sandbox, &[]);
    assert!(listed(&sandbox, "demo-a").is_object(), "{}", text(&done));
    assert!(listed(&sandbox, UNUSED).is_null(), "{}", text(&done));
}

#[test]
fn a_mount_of_the_whole_cache_or_of_its_bucket_uses_no_entry_by_itself() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    for part in ["cache", "cache/archive-v0"] {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        let place = folder(sandbox.path("elsewhere/archive-v0"));
        let _unmounted = Unmounted(vec![place.clone()]);
        if !bind(&sandbox.path(part), &place) {
            return not_run("nothing can be mounted here");
        }
        forget(&sandbox);
        assert_eq!(listed(&sandbox, "demo-a")["state"], "unused", "{part}");
    }
}

#[test]
fn a_mount_that_is_named_as_a_root_of_its_own_is_searched() {
    if !rustix::process::geteuid().is_root() {
        return not_run("mounts need root");
    }
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
    let place = folder(sandbox.roots().join("mounted"));
    if !super::memory(&place, &place) {
        return not_run("nothing can be mounted here");
    }
    let _unmounted = Unmounted(vec![place.clone()]);
    let root = place.to_str().unwrap();
    let list = |more: &[&str]| text(&sandbox.cachetui(&["list", "-v"]).args(more).output().unwrap());
    assert!(list(&[]).contains("not searched"), "{}", list(&[]));
    let both = list(&["--root", root]);
    assert!(!both.contains("not searched") && !both.contains("not read"), "{both}");
    let done = prune(&sandbox, &["--root", root]);
    assert!(listed(&sandbox, UNUSED).is_null() || text(&done).contains("Removed"), "{}", text(&done));
    assert!(sandbox.cache().join("archive-v0").read_dir().unwrap().count() < 3, "{}", text(&done));
}
