//! What could not be read where a command was to look: it is named, and the command does not end as if it had seen all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failure::{FAILED, Failure};
use super::print::{Paint, View};
use crate::human;
use crate::plan::Plan;
use crate::snapshot::Problem;

/// Paths that are shown without `-v`.
const SHOWN: usize = 5;

/// The paths, each with what happened there, as a sentence without the path.
#[derive(Clone, Debug)]
pub(super) struct Unread<'a>(Vec<(PathBuf, &'a str)>);

impl<'a> Unread<'a> {
    /// Those of a scan that concern a command.
    pub(super) fn of(failed: &'a [Problem], concerns: impl Fn(&Path) -> bool) -> Self {
        let failed = failed.iter().filter(|it| concerns(&it.path));
        Self(failed.map(|it| (it.path.clone(), it.message.as_str())).collect())
    }

    /// Those that the scan behind a plan met.
    pub(super) fn by(plan: &'a Plan) -> Self {
        Self(plan.scope.failed.iter().map(|it| (it.at.path(), it.message.as_str())).collect())
    }

    /// Whether everything was read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prints the paths and what happened there.
    pub(super) fn print(&self, view: &View, writer: &mut dyn Write) -> io::Result<()> {
        let shown = if view.verbose { self.0.len() } else { SHOWN };
        for (path, message) in self.0.iter().take(shown) {
            let text = format!("`{}`: {}.", view.path(path), human::escape(message));
            writeln!(writer, "{}", view.painted(Paint::Bad, &view.wrapped(&text)))?;
        }
        let more = self.0.len().saturating_sub(shown);
        if more > 0 {
            let more = human::counted(more as u64, "more path", "more paths");
            writeln!(writer, "  and {more}; `-v` lists all")?;
        }
        Ok(())
    }

    /// The failure of a command that was to look at everything.
    pub(super) fn all_seen(&self) -> Result<(), Failure> {
        let Some(paths) = self.named() else { return Ok(()) };
        let text = format!("Not everything could be read: {paths}.");
        Err(Failure::message(FAILED, text)
            .hint("Run the command again when it can be read, or as a user who may."))
    }

    /// The failure of a command of which a plan kept something only because it, or what it depends on, could not be read.
    pub(super) fn nothing_kept(plan: &Plan) -> Result<(), Failure> {
        let kept = plan.unread().count() as u64;
        let Some(paths) = Unread::by(plan).named().filter(|_| kept > 0) else { return Ok(()) };
        let (things, were) =
            (human::counted(kept, "thing", "things"), if kept == 1 { "was" } else { "were" });
        let text = format!("{things} {were} kept because of what could not be read: {paths}.");
        let hint = "Once that can be read, the same command removes what is unused of it.";
        Err(Failure::message(FAILED, text).hint(hint))
    }

    /// The first path, what happened there, and how many more there are.
    fn named(&self) -> Option<String> {
        let (path, message) = self.0.first()?;
        let first = format!("`{}` ({message})", human::escape_os(path.as_os_str()));
        Some(match self.0.len() - 1 {
            0 => first,
            more => format!("{first} and {}", human::counted(more as u64, "more path", "more paths")),
        })
    }
}
