//! A page: the window of its lines, with its cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::human;
use crate::tui::layout::{Area, Layout};
use crate::tui::model::Model;
use crate::tui::model::page::{Page, PageKind, Picture};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{frame_pane, map, paint};

/// Draws a page.
pub(super) fn page(
    model: &Model,
    page: &Page,
    buffer: &mut Buffer,
    area: Area,
    layout: &Layout,
    focused: bool,
) {
    let glyphs = model.settings.glyphs;
    let mut title = vec![piece(page.document.title.clone(), Role::Title)];
    let filter = human::escape(page.filter.value()).into_owned();
    if !filter.is_empty() {
        title.push(piece(glyphs.dot(), Role::Dim));
        title.push(piece(format!("/{filter}"), Role::Match));
    }
    let below = page.below();
    let map = page.kind == PageKind::Picture(Picture::Map);
    let note = match (map, below) {
        (false, 1..) => format!("{} more", human::count(below as u64)),
        _ => String::new(),
    };
    frame_pane(model, buffer, area, layout, title, &note, focused);
    if map {
        map::map(model, page, buffer, area.inner);
        return;
    }
    for at in 0..usize::from(area.inner.height) {
        let place = page.place_at(at);
        let Some(line) = page.line(place) else { break };
        let y = area.inner.y + u16::try_from(at).unwrap_or(u16::MAX);
        let row = Rect { y, height: 1, ..area.inner };
        let clipped = text::clip_line(line.line.clone(), usize::from(row.width), glyphs.ellipsis());
        paint(buffer, &model.settings.theme, row, &clipped);
        if focused && page.cursor == Some(place) {
            buffer.set_style(row, model.settings.theme.style(Role::Cursor));
        }
    }
}
