//! Reads one environment: each file is looked up in the cache's index by device and inode, each symlink by where it
//! leads, and only what is left over is compared by name and content.
//!
//! In an environment that is wholly linked no `RECORD` is read at all: when as many files were found by inode as the
//! entry has to give, each under the name that uv gives it, nothing can be missing or changed.

mod attribute;
mod contended;
mod distribution;
mod eggs;
mod kind;
mod leftovers;
mod tally;
mod visitor;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::away::Away;
use super::candidates::ById;
use super::discover::{Found, Search, is_absence};
use super::failed::Failed;
use super::index::{FileId, FileTable};
use super::other_caches::{self, OtherCaches};
use super::outside::Entries;
use super::share::{Map, SharedExtent, Sharing};
use super::spot::Spots;
use crate::control::{Cancel, Progress};
use crate::disk::walk;
use crate::disk::{FileStat, Time};
use crate::snapshot::{
    Distribution, DistributionState, EntryIndex, Environment, EnvironmentKind, EvidenceCounts, FilePrint,
    LastUse, LastUseEvidence, Manager, ModeCounts, OtherCache, Problem, TreePrint,
};
use crate::uv::distribution as names;
use crate::uv::link::archive_target;
use crate::uv::requirement::Requirement;
use tally::{Named, Tally, own_bytes};
pub(super) use visitor::is_site_packages;

/// What the environments are compared with.
pub(super) struct Against<'a> {
    pub(super) table: &'a FileTable,
    pub(super) sharing: &'a Sharing,
    pub(super) entries: &'a [EntryFacts],
    /// Entries by normalized name and version, in order.
    pub(super) by_name: &'a FxHashMap<(String, String), Vec<u32>>,
    /// Entries by id.
    pub(super) by_id: &'a ById,
    /// The cache's root, every symlink resolved.
    pub(super) cache: &'a Path,
    /// Its device and inode: it may be seen through another mount.
    pub(super) cache_itself: Option<(u64, u64)>,
    /// Entries by device and inode of their directory.
    pub(super) directories: &'a FxHashMap<(u64, u64), u32>,
    /// The roots of everything that is read as an environment.
    pub(super) roots: &'a [PathBuf],
    /// Other caches that environments may be linked to.
    pub(super) others: &'a OtherCaches,
    /// The distributions that are looked for; all where there is none.
    pub(super) wanted: &'a [Requirement],
    /// Whether files may share extents.
    pub(super) reflinks: bool,
    pub(super) cancel: &'a Cancel,
    pub(super) progress: &'a Progress,
}

/// What is known of a cache, for environments to be compared with. By default nothing, where they are only listed.
#[derive(Debug, Default)]
pub(super) struct Basis {
    pub(super) table: FileTable,
    pub(super) sharing: Sharing,
    pub(super) entries: Vec<EntryFacts>,
    pub(super) by_name: FxHashMap<(String, String), Vec<u32>>,
    pub(super) by_id: ById,
    pub(super) cache: PathBuf,
    pub(super) cache_itself: Option<(u64, u64)>,
    pub(super) directories: FxHashMap<(u64, u64), u32>,
    pub(super) roots: Vec<PathBuf>,
    pub(super) others: OtherCaches,
    pub(super) reflinks: bool,
}

impl Basis {
    /// Adds the environments that are read, and the other caches that the search has found.
    pub(super) fn compare(&mut self, candidates: &[Candidate], search: &mut Search) {
        self.roots = candidates.iter().map(|candidate| candidate.found.path.clone()).collect();
        self.others = OtherCaches::new(std::mem::take(&mut search.caches), &self.cache);
    }

    pub(super) fn against<'a>(
        &'a self,
        wanted: &'a [Requirement],
        cancel: &'a Cancel,
        progress: &'a Progress,
    ) -> Against<'a> {
        Against {
            table: &self.table,
            sharing: &self.sharing,
            entries: &self.entries,
            by_name: &self.by_name,
            by_id: &self.by_id,
            cache: &self.cache,
            cache_itself: self.cache_itself,
            directories: &self.directories,
            roots: &self.roots,
            others: &self.others,
            wanted,
            reflinks: self.reflinks,
            cancel,
            progress,
        }
    }
}

/// What an environment needs to know of an entry.
#[derive(Debug)]
pub(super) struct EntryFacts {
    pub(super) path: PathBuf,
    pub(super) dist_info: Option<std::ffi::OsString>,
    /// Files uv links into environments.
    pub(super) linkable: u64,
    /// Whether `RECORD` has to be read even where every file is linked: uv writes files of its own for the entry, or the entry
    /// may have lost files.
    pub(super) needs_record: bool,
    /// Files whose content is not what `RECORD` says.
    pub(super) modified: Vec<PathBuf>,
}

