//! Keeps to a limit: no more is removed than it takes.
//!
//! What lies in the trash is given up already. A size does not count it, and room that emptying it is known to make counts
//! as free: nothing is removed that has a price while something lies there that has none.

use std::cmp::Reverse;

use super::prune::Candidate;
use super::request::Budget;
use crate::human;
use crate::snapshot::{Holder, Snapshot};

/// What comes of a limit.
#[derive(Default)]
pub(super) struct Limited {
    /// What need not be removed for it.
    pub(super) within: Vec<Candidate>,
    /// What to know about it, as sentences.
    pub(super) words: Vec<String>,
    /// The bytes that are missing although everything goes that may.
    pub(super) missing: Option<u64>,
}

/// Takes away what need not be removed for a limit to be kept, once `first` is removed. What was used longest ago goes first,
/// of that what is easiest to get back, and of that what is largest; what has no known source goes last of all. The order of
/// those that stay is theirs before.
pub(super) fn limit(
    snapshot: &Snapshot,
    budget: Budget,
    first: &[Candidate],
    candidates: &mut Vec<Candidate>,
) -> Limited {
    if !budget.is_some() {
        return Limited::default();
    }
    let kept = snapshot.kept();
    let available = snapshot.cache.space.map_or(0, |space| space.available);
    let free = available.saturating_add(snapshot.cache.trash_gives());
    let smaller = budget.max_size.map_or(0, |most| kept.saturating_sub(most));
    let freed = budget.keep_free.map_or(0, |least| least.saturating_sub(free)).max(budget.free.unwrap_or(0));
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_cached_key(|position| {
        let candidate = &candidates[*position];
        let step = &candidate.step;
        // What nobody knows the last use of goes last.
        let used = candidate.used.map_or(i64::MAX, jiff::Timestamp::as_second);
        (step.price().is_last(), used, step.price().rank(), Reverse(step.bytes.disk), step.at.clone())
    });
    let device = |candidate: &Candidate| Some(candidate.step.expects().device);
    let parts = snapshot.entries.iter().map(|entry| entry.print.device);
    let cache =
        parts.chain(snapshot.cache.buckets.iter().map(|it| it.print.device)).find(|device| *device != 0);
    let all = || first.iter().chain(order.iter().map(|position| &candidates[*position]));
    let holders: Vec<Holder> = all().flat_map(|candidate| candidate.holders.iter().copied()).collect();
    let mut answers = snapshot.given_in_order(&holders).into_iter();
    let (mut gone, mut given, mut needed) = (0_u64, 0_u64, vec![false; candidates.len()]);
    let positions = first.iter().map(|_| None).chain(order.iter().copied().map(Some));
    for (candidate, position) in all().zip(positions) {
        // What lies in the lower layer of an overlay makes no room.
        let is_below =
            |holder: &Holder| matches!(holder, Holder::Entry(index) if snapshot.entry(*index).below);
        let below = candidate.holders.iter().any(is_below);
        // Nor does what lies on another volume.
        let below = below || !candidate.step.is_in_cache() && device(candidate) != cache;
        let (mut leaves, mut back) = (candidate.own, if below { 0 } else { candidate.own });
        for _ in &candidate.holders {
            let answer = answers.next().expect("there is an answer for each holder");
            leaves = leaves.saturating_add(answer.leaves);
            back = back.saturating_add(if below { 0 } else { answer.back });
        }
        if position.is_none() || gone < smaller || given < freed && !below {
            if let Some(position) = position {
                needed[position] = true;
            }
            let pointers = || candidate.step.pointers().iter().map(|pointer| pointer.expects);
            let alone =
                pointers().filter(|pointer| pointer.links == 1).map(|pointer| pointer.disk).sum::<u64>();
            gone = gone.saturating_add(leaves).saturating_add(pointers().map(|pointer| pointer.disk).sum());
            given = given.saturating_add(back).saturating_add(alone);
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
    let missing = smaller.saturating_sub(gone).max(freed.saturating_sub(given));
    let left = Left { kept: kept.saturating_sub(gone), free: free.saturating_add(given), given, missing };
    let words = words(snapshot, budget, left);
    Limited { within, words, missing: (missing > 0).then_some(missing) }
}

/// What is left when everything has gone that goes, in bytes.
struct Left {
    /// What the cache takes.
    kept: u64,
    /// What is free on its volume.
    free: u64,
    /// What came free.
    given: u64,
    /// What a limit lacks.
    missing: u64,
}

/// That a limit is not kept, and what the trash has to do with it.
fn words(snapshot: &Snapshot, budget: Budget, Left { kept, free, given, missing }: Left) -> Vec<String> {
    let mut words = Vec::new();
    let too_large = budget.max_size.is_some_and(|most| kept > most);
    let too_full = budget.keep_free.is_some_and(|least| free < least);
    if too_large || too_full {
        words.push(format!(
            "That is all that may go, and the limit is not reached: {} are missing. The cache keeps {}, and {} are free.",
            human::bytes(missing),
            human::bytes(kept),
            human::bytes(free)
        ));
    }
    if let Some(least) = budget.free.filter(|least| given < *least) {
        words.push(format!(
            "That is all that may go, and it frees {} of the {} that were asked for.",
            human::bytes(given),
            human::bytes(least)
        ));
    }
    let cache = &snapshot.cache;
    let Some(trash) = cache.trash().filter(|trash| trash.disk > 0) else { return words };
    // What it shares with the cache counts as the cache's.
    let alone = cache.disk.saturating_sub(snapshot.kept());
    if budget.max_size.is_some() && alone > 0 {
        words.push(format!(
            "The trash takes {} more, which a size leaves out and `cachetui trash purge` frees.",
            human::bytes(alone)
        ));
    }
    let takes = human::bytes(trash.disk);
    if budget.keep_free.is_some() {
        words.push(match cache.trash_gives() {
            0 => format!(
                "The trash takes {takes}; how much of it is freed when it is emptied is not known: others may have \
                 the same bytes. Nothing was counted on; `cachetui trash purge` empties it."
            ),
            back => format!(
                "Of what is to be free, {} are counted on that lie in the trash: `cachetui trash purge` frees them.",
                human::bytes(back)
            ),
        });
    }
    words
}
