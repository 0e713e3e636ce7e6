//! The screen buffers of a console, written cell by cell: for consoles that take escape sequences for text.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{FromRawHandle as _, OwnedHandle};

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE};
use windows_sys::Win32::System::Console::{
    CHAR_INFO, CHAR_INFO_0, CONSOLE_CURSOR_INFO, CONSOLE_SCREEN_BUFFER_INFO, CONSOLE_TEXTMODE_BUFFER, COORD,
    CreateConsoleScreenBuffer, ENABLE_PROCESSED_OUTPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING,
    ENABLE_WINDOW_INPUT, GetConsoleMode, GetConsoleScreenBufferInfo, SMALL_RECT,
    SetConsoleActiveScreenBuffer, SetConsoleCursorInfo, SetConsoleCursorPosition, SetConsoleMode,
    SetConsoleScreenBufferSize, WriteConsoleOutputW, WriteConsoleW,
};
use windows_sys::core::BOOL;

use super::{failed, handle};

const ACCESS: u32 = GENERIC_READ | GENERIC_WRITE;
const SHARE: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE;
/// Shows the cursor, which a new screen buffer does anyway.
const HARMLESS: &str = "\x1b[?25h";

/// What the console says about a screen buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The columns and rows that its window shows.
    pub(crate) size: (u16, u16),
    /// The first column and row of them.
    pub(crate) start: (i16, i16),
    pub(crate) cursor: (i16, i16),
    /// The colours that text is written in.
    pub(crate) attributes: u16,
}

/// The screen buffer that is shown now.
pub(crate) fn shown() -> io::Result<File> {
    OpenOptions::new().access_mode(ACCESS).share_mode(SHARE).open("CONOUT$")
}

/// A new screen buffer, which is not shown.
pub(crate) fn create() -> io::Result<File> {
    let null = std::ptr::null();
    // SAFETY: the call takes numbers, and may do without the structures.
    let buffer =
        unsafe { CreateConsoleScreenBuffer(ACCESS, SHARE, null, CONSOLE_TEXTMODE_BUFFER, null.cast()) };
    if buffer == INVALID_HANDLE_VALUE {
        return Err(failed());
    }
    // SAFETY: the call succeeded and gave this handle to nobody else.
    Ok(File::from(unsafe { OwnedHandle::from_raw_handle(buffer) }))
}

/// Shows a screen buffer.
pub(crate) fn show(buffer: &File) -> io::Result<()> {
    // SAFETY: the handle is open while `buffer` is borrowed.
    answer(unsafe { SetConsoleActiveScreenBuffer(handle(buffer)) })
}

/// Whether a screen buffer that is not shown, and that nothing was written to, obeys escape sequences.
///
/// What a console says it can do is not enough: there are some that say yes, and count a sequence as text.
pub(crate) fn obeys_sequences(buffer: &File) -> io::Result<bool> {
    let wanted = ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING;
    // SAFETY: the handle is open while `buffer` is borrowed.
    if unsafe { SetConsoleMode(handle(buffer), mode(buffer)? | wanted) } == 0 {
        return Ok(false);
    }
    let before = told(buffer)?.cursor;
    let text: Vec<u16> = HARMLESS.encode_utf16().collect();
    let length = u32::try_from(text.len()).expect("the text is short");
    let mut written = 0;
    // SAFETY: the handle is open while `buffer` is borrowed, and the text has that many units.
    answer(unsafe {
        WriteConsoleW(handle(buffer), text.as_ptr(), length, &raw mut written, std::ptr::null())
    })?;
    Ok(told(buffer)?.cursor == before)
}

/// Wants to be told, among the keys, when the window gets another size. Answers with what was wanted before.
pub(crate) fn hear_sizes() -> io::Result<u32> {
    let before = mode(&input()?)?;
    want(before | ENABLE_WINDOW_INPUT)?;
    Ok(before)
}

