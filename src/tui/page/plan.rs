//! The view of the plan: its words, the details of its rows, the question before it is carried out, and what became of it.

use crate::apply::{Report, State};
use crate::human;
use crate::lock::{Maker, Resource, State as LockState};
use crate::plan::{Class, Kept, Plan, Step};
use crate::snapshot::Certainty;
use crate::tui::model::Model;
use crate::tui::model::page::{Document, PageLine, Subject, Target};
use crate::tui::model::planning::{Planned, Planning, Row};
use crate::tui::model::task::{Answer, Question};
use crate::tui::text::piece;
use crate::tui::theme::Role;
use crate::worker::task::Done;

use super::{fact, fact_path, gap, heading, paragraph, push};

/// What has to be typed to carry out a plan that calls for a second look.
pub(in crate::tui) const SURE: &str = "prune";

/// What stands before a row: whether it goes or stays.
pub(in crate::tui) fn planned_sign(planning: &Planning, row: usize) -> (&'static str, Role) {
    match planning.rows.get(row) {
        Some(Row::Step(_)) if planning.is_in(row) => ("remove", Role::Strong),
        Some(Row::Step(_)) => ("leave", Role::Dim),
        Some(Row::Kept(_)) => ("kept", Role::Held),
        Some(Row::Run(_)) => ("trash", Role::Unused),
        Some(Row::Class(_)) | None => ("", Role::Dim),
    }
}

/// What a row is about. Escaped.
pub(in crate::tui) fn planned_name(planning: &Planning, row: usize) -> String {
    match (planning.rows.get(row), &planning.plan) {
        (Some(Row::Class(class)), _) => Class::ALL[*class].word().replace('-', " "),
        (Some(Row::Run(run)), _) => {
            let run = &planning.trash[*run];
            match run.time() {
                Some(time) => format!("of {}", time.strftime("%Y-%m-%d %H:%M:%S UTC")),
                None => human::escape_os(run.name()).into_owned(),
            }
        }
        (Some(Row::Step(step)), Some(plan)) => step_title(&plan.steps[*step]),
        (Some(Row::Kept(kept)), Some(plan)) => kept_title(&plan.kept[*kept]),
        _ => String::new(),
    }
}

/// What a row gives back, in bytes.
pub(in crate::tui) fn planned_bytes(planning: &Planning, row: usize) -> u64 {
    match (planning.rows.get(row), &planning.plan) {
        (Some(Row::Class(class)), _) => planning.classes[*class].0.bytes.reclaimable,
        (Some(Row::Step(step)), Some(plan)) => plan.steps[*step].bytes.reclaimable,
        _ => 0,
    }
}

/// Why a row is there. Escaped.
pub(in crate::tui) fn planned_why(planning: &Planning, row: usize) -> String {
    match (planning.rows.get(row), &planning.plan) {
        (Some(Row::Class(class)), _) => {
            let (totals, kept) = &planning.classes[*class];
            let number = match (totals.steps, kept) {
                (0, 0) => "none".to_owned(),
                (steps, 0) => human::count(steps),
                (steps, kept) => format!("{}, {kept} kept", human::count(steps)),
            };
            format!("{number}. {}", Class::ALL[*class].sentence())
        }
        (Some(Row::Run(run)), _) => {
            let purging = planning.trash[*run].is_purging();
            if purging {
                "being emptied, or left so by a crash"
            } else {
                "can be put back, or emptied for good"
            }
            .to_owned()
        }
        (Some(Row::Step(step)), Some(plan)) => {
            let step = &plan.steps[*step];
            human::escape(&format!("{}; {}", step.reason, step.price.words())).into_owned()
        }
        (Some(Row::Kept(kept)), Some(plan)) => human::escape(&plan.kept[*kept].reason).into_owned(),
        _ => String::new(),
    }
}

/// What the filter looks at.
pub(in crate::tui) fn planned_text(planning: &Planning, row: usize) -> String {
    let sign = planned_sign(planning, row).0;
    format!("{} {sign} {}", planned_name(planning, row), planned_why(planning, row))
}

fn step_title(step: &Step) -> String {
    title(step.name.as_deref(), step.version.as_deref(), step.at.text())
}

fn kept_title(kept: &Kept) -> String {
    title(kept.name.as_deref(), kept.version.as_deref(), kept.at.text())
}

fn title(name: Option<&str>, version: Option<&str>, path: &str) -> String {
    let text = match (name, version) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name.to_owned(),
        _ => path.to_owned(),
    };
    human::escape(&text).into_owned()
}

