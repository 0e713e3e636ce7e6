//! What a run of `gc` says, and the program's end.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::Ran;
use super::limits::Limits;
use crate::apply::{Report, beside};
use crate::cli::act;
use crate::cli::failure::{FAILED, Failure, INTERRUPTED};
use crate::cli::locking;
use crate::cli::print::json::{self, plan as unscanned};
use crate::cli::print::{Paint, View, plan as shown};
use crate::cli::request::Prepared;
use crate::cli::unread::Unread;
use crate::disk::volume;
use crate::human;
use crate::plan::Plan;
use crate::snapshot::Snapshot;

impl Ran {
    /// Prints what a run did.
    pub(super) fn print(
        &self,
        plan: &Plan,
        told: &[String],
        auto: bool,
        limits: Limits,
        view: &View,
        writer: &mut dyn Write,
    ) -> Result<(), Failure> {
        let done = self.done.as_ref().filter(|_| !plan.is_empty());
        if let Some(done) = done {
            shown::report(plan, &done.report, view, writer)?;
        }
        // What the plan moved there and a limit took is told with the plan.
        let (runs, bytes) = if self.own.is_whole { (1, self.own.freed.unwrap_or(0)) } else { (0, 0) };
        let others = self.purged.len().saturating_sub(runs);
        self.print_emptied(others, bytes, view, writer)?;
        for text in told {
            writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(text))))?;
        }
        let is_news = done.is_some() || !self.purged.is_empty() || !auto;
        if is_news && !view.quiet {
            let most = limits.max_size.map(|most| format!(" of at most {}", human::bytes(most)));
            let nothing = if plan.is_empty() && self.purged.is_empty() { "Nothing to remove. " } else { "" };
            let takes = human::bytes(self.takes);
            writeln!(writer, "{nothing}The cache takes {takes}{}.", most.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Prints what was deleted of the trash, `others` runs, but for the bytes that are told with the plan.
    fn print_emptied(
        &self,
        others: usize,
        told: u64,
        view: &View,
        writer: &mut dyn Write,
    ) -> Result<(), Failure> {
        let freed = self.freed.freed.measured.map(|all| all.saturating_sub(told));
        if let Some(text) = self.freed.deleted(others, freed).filter(|_| !view.quiet) {
            writeln!(writer, "{}", view.wrapped(&text))?;
        }
        for note in self.freed.notes.iter().chain(&self.freed.left) {
            writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
        }
        Ok(())
    }

    /// The failure of a run that ends before its plan was carried out, after what it had emptied was told.
    pub(super) fn early(
        &mut self,
        failure: Failure,
        prepared: &Prepared,
        as_json: bool,
        view: &View,
        writer: &mut dyn Write,
    ) -> Result<Failure, Failure> {
        if !as_json {
            self.print_emptied(self.purged.len(), 0, view, writer)?;
        } else if !self.purged.is_empty() || self.freed.of_environments() > 0 {
            // What the cache takes was not measured.
            let gc = Row { disk: None, ..self.row(prepared.cache(), &[]) };
            let body = Body { gc, plan: None, report: None };
            unscanned::write(prepared.root(), &unscanned::no_scope(), body, view, writer)?;
        }
        // A lock that could not be had is why, whatever came of that.
        Ok(self.freed.refused.take().map_or(failure, locking::failure))
    }

    /// The program's end.
    pub(super) fn end(
        mut self,
        plan: &Plan,
        refused: Option<Failure>,
        over: Option<u64>,
    ) -> Result<(), Failure> {
        let not_done = self.done.is_none();
        if let Some(done) = self.done.take() {
            act::verdict(done)?;
        }
        if let Some(failure) = refused {
            return Err(failure);
        }
        if let Some(refused) = self.freed.refused.take() {
            return Err(locking::failure(refused));
        }
        if self.freed.stopped {
            return Err(Failure::quiet(INTERRUPTED));
        }
        if not_done || !self.freed.left.is_empty() {
            return Err(Failure::quiet(FAILED));
        }
        Unread::nothing_kept(plan)?;
        let Some(most) = over else { return Ok(()) };
        let (takes, most) = (human::bytes(self.takes), human::bytes(most));
        Err(Failure::message(FAILED, format!("The cache takes {takes}, more than {most} (--fail-over).")))
    }

    /// What a run came to beside its plan.
    pub(super) fn row<'a>(&self, cache: &Path, told: &'a [String]) -> Row<'a> {
        let purged = self.purged.iter().map(|whole| whole.run.name().to_string_lossy().into_owned());
        Row {
            due: true,
            purged: purged.collect(),
            purge_freed: self.freed.freed.measured,
            disk: Some(self.takes),
            free: volume::free(cache),
            beyond_limits: self.beyond,
            notes: told,
        }
    }
}

