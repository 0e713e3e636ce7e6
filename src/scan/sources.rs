//! Where entries came from, and whether that is still there.
//!
//! Pointers have only a digest of a URL or path. What settings, lock files, variables and the environments' `direct_url.json`
//! name is compared with it. What is not found so has no known source, and may be the last copy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::presence::{self, Presence};
use crate::disk::{FileKind, FileStat, Time, read};
use crate::snapshot::{EntryIndex, Evidence, Origin, PointerState, Project, Snapshot};
use crate::uv::distribution::{WheelFilename, file_path, normalize, same_version};
use crate::uv::shard;
use crate::uv::sources::{self, Locked, Place};
use crate::uv::url;

/// The largest lock file that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// Finds the places that pointers and lock files are about, and notes of each entry whether what it came from is there.
pub(super) fn look(snapshot: &mut Snapshot, named: &[Place]) {
    let wanted = wanted(snapshot);
    let mut candidates: BTreeSet<Place> = named.iter().cloned().collect();
    let all = snapshot.environments.iter().flat_map(|it| &it.distributions);
    let direct = all.filter_map(|it| it.direct_url.as_ref()).map(|it| it.url.clone());
    candidates.extend(direct.map(|url| Place { url, flat: false }));
    of_projects(snapshot, wanted.is_empty(), &mut candidates);
    let lists = lists(&snapshot.cache.path);
    let mut found: BTreeMap<String, Place> = BTreeMap::new();
    for place in &candidates {
        for digest in url::digests(&place.url).filter(|digest| wanted.contains(digest)) {
            let flat = place.flat || lists.contains(&digest) || is_list(place);
            found.insert(digest, Place { flat, ..place.clone() });
        }
    }
    snapshot.places = found;
    of_files(snapshot, &candidates);
    for number in 0..snapshot.entries.len() {
        let (gone, unlocated) = source(snapshot, EntryIndex::new(number));
        let source = &mut snapshot.entries[number].source;
        (source.gone, source.unlocated) = (gone, unlocated);
    }
}

/// The digests that something is to be found for.
fn wanted(snapshot: &Snapshot) -> BTreeSet<String> {
    let of_entries = snapshot.entries.iter().filter_map(|entry| entry.source.detail.clone());
    let dead = snapshot.pointers.iter().filter(|it| it.state != PointerState::Live);
    let of_pointers = dead.filter_map(|pointer| digest(&pointer.path));
    of_entries.chain(of_pointers).collect()
}

/// The digest in the place of a pointer.
fn digest(path: &Path) -> Option<String> {
    use shard::{SdistSource, WheelSource};
    match shard::place(path) {
        shard::Place::Wheel { source, .. } => match source {
            WheelSource::Pypi => None,
            WheelSource::Index(digest) | WheelSource::Url(digest) | WheelSource::Git(digest) => Some(digest),
        },
        shard::Place::BuiltWheel { source, .. } => match source {
            SdistSource::Pypi => None,
            SdistSource::Index(digest)
            | SdistSource::Url(digest)
            | SdistSource::Path(digest)
            | SdistSource::Editable(digest)
            | SdistSource::Git(digest) => Some(digest),
        },
        _ => None,
    }
}

/// The lists of files on the network that the cache knows, by digest.
fn lists(cache: &Path) -> BTreeSet<String> {
    let names = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|item| item.path()).collect()
    };
    let is_bucket = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("flat-index-v"))
    };
    let buckets = names(cache).into_iter().filter(is_bucket);
    let files = buckets.flat_map(|bucket| names(&bucket.join("html")));
    files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect()
}

/// Whether a place is a directory of wheels or source distributions, and no index on disk.
fn is_list(place: &Place) -> bool {
    let Some(path) = file_path(&place.url) else { return false };
    let names = std::fs::read_dir(path).into_iter().flatten().flatten().map(|item| item.file_name());
    names.into_iter().any(|name| name.to_str().is_some_and(is_package))
}

/// Takes what the projects of environments name, and notes which index their packages are from. Nothing is read where nothing
/// is to be found.
fn of_projects(snapshot: &mut Snapshot, nothing: bool, candidates: &mut BTreeSet<Place>) {
    let mut known: BTreeMap<PathBuf, Vec<Locked>> = BTreeMap::new();
    for environment in &mut snapshot.environments {
        let lacks = environment
            .distributions
            .iter()
            .any(|it| it.direct_url.is_none() && (it.entry.is_none() || it.local.is_some()));
        if nothing && !lacks {
            continue;
        }
        let project = match &environment.project {
            Project::Linked(path) | Project::Unlinked(path) | Project::There(path) => Some(path.as_path()),
            _ => environment.path.parent(),
        };
        let receipt = small(&environment.path.join("uv-receipt.toml"));
        candidates.extend(receipt.iter().flat_map(|text| sources::of_settings(text, &environment.path)));
        let Some(project) = project else { continue };
        let locked = known.entry(project.to_owned()).or_insert_with(|| {
            for name in ["pyproject.toml", "uv.toml"] {
                let text = small(&project.join(name));
                candidates.extend(text.iter().flat_map(|text| sources::of_settings(text, project)));
            }
            let text = read::followed(&project.join("uv.lock"), LONGEST).ok();
            let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
            let locked = text.map(|text| sources::of_lock(&text, project)).unwrap_or_default();
            candidates.extend(locked.iter().flat_map(|it| it.registry.iter().chain(&it.direct)).cloned());
            locked
        });
        for distribution in environment.distributions.iter_mut().filter(|it| it.direct_url.is_none()) {
            let is_it = |it: &&Locked| {
                it.name == distribution.name && it.version.as_ref() == Some(&distribution.version)
            };
            // One that is locked several times, as for several systems, may be from several places.
            let mut places = locked.iter().filter(is_it).map(|it| it.registry.clone());
            let first = places.next().flatten();
            if places.all(|other| other == first) {
                distribution.registry = first.map(|place| Place { flat: is_list(&place), ..place });
            }
        }
    }
}

