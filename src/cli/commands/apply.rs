//! `apply`: carries out a plan that was saved.

use std::io::Write;
use std::path::Path;

use serde::Deserialize;

use crate::apply::weigh;
use crate::cli::act::{Ground, Origin};
use crate::cli::args::Places;
use crate::cli::args::asking::AskingArguments;
use crate::cli::args::prune::ApplyArguments;
use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::cli::print::json::plan::{self as json, PlanBody};
use crate::cli::print::{View, plan as shown};
use crate::cli::progress;
use crate::cli::request;
use crate::cli::surroundings::{self, Surroundings};
use crate::disk;
use crate::human;
use crate::plan::{self, Plan, Request, SCHEMA_VERSION, Step, Totals};
use crate::scan::Absent;
use crate::worker::removal::Done;

use super::deciding::Deciding;

/// What writes plans.
const WRITES: &str = "`--save FILE` of prune, remove, relink, repair and `verify --detach` writes plans.";

/// The largest plan that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// Shows a saved plan, asks, and carries it out.
pub fn run(
    places: &Places,
    arguments: &ApplyArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let saved = read(&arguments.file)?;
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let planned = saved.cache.path();
    let real = |path: &Path| crate::disk::canonical(path).ok();
    if planned != prepared.cache() && (real(&planned).is_none() || real(&planned) != real(prepared.cache())) {
        let (one, other) = (view.path(&planned), view.path(prepared.cache()));
        let text = format!("The plan is for the cache `{one}`, and this is `{other}`. Nothing was changed.");
        return Err(Failure::message(USAGE, text).hint("`--cache-dir DIR` names another cache."));
    }
    // Who has come to use something since the plan was made may lie where it searched.
    let prepared = prepared.searching(&saved.scope).map_err(|gone| {
        let text = format!("`{}`, where the plan had looked for users, is not there.", view.path(&gone));
        Failure::message(FAILED, text).hint("Plan again. Nothing was changed.")
    })?;
    let job = prepared.start(surroundings::now());
    let snapshot = progress::wait(&job, surroundings, view.quiet)?;
    let how = &arguments.carry_out;
    let asking = AskingArguments { dry_run: how.dry_run, yes: how.yes, save: None, json: how.json };
    let deciding = Deciding { places, surroundings, view, asking: &asking, left: &[] };
    match &saved.request {
        Request::Prune(_) | Request::Remove(_) | Request::Gc(_) => {}
        _ if how.trash || how.when_free.is_some() => {
            let text = "`--trash` and `--when-free` are for plans that remove. Nothing was changed.";
            return Err(Failure::message(USAGE, text));
        }
        Request::Relink(_) => return super::relink::apply(&saved, &snapshot, &deciding, writer),
        Request::Repair(request) => {
            return super::repair::apply(&saved, request, &snapshot, &deciding, writer);
        }
        Request::Detach(request) => {
            return super::verify::detach::apply(&saved, request, &snapshot, &deciding, writer);
        }
    }
    let fresh = plan::plan(&snapshot, &saved.request);
    let mut plan = renewed(saved, &fresh);
    weigh(&mut plan, prepared.cache());
    let ground = Ground {
        places,
        surroundings,
        view,
        cache: prepared.cache(),
        when_free: arguments.carry_out.longest(),
    };
    if !arguments.carry_out.json {
        shown::review(&plan, arguments.carry_out.trash, view, writer)?;
        super::prune::relink_first(&snapshot, &plan, view, writer)?;
        super::prune::lock_state(&ground, &prepared, &plan, writer)?;
    }
    let scope = json::scope_of(&plan);
    let print = |report: Option<&Done>, writer: &mut dyn Write| {
        let report = report.map(|done| &done.report);
        json::write(prepared.root(), &scope, PlanBody { plan: &plan, report }, view, writer)
    };
    super::prune::decide(
        &ground,
        &plan,
        Origin::Saved { prepared: &prepared, snapshot: &snapshot },
        &arguments.carry_out,
        false,
        &print,
        writer,
    )
}

/// A saved plan with everything but its request and its choice of steps made anew: what is shown is what would be planned
/// now. Steps that would not be planned any more stay in it, to be told as stale.
fn renewed(saved: Plan, fresh: &Plan) -> Plan {
    let renew = |step: Step| fresh.steps.iter().find(|other| step.is_same(other)).cloned().unwrap_or(step);
    let steps: Vec<Step> = saved.steps.into_iter().map(renew).collect();
    Plan { totals: Totals::of(&steps), steps, request: saved.request, ..fresh.clone() }
}

fn read(path: &Path) -> Result<Plan, Failure> {
    /// What every plan begins with, whatever its version.
    #[derive(Deserialize)]
    struct Head {
        schema_version: u32,
    }
    let shown = human::escape_os(path.as_os_str());
    let bytes = disk::read::followed(path, LARGEST);
    let bytes =
        bytes.map_err(|error| Failure::new(FAILED, disk::Error::new("read the plan", path, error)))?;
    let misread = |error: serde_json::Error| {
        let error = anyhow::Error::new(error).context(format!("Failed to understand `{shown}` as a plan"));
        Failure::new(USAGE, error).hint(WRITES)
    };
    let Head { schema_version } = serde_json::from_slice(&bytes).map_err(misread)?;
    if schema_version != SCHEMA_VERSION {
        let text =
            format!("`{shown}` is a plan of version {schema_version}; this cachetui knows {SCHEMA_VERSION}.");
        return Err(Failure::message(USAGE, text).hint("Plan again."));
    }
    Plan::read(&bytes).map_err(misread)
}