/// What could not be done: of which kinds, which is what a later run compares, and as sentences. Not escaped.
pub(super) fn told(
    plan: &Plan,
    ran: &Ran,
    limits: Limits,
    refused: Option<&Failure>,
) -> (Vec<String>, Vec<String>) {
    if refused.is_some() {
        let cautions = plan.refused().map(|it| (it.allowance.word().to_owned(), it.text.clone()));
        return cautions.unzip();
    }
    // What could not be emptied for a lock may go yet.
    if !ran.beyond || ran.freed.refused.is_some() {
        return (Vec::new(), Vec::new());
    }
    let is_large = limits.max_size.is_some_and(|most| ran.takes > most);
    let (kind, text) = if is_large {
        ("max-size", "The cache takes more than the policy says, and nothing else may go.")
    } else {
        ("keep-free", "The volume has less free than the policy says, and nothing else may go.")
    };
    let mut texts = if plan.missing.is_some() { plan.warnings.clone() } else { vec![text.to_owned()] };
    // What is emptied by now need not be advised.
    texts.retain(|text| ran.purged.is_empty() || !text.contains("trash purge"));
    (vec![kind.to_owned()], texts)
}

/// The answer where nothing is due.
pub(super) fn not_due(
    prepared: &Prepared,
    as_json: bool,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    if as_json {
        let body = Body { gc: Row::default(), plan: None, report: None };
        unscanned::write(prepared.root(), &unscanned::no_scope(), body, view, writer)?;
    }
    Ok(())
}

/// Shows what a run would do.
pub(super) fn print_dry_run(
    snapshot: &Snapshot,
    plan: &Plan,
    ran: &Ran,
    limits: Limits,
    as_json: bool,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let cache = &snapshot.cache.path;
    if as_json {
        let gc = Row {
            beyond_limits: limits.are_exceeded(|| ran.takes, volume::free(cache)),
            ..ran.row(cache, &[])
        };
        json::write(snapshot, Body { gc, plan: Some(plan), report: None }, view, writer)?;
        return Ok(());
    }
    if !ran.purged.is_empty() {
        let frees = beside::held(&ran.purged, cache).reclaimable;
        let number = human::counted(ran.purged.len() as u64, "run", "runs");
        let text =
            format!("Deletes {number} of the trash, which are old enough: frees {}.", human::bytes(frees));
        writeln!(writer, "{}\n", view.wrapped(&text))?;
    }
    shown::review(plan, false, view, writer)?;
    Ok(())
}

/// The answer for programs.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub(super) gc: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<&'a Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<&'a Report>,
}

/// What a run came to beside its plan.
#[derive(Default, Serialize)]
pub(super) struct Row<'a> {
    /// Whether anything was looked at: `--auto` leaves it where nothing is due.
    due: bool,
    /// The runs of the trash that were deleted, or would be.
    purged: Vec<String>,
    /// The bytes that this freed.
    purge_freed: Option<u64>,
    /// Allocated bytes of the cache now.
    disk: Option<u64>,
    /// Free bytes of its volume now.
    free: Option<u64>,
    /// Whether a limit is exceeded now.
    beyond_limits: bool,
    /// What could not be done.
    notes: &'a [String],
}