/// An environment to read.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) found: Found,
    /// What it is for, where its place in the cache tells.
    pub(super) kind: Option<EnvironmentKind>,
    /// The entry it is stored as.
    pub(super) entry: Option<u32>,
    /// Whether its bytes and links were counted already, with its entry or bucket.
    pub(super) counted: bool,
    /// Other environments in it, and the cache, relative to its root: they are read on their own.
    pub(super) nested: Vec<PathBuf>,
    /// Whether it was named as a `--target`.
    pub(super) named: bool,
    /// Whether it lies in the cache's directory outside of uv's buckets.
    pub(super) inside: bool,
    /// When uv wrote its newest record of the interpreter.
    pub(super) recorded: Option<Time>,
}

/// What reading an environment brought.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) environment: Environment,
    /// Which entries its distributions use.
    pub(super) uses: Vec<Use>,
    /// The inodes of the cache it links to, with repetition.
    pub(super) links: Vec<FileId>,
    /// Symlinks into the cache that its distributions have beside its directory, by their real directories.
    pub(super) beside: Vec<PathBuf>,
    /// Bytes of directories, symlinks and files with one name, which nobody else can hold but by shared extents.
    pub(super) own: Own,
    /// Files with several names that the cache does not have.
    pub(super) linked: Vec<LinkedFile>,
    pub(super) shared: Vec<SharedExtent>,
    pub(super) problems: Vec<Problem>,
    pub(super) failed: Vec<Failed>,
    /// Entries of this cache that symlinks name under another path: a cache that was moved, or is seen from elsewhere.
    pub(super) named_elsewhere: Vec<u32>,
    /// The paths of this cache under which they name them.
    pub(super) cache_paths: Vec<PathBuf>,
    /// Whether it is an installation of Python, and no environment of its own.
    pub(super) installation: bool,
    /// Whether not even its distributions could all be listed, so that it may use any entry.
    pub(super) blind: bool,
}

/// Storage only this environment has a name for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    pub(super) inodes: u64,
    pub(super) logical: u64,
    pub(super) disk: u64,
}

/// A file with several names, none of them in the cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkedFile {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) disk: u64,
    pub(super) links: u64,
}

/// One distribution (or none that could be named) uses one entry.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub(super) entry: u32,
    pub(super) distribution: Option<u32>,
    pub(super) by: ModeCounts,
    pub(super) counts: EvidenceCounts,
}

/// A regular file that neither inode nor extent explains.
#[derive(Clone, Debug)]
struct Loose {
    stat: FileStat,
    map: Option<Map>,
}

/// How a file of the environment leads to an inode of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Hardlink,
    Symlink,
    Clone,
}

/// A file whose inode or extent lies in several entries.
#[derive(Clone, Debug)]
struct Ambiguous {
    id: FileId,
    way: Way,
    /// Its own, not what it leads to.
    stat: FileStat,
}

impl<'a> Against<'a> {
    /// What a link may lead to an entry by.
    pub(super) fn entries(&self) -> Entries<'a> {
        Entries { table: self.table, by_id: self.by_id, cache: self.cache, directories: self.directories }
    }
}

/// A symlink that leads nowhere, or to another cache.
#[derive(Clone, Debug)]
struct Stray {
    text: PathBuf,
    dangling: bool,
}

/// A `.dist-info` directory.
#[derive(Clone, Debug)]
struct DistInfo {
    /// Relative to the environment.
    path: PathBuf,
    name: names::DistInfoName,
}

/// What the walk of an environment collects.
#[derive(Debug, Default)]
struct Collected {
    tallies: FxHashMap<u32, Tally>,
    loose: FxHashMap<Vec<u8>, Loose>,
    ambiguous: FxHashMap<Vec<u8>, Ambiguous>,
    strays: FxHashMap<Vec<u8>, Stray>,
    /// Symlinks whose inode lies in several entries: the entry they name, which was tallied.
    named: FxHashMap<Vec<u8>, u32>,
    /// Directories that are symlinks into an entry: where they are, and the entry.
    directories: Vec<(PathBuf, u32)>,
    /// Entries that the lines of path files name, or symlinks behind a directory that is itself a symlink.
    indirect: Vec<u32>,
    dist_infos: Vec<DistInfo>,
    links: Vec<FileId>,
    /// Symlinks into the cache that distributions have beside the directory, by their real directories.
    beside: Vec<PathBuf>,
    own: Own,
    linked: Vec<LinkedFile>,
    shared: Vec<SharedExtent>,
    problems: Vec<Problem>,
    failed: Vec<Failed>,
    print: TreePrint,
    content: TreePrint,
    sites: Vec<(PathBuf, FilePrint)>,
    files: u64,
    logical: u64,
    disk: u64,
    dangling: u64,
    unread: bool,
    blind: bool,
    /// The newest sign of use among its files.
    used: Option<(Time, LastUseEvidence)>,
    /// What its path files name, every symlink resolved.
    needs: Vec<PathBuf>,
}

