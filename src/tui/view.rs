//! Draws the model: one frame from one value, and only what is visible of it.

mod cells;
mod header;
mod list;
mod map;
mod page;
mod status;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line as Styled, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::glyphs::Glyphs;
use super::layout::{Area, LEAST_HEIGHT, LEAST_WIDTH, Layout};
use super::model::page::PageKind;
use super::model::{Model, Pane};
use super::text::{self, Line};
use super::theme::{Role, Theme};

pub(super) use header::tabs;
pub(super) use map::tile_at;

/// Draws a frame.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let screen = frame.area();
    let buffer = frame.buffer_mut();
    let (width, height) = model.size;
    // The terminal may already be smaller than the last event said; its own event is on its way.
    if screen.width < width || screen.height < height {
        return;
    }
    if width < LEAST_WIDTH || height < LEAST_HEIGHT {
        let room = format!("cachetui needs {LEAST_WIDTH}×{LEAST_HEIGHT}");
        let room = if model.settings.glyphs == Glyphs::Ascii { room.replace('×', "x") } else { room };
        Paragraph::new(room).render(screen, buffer);
        return;
    }
    let layout = Layout::of(model);
    if let Some(area) = layout.header {
        header::header(model, buffer, area);
    }
    if let Some(area) = layout.tabs {
        header::tab_line(model, buffer, area);
    }
    let covered = model.layers.last().is_some_and(|layer| {
        !matches!(
            layer.kind,
            PageKind::Sort | PageKind::Menu(_) | PageKind::Confirm(..) | PageKind::Report(..)
        )
    });
    if !covered {
        if let Some(area) = layout.list {
            list::list(model, buffer, area, &layout);
        }
        if let Some(area) = layout.note.filter(|_| model.layers.is_empty()) {
            list::note(model, buffer, area);
        }
        if let Some(area) = layout.detail {
            let focused = model.pane == Pane::Detail && model.layers.is_empty();
            page::page(model, &model.detail, buffer, area, &layout, focused);
        }
    }
    if let Some(layer) = model.layers.last() {
        let area = layout.layer(layer);
        Clear.render(area.outer, buffer);
        page::page(model, layer, buffer, area, &layout, true);
    }
    if let Some(area) = layout.sums {
        status::sums(model, buffer, area);
    }
    if let Some(area) = layout.status {
        status::status(model, buffer, area, layout.sums.is_none());
    }
    if let Some(area) = layout.footer {
        status::footer(model, buffer, area);
    }
}

/// Draws a line of pieces at the left edge of an area, and never beyond it.
fn paint(buffer: &mut Buffer, theme: &Theme, area: Rect, line: &[text::Piece]) {
    if area.is_empty() {
        return;
    }
    let spans: Vec<Span<'_>> =
        line.iter().map(|piece| Span::styled(piece.text.as_str(), theme.style(piece.role))).collect();
    buffer.set_line(area.x, area.y, &Styled::from(spans), area.width);
}

/// Draws a line of pieces at the right edge of an area; gives back how many cells it took.
fn paint_right(buffer: &mut Buffer, theme: &Theme, area: Rect, line: &[text::Piece]) -> u16 {
    let wide = u16::try_from(text::line_width(line)).unwrap_or(u16::MAX).min(area.width);
    paint(buffer, theme, Rect { x: area.right() - wide, width: wide, ..area }, line);
    wide
}

/// Draws the border of a pane with a title at its top left and a short note at its bottom right.
fn frame_pane(
    model: &Model,
    buffer: &mut Buffer,
    area: Area,
    layout: &Layout,
    title: Line,
    note: &str,
    focused: bool,
) {
    if !layout.bordered {
        return;
    }
    let theme = &model.settings.theme;
    let glyphs = model.settings.glyphs;
    let border = theme.style(if focused { Role::BorderFocused } else { Role::Border });
    let room = usize::from(area.outer.width.saturating_sub(4));
    let mut pieces = vec![text::piece(" ", Role::Text)];
    pieces.extend(text::clip_line(title, room.saturating_sub(2), glyphs.ellipsis()));
    pieces.push(text::piece(" ", Role::Text));
    let spans: Vec<Span<'_>> =
        pieces.iter().map(|piece| Span::styled(piece.text.as_str(), theme.style(piece.role))).collect();
    let mut block =
        Block::bordered().border_set(glyphs.border()).border_style(border).title_top(Styled::from(spans));
    if !note.is_empty() {
        let note = Styled::styled(format!(" {note} "), theme.style(Role::Dim));
        block = block.title_bottom(note.alignment(Alignment::Right));
    }
    block.render(area.outer, buffer);
}
