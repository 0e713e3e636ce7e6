//! Bytes that were freed: predicted, measured, and why the two differ.

use std::collections::HashSet;
use std::path::Path;

use crate::apply::{Freed, Outcome, State};
use crate::disk::volume::{self, Accounting};
use crate::plan::Plan;
use crate::snapshot::Certainty;

/// What the steps that were done should free, by the plan, and how sure that was.
pub(super) fn predicted(plan: &Plan, outcomes: &[Outcome]) -> (u64, Certainty) {
    let done: HashSet<_> =
        outcomes.iter().filter(|it| it.state == State::Done).map(|it| (it.action, &it.at)).collect();
    let steps = plan.steps.iter().filter(|step| done.contains(&(step.action, &step.at)));
    steps.fold((0, Certainty::Exact), |(sum, certainty): (u64, Certainty), step| {
        (sum.saturating_add(step.bytes.reclaimable), certainty.and(step.bytes.certainty))
    })
}

/// Puts both beside each other. `whole` tells that everything was deleted.
pub(super) fn freed(
    cache: &Path,
    (predicted, certainty): (u64, Certainty),
    measured: Option<u64>,
    whole: bool,
) -> Freed {
    // What the files tell is exact: the plan was not.
    let differs = measured.is_some_and(|measured| measured.abs_diff(predicted) > predicted / 100);
    let why = measured.filter(|_| differs).map(|measured| why(cache, certainty, predicted < measured, whole));
    Freed { predicted, certainty, measured, volume: None, why }
}

fn why(cache: &Path, certainty: Certainty, more: bool, whole: bool) -> String {
    let filesystem = volume::filesystem(cache);
    let mut reasons = Vec::new();
    if !whole {
        reasons.push("not everything could be deleted yet".to_owned());
    }
    if more && certainty == Certainty::AtLeast {
        reasons.push("the plan could only say what is freed at least".to_owned());
    }
    if !more && certainty == Certainty::AtMost {
        reasons.push("the plan could only say what is freed at most".to_owned());
    }
    if filesystem.accounting == Accounting::Unknown {
        reasons.push(format!("{} does not tell what its files really take", filesystem.name));
    }
    if filesystem.name == "btrfs" {
        reasons.push("btrfs compresses, and gives room back in the background".to_owned());
    }
    if filesystem.name == "xfs" {
        reasons.push("xfs gives inodes back in the background and in chunks of 64".to_owned());
    }
    reasons.push("other programs wrote or deleted meanwhile".to_owned());
    let last = reasons.len() - 1;
    let rest = if last == 0 { String::new() } else { format!("{}; or ", reasons[..last].join("; or ")) };
    format!("The two may differ because {rest}{}.", reasons[last])
}
