//! What became of environments whose files were to be linked otherwise.

use serde::Serialize;

use crate::apply::report::{RefusedMode, State};
use crate::disk::metadata::Loss;
use crate::human;
use crate::linker::Moved;
use crate::plan::{Action, At, Step};
use crate::snapshot::ModeCounts;

/// What became of a plan to link files otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RelinkReport {
    /// What became of each step, in the plan's order.
    pub outcomes: Vec<RelinkOutcome>,
    /// What was given back, or taken.
    pub freed: Change,
    /// What else is worth saying, as sentences. Not escaped.
    pub notes: Vec<String>,
}

/// Bytes that were given back; negative where they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// By the plan, of the steps that were done.
    pub predicted: i64,
    /// What came free less what was taken, by the files that were replaced and made; where the filesystem keeps its accounts to
    /// itself, by how much the free space of the volume grew. None where neither can be told.
    pub measured: Option<i64>,
    /// Why the two differ, where they do by more than a hundredth. Not escaped.
    pub why: Option<String>,
}

impl Change {
    /// What was planned and what came of it, as a sentence. Not escaped.
    pub fn sentence(&self) -> String {
        let said = |bytes: i64| match bytes {
            0 => "nothing was freed".to_owned(),
            1.. => format!("{} were freed", human::bytes(bytes.unsigned_abs())),
            _ => format!("{} were taken", human::bytes(bytes.unsigned_abs())),
        };
        let text = match (self.measured, &self.why) {
            (None, _) => format!("by the plan, {}; it could not be measured", said(self.predicted)),
            (Some(measured), None) => format!("{}, as planned", said(measured)),
            (Some(measured), Some(why)) => {
                let bytes = human::bytes(self.predicted.unsigned_abs());
                let planned = match self.predicted {
                    0 => "nothing was planned".to_owned(),
                    1.. if measured > 0 => format!("{bytes} were planned"),
                    1.. => format!("{bytes} to be freed were planned"),
                    _ => format!("{bytes} to be taken were planned"),
                };
                format!("{}, where {planned}: {why}", said(measured))
            }
        };
        human::capitalized(&text) + "."
    }
}

impl RelinkReport {
    /// How many steps ended so.
    pub fn count(&self, state: State) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.state == state).count()
    }
}

/// A file that was left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptFile {
    /// The file, absolute.
    #[serde(flatten)]
    pub at: At,
    /// Why. Not escaped.
    pub why: String,
}

impl KeptFile {
    /// What the linker left alone.
    pub fn new((path, loss): &(std::path::PathBuf, Loss)) -> Self {
        Self { at: At::new(path), why: loss.to_string() }
    }
}

/// What became of one distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelinkOutcome {
    /// What was to be done: [`Action::Relink`].
    pub action: Action,
    /// In which environment: its root, absolute.
    #[serde(flatten)]
    pub at: At,
    /// The distribution's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What became of it.
    pub state: State,
    /// Why, unless it was done. Not escaped.
    pub why: Option<String>,
    /// Files that were made, by the mode that worked.
    pub made: ModeCounts,
    /// Files that were as wanted already.
    pub already: u64,
    /// Files that were left alone because their content is not the entry's.
    pub modified: Vec<At>,
    /// Files that were left alone because they have what their replacement would lack.
    pub kept: Vec<KeptFile>,
    /// Files that were left alone because something else was there than expected.
    pub stale: Vec<At>,
    /// Modes that did not work.
    pub refused: Vec<RefusedMode>,
    /// Files that are no hardlinks because the cache's file can have no more links.
    pub link_limit: Vec<At>,
    /// What failed, as sentences. Not escaped.
    pub failed: Vec<String>,
    /// The allocated bytes that came free, and that were taken.
    #[serde(skip)]
    pub moved: Moved,
}

impl RelinkOutcome {
    /// An outcome of which nothing but its end is known. `why` is not escaped.
    pub fn ended(step: &Step, state: State, why: Option<String>) -> Self {
        Self {
            action: Action::Relink,
            at: step.at.clone(),
            name: step.name.clone(),
            version: step.version.clone(),
            state,
            why,
            made: ModeCounts::default(),
            already: 0,
            modified: Vec::new(),
            kept: Vec::new(),
            stale: Vec::new(),
            refused: Vec::new(),
            link_limit: Vec::new(),
            failed: Vec::new(),
            moved: Moved::default(),
        }
    }
}
