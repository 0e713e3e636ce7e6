//! `trash`: what was removed and still lies in the cache's trash: listed, put back, or deleted.

use std::ffi::{OsStr, OsString};
use std::io::Write;

use serde::Serialize;

use crate::apply::restore::Restored;
use crate::apply::trash::{self, Held};
use crate::apply::{self, Freed, Run, State};
use crate::cli::act::{Emptied, Ground};
use crate::cli::args::Places;
use crate::cli::args::prune::{TrashArguments, TrashCommand, TrashPurgeArguments};
use crate::cli::confirm;
use crate::cli::failure::{FAILED, Failure, INTERRUPTED};
use crate::cli::locking;
use crate::cli::print::json::plan::{self as json, RestoredRow, RunRow};
use crate::cli::print::{Cell, Column, Paint, Table, View};
use crate::cli::request::{self, Prepared};
use crate::cli::surroundings::Surroundings;
use crate::human;
use crate::scan::Absent;
use crate::snapshot::Certainty;

/// Does what the arguments ask for.
pub fn run(
    places: &Places,
    arguments: &TrashArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    match &arguments.command {
        TrashCommand::List(arguments) => {
            let prepared = request::prepare(places, Absent::Refused, surroundings)?;
            list(&prepared, arguments.json, view, writer)
        }
        TrashCommand::Restore(arguments) => {
            restore(places, Some(&arguments.run), arguments.json, surroundings, view, writer)
        }
        TrashCommand::Purge(arguments) => purge(places, arguments, surroundings, view, writer),
    }
}

fn runs(prepared: &Prepared) -> Result<Vec<Run>, Failure> {
    trash::runs(prepared.cache()).map_err(|error| Failure::new(FAILED, error))
}

/// The run that somebody named, by the whole name or the beginning of only one.
fn find(runs: &[Run], name: &OsStr) -> Result<Run, Failure> {
    if let Some(run) = runs.iter().find(|run| run.name() == name) {
        return Ok(run.clone());
    }
    let begins = |run: &&Run| run.name().as_encoded_bytes().starts_with(name.as_encoded_bytes());
    let found: Vec<&Run> = runs.iter().filter(begins).collect();
    let shown = human::escape_os(name);
    match found.as_slice() {
        [run] if !name.is_empty() => Ok((*run).clone()),
        [] | [_] => Err(Failure::message(FAILED, format!("No run in the trash is called `{shown}`."))
            .hint("`cachetui trash list` shows all runs.")),
        many => Err(Failure::message(FAILED, format!("{} runs begin with `{shown}`.", many.len()))
            .hint("`cachetui trash list` shows their whole names.")),
    }
}

fn list(prepared: &Prepared, as_json: bool, view: &View, writer: &mut dyn Write) -> Result<(), Failure> {
    let runs: Vec<(Run, Held)> =
        runs(prepared)?.into_iter().map(|run| (run.clone(), trash::held(prepared.cache(), &run))).collect();
    if as_json {
        #[derive(Serialize)]
        struct Body<'a> {
            runs: Vec<RunRow<'a>>,
        }
        let body = Body { runs: runs.iter().map(|(run, held)| RunRow::new(run, held)).collect() };
        json::write(prepared.root(), &json::no_scope(), body, view, writer)?;
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("RUN"),
        Column::number("WHEN").spare(2),
        Column::number("ENTRIES"),
        Column::number("FILES").spare(1),
        Column::number("GIVES BACK"),
        Column::text("STATE"),
    ]);
    for (run, held) in &runs {
        let (paint, word) =
            if run.is_purging() { (Paint::Notice, "half deleted") } else { (Paint::Good, "can be put back") };
        table.push([
            human::escape_os(run.name()).as_ref().into(),
            Cell::or_dash(run.time().map(|time| human::short_age(time, view.now)).unwrap_or_default()),
            human::count(held.entries).into(),
            human::count(held.files).into(),
            format!("{}{}", held.certainty.sign(), human::bytes(held.reclaimable)).into(),
            Cell::painted(paint, word),
        ]);
    }
    if !table.is_empty() {
        table.print(view, writer)?;
    }
    if view.quiet {
        return Ok(());
    }
    let text = if runs.is_empty() {
        format!("The trash of `{}` is empty.", view.path(prepared.cache()))
    } else {
        "`cachetui undo` puts the newest back, `cachetui trash restore RUN` any; `cachetui trash purge` deletes them. \
         `uv cache prune` and `uv cache clean` delete them too."
            .to_owned()
    };
    writeln!(writer, "{}", view.wrapped(&text))?;
    Ok(())
}

