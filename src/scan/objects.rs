//! Who has the objects of the content-addressed store.

use std::path::PathBuf;

use rustc_hash::FxHashMap;

use super::environments::Reading;
use super::index::{ELSEWHERE, FileId, FileTable, STORE, TRASHED};
use super::print;
use crate::disk::FileStat;
use crate::snapshot::{EntryIndex, StoreObject};

/// Finds out who has each object, by the links that were counted and those that were found.
pub(super) fn resolve(
    mut raw: Vec<(PathBuf, FileStat)>,
    table: &FileTable,
    readings: &[Reading],
) -> Vec<StoreObject> {
    raw.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let ids: Vec<Option<FileId>> = raw
        .iter()
        .map(|(_, stat)| (stat.links > 1).then(|| table.find(stat.device, stat.inode)).flatten())
        .collect();
    let mut linked: FxHashMap<FileId, bool> = ids.iter().flatten().map(|id| (*id, false)).collect();
    if !linked.is_empty() {
        for id in readings.iter().flat_map(|reading| &reading.links) {
            if let Some(linked) = linked.get_mut(id) {
                *linked = true;
            }
        }
    }
    let object = |((path, stat), id): ((PathBuf, FileStat), Option<FileId>)| {
        let places: Vec<_> = id.map(|id| table.places(id).collect()).unwrap_or_default();
        let found = if id.is_some() { places.len() as u64 } else { 1 };
        let elsewhere = places.iter().any(|place| matches!(*place, ELSEWHERE | TRASHED));
        let by_environment = id.is_some_and(|id| linked[&id]);
        let entry = |place: &u32| EntryIndex::new(*place as usize);
        let mut entries: Vec<EntryIndex> = places
            .iter()
            .filter(|place| !matches!(**place, STORE | ELSEWHERE | TRASHED))
            .map(entry)
            .collect();
        entries.sort_unstable();
        entries.dedup();
        let held = elsewhere || by_environment || stat.links > found;
        StoreObject { path, print: print::of(&stat), entries: entries.into(), held }
    };
    raw.into_iter().zip(ids).map(object).collect()
}
