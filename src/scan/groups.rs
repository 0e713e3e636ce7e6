//! Folds inodes and shared extents into groups by who holds them.
//!
//! An inode's holders are the entries, store and other parts of the cache its records lie in, and the environments that
//! link to it. Where extents are shared, their bytes leave the inode's group and are attributed stretch by stretch to all
//! inodes that have the stretch.

use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Gathered;
use super::environments::{LinkedFile, Reading};
use super::index::{ELSEWHERE, FileId, FileTable, Place, STORE, TRASHED};
use super::share::{ExtentKind, SharedExtent, segments};
use crate::disk::volume::{Accounting, Filesystem};
use crate::disk::walk;
use crate::snapshot::{EntryIndex, EnvironmentIndex, Group, Holder, Links, Outside};

/// What folding brought.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) groups: Vec<Group>,
    /// Per entry: its links.
    pub(super) links: Vec<Links>,
    /// Per entry: files that share extents with something that was not found.
    pub(super) unexplained_extents: Vec<u64>,
    /// Allocated bytes of the whole cache, each inode once.
    pub(super) cache_disk: u64,
}

/// An inode by its device and number.
type Inode = (u64, u64);

/// What the extent maps say of one inode's bytes, beyond those that are its alone.
#[derive(Clone, Copy, Debug, Default)]
struct Extents {
    shared: u64,
    opaque: u64,
    is_opaque: bool,
}

/// Who holds an inode whose extents are shared.
#[derive(Clone, Debug, Default)]
struct Owners {
    holders: Vec<Holder>,
    unexplained: bool,
}

#[derive(Default)]
struct Folder {
    groups: Vec<Group>,
    by_holders: FxHashMap<(Box<[Holder]>, Outside), usize>,
    last: usize,
}

/// What is added to a group.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    inodes: u64,
    logical: u64,
    disk: u64,
    opaque: u64,
}

impl Folder {
    fn add(&mut self, holders: &[Holder], outside: Outside, sums: Sums) {
        let position = match self.groups.get(self.last) {
            Some(group) if *group.holders == *holders && group.outside == outside => self.last,
            _ => {
                let key = (holders.into(), outside);
                let next = self.groups.len();
                let position = *self.by_holders.entry(key).or_insert(next);
                if position == next {
                    self.groups.push(Group {
                        holders: holders.into(),
                        outside,
                        inodes: 0,
                        logical: 0,
                        disk: 0,
                        opaque: 0,
                    });
                }
                position
            }
        };
        self.last = position;
        let group = &mut self.groups[position];
        group.inodes += sums.inodes;
        group.logical += sums.logical;
        group.disk += sums.disk;
        group.opaque += sums.opaque;
    }
}

/// Folds everything. `filesystem`: the one that the cache lies on.
pub(super) fn build(
    table: &FileTable,
    gathered: &Gathered,
    readings: &[Reading],
    filesystem: Filesystem,
    cache: &Path,
    threads: usize,
) -> Held {
    let entries = gathered.facts.len();
    let mut held = Held {
        links: vec![Links::default(); entries],
        unexplained_extents: vec![0; entries],
        ..Held::default()
    };
    let extents = extents(gathered.shared.iter().chain(readings.iter().flat_map(|reading| &reading.shared)));
    let nobody = match filesystem.accounting {
        Accounting::Exact => Outside::Nobody,
        // macOS tells of each file what it does not share, and nothing of the volume.
        Accounting::Unknown if cfg!(target_vendor = "apple") => Outside::Unknown,
        Accounting::Unknown => Outside::Unsaid,
    };
    let mut owners: FxHashMap<Inode, Owners> = FxHashMap::default();
    let mut folder = Folder::default();

    let linkers = Linkers::build(table, readings);
    let parts: Vec<usize> = (0..table.parts()).collect();
    let start = || Fold { links: vec![Links::default(); entries], ..Fold::default() };
    for fold in walk::each(&parts, threads, start, |fold, _, part| {
        fold_cache(table, *part, &linkers, &extents, nobody, fold);
    }) {
        for group in fold.folder.groups {
            let Group { inodes, logical, disk, opaque, .. } = group;
            folder.add(&group.holders, group.outside, Sums { inodes, logical, disk, opaque });
        }
        for (sum, links) in held.links.iter_mut().zip(fold.links) {
            sum.external += links.external;
            sum.explained += links.explained;
            sum.unexplained += links.unexplained;
        }
        owners.extend(fold.owners);
    }
    for (number, facts) in gathered.facts.iter().enumerate() {
        if facts.directories > 0 {
            let sums = Sums { disk: facts.directories, ..Sums::default() };
            folder.add(&[Holder::Entry(EntryIndex::new(number))], nobody, sums);
        }
    }
    fold_environments(readings, &extents, nobody, &mut folder, &mut owners);
    fold_segments(gathered, readings, &owners, nobody, &mut folder, &mut held);

    let inside: Vec<bool> = readings.iter().map(|item| item.environment.path.starts_with(cache)).collect();
    // Threads bring their parts in any order.
    folder.groups.sort_unstable_by(|a, b| (&a.holders, a.outside).cmp(&(&b.holders, b.outside)));
    held.groups = folder.groups;
    held.cache_disk = gathered.parts.values().map(|sums| sums.single).sum::<u64>();
    held.cache_disk += held
        .groups
        .iter()
        .filter(|group| {
            group.holders.iter().any(|holder| match holder {
                Holder::Environment(index) => inside[index.position()],
                Holder::Entry(_) | Holder::Store | Holder::Cache | Holder::Trash => true,
            })
        })
        .map(|group| group.disk)
        .sum::<u64>();
    held
}

