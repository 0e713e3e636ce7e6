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
use crate::plan::Unused;
use crate::scan::repositories::repositories;
use crate::snapshot::{Bucket, EntryIndex, Reclaimable, Selection, Snapshot};

/// How many buckets, repositories and packages are named.
const NAMED: usize = 4;

/// Prints the entries that the arguments ask for. Relative paths in them start at `current_dir`; what changed less than
/// `grace` seconds ago cannot go yet.
pub fn run(
    snapshot: &Snapshot,
    arguments: &ListArguments,
    grace: u64,
    current_dir: &Path,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let alone = snapshot.reclaimable_per_entry();
    let rows = select(snapshot, arguments, current_dir, view, &alone)?;
    let unused = Unused::new(snapshot, grace);
    if arguments.json {
        return print_json(snapshot, &rows, &alone, unused.as_ref(), view, writer);
    }
    if !rows.is_empty() {
        table(snapshot, &rows, &alone, view).print(view, writer)?;
        if !view.quiet {
            writeln!(writer)?;
        }
    }
    let mut headlines = vec![headline(snapshot, &rows), summary::unused(snapshot, unused.as_ref(), view)];
    headlines.extend(beside(snapshot));
    headlines.extend(edited(snapshot));
    summary::print(snapshot, &headlines, Unseen::Matters, view, writer)?;
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
    unused: Option<&Unused>,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Body<'a, Entries: Serialize> {
        totals: TotalsRow<'a>,
        entries: Entries,
    }
    let entries = Rows(|| rows.iter().map(|index| EntryRow::new(snapshot, *index, alone[index.position()])));
    json::write(
        snapshot,
        Body { totals: TotalsRow::new(&snapshot.totals(), unused), entries },
        view,
        writer,
    )?;
    Ok(())
}

fn table(snapshot: &Snapshot, rows: &[EntryIndex], alone: &[Reclaimable], view: &View) -> Table {
    let distinctions = snapshot.distinctions();
    let which = if rows.iter().any(|index| distinctions.contains_key(index)) { "WHICH" } else { "" };
    let mut columns = vec![
        Column::text("NAME").fit(Fit::End(20)),
        Column::text("VERSION").fit(Fit::End(12)),
        Column::text(which).fit(Fit::Middle(12)),
        Column::number("SIZE"),
        Column::number("FILES").spare(3),
        Column::number("FREES").spare(1),
        Column::number("LAST USED").spare(2),
        Column::text("USERS").fit(Fit::End(8)),
        Column::text("STATE"),
    ];
    // Only rows of one name and version need to be told apart.
    let which = (!which.is_empty()).then_some(2);
    if which.is_none() {
        columns.remove(2);
    }
    let mut table = Table::new(&columns);
    for index in rows {
        let entry = snapshot.entry(*index);
        let alone = alone[index.position()];
        let back = words::reclaimable(alone);
        let name_paint = if entry.name.is_none() { Paint::Faint } else { Paint::Plain };
        let mut cells = vec![
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
        ];
        if let Some(place) = which {
            let label = distinctions.get(index).map(|label| human::escape(label).into_owned());
            cells.insert(place, Cell::or_dash(label.unwrap_or_default()));
        }
        table.push_row(cells);
    }
    table
}

/// The bytes of the cache that are in no entry, by bucket, where they are a hundredth of it or more.
fn beside(snapshot: &Snapshot) -> Option<String> {
    let mut buckets: Vec<&Bucket> = snapshot
        .cache
        .buckets
        .iter()
        .filter(|bucket| !bucket.name.starts_with("archive-v") && bucket.disk > 0)
        .collect();
    let sum: u64 = buckets.iter().map(|bucket| bucket.disk).sum();
    if sum == 0 || sum < snapshot.cache.disk / 100 {
        return None;
    }
    buckets.sort_by_key(|bucket| std::cmp::Reverse(bucket.disk));
    let repositories = repositories(snapshot);
    let named = |bucket: &&Bucket| {
        let text = format!("{} {}", human::escape(&bucket.name), human::bytes(bucket.disk));
        let names: Vec<String> = repositories
            .iter()
            .filter(|it| it.bucket == bucket.name)
            .map(|it| {
                let checkouts = human::counted(it.number, "checkout", "checkouts");
                format!(
                    "{} {} with {checkouts}",
                    human::escape(&it.name),
                    human::bytes(it.database + it.checkouts)
                )
            })
            .collect();
        if names.is_empty() {
            return text;
        }
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", {} more", human::count(more as u64)) } else { String::new() };
        format!("{text} ({}{more})", names[..names.len().min(NAMED)].join(", "))
    };
    let mut parts: Vec<String> = buckets.iter().take(NAMED).map(named).collect();
    let rest: u64 = buckets.iter().skip(NAMED).map(|bucket| bucket.disk).sum();
    if rest > 0 {
        parts.push(format!("{} more", human::bytes(rest)));
    }
    Some(format!(
        "Of {} in this cache, {} are not in entries: {}.",
        human::bytes(snapshot.cache.disk),
        human::bytes(sum),
        parts.join(", ")
    ))
}

/// Entries of which files were changed after they were unpacked, as far as the scan had cause to look.
fn edited(snapshot: &Snapshot) -> Option<String> {
    let mut names: Vec<String> = snapshot
        .entries
        .iter()
        .filter(|entry| entry.modified > 0)
        .map(|entry| format!("{} {}", words::name(entry), words::version(entry)).trim_end().to_owned())
        .collect();
    names.sort_unstable();
    let number = names.len() as u64;
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 { format!(" and {} more", human::count(more as u64)) } else { String::new() };
    (number > 0).then(|| {
        let have = human::counted(number, "entry has", "entries have");
        format!(
            "{have} files that are not what RECORD says: {}{more}. `cachetui verify` names them.",
            names.join(", ")
        )
    })
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
