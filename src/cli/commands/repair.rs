//! `repair`: finds what is broken in environments, shows what could mend it, asks, and does it.

mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::apply::repair::{RepairOutcome, RepairReport};
use crate::apply::report::State;
use crate::cli::args::Places;
use crate::cli::args::repair::RepairArguments;
use crate::cli::failure::{DAMAGE, FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::print::View;
use crate::cli::print::json::{self, repair::RepairBody};
use crate::cli::surroundings::Surroundings;
use crate::cli::unread::Unread;
use crate::cli::{act, locking, progress, request};
use crate::plan::{Action, At, Plan, Repair, Step};
use crate::scan::belonging::belonging;
use crate::scan::repair::{Facts, Hashed, has_entries};
use crate::scan::{Absent, discover};
use crate::snapshot::{Completeness, EnvironmentIndex, Snapshot};
use crate::worker::host::Host;
use crate::worker::repair::{self as mend, Mended, Mending};

use super::deciding::{self, Deciding, still_holds};

/// Mends environments.
pub fn run(
    places: &Places,
    arguments: &RepairArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    if arguments.environments.is_empty() && !arguments.all && !arguments.links {
        return Err(Failure::message(USAGE, "No environment was named.").hint(
            "Name them, or say `--all`; `cachetui envs` lists them with their health. `--links` repairs the cache itself.",
        ));
    }
    deciding::check(&arguments.asking)?;
    let ground = Ground {
        places,
        arguments,
        surroundings,
        view,
        from: from(arguments, surroundings)?,
        hashed: std::sync::Arc::default(),
    };
    let Gathered { mending, facts } = ground.gather()?;
    let snapshot = std::sync::Arc::clone(&mending.snapshot);
    let environments = mending.environments.iter().map(|it| At::new(&snapshot.environment(*it).path));
    let unread = unread(&snapshot, arguments);
    let request = Repair {
        environments: environments.collect(),
        from: mending.caches[1..].iter().map(|path| At::new(path)).collect(),
        link_mode: arguments.link_mode,
        with_uv: arguments.with_uv,
        links: mending.links,
    };
    let plan = mend::planned(&facts, &mending, &request);
    let deciding = Deciding { places, surroundings, view, asking: &arguments.asking, left: &[] };
    decide(&deciding, &Gathered { mending, facts }, &plan, &unread, writer)
}

/// Carries out what still holds of a plan that was saved.
pub(super) fn apply(
    saved: &Plan,
    request: &Repair,
    snapshot: &std::sync::Arc<Snapshot>,
    deciding: &Deciding<'_>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let Deciding { places, surroundings, view, .. } = *deciding;
    let environments = request.environments.iter();
    let mending = Mending {
        snapshot: std::sync::Arc::clone(snapshot),
        environments: environments.filter_map(|at| snapshot.find_environment(&at.path())).collect(),
        caches: caches(&snapshot.cache.path, request.from.iter().map(At::path).collect()),
        dead_links: Vec::new(),
        links: request.links,
        outline: false,
        hashed: std::sync::Arc::default(),
        uv: surroundings.uv(),
        temporary: surroundings.temporary.clone(),
    };
    let hosted = act::hosted(places, surroundings, view, |host| mend::gather(&mending, host))?;
    let facts = hosted.answer.ok_or_else(|| Failure::quiet(INTERRUPTED))?;
    let (plan, left) = still_holds(saved, mend::planned(&facts, &mending, request), snapshot);
    let deciding = Deciding { left: &left, ..*deciding };
    decide(&deciding, &Gathered { mending, facts }, &plan, &Unread::of(&[], |_| false), writer)
}

/// Shows a plan, asks, carries it out, and tells.
fn decide(
    deciding: &Deciding<'_>,
    Gathered { mending, facts }: &Gathered,
    plan: &Plan,
    unread: &Unread<'_>,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let Deciding { places, surroundings, view, asking, left } = *deciding;
    let answer = |report: Option<&RepairReport>, writer: &mut dyn Write| {
        if !asking.json {
            return Ok(());
        }
        json::write(&mending.snapshot, RepairBody { plan, report }, view, writer)
    };
    deciding.print_left(writer)?;
    if !asking.json {
        text::review(facts, plan, unread, view, writer)?;
    }
    deciding.save(plan, writer)?;
    if asking.only_shows() || plan.is_empty() && left.is_empty() {
        answer(None, writer)?;
        return stays(plan).and_then(|()| unread.all_seen());
    }
    let (mut done, mut interrupted) = (Mended::default(), false);
    if !plan.is_empty() {
        if !deciding.agreed(&text::question(plan), writer)? {
            return Err(Failure::quiet(DAMAGE));
        }
        let hosted = act::hosted(places, surroundings, view, |host| mend::carry_out(plan, mending, host))?;
        (done, interrupted) = (hosted.answer, hosted.interrupted);
        done.report.notes.splice(0..0, hosted.notes);
        if !asking.json {
            text::report(plan, &done.report, view, writer)?;
        }
    }
    let stale = |(step, why): &(&Step, String)| RepairOutcome::ended(step, State::Stale, Some(why.clone()));
    done.report.outcomes.extend(left.iter().map(stale));
    answer(Some(&done.report), writer)?;
    verdict(plan, done, interrupted).and_then(|()| unread.all_seen())
}

/// What is broken, and what it was found with.
struct Gathered {
    mending: Mending,
    facts: Facts,
}

/// What was asked, and what it is asked of.
struct Ground<'a> {
    places: &'a Places,
    arguments: &'a RepairArguments,
    surroundings: &'a Surroundings,
    view: &'a View,
    from: Vec<PathBuf>,
    hashed: std::sync::Arc<Hashed>,
}

