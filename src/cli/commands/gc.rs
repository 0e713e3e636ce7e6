//! `gc`: carries out the policy of the settings.
//!
//! First goes the trash that is old enough, then what the policy says, in one plan, and then, where a limit needs it, more of the
//! trash.

mod answer;
mod limits;
mod remembered;

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::trash::{self, Purged};
use crate::apply::beside::{self, Whole};
use crate::apply::weigh;
use crate::cli::act::{self, Ground, Origin};
use crate::cli::args::Places;
use crate::cli::args::gc::GcArguments;
use crate::cli::failure::{BUSY, FAILED, Failure, INTERRUPTED, USAGE};
use crate::cli::keep::Keep;
use crate::cli::print::View;
use crate::cli::print::json;
use crate::cli::progress;
use crate::cli::request::{self, Prepared};
use crate::cli::settings;
use crate::cli::settings::policy::{Choice, Policy, TRASH_FOR};
use crate::cli::surroundings::{self, Surroundings};
use crate::disk::{FileStat, read, usage, volume};
use crate::human;
use crate::lock::directory::OwnLock;
use crate::lock::{Directory, Share, Waiting};
use crate::plan::{Allowance, At, Budget, Class, Gc, Pinned, Plan, Prune, Remove, Request, Step, plan, room};
use crate::scan::Absent;
use crate::snapshot::{Completeness, Snapshot};
use crate::worker::removal::Done;
use crate::worker::remove;
use answer::{Body, not_due, print_dry_run, told};
use limits::Limits;
use remembered::Remembered;

/// What came of a run.
#[derive(Default)]
struct Ran {
    /// What was done of the plan; none where there was nothing to do, or nothing might be done.
    done: Option<Done>,
    /// The runs of the trash that were deleted, or would be, with what they keep.
    purged: Vec<Whole>,
    freed: Purged,
    /// What went to the trash a moment ago and was deleted from there, because a limit needs its room.
    own: Own,
    /// Allocated bytes of the cache afterwards, its trash included.
    takes: u64,
    /// Whether a limit is exceeded although everything went that may.
    beyond: bool,
}

/// What a run had in the trash itself, as far as it deleted that again.
struct Own {
    /// What that freed, in bytes; none where a filesystem does not tell.
    freed: Option<u64>,
    /// Whether nothing of it is left there.
    is_whole: bool,
}

impl Default for Own {
    fn default() -> Self {
        Self { freed: Some(0), is_whole: false }
    }
}

