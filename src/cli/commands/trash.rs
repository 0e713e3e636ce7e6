//! `trash`: what was removed and still lies in the cache's trash: listed, put back, or deleted.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::apply::beside::{self, Whole};
use crate::apply::restore::Restored;
use crate::apply::trash::Held;
use crate::apply::{Freed, Run, State};
use crate::cli::act::{self, Ground};
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
use crate::lock::Refused;
use crate::scan::Absent;
use crate::snapshot::Certainty;
use crate::worker;

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
            list(&prepared, arguments.json, surroundings, view, writer)
        }
        TrashCommand::Restore(arguments) => {
            restore(places, Some(&arguments.run), arguments.json, surroundings, view, writer)
        }
        TrashCommand::Purge(arguments) => purge(places, arguments, surroundings, view, writer),
    }
}

/// What lies in the trash, of a cache and beside environments.
pub(super) fn runs(prepared: &Prepared, surroundings: &Surroundings) -> Result<Vec<Whole>, Failure> {
    let state = surroundings.state_dir.as_deref();
    beside::runs(prepared.cache(), state).map_err(|error| Failure::new(FAILED, error))
}

/// The run that somebody named, by the whole name or the beginning of only one.
fn find(runs: &[Whole], name: &OsStr) -> Result<Whole, Failure> {
    if let Some(whole) = runs.iter().find(|whole| whole.run.name() == name) {
        return Ok(whole.clone());
    }
    let begins = |whole: &&Whole| whole.run.name().as_encoded_bytes().starts_with(name.as_encoded_bytes());
    let found: Vec<&Whole> = runs.iter().filter(begins).collect();
    let shown = human::escape_os(name);
    match found.as_slice() {
        [run] if !name.is_empty() => Ok((*run).clone()),
        [] | [_] => Err(Failure::message(FAILED, format!("No run in the trash is called `{shown}`."))
            .hint("`cachetui trash list` shows all runs.")),
        many => Err(Failure::message(FAILED, format!("{} runs begin with `{shown}`.", many.len()))
            .hint("`cachetui trash list` shows their whole names.")),
    }
}

fn list(
    prepared: &Prepared,
    as_json: bool,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let cache = prepared.cache();
    let runs: Vec<(Whole, Held, Back)> = runs(prepared, surroundings)?
        .into_iter()
        .map(|whole| {
            let (held, back) = (whole.held(cache), Back::of(cache, &whole));
            (whole, held, back)
        })
        .collect();
    if as_json {
        #[derive(Serialize)]
        struct Body<'a> {
            runs: Vec<RunRow<'a>>,
        }
        let body = Body {
            runs: runs.iter().map(|(whole, held, back)| RunRow::listed(whole, held, back.number())).collect(),
        };
        json::write(prepared.root(), &json::no_scope(), body, view, writer)?;
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("RUN"),
        Column::number("WHEN").spare(2),
        Column::number("ENTRIES"),
        Column::number("ENVIRONMENTS").spare(3),
        Column::number("FILES").spare(1),
        Column::number("FREES"),
        Column::text("STATE"),
    ]);
    for (whole, held, back) in &runs {
        let (run, (paint, word)) = (&whole.run, back.word());
        table.push([
            human::escape_os(run.name()).as_ref().into(),
            Cell::or_dash(run.time().map(|time| human::short_age(time, view.now)).unwrap_or_default()),
            human::count(held.entries).into(),
            human::count(whole.environments).into(),
            human::count(held.files).into(),
            format!("{}{}", held.certainty.sign(), human::bytes(held.reclaimable)).into(),
            Cell::painted(paint, &word),
        ]);
    }
    if !table.is_empty() {
        table.print(view, writer)?;
    }
    if view.quiet {
        return Ok(());
    }
    for (run, why) in runs.iter().filter_map(|(whole, _, back)| Some((&whole.run, back.why()?))) {
        let text = format!("`{}`: {}.", human::escape_os(run.name()), human::escape(why));
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&text)))?;
    }
    let text = if runs.is_empty() {
        format!("The trash of `{}` is empty, and so is that of environments.", view.path(prepared.cache()))
    } else {
        "`cachetui undo` puts the newest back, `cachetui trash restore RUN` any; `cachetui trash purge` deletes them. \
         `uv cache prune` and `uv cache clean` delete the entries too."
            .to_owned()
    };
    writeln!(writer, "{}", view.wrapped(&text))?;
    Ok(())
}

/// What undoing would bring back of a run.
enum Back {
    /// It is being purged, or was.
    Purging,
    /// So many of so many things, and why the first of the others stays.
    Some(u64, u64, Option<String>),
    /// Nothing, because it could not be read.
    Unread(String),
}

