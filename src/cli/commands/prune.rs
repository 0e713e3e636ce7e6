//! `prune`: removes from the cache what is not needed, after it has shown what that is and why.

mod overview;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;

use crate::apply::weigh;
use crate::cli::act::{self, Ground, Origin};
use crate::cli::args::Places;
use crate::cli::args::prune::{CarryOutArguments, LimitArguments, PruneArguments};
use crate::cli::args::values::Amount;
use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::cli::keep::Keep;
use crate::cli::print::json::{self, plan::PlanBody};
use crate::cli::print::{Paint, View, plan as shown};
use crate::cli::surroundings::Surroundings;
use crate::cli::unread::Unread;
use crate::cli::{confirm, progress, request};
use crate::human;
use crate::lock::{self, State, holder};
use crate::plan::{Budget, Class, Plan, Prune, Request, plan};
use crate::say::plan::things;
use crate::scan::Absent;
use crate::snapshot::{Completeness, Snapshot, What};
use crate::worker::removal::Done;

/// Shows what could go, or removes what was asked for.
pub fn run(
    places: &Places,
    arguments: &PruneArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let (mut wanted, asked) = wanted(arguments, surroundings.grace)?;
    let keep = Keep::of_files(&arguments.limits.keep_lock, surroundings)?;
    let how = &arguments.carry_out;
    if !asked && (how.yes || how.trash || arguments.save.is_some()) {
        let text = "Nothing was chosen: name packages, or what should go, as `--unused`.";
        return Err(Failure::message(USAGE, text).hint("`cachetui prune` alone shows what could go."));
    }
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let job = prepared.start(surroundings.now);
    let snapshot = progress::wait(&job, surroundings, view.quiet)?;
    if snapshot.scope.completeness != Completeness::Complete {
        return Err(Failure::message(FAILED, "The scan is not complete; nothing was planned."));
    }
    if let Some(unknown) = wanted
        .what
        .iter()
        .map(|text| What::new(OsStr::new(text)))
        .find(|what| what.find(&snapshot).is_empty())
    {
        return Err(super::unknown_what(&snapshot, &unknown));
    }
    let LimitArguments { max_size, keep_free, free, .. } = &arguments.limits;
    wanted.budget = budget(*max_size, *keep_free, *free, &snapshot)?;
    wanted.keep = keep.complete(&snapshot)?;
    let json = arguments.carry_out.json;
    if !asked {
        return overview::print(&snapshot, &wanted, json, view, writer);
    }
    let mut plan = plan(&snapshot, &Request::Prune(wanted));
    weigh(&mut plan, prepared.cache());
    let ground = Ground {
        places,
        surroundings,
        view,
        cache: prepared.cache(),
        when_free: arguments.carry_out.longest(),
    };
    if !json {
        shown::review(&plan, how.trash, view, writer)?;
        relink_first(&snapshot, &plan, view, writer)?;
        lock_state(&ground, &prepared, &plan, writer)?;
    }
    if let Some(path) = &arguments.save {
        save(&plan, path, json, view, writer)?;
    }
    let print = |report: Option<&Done>, writer: &mut dyn Write| {
        let report = report.map(|done| &done.report);
        json::write(&snapshot, PlanBody { plan: &plan, report }, view, writer)
    };
    let only_shown = arguments.save.is_some();
    decide(&ground, &plan, Origin::Scanned(&prepared), &arguments.carry_out, only_shown, &print, writer)
}

/// What was asked for, and whether anything was. `grace` holds where none is named.
fn wanted(arguments: &PruneArguments, grace: u64) -> Result<(Prune, bool), Failure> {
    let flags = &arguments.classes;
    let chosen = [
        (flags.unreferenced, Class::Unreferenced),
        (flags.unused, Class::Unused),
        (flags.superseded, Class::Superseded),
        (flags.cached_environments, Class::CachedEnvironments),
        (flags.old_generations, Class::OldGenerations),
        (flags.old_builds, Class::OldBuilds),
        (flags.sources, Class::Sources),
        (flags.index_caches, Class::IndexCaches),
        (flags.git_repositories, Class::GitRepositories),
        (flags.orphaned_central, Class::OrphanedCentral),
        (flags.stale_buckets, Class::StaleBuckets),
        (flags.crash_leftovers, Class::CrashLeftovers),
    ];
    let mut classes: BTreeSet<Class> =
        chosen.into_iter().filter(|(chosen, _)| *chosen).map(|(_, class)| class).collect();
    let limits = &arguments.limits;
    let mut what = Vec::new();
    for text in arguments.what.iter().chain(&flags.package) {
        let text = text.to_str().ok_or_else(|| {
            let text = human::escape_os(text);
            Failure::message(USAGE, format!("`{text}` is no name and no id: it is not UTF-8."))
        })?;
        what.push(text.to_owned());
    }
    let older_than = limits.older_than.map(|age| age.0.as_secs());
    if classes.is_empty() && what.is_empty() {
        if [limits.max_size, limits.keep_free, limits.free].iter().any(Option::is_some) {
            classes.extend(Class::ALL);
        } else if older_than.is_some() {
            classes.insert(Class::Unused);
        }
    }
    let asked = !classes.is_empty() || !what.is_empty();
    let prune = Prune {
        classes,
        what,
        older_than,
        grace: limits.grace.map_or(grace, |age| age.0.as_secs()),
        keep_newest: flags.keep_newest,
        budget: Budget::default(),
        keep: Vec::new(),
        allow: limits.allow.iter().copied().collect(),
    };
    Ok((prune, asked))
}