/// What the notes say per inode.
fn extents<'a>(notes: impl Iterator<Item = &'a SharedExtent>) -> FxHashMap<Inode, Extents> {
    let mut extents: FxHashMap<Inode, Extents> = FxHashMap::default();
    for note in notes {
        let of = extents.entry((note.device, note.inode)).or_default();
        match note.kind {
            ExtentKind::First | ExtentKind::Later => of.shared += note.length,
            ExtentKind::Opaque => {
                of.opaque += note.length;
                of.is_opaque = true;
            }
        }
    }
    extents
}

/// Which environments link to each inode of the cache: numbers in one vector, ranges by record.
struct Linkers {
    starts: Vec<u32>,
    environments: Vec<u32>,
}

impl Linkers {
    fn build(table: &FileTable, readings: &[Reading]) -> Self {
        let mut starts = vec![0_u32; table.len() + 1];
        for id in readings.iter().flat_map(|reading| &reading.links) {
            starts[id.0 as usize + 1] += 1;
        }
        for position in 1..starts.len() {
            starts[position] += starts[position - 1];
        }
        let mut next = starts.clone();
        let mut environments = vec![0; starts.last().map_or(0, |total| *total as usize)];
        for (number, reading) in (0_u32..).zip(readings) {
            for id in &reading.links {
                environments[next[id.0 as usize] as usize] = number;
                next[id.0 as usize] += 1;
            }
        }
        Self { starts, environments }
    }

    /// The environments that link to an inode, ascending, one for each link.
    fn of(&self, id: FileId) -> &[u32] {
        &self.environments[self.starts[id.0 as usize] as usize..self.starts[id.0 as usize + 1] as usize]
    }
}

fn holder(place: Place) -> Holder {
    match place {
        STORE => Holder::Store,
        ELSEWHERE => Holder::Cache,
        TRASHED => Holder::Trash,
        entry => Holder::Entry(EntryIndex::new(entry as usize)),
    }
}

/// What one thread folded of the cache's inodes.
#[derive(Default)]
struct Fold {
    folder: Folder,
    links: Vec<Links>,
    owners: FxHashMap<Inode, Owners>,
}

fn fold_cache(
    table: &FileTable,
    part: usize,
    linkers: &Linkers,
    extents: &FxHashMap<Inode, Extents>,
    nobody: Outside,
    fold: &mut Fold,
) {
    let mut holders: Vec<Holder> = Vec::new();
    for (device, id) in table.inodes(part) {
        let record = table.record(id);
        let environments = linkers.of(id);
        holders.clear();
        holders.extend(table.places(id).map(holder));
        let within = holders.len() as u64;
        let external = u64::from(record.links).saturating_sub(within);
        let explained = (environments.len() as u64).min(external);
        // Sorted first: an entry may hold an inode by several names, and its links still count once.
        if within > 1 {
            holders.sort_unstable();
            holders.dedup();
        }
        for holder in &holders {
            if let Holder::Entry(entry) = holder {
                let links = &mut fold.links[entry.position()];
                links.external += external;
                links.explained += explained;
                links.unexplained += external - explained;
            }
        }
        let mut last = None;
        for number in environments {
            if last != Some(*number) {
                holders.push(Holder::Environment(EnvironmentIndex::new(*number as usize)));
                last = Some(*number);
            }
        }
        // Entries sort before environments, and those before the rest of the cache.
        if holders.iter().any(|item| matches!(item, Holder::Store | Holder::Cache | Holder::Trash)) {
            holders.sort_unstable();
        }
        let mut outside = if external > explained { Outside::Unexplained } else { nobody };
        let (mut disk, mut opaque) = (record.disk(), 0);
        if let Some(extents) = extents.get(&(device, record.inode)) {
            disk = disk.saturating_sub(extents.shared);
            opaque = extents.opaque.min(disk);
            fold.owners.insert(
                (device, record.inode),
                Owners { holders: holders.clone(), unexplained: outside == Outside::Unexplained },
            );
            if extents.is_opaque && outside == Outside::Nobody {
                outside = Outside::Unknown;
            }
        }
        fold.folder.add(&holders, outside, Sums { inodes: 1, logical: record.size, disk, opaque });
    }
}

