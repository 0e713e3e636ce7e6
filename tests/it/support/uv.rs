//! The real uv, of the one version the tests speak about, and a sandbox to run it in.
//!
//! uv is taken from where it is already, else installed with pip into `target/`. Nothing else of the tests needs the
//! network. Where it cannot be had a test says so and ends; under `CI=true` that is a failure.

use super::not_run;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The version whose facts the tests rest on.
pub(crate) const VERSION: &str = "0.13.8";

/// The releases whose caches are pruned and whose environments are mended: each has pointers and buckets of its own.
pub(crate) const RELEASES: [&str; 4] = [VERSION, "0.13.9", "0.12.5", "0.9.30"];

/// A user who is not root.
pub(crate) const SOMEBODY: u32 = 65_534;

/// The programs a sandbox runs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    uv: PathBuf,
    python: PathBuf,
}

/// uv and the Python it makes environments for; `None` when there is no way to get them, which has been said.
pub(crate) fn programs() -> Option<&'static Programs> {
    static PROGRAMS: OnceLock<Option<Programs>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(find).as_ref();
    if programs.is_none() {
        not_run(&format!("uv {VERSION} is neither installed nor could be installed with pip"));
    }
    programs
}

fn find() -> Option<Programs> {
    // Not a shim: the sandbox has another home, where a shim would find nothing. Nor a virtual environment that somebody
    // works in: it would be found among the environments that a test counts.
    let own = "import sys; print(getattr(sys, '_base_executable', sys.executable))";
    let python = said(Command::new("python3").args(["-c", own]))?;
    let installed = || {
        let found = said(Command::new("python3").args(["-c", "import uv; print(uv.find_uv_bin())"]))?;
        fits(Path::new(&found), VERSION).then(|| PathBuf::from(found))
    };
    let on_path = || {
        let places = path_variable();
        std::env::split_paths(&places)
            .map(|place| place.join("uv"))
            .find(|path| !is_script(path) && fits(path, VERSION))
    };
    let provisioned = place_of(VERSION);
    let uv = fits(&provisioned, VERSION)
        .then_some(provisioned)
        .or_else(installed)
        .or_else(on_path)
        .or_else(|| provision(&python, VERSION))?;
    Some(Programs { uv, python: PathBuf::from(python) })
}

/// A release of uv, another one installed with pip into `target/`; `None` when that is not possible, which has been said.
pub(crate) fn release(version: &str) -> Option<PathBuf> {
    // One test after the other: whoever comes second finds what the first has installed.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if version == VERSION {
        return Some(programs()?.uv.clone());
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let provisioned = place_of(version);
    let found = fits(&provisioned, version).then_some(provisioned);
    let found = found.or_else(|| provision(programs()?.python.to_str()?, version));
    if found.is_none() {
        not_run(&format!("uv {version} could not be installed with pip"));
    }
    found
}

/// The newest release of uv on `PyPI` and its version, installed with pip into `target/`; `None` when that is not
/// possible, which has been said.
pub(crate) fn newest() -> Option<(PathBuf, String)> {
    static NEWEST: OnceLock<Option<(PathBuf, String)>> = OnceLock::new();
    let install = || {
        let place = target().join("uv-newest");
        let mut pip = Command::new(with_pip(programs()?.python.to_str()?)?);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
        said(pip.arg(&place).arg("uv"))?;
        let uv = place.join("bin/uv");
        let version = said(Command::new(&uv).arg("--version"))?.split(' ').nth(1)?.to_owned();
        Some((uv, version))
    };
    let newest = NEWEST.get_or_init(install).clone();
    if newest.is_none() {
        not_run("the newest uv could not be installed with pip");
    }
    newest
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

fn place_of(version: &str) -> PathBuf {
    target().join(format!("uv-{version}")).join("bin/uv")
}

fn provision(python: &str, version: &str) -> Option<PathBuf> {
    let provisioned = place_of(version);
    let mut pip = Command::new(with_pip(python)?);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    said(pip.arg(provisioned.parent()?.parent()?).arg(format!("uv=={version}")))?;
    fits(&provisioned, version).then_some(provisioned)
}

/// A Python that has pip: this one, or, as Debian's has none, one of its environments in `target/`.
fn with_pip(python: &str) -> Option<PathBuf> {
    if said(Command::new(python).args(["-m", "pip", "--version"])).is_some() {
        return Some(python.into());
    }
    let own = target().join("pip");
    said(Command::new(python).args(["-m", "venv"]).arg(&own))?;
    Some(own.join("bin/python"))
}

/// What a command prints, when it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn fits(uv: &Path, version: &str) -> bool {
    let expected = format!("uv {version}");
    said(Command::new(uv).arg("--version"))
        .is_some_and(|text| text == expected || text.starts_with(&format!("{expected} ")))
}

