//! What an update asks the shell to do: everything that touches the world outside the model.

use crate::snapshot::FilesRequest;
use crate::worker::task::Task;

/// One thing for the shell to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave the interface.
    Quit,
    /// Cancel the running scan, if there is one, and start another.
    Rescan,
    /// Cancel the running scan; it answers with what it has.
    StopScan,
    /// Begin a task; it reports by events.
    Begin(Task),
    /// Stop the running task; it reports what it has done.
    StopTask,
    /// List files; the answer comes back as an event.
    ListFiles(FilesRequest),
    /// Put text on the clipboard.
    Copy(String),
    /// Give the terminal back and stop, as Ctrl-Z does everywhere else.
    Suspend,
    /// Draw every cell anew.
    Redraw,
    /// Call the user, who is looking at another window.
    Alert,
}
