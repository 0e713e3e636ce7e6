//! How output is shown: where it goes, how wide, in which colours, and what time it is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::args::{ColorChoice, Look};
use crate::cli::surroundings::Surroundings;
use crate::human;
use crate::say::Tone;

/// How output is shown.
#[derive(Clone, Debug)]
pub struct View {
    /// Whether to use colours.
    pub colour: bool,
    /// The width to stay within, in cells; none to shorten nothing.
    pub columns: Option<usize>,
    /// The directory that paths show as `~`. None where output is piped, so that other programs can use the paths.
    pub home: Option<PathBuf>,
    /// The time that ages are counted from.
    pub now: Timestamp,
    /// Leave summaries out.
    pub quiet: bool,
    /// List what was searched, what could not be read, and every problem.
    pub verbose: bool,
}

/// The colour of a piece of text: one of the 16 that a terminal's owner has chosen, never more than a hint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// As the terminal shows text.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Faint,
    /// As it should be.
    Good,
    /// Worth a look.
    Notice,
    /// Broken.
    Bad,
    /// Kept on purpose.
    Kept,
    /// Not known well enough.
    Unsure,
}

impl From<Tone> for Paint {
    fn from(tone: Tone) -> Self {
        match tone {
            Tone::Good => Self::Good,
            Tone::Notice => Self::Notice,
            Tone::Bad => Self::Bad,
        }
    }
}

impl View {
    /// The view that the arguments ask for, in these surroundings.
    pub fn new(look: &Look, surroundings: &Surroundings) -> Self {
        Self {
            colour: wants_colour(
                look.color.unwrap_or_default(),
                surroundings,
                surroundings.stdout_is_terminal,
            ),
            columns: surroundings.columns,
            home: surroundings.home.clone().filter(|_| surroundings.stdout_is_terminal),
            now: surroundings.now,
            quiet: look.quiet,
            verbose: look.verbose,
        }
    }

    /// Puts `text`, which must be safe to show, into a colour.
    pub fn painted(&self, paint: Paint, text: &str) -> String {
        match paint.code().filter(|_| self.colour && !text.is_empty()) {
            Some(code) => format!("\x1b[{code}m{text}\x1b[0m"),
            None => text.to_owned(),
        }
    }

    /// Breaks a paragraph at spaces so that no line is wider than the terminal, if there is one.
    pub fn wrapped(&self, text: &str) -> String {
        let Some(columns) = self.columns else { return text.to_owned() };
        let mut wrapped = String::with_capacity(text.len() + 8);
        let mut used = 0;
        for word in text.split(' ') {
            let width = word.width();
            if used > 0 {
                let fits = used + 1 + width <= columns;
                wrapped.push(if fits { ' ' } else { '\n' });
                used = if fits { used + 1 } else { 0 };
            }
            wrapped.push_str(word);
            used += width;
        }
        wrapped
    }

    /// The same for a paragraph that stands `indent` spaces in.
    pub fn indented(&self, text: &str, indent: usize) -> String {
        let space = " ".repeat(indent);
        format!("{space}{}", self.behind(text, indent))
    }

    /// The same for a paragraph whose first line follows what takes `indent` cells; the others stand below it.
    pub fn behind(&self, text: &str, indent: usize) -> String {
        let columns = self.columns.map(|columns| columns.saturating_sub(indent).max(20));
        let narrow = Self { columns, ..self.clone() };
        narrow.wrapped(text).replace('\n', &format!("\n{}", " ".repeat(indent)))
    }

    /// A path for a person.
    pub fn path(&self, path: &Path) -> String {
        human::path(path, self.home.as_deref())
    }
}

/// Whether what goes to a stream is coloured. `NO_COLOR` counts when it is set to anything but an empty text.
pub fn wants_colour(choice: ColorChoice, surroundings: &Surroundings, is_terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            is_terminal
                && surroundings.variable("NO_COLOR").is_none()
                && surroundings.variable("TERM").is_none_or(|terminal| terminal != "dumb")
        }
    }
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Notice => Some("33"),
            Self::Bad => Some("31"),
            Self::Kept => Some("36"),
            Self::Unsure => Some("35"),
        }
    }
}
