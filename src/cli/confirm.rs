//! Asking before something is changed.

use std::io::{self, Write};

use super::failure::{Failure, USAGE};
use super::surroundings::Surroundings;

/// Fails because there is no terminal to ask on, or an answer for programs goes there.
pub(super) fn unanswered() -> Failure {
    Failure::message(
        USAGE,
        "There is no one to ask: this is not a terminal, or the answer is for a program. Nothing was changed.",
    )
    .hint("`--yes` does it without asking, `--dry-run` only says what would be done.")
}

/// Asks a question that is answered with yes or no, where no is the default. Without a terminal nothing is done.
pub(super) fn ask(
    question: &str,
    surroundings: &Surroundings,
    writer: &mut dyn Write,
) -> Result<bool, Failure> {
    if !(surroundings.stdin_is_terminal && surroundings.stdout_is_terminal) {
        return Err(unanswered());
    }
    write!(writer, "{question} [y/N] ")?;
    writer.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| {
        Failure::new(super::failure::FAILED, anyhow::Error::new(error).context("Failed to read the answer"))
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
