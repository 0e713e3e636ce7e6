//! What was searched, and what could not be read or understood.

use crate::human;
use crate::tui::model::page::{Document, PageLine};
use crate::tui::model::{Doubt, Model, Scan};
use crate::tui::text::piece;
use crate::tui::theme::Role;

use super::{fact, gap, heading, paragraph};

/// The page of problems and of the scan's scope.
pub(super) fn document(model: &Model, width: usize) -> Document {
    let snapshot = model.snapshot();
    let home = model.settings.home.as_deref();
    let mut document = Document { title: "scope and problems".to_owned(), ..Document::default() };
    if let Scan::Failed(message) = &model.scan {
        heading(model, &mut document, "the scan failed", width);
        paragraph(&mut document, &human::escape(message), Role::Error, width);
        gap(&mut document);
    }
    if model.doubt() == Some(Doubt::Cancelled) {
        heading(model, &mut document, "the scan was cancelled", width);
        let words = "What it did not reach counts as in use, and nothing counts as unused.";
        paragraph(&mut document, words, Role::Warning, width);
        gap(&mut document);
    }
    heading(model, &mut document, "searched for environments", width);
    for root in &snapshot.scope.roots {
        let path = human::path(&root.path, home);
        let (words, role) = if root.readable {
            (format!("{path} ({})", human::escape(root.reason)), Role::Text)
        } else {
            (format!("{path} ({}): not there, or not readable", human::escape(root.reason)), Role::Warning)
        };
        paragraph(&mut document, &words, role, width);
    }
    if snapshot.scope.roots.is_empty() {
        paragraph(&mut document, "nowhere yet", Role::Dim, width);
    }
    gap(&mut document);
    if !snapshot.scope.unread.is_empty() {
        heading(model, &mut document, "not searched", width);
        for path in &snapshot.scope.unread {
            paragraph(&mut document, &human::path(path, home), Role::Warning, width);
        }
        gap(&mut document);
    }
    heading(model, &mut document, "problems", width);
    for problem in &snapshot.problems {
        document.lines.push(PageLine {
            line: vec![piece(format!(" {}", human::path(&problem.path, home)), Role::Text)],
            target: None,
            copy: Some(human::shell_os(problem.path.as_os_str())),
        });
        fact(&mut document, "", &human::escape(&problem.message), Role::Warning, width);
    }
    if snapshot.problems.is_empty() && model.doubt().is_some() {
        let words = if model.doubt() == Some(Doubt::Running) { "none so far" } else { "none before its end" };
        paragraph(&mut document, words, Role::Dim, width);
    } else if snapshot.problems.is_empty() {
        paragraph(&mut document, "none: everything that was looked at could be read", Role::Good, width);
    }
    document
}