/// Carries the policy out.
pub fn run(
    places: &Places,
    arguments: &GcArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let mut settings = settings::read(surroundings)?;
    let policy = arguments.over(std::mem::take(&mut settings.policy));
    if !policy.says_anything() {
        return Err(no_policy(surroundings));
    }
    let keep = Keep::of_words(&policy.keep, surroundings)?;
    let prepared = match request::prepare(places, Absent::Refused, surroundings) {
        // Where there is no cache it is within every limit.
        Err(_) if arguments.auto && is_absent(places, surroundings)? => {
            let prepared = request::prepare(places, Absent::Empty, surroundings)?;
            return not_due(&prepared, arguments.json, view, writer);
        }
        prepared => prepared?,
    };
    let cache = prepared.cache();
    let limits = Limits::of(&policy, cache)?;
    // What is said of a cache rests on where environments were searched, too.
    let text = format!("{policy:?} {keep:?} {:?} {places:?}", settings.roots);
    let state = surroundings.state_dir.as_deref();
    let alone = alone(places, cache, surroundings)?;
    if matches!(alone, Alone::No) {
        // The other one does it.
        if arguments.auto {
            return not_due(&prepared, arguments.json, view, writer);
        }
        return Err(Failure::message(BUSY, "Another `cachetui gc` works on this cache."));
    }
    let last = state.and_then(|state| Remembered::read(state, cache)).unwrap_or_default();
    if arguments.auto && !last.is_due(surroundings.now, &text, limits, cache) {
        not_due(&prepared, arguments.json, view, writer)?;
        // That was told when it came to it, and is so still.
        return if last.is_over() { Err(Failure::quiet(FAILED)) } else { Ok(()) };
    }
    // Where the cache may be waited for, nothing is held meanwhile; two runs look at it again under its own lock.
    let alone = Some(alone).filter(|_| arguments.when_free.is_none());
    // What runs by itself, as from a shell, does not make a person wait for others.
    let at_once = arguments.auto.then_some(Duration::ZERO);
    let when_free = arguments.when_free.map(|age| age.0).or(at_once);
    let ground = Ground { places, surroundings, view, cache, when_free };
    let trash_for = match policy.trash_for {
        None => Some(TRASH_FOR),
        Some(choice) => choice.value(),
    };
    let mut ran = Ran::default();
    ran.empty_old(&ground, &prepared, trash_for, arguments.dry_run)?;
    if ran.freed.refused.is_some() || ran.is_stopped() {
        return Err(ran.early(Failure::quiet(INTERRUPTED), &prepared, arguments.json, view, writer)?);
    }
    let job = prepared.start(surroundings::now());
    let snapshot = match progress::wait(&job, surroundings, view.quiet || arguments.auto) {
        Ok(snapshot) if snapshot.scope.completeness == Completeness::Complete => snapshot,
        ended => {
            let incomplete =
                || Failure::message(FAILED, "The scan is not complete; nothing else was removed.");
            let failure = ended.err().unwrap_or_else(incomplete);
            return Err(ran.early(failure, &prepared, arguments.json, view, writer)?);
        }
    };
    let keep = match keep.complete(&snapshot) {
        Ok(keep) => keep,
        Err(failure) => return Err(ran.early(failure, &prepared, arguments.json, view, writer)?),
    };
    let plan = planned(&snapshot, &policy, &keep, limits, surroundings);
    if arguments.dry_run {
        ran.takes = snapshot.cache.disk;
        return print_dry_run(&snapshot, &plan, &ran, limits, arguments.json, view, writer);
    }
    let refused = act::refused(&plan);
    if refused.is_none() {
        match ground.carry_out(&plan, Origin::Scanned(&prepared), trash_for.is_some()) {
            Ok(done) => ran.done = Some(done),
            Err(failure) => return Err(ran.early(failure, &prepared, arguments.json, view, writer)?),
        }
    }
    let mut now = Remembered::new(surroundings.now, text).with_entries(&snapshot);
    let may_empty = trash_for.is_some() && refused.is_none();
    let trees: Vec<PathBuf> = plan.steps.iter().flat_map(Step::places).map(At::path).collect();
    ran.empty_more(&ground, &prepared, limits, &trees, may_empty)?;
    drop(alone);
    let (kinds, told) = told(&plan, &ran, limits, refused.as_ref());
    let is_news = !arguments.auto || kinds != last.told;
    let over = limits::bytes(policy.fail_over, cache)?.filter(|most| ran.takes > *most);
    now.conclude(ran.beyond || refused.is_some(), over.is_some(), kinds);
    if let Some(state) = state.filter(|_| !ran.is_stopped()) {
        now.save(state, cache);
    }
    let told = if is_news { told } else { Vec::new() };
    if arguments.json {
        let body = Body {
            gc: ran.row(cache, &told),
            plan: Some(&plan),
            report: ran.done.as_ref().map(|done| &done.report),
        };
        json::write(&snapshot, body, view, writer)?;
    } else {
        ran.print(&plan, &told, arguments.auto, limits, view, writer)?;
    }
    ran.end(&plan, refused.filter(|_| is_news), over)
}

/// That nothing says what to do.
pub(super) fn no_policy(surroundings: &Surroundings) -> Failure {
    let place = match settings::path(surroundings) {
        Some(path) => {
            format!("`[policy]` in `{}` keeps one", human::path(&path, surroundings.home.as_deref()))
        }
        None => "the variables that begin with `CACHETUI_` keep one".to_owned(),
    };
    Failure::message(USAGE, "There is no policy to carry out.").hint(format!(
        "`cachetui gc --max-size 40G` states one, and {place}; `cachetui gc --help` tells more."
    ))
}

