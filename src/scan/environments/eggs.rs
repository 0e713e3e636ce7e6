//! Distributions that have no `.dist-info`: Debian's packages and what setuptools installed by itself have an `.egg-info`.
//!
//! They come from no cache. Only `find` reports them.

use std::path::Path;

use crate::disk::read;
use crate::snapshot::{Distribution, DistributionState};
use crate::uv::distribution::{is_of_system, metadata_name_version, normalize};
use crate::uv::requirement::Requirement;

/// Lists those of a directory of distributions that meet a requirement. `site` is relative to the environment's root.
pub(super) fn of(root: &Path, site: &Path, wanted: &[Requirement]) -> Vec<Distribution> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let of_system = is_of_system(&root.join(site), None);
    let names =
        std::fs::read_dir(root.join(site)).into_iter().flatten().flatten().map(|item| item.file_name());
    let mut found: Vec<Distribution> = names
        .filter_map(|file| {
            let stem = file.to_str()?.strip_suffix(".egg-info")?;
            // The name alone may be without a version, and begins with the distribution's.
            let name = normalize(stem.split('-').next().unwrap_or(stem));
            wanted.iter().any(|wanted| wanted.name() == name).then_some(())?;
            let path = root.join(site).join(&file);
            let metadata = if path.is_dir() { path.join("PKG-INFO") } else { path };
            let (name, version) = metadata_name_version(&read::followed(&metadata, read::SMALL).ok()?);
            let (name, version) = (name?, version?);
            wanted.iter().any(|wanted| wanted.is_met_by(&name, &version)).then(|| Distribution {
                name: normalize(&name),
                version,
                dist_info: site.join(&file),
                state: DistributionState::Unknown,
                of_system,
                ..Distribution::default()
            })
        })
        .collect();
    found.sort_unstable_by(|one, other| one.dist_info.cmp(&other.dist_info));
    found
}
