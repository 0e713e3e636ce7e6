//! The detail of a pointer.

use crate::human;
use crate::snapshot::{EntryState, PointerForm};
use crate::tui::model::Model;
use crate::tui::model::facts::entry_title;
use crate::tui::model::page::{Document, PageLine, Subject, Target};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::entry::pointer_role;
use super::{fact, gap, paragraph};

/// The detail of the pointer in a row of the snapshot.
pub(super) fn document(model: &Model, row: usize, width: usize) -> Document {
    let snapshot = model.snapshot();
    let pointer = &snapshot.pointers[row];
    let name = pointer.path.file_name().unwrap_or(pointer.path.as_os_str());
    let mut document = Document { title: human::escape_os(name).into_owned(), ..Document::default() };
    fact(&mut document, "path", &human::escape_os(pointer.path.as_os_str()), Role::Text, width);
    let form = match pointer.form {
        PointerForm::Symlink => "symlink",
        PointerForm::LinkFile => "link file: a file that holds a path",
        PointerForm::Http => ".http file: what was downloaded, and its cache policy",
        PointerForm::Rev => ".rev file: what was unpacked or built from a local source",
    };
    fact(&mut document, "form", form, Role::Text, width);
    fact(&mut document, "state", pointer.state.word(), pointer_role(pointer.state), width);
    let says = if pointer.target.is_empty() {
        "nothing that could be read".into()
    } else {
        human::escape(&pointer.target)
    };
    fact(&mut document, "says", &says, Role::Text, width);
    if let Some(modified) = pointer.modified {
        fact(&mut document, "written", &human::ago(modified, model.moment.now), Role::Text, width);
    }
    gap(&mut document);
    if !pointer.note.is_empty() {
        paragraph(&mut document, &human::escape(&pointer.note), Role::Warning, width);
        gap(&mut document);
    }
    if let Some(index) = pointer.entry {
        let entry = snapshot.entry(index);
        let label = text::pad("leads to", super::LABEL);
        document.lines.push(PageLine {
            line: vec![
                piece(format!(" {label}"), Role::Dim),
                piece(entry_title(entry), Role::Strong),
                piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
            ],
            target: Some(Target::Go(Subject::Entry(entry.key.clone()))),
            copy: None,
        });
        let word = model.facts.state(index.position());
        let word = word.map_or("who uses it is not known", EntryState::word);
        let state = format!("{}, {word}", human::bytes(entry.disk));
        fact(&mut document, "", &state, Role::Dim, width);
    }
    document
}
