//! What the view of the plan shows: what could be pruned, or the plan that was made, and the trash.
//!
//! A plan is made from marks, from a class of things, or for environments. One to prune or to relink is made again from
//! its own request whenever a new snapshot comes; steps that were taken out stay out. One to repair rests on files that
//! were hashed for it: it stays as it is, and whoever carries it out leaves alone what has changed since.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use super::suggestion::{Suggestion, SuggestionKind, suggestions};
use crate::apply::Run;
use crate::apply::beside::Whole;
use crate::human;
use crate::plan::{self, At, Class, Kept, Plan, Prune, Request, Step, Totals, Unused, Work};
use crate::say;
use crate::snapshot::{Completeness, EntryIndex, Snapshot};

/// One row of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Row {
    /// A class of things, by its place among [`Class::ALL`].
    Class(usize),
    /// A suggestion, by its place.
    Suggestion(usize),
    /// A step of the plan, by its place.
    Step(usize),
    /// Something that is kept, or stays broken, by its place.
    Kept(usize),
    /// A run in the trash, by its place.
    Run(usize),
    /// The plan that was left and is kept.
    Return,
}

/// What names a row across plans.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::tui) enum Planned {
    /// A class.
    Class(Class),
    /// What a step is about, or something that is kept: a path relative to the cache's root.
    Thing(At),
    /// A distribution: its environment's root, and its `.dist-info` relative to that.
    Distribution(At, At),
    /// Something of an environment that is left as it is: its root, and the place of the row.
    Left(At, usize),
    /// A run in the trash.
    Run(Run),
    /// A suggestion.
    Suggestion(SuggestionKind),
    /// The plan that was left and is kept.
    Return,
}

/// What each class would take, as far as it has been worked out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Classes {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// It has to be worked out for the snapshot when somebody looks.
    Stale,
    /// It is in [`Planning::classes`].
    Known,
}

/// What a class would take.
#[derive(Clone, Debug)]
pub(in crate::tui) struct ClassSums {
    pub(in crate::tui) totals: Totals,
    /// What of it is kept, by reason; empty where nothing is.
    pub(in crate::tui) kept: String,
    /// Of the class of unused entries: how many there are at all, and what of them can go; empty where nothing is unused.
    pub(in crate::tui) unused: String,
}

impl ClassSums {
    /// Whether there is nothing of the kind.
    pub(in crate::tui) fn is_empty(&self) -> bool {
        self.totals.steps == 0 && self.kept.is_empty()
    }
}

/// What the view of the plan shows.
#[derive(Clone, Debug, Default)]
pub(in crate::tui) struct Planning {
    /// How long something stays after its last change, in seconds, unless it was named.
    pub(in crate::tui) grace: u64,
    /// The person's home directory, for which paths have `~`.
    pub(in crate::tui) home: Option<PathBuf>,
    /// The plan, when one was made.
    made: Option<Box<Plan>>,
    /// Which plan that is: each that is made has a number of its own.
    number: u64,
    /// The last one that was looked at.
    weighed: u64,
    /// Whether that was left, so that the view shows what could be done besides.
    left: bool,
    /// Steps that were taken out of it.
    excluded: HashSet<Planned>,
    /// What was marked out of sight when the plan was made, and where.
    unseen: BTreeMap<At, &'static str>,
    /// What tells steps of one name and version apart, by their places in the cache. Escaped.
    labels: BTreeMap<At, String>,
    /// What is unused, and what of it can go, when that is known.
    pub(in crate::tui) unused: Option<Unused>,
    /// What each class would take, while there is no plan.
    pub classes: Vec<ClassSums>,
    /// What else could be done, while there is no plan.
    pub suggestions: Vec<Suggestion>,
    state: Classes,
    /// The runs in the trash, oldest first.
    pub trash: Vec<Whole>,
    /// The rows, in their order.
    pub rows: Vec<Row>,
    /// The environment that the whole plan is about, where it is about one.
    pub environment: Option<At>,
}

impl Planning {
    /// Makes a plan.
    pub(in crate::tui) fn make(&mut self, snapshot: &Snapshot, request: &Request) {
        self.label(snapshot);
        self.show(Box::new(plan::plan(snapshot, request)));
    }

    /// Takes a plan that was made elsewhere.
    pub(in crate::tui) fn take(&mut self, snapshot: &Snapshot, made: Box<Plan>) {
        self.label(snapshot);
        self.show(made);
    }

    fn show(&mut self, made: Box<Plan>) {
        self.excluded.clear();
        self.unseen.clear();
        self.made = Some(made);
        self.number += 1;
        self.left = false;
        self.arrange();
    }

    /// The plan that has not been looked at yet, with its number. What is made of a snapshot alone does not know what processes
    /// have open, nor what a link would lose.
    pub(in crate::tui) fn unweighed(&self) -> Option<(u64, &Plan)> {
        // What could repair something was found by looking at it.
        let plan = self.made().filter(|plan| !matches!(plan.request, Request::Repair(_)))?;
        if plan.is_empty() || self.weighed == self.number {
            return None;
        }
        Some((self.number, plan))
    }

