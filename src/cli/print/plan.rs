//! Plans and what became of them, for people.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{Cell, Column, Fit, Paint, Table, View};
use crate::apply::{Outcome, Report, State};
use crate::cli::unread::Unread;
use crate::human;
use crate::plan::{At, Class, Kept, KeptBecause, Plan, Request, Step, Totals};
use crate::say::plan::things;
use crate::snapshot::Certainty;

/// Rows of each kind that are shown on a terminal; the rest is summed up unless everything is asked for.
const ROWS: usize = 20;
/// Names of what is kept for one reason.
const NAMES: usize = 3;

/// What a plan removes and keeps, and what that rests on.
pub(in crate::cli) fn review(
    plan: &Plan,
    trash: bool,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let mut classes: Vec<Class> = plan.steps.iter().filter_map(Step::class).collect();
    classes.sort_unstable();
    classes.dedup();
    for class in classes {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.class() == Some(class)).collect();
        let heading = format!("{}: {}", class.word(), class.sentence());
        writeln!(writer, "{}", view.painted(Paint::Strong, &view.wrapped(&heading)))?;
        steps_table(&steps, class == Class::Environments, view, writer)?;
        writeln!(writer)?;
    }
    if view.quiet {
        return Ok(());
    }
    kept(&plan.kept, view, writer)?;
    totals(plan, trash, view, writer)?;
    if !matches!(plan.request, Request::Remove(_)) || plan.changes_cache() {
        writeln!(writer, "{}", view.wrapped(&scope(plan, view)))?;
    }
    Unread::by(plan).print(view, writer)?;
    for caution in &plan.cautions {
        let allowed = plan.request.allows().contains(&caution.allowance);
        let text = human::escape(&caution.text);
        let text = if allowed {
            format!("{text} You allowed that.")
        } else {
            format!("{text} It needs `--allow {}`.", caution.allowance.word())
        };
        let paint = if allowed { Paint::Notice } else { Paint::Bad };
        writeln!(writer, "{}", view.painted(paint, &view.wrapped(&text)))?;
    }
    for warning in &plan.warnings {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(warning))))?;
    }
    Ok(())
}

/// The steps of one kind. Environments have no name and no version, but a path.
fn steps_table(steps: &[&Step], environments: bool, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let (first, second) = if environments {
        (Column::text("ENVIRONMENT").fit(Fit::Middle(28)), Column::number("SIZE"))
    } else {
        (Column::text("NAME").fit(Fit::End(20)), Column::text("VERSION").fit(Fit::End(12)))
    };
    let mut table = Table::new(&[
        first,
        second,
        Column::number("FREES"),
        Column::text("TO RESTORE").fit(Fit::End(20)).spare(2),
        Column::text("WHY").fit(Fit::End(24)).spare(1),
    ])
    .indented(2);
    let all = view.verbose || view.columns.is_none() || steps.len() <= ROWS;
    let shown = if all { steps.len() } else { ROWS - 1 };
    for step in &steps[..shown] {
        let back = at_least(step.bytes.reclaimable, step.bytes.certainty);
        let paint = if step.bytes.reclaimable == 0 { Paint::Faint } else { Paint::Plain };
        let (first, second): (Cell, Cell) = if environments {
            (view.path(&step.at.path()).into(), human::bytes(step.bytes.disk).into())
        } else {
            let version = human::escape(step.version.as_deref().unwrap_or_default());
            (name(step.name.as_deref(), &step.at).into(), Cell::or_dash(version))
        };
        table.push([
            first,
            second,
            Cell::painted(paint, back),
            step.price().words().into(),
            human::escape(&step.reason).as_ref().into(),
        ]);
    }
    table.print(view, writer)?;
    let rest = &steps[shown..];
    if !rest.is_empty() {
        let bytes = rest.iter().fold(0, |sum: u64, step| sum.saturating_add(step.bytes.reclaimable));
        let text = format!(
            "  and {} more, {}; `-v` lists all",
            human::count(rest.len() as u64),
            human::bytes(bytes)
        );
        writeln!(writer, "{}", view.painted(Paint::Faint, &text))?;
    }
    Ok(())
}

