//! `locks`: lock files, what they guard, who holds them, and removing cachetui's own that nobody holds.
//!
//! No scan is made: environments are only looked for, not read. Listing creates nothing, not even the lock directory.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::args::Places;
use crate::cli::args::locks::LocksArguments;
use crate::cli::failure::{FAILED, Failure};
use crate::cli::print::json::locks::{self, Answer, Cleaned};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View};
use crate::cli::surroundings::Surroundings;
use crate::cli::{confirm, request};
use crate::human;
use crate::lock::sweep::{self, Swept};
use crate::lock::{Directory, Holder, LockFile, Maker, State, Survey, holder, survey};
use crate::scan::Absent;
use crate::snapshot::Problem;

/// Prints the locks, or cleans up.
pub fn run(
    places: &Places,
    arguments: &LocksArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let known = prepared.known(surroundings.now);
    let mut request = prepared.survey(places, surroundings)?;
    request.environments.clone_from(&known.environments);
    request.all = arguments.all;
    let mut found = survey(&request);
    let mut problems = known.problems;
    let unread = found.unread.iter().cloned();
    problems.extend(unread.map(|(path, message)| Problem { path, message }));
    let swept = if arguments.clean.clean {
        let swept = clean(places, arguments, surroundings, &found, view, writer)?;
        found.files.retain(|file| arguments.clean.dry_run || !swept.removed.contains(&file.path));
        Some(swept)
    } else {
        None
    };
    if arguments.json {
        let cleaned = swept.as_ref().map(|swept| Cleaned {
            directory: request.directory.as_deref(),
            dry_run: arguments.clean.dry_run,
            swept,
        });
        let answer = Answer {
            cache: prepared.root(),
            scope: &known.scope,
            problems: &problems,
            survey: &found,
            cleaned,
        };
        locks::write(&answer, view, writer)?;
    } else if let Some(swept) = &swept {
        print_swept(swept, arguments.clean.dry_run, request.directory.as_deref(), view, writer)?;
    } else {
        print(&found, &problems, arguments, view, writer)?;
    }
    match swept.filter(|swept| !swept.failed.is_empty()) {
        Some(_) => Err(Failure::quiet(FAILED)),
        None => Ok(()),
    }
}

fn print(
    found: &Survey,
    problems: &[Problem],
    arguments: &LocksArguments,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let wanted = |file: &&LockFile| arguments.all || file.state != State::Missing;
    let files: Vec<&LockFile> = found.files.iter().filter(wanted).collect();
    if !files.is_empty() {
        table(&files, view).print(view, writer)?;
    }
    if view.quiet {
        return Ok(());
    }
    if !files.is_empty() {
        writeln!(writer)?;
    }
    writeln!(writer, "{}", view.wrapped(&headline(found, arguments)))?;
    if let Some(hint) = hint(found) {
        writeln!(writer, "{}", view.wrapped(&hint))?;
    }
    for note in &found.notes {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
    }
    if view.verbose {
        for problem in problems {
            writeln!(writer, "{}\n  {}", view.path(&problem.path), human::escape(&problem.message))?;
        }
    } else if !problems.is_empty() {
        let number = human::counted(problems.len() as u64, "problem", "problems");
        let text = format!("{number}: `-v` lists what could not be read or understood.");
        writeln!(writer, "{}", view.painted(Paint::Notice, &text))?;
    }
    Ok(())
}

fn table(files: &[&LockFile], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("RESOURCE"),
        Column::text("PATH").fit(Fit::Middle(24)),
        Column::text("STATE"),
        Column::text("HOLDER").fit(Fit::End(24)),
        Column::text("SINCE"),
        Column::text("FILE").fit(Fit::Middle(24)).spare(1),
    ]);
    for file in files {
        let own = if file.maker == Maker::Cachetui { " (own)" } else { "" };
        let word = format!("{}{own}", file.resource.word());
        let path = file.resource.path().map(|path| view.path(path)).unwrap_or_default();
        let state = Cell::painted(paint(&file.state), file.state.word());
        let mut holders = file.holders.iter();
        let first = holders.next();
        let shown = match &file.state {
            State::Unknown(reason) => Cell::painted(Paint::Unsure, human::escape(reason)),
            _ => Cell::or_dash(first.map(holder).unwrap_or_default()),
        };
        let lock = view.path(&file.path);
        table.push([word.into(), Cell::or_dash(path), state, shown, since(first, view), lock.into()]);
        for other in holders {
            let blank = || Cell::from("");
            table.push([blank(), blank(), blank(), holder(other).into(), since(Some(other), view), blank()]);
        }
    }
    table
}

fn holder(holder: &Holder) -> String {
    let command = human::escape(holder.brief());
    let waits = if holder.waits { "waits: " } else { "" };
    if holder.is_seen() { format!("{waits}{} {command}", holder.pid) } else { format!("{waits}{command}") }
}

fn since(holder: Option<&Holder>, view: &View) -> Cell {
    let since = holder.and_then(|holder| holder.since);
    Cell::or_dash(since.map(|since| human::short_age(since, view.now)).unwrap_or_default())
}

