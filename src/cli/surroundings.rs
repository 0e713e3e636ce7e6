//! Everything the program takes from the process around it: variables, directories, the clock and the terminal.
//!
//! This is the only file that reads them. Commands get a [`Surroundings`] and are otherwise pure, so that a test can
//! say what time it is and how wide the terminal.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use etcetera::BaseStrategy as _;
use jiff::Timestamp;

/// What the program knows about the process around it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment variables.
    pub variables: BTreeMap<OsString, OsString>,
    /// The current directory, absolute.
    pub current_dir: PathBuf,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Where cachetui keeps its state: `$XDG_STATE_HOME/cachetui`, on Windows `%LOCALAPPDATA%\cachetui`.
    pub state_dir: Option<PathBuf>,
    /// Where cachetui's settings are: `$XDG_CONFIG_HOME/cachetui`, on Windows `%APPDATA%\cachetui`.
    pub config_dir: Option<PathBuf>,
    /// The file of this program, where the system tells.
    pub program: Option<PathBuf>,
    /// Where temporary files go: `TMPDIR`, else what the system says.
    pub temporary: PathBuf,
    /// The time the program started, on the wall.
    pub now: Timestamp,
    /// The time the program started, for measuring.
    pub started: Instant,
    /// How long something stays after its last change when nobody says otherwise, in seconds.
    pub grace: u64,
    /// Whether somebody can type.
    pub stdin_is_terminal: bool,
    /// Whether output goes to a terminal.
    pub stdout_is_terminal: bool,
    /// Whether errors and progress go to a terminal.
    pub stderr_is_terminal: bool,
    /// The width of the terminal that output goes to, in cells; none when it goes elsewhere.
    pub columns: Option<usize>,
}

impl Surroundings {
    /// Reads them. Fails only where the current directory is gone or cannot be named.
    pub fn read() -> anyhow::Result<Self> {
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let directories = etcetera::choose_base_strategy().ok();
        let stdout_is_terminal = std::io::stdout().is_terminal();
        let columns = stdout_is_terminal.then(|| terminal_columns(&variables));
        Ok(Self {
            current_dir: current_dir()?,
            home: directories.as_ref().map(|found| found.home_dir().to_owned()),
            // Windows has no directory for state: its local application data is what comes closest.
            state_dir: directories
                .as_ref()
                .map(|found| found.state_dir().unwrap_or_else(|| found.cache_dir()).join("cachetui")),
            config_dir: directories.as_ref().map(|found| found.config_dir().join("cachetui")),
            program: std::env::current_exe().ok(),
            temporary: std::env::temp_dir(),
            now: now(),
            started: clock(),
            grace: crate::plan::GRACE,
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal,
            stderr_is_terminal: std::io::stderr().is_terminal(),
            columns,
            variables,
        })
    }

    /// The uv that may be called: what `UV` names, as uv itself says it to what it starts, else the one on `PATH`.
    pub fn uv(&self) -> OsString {
        self.variable("UV").unwrap_or(OsStr::new("uv")).to_owned()
    }

    /// A path of the settings: `~/` stands for the home directory, and else it lies in the current one.
    pub fn at_home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.current_dir.join(path),
        }
    }

    /// An environment variable; none when it is not set or empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}

fn terminal_columns(variables: &BTreeMap<OsString, OsString>) -> usize {
    let told = || variables.get(OsStr::new("COLUMNS"))?.to_str()?.parse::<usize>().ok();
    let columns = match ratatui::crossterm::terminal::size() {
        Ok((columns, _)) if columns > 0 => usize::from(columns),
        _ => told().unwrap_or(80),
    };
    // Tables are filled up to the width, which may be told as anything.
    columns.min(MOST_COLUMNS)
}

/// The widest terminal that is written for.
const MOST_COLUMNS: usize = 1_000;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the current directory")]
fn current_dir() -> anyhow::Result<PathBuf> {
    std::env::current_dir().context("Failed to read the current directory")
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one place in `cli` that reads the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The clock that measures durations.
#[expect(clippy::disallowed_methods, reason = "the one place in `cli` that reads the clock")]
pub fn clock() -> Instant {
    Instant::now()
}
