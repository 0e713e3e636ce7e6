//! A page: lines made from the model, some of which can be opened, with a filter, a cursor and a window of its own.
//!
//! The detail beside a list is a page, and so is everything that lies over the lists: help, explanations, problems,
//! lists of files, the menu of orders and the picture.

use std::path::PathBuf;

use tui_input::Input;

use crate::plan::Class;
use crate::snapshot::{EntryKey, FileRow, FilesRequest, Mode};
use crate::tui::action::Action;
use crate::tui::text::Line;

use super::column::Column;
use super::planning::Planned;
use super::task::{Answer, Question};
use crate::tui::page::ReportLine;

/// What a page shows.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tui) enum PageKind {
    /// The detail of what the cursor is on.
    Detail(Subject),
    /// Why an entry is kept, or could go.
    Why(EntryKey),
    /// What was searched, and what could not be read.
    Problems,
    /// All keys.
    Help,
    /// The menu of orders.
    Sort,
    /// What fills the cache.
    Picture(Picture),
    /// A question, and the answer that has the focus.
    Confirm(Question, Answer),
    /// A menu.
    Menu(Menu),
    /// What became of a task: its title, and lines. Escaped.
    Report(String, Vec<ReportLine>),
    /// The files of an entry or a distribution.
    Files {
        /// Whose.
        request: FilesRequest,
        /// What to call it. Escaped.
        title: String,
        /// The files, as soon as they are there.
        files: Files,
    },
}

/// What a menu lets choose for environments, which are named by their roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Menu {
    /// The mode in which they are linked.
    Relink(Vec<PathBuf>),
    /// Whether uv may fetch what is missing in them.
    Repair(Vec<PathBuf>),
}

/// The two forms of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Picture {
    /// Tiles whose areas are in proportion.
    Map,
    /// Bars whose lengths are.
    Bars,
}

/// Files that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tui) enum Files {
    /// They are being listed.
    Awaited,
    /// They are there, largest first.
    Listed(Vec<FileRow>),
    /// They could not be listed.
    Failed(String),
}

/// What a detail is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Subject {
    /// There is no row.
    Nothing,
    /// An entry.
    Entry(EntryKey),
    /// An environment, by its root.
    Environment(PathBuf),
    /// A pointer, by its path relative to the cache root.
    Link(PathBuf),
    /// A lock file, by its path.
    Lock(PathBuf),
    /// A class of things to prune, a step, what is kept, or a run in the trash.
    Planned(Planned),
}

/// What opening a line does.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tui) enum Target {
    /// It lists files.
    Files(FilesRequest, String),
    /// It goes to an entry, an environment or a pointer.
    Go(Subject),
    /// It orders the list.
    Sort(Column),
    /// It does what a key would do.
    Run(Action),
    /// It filters the entries by a package.
    Package(String),
    /// It makes a plan to prune everything of a class.
    Plan(Class),
    /// It shows a menu.
    Menu(Menu),
    /// It makes a plan to relink environments.
    Relink(Vec<PathBuf>, Mode),
    /// It finds out how environments could be repaired: whether uv may be called for it.
    Repair(Vec<PathBuf>, bool),
    /// It asks whether an environment is to keep its edits alone.
    Detach(PathBuf),
    /// It answers the question.
    Answer(Answer),
}

/// A line of a page.
#[derive(Clone, Debug, Default)]
pub(in crate::tui) struct PageLine {
    /// What it shows.
    pub line: Line,
    /// What opening it does.
    pub target: Option<Target>,
    /// What to copy from it, where that is not what it shows.
    pub copy: Option<String>,
}

/// What a page shows, made for one width.
#[derive(Clone, Debug, Default)]
pub(in crate::tui) struct Document {
    /// Its title. Escaped.
    pub title: String,
    /// Its lines.
    pub lines: Vec<PageLine>,
    /// How many of the last lines stay at the bottom while the others are scrolled.
    pub foot: usize,
    /// What the picture is made of.
    pub tiles: Vec<Tile>,
    /// The bytes of all tiles, in the order of [`Tile::bytes`].
    pub sums: [u64; 6],
}

/// One part of the picture.
#[derive(Clone, Debug, Default)]
pub(in crate::tui) struct Tile {
    /// What to call it. Escaped.
    pub name: String,
    /// Its bytes by who holds them: one environment, several, nobody, elsewhere, uv itself, not known.
    pub bytes: [u64; 6],
}

impl Tile {
    /// All its bytes.
    pub(in crate::tui) fn total(&self) -> u64 {
        self.bytes.iter().sum()
    }
}

/// A page with its place.
#[derive(Debug)]
pub(in crate::tui) struct Page {
    /// What it shows.
    pub kind: PageKind,
    /// Its lines.
    pub document: Document,
    /// The lines that pass the filter.
    pub shown: Vec<usize>,
    /// The filter, as it was typed.
    pub filter: Input,
    /// The place in `shown` of the line that would be opened; without it the page only scrolls.
    pub cursor: Option<usize>,
    /// The first visible place in `shown`.
    pub offset: usize,
    /// How many lines are visible.
    pub height: usize,
    /// For which snapshot and width the lines were made.
    pub made: Option<(u64, u16)>,
    /// Whether it was drawn. A question is not confirmed before that.
    pub seen: bool,
}

