//! What became of a plan.

use serde::{Serialize, Serializer};

use crate::disk::error::words;
use crate::linker::mode::Refused;
use crate::plan::{Action, At};
use crate::snapshot::Certainty;

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What became of each step, in the plan's order.
    pub outcomes: Vec<Outcome>,
    /// What was given back.
    pub freed: Freed,
    /// Where what was removed is kept, relative to the cache's root, until it is purged.
    pub trash: Option<At>,
    /// Where environments that were removed are kept, beside their places, until they are purged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<At>,
    /// What else is worth saying, as sentences. Not escaped.
    pub notes: Vec<String>,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What was to be done.
    pub action: Action,
    /// To what, as in the plan.
    #[serde(flatten)]
    pub at: At,
    /// What became of it.
    pub state: State,
    /// Why, unless it was done. Not escaped.
    pub why: Option<String>,
    /// Whether something of it is in the trash although it was not done, because it could not be put back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was done.
    Done,
    /// Something was not as the plan expected; it was left alone.
    Stale,
    /// It failed; what was begun was put back, as far as that could be done.
    Failed,
    /// The work was stopped before.
    Cancelled,
}

/// A link mode that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedMode {
    /// The word for the mode.
    pub mode: &'static str,
    /// What the operating system answered.
    pub reason: String,
    /// How many files have another mode because of it.
    pub files: u64,
}

impl RefusedMode {
    pub(super) fn new(refused: &Refused) -> Self {
        Self { mode: refused.mode.word(), reason: words(&refused.reason), files: refused.count }
    }
}

/// Bytes that were given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freed {
    /// What the steps that were done should give back, by the plan.
    pub predicted: u64,
    /// How sure the plan is of that.
    #[serde(serialize_with = "word")]
    pub certainty: Certainty,
    /// The bytes of what was removed, by its files: those of each inode whose last link the run took, and that nothing holds
    /// open. None while it is in the trash, or where the filesystem does not tell.
    pub measured: Option<u64>,
    /// By how much the free space of the volume grew meanwhile, which others change too. None where it was not looked at.
    pub volume: Option<u64>,
    /// Why the two differ, where they do by more than a hundredth. Not escaped.
    pub why: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn word<S: Serializer>(certainty: &Certainty, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(certainty.word())
}

impl Report {
    /// Whether every step was done.
    pub fn is_complete(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.state == State::Done)
    }

    /// How many steps ended so.
    pub fn count(&self, state: State) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.state == state).count()
    }
}

impl State {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
