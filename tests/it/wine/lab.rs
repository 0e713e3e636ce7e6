//! A laboratory under Wine: the real Windows uv, a stand-in for Python, wheels that the tests write, and the Windows program.
//!
//! `CACHETUI_EXE` names the program, as `.ci/windows` built it; without it nothing here runs. Each lab is a directory of
//! drive C of one prefix, so that what happened on Windows can be measured from here.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::not_run;
use crate::support::pty::{Session, Start};
use crate::support::text;
use crate::support::uv::{VERSION, ran};
use crate::support::wheel::Wheel;

/// What all labs share.
#[derive(Clone, Debug)]
struct Programs {
    cachetui: PathBuf,
    uv: PathBuf,
    python: PathBuf,
    hold: PathBuf,
    bare: PathBuf,
    /// Drive C, as it is seen from here.
    drive: PathBuf,
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn programs() -> Option<&'static Programs> {
    static PROGRAMS: OnceLock<Option<Programs>> = OnceLock::new();
    let Some(cachetui) = std::env::var_os("CACHETUI_EXE") else {
        // Not a failure under CI: `.ci/windows` is where it runs.
        #[expect(clippy::print_stderr, reason = "a test that did not run must not look as if it had")]
        {
            eprintln!("not run: `CACHETUI_EXE` names no Windows program, as `.ci/windows` does");
        }
        return None;
    };
    let found = PROGRAMS.get_or_init(|| match prepare(PathBuf::from(cachetui)) {
        Ok(programs) => Some(programs),
        Err(reason) => {
            not_run(&reason);
            None
        }
    });
    found.as_ref()
}

fn prepare(cachetui: PathBuf) -> Result<Programs, String> {
    if Command::new("wine").arg("--version").output().is_err() {
        return Err("there is no wine".to_owned());
    }
    if !cachetui.is_file() {
        return Err(format!("`{}` is not there", cachetui.display()));
    }
    let built = project().join("target/wine/programs");
    std::fs::create_dir_all(&built).unwrap();
    let compiled = |name: &str| {
        let program = built.join(format!("{name}.exe"));
        let source = project().join("tests/windows").join(format!("{name}.c"));
        let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
        let output = gcc.args(["-O2", "-Wall", "-Werror", "-o"]).arg(&program).arg(source).output();
        let output = output.map_err(|_| "there is no x86_64-w64-mingw32-gcc".to_owned())?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok::<PathBuf, String>(program)
    };
    let (python, hold, bare) = (compiled("python")?, compiled("hold")?, compiled("bare")?);
    let uv = windows_uv(&built).ok_or(format!("uv {VERSION} for Windows could not be fetched with pip"))?;
    // The first call makes the prefix.
    ran(wine(&python).arg("-V"));
    let prefix =
        std::env::var_os("WINEPREFIX").map_or_else(|| project().join("target/wine/prefix"), PathBuf::from);
    Ok(Programs { cachetui, uv, python, hold, bare, drive: prefix.join("drive_c") })
}

/// The real uv for Windows, from its wheel.
fn windows_uv(place: &Path) -> Option<PathBuf> {
    let unpacked = place.join(format!("uv-{VERSION}"));
    let uv = unpacked.join(format!("uv-{VERSION}.data/scripts/uv.exe"));
    if uv.is_file() {
        return Some(uv);
    }
    let download = tempfile::tempdir_in(place).unwrap();
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--platform", "win_amd64"]);
    pip.args(["--only-binary=:all:", "--no-deps"])
        .arg(format!("uv=={VERSION}"))
        .arg("-d")
        .arg(download.path());
    let fetched = pip.output().ok().filter(|output| output.status.success());
    fetched?;
    let wheel = std::fs::read_dir(download.path()).unwrap().next()?.unwrap().path();
    ran(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked));
    uv.is_file().then_some(uv)
}

/// A Windows program, run in a prefix of its own.
fn wine(program: &Path) -> Command {
    let mut command = Command::new(project().join(".ci/wine/run"));
    command.arg(program).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("UV_") || name == "VIRTUAL_ENV" {
            command.env_remove(name);
        }
    }
    command
}

