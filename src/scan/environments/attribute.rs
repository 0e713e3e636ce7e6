//! Attributes the files of an environment to its distributions and their entries.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use super::contended;
use super::distribution::{self, Examined};
use super::kind;
use super::leftovers;
use super::{Against, Collected, DistInfo, Tally, Use};
use crate::disk::volume;
use crate::scan::installed::{self, Listing, Several};
use crate::scan::print;
use crate::snapshot::{
    Distribution, DistributionState, EntryIndex, Environment, EvidenceCounts, FileCounts, Health, LinkMode,
    Manager, ModeCounts,
};
use crate::uv::distribution as names;

/// Fills in the environment's distributions and answers which entries they use.
pub(super) fn attribute(
    root: &Path,
    environment: &mut Environment,
    collected: &mut Collected,
    against: &Against<'_>,
    itself: Option<u32>,
) -> Vec<Use> {
    let mut dist_infos = std::mem::take(&mut collected.dist_infos);
    environment.leftovers = leftovers::take(root, environment, &mut dist_infos);
    if environment.manager == Manager::Target && environment.python.is_none() {
        environment.python = kind::python_of_wheels(root, dist_infos.iter().map(|it| it.path.as_path()));
    }
    if !against.wanted.is_empty() {
        let meets = |it: &DistInfo| {
            against.wanted.iter().any(|wanted| wanted.is_met_by(&it.name.name, &it.name.version))
        };
        let is_wanted = |it: &DistInfo| super::is_on_path(&it.path) && meets(it);
        dist_infos.retain(is_wanted);
    }
    order(&mut dist_infos);
    let private = private_files(collected);
    let mut uses = Vec::new();
    let mut claimed: FxHashSet<u32> = FxHashSet::default();
    environment.other_mount = other_mount(against.cache, root);
    let mut changed = Vec::new();
    let quick: Vec<(Vec<u32>, Option<Examined>)> = dist_infos
        .iter()
        .map(|dist_info| {
            let candidates = candidates(dist_info, against, itself);
            let examined = wholly_linked(dist_info, &candidates, collected, against, &private);
            (candidates, examined)
        })
        .collect();
    let listings: Vec<Option<io::Result<Listing>>> = dist_infos
        .iter()
        .zip(&quick)
        .map(|(dist_info, (_, examined))| {
            examined.is_none().then(|| installed::listing(root, &dist_info.path))
        })
        .collect();
    let several = several(&listings, collected);
    let mut all = Vec::new();
    for ((dist_info, (candidates, examined)), listing) in dist_infos.iter().zip(quick).zip(listings) {
        let examined = examined.or_else(|| {
            let found = (&*collected, &several);
            Some(distribution::examine(root, dist_info, listing?, &candidates, found, against))
        });
        claimed.extend(candidates);
        all.push(examined.unwrap_or_default());
    }
    contended::settle_broken(&dist_infos, &mut all, collected);
    for (position, (dist_info, mut examined)) in dist_infos.iter().zip(all).enumerate() {
        collected.links.extend(std::mem::take(&mut examined.links));
        collected.beside.append(&mut examined.symlinks);
        let number = u32::try_from(position).expect("fewer than 2^32 distributions");
        uses.extend(examined.uses.iter().map(|(entry, by, counts)| Use {
            entry: *entry,
            distribution: Some(number),
            by: *by,
            counts: *counts,
        }));
        environment.modes.add(examined.files.modes);
        environment.copied += examined.bytes.copied;
        changed.push(std::mem::take(&mut examined.changed));
        environment.distributions.push(describe(root, dist_info, examined, collected));
    }
    contended::settle(root, &dist_infos, &changed, collected, &mut environment.distributions);
    for (entry, by) in unclaimed(collected, &claimed).into_iter().chain(indirect(collected, itself)) {
        uses.push(Use { entry, distribution: None, by, counts: evidence(by) });
    }
    let mut once = FxHashSet::default();
    let twice = environment.distributions.iter().flat_map(|it| &it.joint).filter(|it| it.links == 1);
    environment.copied += twice.filter(|it| once.insert(&it.path)).map(|it| it.disk).sum::<u64>();
    environment.installed = environment.distributions.iter().filter_map(|item| item.installed).max();
    environment.health = if !environment.interpreter_alive {
        Health::NoInterpreter
    } else if environment.distributions.iter().any(|item| item.state == DistributionState::Broken) {
        Health::Broken
    } else {
        Health::Ok
    };
    uses
}

