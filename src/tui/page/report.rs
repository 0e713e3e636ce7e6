//! What became of a task.

use std::collections::BTreeSet;
use std::path::Path;

use crate::apply::detach::DetachOutcome;
use crate::apply::relink::RelinkReport;
use crate::apply::repair::RepairReport;
use crate::apply::report::RefusedMode;
use crate::apply::restore::Restored;
use crate::apply::{Report, State};
use crate::human;
use crate::plan::repair::Command;
use crate::plan::{self, Action, At, Plan};
use crate::say;
use crate::scan::verify::{Finding, Verified};
use crate::snapshot::{ModeCounts, Snapshot};
use crate::tui::model::Model;
use crate::tui::model::page::{Document, PageLine, Target};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;
use crate::worker::task::Done;

use super::{gap, paragraph};

/// The most files that are named one by one for one distribution.
const NAMED: usize = 20;

/// What is said of files that could not be hardlinks.
const NO_MORE_LINKS: &str = "no hardlink: the cache's file can have no more";

/// A line of a report.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tui) struct ReportLine {
    text: String,
    role: Role,
    target: Option<Target>,
}

/// A line of a report; the text is escaped here.
pub(in crate::tui) fn said(text: &str, role: Role) -> ReportLine {
    escaped(human::escape(text).into_owned(), role)
}

/// A line of a report that is escaped already, as paths are that need not be text.
fn escaped(text: String, role: Role) -> ReportLine {
    ReportLine { text, role, target: None }
}

/// What became of a task, as a title and lines.
pub(in crate::tui) fn report(done: &Done) -> (String, Vec<ReportLine>) {
    let mut lines = Vec::new();
    let title = match done {
        Done::Removed(report) => {
            removed(report, &mut lines);
            "what was removed"
        }
        Done::Relinked(report) => {
            relinked(report, &mut lines);
            "what was relinked"
        }
        // Their plans are shown instead.
        Done::Planned(_) => "the plan",
        Done::Repaired(report) => {
            repaired(report, &mut lines);
            "what was repaired"
        }
        Done::Verified(snapshot, verified) => {
            compared(snapshot, verified, &mut lines);
            "contents against RECORD"
        }
        Done::Detached(plan, outcomes, notes) => {
            detached(plan, outcomes, notes, &mut lines);
            "what was kept in one place"
        }
        Done::Restored(items) => {
            restored(items, &mut lines);
            "what was put back"
        }
        Done::Purged { freed, errors } => {
            let words = match freed {
                _ if !errors.is_empty() => "Not all could be removed.".to_owned(),
                Some(bytes) => format!("The trash is empty; {} freed.", human::bytes(*bytes)),
                None => "The trash is empty.".to_owned(),
            };
            let role = if errors.is_empty() { Role::Good } else { Role::Error };
            lines.push(said(&words, role));
            lines.extend(errors.iter().map(|error| said(error, Role::Error)));
            "the trash"
        }
    };
    (title.to_owned(), lines)
}

fn shown(path: &Path) -> String {
    human::escape_os(path.as_os_str()).into_owned()
}

fn restored(items: &[Restored], lines: &mut Vec<ReportLine>) {
    lines.push(said(&format!("Put back {}.", Restored::in_words(items)), Role::Good));
    for item in items.iter().filter(|item| item.state != State::Done) {
        let why = item.why.as_deref().unwrap_or_default();
        lines.push(escaped(format!("{}: {}", shown(&item.path), human::escape(why)), Role::Warning));
    }
}

fn removed(report: &Report, lines: &mut Vec<ReportLine>) {
    let done = report.outcomes.iter().filter(|outcome| outcome.state == State::Done);
    let things = say::plan::things_of(done.map(|outcome| outcome.action));
    if things.is_empty() {
        lines.push(said("Nothing was removed.", Role::Warning));
    } else {
        let frees = format!("{}{}", report.freed.certainty.before(), human::bytes(report.freed.predicted));
        lines.push(said(&format!("Moved {things} to the trash."), Role::Good));
        lines.push(said("", Role::Text));
        let words = format!("X empties the trash and frees {frees}; z puts everything back.");
        lines.push(said(&words, Role::Dim));
    }
    lines.extend(report.notes.iter().map(|note| said(note, Role::Warning)));
    for outcome in report.outcomes.iter().filter(|outcome| outcome.state != State::Done) {
        let why = outcome.why.as_deref().unwrap_or("not reached");
        ended(outcome.state, outcome.at.text(), why, lines);
    }
}

fn ended(state: State, what: &str, why: &str, lines: &mut Vec<ReportLine>) {
    let role = if state == State::Failed { Role::Error } else { Role::Warning };
    lines.push(said(&format!("{} {what}: {why}", state.word()), role));
}

