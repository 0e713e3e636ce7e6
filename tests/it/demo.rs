//! The sample of `cachetui demo` really has everything it is there to show.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The program, away from everything of this machine.
fn cachetui(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
    command.env_clear().env("HOME", home).env("TMPDIR", home).current_dir("/");
    command
}

fn success(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// A sample in a directory of its own.
struct Kept {
    home: tempfile::TempDir,
}

impl Kept {
    fn make() -> Self {
        let home = tempfile::tempdir().unwrap();
        let sample = home.path().join("sample");
        let output = success(cachetui(home.path()).arg("demo").arg("--keep").arg(sample).output().unwrap());
        let text = String::from_utf8(output).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("cachetui --cache-dir")).count(), 3, "{text}");
        Self { home }
    }

    fn path(&self) -> PathBuf {
        self.home.path().canonicalize().unwrap().join("sample")
    }

    fn cache(&self) -> PathBuf {
        self.path().join("home/.cache/uv")
    }

    fn json(&self, command: &str) -> Value {
        let mut program = cachetui(self.home.path());
        program.arg("--cache-dir").arg(self.cache()).arg("--root").arg(self.path().join("home"));
        serde_json::from_slice(&success(program.args(["--no-remember", command, "--json"]).output().unwrap()))
            .unwrap()
    }

    /// The environments by their path in the sample.
    fn environment<'a>(&self, answer: &'a Value, path: &str) -> &'a Value {
        let path = self.path().join(path);
        let rows = answer["environments"].as_array().unwrap();
        rows.iter().find(|row| row["path"] == *path.to_str().unwrap()).unwrap()
    }
}

fn entry<'a>(answer: &'a Value, name: &str, version: &str) -> &'a Value {
    let rows = answer["entries"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name && row["version"] == version).unwrap()
}

