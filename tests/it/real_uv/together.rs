//! Four processes of uv, of several releases, and cachetui on one cache at the same time: no environment breaks, the cache
//! stays whole, and nothing fails but for a lock.
//!
//! What uv itself breaks is left out: environments of symlinks use packages that no uv here cleans or unpacks anew, and only
//! the newest release prunes, while no older one runs: before it takes the lock, uv 0.9.30 makes `sdists-v9` and files in
//! it, which the prune of 0.13.8 removes as outdated (seen with strace).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, RwLock};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::support::text;
use crate::support::uv::{Sandbox, ran, release};
use crate::support::wheel::Wheel;

/// Packages that uv installs, cleans and prunes.
const MOVING: [&str; 4] = ["demo-a", "demo-b", "demo-c", "demo-d"];
/// Packages that an environment has as symlinks, which only cachetui and this test change.
const FIXED: [&str; 2] = ["demo-x", "demo-y"];
/// Operations of each process.
const OPERATIONS: usize = 25;
/// Operations of all after which uv stops until cachetui has changed something.
const HALF: usize = 4 * OPERATIONS / 2;
/// What cachetui has to change, and within how many rounds of its commands.
const CHANGES: [&str; 3] = ["named", "relink", "repair"];
const ROUNDS: usize = 40;
/// The kind of operation that is `uv cache prune`.
const PRUNE: usize = 6;
const OLDER: [&str; 2] = ["0.12.5", "0.9.30"];

struct Scene {
    sandbox: Sandbox,
    links: String,
    older: Vec<PathBuf>,
    pace: Pace,
    /// Held by older releases together, and by the one that prunes alone.
    start: RwLock<()>,
}

/// Lets nobody run ahead: uv does so much that no plan would hold otherwise.
#[derive(Default)]
struct Pace {
    /// Operations of uv, and commands of cachetui, that have ended.
    ended: Mutex<(usize, usize)>,
    /// Whether cachetui has changed what it has to change; uv stops half-way for that.
    had_its_turn: AtomicBool,
    changed: Condvar,
}

impl Pace {
    /// Ends an operation of uv; goes on when cachetui has done its part.
    fn operation(&self) {
        let mut ended = self.ended.lock().unwrap();
        ended.0 += 1;
        self.changed.notify_all();
        let ahead = |(operations, commands): &mut (usize, usize)| {
            let waits = *operations >= HALF && !self.had_its_turn.load(Ordering::SeqCst);
            waits || *operations > 2 * (*commands + 1)
        };
        drop(self.changed.wait_while(ended, ahead).unwrap());
    }

    /// Ends a command of cachetui; answers how many operations of uv have ended.
    fn command(&self) -> usize {
        let mut ended = self.ended.lock().unwrap();
        ended.1 += 1;
        self.changed.notify_all();
        ended.0
    }
}

impl Scene {
    fn new(base: &Path) -> Option<Self> {
        let sandbox = Sandbox::new(base)?;
        let links = sandbox.path("links");
        for name in MOVING.into_iter().chain(FIXED) {
            for version in ["1.0", "2.0"] {
                let mut wheel = Wheel::new(name, version).entry_point();
                for number in 0..8 {
                    let path = format!("{}/part{number}.py", name.replace('-', "_"));
                    wheel = wheel.file(&path, format!("PART = {number}\n"));
                }
                wheel.save(&links);
            }
        }
        let older = OLDER.iter().filter_map(|version| release(version)).collect();
        let links = links.to_str().unwrap().to_owned();
        Some(Self { sandbox, links, older, pace: Pace::default(), start: RwLock::default() })
    }

    fn places(&self) -> [&str; 3] {
        ["--no-index", "--find-links", &self.links]
    }

    /// Whether an operation is an older release's, as every third is, of what is as good in each.
    fn is_older(&self, number: usize) -> bool {
        !self.older.is_empty() && number % 3 == 2
    }

    /// Which kind of operation it is.
    fn kind(process: usize, number: usize) -> usize {
        (number + 3 * process) % 8
    }

    /// Whether it is `uv cache prune`.
    fn prunes(process: usize, number: usize) -> bool {
        Self::kind(process, number) == PRUNE
    }

