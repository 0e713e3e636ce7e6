//! Every kind of installation: what it is, which of its distributions are installed, whom it belongs to, how it is named, and
//! which command fills it again.

mod caches;
mod inside;
mod named;
mod outside;
mod owners;
mod pythons;
mod system;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::text;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// A sandbox with wheels to install.
fn sandbox(base: &Path) -> Option<Sandbox> {
    let sandbox = Sandbox::new(base)?;
    let links = sandbox.path("links");
    for name in ["demo-a", "demo-b", "demo-unused"] {
        Wheel::new(name, "1.0")
            .entry_point()
            .file(&format!("{}/core.py", name.replace('-', "_")), core(name))
            .save(&links);
    }
    Some(sandbox)
}

/// The content of a module, longer than what filesystems keep inline.
fn core(name: &str) -> String {
    format!("CORE = {name:?}\n").repeat(1000)
}

/// Installs into a place that options of uv name.
fn install(sandbox: &Sandbox, mode: &str, whereto: &[&str], packages: &[&str]) {
    let links = sandbox.path("links");
    let start = ["pip", "install", "--quiet", "--no-index", "--link-mode", mode, "--find-links"];
    sandbox.run_uv(&[&start[..], &[links.to_str().unwrap()], whereto, packages].concat());
}

/// Makes an environment and installs into it.
fn environment(sandbox: &Sandbox, path: &Path, mode: &str, packages: &[&str]) -> PathBuf {
    sandbox.run_uv(&["venv", "--quiet", path.to_str().unwrap()]);
    let python = path.join("bin/python");
    install(sandbox, mode, &["--python", python.to_str().unwrap()], packages);
    path.to_owned()
}

/// Takes away what uv recorded of interpreters, from which an environment would be known.
fn forget(sandbox: &Sandbox) {
    for part in std::fs::read_dir(sandbox.cache()).unwrap().flatten() {
        if part.file_name().to_str().unwrap().starts_with("interpreter-v") {
            std::fs::remove_dir_all(part.path()).unwrap();
        }
    }
}

/// The directory of distributions of an environment or a prefix.
fn site(root: &Path) -> PathBuf {
    let mut pythons = std::fs::read_dir(root.join("lib")).unwrap().map(|item| item.unwrap().path());
    pythons.find(|path| path.join("site-packages").is_dir()).unwrap().join("site-packages")
}

/// What a command says in a terminal as wide as need be.
fn said(sandbox: &Sandbox, arguments: &[&str]) -> String {
    text(&sandbox.cachetui(arguments).output().unwrap())
}

/// The answer in JSON, whatever the exit code.
fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.cachetui(arguments).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
}

/// The roots of the environments in an answer, in order.
fn paths(answer: &Value) -> Vec<String> {
    let environments = answer["environments"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    let mut paths: Vec<String> =
        environments.iter().map(|it| it["path"].as_str().unwrap().to_owned()).collect();
    paths.sort_unstable();
    paths
}

/// An environment in an answer.
fn row<'a>(answer: &'a Value, path: &Path) -> &'a Value {
    let environments = answer["environments"].as_array().unwrap();
    let row = environments.iter().find(|it| it["path"] == path.to_str().unwrap());
    row.unwrap_or_else(|| panic!("{} is not in {answer:#}", path.display()))
}

/// The names of the distributions of an environment.
fn distributions(row: &Value) -> Vec<&str> {
    row["distributions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
}

/// The commands of a text that begin with a word.
fn commands(text: &str, start: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

/// Runs a command as a person would, with this sandbox's uv and cachetui.
fn run(sandbox: &Sandbox, line: &str) -> Output {
    let directory = sandbox.path("programs");
    if !directory.exists() {
        std::fs::create_dir(&directory).unwrap();
        let uv = sandbox.uv(&[]).get_program().to_owned();
        std::os::unix::fs::symlink(uv, directory.join("uv")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cachetui"), directory.join("cachetui")).unwrap();
    }
    let mut command: Command = sandbox.uv(&[]);
    let mut shell = sandbox.command("sh");
    for (name, value) in command.env_remove("UV_PYTHON").get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    ran(shell.env("PATH", path).args(["-c", line]))
}

/// A Python of its own below the sandbox, with nothing installed; `None` where it cannot be made from the one there is.
fn python(sandbox: &Sandbox, prefix: &Path) -> Option<PathBuf> {
    let real = sandbox.python().canonicalize().unwrap();
    let (name, from) = (real.file_name().unwrap(), real.parent().unwrap().parent().unwrap());
    let library = Path::new("lib").join(name);
    if from == Path::new("/usr") || !from.join(&library).join("os.py").is_file() {
        crate::support::not_run("the Python here cannot be copied");
        return None;
    }
    std::fs::create_dir_all(prefix.join("bin")).unwrap();
    std::fs::create_dir_all(prefix.join("lib")).unwrap();
    let copy = |from: &Path, to: &Path| {
        let linked = Command::new("cp").arg("-al").args([from, to]).output().unwrap();
        if !linked.status.success() {
            ran(Command::new("cp").arg("-a").args([from, to]));
        }
    };
    copy(&real, &prefix.join("bin"));
    for item in std::fs::read_dir(from.join("lib")).unwrap().flatten() {
        let shared = item.file_name().to_str().unwrap().starts_with("libpython");
        if shared {
            copy(&item.path(), &prefix.join("lib"));
        }
    }
    copy(&from.join(&library), &prefix.join("lib"));
    let site = prefix.join(library).join("site-packages");
    drop(std::fs::remove_dir_all(&site));
    std::fs::create_dir(&site).unwrap();
    std::os::unix::fs::symlink(name, prefix.join("bin/python3")).unwrap();
    std::os::unix::fs::symlink(name, prefix.join("bin/python")).unwrap();
    Some(prefix.join("bin/python3"))
}
