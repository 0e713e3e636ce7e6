//! The interface: `update` changes the model, `view` draws it, and a shell around both reads keys and writes frames.
//!
//! [`update`] and [`view`] are pure: time, sizes and results come in as events, and what has to happen outside goes out as
//! effects, so that every screen can be tested without a terminal. The shell (`shell`, `terminal`, `signals`) is the only
//! part that waits, reads the clock or writes. Every text that came from outside passes [`crate::human::escape`] on its
//! way into a line, so that no control character reaches the terminal.

mod action;
mod effect;
mod event;
mod glyphs;
mod key;
mod keymap;
mod layout;
mod model;
mod page;
mod reader;
mod shell;
mod signals;
mod terminal;
mod text;
mod theme;
mod update;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use crate::plan::Plan;
use crate::snapshot::{FileRow, FilesRequest, Snapshot};
use crate::worker::task::{Task, TaskJob};
use crate::worker::{Around, ScanJob};

pub use action::Action;
pub use effect::Effect;
pub use event::{Event, Focus, Moment, Mouse, MouseKind};
pub use glyphs::Glyphs;
pub use key::{Code, Key, UnknownKey};
pub use keymap::{Binding, Keymap, KeymapError, Meaning};
pub use model::{Model, Settings};
pub use shell::run;
pub use theme::{Role, Theme, ThemeError};
pub use update::update;
pub use view::view;

/// A list of files, or why there is none, as soon as it is made.
pub type FilesReply = Receiver<Result<Vec<FileRow>, String>>;

/// What goes on around the cache, as soon as it is found out.
pub type AroundReply = Receiver<Around>;

/// A plan that was looked at, as soon as it is.
pub type PlanReply = Receiver<Box<Plan>>;

/// How the interface is opened, and what it calls.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Options {
    /// Starts a scan on a thread of its own; called once at the start and again for each rescan.
    pub start_scan: Box<dyn FnMut() -> ScanJob>,
    /// Lists files off the screen's thread.
    pub list_files: Box<dyn Fn(FilesRequest) -> FilesReply>,
    /// Begins a task on a thread of its own; called only while none runs.
    pub start_task: Box<dyn Fn(Task, Arc<Snapshot>) -> TaskJob>,
    /// Finds out about locks and the trash off the screen's thread, for the cache and the environments of a snapshot; called again and
    /// again, never before the last answer.
    pub look_around: Box<dyn Fn(Arc<Snapshot>) -> AroundReply>,
    /// Looks at what a plan changes off the screen's thread: what processes have open, and what a link would lose.
    pub weigh_plan: Box<dyn Fn(Box<Plan>, Arc<Snapshot>) -> PlanReply>,
    /// The cache's root, shown until the first scan tells it.
    pub cache: PathBuf,
    /// How long something stays after its last change, in seconds, unless it was named.
    pub grace: u64,
    /// Whether the cache is a sample.
    pub demo: bool,
    /// Which keys mean what.
    pub keymap: Keymap,
    /// Sentences to show at the start, as conflicts among the keys.
    pub notices: Vec<String>,
    /// The colours.
    pub theme: Theme,
    /// The signs.
    pub glyphs: Glyphs,
    /// The user's home directory, shown as `~`.
    pub home: Option<PathBuf>,
    /// Whether the mouse is listened to.
    pub mouse: bool,
    /// Whether the terminal's own display of progress (OSC 9;4) is told of running scans.
    pub taskbar: bool,
    /// Whether the bell rings when a long scan ends while another window has the focus.
    pub notify: bool,
    /// When the program started.
    pub started: Instant,
    /// Reads the time of day.
    pub now: fn() -> jiff::Timestamp,
}
