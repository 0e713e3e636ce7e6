//! Frames as pictures: what a terminal would show of a buffer, as SVG.
//!
//! Text is stretched to its cells, so that columns stand below each other in every font; lines, blocks and shades are
//! drawn, so that they join as they do in a terminal.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// The size of a cell.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
/// Where the baseline of text is in a cell.
const BASELINE: f64 = 13.2;
/// Space around the cells, and the height of the bar above them.
const MARGIN: f64 = 14.0;
const BAR: f64 = 30.0;
const FONT: &str = "ui-monospace, 'SF Mono', Menlo, 'Cascadia Mono', Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";
const BACKGROUND: &str = "#15181e";
const FOREGROUND: &str = "#d5d9e2";

/// The picture of a frame, in a window with a title.
pub(crate) fn picture(buffer: &Buffer, title: &str) -> String {
    let area = buffer.area;
    let (width, height) =
        (f64::from(area.width) * WIDTH + 2.0 * MARGIN, f64::from(area.height) * HEIGHT + BAR + MARGIN);
    let mut svg = String::new();
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="{0}">
<title>{0}</title>
<rect x="0.5" y="0.5" width="{1:.0}" height="{2:.0}" rx="9" fill="{BACKGROUND}" stroke="#2c313c"/>
<circle cx="20" cy="16" r="5" fill="#454b58"/><circle cx="38" cy="16" r="5" fill="#454b58"/><circle cx="56" cy="16" r="5" fill="#454b58"/>
<g font-family="{FONT}" font-size="14" xml:space="preserve" fill="{FOREGROUND}" shape-rendering="auto">"##,
        escape(title),
        width - 1.0,
        height - 1.0,
    )
    .unwrap();
    for y in 0..area.height {
        line(&mut svg, buffer, y);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// What a run of cells has in common.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    front: &'static str,
    back: Option<&'static str>,
    bold: bool,
    underlined: bool,
    dim: bool,
}

fn look(cell: &Cell) -> Look {
    let style = cell.style();
    let front = color(cell.fg).unwrap_or(FOREGROUND);
    let back = color(cell.bg);
    let has = |modifier| style.add_modifier.contains(modifier);
    let (front, back) =
        if has(Modifier::REVERSED) { (back.unwrap_or(BACKGROUND), Some(front)) } else { (front, back) };
    Look {
        front,
        back,
        bold: has(Modifier::BOLD),
        underlined: has(Modifier::UNDERLINED),
        dim: has(Modifier::DIM),
    }
}

/// The 16 colours, for a dark background; none for the terminal's own.
fn color(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Black => "#15181e",
        Color::Red => "#ec6a74",
        Color::Green => "#84c67e",
        Color::Yellow => "#e0b765",
        Color::Blue => "#5f97e8",
        Color::Magenta => "#c08be0",
        Color::Cyan => "#4fc0cf",
        Color::Gray => "#aeb4c0",
        Color::DarkGray => "#6d7484",
        Color::LightRed => "#ff8d94",
        Color::LightGreen => "#a3dd9e",
        Color::LightYellow => "#f3d08a",
        Color::LightBlue => "#8bb7f5",
        Color::LightMagenta => "#d6abf0",
        Color::LightCyan => "#7fd9e5",
        Color::White => "#f4f6fa",
        _ => return None,
    })
}

fn line(svg: &mut String, buffer: &Buffer, y: u16) {
    let mut x = 0;
    while x < buffer.area.width {
        let first = look(&buffer[(x, y)]);
        let start = x;
        let mut text = String::new();
        while x < buffer.area.width && look(&buffer[(x, y)]) == first {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            x += u16::try_from(symbol.width().max(1)).unwrap();
        }
        run(svg, start, y, &text, first);
    }
}

/// Draws a run of cells that look the same.
fn run(svg: &mut String, x: u16, y: u16, text: &str, look: Look) {
    let (left, top) = (MARGIN + f64::from(x) * WIDTH, BAR + f64::from(y) * HEIGHT);
    if let Some(back) = look.back {
        let width = text.width() as f64 * WIDTH;
        writeln!(
            svg,
            r#"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{HEIGHT}" fill="{back}"/>"#
        )
        .unwrap();
    }
    // Words go out whole; drawn signs go out by kind, as long as they repeat.
    let mut at = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same: usize = if is_drawn(first) {
            rest.chars().take_while(|next| *next == first).map(char::len_utf8).sum()
        } else {
            rest.find(is_drawn).unwrap_or(rest.len())
        };
        let (part, after) = rest.split_at(same);
        let cells = part.width();
        let left = left + at as f64 * WIDTH;
        if is_drawn(first) {
            draw(svg, first, left, top, cells, look);
        } else {
            words(svg, part, left, top, look);
        }
        at += cells;
        rest = after;
    }
}

