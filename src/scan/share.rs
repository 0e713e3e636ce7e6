//! Extents that files share: how a reflink is recognised, and how its bytes are attributed.
//!
//! Each thread notes the shared extents it meets. Afterwards [`Sharing::build`] knows which inode of the cache has an
//! extent at a physical offset, and [`segments`] sweeps over all of them to find who holds each stretch of the device.

use std::fs::File;
use std::io;

use rustc_hash::FxHashMap;

use crate::disk::FileStat;
use crate::disk::extent::{ExtentState, extents, private_bytes};

/// One extent that is shared, or cannot be compared, of one inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedExtent {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) physical: u64,
    pub(super) length: u64,
    pub(super) kind: ExtentKind,
    /// Whether `length` is not what it takes on the device.
    pub(super) encoded: bool,
}

/// What is noted of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtentKind {
    /// The first extent of its file, shared.
    First,
    /// A later extent, shared.
    Later,
    /// All of a file that cannot be compared, its length the allocated bytes of which nothing is known; also stands for
    /// a file whose extents could not be read.
    Opaque,
}

/// Which inodes of the cache have a shared extent at an offset, as the first of their file.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    first: FxHashMap<(u64, u64), Vec<u64>>,
}

/// What the extent map of one file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// All extents are this file's alone.
    Exclusive,
    /// The first extent is shared and begins at this offset.
    Shared(u64),
    /// Nothing can be proven.
    Opaque,
}

/// Notes a file's shared extents and answers what its first extent says.
pub(super) fn note(notes: &mut Vec<SharedExtent>, stat: &FileStat, file: io::Result<File>) -> Map {
    let of = |physical, length, kind, encoded| SharedExtent {
        device: stat.device,
        inode: stat.inode,
        physical,
        length,
        kind,
        encoded,
    };
    let (map, private) = match file {
        Ok(file) => (extents(&file), private_bytes(&file)),
        Err(error) => (Err(error), None),
    };
    let Ok(map) = map else {
        let Some(length) = unclear(stat.disk, private) else { return Map::Exclusive };
        notes.push(of(0, length, ExtentKind::Opaque, false));
        return Map::Opaque;
    };
    let mut answer = Map::Exclusive;
    let mut known = 0_u64;
    for (position, extent) in map.iter().enumerate() {
        let first = position == 0;
        if extent.state != ExtentState::Opaque && !(extent.encoded && extent.state == ExtentState::Exclusive)
        {
            known = known.saturating_add(extent.length);
        }
        match extent.state {
            ExtentState::Exclusive => {}
            ExtentState::Shared => {
                let kind = if first { ExtentKind::First } else { ExtentKind::Later };
                notes.push(of(extent.physical, extent.length, kind, extent.encoded));
                if first {
                    answer = Map::Shared(extent.physical);
                }
            }
            ExtentState::Opaque => {
                if first {
                    answer = Map::Opaque;
                }
            }
        }
    }
    let unclear = |state| matches!(state, ExtentState::Opaque | ExtentState::Exclusive);
    if map.iter().any(|extent| extent.state == ExtentState::Opaque || extent.encoded && unclear(extent.state))
    {
        notes.push(of(0, stat.disk.saturating_sub(known), ExtentKind::Opaque, false));
    }
    answer
}

/// The bytes of a file without an extent map of which nobody says whose they are; none where all are known to be its own.
fn unclear(disk: u64, private: Option<u64>) -> Option<u64> {
    let private = private.unwrap_or(0);
    (private == 0 || private < disk).then(|| disk.saturating_sub(private))
}

impl Sharing {
    /// Collects the first extents of the cache's files.
    pub(super) fn build(notes: &[SharedExtent]) -> Self {
        let mut first: FxHashMap<(u64, u64), Vec<u64>> = FxHashMap::default();
        for note in notes.iter().filter(|note| note.kind == ExtentKind::First) {
            first.entry((note.device, note.physical)).or_default().push(note.inode);
        }
        Self { first }
    }

    /// The inodes of the cache whose first extent is shared and begins at `physical`.
    pub(super) fn inodes(&self, device: u64, physical: u64) -> &[u64] {
        self.first.get(&(device, physical)).map_or(&[], Vec::as_slice)
    }
}

/// A stretch of the device and the inodes that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) device: u64,
    pub(super) length: u64,
    pub(super) inodes: Vec<u64>,
    /// Whether `length` is not what it takes on the device.
    pub(super) encoded: bool,
}

/// Cuts all shared extents at each other's borders and answers who has each stretch. Inodes are listed once.
pub(super) fn segments(notes: &[SharedExtent]) -> Vec<Segment> {
    let mut extents: Vec<_> =
        notes.iter().filter(|note| note.kind != ExtentKind::Opaque && note.length > 0).collect();
    extents.sort_unstable_by_key(|extent| (extent.device, extent.physical, extent.inode));
    let mut segments = Vec::new();
    let mut rest = extents.as_slice();
    while let Some(start) = rest.first() {
        // Extents that overlap, directly or through others, are cut together.
        let mut end = start.physical.saturating_add(start.length);
        let mut count = 1;
        while let Some(next) =
            rest.get(count).filter(|next| next.device == start.device && next.physical < end)
        {
            end = end.max(next.physical.saturating_add(next.length));
            count += 1;
        }
        let (cluster, others) = rest.split_at(count);
        cut(cluster, &mut segments);
        rest = others;
    }
    segments
}

fn cut(cluster: &[&SharedExtent], segments: &mut Vec<Segment>) {
    let mut borders: Vec<u64> = cluster
        .iter()
        .flat_map(|extent| [extent.physical, extent.physical.saturating_add(extent.length)])
        .collect();
    borders.sort_unstable();
    borders.dedup();
    for pair in borders.windows(2) {
        let covers = |extent: &&&SharedExtent| {
            extent.physical <= pair[0] && pair[1] <= extent.physical.saturating_add(extent.length)
        };
        let mut inodes: Vec<u64> = cluster.iter().filter(covers).map(|extent| extent.inode).collect();
        inodes.sort_unstable();
        inodes.dedup();
        if !inodes.is_empty() {
            let encoded = cluster.iter().filter(covers).any(|extent| extent.encoded);
            segments.push(Segment { device: cluster[0].device, length: pair[1] - pair[0], inodes, encoded });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(inode: u64, physical: u64, length: u64) -> SharedExtent {
        SharedExtent { device: 1, inode, physical, length, kind: ExtentKind::First, encoded: false }
    }

    #[test]
    fn of_a_file_without_an_extent_map_what_is_private_is_its_own() {
        assert_eq!(unclear(8192, None), Some(8192));
        assert_eq!(unclear(8192, Some(0)), Some(8192), "a clone of something");
        assert_eq!(unclear(8192, Some(4096)), Some(4096));
        assert_eq!(unclear(8192, Some(8192)), None);
    }

    #[test]
    fn overlapping_extents_are_cut_at_each_others_borders() {
        let found = segments(&[extent(1, 0, 100), extent(2, 0, 40), extent(2, 60, 40), extent(3, 500, 10)]);
        let shown: Vec<_> = found.iter().map(|segment| (segment.length, segment.inodes.clone())).collect();
        assert_eq!(shown, [(40, vec![1, 2]), (20, vec![1]), (40, vec![1, 2]), (10, vec![3])]);
    }
}
