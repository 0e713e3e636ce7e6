//! What the view of the plan shows: what could be pruned, or the plan that was made, and the trash.
//!
//! A plan is made from marks or from a class of things, and made again from its own request whenever a new snapshot comes;
//! steps that were taken out stay out.

use std::collections::{BTreeSet, HashSet};

use crate::apply::Run;
use crate::plan::{self, At, Class, Plan, Prune, Request, Totals};
use crate::snapshot::{Completeness, Snapshot};

/// How long something stays after its last change, in seconds, unless it was named.
const GRACE: u64 = 24 * 60 * 60;

/// One row of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Row {
    /// A class of things, by its place among [`Class::ALL`].
    Class(usize),
    /// A step of the plan, by its place.
    Step(usize),
    /// Something that is kept, by its place.
    Kept(usize),
    /// A run in the trash, by its place.
    Run(usize),
}

/// What names a row across plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Planned {
    /// A class.
    Class(Class),
    /// What a step or what is kept is about.
    Thing(At),
    /// A run in the trash.
    Run(Run),
}

/// What the view of the plan shows.
#[derive(Clone, Debug, Default)]
pub(in crate::tui) struct Planning {
    /// The plan, when one was made.
    pub plan: Option<Plan>,
    /// Steps that were taken out of it.
    pub excluded: HashSet<At>,
    /// What each class would take, while there is no plan, and how much of it is kept.
    pub classes: Vec<(Totals, usize)>,
    /// The runs in the trash, oldest first.
    pub trash: Vec<Run>,
    /// The rows, in their order.
    pub rows: Vec<Row>,
}

impl Planning {
    /// Makes a plan.
    pub(in crate::tui) fn make(&mut self, snapshot: &Snapshot, request: Prune) {
        self.excluded.clear();
        self.plan = Some(plan::plan(snapshot, &Request::Prune(request)));
        self.arrange();
    }

    /// Drops the plan.
    pub(in crate::tui) fn drop(&mut self, snapshot: &Snapshot) {
        self.plan = None;
        self.excluded.clear();
        self.renew(snapshot);
    }

    /// Makes everything anew for a new snapshot.
    pub(in crate::tui) fn renew(&mut self, snapshot: &Snapshot) {
        let complete = snapshot.scope.completeness == Completeness::Complete;
        if let Some(old) = &self.plan {
            self.plan = complete.then(|| plan::plan(snapshot, &old.request));
        }
        self.classes = if complete && self.plan.is_none() {
            let totals = |class| {
                let plan = plan::plan(snapshot, &Request::Prune(of_class(class)));
                (plan.totals, plan.kept.len())
            };
            Class::ALL.into_iter().map(totals).collect()
        } else {
            Vec::new()
        };
        self.arrange();
    }

    /// Takes what is in the trash now.
    pub(in crate::tui) fn take_trash(&mut self, trash: Vec<Run>) {
        self.trash = trash;
        self.arrange();
    }

    fn arrange(&mut self) {
        self.rows = if let Some(plan) = &self.plan {
            let steps = (0..plan.steps.len()).map(Row::Step);
            steps.chain((0..plan.kept.len()).map(Row::Kept)).collect()
        } else {
            let classes = (0..self.classes.len()).map(Row::Class);
            classes.chain((0..self.trash.len()).rev().map(Row::Run)).collect()
        };
    }

    /// What names a row.
    pub(in crate::tui) fn name(&self, row: usize) -> Option<Planned> {
        Some(match (self.rows.get(row)?, &self.plan) {
            (Row::Class(class), _) => Planned::Class(Class::ALL[*class]),
            (Row::Run(run), _) => Planned::Run(self.trash.get(*run)?.clone()),
            (Row::Step(step), Some(plan)) => Planned::Thing(plan.steps.get(*step)?.at.clone()),
            (Row::Kept(kept), Some(plan)) => Planned::Thing(plan.kept.get(*kept)?.at.clone()),
            (Row::Step(_) | Row::Kept(_), None) => return None,
        })
    }

    /// The row of something.
    pub(in crate::tui) fn find(&self, planned: &Planned) -> Option<usize> {
        (0..self.rows.len()).find(|row| self.name(*row).as_ref() == Some(planned))
    }

    /// The plan without the steps that were taken out.
    pub(in crate::tui) fn chosen(&self) -> Option<Plan> {
        let mut plan = self.plan.clone()?;
        plan.steps.retain(|step| !self.excluded.contains(&step.at));
        plan.totals = Totals::of(&plan.steps, &plan.relinks);
        Some(plan)
    }

    /// Whether a row is a step that is in the plan.
    pub(in crate::tui) fn is_in(&self, row: usize) -> bool {
        match (self.rows.get(row), &self.plan) {
            (Some(Row::Step(step)), Some(plan)) => !self.excluded.contains(&plan.steps[*step].at),
            _ => false,
        }
    }

    /// Takes a step into the plan, or out of it.
    pub(in crate::tui) fn set(&mut self, row: usize, into: bool) {
        if let (Some(Row::Step(step)), Some(plan)) = (self.rows.get(row), &self.plan) {
            let at = plan.steps[*step].at.clone();
            if into {
                self.excluded.remove(&at)
            } else {
                self.excluded.insert(at)
            };
        }
    }

    /// The newest run that can be put back.
    pub(in crate::tui) fn newest(&self) -> Option<&Run> {
        self.trash.iter().rev().find(|run| !run.is_purging())
    }
}

/// What takes everything of a class.
pub(in crate::tui) fn of_class(class: Class) -> Prune {
    Prune { classes: BTreeSet::from([class]), grace: GRACE, ..Prune::default() }
}

/// What takes entries that were marked, by bucket and id.
pub(in crate::tui) fn of_marks(what: Vec<String>) -> Prune {
    Prune { what, grace: GRACE, ..Prune::default() }
}
