//! Which environments to read, from everything that names one; and how entries are found by name and id.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::cache::Layout;
use super::discover::{self, Search, conda, pythons};
use super::environments::{Candidate, EntryFacts};
use super::failed::Failed;
use super::moved;
use super::presence::{self, Missing, Presence};
use super::{Gathered, Request, registry};
use crate::disk::{self, FileStat, Time, read};
use crate::snapshot::{EnvironmentKind, FoundBy};
use crate::uv::bucket;
use crate::uv::interpreter::InterpreterRecord;
use crate::uv::link::ArchivePath;

/// Entries by normalized name and version.
pub(super) type ByName = FxHashMap<(String, String), Vec<u32>>;

/// Whether a directory of distributions outside of environments is read.
pub(super) type IsOfInterest<'a> = &'a dyn Fn(&Path) -> std::io::Result<bool>;

/// Entries by id. The same id may stand in several buckets.
#[derive(Debug, Default)]
pub(super) struct ById {
    ids: FxHashMap<OsString, Vec<(Arc<str>, u32)>>,
    /// How many entries there are: their numbers are smaller.
    entries: u32,
}

impl ById {
    /// The entries with this id: in this bucket, or in any.
    pub(super) fn all<'a>(&'a self, bucket: Option<&'a OsStr>, id: &OsStr) -> impl Iterator<Item = u32> + 'a {
        let all = self.ids.get(id).map_or(&[][..], Vec::as_slice).iter();
        all.filter(move |(own, _)| bucket.is_none_or(|bucket| bucket == OsStr::new(&**own)))
            .map(|(_, entry)| *entry)
    }

    /// Whether this is the number of an entry, and no other place of the cache.
    pub(super) fn has(&self, number: u32) -> bool {
        number < self.entries
    }

    /// The entry that a path leads into.
    pub(super) fn at(&self, path: &ArchivePath) -> Option<u32> {
        self.all(Some(&path.bucket), &path.id).next()
    }
}

/// Entries by the name and version of their `.dist-info`, and by id.
pub(super) fn lookups(layout: &Layout, facts: &[EntryFacts]) -> (ByName, ById) {
    let mut by_name = ByName::default();
    let mut by_id = ById::default();
    for (number, facts) in (0_u32..).zip(facts) {
        let key = &layout.keys[number as usize];
        by_id.ids.entry(key.id.clone()).or_default().push((Arc::clone(&key.bucket), number));
        if let Some(name) = facts.dist_info.as_deref().and_then(crate::uv::distribution::parse_dist_info) {
            let key = (crate::uv::distribution::normalize(&name.name), name.version);
            by_name.entry(key).or_default().push(number);
        }
        by_id.entries = number + 1;
    }
    (by_name, by_id)
}

/// Entries by device and inode of their directory, where that could be read.
pub(super) fn directories(harvest: &Gathered) -> FxHashMap<(u64, u64), u32> {
    let prints = (0_u32..).zip(&harvest.facts).map(|(number, facts)| (facts.print, number));
    prints
        .filter(|(print, _)| print.inode != 0)
        .map(|(print, number)| ((print.device, print.inode), number))
        .collect()
}

