//! Calls `disk`, feeds the snapshot: what the cache holds, which environments there are, who uses what.
//!
//! # Order
//! 1. The cache's root is listed; entries, buckets and places to search become tasks and run in parallel.
//! 2. All files of the cache become one table by device and inode ([`index`]).
//! 3. Environments are read in parallel and compared with the table ([`environments`]).
//! 4. Inodes and shared extents are folded into groups by who holds them ([`groups`]); entries get their state.
//!
//! # Locking
//! A scan takes no lock. What vanishes meanwhile becomes a problem and counts as in use.
//!
//! # Cost
//! One `stat` per file, some 60 bytes of memory per file of the cache at the peak.

mod away;
pub mod belonging;
mod cache;
mod candidates;
mod central;
pub mod conda;
mod content;
pub mod copied;
pub mod dependencies;
pub mod discover;
mod doubts;
mod entries;
mod environments;
mod failed;
pub mod files;
mod find;
pub mod foreign;
mod groups;
pub mod health;
mod index;
mod installed;
pub mod known;
pub mod linkable;
pub mod losses;
mod mounted;
mod moved;
pub mod near;
pub mod newcomers;
mod objects;
pub mod obstacles;
mod offline;
mod other_caches;
pub mod outline;
mod outside;
mod pointers;
mod presence;
pub mod print;
pub mod registry;
pub mod repair;
pub mod repositories;
mod share;
mod sources;
mod spot;
pub mod understood;
pub mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::control::{Cancel, Phase, Progress};
use crate::disk::volume::{self, Accounting, Reflinks};
use crate::disk::{self, FileStat, walk};
use crate::snapshot::{
    Bucket, Cache, Certainty, Completeness, Entry, EntryKind, FilePrint, Holder, Odd, Piece, Problem, Scope,
    Snapshot, Space, UserLink,
};
use crate::uv::bucket::BucketKind;
use crate::uv::requirement::Requirement;
use crate::uv::root::Root;

use cache::{Harvest, Layout};
use discover::{Place, Search};
use environments::{Against, Basis, Candidate, EntryFacts, Reading};
use index::FileTable;
use outside::{Entries, Lead};
use share::Sharing;

/// What to scan.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cache.
    pub cache: Root,
    /// What the cache is when it is not there.
    pub absent: Absent,
    /// Where to look for environments, in the order of [`discover::near_places`] and [`discover::known_places`].
    pub places: Vec<Place>,
    /// `--target` and `--prefix` directories and system installations to read as environments.
    pub targets: Vec<PathBuf>,
    /// Environments an earlier scan found.
    pub remembered: Vec<registry::Remembered>,
    /// What could not be read while the request was put together: it may name environments that nobody else knows.
    pub problems: Vec<Problem>,
    /// Whether uv's settings or variables say that environments are linked by symlinks.
    pub symlinks: bool,
    /// Where packages are taken from, as settings and variables say.
    pub sources: Vec<crate::uv::sources::Place>,
    /// Which distributions are looked for, where it is not all that is to be known: see [`find`].
    pub wanted: Vec<Requirement>,
    /// Whether the search goes into other mounts.
    pub cross_mounts: bool,
    /// The options that say where to search, as a command that looks in the same places needs them.
    pub options: Vec<String>,
    /// How many threads to use.
    pub threads: usize,
    /// The time at which the scan starts.
    pub started: jiff::Timestamp,
    /// The clock that tells how long it takes.
    pub clock: fn() -> Instant,
}

/// What a cache that is not there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// A reason not to scan.
    #[default]
    Refused,
    /// Empty: `uv cache clean` of uv 0.13.0 and before removes the directory too, and the environments whose links lead
    /// there are still to be seen.
    Empty,
}

