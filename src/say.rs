//! The words of answers that more than one front end shows. Nothing in it is escaped.

pub mod plan;
pub mod verified;

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