/// Whether there is no cache.
fn is_absent(places: &Places, surroundings: &Surroundings) -> Result<bool, Failure> {
    let prepared = request::prepare(places, Absent::Empty, surroundings)?;
    Ok(std::fs::metadata(prepared.cache()).is_err_and(|error| read::is_absent(&error)))
}

/// Whether this `gc` works on a cache alone.
enum Alone {
    /// It does, as long as this is held. Where no lock can be had, runs take turns by the cache's own.
    Yes(#[expect(dead_code, reason = "it is held")] Option<OwnLock>),
    /// Another one is at it.
    No,
}

/// Keeps other `gc` from a cache.
fn alone(places: &Places, cache: &Path, surroundings: &Surroundings) -> Result<Alone, Failure> {
    let Some((path, sharing)) = request::lock_directory(places, surroundings)? else {
        return Ok(Alone::Yes(None));
    };
    let Ok(directory) = Directory::open(&path, sharing) else { return Ok(Alone::Yes(None)) };
    match directory.acquire(&cache.join(".gc"), Share::Exclusive, &Waiting::Never) {
        Ok(lock) => Ok(Alone::Yes(Some(lock))),
        Err(refused) if refused.is_busy() => Ok(Alone::No),
        Err(_) => Ok(Alone::Yes(None)),
    }
}

/// The plan of a policy.
fn planned(
    snapshot: &Snapshot,
    policy: &Policy,
    keep: &[Pinned],
    limits: Limits,
    surroundings: &Surroundings,
) -> Plan {
    let grace = policy.grace().unwrap_or(surroundings.grace);
    let mut allow: BTreeSet<Allowance> = policy.allow.iter().copied().collect();
    if limits.is_some() {
        // A person has said how large it may be.
        allow.insert(Allowance::Most);
    }
    let idle = policy.idle_environments.and_then(Choice::value);
    let idle = idle.map(|age| room::idle_environments(snapshot, age.as_secs())).unwrap_or_default();
    let (environments, kept) = remove::looked_at(snapshot, &idle, &allow, surroundings.program.as_deref());
    let remove = Remove {
        environments,
        links: Vec::new(),
        chosen: true,
        with_entries: true,
        grace,
        allow: allow.clone(),
    };
    let prune = |classes: &[Class], older_than: Option<Duration>, budget: Budget| Prune {
        classes: classes.iter().copied().collect(),
        what: Vec::new(),
        older_than: older_than.map(|age| age.as_secs()),
        keep_newest: None,
        grace,
        budget,
        keep: keep.to_vec(),
        allow: allow.clone(),
    };
    let free = [Class::Unreferenced, Class::OldBuilds, Class::CrashLeftovers];
    let mut prunes = vec![prune(&free, None, Budget::default())];
    if let Some(newest) = policy.keep_newest.and_then(Choice::value) {
        let generations = prune(&[Class::OldGenerations], None, Budget::default());
        prunes.push(Prune { keep_newest: Some(newest), ..generations });
    }
    if let Some(age) = policy.older_than.and_then(Choice::value) {
        prunes.push(prune(&Class::ALL, Some(age), Budget::default()));
    }
    if limits.is_some() {
        let Limits { max_size, keep_free } = limits;
        prunes.push(prune(&Class::ALL, None, Budget { max_size, keep_free, free: None }));
    }
    let mut plan = plan(snapshot, &Request::Gc(Gc { remove, prunes }));
    plan.kept.extend(kept);
    weigh(&mut plan, &snapshot.cache.path);
    plan
}

impl Ran {
    /// Deletes what lies in the trash for longer than it has to.
    fn empty_old(
        &mut self,
        ground: &Ground<'_>,
        prepared: &Prepared,
        trash_for: Option<Duration>,
        dry_run: bool,
    ) -> Result<(), Failure> {
        let Some(trash_for) = trash_for else { return Ok(()) };
        let least = i64::try_from(trash_for.as_secs()).unwrap_or(i64::MAX);
        let is_old = |whole: &Whole| {
            whole.run.time().is_some_and(|time| {
                ground.surroundings.now.as_second().saturating_sub(time.as_second()) >= least
            })
        };
        let mut old = trash::runs(prepared, ground.surroundings)?;
        old.retain(is_old);
        if old.is_empty() {
            return Ok(());
        }
        if !dry_run {
            self.freed.measured(ground, &old)?;
            old.retain(|whole| self.freed.refused.is_none() || !whole.in_cache);
        }
        self.purged = old;
        Ok(())
    }

