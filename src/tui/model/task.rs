//! A task that runs, as far as the screen shows it, and the question that is asked before one is begun.

use std::time::Duration;

use crate::apply::beside::Whole;
use crate::plan::Plan;

/// A task that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Running {
    /// What it does, as `pruning`.
    pub title: &'static str,
    /// How many files it goes through when nothing is left out, where that is known.
    pub total: Option<u64>,
    /// When it was begun.
    pub started: Duration,
    /// Where it is.
    pub stage: Stage,
    /// Whether somebody has asked it to stop.
    pub stopping: bool,
}

impl Running {
    /// How much of it is done, in hundredths, where that is known.
    pub(in crate::tui) fn percent(&self) -> Option<u8> {
        let (Some(total @ 1..), Stage::Working { files, .. }) = (self.total, &self.stage) else {
            return None;
        };
        u8::try_from(files.min(&total) * 100 / total).ok()
    }
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Stage {
    /// It was just begun.
    Begun,
    /// It waits for a lock.
    Waiting {
        /// Who holds it. Escaped.
        holders: String,
        /// How long it waits at most, from when it said so.
        remaining: Duration,
        /// When it said so.
        told: Duration,
    },
    /// It works.
    Working {
        /// What it does, as `linking`. Escaped.
        what: String,
        /// Files it has gone through.
        files: u64,
    },
}

/// What is asked before something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Question {
    /// Whether to carry out the plan.
    Apply,
    /// Whether to carry out a plan that calls for a second look: what was typed so far.
    Sure(String),
    /// Whether an environment is to keep its edits alone.
    Detach(Box<Plan>),
    /// Whether to put back what a run removed.
    Undo(Whole),
    /// Whether to empty the trash for good.
    Purge(Vec<Whole>),
    /// Whether to leave although a task runs.
    Quit,
}

/// Which answer has the focus. The safe one has it at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tui) enum Answer {
    /// Not to do it.
    #[default]
    No,
    /// To do it.
    Yes,
}
