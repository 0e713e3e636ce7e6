//! The plan and the report for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::apply::relink::{RelinkOutcome, RelinkReport};
use crate::apply::report::State;
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View};
use crate::cli::unread::Unread;
use crate::human;
use crate::plan::{Bytes, KeptBecause, Plan, Step};
use crate::say::plan::called;
use crate::snapshot::{Certainty, ModeCounts};

/// Distributions of one environment that are shown without being asked for all.
const SHOWN: usize = 10;

/// Prints what is to be done, what is not and why, and what it means.
pub(super) fn review(
    plan: &Plan,
    unread: &Unread<'_>,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let mut environments: BTreeMap<_, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        environments.entry(step.at.path()).or_default().push(step);
    }
    for (path, mut steps) in environments {
        writeln!(writer, "{}", view.painted(Paint::Strong, &view.path(&path)))?;
        steps.sort_by_key(|step| std::cmp::Reverse((weight(step), step.bytes.files)));
        let shown = if view.verbose { steps.len() } else { steps.len().min(SHOWN) };
        table(&steps[..shown]).print(view, writer)?;
        if steps.len() > shown {
            let more = human::counted((steps.len() - shown) as u64, "distribution", "distributions");
            writeln!(writer, "  … and {more} more; `-v` lists them all")?;
        }
        writeln!(writer)?;
    }
    kept(plan, view, writer)?;
    unread.print(view, writer)?;
    let totals = plan.totals;
    for warning in &plan.warnings {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(warning))))?;
    }
    if plan.steps.is_empty() {
        let nothing =
            if unread.is_empty() { "There is nothing to relink." } else { "Nothing to relink was found." };
        return writeln!(writer, "{}", view.wrapped(nothing));
    }
    let headline = format!(
        "{}, {}: {}.",
        human::counted(totals.steps, "distribution", "distributions"),
        human::counted(totals.bytes.files, "file", "files"),
        bytes_in_words(totals.bytes)
    );
    writeln!(writer, "{}", view.wrapped(&headline))
}

fn weight(step: &Step) -> u64 {
    step.bytes.reclaimable.max(step.bytes.needed)
}

fn table(steps: &[&Step]) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME").fit(Fit::End(12)),
        Column::text("VERSION").fit(Fit::End(8)),
        Column::number("FILES").spare(2),
        Column::number("FREES"),
        Column::number("TAKES").spare(3),
        Column::text("WHY").fit(Fit::End(16)).spare(1),
    ])
    .indented(2);
    for step in steps {
        let Bytes { reclaimable, needed, certainty, files, .. } = step.bytes;
        let sign = certainty.sign();
        let bytes = |bytes: u64| if bytes == 0 { String::new() } else { human::bytes(bytes) };
        let back = if reclaimable == 0 { String::new() } else { format!("{sign}{}", bytes(reclaimable)) };
        table.push([
            human::escape(step.name.as_deref().unwrap_or_default()).as_ref().into(),
            human::escape(step.version.as_deref().unwrap_or_default()).as_ref().into(),
            human::count(files).into(),
            Cell::or_dash(back),
            Cell::or_dash(bytes(needed)),
            human::escape(&step.reason).as_ref().into(),
        ]);
    }
    table
}

/// Prints what stays as it is, by reason.
fn kept(plan: &Plan, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kept in &plan.kept {
        let name = match (&kept.because, kept.name.as_deref()) {
            (KeptBecause::WouldLose { .. } | KeptBecause::Outside, _) | (_, None) => {
                view.path(&kept.at.path())
            }
            (_, Some(name)) => human::escape(name).into(),
        };
        reasons.entry(&kept.reason).or_default().push(name);
    }
    for (reason, mut names) in reasons {
        let all = names.len();
        names.sort();
        names.dedup();
        // Several environments may have the same distribution.
        let more = if names.len() == all { "more" } else { "more names" };
        let shown = if view.verbose { names.len() } else { names.len().min(5) };
        let mut shown: Vec<String> = names.drain(..shown).collect();
        if !names.is_empty() {
            shown.push(format!("{} {more}", human::count(names.len() as u64)));
        }
        let line = format!(
            "{} stay{}: {} ({})",
            human::count(all as u64),
            if all == 1 { "s" } else { "" },
            human::escape(reason),
            human::list(&shown)
        );
        writeln!(writer, "{}", view.wrapped(&line))?;
    }
    if plan.kept.is_empty() { Ok(()) } else { writeln!(writer) }
}

