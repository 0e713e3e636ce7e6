//! Bytes that were given back: predicted, measured, and why the two differ.

use std::collections::HashSet;
use std::path::Path;

use crate::apply::{Freed, Outcome, State};
use crate::disk::volume::{self, Accounting};
use crate::plan::Plan;
use crate::snapshot::Certainty;

/// What the steps that were done should give back, by the plan.
pub(super) fn predicted(plan: &Plan, outcomes: &[Outcome]) -> u64 {
    let done: HashSet<_> =
        outcomes.iter().filter(|it| it.state == State::Done).map(|it| (it.action, &it.at)).collect();
    let steps = plan.steps.iter().filter(|step| done.contains(&(step.action, &step.at)));
    steps.fold(0, |sum: u64, step| sum.saturating_add(step.bytes.reclaimable))
}

/// Puts both beside each other. `whole` tells that everything was unlinked.
pub(super) fn freed(plan: &Plan, cache: &Path, predicted: u64, measured: Option<u64>, whole: bool) -> Freed {
    // What the files tell is exact: the plan was not.
    let differs = measured.is_some_and(|measured| measured.abs_diff(predicted) > predicted / 100);
    let why = measured.filter(|_| differs).map(|measured| why(plan, cache, predicted < measured, whole));
    Freed { predicted, certainty: plan.totals.bytes.certainty, measured, volume: None, why }
}

fn why(plan: &Plan, cache: &Path, more: bool, whole: bool) -> String {
    let filesystem = volume::filesystem(cache);
    let mut reasons = Vec::new();
    if !whole {
        reasons.push("not everything could be deleted yet".to_owned());
    }
    if more && plan.totals.bytes.certainty == Certainty::AtLeast {
        reasons.push("the plan could only say what is freed at least".to_owned());
    }
    if !more && plan.totals.bytes.certainty == Certainty::AtMost {
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