impl Ground<'_> {
    /// Finds out what is broken: in named environments by themselves where that is enough, else by a scan.
    fn gather(&self) -> Result<Gathered, Failure> {
        let Self { arguments, surroundings, .. } = self;
        let mut prepared = request::prepare(self.places, Absent::Empty, surroundings)?;
        let named =
            arguments.environments.iter().map(|path| super::absolute(path, &surroundings.current_dir));
        let named: Vec<PathBuf> = named.collect();
        let mut whole = None;
        // Who else uses the entries does not matter here. The name of a tool is no path: all places are looked through for it.
        if !arguments.all && named.iter().all(|path| path.exists()) {
            whole = Some(prepared.clone().also(&named));
            prepared = prepared.only(&named);
            if let Some(gathered) = self.outlined(&prepared)? {
                return Ok(gathered);
            }
        }
        let gathered = self.scanned(&prepared)?;
        match whole.filter(|_| gathered.facts.concern_others()) {
            Some(whole) => self.scanned(&whole),
            None => Ok(gathered),
        }
    }

    /// Scans, and looks at what is broken.
    fn scanned(&self, prepared: &request::Prepared) -> Result<Gathered, Failure> {
        let Self { arguments, surroundings, .. } = self;
        let job = prepared.start(surroundings.now);
        let snapshot = progress::wait(&job, surroundings, self.view.quiet)?;
        if snapshot.scope.completeness != Completeness::Complete {
            return Err(Failure::message(FAILED, "The scan is not complete; nothing was planned."));
        }
        let chosen = chosen(&snapshot, arguments, &surroundings.current_dir)?;
        let mending = self.mending(snapshot, chosen, prepared.cache(), false);
        let facts = self.facts(&mending)?;
        Ok(Gathered { mending, facts })
    }

    /// The same without a look at all of the cache, if that comes to the same. JSON tells of the cache too.
    fn outlined(&self, prepared: &request::Prepared) -> Result<Option<Gathered>, Failure> {
        let Self { places, arguments, surroundings, view, .. } = self;
        if arguments.asking.json || arguments.links || arguments.environments.is_empty() {
            return Ok(None);
        }
        let outline = |host: &Host<'_>| prepared.outline(surroundings.now, host.cancel, host.progress);
        let Some(snapshot) = act::hosted(places, surroundings, view, outline)?.answer else {
            return Ok(None);
        };
        // Whoever cannot be found is explained by what a scan finds.
        let Ok(chosen) = chosen(&snapshot, arguments, &surroundings.current_dir) else { return Ok(None) };
        let mending = self.mending(std::sync::Arc::new(snapshot), chosen, prepared.cache(), true);
        let facts = self.facts(&mending)?;
        Ok(facts.suffice(arguments.link_mode).then_some(Gathered { mending, facts }))
    }

    fn mending(
        &self,
        snapshot: std::sync::Arc<Snapshot>,
        chosen: Chosen,
        cache: &Path,
        outline: bool,
    ) -> Mending {
        Mending {
            snapshot,
            environments: chosen.environments,
            caches: caches(cache, self.from.clone()),
            dead_links: chosen.dead_links,
            links: self.arguments.all || self.arguments.links,
            outline,
            hashed: std::sync::Arc::clone(&self.hashed),
            uv: self.surroundings.uv(),
            temporary: self.surroundings.temporary.clone(),
        }
    }

    fn facts(&self, mending: &Mending) -> Result<Facts, Failure> {
        let gathered =
            act::hosted(self.places, self.surroundings, self.view, |host| mend::gather(mending, host))?;
        gathered.answer.ok_or_else(|| Failure::quiet(INTERRUPTED))
    }
}

