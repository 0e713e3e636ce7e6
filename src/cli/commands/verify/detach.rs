//! `verify --detach ENV`: an environment keeps its edits, the cache and all others get the good content back.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::apply::detach::DetachOutcome;
use crate::apply::report::State;
use crate::cli::args::Places;
use crate::cli::args::verify::VerifyArguments;
use crate::cli::failure::{FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::json::{self, verify::DetachBody};
use crate::cli::print::{Paint, View};
use crate::cli::surroundings::Surroundings;
use crate::cli::{act, confirm, locking};
use crate::human;
use crate::plan::{self, Kept, KeptBecause, Plan};
use crate::say::plan::called;
use crate::scan::verify::Wanted;
use crate::snapshot::Snapshot;
use crate::worker::detach;
use crate::worker::host::Host;

/// Compares the environment, plans, asks, and carries the plan out.
pub(super) fn run(
    snapshot: &Arc<Snapshot>,
    arguments: &VerifyArguments,
    environment: &PathBuf,
    places: &Places,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let named = std::slice::from_ref(environment);
    let chosen = crate::cli::commands::environments(snapshot, named, &surroundings.current_dir)?;
    let [index] = chosen.as_slice() else {
        return Err(Failure::message(USAGE, "That names several environments; name one by its root."));
    };
    let wanted = Wanted { environments: vec![*index], ..Wanted::default() };
    let verified = super::compare(snapshot, &wanted, surroundings, view)?;
    if verified.cancelled {
        return Err(Failure::quiet(INTERRUPTED));
    }
    let plan = plan::detach(snapshot, *index, &verified);
    let print = |outcomes: Option<&[DetachOutcome]>, writer: &mut dyn Write| {
        json::write(snapshot, DetachBody { plan: &plan, outcomes }, view, writer)
    };
    if !arguments.json {
        review(&plan, view, writer)?;
    }
    if plan.steps.is_empty() || arguments.asking.dry_run {
        if arguments.json {
            print(None, writer)?;
        }
        return if plan.kept.iter().any(is_shared) && !arguments.asking.dry_run {
            Err(Failure::quiet(FAILED))
        } else {
            Ok(())
        };
    }
    if !arguments.asking.yes {
        let files = human::counted(plan.steps.len() as u64, "file", "files");
        let question = format!("Keep {files} there as they are, and restore them everywhere else?");
        if !confirm::ask(&question, surroundings, writer)? {
            writeln!(writer, "Nothing was changed.")?;
            return Ok(());
        }
    }
    let detach = |host: &Host<'_>| detach::carry_out(&plan, &snapshot.cache.path, host);
    let hosted = act::hosted(places, surroundings, view, detach)?;
    let (outcomes, notes) = (hosted.answer.map_err(locking::failure)?, hosted.notes);
    if arguments.json {
        print(Some(&outcomes), writer)?;
    } else {
        report(&outcomes, view, writer)?;
        for note in &notes {
            writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
        }
    }
    let count = |state| outcomes.iter().filter(|outcome| outcome.state == state).count();
    let kept = plan.kept.iter().filter(|kept| is_shared(kept)).count();
    match (count(State::Failed) + count(State::Stale) + kept, count(State::Cancelled)) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::quiet(INTERRUPTED)),
        _ => Err(Failure::quiet(FAILED)),
    }
}

/// Whether others have the edit too, and keep it.
fn is_shared(kept: &Kept) -> bool {
    kept.because == KeptBecause::Edited { shared: true }
}

fn review(plan: &Plan, view: &View, writer: &mut dyn Write) -> std::io::Result<()> {
    for (step, work) in plan.detached() {
        let path = view.path(&step.at.path());
        let name = called(step.name.as_deref(), step.version.as_deref());
        writeln!(writer, "keep {path}  ({})", human::escape(&name))?;
        let good = view.path(&work.good.path());
        writeln!(writer, "  the cache gets the content of {good}")?;
        for other in &work.others {
            writeln!(writer, "  and so does {}", view.path(&other.root.path()))?;
        }
    }
    for kept in &plan.kept {
        let path = view.path(&kept.at.path());
        writeln!(writer, "{}", view.painted(Paint::Notice, &format!("left alone {path}: {}", kept.reason)))?;
    }
    if plan.steps.is_empty() {
        writeln!(writer, "There is nothing to detach.")?;
    }
    Ok(())
}

fn report(outcomes: &[DetachOutcome], view: &View, writer: &mut dyn Write) -> std::io::Result<()> {
    for outcome in outcomes {
        let path = view.path(&outcome.at.path());
        if let Some(why) = &outcome.why {
            let line = format!("{} {path}: {}", outcome.state.word(), human::escape(why));
            writeln!(writer, "{}", view.painted(Paint::Bad, &line))?;
        }
        for refused in &outcome.refused {
            let (mode, reason) = (refused.mode, human::escape(&refused.reason));
            let line = format!("{path}: {mode} was refused ({reason}); a copy takes its place");
            writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&line)))?;
        }
        for at in &outcome.link_limit {
            let path = view.path(&at.path());
            writeln!(writer, "no hardlink: the cache's file can have no more links: {path}")?;
        }
        if outcome.unknown > 0 {
            let names = human::counted(outcome.unknown, "more name", "more names");
            let line = format!("{path} keeps the edit under {names} that cachetui did not find.");
            writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&line)))?;
        }
    }
    let done = outcomes.iter().filter(|outcome| outcome.state == State::Done).count();
    let files = human::counted(done as u64, "file", "files");
    writeln!(writer, "{files} kept there alone, and restored everywhere else.")
}
