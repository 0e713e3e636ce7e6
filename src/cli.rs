//! The command line: reads arguments and surroundings, runs a scan, prints the answer, and decides the exit code.
//!
//! Environment variables, the current directory and the clock are read only in [`surroundings`]; printing happens only
//! below this module, through one locked and buffered writer. A reader that goes away ends the program quietly.

mod act;
pub mod args;
pub mod commands;
mod confirm;
pub mod demo;
pub mod failure;
mod keep;
pub mod locking;
pub mod print;
mod progress;
mod request;
pub mod select;
mod settings;
pub mod surroundings;
mod unread;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::scan::Absent;

use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Arguments, ColorChoice, Command, Places};
use failure::Failure;
use print::View;
use print::view::wants_colour;
use settings::Settings;
use surroundings::Surroundings;

/// Runs the program.
pub fn main() -> ExitCode {
    let surroundings = match Surroundings::read() {
        Ok(surroundings) => surroundings,
        Err(error) => return end(&Failure::from(error), false),
    };
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = Arguments::command().color(help_colour(&arguments));
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|mut matches| Arguments::from_arg_matches_mut(&mut matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that nobody reads any more is no failure.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    let colour = wants_colour(
        arguments.look.color.unwrap_or_default(),
        &surroundings,
        surroundings.stderr_is_terminal,
    );
    let mut writer = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let result = run(&arguments, &surroundings, &mut writer);
    // What was printed before a failure is printed still, and stands before the error.
    let flushed = writer.flush().map_err(Failure::from);
    match result.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure, colour),
    }
}

fn end(failure: &Failure, colour: bool) -> ExitCode {
    // Where stderr cannot be written there is nobody left to tell.
    drop(failure.print(&mut io::stderr().lock(), colour));
    ExitCode::from(failure.code())
}

fn run(arguments: &Arguments, surroundings: &Surroundings, writer: &mut dyn Write) -> Result<(), Failure> {
    // What is about the settings, or does without them, works where they cannot be understood.
    let settings = match arguments.command {
        Some(Command::Config(_) | Command::Completions(_) | Command::Man(_) | Command::Demo(_)) => {
            Settings::default()
        }
        _ => settings::read(surroundings)?,
    };
    let grace = settings.policy.grace().unwrap_or(surroundings.grace);
    let surroundings = &Surroundings { grace, ..surroundings.clone() };
    let (look, places) = (&settings.look(&arguments.look), &settings.places(&arguments.places, surroundings));
    let view = View::new(look, surroundings);
    let scan = |absent, named: &[PathBuf]| {
        let job = request::start(places, named, absent, surroundings)?;
        progress::wait(&job, surroundings, view.quiet)
    };
    let snapshot = || scan(Absent::Refused, &[]);
    let interface = |places: &Places, surroundings: &Surroundings| match commands::tui::run(
        places,
        look,
        matches!(arguments.command, Some(Command::Demo(_))),
        surroundings,
    )? {
        0 => Ok(()),
        code => Err(Failure::quiet(code)),
    };
    let here = &surroundings.current_dir;
    match arguments.command.as_ref().unwrap_or(&Command::Tui) {
        Command::Tui => interface(places, surroundings),
        Command::Demo(arguments) => commands::demo::run(arguments, surroundings, &view, &interface, writer),
        Command::List(arguments) => {
            let snapshot = scan(Absent::Refused, &arguments.filter.environments)?;
            commands::list::run(&snapshot, arguments, surroundings.grace, here, &view, writer)
        }
        Command::Envs(arguments) => {
            request::forget(places, &arguments.forget, surroundings)?;
            let snapshot = scan(Absent::Empty, &arguments.environments)?;
            commands::envs::run(&snapshot, arguments, here, &view, writer)
        }
        Command::Find(find) => {
            let job = request::start_finding(places, &find.requirements, surroundings)?;
            let snapshot = progress::wait(&job, surroundings, view.quiet)?;
            commands::find::run(&snapshot, find, &view, writer)
        }
        Command::Why(arguments) => commands::why::run(&*snapshot()?, arguments, &view, writer),
        Command::Links(arguments) => commands::links::run(&*snapshot()?, arguments, &view, writer),
        Command::Doctor(arguments) => {
            let snapshot = scan(Absent::Refused, &arguments.environments)?;
            commands::doctor::run(&snapshot, arguments, surroundings, &view, writer)
        }
        Command::Locks(arguments_of_locks) => {
            commands::locks::run(places, arguments_of_locks, surroundings, &view, writer)
        }
        Command::Prune(prune) => commands::prune::run(places, prune, surroundings, &view, writer),
        Command::Apply(apply) => commands::apply::run(places, apply, surroundings, &view, writer),
        Command::Undo(undo) => commands::undo::run(places, undo, surroundings, &view, writer),
        Command::Trash(trash) => commands::trash::run(places, trash, surroundings, &view, writer),
        Command::Status(arguments_of_status) => {
            commands::status::run(places, *arguments_of_status, surroundings, &view, writer)
        }
        Command::Remove(arguments_of_remove) => {
            commands::remove::run(places, arguments_of_remove, surroundings, &view, writer)
        }
        Command::Gc(arguments_of_gc) => {
            commands::gc::run(places, arguments_of_gc, surroundings, &view, writer)
        }
        Command::Schedule(schedule) => commands::schedule::run(places, schedule, surroundings, &view, writer),
        Command::Config(config) => commands::config::run(places, look, config, surroundings, &view, writer),
        Command::Relink(arguments_of_relink) => {
            commands::relink::run(places, arguments_of_relink, surroundings, &view, writer)
        }
        Command::Verify(arguments_of_verify) => {
            let named = arguments_of_verify.what.iter().map(PathBuf::from);
            let named: Vec<PathBuf> = named.chain(arguments_of_verify.detach.clone()).collect();
            let snapshot = scan(Absent::Refused, &named)?;
            commands::verify::run(&snapshot, arguments_of_verify, places, surroundings, &view, writer)
        }
        Command::Repair(repair) => commands::repair::run(places, repair, surroundings, &view, writer),
        Command::Completions(arguments) => commands::completions::run(arguments, writer),
        Command::Man(arguments) => commands::man::run(arguments, writer),
    }
}

/// The colours of help and of usage errors, which are printed before the arguments are understood.
fn help_colour(arguments: &[OsString]) -> clap::ColorChoice {
    let mut choice = ColorChoice::Auto;
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        choice = match value {
            Some("always") => ColorChoice::Always,
            Some("never") => ColorChoice::Never,
            _ => choice,
        };
    }
    match choice {
        ColorChoice::Auto => clap::ColorChoice::Auto,
        ColorChoice::Always => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
    }
}
