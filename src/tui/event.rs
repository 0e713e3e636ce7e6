//! What can happen to the interface, in words of its own: no terminal library's type goes further than `terminal`.

use std::time::Duration;

use crate::control::Counts;
use crate::plan::Plan;
use crate::snapshot::{FileRow, FilesRequest};
use crate::worker::task::TaskEvent;
use crate::worker::{Around, ScanEvent};

use super::key::Key;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was pressed.
    Key(Key),
    /// The mouse was used.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size, in cells.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The terminal's window gained or lost the focus.
    Focus(Focus),
    /// A scan was started.
    ScanStarted,
    /// The scan reported.
    Scan(ScanEvent),
    /// How far the scan has come.
    Progress(Counts),
    /// Files that were asked for, or why there are none.
    Files(FilesRequest, Result<Vec<FileRow>, String>),
    /// A plan was looked at: its number, and the plan with what was found, if anything could be.
    Weighed(u64, Option<Box<Plan>>),
    /// What is known about locks and the trash now.
    Around(Around),
    /// A task reported.
    Task(TaskEvent),
    /// How many files the task has gone through.
    TaskProgress(u64),
    /// Something the user should know.
    Notice(String),
    /// Nothing but the passing of time.
    Tick,
}

/// Whether the terminal's window has the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// It has.
    Gained,
    /// It has not.
    Lost,
}

/// One use of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What was done.
    pub kind: MouseKind,
    /// The column, from the left, from zero.
    pub column: u16,
    /// The row, from the top, from zero.
    pub row: u16,
}

/// What was done with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    /// The wheel turned towards the user.
    ScrollDown,
    /// The wheel turned away from the user.
    ScrollUp,
}

/// When something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The time since the program started.
    pub elapsed: Duration,
    /// The time of day.
    pub now: jiff::Timestamp,
}
