//! `remove`: removes environments, with the entries that only they use, after it has shown what that is and what it frees.

use std::io::Write;
use std::path::PathBuf;

use crate::apply::weigh;
use crate::cli::act::{Ground, Origin};
use crate::cli::args::Places;
use crate::cli::args::remove::RemoveArguments;
use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::cli::print::json::{self, plan::PlanBody};
use crate::cli::print::{View, plan as shown};
use crate::cli::select::environments::EnvironmentFilter;
use crate::cli::surroundings::Surroundings;
use crate::cli::unread::Unread;
use crate::cli::{progress, request};
use crate::disk::FileStat;
use crate::plan::{
    At, Kept, KeptBecause, NamedLink, Remove, against_removal, is_removable, kept_environment,
};
use crate::scan::{Absent, belonging, print};
use crate::snapshot::{Completeness, EnvironmentIndex, Health, Project, Snapshot};
use crate::worker::removal::Done;
use crate::worker::remove;

/// Shows what would go, asks, and removes it.
pub fn run(
    places: &Places,
    arguments: &RemoveArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let choice = &arguments.choice;
    if arguments.environments.is_empty() && !choice.is_some() {
        let text = "Name environments, or choose them, as by `--idle 90d`.";
        return Err(Failure::message(USAGE, text).hint("`cachetui envs --sort used` lists them."));
    }
    let mut places = places.clone();
    let under = super::under(&choice.under, &mut places, surroundings)?;
    let prepared = request::looking_at(&places, &arguments.environments, Absent::Refused, surroundings)?;
    let job = prepared.start(surroundings.now);
    let snapshot = progress::wait(&job, surroundings, view.quiet)?;
    if snapshot.scope.completeness != Completeness::Complete {
        return Err(Failure::message(FAILED, "The scan is not complete; nothing was planned."));
    }
    let mut links = links(arguments, surroundings);
    let chosen = chosen(&snapshot, arguments, &links, &under, surroundings)?;
    if choice.is_some() {
        // A link is neither idle nor broken.
        links.clear();
    }
    let request = Remove {
        environments: Vec::new(),
        links,
        chosen: arguments.environments.is_empty(),
        with_entries: arguments.with_entries,
        grace: arguments.grace.map_or(surroundings.grace, |age| age.0.as_secs()),
        allow: arguments.allow.iter().copied().collect(),
    };
    let named =
        if choice.is_some() { left_out(&snapshot, &chosen, arguments, surroundings) } else { Vec::new() };
    let mut plan = remove::plan_for(&snapshot, &chosen, request, surroundings.program.as_deref());
    plan.kept.extend(named);
    weigh(&mut plan, prepared.cache());
    let ground = Ground {
        places: &places,
        surroundings,
        view,
        cache: prepared.cache(),
        when_free: arguments.carry_out.longest(),
    };
    let json = arguments.carry_out.json;
    if !json {
        shown::review(&plan, arguments.carry_out.trash, view, writer)?;
        super::prune::lock_state(&ground, &prepared, &plan, writer)?;
    }
    if let Some(path) = &arguments.save {
        super::prune::save(&plan, path, json, view, writer)?;
    }
    let print = |report: Option<&Done>, writer: &mut dyn Write| {
        let report = report.map(|done| &done.report);
        json::write(&snapshot, PlanBody { plan: &plan, report }, view, writer)
    };
    let only_shown = arguments.save.is_some();
    let origin = Origin::Scanned(&prepared);
    super::prune::decide(&ground, &plan, origin, &arguments.carry_out, only_shown, &print, writer)?;
    // What was named and stays was not done.
    let stays =
        plan.kept.iter().any(|kept| kept.at.path().is_absolute()) && !arguments.environments.is_empty();
    if stays && !arguments.carry_out.dry_run {
        return Err(Failure::quiet(FAILED));
    }
    // What a rule means may be anywhere.
    if choice.is_some() {
        Unread::of(&snapshot.scope.failed, |path| super::may_hide(path, &under)).all_seen()?;
    }
    Ok(())
}

/// The links to environments that were named, as themselves or as those of a project: they go, and what they lead to stays.
fn links(arguments: &RemoveArguments, surroundings: &Surroundings) -> Vec<NamedLink> {
    let named = arguments.environments.iter();
    let found = named.flat_map(|path| belonging::links(&super::absolute(path, &surroundings.current_dir)));
    let mut links: Vec<NamedLink> = found
        .filter_map(|(path, leads_to)| {
            let expects = print::of(&FileStat::of(&path).ok()?);
            Some(NamedLink { at: At::new(&path), expects, leads_to: At::new(&leads_to) })
        })
        .collect();
    links.sort_by(|one, other| one.at.cmp(&other.at));
    links.dedup();
    links
}

/// The environments that were named, and that the options beside the names do not choose.
fn left_out(
    snapshot: &Snapshot,
    chosen: &[EnvironmentIndex],
    arguments: &RemoveArguments,
    surroundings: &Surroundings,
) -> Vec<Kept> {
    let named = super::environments(snapshot, &arguments.environments, &surroundings.current_dir);
    let left = named.unwrap_or_default().into_iter().filter(|index| !chosen.contains(index));
    left.map(|index| kept_environment(snapshot.environment(index), KeptBecause::NotChosen)).collect()
}

/// The environments that the arguments mean. What a link leads to was not named.
fn chosen(
    snapshot: &Snapshot,
    arguments: &RemoveArguments,
    links: &[NamedLink],
    under: &[PathBuf],
    surroundings: &Surroundings,
) -> Result<Vec<EnvironmentIndex>, Failure> {
    let choice = &arguments.choice;
    let is_named = !arguments.environments.is_empty();
    let mut only = Vec::new();
    for path in &arguments.environments {
        let whole = super::absolute(path, &surroundings.current_dir);
        let real = crate::disk::canonical(&whole).unwrap_or_else(|_| whole.clone());
        let is_link = links.iter().any(|link| link.at.path() == whole);
        let has_link = is_link || links.iter().any(|link| link.at.path().starts_with(&whole));
        match super::environments(snapshot, std::slice::from_ref(path), &surroundings.current_dir) {
            Ok(found) => only.extend(found.into_iter().filter(|index| {
                let item = snapshot.environment(*index);
                // What stays anyway is told with its reason.
                !is_link && (item.path.starts_with(&real) || against_removal(item).is_some())
            })),
            Err(_) if has_link => {}
            Err(failure) => return Err(failure),
        }
    }
    let filter = EnvironmentFilter {
        health: if choice.broken { vec![Health::Broken, Health::NoInterpreter] } else { Vec::new() },
        idle: choice.idle.map(|age| age.0.as_secs()),
        only: is_named.then_some(only),
        ..EnvironmentFilter::default()
    };
    let mut chosen = filter.apply(snapshot);
    chosen.retain(|index| {
        let item = snapshot.environment(*index);
        let is_orphaned = matches!(item.project, Project::Missing(_) | Project::Gone(_));
        (is_orphaned || !choice.orphaned)
            && super::is_under(&item.path, under)
            // What is no environment was not meant by a rule.
            && (is_named || is_removable(item))
    });
    Ok(chosen)
}
