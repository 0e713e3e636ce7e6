//! Prune, undo and purge, killed at every system call that changes something: whatever is left is a cache that uv can
//! use, no environment loses anything, and a second run ends where an undisturbed one does.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::uv::{Sandbox, not_run, ran};
use crate::support::wheel::Wheel;

/// The calls by which these operations change anything.
const CALLS: [&str; 7] = ["renameat2", "renameat", "rename", "unlinkat", "mkdirat", "mkdir", "fchmod"];

/// A cache with two packages that nobody uses any more, one that an environment has as symlinks, and one as hardlinks.
struct Scene {
    sandbox: Sandbox,
    base: PathBuf,
    template: PathBuf,
    links: String,
    before: BTreeMap<PathBuf, (u64, Vec<u8>)>,
}

impl Scene {
    fn new(directory: &Path) -> Option<Self> {
        if Command::new("strace").arg("-V").output().is_err() {
            not_run("killing at every system call needs strace");
            return None;
        }
        let base = directory.join("base");
        std::fs::create_dir(&base).unwrap();
        let sandbox = Sandbox::new(&base)?;
        let links = sandbox.path("links");
        std::fs::create_dir_all(&links).unwrap();
        for name in ["demo-a", "demo-b", "demo-c", "demo-d"] {
            Wheel::new(name, "1.0")
                .file(&format!("{}/deep/er/part.py", name.replace('-', "_")), "X = 1\n")
                .save(&links);
        }
        let links = links.to_str().unwrap().to_owned();
        sandbox.install("gone", "hardlink", &["--no-index", "--find-links", &links, "demo-a", "demo-b"]);
        std::fs::remove_dir_all(sandbox.roots().join("gone")).unwrap();
        sandbox.install("linked", "symlink", &["--no-index", "--find-links", &links, "demo-c"]);
        sandbox.install("hard", "hardlink", &["--no-index", "--find-links", &links, "demo-d"]);
        let mut scene =
            Self { sandbox, template: directory.join("template"), base, links, before: BTreeMap::new() };
        scene.before = scene.environments();
        Some(scene)
    }

    /// Keeps everything as it is now, to come back to.
    fn keep(&self) {
        ran(Command::new("rm").arg("-rf").arg(&self.template));
        ran(Command::new("cp").arg("-a").arg(&self.base).arg(&self.template));
    }

    fn come_back(&self) {
        ran(Command::new("rm").arg("-rf").arg(&self.base));
        ran(Command::new("cp").arg("-a").arg(&self.template).arg(&self.base));
    }

    /// Every file that environments reach: its mode and content.
    fn environments(&self) -> BTreeMap<PathBuf, (u64, Vec<u8>)> {
        let files = WalkDir::new(self.sandbox.roots()).into_iter().map(Result::unwrap);
        files
            .filter(|item| !item.file_type().is_dir() && !item.path().ends_with(".lock"))
            .map(|item| {
                let path = item.path().to_owned();
                // The interpreter is a symlink out of the environment, whose content is nobody's concern here.
                let outside =
                    path.parent().is_some_and(|parent| parent.ends_with("bin")) && path.is_symlink();
                let content = if outside { Vec::new() } else { std::fs::read(&path).unwrap_or_default() };
                let mode = std::fs::metadata(&path).map_or(0, |metadata| u64::from(metadata.mode()));
                (path, (mode, content))
            })
            .collect()
    }

    /// What lies in the cache, as far as uv leads to it, and in the trash.
    fn cache(&self) -> Vec<PathBuf> {
        let files = WalkDir::new(self.sandbox.cache()).min_depth(1).sort_by_file_name().into_iter();
        let relative = |path: &Path| path.strip_prefix(self.sandbox.cache()).unwrap().to_owned();
        files
            .map(Result::unwrap)
            .filter(|item| !item.file_type().is_dir())
            .map(|item| relative(item.path()))
            .collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.sandbox.cachetui(arguments)
    }

    /// What has to hold whenever it is looked at.
    fn holds(&self, when: &str) {
        assert_eq!(self.environments(), self.before, "{when}: an environment has changed");
        let links = self.sandbox.json(&["links"]);
        for pointer in links["pointers"].as_array().unwrap() {
            assert_eq!(pointer["state"], "live", "{when}: {pointer:#}");
        }
    }