/// Every environment that may be there, each once. What nobody can look at, or was named and is not there, goes to
/// `search`.
pub(super) fn candidates(
    request: &Request,
    layout: &Layout,
    harvest: &Gathered,
    is_of_interest: IsOfInterest<'_>,
    search: &mut Search,
) -> Vec<Candidate> {
    let mut asked: FxHashMap<PathBuf, Time> = FxHashMap::default();
    for (record, written) in &harvest.recorded {
        if let Some(path) = recorded(record, *written, request, is_of_interest, search) {
            let newest = asked.entry(path).or_insert(*written);
            *newest = (*newest).max(*written);
        }
    }
    let mut targets = Vec::new();
    for item in request.remembered.iter().filter(|item| item.is_environment()) {
        let today = registry::today(item, &layout.canonical);
        if today.gone() {
            search.absent.push(item.path.clone());
        }
        if today.found.is_none() && today.error.is_none() && item.target {
            targets.push(item.path.as_path());
        } else if today.found.is_none() && today.error.is_none() {
            search.missing.push(Missing { path: item.path.clone(), with_project: false });
        }
        search.found.extend(today.found);
        if today.away {
            search.away(&item.path);
        }
        if let Some(error) = today.error {
            search.out_of_reach(&item.path, "look for an environment", &error);
        }
    }
    links(request, layout, search);
    nearby(&targets, layout, search);
    search.unreached.extend(request.problems.iter().map(|problem| problem.path.clone()));
    search.absent.sort_unstable();
    search.absent.dedup();
    let named = named_targets(request, search);
    let mut kinds: FxHashMap<PathBuf, Option<EnvironmentKind>> = FxHashMap::default();
    for (path, kind) in &harvest.environments {
        match crate::disk::canonical(path).and_then(|path| discover::at(&path, FoundBy::Cache)) {
            Ok(Some(found)) => {
                kinds.insert(found.path.clone(), *kind);
                search.found.push(found);
            }
            answer => search.take(path, answer),
        }
    }
    let mut entries = FxHashMap::default();
    for (number, facts) in (0_u32..).zip(&harvest.facts) {
        if !facts.environment {
            continue;
        }
        let path = layout.entry_path(&layout.keys[number as usize]);
        match crate::disk::canonical(&path) {
            Ok(path) => {
                entries.insert(path.clone(), number);
                search.found.push(discover::Found { path, found_by: FoundBy::Cache, target: false });
            }
            Err(error) => search.take(&path, Err(error)),
        }
    }
    conda::add_below(search);
    beneath(search);
    installations(is_of_interest, search);
    search.away.sort_unstable();
    search.away.dedup();
    let found = discover::unique(std::mem::take(&mut search.found));
    let paths: Vec<PathBuf> = found.iter().map(|found| found.path.clone()).collect();
    let candidate = |(position, found): (usize, discover::Found)| {
        let (kind, entry) = (kinds.get(&found.path).copied(), entries.get(&found.path).copied());
        let inside = found.path.starts_with(&layout.canonical);
        // Ordered by path, what lies within follows at once.
        let within = paths[position + 1..].iter().map_while(|path| path.strip_prefix(&found.path).ok());
        // A cache in an environment is none of its files; nor is what conda has unpacked for other environments.
        let cache = layout.canonical.strip_prefix(&found.path).ok();
        let unpacked = conda::is_one(&found.path).then_some(Path::new(conda::PACKAGES));
        Candidate {
            kind: kind.flatten(),
            entry,
            // What lies elsewhere in the cache, as an overlay of a running `uv run --with`, was counted with its bucket.
            counted: entry.is_some() || inside && kind.is_none(),
            nested: within.chain(cache).chain(unpacked).map(Path::to_owned).collect(),
            named: named.contains(&found.path),
            inside: kind == Some(None) && entry.is_none(),
            recorded: asked.get(&found.path).copied(),
            found,
        }
    };
    found.into_iter().enumerate().map(candidate).collect()
}

/// Takes the directories that were named as `--target`; answers with those that are there.
fn named_targets(request: &Request, search: &mut Search) -> FxHashSet<PathBuf> {
    let mut named = FxHashSet::default();
    for path in &request.targets {
        match crate::disk::canonical(path) {
            // A prefix: its distributions lie further down.
            Ok(path) if !has_distributions(&path) && !pythons::sites(&path).is_empty() => {
                for site in pythons::sites(&path) {
                    named.insert(site.clone());
                    search.found.push(discover::Found { path: site, found_by: FoundBy::Root, target: true });
                }
            }
            Ok(path) => {
                named.insert(path.clone());
                let known = discover::at(&path, FoundBy::Root).ok().flatten();
                let target = discover::Found { path, found_by: FoundBy::Root, target: true };
                search.found.push(known.unwrap_or(target));
            }
            Err(error) => {
                search.problems.push(super::problem(path.clone(), "read the directory", &error));
                search.unreached.push(path.clone());
                search.failed.push(Failed::named(path, "read the directory", &error));
            }
        }
    }
    named
}

/// Whether a directory has distributions in it, or is an environment.
fn has_distributions(directory: &Path) -> bool {
    let mut items = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|item| item.file_name());
    items.any(|name| name == "pyvenv.cfg" || crate::uv::distribution::parse_dist_info(&name).is_some())
}

/// Looks nearby for what is missing. What lies in the cache is met there.
fn nearby(targets: &[&Path], layout: &Layout, search: &mut Search) {
    let outside = |path: &PathBuf| !path.starts_with(&layout.canonical);
    let environments = moved::nearby(search.missing.iter().map(|missing| missing.path.as_path()));
    let found_by = FoundBy::InterpreterRecord;
    let one = |path| discover::Found { path, found_by, target: false };
    search.found.extend(environments.into_iter().filter(outside).map(one));
    let targets = moved::targets_nearby(targets.iter().copied());
    let one = |path| discover::Found { path, found_by: FoundBy::Remembered, target: true };
    search.found.extend(targets.into_iter().filter(outside).map(one));
}

/// Takes the remembered links outside of environments.
fn links(request: &Request, layout: &Layout, search: &mut Search) {
    for item in request.remembered.iter().filter(|item| item.forgotten.is_none()) {
        let Some(form) = item.link else { continue };
        let today = registry::link_today(item, form, &layout.canonical);
        search.leads.extend(today.leads);
        if today.away {
            search.link_away(&item.path);
        }
        if let Some(error) = today.error {
            search.out_of_reach(&item.path, "look for a link", &error);
        }
    }
}

