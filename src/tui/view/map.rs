//! What fills the cache, as a map: tiles whose areas are in proportion to the bytes, shaded by who holds them.
//!
//! The tiles are cut by the squarified method of Bruls, Huizing and van Wijk (2000): rows are filled along the shorter
//! side for as long as that makes the worst tile less oblong. A terminal's cell counts as twice as high as wide.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::human;
use crate::tui::model::Model;
use crate::tui::model::page::{Page, PageKind, Picture, Tile};
use crate::tui::page::{HOLDERS, Shade};
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;

use super::paint;

/// A rectangle before it is rounded to cells; its width counts cells, its height counts cells twice.
#[derive(Clone, Copy, Debug)]
struct Space {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Draws the map.
pub(super) fn map(model: &Model, page: &Page, buffer: &mut Buffer, area: Rect) {
    for (place, rect) in tiles(page, area) {
        let selected = page.cursor == Some(place);
        tile(model, &page.document.tiles[page.shown[place]], buffer, rect, selected);
    }
}

/// The tile under the cursor and what the shades mean, with their bytes where there is room.
pub(super) fn legend(model: &Model, page: &Page, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let line = |words: fn(Shade, u64) -> String| {
        let mut line = Line::new();
        if let Some(tile) =
            page.cursor.and_then(|place| page.shown.get(place)).map(|at| &page.document.tiles[*at])
        {
            line.push(piece(format!(" {} {} ", tile.name, human::bytes(tile.total())), Role::Strong));
        }
        for (shade, bytes) in HOLDERS.into_iter().zip(page.document.sums).filter(|(_, bytes)| *bytes > 0) {
            line.push(piece(format!(" {} ", shade.fill(glyphs).repeat(2)), shade.role));
            line.push(piece(format!("{} ", words(shade, bytes)), Role::Text));
        }
        line
    };
    let full = line(|shade, bytes| format!("{} {}", shade.word, human::bytes(bytes)));
    let plain = line(|shade, _| shade.word.to_owned());
    let fits = [full, plain].into_iter().find(|line| text::line_width(line) <= width);
    fits.unwrap_or_else(|| line(|shade, _| shade.short.to_owned()))
}

/// The tile at a position, as a place among the page's lines, when the page is a map.
pub(in crate::tui) fn tile_at(page: &Page, area: Rect, at: Position) -> Option<usize> {
    if page.kind != PageKind::Picture(Picture::Map) {
        return None;
    }
    tiles(page, area).into_iter().find(|(_, rect)| rect.contains(at)).map(|(place, _)| place)
}

/// Where each tile is.
fn tiles(page: &Page, area: Rect) -> Vec<(usize, Rect)> {
    // The largest come first, and there can be no more tiles than cells.
    let most = usize::from(area.width) * usize::from(area.height);
    let weights: Vec<f64> = page
        .shown
        .iter()
        .take(most)
        .map(|at| page.document.tiles.get(*at).map_or(0.0, |tile| tile.total() as f64))
        .collect();
    let space = Space { x: 0.0, y: 0.0, width: f64::from(area.width), height: f64::from(area.height) * 2.0 };
    let cut = squarify(&weights, space);
    cut.into_iter()
        .enumerate()
        .map(|(place, space)| (place, round(space, area)))
        .filter(|(_, rect)| !rect.is_empty())
        .collect()
}

/// A space as whole cells of an area; what is less than half a cell wide or high is left out.
fn round(space: Space, area: Rect) -> Rect {
    let cell = |value: f64, most: u16| -> u16 {
        // Rounding both edges the same way makes neighbours meet without a gap.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the area")]
        let cell = value.round().clamp(0.0, f64::from(most)) as u16;
        cell
    };
    let (left, right) = (cell(space.x, area.width), cell(space.x + space.width, area.width));
    let end = space.y + space.height;
    let (top, bottom) = (cell(space.y / 2.0, area.height), cell(end / 2.0, area.height));
    Rect { x: area.x + left, y: area.y + top, width: right - left, height: bottom - top }
}

/// Cuts a space into parts whose areas are in proportion to the weights, which come largest first.
fn squarify(weights: &[f64], mut space: Space) -> Vec<Space> {
    let total: f64 = weights.iter().sum();
    let mut parts = Vec::with_capacity(weights.len());
    if total <= 0.0 || space.width <= 0.0 || space.height <= 0.0 {
        return parts;
    }
    let scale = space.width * space.height / total;
    let mut first = 0;
    while first < weights.len() {
        let side = space.width.min(space.height).max(f64::EPSILON);
        let mut end = first + 1;
        let mut sum = weights[first] * scale;
        let mut worst = oblong(sum, weights[first] * scale, weights[first] * scale, side);
        while end < weights.len() {
            let more = sum + weights[end] * scale;
            let next = oblong(more, weights[first] * scale, weights[end] * scale, side);
            if next > worst {
                break;
            }
            (sum, worst, end) = (more, next, end + 1);
        }
        let thick = sum / side;
        let mut along = 0.0;
        let upright = space.width >= space.height;
        for weight in &weights[first..end] {
            let long = weight * scale / thick.max(f64::EPSILON);
            parts.push(if upright {
                Space { x: space.x, y: space.y + along, width: thick, height: long }
            } else {
                Space { x: space.x + along, y: space.y, width: long, height: thick }
            });
            along += long;
        }
        if upright {
            space.x += thick;
            space.width -= thick;
        } else {
            space.y += thick;
            space.height -= thick;
        }
        first = end;
    }
    parts
}

/// How oblong the worst tile of a row is: the larger of its sides over the smaller.
fn oblong(sum: f64, largest: f64, smallest: f64, side: f64) -> f64 {
    let thick = sum / side;
    let ratio = |area: f64| {
        let long = area / thick;
        (long / thick).max(thick / long)
    };
    ratio(largest).max(ratio(smallest))
}

/// Draws one tile: its shades from left to right, its name and size on top of them.
fn tile(model: &Model, tile: &Tile, buffer: &mut Buffer, rect: Rect, selected: bool) {
    let theme = &model.settings.theme;
    let glyphs = model.settings.glyphs;
    // One cell stays empty at the right and at the bottom, so that tiles can be told apart.
    let gap = |side: u16| if side > 1 { side - 1 } else { side };
    let inner = Rect {
        width: gap(rect.width),
        height: if rect.height > 2 { gap(rect.height) } else { rect.height },
        ..rect
    };
    let total = tile.total().max(1);
    let (mut bytes, mut used) = (0, 0);
    for (shade, part) in HOLDERS.iter().zip(tile.bytes) {
        bytes += part;
        let end = u128::from(bytes) * u128::from(inner.width) / u128::from(total);
        let end = u16::try_from(end).unwrap_or(inner.width).max(used);
        let fill = shade.fill(glyphs).repeat(usize::from(end - used));
        for y in inner.top()..inner.bottom() {
            let place = Rect { x: inner.x + used, y, width: end - used, height: 1 };
            paint(buffer, theme, place, &[piece(fill.as_str(), shade.role)]);
        }
        used = end;
    }
    let room = usize::from(inner.width);
    if room >= 4 {
        let name = text::clip(&tile.name, room.saturating_sub(2), glyphs.ellipsis());
        let role = if selected { Role::TabActive } else { Role::Strong };
        let name = vec![piece(format!(" {name} "), role)];
        paint(buffer, theme, Rect { height: 1, ..inner }, &name);
        let size = format!(" {} ", human::bytes(tile.total()));
        if inner.height >= 2 && room >= text::width(&size) {
            paint(buffer, theme, Rect { y: inner.y + 1, height: 1, ..inner }, &[piece(size, Role::Dim)]);
        }
    } else if selected {
        buffer.set_style(inner, theme.style(Role::Cursor));
    }
}