/// The detail of a row.
pub(super) fn detail(model: &Model, row: usize, width: usize) -> Document {
    let planning = &model.facts.planning;
    let mut document = Document { title: planned_name(planning, row), ..Document::default() };
    match (planning.rows.get(row), &planning.plan) {
        (Some(Row::Class(class)), _) => of_class(model, &mut document, *class, width),
        (Some(Row::Run(_)), _) => {
            paragraph(
                &mut document,
                "What this run removed waits here and still takes its room.",
                Role::Text,
                width,
            );
            gap(&mut document);
            let words = "z puts the newest run back, as far as uv has not made it anew; X empties the trash for good. uv's \
                         own prune and clean empty it too.";
            paragraph(&mut document, words, Role::Dim, width);
        }
        (Some(Row::Step(step)), Some(plan)) => of_step(model, &mut document, &plan.steps[*step], width),
        (Some(Row::Kept(kept)), Some(plan)) => of_kept(model, &mut document, &plan.kept[*kept], width),
        _ => {}
    }
    document
}

fn of_class(model: &Model, document: &mut Document, class: usize, width: usize) {
    let (totals, kept) = &model.facts.planning.classes[class];
    let class = Class::ALL[class];
    paragraph(document, class.sentence(), Role::Text, width);
    gap(document);
    fact(document, "things", &human::count(totals.steps), Role::Text, width);
    fact(
        document,
        "give back",
        &bytes(totals.bytes.reclaimable, totals.bytes.certainty),
        Role::Strong,
        width,
    );
    if totals.bytes.held > 0 {
        fact(document, "held", &human::bytes(totals.bytes.held), Role::Held, width);
    }
    gap(document);
    if *kept > 0 {
        fact(document, "kept", &human::count(*kept as u64), Role::Held, width);
        gap(document);
    }
    if totals.steps > 0 || *kept > 0 {
        document.lines.push(PageLine {
            line: vec![
                piece(" make the plan", Role::Strong),
                piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
            ],
            target: Some(Target::Plan(class)),
            copy: None,
        });
    } else {
        paragraph(document, "There is nothing of the kind to be removed.", Role::Dim, width);
    }
    scope(model, document, width);
}

fn of_step(model: &Model, document: &mut Document, step: &Step, width: usize) {
    fact(document, "does", &step.action.word().replace('-', " "), Role::Text, width);
    fact_path(model, document, "path", &human::escape(step.at.text()), width);
    fact(document, "because", &human::escape(&step.reason), Role::Text, width);
    fact(document, "price", &step.price.words(), Role::Text, width);
    fact(document, "on disk", &human::bytes(step.bytes.disk), Role::Text, width);
    fact(document, "gives back", &bytes(step.bytes.reclaimable, step.bytes.certainty), Role::Strong, width);
    if step.bytes.held > 0 {
        fact(document, "held", &format!("{} by others", human::bytes(step.bytes.held)), Role::Held, width);
    }
    let id = step.at.path();
    if let Some(subject) = entry_subject(model, &id) {
        document.lines.push(PageLine {
            line: vec![
                piece(" show the entry", Role::Strong),
                piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
            ],
            target: Some(Target::Go(subject)),
            copy: None,
        });
    }
    if !step.pointers.is_empty() {
        gap(document);
        heading(model, document, "goes first", width);
        for pointer in &step.pointers {
            fact_path(model, document, pointer.form.word(), &human::escape(pointer.at.text()), width);
        }
    }
    if !step.users.is_empty() {
        gap(document);
        heading(model, document, "goes on working", width);
        for user in &step.users {
            fact_path(model, document, "", &human::path(&user.path(), model.settings.home.as_deref()), width);
        }
    }
}

fn entry_subject(model: &Model, path: &std::path::Path) -> Option<Subject> {
    let what = crate::snapshot::What::new(path.as_os_str());
    let index = what.find(model.snapshot()).into_iter().next()?;
    Some(Subject::Entry(model.snapshot().entry(index).key.clone()))
}

fn of_kept(model: &Model, document: &mut Document, kept: &Kept, width: usize) {
    fact_path(model, document, "path", &human::escape(kept.at.text()), width);
    fact(document, "on disk", &human::bytes(kept.disk), Role::Text, width);
    gap(document);
    paragraph(document, &format!("Kept: {}.", human::escape(&kept.reason)), Role::Held, width);
    if let Some(subject) = entry_subject(model, &kept.at.path()) {
        gap(document);
        document.lines.push(PageLine {
            line: vec![
                piece(" show the entry", Role::Strong),
                piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
            ],
            target: Some(Target::Go(subject)),
            copy: None,
        });
    }
}

