//! What a key can ask for. The names here are the names in the keymap.

use serde::{Deserialize, Serialize};

/// What a key can ask for. What exactly an action means depends on what has the focus; the sentences of the keymap say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "each action is described once, in the keymap, whose sentences the help shows"
)]
pub enum Action {
    Down,
    Up,
    HalfPageDown,
    HalfPageUp,
    PageDown,
    PageUp,
    Top,
    Bottom,
    Open,
    Back,
    Cancel,
    Entries,
    Environments,
    Links,
    Locks,
    Plan,
    Prune,
    Remove,
    Relink,
    Repair,
    Verify,
    Apply,
    Undo,
    Purge,
    NextView,
    PreviousView,
    Filter,
    Sort,
    Bytes,
    Picture,
    Why,
    Problems,
    Mark,
    MarkRange,
    MarkAll,
    InvertMarks,
    ClearMarks,
    Rescan,
    Stop,
    Copy,
    Help,
    Redraw,
    Suspend,
    Quit,
}
