//! Every file of the cache by device and inode: how a file of an environment is recognised.
//!
//! One record of 40 bytes per file, and an open-addressed table of record numbers per device. A million files take some
//! 48 MB. Records of the same inode are chained, because one inode may lie in several entries and in the
//! content-addressed store (uv's preview `content-addressed-cache`, uv 0.12.10 and later).

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::spot::Spot;
use crate::disk::walk;

/// Which part of the cache a file lies in: an entry's number, or one of the constants.
pub(super) type Place = u32;

/// The place of files in `files-v*`.
pub(super) const STORE: Place = u32::MAX;

/// The place of files anywhere else outside the archive buckets.
pub(super) const ELSEWHERE: Place = u32::MAX - 1;

/// The place of files in the trash.
pub(super) const TRASHED: Place = u32::MAX - 2;

const NONE: u32 = u32::MAX;

/// One file of the cache. There are millions: without padding each takes 36 bytes instead of 40.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(4))]
pub(super) struct FileRecord {
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Allocated blocks of 512 bytes, saturating at two tebibytes.
    blocks: u32,
    pub(super) links: u32,
    pub(super) place: Place,
    next: u32,
    /// Where uv installs it, if it lies in an entry.
    pub(super) spot: Spot,
}

impl FileRecord {
    pub(super) fn new(stat: &crate::disk::FileStat, place: Place, spot: Spot) -> Self {
        Self {
            inode: stat.inode,
            size: stat.size,
            blocks: u32::try_from(stat.disk / 512).unwrap_or(u32::MAX),
            links: u32::try_from(stat.links).unwrap_or(u32::MAX),
            place,
            next: NONE,
            spot,
        }
    }

    /// Allocated bytes.
    pub(super) fn disk(&self) -> u64 {
        u64::from(self.blocks) * 512
    }
}

/// Names one inode: the number of the first record it was met with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId(pub(super) u32);

/// Records are spread over this many shards by their inode, so that threads can work on them side by side.
const SHARDS: usize = 16;

/// The records of one device, by shard.
#[derive(Debug, Default)]
pub(super) struct ByShard([Vec<FileRecord>; SHARDS]);

impl ByShard {
    pub(super) fn push(&mut self, record: FileRecord) {
        self.0[shard(hash(record.inode))].push(record);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }
}

/// The records of one thread, by device.
pub(super) type Records = FxHashMap<u64, ByShard>;

/// All records, found by device and inode.
#[derive(Debug, Default)]
pub(super) struct FileTable {
    records: Vec<FileRecord>,
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    number: u64,
    shards: Vec<Shard>,
}

/// A range of records, and where in it each inode was met first.
#[derive(Debug)]
struct Shard {
    first: u32,
    end: u32,
    /// Positions relative to `first`, open addressing.
    slots: Box<[u32]>,
}

