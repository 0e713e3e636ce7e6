//! Aligned columns, measured in terminal cells.
//!
//! Within a given width a table first shortens the columns that may be shortened as far as they stay comfortable to
//! read, then leaves out those that matter least, and only then shortens further. Without one it prints every cell whole, so that a pipe loses nothing. Cells are one line each; what comes from
//! outside has to be escaped before.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::view::{Paint, View};

const GAP: usize = 2;

/// What a column that may be shortened keeps in any case.
const FLOOR: usize = 6;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// At its left side, as text does.
    #[default]
    Left,
    /// At its right side, as numbers do.
    Right,
}

/// What a column may lose when the terminal is narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Nothing.
    #[default]
    Whole,
    /// The ends of its cells, down to so many cells while other columns can be left out.
    End(usize),
    /// The middles of its cells, as paths do, down to so many cells while other columns can be
    /// left out.
    Middle(usize),
}

/// One column.
#[derive(Clone, Copy, Debug, Default)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Where its cells stand.
    pub align: Align,
    /// What its cells may lose.
    pub fit: Fit,
    /// How early it is left out; 0 never is, higher numbers go first.
    pub spare: u8,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    paint: Paint,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Column {
    /// A column of texts.
    pub const fn text(title: &'static str) -> Self {
        Self { title, align: Align::Left, fit: Fit::Whole, spare: 0 }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str) -> Self {
        Self { title, align: Align::Right, fit: Fit::Whole, spare: 0 }
    }

    /// The same column, with cells that may lose something.
    #[must_use]
    pub const fn fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// The same column, left out at `spare`.
    #[must_use]
    pub const fn spare(mut self, spare: u8) -> Self {
        self.spare = spare;
        self
    }
}

impl Cell {
    /// A coloured cell.
    pub fn painted(paint: Paint, text: impl Into<String>) -> Self {
        Self { text: text.into(), paint }
    }

    /// The value, or a dash where there is none.
    pub fn or_dash(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::painted(Paint::Faint, "-") } else { Self::from(text) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, paint: Paint::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), indent: 0 }
    }

    /// The same table, with so many spaces before each line.
    #[must_use]
    pub fn indented(mut self, indent: usize) -> Self {
        self.indent = indent;
        self
    }

    /// Adds a row with a cell for each column.
    pub fn push<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells.into());
    }

    /// Adds a row of a table whose columns are known only when it is made.
    pub fn push_row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints the headings and the rows.
    pub fn print(&self, view: &View, writer: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths(view.columns);
        let titles: Vec<Cell> =
            self.columns.iter().map(|column| Cell::painted(Paint::Strong, column.title)).collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.print_row(row, &widths, view, writer)?;
        }
        Ok(())
    }

    fn print_row(
        &self,
        row: &[Cell],
        widths: &[Option<usize>],
        view: &View,
        writer: &mut dyn Write,
    ) -> io::Result<()> {
        // Spaces are owed until something follows them, so that no line ends in spaces.
        let mut owed = self.indent;
        let shown = row.iter().zip(&self.columns).zip(widths).filter_map(|((cell, column), width)| {
            let width = (*width)?;
            Some((cell, column, width))
        });
        for (cell, column, width) in shown {
            let text = column.fit.shorten(&cell.text, width);
            let space = width.saturating_sub(text.width());
            if column.align == Align::Right {
                owed += space;
            }
            if !text.is_empty() {
                write!(writer, "{:owed$}{}", "", view.painted(cell.paint, &text))?;
                owed = 0;
            }
            if column.align == Align::Left {
                owed += space;
            }
            owed += GAP;
        }
        writeln!(writer)
    }

    /// The width of each column, none for those left out.
    fn widths(&self, available: Option<usize>) -> Vec<Option<usize>> {
        let natural: Vec<usize> = (0..self.columns.len()).map(|index| self.natural_width(index)).collect();
        let mut widths: Vec<Option<usize>> = natural.iter().copied().map(Some).collect();
        let Some(available) = available else { return widths };
        loop {
            let excess = self.total(&widths).saturating_sub(available);
            let spare = (0..widths.len())
                .filter(|index| widths[*index].is_some() && self.columns[*index].spare > 0)
                .max_by_key(|index| self.columns[*index].spare);
            match spare {
                Some(spare) if excess > self.yielding(&widths) => widths[spare] = None,
                _ => {
                    let rest = self.shrink(&mut widths, excess, Column::comfortable);
                    self.shrink(&mut widths, rest, |_| FLOOR);
                    return widths;
                }
            }
        }
    }

    fn natural_width(&self, index: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[index].text.width()).max().unwrap_or(0);
        cells.max(self.columns[index].title.width())
    }

    fn total(&self, widths: &[Option<usize>]) -> usize {
        let shown = widths.iter().flatten().count();
        self.indent + widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1)
    }

    /// How many cells the columns shown can give away together and still be comfortable to read.
    fn yielding(&self, widths: &[Option<usize>]) -> usize {
        let yields = |(column, width): (&Column, &Option<usize>)| column.yields(*width, column.comfortable());
        self.columns.iter().zip(widths).map(yields).sum()
    }

    /// Takes `excess` cells away, always from the widest column that has more than its `least`. Returns how many are
    /// still too many.
    fn shrink(&self, widths: &mut [Option<usize>], excess: usize, least: fn(&Column) -> usize) -> usize {
        for taken in 0..excess {
            let widest = (0..widths.len())
                .filter(|index| {
                    let column = &self.columns[*index];
                    column.yields(widths[*index], least(column)) > 0
                })
                .max_by_key(|index| widths[*index]);
            match widest.and_then(|index| widths[index].as_mut()) {
                Some(width) => *width -= 1,
                None => return excess - taken,
            }
        }
        0
    }
}