/// Takes the installations that a search has met outside of environments, where they have a distribution that may have come
/// from the cache; the others are watched.
fn installations(is_of_interest: IsOfInterest<'_>, search: &mut Search) {
    let environments: FxHashSet<PathBuf> =
        search.found.iter().filter(|found| !found.target).map(|found| found.path.clone()).collect();
    for met in std::mem::take(&mut search.installations) {
        // A search may come to a part of an environment before it sees that it is one.
        if met.path.ancestors().any(|above| environments.contains(above)) {
            continue;
        }
        // One that was linked to entries which are gone has links to nothing left.
        let linked = search.leads.iter().any(|lead| lead.path.starts_with(&met.path) && lead.is_dead());
        match is_of_interest(&met.path).map(|any| any || linked) {
            Ok(true) => search.found.push(met),
            Ok(false) => {
                let stat = FileStat::of(&met.path).map(|stat| super::print::of(&stat));
                search.bystanders.extend(stat.ok().map(|print| (met.path, print)));
            }
            Err(error) if discover::is_absence(&error) => {}
            Err(error) => search.out_of_reach(&met.path, "read the directory", &error),
        }
    }
}

/// Adds what environments see the distributions of: with `--system-site-packages` those of their interpreter, and those of the
/// environment that an overlay extends (`uv run --with`). Whatever leads into the cache there is used by them.
fn beneath(search: &mut Search) {
    let mut sites = Vec::new();
    let mut extended = Vec::new();
    for found in search.found.iter().filter(|found| !found.target) {
        let Ok(bytes) = read::followed(&found.path.join("pyvenv.cfg"), read::SMALL) else { continue };
        let cfg = crate::uv::environment::parse(&bytes);
        if let Some(home) = cfg.home.filter(|_| cfg.include_system) {
            let real =
                ["python3", "python.exe"].iter().find_map(|name| disk::canonical(&home.join(name)).ok());
            let beside = |program: &Path| Some(program.parent()?.parent()?.to_owned());
            let prefixes =
                home.parent().map(Path::to_owned).into_iter().chain(real.and_then(|it| beside(&it)));
            sites.extend(prefixes.flat_map(|prefix| pythons::sites(&prefix)));
        }
        extended.extend(cfg.extends);
    }
    let found_by = FoundBy::KnownPlace;
    let site = |path| discover::Found { path, found_by, target: true };
    search.installations.extend(sites.into_iter().map(site));
    for path in extended {
        let answer = disk::canonical(&path).and_then(|path| discover::at(&path, found_by));
        search.take(&path, answer);
    }
}

/// Whether a directory of distributions has any that may have come from an entry, by name and version. Such a directory
/// may have tens of thousands of files, which need not be looked at where it has none.
pub(super) fn has_any(site: &Path, by_name: &ByName) -> std::io::Result<bool> {
    for item in std::fs::read_dir(site)? {
        let name = crate::uv::distribution::parse_dist_info(&item?.file_name());
        let known = |name: crate::uv::distribution::DistInfoName| {
            by_name.contains_key(&(crate::uv::distribution::normalize(&name.name), name.version))
        };
        if name.is_some_and(known) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes what uv recorded of an interpreter: the environment it belongs to, or else the places an installation of Python
/// has its distributions in, which `uv pip install --system` fills by the same link modes. Answers with the environment's root.
fn recorded(
    record: &InterpreterRecord,
    written: Time,
    request: &Request,
    is_of_interest: IsOfInterest<'_>,
    search: &mut Search,
) -> Option<PathBuf> {
    let at = |path: PathBuf| discover::at(&path, FoundBy::InterpreterRecord);
    let answer = crate::disk::canonical(&record.prefix).and_then(at);
    if !matches!(answer, Ok(Some(_))) {
        search.absent.push(record.prefix.clone());
        // What uv makes in a cache, wherever that was, it also removes.
        let known = || {
            registry::is_forgotten(&request.remembered, &record.prefix, written)
                || registry::is_remembered(&request.remembered, &record.prefix)
        };
        // A path of another system is nothing that this one can have.
        let ours = record.prefix.is_absolute() && !bucket::lies_in_one(&record.prefix);
        let presence = if ours { presence::since(&record.prefix, written) } else { Presence::There };
        if presence != Presence::There {
            let known = known();
            let project = record.prefix.parent().is_some_and(Path::is_dir);
            let with_project = presence == Presence::Gone && !project && !known;
            search.missing.push(Missing { path: record.prefix.clone(), with_project });
            if presence == Presence::Unknown && !known {
                search.away(&record.prefix);
            }
        }
        for site in &record.sites {
            match crate::disk::canonical(site) {
                Ok(path) => match is_of_interest(&path) {
                    Ok(true) => {
                        let found_by = FoundBy::InterpreterRecord;
                        search.found.push(discover::Found { path, found_by, target: true });
                    }
                    Ok(false) => {
                        let stat = FileStat::of(&path).map(|stat| super::print::of(&stat));
                        search.bystanders.extend(stat.ok().map(|print| (path, print)));
                    }
                    Err(error) if discover::is_absence(&error) => {}
                    Err(error) => search.out_of_reach(&path, "read the directory", &error),
                },
                Err(error) if !discover::is_absence(&error) => {
                    search.out_of_reach(site, "look for distributions", &error);
                }
                Err(_) => {}
            }
        }
    }
    let environment = answer.as_ref().ok().and_then(|found| Some(found.as_ref()?.path.clone()));
    search.take(&record.prefix, answer);
    environment
}
