//! The lines of every page, made from the model for one width.

mod entry;
mod environment;
mod files;
mod help;
mod kept;
mod link;
mod lock;
mod menu;
mod picture;
mod plan;
mod problems;
mod question;
mod report;

pub(super) use entry::{pointer_role, state_role};
pub(super) use environment::health;
pub(super) use lock::{holder, lock_role, resource, since, state_word};
pub(super) use picture::{HOLDERS, Shade};
pub(super) use plan::{
    class_of, planned_bytes, planned_name, planned_package, planned_sign, planned_title, planned_why,
};
pub(super) use question::verb;
pub(super) use report::{ReportLine, report, said};

use super::model::page::{Document, PageKind, PageLine, Subject, Target};
use super::model::{Doubt, Model, View};
use super::text::{self, Line, piece};
use super::theme::Role;

/// The width of the labels on the left of a detail, in cells.
const LABEL: usize = 11;

/// Makes the lines of a page for a width in cells.
pub(super) fn document(model: &Model, kind: &PageKind, width: usize) -> Document {
    match kind {
        PageKind::Detail(subject) => detail(model, subject, width),
        PageKind::Why(key) => kept::document(model, key, width),
        PageKind::Problems => problems::document(model, width),
        PageKind::Help => help::document(model, width),
        PageKind::Sort => sort(model),
        PageKind::Picture(_) => picture::document(model, width),
        PageKind::Confirm(question, answer) => question::question(model, question, *answer, width),
        PageKind::Menu(menu) => menu::document(model, menu, width),
        PageKind::Report(title, lines) => report::document(model, title, lines, width),
        PageKind::Files { title, files, .. } => files::document(model, title, files, width),
    }
}

fn detail(model: &Model, subject: &Subject, width: usize) -> Document {
    let row = model.row_of(subject).map(|row| row as usize);
    match (subject, row) {
        (Subject::Entry(_), Some(row)) => entry::document(model, row, width),
        (Subject::Environment(_), Some(row)) => environment::document(model, row, width),
        (Subject::Link(_), Some(row)) => link::document(model, row, width),
        (Subject::Lock(_), Some(row)) => lock::document(model, row, width),
        (Subject::Planned(_), Some(row)) => plan::detail(model, row, width),
        _ => {
            let mut document = Document { title: "nothing".to_owned(), ..Document::default() };
            paragraph(&mut document, &empty(model), Role::Dim, width);
            document
        }
    }
}

/// Why the shown list is empty. Escaped.
pub(super) fn empty(model: &Model) -> String {
    if let Some(trouble) = &model.list().trouble {
        return format!("The filter matches nothing: {}.", crate::human::escape(trouble));
    }
    if !model.list().filter.value().trim().is_empty() {
        return "No row matches the filter. Esc clears it.".to_owned();
    }
    without_rows(model).to_owned()
}

/// Why there is no row at all.
fn without_rows(model: &Model) -> &'static str {
    if model.view == View::Locks {
        return if model.facts.asked_locks { "There is no lock file." } else { "Not known yet." };
    }
    match (model.blank(), model.view) {
        (Some(Doubt::Running), View::Entries) => "Nothing yet, the scan has only begun.",
        (Some(Doubt::Running), View::Environments) => {
            "Not known yet: environments are read at the end of the scan, which is still running."
        }
        (Some(Doubt::Running), View::Plan) => {
            "Not known yet: what could be pruned is known at the end of the scan, which is still running."
        }
        (Some(Doubt::Running), View::Links | View::Locks) => {
            "Not known yet: links are followed at the end of the scan, which is still running."
        }
        (Some(doubt), _) => doubt.sentence(),
        (None, View::Entries) => "There is no entry in this cache.",
        (None, View::Environments) => "No environment was found; ! shows where was searched.",
        (None, View::Plan) => "There is nothing to do and nothing in the trash.",
        (None, View::Links | View::Locks) => "Nothing in this cache leads to entries.",
    }
}

fn sort(model: &Model) -> Document {
    let mut document = Document { title: format!("order of {}", model.view.noun()), ..Document::default() };
    let sort = model.list().sort;
    for column in model.view.columns().iter().filter(|column| column.sorts()) {
        let current = *column == sort.column;
        let name = if matches!(column, super::model::column::Column::Size)
            && matches!(model.view, View::Entries | View::Environments)
        {
            model.measure.title()
        } else {
            column.title()
        };
        let arrow = if current { model.settings.glyphs.arrow(sort.descending) } else { " " };
        let role = if current { Role::ColumnSorted } else { Role::Text };
        document.lines.push(PageLine {
            line: vec![piece(format!(" {arrow} {}", name.to_lowercase()), role)],
            target: Some(Target::Sort(*column)),
            copy: None,
        });
    }
    document
}

/// Adds a line.
fn push(document: &mut Document, line: Line) {
    document.lines.push(PageLine { line, ..PageLine::default() });
}

/// Adds an empty line.
fn gap(document: &mut Document) {
    push(document, Line::new());
}

/// Adds a heading with a rule behind it.
fn heading(model: &Model, document: &mut Document, text: &str, width: usize) {
    let rule = width.saturating_sub(text::width(text) + 2);
    let glyphs = model.settings.glyphs;
    let line = vec![
        piece(" ", Role::Border),
        piece(text, Role::Title),
        piece(" ", Role::Border),
        piece(glyphs.rule(rule), Role::Border),
    ];
    push(document, text::clip_line(line, width, glyphs.ellipsis()));
}

/// Adds a sentence, broken into lines.
fn paragraph(document: &mut Document, sentence: &str, role: Role, width: usize) {
    for line in text::wrap(sentence, width.saturating_sub(2)) {
        push(document, vec![piece(format!(" {line}"), role)]);
    }
}

/// Adds a label and a path or the like on one line, shortened in its middle where it must be.
fn fact_path(model: &Model, document: &mut Document, label: &str, value: &str, width: usize) {
    let room = width.saturating_sub(LABEL + 2).max(8);
    let value = text::clip_middle(value, room, model.settings.glyphs.ellipsis());
    push(document, vec![piece(format!(" {}", text::pad(label, LABEL)), Role::Dim), piece(value, Role::Text)]);
}

/// Adds a label and what it is the label of, broken into lines beside it.
fn fact(document: &mut Document, label: &str, value: &str, role: Role, width: usize) {
    debug_assert!(text::width(label) < LABEL, "`{label}` would touch what it is the label of");
    let room = width.saturating_sub(LABEL + 2).max(8);
    for (number, line) in text::wrap(value, room).into_iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        push(document, vec![piece(format!(" {}", text::pad(label, LABEL)), Role::Dim), piece(line, role)]);
    }
}
