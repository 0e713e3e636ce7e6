//! The plan and the report for people.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::apply::State;
use crate::apply::repair::{RepairOutcome, RepairReport};
use crate::cli::print::plan::indented;
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View};
use crate::human;
use crate::plan::repair::{Cause, Command, Left, RepairAction, RepairPlan, RepairStep};
use crate::scan::repair::{Facts, Way};
use crate::snapshot::ModeCounts;

/// Distributions of one environment, and names of one cause, that are shown without being asked for all.
const SHOWN: usize = 20;

/// Prints what is to be done, what stays broken, and how to mend that by hand.
pub(super) fn review(
    facts: &Facts,
    plan: &RepairPlan,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let mut environments: BTreeMap<PathBuf, Vec<&RepairStep>> = BTreeMap::new();
    for step in &plan.steps {
        environments.entry(step.at.path()).or_default().push(step);
    }
    for (path, steps) in environments {
        writeln!(writer, "{}", view.painted(Paint::Strong, &view.path(&path)))?;
        let shown = if view.verbose { steps.len() } else { steps.len().min(SHOWN) };
        table(&steps[..shown], view).print(view, writer)?;
        if steps.len() > shown {
            let more = human::count((steps.len() - shown) as u64);
            writeln!(writer, "  and {more} more; `-v` lists all")?;
        }
        writeln!(writer)?;
    }
    kept(&plan.kept, view, writer)?;
    if view.quiet {
        return Ok(());
    }
    for warning in &plan.warnings {
        let text = view.wrapped(&human::escape(warning));
        writeln!(writer, "{}", view.painted(Paint::Notice, &text))?;
    }
    writeln!(writer, "{}", view.wrapped(&headline(facts, plan)))
}

fn table(steps: &[&RepairStep], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME").fit(Fit::End(16)),
        Column::text("VERSION").fit(Fit::End(10)),
        Column::number("FILES").spare(1),
        Column::text("AS").spare(2),
        Column::text("BY").spare(3),
        Column::text("FROM").fit(Fit::Middle(24)),
    ])
    .indented(2);
    for step in steps {
        let entry = step.entry.as_ref().map(|entry| view.path(&step.cache.path().join(entry.path())));
        let from = match (entry, &step.fetch) {
            (Some(entry), _) => entry,
            (None, Some(fetch)) => human::escape(&fetch.requirement).into_owned(),
            (None, None) => String::new(),
        };
        table.push([
            human::escape(&step.name).as_ref().into(),
            human::escape(&step.version).as_ref().into(),
            human::count(step.bytes.files).into(),
            step.link_mode.word().into(),
            step.way.map_or("uv", Way::word).into(),
            Cell::or_dash(from),
        ]);
    }
    table
}

/// Everything of one environment that stays broken for one cause.
struct Group<'a> {
    lefts: Vec<&'a Left>,
    commands: Vec<Command>,
}

/// Prints what stays broken: by environment and cause, with commands for all of it together.
fn kept(kept: &[Left], view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let mut environments: BTreeMap<PathBuf, BTreeMap<Cause, Group<'_>>> = BTreeMap::new();
    for left in kept {
        let causes = environments.entry(left.at.path()).or_default();
        let group =
            causes.entry(left.because).or_insert_with(|| Group { lefts: Vec::new(), commands: Vec::new() });
        group.lefts.push(left);
        for command in &left.commands {
            let over =
                group.commands.iter_mut().try_fold(command.clone(), |command, known| known.join(command));
            group.commands.extend(over);
        }
    }
    for (path, causes) in environments {
        let heading = format!("Stays broken: {}", view.path(&path));
        writeln!(writer, "{}", view.painted(Paint::Bad, &heading))?;
        for group in causes.values() {
            self::group(group, view, writer)?;
        }
        writeln!(writer)?;
    }
    Ok(())
}

