//! What stands below a table: totals, where nobody was found, and what could not be read.

use std::io::{self, Write};

use crate::cli::print::{Cell, Column, Fit, Paint, Table, View, words};
use crate::human;
use crate::plan::Unused;
use crate::say;
use crate::snapshot::Snapshot;

/// Whether an answer depends on having seen every environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// It does: somebody may use what seems unused.
    Matters,
    /// It is about the cache only.
    Elsewhere,
}

/// Prints `headline`, then what the scan did not see.
pub(super) fn print(
    snapshot: &Snapshot,
    headline: &[String],
    unseen: Unseen,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    if !view.quiet {
        for line in headline {
            writeln!(writer, "{}", view.wrapped(line))?;
        }
        let sentences = if unseen == Unseen::Matters { words::unseen(snapshot) } else { Vec::new() };
        for sentence in sentences {
            writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&sentence)))?;
        }
        if !view.verbose && !snapshot.problems.is_empty() {
            let problems = human::counted(snapshot.problems.len() as u64, "problem", "problems");
            writeln!(
                writer,
                "{}",
                view.painted(
                    Paint::Notice,
                    &format!("{problems}: `-v` lists what could not be read or understood.")
                )
            )?;
        }
    }
    if view.verbose {
        print_scope(snapshot, view, writer)?;
        print_problems(snapshot, view, writer)?;
    }
    Ok(())
}

/// How much of the cache is unused, with the places where nobody was found, and what of it can go.
pub(super) fn unused(snapshot: &Snapshot, unused: Option<&Unused>, view: &View) -> String {
    let searched = words::searched(&snapshot.scope, view);
    let Some(unused) = unused else {
        return format!("Every entry is in use or held elsewhere; searched {searched}.");
    };
    let (them, all) = if unused.entries == 1 { ("it", "it") } else { ("them", "all of them") };
    let number = human::count(unused.entries);
    let start = format!("{number} unused: no environment found {searched} uses {them}.");
    let can_go = say::unused::can_go(unused);
    // Of a cache that is not understood nothing can go, whatever it would free.
    if snapshot.cache.odd().next().is_some() {
        return format!("{start} {}.", human::capitalized(&can_go));
    }
    let end = if unused.all_goes() { String::new() } else { format!(" {}.", human::capitalized(&can_go)) };
    format!("{start} Removing {all} frees {}.{end}", say::frees(unused.frees))
}

fn print_scope(snapshot: &Snapshot, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        Column::text("SEARCHED").fit(Fit::Middle(20)),
        Column::text("BECAUSE"),
        Column::text("RESULT"),
    ]);
    for root in &snapshot.scope.roots {
        let result =
            if root.readable { Cell::from("read") } else { Cell::painted(Paint::Notice, "not read") };
        table.push([view.path(&root.path).into(), root.reason.into(), result]);
    }
    for path in &snapshot.scope.unread {
        table.push([
            view.path(path).into(),
            "below one of these".into(),
            Cell::painted(Paint::Notice, "not read"),
        ]);
    }
    if table.is_empty() {
        return Ok(());
    }
    writeln!(writer)?;
    table.print(view, writer)
}

fn print_problems(snapshot: &Snapshot, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    if snapshot.problems.is_empty() {
        return Ok(());
    }
    writeln!(writer, "\n{}", view.painted(Paint::Strong, "PROBLEMS"))?;
    for problem in &snapshot.problems {
        writeln!(writer, "{}\n  {}", view.path(&problem.path), human::escape(&problem.message))?;
    }
    Ok(())
}