/// The files that several distributions list, as far as they are no links: of those only the content tells whose they are.
/// The distribution that lost may have finished its `RECORD` last, since uv installs in parallel.
fn several(listings: &[Option<io::Result<Listing>>], collected: &Collected) -> Several {
    let read = listings.iter().enumerate();
    let read = read.filter_map(|(position, listing)| Some((position, listing.as_ref()?.as_ref().ok()?)));
    Several::of(read, |path| collected.loose.contains_key(path.as_os_str().as_encoded_bytes()))
}

/// Whether an environment is on another mount than the cache. No hard link leads from one to the other, although a bind
/// mount has the device number of its filesystem.
fn other_mount(cache: &Path, root: &Path) -> bool {
    let mounts = volume::mount(cache).zip(volume::mount(root));
    mounts.is_some_and(|(cache, root)| cache != root)
}

/// The order of the distributions of an environment.
pub(super) fn order(dist_infos: &mut [DistInfo]) {
    dist_infos.sort_by_cached_key(|item| (names::normalize(&item.name.name), item.path.clone()));
}

/// The entries a distribution may have come from: those with its name and version.
fn candidates(dist_info: &DistInfo, against: &Against<'_>, itself: Option<u32>) -> Vec<u32> {
    against
        .by_name
        .get(&(names::normalize(&dist_info.name.name), dist_info.name.version.clone()))
        .map(|entries| entries.iter().copied().filter(|entry| Some(*entry) != itself).collect())
        .unwrap_or_default()
}

/// Files that lie loose in each `.dist-info`, which are the private ones where everything else is linked.
fn private_files(collected: &Collected) -> FxHashMap<Vec<u8>, u64> {
    let mut counts: FxHashMap<Vec<u8>, u64> = FxHashMap::default();
    for path in collected.loose.keys() {
        let Some(end) = path.iter().rposition(|byte| matches!(byte, b'/' | b'\\')) else { continue };
        if path[..end].ends_with(b".dist-info") {
            *counts.entry(path[..end].to_vec()).or_default() += 1;
        }
    }
    counts
}

/// The short way: as many files of one entry were found by inode as it has to give, and nothing speaks against it.
fn wholly_linked(
    dist_info: &DistInfo,
    candidates: &[u32],
    collected: &Collected,
    against: &Against<'_>,
    private: &FxHashMap<Vec<u8>, u64>,
) -> Option<Examined> {
    if !collected.ambiguous.is_empty() || !collected.strays.is_empty() || !collected.directories.is_empty() {
        return None;
    }
    let mut linked = candidates.iter().filter_map(|entry| Some((*entry, *collected.tallies.get(entry)?)));
    let (entry, tally) = linked.next()?;
    let Tally { modes, bytes, unsure, .. } = tally;
    let facts = &against.entries[entry as usize];
    // What was changed may be listed by others too, and is one distribution's.
    let is_whole = unsure == 0 && modes.total() == facts.linkable && facts.modified.is_empty();
    if linked.next().is_some() || !is_whole || facts.needs_record || has_later_rows(dist_info, collected) {
        return None;
    }
    let files = FileCounts {
        modes,
        private: private.get(dist_info.path.as_os_str().as_encoded_bytes()).copied().unwrap_or(0),
        ..FileCounts::default()
    };
    let has_record =
        collected.loose.contains_key(dist_info.path.join("RECORD").as_os_str().as_encoded_bytes());
    let uses = vec![(entry, tally.all(), evidence(tally.all()))];
    Some(Examined { files, uses, bytes, has_record, ..Examined::default() })
}

/// Whether `RECORD` may have got rows after the installation, which writes it right after `INSTALLER`: its files are not the
/// entry's alone then.
fn has_later_rows(dist_info: &DistInfo, collected: &Collected) -> bool {
    let modified = |name: &str| {
        let path = dist_info.path.join(name);
        collected.loose.get(path.as_os_str().as_encoded_bytes()).map(|loose| loose.stat.modified)
    };
    let Some(record) = modified("RECORD") else { return false };
    modified("INSTALLER").is_none_or(|first| record.0 > first.0.saturating_add(installed::SLACK))
}

