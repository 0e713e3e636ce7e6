//! Files that no entry has, in other environments: what one has by its `RECORD` and by its bytes is what another lacks.

use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashMap;

use super::{BrokenFile, DistributionFacts, Source, Way, Why};
use crate::disk::{FileKind, FileStat, read};
use crate::scan::installed;
use crate::snapshot::{EnvironmentIndex, Identity, Snapshot};

/// Looks in the other environments of the snapshot for what no entry has, by digest.
pub(super) fn find(snapshot: &Snapshot, index: EnvironmentIndex, distributions: &mut [DistributionFacts]) {
    for facts in distributions.iter_mut().filter(|it| it.files.iter().any(lacks)) {
        for (other, environment) in snapshot.environments() {
            // What is stored in the cache comes and goes with it.
            if other == index || environment.entry.is_some() {
                continue;
            }
            let is_same =
                |it: &&crate::snapshot::Distribution| it.name == facts.name && it.version == facts.version;
            for distribution in environment.distributions.iter().filter(is_same) {
                let by_digest = rows(&environment.path, &distribution.dist_info);
                for file in facts.files.iter_mut().filter(|it| lacks(it)) {
                    let Some(digest) = file.digest else { continue };
                    let place = by_digest.get(&digest).and_then(|path| below(&environment.path, path));
                    let Some((above, path)) = place else { continue };
                    let Ok(root) = FileStat::of(above) else { continue };
                    if let Some(stat) = has(&above.join(path), &digest) {
                        file.size = stat.size;
                        file.source = Ok(Source {
                            cache: 0,
                            entry: above.to_owned(),
                            entry_is: Identity { device: root.device, inode: root.inode },
                            path: path.to_owned(),
                            owner: stat.owner,
                            way: Way::Environment,
                            hashed: None,
                        });
                    }
                }
            }
        }
    }
}

/// A directory and a file below it: a file of a prefix may lie outside of the directory of its distributions, as
/// `../../../bin/x` does.
fn below<'a>(root: &'a Path, file: &'a Path) -> Option<(&'a Path, &'a Path)> {
    let ups = file.components().take_while(|part| *part == Component::ParentDir).count();
    let mut rest = file.components();
    rest.by_ref().take(ups).for_each(drop);
    Some((root.ancestors().nth(ups)?, rest.as_path()))
}

/// Whether no cache has a file, and one could be put there: outside of the environment's directory nothing is changed.
pub(super) fn lacks(file: &BrokenFile) -> bool {
    let is_within = !file.path.starts_with(Component::ParentDir.as_os_str());
    file.digest.is_some()
        && is_within
        && matches!(file.source, Err(Why::NoCandidate | Why::OtherContent { .. }))
}

/// The files of a distribution, relative to the environment, by the digests that its `RECORD` states.
fn rows(root: &Path, dist_info: &Path) -> FxHashMap<[u8; 32], PathBuf> {
    let listing = installed::listing(root, dist_info).unwrap_or_default();
    let files = listing.files.into_iter();
    files.filter_map(|file| Some((file.row.digest?, file.path))).collect()
}

/// What a file is, if it has the content; a symlink is its entry's, and none of the environment's own.
fn has(path: &Path, digest: &[u8; 32]) -> Option<FileStat> {
    let stat = FileStat::of(path).ok().filter(|stat| stat.kind == FileKind::File)?;
    let found = read::sha256(&read::open(path).ok()?, stat.size).ok()?;
    (found == *digest).then_some(stat)
}
