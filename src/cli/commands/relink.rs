//! `relink`: plans, shows the plan, asks, and links the files of environments otherwise.

mod text;

use std::io::Write;
use std::path::PathBuf;

use crate::apply::relink::{RelinkOutcome, RelinkReport};
use crate::apply::report::State;
use crate::cli::args::Places;
use crate::cli::args::relink::RelinkArguments;
use crate::cli::failure::{FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::View;
use crate::cli::print::json::{self, relink::Body};
use crate::cli::surroundings::Surroundings;
use crate::cli::unread::Unread;
use crate::cli::{act, locking, progress, request};
use crate::human;
use crate::plan::{At, Plan, Relink, Request, Step, plan};
use crate::scan::Absent;
use crate::snapshot::{Environment, EnvironmentIndex, Snapshot, What};
use crate::worker::relink::{self, Relinked};

use super::deciding::{self, Deciding, still_holds};

/// Links the files of environments otherwise.
pub fn run(
    places: &Places,
    arguments: &RelinkArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    check(arguments)?;
    let mut places = places.clone();
    let under = super::under(&arguments.under, &mut places, surroundings)?;
    let job = request::start(&places, &arguments.environments, Absent::Refused, surroundings)?;
    let snapshot = progress::wait(&job, surroundings, view.quiet)?;
    let chosen = chosen(&snapshot, arguments, &under, surroundings)?;
    let request = Request::Relink(Relink {
        environments: chosen.iter().map(|index| At::new(&snapshot.environment(*index).path)).collect(),
        mode: arguments.link_mode,
        packages: arguments.packages.clone(),
    });
    let plan = planned(&snapshot, &request);
    let unread = Unread::of(&snapshot.scope.failed, |path| arguments.all && super::may_hide(path, &under));
    let deciding = Deciding { places: &places, surroundings, view, asking: &arguments.asking, left: &[] };
    decide(&deciding, &snapshot, &plan, &unread, writer)
}

/// Carries out what still holds of a plan that was saved.
pub(super) fn apply(
    saved: &Plan,
    snapshot: &Snapshot,
    deciding: &Deciding<'_>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let (plan, left) = still_holds(saved, planned(snapshot, &saved.request), snapshot);
    let deciding = Deciding { left: &left, ..*deciding };
    decide(&deciding, snapshot, &plan, &Unread::of(&[], |_| false), writer)
}

fn planned(snapshot: &Snapshot, request: &Request) -> Plan {
    let mut plan = plan(snapshot, request);
    relink::look(&mut plan, snapshot.cache.reflinks);
    plan
}

/// Shows a plan, asks, carries it out, and tells.
fn decide(
    deciding: &Deciding<'_>,
    snapshot: &Snapshot,
    plan: &Plan,
    unread: &Unread<'_>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let Deciding { places, surroundings, view, asking, left } = *deciding;
    deciding.print_left(writer)?;
    if !asking.json {
        text::review(plan, unread, view, writer)?;
    }
    deciding.save(plan, writer)?;
    let answer = |report: Option<&RelinkReport>, writer: &mut dyn Write| {
        if asking.json { json::write(snapshot, Body { plan, report }, view, writer) } else { Ok(()) }
    };
    if asking.only_shows() || plan.is_empty() && left.is_empty() {
        answer(None, writer)?;
        return unread.all_seen();
    }
    let mut done = Relinked::default();
    if !plan.is_empty() {
        let files = human::counted(plan.totals.bytes.files, "file", "files");
        if !deciding.agreed(&format!("Link {files} otherwise?"), writer)? {
            return Ok(());
        }
        let hosted = act::hosted(places, surroundings, view, |host| relink::carry_out(plan, host))?;
        done = hosted.answer.map_err(locking::failure)?;
        done.report.notes.splice(0..0, hosted.notes);
        if !asking.json {
            text::report(plan, &done.report, view, writer)?;
        }
    }
    let stale = |(step, why): &(&Step, String)| RelinkOutcome::ended(step, State::Stale, Some(why.clone()));
    done.report.outcomes.extend(left.iter().map(stale));
    answer(Some(&done.report), writer)?;
    if let Some(refused) = done.busy {
        return Err(locking::failure(refused));
    }
    let count = |state| done.report.count(state);
    if count(State::Failed) + count(State::Stale) > 0 {
        Err(Failure::quiet(FAILED))
    } else if count(State::Cancelled) > 0 {
        Err(Failure::quiet(INTERRUPTED))
    } else {
        unread.all_seen()
    }
}

fn check(arguments: &RelinkArguments) -> Result<(), Failure> {
    if arguments.environments.is_empty() && !arguments.all {
        return Err(Failure::message(USAGE, "It is not said which environments to relink.")
            .hint("Name them, or say `--all`, or `--all --under DIR`; `cachetui envs` lists them."));
    }
    deciding::check(&arguments.asking)
}

/// The environments that the arguments mean.
fn chosen(
    snapshot: &Snapshot,
    arguments: &RelinkArguments,
    under: &[PathBuf],
    surroundings: &Surroundings,
) -> Result<Vec<EnvironmentIndex>, Failure> {
    let chosen = if arguments.all {
        let all = snapshot.environments();
        let is_meant = |item: &Environment| item.entry.is_none() && super::is_under(&item.path, under);
        all.filter(|(_, item)| is_meant(item)).map(|(index, _)| index).collect()
    } else {
        super::environments(snapshot, &arguments.environments, &surroundings.current_dir)?
    };
    for text in &arguments.packages {
        let what = What::new(text.as_ref());
        let installed = chosen.iter().flat_map(|index| &snapshot.environment(*index).distributions);
        if !installed.into_iter().any(|it| what.names_distribution(Some(&it.name), Some(&it.version))) {
            return Err(Failure::message(FAILED, super::no_such("distribution there", &what)));
        }
    }
    Ok(chosen)
}
