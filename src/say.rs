//! The words of answers that more than one front end shows. Nothing in it is escaped.

pub mod plan;
pub mod unused;
pub mod verified;

use crate::human;
use crate::snapshot::Reclaimable;

/// How good an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Notice,
    /// Broken.
    Bad,
}

/// What removing something frees, within a sentence, as `at least 1.2 GiB`.
pub fn frees(figure: Reclaimable) -> String {
    format!("{}{}", figure.certainty.before(), human::bytes(figure.bytes))
}
