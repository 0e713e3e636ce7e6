//! The limits of a policy.

use std::path::Path;

use crate::cli::args::values::Amount;
use crate::cli::failure::Failure;
use crate::cli::settings::policy::{Choice, Policy};
use crate::disk::volume;

/// The limits of a policy, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) max_size: Option<u64>,
    pub(super) keep_free: Option<u64>,
}

impl Limits {
    /// The limits on the volume of a cache.
    pub(super) fn of(policy: &Policy, cache: &Path) -> Result<Self, Failure> {
        Ok(Self { max_size: bytes(policy.max_size, cache)?, keep_free: bytes(policy.keep_free, cache)? })
    }

    /// Whether a cache that takes so much, on a volume with so much free, is beyond them. What it takes is asked only when needed.
    pub(super) fn are_exceeded(self, takes: impl FnOnce() -> u64, free: Option<u64>) -> bool {
        self.keep_free.zip(free).is_some_and(|(least, free)| free < least)
            || self.max_size.is_some_and(|most| takes() > most)
    }

    pub(super) fn is_some(self) -> bool {
        self.max_size.is_some() || self.keep_free.is_some()
    }
}

/// A size, in bytes; a part is one of the volume on which a cache lies.
pub(super) fn bytes(amount: Option<Choice<Amount>>, cache: &Path) -> Result<Option<u64>, Failure> {
    let Some(amount) = amount.and_then(Choice::value) else { return Ok(None) };
    amount
        .of(volume::space(cache).map(|(total, _)| total))
        .map(Some)
        .ok_or_else(crate::cli::commands::prune::no_total)
}
