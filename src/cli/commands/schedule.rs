//! `schedule`: has the system run `gc --auto` regularly.

mod units;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::apply::{journal, state};
use crate::cli::args::Places;
use crate::cli::args::schedule::{
    Every, InstallArguments, ScheduleArguments, ScheduleCommand, ScheduleRemoveArguments, System,
};
use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::cli::print::json;
use crate::cli::print::{Paint, View};
use crate::cli::surroundings::Surroundings;
use crate::cli::{confirm, keep, request, settings};
use crate::disk::read;
use crate::human;
use crate::scan::Absent;
use units::{File, Job, MARK};

/// Variables that say where things are, for which a timer would else have those of its own.
const VARIABLES: [&str; 19] = [
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "UV_TOOL_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "UV_PROJECT_ENVIRONMENT",
    "UV_LOCK_DIR",
    "UV_LOCK_TIMEOUT",
    "UV_LINK_MODE",
    "WORKON_HOME",
    "PIPX_HOME",
    "POETRY_VIRTUALENVS_PATH",
    "POETRY_CACHE_DIR",
    "HATCH_DATA_DIR",
    "PYENV_ROOT",
    "CONDA_ENVS_PATH",
    "CONDA_ENVS_DIRS",
    "MAMBA_ROOT_PREFIX",
];

/// How many of the last runs `status` tells.
const RUNS: usize = 5;

/// Does what the arguments ask for.
pub fn run(
    places: &Places,
    arguments: &ScheduleArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    match &arguments.command {
        ScheduleCommand::Install(install) => self::install(places, *install, surroundings, view, writer),
        ScheduleCommand::Status(arguments) => status(places, arguments.json, surroundings, view, writer),
        ScheduleCommand::Remove(arguments) => remove(*arguments, surroundings, view, writer),
    }
}

/// What runs things regularly here.
fn system() -> System {
    if cfg!(windows) {
        System::TaskScheduler
    } else if cfg!(target_os = "macos") {
        System::Launchd
    } else {
        System::Systemd
    }
}

/// Where its files go.
fn places_of(surroundings: &Surroundings) -> Result<units::Places<'_>, Failure> {
    let all = surroundings
        .home
        .as_deref()
        .zip(surroundings.config_dir.as_deref())
        .zip(surroundings.state_dir.as_deref());
    let ((home, config), state) = all.ok_or_else(|| {
        Failure::message(FAILED, "There is no place for a timer: the home directory is not known.")
    })?;
    Ok(units::Places { home, settings: config.parent().unwrap_or(config), state })
}

/// What the timer runs.
fn job(places: &Places, every: Every, system: System, surroundings: &Surroundings) -> Result<Job, Failure> {
    if !settings::read(surroundings)?.policy.says_anything() {
        return Err(super::gc::no_policy(surroundings));
    }
    relative(surroundings)?;
    let prepared = request::prepare(places, Absent::Empty, surroundings)?;
    let program = surroundings
        .program
        .as_deref()
        .ok_or_else(|| Failure::message(FAILED, "The system does not tell from which file cachetui runs."))?;
    let real = crate::disk::canonical(program).unwrap_or_else(|_| program.to_owned());
    let cache = crate::disk::canonical(prepared.cache()).unwrap_or_else(|_| prepared.cache().to_owned());
    if real.starts_with(&cache) {
        return Err(Failure::message(FAILED, "cachetui runs from the cache, where it does not stay.")
            .hint("`uv tool install cachetui` installs it; run `cachetui schedule install` again then."));
    }
    let text = |path: &Path| {
        let shown = || human::escape_os(path.as_os_str()).into_owned();
        let fails =
            || Failure::message(USAGE, format!("`{}` cannot be written into a file of the timer.", shown()));
        let text = path.to_str().filter(|text| !text.contains(char::is_control));
        text.map(str::to_owned).ok_or_else(fails)
    };
    let mut command = vec![text(program)?, "gc".to_owned(), "--auto".to_owned(), "--when-free=8h".to_owned()];
    command.extend(["--cache-dir".to_owned(), text(prepared.cache())?]);
    for word in request::options(places)? {
        command.push(text(Path::new(&word))?);
    }
    let mut variables = Vec::new();
    for (name, value) in surroundings.variables.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(name) = name.to_str() else { continue };
        if system != System::TaskScheduler && (VARIABLES.contains(&name) || name.starts_with("CACHETUI_")) {
            // What is written line by line is quoted so.
            let lines = value.to_str().unwrap_or_default().split('\n');
            lines.map(|line| text(Path::new(line))).collect::<Result<Vec<_>, _>>()?;
            variables.push((name.to_owned(), value.to_string_lossy().into_owned()));
        }
    }
    Ok(Job { command, variables, every })
}

