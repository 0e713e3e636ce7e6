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
            marked(model, &mut document, paths, width);
            gap(&mut document);
            let clones = model.snapshot().cache.reflinks;
            for mode in Mode::ALL {
                let target = Target::Relink(paths.clone(), mode);
                choice(model, &mut document, mode.word(), about(mode, clones), target, width);
            }
        }
        Menu::Repair(paths) => {
            "repair".clone_into(&mut document.title);
            paragraph(&mut document, &format!("Repair {} from:", of(paths)), Role::Text, width);
            marked(model, &mut document, paths, width);
            gap(&mut document);
            let choices = [
                ("this cache only", "Nothing is downloaded.", false),
                (
                    "this cache, then download with uv",
                    "uv fetches what the cache does not have, by its own settings; it may use the network.",
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

/// The most environments that a menu names one by one.
const NAMED: usize = 6;

/// Names the environments where there are several, and says which of them are not in sight.
fn marked(model: &Model, document: &mut Document, paths: &[PathBuf], width: usize) {
    let hidden =
        |path: &PathBuf| model.environment_hidden(path).filter(|_| model.marks.environments.contains(path));
    let home = model.settings.home.as_deref();
    let single = paths.len() == 1;
    // What is not in sight is named before the rest.
    let mut ordered: Vec<&PathBuf> = paths.iter().filter(|path| !single || hidden(path).is_some()).collect();
    ordered.sort_by_key(|path| hidden(path).is_none());
    for path in ordered.iter().take(NAMED) {
        let ellipsis = model.settings.glyphs.ellipsis();
        let why = hidden(path).map_or(String::new(), |why| format!("  ({why})"));
        let room = width.saturating_sub(text::width(&why) + 4);
        let shown = text::clip_middle(&human::path(path, home), room, ellipsis);
        document.lines.push(PageLine {
            line: vec![piece(format!("   {shown}"), Role::Dim), piece(why, Role::Warning)],
            ..PageLine::default()
        });
    }
    let rest = &ordered[ordered.len().min(NAMED)..];
    if !rest.is_empty() {
        let out = rest.iter().filter(|path| hidden(path).is_some()).count() as u64;
        let out = if out > 0 { format!(", {} of them not shown", human::count(out)) } else { String::new() };
        let words = format!("and {} more{out}", human::count(rest.len() as u64));
        paragraph(document, &words, Role::Dim, width);
    }
}

fn about(mode: Mode, clones: bool) -> &'static str {
    match mode {
        Mode::Clone if clones => "Shares bytes with the cache until one of the two is changed.",
        Mode::Clone => "This filesystem has no clones: these will be hardlinks, as with uv.",
        Mode::Hardlink => "Is the cache's own file: an edit changes the cache too.",
        Mode::Symlink => "Points into the cache: breaks when that is cleaned or pruned.",
        Mode::Copy => "Independent of the cache; takes its own space.",
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