fn name(name: Option<&str>, at: &At) -> String {
    match name {
        Some(name) => human::escape(name).into_owned(),
        None => human::escape_os(at.path().as_os_str()).into_owned(),
    }
}

fn at_least(bytes: u64, certainty: Certainty) -> String {
    format!("{}{}", certainty.sign(), human::bytes(bytes))
}

/// Why something is kept, with what would change that.
fn because(kept: &KeptBecause) -> Cow<'_, str> {
    Cow::Borrowed(match kept {
        KeptBecause::Protected { .. } => "reached by symlinks of environments, which would break",
        KeptBecause::Linked { .. } => "needed by links outside of environments, which would break",
        KeptBecause::Used { .. } => "used by environments",
        KeptBecause::HeldElsewhere { .. } => {
            "in use by something outside the searched folders; `--root DIR` searches one more place"
        }
        KeptBecause::Doubt => "in doubt: something that may use them could not be read, or is not there now",
        KeptBecause::ReadFailed => {
            "in doubt: an error kept them, or something that may use them or lead to them, from being read"
        }
        KeptBecause::UnclearPointer => "in doubt: a pointer could not be understood",
        KeptBecause::NotUnderstood { why } => return format!("kept: {}", human::escape(why)).into(),
        KeptBecause::NotChosen => "named, but not chosen by the other options",
        KeptBecause::Unknown => "of an unknown kind",
        KeptBecause::Damaged(_) => "still broken",
        KeptBecause::Edited { .. } => "edited, and left so",
        KeptBecause::Young { .. } => "changed too recently; `--grace 0h` takes them too",
        KeptBecause::RecentLayout { .. } => "changed within 30 days; an older uv may still use them",
        KeptBecause::Untested { .. } => "of releases of uv that cachetui was not tested with",
        KeptBecause::Recent { .. } => "used more recently than `--older-than` says",
        KeptBecause::Pinned => "needed by a lock file or `keep`",
        KeptBecause::Running { .. } => "in use by running processes",
        KeptBecause::Project { .. } => "environments of projects that are there",
        KeptBecause::ProjectMissing { .. } => "environments of projects that may have been moved",
        KeptBecause::ProjectUnknown { .. } => "environments of projects that may be there",
        KeptBecause::LastCopy { .. } => {
            "without a known source, perhaps the last copies; `--allow gone` takes them too"
        }
        KeptBecause::WithinBudget => "not needed to keep within the limit",
        KeptBecause::AlreadySo { .. } => "linked so already",
        KeptBecause::NoEntry => "not from this cache",
        KeptBecause::Outside => "outside of the directory with the distributions",
        KeptBecause::WouldLose { .. } => "with attributes that the entry's files lack",
        KeptBecause::OfConda => "installed by conda",
        KeptBecause::OtherPermissions => "of other permissions than the entry's files",
        KeptBecause::Editable => "installed editable",
        KeptBecause::Broken => "broken; repair them first",
        KeptBecause::Unread => "not readable",
        KeptBecause::OtherFilesystem => "on another filesystem than the cache",
        KeptBecause::MovedBucket => "in a bucket that is a symlink to elsewhere",
        KeptBecause::InCache => "environments of the cache's own",
        KeptBecause::NoEnvironment => "no environments",
        KeptBecause::Managed { .. } => "installed by another program, which removes them",
        KeptBecause::Needed { .. } => "needed by other environments, which would break",
        KeptBecause::Foreign { .. } => {
            "with files that were not installed; `--allow foreign-files` takes them too"
        }
        KeptBecause::Mounted => "with something mounted at or in them",
        KeptBecause::Holds { .. } => "with another environment or a cache in them",
        KeptBecause::Never { .. } => "that nothing may remove",
    })
}

