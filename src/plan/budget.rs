//! Keeps to a limit: no more is removed than it takes.

use std::cmp::Reverse;

use super::Price;
use super::prune::Candidate;
use super::request::Budget;
use crate::snapshot::{Holder, Snapshot};

/// Takes away what need not be removed for a limit to be kept, and gives it back. What was used longest ago goes first, of
/// that what is easiest to get back, and of that what is largest; what cannot be had again goes last of all. The order of those that stay is theirs before.
pub(super) fn limit(snapshot: &Snapshot, budget: Budget, candidates: &mut Vec<Candidate>) -> Vec<Candidate> {
    if !budget.is_some() {
        return Vec::new();
    }
    let smaller = budget.max_size.map_or(0, |most| snapshot.cache.kept().saturating_sub(most));
    let available = snapshot.cache.space.map_or(0, |space| space.available);
    let freed = budget.keep_free.map_or(0, |least| least.saturating_sub(available));
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_cached_key(|position| {
        let candidate = &candidates[*position];
        let step = &candidate.step;
        // What nobody knows the last use of goes last.
        let used = candidate.used.map_or(i64::MAX, jiff::Timestamp::as_second);
        (step.price == Price::Gone, used, step.price.rank(), Reverse(step.bytes.disk), step.at.clone())
    });
    let holders: Vec<Holder> = order.iter().filter_map(|position| candidates[*position].holder).collect();
    let mut answers = snapshot.reclaimable_in_order(&holders).into_iter();
    let (mut gone, mut given, mut needed) = (0, 0, vec![false; candidates.len()]);
    for position in order {
        let candidate = &candidates[position];
        let back = match candidate.holder {
            Some(_) => answers.next().expect("there is an answer for each holder").bytes,
            None => candidate.step.bytes.disk,
        };
        if gone < smaller || given < freed {
            needed[position] = true;
            gone += candidate.step.bytes.disk;
            given += back;
        }
    }
    let mut within = Vec::new();
    let mut position = 0;
    candidates.retain_mut(|candidate| {
        let needs = needed[position];
        position += 1;
        if !needs {
            within.push(candidate.clone());
        }
        needs
    });
    within
}
