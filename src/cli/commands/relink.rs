//! `relink`: plans, shows the plan, asks, and links the files of environments otherwise.

mod text;

use std::io::Write;
use std::path::PathBuf;

use crate::apply::report::State;
use crate::cli::args::Places;
use crate::cli::args::relink::RelinkArguments;
use crate::cli::failure::{FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::View;
use crate::cli::print::json::{self, relink::Body};
use crate::cli::surroundings::Surroundings;
use crate::cli::unread::Unread;
use crate::cli::{act, confirm, locking, progress, request};
use crate::human;
use crate::plan::{At, Plan, Relink, Request, plan};
use crate::scan::Absent;
use crate::snapshot::{Environment, EnvironmentIndex, Snapshot, What};
use crate::worker::relink::{self, Relinked};

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
    let mut plan = plan(&snapshot, &request);
    relink::look(&mut plan, snapshot.cache.reflinks);
    let unread = Unread::of(&snapshot.scope.failed, |path| arguments.all && super::may_hide(path, &under));
    if !arguments.json {
        text::review(&plan, &unread, view, writer)?;
    }
    if arguments.asking.dry_run || plan.is_empty() {
        answer(&snapshot, &plan, None, arguments, view, writer)?;
        return unread.all_seen();
    }
    if !arguments.asking.yes {
        let question =
            format!("Link {} otherwise?", human::counted(plan.totals.bytes.files, "file", "files"));
        if !confirm::ask(&question, surroundings, writer)? {
            writeln!(writer, "Nothing was changed.")?;
            return Ok(());
        }
    }
    writer.flush()?;
    let hosted = act::hosted(&places, surroundings, view, |host| relink::carry_out(&plan, host))?;
    let mut done = hosted.answer.map_err(locking::failure)?;
    done.report.notes.splice(0..0, hosted.notes);
    answer(&snapshot, &plan, Some(&done), arguments, view, writer)?;
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
    if arguments.json && !arguments.asking.yes && !arguments.asking.dry_run {
        return Err(Failure::message(USAGE, "With `--json` there is no one to ask. Nothing was changed.")
            .hint("`--yes` does it without asking, `--dry-run` only says what would be done."));
    }
    Ok(())
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

fn answer(
    snapshot: &Snapshot,
    plan: &Plan,
    done: Option<&Relinked>,
    arguments: &RelinkArguments,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let report = done.map(|done| &done.report);
    if arguments.json {
        json::write(snapshot, Body { plan, report }, view, writer)?;
    } else if let Some(report) = report {
        text::report(plan, report, view, writer)?;
    }
    Ok(())
}