fn kept(kept: &[Kept], view: &View, writer: &mut dyn Write) -> io::Result<()> {
    if kept.is_empty() {
        return Ok(());
    }
    let bytes = kept.iter().fold(0, |sum: u64, kept| sum.saturating_add(kept.disk));
    let heading = format!(
        "Kept, although it was asked for: {}, {}",
        human::count(kept.len() as u64),
        human::bytes(bytes)
    );
    writeln!(writer, "{}", view.painted(Paint::Strong, &heading))?;
    let mut reasons: BTreeMap<(u8, Cow<'_, str>), Vec<&Kept>> = BTreeMap::new();
    for kept in kept {
        let (rank, _) = kept.because.in_short();
        reasons.entry((rank, because(&kept.because))).or_default().push(kept);
    }
    for ((_, words), these) in reasons {
        let text = format!("{} {words}", human::count(these.len() as u64));
        writeln!(writer, "{}", view.indented(&text, 2))?;
        let shown = &these[..if view.verbose { these.len() } else { these.len().min(NAMES) }];
        let rest = these.len() - shown.len();
        let more = format!("{} more", human::count(rest as u64));
        let mut lines: Vec<String> = Vec::new();
        if shown.iter().all(|kept| kept.reason == shown[0].reason) && these.len() > 1 {
            // One reason for all says no more than the line above.
            let mut titles: Vec<String> = shown.iter().map(|kept| title(kept)).collect();
            titles.extend((rest > 0).then_some(more));
            lines.push(human::list(&titles));
        } else {
            lines
                .extend(shown.iter().map(|kept| format!("{}: {}", title(kept), human::escape(&kept.reason))));
            lines.extend((rest > 0).then(|| format!("and {more}")));
        }
        for line in lines {
            writeln!(writer, "{}", view.painted(Paint::Faint, &view.indented(&line, 4)))?;
        }
    }
    writeln!(writer)
}

fn title(kept: &Kept) -> String {
    let version = human::escape(kept.version.as_deref().unwrap_or_default());
    format!("{} {version}", name(kept.name.as_deref(), &kept.at)).trim_end().to_owned()
}

/// How many are kept only because they changed too recently.
pub(in crate::cli) fn kept_for_youth(kept: &[Kept]) -> u64 {
    kept.iter().filter(|it| matches!(it.because, KeptBecause::Young { .. })).count() as u64
}

/// What a plan gives back, in words.
pub(in crate::cli) fn back(totals: &Totals) -> String {
    format!("{}{}", totals.bytes.certainty.before(), human::bytes(totals.bytes.reclaimable))
}

fn totals(plan: &Plan, trash: bool, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    if plan.is_empty() {
        let nothing =
            if Unread::by(plan).is_empty() { "Nothing to remove" } else { "Nothing to remove was found" };
        return writeln!(writer, "{nothing}.");
    }
    let totals = &plan.totals;
    let files = human::counted(totals.bytes.files, "file", "files");
    let among = match totals.pointers {
        0 => String::new(),
        1 => ", one of them a pointer to what goes".to_owned(),
        many => format!(", {} of them pointers to what goes", human::count(many)),
    };
    let later = match totals.bytes.held {
        0 => String::new(),
        held => {
            format!(" {} more are freed only when others that share them are gone too.", human::bytes(held))
        }
    };
    let when = if trash { "once the trash is emptied" } else { "now" };
    let text = format!("Removing {} frees {} {when}: {files}{among}.{later}", things(plan), back(totals));
    writeln!(writer, "{}", view.painted(Paint::Strong, &view.wrapped(&text)))
}

/// Where users were looked for.
fn scope(plan: &Plan, view: &View) -> String {
    let scope = &plan.scope;
    let named = if view.verbose { scope.searched.len() } else { scope.searched.len().min(3) };
    let mut places: Vec<String> = scope.searched[..named].iter().map(|it| view.path(&it.at.path())).collect();
    if scope.searched.len() > named {
        places.push(human::counted((scope.searched.len() - named) as u64, "more place", "more places"));
    }
    let places = if places.is_empty() { "no place at all".to_owned() } else { human::list(&places) };
    let found = human::counted(scope.environments, "environment", "environments");
    let text = format!("Searched for users: {places}; {found} found.");
    let unread: Vec<PathBuf> = scope.unread.iter().map(At::path).collect();
    let Some(first) = unread.first() else { return text };
    let more = match unread.len() - 1 {
        0 => String::new(),
        more => format!(" and {} more", human::count(more as u64)),
    };
    format!("{text} Not read, so that users may be missing: {}{more}.", view.path(first))
}

/// What became of a plan.
pub(in crate::cli) fn report(
    plan: &Plan,
    report: &Report,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    for (outcome, paint) in
        [(State::Stale, Paint::Notice), (State::Failed, Paint::Bad), (State::Cancelled, Paint::Notice)]
            .into_iter()
            .flat_map(|(state, paint)| {
                report.outcomes.iter().filter(move |it| it.state == state).map(move |it| (it, paint))
            })
    {
        let text = told(plan, outcome);
        writeln!(writer, "{}", view.painted(paint, &view.wrapped(&text)))?;
    }
    let done = report.count(State::Done);
    let text = format!("Removed {} of {}.", human::count(done as u64), human::count(plan.steps.len() as u64));
    if !view.quiet {
        let freed = &report.freed;
        let predicted = format!("{}{}", freed.certainty.before(), human::bytes(freed.predicted));
        let mut trash = report.trash.iter().chain(&report.beside);
        let more = match (done, freed.measured, trash.next()) {
            (0, ..) => String::new(),
            // Of what was moved there a part is gone again.
            (_, Some(measured), Some(first)) => format!(
                " {} freed. The rest lies in the trash, `{}`, where it still takes its room: `cachetui trash purge` \
                 deletes it, and `cachetui undo` puts it back.",
                human::bytes(measured),
                view.path(&first.path())
            ),
            (_, None, Some(first)) => {
                let others = match trash.count() as u64 {
                    0 => String::new(),
                    others => format!(" and {}", human::counted(others, "other place", "other places")),
                };
                format!(
                    " It lies in the trash, `{}`{others}, where it still takes its room: `cachetui trash purge` \
                     frees {predicted}, and `cachetui undo` puts it back.",
                    view.path(&first.path())
                )
            }
            (_, Some(measured), None) => {
                let freed = human::bytes(measured);
                if measured == report.freed.predicted || freed == predicted {
                    format!(" {freed} freed, as planned.")
                } else {
                    format!(" {freed} freed; the plan said {predicted}.")
                }
            }
            (_, None, None) => {
                let predicted = human::capitalized(&predicted);
                format!(" {predicted} freed by the plan; the volume does not tell.")
            }
        };
        writeln!(writer, "{}", view.wrapped(&format!("{text}{more}")))?;
        if let Some(why) = &freed.why {
            writeln!(writer, "{}", view.wrapped(&human::escape(why)))?;
        }
    }
    for note in &report.notes {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
    }
    Ok(())
}

fn told(plan: &Plan, outcome: &Outcome) -> String {
    let step = plan.steps.iter().find(|step| step.action == outcome.action && step.at == outcome.at);
    let title: Vec<&str> =
        step.into_iter().flat_map(|step| [step.name.as_deref(), step.version.as_deref()]).flatten().collect();
    let path = human::escape_os(outcome.at.path().as_os_str()).into_owned();
    let shown = if title.is_empty() { path } else { format!("{} ({path})", human::escape(&title.join(" "))) };
    let why = outcome.why.as_deref().map(|why| format!(": {}", human::escape(why))).unwrap_or_default();
    let word = match outcome.state {
        State::Done => "removed",
        State::Stale => "left",
        State::Failed => "failed",
        State::Cancelled => "not reached",
    };
    format!("{word} {shown}{why}")
}
