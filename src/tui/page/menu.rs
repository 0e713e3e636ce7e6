//! Menus: in which mode to relink, and from where to repair.

use std::path::PathBuf;

use crate::human;
use crate::snapshot::Mode;
use crate::tui::model::Model;
use crate::tui::model::page::{Document, Menu, PageLine, Target};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{gap, paragraph};

/// The lines of a menu.
pub(super) fn document(model: &Model, menu: &Menu, width: usize) -> Document {
    let mut document = Document::default();
    let home = model.settings.home.as_deref();
    let of = |paths: &[PathBuf]| match paths {
        [one] => human::path(one, home),
        many => human::counted(many.len() as u64, "environment", "environments"),
    };
    match menu {
        Menu::Relink(paths) => {
            "relink".clone_into(&mut document.title);
            paragraph(&mut document, &format!("Link modes for {}:", of(paths)), Role::Text, width);
            gap(&mut document);
            let clones = model.snapshot().cache.reflinks;
            for mode in Mode::ALL {
                let target = Target::Relink(paths.clone(), mode);
                choice(model, &mut document, mode.word(), about(mode, clones), target, width);
            }
        }
        Menu::Repair(paths) => {
            "repair".clone_into(&mut document.title);
            let words = format!("What is missing or leads nowhere in {} comes", of(paths));
            paragraph(&mut document, &words, Role::Text, width);
            gap(&mut document);
            let choices = [
                ("from the cache", "Only what this cache has; nothing is fetched.", false),
                (
                    "from the cache, else by uv",
                    "uv fetches what the cache has not, as its settings say; it may use the network.",
                    true,
                ),
            ];
            for (title, words, with_uv) in choices {
                let target = Target::Repair(paths.clone(), with_uv);
                choice(model, &mut document, title, words, target, width);
            }
        }
    }
    document
}

fn about(mode: Mode, clones: bool) -> &'static str {
    match mode {
        Mode::Clone if clones => "Shares bytes with the cache until one of the two is changed.",
        Mode::Clone => "This filesystem knows no clones: these will be hardlinks, as with uv.",
        Mode::Hardlink => "Is the cache's own file: who edits it edits the cache.",
        Mode::Symlink => "Leads into the cache: breaks when that is cleaned or pruned.",
        Mode::Copy => "Independent of the cache; takes its own room.",
    }
}

fn choice(model: &Model, document: &mut Document, title: &str, words: &str, target: Target, width: usize) {
    let opens = model.settings.glyphs.opens();
    document.lines.push(PageLine {
        line: vec![piece(format!(" {title}"), Role::Strong), piece(format!(" {opens}"), Role::Key)],
        target: Some(target),
        copy: None,
    });
    for line in text::wrap(words, width.saturating_sub(5)) {
        document
            .lines
            .push(PageLine { line: vec![piece(format!("   {line}"), Role::Dim)], ..PageLine::default() });
    }
}