fn fold_environments(
    readings: &[Reading],
    extents: &FxHashMap<Inode, Extents>,
    nobody: Outside,
    folder: &mut Folder,
    owners: &mut FxHashMap<Inode, Owners>,
) {
    let mut linked: Vec<(LinkedFile, u32)> = Vec::new();
    for (number, reading) in (0_u32..).zip(readings) {
        let itself = Holder::Environment(EnvironmentIndex::new(number as usize));
        linked.extend(reading.linked.iter().map(|file| (*file, number)));
        let names: FxHashSet<Inode> = reading.linked.iter().map(|file| (file.device, file.inode)).collect();
        let mut disk = reading.own.disk;
        let mut unclear = Sums::default();
        let inodes: FxHashSet<Inode> = reading.shared.iter().map(|note| (note.device, note.inode)).collect();
        for inode in inodes.into_iter().filter(|inode| !names.contains(inode)) {
            if let Some(extents) = extents.get(&inode) {
                disk = disk.saturating_sub(extents.shared).saturating_sub(extents.opaque);
                unclear.inodes += u64::from(extents.is_opaque);
                unclear.disk += extents.opaque;
                unclear.opaque += extents.opaque;
                owners.insert(inode, Owners { holders: vec![itself], unexplained: false });
            }
        }
        if reading.own.inodes + reading.own.disk > 0 {
            let inodes = reading.own.inodes.saturating_sub(unclear.inodes);
            let sums = Sums { inodes, logical: reading.own.logical, disk, opaque: 0 };
            folder.add(&[itself], nobody, sums);
            if unclear.inodes > 0 {
                let outside = if nobody == Outside::Nobody { Outside::Unknown } else { nobody };
                folder.add(&[itself], outside, unclear);
            }
        }
    }
    linked.sort_unstable_by_key(|(file, number)| (file.device, file.inode, *number));
    for same in linked.chunk_by(|(a, _), (b, _)| (a.device, a.inode) == (b.device, b.inode)) {
        let file = same[0].0;
        let mut holders: Vec<Holder> = same
            .iter()
            .map(|(_, number)| Holder::Environment(EnvironmentIndex::new(*number as usize)))
            .collect();
        holders.dedup();
        let unexplained = file.links > same.len() as u64;
        let mut outside = if unexplained { Outside::Unexplained } else { nobody };
        let (mut disk, mut opaque) = (file.disk, 0);
        if let Some(extents) = extents.get(&(file.device, file.inode)) {
            disk = disk.saturating_sub(extents.shared);
            opaque = extents.opaque.min(disk);
            owners.insert((file.device, file.inode), Owners { holders: holders.clone(), unexplained });
            if extents.is_opaque && outside == Outside::Nobody {
                outside = Outside::Unknown;
            }
        }
        folder.add(&holders, outside, Sums { inodes: 1, logical: file.size, disk, opaque });
    }
}

/// Attributes each shared stretch to the holders of all inodes that have it. A stretch that is shared, and of which only
/// one inode is known, is held by somebody who was not found.
fn fold_segments(
    gathered: &Gathered,
    readings: &[Reading],
    owners: &FxHashMap<Inode, Owners>,
    nobody: Outside,
    folder: &mut Folder,
    held: &mut Held,
) {
    let notes: Vec<SharedExtent> =
        gathered.shared.iter().chain(readings.iter().flat_map(|reading| &reading.shared)).copied().collect();
    let mut alone: FxHashSet<Inode> = FxHashSet::default();
    for segment in segments(&notes) {
        let mut holders: Vec<Holder> = Vec::new();
        let mut unexplained = segment.inodes.len() == 1;
        for inode in &segment.inodes {
            if let Some(owners) = owners.get(&(segment.device, *inode)) {
                holders.extend(&owners.holders);
                unexplained |= owners.unexplained;
            }
        }
        if let [inode] = segment.inodes.as_slice() {
            alone.insert((segment.device, *inode));
        }
        if !holders.is_empty() {
            holders.sort_unstable();
            holders.dedup();
            let outside = match (unexplained, segment.encoded) {
                (true, _) => Outside::Unexplained,
                (false, true) if nobody == Outside::Nobody => Outside::Unknown,
                (false, _) => nobody,
            };
            let opaque = if segment.encoded { segment.length } else { 0 };
            folder.add(&holders, outside, Sums { disk: segment.length, opaque, ..Sums::default() });
        }
    }
    for owners in alone.iter().filter_map(|inode| owners.get(inode)) {
        for holder in &owners.holders {
            if let Holder::Entry(entry) = holder {
                held.unexplained_extents[entry.position()] += 1;
            }
        }
    }
}
