//! What is left of a plan that somebody has agreed to when it is made again, and what became of each of its steps.

use std::collections::{HashMap, HashSet};

use crate::apply::{Outcome, State};
use crate::plan::{Action, At, Plan, Step};
use crate::snapshot::{Evidence, Snapshot};

/// Reduces a new plan to the steps of the one that was agreed to. Also returns the steps that the new plan lacks, each with the
/// reason. Not escaped.
pub fn agreed<'a>(
    reviewed: &'a Plan,
    mut fresh: Plan,
    snapshot: &Snapshot,
) -> (Plan, Vec<(&'a Step, String)>) {
    // One environment can have several steps.
    let mut left: HashMap<(Action, At), Vec<&Step>> = HashMap::new();
    let key = |step: &Step| (step.action, step.at.clone());
    for step in &reviewed.steps {
        left.entry(key(step)).or_default().push(step);
    }
    fresh.steps.retain(|step| {
        let Some(agreed) = left.get_mut(&key(step)) else { return false };
        let place = agreed.iter().position(|it| it.is_same(step));
        place.map(|place| agreed.swap_remove(place)).is_some()
    });
    // Of a store only what was agreed to, whatever else is free by now.
    let objects: HashSet<&At> = reviewed.steps.iter().flat_map(Step::objects).map(|it| &it.at).collect();
    for step in &mut fresh.steps {
        step.retain_objects(|object| objects.contains(&object.at));
    }
    let is_left =
        |step: &&Step| left.get(&key(step)).is_some_and(|it| it.iter().any(|it| std::ptr::eq(*it, *step)));
    let why = |step: &'a Step| {
        let kept = fresh.kept.iter().find(|kept| {
            kept.at == step.at
                && (kept.name.is_none() || (&kept.name, &kept.version) == (&step.name, &step.version))
        });
        let why = kept.map(|kept| kept.reason.clone()).or_else(|| now_used(step, snapshot));
        let gone = || !snapshot.cache.path.join(step.at.path()).exists();
        let changed = || {
            if gone() { "it is gone already" } else { "it has changed since the plan was made" }.to_owned()
        };
        (step, why.unwrap_or_else(changed))
    };
    let left = reviewed.steps.iter().filter(is_left).map(why).collect();
    fresh.add_up();
    (fresh, left)
}

/// The same of a plan that removes, with what became of the steps that are no longer in it.
pub(super) fn still(reviewed: &Plan, fresh: Plan, snapshot: &Snapshot) -> (Plan, Vec<Outcome>) {
    let (plan, left) = agreed(reviewed, fresh, snapshot);
    let left = left.into_iter().map(|(step, why)| Outcome {
        action: step.action,
        at: step.at.clone(),
        state: State::Stale,
        why: Some(why),
        moved: false,
    });
    (plan, left.collect())
}

/// That an environment uses what was to go, by a new scan.
fn now_used(step: &Step, snapshot: &Snapshot) -> Option<String> {
    let path = step.at.path();
    let (index, _) = snapshot.entries().find(|(_, entry)| entry.key.path() == path)?;
    let used = snapshot.references_to(index).iter().find(|it| it.evidence > Evidence::Name)?;
    let environment = &snapshot.environment(used.environment).path;
    Some(format!("`{}` uses it now", environment.display()))
}

/// What became of each step, in the plan's order.
pub(crate) fn ordered(plan: &Plan, done: Vec<Outcome>, left: Vec<Outcome>) -> Vec<Outcome> {
    let mut by_step: HashMap<_, _> =
        done.into_iter().chain(left).map(|outcome| ((outcome.action, outcome.at.clone()), outcome)).collect();
    plan.steps.iter().filter_map(|step| by_step.remove(&(step.action, step.at.clone()))).collect()
}