/// Reads one environment. `None` when it is not there any more.
pub(super) fn read(candidate: &Candidate, against: &Against<'_>) -> Option<Reading> {
    let root = &candidate.found.path;
    // Where nobody can tell, the walk does, or says why not.
    if std::fs::metadata(root).map_or_else(|error| is_absence(&error), |it| !it.is_dir()) {
        return None;
    }
    let mut visitor = visitor::EnvironmentVisitor {
        against,
        itself: candidate.entry,
        nested: &candidate.nested,
        collected: Collected::default(),
        device: None,
        target: candidate.found.target,
        outline: None,
        spots: Spots::default(),
        seen: rustc_hash::FxHashSet::default(),
        away: Away::default(),
    };
    walk::walk(root, against.cancel, &mut visitor);
    let mut collected = visitor.collected;
    collected.problems.extend(visitor.away.problem(root));
    let mut environment = kind::describe(candidate);
    let mut uses = attribute::attribute(root, &mut environment, &mut collected, against, candidate.entry);
    let named = named_by_broken(&collected, against.by_id);
    reached_by_name(&environment, &named, against, &mut uses);
    reached_by_name(&environment, &named_here(&collected, against.entries()), against, &mut uses);
    linked_elsewhere(&mut environment, &collected, against.others);
    let cache_paths = cache_paths(&collected, against.by_id);
    let named_elsewhere = of_another_path(&collected, against.entries());
    environment.print = collected.print;
    environment.content = collected.content;
    environment.nested.clone_from(&candidate.nested);
    for (site, _) in &collected.sites {
        environment.distributions.extend(eggs::of(root, site, against.wanted));
    }
    environment.sites = collected.sites;
    environment.last_use = last_use(environment.installed, candidate.recorded, collected.used);
    environment.needs.append(&mut collected.needs);
    environment.files = collected.files;
    environment.logical = collected.logical;
    environment.disk = collected.disk;
    environment.dangling = collected.dangling;
    environment.unread = collected.unread;
    environment.entry = candidate.entry.map(|entry| EntryIndex::new(entry as usize));
    against.progress.add_files(collected.files, collected.logical);
    against.progress.add_environment();
    let blind = collected.blind || environment.unread && environment.distributions.is_empty();
    let stored = candidate.counted;
    Some(Reading {
        environment,
        uses,
        links: if stored { Vec::new() } else { collected.links },
        beside: collected.beside,
        own: if stored { Own::default() } else { collected.own },
        linked: if stored { Vec::new() } else { collected.linked },
        shared: if stored { Vec::new() } else { collected.shared },
        problems: collected.problems,
        failed: collected.failed,
        named_elsewhere,
        cache_paths,
        installation: candidate.found.target && !candidate.named,
        blind,
    })
}

/// Finds the other caches that the distributions of an environment are linked to.
fn linked_elsewhere(environment: &mut Environment, collected: &Collected, others: &OtherCaches) {
    let live = collected.strays.values().filter(|stray| !stray.dangling);
    let mut caches = other_caches::named(live.map(|stray| stray.text.as_path()));
    for distribution in &mut environment.distributions {
        let metadata = distribution.dist_info.join("METADATA");
        let key = metadata.as_os_str().as_encoded_bytes();
        if let Some(stray) = collected.strays.get(key).filter(|stray| !stray.dangling) {
            let target = archive_target(&stray.text);
            distribution.other_cache =
                target.map(|target| target.prefix).filter(|prefix| prefix.is_absolute());
        } else if let Some(loose) = collected.loose.get(key).filter(|loose| loose.stat.links > 1)
            && let Some(name) = distribution.dist_info.file_name()
            && let Some(other) = others.with(name, &loose.stat)
        {
            let is_its = |it: &&LinkedFile| other.files.contains(&(it.device, it.inode));
            *caches.entry(other.cache.to_owned()).or_default() +=
                collected.linked.iter().filter(is_its).count() as u64;
            distribution.other_cache = Some(other.cache.to_owned());
            let copies = distribution.files.modes.copy;
            environment.modes.copy -= copies;
            environment.modes.hardlink += copies;
        }
    }
    environment.other_caches = caches.into_iter().map(|(path, files)| OtherCache { path, files }).collect();
}