/// Puts back what a run removed, the newest that can be if none is named.
pub(super) fn restore(
    places: &Places,
    name: Option<&OsString>,
    as_json: bool,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let all = runs(&prepared)?;
    let run = match name {
        Some(name) => Some(find(&all, name)?),
        None => all.into_iter().rfind(|run| !run.is_purging()),
    };
    if let Some(run) = run.as_ref().filter(|run| run.is_purging()) {
        let text = format!("`{}` is being deleted, or was: it is not whole.", human::escape_os(run.name()));
        return Err(Failure::message(FAILED, text).hint("`cachetui trash purge` deletes what is left of it."));
    }
    let ground = Ground { places, surroundings, view, cache: prepared.cache() };
    let mut notes = Vec::new();
    let restored = match &run {
        Some(run) => {
            let (lock, told) = ground.lock()?;
            notes.extend(told);
            apply::restore(&lock, run).map_err(|error| Failure::new(FAILED, error))?
        }
        None => Vec::new(),
    };
    if as_json {
        #[derive(Serialize)]
        struct Body<'a> {
            run: Option<String>,
            restored: Vec<RestoredRow<'a>>,
            notes: &'a [String],
        }
        let body = Body {
            run: run.as_ref().map(|run| run.name().to_string_lossy().into_owned()),
            restored: restored.iter().map(RestoredRow::new).collect(),
            notes: &notes,
        };
        json::write(prepared.root(), &json::no_scope(), body, view, writer)?;
    } else {
        print_restored(run.as_ref(), &restored, &notes, view, writer)?;
    }
    let whole = restored.iter().all(|item| item.state == State::Done);
    if whole { Ok(()) } else { Err(Failure::quiet(FAILED)) }
}

fn print_restored(
    run: Option<&Run>,
    restored: &[Restored],
    notes: &[String],
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let Some(run) = run else {
        writeln!(writer, "There is nothing to undo: the trash is empty.")?;
        return Ok(());
    };
    let mut back = 0;
    for item in restored {
        let path = human::escape_os(item.path.as_os_str());
        let why = human::escape(item.why.as_deref().unwrap_or_default());
        match item.state {
            State::Done => {
                back += 1;
                if view.verbose {
                    writeln!(writer, "back {path}")?;
                }
            }
            State::Failed => {
                writeln!(writer, "{}", view.painted(Paint::Bad, &format!("failed {path}: {why}")))?;
            }
            _ => {
                writeln!(writer, "{}", view.painted(Paint::Notice, &format!("stays {path}: {why}")))?;
            }
        }
    }
    if !view.quiet {
        let name = human::escape_os(run.name());
        let rest = match restored.len() as u64 - back {
            0 => String::new(),
            rest => format!(" {} in the trash.", human::counted(rest, "thing stays", "things stay")),
        };
        let text = format!("Put back {} that `{name}` removed.{rest}", Restored::in_words(restored));
        writeln!(writer, "{}", view.wrapped(&text))?;
    }
    for note in notes {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
    }
    Ok(())
}

