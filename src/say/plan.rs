//! What a plan comes to, in words.

use crate::human;
use crate::plan::{Action, Plan};

/// What a distribution is called, with its version where that is known. Not escaped.
pub fn called(name: Option<&str>, version: Option<&str>) -> String {
    [name, version].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What a plan removes, in a few words, as `3 entries and 1 bucket`.
pub fn things(plan: &Plan) -> String {
    things_of(plan.steps.iter().map(|step| step.action))
}

/// The same of what was done.
pub fn things_of(actions: impl Iterator<Item = Action>) -> String {
    let actions: Vec<Action> = actions.collect();
    let number = |action: Action| actions.iter().filter(|it| **it == action).count() as u64;
    let parts: Vec<String> = [
        (Action::RemoveEnvironment, "environment", "environments"),
        (Action::RemoveEntry, "entry", "entries"),
        (Action::RemoveLink, "link to an environment", "links to environments"),
        (Action::RemoveBucket, "bucket", "buckets"),
        (Action::RemoveBuild, "old build", "old builds"),
        (Action::RemoveSource, "unpacked source", "unpacked sources"),
        (Action::RemoveRepository, "git repository", "git repositories"),
        (Action::RemoveIndex, "index cache", "index caches"),
        (Action::RemoveObjects, "store of files", "stores of files"),
        (Action::RemoveLeftover, "leftover", "leftovers"),
    ]
    .into_iter()
    .filter(|(action, ..)| number(*action) > 0)
    .map(|(action, one, many)| human::counted(number(action), one, many))
    .collect();
    human::list(&parts)
}
