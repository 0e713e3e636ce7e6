//! Who has a lock file open, by the Restart Manager, and the processes that started this one.
//!
//! The Restart Manager tells who has a file open, not who of them holds a lock of it: uv opens a lock file to lock it, so
//! that the rest only wait. Services of the system and processes of other sessions may be missing.

use std::collections::HashMap;
use std::path::Path;

use super::{Holder, Share};
use crate::disk::Time;
use crate::win32::process;

/// The processes that have a file open, this one left out, as holders of its lock.
pub(super) fn of(path: &Path, share: Share) -> Vec<Holder> {
    let Some(pids) = process::users_of(path) else { return Vec::new() };
    let names: HashMap<u32, String> =
        process::all().into_iter().map(|it| (it.pid, it.name.to_string_lossy().into_owned())).collect();
    let others = pids.into_iter().filter(|pid| *pid != std::process::id());
    let holder = |pid: u32| Holder {
        pid,
        command: names.get(&pid).cloned().unwrap_or_default(),
        since: process::started(pid).map(|units| Time::from_1601(units).timestamp()),
        directory: None,
        share,
        waits: false,
    };
    others.map(holder).collect()
}

/// The processes above this one, the nearest first. The number of a parent that is gone may be somebody else's by now:
/// a parent is older than its child.
pub(in crate::lock) fn ancestors() -> Vec<u32> {
    let parents: HashMap<u32, u32> = process::all().into_iter().map(|it| (it.pid, it.parent)).collect();
    let mut chain = Vec::new();
    let mut child = std::process::id();
    while let Some(&parent) = parents.get(&child) {
        let is_older = match (process::started(parent), process::started(child)) {
            (Some(parent), Some(child)) => parent <= child,
            _ => false,
        };
        if !is_older || parent == child || chain.contains(&parent) {
            break;
        }
        chain.push(parent);
        child = parent;
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_parent_that_is_older() {
        let chain = ancestors();
        assert!(!chain.contains(&std::process::id()));
        for pair in chain.windows(2) {
            assert!(process::started(pair[1]) <= process::started(pair[0]), "{chain:?}");
        }
    }

    #[test]
    fn this_process_is_no_holder_in_its_own_eyes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        #[expect(clippy::disallowed_methods, reason = "a test makes the files it needs")]
        let file = std::fs::File::create(&path).unwrap();
        assert!(of(&path, Share::Exclusive).is_empty());
        drop(file);
    }
}
