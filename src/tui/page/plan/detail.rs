//! The details of the view of the plan.

use crate::human;
use crate::plan::repair::{Cause, LinkWork, RepairWork};
use crate::plan::{At, Class, DetachWork, Kept, KeptBecause, RelinkWork, Step, Work};
use crate::snapshot::Certainty;
use crate::tui::model::Model;
use crate::tui::model::page::{Document, Menu, PageLine, Subject, Target};
use crate::tui::model::planning::Row;
use crate::tui::page::{fact, fact_path, gap, heading, paragraph};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{planned_name, suggestion_about};

/// The detail of a row.
pub(in crate::tui::page) fn detail(model: &Model, row: usize, width: usize) -> Document {
    let planning = &model.facts.planning;
    let mut document = Document { title: planned_name(planning, row), ..Document::default() };
    match planning.rows.get(row) {
        Some(Row::Class(class)) => of_class(model, &mut document, *class, width),
        Some(Row::Suggestion(place)) => {
            let suggestion = &planning.suggestions[*place];
            paragraph(
                &mut document,
                &format!("{}.", human::escape(&suggestion.sentence)),
                Role::Strong,
                width,
            );
            gap(&mut document);
            paragraph(&mut document, suggestion_about(suggestion.kind), Role::Text, width);
            gap(&mut document);
            let number = human::counted(suggestion.environments.len() as u64, "environment", "environments");
            heading(model, &mut document, &number, width);
            for path in &suggestion.environments {
                let home = model.settings.home.as_deref();
                fact_path(model, &mut document, "", &human::path(path, home), width);
            }
        }
        Some(Row::Return) => {
            let words = "The plan is kept as you left it. Enter returns to it; p in it drops it.";
            paragraph(&mut document, words, Role::Text, width);
        }
        Some(Row::Run(_)) => {
            paragraph(
                &mut document,
                "What this run removed waits here and still takes its room.",
                Role::Text,
                width,
            );
            gap(&mut document);
            let words = "z puts the newest run back, except what uv has made again; X empties the trash for good. uv's \
                         own prune and clean empty it too.";
            paragraph(&mut document, words, Role::Dim, width);
        }
        Some(Row::Step(_)) => {
            if let Some(step) = planning.step(row) {
                match &step.work {
                    Work::Remove(_) => of_removal(model, &mut document, step, width),
                    Work::Relink(work) => of_relink(model, &mut document, step, work, width),
                    Work::Repair(work) => of_repair(model, &mut document, step, work, width),
                    Work::Link(work) => of_link(model, &mut document, step, work, width),
                    Work::Detach(work) => of_detach(model, &mut document, step, work, width),
                }
            }
        }
        Some(Row::Kept(_)) => {
            if let Some(kept) = planning.kept(row) {
                match kept.cause() {
                    Some(_) => of_broken(model, &mut document, kept, width),
                    None => of_kept(model, &mut document, kept, width),
                }
            }
        }
        None => {}
    }
    document
}

fn of_class(model: &Model, document: &mut Document, class: usize, width: usize) {
    let sums = &model.facts.planning.classes[class];
    let totals = &sums.totals;
    let class = Class::ALL[class];
    paragraph(document, class.sentence(), Role::Text, width);
    gap(document);
    if !sums.unused.is_empty() {
        paragraph(document, &format!("{}.", human::escape(&sums.unused)), Role::Strong, width);
        gap(document);
    }
    fact(document, "can go", &human::counted(totals.steps, "thing", "things"), Role::Text, width);
    fact(document, "frees", &certain(totals.bytes.reclaimable, totals.bytes.certainty), Role::Strong, width);
    if totals.bytes.held > 0 {
        fact(document, "held", &human::bytes(totals.bytes.held), Role::Held, width);
    }
    gap(document);
    if !sums.kept.is_empty() {
        fact(document, "kept", &sums.kept, Role::Held, width);
        gap(document);
    }
    for (_, why) in model.snapshot().cache.odd() {
        paragraph(document, &format!("Everything is kept: {}.", human::escape(&why)), Role::Held, width);
        gap(document);
    }
    if !sums.kept.is_empty() {
        away(model, document, width);
    }
    if sums.is_empty() {
        paragraph(document, "There is nothing of the kind to be removed.", Role::Dim, width);
    } else {
        opens(model, document, "make the plan", Target::Plan(class));
    }
    scope(model, document, width);
}