/// Files that were left alone, as far as there is room to name them.
fn left_alone(paths: &[At], what: &str, lines: &mut Vec<ReportLine>) {
    for at in paths.iter().take(NAMED) {
        lines.push(said(&format!("{what}: {}", at.text()), Role::Warning));
    }
    if paths.len() > NAMED {
        let more = human::count((paths.len() - NAMED) as u64);
        lines.push(said(&format!("{what}: {more} more"), Role::Warning));
    }
}

fn refused(name: &str, refused: &[RefusedMode], lines: &mut Vec<ReportLine>) {
    for mode in refused {
        let files = human::counted(mode.files, "file has", "files have");
        let text = format!("{name}: {} was refused ({}); {files} another mode", mode.mode, mode.reason);
        lines.push(said(&text, Role::Warning));
    }
}

/// In which environments, as the end of a sentence.
fn within<'a>(roots: impl Iterator<Item = &'a At>) -> String {
    match roots.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [one] => format!(" in {}", one.text()),
        many => format!(" in {} environments", human::count(many.len() as u64)),
    }
}

fn relinked(report: &RelinkReport, lines: &mut Vec<ReportLine>) {
    let mut made = ModeCounts::default();
    report.outcomes.iter().for_each(|outcome| made.add(outcome.made));
    let whole = report.count(State::Done) == report.outcomes.len();
    let words = made.in_words().map_or("No file had to be made".to_owned(), |made| format!("Made {made}"));
    let place = within(report.outcomes.iter().map(|outcome| &outcome.at));
    lines.push(said(&format!("{words}{place}."), if whole { Role::Good } else { Role::Warning }));
    lines.push(said(&report.freed.sentence(), Role::Text));
    lines.extend(report.notes.iter().map(|note| said(note, Role::Warning)));
    for outcome in &report.outcomes {
        let name = say::plan::called(outcome.name.as_deref(), outcome.version.as_deref());
        if outcome.state != State::Done {
            ended(outcome.state, &name, outcome.why.as_deref().unwrap_or("not reached"), lines);
        }
        refused(&name, &outcome.refused, lines);
        left_alone(&outcome.modified, "edited, left alone", lines);
        for file in outcome.kept.iter().take(NAMED) {
            lines.push(said(&format!("left alone, {}: {}", file.why, file.at.text()), Role::Warning));
        }
        if outcome.kept.len() > NAMED {
            let more = human::count((outcome.kept.len() - NAMED) as u64);
            lines
                .push(said(&format!("left alone, with attributes of their own: {more} more"), Role::Warning));
        }
        left_alone(&outcome.stale, "gone or replaced meanwhile, left alone", lines);
        left_alone(&outcome.link_limit, NO_MORE_LINKS, lines);
    }
}

fn repaired(report: &RepairReport, lines: &mut Vec<ReportLine>) {
    let mut made = ModeCounts::default();
    report.outcomes.iter().for_each(|outcome| made.add(outcome.made));
    let role = if report.is_complete() { Role::Good } else { Role::Warning };
    let (links, others): (Vec<_>, Vec<_>) =
        report.outcomes.iter().partition(|outcome| outcome.action == Action::RestoreLink);
    let written = links.iter().filter(|outcome| outcome.state == State::Done).count() as u64;
    if written > 0 {
        let links = human::counted(written, "link", "links");
        lines.push(said(&format!("Repaired: wrote {links} of the cache again."), role));
    }
    if written == 0 || !others.is_empty() {
        let place = within(others.iter().map(|outcome| &outcome.at));
        let words = match made.in_words() {
            Some(made) if report.is_complete() => format!("Repaired: made {made}{place}."),
            Some(made) => format!("Made {made}{place}; not everything could be repaired."),
            None => format!("Nothing was repaired{place}."),
        };
        lines.push(said(&words, role));
    }
    for outcome in links.iter().filter(|outcome| outcome.state != State::Done) {
        ended(outcome.state, outcome.at.text(), outcome.why.as_deref().unwrap_or("not reached"), lines);
    }
    lines.extend(report.notes.iter().map(|note| said(note, Role::Warning)));
    for outcome in others {
        let name = say::plan::called(outcome.name.as_deref(), outcome.version.as_deref());
        if outcome.state != State::Done {
            ended(outcome.state, &name, outcome.why.as_deref().unwrap_or("not reached"), lines);
        }
        refused(&name, &outcome.refused, lines);
        left_alone(&outcome.stale, "something else lies there now, left alone", lines);
        left_alone(&outcome.link_limit, "no hardlink: the cache's file can have no more", lines);
    }
    for left in &report.kept {
        let name = say::plan::called(left.name.as_deref(), left.version.as_deref());
        lines.push(said(&format!("{name} stays broken: {}", left.reason), Role::Error));
        lines.extend(left.commands().iter().map(command));
    }
}

