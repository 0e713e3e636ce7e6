//! `demo`: the interface, or where there is no terminal the list of entries, on a sample made for the occasion.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::cli::args::{DemoArguments, ListArguments, Places};
use crate::cli::demo::{self, Sample};
use crate::cli::failure::{FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::View;
use crate::cli::surroundings::Surroundings;
use crate::cli::{progress, request};
use crate::scan::Absent;
use crate::{disk, human, linker};

/// How the names of temporary directories start.
const PREFIX: &str = "cachetui-demo-";

/// Makes a sample, opens the interface on it by calling `interface`, and takes the sample away again.
pub fn run(
    arguments: &DemoArguments,
    surroundings: &Surroundings,
    view: &View,
    interface: &dyn Fn(&Places, &Surroundings) -> Result<(), Failure>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let interrupted = Interrupted::watch();
    if let Some(directory) = &arguments.keep {
        return keep(directory, surroundings, view, &interrupted, writer);
    }
    // Dropped at the end, whatever happens in between: the sample goes with it.
    let directory = linker::temporary_directory(&surroundings.temporary, PREFIX).map_err(failed)?;
    let sample = make(directory.path(), surroundings, &interrupted)?;
    let there = sample.surroundings(surroundings);
    let shown = if surroundings.stdin_is_terminal && surroundings.stdout_is_terminal {
        interface(&sample.places(), &there)
    } else {
        list(&sample, &there, view, writer)
    };
    let path = directory.path().to_owned();
    let removed = directory.close();
    shown?;
    removed.map_err(|error| failed(linker::Error::new("remove the temporary directory", path, error)))?;
    interrupted.check()
}

fn list(sample: &Sample, there: &Surroundings, view: &View, writer: &mut dyn Write) -> Result<(), Failure> {
    let snapshot =
        progress::wait(&request::start(&sample.places(), &[], Absent::Refused, there)?, there, view.quiet)?;
    // Nobody can use the paths: the sample is gone when they are read.
    let view = View { home: Some(sample.home()), ..view.clone() };
    super::list::run(&snapshot, &ListArguments::default(), there.grace, &there.current_dir, &view, writer)
}

fn keep(
    directory: &Path,
    surroundings: &Surroundings,
    view: &View,
    interrupted: &Interrupted,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let directory = surroundings.current_dir.join(directory);
    let shown = human::path(&directory, view.home.as_deref());
    linker::create_directories(&directory).map_err(failed)?;
    let mut content = std::fs::read_dir(&directory)
        .map_err(|error| failed(disk::Error::new("read the directory", &directory, error)))?;
    if content.next().is_some() {
        return Err(Failure::message(USAGE, format!("There is something in `{shown}` already."))
            .hint("The sample is written to a new or empty directory only."));
    }
    let sample = make(&directory, surroundings, interrupted)?;
    let quoted = |path: PathBuf| human::shell_word(&human::escape_os(path.as_os_str())).into_owned();
    let options =
        format!("--cache-dir {} --root {} --no-remember", quoted(sample.cache()), quoted(sample.home()));
    if !view.quiet {
        writeln!(writer, "The sample is in `{shown}`. Look at it with:")?;
        writeln!(writer)?;
    }
    writeln!(writer, "cachetui {options}")?;
    writeln!(writer, "cachetui {options} list")?;
    writeln!(writer, "cachetui {options} envs")?;
    Ok(())
}

fn make(directory: &Path, surroundings: &Surroundings, interrupted: &Interrupted) -> Result<Sample, Failure> {
    let root = crate::disk::canonical(directory)
        .map_err(|error| failed(disk::Error::new("resolve the directory", directory, error)))?;
    let started = (surroundings.now, surroundings.started);
    Sample::make(&root, started, &|| interrupted.happened()).map_err(|error| match error {
        demo::Error::Interrupted => Failure::quiet(INTERRUPTED),
        demo::Error::Linker(error) => failed(error),
    })
}

fn failed(error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(FAILED, error.into().context("Failed to make the sample"))
}

/// The signals that ask the program to end; Windows makes a SIGINT of Ctrl-C.
#[cfg(unix)]
const ENDS: &[i32] = &[SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const ENDS: &[i32] = &[SIGINT, SIGTERM];

/// Whether somebody asked the program to end, by Ctrl-C, a signal, or by closing the terminal.
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    /// From here on such a signal is only noted, so that the sample does not stay behind. A second Ctrl-C ends at once.
    fn watch() -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        // A signal that cannot be watched ends the program in its usual way, which leaves the sample to the system.
        drop(flag::register_conditional_shutdown(SIGINT, i32::from(INTERRUPTED), Arc::clone(&flag)));
        for signal in ENDS {
            drop(flag::register(*signal, Arc::clone(&flag)));
        }
        Self(flag)
    }

    fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), Failure> {
        if self.happened() { Err(Failure::quiet(INTERRUPTED)) } else { Ok(()) }
    }
}
