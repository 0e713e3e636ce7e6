//! Objects of the content-addressed store that nobody links to, or nobody but entries that go.
//!
//! uv's own prune removes the former. The latter have to go with their entries, because otherwise they keep their bytes.

use std::collections::BTreeMap;
use std::path::Path;

use super::prune::{self, Candidate, Chooser};
use super::step::Bytes;
use super::{Action, At, Class, PlannedObject, Price, RemoveWork, Step, Work};
use crate::human;
use crate::snapshot::{Certainty, Holder, StoreObject, TreePrint};

/// Adds a step for each store of which objects go, after all others.
pub(super) fn add(chooser: &Chooser<'_>, candidates: &mut Vec<Candidate>) {
    let going = prune::entries_among(candidates);
    let alone = chooser.wants(Class::Unreferenced);
    if super::unread::not_understood(chooser.snapshot).is_some() {
        return;
    }
    let goes = |object: &&StoreObject| {
        let bucket = chooser.snapshot.cache.bucket_of(&object.path);
        if object.held || bucket.is_some_and(|bucket| bucket.odd.is_some() || bucket.moved) {
            return false;
        }
        if object.entries.is_empty() {
            let print = &object.print;
            return alone && chooser.young(print.modified.max(print.changed)).is_none();
        }
        object.entries.iter().all(|entry| going.contains(entry))
    };
    let mut stores: BTreeMap<&Path, Vec<&StoreObject>> = BTreeMap::new();
    for object in chooser.snapshot.objects.iter().filter(goes) {
        let store = object.path.iter().next().map(Path::new);
        stores.entry(store.unwrap_or(Path::new(""))).or_default().push(object);
    }
    let reflinks = chooser.snapshot.cache.reflinks;
    candidates.extend(stores.into_iter().map(|(store, objects)| candidate(store, &objects, reflinks)));
}

/// The step for a store. `reflinks`: what nothing links to may share its bytes with files that were cloned from it.
fn candidate(store: &Path, objects: &[&StoreObject], reflinks: bool) -> Candidate {
    let alone = objects.iter().filter(|object| object.entries.is_empty());
    let alone: u64 = alone.map(|object| object.print.disk).sum();
    let count = human::counted(objects.len() as u64, "file", "files");
    let with = objects.iter().filter(|object| !object.entries.is_empty()).count();
    let reason = match with {
        0 => format!("{count} of the store that nothing links to"),
        _ if with == objects.len() => format!("{count} of the store that only what goes links to"),
        _ => format!("{count} of the store that nothing else links to"),
    };
    let planned = |object: &&StoreObject| PlannedObject { at: At::new(&object.path), expects: object.print };
    Candidate {
        holders: vec![Holder::Store],
        // What nothing links to is in no group.
        own: if reflinks { 0 } else { alone },
        used: None,
        step: Step {
            action: Action::RemoveObjects,
            at: At::new(store),
            name: None,
            version: None,
            reason,
            bytes: Bytes {
                disk: objects.iter().map(|object| object.print.disk).sum(),
                certainty: if reflinks && alone > 0 { Certainty::AtLeast } else { Certainty::Exact },
                files: objects.len() as u64,
                ..Bytes::default()
            },
            work: Work::Remove(RemoveWork {
                objects: objects.iter().map(planned).collect(),
                ..RemoveWork::new(Class::Unreferenced, Price::Nothing, TreePrint::default())
            }),
        },
    }
}
