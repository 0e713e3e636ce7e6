//! Whether what entries came from is still there, where it lay on this machine.
//!
//! Pointers have only a digest of the path. What an environment that uses an entry says in `direct_url.json` is the path
//! itself; of a directory of wheels nothing says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::presence::{self, Presence};
use crate::snapshot::{EntryIndex, Evidence, Origin, Snapshot};
use crate::uv::distribution::file_path;

/// Notes of each entry whether the path it came from is gone: all of them, where environments name several.
pub(super) fn look(snapshot: &mut Snapshot) {
    let mut known: BTreeMap<PathBuf, Presence> = BTreeMap::new();
    for number in 0..snapshot.entries.len() {
        let index = EntryIndex::new(number);
        let local = [Origin::Path, Origin::Git, Origin::Editable, Origin::FindLinks];
        if !local.contains(&snapshot.entry(index).source.origin) {
            continue;
        }
        let paths: Vec<PathBuf> = snapshot
            .references_to(index)
            .iter()
            .filter(|reference| reference.evidence > Evidence::Name)
            .filter_map(|reference| {
                let environment = snapshot.environment(reference.environment);
                let distribution = environment.distributions.get(reference.distribution? as usize)?;
                file_path(&distribution.direct_url.as_ref()?.url)
            })
            .collect();
        let mut gone = |path: &PathBuf| {
            *known.entry(path.clone()).or_insert_with(|| presence::of(path)) == Presence::Gone
        };
        if paths.iter().all(&mut gone) {
            snapshot.entries[number].source.gone = paths.into_iter().next();
        }
    }
}
