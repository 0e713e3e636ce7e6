//! `verify --detach ENV`: an environment keeps its edits, the cache and all others get the good content back.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::apply::detach::DetachOutcome;
use crate::apply::report::State;
use crate::cli::args::Places;
use crate::cli::args::verify::VerifyArguments;
use crate::cli::commands::deciding::{Deciding, still_holds};
use crate::cli::failure::{FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::json::{self, verify::DetachBody};
use crate::cli::print::{Paint, View};
use crate::cli::surroundings::Surroundings;
use crate::cli::{act, locking};
use crate::human;
use crate::plan::{self, Detach, Kept, KeptBecause, Plan, Step};
use crate::say::plan::called;
use crate::scan::verify::Wanted;
use crate::snapshot::{EnvironmentIndex, Snapshot};
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
    let plan = planned(snapshot, *index, surroundings, view)?;
    let deciding = Deciding { places, surroundings, view, asking: &arguments.asking, left: &[] };
    decide(&deciding, snapshot, &plan, writer)
}

/// Carries out what still holds of a plan that was saved.
pub(in crate::cli::commands) fn apply(
    saved: &Plan,
    request: &Detach,
    snapshot: &Arc<Snapshot>,
    deciding: &Deciding<'_>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let Some(index) = snapshot.find_environment(&request.environment.path()) else {
        let path = deciding.view.path(&request.environment.path());
        return Err(Failure::message(FAILED, format!("There is no environment at `{path}` any more.")));
    };
    let fresh = planned(snapshot, index, deciding.surroundings, deciding.view)?;
    let (plan, left) = still_holds(saved, fresh, snapshot);
    decide(&Deciding { left: &left, ..*deciding }, snapshot, &plan, writer)
}

fn planned(
    snapshot: &Arc<Snapshot>,
    index: EnvironmentIndex,
    surroundings: &Surroundings,
    view: &View,
) -> Result<Plan, Failure> {
    let wanted = Wanted { environments: vec![index], ..Wanted::default() };
    let verified = super::compare(snapshot, &wanted, surroundings, view)?;
    if verified.cancelled {
        return Err(Failure::quiet(INTERRUPTED));
    }
    Ok(plan::detach(snapshot, index, &verified))
}

/// Shows a plan, asks, carries it out, and tells.
fn decide(
    deciding: &Deciding<'_>,
    snapshot: &Snapshot,
    plan: &Plan,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let Deciding { places, surroundings, view, asking, left } = *deciding;
    let answer = |outcomes: Option<&[DetachOutcome]>, writer: &mut dyn Write| {
        if asking.json { json::write(snapshot, DetachBody { plan, outcomes }, view, writer) } else { Ok(()) }
    };
    deciding.print_left(writer)?;
    if !asking.json {
        review(plan, view, writer)?;
    }
    deciding.save(plan, writer)?;
    let kept = plan.kept.iter().filter(|kept| is_shared(kept)).count();
    if asking.only_shows() || plan.is_empty() && left.is_empty() {
        answer(None, writer)?;
        return if kept > 0 && !asking.only_shows() { Err(Failure::quiet(FAILED)) } else { Ok(()) };
    }
    let mut outcomes = Vec::new();
    if !plan.is_empty() {
        let files = human::counted(plan.totals.steps, "file there as it is", "files there as they are");
        let them = if plan.totals.steps == 1 { "it" } else { "them" };
        let question = format!("Keep {files}, and restore {them} everywhere else?");
        if !deciding.agreed(&question, writer)? {
            return Ok(());
        }
        let detach = |host: &Host<'_>| detach::carry_out(plan, &snapshot.cache.path, host);
        let hosted = act::hosted(places, surroundings, view, detach)?;
        outcomes = hosted.answer.map_err(locking::failure)?;
        if !asking.json {
            report(&outcomes, view, writer)?;
            for note in &hosted.notes {
                writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
            }
        }
    }
    let stale = |(step, why): &(&Step, String)| DetachOutcome {
        state: State::Stale,
        why: Some(why.clone()),
        ..DetachOutcome::of(step)
    };
    outcomes.extend(left.iter().map(stale));
    answer(Some(&outcomes), writer)?;
    let count = |state| outcomes.iter().filter(|outcome| outcome.state == state).count();
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