/// What keeps entries because it is missing, with the command that says it is gone.
fn away(model: &Model, document: &mut Document, width: usize) {
    if let Some(words) = crate::plan::away(model.snapshot()) {
        paragraph(document, &human::escape(&words), Role::Warning, width);
        gap(document);
    }
}

fn of_removal(model: &Model, document: &mut Document, step: &Step, width: usize) {
    fact(document, "does", &step.action.word().replace('-', " "), Role::Text, width);
    fact_path(model, document, "path", &human::escape(step.at.text()), width);
    fact(document, "because", &human::escape(&step.reason), Role::Text, width);
    fact(document, "price", &step.price().words(), Role::Text, width);
    fact(document, "on disk", &human::bytes(step.bytes.disk), Role::Text, width);
    fact(document, "frees", &certain(step.bytes.reclaimable, step.bytes.certainty), Role::Strong, width);
    if step.bytes.held > 0 {
        fact(document, "held", &format!("{} by others", human::bytes(step.bytes.held)), Role::Held, width);
    }
    let id = step.at.path();
    if let Some(subject) = entry_subject(model, &id) {
        opens(model, document, "show the entry", Target::Go(subject));
    }
    if !step.pointers().is_empty() {
        gap(document);
        heading(model, document, "goes first", width);
        for pointer in step.pointers() {
            fact_path(model, document, pointer.form.word(), &human::escape(pointer.at.text()), width);
        }
    }
    if !step.users().is_empty() {
        gap(document);
        // With an environment goes what only it uses; what was marked goes although environments use it.
        let planned = |user: &At| plan_has(model, user);
        let words = if step.users().iter().all(planned) { "goes with" } else { "goes on working" };
        heading(model, document, words, width);
        for user in step.users() {
            fact_path(model, document, "", &human::path(&user.path(), model.settings.home.as_deref()), width);
        }
    }
}

fn plan_has(model: &Model, at: &At) -> bool {
    model.facts.planning.made().is_some_and(|plan| plan.steps.iter().any(|step| step.at == *at))
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
    match &kept.because {
        KeptBecause::Protected { environments } => {
            gap(document);
            let paths = environments.iter().map(At::path).collect();
            opens(model, document, "relink them first", Target::Menu(Menu::Relink(paths)));
        }
        KeptBecause::Broken => {
            gap(document);
            opens(model, document, "repair it first", Target::Menu(Menu::Repair(vec![kept.at.path()])));
        }
        KeptBecause::Doubt | KeptBecause::ReadFailed => {
            gap(document);
            away(model, document, width);
        }
        _ => {}
    }
    if let Some(subject) = entry_subject(model, &kept.at.path()) {
        gap(document);
        opens(model, document, "show the entry", Target::Go(subject));
    }
}

fn of_relink(model: &Model, document: &mut Document, step: &Step, work: &RelinkWork, width: usize) {
    let home = model.settings.home.as_deref();
    fact(document, "does", &format!("links by {}", work.mode.word()), Role::Text, width);
    fact_path(model, document, "in", &human::path(&step.at.path(), home), width);
    fact_path(model, document, "from", &human::escape(work.entry.text()), width);
    fact(document, "because", &human::escape(&step.reason), Role::Text, width);
    let back = certain(step.bytes.reclaimable, step.bytes.certainty);
    fact(document, "frees", &back, Role::Strong, width);
    if step.bytes.needed > 0 {
        fact(document, "takes", &human::bytes(step.bytes.needed), Role::Warning, width);
    }
    if work.modified > 0 {
        let files = human::counted(work.modified, "file is", "files are");
        let words = format!("{files} not the entry's any more: left alone");
        fact(document, "modified", &words, Role::Warning, width);
    }
    go_to(model, document, "show the environment", Subject::Environment(step.at.path()));
}