impl Back {
    fn of(cache: &Path, whole: &Whole) -> Self {
        if whole.run.is_purging() {
            return Self::Purging;
        }
        match whole.could(cache) {
            Ok(items) => {
                let back = items.iter().filter(|item| item.state == State::Done).count();
                let why = items
                    .iter()
                    .find_map(|item| Some(format!("{} stays: {}", item.path.display(), item.why.as_ref()?)));
                Self::Some(back as u64, items.len() as u64, why)
            }
            Err(error) => Self::Unread(format!("{error}: {}", crate::disk::error::words(&error.source))),
        }
    }

    /// How many things would come back.
    fn number(&self) -> u64 {
        match self {
            Self::Some(back, ..) => *back,
            Self::Purging | Self::Unread(_) => 0,
        }
    }

    fn word(&self) -> (Paint, String) {
        match self {
            Self::Purging => (Paint::Notice, "half deleted".to_owned()),
            Self::Some(0, ..) | Self::Unread(_) => (Paint::Notice, "cannot be put back".to_owned()),
            Self::Some(back, all, _) if back < all => {
                (Paint::Notice, format!("{} of {} can be put back", human::count(*back), human::count(*all)))
            }
            Self::Some(..) => (Paint::Good, "can be put back".to_owned()),
        }
    }

    /// Why not everything would. Not escaped.
    fn why(&self) -> Option<&str> {
        match self {
            Self::Purging => None,
            Self::Some(_, _, why) => why.as_deref(),
            Self::Unread(why) => Some(why),
        }
    }
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
    let all = runs(&prepared, surroundings)?;
    let whole = if let Some(name) = name {
        Some(find(&all, name)?)
    } else {
        // The same rule as in the list. Of none that can be, the newest says why.
        let can = all.iter().rposition(|whole| whole.is_restorable(prepared.cache()));
        let newest = || all.iter().rposition(|whole| !whole.run.is_purging());
        can.or_else(newest).map(|position| all[position].clone())
    };
    let run = whole.as_ref().map(|whole| &whole.run);
    if let Some(run) = run.filter(|run| run.is_purging()) {
        let text = format!("`{}` is being deleted, or was: it is not whole.", human::escape_os(run.name()));
        return Err(Failure::message(FAILED, text).hint("`cachetui trash purge` deletes what is left of it."));
    }
    let ground = Ground { places, surroundings, view, cache: prepared.cache(), when_free: None };
    let mut notes = Vec::new();
    let restored = match &whole {
        Some(whole) => {
            let hosted = ground.hosted(|host| worker::trash::restore(whole, ground.cache, host))?;
            notes = hosted.notes;
            hosted.answer.map_err(act::stopped)?
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
            run: run.map(|run| run.name().to_string_lossy().into_owned()),
            restored: restored.iter().map(RestoredRow::new).collect(),
            notes: &notes,
        };
        json::write(prepared.root(), &json::no_scope(), body, view, writer)?;
    } else {
        print_restored(run, &restored, &notes, view, writer)?;
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
    let all = runs(&prepared, surroundings)?;
    let chosen = if arguments.runs.is_empty() {
        all
    } else {
        let named: Result<Vec<Whole>, Failure> = arguments.runs.iter().map(|name| find(&all, name)).collect();
        let mut named = named?;
        named.sort_by(|one, other| one.run.cmp(&other.run));
        named.dedup();
        named
    };
    let held: Vec<(Whole, Held)> =
        chosen.iter().map(|whole| (whole.clone(), whole.held(prepared.cache()))).collect();
    let Held { certainty, open, reclaimable: predicted, .. } = beside::held(&chosen, prepared.cache());
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
            return Err(confirm::unanswered());
        }
        let question = format!("Delete what {number} removed, {back}? It cannot be put back then.");
        if !confirm::ask(&question, surroundings, writer)? {
            writeln!(writer, "Nothing was deleted.")?;
            return Ok(());
        }
    }
    let ground = Ground { places, surroundings, view, cache: prepared.cache(), when_free: None };
    let mut end =
        Purged { freed: Freed { predicted, certainty, ..Freed::default() }, certainty, ..Purged::default() };
    if !arguments.dry_run && !chosen.is_empty() {
        end.measured(&ground, &chosen)?;
    }
    if arguments.json {
        #[derive(Serialize)]
        struct Body<'a> {
            dry_run: bool,
            purged: Vec<RunRow<'a>>,
            freed: &'a Freed,
            notes: &'a [&'a str],
        }
        let is_deleted = |whole: &Whole| end.refused.is_none() || !whole.in_cache;
        let purged = held.iter().filter(|(whole, _)| is_deleted(whole));
        let purged = purged.map(|(whole, held)| RunRow::new(whole, held)).collect();
        let body = Body { dry_run: arguments.dry_run, purged, freed: &end.freed, notes: &end.notes() };
        json::write(prepared.root(), &json::no_scope(), body, view, writer)?;
    } else {
        end.print(held.len(), arguments.dry_run, view, writer)?;
    }
    if let Some(refused) = end.refused {
        return Err(locking::failure(refused));
    }
    match (end.stopped, end.left.is_empty()) {
        (true, _) => Err(Failure::quiet(INTERRUPTED)),
        (false, false) => Err(Failure::quiet(FAILED)),
        (false, true) => Ok(()),
    }
}