impl Page {
    /// A page whose lines are not made yet.
    pub(in crate::tui) fn new(kind: PageKind) -> Self {
        Self {
            kind,
            document: Document::default(),
            shown: Vec::new(),
            filter: Input::default(),
            cursor: None,
            offset: 0,
            height: 0,
            made: None,
            seen: false,
        }
    }

    /// The line at a place.
    pub(in crate::tui) fn line(&self, place: usize) -> Option<&PageLine> {
        self.shown.get(place).map(|line| &self.document.lines[*line])
    }

    /// What opening the page's cursor does.
    pub(in crate::tui) fn target(&self) -> Option<&Target> {
        self.cursor.and_then(|place| self.line(place)).and_then(|line| line.target.as_ref())
    }

    fn opens(&self, place: usize) -> bool {
        self.line(place).is_some_and(|line| line.target.is_some())
    }

    /// Filters the lines. With a filter, only lines with all of its words are left, each within one piece of the line.
    pub(in crate::tui) fn arrange(&mut self) {
        let query = self.filter.value().to_lowercase();
        let lines = self.document.lines.iter().enumerate();
        self.shown = lines
            .filter(|(_, line)| {
                let pieces: Vec<String> = line.line.iter().map(|piece| piece.text.to_lowercase()).collect();
                query.split_whitespace().all(|word| pieces.iter().any(|piece| piece.contains(word)))
            })
            .map(|(at, _)| at)
            .collect();
        if !self.cursor.is_some_and(|place| self.opens(place)) {
            self.cursor = (0..self.shown.len()).find(|place| self.opens(*place));
        }
    }

    /// How many places are scrolled; those behind them stay at the bottom.
    fn scrolled(&self) -> usize {
        self.shown.len().saturating_sub(self.document.foot)
    }

    /// How many of those that are scrolled are visible at once.
    pub(in crate::tui) fn window(&self) -> usize {
        self.height.saturating_sub(self.document.foot).max(1)
    }

    /// How many places there are below the window.
    pub(in crate::tui) fn below(&self) -> usize {
        self.scrolled().saturating_sub(self.offset + self.window())
    }

    /// The place that a row of the page shows, counted from the page's top.
    pub(in crate::tui) fn place_at(&self, row: usize) -> usize {
        let window = self.window();
        if row < window || self.document.foot == 0 {
            self.offset + row
        } else {
            self.scrolled() + row - window
        }
    }

    /// Keeps the window inside the lines.
    pub(in crate::tui) fn follow(&mut self) {
        self.offset = self.offset.min(self.scrolled().saturating_sub(self.window()));
    }

    /// Goes down (or up, for a negative number) by lines that can be opened; where none is near, scrolls instead.
    pub(in crate::tui) fn step(&mut self, by: isize) {
        for _ in 0..by.unsigned_abs() {
            self.step_once(by > 0);
        }
    }

    fn step_once(&mut self, down: bool) {
        let next = match self.cursor {
            Some(place) if down => (place + 1..self.shown.len()).find(|place| self.opens(*place)),
            Some(place) => (0..place).rev().find(|place| self.opens(*place)),
            None => None,
        };
        let height = self.window();
        match next {
            Some(place) if place >= self.scrolled() => self.cursor = Some(place),
            Some(place) if place >= self.offset && place < self.offset + height => self.cursor = Some(place),
            Some(place) if down && place == self.offset + height => {
                self.cursor = Some(place);
                self.offset += 1;
            }
            Some(place) if !down && place + 1 == self.offset => {
                self.cursor = Some(place);
                self.offset -= 1;
            }
            _ => self.scroll(if down { 1 } else { -1 }),
        }
    }

    /// Moves the window; the cursor goes with it.
    pub(in crate::tui) fn scroll(&mut self, by: isize) {
        self.offset = self.offset.saturating_add_signed(by);
        self.follow();
        let window = self.offset..self.offset + self.window();
        let scrolled = self.scrolled();
        if self.cursor.is_some_and(|place| place < scrolled && !window.contains(&place)) {
            let visible = || window.clone().filter(|place| self.opens(*place));
            let near = if by > 0 { visible().next() } else { visible().next_back() };
            self.cursor = near.or(self.cursor);
        }
    }

    /// Goes to the first or to the last line.
    pub(in crate::tui) fn jump(&mut self, end: bool) {
        let places = 0..self.shown.len();
        let found = if end {
            places.rev().find(|place| self.opens(*place))
        } else {
            places.into_iter().find(|place| self.opens(*place))
        };
        self.cursor = found.or(self.cursor);
        self.offset = if end { self.shown.len() } else { 0 };
        self.follow();
    }
}