fn is_script(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!"))
}

fn path_variable() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// A directory that holds everything one scenario touches: a home, a cache, and places for environments.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// The uv that it runs.
    uv: PathBuf,
    /// The Python that its environments are for.
    python: PathBuf,
    base: PathBuf,
    /// uv's preview features, as `--preview-features` takes them; empty for none.
    pub(crate) preview: &'static str,
}

impl Sandbox {
    /// A sandbox in an existing directory.
    pub(crate) fn new(base: &Path) -> Option<Self> {
        let programs = programs()?;
        let base = base.canonicalize().unwrap();
        for name in ["home", "tmp", "roots"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        Some(Self { uv: programs.uv.clone(), python: programs.python.clone(), base, preview: "" })
    }

    /// Makes environments for a Python that every user may run from now on; `None` where there is none, which has been said.
    pub(crate) fn use_python_for_all(&mut self) -> Option<()> {
        let places = ["/usr/bin/python3", "/usr/local/bin/python3"].map(PathBuf::from);
        let for_all = |path: &PathBuf| {
            let real = path.canonicalize().ok();
            let mut above = real.iter().flat_map(|real| real.ancestors());
            real.is_some()
                && above.all(|path| {
                    use std::os::unix::fs::PermissionsExt as _;
                    path.metadata().is_ok_and(|it| it.permissions().mode() & 0o005 == 0o005)
                })
        };
        let Some(python) = places.into_iter().find(for_all) else {
            not_run("no Python is there that every user may run");
            return None;
        };
        self.python = python;
        Some(())
    }

    /// The Python that its environments are for.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// Runs another release of uv from now on; `None` when that cannot be had, which has been said.
    pub(crate) fn use_release(&mut self, version: &str) -> Option<()> {
        self.uv = release(version)?;
        Some(())
    }

    /// Runs another uv from now on.
    pub(crate) fn use_program(&mut self, uv: PathBuf) {
        self.uv = uv;
    }

    /// A path in it.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.base.join(relative)
    }

    /// The cache's root.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// The directory searched for environments.
    pub(crate) fn roots(&self) -> PathBuf {
        self.path("roots")
    }

    /// A program that sees nothing of the machine but its programs.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let home = self.path("home");
        command
            .env_clear()
            .env("PATH", path_variable())
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("TMPDIR", self.path("tmp"))
            .env("LANG", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .current_dir(self.path("home"));
        command
    }

    /// uv with some arguments, on this sandbox's cache.
    pub(crate) fn uv(&self, arguments: &[&str]) -> Command {
        self.uv_at(&self.uv, arguments)
    }

    /// A certain uv with some arguments, on this sandbox's cache.
    pub(crate) fn uv_at(&self, uv: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(uv);
        command
            .env("UV_CACHE_DIR", self.cache())
            .env("UV_PYTHON", &self.python)
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1")
            .args(arguments);
        if !self.preview.is_empty() {
            command.env("UV_PREVIEW_FEATURES", self.preview);
        }
        command
    }

