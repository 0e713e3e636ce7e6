//! A console that takes escape sequences for text: Windows before version 10, and Wine's.
//!
//! The interface gets a screen buffer of its own, as it gets the alternate screen elsewhere, and writes cells into it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::cells;
use crate::win32::clipboard;
use crate::win32::screen;

/// The screen buffer that was shown before, and the one that belongs to the interface, while that has the console.
///
/// Whoever puts the terminal back need not have the screen: a panic's hook has not.
static TAKEN: Mutex<Option<(File, Arc<File>)>> = Mutex::new(None);

/// What was wanted from the keyboard before, while the interface has the console.
static WANTED: Mutex<Option<u32>> = Mutex::new(None);

/// The console, with what is to be seen on it.
#[derive(Debug)]
pub(super) struct Console {
    buffer: Arc<File>,
    /// The attributes that the console's own text has.
    usual: u16,
    size: (u16, u16),
    cells: Vec<(u16, u16)>,
    /// Per row, the columns that are still to be written.
    changed: Vec<Range<usize>>,
}

impl Console {
    /// Takes the console if it does not obey escape sequences; none where it does, or where there is none.
    pub(super) fn take() -> io::Result<Option<Self>> {
        // Without the mouse nobody would tell that the window got another size.
        *WANTED.lock().unwrap_or_else(PoisonError::into_inner) = screen::hear_sizes().ok();
        let (Ok(before), Ok(buffer)) = (screen::shown(), screen::create()) else { return Ok(None) };
        if screen::obeys_sequences(&buffer).unwrap_or(true) {
            return Ok(None);
        }
        let told = screen::told(&before)?;
        let buffer = Arc::new(buffer);
        let mut console = Self {
            buffer: Arc::clone(&buffer),
            usual: told.attributes,
            size: (0, 0),
            cells: Vec::new(),
            changed: Vec::new(),
        };
        screen::show(&buffer)?;
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some((before, buffer));
        console.start().inspect_err(|_| leave())?;
        Ok(Some(console))
    }

    fn start(&mut self) -> io::Result<()> {
        screen::show_cursor(&self.buffer, false)?;
        self.clear()?;
        self.flush()
    }

    /// Where a column and a row of the window are in the screen buffer.
    fn place(&self, column: u16, row: u16) -> io::Result<(i16, i16)> {
        let (left, top) = screen::told(&self.buffer)?.start;
        let cells = |number: u16| i16::try_from(number).unwrap_or(i16::MAX);
        Ok((left.saturating_add(cells(column)), top.saturating_add(cells(row))))
    }

    fn set(&mut self, column: u16, row: u16, cell: (u16, u16)) {
        let (columns, rows) = self.size;
        if column >= columns || row >= rows {
            return;
        }
        let (column, row) = (usize::from(column), usize::from(row));
        self.cells[row * usize::from(columns) + column] = cell;
        let changed = &mut self.changed[row];
        *changed = if changed.start == changed.end {
            column..column + 1
        } else {
            changed.start.min(column)..changed.end.max(column + 1)
        };
    }
}

impl Backend for Console {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (column, row, cell) in content {
            let (first, second) = cells::units(cell, self.usual);
            self.set(column, row, first);
            if let Some(second) = second {
                self.set(column + 1, row, second);
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        screen::show_cursor(&self.buffer, false)
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        screen::show_cursor(&self.buffer, true)
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        let told = screen::told(&self.buffer)?;
        let cells = |at: i16, start: i16| u16::try_from(at.saturating_sub(start)).unwrap_or(0);
        Ok(Position { x: cells(told.cursor.0, told.start.0), y: cells(told.cursor.1, told.start.1) })
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        let (column, row) = self.place(x, y)?;
        screen::place_cursor(&self.buffer, column, row)
    }

    fn clear(&mut self) -> io::Result<()> {
        let (columns, rows) = screen::told(&self.buffer)?.size;
        // Without lines that scroll out of sight. Where that is refused, what the window shows is drawn on.
        drop(screen::resize(&self.buffer, columns, rows));
        self.size = (columns, rows);
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        self.cells = vec![(u16::from(b' '), self.usual); columns * rows];
        self.changed = vec![0..columns; rows];
        Ok(())
    }

    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        // Only a part of the screen is cleared by inline interfaces, which this is not.
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        let (width, height) = screen::told(&self.buffer)?.size;
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        let (left, top) = self.place(0, 0)?;
        let columns = usize::from(self.size.0);
        for (row, changed) in self.changed.iter_mut().enumerate() {
            let changed = std::mem::take(changed);
            let start = row * columns;
            let at = |number: usize| i16::try_from(number).unwrap_or(i16::MAX);
            screen::write(
                &self.buffer,
                left.saturating_add(at(changed.start)),
                top.saturating_add(at(row)),
                &self.cells[start + changed.start..start + changed.end],
            )?;
        }
        Ok(())
    }
}

/// Whether the console is taken, and escape sequences are not to be sent.
pub(super) fn is_taken() -> bool {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Puts back what was wanted from the keyboard, and shows again what was shown before, if the console was taken.
pub(super) fn leave() {
    if let Some(mode) = WANTED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // There is nobody left to tell.
        drop(screen::want(mode));
    }
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((before, _)) = taken {
        drop(screen::show(&before));
    }
}

/// Puts text on the clipboard.
pub(super) fn copy(text: &str) -> io::Result<()> {
    clipboard::put(text)
}
