//! Environments by themselves: what they are and which distributions they say they have, without the cache, without other
//! environments, and without a look at any of their files.
//!
//! Enough for whoever goes on with every `RECORD` himself. It takes one listing for each directory of the environments,
//! however large the cache is.

use std::path::PathBuf;

use super::discover::{self, Search};
use super::environments::{self, Candidate};
use super::{Absent, Request};
use crate::control::{Cancel, Progress};
use crate::snapshot::{Cache, Completeness, Scope, Snapshot};

/// Reads the environments at the places of a request. Of every distribution only the name, the version and the directory are
/// told; its state is unknown.
///
/// None where anything is out of the ordinary: an environment in the cache or in another environment, a directory that is a
/// symlink or cannot be read, a place that has none. Then only [`scan`](super::scan) tells.
pub fn outline(request: &Request, cancel: &Cancel, progress: &Progress) -> Option<Snapshot> {
    if !request.targets.is_empty() || !request.problems.is_empty() || request.absent == Absent::Refused {
        return None;
    }
    let cache = &request.cache.path;
    let canonical = crate::disk::canonical(cache).ok()?;
    let mut search = Search::default();
    for place in &request.places {
        let found = discover::search(place, &canonical, request.cross_mounts, cancel, progress);
        if found.found.is_empty() {
            return None;
        }
        search.add(found);
    }
    let odd = [&search.unread, &search.unreached, &search.dead];
    if odd.iter().any(|paths| !paths.is_empty()) || !search.failed.is_empty() || !search.problems.is_empty() {
        return None;
    }
    let found = discover::unique(search.found);
    let within = |path: &PathBuf| path.starts_with(&canonical) || path.starts_with(cache);
    let nested = found.windows(2).any(|pair| pair[1].path.starts_with(&pair[0].path));
    // A base environment of conda has others in it, and packages that are not installed.
    if found.iter().any(|found| discover::conda::is_one(&found.path)) {
        return None;
    }
    if nested || found.iter().any(|found| within(&found.path)) {
        return None;
    }
    let candidate = |found| Candidate {
        found,
        kind: None,
        entry: None,
        counted: false,
        nested: Vec::new(),
        named: false,
        inside: false,
        recorded: None,
    };
    let read = |found| environments::outline(&candidate(found), &canonical, cancel, progress);
    let environments = found.into_iter().map(read).collect::<Option<Vec<_>>>()?;
    (!cancel.is_cancelled()).then(|| Snapshot {
        cache: Cache {
            path: cache.clone(),
            canonical: canonical.clone(),
            found_by: request.cache.found_by.clone(),
            ..Cache::default()
        },
        scope: Scope {
            started: Some(request.started),
            completeness: Completeness::Complete,
            ..Scope::default()
        },
        environments,
        ..Snapshot::default()
    })
}