    /// The same command by a user and group of this number; `None` where root cannot become one, which has been said.
    pub(crate) fn by(&self, user: u32, command: &Command) -> Option<Command> {
        if !rustix::process::geteuid().is_root() {
            not_run("it needs two users, and so root");
            return None;
        }
        let user = user.to_string();
        let somebody = ["--reuid", &user, "--regid", &user, "--clear-groups"];
        let able = Command::new("setpriv").args(somebody).arg("true").status();
        if !able.is_ok_and(|status| status.success()) {
            not_run("root cannot become somebody else here: `setpriv` does not work");
            return None;
        }
        let mut other = self.command("setpriv");
        other.args(somebody).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            other.env(name, value.unwrap_or_default());
        }
        command.get_current_dir().map(|directory| other.current_dir(directory));
        Some(other)
    }

    /// The same command by a user who may not read everything; `None` where root cannot become one, which has been said.
    pub(crate) fn unprivileged(&self, command: Command) -> Option<Command> {
        if !rustix::process::geteuid().is_root() {
            return Some(command);
        }
        let somebody = ["--reuid", &SOMEBODY.to_string(), "--clear-groups"];
        let able = Command::new("setpriv").args(somebody).arg("true").status();
        if !able.is_ok_and(|status| status.success()) {
            not_run("root cannot become somebody else here: `setpriv` does not work");
            return None;
        }
        let mut other = self.command("setpriv");
        other.args(somebody).arg(command.get_program()).args(command.get_args());
        Some(other)
    }

    /// Whether a certain release made an environment.
    pub(crate) fn was_made_by(environment: &Path, version: &str) -> bool {
        let text = std::fs::read_to_string(environment.join("pyvenv.cfg")).unwrap();
        text.lines().any(|line| line == format!("uv = {version}"))
    }

    /// Runs uv, which has to succeed.
    pub(crate) fn run_uv(&self, arguments: &[&str]) -> Output {
        ran(&mut self.uv(arguments))
    }

    /// cachetui with some arguments, looking at this sandbox's cache and roots.
    pub(crate) fn cachetui(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_cachetui"));
        command.args(arguments).arg("--no-remember");
        command.arg("--cache-dir").arg(self.cache()).arg("--root").arg(self.roots());
        // Where the wheels of most tests are, so that they do not count as last copies.
        command.env("UV_FIND_LINKS", self.sources());
        command
    }

    /// The directories in which tests keep their wheels, as uv takes them.
    pub(crate) fn sources(&self) -> String {
        let places = ["links", "wheels"].map(|name| self.path(name));
        let there: Vec<String> =
            places.iter().filter(|path| path.is_dir()).map(|path| path.display().to_string()).collect();
        there.join(",")
    }

    /// What a command of cachetui answers with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = ran(self.cachetui(arguments).arg("--json"));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// An environment below the roots, made by uv.
    pub(crate) fn environment(&self, name: &str) -> PathBuf {
        let path = self.roots().join(name).join(".venv");
        self.run_uv(&["venv", "--quiet", path.to_str().unwrap()]);
        path
    }

    /// Deletes an environment, but not its project: one that is missing with its project may have been moved with it.
    pub(crate) fn delete(&self, environment: &Path) {
        assert!(environment.starts_with(&self.base));
        std::fs::write(environment.parent().unwrap().join("README"), b"").unwrap();
        std::fs::remove_dir_all(environment).unwrap();
    }

    /// Makes an environment below the roots and installs into it.
    pub(crate) fn install(&self, name: &str, mode: &str, arguments: &[&str]) -> PathBuf {
        let path = self.environment(name);
        let python = path.join("bin/python");
        let mut all =
            vec!["pip", "install", "--quiet", "--link-mode", mode, "--python", python.to_str().unwrap()];
        all.extend(arguments);
        self.run_uv(&all);
        path
    }
}

/// Runs a command, which has to succeed.
pub(crate) fn ran(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} failed, {}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
