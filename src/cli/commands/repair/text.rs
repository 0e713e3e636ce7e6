//! The plan and the report for people.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::apply::State;
use crate::apply::repair::{RepairOutcome, RepairReport};
use crate::cli::print::{Cell, Column, Fit, Paint, Table, View};
use crate::cli::unread::Unread;
use crate::human;
use crate::plan::repair::{Cause, Command, LinkWork, RepairWork};
use crate::plan::{Action, Kept, Plan, Request, Step};
use crate::say::plan::called;
use crate::scan::repair::{Facts, Way};
use crate::snapshot::ModeCounts;

/// Distributions of one environment, and names of one cause, that are shown without being asked for all.
const SHOWN: usize = 20;

/// Prints what is to be done, what stays broken, the commands that repair it, and the paths that could not be read.
pub(super) fn review(
    facts: &Facts,
    plan: &Plan,
    unread: &Unread<'_>,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    links(&facts.cache, &plan.links().collect::<Vec<_>>(), view, writer)?;
    let mut environments: BTreeMap<PathBuf, Vec<(&Step, &RepairWork)>> = BTreeMap::new();
    for (step, work) in plan.repairs() {
        environments.entry(step.at.path()).or_default().push((step, work));
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
    unread.print(view, writer)?;
    if view.quiet {
        return Ok(());
    }
    for warning in &plan.warnings {
        let text = view.wrapped(&human::escape(warning));
        writeln!(writer, "{}", view.painted(Paint::Notice, &text))?;
    }
    writeln!(writer, "{}", view.wrapped(&headline(facts, plan, unread.is_empty())))
}

/// Prints the links of the cache that are written anew.
fn links(cache: &Path, steps: &[(&Step, &LinkWork)], view: &View, writer: &mut dyn Write) -> io::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let heading = format!("Links in {}", view.path(cache));
    writeln!(writer, "{}", view.painted(Paint::Strong, &heading))?;
    let mut table = Table::new(&[
        Column::text("LINK").fit(Fit::Middle(40)),
        Column::text("AS").spare(3),
        Column::text("TO").fit(Fit::Middle(20)),
        Column::text("OF").fit(Fit::End(16)).spare(2),
        Column::text("BECAUSE").fit(Fit::End(20)).spare(1),
    ])
    .indented(2);
    let shown = if view.verbose { steps.len() } else { steps.len().min(SHOWN) };
    for (step, work) in &steps[..shown] {
        let title = called(step.name.as_deref(), step.version.as_deref());
        let title = if title.is_empty() { "an environment".to_owned() } else { title };
        table.push([
            human::escape(step.at.text()).as_ref().into(),
            work.form.word().into(),
            human::escape(work.entry.text()).as_ref().into(),
            human::escape(&title).as_ref().into(),
            Cell::painted(Paint::Faint, human::escape(&step.reason)),
        ]);
    }
    table.print(view, writer)?;
    if steps.len() > shown {
        let more = human::count((steps.len() - shown) as u64);
        writeln!(writer, "  and {more} more; `-v` lists all")?;
    }
    writeln!(writer)
}

fn table(steps: &[(&Step, &RepairWork)], view: &View) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME").fit(Fit::End(16)),
        Column::text("VERSION").fit(Fit::End(10)),
        Column::number("FILES").spare(1),
        Column::text("AS").spare(2),
        Column::text("BY").spare(3),
        Column::text("FROM").fit(Fit::Middle(24)),
    ])
    .indented(2);
    for (step, work) in steps {
        let entry = work.entry.as_ref().map(|entry| view.path(&work.cache.path().join(entry.path())));
        let from = match (entry, &work.fetch) {
            (Some(entry), _) => entry,
            (None, Some(fetch)) => human::escape(&fetch.requirement).into_owned(),
            (None, None) => String::new(),
        };
        table.push([
            human::escape(step.name.as_deref().unwrap_or_default()).as_ref().into(),
            human::escape(step.version.as_deref().unwrap_or_default()).as_ref().into(),
            human::count(step.bytes.files).into(),
            work.link_mode.word().into(),
            work.way.map_or("uv", Way::word).into(),
            Cell::or_dash(from),
        ]);
    }
    table
}

/// Everything of one environment that stays broken for one cause.
struct Group<'a> {
    lefts: Vec<&'a Kept>,
    commands: Vec<Command>,
}