    /// One operation of uv.
    fn operation(&self, process: usize, number: usize) -> Command {
        let sandbox = &self.sandbox;
        let newest = sandbox.uv(&[]).get_program().to_owned();
        let older = self.is_older(number).then(|| self.older[number / 3 % self.older.len()].clone());
        let uv = older.clone().unwrap_or_else(|| newest.clone().into());
        let environment = sandbox.roots().join(format!("process{process}/.venv"));
        let python = environment.join("bin/python").display().to_string();
        let package = MOVING[(process + number) % MOVING.len()];
        let mode = ["hardlink", "copy", "clone"][number % 3];
        let with = |uv: &Path, command: &[&str], arguments: &[&str]| {
            let mut command = sandbox.uv_at(uv, command);
            command
                .args(self.places())
                .args(arguments)
                .env("UV_LINK_MODE", mode)
                .env("UV_LOCK_TIMEOUT", "240");
            command
        };
        let version = ["1.0", "2.0"][number / 4 % 2];
        match Self::kind(process, number) {
            0 | 1 => {
                let wanted = format!("{package}=={version}");
                with(&uv, &["pip", "install"], &["--python", &python, "--reinstall", &wanted])
            }
            2 => {
                let list = sandbox.path(format!("list{process}.txt"));
                let lines = MOVING.map(|name| format!("{name}=={version}\n")).concat();
                std::fs::write(&list, lines).unwrap();
                with(&uv, &["pip", "sync"], &["--python", &python, list.to_str().unwrap()])
            }
            3 => with(&uv, &["run"], &["--no-project", "--with", package, "--", "python", "-c", "print(1)"]),
            4 => with(&uv, &["tool", "run"], &["--from", package, package]),
            5 => {
                let mut command = with(newest.as_ref(), &["sync"], &["--reinstall"]);
                command.current_dir(sandbox.roots().join(format!("project{process}")));
                command
            }
            PRUNE => {
                let mut command = sandbox.uv(&["cache", "prune"]);
                command.env("UV_LOCK_TIMEOUT", "240");
                command
            }
            _ => {
                let mut command = sandbox.uv(&["cache", "clean", package]);
                command.env("UV_LOCK_TIMEOUT", "240");
                command
            }
        }
    }

    fn process(&self, process: usize) -> Vec<String> {
        let mut failures = Vec::new();
        for number in 0..OPERATIONS {
            let mut command = self.operation(process, number);
            let output = if Self::prunes(process, number) {
                let _alone = self.start.write().unwrap();
                command.output()
            } else if self.is_older(number) {
                let _together = self.start.read().unwrap();
                command.output()
            } else {
                command.output()
            };
            let output = output.unwrap();
            if !output.status.success() {
                failures.push(format!("{command:?}: {}", text(&output)));
            }
            self.pace.operation();
        }
        failures
    }

    /// Deletes a file of the environment that is not uv's to change; answers which.
    fn breaks(&self, round: usize) -> PathBuf {
        let module = FIXED[round % FIXED.len()].replace('-', "_");
        let path = site(&self.sandbox.roots().join("fixed/.venv")).join(module);
        let path = path.join(format!("part{}.py", round % 8));
        std::fs::remove_file(&path).unwrap();
        path
    }

    /// What cachetui does meanwhile, round after round; answers with how often each thing changed something, and with what
    /// went wrong.
    fn cachetui(&self, all: usize) -> (BTreeMap<&'static str, usize>, Vec<String>) {
        let fixed = self.sandbox.roots().join("fixed/.venv").display().to_string();
        let allow = "no-environments,most,other-owners,gone";
        let prune = ["prune", "--grace", "0h", "--allow", allow, "--yes", "--trash"];
        let (mut did, mut wrong) = (BTreeMap::new(), Vec::new());
        let mut round = 0;
        loop {
            let environment = self.sandbox.roots().join(format!("process{}/.venv", round % 4));
            let environment = environment.display().to_string();
            let (mode, fixed_mode) = (["copy", "hardlink"][round % 2], ["hardlink", "symlink"][round % 2]);
            let commands: [(&str, Vec<&str>); 7] = [
                ("named", [&prune[..], &[MOVING[round % 4]]].concat()),
                ("undo", vec!["undo"]),
                ("relink", vec!["relink", &environment, "--link-mode", mode, "--yes"]),
                ("unused", [&prune[..], &["--unused", "--unreferenced", "--cached-environments"]].concat()),
                ("symlinks", vec!["relink", &fixed, "--link-mode", fixed_mode, "--yes"]),
                ("repair", vec!["repair", "--all", "--yes"]),
                ("purge", vec!["trash", "purge", "--yes"]),
            ];
            for (name, arguments) in commands {
                // So that there is something to mend each time.
                let broken = (name == "repair").then(|| self.breaks(round));
                let mut command = self.sandbox.cachetui(&arguments);
                let output = command.arg("--json").env("UV_LOCK_TIMEOUT", "240").output().unwrap();
                // Done; or stale, because uv was faster; or damage that uv was about to mend; or busy.
                if !matches!(output.status.code(), Some(0 | 1 | 3 | 11)) || text(&output).contains("panicked")
                {
                    wrong.push(format!("{arguments:?}: {:?} {}", output.status.code(), text(&output)));
                }
                if broken.is_some_and(|path| !path.exists()) {
                    wrong.push(format!("{arguments:?} did not mend it: {}", text(&output)));
                }
                let done = text(&output).contains("\"state\":\"done\"");
                *did.entry(name).or_default() += usize::from(done);
                let had =
                    round >= ROUNDS || CHANGES.iter().all(|name| did.get(name).is_some_and(|it| *it > 0));
                self.pace.had_its_turn.fetch_or(had, Ordering::SeqCst);
                if self.pace.command() == all {
                    return (did, wrong);
                }
            }
            round += 1;
        }
    }
}