fn paint(state: &State) -> Paint {
    match state {
        State::Free => Paint::Good,
        State::Shared => Paint::Notice,
        State::Exclusive => Paint::Bad,
        State::Missing => Paint::Faint,
        State::Unknown(_) => Paint::Unsure,
    }
}

fn headline(found: &Survey, arguments: &LocksArguments) -> String {
    let number =
        |wanted: &dyn Fn(&LockFile) -> bool| found.files.iter().filter(|it| wanted(it)).count() as u64;
    let held = number(&|file| file.state.is_held());
    let missing = number(&|file| file.state == State::Missing);
    let there = found.files.len() as u64 - missing + found.left_out;
    let files = human::counted(there, "lock file", "lock files");
    let held = match held {
        0 => "none".to_owned(),
        held => human::count(held),
    };
    let mut more = Vec::new();
    if found.left_out > 0 {
        more.push(human::counted(found.left_out, "free lock of a single item", "free locks of single items"));
    }
    if missing > 0 {
        more.push(human::counted(missing, "lock that has no file yet", "locks that have no file yet"));
    }
    if arguments.all || more.is_empty() {
        return format!("{files}, {held} held.");
    }
    format!("{files}, {held} held. `--all` adds {}.", more.join(" and "))
}

/// What somebody who wants to change something should know.
fn hint(found: &Survey) -> Option<String> {
    let cache = found.cache().filter(|file| file.state.is_held() && found.ancestor.is_none())?;
    Some(holder::held_in_words(&cache.holders))
}

fn clean(
    places: &Places,
    arguments: &LocksArguments,
    surroundings: &Surroundings,
    found: &Survey,
    view: &View,
    writer: &mut dyn Write,
) -> Result<Swept, Failure> {
    let named = request::lock_directory(places, surroundings)?;
    let Some((path, sharing)) = named.filter(|(path, _)| path.is_dir()) else {
        return Ok(Swept::default());
    };
    let directory = Directory::open(&path, sharing).map_err(|error| Failure::new(FAILED, error))?;
    let files = sweep::files(directory.path())
        .map_err(|error| crate::disk::Error::new("read the directory", directory.path(), error))
        .map_err(|error| Failure::new(FAILED, error))?;
    if arguments.clean.dry_run {
        return Ok(foreseen(files, found));
    }
    let free = foreseen(files.clone(), found).removed.len() as u64;
    if free > 0 && !arguments.clean.yes {
        let question = format!(
            "Remove {} that no process holds from `{}`?",
            human::counted(free, "lock file", "lock files"),
            view.path(directory.path())
        );
        if !confirm::ask(&question, surroundings, writer)? {
            let kept = |path| (path, "The answer was no.".to_owned());
            return Ok(Swept { kept: files.into_iter().map(kept).collect(), ..Swept::default() });
        }
    }
    Ok(sweep::sweep(&directory, &files))
}

/// What would be removed and kept, as far as the survey knows.
fn foreseen(files: Vec<PathBuf>, found: &Survey) -> Swept {
    let mut swept = Swept::default();
    for path in files {
        // The directory of the survey may be another name of this one.
        let known = found
            .files
            .iter()
            .find(|file| file.maker == Maker::Cachetui && file.path.file_name() == path.file_name());
        match known.map(|file| (&file.state, &file.holders)) {
            Some((State::Shared | State::Exclusive, holders)) => {
                swept.kept.push((path, format!("It is held by {}.", holder::in_words(holders))));
            }
            Some((State::Unknown(reason), _)) => swept.kept.push((path, format!("{reason}."))),
            _ => swept.removed.push(path),
        }
    }
    swept
}

fn print_swept(
    swept: &Swept,
    dry_run: bool,
    directory: Option<&Path>,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let verb = if dry_run { "would remove" } else { "removed" };
    for path in &swept.removed {
        writeln!(writer, "{verb} {}", view.path(path))?;
    }
    for (path, reason) in &swept.kept {
        writeln!(writer, "kept {}\n  {}", view.path(path), human::escape(reason))?;
    }
    for error in &swept.failed {
        let why = crate::disk::error::words(&error.source);
        writeln!(
            writer,
            "{}",
            view.painted(Paint::Bad, &format!("{}: {why}", human::escape(&error.to_string())))
        )?;
    }
    if view.quiet {
        return Ok(());
    }
    let place = directory.map_or_else(|| "anywhere".to_owned(), |path| format!("in `{}`", view.path(path)));
    let number = |number: usize| human::counted(number as u64, "lock file", "lock files");
    let text = match (swept.removed.len(), swept.kept.len() + swept.failed.len()) {
        (0, 0) => format!("There is no lock file of cachetui's {place}."),
        (removed, 0) => {
            format!("{} {verb}.", number(removed)).replace(" would remove.", " would be removed.")
        }
        (removed, kept) => format!("{} {verb}, {} kept.", number(removed), human::count(kept as u64))
            .replace(" would remove,", " would be removed,"),
    };
    writeln!(writer, "{}", view.wrapped(&text))?;
    Ok(())
}