/// Says what is wanted from the keyboard.
pub(crate) fn want(mode: u32) -> io::Result<()> {
    let input = input()?;
    // SAFETY: the handle is open while `input` lives.
    answer(unsafe { SetConsoleMode(handle(&input), mode) })
}

fn input() -> io::Result<File> {
    OpenOptions::new().access_mode(ACCESS).share_mode(SHARE).open("CONIN$")
}

fn mode(file: &File) -> io::Result<u32> {
    let mut mode = 0;
    // SAFETY: the handle is open while `file` is borrowed, and the pointer is to a number.
    answer(unsafe { GetConsoleMode(handle(file), &raw mut mode) })?;
    Ok(mode)
}

/// What is known of a screen buffer.
pub(crate) fn told(buffer: &File) -> io::Result<Told> {
    let mut told = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is open while `buffer` is borrowed, and the pointer is to a structure of the right type.
    answer(unsafe { GetConsoleScreenBufferInfo(handle(buffer), &raw mut told) })?;
    let window = told.srWindow;
    let cells = |first: i16, last: i16| u16::try_from(i32::from(last) - i32::from(first) + 1).unwrap_or(0);
    Ok(Told {
        size: (cells(window.Left, window.Right), cells(window.Top, window.Bottom)),
        start: (window.Left, window.Top),
        cursor: (told.dwCursorPosition.X, told.dwCursorPosition.Y),
        attributes: told.wAttributes,
    })
}

/// Gives a screen buffer as many columns and rows.
pub(crate) fn resize(buffer: &File, columns: u16, rows: u16) -> io::Result<()> {
    let size = COORD { X: coordinate(columns), Y: coordinate(rows) };
    // SAFETY: the handle is open while `buffer` is borrowed.
    answer(unsafe { SetConsoleScreenBufferSize(handle(buffer), size) })
}

/// Writes cells of one row, each a code unit and its attributes.
pub(crate) fn write(buffer: &File, column: i16, row: i16, cells: &[(u16, u16)]) -> io::Result<()> {
    let cells: Vec<CHAR_INFO> = cells
        .iter()
        .map(|(unit, attributes)| CHAR_INFO {
            Char: CHAR_INFO_0 { UnicodeChar: *unit },
            Attributes: *attributes,
        })
        .collect();
    if cells.is_empty() {
        return Ok(());
    }
    let last = i16::try_from(cells.len() - 1).map_err(|_| io::ErrorKind::InvalidInput)?;
    let size = COORD { X: last.saturating_add(1), Y: 1 };
    let mut region = SMALL_RECT { Left: column, Top: row, Right: column.saturating_add(last), Bottom: row };
    // SAFETY: the handle is open while `buffer` is borrowed, and there are as many cells as the size says.
    answer(unsafe {
        WriteConsoleOutputW(handle(buffer), cells.as_ptr(), size, COORD { X: 0, Y: 0 }, &raw mut region)
    })
}

/// Puts the cursor somewhere.
pub(crate) fn place_cursor(buffer: &File, column: i16, row: i16) -> io::Result<()> {
    // SAFETY: the handle is open while `buffer` is borrowed.
    answer(unsafe { SetConsoleCursorPosition(handle(buffer), COORD { X: column, Y: row }) })
}

/// Shows or hides the cursor.
pub(crate) fn show_cursor(buffer: &File, visible: bool) -> io::Result<()> {
    // A quarter of the cell, as consoles have it from the start.
    let cursor = CONSOLE_CURSOR_INFO { dwSize: 25, bVisible: BOOL::from(visible) };
    // SAFETY: the handle is open while `buffer` is borrowed, and the pointer is to a structure of the right type.
    answer(unsafe { SetConsoleCursorInfo(handle(buffer), &raw const cursor) })
}

/// A number of cells as consoles count them.
fn coordinate(cells: u16) -> i16 {
    i16::try_from(cells).unwrap_or(i16::MAX)
}

fn answer(done: BOOL) -> io::Result<()> {
    if done == 0 { Err(failed()) } else { Ok(()) }
}
