//! `schedule`: what it writes for each system, read by the programs that read such files, and taken away again.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{not_run, text};

const ODD: &str = "odd $HOME 100% & <x> \"q\"";

struct Ground {
    base: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        for name in ["home/config/cachetui", ODD, "bin"] {
            std::fs::create_dir_all(base.path().join(name)).unwrap();
        }
        let ground = Self { base };
        ground.settings("[policy]\nmax-size = \"40G\"\n");
        ground
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.base.path().join(relative)
    }

    fn settings(&self, text: &str) {
        std::fs::write(self.path("home/config/cachetui/config.toml"), text).unwrap();
    }

    /// A program that is called in the place of the system's.
    #[cfg(target_os = "linux")]
    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
        let home = self.path("home");
        command
            .env_clear()
            .env("HOME", &home)
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("NO_COLOR", "1")
            .current_dir(&home)
            .args(arguments)
            .arg("--cache-dir")
            .arg(self.path(ODD).join("cache"))
            .arg("--root")
            .arg(self.path(ODD));
        command
    }

    #[cfg(target_os = "linux")]
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        told(&self.command(arguments).output().unwrap())
    }

    /// The files that a system would get, with their text.
    fn files(&self, system: &str) -> Vec<(String, String)> {
        let arguments = ["schedule", "install", "--dry-run", "--json", "--system", system];
        let output = self.command(&arguments).env("CACHETUI_KEEP", "a&b").output().unwrap();
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{:?}", told(&output)));
        assert_eq!(answer["written"], false);
        let files = answer["files"].as_array().unwrap().iter();
        files
            .map(|file| {
                (file["path"].as_str().unwrap().to_owned(), file["text"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    #[cfg(target_os = "linux")]
    fn units(&self) -> [PathBuf; 2] {
        ["service", "timer"]
            .map(|kind| self.path("home/config/systemd/user").join(format!("cachetui-gc.{kind}")))
    }
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(output))
}

/// What a timer has to run, word by word.
fn wanted(ground: &Ground) -> Vec<String> {
    let (root, cache) = (ground.path(ODD), ground.path(ODD).join("cache"));
    let words = [
        env!("CARGO_BIN_EXE_cachetui"),
        "gc",
        "--auto",
        "--when-free=8h",
        "--cache-dir",
        cache.to_str().unwrap(),
        "--root",
        root.to_str().unwrap(),
    ];
    words.map(str::to_owned).to_vec()
}

/// Runs a script of Python where there is one.
fn python(script: &str, argument: &Path) -> Option<String> {
    let Ok(output) = Command::new("python3").args(["-c", script]).arg(argument).output() else {
        not_run("there is no python3 to read files with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn systemd_reads_what_is_written_for_it_word_by_word() {
    let ground = Ground::new();
    let files = ground.files("systemd");
    assert_eq!(files.len(), 2);
    let directory = ground.path("units");
    std::fs::create_dir(&directory).unwrap();
    for (path, text) in &files {
        std::fs::write(directory.join(Path::new(path).file_name().unwrap()), text).unwrap();
    }
    let service = &files[0].1;
    assert!(
        service.contains("SuccessExitStatus=11") && service.contains("Environment=\"CACHETUI_KEEP=a&b\"")
    );
    assert!(
        service.contains(&format!("XDG_STATE_HOME={}", ground.path("home/state").display())),
        "{service}"
    );
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--user", "--man=no"])
        .args(["service", "timer"].map(|kind| directory.join(format!("cachetui-gc.{kind}"))))
        .env("XDG_RUNTIME_DIR", ground.base.path())
        .output();
    match verify {
        Ok(output) => {
            let (code, text) = told(&output);
            assert!(code == Some(0) && !text.contains("cachetui-gc"), "{text}");
        }
        Err(_) => not_run("there is no systemd-analyze"),
    }
    // The words, as systemd.syntax(7) reads them.
    let line = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap();
    let words: Vec<String> = line
        .split("\" \"")
        .map(|word| word.replace("\\\"", "\"").replace("\\\\", "\\").replace("$$", "$").replace("%%", "%"))
        .collect();
    assert_eq!(words, wanted(&ground));
}

#[test]
fn launchd_and_the_task_scheduler_get_files_that_parsers_read() {
    let ground = Ground::new();
    let agent = ground.path("agent.plist");
    std::fs::write(&agent, &ground.files("launchd")[0].1).unwrap();
    let script =
        "import plistlib,sys,json; it = plistlib.load(open(sys.argv[1],'rb')); print(json.dumps(it))";
    if let Some(text) = python(script, &agent) {
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["ProgramArguments"], serde_json::json!(wanted(&ground)));
        assert_eq!(read["EnvironmentVariables"]["CACHETUI_KEEP"], "a&b");
        assert_eq!(read["StartInterval"], 86_400);
    }
    let task = ground.path("task.xml");
    let text = ground.files("task-scheduler")[0].1.clone();
    let wide: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    std::fs::write(&task, wide).unwrap();
    let script = "import xml.etree.ElementTree as e,sys,json; r = e.parse(sys.argv[1]).getroot(); \
                  n = {'t': 'http://schemas.microsoft.com/windows/2004/02/mit/task'}; x = r.find('t:Actions/t:Exec', n); \
                  print(json.dumps([r.get('version'), x.find('t:Command', n).text, x.find('t:Arguments', n).text, \
                  r.find('t:Triggers/t:TimeTrigger/t:Repetition/t:Interval', n).text]))";
    if let Some(text) = python(script, &task) {
        let read: Value = serde_json::from_str(&text).unwrap();
        let words = wanted(&ground);
        let (cache, root) = (words[5].replace('"', "\\\""), words[7].replace('"', "\\\""));
        assert_eq!(
            read,
            serde_json::json!([
                "1.2",
                words[0],
                format!("gc --auto --when-free=8h --cache-dir \"{cache}\" --root \"{root}\""),
                "P1D"
            ])
        );
    }
}

/// Installed, told, installed anew, and taken away; the system's commands are those that are printed.
#[cfg(target_os = "linux")]
#[test]
fn a_timer_is_installed_told_and_removed() {
    let ground = Ground::new();
    let log = ground.path("log");
    ground.program(
        "systemctl",
        &format!("echo \"$@\" >> {}\ncase \"$*\" in *show*) echo @4000000000;; esac", log.display()),
    );
    let (code, text) = ground.run(&["schedule", "status"]);
    assert!(code == Some(0) && text.contains("No timer is installed"), "{text}");
    let (code, text) = ground.run(&["schedule", "install"]);
    assert!(code == Some(2) && text.contains("ExecStart") && !ground.units()[0].exists(), "{text}");
    let (code, text) = ground.run(&["schedule", "install", "--yes", "--every", "hour"]);
    assert_eq!(code, Some(0), "{text}");
    let [service, timer] = ground.units();
    assert!(std::fs::read_to_string(&timer).unwrap().contains("OnCalendar=hourly"));
    let ran = std::fs::read_to_string(&log).unwrap();
    let printed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("$ systemctl ")).collect();
    assert_eq!(ran.lines().collect::<Vec<_>>(), printed);
    assert_eq!(printed, ["--user daemon-reload", "--user enable --now cachetui-gc.timer"]);
    let (code, text) = ground.run(&["schedule", "status"]);
    assert!(code == Some(0) && text.contains("A timer is installed. It runs again in"), "{text}");
    assert!(text.contains("has not removed anything"), "{text}");
    // Again, otherwise: it is replaced.
    assert_eq!(ground.run(&["schedule", "install", "--yes"]).0, Some(0));
    assert!(std::fs::read_to_string(&timer).unwrap().contains("OnCalendar=daily"));
    let (code, text) = ground.run(&["schedule", "remove", "--dry-run"]);
    assert!(code == Some(0) && service.exists() && text.contains("disable --now"), "{text}");
    assert_eq!(ground.run(&["schedule", "remove", "--yes"]).0, Some(0));
    assert!(!service.exists() && !timer.exists());
    let ran = std::fs::read_to_string(&log).unwrap();
    assert!(ran.ends_with("--user disable --now cachetui-gc.timer\n--user daemon-reload\n"), "{ran}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_stands_in_the_way_of_a_timer_is_said_and_nothing_of_a_person_goes() {
    let ground = Ground::new();
    ground.settings("");
    let (code, text) = ground.run(&["schedule", "install", "--yes"]);
    assert!(code == Some(2) && text.contains("There is no policy"), "{text}");
    for relative in ["roots = [\"code\"]\n[policy]\n", "[policy]\nkeep = [\"~x/uv.lock\"]\n"] {
        ground.settings(&format!("{relative}older-than = \"60d\"\n"));
        let (code, text) = ground.run(&["schedule", "install", "--yes"]);
        assert!(code == Some(2) && text.contains("is relative"), "{text}");
    }
    ground.settings("roots = [\"~/code\"]\n[policy]\nolder-than = \"60d\"\n");
    let [service, timer] = ground.units();
    std::fs::create_dir_all(service.parent().unwrap()).unwrap();
    std::fs::write(&timer, "[Timer]\nOnCalendar=never\n").unwrap();
    for command in [["schedule", "install", "--yes"], ["schedule", "remove", "--yes"]] {
        let (code, text) = ground.run(&command);
        assert!(code == Some(1) && text.contains("cachetui has not written it"), "{text}");
        assert_eq!(std::fs::read_to_string(&timer).unwrap(), "[Timer]\nOnCalendar=never\n");
        assert!(!service.exists());
    }
    std::fs::remove_file(&timer).unwrap();
    // Where the manager cannot be reached, as in a container, the files are there and that is said.
    ground.program("systemctl", "echo 'Failed to connect to bus' >&2; exit 1");
    let (code, text) = ground.run(&["schedule", "install", "--yes"]);
    assert!(
        code == Some(1) && text.contains("Failed to connect to bus") && text.contains("have to be run"),
        "{text}"
    );
    assert!(service.exists() && timer.exists());
    let (code, text) = ground.run(&["schedule", "status", "--json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(code == Some(0) && answer["installed"] == true && answer["next"].is_null(), "{text}");
    assert_eq!(ground.run(&["schedule", "remove", "--yes"]).0, Some(1));
    assert!(!service.exists() && !timer.exists());
}