/// Fibonacci hashing: inode numbers come in runs, which the high bits of the product spread.
fn hash(inode: u64) -> u64 {
    inode.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn shard(hash: u64) -> usize {
    usize::try_from(hash >> 60).unwrap_or(0)
}

fn slot(hash: u64, mask: usize) -> usize {
    usize::try_from((hash >> 28) & 0xffff_ffff).unwrap_or(0) & mask
}

impl FileTable {
    /// Builds the table from what the threads brought.
    pub(super) fn build(parts: Vec<Records>, threads: usize) -> Self {
        let mut numbers: Vec<u64> = parts.iter().flat_map(|part| part.keys().copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let total: usize =
            parts.iter().flat_map(FxHashMap::values).flat_map(|device| &device.0).map(Vec::len).sum();
        let mut parts = parts;
        let mut records = Vec::with_capacity(total);
        let mut ranges = Vec::new();
        for number in &numbers {
            for shard in 0..SHARDS {
                let first = records.len();
                for part in &mut parts {
                    if let Some(device) = part.get_mut(number) {
                        records.extend(std::mem::take(&mut device.0[shard]));
                    }
                }
                ranges.push(first..records.len());
            }
        }
        let mut tasks = Vec::new();
        let mut rest = records.as_mut_slice();
        for range in &ranges {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(range.len());
            tasks.push(Mutex::new(own));
            rest = others;
        }
        let states = walk::each(&tasks, threads, Vec::new, |linked, position, task| {
            let mut own = task.lock().unwrap_or_else(PoisonError::into_inner);
            let first = u32::try_from(ranges[position].start).expect("fewer than 2^32 files");
            linked.push((position, link(&mut own, first)));
        });
        drop(tasks);
        let mut slots: Vec<_> = states.into_iter().flatten().collect();
        slots.sort_unstable_by_key(|(position, _)| *position);
        let number = |position: usize| u32::try_from(position).expect("fewer than 2^32 files");
        let mut shards = slots.into_iter().map(|(position, slots)| Shard {
            first: number(ranges[position].start),
            end: number(ranges[position].end),
            slots,
        });
        let devices = numbers
            .iter()
            .map(|number| Device { number: *number, shards: shards.by_ref().take(SHARDS).collect() });
        let devices = devices.collect();
        Self { records, devices }
    }

    /// The inode with this number on this device, if the cache has it.
    pub(super) fn find(&self, device: u64, inode: u64) -> Option<FileId> {
        let device = self.devices.iter().find(|item| item.number == device)?;
        self.find_in(&device.shards[shard(hash(inode))], inode)
    }

    fn find_in(&self, shard: &Shard, inode: u64) -> Option<FileId> {
        let mask = shard.slots.len() - 1;
        let mut position = slot(hash(inode), mask);
        loop {
            let local = shard.slots[position];
            if local == NONE {
                return None;
            }
            let id = shard.first + local;
            if self.records[id as usize].inode == inode {
                return Some(FileId(id));
            }
            position = (position + 1) & mask;
        }
    }

    /// The first record of an inode.
    pub(super) fn record(&self, id: FileId) -> &FileRecord {
        &self.records[id.0 as usize]
    }

    /// Every place in the cache that has this inode, with repetition.
    pub(super) fn places(&self, id: FileId) -> impl Iterator<Item = Place> + '_ {
        self.spots(id).map(|(place, _)| place)
    }

    /// The same, with where uv installs the file.
    pub(super) fn spots(&self, id: FileId) -> impl Iterator<Item = (Place, Spot)> + '_ {
        let mut next = id.0;
        std::iter::from_fn(move || {
            let record = self.records.get(next as usize)?;
            next = record.next;
            Some((record.place, record.spot))
        })
    }

    /// The entry an inode lies in, if it lies in the cache exactly once.
    pub(super) fn only_place(&self, id: FileId) -> Option<Place> {
        let record = self.record(id);
        (record.next == NONE).then_some(record.place)
    }

    /// How many records there are; ids are smaller.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many parts [`FileTable::inodes`] has.
    pub(super) fn parts(&self) -> usize {
        self.devices.len() * SHARDS
    }

    /// Every inode of one part once, with its device.
    pub(super) fn inodes(&self, part: usize) -> impl Iterator<Item = (u64, FileId)> + '_ {
        let device = &self.devices[part / SHARDS];
        let shard = &device.shards[part % SHARDS];
        (shard.first..shard.end)
            .map(FileId)
            // A record that stands behind another of its inode is not the first.
            .filter(move |id| self.find_in(shard, self.record(*id).inode) == Some(*id))
            .map(move |id| (device.number, id))
    }
}

/// Makes the table of a shard whose records begin at `first`, and chains the records of each inode behind the first.
fn link(records: &mut [FileRecord], first: u32) -> Box<[u32]> {
    let size = (records.len() * 3 / 2 + 1).next_power_of_two();
    let mut slots = vec![NONE; size].into_boxed_slice();
    for position in 0..records.len() {
        let inode = records[position].inode;
        let own = u32::try_from(position).expect("fewer than 2^32 files");
        let mut slot = slot(hash(inode), size - 1);
        loop {
            let found = slots[slot];
            if found == NONE {
                slots[slot] = own;
                break;
            }
            if records[found as usize].inode == inode {
                records[position].next = records[found as usize].next;
                records[found as usize].next = first + own;
                break;
            }
            slot = (slot + 1) & (size - 1);
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(inode: u64, place: Place) -> FileRecord {
        FileRecord { inode, size: 1, blocks: 8, links: 1, place, next: NONE, spot: Spot::default() }
    }

    #[test]
    fn every_inode_is_found_with_all_places_it_lies_in() {
        let mut one = Records::default();
        let mut two = Records::default();
        for inode in 0..5_000 {
            one.entry(1).or_default().push(record(inode * 7, 0));
            if inode % 3 == 0 {
                two.entry(1).or_default().push(record(inode * 7, 1));
            }
            if inode % 5 == 0 {
                two.entry(1).or_default().push(record(inode * 7, 2));
            }
            two.entry(9).or_default().push(record(inode, 3));
        }
        let table = FileTable::build(vec![one, two], 2);
        for inode in 0..5_000 {
            let id = table.find(1, inode * 7).unwrap();
            let mut places: Vec<Place> = table.places(id).collect();
            places.sort_unstable();
            let expected: Vec<Place> = [(0, true), (1, inode % 3 == 0), (2, inode % 5 == 0)]
                .iter()
                .filter(|(_, has)| *has)
                .map(|(place, _)| *place)
                .collect();
            assert_eq!(places, expected);
            assert_eq!(table.only_place(id), (expected.len() == 1).then_some(0));
            assert!(table.find(9, inode).is_some());
        }
        assert_eq!(table.find(1, 5), None);
        assert_eq!(table.find(2, 7), None);
        let inodes: Vec<_> = (0..table.parts()).flat_map(|part| table.inodes(part)).collect();
        assert_eq!(inodes.len(), 10_000);
    }
}