/// Refuses paths that would mean something else where the timer runs.
fn relative(surroundings: &Surroundings) -> Result<(), Failure> {
    let settings = settings::read(surroundings)?;
    let keep = settings.policy.keep.iter().filter(|word| keep::is_file(word)).map(Path::new);
    let mut paths = settings.roots.iter().chain(&settings.targets).map(PathBuf::as_path).chain(keep);
    let is_relative = |path: &&Path| path.is_relative() && !path.starts_with("~");
    paths.find(is_relative).map_or(Ok(()), |path| {
        let shown = human::escape_os(path.as_os_str());
        let text = format!(
            "`{shown}`, of the settings or a variable, is relative, and a timer runs in another directory."
        );
        Err(Failure::message(USAGE, text).hint("Write it whole, or with `~/`."))
    })
}

fn install(
    places: &Places,
    arguments: InstallArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let system = arguments.system.unwrap_or_else(system);
    let job = job(places, arguments.every, system, surroundings)?;
    let files = units::files(system, &job, &places_of(surroundings)?);
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    let commands = units::start(system, &paths);
    for file in &files {
        if let Some(other) = foreign(&file.path) {
            return Err(other);
        }
    }
    if arguments.json && !arguments.dry_run && !arguments.yes {
        return Err(confirm::unanswered());
    }
    if !arguments.json {
        for file in &files {
            writeln!(writer, "{}", view.painted(Paint::Strong, &view.path(&file.path)))?;
            for line in file.text.lines() {
                writeln!(writer, "  {}", human::escape(line))?;
            }
            writeln!(writer)?;
        }
        for command in &commands {
            writeln!(writer, "$ {}", human::escape(&shell(command)))?;
        }
    }
    let asked = arguments.dry_run || arguments.yes || {
        let number = human::counted(files.len() as u64, "file", "files");
        let question = format!(
            "Write {number} and run {}?",
            human::counted(commands.len() as u64, "command", "commands")
        );
        confirm::ask(&question, surroundings, writer)?
    };
    if !asked {
        writeln!(writer, "Nothing was written.")?;
        return Ok(());
    }
    let mut failed = None;
    if !arguments.dry_run {
        for file in &files {
            state::save(&file.path, &file.bytes()).map_err(|error| Failure::new(FAILED, error))?;
        }
        failed = run_all(&commands);
    }
    if arguments.json {
        let rows: Vec<FileRow<'_>> = files.iter().map(FileRow::new).collect();
        let body = Installed {
            schema_version: json::SCHEMA_VERSION,
            system,
            files: &rows,
            commands: &commands,
            written: !arguments.dry_run,
        };
        json::write_document(&body, view, writer)?;
    } else if !arguments.dry_run && failed.is_none() && !view.quiet {
        let every = match arguments.every {
            Every::Hour => "each hour",
            Every::Day => "each day",
            Every::Week => "each week",
        };
        let text =
            format!("`gc --auto` runs {every} from now on; `cachetui schedule status` tells what it did.");
        writeln!(writer, "{}", view.wrapped(&text))?;
    }
    failed.map_or(Ok(()), Err)
}

