//! What a plan comes to, in words.

use crate::human;
use crate::plan::{Action, Plan};

/// What a plan removes, in a few words, as `3 entries and 1 bucket`.
pub fn things(plan: &Plan) -> String {
    let number = |action: Action| plan.steps.iter().filter(|step| step.action == action).count() as u64;
    let parts: Vec<String> = [
        (Action::RemoveEntry, "entry", "entries"),
        (Action::RemoveEnvironment, "environment", "environments"),
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