/// The evidence behind files that were found by inode.
pub(super) fn evidence(modes: ModeCounts) -> EvidenceCounts {
    EvidenceCounts { inode: modes.hardlink, symlink: modes.symlink, extent: modes.clone, content: modes.copy }
}

/// Entries whose files lie in the environment although no distribution there has their name and version.
fn unclaimed(collected: &Collected, claimed: &FxHashSet<u32>) -> Vec<(u32, ModeCounts)> {
    let mut counts: FxHashMap<u32, ModeCounts> = FxHashMap::default();
    for (entry, tally) in collected.tallies.iter().filter(|(entry, _)| !claimed.contains(entry)) {
        counts.entry(*entry).or_default().add(tally.all());
    }
    for (_, entry) in collected.directories.iter().filter(|(_, entry)| !claimed.contains(entry)) {
        counts.entry(*entry).or_default().symlink += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(entry, _)| *entry);
    counts
}

/// Entries that the environment reaches by what lies elsewhere: that breaks as a symlink does.
fn indirect(collected: &Collected, itself: Option<u32>) -> Vec<(u32, ModeCounts)> {
    let mut counts: BTreeMap<u32, ModeCounts> = BTreeMap::new();
    for entry in collected.indirect.iter().filter(|entry| Some(**entry) != itself) {
        counts.entry(*entry).or_default().symlink += 1;
    }
    counts.into_iter().collect()
}

/// What is said of a `.dist-info` without files.
const EMPTY: &str = "its `.dist-info` is empty, as an interrupted uninstall leaves it";

fn describe(root: &Path, dist_info: &DistInfo, examined: Examined, collected: &Collected) -> Distribution {
    let loose = |name: &str| collected.loose.get(dist_info.path.join(name).as_os_str().as_encoded_bytes());
    let read = |name: &str| {
        loose(name)?;
        crate::disk::read::small(&root.join(&dist_info.path).join(name), crate::disk::read::SMALL).ok()
    };
    let direct_url = read("direct_url.json").and_then(|bytes| names::DirectUrl::parse(&bytes));
    let (files, note) = (examined.files, examined.note());
    let local = if direct_url.is_none() { read("uv_cache.json") } else { None };
    let installer = read("INSTALLER").and_then(|bytes| names::installer(&bytes));
    // Others leave `RECORD` out on purpose, as Debian does. Without it uv cannot uninstall what it has installed.
    let gone = || {
        let record = crate::disk::FileStat::of(&root.join(&dist_info.path).join("RECORD"));
        record.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    let empty = !examined.has_record && installed::is_empty(&root.join(&dist_info.path));
    let lost = !examined.has_record && gone() && installer.as_deref() == Some("uv");
    let whole = root.join(&dist_info.path);
    let of_system = whole.parent().is_some_and(|site| names::is_of_system(site, installer.as_deref()));
    let note = if empty { EMPTY.to_owned() } else { note };
    let entry = examined
        .uses
        .iter()
        .max_by_key(|(entry, by, counts)| (by.total() + counts.content, std::cmp::Reverse(*entry)));
    Distribution {
        name: names::normalize(&dist_info.name.name),
        version: dist_info.name.version.clone(),
        entry: entry.map(|(entry, _, _)| EntryIndex::new(*entry as usize)),
        mode: LinkMode::of(files.modes),
        files,
        bytes: examined.bytes,
        joint: examined.joint,
        record: loose("RECORD").map(|record| print::of(&record.stat)),
        state: if files.dangling + files.missing > 0 || lost || empty {
            DistributionState::Broken
        } else if !examined.has_record {
            DistributionState::Unknown
        } else if files.modified > 0 {
            DistributionState::Modified
        } else {
            DistributionState::Ok
        },
        editable: direct_url.as_ref().is_some_and(|direct| direct.editable),
        direct_url,
        local: local.map(|bytes| names::LocalSource::parse(&bytes)),
        registry: None,
        installer,
        of_system,
        installed: super::newest(
            ["RECORD", "INSTALLER"].iter().filter_map(|name| Some(loose(name)?.stat.modified)),
        ),
        dist_info: dist_info.path.clone(),
        other_cache: None,
        linked_elsewhere: false,
        note,
    }
}