/// The end of a program that changed nothing.
fn stays(plan: &Plan) -> Result<(), Failure> {
    if plan.kept.is_empty() { Ok(()) } else { Err(Failure::quiet(DAMAGE)) }
}

/// What could not be read where something broken may be: anywhere with `--all`, in the cache with `--links`. A named
/// environment that cannot be read stays broken in the plan.
fn unread<'a>(snapshot: &'a Snapshot, arguments: &RepairArguments) -> Unread<'a> {
    Unread::of(&snapshot.scope.failed, |path| {
        arguments.all || arguments.links && snapshot.cache.relative(path).is_some()
    })
}

fn verdict(plan: &Plan, done: Mended, interrupted: bool) -> Result<(), Failure> {
    if interrupted {
        return Err(Failure::quiet(INTERRUPTED));
    }
    if let Some(refused) = done.refused {
        return Err(locking::failure(refused));
    }
    // What uv does not bring stays broken; that is no failure of what was done here.
    let outcomes = done.report.outcomes.iter();
    let bad =
        |action| outcomes.clone().any(|outcome| outcome.action == action && outcome.state != State::Done);
    if bad(Action::Link) || bad(Action::RestoreLink) {
        return Err(Failure::quiet(FAILED));
    }
    if bad(Action::Fetch) || !done.report.kept.is_empty() {
        return Err(Failure::quiet(DAMAGE));
    }
    stays(plan)
}

/// The other caches that somebody names; each has to be one.
fn from(arguments: &RepairArguments, surroundings: &Surroundings) -> Result<Vec<PathBuf>, Failure> {
    let mut from = Vec::new();
    for argument in &arguments.from {
        let path = super::absolute(argument, &surroundings.current_dir);
        if !has_entries(&path) {
            let shown = crate::human::escape_os(path.as_os_str()).into_owned();
            let text = if path.is_dir() {
                format!("`{shown}` does not look like a uv cache: it has no bucket such as `archive-v0`.")
            } else {
                format!("There is no directory at `{shown}` (--from).")
            };
            return Err(Failure::message(USAGE, text));
        }
        from.push(path);
    }
    Ok(from)
}

/// The caches to look through, each once, the present one first.
fn caches(present: &Path, from: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut caches = vec![present.to_owned()];
    let real = |path: &Path| crate::disk::canonical(path).unwrap_or_else(|_| path.to_owned());
    for path in from {
        if !caches.iter().any(|known| real(known) == real(&path)) {
            caches.push(path);
        }
    }
    caches
}

/// What is to be looked at.
struct Chosen {
    environments: Vec<EnvironmentIndex>,
    dead_links: Vec<PathBuf>,
}

fn chosen(snapshot: &Snapshot, arguments: &RepairArguments, current_dir: &Path) -> Result<Chosen, Failure> {
    if arguments.all {
        let environments = snapshot.environments().map(|(index, _)| index).collect();
        return Ok(Chosen { environments, dead_links: snapshot.scope.dead_links.clone() });
    }
    if arguments.environments.is_empty() {
        return Ok(Chosen { environments: Vec::new(), dead_links: Vec::new() });
    }
    let (mut named, mut dead_links) = (Vec::new(), Vec::new());
    for argument in &arguments.environments {
        let path = super::absolute(argument, current_dir);
        let dead = [path.join(".venv"), path].into_iter().find(|it| discover::leads_nowhere(it).is_some());
        // A project whose `.venv` is a broken link may have others.
        if dead.is_none() || !belonging(&super::absolute(argument, current_dir)).environments.is_empty() {
            named.push(argument.clone());
        }
        dead_links.extend(dead);
    }
    Ok(Chosen { environments: super::environments(snapshot, &named, current_dir)?, dead_links })
}
