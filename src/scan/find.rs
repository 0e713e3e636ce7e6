//! Looks for distributions by requirement in everything that is installed.
//!
//! It searches the places that a scan searches, and reads what meets a requirement by the same rules. Of the other entries it reads
//! only the names at the top, of the other environments only the directories of distributions. Of the cache's other buckets it reads
//! those that name environments. So its snapshot has no sizes and no pointers, and does not say which entries are in use.

use std::path::{Path, PathBuf};

use super::cache::{Harvest, Layout, Part, entry};
use super::discover::conda;
use super::environments::Candidate;
use super::{
    Error, Live, Request, basis, begin, candidates, central, entries, environments, failed, failures,
    first_round, moved, other_caches, problem, searched, second_round,
};
use crate::control::{Cancel, Phase, Progress};
use crate::disk::{volume, walk};
use crate::snapshot::{Completeness, Snapshot};
use crate::uv::bucket::{BucketKind, TRASH};
use crate::uv::distribution::parse_dist_info;
use crate::uv::requirement::Requirement;

/// Looks for the distributions that a request wants. The snapshot has the names and versions of all entries, and the environments that
/// have such a distribution, with these distributions alone.
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
    let mut snapshot = begin(request, &layout, volume::filesystem(root));
    let reflinks = snapshot.cache.reflinks;
    live.update(|shared| *shared = snapshot.clone());
    let (mut harvest, mut search) = first_round(request, &layout, reflinks, live, cancel, progress);
    progress.enter(Phase::Environments);
    let mut basis = basis(request, &layout, &mut harvest, reflinks);
    // Which of them have a distribution that is looked for is checked below, for all of them.
    let mut candidates = candidates::candidates(request, &layout, &harvest, &|_| Ok(true), &mut search);
    leave_out_vendored(&mut candidates);
    let has = walk::map(&candidates, request.threads, |candidate| {
        !is_unpacked(&candidate.found.path)
            && environments::has(candidate, &request.wanted, &layout.canonical, cancel, progress)
    });
    let mut has = has.into_iter();
    candidates.retain(|_| has.next().unwrap_or_default());
    basis.compare(&candidates, &mut search);
    let against = basis.against(&request.wanted, cancel, progress);
    let mut readings = second_round(&candidates, request.threads, &against);
    other_caches::mark_unseen(&mut readings);
    central::projects(&mut readings, &search.led, &request.remembered);
    moved::judge(&mut search, request, &readings, &snapshot);
    progress.enter(Phase::Evidence);
    let failed = failures(&layout, &mut harvest, &mut search, &mut readings);
    searched(&mut snapshot.scope, request, &mut search, Vec::new());
    snapshot.problems.append(&mut search.problems);
    snapshot.problems.append(&mut harvest.problems);
    snapshot.scope.failed = failed::failures(failed, request, &layout);
    snapshot.problems.extend_from_slice(&snapshot.scope.failed);
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

/// Takes out what looks like a directory of distributions and lies in another: a package brings it along (`setuptools/_vendor`).
fn leave_out_vendored(candidates: &mut Vec<Candidate>) {
    let sites: Vec<PathBuf> =
        candidates.iter().filter(|it| it.found.target).map(|it| it.found.path.clone()).collect();
    candidates.retain(|candidate| {
        let path = &candidate.found.path;
        let mut above = path.ancestors().skip(1);
        !candidate.found.target
            || environments::is_site_packages(path)
            || !above
                .any(|above| environments::is_site_packages(above) || sites.iter().any(|site| site == above))
    });
}

/// Whether a directory lies in what conda has unpacked for its environments, and not installed: `pkgs/<name>-<version>-<build>`.
fn is_unpacked(path: &Path) -> bool {
    let is_one = |above: &Path| {
        let parent = above.parent().and_then(Path::file_name);
        parent.is_some_and(|name| name == conda::PACKAGES) && above.join("info/index.json").is_file()
    };
    path.ancestors().any(is_one)
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
