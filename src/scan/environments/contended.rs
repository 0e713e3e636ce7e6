//! Files that several distributions list: the last one installed wrote it, which is no change of the others'.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use super::{Collected, DistInfo};
use crate::scan::content;
use crate::scan::installed::{self};
use crate::snapshot::{Distribution, DistributionState};

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
    let listings = dist_infos.iter().filter_map(|it| installed::listing(root, &it.path).ok());
    for file in listings.flat_map(|listing| listing.files).filter(|file| file.row.digest.is_some()) {
        if wanted.contains(file.path.as_path())
            && let Some(loose) = collected.loose.get(file.path.as_os_str().as_encoded_bytes())
            && !content::differs(&root.join(&file.path), &loose.stat, file.row)
        {
            rightful.insert(file.path);
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
