//! What a cell of the screen is in a console that knows no escape sequences: one code unit and sixteen colours.
//!
//! A character outside the first 65,536 does not fit and is shown as `�`; what combines with the one before it is left
//! out. Other colours become the nearest of the sixteen.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// Marks the two halves of a character that takes two cells.
const LEADING: u16 = 0x0100;
const TRAILING: u16 = 0x0200;
const UNDERSCORE: u16 = 0x8000;
const INTENSITY: u16 = 8;
const REPLACEMENT: u16 = 0xfffd;

/// The sixteen colours of a console as it comes, by their number there: blue 1, green 2, red 4, bright 8.
const SIXTEEN: [[u8; 3]; 16] = [
    [12, 12, 12],
    [0, 55, 218],
    [19, 161, 14],
    [58, 150, 221],
    [197, 15, 31],
    [136, 23, 152],
    [193, 156, 0],
    [204, 204, 204],
    [118, 118, 118],
    [59, 120, 255],
    [22, 198, 12],
    [97, 214, 214],
    [231, 72, 86],
    [180, 0, 158],
    [249, 241, 165],
    [242, 242, 242],
];

/// What a cell is written as: code unit and attributes, and those of the next cell where it takes two.
///
/// `usual` are the attributes that the console's own text has; they stand for the default colours.
pub(super) fn units(cell: &Cell, usual: u16) -> ((u16, u16), Option<(u16, u16)>) {
    let attributes = attributes(cell, usual);
    let mut units = [0; 2];
    let first = cell.symbol().chars().next().unwrap_or(' ');
    let unit = match first.encode_utf16(&mut units) {
        [unit] => *unit,
        _ => REPLACEMENT,
    };
    match (cell.symbol().width(), unit) {
        (0 | 1, unit) => ((unit, attributes), None),
        (_, REPLACEMENT) => ((unit, attributes), Some((u16::from(b' '), attributes))),
        (_, unit) => ((unit, attributes | LEADING), Some((unit, attributes | TRAILING))),
    }
}

fn attributes(cell: &Cell, usual: u16) -> u16 {
    let has = |modifier| cell.modifier.contains(modifier);
    let mut front = number(cell.fg).unwrap_or(usual & 15);
    let mut back = number(cell.bg).unwrap_or(usual >> 4 & 15);
    if has(Modifier::BOLD) {
        front |= INTENSITY;
    }
    if has(Modifier::DIM) {
        // The grey between the two greys, whichever of them is the ground.
        front = if back == INTENSITY { 7 } else { INTENSITY };
    }
    if has(Modifier::REVERSED) {
        std::mem::swap(&mut front, &mut back);
    }
    if has(Modifier::HIDDEN) {
        front = back;
    }
    let underscore = if has(Modifier::UNDERLINED) { UNDERSCORE } else { 0 };
    front | back << 4 | underscore
}

/// A colour's number; none for the default.
fn number(colour: Color) -> Option<u16> {
    let number = match colour {
        Color::Reset => return None,
        Color::Black => 0,
        Color::Red => 4,
        Color::Green => 2,
        Color::Yellow => 6,
        Color::Blue => 1,
        Color::Magenta => 5,
        Color::Cyan => 3,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 12,
        Color::LightGreen => 10,
        Color::LightYellow => 14,
        Color::LightBlue => 9,
        Color::LightMagenta => 13,
        Color::LightCyan => 11,
        Color::White => 15,
        Color::Rgb(red, green, blue) => nearest([red, green, blue]),
        Color::Indexed(index) => return Some(indexed(index)),
    };
    Some(number)
}

/// The number of one of the 256 colours of terminals: sixteen, a cube of six by six by six, and greys.
fn indexed(index: u8) -> u16 {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        // Red and blue have changed places.
        0..16 => u16::from(index & 0b1010 | (index & 1) << 2 | index >> 2 & 1),
        16..232 => {
            let index = index - 16;
            nearest([level(index / 36), level(index / 6 % 6), level(index % 6)])
        }
        232.. => nearest([8 + 10 * (index - 232); 3]),
    }
}

fn nearest(colour: [u8; 3]) -> u16 {
    let far = |other: &[u8; 3]| -> u32 {
        colour.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other)).pow(2)).sum()
    };
    let found = (0..).zip(&SIXTEEN).min_by_key(|(_, other)| far(other));
    found.map_or(0, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    const USUAL: u16 = 7;

    fn written(symbol: &str, style: Style) -> ((u16, u16), Option<(u16, u16)>) {
        let mut cell = Cell::default();
        cell.set_symbol(symbol).set_style(style);
        units(&cell, USUAL)
    }

    #[test]
    fn colours_become_the_nearest_of_sixteen() {
        let front = |colour| written("x", Style::new().fg(colour)).0.1;
        assert_eq!(front(Color::Reset), USUAL);
        assert_eq!((front(Color::Red), front(Color::Blue), front(Color::LightYellow)), (4, 1, 14));
        assert_eq!((front(Color::Rgb(250, 250, 250)), front(Color::Rgb(0, 60, 210))), (15, 1));
        let sixteen: Vec<u16> = (0..16).map(|index| front(Color::Indexed(index))).collect();
        assert_eq!(sixteen, [0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15]);
        assert_eq!(
            (front(Color::Indexed(16)), front(Color::Indexed(231)), front(Color::Indexed(243))),
            (0, 15, 8)
        );
    }

    #[test]
    fn modifiers_change_what_there_is() {
        let attributes = |style: Style| written("x", style).0.1;
        let style = Style::new().fg(Color::Green).bg(Color::Blue);
        assert_eq!(attributes(style), 0x12);
        assert_eq!(attributes(style.add_modifier(Modifier::REVERSED)), 0x21);
        assert_eq!(attributes(style.add_modifier(Modifier::BOLD)), 0x1a);
        assert_eq!(attributes(style.add_modifier(Modifier::HIDDEN)), 0x11);
        assert_eq!(attributes(style.add_modifier(Modifier::UNDERLINED)), 0x8012);
        assert_eq!(attributes(Style::new().add_modifier(Modifier::DIM)), 8);
        let unseen = Style::new().bg(Color::DarkGray).add_modifier(Modifier::DIM);
        assert_eq!(attributes(unseen), 0x87, "text is never the colour of its ground");
    }

    #[test]
    fn every_symbol_fills_the_cells_it_has() {
        let plain = |symbol| written(symbol, Style::new());
        assert_eq!(plain("│"), ((0x2502, 7), None));
        assert_eq!(plain("e\u{301}"), ((u16::from(b'e'), 7), None), "what combines is left out");
        assert_eq!(plain("日"), ((0x65e5, 0x107), Some((0x65e5, 0x207))));
        assert_eq!(plain("🐍"), ((0xfffd, 7), Some((u16::from(b' '), 7))));
        assert_eq!(plain("𝒳"), ((0xfffd, 7), None));
        assert_eq!(plain(""), ((u16::from(b' '), 7), None));
    }
}
