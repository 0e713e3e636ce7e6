//! The files of an entry or a distribution, largest first.

use crate::human;
use crate::snapshot::{FileFate, FileRow};
use crate::tui::glyphs::{letter, mode_role};
use crate::tui::model::Model;
use crate::tui::model::page::{Document, Files, PageLine};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{gap, paragraph};

/// The page of files.
pub(super) fn document(model: &Model, title: &str, files: &Files, width: usize) -> Document {
    let mut document = Document { title: format!("files of {title}"), ..Document::default() };
    match files {
        Files::Awaited => paragraph(&mut document, "Listing the files…", Role::Dim, width),
        Files::Failed(message) => {
            gap(&mut document);
            paragraph(&mut document, &human::escape(message), Role::Error, width);
        }
        Files::Listed(rows) if rows.is_empty() => {
            paragraph(&mut document, "There are no files.", Role::Dim, width);
        }
        Files::Listed(rows) => {
            let count = human::counted(rows.len() as u64, "file", "files");
            let bytes = human::bytes(rows.iter().map(|row| row.size).sum());
            let dot = model.settings.glyphs.dot();
            document.title = format!("files of {title}{dot}{count}{dot}{bytes}");
            document.lines = rows.iter().map(|row| line(model, row, width)).collect();
        }
    }
    document
}

fn line(model: &Model, row: &FileRow, width: usize) -> PageLine {
    let glyphs = model.settings.glyphs;
    let room = width.saturating_sub(27);
    let path = text::clip_middle(&human::escape_os(row.path.as_os_str()), room, glyphs.ellipsis());
    let (sign, role) = match row.what {
        FileFate::Linked(mode) => {
            (format!("{} {}", glyphs.fill(Some(mode)), letter(Some(mode))), mode_role(Some(mode)))
        }
        FileFate::Modified => ("! M".to_owned(), Role::Warning),
        FileFate::Dangling | FileFate::Missing => ("! X".to_owned(), Role::Error),
        FileFate::Private | FileFate::Own | FileFate::Plain => ("   ".to_owned(), Role::Dim),
    };
    PageLine {
        line: vec![
            piece(format!(" {sign} {}", text::pad(row.what.word(), 9)), role),
            piece(text::pad_left(&human::bytes(row.size), 10), Role::Dim),
            piece(format!("  {path}"), Role::Text),
        ],
        target: None,
        copy: None,
    }
}
