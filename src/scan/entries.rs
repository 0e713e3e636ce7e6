//! Puts the parts of the snapshot together: references, the state of each entry, its bytes and its last use.

use std::collections::BTreeSet;

use super::Gathered;
use super::cache::Layout;
use super::cache::entry::{Facts, Owners};
use super::dependencies;
use super::doubts::Doubts;
use super::environments::{Reading, Use};
use super::groups::Held;
use crate::disk::{Time, read};
use crate::snapshot::{
    Doubt, Entry, EntryIndex, EntryKind, EntryState, Environment, EnvironmentIndex, Evidence, Holder,
    LastUse, LastUseEvidence, Outside, Reference, Snapshot,
};
use crate::uv::distribution as names;

/// The most packages that a cached environment is called by.
const NAMED: usize = 3;

/// A change of a file's attributes this soon after it was written belongs to its unpacking.
const UNPACKING: i64 = 1_000_000_000;

/// What is known of an entry as soon as it was read.
pub(super) fn preliminary(entry: &mut Entry, facts: &Facts) {
    entry.kind = super::entry_kind(facts);
    if let Some(name) = facts.dist_info.as_deref().and_then(names::parse_dist_info) {
        // A cached environment has a `.dist-info` of its own only where somebody put a wheel and an environment together.
        entry.name = Some(names::normalize(&name.name));
        entry.version = Some(name.version);
    }
    entry.files = facts.files;
    entry.logical = facts.logical;
    entry.disk = facts.disk;
    entry.modified = facts.modified.len() as u64;
    entry.created = facts.oldest.map(Time::timestamp);
    entry.newest = Some(facts.newest.timestamp());
    entry.unread = facts.unread;
    entry.print = facts.print;
}

/// Fills the snapshot's environments, references and groups, and everything of its entries that follows from them.
pub(super) fn assemble(
    layout: &Layout,
    gathered: &Gathered,
    readings: Vec<Reading>,
    held: Held,
    doubts: &Doubts,
    snapshot: &mut Snapshot,
) {
    for (position, reading) in readings.into_iter().enumerate() {
        let environment = EnvironmentIndex::new(position);
        snapshot.references.extend(reading.uses.iter().map(|used| reference(used, environment)));
        snapshot.environments.push(reading.environment);
        snapshot.problems.extend(reading.problems);
    }
    snapshot.references.sort_unstable_by_key(|item| (item.entry, item.environment, item.distribution));
    for (number, facts) in gathered.facts.iter().enumerate() {
        let entry = &mut snapshot.entries[number];
        preliminary(entry, facts);
        entry.links = held.links[number];
        entry.unexplained_extents = held.unexplained_extents[number];
        entry.other_owner = facts.owners != Owners::One(layout.owner);
        entry.unclear = doubts.unclear.contains(&EntryIndex::new(number));
        entry.doubt = if facts.unread { Some(Doubt::Unread) } else { doubts.users[number] };
        if entry.kind == EntryKind::Wheel && entry.tags.is_empty() {
            entry.tags = tags(layout, entry, facts);
        }
    }
    snapshot.groups = held.groups;
    snapshot.cache.disk = held.cache_disk + layout.disk;
    bytes(snapshot);
    for environment in snapshot.environments.iter_mut().filter(|environment| environment.entry.is_some()) {
        environment.wanted = wanted(environment);
    }
    for number in 0..snapshot.entries.len() {
        let index = EntryIndex::new(number);
        let state = state(snapshot, index, doubts);
        let last_use = last_use(snapshot, index, &gathered.facts[number]);
        let name = cached_name(snapshot, index);
        let entry = &mut snapshot.entries[number];
        entry.state = state;
        entry.last_use = last_use;
        if entry.name.is_none() {
            (entry.name, entry.version) = name.unzip();
            entry.version = entry.version.take().filter(|version| !version.is_empty());
        }
    }
    let outside_archive = gathered.parts.values();
    let (files, logical) =
        outside_archive.fold((0, 0), |sum, part| (sum.0 + part.files, sum.1 + part.logical));
    snapshot.cache.files = files + snapshot.entries.iter().map(|entry| entry.files).sum::<u64>();
    snapshot.cache.logical = logical + snapshot.entries.iter().map(|entry| entry.logical).sum::<u64>();
}

fn reference(used: &Use, environment: EnvironmentIndex) -> Reference {
    let counts = used.counts;
    let evidence = if counts.inode > 0 {
        Evidence::Inode
    } else if counts.symlink > 0 {
        Evidence::Symlink
    } else if counts.extent > 0 {
        Evidence::Extent
    } else if counts.content > 0 {
        Evidence::Content
    } else {
        Evidence::Name
    };
    Reference {
        entry: EntryIndex::new(used.entry as usize),
        environment,
        distribution: used.distribution,
        by: used.by,
        evidence,
        counts,
    }
}