/// Where was searched, for whoever reads that nobody uses something.
fn scope(model: &Model, document: &mut Document, width: usize) {
    let scope = &model.snapshot().scope;
    gap(document);
    let searched = human::counted(scope.roots.len() as u64, "place was", "places were");
    let unread = match scope.unread.len() {
        0 => String::new(),
        number => format!(", {} could not be read", human::counted(number as u64, "path", "paths")),
    };
    let words = format!("{searched} searched for environments{unread}; ! lists them.");
    paragraph(document, &words, Role::Dim, width);
}

fn bytes(bytes: u64, certainty: Certainty) -> String {
    match certainty {
        Certainty::Exact => human::bytes(bytes),
        Certainty::AtLeast => format!("at least {}", human::bytes(bytes)),
    }
}

/// What a question says, and its answers.
pub(super) fn question(model: &Model, question: &Question, answer: Answer, width: usize) -> Document {
    let mut document = Document::default();
    match question {
        Question::Apply => {
            "carry out the plan?".clone_into(&mut document.title);
            if let Some(plan) = model.facts.planning.chosen() {
                apply(model, &mut document, &plan, width);
            }
        }
        Question::Sure(typed) => {
            "are you sure?".clone_into(&mut document.title);
            if let Some(plan) = &model.facts.planning.plan {
                for caution in plan.refused() {
                    paragraph(&mut document, &human::escape(&caution.text), Role::Warning, width);
                    gap(&mut document);
                }
            }
            let words = format!(
                "To do it all the same, type {SURE} and press Enter. Esc leaves everything as it is."
            );
            paragraph(&mut document, &words, Role::Text, width);
            gap(&mut document);
            let typed = format!(" {}{}", human::escape(typed), model.settings.glyphs.caret());
            push(&mut document, vec![piece(typed, Role::Key)]);
            return document;
        }
        Question::Undo(run) => {
            "put it back?".clone_into(&mut document.title);
            let when = run.time().map_or_else(
                || human::escape_os(run.name()).into_owned(),
                |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            );
            let words = format!(
                "What was removed at {when} goes back to its place, as far as uv has not made it anew."
            );
            paragraph(&mut document, &words, Role::Text, width);
            lock(model, &mut document, width);
        }
        Question::Purge(runs) => {
            "empty the trash?".clone_into(&mut document.title);
            let runs = human::counted(runs.len() as u64, "run", "runs");
            let words =
                format!("What {runs} removed is gone for good then, and the room it takes is given back.");
            paragraph(&mut document, &words, Role::Warning, width);
        }
        Question::Quit => {
            "leave?".clone_into(&mut document.title);
            let words =
                "A task is running. It is stopped after the step it is at, and nothing is left half done.";
            paragraph(&mut document, words, Role::Text, width);
        }
    }
    gap(&mut document);
    for (this, key, words) in [(Answer::No, "n", "no, leave everything as it is"), (Answer::Yes, "y", "yes")]
    {
        let focused = this == answer;
        let sign = if focused { model.settings.glyphs.opens() } else { " " };
        document.lines.push(PageLine {
            line: vec![
                piece(format!(" {sign} "), Role::Key),
                piece(format!("{key}  "), Role::Key),
                piece(words, if focused { Role::Strong } else { Role::Text }),
            ],
            target: Some(Target::Answer(this)),
            copy: None,
        });
    }
    document
}

fn apply(model: &Model, document: &mut Document, plan: &Plan, width: usize) {
    let totals = &plan.totals;
    let steps = human::counted(totals.steps, "thing", "things");
    let pointers = human::counted(totals.pointers, "pointer", "pointers");
    paragraph(
        document,
        &format!("Removes {steps} and {pointers} from the cache into its trash."),
        Role::Text,
        width,
    );
    gap(document);
    let back = bytes(totals.bytes.reclaimable, totals.bytes.certainty);
    fact(document, "gives back", &format!("{back}, once the trash is emptied"), Role::Strong, width);
    if totals.bytes.held > 0 {
        let words = format!("{} more when what holds them goes too", human::bytes(totals.bytes.held));
        fact(document, "later", &words, Role::Held, width);
    }
    let users: std::collections::BTreeSet<_> = plan.steps.iter().flat_map(|step| &step.users).collect();
    let words = match users.len() {
        0 => "no environment".to_owned(),
        1 => "one environment, which goes on working".to_owned(),
        number => format!("{number} environments, which go on working"),
    };
    fact(document, "affects", &words, Role::Text, width);
    lock(model, document, width);
    for caution in &plan.cautions {
        gap(document);
        paragraph(document, &human::escape(&caution.text), Role::Warning, width);
    }
    gap(document);
    for step in &plan.steps {
        push(
            document,
            vec![
                piece(format!(" {:>10}  ", human::bytes(step.bytes.reclaimable)), Role::Text),
                piece(step_title(step), Role::Strong),
            ],
        );
    }
}