fn of_repair(model: &Model, document: &mut Document, step: &Step, work: &RepairWork, width: usize) {
    let home = model.settings.home.as_deref();
    let does = match &work.fetch {
        Some(fetch) => format!("has uv fetch `{}`, and links", fetch.requirement),
        None => format!("links by {}", work.link_mode.word()),
    };
    fact(document, "does", &human::escape(&does), Role::Text, width);
    fact_path(model, document, "in", &human::path(&step.at.path(), home), width);
    if let Some(entry) = &work.entry {
        fact_path(model, document, "from", &human::escape(entry.text()), width);
    }
    fact(document, "because", &human::escape(&step.reason), Role::Text, width);
    go_to(model, document, "show the environment", Subject::Environment(step.at.path()));
    gap(document);
    let files = human::counted(step.bytes.files, "file", "files");
    heading(model, document, &format!("{files}, {}", human::bytes(step.bytes.logical)), width);
    for file in &work.files {
        let lies = if file.replaces.is_some() { "dangling" } else { "missing" };
        fact_path(model, document, lies, &human::escape(file.at.text()), width);
    }
}

fn of_link(model: &Model, document: &mut Document, step: &Step, work: &LinkWork, width: usize) {
    let does = format!("writes a {} of the cache again", work.form.word().replace('-', " "));
    fact(document, "does", &does, Role::Text, width);
    fact_path(model, document, "link", &human::escape(step.at.text()), width);
    fact_path(model, document, "to", &human::escape(work.entry.text()), width);
    if let Some(named_by) = &work.named_by {
        fact_path(model, document, "named by", &human::escape(named_by.at.text()), width);
    }
    fact(document, "because", &human::escape(&step.reason), Role::Text, width);
    gap(document);
    let words = "Without it uv's next prune takes the entry, and leaves the pointer that names it: uv would fail on that.";
    paragraph(document, words, Role::Dim, width);
    if let Some(subject) = entry_subject(model, &work.entry.path()) {
        gap(document);
        opens(model, document, "show the entry", Target::Go(subject));
    }
}

fn of_detach(model: &Model, document: &mut Document, step: &Step, work: &DetachWork, width: usize) {
    let home = model.settings.home.as_deref();
    fact(document, "does", "keeps the file there alone", Role::Text, width);
    fact_path(model, document, "keeps", &human::path(&step.at.path(), home), width);
    fact_path(model, document, "content", &human::path(&work.good.path(), home), width);
    fact(document, "because", &human::escape(&step.reason), Role::Text, width);
    for other in &work.others {
        fact_path(model, document, "restores", &human::path(&other.path(), home), width);
    }
    go_to(model, document, "show the environment", Subject::Environment(work.keeps.root.path()));
}

fn of_broken(model: &Model, document: &mut Document, left: &Kept, width: usize) {
    fact_path(model, document, "in", &human::path(&left.at.path(), model.settings.home.as_deref()), width);
    gap(document);
    let is_edited = left.cause() == Some(Cause::Modified);
    let stays = if is_edited { "Stays as it is" } else { "Stays broken" };
    let reason = format!("{stays}: {}.", human::escape(&left.reason));
    paragraph(document, &reason, Role::Error, width);
    if let Some(warning) = left.warning() {
        gap(document);
        paragraph(document, &human::escape(warning), Role::Warning, width);
    }
    if !left.commands().is_empty() {
        gap(document);
        heading(model, document, "what repairs it", width);
    }
    for command in left.commands() {
        let text = command.text();
        for (number, line) in text::wrap(&human::escape(&text), width.saturating_sub(2)).iter().enumerate() {
            document.lines.push(PageLine {
                line: vec![piece(format!(" {line}"), Role::Strong)],
                // The first line stands for all of them.
                copy: (number == 0).then(|| human::escape(&text).into_owned()),
                target: None,
            });
        }
    }
    go_to(model, document, "show the environment", Subject::Environment(left.at.path()));
    if !left.files().is_empty() {
        gap(document);
        heading(model, document, "files", width);
        for file in left.files() {
            fact_path(model, document, "", &human::escape(file.text()), width);
        }
    }
}

/// Adds a line that opens something.
fn opens(model: &Model, document: &mut Document, words: &str, target: Target) {
    document.lines.push(PageLine {
        line: vec![
            piece(format!(" {words}"), Role::Strong),
            piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
        ],
        target: Some(target),
        copy: None,
    });
}

/// Adds a line that goes to something, if that is there.
fn go_to(model: &Model, document: &mut Document, words: &str, subject: Subject) {
    if model.row_of(&subject).is_some() {
        opens(model, document, words, Target::Go(subject));
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

/// A number of bytes, and whether it is a bound.
pub(in crate::tui::page) fn certain(bytes: u64, certainty: Certainty) -> String {
    format!("{}{}", certainty.before(), human::bytes(bytes))
}