/// Entries of this cache that broken symlinks name, and by how many: the entry lacks the file, or the cache was moved, or a
/// container sees it under another name. What leads somewhere leads to another cache, and uses nothing here.
fn named_by_broken(collected: &Collected, by_id: &ById) -> BTreeMap<u32, u64> {
    let dangling = collected.strays.values().filter(|stray| stray.dangling);
    count(dangling.filter_map(|stray| by_id.at(&archive_target(&stray.text)?)))
}

/// Those of them that are named under another path than the cache's own.
fn of_another_path(collected: &Collected, entries: Entries<'_>) -> Vec<u32> {
    let dangling = collected.strays.values().filter(|stray| stray.dangling);
    let found: BTreeSet<u32> = dangling
        .filter_map(|stray| archive_target(&stray.text))
        .filter(|target| !entries.is_own(&target.prefix))
        .filter_map(|target| entries.by_id.at(&target))
        .collect();
    found.into_iter().collect()
}

/// The paths under which dangling symlinks name this cache.
fn cache_paths(collected: &Collected, by_id: &ById) -> Vec<PathBuf> {
    let dangling = collected.strays.values().filter(|stray| stray.dangling);
    let targets = dangling.filter_map(|stray| archive_target(&stray.text));
    let paths: BTreeSet<PathBuf> =
        targets.filter(|target| by_id.at(target).is_some()).map(|target| target.prefix).collect();
    paths.into_iter().filter(|path| path.is_absolute()).collect()
}

/// Entries that symlinks name by the cache's own path although something else was found there: the cache has changed since it
/// was read, or did in that moment.
fn named_here(collected: &Collected, entries: Entries<'_>) -> BTreeMap<u32, u64> {
    let mut own = FxHashMap::default();
    let live = collected.strays.values().filter(|stray| !stray.dangling);
    count(live.filter_map(|stray| {
        let target = archive_target(&stray.text)?;
        let entry = entries.by_id.at(&target)?;
        let is_own = own.entry(target.prefix).or_insert_with_key(|prefix| entries.is_own(prefix));
        is_own.then_some(entry)
    }))
}

fn count(named: impl Iterator<Item = u32>) -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    for entry in named {
        *counts.entry(entry).or_default() += 1;
    }
    counts
}

/// Counts symlinks that name an entry as uses of it, although they do not lead to it now: where the cache has the path that
/// they name they work, and would break without the entry.
fn reached_by_name(
    environment: &Environment,
    named: &BTreeMap<u32, u64>,
    against: &Against<'_>,
    uses: &mut Vec<Use>,
) {
    for (entry, links) in named {
        let is_of = |it: &Distribution| {
            let key = (it.name.clone(), it.version.clone());
            against.by_name.get(&key).is_some_and(|entries| entries.contains(entry))
        };
        let distribution = environment.distributions.iter().position(is_of);
        let distribution =
            distribution.map(|position| u32::try_from(position).expect("fewer than 2^32 distributions"));
        let counts = EvidenceCounts { symlink: *links, ..EvidenceCounts::default() };
        let by = ModeCounts { symlink: *links, ..ModeCounts::default() };
        match uses.iter_mut().find(|it| it.entry == *entry && it.distribution == distribution) {
            Some(used) => {
                used.by.add(by);
                used.counts.symlink += links;
            }
            None => uses.push(Use { entry: *entry, distribution, by, counts }),
        }
    }
}

