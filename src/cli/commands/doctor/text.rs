//! A report for people: the verdict, what is wrong, what is worth knowing, and a row for each environment.

use std::io::{self, Write};
use std::path::Path;

use super::report::{Checked, Joint, Remark, Report};
use crate::cli::commands::summary::{self, Unseen};
use crate::cli::print::table::shorten_middle;
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View, words};
use crate::human;
use crate::snapshot::{EnvironmentIndex, LinkMode, Mode, Snapshot};

/// Prose is easier to read when its lines are not as long as a wide terminal's.
const WIDEST: usize = 100;

/// What stands before each line of a remark.
const INDENT: &str = "  ";

/// Where costs, advice and places begin.
const PLACE: usize = 12;

/// One thing to tell.
struct Item {
    text: String,
    cost: String,
    advice: String,
    place: String,
}

/// Prints a report.
pub(super) fn print(
    snapshot: &Snapshot,
    report: &Report,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    if !view.quiet {
        let paint = if report.faults() > 0 { Paint::Bad } else { Paint::Good };
        writeln!(writer, "{}", view.painted(paint, &view.wrapped(&verdict(report))))?;
        writeln!(writer, "{}", view.wrapped(&looked_at(snapshot, report, view)))?;
    }
    let joint = report.joint();
    for (fault, title) in [(true, "WRONG"), (false, "WORTH KNOWING")] {
        let items = items(snapshot, report, &joint, fault, view);
        if !items.is_empty() {
            writeln!(writer, "\n{}", view.painted(Paint::Strong, title))?;
        }
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                writeln!(writer)?;
            }
            let paint = if fault { Paint::Bad } else { Paint::Notice };
            print_item(item, paint, view, writer)?;
        }
    }
    let shown: Vec<&Checked> =
        report.environments.iter().filter(|it| report.named || view.verbose || has_something(it)).collect();
    if !shown.is_empty() {
        writeln!(writer)?;
        table(snapshot, &shown, view).print(view, writer)?;
    }
    let others = (report.environments.len() - shown.len()) as u64;
    if others > 0 && !view.quiet {
        let more = if shown.is_empty() { "" } else { "other " };
        let line = match others {
            1 => format!("Of 1 {more}environment there is nothing to tell; `-v` lists it."),
            many => format!(
                "Of {} {more}environments there is nothing to tell; `-v` lists them.",
                human::count(many)
            ),
        };
        writeln!(writer, "\n{}", view.wrapped(&line))?;
    }
    if !view.quiet {
        if !snapshot.problems.is_empty() && others == 0 {
            writeln!(writer)?;
        }
        summary::print(snapshot, &[], Unseen::Matters, view, writer)?;
    }
    Ok(())
}

/// The first line.
pub(super) fn verdict(report: &Report) -> String {
    let (faults, notes) = (report.faults() as u64, report.notes() as u64);
    let worth = match notes {
        0 => String::new(),
        1 => "; 1 thing is worth knowing".to_owned(),
        _ => format!("; {} things are worth knowing", human::count(notes)),
    };
    match faults {
        0 => format!("Nothing is wrong{worth}."),
        1 => format!("1 thing is wrong{worth}."),
        _ => format!("{} things are wrong{worth}.", human::count(faults)),
    }
}

fn looked_at(snapshot: &Snapshot, report: &Report, view: &View) -> String {
    let environments = report.environments.len() as u64;
    let tried = match report.probes {
        0 => "no links were tried".to_owned(),
        1 => "links were tried in 1 place that stands for them".to_owned(),
        many => format!("links were tried in {} places that stand for them", human::count(many as u64)),
    };
    let of = if report.environments.len() == snapshot.environments.len() {
        human::counted(environments, "environment", "environments")
    } else {
        format!(
            "{} of {}",
            human::count(environments),
            human::counted(snapshot.environments.len() as u64, "environment", "environments")
        )
    };
    format!("The cache at {} and {of}; {tried}.", view.path(&snapshot.cache.path))
}

fn items(snapshot: &Snapshot, report: &Report, joint: &[Joint], fault: bool, view: &View) -> Vec<Item> {
    let mut items = Vec::new();
    if fault {
        for path in &report.left {
            items.push(Item {
                text: "A temporary directory that was made to try links could not be removed.".to_owned(),
                cost: String::new(),
                advice: "Remove it.".to_owned(),
                place: place(path, view),
            });
        }
    }
    for it in joint.iter().filter(|it| it.remark.fault == fault) {
        items.push(Item { place: places(snapshot, &it.environments, view), ..item(&it.remark) });
    }
    for finding in report.findings.iter().filter(|finding| finding.kind.is_fault() == fault) {
        items.push(Item {
            text: finding.to_string(),
            cost: finding.cost(),
            advice: finding.advice(),
            place: match finding.count {
                1 => place(&finding.path, view),
                more => format!("{} and {} more", place(&finding.path, view), human::count(more - 1)),
            },
        });
    }
    items.extend(report.settings.iter().filter(|it| it.fault == fault).map(item));
    items
}