/// The directory of distributions.
fn site(environment: &Path) -> PathBuf {
    let mut versions = std::fs::read_dir(environment.join("lib")).unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

/// Every file that a `RECORD` lists is there, and is what it states.
fn is_whole(site: &Path) {
    let infos = std::fs::read_dir(site).unwrap().map(|item| item.unwrap().path());
    for info in infos.filter(|path| path.extension().is_some_and(|it| it == "dist-info")) {
        let text = std::fs::read_to_string(info.join("RECORD")).unwrap();
        for line in text.lines() {
            let parts: Vec<&str> = line.split(',').collect();
            let Some(digest) = parts[1].strip_prefix("sha256=") else { continue };
            let path = site.join(parts[0]);
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(BASE64URL_NOPAD.encode(&Sha256::digest(bytes)), digest, "{}", path.display());
        }
    }
}

#[test]
fn four_processes_of_uv_and_cachetui_share_a_cache() {
    let base = tempfile::tempdir().unwrap();
    let Some(scene) = Scene::new(base.path()) else { return };
    let sandbox = &scene.sandbox;
    let mut environments = Vec::new();
    for process in 0..4 {
        let more = ["demo-a==1.0", "demo-b==1.0", "demo-c==1.0", "demo-d==1.0"];
        let name = format!("process{process}");
        environments.push(sandbox.install(&name, "hardlink", &[&scene.places()[..], &more].concat()));
        let project = sandbox.roots().join(format!("project{process}"));
        std::fs::create_dir_all(&project).unwrap();
        let text = format!(
            "[project]\nname = \"project{process}\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"demo-a\", \"demo-c==1.0\"]\n"
        );
        std::fs::write(project.join("pyproject.toml"), text).unwrap();
        environments.push(project.join(".venv"));
    }
    environments.push(sandbox.install("fixed", "symlink", &[&scene.places()[..], &FIXED].concat()));
    let all = 4 * OPERATIONS;
    let (failures, did) = std::thread::scope(|scope| {
        let scene = &scene;
        let processes: Vec<_> = (0..4).map(|number| scope.spawn(move || scene.process(number))).collect();
        let did = scope.spawn(move || scene.cachetui(all));
        let failures: Vec<String> =
            processes.into_iter().flat_map(|process| process.join().unwrap()).collect();
        (failures, did.join().unwrap())
    });
    assert!(
        failures.is_empty(),
        "{} of {all} operations of uv failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    let (did, wrong) = did;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let has_done = |name: &&str| did.get(name).is_some_and(|times| *times > 0);
    assert!(CHANGES.iter().all(has_done), "cachetui did something too: {did:?}");
    for environment in environments.iter().filter(|path| path.exists()) {
        is_whole(&site(environment));
        sandbox.run_uv(&["pip", "check", "--python", environment.to_str().unwrap()]);
    }
    for entry in std::fs::read_dir(sandbox.cache().join("archive-v0")).unwrap().map(Result::unwrap) {
        // Environments of `uv run` are entries too.
        if !entry.path().join("pyvenv.cfg").exists() {
            is_whole(&entry.path());
        }
    }
    let dangling = sandbox.json(&["links", "--state", "dangling,malformed"]);
    assert_eq!(dangling["pointers"], serde_json::json!([]));
    let target = sandbox.path("target").display().to_string();
    let mut install = sandbox.uv(&["pip", "install", "--offline", "--target", &target]);
    ran(install.args(scene.places()).args(MOVING).args(FIXED));
    sandbox.run_uv(&["cache", "prune"]);
    ran(&mut sandbox.cachetui(&["trash", "purge", "--yes"]));
}
