//! The signs beside the words: fills, bars, arrows and borders, in Unicode and in ASCII.

use ratatui::symbols::border;

use crate::snapshot::{LinkMode, Mode, ModeCounts};

use super::theme::Role;

/// Which signs the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Block elements, box drawing and arrows.
    #[default]
    Unicode,
    /// Nothing beyond ASCII.
    Ascii,
}

const EIGHTHS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

const ASCII_BORDER: border::Set = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Glyphs {
    fn pick<'a>(self, unicode: &'a str, ascii: &'a str) -> &'a str {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }

    /// Stands for text that is left out.
    pub(super) fn ellipsis(self) -> &'static str {
        self.pick("…", "~")
    }

    /// Stands between two facts on one line, spaces included.
    pub(super) fn dot(self) -> &'static str {
        self.pick(" · ", " - ")
    }

    /// Stands for a value that there is none of.
    pub(super) fn none(self) -> &'static str {
        self.pick("–", "-")
    }

    /// Marks a row.
    pub(super) fn mark(self) -> &'static str {
        self.pick("●", "*")
    }

    /// Shows that a line can be opened.
    pub(super) fn opens(self) -> &'static str {
        self.pick("›", ">")
    }

    /// The direction of an order: down for the largest first.
    pub(super) fn arrow(self, descending: bool) -> &'static str {
        if descending { self.pick("▼", "v") } else { self.pick("▲", "^") }
    }

    /// A horizontal rule of `width` cells.
    pub(super) fn rule(self, width: usize) -> String {
        self.pick("─", "-").repeat(width)
    }

    /// The place of the text cursor.
    pub(super) fn caret(self) -> &'static str {
        self.pick("▏", "_")
    }

    /// One frame of something that turns, for elapsed tenths of a second.
    pub(super) fn spinner(self, tenths: u128) -> &'static str {
        const TURNS: [&str; 8] = ["⣾", "⣽", "⣻", "⢿", "⡿", "⣟", "⣯", "⣷"];
        const ASCII: [&str; 4] = ["|", "/", "-", "\\"];
        let turn = |count: u128| usize::try_from(tenths % count).unwrap_or(0);
        match self {
            Self::Unicode => TURNS[turn(8)],
            Self::Ascii => ASCII[turn(4)],
        }
    }

    /// A key's name in signs this terminal can show.
    pub(super) fn key(self, shown: &str) -> String {
        match self {
            Self::Unicode => shown.to_owned(),
            Self::Ascii => {
                shown.replace('↑', "Up").replace('↓', "Down").replace('←', "Left").replace('→', "Right")
            }
        }
    }

    /// A bar of `width` cells, filled in proportion, in eighths of a cell. Anything above nothing shows at least an eighth.
    pub(super) fn bar(self, part: u64, whole: u64, width: usize) -> String {
        if whole == 0 || part == 0 || width == 0 {
            return String::new();
        }
        let cells = width as u128 * 8 * u128::from(part.min(whole)) / u128::from(whole);
        let eighths = usize::try_from(cells).unwrap_or(width * 8).clamp(1, width * 8);
        match self {
            Self::Unicode => format!("{}{}", EIGHTHS[8].repeat(eighths / 8), EIGHTHS[eighths % 8]),
            Self::Ascii => "#".repeat(eighths.div_ceil(8)),
        }
    }

    /// What a link mode is filled with; none for what could not be attributed.
    pub(super) fn fill(self, mode: Option<Mode>) -> &'static str {
        match mode {
            Some(Mode::Clone) => self.pick("█", "C"),
            Some(Mode::Hardlink) => self.pick("▓", "H"),
            Some(Mode::Symlink) => self.pick("▒", "S"),
            Some(Mode::Copy) => self.pick("░", "P"),
            None => self.pick("·", "?"),
        }
    }

    /// The lines around a pane.
    pub(super) fn border(self) -> border::Set<'static> {
        match self {
            Self::Unicode => border::ROUNDED,
            Self::Ascii => ASCII_BORDER,
        }
    }
}

/// The modes with their counts, in the order in which they are always shown.
pub(super) fn by_mode(counts: ModeCounts) -> [(Mode, u64); 4] {
    [
        (Mode::Hardlink, counts.hardlink),
        (Mode::Clone, counts.clone),
        (Mode::Symlink, counts.symlink),
        (Mode::Copy, counts.copy),
    ]
}

/// The letter of a link mode; `?` for what could not be attributed.
pub(super) fn letter(mode: Option<Mode>) -> char {
    match mode {
        Some(Mode::Clone) => 'C',
        Some(Mode::Hardlink) => 'H',
        Some(Mode::Symlink) => 'S',
        Some(Mode::Copy) => 'P',
        None => '?',
    }
}

/// The role of a link mode.
pub(super) fn mode_role(mode: Option<Mode>) -> Role {
    match mode {
        Some(Mode::Clone) => Role::Clone,
        Some(Mode::Hardlink) => Role::Hardlink,
        Some(Mode::Symlink) => Role::Symlink,
        Some(Mode::Copy) => Role::Copy,
        None => Role::Unknown,
    }
}

/// The mode most files have, and the letters of all modes there are.
pub(super) fn main_mode(counts: ModeCounts) -> (Option<Mode>, String) {
    let present: Vec<(Mode, u64)> = by_mode(counts).into_iter().filter(|(_, files)| *files > 0).collect();
    let main = present.iter().max_by_key(|(_, files)| *files).map(|(mode, _)| *mode);
    let letters = match LinkMode::of(counts) {
        LinkMode::Unknown => letter(None).to_string(),
        _ => present.iter().map(|(mode, _)| letter(Some(*mode))).collect(),
    };
    (main, letters)
}