fn bytes_in_words(bytes: Bytes) -> String {
    let least = bytes.certainty.before();
    // What is taken is known, but for what a lower layer has to be copied for.
    let most = if bytes.certainty == Certainty::AtMost { least } else { "" };
    match (bytes.reclaimable, bytes.needed) {
        (0, 0) => "frees nothing".to_owned(),
        (back, 0) => format!("frees {least}{}", human::bytes(back)),
        (0, needed) => format!("takes {most}{}", human::bytes(needed)),
        (back, needed) => {
            format!("frees {least}{}, takes {most}{}", human::bytes(back), human::bytes(needed))
        }
    }
}

/// Prints what became of it.
pub(super) fn report(
    plan: &Plan,
    report: &RelinkReport,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    writeln!(writer)?;
    for outcome in &report.outcomes {
        one(outcome, view, writer)?;
    }
    for note in &report.notes {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
    }
    let mut made = ModeCounts::default();
    let mut already = 0;
    for outcome in &report.outcomes {
        made.add(outcome.made);
        already += outcome.already;
    }
    let made = made.in_words().map_or("No file had to be made".to_owned(), |made| format!("Made {made}"));
    let before =
        if already > 0 { format!("; {} as wanted before", human::count(already)) } else { String::new() };
    writeln!(writer, "{}", view.wrapped(&format!("{made}{before}.")))?;
    let done = report.count(State::Done);
    if done < plan.steps.len() {
        let text = format!(
            "{done} of {} were relinked.",
            human::counted(plan.steps.len() as u64, "distribution", "distributions")
        );
        writeln!(writer, "{}", view.painted(Paint::Bad, &text))?;
    }
    writeln!(writer, "{}", view.wrapped(&human::escape(&report.freed.sentence())))
}

fn one(outcome: &RelinkOutcome, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let name = called(outcome.name.as_deref(), outcome.version.as_deref());
    let name = human::escape(&name);
    let place = view.path(&outcome.at.path());
    if outcome.state != State::Done {
        let why = outcome.why.as_deref().map(|why| format!(": {}", human::escape(why))).unwrap_or_default();
        let line = format!("{} {name} in {place}{why}", outcome.state.word());
        writeln!(writer, "{}", view.painted(Paint::Bad, &line))?;
    }
    for refused in &outcome.refused {
        let files = human::counted(refused.files, "file has", "files have");
        let line = format!(
            "{name} in {place}: {} was refused ({}); {files} another mode",
            refused.mode,
            human::escape(&refused.reason)
        );
        writeln!(writer, "{}", view.painted(Paint::Notice, &line))?;
    }
    let lists = [
        (&outcome.modified, "edited, left alone"),
        (&outcome.stale, "gone or replaced meanwhile, left alone"),
        (&outcome.link_limit, "no hardlink: the cache's file can have no more"),
    ];
    let shown = if view.verbose { outcome.kept.len() } else { outcome.kept.len().min(5) };
    for file in &outcome.kept[..shown] {
        let line = format!("left alone, {}: {}", human::escape(&file.why), view.path(&file.at.path()));
        writeln!(writer, "{line}")?;
    }
    if outcome.kept.len() > shown {
        let more = human::count((outcome.kept.len() - shown) as u64);
        writeln!(writer, "left alone, with attributes of their own: {more} more; `-v` lists them all")?;
    }
    for (paths, what) in lists {
        let shown = if view.verbose { paths.len() } else { paths.len().min(5) };
        for at in &paths[..shown] {
            writeln!(writer, "{what}: {}", view.path(&at.path()))?;
        }
        if paths.len() > shown {
            writeln!(
                writer,
                "{what}: {} more; `-v` lists them all",
                human::count((paths.len() - shown) as u64)
            )?;
        }
    }
    Ok(())
}