/// Prints what stays broken: by environment and cause, with commands for all of it together.
fn kept(kept: &[Kept], view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let mut environments: BTreeMap<PathBuf, BTreeMap<Option<Cause>, Group<'_>>> = BTreeMap::new();
    for left in kept {
        let causes = environments.entry(left.at.path()).or_default();
        let group =
            causes.entry(left.cause()).or_insert_with(|| Group { lefts: Vec::new(), commands: Vec::new() });
        group.lefts.push(left);
        for command in left.commands() {
            let over =
                group.commands.iter_mut().try_fold(command.clone(), |command, known| known.join(command));
            group.commands.extend(over);
        }
    }
    for (path, causes) in environments {
        let is_edited = causes.keys().all(|cause| *cause == Some(Cause::Modified));
        let stays = if is_edited { "Stays as it is" } else { "Stays broken" };
        let heading = format!("{stays}: {}", view.path(&path));
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
        let title = called(left.name.as_deref(), left.version.as_deref());
        let title = if title.is_empty() { title } else { format!("{title}: ") };
        let text = format!("{}{}", human::escape(&title), human::escape(&left.reason));
        writeln!(writer, "{}", view.indented(&text, 2))?;
        for file in left.files().iter().take(if view.verbose { usize::MAX } else { 0 }) {
            writeln!(writer, "    {}", human::escape(file.text()))?;
        }
    }
    if group.lefts.len() > shown {
        let more = human::count((group.lefts.len() - shown) as u64);
        writeln!(writer, "  and {more} more; `-v` lists all")?;
    }
    let warnings: BTreeSet<&str> = group.lefts.iter().filter_map(|left| left.warning()).collect();
    for warning in warnings {
        let text = view.indented(&human::escape(warning), 2);
        writeln!(writer, "{}", view.painted(Paint::Notice, &text))?;
    }
    for command in &group.commands {
        // Never broken into lines: it is to be copied.
        writeln!(writer, "    {}", view.painted(Paint::Strong, &human::escape(&command.text())))?;
    }
    Ok(())
}

fn headline(facts: &Facts, plan: &Plan, all_read: bool) -> String {
    let totals = plan.totals;
    if plan.is_empty() && plan.kept.is_empty() {
        let links = matches!(&plan.request, Request::Repair(request) if request.links);
        let looked = match (links, facts.environments.len() as u64) {
            (true, 0) => "the cache's links were".to_owned(),
            (links, number) => {
                let looked = human::counted(number, "environment", "environments");
                let verb = if links {
                    " and the cache's links were"
                } else if number == 1 {
                    " was"
                } else {
                    " were"
                };
                looked + verb
            }
        };
        let nothing = if all_read { "Nothing is broken" } else { "Nothing broken was found" };
        return format!("{nothing}: {looked} looked at.");
    }
    if plan.is_empty() {
        return "Nothing can be repaired from here.".to_owned();
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
    let links = human::counted(totals.links, "link of the cache", "links of the cache");
    match (totals.links, totals.distributions) {
        (0, _) => format!("{distributions} can be repaired{fetched}: {files}; {kept}."),
        (_, 0) => format!("{links} can be repaired; {kept}."),
        _ => format!("{links} and {distributions} can be repaired{fetched}: {files}; {kept}."),
    }
}

/// What is asked before a plan is carried out.
pub(super) fn question(plan: &Plan) -> String {
    let files = human::counted(plan.totals.bytes.files, "file", "files");
    let links = human::counted(plan.totals.links, "link", "links");
    let uv = if plan.totals.fetched > 0 { ", and let uv fetch what is missing" } else { "" };
    match (plan.totals.links == 0, plan.totals.distributions == 0) {
        (true, _) => format!("Link {files}{uv}?"),
        (false, true) => format!("Write {links} of the cache again?"),
        (false, false) => format!("Write {links} of the cache again, and link {files}{uv}?"),
    }
}

/// Prints what became of it.
pub(super) fn report(
    plan: &Plan,
    report: &RepairReport,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    for outcome in &report.outcomes {
        match outcome.action {
            Action::RestoreLink if outcome.state == State::Done => {}
            Action::RestoreLink => link(outcome, view, writer)?,
            _ => one(outcome, view, writer)?,
        }
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
    let is_written = |it: &&RepairOutcome| it.action == Action::RestoreLink && it.state == State::Done;
    let links = report.outcomes.iter().filter(is_written).count() as u64;
    let written =
        (links > 0).then(|| format!("Wrote {} of the cache again", human::counted(links, "link", "links")));
    let made = match (written, made.in_words()) {
        (Some(written), Some(made)) => format!("{written}, and made {made}"),
        (Some(written), None) => written,
        (None, Some(made)) => format!("Made {made}"),
        (None, None) => "No file was made".to_owned(),
    };
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

fn link(outcome: &RepairOutcome, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let word = match outcome.state {
        State::Stale => "left",
        State::Cancelled => "not reached",
        State::Failed | State::Done => "failed",
    };
    let why = outcome.why.as_deref().map(|why| format!(": {}", human::escape(why))).unwrap_or_default();
    let text = view.wrapped(&format!("{word} {}{why}", human::escape(outcome.at.text())));
    writeln!(writer, "{}", view.painted(Paint::Bad, &text))
}

fn one(outcome: &RepairOutcome, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let name = called(outcome.name.as_deref(), outcome.version.as_deref());
    let name = human::escape(&name);
    let place = view.path(&outcome.at.path());
    if outcome.state != State::Done {
        let word = match (outcome.state, outcome.action) {
            (State::Stale, _) => "left",
            (State::Cancelled, _) => "not reached",
            (_, Action::Fetch) => "not fetched",
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
