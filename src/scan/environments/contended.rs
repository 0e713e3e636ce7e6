//! Files that two distributions own: the last one installed wrote it, which is no change of the other's.

use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::distribution::place;
use super::{Collected, DistInfo};
use crate::disk::read;
use crate::scan::content;
use crate::snapshot::{Distribution, DistributionState};
use crate::uv::record::{self, Location};

/// Files that several distributions list with different digests. Only their content tells whose they are: the one
/// that lost may have finished its `RECORD` last, since uv installs in parallel.
pub(super) fn paths<'a>(
    root: &Path,
    dist_infos: impl Iterator<Item = &'a DistInfo>,
    collected: &Collected,
) -> FxHashSet<PathBuf> {
    let mut digests: FxHashMap<&[u8], [u8; 32]> = FxHashMap::default();
    let mut contended: FxHashSet<PathBuf> = FxHashSet::default();
    for dist_info in dist_infos {
        let Ok(bytes) = read::small(&root.join(&dist_info.path).join("RECORD"), read::RECORD) else {
            continue;
        };
        for row in record::rows(&bytes).flatten() {
            let (Some(digest), Some(location)) = (row.digest, Location::parse(&row.path)) else { continue };
            let Some(path) = place(&dist_info.path, &location) else { continue };
            // Only what lies loose can be in doubt; its key lives longer than the row.
            let Some((key, _)) = collected.loose.get_key_value(path.as_os_str().as_encoded_bytes()) else {
                continue;
            };
            if digests.insert(key, digest).is_some_and(|other| other != digest) {
                contended.insert(path);
            }
        }
    }
    contended
}

/// Counts changed files as another distribution's where they are what that one's `RECORD` says. `changed` holds the
/// changed files of each of the `dist_infos`, relative to the environment.
///
/// Every `RECORD` is read again, but only in environments where a file was changed.
pub(super) fn settle(
    root: &Path,
    dist_infos: &[DistInfo],
    changed: &[Vec<PathBuf>],
    collected: &Collected,
    distributions: &mut [Distribution],
) {
    let wanted: FxHashSet<&Path> = changed.iter().flatten().map(PathBuf::as_path).collect();
    if wanted.is_empty() {
        return;
    }
    let mut rightful: FxHashSet<PathBuf> = FxHashSet::default();
    for dist_info in dist_infos {
        let Ok(bytes) = read::small(&root.join(&dist_info.path).join("RECORD"), read::RECORD) else {
            continue;
        };
        for row in record::rows(&bytes).flatten().filter(|row| row.digest.is_some()) {
            let path = Location::parse(&row.path).and_then(|location| place(&dist_info.path, &location));
            if let Some(path) = path.filter(|path| wanted.contains(path.as_path()))
                && let Some(loose) = collected.loose.get(path.as_os_str().as_encoded_bytes())
                && !content::differs(&root.join(&path), &loose.stat, row.size, row.digest.as_ref())
            {
                rightful.insert(path);
            }
        }
    }
    for (paths, distribution) in changed.iter().zip(distributions) {
        let others = paths.iter().filter(|path| rightful.contains(*path)).count() as u64;
        distribution.files.modified -= others;
        distribution.files.own += others;
        if distribution.files.modified == 0 && distribution.state == DistributionState::Modified {
            distribution.state = DistributionState::Ok;
        }
    }
}