fn is_drawn(sign: char) -> bool {
    matches!(sign, '─' | '│' | '╭' | '╮' | '╰' | '╯' | '╱' | '█'..='▏' | '░' | '▒' | '▓')
}

/// Draws words where they stand; the spaces between far ones are left out.
fn words(svg: &mut String, text: &str, left: f64, top: f64, look: Look) {
    let mut cell = 0;
    for piece in text.split_inclusive("  ") {
        let word = piece.trim();
        let before = piece.width() - piece.trim_start().width();
        if !word.is_empty() {
            let x = left + (cell + before) as f64 * WIDTH;
            let length = word.width() as f64 * WIDTH;
            let weight = if look.bold { r#" font-weight="700""# } else { "" };
            let line = if look.underlined { r#" text-decoration="underline""# } else { "" };
            let dim = if look.dim { r#" opacity="0.6""# } else { "" };
            let fill =
                if look.front == FOREGROUND { String::new() } else { format!(r#" fill="{}""#, look.front) };
            writeln!(
                svg,
                r#"<text x="{x:.1}" y="{:.1}" textLength="{length:.1}" lengthAdjust="spacingAndGlyphs"{fill}{weight}{line}{dim}>{}</text>"#,
                top + BASELINE,
                escape(word)
            )
            .unwrap();
        }
        cell += piece.width();
    }
}

/// Draws a sign that repeats over some cells.
fn draw(svg: &mut String, sign: char, left: f64, top: f64, cells: usize, look: Look) {
    let color = look.front;
    let (right, bottom) = (left + cells as f64 * WIDTH, top + HEIGHT);
    let (middle, across) = (left + WIDTH / 2.0, top + HEIGHT / 2.0);
    let mut path = |path: String| {
        writeln!(svg, r#"<path d="{path}" fill="none" stroke="{color}"/>"#).unwrap();
    };
    let arc = |from: (f64, f64), to: (f64, f64)| {
        format!("M{:.1} {:.1}Q{middle:.1} {across:.1} {:.1} {:.1}", from.0, from.1, to.0, to.1)
    };
    match sign {
        '─' => return path(format!("M{left:.1} {across:.1}H{right:.1}")),
        '│' => {
            for cell in 0..cells {
                path(format!("M{:.1} {top:.1}V{bottom:.1}", middle + cell as f64 * WIDTH));
            }
            return;
        }
        '╭' => return path(arc((middle, bottom), (left + WIDTH, across))),
        '╮' => return path(arc((left, across), (middle, bottom))),
        '╰' => return path(arc((middle, top), (left + WIDTH, across))),
        '╯' => return path(arc((left, across), (middle, top))),
        '╱' => {
            for cell in 0..cells {
                let left = left + cell as f64 * WIDTH;
                path(format!("M{left:.1} {bottom:.1}L{:.1} {top:.1}", left + WIDTH));
            }
            return;
        }
        _ => {}
    }
    // Shades fill their cells, so that rows join, unless they are but a sign beside a word; bars are eighths of a cell from the left, and rows of them stay apart.
    let whole = cells as f64 * WIDTH;
    let joined = if cells > 2 { 0.0 } else { 2.5 };
    let (width, inset, opacity) = match sign {
        '░' => (whole, joined, 0.33),
        '▒' => (whole, joined, 0.55),
        '▓' => (whole, joined, 0.8),
        // A little more, so that no seam shows before what is left over.
        '█' => (whole + 0.3, 2.5, 1.0),
        _ => (f64::from('▏' as u32 + 1 - sign as u32) / 8.0 * WIDTH, 2.5, 1.0),
    };
    writeln!(
        svg,
        r#"<rect x="{left:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" fill="{color}" fill-opacity="{opacity}"/>"#,
        top + inset,
        HEIGHT - 2.0 * inset
    )
    .unwrap();
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
