//! What became of environments that were to be mended.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::apply::report::{RefusedMode, State};
use crate::plan::At;
use crate::plan::repair::{Left, LinkStep, RepairAction, RepairStep};
use crate::snapshot::ModeCounts;

/// What became of a plan to mend environments and the cache's own links.
///
/// Written down, all outcomes are in one list, in the plan's order.
#[derive(Clone, Debug, Default)]
pub struct RepairReport {
    /// What became of each link of the cache, in the plan's order.
    pub links: Vec<LinkOutcome>,
    /// What became of each step in environments, in the plan's order.
    pub outcomes: Vec<RepairOutcome>,
    /// What stays broken beside what the plan said, because uv did not bring it.
    pub kept: Vec<Left>,
    /// What else is worth saying, as sentences. Not escaped.
    pub notes: Vec<String>,
}

impl RepairReport {
    /// How many steps ended so.
    pub fn count(&self, state: State) -> usize {
        let links = self.links.iter().map(|outcome| outcome.state);
        let states = links.chain(self.outcomes.iter().map(|outcome| outcome.state));
        states.filter(|it| *it == state).count()
    }

    /// Whether every step was done, and nothing stays broken beside what the plan said.
    pub fn is_complete(&self) -> bool {
        self.count(State::Done) == self.links.len() + self.outcomes.len() && self.kept.is_empty()
    }
}

impl Serialize for RepairReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// What became of a step of either kind; the action tells which.
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Any<'a> {
            Link(&'a LinkOutcome),
            Mend(&'a RepairOutcome),
        }
        let links = self.links.iter().map(Any::Link);
        let outcomes = links.chain(self.outcomes.iter().map(Any::Mend));
        let mut form = serializer.serialize_struct("RepairReport", 3)?;
        form.serialize_field("outcomes", &outcomes.collect::<Vec<_>>())?;
        form.serialize_field("kept", &self.kept)?;
        form.serialize_field("notes", &self.notes)?;
        form.end()
    }
}

/// What became of one link of the cache.
#[derive(Clone, Debug, Serialize)]
pub struct LinkOutcome {
    /// What was to be done: always [`RepairAction::RestoreLink`].
    pub action: RepairAction,
    /// The link, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// The distribution's name; none for an environment.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What became of it.
    pub state: State,
    /// Why, unless it was done. Not escaped.
    pub why: Option<String>,
}

impl LinkOutcome {
    /// An outcome. `why` is not escaped.
    pub fn ended(step: &LinkStep, state: State, why: Option<String>) -> Self {
        Self {
            action: step.action,
            at: step.at.clone(),
            name: step.name.clone(),
            version: step.version.clone(),
            state,
            why,
        }
    }
}

/// What became of one step.
#[derive(Clone, Debug, Serialize)]
pub struct RepairOutcome {
    /// What was to be done.
    pub action: RepairAction,
    /// In which environment: its root, absolute.
    #[serde(flatten)]
    pub at: At,
    /// The distribution's name.
    pub name: String,
    /// Its version.
    pub version: String,
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
    pub fn ended(step: &RepairStep, state: State, why: Option<String>) -> Self {
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
