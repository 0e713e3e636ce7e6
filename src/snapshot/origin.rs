//! Where the distributions in environments came from, as far as anything tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Distribution, Origin, PointerState, Snapshot};
use crate::uv::distribution::{DirectUrl, file_path, normalize};
use crate::uv::shard::{self, SdistSource, WheelSource, key_version};
use crate::uv::sources::Place;

/// Where a distribution came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CameFrom {
    /// A URL, path or repository, as its `direct_url.json` says.
    Direct(DirectUrl),
    /// `PyPI`.
    Pypi,
    /// Another index; the one that is meant, where that is known.
    Index(Option<Place>),
    /// A directory or list of files; the one that is meant, where that is known.
    FindLinks(Option<Place>),
    /// Nothing tells.
    #[default]
    Unknown,
}

/// A kind of place, and its digest where it has one.
type Told = (Kind, Option<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Pypi,
    Index,
    FindLinks,
}

/// What the pointers of a cache tell of what they were for.
///
/// One that leads to an entry tells only of what was installed from that entry: another distribution of the same name and
/// version, whose content the entry does not have, may be from another place.
pub struct Origins<'a> {
    snapshot: &'a Snapshot,
    /// By name and version.
    told: BTreeMap<(String, String), BTreeSet<Told>>,
}

impl<'a> Origins<'a> {
    /// Reads the pointers.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut told: BTreeMap<(String, String), BTreeSet<Told>> = BTreeMap::new();
        for pointer in snapshot.pointers.iter().filter(|pointer| pointer.state != PointerState::Live) {
            if let Some((name, version, found)) = of_pointer(&pointer.path) {
                told.entry((name, version)).or_default().insert(found);
            }
        }
        // A link tells less than the `.rev` beside it.
        for found in told.values_mut() {
            let local: BTreeSet<Option<String>> =
                found.iter().filter(|(kind, _)| *kind == Kind::FindLinks).map(|(_, it)| it.clone()).collect();
            found.retain(|(kind, digest)| *kind != Kind::Index || !local.contains(digest));
        }
        Self { snapshot, told }
    }

    /// Where a distribution of an environment came from.
    pub fn came_from(&self, distribution: &Distribution) -> CameFrom {
        if let Some(direct) = &distribution.direct_url {
            return CameFrom::Direct(direct.clone());
        }
        // What uv took from this machine came from no index on the network, whatever a lock file or a pointer says.
        let is_local = distribution.local.is_some();
        let fits = |place: &&Place| !is_local || file_path(&place.url).is_some();
        if let Some(entry) = distribution.entry.filter(|_| is_proven(distribution)) {
            let source = &self.snapshot.entry(entry).source;
            let kind = match source.origin {
                Origin::Pypi => Some(Kind::Pypi),
                Origin::Index => Some(Kind::Index),
                Origin::FindLinks => Some(Kind::FindLinks),
                _ => None,
            };
            if let Some(kind) = kind {
                let came = self.at((kind, source.detail.clone()));
                let found = distribution.registry.as_ref().filter(|place| is_local && fits(place));
                return match (&came, found) {
                    (CameFrom::FindLinks(None), Some(place)) => of_place(place),
                    _ => came,
                };
            }
        }
        // The lock file of the project says where its packages are from.
        if let Some(registry) = distribution.registry.as_ref().filter(fits) {
            return of_place(registry);
        }
        let key = (distribution.name.clone(), distribution.version.clone());
        let told = self.told.get(&key).into_iter().flatten();
        let told = told.filter(|(kind, _)| !is_local || *kind == Kind::FindLinks);
        match told.collect::<Vec<_>>().as_slice() {
            [only] => self.at((*only).clone()),
            _ if is_local => CameFrom::FindLinks(None),
            _ => CameFrom::Unknown,
        }
    }

    fn at(&self, (kind, digest): Told) -> CameFrom {
        let place = digest.and_then(|digest| self.snapshot.places.get(&digest));
        match (kind, place) {
            (Kind::Pypi, _) => CameFrom::Pypi,
            (_, Some(place)) => of_place(place),
            (Kind::Index, None) => CameFrom::Index(None),
            (Kind::FindLinks, None) => CameFrom::FindLinks(None),
        }
    }
}

/// Whether a distribution was installed from the entry that is attributed to it, and not from a namesake that has a few equal
/// files, as `WHEEL`: it has links to it, or hardly a file of its own.
fn is_proven(distribution: &Distribution) -> bool {
    let files = distribution.files;
    let linked = files.modes.hardlink + files.modes.symlink + files.modes.clone;
    let copies = files.modes.copy + files.unprovable;
    linked > 0 || copies > 0 && files.own * 4 <= copies
}

fn of_place(place: &Place) -> CameFrom {
    if place.url.trim_end_matches('/') == "https://pypi.org/simple" {
        CameFrom::Pypi
    } else if place.flat {
        CameFrom::FindLinks(Some(place.clone()))
    } else {
        CameFrom::Index(Some(place.clone()))
    }
}

/// What the place of a pointer tells: a name, a version and where that came from. Nothing for what has a `direct_url.json`.
fn of_pointer(path: &Path) -> Option<(String, String, Told)> {
    let local = path.extension().is_some_and(|it| it == "rev");
    let of_index = if local { Kind::FindLinks } else { Kind::Index };
    let (name, version, told) = match shard::place(path) {
        shard::Place::Wheel { source, package, key } => {
            let told = match source {
                WheelSource::Pypi => (Kind::Pypi, None),
                WheelSource::Index(digest) => (of_index, Some(digest)),
                WheelSource::Url(_) | WheelSource::Git(_) => return None,
            };
            let version = key_version(&key, &package)?;
            (package, version, told)
        }
        shard::Place::BuiltWheel { source, package, version, .. } => {
            let told = match source {
                SdistSource::Pypi => (Kind::Pypi, None),
                SdistSource::Index(digest) => (of_index, Some(digest)),
                _ => return None,
            };
            (package?, version?, told)
        }
        _ => return None,
    };
    Some((normalize(&name), version, told))
}
