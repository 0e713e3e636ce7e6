//! `envs`: the environments, how they are linked to the cache, and their distributions.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::summary::{self, Unseen};
use crate::cli::args::EnvsArguments;
use crate::cli::failure::Failure;
use crate::cli::print::json::environments::EnvironmentRow;
use crate::cli::print::json::{self, Rows};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View, words};
use crate::cli::select::environments::sort;
use crate::human;
use crate::say;
use crate::snapshot::{
    Distribution, Environment, EnvironmentIndex, FileCounts, Health, Leftover, Reclaimable, Selection,
    Snapshot,
};

/// Prints the environments that the arguments ask for. Relative paths in them start at `current_dir`.
pub fn run(
    snapshot: &Snapshot,
    arguments: &EnvsArguments,
    current_dir: &Path,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let alone = snapshot.reclaimable_per_environment();
    let mut filter = arguments.filter();
    if !arguments.environments.is_empty() {
        filter.only = Some(super::environments(snapshot, &arguments.environments, current_dir)?);
    }
    let mut rows = filter.apply(snapshot);
    sort(snapshot, &mut rows, arguments.sort, arguments.reverse, &alone);
    if arguments.json {
        return print_json(snapshot, &rows, &alone, view, writer);
    }
    if arguments.dists || !arguments.environments.is_empty() {
        for (position, index) in rows.iter().enumerate() {
            if position > 0 {
                writeln!(writer)?;
            }
            print_one(snapshot, *index, alone[index.position()], view, writer)?;
        }
    } else if !rows.is_empty() {
        table(snapshot, &rows, &alone, view).print(view, writer)?;
    }
    if !rows.is_empty() && !view.quiet {
        writeln!(writer)?;
    }
    summary::print(snapshot, &[headline(snapshot, &rows, view)], Unseen::Matters, view, writer)?;
    Ok(())
}

fn print_json(
    snapshot: &Snapshot,
    rows: &[EnvironmentIndex],
    alone: &[Reclaimable],
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Body<Environments: Serialize> {
        environments: Environments,
    }
    let environments =
        Rows(|| rows.iter().map(|index| EnvironmentRow::new(snapshot, *index, alone[index.position()])));
    json::write(snapshot, Body { environments }, view, writer)?;
    Ok(())
}

fn table(snapshot: &Snapshot, rows: &[EnvironmentIndex], alone: &[Reclaimable], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("PATH").fit(Fit::Middle(28)),
        Column::text("PYTHON").spare(4),
        Column::text("KIND").spare(5),
        Column::number("DISTS").spare(2),
        Column::text("LINK MODES").fit(Fit::End(14)),
        Column::number("SIZE").spare(1),
        Column::number("FREES").spare(3),
        Column::number("LAST USED").spare(6),
        Column::text("HEALTH").fit(Fit::End(16)),
        Column::text("PROJECT").fit(Fit::Middle(20)).spare(7),
    ]);
    for index in rows {
        let item = snapshot.environment(*index);
        let used = item.last_use.map(|last_use| human::short_age(last_use.time, view.now));
        table.push([
            view.path(&item.path).into(),
            Cell::or_dash(human::escape(item.python.as_deref().unwrap_or_default())),
            item.kind.word().into(),
            human::count(item.distributions.len() as u64).into(),
            Cell::or_dash(modes(item)),
            human::bytes(item.disk).into(),
            words::reclaimable(alone[index.position()]).into(),
            Cell::or_dash(used.unwrap_or_default()),
            Cell::painted(words::health_paint(item.health), health(item)),
            Cell::or_dash(item.project_directory().map(|path| view.path(path)).unwrap_or_default()),
        ]);
    }
    table
}

/// The mix of link modes; nothing where nothing is installed.
fn modes(item: &Environment) -> String {
    if item.distributions.is_empty() { String::new() } else { words::mode_mix(item.modes) }
}

/// The health, and what is behind it.
fn health(item: &Environment) -> String {
    let mut parts = vec![item.health.word().to_owned()];
    if item.dangling > 0 {
        parts.push(format!("{} dangling", human::count(item.dangling)));
    }
    let missing: u64 = item.distributions.iter().map(|it| it.files.missing).sum();
    if missing > 0 {
        parts.push(format!("{} missing", human::count(missing)));
    }
    let modified: u64 = item.distributions.iter().map(|it| it.files.modified).sum();
    if modified > 0 {
        parts.push(format!("{} modified", human::count(modified)));
    }
    if item.unread {
        parts.push("partly unread".to_owned());
    }
    parts.join(" · ")
}