/// The failure where a file is there that cachetui has not written.
fn foreign(path: &Path) -> Option<Failure> {
    let shown = || human::escape_os(path.as_os_str()).into_owned();
    match read::followed(path, read::SMALL) {
        Err(error) if read::is_absent(&error) => None,
        Ok(bytes) if is_ours(&bytes) => None,
        _ => Some(
            Failure::message(FAILED, format!("`{}` is there, and cachetui has not written it.", shown()))
                .hint("Move it away, and try again. Nothing was changed."),
        ),
    }
}

fn is_ours(bytes: &[u8]) -> bool {
    let wide: Vec<u8> = MARK.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [MARK.as_bytes(), &wide].iter().any(|mark| bytes.windows(mark.len()).any(|it| it == *mark))
}

/// Runs commands one after the other, until one fails.
fn run_all(commands: &[Vec<String>]) -> Option<Failure> {
    commands.iter().find_map(|command| {
        let line = shell(command);
        let (program, rest) = command.split_first()?;
        match std::process::Command::new(program).args(rest).stdin(std::process::Stdio::null()).output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Some(Failure::message(FAILED, format!("`{line}` failed: {said}")).hint(LATER))
            }
            Err(error) => {
                let why = crate::disk::error::words(&error);
                Some(Failure::message(FAILED, format!("Failed to run `{line}`: {why}.")).hint(LATER))
            }
        }
    })
}

/// What to do where a command of the system fails.
const LATER: &str = "The files are as they should be; the commands above have to be run where the system's manager can be reached.";

fn shell(command: &[String]) -> String {
    command.iter().map(|word| human::shell_word(word)).collect::<Vec<_>>().join(" ")
}

fn remove(
    arguments: ScheduleRemoveArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let system = system();
    let paths = units::paths(system, &places_of(surroundings)?);
    let there: Vec<&PathBuf> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    if there.is_empty() {
        writeln!(writer, "No timer is installed.")?;
        return Ok(());
    }
    if let Some(other) = there.iter().find_map(|path| foreign(path)) {
        return Err(other);
    }
    let (before, after) = units::stop(system, &paths);
    for path in &there {
        writeln!(writer, "remove {}", view.path(path))?;
    }
    for command in before.iter().chain(&after) {
        writeln!(writer, "$ {}", human::escape(&shell(command)))?;
    }
    if arguments.dry_run {
        return Ok(());
    }
    if !arguments.yes && !confirm::ask("Remove the timer?", surroundings, writer)? {
        writeln!(writer, "Nothing was removed.")?;
        return Ok(());
    }
    // Where the manager cannot be reached the files go all the same: it finds them gone when it starts.
    let failed = run_all(&before);
    for path in &there {
        state::remove(path).map_err(|error| Failure::new(FAILED, error))?;
    }
    failed.or_else(|| run_all(&after)).map_or(Ok(()), Err)
}

/// The answer of `schedule status`.
#[derive(Serialize)]
struct Status {
    schema_version: u32,
    system: System,
    /// Whether its files are there.
    installed: bool,
    /// Whether the system runs it, as far as it tells.
    active: bool,
    /// When it runs next, as the system tells.
    next: Option<jiff::Timestamp>,
    runs: Vec<Past>,
}

/// A run that changed something.
#[derive(Serialize)]
struct Past {
    time: jiff::Timestamp,
    removed: u64,
    failed: u64,
    freed: Option<u64>,
}