/// A directory of drive C with a Python, wheels, and room for a cache and environments.
pub(super) struct Lab {
    programs: &'static Programs,
    directory: TempDir,
}

impl Lab {
    /// A lab with two packages, one of them in two versions.
    pub(super) fn new() -> Option<Self> {
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("lab-").tempdir_in(&programs.drive).unwrap();
        let lab = Self { programs, directory };
        // Where uv looks for what it lays into an environment.
        let launchers = lab.path("python/Lib/venv/scripts/nt");
        std::fs::create_dir_all(&launchers).unwrap();
        let places = ["python.exe", "pythonw.exe", "venvlauncher.exe", "venvwlauncher.exe"];
        for place in
            places.map(|name| launchers.join(name)).into_iter().chain([lab.path("python/python.exe")])
        {
            std::fs::copy(&programs.python, place).unwrap();
        }
        for version in ["1.0", "2.0"] {
            Wheel::new("demo-a", version)
                .entry_point()
                .bulk("demo_a/bulk.bin", 200)
                .save(&lab.path("wheels"));
        }
        Wheel::new("demo-b", "1.0")
            .file("demo_b/größe.txt", "größe\n")
            .data("scripts/demo-run", "#!/bin/sh\necho run\n", 0o755)
            .data("data/share/demo/data.txt", "data\n", 0o644)
            .save(&lab.path("wheels"));
        std::fs::create_dir(lab.path("envs")).unwrap();
        Some(lab)
    }

    /// A path in the lab, as it is seen from here.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// The same as Windows names it.
    pub(super) fn windows(&self, relative: &str) -> String {
        let name = self.directory.path().file_name().unwrap().to_str().unwrap();
        format!("C:\\{name}\\{}", relative.replace('/', "\\"))
    }

    /// The cache, as it is seen from here.
    pub(super) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    fn run(&self, program: &Path) -> Command {
        let mut command = wine(program);
        command.current_dir(self.path("envs"));
        command.env("NO_COLOR", "1").env("UV_CACHE_DIR", self.windows("cache"));
        command.env("UV_PYTHON", self.windows("python/python.exe")).env("UV_PYTHON_DOWNLOADS", "never");
        command.env("UV_NO_PROGRESS", "1").env("UV_OFFLINE", "1").env("UV_NO_CONFIG", "1");
        command
    }

    /// uv.exe with some arguments.
    pub(super) fn uv(&self, arguments: &[&str]) -> Command {
        let mut command = self.run(&self.programs.uv);
        command.args(arguments);
        command
    }

    /// cachetui.exe with some arguments, looking at the lab's cache and environments.
    pub(super) fn cachetui(&self, arguments: &[&str]) -> Command {
        self.cachetui_on("cache", arguments)
    }

    /// The same on another cache in the lab.
    pub(super) fn cachetui_on(&self, cache: &str, arguments: &[&str]) -> Command {
        let mut command = self.run(&self.programs.cachetui);
        command.env("UV_FIND_LINKS", self.windows("wheels"));
        command.args(arguments).arg("--no-remember").args(["--cache-dir", &self.windows(cache)]);
        command.args(["--root", &self.windows("envs"), "--lock-dir", &self.windows("locks")]);
        command
    }

