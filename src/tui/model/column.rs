//! The columns of the lists: what they are called, how wide they are, and which of them go first when room is short.

use crate::snapshot::PointerForm;

use super::View;

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::tui) enum Column {
    /// An entry's name.
    Name,
    /// An entry's version.
    Version,
    /// One of the five byte numbers.
    Size,
    /// The same as a bar.
    Bar,
    /// Files.
    Files,
    /// The environments that use an entry, by link mode.
    Users,
    /// The time since the last sign of use.
    Age,
    /// Who uses an entry, in a word.
    State,
    /// An environment's path.
    Environment,
    /// An environment's Python version.
    Python,
    /// How many distributions an environment has.
    Distributions,
    /// An environment's files by link mode, as a bar.
    Modes,
    /// What deleting an environment gives back.
    Exclusive,
    /// The time since the last sign of use of an environment.
    Used,
    /// The project that an environment is for.
    Project,
    /// Whether an environment works.
    Health,
    /// A pointer's state.
    LinkState,
    /// A pointer's form.
    Form,
    /// A pointer's path.
    Path,
    /// What a pointer leads to.
    Target,
    /// What a lock guards.
    Resource,
    /// Whether a lock is held.
    Held,
    /// Who holds a lock.
    Holder,
    /// Since when, or when the lock was made.
    Since,
    /// A lock's file.
    LockFile,
    /// Whether a step is in the plan, and the plan's own order.
    Order,
    /// What is to be pruned.
    Thing,
    /// What it gives back.
    Back,
    /// Why.
    Reason,
}

/// How a column is laid out.
#[derive(Clone, Copy, Debug)]
pub(in crate::tui) struct Shape {
    /// The least width it is worth showing with, in cells.
    pub least: u16,
    /// The width for which columns that say less are left out.
    pub wanted: u16,
    /// The width beyond which it gets no wider.
    pub most: u16,
    /// When room is short, columns with higher numbers go first; zero stays.
    pub rank: u8,
    /// Whether values stand at the right edge.
    pub right: bool,
}

impl Shape {
    /// The width a column has to have before one of the given rank may stand beside it.
    fn before(self, rank: u8) -> u16 {
        match rank {
            0 => self.least,
            1 => self.least.max(self.wanted / 2),
            _ => self.wanted,
        }
    }
}

/// A column with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Placed {
    /// The column.
    pub column: Column,
    /// Its first cell, from the left edge of the list.
    pub start: u16,
    /// Its width in cells.
    pub width: u16,
}

/// Cells left of the columns, for the mark.
const GUTTER: u16 = 2;

impl View {
    /// The columns of a view, from left to right.
    pub(in crate::tui) fn columns(self) -> &'static [Column] {
        use Column as C;
        match self {
            Self::Entries => &[C::Name, C::Version, C::Size, C::Bar, C::Files, C::Users, C::Age, C::State],
            Self::Environments => &[
                C::Environment,
                C::Python,
                C::Distributions,
                C::Modes,
                C::Size,
                C::Exclusive,
                C::Used,
                C::Health,
                C::Project,
            ],
            Self::Links => &[C::LinkState, C::Form, C::Path, C::Target, C::Age],
            Self::Locks => &[C::Held, C::Resource, C::Holder, C::Since, C::LockFile],
            Self::Plan => &[C::Order, C::Thing, C::Back, C::Reason],
        }
    }
}

impl Column {
    /// Its heading, which is also its name in the menu of orders.
    pub(in crate::tui) fn title(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Version => "VERSION",
            Self::Size => "SIZE",
            Self::Bar => "",
            Self::Order => "ACTION",
            Self::Files => "FILES",
            Self::Users => "USERS",
            Self::Age => "AGE",
            Self::State | Self::LinkState | Self::Held => "STATE",
            Self::Environment | Self::Path => "PATH",
            Self::Python => "PYTHON",
            Self::Distributions => "DISTS",
            Self::Modes => "LINK MODES",
            Self::Exclusive | Self::Back => "FREES",
            Self::Used => "LAST USED",
            Self::Project => "PROJECT",
            Self::Health => "HEALTH",
            Self::Form => "FORM",
            Self::Target => "POINTS TO",
            Self::Resource => "GUARDS",
            Self::Holder => "HELD BY",
            Self::Since => "SINCE",
            Self::LockFile => "FILE",
            Self::Thing => "WHAT",
            Self::Reason => "REASON",
        }
    }

    /// Whether rows can be ordered by it.
    pub(in crate::tui) fn sorts(self) -> bool {
        !matches!(self, Self::Bar | Self::Order | Self::Thing | Self::Reason)
    }

    /// Whether the largest comes first when rows are first ordered by it.
    pub(in crate::tui) fn descends(self) -> bool {
        matches!(
            self,
            Self::Size | Self::Files | Self::Users | Self::Distributions | Self::Exclusive | Self::Back
        )
    }

    fn shape(self) -> Shape {
        let shape = |least, wanted, most, rank, right| Shape { least, wanted, most, rank, right };
        match self {
            Self::Name => shape(6, 14, 48, 0, false),
            Self::Version => shape(8, 10, 20, 3, false),
            Self::Size | Self::Exclusive => shape(10, 10, 10, if self == Self::Size { 0 } else { 2 }, true),
            Self::Bar => shape(6, 6, 24, 5, false),
            Self::Files => shape(7, 7, 9, 7, true),
            Self::Users => shape(7, 7, 15, 1, false),
            Self::Age => shape(4, 4, 4, 6, true),
            Self::State => shape(9, 9, 14, 2, false),
            Self::Environment => shape(6, 22, 70, 0, false),
            Self::Python => shape(8, 8, 10, 5, false),
            Self::Distributions => shape(5, 5, 6, 6, true),
            Self::Modes => shape(10, 10, 24, 3, false),
            Self::Used => shape(9, 9, 9, 4, true),
            Self::Project => shape(14, 24, 50, 7, false),
            Self::Health => shape(9, 26, 40, 1, false),
            Self::LinkState | Self::Held => shape(9, 9, 9, 0, false),
            Self::Form => shape(longest_form(), longest_form(), 9, 2, false),
            Self::Path => shape(6, 30, 90, 0, false),
            Self::Target => shape(16, 16, 60, 3, false),
            Self::Resource => shape(8, 26, 60, 0, false),
            Self::Holder => shape(12, 36, 60, 1, false),
            Self::Since => shape(5, 5, 5, 4, true),
            Self::Order => shape(7, 7, 7, 0, false),
            Self::Thing => shape(8, 22, 40, 0, false),
            Self::Back => shape(10, 10, 10, 1, true),
            Self::Reason => shape(12, 22, 90, 2, false),
            Self::LockFile => shape(30, 50, 70, 6, false),
        }
    }

    /// Whether its values stand at the right edge.
    pub(in crate::tui) fn right(self) -> bool {
        self.shape().right
    }
}

