//! What became of environments that were to be repaired.

use serde::Serialize;

use crate::apply::report::{RefusedMode, State};
use crate::plan::{Action, At, Kept, Step};
use crate::snapshot::ModeCounts;

/// What became of a plan to repair environments and the cache's own links.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RepairReport {
    /// What became of each step, in the plan's order.
    pub outcomes: Vec<RepairOutcome>,
    /// What stays broken beside what the plan said, because uv did not bring it.
    pub kept: Vec<Kept>,
    /// What else is worth saying, as sentences. Not escaped.
    pub notes: Vec<String>,
}

impl RepairReport {
    /// How many steps ended so.
    pub fn count(&self, state: State) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.state == state).count()
    }

    /// Whether every step was done, and nothing stays broken beside what the plan said.
    pub fn is_complete(&self) -> bool {
        self.count(State::Done) == self.outcomes.len() && self.kept.is_empty()
    }
}

/// What became of one step.
#[derive(Clone, Debug, Serialize)]
pub struct RepairOutcome {
    /// What was to be done.
    pub action: Action,
    /// In which environment: its root, absolute. Of a link of the cache where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// The distribution's name; none for the link to an environment.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What became of it.
    pub state: State,
    /// Why, unless it was done. Not escaped.
    pub why: Option<String>,
    /// Files that were made, by the mode that worked.
    pub made: ModeCounts,
    /// Files that were left alone because something else was there than expected.
    pub stale: Vec<At>,
    /// Modes that did not work.
    pub refused: Vec<RefusedMode>,
    /// Files that are no hardlinks because the cache's file can have no more links.
    pub link_limit: Vec<At>,
    /// What failed, as sentences. Not escaped.
    pub failed: Vec<String>,
}

impl RepairOutcome {
    /// An outcome of which nothing but its end is known. `why` is not escaped.
    pub fn ended(step: &Step, state: State, why: Option<String>) -> Self {
        Self {
            action: step.action,
            at: step.at.clone(),
            name: step.name.clone(),
            version: step.version.clone(),
            state,
            why,
            made: ModeCounts::default(),
            stale: Vec::new(),
            refused: Vec::new(),
            link_limit: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Adds what became of another part of the same step.
    pub fn add(&mut self, other: &Self) {
        self.made.add(other.made);
        self.stale.extend_from_slice(&other.stale);
        self.refused.extend_from_slice(&other.refused);
        self.link_limit.extend_from_slice(&other.link_limit);
        self.failed.extend_from_slice(&other.failed);
        if self.state == State::Done {
            self.state = other.state;
            self.why.clone_from(&other.why);
        }
    }
}