/// Finds the files that distributions were installed from, in the directories that settings, variables and lock files name: by
/// name, version and the time that uv noted. Looks only where a pointer does not tell more.
fn of_files(snapshot: &mut Snapshot, candidates: &BTreeSet<Place>) {
    let mut listed: Option<Vec<(Place, Vec<PathBuf>)>> = None;
    for environment in &mut snapshot.environments {
        for distribution in &mut environment.distributions {
            let Some(changed) = distribution.local.and_then(|local| local.changed) else { continue };
            let listed = listed.get_or_insert_with(|| candidates.iter().filter_map(list).collect());
            let is_it = |file: &PathBuf| {
                let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                is_file_of(&distribution.name, &distribution.version, name) && written(file) == Some(changed)
            };
            // Clocks of files are coarse: of two that were written at once nothing tells which it was.
            let mut found = listed.iter().filter(|(_, files)| files.iter().any(is_it));
            if let (Some((place, _)), None) = (found.next(), found.next()) {
                distribution.registry = Some(place.clone());
            }
        }
    }
}

/// The wheels and source distributions in a directory.
fn list(place: &Place) -> Option<(Place, Vec<PathBuf>)> {
    let items = std::fs::read_dir(file_path(&place.url)?).ok()?.flatten();
    let packages = items.filter(|item| item.file_name().to_str().is_some_and(is_package));
    Some((Place { flat: true, ..place.clone() }, packages.map(|item| item.path()).collect()))
}

/// When a file was changed last, as uv notes it.
fn written(path: &Path) -> Option<i64> {
    let stat = FileStat::following(path).ok()?;
    Some(if cfg!(windows) { stat.modified.0 } else { stat.changed.0 })
}

fn is_package(name: &str) -> bool {
    [".whl", ".tar.gz", ".zip"].iter().any(|ending| name.ends_with(ending))
}

fn small(path: &Path) -> Option<String> {
    String::from_utf8(read::followed(path, read::SMALL).ok()?).ok()
}

/// What of an entry's source is gone, and whether it is an entry of which no source is known that is there.
fn source(snapshot: &Snapshot, index: EntryIndex) -> (Option<PathBuf>, bool) {
    let entry = snapshot.entry(index);
    if ![Origin::Path, Origin::Git, Origin::Editable, Origin::FindLinks].contains(&entry.source.origin) {
        return (None, false);
    }
    let users = snapshot.references_to(index).iter().filter(|it| it.evidence > Evidence::Name);
    let of_users = users.filter_map(|reference| {
        let environment = snapshot.environment(reference.environment);
        let distribution = environment.distributions.get(reference.distribution? as usize)?;
        Some(distribution.direct_url.as_ref()?.url.as_str())
    });
    let of_digest = entry.source.detail.as_ref().and_then(|digest| snapshot.places.get(digest));
    let mut urls: Vec<&str> = of_users.chain(of_digest.map(|place| place.url.as_str())).collect();
    urls.sort_unstable();
    urls.dedup();
    // A repository or list on another machine is asked by whoever needs it.
    if urls.iter().any(|url| file_path(url).is_none()) {
        return (None, false);
    }
    let paths: Vec<PathBuf> = urls.iter().filter_map(|url| file_path(url)).collect();
    let found: Vec<Presence> = paths.iter().map(|path| living(snapshot, index, path)).collect();
    if found.contains(&Presence::There) {
        return (None, false);
    }
    let gone = !found.is_empty() && found.iter().all(|it| *it == Presence::Gone);
    (if gone { paths.into_iter().next() } else { None }, !gone)
}

/// Whether what an entry came from is at a path: a file that has not changed since, a directory, or one that holds the file.
fn living(snapshot: &Snapshot, index: EntryIndex, path: &Path) -> Presence {
    let presence = presence::of(path);
    if presence != Presence::There {
        return presence;
    }
    let entry = snapshot.entry(index);
    if entry.source.origin == Origin::FindLinks {
        let names = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut names = names.filter_map(|item| item.file_name().into_string().ok());
        // An index on disk lists its files elsewhere.
        let is_there = names.any(|name| is_of(entry, &name)) || path.join("index.html").exists();
        return if is_there { Presence::There } else { Presence::Gone };
    }
    let Ok(stat) = FileStat::following(path) else { return Presence::Unknown };
    let newest = entry.pointers.iter().map(|pointer| snapshot.pointer(*pointer).print.modified).max();
    let written = newest.unwrap_or(i64::MAX);
    // The wheel that lies there now may be another one.
    let changed = stat.kind == FileKind::File && stat.changed > Time(written);
    if changed { Presence::Unknown } else { Presence::There }
}

/// Whether a file is the wheel or source distribution of an entry, by its name.
fn is_of(entry: &crate::snapshot::Entry, file: &str) -> bool {
    let (Some(name), Some(version)) = (&entry.name, &entry.version) else { return false };
    is_file_of(name, version, file)
}

/// Whether a file is a wheel or source distribution of a name and version, by its name.
fn is_file_of(name: &str, version: &str, file: &str) -> bool {
    if let Some(wheel) = WheelFilename::parse(file) {
        return normalize(&wheel.name) == name && same_version(&wheel.version, version);
    }
    let stem = [".tar.gz", ".zip"].iter().find_map(|ending| file.strip_suffix(ending));
    stem.and_then(|stem| stem.rsplit_once('-'))
        .is_some_and(|(of, it)| normalize(of) == name && same_version(it, version))
}