/// Whether the cache's lock is held, and what that means.
fn lock(model: &Model, document: &mut Document, width: usize) {
    let files = &model.facts.locks.files;
    let file =
        files.iter().find(|file| file.maker == Maker::Uv && matches!(file.resource, Resource::Cache(_)));
    let (words, role) = match file.map(|file| (&file.state, file.holders.first())) {
        Some((LockState::Shared | LockState::Exclusive, Some(first))) => {
            (format!("held by {}: it is waited for", super::holder(first)), Role::Warning)
        }
        Some((LockState::Shared | LockState::Exclusive, None)) => {
            ("held: it is waited for".to_owned(), Role::Warning)
        }
        _ => ("free".to_owned(), Role::Text),
    };
    fact(document, "lock", &words, role, width);
}

/// What became of a task, as a title and lines.
pub(in crate::tui) fn report(done: &Done) -> (String, Vec<(String, Role)>) {
    let mut lines = Vec::new();
    match done {
        Done::Pruned(report) => {
            pruned(report, &mut lines);
            ("what was removed".to_owned(), lines)
        }
        Done::Restored(items) => {
            let back = items.iter().filter(|item| item.state == State::Done).count() as u64;
            let words = format!("{} put back.", human::counted(back, "thing was", "things were"));
            lines.push((words, Role::Good));
            for item in items.iter().filter(|item| item.state != State::Done) {
                let why = item.why.as_deref().unwrap_or_default();
                let text = format!("{}: {}", human::escape_os(item.path.as_os_str()), human::escape(why));
                lines.push((text, Role::Warning));
            }
            ("what was put back".to_owned(), lines)
        }
        Done::Purged { freed, errors } => {
            let words = match freed {
                Some(bytes) => format!("The trash is empty. {} more are free now.", human::bytes(*bytes)),
                None => "The trash is empty.".to_owned(),
            };
            lines.push((
                if errors.is_empty() { words } else { "Not all could be removed.".to_owned() },
                Role::Good,
            ));
            lines.extend(errors.iter().map(|error| (human::escape(error).into_owned(), Role::Error)));
            ("the trash".to_owned(), lines)
        }
    }
}

fn pruned(report: &Report, lines: &mut Vec<(String, Role)>) {
    let done = human::counted(report.count(State::Done) as u64, "thing was", "things were");
    let back = human::bytes(report.freed.predicted);
    lines.push((format!("{done} removed into the trash. {back} come back when it is emptied."), Role::Good));
    lines.push((String::new(), Role::Text));
    lines.push(("z puts everything back; X empties the trash for good.".to_owned(), Role::Dim));
    for note in &report.notes {
        lines.push((human::escape(note).into_owned(), Role::Warning));
    }
    for outcome in report.outcomes.iter().filter(|outcome| outcome.state != State::Done) {
        let why = outcome.why.as_deref().unwrap_or("not reached");
        let text = format!("{} {}: {why}", outcome.state.word(), outcome.at.text());
        let role = if outcome.state == State::Failed { Role::Error } else { Role::Warning };
        lines.push((human::escape(&text).into_owned(), role));
    }
}

/// The page of a report.
pub(super) fn report_page(title: &str, lines: &[(String, Role)], width: usize) -> Document {
    let mut document = Document { title: title.to_owned(), ..Document::default() };
    for (text, role) in lines {
        if text.is_empty() {
            gap(&mut document);
        } else {
            paragraph(&mut document, text, *role, width);
        }
    }
    document
}

/// Whether a row can be opened into a plan.
pub(in crate::tui) fn class_of(planned: &Planned) -> Option<Class> {
    match planned {
        Planned::Class(class) => Some(*class),
        Planned::Thing(_) | Planned::Run(_) => None,
    }
}
