//! `list`: the entries of the cache, who uses them, and what deleting each gives back.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::summary::{self, Unseen};
use crate::cli::args::ListArguments;
use crate::cli::failure::Failure;
use crate::cli::print::json::entries::{EntryRow, TotalsRow};
use crate::cli::print::json::{self, Rows};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View, words};
use crate::cli::select::entries::sort;
use crate::human;
use crate::snapshot::{EntryIndex, Reclaimable, Selection, Snapshot};

/// Prints the entries that the arguments ask for. Relative paths in them start at `current_dir`.
pub fn run(
    snapshot: &Snapshot,
    arguments: &ListArguments,
    current_dir: &Path,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let alone = snapshot.reclaimable_per_entry();
    let rows = select(snapshot, arguments, current_dir, view, &alone)?;
    if arguments.json {
        return print_json(snapshot, &rows, &alone, view, writer);
    }
    if !rows.is_empty() {
        table(snapshot, &rows, &alone, view).print(view, writer)?;
        if !view.quiet {
            writeln!(writer)?;
        }
    }
    let totals = snapshot.totals();
    summary::print(
        snapshot,
        &[headline(snapshot, &rows), summary::unused(snapshot, &totals, view)],
        Unseen::Matters,
        view,
        writer,
    )?;
    Ok(())
}

fn select(
    snapshot: &Snapshot,
    arguments: &ListArguments,
    current_dir: &Path,
    view: &View,
    alone: &[Reclaimable],
) -> Result<Vec<EntryIndex>, Failure> {
    let mut filter = arguments.filter();
    if let Some(unknown) = filter.what.iter().find(|what| what.find(snapshot).is_empty()) {
        return Err(super::unknown_what(snapshot, unknown));
    }
    let environments = &arguments.filter.environments;
    if !environments.is_empty() {
        filter.used_by = Some(super::environments(snapshot, environments, current_dir)?);
    }
    let mut rows = filter.apply(snapshot, view.now);
    sort(snapshot, &mut rows, arguments.sort, arguments.reverse, alone);
    rows.truncate(arguments.limit.unwrap_or(usize::MAX));
    Ok(rows)
}

fn print_json(
    snapshot: &Snapshot,
    rows: &[EntryIndex],
    alone: &[Reclaimable],
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Body<Entries: Serialize> {
        totals: TotalsRow,
        entries: Entries,
    }
    let entries = Rows(|| rows.iter().map(|index| EntryRow::new(snapshot, *index, alone[index.position()])));
    json::write(snapshot, Body { totals: TotalsRow::new(&snapshot.totals()), entries }, view, writer)?;
    Ok(())
}

fn table(snapshot: &Snapshot, rows: &[EntryIndex], alone: &[Reclaimable], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME").fit(Fit::End(20)),
        Column::text("VERSION").fit(Fit::End(12)),
        Column::number("SIZE"),
        Column::number("FILES").spare(3),
        Column::number("GIVES BACK").spare(1),
        Column::number("LAST USED").spare(2),
        Column::text("USERS").fit(Fit::End(8)),
        Column::text("STATE"),
    ]);
    for index in rows {
        let entry = snapshot.entry(*index);
        let alone = alone[index.position()];
        let back = words::reclaimable(alone);
        let name_paint = if entry.name.is_none() { Paint::Faint } else { Paint::Plain };
        table.push([
            Cell::painted(name_paint, words::name(entry)),
            Cell::or_dash(words::version(entry)),
            human::bytes(entry.disk).into(),
            human::count(entry.files).into(),
            Cell::painted(if alone.bytes == 0 { Paint::Faint } else { Paint::Plain }, back),
            Cell::or_dash(
                entry.last_use.map(|last| human::short_age(last.time, view.now)).unwrap_or_default(),
            ),
            Cell::or_dash(words::users(snapshot, *index)),
            Cell::painted(words::state_paint(entry.state), entry.state.word()),
        ]);
    }
    table
}

fn headline(snapshot: &Snapshot, rows: &[EntryIndex]) -> String {
    let mut selection = Selection::new(snapshot);
    let mut files = 0;
    for index in rows {
        selection.add_entry(*index);
        files += snapshot.entry(*index).files;
    }
    let joint = snapshot.reclaimable(&selection);
    let all = snapshot.entries.len() as u64;
    let entries = if rows.len() as u64 == all {
        human::counted(all, "entry", "entries")
    } else {
        format!("{} of {}", human::count(rows.len() as u64), human::counted(all, "entry", "entries"))
    };
    format!("{entries}, {}, {} on disk", human::counted(files, "file", "files"), human::bytes(joint.total()))
}
