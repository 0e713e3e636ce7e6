//! Plans that change environments: shown, written down, agreed to. `relink`, `repair`, `verify --detach` and `apply` have this in
//! common.

use std::io::{self, Write};

use crate::cli::args::Places;
use crate::cli::args::asking::AskingArguments;
use crate::cli::confirm;
use crate::cli::failure::Failure;
use crate::cli::print::{Paint, View};
use crate::cli::surroundings::Surroundings;
use crate::human;
use crate::plan::{Kept, Plan, Step};
use crate::say::plan::called;
use crate::snapshot::Snapshot;
use crate::worker::agreed::agreed;

/// What is asked of a plan, and what is left of one that was saved.
#[derive(Clone, Copy)]
pub(super) struct Deciding<'a> {
    pub(super) places: &'a Places,
    pub(super) surroundings: &'a Surroundings,
    pub(super) view: &'a View,
    pub(super) asking: &'a AskingArguments,
    /// The steps of a saved plan that do not hold any more, each with the reason. Not escaped.
    pub(super) left: &'a [(&'a Step, String)],
}

/// Refuses a command that would have to ask although its answer is for a program.
pub(super) fn check(asking: &AskingArguments) -> Result<(), Failure> {
    if asking.json && !asking.yes && !asking.only_shows() { Err(confirm::unanswered()) } else { Ok(()) }
}

/// What still holds of a saved plan by a new one, and the steps that do not, each with the reason.
pub(super) fn still_holds<'a>(
    saved: &'a Plan,
    fresh: Plan,
    snapshot: &Snapshot,
) -> (Plan, Vec<(&'a Step, String)>) {
    let (mut plan, left) = agreed(saved, fresh, snapshot);
    let is_told = |kept: &Kept| left.iter().any(|(step, _)| step.at == kept.at && step.name == kept.name);
    plan.kept.retain(|kept| !is_told(kept));
    if plan.is_empty() {
        plan.warnings.clear();
    }
    plan.add_up();
    (plan, left)
}

impl Deciding<'_> {
    /// Tells what of a saved plan is not done any more.
    pub(super) fn print_left(&self, writer: &mut dyn Write) -> io::Result<()> {
        for (step, why) in self.left.iter().filter(|_| !self.asking.json) {
            let name = called(step.name.as_deref(), step.version.as_deref());
            let name = if name.is_empty() { name } else { format!("{} in ", human::escape(&name)) };
            let path = self.view.path(&step.at.path());
            let text = format!("left alone {name}{path}: {}", human::escape(why));
            writeln!(writer, "{}", self.view.painted(Paint::Bad, &self.view.wrapped(&text)))?;
        }
        Ok(())
    }

    /// Writes a plan where it is to be saved.
    pub(super) fn save(&self, plan: &Plan, writer: &mut dyn Write) -> Result<(), Failure> {
        let Some(path) = &self.asking.save else { return Ok(()) };
        super::prune::save(plan, path, self.asking.json, self.view, writer)
    }

    /// Whether the person agrees.
    pub(super) fn agreed(&self, question: &str, writer: &mut dyn Write) -> Result<bool, Failure> {
        if self.asking.yes {
            writer.flush()?;
            return Ok(true);
        }
        if self.asking.json {
            return Err(confirm::unanswered());
        }
        if confirm::ask(&self.view.wrapped(question), self.surroundings, writer)? {
            return Ok(true);
        }
        writeln!(writer, "Nothing was changed.")?;
        Ok(false)
    }
}