fn purge(
    places: &Places,
    arguments: &TrashPurgeArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let all = runs(&prepared)?;
    let chosen = if arguments.runs.is_empty() {
        all
    } else {
        let named: Result<Vec<Run>, Failure> = arguments.runs.iter().map(|name| find(&all, name)).collect();
        let mut named = named?;
        named.sort_unstable();
        named.dedup();
        named
    };
    let held: Vec<(Run, Held)> =
        chosen.iter().map(|run| (run.clone(), trash::held(prepared.cache(), run))).collect();
    let certainty = held.iter().fold(Certainty::Exact, |sum, (_, held)| sum.and(held.certainty));
    let open = held.iter().fold(0, |sum: u64, (_, held)| sum.saturating_add(held.open));
    let predicted = held.iter().fold(0, |sum: u64, (_, held)| sum.saturating_add(held.reclaimable));
    let number = human::counted(chosen.len() as u64, "run", "runs");
    let back = match open {
        0 => format!("{}{}", certainty.before(), human::bytes(predicted)),
        open => format!(
            "{}{} and {} more when processes close it",
            certainty.before(),
            human::bytes(predicted),
            human::bytes(open)
        ),
    };
    if !(arguments.yes || arguments.dry_run || chosen.is_empty()) {
        if arguments.json {
            return Err(confirm::nobody());
        }
        let question = format!("Delete what {number} removed, {back}? It cannot be put back then.");
        if !confirm::ask(&question, surroundings, writer)? {
            writeln!(writer, "Nothing was deleted.")?;
            return Ok(());
        }
    }
    let ground = Ground { places, surroundings, view, cache: prepared.cache() };
    let freed = Freed { predicted, certainty, ..Freed::default() };
    let mut end = Purged { freed, certainty, emptied: Emptied::default() };
    if !arguments.dry_run && !chosen.is_empty() {
        let before = ground.settled()?;
        end.emptied = ground.purge(chosen)?.map_err(locking::failure)?;
        let after = ground.settled()?;
        end.freed.measured = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    }
    if arguments.json {
        #[derive(Serialize)]
        struct Body<'a> {
            dry_run: bool,
            purged: Vec<RunRow<'a>>,
            freed: &'a Freed,
            notes: &'a [&'a str],
        }
        let purged = held.iter().map(|(run, held)| RunRow::new(run, held)).collect();
        let body = Body { dry_run: arguments.dry_run, purged, freed: &end.freed, notes: &end.notes() };
        json::write(prepared.root(), &json::no_scope(), body, view, writer)?;
    } else {
        end.print(&number, held.is_empty(), arguments.dry_run, view, writer)?;
    }
    match (end.emptied.stopped, end.emptied.left.is_empty()) {
        (true, _) => Err(Failure::quiet(INTERRUPTED)),
        (false, false) => Err(Failure::quiet(FAILED)),
        (false, true) => Ok(()),
    }
}

/// What became of a purge.
struct Purged {
    freed: Freed,
    certainty: Certainty,
    emptied: Emptied,
}

impl Purged {
    fn notes(&self) -> Vec<&str> {
        self.emptied.notes.iter().chain(&self.emptied.left).map(String::as_str).collect()
    }

    fn print(
        &self,
        number: &str,
        nothing: bool,
        dry_run: bool,
        view: &View,
        writer: &mut dyn Write,
    ) -> Result<(), Failure> {
        for (paint, notes) in [(Paint::Notice, &self.emptied.notes), (Paint::Bad, &self.emptied.left)] {
            for note in notes {
                writeln!(writer, "{}", view.painted(paint, &view.wrapped(&human::escape(note))))?;
            }
        }
        if view.quiet {
            return Ok(());
        }
        let predicted = format!("{}{}", self.certainty.before(), human::bytes(self.freed.predicted));
        let text = match (nothing, dry_run, self.freed.measured) {
            (true, ..) => "The trash is empty.".to_owned(),
            (_, true, _) => format!("{number} would be deleted, which gives back {predicted}."),
            (_, _, Some(measured)) if self.emptied.left.is_empty() => {
                format!(
                    "Deleted {number}: {predicted} should come back; the volume has {} more free.",
                    human::bytes(measured)
                )
            }
            _ if self.emptied.left.is_empty() => format!("Deleted {number}."),
            _ => return Ok(()),
        };
        writeln!(writer, "{}", view.wrapped(&text))?;
        Ok(())
    }
}
