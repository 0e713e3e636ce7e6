//! The help, made from the keymap; opening a line does what its key does.

use crate::snapshot::Mode;
use crate::tui::glyphs::{letter, mode_role};
use crate::tui::model::Model;
use crate::tui::model::page::{Document, PageLine, Target};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{gap, heading, push};

/// The page of all keys.
pub(super) fn document(model: &Model, width: usize) -> Document {
    let glyphs = model.settings.glyphs;
    let width = width.min(96);
    let mut document = Document {
        title: format!("help{}enter runs a line{0}/ filters", glyphs.dot()),
        ..Document::default()
    };
    let mut group = None;
    for binding in model.settings.keymap.bindings() {
        if group != Some(&binding.group) {
            if group.is_some() {
                gap(&mut document);
            }
            heading(model, &mut document, &binding.group, width);
            group = Some(&binding.group);
        }
        let keys = glyphs.key(&binding.shown());
        for (number, about) in text::wrap(&binding.about, width.saturating_sub(19)).into_iter().enumerate() {
            let keys = if number == 0 { keys.as_str() } else { "" };
            document.lines.push(PageLine {
                line: vec![piece(format!("  {} ", text::pad(keys, 15)), Role::Key), piece(about, Role::Text)],
                target: (number == 0).then_some(Target::Run(binding.action)),
                copy: None,
            });
        }
    }
    gap(&mut document);
    heading(model, &mut document, "Signs", width);
    for mode in [Some(Mode::Hardlink), Some(Mode::Clone), Some(Mode::Symlink), Some(Mode::Copy), None] {
        let about = match mode {
            Some(Mode::Hardlink) => "hardlink: one file with two names; takes no room of its own",
            Some(Mode::Clone) => "clone: shares its blocks with the cache until it is changed",
            Some(Mode::Symlink) => "symlink: leads into the cache, and breaks without it",
            Some(Mode::Copy) => "copy: takes the same room again",
            None => "not known: no file could be attributed",
        };
        push(
            &mut document,
            vec![
                piece(text::pad(&format!("  {} {}", glyphs.fill(mode), letter(mode)), 18), mode_role(mode)),
                piece(text::clip(about, width.saturating_sub(19), glyphs.ellipsis()), Role::Text),
            ],
        );
    }
    document
}
