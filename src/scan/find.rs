//! Looks for distributions by requirement in everything that is installed.
//!
//! The same places are searched as by a scan, and what meets a requirement is read by the same rules. Nothing else is: of an entry
//! that does not meet one only the names at its top, of an environment without one only its directories of distributions. The
//! buckets of the cache are not read, but for those that tell of environments. So nothing is known afterwards of sizes, of pointers,
//! and of whether an entry is in use.

use std::path::Path;

use super::cache::{Harvest, Layout, Part, entry};
use super::candidates;
use super::environments::{self, Against};
use super::index::FileTable;
use super::other_caches::{self, OtherCaches};
use super::share::Sharing;
use super::{
    Error, Live, Request, central, entries, entry_facts, first_round, problem, searched, second_round,
    tells_of_sharing,
};
use crate::control::{Cancel, Phase, Progress};
use crate::disk::volume::{self, Reflinks};
use crate::disk::{FileStat, walk};
use crate::snapshot::{Cache, Completeness, Entry, Scope, Snapshot};
use crate::uv::bucket::{BucketKind, TRASH};
use crate::uv::distribution::parse_dist_info;
use crate::uv::requirement::Requirement;

/// Looks for what a request wants. Of the cache's entries the snapshot has names and versions, and the rest of those that meet a
/// requirement; it has the environments that have what meets one, each with that alone.
pub(super) fn find(
    request: &Request,
    missing: bool,
    live: &Live,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Snapshot, Error> {
    let root = &request.cache.path;
    let begun = (request.clock)();
    progress.enter(Phase::Cache);
    let layout = if missing { Layout::missing(root) } else { Layout::read(root)? };
    let filesystem = volume::filesystem(root);
    let reflinks = filesystem.reflinks == Reflinks::Possible && tells_of_sharing(root);
    let mut snapshot = Snapshot {
        cache: Cache {
            path: root.clone(),
            canonical: layout.canonical.clone(),
            found_by: request.cache.found_by.clone(),
            filesystem: Some(filesystem.name.to_owned()),
            reflinks,
            ..Cache::default()
        },
        scope: Scope { started: Some(request.started), ..Scope::default() },
        entries: layout.keys.iter().map(|key| Entry { key: key.clone(), ..Entry::default() }).collect(),
        problems: request.problems.iter().chain(&layout.problems).cloned().collect(),
        ..Snapshot::default()
    };
    live.update(|shared| *shared = snapshot.clone());
    let (mut harvest, mut search) = first_round(request, &layout, reflinks, live, cancel, progress);
    progress.enter(Phase::Environments);
    let table = FileTable::build(std::mem::take(&mut harvest.records), request.threads);
    let sharing = Sharing::build(&harvest.shared);
    let facts = entry_facts(&layout, &harvest);
    let (by_name, by_id) = candidates::lookups(&layout, &facts);
    // Whether one has it is asked of all alike below.
    let mut candidates = candidates::candidates(request, &layout, &harvest, &|_, _| true, &mut search);
    let has = walk::map(&candidates, request.threads, |candidate| {
        environments::has(candidate, &request.wanted, &layout.canonical, cancel, progress)
    });
    let mut has = has.into_iter();
    candidates.retain(|_| has.next().unwrap_or_default());
    let directories = candidates::directories(&harvest);
    let roots: Vec<_> = candidates.iter().map(|candidate| candidate.found.path.clone()).collect();
    let others = OtherCaches::new(std::mem::take(&mut search.caches), &layout.canonical);
    let against = Against {
        table: &table,
        sharing: &sharing,
        entries: &facts,
        by_name: &by_name,
        by_id: &by_id,
        cache: &layout.canonical,
        cache_itself: FileStat::of(&layout.canonical).ok().map(|stat| (stat.device, stat.inode)),
        directories: &directories,
        roots: &roots,
        others: &others,
        wanted: &request.wanted,
        reflinks,
        cancel,
        progress,
    };
    let mut readings = second_round(&candidates, request.threads, &against);
    other_caches::mark_unseen(&mut readings);
    central::projects(&mut readings, &search.led, &request.remembered);
    progress.enter(Phase::Evidence);
    searched(&mut snapshot.scope, request, &mut search, Vec::new());
    snapshot.problems.append(&mut search.problems);
    snapshot.problems.append(&mut harvest.problems);
    for (entry, facts) in snapshot.entries.iter_mut().zip(&harvest.facts) {
        entries::preliminary(entry, facts);
    }
    for reading in readings {
        snapshot.problems.extend(reading.problems);
        if !reading.environment.distributions.is_empty() {
            snapshot.environments.push(reading.environment);
        }
    }
    snapshot.problems.sort_unstable();
    snapshot.problems.dedup();
    snapshot.scope.completeness =
        if cancel.is_cancelled() { Completeness::Cancelled } else { Completeness::Complete };
    snapshot.scope.elapsed = (request.clock)().saturating_duration_since(begun);
    progress.enter(Phase::Done);
    Ok(snapshot)
}

/// Whether a part of the cache's root tells of environments, or may have some in it.
pub(super) fn may_have_environments(part: &Part) -> bool {
    match part.bucket {
        Some(bucket) => matches!(bucket.kind, BucketKind::Interpreter | BucketKind::Environments),
        None => part.name != TRASH,
    }
}

/// Looks at the names at the top of an entry, and answers whether the whole of it is to be read.
pub(super) fn reads(wanted: &[Requirement], path: &Path, number: usize, harvest: &mut Harvest) -> bool {
    let facts = match entry::outline(path) {
        Ok(facts) => facts,
        Err(error) => {
            harvest.problems.push(problem(path.to_owned(), "read the directory", &error));
            entry::Facts { unread: true, ..entry::Facts::default() }
        }
    };
    let name = facts.dist_info.as_deref().and_then(parse_dist_info);
    if name.is_some_and(|it| wanted.iter().any(|wanted| wanted.is_met_by(&it.name, &it.version))) {
        return true;
    }
    harvest.entries.push((number, facts));
    false
}
