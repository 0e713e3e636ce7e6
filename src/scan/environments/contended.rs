//! Files that several distributions list: the last one installed wrote it, which is no change of the others'.

use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::distribution::Examined;
use super::{Collected, DistInfo};
use crate::disk::{FileStat, Time};
use crate::scan::content;
use crate::scan::installed::{self, Claim};
use crate::snapshot::{Distribution, DistributionState};

/// Counts changed files as another distribution's where they are what that one's `RECORD` says. `changed` holds the
/// changed files of each of the `dist_infos`, relative to the environment. A file that matches no row is changed once.
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
            && let Ok(real) = crate::disk::canonical(&root.join(&file.path))
            && FileStat::of(&real).is_ok_and(|stat| !content::differs(&real, &stat, file.row))
        {
            rightful.insert(file.path);
        }
    }
    let claims = changed.iter().enumerate().flat_map(|(position, paths)| {
        let claim =
            Claim { position, is_linked: false, installed: written(&dist_infos[position], collected) };
        paths.iter().map(move |path| (path, claim))
    });
    let mut listed: FxHashMap<&PathBuf, Vec<Claim>> = FxHashMap::default();
    for (path, claim) in claims {
        listed.entry(path).or_default().push(claim);
    }
    for (position, (paths, distribution)) in changed.iter().zip(distributions).enumerate() {
        let is_own = |path: &PathBuf| installed::owner(listed[path].iter().copied()) == Some(position);
        let others = paths.iter().filter(|path| rightful.contains(*path) || !is_own(path)).count() as u64;
        distribution.files.modified -= others;
        distribution.files.own += others;
        if distribution.files.modified == 0 && distribution.state == DistributionState::Modified {
            distribution.state = DistributionState::Ok;
        }
    }
}

/// When a distribution was installed: uv writes its `RECORD` last.
fn written(dist_info: &DistInfo, collected: &Collected) -> Option<Time> {
    let record = dist_info.path.join("RECORD");
    collected.loose.get(record.as_os_str().as_encoded_bytes()).map(|record| record.stat.modified)
}

/// Leaves each broken file that several distributions list to the one whose it is.
pub(super) fn settle_broken(dist_infos: &[DistInfo], examined: &mut [Examined], collected: &Collected) {
    let mut listed: FxHashMap<PathBuf, Vec<Claim>> = FxHashMap::default();
    for (position, (dist_info, it)) in dist_infos.iter().zip(&*examined).enumerate() {
        let installed = written(dist_info, collected);
        let most = installed::most(it.broken.iter().filter_map(|broken| broken.named.as_ref()));
        for broken in &it.broken {
            let is_linked = most.is_some() && broken.named.as_ref() == most;
            let claim = Claim { position, is_linked, installed };
            listed.entry(broken.path.clone()).or_default().push(claim);
        }
    }
    listed.retain(|_, claims| claims.len() > 1);
    if listed.is_empty() {
        return;
    }
    for (position, it) in examined.iter_mut().enumerate() {
        let is_other = |claims: &Vec<Claim>| installed::owner(claims.iter().copied()) != Some(position);
        it.broken.retain(|broken| !listed.get(&broken.path).is_some_and(is_other));
        it.count_broken();
    }
}