    /// Takes what was found about a plan, unless there is another one by now. Without an answer it is shown as it is.
    pub(in crate::tui) fn take_weighed(&mut self, number: u64, plan: Option<Box<Plan>>) {
        if number == self.number && self.made.is_some() {
            self.weighed = number;
            if let Some(plan) = plan {
                self.made = Some(plan);
            }
            self.arrange();
        }
    }

    /// Remembers what was marked out of sight when the plan was made: entries by their place in the cache, environments by
    /// their roots.
    pub(in crate::tui) fn note_unseen(&mut self, unseen: BTreeMap<At, &'static str>) {
        self.unseen = unseen;
    }

    /// Where something was marked that was out of sight when the plan was made.
    pub(in crate::tui) fn unseen(&self, at: &At) -> Option<&'static str> {
        self.unseen.get(at).copied()
    }

    /// How many of its steps were.
    pub(in crate::tui) fn unseen_steps(&self) -> u64 {
        let is = |at: &At| self.unseen.contains_key(at);
        let steps = self.chosen().map_or(0, |plan| plan.steps.iter().filter(|step| is(&step.at)).count());
        steps as u64
    }

    fn label(&mut self, snapshot: &Snapshot) {
        let place = |index: EntryIndex| {
            let key = &snapshot.entry(index).key;
            At::new(&key.path())
        };
        let labels = snapshot.distinctions().into_iter();
        self.labels =
            labels.map(|(index, label)| (place(index), human::escape(&label).into_owned())).collect();
    }

    /// What tells something from another of its name and version.
    pub(in crate::tui) fn label_of(&self, at: &At) -> Option<&str> {
        self.labels.get(at).map(String::as_str)
    }

    /// Leaves the plan, or returns to it; it is kept meanwhile.
    pub(in crate::tui) fn leave(&mut self, left: bool) {
        self.left = left;
        self.arrange();
    }

    /// Whether the view shows a plan.
    pub(in crate::tui) fn is_open(&self) -> bool {
        self.made.is_some() && !self.left
    }

    /// Drops the plan.
    pub(in crate::tui) fn drop(&mut self, snapshot: &Snapshot) {
        self.made = None;
        self.left = false;
        self.excluded.clear();
        self.unseen.clear();
        self.renew(snapshot);
    }

    /// Makes everything anew for a new snapshot. What the classes would take is left for when somebody looks.
    pub(in crate::tui) fn renew(&mut self, snapshot: &Snapshot) {
        let complete = snapshot.scope.completeness == Completeness::Complete;
        if let Some(old) = self.made.as_ref().filter(|old| !matches!(old.request, Request::Repair(_))) {
            let request = old.request.clone();
            self.made = complete.then(|| {
                let mut plan = plan::plan(snapshot, &request);
                // What was found in environments that stay was found by looking there, and not by a scan.
                if matches!(request, Request::Remove(_)) {
                    let known: HashSet<&At> = plan.kept.iter().map(|kept| &kept.at).collect();
                    let is_looked_at =
                        |kept: &&Kept| kept.at.path().is_absolute() && !known.contains(&kept.at);
                    let kept: Vec<Kept> = old.kept.iter().filter(is_looked_at).cloned().collect();
                    plan.kept.extend(kept);
                }
                Box::new(plan)
            });
            self.number += 1;
        }
        self.label(snapshot);
        self.unused = Unused::new(snapshot, self.grace);
        self.classes = Vec::new();
        self.suggestions = Vec::new();
        self.state = if complete { Classes::Stale } else { Classes::Unknown };
        self.arrange();
    }

    /// Works out what each class would take, if somebody can see it and nobody has yet. Tells whether it did.
    pub(in crate::tui) fn look(&mut self, snapshot: &Snapshot) -> bool {
        if self.state != Classes::Stale || self.is_open() {
            return false;
        }
        let totals = |class| {
            let plan = plan::plan(snapshot, &Request::Prune(self.of_class(class)));
            let unused = self.unused.as_ref().filter(|_| class == Class::Unused);
            let unused = unused.map(say::unused::in_words).unwrap_or_default();
            ClassSums { totals: plan.totals, kept: plan::kept_in_short(&plan.kept), unused }
        };
        self.classes = Class::ALL.into_iter().map(totals).collect();
        self.suggestions = suggestions(snapshot, self.grace);
        self.state = Classes::Known;
        self.arrange();
        true
    }

    /// Takes what is in the trash now.
    pub(in crate::tui) fn take_trash(&mut self, trash: Vec<Whole>) {
        self.trash = trash;
        self.arrange();
    }

    fn arrange(&mut self) {
        let open = self.made.as_ref().filter(|_| !self.left);
        let about: BTreeSet<&At> = match open.map(|plan| (plan, &plan.request)) {
            Some((plan, Request::Relink(_))) => plan.steps.iter().map(|step| &step.at).collect(),
            Some((plan, Request::Repair(_))) => {
                let kept = plan.kept.iter().map(|kept| &kept.at);
                plan.repairs().map(|(step, _)| &step.at).chain(kept).collect()
            }
            _ => BTreeSet::new(),
        };
        self.environment = if about.len() == 1 { about.first().copied().cloned() } else { None };
        self.rows = if let Some(plan) = open {
            let steps = (0..plan.steps.len()).map(Row::Step);
            steps.chain((0..plan.kept.len()).map(Row::Kept)).collect()
        } else {
            let kept = self.made.iter().map(|_| Row::Return);
            let classes = kept.chain((0..self.classes.len()).map(Row::Class));
            let suggestions = classes.chain((0..self.suggestions.len()).map(Row::Suggestion));
            suggestions.chain((0..self.trash.len()).rev().map(Row::Run)).collect()
        };
    }

    /// The plan, when one was made.
    pub(in crate::tui) fn made(&self) -> Option<&Plan> {
        self.made.as_deref()
    }

    /// The step of a row.
    pub(in crate::tui) fn step(&self, row: usize) -> Option<&Step> {
        let Row::Step(place) = self.rows.get(row)? else { return None };
        self.made.as_ref()?.steps.get(*place)
    }

    /// What a row says is kept.
    pub(in crate::tui) fn kept(&self, row: usize) -> Option<&Kept> {
        let Row::Kept(place) = self.rows.get(row)? else { return None };
        self.made.as_ref()?.kept.get(*place)
    }

    /// What names a row.
    pub(in crate::tui) fn name(&self, row: usize) -> Option<Planned> {
        Some(match self.rows.get(row)? {
            Row::Class(class) => Planned::Class(Class::ALL[*class]),
            Row::Suggestion(place) => Planned::Suggestion(self.suggestions.get(*place)?.kind),
            Row::Return => Planned::Return,
            Row::Run(run) => Planned::Run(self.trash.get(*run)?.run.clone()),
            Row::Step(_) => named(self.step(row)?),
            Row::Kept(place) => {
                let at = self.kept(row)?.at.clone();
                match self.made()?.request {
                    Request::Prune(_) | Request::Remove(_) | Request::Gc(_) => Planned::Thing(at),
                    Request::Relink(_) | Request::Repair(_) | Request::Detach(_) => Planned::Left(at, *place),
                }
            }
        })
    }

    /// The row of something.
    pub(in crate::tui) fn find(&self, planned: &Planned) -> Option<usize> {
        (0..self.rows.len()).find(|row| self.name(*row).as_ref() == Some(planned))
    }

    /// The plan without the steps that were taken out.
    pub(in crate::tui) fn chosen(&self) -> Option<Box<Plan>> {
        let mut plan = self.made.clone()?;
        plan.steps.retain(|step| !self.is_out(step));
        plan.add_up();
        Some(plan)
    }

    fn is_step(&self, row: usize) -> bool {
        matches!(self.rows.get(row), Some(Row::Step(_)))
    }

    /// Whether a step was taken out of the plan, or the environment was with which it goes.
    fn is_out(&self, step: &Step) -> bool {
        let is_out = |at: &At| self.excluded.contains(&Planned::Thing(at.clone()));
        self.excluded.contains(&named(step))
            || step.class() != Some(Class::Named) && step.users().iter().any(is_out)
    }

    /// Whether a row is a step that is in the plan.
    pub(in crate::tui) fn is_in(&self, row: usize) -> bool {
        self.step(row).is_some_and(|step| !self.is_out(step))
    }

    /// Takes a step into the plan, or out of it. The steps of one distribution go together.
    pub(in crate::tui) fn set(&mut self, row: usize, into: bool) {
        if let Some(name) = self.name(row).filter(|_| self.is_step(row)) {
            if into {
                self.excluded.remove(&name)
            } else {
                self.excluded.insert(name)
            };
        }
    }

    /// What takes everything of a class.
    pub(in crate::tui) fn of_class(&self, class: Class) -> Prune {
        Prune { classes: BTreeSet::from([class]), grace: self.grace, ..Prune::default() }
    }

    /// What takes entries that were marked, by bucket and id.
    pub(in crate::tui) fn of_marks(&self, what: Vec<String>) -> Prune {
        Prune { what, grace: self.grace, ..Prune::default() }
    }

    /// The newest run that can be put back.
    pub(in crate::tui) fn newest(&self) -> Option<&Whole> {
        self.trash.iter().rev().find(|whole| !whole.run.is_purging())
    }
}

/// What names the row of a step.
fn named(step: &Step) -> Planned {
    match &step.work {
        Work::Relink(work) => Planned::Distribution(step.at.clone(), work.dist_info.clone()),
        Work::Repair(work) => Planned::Distribution(step.at.clone(), work.dist_info.clone()),
        Work::Remove(_) | Work::Link(_) | Work::Detach(_) => Planned::Thing(step.at.clone()),
    }
}
