//! A list of environments that cannot be read, or is not what was written, keeps what it may have named.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{PRUNE, UNUSED, folder, forget, install, listed, remembering, scene, text};
use crate::support::uv::{Sandbox, ran};

fn list(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("state/cachetui/environments.json")
}

/// Damages the list.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 10] = [
    ("a FIFO", |path| {
        std::fs::remove_file(path).unwrap();
        ran(Command::new("mkfifo").arg(path));
    }),
    ("a directory", |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    }),
    ("a device", |path| {
        std::fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }),
    ("a symlink to nothing", |path| {
        std::fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("nothing", path).unwrap();
    }),
    ("empty", |path| std::fs::write(path, b"").unwrap()),
    ("zeros", |path| {
        let length = std::fs::metadata(path).unwrap().len();
        std::fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    }),
    ("huge", |path| std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap()),
    ("of a later version", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace("\"schema_version\": 1", "\"schema_version\": 2")).unwrap();
    }),
    ("of another path", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace("projects/app", "projects/apq")).unwrap();
    }),
    ("without its rows", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let start = text.find("\"environments\"").unwrap();
        std::fs::write(path, format!("{}\"environments\": []}}", &text[..start])).unwrap();
    }),
];

#[test]
fn a_damaged_memory_never_blocks_and_never_makes_anything_unused() {
    for (what, damage) in DAMAGES {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = scene(base.path(), &["demo-a"]) else { return };
        folder(sandbox.path("keep-root"));
        install(&sandbox, "projects/app/.venv", "symlink", &["demo-a"]);
        assert!(remembering(&sandbox, &["list"]).status.success());
        forget(&sandbox);
        damage(&list(&sandbox));
        let begun = Instant::now();
        let done = remembering(&sandbox, &PRUNE);
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        let said = text(&done);
        assert!(
            listed(&sandbox, "demo-a").is_object() && listed(&sandbox, UNUSED).is_object(),
            "{what}: {said}"
        );
        let told = text(&remembering(&sandbox, &["list", "-v"]));
        assert!(told.contains("environments.json"), "the list is named, {what}: {told}");
        // Nor is it overwritten, and nothing is forgotten in it.
        let mut forgets = sandbox.command(env!("CARGO_BIN_EXE_cachetui"));
        forgets.args(["envs", "--forget", "/nowhere"]).env("XDG_STATE_HOME", sandbox.path("state"));
        let refused = forgets.stdin(Stdio::null()).output().unwrap();
        assert!(!refused.status.success(), "{what}: {}", text(&refused));
        let done = remembering(&sandbox, &PRUNE);
        assert!(listed(&sandbox, "demo-a").is_object(), "{what}: {}", text(&done));
    }
}