/// Why a scan could not be done at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing at the cache's path.
    #[error("There is no cache at `{}`", crate::human::escape_os(path.as_os_str()))]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The directory is not a uv cache.
    #[error("`{}` does not look like a uv cache: it has no bucket such as `archive-v0`", crate::human::escape_os(path.as_os_str()))]
    NotACache {
        /// The path.
        path: PathBuf,
    },
    /// The cache's root could not be read.
    #[error(transparent)]
    Read(#[from] disk::Error),
}

/// What is known while a scan runs: entries fill in one by one, references come last.
#[derive(Debug, Default)]
pub struct Live(Mutex<Snapshot>);

impl Live {
    /// A copy of what is known so far.
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// One piece of work of the first round.
enum Task<'a> {
    Part(usize),
    Entry(usize),
    Search(&'a Place),
}

/// What one thread brings from the first round.
#[derive(Default)]
struct State {
    harvest: Harvest,
    searches: Vec<Search>,
}

/// How sure it is that removing the last name of a file on a filesystem frees its allocated bytes.
fn certainty(filesystem: volume::Filesystem) -> Certainty {
    match filesystem.accounting {
        // macOS tells of each file what it does not share, and nothing of the volume.
        Accounting::Unknown if !cfg!(target_vendor = "apple") => Certainty::AtMost,
        _ => Certainty::Exact,
    }
}

/// Scans. A cancelled scan answers with what it has, and says so in its scope.
pub fn scan(request: &Request, live: &Live, cancel: &Cancel, progress: &Progress) -> Result<Snapshot, Error> {
    let root = &request.cache.path;
    let missing = std::fs::metadata(root).is_err_and(|error| disk::read::is_absent(&error));
    if missing && request.absent == Absent::Refused {
        return Err(Error::Missing { path: root.clone() });
    }
    if !request.wanted.is_empty() {
        return find::find(request, missing, live, cancel, progress);
    }
    let begun = (request.clock)();
    progress.enter(Phase::Cache);
    let layout = if missing { Layout::missing(root) } else { Layout::read(root)? };
    let filesystem = volume::filesystem(root);
    let mut snapshot = begin(request, &layout, filesystem);
    let reflinks = snapshot.cache.reflinks;
    live.update(|shared| *shared = snapshot.clone());

    let (mut harvest, mut search) = first_round(request, &layout, reflinks, live, cancel, progress);
    progress.enter(Phase::Environments);
    let mut basis = basis(request, &layout, &mut harvest, reflinks);
    let has_any = |site: &Path| candidates::has_any(site, &basis.by_name);
    let candidates = candidates::candidates(request, &layout, &harvest, &has_any, &mut search);
    basis.compare(&candidates, &mut search);
    let against = basis.against(&[], cancel, progress);
    let mut readings = second_round(&candidates, request.threads, &against);
    let bystanders = leave_out_bystanders(&mut readings);
    snapshot.user_links = user_links(&search.leads, &candidates, &readings, &against.entries(), &layout);
    find_running(&layout, &mut readings);
    other_caches::mark_unseen(&mut readings);
    snapshot.scope.processes_hidden = !disk::processes::visible();
    central::projects(&mut readings, &search.led, &request.remembered);
    moved::judge(&mut search, request, &readings, &snapshot);

    progress.enter(Phase::Evidence);
    searched(&mut snapshot.scope, request, &mut search, bystanders);
    let mut failed = failures(&layout, &mut harvest, &mut search, &mut readings);
    snapshot.problems.extend(search.problems);
    snapshot.problems.append(&mut harvest.problems);
    failed.extend(pointers::resolve(
        &layout,
        &basis.by_id,
        std::mem::take(&mut harvest.pointers),
        &mut snapshot,
    ));
    snapshot.scope.failed = failed::failures(failed, request, &layout);
    snapshot.problems.extend_from_slice(&snapshot.scope.failed);
    let odd = understood::judge(&layout, &mut harvest, &snapshot);
    let held =
        groups::build(&basis.table, &harvest, &readings, filesystem, &layout.canonical, request.threads);
    snapshot.objects = objects::resolve(std::mem::take(&mut harvest.objects), &basis.table, &readings);
    drop(basis);
    snapshot.pieces = std::mem::take(&mut harvest.pieces);
    snapshot.pieces.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let doubts = doubts::collect(&harvest, &readings, &search.unreached, &snapshot, cancel.is_cancelled());
    entries::assemble(&layout, &harvest, readings, held, &doubts, &mut snapshot);
    sources::look(&mut snapshot, &request.sources);
    below(&layout, &mut snapshot);
    snapshot.cache.buckets = buckets(&layout, &harvest, &odd, &snapshot);
    tidy(&mut snapshot);
    snapshot.scope.completeness =
        if cancel.is_cancelled() { Completeness::Cancelled } else { Completeness::Complete };
    snapshot.scope.elapsed = (request.clock)().saturating_duration_since(begun);
    progress.enter(Phase::Done);
    Ok(snapshot)
}

/// Everything that failed for a reason that is to be told.
fn failures(
    layout: &Layout,
    harvest: &mut Gathered,
    search: &mut Search,
    readings: &mut [Reading],
) -> Vec<failed::Failed> {
    let mut failed = layout.failed.clone();
    failed.append(&mut harvest.failed);
    failed.append(&mut search.failed);
    failed.extend(readings.iter_mut().flat_map(|reading| std::mem::take(&mut reading.failed)));
    failed
}

/// What is known before anything but the root of the cache was read.
fn begin(request: &Request, layout: &Layout, filesystem: volume::Filesystem) -> Snapshot {
    let root = &request.cache.path;
    Snapshot {
        cache: Cache {
            path: root.clone(),
            canonical: layout.canonical.clone(),
            found_by: request.cache.found_by.clone(),
            filesystem: Some(filesystem.name.to_owned()),
            reflinks: filesystem.reflinks == Reflinks::Possible && tells_of_sharing(root),
            certainty: certainty(filesystem),
            space: space(root),
            ..Cache::default()
        },
        scope: Scope { started: Some(request.started), ..Scope::default() },
        entries: layout.keys.iter().map(|key| Entry { key: key.clone(), ..Entry::default() }).collect(),
        problems: request.problems.iter().chain(&layout.problems).cloned().collect(),
        ..Snapshot::default()
    }
}

/// What environments are compared with, from what the first round brought.
fn basis(request: &Request, layout: &Layout, harvest: &mut Gathered, reflinks: bool) -> Basis {
    let entries = entry_facts(layout, harvest);
    let (by_name, by_id) = candidates::lookups(layout, &entries);
    Basis {
        table: FileTable::build(std::mem::take(&mut harvest.records), request.threads),
        sharing: Sharing::build(&harvest.shared),
        entries,
        by_name,
        by_id,
        cache: layout.canonical.clone(),
        cache_itself: FileStat::of(&layout.canonical).ok().map(|stat| (stat.device, stat.inode)),
        directories: candidates::directories(harvest),
        reflinks,
        ..Basis::default()
    }
}

/// What environments need to know of the entries, in their order.
fn entry_facts(layout: &Layout, harvest: &Gathered) -> Vec<EntryFacts> {
    let facts = layout.keys.iter().zip(&harvest.facts).map(|(key, facts)| EntryFacts {
        path: layout.entry_path(key),
        dist_info: facts.dist_info.clone(),
        linkable: facts.linkable,
        needs_record: facts.entry_points || facts.scripts > 0 || facts.was_disturbed(),
        modified: facts.modified.clone(),
    });
    facts.collect()
}

/// Notes which entries lie in the lower layer of an overlay: one call for each, and none elsewhere.
fn below(layout: &Layout, snapshot: &mut Snapshot) {
    let Some(overlay) = disk::overlay::at(&layout.canonical) else { return };
    for (key, entry) in layout.keys.iter().zip(&mut snapshot.entries) {
        entry.below = overlay.lies_below(&layout.entry_path(key));
    }
}

/// Fills in where was searched, and what was not read there.
fn searched(
    scope: &mut Scope,
    request: &Request,
    search: &mut Search,
    mut bystanders: Vec<(PathBuf, FilePrint)>,
) {
    scope.roots = std::mem::take(&mut search.roots);
    scope.targets.clone_from(&request.targets);
    scope.cross_mounts = request.cross_mounts;
    scope.options.clone_from(&request.options);
    bystanders.append(&mut search.bystanders);
    bystanders.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    bystanders.dedup_by(|one, other| one.0 == other.0);
    scope.bystanders = bystanders;
    scope.absent = std::mem::take(&mut search.absent);
    scope.away = std::mem::take(&mut search.away);
    scope.unread = std::mem::take(&mut search.unread);
    scope.unread.extend_from_slice(&search.unreached);
    scope.unread.sort_unstable();
    scope.unread.dedup();
    scope.dead_links = std::mem::take(&mut search.dead);
    scope.dead_links.sort_unstable();
    scope.dead_links.dedup();
}

/// Adds the problems that the buckets are, and brings what was collected in any order into one.
fn tidy(snapshot: &mut Snapshot) {
    let odd = understood::problems(snapshot);
    snapshot.problems.extend(odd);
    snapshot.problems.sort_unstable();
    snapshot.problems.dedup();
}

/// What the first round brought, threads put together.
#[derive(Debug, Default)]
struct Gathered {
    records: Vec<index::Records>,
    facts: Vec<cache::entry::Facts>,
    parts: FxHashMap<usize, cache::bucket::Sums>,
    pointers: Vec<cache::bucket::RawPointer>,
    odd: Vec<(usize, Odd)>,
    objects: Vec<(PathBuf, disk::FileStat)>,
    pieces: Vec<Piece>,
    recorded: Vec<(crate::uv::interpreter::InterpreterRecord, disk::Time)>,
    environments: Vec<(PathBuf, Option<crate::snapshot::EnvironmentKind>)>,
    shared: Vec<share::SharedExtent>,
    problems: Vec<Problem>,
    /// Whether a bucket that holds pointers could not be read completely.
    pointers_unread: bool,
    failed: Vec<failed::Failed>,
}

fn first_round(
    request: &Request,
    layout: &Layout,
    reflinks: bool,
    live: &Live,
    cancel: &Cancel,
    progress: &Progress,
) -> (Gathered, Search) {
    let mut tasks: Vec<Task<'_>> = Vec::new();
    let is_read = |part: &usize| {
        let part = &layout.parts[*part];
        !part.is(BucketKind::Archive) && (request.wanted.is_empty() || find::may_have_environments(part))
    };
    // Buckets first: they are few and large, and would otherwise keep one thread busy at the end.
    tasks.extend((0..layout.parts.len()).filter(is_read).map(Task::Part));
    tasks.extend(request.places.iter().map(Task::Search));
    tasks.extend((0..layout.keys.len()).map(Task::Entry));
    let reading = cache::entry::Reading { cancel, progress, reflinks };
    let states = walk::each(&tasks, request.threads, State::default, |state, _, task| {
        if cancel.is_cancelled() {
            return;
        }
        match task {
            Task::Part(number) => {
                let part = &layout.parts[*number];
                cache::bucket::read(
                    &layout.root,
                    *number,
                    part,
                    reflinks,
                    cancel,
                    progress,
                    &mut state.harvest,
                );
            }
            Task::Entry(number) => {
                let path = layout.entry_path(&layout.keys[*number]);
                if !request.wanted.is_empty()
                    && !find::reads(&request.wanted, &path, *number, &mut state.harvest)
                {
                    return;
                }
                cache::entry::read(&path, *number, &reading, &mut state.harvest);
                if let Some((_, facts)) = state.harvest.entries.last() {
                    live.update(|snapshot| {
                        entries::preliminary(&mut snapshot.entries[*number], facts);
                        snapshot.cache.files += facts.files;
                        snapshot.cache.logical += facts.logical;
                        snapshot.cache.disk += facts.disk;
                    });
                }
            }
            Task::Search(place) => {
                let cross = request.cross_mounts;
                state.searches.push(discover::search(place, &layout.canonical, cross, cancel, progress));
            }
        }
    });
    gather(layout, states)
}

fn gather(layout: &Layout, states: Vec<State>) -> (Gathered, Search) {
    let mut gathered = Gathered { pointers_unread: layout.unread, ..Gathered::default() };
    gathered
        .facts
        .resize_with(layout.keys.len(), || cache::entry::Facts { unread: true, ..Default::default() });
    let mut search = Search::default();
    if layout.unread {
        search.unreached.push(layout.root.clone());
    }
    for state in states {
        let harvest = state.harvest;
        gathered.failed.extend(harvest.failed);
        search.unreached.extend(harvest.unreached);
        search.leads.extend(harvest.leads);
        gathered.records.push(harvest.records);
        for (number, facts) in harvest.entries {
            gathered.facts[number] = facts;
        }
        gathered.parts.extend(harvest.parts);
        gathered.pointers.extend(harvest.pointers);
        gathered.odd.extend(harvest.odd);
        gathered.objects.extend(harvest.objects);
        gathered.pieces.extend(harvest.pieces);
        gathered.recorded.extend(harvest.recorded);
        gathered.environments.extend(harvest.environments);
        gathered.shared.extend(harvest.shared);
        gathered.problems.extend(harvest.problems);
        gathered.pointers_unread |= harvest.pointers_unread;
        for found in state.searches {
            search.add(found);
        }
    }
    // Of one place the deepest search tells most.
    search.roots.sort_unstable_by(|a, b| (&a.path, b.depth, b.named).cmp(&(&b.path, a.depth, a.named)));
    search.roots.dedup_by(|a, b| a.path == b.path);
    search.settle_mounts();
    (gathered, search)
}

fn second_round(candidates: &[Candidate], threads: usize, against: &Against<'_>) -> Vec<Reading> {
    let read = |candidate: &Candidate| {
        if against.cancel.is_cancelled() { None } else { environments::read(candidate, against) }
    };
    walk::map(candidates, threads, read).into_iter().flatten().collect()
}

fn space(root: &Path) -> Option<Space> {
    let (total, available) = volume::space(root)?;
    Some(Space { total, available, block: volume::block(root)? })
}

/// What leads into entries from outside of environments, in order.
fn user_links(
    leads: &[Lead],
    candidates: &[Candidate],
    readings: &[Reading],
    entries: &Entries<'_>,
    layout: &Layout,
) -> Vec<UserLink> {
    let environments = candidates.iter().map(|candidate| candidate.found.path.as_path()).collect();
    let beside = readings.iter().flat_map(|it| &it.beside).map(PathBuf::as_path).collect();
    let mut links = entries.links(leads, &environments, &beside);
    links.extend(mounted::links(entries, layout));
    links.sort_unstable();
    links.dedup();
    links
}

/// Takes out installations of Python that have nothing of the cache, and answers where their distributions are: somebody
/// may install into them yet.
fn leave_out_bystanders(readings: &mut Vec<Reading>) -> Vec<(PathBuf, FilePrint)> {
    let is_bystander = |reading: &Reading| {
        let environment = &reading.environment;
        // What has only a name in common with the cache is no concern of a cache.
        let held = |used: &environments::Use| {
            let counts = used.counts;
            counts.inode + counts.symlink + counts.extent + counts.content > 0
        };
        let touches = reading.uses.iter().any(held)
            || !reading.links.is_empty()
            || !reading.named_elsewhere.is_empty()
            || environment.dangling > 0
            || !environment.other_caches.is_empty()
            || reading.blind;
        reading.installation && !touches
    };
    let (bystanders, others): (Vec<Reading>, Vec<Reading>) =
        std::mem::take(readings).into_iter().partition(is_bystander);
    *readings = others;
    let sites = |reading: Reading| {
        let root = reading.environment.path;
        reading.environment.sites.into_iter().map(move |(path, print)| (root.join(path), print))
    };
    bystanders.into_iter().flat_map(sites).collect()
}

/// Finds the processes that run in environments which lie in the cache and might be pruned.
fn find_running(layout: &Layout, readings: &mut [Reading]) {
    let in_cache = |reading: &&mut Reading| {
        let path = &reading.environment.path;
        path.starts_with(&layout.root) || path.starts_with(&layout.canonical)
    };
    let mut stored: Vec<&mut Reading> = readings.iter_mut().filter(in_cache).collect();
    let paths: Vec<PathBuf> = stored.iter().map(|reading| reading.environment.path.clone()).collect();
    for (reading, processes) in stored.iter_mut().zip(disk::processes::within_or_on_path(&paths)) {
        reading.environment.running = processes;
    }
}

/// The bytes of everything in the cache root.
fn buckets(
    layout: &Layout,
    harvest: &Gathered,
    odd: &FxHashMap<usize, Odd>,
    snapshot: &Snapshot,
) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    for (number, part) in layout.parts.iter().enumerate() {
        let mut bucket = understood::bucket(layout, number, odd.get(&number));
        if let Some(sums) = harvest.parts.get(&number) {
            (bucket.files, bucket.logical, bucket.disk) = (sums.files, sums.logical, sums.disk);
            (bucket.single, bucket.print) = (sums.single, sums.print);
        }
        if part.is(BucketKind::Archive) {
            let own = |entry: &Entry| *entry.key.bucket == *bucket.name;
            for entry in snapshot.entries.iter().filter(|entry| own(entry)) {
                bucket.files += entry.files;
                bucket.logical += entry.logical;
            }
            let holds =
                |holder: &Holder| matches!(holder, Holder::Entry(entry) if own(snapshot.entry(*entry)));
            bucket.disk += snapshot
                .groups
                .iter()
                .filter(|group| group.holders.iter().any(holds))
                .map(|group| group.disk)
                .sum::<u64>();
        }
        if part.is(BucketKind::Environments) || part.bucket.is_none() {
            let path = layout.canonical.join(&part.name);
            for environment in snapshot.environments.iter().filter(|item| item.path.starts_with(&path)) {
                bucket.files += environment.files;
                bucket.logical += environment.logical;
                bucket.disk += environment.disk;
            }
        }
        buckets.push(bucket);
    }
    buckets
}

/// Whether the filesystem at `root` tells where files lie, or what they share; asked of a file that every cache has.
fn tells_of_sharing(root: &Path) -> bool {
    ["CACHEDIR.TAG", ".gitignore", ".lock"]
        .iter()
        .find_map(|name| disk::read::open(&root.join(name)).ok())
        .is_some_and(|file| {
            disk::extent::extents(&file).is_ok() || disk::extent::private_bytes(&file).is_some()
        })
}

/// A problem from an error of the operating system.
fn problem(path: PathBuf, operation: &'static str, error: &io::Error) -> Problem {
    Problem { path, message: format!("Failed to {operation}: {}", disk::error::words(error)) }
}

/// The problem that uv never made what lies at `path`.
fn odd(path: PathBuf) -> Problem {
    Problem {
        path,
        message: "A FIFO, socket or device lies here, which uv never makes; it was not opened".to_owned(),
    }
}

/// Whether an entry is a wheel or an environment.
fn entry_kind(facts: &cache::entry::Facts) -> EntryKind {
    if facts.environment {
        EntryKind::Environment
    } else if facts.dist_info.is_some() {
        EntryKind::Wheel
    } else {
        EntryKind::Unknown
    }
}
