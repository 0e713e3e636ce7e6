//! `status`: what could be freed, shared and repaired, and who holds the cache, on one page.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::summary::{self, Unseen};
use crate::cli::args::{Places, StatusArguments};
use crate::cli::failure::{FAILED, Failure};
use crate::cli::print::json::{self, entries::UnusedRow, locks::LockRow};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View};
use crate::cli::surroundings::Surroundings;
use crate::cli::{progress, request};
use crate::human;
use crate::lock::{self, LockFile, ancestor, holder};
use crate::plan::Unused;
use crate::plan::repair::Command;
use crate::plan::room::{self, Grace, Way};
use crate::say;
use crate::scan::Absent;
use crate::snapshot::{Completeness, Snapshot};

/// The answer for programs.
#[derive(Serialize)]
struct Body<'a> {
    status: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    /// Ways to make room. What they free overlaps.
    ways: &'a [Way],
    broken: Broken<'a>,
    unused: UnusedRow<'a>,
    locks: Vec<LockRow<'a>>,
}

/// Environments that do not work.
#[derive(Serialize)]
struct Broken<'a> {
    environments: Vec<std::borrow::Cow<'a, str>>,
    command: Option<Command>,
}

/// Prints the page.
pub fn run(
    places: &Places,
    arguments: StatusArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let job = prepared.start(surroundings.now);
    let snapshot = progress::wait(&job, surroundings, view.quiet)?;
    if snapshot.scope.completeness != Completeness::Complete {
        return Err(Failure::message(FAILED, "The scan is not complete; nothing can be said."));
    }
    let survey = lock::survey(&prepared.survey(places, surroundings)?);
    let cache = survey.cache();
    let grace = arguments.grace.map_or(surroundings.grace, |age| age.0.as_secs());
    let of_commands = Grace { seconds: grace, said: arguments.grace.is_some() };
    let mut ways = room::prunes(&snapshot, of_commands);
    ways.extend(room::ways(&snapshot, of_commands));
    let broken = room::broken(&snapshot);
    let command = (!broken.is_empty()).then(|| room::repair_all(&snapshot));
    let unused = Unused::new(&snapshot, grace);
    if arguments.json {
        let environments = broken.iter().map(|path| path.to_string_lossy()).collect();
        let broken = Broken { environments, command };
        let row = UnusedRow::new(&snapshot.totals(), unused.as_ref());
        let locks = cache.into_iter().map(LockRow::new).collect();
        let body = Body { status: Status { ways: &ways, broken, unused: row, locks } };
        json::write(&snapshot, body, view, writer)?;
        return Ok(());
    }
    writeln!(writer, "{}", view.wrapped(&size(&snapshot, view)))?;
    writeln!(writer)?;
    if ways.is_empty() {
        writeln!(writer, "Nothing can be freed.")?;
    } else {
        table(&ways).print(view, writer)?;
        if ways.len() > 1 && !view.quiet {
            let text = "Each frees so much alone; what several have in common counts in each.";
            writeln!(writer, "{}", view.painted(Paint::Faint, &view.wrapped(text)))?;
        }
    }
    if let Some(unused) = &unused {
        writeln!(writer, "{}", view.wrapped(&format!("Entries: {}.", say::unused::in_words(unused))))?;
    }
    writeln!(writer)?;
    let text = works(&broken, command.as_ref(), view);
    let paint = if broken.is_empty() { Paint::Good } else { Paint::Bad };
    writeln!(writer, "{}", view.painted(paint, &view.wrapped(&text)))?;
    let (paint, text) = held(&survey, cache);
    writeln!(writer, "{}", view.painted(paint, &view.wrapped(&human::escape(&text))))?;
    if !view.quiet {
        writeln!(writer)?;
    }
    summary::print(&snapshot, &[], Unseen::Matters, view, writer)?;
    Ok(())
}

/// How large the cache is, and how full its volume.
fn size(snapshot: &Snapshot, view: &View) -> String {
    let entries = human::counted(snapshot.entries.len() as u64, "entry", "entries");
    let environments = human::counted(snapshot.environments.len() as u64, "environment", "environments");
    let space = snapshot.cache.space.map_or(String::new(), |space| {
        format!("; {} of {} are free", human::bytes(space.available), human::bytes(space.total))
    });
    let cache = view.path(&snapshot.cache.path);
    let disk = human::bytes(snapshot.cache.disk);
    format!("The cache `{cache}` takes {disk} with {entries}{space}. Found {environments}.")
}

fn table(ways: &[Way]) -> Table {
    let mut table = Table::new(&[
        Column::text("TO FREE"),
        Column::number("NUMBER").spare(1),
        Column::number("FREES"),
        Column::text("COMMAND").fit(Fit::End(30)),
    ]);
    for way in ways {
        table.push([
            way.kind.label().into(),
            human::count(way.number).into(),
            format!("{}{}", way.certainty.sign(), human::bytes(way.frees)).into(),
            Cell::from(human::escape(&way.command.text()).as_ref()),
        ]);
    }
    table
}

fn works(broken: &[&Path], command: Option<&Command>, view: &View) -> String {
    let (Some((first, rest)), Some(command)) = (broken.split_first(), command) else {
        return "No environment is known to be broken.".to_owned();
    };
    let first = view.path(first);
    let who = match rest.len() as u64 {
        0 => format!("1 environment does not work, `{first}`"),
        more => format!(
            "{} environments do not work, `{first}` and {} more",
            human::count(more + 1),
            human::count(more)
        ),
    };
    format!("{who}: `{}` shows what repairs them.", human::escape(&command.text()))
}

/// Who holds the cache.
fn held(survey: &lock::Survey, cache: Option<&LockFile>) -> (Paint, String) {
    if let Some(ancestor) = &survey.ancestor {
        return (Paint::Notice, ancestor::explanation(ancestor));
    }
    match cache.filter(|file| file.state.is_held()) {
        Some(file) => (Paint::Notice, holder::held_in_words(&file.holders)),
        None => (Paint::Good, "No process holds the cache.".to_owned()),
    }
}
