//! What is unused, told together with what of it can go: one number everywhere.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Action, Kept, Plan, kept_in_short};
use crate::human;
use crate::snapshot::{Completeness, EntryState, Snapshot};

/// How many entries nothing uses, and what of them can go by a plan for all of them, as `19 unused, 1.2 GiB: 14 can go now;
/// 3 too young, 2 environments in the cache`. Empty where nothing is unused.
pub fn unused_in_words(snapshot: &Snapshot, plan: &Plan) -> String {
    let totals = snapshot.totals();
    if totals.unused_entries == 0 || snapshot.scope.completeness != Completeness::Complete {
        return String::new();
    }
    let path = |bucket: &str, id: &std::ffi::OsStr| Path::new(bucket).join(id);
    let unused: HashSet<PathBuf> = snapshot
        .entries
        .iter()
        .filter(|entry| matches!(entry.state, EntryState::Unused | EntryState::Unreferenced))
        .map(|entry| path(&entry.key.bucket, &entry.key.id))
        .collect();
    let goes = plan.steps.iter().filter(|step| step.action == Action::RemoveEntry).count() as u64;
    let kept: Vec<Kept> = plan.kept.iter().filter(|kept| unused.contains(&kept.at.path())).cloned().collect();
    let others = totals.unused_entries.saturating_sub(goes + kept.len() as u64);
    let mut stays: Vec<String> =
        Some(kept_in_short(&kept)).into_iter().filter(|words| !words.is_empty()).collect();
    if others > 0 {
        stays.push(human::counted(others, "environment in the cache", "environments in the cache"));
    }
    let goes = if goes == totals.unused_entries {
        "all can go now".to_owned()
    } else if goes == 0 {
        "none can go now".to_owned()
    } else {
        format!("{} can go now", human::count(goes))
    };
    let stays = if stays.is_empty() { String::new() } else { format!("; {}", stays.join(", ")) };
    format!(
        "{} unused, {}{}: {goes}{stays}",
        human::count(totals.unused_entries),
        totals.unused.certainty.before(),
        human::bytes(totals.unused.bytes)
    )
}
