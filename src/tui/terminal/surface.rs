//! What the terminal library draws on: a terminal that obeys escape sequences, or a console that is written cell by cell.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::prelude::CrosstermBackend;

#[cfg(windows)]
use super::console::Console;

/// What frames are drawn on.
pub(super) enum Surface {
    /// Escape sequences, collected until the frame is whole.
    Sequences(CrosstermBackend<Memory>),
    /// Cells.
    #[cfg(windows)]
    Console(Console),
}

/// Where a frame is collected before it is written.
pub(super) struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The largest screen that is drawn on, in cells: what is told may be anything, and each cell takes memory.
const LARGEST: (u16, u16) = (1_000, 500);

/// A size as it is drawn on: no larger than is sane, and from the corner at the top left.
pub(super) fn clipped(width: u16, height: u16) -> (u16, u16) {
    (width.min(LARGEST.0), height.min(LARGEST.1))
}

impl Surface {
    /// Finds out what is to be drawn on. A console that needs it is taken with that.
    #[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "a console may refuse"))]
    pub(super) fn take(memory: &Rc<RefCell<Vec<u8>>>) -> io::Result<Self> {
        #[cfg(windows)]
        if let Some(console) = Console::take()? {
            return Ok(Self::Console(console));
        }
        Ok(Self::Sequences(CrosstermBackend::new(Memory(Rc::clone(memory)))))
    }
}

/// Calls the one that is there.
macro_rules! either {
    ($surface:expr, $backend:ident => $call:expr) => {
        match $surface {
            Surface::Sequences($backend) => $call,
            #[cfg(windows)]
            Surface::Console($backend) => $call,
        }
    };
}

impl Backend for Surface {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        either!(self, backend => backend.draw(content))
    }

    fn append_lines(&mut self, lines: u16) -> io::Result<()> {
        either!(self, backend => backend.append_lines(lines))
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        either!(self, backend => backend.hide_cursor())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        either!(self, backend => backend.show_cursor())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        either!(self, backend => backend.get_cursor_position())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        either!(self, backend => backend.set_cursor_position(position))
    }

    fn clear(&mut self) -> io::Result<()> {
        either!(self, backend => backend.clear())
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        either!(self, backend => backend.clear_region(region))
    }

    fn size(&self) -> io::Result<Size> {
        let told = either!(self, backend => backend.size())?;
        let (width, height) = clipped(told.width, told.height);
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        either!(self, backend => backend.window_size())
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, backend => Backend::flush(backend))
    }
}
