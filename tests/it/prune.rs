//! `prune`, `apply`, `undo` and `trash` as a person or a program calls them, on a small cache.

mod again;
mod bytes;
mod doubled;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emptying;
mod hostile;
mod overlay;
mod places;
mod promise;
mod stale;
mod terminal;
mod trash;

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::lock::child;
use crate::support::fixture::Fixture;

/// The entry of demo-c 1.0 in the sample cache, to which the one environment is linked by symlink.
const DEMO_C: &str = "S-OK9lY4v3cWBBoK";
/// The entry of demo-a 1.0, which nobody uses.
const DEMO_A: &str = "REyAMorrDLPjT40S";

/// A cache of nine entries, of which one environment uses one.
struct Ground {
    _fixture: Option<Fixture>,
    root: PathBuf,
}

/// What a command answered.
struct Told {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Told {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Everything it said.
    fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Ground {
    fn new() -> Self {
        let fixture = Fixture::unpack("uv-0.13.8-cache");
        let root = fixture.root();
        let ground = Self { _fixture: Some(fixture), root };
        std::fs::remove_dir_all(ground.path("app")).unwrap();
        std::fs::remove_dir_all(ground.cache().join("interpreter-v5")).unwrap();
        std::fs::create_dir(ground.cache().join("interpreter-v5")).unwrap();
        environment(&ground.path("code/proj/.venv"), &ground.cache());
        ground
    }

    /// A copy in another directory.
    fn copied_to(&self, directory: &Path) -> Self {
        let root = directory.join("ground");
        std::fs::create_dir(&root).unwrap();
        for name in ["cache", "code"] {
            let done = Command::new("cp").arg("-a").arg(self.path(name)).arg(root.join(name)).status();
            assert!(done.unwrap().success());
        }
        std::fs::remove_dir_all(root.join("code")).unwrap();
        let copy = Self { _fixture: None, root };
        environment(&copy.path("code/proj/.venv"), &copy.cache());
        copy
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    fn entry(&self, id: &str) -> PathBuf {
        self.cache().join("archive-v0").join(id)
    }

    fn entries(&self) -> usize {
        std::fs::read_dir(self.cache().join("archive-v0")).unwrap().count()
    }

    /// A command of cachetui on this ground; what changed a moment ago counts as old.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--cache-dir").arg(self.cache()).arg("--root").arg(self.path("code"));
        if arguments[0] == "prune" && !arguments.contains(&"--grace") {
            command.args(["--grace", "0h"]);
        }
        // The directory of wheels that the sample was made from is on no other machine.
        if arguments[0] == "prune" && !arguments.contains(&"--allow") {
            command.args(["--allow", "gone"]);
        }
        command
            .arg("--no-remember")
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("UV_LOCK_TIMEOUT", "0")
            .current_dir("/");
        command
    }

    fn run(&self, arguments: &[&str]) -> Told {
        Told::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command that has to do all it was asked for.
    fn done(&self, arguments: &[&str]) -> Told {
        let told = self.run(arguments);
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{arguments:?}: {}", told.stdout);
        told
    }

    /// Everything there is but cachetui's own state, as `lstat` tells it.
    fn listing(&self) -> Vec<String> {
        listing(&self.root)
    }

    fn no_pointer_dangles(&self) {
        let answer = self.done(&["links", "--state", "dangling", "--json"]).json();
        assert_eq!(answer["pointers"], serde_json::json!([]));
    }

    /// The environment can read everything it links to.
    fn environment_is_whole(&self) {
        let venv = self.path("code/proj/.venv");
        for item in walkdir::WalkDir::new(&venv).into_iter().map(Result::unwrap) {
            assert!(item.path().exists(), "`{}` dangles", item.path().display());
        }
    }
}

/// An environment in which demo-c is installed by symlinks.
fn environment(root: &Path, cache: &Path) {
    let site = root.join("lib/python3.11/site-packages");
    std::fs::create_dir_all(site.join("demo_c-1.0.dist-info")).unwrap();
    std::fs::write(root.join("pyvenv.cfg"), "home = /usr/bin\nuv = 0.13.8\nversion_info = 3.11.7\n").unwrap();
    install(&site, cache, DEMO_C, "demo_c-1.0.dist-info", &["demo_ns/c/__init__.py", "demo_ns/c/more.py"]);
}

/// Installs an entry by symlinks.
fn install(site: &Path, cache: &Path, id: &str, info: &str, files: &[&str]) {
    let entry = cache.join("archive-v0").join(id);
    let own = [format!("{info}/METADATA"), format!("{info}/WHEEL")];
    for file in files.iter().copied().chain(own.iter().map(String::as_str)) {
        std::fs::create_dir_all(site.join(file).parent().unwrap()).unwrap();
        symlink(entry.join(file), site.join(file)).unwrap();
    }
    let record = format!("{info}/RECORD");
    std::fs::write(site.join(&record), std::fs::read(entry.join(&record)).unwrap()).unwrap();
}

/// Everything below a directory but cachetui's state, with all that `lstat` tells.
fn listing(root: &Path) -> Vec<String> {
    let items = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    items
        .filter(|item| !item.path().starts_with(root.join("state")) && item.path() != root)
        .map(|item| {
            let meta = item.path().symlink_metadata().unwrap();
            format!(
                "{} {}:{} {:o} {} {} {} {}.{} {}.{}",
                item.path().display(),
                meta.dev(),
                meta.ino(),
                meta.mode(),
                meta.nlink(),
                meta.size(),
                meta.blocks(),
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec()
            )
        })
        .collect()
}

const EVERYTHING: [&str; 4] = ["prune", "--unused", "--cached-environments", "--allow=most"];

fn everything<'a>(more: &[&'a str]) -> Vec<&'a str> {
    EVERYTHING.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn with_nothing_asked_for_it_shows_what_each_kind_would_give_back_and_changes_nothing() {
    let ground = Ground::new();
    let before = ground.listing();
    let told = ground.done(&["prune"]);
    for flag in [
        "unreferenced",
        "unused",
        "superseded",
        "cached-environments",
        "old-generations",
        "orphaned-central",
        "stale-buckets",
        "old-builds",
        "sources",
        "git-repositories",
        "index-caches",
        "crash-leftovers",
    ] {
        assert!(told.stdout.contains(&format!("--{flag}")), "{flag}: {}", told.stdout);
    }
    assert!(told.stdout.contains("--cached-environments 1 entry, frees"), "{}", told.stdout);
    let found = "1 environment found, and 1 that uvx and scripts left in the cache";
    assert!(told.stdout.contains(found), "{}", told.stdout);
    let json = ground.done(&["prune", "--json"]).json();
    let classes = json["classes"].as_array().unwrap();
    let steps = |class: &str| {
        let row = classes.iter().find(|row| row["class"] == class).unwrap();
        row["totals"]["steps"].as_u64().unwrap()
    };
    assert_eq!((steps("unused"), steps("cached-environments"), steps("superseded")), (6, 1, 1));
    assert_eq!(ground.listing(), before);
}

#[test]
fn the_dry_run_touches_nothing_and_its_plan_is_that_of_the_run_to_the_byte() {
    let ground = Ground::new();
    let lock = ground.cache().join(".lock").metadata().unwrap();
    let before = ground.listing();
    let dry = ground.done(&everything(&["--dry-run", "--json"])).stdout;
    ground.done(&everything(&["--dry-run"]));
    assert_eq!(ground.listing(), before, "no inode, mtime or ctime has changed anywhere");
    let run = ground.done(&everything(&["--yes", "--json"]));
    let dry = dry.split_once(",\"plan\":").unwrap().1.strip_suffix("}\n").unwrap();
    let (plan, report) = run.stdout.split_once(",\"plan\":").unwrap().1.rsplit_once(",\"report\":").unwrap();
    assert_eq!(plan, dry);
    let report: Value = serde_json::from_str(report.strip_suffix("}\n").unwrap()).unwrap();
    let outcomes = report["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 8);
    assert!(outcomes.iter().all(|outcome| outcome["state"] == "done"), "{report:#}");
    assert_eq!(report["freed"]["predicted"], run.json()["plan"]["totals"]["bytes"]["reclaimable"]);
    assert_eq!((ground.entries(), ground.entry(DEMO_C).is_dir()), (1, true), "what is used stays");
    assert!(!ground.cache().join(".cachetui-trash").exists());
    ground.no_pointer_dangles();
    ground.environment_is_whole();
    let after = ground.cache().join(".lock").metadata().unwrap();
    assert_eq!((after.ino(), after.mode()), (lock.ino(), lock.mode()));
    // What only a cached environment used has gone with it.
    let again = ground.done(&everything(&["--yes", "--json"])).json();
    assert_eq!((&again["plan"]["steps"], ground.entries()), (&serde_json::json!([]), 1));
    ground.environment_is_whole();
    let journal = std::fs::read_dir(ground.path("state/cachetui/journal")).unwrap().map(Result::unwrap);
    let pages: Vec<PathBuf> = journal.map(|item| item.path()).collect();
    let page: Value = serde_json::from_slice(&std::fs::read(&pages[0]).unwrap()).unwrap();
    assert_eq!((pages.len(), page["report"]["outcomes"].is_array()), (1, true), "one for each change");
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_removed() {
    let ground = Ground::new();
    let before = ground.listing();
    for arguments in [everything(&[]), everything(&["--json"])] {
        let told = ground.run(&arguments);
        assert_eq!(told.code, 2, "{}", told.text());
        assert!(told.stderr.contains("`--yes` does it without asking"), "{}", told.stderr);
    }
    assert_eq!(ground.run(&everything(&["--yes", "--dry-run"])).code, 2);
    assert_eq!(ground.listing(), before);
}

#[test]
fn an_older_layout_waits_thirty_days_and_nobody_is_told_otherwise() {
    let ground = Ground::new();
    let bucket = ground.cache().join("wheels-v5/pypi/demo");
    std::fs::create_dir_all(&bucket).unwrap();
    std::fs::write(bucket.join("x.msgpack"), "x").unwrap();
    let wanted = ["prune", "--stale-buckets", "--grace", "0h", "--dry-run"];
    let told = ground.done(&wanted);
    assert!(told.stdout.contains("changed within 30 days"), "{}", told.stdout);
    assert!(!told.stdout.contains("`--grace 0h`"), "{}", told.stdout);
    let json = ground.done(&[&wanted[..], &["--json"]].concat()).json();
    assert_eq!(json["plan"]["kept"][0]["because"]["kind"], "recent-layout", "{json:#}");
    // Nor where it changed a moment ago, and the usual time of grace holds too.
    let told = ground.done(&["prune", "--stale-buckets", "--dry-run", "--grace", "24h"]);
    assert!(told.stdout.contains("changed within 30 days"), "{}", told.stdout);
    assert!(!told.stdout.contains("`--grace 0h`"), "{}", told.stdout);
}

#[test]
fn what_is_from_the_future_is_young_and_no_older_layout() {
    let ground = Ground::new();
    let left = ground.cache().join(".tmpabc");
    std::fs::create_dir(&left).unwrap();
    let file = std::fs::File::create(left.join("part")).unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(3 * 86_400)).unwrap();
    let json = ground.done(&["prune", "--crash-leftovers", "--dry-run", "--json"]).json();
    assert_eq!(json["plan"]["kept"][0]["path"], ".tmpabc", "{json:#}");
    assert_eq!(json["plan"]["kept"][0]["because"]["kind"], "young", "{json:#}");
}

#[test]
fn what_calls_for_a_second_look_needs_to_be_allowed_by_name() {
    let ground = Ground::new();
    let before = ground.listing();
    let told = ground.run(&["prune", "--unused", "--yes"]);
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("More than half of the cache would go"), "{}", told.stderr);
    assert!(told.stderr.contains("`--allow most`"), "{}", told.stderr);
    let json = ground.run(&["prune", "--unused", "--yes", "--json"]);
    assert_eq!((json.code, json.json().get("report")), (1, None));
    std::fs::remove_dir_all(ground.path("code/proj")).unwrap();
    let told = ground.run(&["prune", "--unused", "--yes"]);
    assert!(told.stderr.contains("`--allow no-environments,most`"), "{}", told.stderr);
    assert_eq!(ground.entries(), 9);
    assert!(before.iter().all(|line| line.contains("/code") || ground.listing().contains(line)));
    ground.done(&["prune", "demo-b", "--yes"]);
    assert_eq!(ground.entries(), 8, "what is named rests on nobody's absence");
}

#[test]
fn what_an_environment_reaches_by_symlink_stays_even_when_it_is_named() {
    let ground = Ground::new();
    let before = ground.listing();
    let told = ground.done(&["prune", "--package", "demo-c==1.0", "--yes"]);
    assert!(told.stdout.contains("Nothing to remove."), "{}", told.stdout);
    assert!(told.stdout.contains("code/proj/.venv` would break"), "{}", told.stdout);
    assert_eq!(ground.listing(), before);
    // What is said to help does.
    let command = told.stdout.lines().find_map(|line| line.strip_prefix("  cachetui ")).unwrap();
    let words: Vec<&str> = command.split(' ').skip_while(|word| *word != "relink").collect();
    assert!(words.last().unwrap().ends_with("code/proj/.venv"), "{command}");
    ground.done(&[&words[..], &["--yes"]].concat());
    let told = ground.done(&["prune", "--package", "demo-c==1.0", "--yes"]);
    assert!(told.stdout.contains("Removing 1 entry"), "{}", told.stdout);
    ground.environment_is_whole();
    let unknown = ground.run(&["prune", "demo-x", "--yes"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("No entry is called `demo-x`"), "{}", unknown.stderr);
}

#[test]
fn what_goes_into_the_trash_is_said_to_come_back_later_and_what_is_young_has_a_way_out() {
    let ground = Ground::new();
    let now = ground.done(&["prune", "demo-a", "--dry-run"]).stdout;
    let later = ground.done(&["prune", "demo-a", "--dry-run", "--trash"]).stdout;
    assert!(now.contains(" now: ") && !now.contains("trash"), "{now}");
    assert!(later.contains("once the trash is emptied: ") && !later.contains(" now: "), "{later}");
    let young = ground.done(&["prune", "--grace", "9999w"]).stdout;
    assert!(young.contains("Nothing can go yet") && young.contains("--grace 0h"), "{young}");
}

#[test]
fn to_do_it_without_saying_what_is_refused() {
    let ground = Ground::new();
    let (before, plan) = (ground.listing(), ground.path("plan.json"));
    for how in [&["--yes"][..], &["--trash"], &["--save", plan.to_str().unwrap()]] {
        let told = ground.run(&[&["prune"], how].concat());
        assert!(told.code == 2 && told.stderr.contains("Nothing was chosen"), "{how:?}: {}", told.text());
    }
    assert!(!plan.exists());
    assert_eq!(ground.listing(), before);
}

#[test]
fn limits_and_lock_files_leave_what_they_say() {
    let ground = Ground::new();
    let steps = |arguments: &[&str]| {
        let told = ground.done(&[arguments, &["--dry-run", "--json"]].concat()).json();
        told["plan"]["steps"].as_array().unwrap().len()
    };
    assert_eq!(steps(&["prune", "--older-than", "0min"]), 6, "alone it is about what is unused");
    assert_eq!(steps(&["prune", "--older-than", "30d"]), 0);
    assert_eq!(steps(&["prune", "--max-size", "1K"]), 10, "alone it is about everything");
    assert_eq!(steps(&["prune", "--max-size", "1T"]), 0);
    assert_eq!(steps(&["prune", "--keep-free", "1K"]), 0);
    assert_eq!(steps(&["prune", "demo-a"]), 3, "a name is every version, and the environment called so");
    assert_eq!(steps(&["prune", "--package", "demo-a==2.0"]), 2, "of a version too");
    assert_eq!(steps(&["prune", "--package", "demo-a==1.0"]), 1);
    let told = ground.done(&["prune", "--max-size", "1K", "--dry-run"]);
    assert!(told.stdout.contains("the limit is not reached"), "{}", told.stdout);
    let told = ground.done(&["prune", "--max-size", "1T", "--dry-run"]);
    assert!(!told.stdout.contains("the limit is not reached"), "{}", told.stdout);
    let lock = ground.path("code/uv.lock");
    let text = "version = 1\n[[package]]\nname = \"Demo.A\"\nversion = \"1.0.0\"\n[[package]]\nname = \"demo-b\"\nversion = \"1.0\"\n";
    std::fs::write(&lock, text).unwrap();
    let lock = lock.to_str().unwrap();
    assert_eq!(steps(&["prune", "--unused", "--keep-lock", lock]), 4);
    // So does a lock file of another kind, and requirements that include others.
    let pylock = ground.path("code/pylock.toml");
    std::fs::write(
        &pylock,
        text.replace("version = 1\n", "lock-version = \"1.0\"\n").replace("[package]", "[packages]"),
    )
    .unwrap();
    assert_eq!(steps(&["prune", "--unused", "--keep-lock", pylock.to_str().unwrap()]), 4);
    let requirements = ground.path("code/requirements.txt");
    std::fs::write(&requirements, "# needed\n-r base.in\ndemo_a[x]<2 ; sys_platform == 'win32'\n").unwrap();
    std::fs::write(ground.path("code/base.in"), "demo.b==1.0 --hash=sha256:00\n").unwrap();
    assert_eq!(steps(&["prune", "--unused", "--keep-lock", requirements.to_str().unwrap()]), 4);
    std::fs::write(ground.path("code/base.in"), "-r base.in\n").unwrap();
    let told = ground.run(&["prune", "--unused", "--yes", "--keep-lock", requirements.to_str().unwrap()]);
    assert_eq!((told.code, told.stderr.contains("too deeply, or itself")), (2, true), "{}", told.stderr);
    std::fs::write(lock, "[[package]\n").unwrap();
    let told = ground.run(&["prune", "--unused", "--yes", "--allow=most", "--keep-lock", lock]);
    assert_eq!((told.code, told.stderr.contains(lock)), (2, true), "{}", told.stderr);
    assert_eq!(ground.entries(), 9);
}

#[test]
fn a_cache_that_somebody_holds_is_busy_and_the_holder_is_named() {
    let ground = Ground::new();
    let before = ground.listing();
    let mut child = child::Child::run(&mut child::command("shared", &ground.cache()));
    assert_eq!(child.says(), "held");
    let told = ground.run(&everything(&["--yes"]));
    assert_eq!(told.code, 11, "{}", told.text());
    assert!(told.text().contains(&child.pid().to_string()), "{}", told.text());
    assert!(told.stdout.contains("changing it has to wait"), "{}", told.stdout);
    let undo = ground.run(&["undo"]);
    assert_eq!((undo.code, undo.stdout.contains("nothing to undo")), (0, true), "nothing needs no lock");
    assert_eq!(ground.listing(), before);
    child.end();
    ground.done(&everything(&["--yes"]));
}