/// Allocated and shared bytes of entries and environments, from the groups.
fn bytes(snapshot: &mut Snapshot) {
    for entry in &mut snapshot.entries {
        (entry.disk, entry.shared) = (0, 0);
    }
    for environment in &mut snapshot.environments {
        environment.shared = 0;
    }
    let mut disk = vec![0; snapshot.environments.len()];
    for group in &snapshot.groups {
        let shared = group.holders.len() > 1 || group.outside == Outside::Unexplained;
        for holder in &group.holders {
            match holder {
                Holder::Entry(index) => {
                    let entry = &mut snapshot.entries[index.position()];
                    entry.disk += group.disk;
                    entry.shared += if shared { group.disk } else { 0 };
                }
                Holder::Environment(index) => {
                    disk[index.position()] += group.disk;
                    snapshot.environments[index.position()].shared += if shared { group.disk } else { 0 };
                }
                Holder::Store | Holder::Cache | Holder::Trash => {}
            }
        }
    }
    for (environment, disk) in snapshot.environments.iter_mut().zip(disk) {
        match environment.entry {
            Some(entry) => environment.shared = snapshot.entries[entry.position()].shared,
            // The groups know better than the walk: they count shared extents once.
            None if disk > 0 => environment.disk = disk,
            None => {}
        }
    }
}

fn state(snapshot: &Snapshot, index: EntryIndex, doubts: &Doubts) -> EntryState {
    let entry = snapshot.entry(index);
    let references = snapshot.references_to(index);
    let linked = !snapshot.user_links_to(index).is_empty();
    if linked || references.iter().any(|reference| reference.counts.symlink > 0) {
        EntryState::Protected
    } else if references.iter().any(|reference| uses(snapshot, reference)) {
        EntryState::Used
    } else if entry.doubt.is_some() || entry.links.unexplained > 0 || entry.unexplained_extents > 0 {
        EntryState::HeldElsewhere
    } else if entry.pointers.is_empty() && !doubts.pointers.contains(&index) {
        EntryState::Unreferenced
    } else {
        EntryState::Unused
    }
}

/// Whether a reference keeps an entry. An environment that is linked to another cache has its files from there.
fn uses(snapshot: &Snapshot, reference: &Reference) -> bool {
    let environment = snapshot.environment(reference.environment);
    let distribution = reference.distribution.and_then(|it| environment.distributions.get(it as usize));
    let elsewhere = distribution.is_some_and(|it| it.other_cache.is_some());
    reference.evidence > Evidence::Content || reference.evidence == Evidence::Content && !elsewhere
}

fn last_use(snapshot: &Snapshot, index: EntryIndex, facts: &Facts) -> Option<LastUse> {
    let entry = snapshot.entry(index);
    let unpacked = facts.oldest.map(|time| (time.timestamp(), LastUseEvidence::Unpacked));
    let touched = facts.changed.0 > facts.newest_content.0.saturating_add(UNPACKING);
    let linked = touched.then(|| (facts.changed.timestamp(), LastUseEvidence::Link));
    let pointers = entry.pointers.iter().filter_map(|pointer| snapshot.pointer(*pointer).modified);
    let pointer = pointers.max().map(|time| (time, LastUseEvidence::Pointer));
    let installs =
        snapshot.references_to(index).iter().filter(|item| item.evidence > Evidence::Name).filter_map(
            |item| {
                let environment = snapshot.environment(item.environment);
                environment.distributions.get(item.distribution? as usize)?.installed
            },
        );
    let install = installs.max().map(|time| (time, LastUseEvidence::Install));
    [unpacked, pointer, linked, install]
        .into_iter()
        .flatten()
        .max_by_key(|(time, _)| *time)
        .map(|(time, evidence)| LastUse { time, evidence })
}

/// What a cached environment is called, and its version: by what it was made for, with the number of other distributions, and by
/// the version of the only one. The version is empty where there are several.
fn cached_name(snapshot: &Snapshot, index: EntryIndex) -> Option<(String, String)> {
    if snapshot.entry(index).kind != EntryKind::Environment {
        return None;
    }
    let environment = snapshot.environments.iter().find(|environment| environment.entry == Some(index))?;
    let first = &environment.distributions.first()?.name;
    let wanted =
        if environment.wanted.is_empty() { std::slice::from_ref(first) } else { &environment.wanted };
    let shown = &wanted[..wanted.len().min(NAMED)];
    let version = match wanted {
        [one] => environment.distributions.iter().find(|it| it.name == *one).map(|it| it.version.clone()),
        _ => None,
    };
    let name = match environment.distributions.len() - shown.len() {
        0 => shown.join(", "),
        others => format!("{} +{others}", shown.join(", ")),
    };
    Some((name, version.unwrap_or_default()))
}

/// The distributions that no other one in an environment needs, by name: what `uvx` or `uv run --with` was asked for.
fn wanted(environment: &Environment) -> Vec<String> {
    let mut needed = BTreeSet::new();
    for distribution in &environment.distributions {
        let read = dependencies::of_dist_info(&environment.path.join(&distribution.dist_info));
        let names = read.unwrap_or_default().into_iter().map(|it| it.requirement.name().to_owned());
        needed.extend(names.filter(|name| *name != distribution.name));
    }
    let names = environment.distributions.iter().map(|it| &it.name);
    names.filter(|name| !needed.contains(*name)).cloned().collect()
}

/// The tags in `WHEEL`, for entries no pointer tells the tags of.
fn tags(layout: &Layout, entry: &Entry, facts: &Facts) -> Vec<String> {
    let Some(dist_info) = &facts.dist_info else { return Vec::new() };
    let path = layout.entry_path(&entry.key).join(dist_info).join("WHEEL");
    read::small(&path, read::SMALL).map(|bytes| names::wheel_tags(&bytes)).unwrap_or_default()
}