fn item(remark: &Remark) -> Item {
    let cost = match remark.bytes {
        0 => remark.cost.clone(),
        bytes => format!("{} So far that is {}.", remark.cost, human::bytes(bytes)),
    };
    Item { text: remark.text.clone(), cost, advice: remark.advice.clone(), place: String::new() }
}

/// A path that fits on one line.
fn place(path: &Path, view: &View) -> String {
    let shown = view.path(path);
    match prose_columns(view, PLACE) {
        Some(columns) => shorten_middle(&shown, columns),
        None => shown,
    }
}

/// The width of prose behind so many cells.
fn prose_columns(view: &View, indent: usize) -> Option<usize> {
    view.columns.map(|columns| columns.min(WIDEST).saturating_sub(indent).max(20))
}

/// The environments by path, a few of them by name; all when verbose.
fn places(snapshot: &Snapshot, environments: &[EnvironmentIndex], view: &View) -> String {
    let named = if view.verbose || environments.len() <= 3 { environments.len() } else { 2 };
    let mut parts: Vec<String> =
        environments[..named].iter().map(|index| place(&snapshot.environment(*index).path, view)).collect();
    if environments.len() > named {
        parts.push(format!("{} more", human::count((environments.len() - named) as u64)));
    }
    human::list(&parts)
}

fn print_item(item: &Item, paint: Paint, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let lines = |text: &str, indent: usize| -> Vec<String> {
        View { columns: prose_columns(view, indent), ..view.clone() }
            .wrapped(text)
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let mark = view.painted(paint, "●");
    for (number, line) in lines(&item.text, 4).iter().enumerate() {
        let start = if number == 0 { &mark } else { " " };
        writeln!(writer, "{INDENT}{start} {}", view.painted(Paint::Strong, line))?;
    }
    for (word, text) in [("costs", &item.cost), ("advice", &item.advice), ("where", &item.place)] {
        if text.is_empty() {
            continue;
        }
        for (number, line) in lines(text, PLACE).iter().enumerate() {
            let start = if number == 0 { word } else { "" };
            writeln!(writer, "{INDENT}  {} {line}", view.painted(Paint::Faint, &format!("{start:7}")))?;
        }
    }
    Ok(())
}

/// That only hardlinks work is no reason to look twice.
fn tells(remark: &Remark) -> bool {
    remark.kind != "no-reflink"
}

fn has_something(checked: &Checked) -> bool {
    checked.remarks.iter().any(tells)
}

fn table(snapshot: &Snapshot, rows: &[&Checked], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("ENVIRONMENT").fit(Fit::Middle(28)),
        Column::text("COULD"),
        Column::text("HAS").fit(Fit::End(14)),
        Column::number("COPIED").spare(2),
        Column::text("WHY").fit(Fit::End(16)).spare(1),
    ]);
    for checked in rows {
        let environment = snapshot.environment(checked.index);
        let has = if environment.distributions.is_empty() {
            String::new()
        } else {
            words::mode_mix(environment.modes)
        };
        let copied = if environment.copied == 0 { String::new() } else { human::bytes(environment.copied) };
        table.push([
            view.path(&environment.path).into(),
            could(checked),
            match environment.mode() {
                LinkMode::Unknown => Cell::or_dash(""),
                _ => Cell::or_dash(has),
            },
            Cell::or_dash(copied),
            why(checked),
        ]);
    }
    table
}

fn could(checked: &Checked) -> Cell {
    match (&checked.probe, checked.could) {
        (None, _) => Cell::painted(Paint::Faint, "not tried"),
        (Some(_), Some(mode @ Mode::Copy)) => Cell::painted(Paint::Bad, mode.word()),
        (Some(_), Some(mode)) => Cell::painted(Paint::Good, mode.word()),
        (Some(_), None) => Cell::painted(Paint::Bad, "none"),
    }
}

fn why(checked: &Checked) -> Cell {
    let kinds = |fault: bool| {
        let told = |remark: &&Remark| remark.fault == fault && tells(remark);
        let kinds = checked.remarks.iter().filter(told).map(|remark| remark.kind);
        kinds.collect::<Vec<_>>().join(", ").replace('-', " ")
    };
    match (kinds(true), kinds(false)) {
        (faults, _) if !faults.is_empty() => Cell::painted(Paint::Bad, faults),
        (_, notes) => Cell::or_dash(notes),
    }
}