/// That a part of a volume is not known.
pub(super) fn no_total() -> Failure {
    Failure::message(FAILED, "The size of the cache's volume is not known, so that no part of it is.")
        .hint("Give a size, as `20G`.")
}

/// Limits, in bytes.
fn budget(
    max_size: Option<Amount>,
    keep_free: Option<Amount>,
    free: Option<Amount>,
    snapshot: &Snapshot,
) -> Result<Budget, Failure> {
    let total = snapshot.cache.space.map(|space| space.total);
    let bytes = |amount: Option<Amount>| match amount {
        None => Ok(None),
        Some(amount) => amount.of(total).map(Some).ok_or_else(no_total),
    };
    Ok(Budget { max_size: bytes(max_size)?, keep_free: bytes(keep_free)?, free: bytes(free)? })
}

/// How to have what environments reach by symlink, for somebody who asked for it.
pub(super) fn relink_first(
    snapshot: &Snapshot,
    plan: &Plan,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let Some(advice) = crate::plan::relink_first(snapshot, plan).filter(|_| !view.quiet) else {
        return Ok(());
    };
    writeln!(writer, "{}", view.wrapped(advice.text))?;
    for command in &advice.commands {
        writeln!(writer, "  {}", human::escape(&command.text()))?;
    }
    Ok(())
}

/// Who holds the cache, for somebody who is about to change it.
pub(super) fn lock_state(
    ground: &Ground<'_>,
    prepared: &request::Prepared,
    plan: &Plan,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    if !plan.changes_cache() || ground.view.quiet {
        return Ok(());
    }
    let survey = lock::survey(&prepared.survey(ground.places, ground.surroundings)?);
    let Some(file) = survey.cache() else { return Ok(()) };
    let text = match (&survey.ancestor, &file.state) {
        (Some(ancestor), _) => lock::ancestor::explanation(ancestor),
        (None, State::Shared | State::Exclusive) => holder::held_in_words(&file.holders),
        (None, State::Unknown(reason)) => {
            format!("Whether a process holds the cache is not known: {reason}.")
        }
        (None, State::Free | State::Missing) => return Ok(()),
    };
    let text = ground.view.wrapped(&human::escape(&text));
    writeln!(writer, "{}", ground.view.painted(Paint::Notice, &text))?;
    Ok(())
}

/// Writes a plan to a new file, and says so.
pub(super) fn save(
    plan: &Plan,
    path: &Path,
    json: bool,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(plan).expect("a plan is plain data");
    bytes.push(b'\n');
    crate::linker::write_new(path, &bytes, 0o644).map_err(|error| {
        let exists = error.source.kind() == std::io::ErrorKind::AlreadyExists;
        let failure = Failure::new(FAILED, error);
        if exists { failure.hint("A plan is never written over a file; name another one.") } else { failure }
    })?;
    if !json && !view.quiet {
        let path = view.path(path);
        let text = format!("The plan is in `{path}`; `cachetui apply {path}` carries it out.");
        writeln!(writer, "{}", view.wrapped(&text))?;
    }
    Ok(())
}

/// Writes the answer for programs: before a plan is carried out, or with what became of it.
pub(super) type Answer<'a> = dyn Fn(Option<&Done>, &mut dyn Write) -> std::io::Result<()> + 'a;

/// Asks, carries out, and tells. `print` writes the answer for programs.
pub(super) fn decide(
    ground: &Ground<'_>,
    plan: &Plan,
    origin: Origin<'_>,
    how: &CarryOutArguments,
    only_shown: bool,
    print: &Answer<'_>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    if how.dry_run || only_shown {
        if how.json {
            print(None, writer)?;
        }
        return Ok(());
    }
    if let Some(failure) = act::refused(plan) {
        if how.json {
            print(None, writer)?;
        }
        return Err(failure);
    }
    if !how.yes && !plan.is_empty() {
        let view = ground.view;
        let (things, back) = (things(plan), shown::back(&plan.totals));
        let question = if how.trash {
            format!("Move {things} to the trash? That frees {back} once it is emptied.")
        } else {
            format!("Remove {things}? That frees {back}.")
        };
        if how.json {
            return Err(confirm::unanswered());
        }
        if !confirm::ask(&view.wrapped(&question), ground.surroundings, writer)? {
            writeln!(writer, "Nothing was removed.")?;
            return Ok(());
        }
    }
    let done = act::Ground::carry_out(ground, plan, origin, how.trash)?;
    if how.json {
        print(Some(&done), writer)?;
    } else if !plan.is_empty() {
        shown::report(plan, &done.report, ground.view, writer)?;
    }
    act::verdict(done)?;
    Unread::nothing_kept(plan)
}

/// The plan of one kind of things, with what else was asked for.
fn of_class(snapshot: &Snapshot, wanted: &Prune, class: Class) -> Plan {
    let prune = Prune { classes: BTreeSet::from([class]), ..wanted.clone() };
    plan(snapshot, &Request::Prune(prune))
}