    /// uv can install everything again, offline, and its own prune finds nothing that stops it.
    fn uv_agrees(&self, when: &str) {
        let target = self.sandbox.path("target");
        let target = target.to_str().unwrap();
        let install = ["pip", "install", "--quiet", "--offline", "--no-index", "--find-links", &self.links];
        let output = self
            .sandbox
            .uv(&install)
            .args(["--target", target, "demo-a", "demo-b", "demo-c", "demo-d"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{when}: {}", String::from_utf8_lossy(&output.stderr));
        let prune = self.sandbox.uv(&["cache", "prune"]).output().unwrap();
        assert!(prune.status.success(), "{when}: {}", String::from_utf8_lossy(&prune.stderr));
    }

    /// Runs a command again and again, and kills it at each of the calls in turn; answers how often it was killed.
    fn killed_everywhere(&self, arguments: &[&str], undisturbed: &[PathBuf]) -> usize {
        let mut kills = 0;
        for call in CALLS {
            for number in 1..200 {
                self.come_back();
                let when = format!("killed at the {number}. {call} of {arguments:?}");
                let plain = self.command(arguments);
                let mut strace = self.sandbox.command("strace");
                strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
                strace.arg("-e").arg(format!("inject={call}:signal=SIGKILL:when={number}"));
                strace.arg(plain.get_program()).args(plain.get_args());
                let output = strace.output().unwrap();
                if output.status.success() {
                    break;
                }
                kills += 1;
                self.holds(&when);
                // A second run ends where an undisturbed one does, and leaves nothing of the first.
                let again = self.command(arguments).output().unwrap();
                let said = String::from_utf8_lossy(&again.stderr).into_owned();
                assert!(matches!(again.status.code(), Some(0 | 1)), "{when}: {said}");
                ran(&mut self.command(&["trash", "purge", "--yes"]));
                self.holds(&when);
                let left = self.cache();
                let unknown: Vec<&PathBuf> = left.iter().filter(|path| !undisturbed.contains(path)).collect();
                assert!(unknown.is_empty(), "{when}: {unknown:?} is left");
                if number % 5 == 1 {
                    self.uv_agrees(&when);
                }
            }
        }
        kills
    }
}

#[test]
fn a_prune_can_be_killed_at_any_call() {
    let directory = tempfile::tempdir().unwrap();
    let Some(scene) = Scene::new(&directory.path().canonicalize().unwrap()) else { return };
    scene.keep();
    let arguments = ["prune", "--unused", "--grace", "0h", "--allow", "most", "--yes"];
    ran(&mut scene.command(&arguments));
    let undisturbed = scene.cache();
    let left = scene.sandbox.json(&["list"]);
    assert_eq!(left["entries"].as_array().unwrap().len(), 2, "two of four are gone");
    scene.uv_agrees("undisturbed");
    let kills = scene.killed_everywhere(&arguments, &undisturbed);
    assert!(kills > 20, "only {kills} calls were met");
}

#[test]
fn an_undo_can_be_killed_at_any_call() {
    let directory = tempfile::tempdir().unwrap();
    let Some(scene) = Scene::new(&directory.path().canonicalize().unwrap()) else { return };
    let whole = scene.cache();
    ran(&mut scene.command(&["prune", "demo-a", "demo-b", "demo-d", "--yes", "--trash"]));
    scene.keep();
    ran(&mut scene.command(&["undo"]));
    assert_eq!(scene.cache(), whole, "everything is where it was");
    scene.uv_agrees("undisturbed");
    let kills = scene.killed_everywhere(&["undo"], &whole);
    assert!(kills > 8, "only {kills} calls were met");
}

#[test]
fn emptying_the_trash_can_be_killed_at_any_call() {
    let directory = tempfile::tempdir().unwrap();
    let Some(scene) = Scene::new(&directory.path().canonicalize().unwrap()) else { return };
    ran(&mut scene.command(&["prune", "demo-a", "demo-b", "demo-d", "--yes", "--trash"]));
    scene.keep();
    ran(&mut scene.command(&["trash", "purge", "--yes"]));
    let empty: Vec<Value> = scene.sandbox.json(&["trash", "list"])["runs"].as_array().unwrap().clone();
    assert!(empty.is_empty());
    let undisturbed = scene.cache();
    let kills = scene.killed_everywhere(&["trash", "purge", "--yes"], &undisturbed);
    assert!(kills > 20, "only {kills} calls were met");
}