fn longest_form() -> u16 {
    let word = PointerForm::LinkFile.word();
    u16::try_from(word.len()).expect("a word is short")
}

/// The cells between two columns, in a list of some width.
pub(in crate::tui) fn gap(width: u16) -> u16 {
    if width >= 76 { 2 } else { 1 }
}

/// Places a view's columns into `width` cells. The widest name is `widest` cells wide, the widest words about an
/// environment's health are `health` cells wide.
///
/// Columns of the highest rank are left out until the rest fits; then what is left over goes first to what names the rows,
/// then to the others in turn, and to bars last.
pub(in crate::tui) fn place(view: View, width: u16, widest: u16, health: u16) -> Vec<Placed> {
    let mut columns: Vec<(Column, Shape)> =
        view.columns().iter().map(|column| (*column, column.shape())).collect();
    let gap = gap(width);
    let room = width.saturating_sub(GUTTER + u16::from(width >= 60));
    let names = |column: Column| {
        matches!(column, Column::Name | Column::Environment | Column::Path | Column::Resource | Column::Thing)
    };
    for (column, shape) in &mut columns {
        if names(*column) {
            shape.most = shape.most.min(widest).max(shape.least);
            shape.wanted = shape.wanted.min(shape.most);
        } else if *column == Column::Health {
            shape.most = shape.most.min(health).max(shape.least);
            shape.wanted = shape.wanted.min(shape.most);
        }
    }
    let needed = |columns: &[(Column, Shape)], rank: u8| -> u16 {
        let widths: u16 = columns.iter().map(|(_, shape)| shape.before(rank)).sum();
        widths + gap * u16::try_from(columns.len().saturating_sub(1)).expect("a view has few columns")
    };
    loop {
        let last = columns.iter().map(|(_, shape)| shape.rank).max().unwrap_or(0);
        if last == 0 || needed(&columns, last) <= room {
            break;
        }
        columns.retain(|(_, shape)| shape.rank != last);
    }
    let mut spare = room.saturating_sub(needed(&columns, 0));
    let mut widths: Vec<u16> = columns.iter().map(|(_, shape)| shape.least).collect();
    // What is wrong, and what could be better, is of no use when it is cut; nor is a name of which nothing is left.
    if let Some(at) = columns.iter().position(|(column, _)| *column == Column::Health) {
        let named = columns.iter().filter(|(column, _)| names(*column));
        let reserved: u16 = named.map(|(_, shape)| shape.wanted.saturating_sub(shape.least)).sum();
        let more = columns[at].1.wanted.saturating_sub(widths[at]).min(spare.saturating_sub(reserved));
        widths[at] += more;
        spare -= more;
    }
    // What names the rows comes first, but leaves room for the others; bars come last.
    let turns = |column: Column| match column {
        Column::Bar | Column::Modes => [3, 3],
        column if names(column) => [0, 2],
        _ => [1, 1],
    };
    for now in 0..4 {
        for (at, (column, shape)) in columns.iter().enumerate() {
            if turns(*column).contains(&now) {
                let share = match column {
                    Column::Path => room / 2,
                    Column::Environment => room / 4,
                    _ => room / 3,
                };
                let most = if now == 0 { shape.most.min(shape.wanted.max(share)) } else { shape.most };
                let more = most.saturating_sub(widths[at]).min(spare);
                widths[at] += more;
                spare -= more;
            }
        }
    }
    let mut start = GUTTER;
    let mut placed = Vec::with_capacity(columns.len());
    for ((column, _), wide) in columns.into_iter().zip(widths) {
        let wide = wide.min(width.saturating_sub(start));
        placed.push(Placed { column, start, width: wide });
        start += wide + gap;
    }
    placed
}