fn print_one(
    snapshot: &Snapshot,
    index: EnvironmentIndex,
    alone: Reclaimable,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let item = snapshot.environment(index);
    writeln!(writer, "{}", view.painted(Paint::Strong, &view.path(&item.path)))?;
    let python = item
        .python
        .as_deref()
        .map_or("Python unknown".to_owned(), |it| format!("Python {}", human::escape(it)));
    let made_by = match item.manager.word() {
        "none" => "no environment of its own".to_owned(),
        "unknown" => "made by an unknown tool".to_owned(),
        word => format!("made by {word}"),
    };
    writeln!(writer, "  {} · {python} · {made_by} · found by {}", item.kind.word(), item.found_by.word())?;
    if let Some(interpreter) = &item.interpreter {
        let gone = if item.interpreter_alive { "" } else { " (gone)" };
        writeln!(writer, "  interpreter {}{gone}", view.path(interpreter))?;
    }
    if let Some(entry) = item.entry {
        writeln!(writer, "  stored as {}", words::key(snapshot.entry(entry)))?;
    }
    let sizes = format!(
        "{} on disk in {} · {} shared with others · removing it frees {}",
        human::bytes(item.disk),
        human::counted(item.files, "file", "files"),
        human::bytes(item.shared),
        say::frees(alone),
    );
    writeln!(writer, "{}", view.indented(&sizes, 2))?;
    if let Some(last_use) = item.last_use {
        writeln!(writer, "  last used {}", last_use.in_words(view.now))?;
    }
    if item.copied > 0 {
        writeln!(writer, "  {} of copies the cache holds too", human::bytes(item.copied))?;
    }
    for line in remarks(item, view) {
        writeln!(writer, "{}", view.indented(&line, 2))?;
    }
    let health = view.painted(words::health_paint(item.health), &health(item));
    if item.distributions.is_empty() {
        return writeln!(writer, "  no distributions · {health}");
    }
    writeln!(writer, "  {} · {health}", words::mode_mix(item.modes))?;
    writeln!(writer)?;
    distributions(snapshot, item).print(view, writer)?;
    for distribution in item.distributions.iter().filter(|it| !it.note.is_empty()) {
        let name = human::escape(&distribution.name);
        writeln!(writer, "  {name}: {}", human::escape(&distribution.note))?;
    }
    Ok(())
}

/// What is special about where an environment lies and what it is linked to.
fn remarks(item: &Environment, view: &View) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(prefix) = &item.prefix {
        remarks.push(format!("distributions of the prefix {}", view.path(prefix)));
    }
    if item.inside {
        remarks.push("in the cache's directory: `uv cache prune` deletes it".to_owned());
    }
    for other in &item.other_caches {
        let files = human::counted(other.files, "file", "files");
        remarks.push(format!("{files} linked to another cache, {}", view.path(&other.path)));
    }
    let left = |left: &Leftover| left.sentence(&human::escape_os(left.path.as_os_str()));
    remarks.extend(item.leftovers.iter().map(left));
    remarks
}

fn distributions(snapshot: &Snapshot, item: &Environment) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME").fit(Fit::End(12)),
        Column::text("VERSION").fit(Fit::End(8)),
        Column::text("MODE"),
        Column::text("FILES").spare(2),
        Column::text("STATE").fit(Fit::End(10)),
        Column::text("ENTRY").spare(1),
    ])
    .indented(2);
    for it in &item.distributions {
        let entry = it.entry.map(|index| human::escape_os(&snapshot.entry(index).key.id).into_owned());
        let editable = if it.editable { "editable" } else { "" };
        table.push([
            human::escape(&it.name).as_ref().into(),
            Cell::or_dash(human::escape(&it.version)),
            it.mode_in_words().into(),
            Cell::or_dash(files(&it.files)),
            Cell::painted(words::distribution_paint(it.state), state(it)),
            Cell::or_dash(entry.unwrap_or_else(|| editable.to_owned())),
        ]);
    }
    table
}

/// How many files a distribution has in each link mode, of its own, and kept private by uv, as `12 H 2 P 3 private`.
fn files(files: &FileCounts) -> String {
    let modes = files.modes;
    let counts = [
        (modes.clone, "C"),
        (modes.hardlink, "H"),
        (modes.symlink, "S"),
        (modes.copy, "P"),
        (files.own, "own"),
        (files.private, "private"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", human::count(*number)))
        .collect();
    parts.join(" ")
}

/// The state of a distribution, and what is behind it.
fn state(distribution: &Distribution) -> String {
    let files = &distribution.files;
    let counts = [(files.dangling, "dangling"), (files.missing, "missing"), (files.modified, "modified")];
    let mut parts = vec![distribution.state.word().to_owned()];
    for (number, word) in counts.iter().filter(|(number, _)| *number > 0) {
        parts.push(format!("{} {word}", human::count(*number)));
    }
    parts.join(" · ")
}

fn headline(snapshot: &Snapshot, rows: &[EnvironmentIndex], view: &View) -> String {
    let all = snapshot.environments.len() as u64;
    if all == 0 {
        return format!("No environments found {}.", words::searched(&snapshot.scope, view));
    }
    let mut selection = Selection::new(snapshot);
    for index in rows {
        selection.add_environment(*index);
    }
    let joint = snapshot.reclaimable(&selection);
    let number = if rows.len() as u64 == all {
        human::counted(all, "environment", "environments")
    } else {
        format!(
            "{} of {}",
            human::count(rows.len() as u64),
            human::counted(all, "environment", "environments")
        )
    };
    let disk = human::bytes(joint.total());
    let back = say::frees(joint);
    let sick = rows.iter().filter(|index| snapshot.environment(**index).health != Health::Ok).count();
    let sick = match sick {
        0 => String::new(),
        number => {
            format!("; {} not work", if number == 1 { "1 does".to_owned() } else { format!("{number} do") })
        }
    };
    format!("{number}, {disk} on disk, of which {back} are theirs alone{sick}")
}