fn words(answer: &Value, rows: &str, field: &str) -> BTreeSet<String> {
    let rows = answer[rows].as_array().unwrap();
    rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
#[cfg_attr(windows, ignore = "the sample has symlinks")]
fn the_sample_has_entries_in_every_state_and_from_every_source() {
    let kept = Kept::make();
    let answer = kept.json("list");
    let malformed = kept.json("links")["pointers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pointer| pointer["state"] == "malformed")
        .count();
    assert_eq!(answer["problems"].as_array().unwrap().len(), malformed, "nothing else is wrong with it");
    assert_eq!(
        words(&answer, "entries", "state"),
        set(&["protected", "used", "unused", "unreferenced", "held-elsewhere"])
    );
    assert_eq!(words(&answer, "entries", "kind"), set(&["wheel", "environment"]));
    let origins = answer["entries"].as_array().unwrap().iter().map(|row| row["source"]["origin"].clone());
    let origins: BTreeSet<String> = origins.map(|word| word.as_str().unwrap().to_owned()).collect();
    assert_eq!(
        origins,
        set(&["pypi", "index", "find-links", "url", "path", "git", "editable", "command", "unknown"])
    );
    let state = |name: &str, version: &str| entry(&answer, name, version)["state"].clone();
    assert_eq!(state("torch", "2.9.0"), "used");
    assert_eq!(state("torch", "2.7.1"), "held-elsewhere");
    assert_eq!(state("django", "5.2.7"), "protected");
    assert_eq!(state("polars", "1.34.0"), "unused");
    assert_eq!(state("shop-api", "0.3.2"), "unreferenced");
    let held = &entry(&answer, "torch", "2.7.1")["links"];
    assert!(held["unexplained"].as_u64().unwrap() > 50 && held["explained"] == 0, "{held}");
    let numpy = &entry(&answer, "numpy", "1.26.4")["links"];
    assert_eq!(numpy["unexplained"], numpy["explained"], "half of its links lie outside");
    assert_eq!(entry(&answer, "requests", "2.32.5")["modified"], 1);
    assert_eq!(entry(&answer, "docopt", "0.6.2")["source"]["built"], true);
    let used = answer["entries"].as_array().unwrap().iter();
    let days: BTreeSet<&str> =
        used.map(|row| &row["last_use"]["time"].as_str().unwrap()[.."2026-11-21".len()]).collect();
    assert!(days.len() > 10, "ages differ: {days:?}");
    let disk = answer["totals"]["bytes"]["disk"].as_u64().unwrap();
    assert!((40 << 20..58 << 20).contains(&disk), "{disk}");
}

#[test]
#[cfg_attr(windows, ignore = "the sample has symlinks")]
fn the_sample_has_environments_of_every_mode_kind_and_health() {
    let kept = Kept::make();
    let answer = kept.json("envs");
    let environment = |path: &str| kept.environment(&answer, path);
    let field = |path: &str, field: &str| environment(path)[field].clone();
    for (path, kind, mode, health) in [
        ("home/code/ml/.venv", "project", "hardlink", "ok"),
        ("home/code/notebook/.venv", "project", "hardlink", "ok"),
        ("home/code/api/.venv", "project", "symlink", "ok"),
        ("home/code/reports/.venv", "project", "copy", "ok"),
        ("home/code/old-api/.venv", "project", "symlink", "broken"),
        ("home/code/thesis/.venv", "project", "hardlink", "no-interpreter"),
        ("home/.local/share/uv/tools/httpie", "tool", "hardlink", "ok"),
    ] {
        assert_eq!(
            [&field(path, "kind"), &field(path, "mode"), &field(path, "health")],
            [kind, mode, health],
            "{path}"
        );
    }
    let default = field("home/code/site/.venv", "mode");
    assert!(default == "clone" || default == "hardlink" || default == "mixed", "{default}");
    assert_eq!(words(&answer, "environments", "kind"), set(&["project", "tool", "cached", "script"]));
    assert!(!answer.to_string().contains("backup"), "what lies outside is not found");
    let files = |path: &str, name: &str| {
        let rows = environment(path)["distributions"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(files("home/code/reports/.venv", "pandas")["files"]["modified"], 1);
    assert_eq!(files("home/code/reports/.venv", "pandas")["state"], "modified");
    assert_eq!(files("home/code/ml/.venv", "transformers")["files"]["modified"], 1);
    assert_eq!(files("home/code/ml/.venv", "requests")["state"], "modified", "through its hardlinks");
    assert_eq!(files("home/code/ml/.venv", "torch")["state"], "ok");
    assert_eq!(files("home/code/old-api/.venv", "flask")["state"], "broken");
    assert_eq!(files("home/code/api/.venv", "shop-api")["editable"], true);
    for name in ["google-cloud-core", "google-cloud-storage"] {
        assert_eq!(files("home/code/notebook/.venv", name)["state"], "ok", "{name}");
    }
    for row in answer["environments"].as_array().unwrap() {
        for distribution in row["distributions"].as_array().unwrap() {
            assert_eq!(distribution["files"]["own"], 0, "{distribution}");
            assert_eq!(distribution["files"]["missing"], 0, "{distribution}");
        }
    }
}

#[test]
#[cfg_attr(windows, ignore = "the sample has symlinks")]
fn the_sample_has_pointers_in_every_state_and_form() {
    let kept = Kept::make();
    let answer = kept.json("links");
    assert_eq!(words(&answer, "pointers", "state"), set(&["live", "dangling", "foreign", "malformed"]));
    assert_eq!(words(&answer, "pointers", "form"), set(&["symlink", "link-file", "http", "rev"]));
}

#[test]
fn without_a_terminal_the_entries_are_listed_and_the_sample_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let text = String::from_utf8(success(cachetui(home.path()).arg("demo").output().unwrap())).unwrap();
    assert!(text.contains("torch") && text.contains("held-elsewhere"), "{text}");
    assert!(!text.contains(home.path().to_str().unwrap()), "no path that is gone: {text}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_demo_that_is_ended_by_a_signal_takes_its_sample_away() {
    use rustix::process::{Pid, Signal, kill_process};
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let home = tempfile::tempdir().unwrap();
        let mut program = cachetui(home.path());
        let mut child = program.arg("demo").stdout(std::process::Stdio::null()).spawn().unwrap();
        while std::fs::read_dir(home.path()).unwrap().count() == 0 {
            assert_eq!(child.try_wait().unwrap(), None, "it makes a directory first");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal:?}");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "{signal:?}");
    }
}

#[test]
fn a_sample_is_kept_in_an_empty_directory_only() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("thesis.tex"), "years of work").unwrap();
    let output = cachetui(home.path()).arg("demo").arg("--keep").arg(home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("There is something in"), "{output:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn real_uv_reads_the_sample_and_prunes_what_nothing_leads_to() {
    let version = Command::new("uv").arg("--version").output();
    if !version.is_ok_and(|output| output.stdout.starts_with(b"uv 0.13.8")) {
        return;
    }
    let kept = Kept::make();
    let uv = |arguments: &[&str]| {
        let mut command = Command::new("uv");
        command.args(["--no-config", "--offline", "--cache-dir"]).arg(kept.cache()).args(arguments);
        command.env("UV_PYTHON_DOWNLOADS", "never").current_dir(kept.path()).output().unwrap()
    };
    let size = String::from_utf8(success(uv(&["cache", "size"]))).unwrap();
    let ours = kept.json("list");
    // Both count allocated blocks, each inode once.
    let (theirs, ours_disk): (u64, u64) =
        (size.trim().parse().unwrap(), ours["cache"]["bytes"]["disk"].as_u64().unwrap());
    assert_eq!(theirs, ours_disk);
    if uv(&["python", "find"]).status.success() {
        for (path, name) in [("api", "django"), ("ml", "torch"), ("reports", "pandas")] {
            let target = format!("home/code/{path}/.venv/lib/python3.12/site-packages");
            let list = success(uv(&["pip", "list", "--target", &target]));
            assert!(String::from_utf8(list).unwrap().contains(name), "{name}");
        }
    }
    success(uv(&["cache", "prune"]));
    let left = std::fs::read_dir(kept.cache().join("archive-v0")).unwrap();
    let left: BTreeSet<String> = left.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    let expected = ours["entries"].as_array().unwrap().iter().filter(|row| {
        let pointers = row["pointers"].as_array().unwrap();
        row["kind"] == "wheel" && pointers.iter().any(|pointer| pointer["form"] == "symlink")
    });
    let expected: BTreeSet<String> = expected.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(left, expected);
}