    /// cachetui.exe without standard handles and without a console, looking at the lab's cache.
    pub(super) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = self.run(&self.programs.bare);
        command.arg(&self.programs.cachetui).args(arguments);
        command.args(["--no-remember", "--cache-dir", &self.windows("cache")]);
        command.args(["--root", &self.windows("envs"), "--lock-dir", &self.windows("locks")]);
        command
    }

    /// cachetui.exe's interface, in a console of Wine's that is shown in a terminal of so many columns and rows.
    pub(super) fn interface(&self, size: (u16, u16)) -> Session {
        let mut command = self.cachetui(&["tui"]);
        if let Some(prefix) = std::env::var_os("WINEPREFIX") {
            command.env("WINEPREFIX", prefix);
        }
        let variables: Vec<(&str, &str)> = command
            .get_envs()
            .filter(|(name, _)| *name != "NO_COLOR")
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
            .collect();
        Session::start(&Start {
            program: command.get_program(),
            arguments: command.get_args().collect(),
            home: &self.path("envs"),
            variables: &variables,
            size,
        })
    }

    /// The same program built for this system, looking at the same cache.
    pub(super) fn here(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--no-remember").arg("--cache-dir").arg(self.cache());
        command.arg("--root").arg(self.path("envs")).arg("--lock-dir").arg(self.path("locks"));
        command.current_dir(self.path("envs")).env("HOME", self.path("home"));
        command
    }

    /// What cachetui.exe answers with `--json`, and its exit code.
    pub(super) fn json(&self, arguments: &[&str]) -> (Value, i32) {
        json(self.cachetui(arguments).arg("--json"))
    }

    /// Makes an environment with some packages.
    pub(super) fn install(&self, name: &str, mode: &str, packages: &[&str]) -> PathBuf {
        let root = self.windows(&format!("envs/{name}/.venv"));
        ran(&mut self.uv(&["venv", "--quiet", &root]));
        ran(self.pip(name, &["install", "--link-mode", mode]).args(packages));
        self.path(&format!("envs/{name}/.venv"))
    }

    /// `uv.exe pip` on an environment.
    pub(super) fn pip(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.uv(&["pip"]);
        command.args(arguments).args(["--quiet", "--python", &self.windows(&format!("envs/{name}/.venv"))]);
        if arguments[0] == "install" {
            command.args(["--no-index", "--find-links", &self.windows("wheels")]);
        }
        command
    }

    /// Holds a file as uv holds its locks, until the value is dropped.
    pub(super) fn hold(&self, mode: &str, relative: &str) -> Held {
        let mut command = self.run(&self.programs.hold);
        command.args([mode, &self.windows(relative)]);
        Held::start(&mut command)
    }

    /// Keeps uv.exe running a program, which holds the cache's lock together with others, until the value is dropped.
    pub(super) fn uv_at_work(&self) -> Held {
        let mut command = self.uv(&["run", "--quiet", "--no-project", "python", "wait"]);
        Held::start(command.env("UV_LOCK_TIMEOUT", "5"))
    }

    /// The entries of the cache, by id.
    pub(super) fn entries(&self) -> Vec<String> {
        let items = std::fs::read_dir(self.cache().join("archive-v0")).unwrap();
        let mut names: Vec<String> =
            items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The link files of wheels: their paths relative to the cache with `/`, and what they hold.
    pub(super) fn link_files(&self) -> Vec<(String, Vec<u8>)> {
        let walk = walkdir::WalkDir::new(self.cache().join("wheels-v7")).sort_by_file_name().into_iter();
        let files = walk.map(Result::unwrap).filter(|item| item.file_type().is_file());
        let links = files.filter(|item| item.file_name().to_str().unwrap().ends_with("-none-any"));
        let relative = |path: &Path| path.strip_prefix(self.cache()).unwrap().to_str().unwrap().to_owned();
        links.map(|item| (relative(item.path()), std::fs::read(item.path()).unwrap())).collect()
    }
}

/// Runs a command, and answers with its JSON and its exit code.
pub(super) fn json(command: &mut Command) -> (Value, i32) {
    let output = command.output().unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    let answer =
        answer.unwrap_or_else(|error| panic!("{command:?}, {}: {error}: {}", output.status, text(&output)));
    (answer, output.status.code().unwrap())
}

/// Runs a command, which has to end with an exit code.
pub(super) fn ends(command: &mut Command, wanted: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(wanted), "{command:?}\n{}", text(&output));
    text(&output)
}

/// A program that has a lock until its standard input is closed.
pub(super) struct Held {
    child: Child,
}

impl Held {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "held", "{command:?}");
        Self { child }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        drop(self.child.stdout.take().map(|mut output| output.read_to_end(&mut rest)));
        drop(self.child.wait());
    }
}
