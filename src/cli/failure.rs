//! Why a command did not do what it was asked, and what the program's exit code is then.
//!
//! A chain of errors is printed once, here: `error: …`, a line `  cause: …` for each cause, then a hint as a sentence
//! of its own. Two ends are quiet: a reader of our output that went away, and Ctrl-C.

use std::io::{self, Write};

use crate::human;

/// Something failed, or was skipped as stale.
pub const FAILED: u8 = 1;
/// The arguments make no sense, or not here.
pub const USAGE: u8 = 2;
/// A check found damage.
pub const DAMAGE: u8 = 3;
/// A lock is held by somebody else.
pub const BUSY: u8 = 11;
/// Ctrl-C, as shells count it: 128 and the number of the signal.
pub const INTERRUPTED: u8 = 130;

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: Option<anyhow::Error>,
    hint: Option<String>,
}

impl Failure {
    /// A failure with this exit code, one of the constants of this module.
    pub fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: Some(error.into()), hint: None }
    }

    /// A failure of its own, told by a sentence.
    pub fn message(code: u8, message: impl Into<String>) -> Self {
        Self::new(code, anyhow::Error::msg(message.into()))
    }

    /// An end that says nothing.
    pub fn quiet(code: u8) -> Self {
        Self { code, error: None, hint: None }
    }

    /// There is no cache; `reason` says where it was looked for.
    pub fn no_cache(reason: impl Into<String>) -> Self {
        Self::message(FAILED, reason)
            .hint("Name a cache with `--cache-dir DIR`, or try cachetui on a sample cache: `cachetui demo`.")
    }

    /// Adds what to do about it, as a whole sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// What failed, without its causes; empty for a quiet end. Not escaped.
    pub fn text(&self) -> String {
        self.error.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Prints the chain of errors and the hint.
    pub fn print(&self, writer: &mut dyn Write, colour: bool) -> io::Result<()> {
        let Some(error) = &self.error else { return Ok(()) };
        let (start, end) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        writeln!(writer, "{start}error:{end} {}", human::escape(&error.to_string()))?;
        for cause in error.chain().skip(1) {
            writeln!(writer, "  cause: {}", human::escape(&cause.to_string()))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(writer, "{}", human::escape(hint))?;
        }
        Ok(())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(FAILED, error)
    }
}

/// Commands meet this kind of error only where they write their output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::quiet(0);
        }
        Self::from(anyhow::Error::new(error).context("Failed to write the output"))
    }
}