    /// Deletes more of the trash while a limit is exceeded, where it may; and measures what the cache takes. What lies in the cache's
    /// own goes first, the oldest first: uv fetches it again. Environments go for the volume's sake alone, and only where that is
    /// enough. `trees` is what the plan moved.
    fn empty_more(
        &mut self,
        ground: &Ground<'_>,
        prepared: &Prepared,
        limits: Limits,
        trees: &[PathBuf],
        may_empty: bool,
    ) -> Result<(), Failure> {
        let cache = ground.cache;
        let runs = if may_empty { trash::runs(prepared, ground.surroundings)? } else { Vec::new() };
        let of_cache = runs.iter().filter(|whole| whole.in_cache);
        let of_cache = of_cache.map(|whole| Whole { beside: Vec::new(), ..whole.clone() });
        let device = |path: &Path| FileStat::following(path).ok().map(|stat| stat.device);
        let is_here = |path: &&PathBuf| device(path) == device(cache);
        let beside = runs.iter().map(|whole| Whole {
            in_cache: false,
            beside: whole.beside.iter().filter(is_here).cloned().collect(),
            ..whole.clone()
        });
        let mut left: VecDeque<Whole> =
            of_cache.chain(beside.filter(|whole| !whole.beside.is_empty())).collect();
        loop {
            self.takes = usage::usage(cache, |_| None);
            let free = volume::free(cache);
            self.beyond = limits.are_exceeded(|| self.takes, free);
            if !self.beyond || self.is_stopped() {
                return Ok(());
            }
            let is_enough = |left: &[Whole]| {
                let frees = beside::held(left, cache).reclaimable;
                limits
                    .keep_free
                    .zip(free)
                    .is_some_and(|(least, free)| free < least && free.saturating_add(frees) >= least)
            };
            let is_of_cache = left.front().is_some_and(|next| next.in_cache);
            if !is_of_cache && !is_enough(left.make_contiguous()) {
                return Ok(());
            }
            let Some(run) = left.pop_front() else { return Ok(()) };
            let before = run.holds(cache, trees);
            self.freed.measured(ground, std::slice::from_ref(&run))?;
            if self.freed.refused.is_some() {
                return Ok(());
            }
            let freed = before.zip(run.holds(cache, trees)).map(|(before, left)| before.saturating_sub(left));
            self.took_back(&run, freed);
            if self.purged.iter().all(|purged| purged.run != run.run) {
                self.purged.push(run);
            }
        }
    }

    /// Notes that what was moved to the trash a moment ago, or its part in the cache or beside it, is deleted already, because a
    /// limit needs its room. `freed`: by the files, without what the trash itself took.
    fn took_back(&mut self, run: &Whole, freed: Option<u64>) {
        let Some(done) = &mut self.done else { return };
        let report = &mut done.report;
        let is_its = |at: &At| at.path().iter().any(|name| name == run.run.name());
        let is_own = if run.in_cache {
            report.trash.take_if(|at| is_its(at)).is_some()
        } else {
            let number = report.beside.len();
            report.beside.retain(|at| !is_its(at));
            report.beside.len() < number
        };
        if !is_own {
            return;
        }
        self.own.freed = self.own.freed.zip(freed).map(|(sum, freed)| sum + freed);
        self.own.is_whole = report.trash.is_none() && report.beside.is_empty();
        report.freed.measured = self.own.freed;
    }

    /// Whether a person stopped it.
    fn is_stopped(&self) -> bool {
        self.freed.stopped || self.done.as_ref().is_some_and(|done| done.interrupted)
    }
}
