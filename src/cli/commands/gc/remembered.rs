//! What the last run of `gc` saw of a cache, so that `gc --auto` can tell cheaply whether there is anything to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::apply::state;
use crate::disk::{read, usage, volume};
use crate::snapshot::Snapshot;

/// How long after a run the next one is due, whatever the cache takes, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// The largest file of it that is read, in bytes: some 60 for each entry.
const LARGEST: u64 = 64 << 20;

/// The version of its form; one of another version counts as missing.
const VERSION: u32 = 1;

/// What a run saw, and what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    schema_version: u32,
    /// When it ran.
    ran: Timestamp,
    /// The policy that it carried out, as text.
    policy: String,
    /// Whether the cache was beyond a limit afterwards.
    beyond: bool,
    /// Whether it took more than `fail-over` says.
    #[serde(default)]
    over: bool,
    /// What kind of thing could not be done, which is not said again.
    pub(super) told: Vec<String>,
    /// Allocated bytes of each entry, by its path in the cache. uv does not change what it has unpacked.
    sizes: BTreeMap<String, u64>,
}

impl Remembered {
    /// What a run leaves to the next one.
    pub(super) fn new(now: Timestamp, policy: String) -> Self {
        Self { schema_version: VERSION, ran: now, policy, ..Self::default() }
    }

    /// Notes how it ended: whether the cache is beyond a limit, or over what is to fail, and what could not be done.
    pub(super) fn conclude(&mut self, beyond: bool, over: bool, told: Vec<String>) {
        (self.beyond, self.over) = (beyond, over);
        self.told = told;
    }

    /// The same with the sizes of entries. Of one that is gone by now it does no harm.
    pub(super) fn with_entries(mut self, snapshot: &Snapshot) -> Self {
        let sizes = snapshot.entries.iter().filter_map(|entry| Some((key(&entry.key.path())?, entry.disk)));
        self.sizes = sizes.collect();
        self
    }

    /// Reads what is remembered of a cache. What cannot be understood counts as missing.
    pub(super) fn read(state: &Path, cache: &Path) -> Option<Self> {
        let bytes = read::small(&path(state, cache), LARGEST).ok()?;
        let read: Self = serde_json::from_slice(&bytes).ok()?;
        (read.schema_version == VERSION).then_some(read)
    }

    /// Writes it. Where that fails, the next run does more than it had to.
    pub(super) fn save(&self, state: &Path, cache: &Path) {
        if let Ok(bytes) = serde_json::to_vec(self) {
            drop(state::save(&path(state, cache), &bytes));
        }
    }

    /// Whether a run is due: a day has passed, the policy is another one, or the cache is beyond a limit that it kept.
    pub(super) fn is_due(&self, now: Timestamp, policy: &str, limits: Limits, cache: &Path) -> bool {
        let since = now.as_second() - self.ran.as_second();
        // A clock that was set back must not put it off.
        !(0..DAY).contains(&since)
            || self.policy != policy
            || !self.beyond && limits.are_exceeded(|| self.takes(cache, limits.max_size), volume::free(cache))
    }

    /// Whether the cache took more than is to fail.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Allocated bytes of a cache. Entries that are known are not measured again, and those that share files count each: only
    /// where that comes to more than `most` everything is measured.
    fn takes(&self, cache: &Path, most: Option<u64>) -> u64 {
        let takes = usage::usage(cache, |path| self.sizes.get(&key(path)?).copied());
        if most.is_some_and(|most| takes > most) { takes.min(usage::usage(cache, |_| None)) } else { takes }
    }
}

fn path(state: &Path, cache: &Path) -> PathBuf {
    let cache = crate::disk::canonical(cache).unwrap_or_else(|_| cache.to_owned());
    state::named(state, "gc", &[&cache])
}

/// The path of an entry in the cache as text.
fn key(path: &Path) -> Option<String> {
    Some(path.to_str()?.replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_due_after_a_day_by_a_new_policy_or_beyond_a_limit() {
        let directory = tempfile::tempdir().unwrap();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let limits = |most: u64| Limits { max_size: Some(most), keep_free: None };
        let last = Remembered::new(at(100_000), "one".to_owned());
        let due = |last: &Remembered, second: i64, policy: &str, most: u64| {
            last.is_due(at(second), policy, limits(most), directory.path())
        };
        assert!(!due(&last, 100_001, "one", u64::MAX));
        assert!(due(&last, 100_000 + DAY, "one", u64::MAX));
        assert!(due(&last, 99_999, "one", u64::MAX), "the clock was set back");
        assert!(due(&last, 100_001, "two", u64::MAX));
        let size = usage::usage(directory.path(), |_| None);
        if size > 0 {
            assert!(due(&last, 100_001, "one", size - 1));
            let beyond = Remembered { beyond: true, ..last };
            assert!(!due(&beyond, 100_001, "one", size - 1), "what could not be met is tried once a day");
        }
    }

    #[test]
    fn what_is_remembered_is_read_again_and_damage_counts_as_nothing() {
        #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]
        let directory = tempfile::tempdir().unwrap();
        let (state, cache) = (directory.path().join("state"), directory.path());
        assert_eq!(Remembered::read(&state, cache), None);
        let now = Timestamp::from_second(100).unwrap();
        let mut remembered = Remembered::new(now, "one".to_owned());
        remembered.conclude(true, true, vec!["text".to_owned()]);
        remembered.save(&state, cache);
        assert_eq!(Remembered::read(&state, cache), Some(remembered));
        std::fs::write(path(&state, cache), "{").unwrap();
        assert_eq!(Remembered::read(&state, cache), None);
    }
}