fn compared(snapshot: &Snapshot, verified: &Verified, lines: &mut Vec<ReportLine>) {
    let files = human::counted(verified.files, "file", "files");
    let (tone, result) = say::verified::result(verified);
    let bytes = human::bytes(verified.bytes);
    lines.push(said(&format!("{files} compared, {bytes}: {result}."), tone.into()));
    if verified.cancelled {
        lines.push(said("It was stopped before its end.", Role::Warning));
    }
    for finding in verified.damage() {
        damage(snapshot, finding, lines);
    }
    let not_compared = say::verified::not_compared(verified, None);
    let notes: Vec<String> =
        not_compared.into_iter().chain(say::verified::of_wheels(verified, None)).collect();
    if !notes.is_empty() {
        lines.push(said("", Role::Text));
        lines.extend(notes.iter().map(|text| said(text, Role::Dim)));
        let away = verified.away.iter().map(|path| escaped(format!("  {}", shown(path)), Role::Dim));
        lines.extend(away);
    }
    for problem in &verified.problems {
        let text = format!("{}: {}", shown(&problem.path), human::escape(&problem.message));
        lines.push(escaped(text, Role::Warning));
    }
    for advice in plan::advice(snapshot, verified) {
        lines.push(said("", Role::Text));
        lines.push(said(advice.text, Role::Text));
        for index in &advice.keepers {
            let path = &snapshot.environment(*index).path;
            lines.push(ReportLine {
                target: Some(Target::Detach(path.clone())),
                ..escaped(format!("  {}", shown(path)), Role::Strong)
            });
        }
        if advice.keepers.is_empty() {
            lines.extend(advice.commands.iter().map(command));
        }
        lines.extend(advice.notes.iter().map(|note| said(note, Role::Dim)));
    }
}

fn command(command: &Command) -> ReportLine {
    said(&format!("  {}", command.text()), Role::Strong)
}

fn damage(snapshot: &Snapshot, finding: &Finding, lines: &mut Vec<ReportLine>) {
    lines.push(said("", Role::Text));
    let text = format!(
        "{} {} ({} {})",
        finding.fault.word(),
        shown(&finding.path),
        human::escape(&finding.name),
        human::escape(&finding.version)
    );
    lines.push(escaped(text, Role::Error));
    for place in finding.places.iter().filter(|place| place.path != finding.path) {
        let root = place.environment.map_or(&place.path, |index| &snapshot.environment(index).path);
        lines.push(escaped(format!("  the same file in {}", shown(root)), Role::Text));
    }
}

fn detached(plan: &Plan, outcomes: &[DetachOutcome], notes: &[String], lines: &mut Vec<ReportLine>) {
    let done = outcomes.iter().filter(|outcome| outcome.state == State::Done).count();
    let files = human::counted(done as u64, "file is", "files are");
    let place = within(plan.detached().map(|(_, work)| &work.keeps.root));
    let text = format!("{files} kept{place} alone, and restored everywhere else.");
    lines.push(said(&text, if done == outcomes.len() { Role::Good } else { Role::Warning }));
    lines.extend(notes.iter().map(|note| said(note, Role::Warning)));
    for outcome in outcomes {
        if outcome.state != State::Done {
            let why = outcome.why.as_deref().unwrap_or("not reached");
            ended(outcome.state, outcome.at.text(), why, lines);
        }
        refused(outcome.at.text(), &outcome.refused, lines);
        left_alone(&outcome.link_limit, NO_MORE_LINKS, lines);
        if outcome.unknown > 0 {
            let names = human::counted(outcome.unknown, "more name", "more names");
            let text =
                format!("{} keeps the edit under {names} that cachetui did not find.", outcome.at.text());
            lines.push(said(&text, Role::Warning));
        }
    }
}

/// The page of a report.
pub(super) fn document(model: &Model, title: &str, lines: &[ReportLine], width: usize) -> Document {
    let mut document = Document { title: title.to_owned(), ..Document::default() };
    let glyphs = model.settings.glyphs;
    for ReportLine { text, role, target } in lines {
        if text.is_empty() {
            gap(&mut document);
        } else if target.is_some() {
            let text = text::clip_middle(text, width.saturating_sub(4), glyphs.ellipsis());
            document.lines.push(PageLine {
                line: vec![
                    piece(format!(" {text}"), *role),
                    piece(format!(" {}", glyphs.opens()), Role::Key),
                ],
                target: target.clone(),
                copy: None,
            });
        } else {
            paragraph(&mut document, text, *role, width);
        }
    }
    document
}