fn status(
    places: &Places,
    as_json: bool,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let system = system();
    let paths = units::paths(system, &places_of(surroundings)?);
    let is_there = |path: &PathBuf| read::followed(path, read::SMALL).is_ok_and(|bytes| is_ours(&bytes));
    let installed = paths.iter().all(is_there);
    let prepared = request::prepare(places, Absent::Empty, surroundings)?;
    let runs =
        surroundings.state_dir.as_deref().map(|state| past(state, prepared.cache())).unwrap_or_default();
    let next = if installed { next(system) } else { None };
    let active = installed && (next.is_some() || is_enabled(system));
    if as_json {
        let status = Status { schema_version: json::SCHEMA_VERSION, system, installed, active, next, runs };
        json::write_document(&status, view, writer)?;
        return Ok(());
    }
    if installed && !active {
        let commands: Vec<String> =
            units::start(system, &paths).iter().map(|it| format!("`{}`", shell(it))).collect();
        let text = format!(
            "The files of a timer are there, and the system does not run it: {}.",
            human::list(&commands)
        );
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&text)))?;
    } else if installed {
        let when = next.map(|next| format!(" It runs again in {}.", until(next, surroundings.now)));
        let unknown = || " When it runs next the system does not tell.".to_owned();
        let text = format!("A timer is installed.{}", when.unwrap_or_else(unknown));
        writeln!(writer, "{}", view.wrapped(&text))?;
    } else {
        writeln!(writer, "No timer is installed; `cachetui schedule install` installs one.")?;
    }
    if runs.is_empty() {
        writeln!(writer, "`gc` has not removed anything from this cache yet.")?;
    }
    for run in &runs {
        let things = human::counted(run.removed, "thing", "things");
        let freed = run.freed.map(|bytes| format!(", {} freed", human::bytes(bytes))).unwrap_or_default();
        let failed = match run.failed {
            0 => String::new(),
            failed => format!("; {} left or failed", human::count(failed)),
        };
        let ago = human::ago(run.time, surroundings.now);
        writeln!(writer, "{}", view.wrapped(&format!("{ago}: {things} removed{freed}{failed}.")))?;
    }
    Ok(())
}

fn until(then: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let seconds = u64::try_from(then.as_second() - now.as_second()).unwrap_or(0);
    human::duration(std::time::Duration::from_secs(seconds))
}

/// The last runs of `gc` that changed a cache, the newest first, as the journal has them.
fn past(state: &Path, cache: &Path) -> Vec<Past> {
    let is_ours = |page: &Value| {
        page["plan"]["request"]["command"] == "gc"
            && page["plan"]["cache"]["path"].as_str().map(Path::new) == Some(cache)
    };
    let run = |page: Value| {
        let outcomes = page["report"]["outcomes"].as_array()?;
        let removed = outcomes.iter().filter(|it| it["state"] == "done").count() as u64;
        Some(Past {
            time: page["time"].as_str()?.parse().ok()?,
            removed,
            failed: outcomes.len() as u64 - removed,
            freed: page["report"]["freed"]["measured"].as_u64(),
        })
    };
    journal::pages(state).filter(is_ours).filter_map(run).take(RUNS).collect()
}

/// When the timer runs next, as systemd tells.
fn next(system: System) -> Option<jiff::Timestamp> {
    if system != System::Systemd {
        return None;
    }
    let timer = format!("{}.timer", units::NAME);
    let show = ["--user", "show", &timer, "--property=NextElapseUSecRealtime", "--value", "--timestamp=unix"];
    let output = std::process::Command::new("systemctl").args(show).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let seconds = text.trim().strip_prefix('@')?.split('.').next()?.parse().ok()?;
    jiff::Timestamp::from_second(seconds).ok()
}

/// Whether the system runs a timer whose files are there; where it is not asked, it does.
fn is_enabled(system: System) -> bool {
    let timer = format!("{}.timer", units::NAME);
    let ask = || std::process::Command::new("systemctl").args(["--user", "is-enabled", &timer]).output();
    system != System::Systemd || ask().is_ok_and(|output| output.status.success())
}

/// The answer of `schedule install`.
#[derive(Serialize)]
struct Installed<'a> {
    schema_version: u32,
    system: System,
    files: &'a [FileRow<'a>],
    commands: &'a [Vec<String>],
    /// Whether they were written.
    written: bool,
}

#[derive(Serialize)]
struct FileRow<'a> {
    path: std::borrow::Cow<'a, str>,
    text: &'a str,
}

impl<'a> FileRow<'a> {
    fn new(file: &'a File) -> Self {
        Self { path: file.path.to_string_lossy(), text: &file.text }
    }
}