impl Column {
    fn comfortable(&self) -> usize {
        match self.fit {
            Fit::Whole => usize::MAX,
            Fit::End(least) | Fit::Middle(least) => least.max(self.title.width()),
        }
    }

    fn yields(&self, width: Option<usize>, least: usize) -> usize {
        match (width, self.fit) {
            (Some(width), Fit::End(_) | Fit::Middle(_)) => width.saturating_sub(least),
            _ => 0,
        }
    }
}

impl Fit {
    fn shorten(self, text: &str, width: usize) -> String {
        match self {
            _ if text.width() <= width => text.to_owned(),
            Self::Whole => text.to_owned(),
            Self::End(_) => shorten_end(text, width),
            Self::Middle(_) => shorten_middle(text, width),
        }
    }
}

/// Cuts the end off, so that what is left and an ellipsis take at most `width` cells.
pub fn shorten_end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    format!("{}…", prefix(text, width - 1))
}

/// Cuts the middle out, so that both ends and an ellipsis take at most `width` cells. The end gets two thirds of the
/// room: that is where paths differ.
pub fn shorten_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let start = prefix(text, (width - 1) / 3);
    let room = width - 1 - start.width();
    let end: String = prefix(&text.chars().rev().collect::<String>(), room).chars().rev().collect();
    format!("{start}…{end}")
}

fn prefix(text: &str, width: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(columns: Option<usize>) -> View {
        View {
            colour: false,
            columns,
            home: None,
            now: jiff::Timestamp::UNIX_EPOCH,
            quiet: false,
            verbose: false,
        }
    }

    fn printed(table: &Table, columns: Option<usize>) -> String {
        let mut bytes = Vec::new();
        table.print(&view(columns), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn sample() -> Table {
        let mut table = Table::new(&[
            Column::text("PATH").fit(Fit::Middle(12)),
            Column::number("SIZE"),
            Column::text("NOTE").spare(1),
        ]);
        table.push(["/home/ada/code/project/.venv".into(), "7".into(), "fine".into()]);
        table.push(["漢字".into(), "1,234".into(), "".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_cells_and_lines_end_without_spaces() {
        assert_eq!(
            printed(&sample(), None),
            "PATH                           SIZE  NOTE\n\
             /home/ada/code/project/.venv      7  fine\n\
             漢字                          1,234\n"
        );
    }

    #[test]
    fn a_narrow_table_shortens_paths_in_the_middle_then_leaves_columns_out() {
        assert_eq!(
            printed(&sample(), Some(30)),
            "PATH                SIZE  NOTE\n\
             /home…oject/.venv      7  fine\n\
             漢字               1,234\n"
        );
        assert_eq!(
            printed(&sample(), Some(20)),
            "PATH            SIZE\n\
             /hom…ct/.venv      7\n\
             漢字           1,234\n"
        );
    }

    #[test]
    fn a_shortened_text_keeps_within_its_width_even_with_wide_characters() {
        for width in 0..12 {
            for text in ["漢字漢字漢字", "/home/ada/x", "a"] {
                assert!(shorten_middle(text, width).width() <= width, "{text} in {width}");
                assert!(shorten_end(text, width).width() <= width, "{text} in {width}");
            }
        }
    }
}
