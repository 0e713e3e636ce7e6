//! Environments that uv left in the cache again and again for the same: a tool in each of its versions, a set of `--with`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Chooser;
use crate::snapshot::{EntryIndex, Environment};

/// What the generations of one thing have in common.
type Key<'a> = (Vec<&'a str>, String);

impl Chooser<'_> {
    /// The cached environments of which newer ones for the same are there.
    pub(super) fn old_generations(&self) -> BTreeSet<EntryIndex> {
        let mut all: BTreeMap<Key<'_>, Vec<(i64, EntryIndex)>> = BTreeMap::new();
        for environment in &self.snapshot.environments {
            let Some((index, key)) = environment.entry.zip(key(environment)) else { continue };
            let made = environment.installed.map_or(i64::MAX, jiff::Timestamp::as_second);
            all.entry(key).or_default().push((made, index));
        }
        let newest = self.request.keep_newest.unwrap_or(1);
        let mut old = BTreeSet::new();
        for mut generations in all.into_values() {
            generations.sort_unstable_by_key(|(made, index)| (Reverse(*made), *index));
            old.extend(generations.into_iter().skip(newest).map(|(_, index)| index));
        }
        old
    }
}

/// What an environment was made for; none where that cannot be told.
fn key(environment: &Environment) -> Option<Key<'_>> {
    if environment.wanted.is_empty() {
        return None;
    }
    let mut wanted: Vec<&str> = environment.wanted.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    // Of two versions of Python each is made for those who ask for it.
    let version = environment.python.as_deref().unwrap_or_default();
    let minor: Vec<&str> = version.split('.').take(2).collect();
    Some((wanted, minor.join(".")))
}
