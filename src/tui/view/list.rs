//! A list: headings with the order's arrow, and the rows of its window.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::human;
use crate::tui::layout::{Area, Layout};
use crate::tui::model::column::{self, Column, Placed};
use crate::tui::model::{Model, Pane, View};
use crate::tui::page::{empty, planned_name, planned_title, planned_why};
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;
use crate::tui::update::is_marked;

use super::cells::{Cell, cell};
use super::{frame_pane, paint};

/// Draws the list of the shown view.
pub(super) fn list(model: &Model, buffer: &mut Buffer, area: Area, layout: &Layout) {
    let focused = model.pane == Pane::List && model.layers.is_empty();
    let list = model.list();
    let note = if list.order.len() > list.height {
        format!("{} of {}", human::count(list.cursor as u64 + 1), human::count(list.order.len() as u64))
    } else {
        String::new()
    };
    frame_pane(model, buffer, area, layout, title(model), &note, focused);
    let placed = model.placed(area.inner.width);
    headings(model, buffer, area.inner, &placed);
    for (at, row) in list.visible().iter().enumerate() {
        let y = area.inner.y + 1 + u16::try_from(at).unwrap_or(u16::MAX);
        let line = Rect { y, height: 1, ..area.inner };
        draw_row(model, buffer, line, &placed, *row);
        if list.offset + at == list.cursor {
            let role = if focused { Role::Cursor } else { Role::CursorUnfocused };
            buffer.set_style(line, model.settings.theme.style(role));
        }
    }
    if list.order.is_empty() && area.inner.height > 1 {
        let lines = text::wrap(&empty(model), usize::from(area.inner.width.saturating_sub(3)));
        for (at, words) in (1..area.inner.height).zip(lines) {
            let line = Rect { y: area.inner.y + at, height: 1, ..area.inner };
            paint(buffer, &model.settings.theme, line, &[piece(format!("  {words}"), Role::Dim)]);
        }
    }
}

/// Draws what the row under the cursor is about and why it is there, whole.
pub(super) fn note(model: &Model, buffer: &mut Buffer, area: Rect) {
    let Some(row) = model.list().row() else { return };
    let planning = &model.facts.planning;
    let (name, why) = (planned_name(planning, row as usize), planned_why(planning, row as usize));
    let mut lines = text::wrap(&format!("{name}: {why}"), usize::from(area.width.saturating_sub(3)));
    if lines.len() > usize::from(area.height) {
        lines.truncate(usize::from(area.height));
        lines.last_mut().expect("there is a line").push_str(model.settings.glyphs.ellipsis());
    }
    for (line, words) in area.rows().zip(lines) {
        paint(buffer, &model.settings.theme, line, &[piece(format!(" {words}"), Role::Dim)]);
    }
}

fn title(model: &Model) -> Line {
    let glyphs = model.settings.glyphs;
    let list = model.list();
    let all = match model.view {
        View::Entries => model.snapshot().entries.len(),
        View::Environments => model.snapshot().environments.len(),
        View::Links => model.snapshot().pointers.len(),
        View::Locks => model.facts.locks.files.len(),
        View::Plan => model.facts.planning.rows.len(),
    } as u64;
    let shown = list.order.len() as u64;
    let unknown = if model.view == View::Locks { !model.facts.asked_locks } else { model.blank().is_some() };
    let count = if unknown && all == 0 {
        glyphs.ellipsis().to_owned()
    } else if shown == all {
        human::count(all)
    } else {
        format!("{} of {}", human::count(shown), human::count(all))
    };
    let column = match list.sort.column {
        Column::Size => model.measure.title(),
        column => column.title(),
    };
    let noun =
        if model.view == View::Plan { planned_title(&model.facts.planning) } else { model.view.noun() };
    let mut title = vec![piece(noun, Role::Title), piece(format!(" {count}"), Role::Strong)];
    let about = model.facts.planning.environment.as_ref().filter(|_| model.view == View::Plan);
    if let Some(root) = about {
        let path = human::path(&root.path(), model.settings.home.as_deref());
        title.extend([piece(glyphs.dot(), Role::Dim), piece(path, Role::Text)]);
    }
    // The plan's own order is not worth a word.
    if list.sort.column != Column::Order {
        let order = format!("by {} {}", column.to_lowercase(), glyphs.arrow(list.sort.descending));
        title.extend([piece(glyphs.dot(), Role::Dim), piece(order, Role::Dim)]);
    }
    let filter = human::escape(list.filter.value()).into_owned();
    if !filter.is_empty() {
        title.push(piece(glyphs.dot(), Role::Dim));
        title.push(piece(format!("/{filter}"), Role::Match));
    }
    title
}

fn headings(model: &Model, buffer: &mut Buffer, area: Rect, placed: &[Placed]) {
    let glyphs = model.settings.glyphs;
    let sort = model.list().sort;
    let gap = column::gap(area.width);
    for Placed { column, start, width } in placed {
        let sorted = *column == sort.column;
        let name = if *column == Column::Size { model.measure.title() } else { column.title() };
        let arrow = if sorted { format!(" {}", glyphs.arrow(sort.descending)) } else { String::new() };
        // Where it makes the name fit, the arrow stands close to it, and the gap before the column is used.
        let close = text::width(name) + text::width(&arrow) > usize::from(*width);
        let arrow = if close { arrow.trim_start() } else { &arrow };
        let (start, width) =
            if close && column.right() && gap > 1 { (start - 1, width + 1) } else { (*start, *width) };
        let room = usize::from(width).saturating_sub(text::width(arrow));
        let words = format!("{}{arrow}", text::clip(name, room, ""));
        let words = if column.right() { text::pad_left(&words, usize::from(width)) } else { words };
        let role = if sorted { Role::ColumnSorted } else { Role::Column };
        let place = Rect { x: area.x + start, width, height: 1, ..area };
        paint(buffer, &model.settings.theme, place.intersection(area), &[piece(words, role)]);
    }
}

fn draw_row(model: &Model, buffer: &mut Buffer, area: Rect, placed: &[Placed], row: u32) {
    let glyphs = model.settings.glyphs;
    let theme = &model.settings.theme;
    let sign = if is_marked(model, row) {
        Some(glyphs.mark())
    } else if model.list().anchor == Some(row) {
        Some(glyphs.opens())
    } else {
        None
    };
    if let Some(sign) = sign {
        paint(buffer, theme, area, &[piece(sign, Role::Mark)]);
    }
    for Placed { column, start, width } in placed {
        let place = Rect { x: area.x + start, width: *width, ..area }.intersection(area);
        if place.is_empty() {
            continue;
        }
        let Cell { line, right } = cell(model, *column, row as usize, usize::from(place.width));
        let line = text::clip_line(line, usize::from(place.width), glyphs.ellipsis());
        let wide = u16::try_from(text::line_width(&line)).unwrap_or(place.width).min(place.width);
        let shift = if right { place.width - wide } else { 0 };
        paint(buffer, theme, Rect { x: place.x + shift, width: place.width - shift, ..place }, &line);
    }
}
