//! What is left of a plan that somebody has agreed to when it is made again, and what became of each of its steps.

use std::collections::{HashMap, HashSet};

use crate::apply::{Outcome, State};
use crate::plan::{At, Plan, Step};
use crate::snapshot::{Evidence, Snapshot};

/// The steps of a new plan that were in the one somebody has agreed to, and what became of the others.
pub(crate) fn still(reviewed: &Plan, mut fresh: Plan, snapshot: &Snapshot) -> (Plan, Vec<Outcome>) {
    let key = |step: &Step| (step.action, step.at.clone());
    let mut agreed: HashMap<_, _> = reviewed.steps.iter().map(|step| (key(step), step)).collect();
    fresh.steps.retain(|step| {
        agreed.get(&key(step)).is_some_and(|it| it.is_same(step)) && agreed.remove(&key(step)).is_some()
    });
    // Of a store only what was agreed to, whatever else is free by now.
    let objects: HashSet<&At> = reviewed.steps.iter().flat_map(Step::objects).map(|it| &it.at).collect();
    for step in &mut fresh.steps {
        step.retain_objects(|object| objects.contains(&object.at));
    }
    let kept: HashMap<_, _> = fresh.kept.iter().map(|kept| (&kept.at, kept.reason.as_str())).collect();
    let steps = reviewed.steps.iter().filter(|step| agreed.contains_key(&key(step)));
    let left = steps.map(|step| {
        let why = kept.get(&step.at).map(|reason| (*reason).to_owned()).or_else(|| now_used(step, snapshot));
        let gone = || !snapshot.cache.path.join(step.at.path()).exists();
        let why = why.unwrap_or_else(|| {
            if gone() { "it is gone already" } else { "it has changed since the scan" }.to_owned()
        });
        Outcome {
            action: step.action,
            at: step.at.clone(),
            state: State::Stale,
            why: Some(why),
            moved: false,
        }
    });
    let left = left.collect();
    (fresh, left)
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