fn group(group: &Group<'_>, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let shown = if view.verbose { group.lefts.len() } else { group.lefts.len().min(SHOWN) };
    for left in &group.lefts[..shown] {
        let title: Vec<&str> =
            [&left.name, &left.version].into_iter().filter_map(|it| it.as_deref()).collect();
        let title = if title.is_empty() { String::new() } else { format!("{}: ", title.join(" ")) };
        let text = format!("{}{}", human::escape(&title), human::escape(&left.reason));
        writeln!(writer, "{}", indented(&text, 2, view))?;
        for file in left.files.iter().take(if view.verbose { usize::MAX } else { 0 }) {
            writeln!(writer, "    {}", human::escape(file.text()))?;
        }
    }
    if group.lefts.len() > shown {
        let more = human::count((group.lefts.len() - shown) as u64);
        writeln!(writer, "  and {more} more; `-v` lists all")?;
    }
    if let Some(warning) = group.lefts.iter().find_map(|left| left.warning.as_ref()) {
        let text = indented(&human::escape(warning), 2, view);
        writeln!(writer, "{}", view.painted(Paint::Notice, &text))?;
    }
    for command in &group.commands {
        // Never broken into lines: it is to be copied.
        writeln!(writer, "    {}", view.painted(Paint::Strong, &human::escape(&command.text())))?;
    }
    Ok(())
}

fn headline(facts: &Facts, plan: &RepairPlan) -> String {
    let totals = plan.totals;
    let looked = human::counted(facts.environments.len() as u64, "environment was", "environments were");
    if plan.is_empty() && plan.kept.is_empty() {
        return format!("Nothing is broken: {looked} looked at.");
    }
    if plan.is_empty() {
        return "Nothing can be mended from here.".to_owned();
    }
    let distributions = human::counted(totals.distributions, "distribution", "distributions");
    let files = human::counted(totals.bytes.files, "file", "files");
    let fetched = match totals.fetched {
        0 => String::new(),
        number => format!(", {} of them fetched by uv", human::count(number)),
    };
    let kept = match totals.kept {
        0 => "nothing stays broken".to_owned(),
        1 => "one thing stays broken".to_owned(),
        number => format!("{} things stay broken", human::count(number)),
    };
    format!("{distributions} can be mended{fetched}: {files}; {kept}.")
}

/// What is asked before a plan is carried out.
pub(super) fn question(plan: &RepairPlan) -> String {
    let files = human::counted(plan.totals.bytes.files, "file", "files");
    let uv = if plan.totals.fetched > 0 { ", and let uv fetch what is missing" } else { "" };
    format!("Link {files}{uv}?")
}

/// Prints what became of it.
pub(super) fn report(
    plan: &RepairPlan,
    report: &RepairReport,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    for outcome in &report.outcomes {
        one(outcome, view, writer)?;
    }
    kept(&report.kept, view, writer)?;
    for note in &report.notes {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
    }
    if view.quiet {
        return Ok(());
    }
    let mut made = ModeCounts::default();
    report.outcomes.iter().for_each(|outcome| made.add(outcome.made));
    let made = made.in_words().map_or("No file was made".to_owned(), |made| format!("Made {made}"));
    let (done, all) = (report.count(State::Done), plan.steps.len());
    let left = if done < all {
        format!("{} of {} steps were done.", human::count(done as u64), human::count(all as u64))
    } else if plan.kept.is_empty() && report.kept.is_empty() {
        "Nothing is broken any more.".to_owned()
    } else {
        "What was named above stays broken.".to_owned()
    };
    writeln!(writer, "{}", view.wrapped(&format!("{made}. {left}")))
}

fn one(outcome: &RepairOutcome, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let name = format!("{} {}", human::escape(&outcome.name), human::escape(&outcome.version));
    let place = view.path(&outcome.at.path());
    if outcome.state != State::Done {
        let word = match (outcome.state, outcome.action) {
            (State::Stale, _) => "left",
            (State::Cancelled, _) => "not reached",
            (_, RepairAction::Fetch) => "not fetched",
            _ => "failed",
        };
        let why = outcome.why.as_deref().map(|why| format!(": {}", human::escape(why))).unwrap_or_default();
        let text = view.wrapped(&format!("{word} {name} in {place}{why}"));
        writeln!(writer, "{}", view.painted(Paint::Bad, &text))?;
    }
    for refused in &outcome.refused {
        let files = human::counted(refused.files, "file has", "files have");
        let why = human::escape(&refused.reason);
        let text = format!("{name} in {place}: {} was refused ({why}); {files} another mode", refused.mode);
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&text)))?;
    }
    let lists = [
        (&outcome.stale, "something else lies there now, left alone"),
        (&outcome.link_limit, "no hardlink: the cache's file can have no more"),
    ];
    for (paths, what) in lists {
        for at in paths.iter().take(if view.verbose { usize::MAX } else { 5 }) {
            writeln!(writer, "  {what}: {}", view.path(&at.path()))?;
        }
    }
    Ok(())
}