/// What became of emptying the trash, once or several times.
#[derive(Default)]
pub(super) struct Purged {
    pub(super) freed: Freed,
    certainty: Certainty,
    /// What could not be deleted, and what to do about it, as sentences. Not escaped.
    pub(super) left: Vec<String>,
    /// What is worth saying of the locks. Not escaped.
    pub(super) notes: Vec<String>,
    /// Whether a person stopped it.
    pub(super) stopped: bool,
    /// Of how many runs the environments were deleted.
    of_environments: usize,
    /// Why nothing was deleted in the cache, where its lock could not be had.
    pub(super) refused: Option<Refused>,
    /// How often something was deleted.
    number: usize,
}

/// The sum of what was measured before, so many times, and now; none where one of them is not known.
fn add(before: Option<u64>, now: Option<u64>, number: usize) -> Option<u64> {
    if number == 0 { now } else { before.zip(now).map(|(before, now)| before.saturating_add(now)) }
}

impl Purged {
    /// Deletes what runs removed, and measures what that frees.
    pub(super) fn measured(&mut self, ground: &Ground<'_>, chosen: &[Whole]) -> Result<(), Failure> {
        let before = ground.settled()?;
        let hosted = ground.hosted(|host| worker::trash::empty(chosen, ground.cache, host))?;
        let emptied = hosted.answer;
        let after = ground.settled()?;
        let volume = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        self.freed.volume = add(self.freed.volume, volume, self.number);
        self.freed.measured = add(self.freed.measured, emptied.freed.or(volume), self.number);
        self.number += 1;
        self.left.extend(emptied.left());
        self.notes.extend(hosted.notes);
        self.stopped |= emptied.stopped;
        self.of_environments += emptied.of_environments;
        self.refused = self.refused.take().or(emptied.refused);
        Ok(())
    }

    /// Of how many runs the environments were deleted.
    pub(super) fn of_environments(&self) -> usize {
        self.of_environments
    }

    /// What was deleted of `runs` runs, as a sentence. None where nothing was.
    pub(super) fn deleted(&self, runs: usize, freed: Option<u64>) -> Option<String> {
        let freed = freed.map(|bytes| format!(": {} freed", human::bytes(bytes))).unwrap_or_default();
        let of = |number: usize| human::counted(number as u64, "run of the trash", "runs of the trash");
        match (self.refused.is_some(), self.of_environments) {
            (true, 0) => None,
            (true, number) => Some(format!("Deleted the environments of {}{freed}.", of(number))),
            (false, _) => (runs > 0).then(|| format!("Deleted {}{freed}.", of(runs))),
        }
    }

    fn notes(&self) -> Vec<&str> {
        self.notes.iter().chain(&self.left).map(String::as_str).collect()
    }

    fn print(&self, runs: usize, dry_run: bool, view: &View, writer: &mut dyn Write) -> Result<(), Failure> {
        for (paint, notes) in [(Paint::Notice, &self.notes), (Paint::Bad, &self.left)] {
            for note in notes {
                writeln!(writer, "{}", view.painted(paint, &view.wrapped(&human::escape(note))))?;
            }
        }
        if view.quiet {
            return Ok(());
        }
        let predicted = format!("{}{}", self.certainty.before(), human::bytes(self.freed.predicted));
        let text = if runs == 0 {
            Some("The trash is empty.".to_owned())
        } else if dry_run {
            let number = human::counted(runs as u64, "run", "runs");
            Some(format!("{number} would be deleted, which frees {predicted}."))
        } else if self.left.is_empty() {
            self.deleted(runs, self.freed.measured)
        } else {
            None
        };
        if let Some(text) = text {
            writeln!(writer, "{}", view.wrapped(&text))?;
        }
        Ok(())
    }
}
