//! `links`: what inside the cache leads to an entry, and whether the entry is there.

use std::io::Write;

use serde::Serialize;

use super::summary::{self, Unseen};
use crate::cli::args::LinksArguments;
use crate::cli::failure::Failure;
use crate::cli::print::json::pointers::{DamagedRow, PointerRow};
use crate::cli::print::json::{self, Rows};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View, words};
use crate::cli::select::pointers::sort;
use crate::human;
use crate::snapshot::{Damage, DamagedLink, EntryIndex, Pointer, PointerIndex, PointerState, Snapshot, What};

/// Prints the pointers that the arguments ask for, in the order they ask for.
pub fn run(
    snapshot: &Snapshot,
    arguments: &LinksArguments,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let rows = select(snapshot, arguments)?;
    let damaged = snapshot.damaged_links();
    if arguments.json {
        #[derive(Serialize)]
        struct Body<Pointers: Serialize, Damaged: Serialize> {
            pointers: Pointers,
            damaged: Damaged,
        }
        let pointers = Rows(|| rows.iter().map(|index| PointerRow::new(snapshot, *index)));
        let damaged = Rows(|| damaged.iter().map(|link| DamagedRow::new(snapshot, link)));
        json::write(snapshot, Body { pointers, damaged }, view, writer)?;
        return Ok(());
    }
    if !rows.is_empty() {
        table(snapshot, &rows).print(view, writer)?;
        if !view.quiet {
            writeln!(writer)?;
        }
    }
    summary::print(snapshot, &[headline(snapshot, &rows)], Unseen::Elsewhere, view, writer)?;
    self::damaged(&damaged, view, writer)?;
    Ok(())
}

/// Says which links do not keep their entries, those that are lost by name: they have no row.
fn damaged(damaged: &[DamagedLink], view: &View, writer: &mut dyn Write) -> std::io::Result<()> {
    let can_be_mended: Vec<_> = damaged.iter().filter(|link| !link.named_by.is_empty()).collect();
    if can_be_mended.is_empty() || view.quiet {
        return Ok(());
    }
    for link in can_be_mended.iter().filter(|link| link.damage == Damage::Lost) {
        let text = format!("There is no link `{}`.", human::escape_os(link.path.as_os_str()));
        writeln!(writer, "{}", view.painted(Paint::Bad, &view.wrapped(&text)))?;
    }
    let links = human::counted(
        can_be_mended.len() as u64,
        "link does not lead to the entry that the pointer beside it names",
        "links do not lead to the entries that the pointers beside them name",
    );
    let text = format!(
        "{links}: uv's next prune takes what no link leads to. `cachetui repair --links` writes links again."
    );
    writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&text)))
}

fn select(snapshot: &Snapshot, arguments: &LinksArguments) -> Result<Vec<PointerIndex>, Failure> {
    let mut wanted: Option<Vec<EntryIndex>> = None;
    for text in &arguments.what {
        let what = What::new(text);
        let found = what.find(snapshot);
        if found.is_empty() {
            return Err(super::unknown_what(snapshot, &what));
        }
        wanted.get_or_insert_default().extend(found);
    }
    let wants = |pointer: &Pointer| {
        let entries =
            wanted.as_ref().is_none_or(|wanted| pointer.entry.is_some_and(|it| wanted.contains(&it)));
        entries
            && (arguments.state.is_empty() || arguments.state.contains(&pointer.state))
            && (arguments.form.is_empty() || arguments.form.contains(&pointer.form))
    };
    let pointers = snapshot.pointers.iter().enumerate();
    let mut rows: Vec<PointerIndex> = pointers
        .filter(|(_, pointer)| wants(pointer))
        .map(|(position, _)| PointerIndex::new(position))
        .collect();
    sort(snapshot, &mut rows, arguments.sort, arguments.reverse);
    Ok(rows)
}

fn table(snapshot: &Snapshot, rows: &[PointerIndex]) -> Table {
    let mut table = Table::new(&[
        Column::text("POINTER").fit(Fit::Middle(48)),
        Column::text("FORM"),
        Column::text("STATE"),
        Column::text("LEADS TO").fit(Fit::End(22)),
        Column::text("TARGET").fit(Fit::Middle(20)).spare(1),
    ]);
    for index in rows {
        let pointer = snapshot.pointer(*index);
        let entry = pointer.entry.map(|index| words::title(snapshot.entry(index)));
        let leads_to = match entry {
            Some(title) => Cell::from(title),
            None => Cell::painted(Paint::Faint, human::escape(&pointer.note)),
        };
        table.push([
            human::escape_os(pointer.path.as_os_str()).as_ref().into(),
            pointer.form.word().into(),
            Cell::painted(words::pointer_paint(pointer.state), pointer.state.word()),
            leads_to,
            Cell::or_dash(human::escape(&pointer.target)),
        ]);
    }
    table
}

fn headline(snapshot: &Snapshot, rows: &[PointerIndex]) -> String {
    let states = [PointerState::Live, PointerState::Dangling, PointerState::Foreign, PointerState::Malformed];
    let counts: Vec<String> = states
        .iter()
        .map(|state| (state, rows.iter().filter(|index| snapshot.pointer(**index).state == *state).count()))
        .filter(|(_, number)| *number > 0)
        .map(|(state, number)| format!("{} {}", human::count(number as u64), state.word()))
        .collect();
    let all = snapshot.pointers.len() as u64;
    let number = if rows.len() as u64 == all {
        human::counted(all, "pointer", "pointers")
    } else {
        format!("{} of {}", human::count(rows.len() as u64), human::counted(all, "pointer", "pointers"))
    };
    if counts.is_empty() { number } else { format!("{number}: {}", counts.join(", ")) }
}