/// Reads an environment without its files: what it is, and which distributions it lists. None where that is not all plain to
/// see: something could not be read, or a directory is a symlink.
pub(super) fn outline(
    candidate: &Candidate,
    cache: &Path,
    cancel: &Cancel,
    progress: &Progress,
) -> Option<Environment> {
    let root = &candidate.found.path;
    let basis = Basis { cache: cache.to_owned(), ..Basis::default() };
    let against = basis.against(&[], cancel, progress);
    let visitor = |device, target| outlining(&against, &[], device, target);
    let mut top = visitor(None, candidate.found.target);
    walk::walk(root, cancel, &mut top);
    let (device, packages) = (top.device, top.outline.unwrap_or_default());
    let mut collected = top.collected;
    // Packages are many, and hold distributions only where somebody has put another directory of distributions into one.
    let is_plain_package = |package: &PathBuf| {
        let mut visitor = visitor(device, false);
        walk::walk(&root.join(package), cancel, &mut visitor);
        visitor.outline.is_none_or(|deeper| deeper.is_empty())
            && is_plain(&visitor.collected)
            && visitor.collected.dist_infos.is_empty()
    };
    let plain = walk::map(&packages, walk::threads(), is_plain_package);
    if !is_plain(&collected) || plain.contains(&false) {
        return None;
    }
    attribute::order(&mut collected.dist_infos);
    let outlined = |dist_info: DistInfo| Distribution {
        name: names::normalize(&dist_info.name.name),
        version: dist_info.name.version,
        dist_info: dist_info.path,
        state: DistributionState::Unknown,
        ..Distribution::default()
    };
    let distributions = collected.dist_infos.into_iter().map(outlined).collect();
    Some(Environment { distributions, ..kind::describe(candidate) })
}

/// A visitor that looks at directories alone.
fn outlining<'a>(
    against: &'a Against<'a>,
    nested: &'a [PathBuf],
    device: Option<u64>,
    target: bool,
) -> visitor::EnvironmentVisitor<'a> {
    visitor::EnvironmentVisitor {
        against,
        itself: None,
        nested,
        collected: Collected::default(),
        device,
        target,
        outline: Some(Vec::new()),
        spots: Spots::default(),
        seen: rustc_hash::FxHashSet::default(),
        away: Away::default(),
    }
}

/// Whether distributions that meet a requirement are listed in the directories of an environment: its `.dist-info` directories, or
/// what older tools have made there. What cannot be read may have them.
pub(super) fn has(
    candidate: &Candidate,
    wanted: &[Requirement],
    cache: &Path,
    cancel: &Cancel,
    progress: &Progress,
) -> bool {
    let root = &candidate.found.path;
    let basis = Basis { cache: cache.to_owned(), ..Basis::default() };
    let against = basis.against(&[], cancel, progress);
    let mut visitor = outlining(&against, &candidate.nested, None, candidate.found.target);
    walk::walk(root, cancel, &mut visitor);
    let collected = visitor.collected;
    let is_wanted =
        |it: &DistInfo| wanted.iter().any(|wanted| wanted.is_met_by(&it.name.name, &it.name.version));
    collected.unread
        || collected.dist_infos.iter().filter(|it| is_on_path(&it.path)).any(is_wanted)
        || collected.sites.iter().any(|(site, _)| !eggs::of(root, site, wanted).is_empty())
}

/// Whether a `.dist-info` lies where Python looks for distributions. Packages bring their own copies of others (`setuptools/_vendor`).
fn is_on_path(dist_info: &Path) -> bool {
    dist_info.parent().is_some_and(|site| site.as_os_str().is_empty() || is_site_packages(site))
}

/// Whether a walk without files met nothing that it could not read or understand.
fn is_plain(collected: &Collected) -> bool {
    !collected.unread
        && !collected.blind
        && collected.problems.is_empty()
        && collected.failed.is_empty()
        && collected.directories.is_empty()
}

/// The newest sign that an environment was used.
fn last_use(
    installed: Option<jiff::Timestamp>,
    recorded: Option<Time>,
    used: Option<(Time, LastUseEvidence)>,
) -> Option<LastUse> {
    let installed = installed.map(|time| LastUse { time, evidence: LastUseEvidence::Install });
    let recorded = recorded.map(|time| (time, LastUseEvidence::Record));
    let others = recorded.into_iter().chain(used);
    let others = others.map(|(time, evidence)| LastUse { time: time.timestamp(), evidence });
    installed.into_iter().chain(others).max_by_key(|it| it.time)
}

/// The newest of some times, as a timestamp.
fn newest(times: impl Iterator<Item = Time>) -> Option<jiff::Timestamp> {
    times.max().map(Time::timestamp)
}

/// The manager of an environment, from its `pyvenv.cfg`.
fn manager(maker: crate::uv::environment::Maker) -> Manager {
    use crate::uv::environment::Maker;
    match maker {
        Maker::Uv => Manager::Uv,
        Maker::Virtualenv => Manager::Virtualenv,
        Maker::Venv => Manager::Venv,
        Maker::Unknown => Manager::Unknown,
    }
}
