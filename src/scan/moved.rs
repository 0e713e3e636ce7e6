//! Environments that are not where they were: looks for them nearby, and decides whether one that is missing with its whole
//! project counts as away.
//!
//! A project that was moved takes its environment along, and the symlinks in there go on leading into the cache. Two things
//! catch that where nothing but uv's own record knows the environment. The look goes to the places where `mv` mostly puts
//! things, one directory up or down; what it finds is read like any other environment. And in a cache that is known to be
//! used by symlinks, what is missing with its project counts as away until it is found or forgotten. Elsewhere it counts as
//! gone: hardlinks show on the cache's own files, copies need nothing, and uv's records name hundreds of deleted projects.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Request;
use super::discover::Search;
use super::environments::Reading;
use super::presence;
use crate::disk::{self, FileKind, FileStat, volume};
use crate::snapshot::Snapshot;
use crate::uv::distribution::parse_dist_info;

/// How many names of one directory are looked at.
const NAMES: usize = 1_000;

/// Where environments are that may be the missing ones, every symlink resolved. Each directory is listed once, however much
/// is missing from it; nothing is listed where nothing is missing.
pub(super) fn nearby<'a>(missing: impl Iterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    look(missing, |path| FileStat::of(&path.join("pyvenv.cfg")).is_ok_and(|stat| stat.kind == FileKind::File))
}

/// The same for `--target` and `--prefix` directories, which nothing marks but the distributions in them.
pub(super) fn targets_nearby<'a>(missing: impl Iterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    look(missing, |path| names(path).iter().any(|name| parse_dist_info(name).is_some()))
}

fn look<'a>(missing: impl Iterator<Item = &'a Path>, is_one: fn(&Path) -> bool) -> BTreeSet<PathBuf> {
    let mut places: BTreeMap<PathBuf, Wanted> = BTreeMap::new();
    for path in missing.filter(|path| !presence::comes_and_goes(path)) {
        let Some(above) = presence::what_is_left(path) else { continue };
        let Ok(rest) = path.strip_prefix(above) else { continue };
        let mut parts = rest.components();
        let Some(first) = parts.next() else { continue };
        let rest = parts.as_path();
        let wanted = places.entry(above.to_owned()).or_default();
        wanted.rests.insert(rest.to_owned());
        wanted.by_name.entry(first.as_os_str().to_owned()).or_default().insert(rest.to_owned());
    }
    let mut found = BTreeSet::new();
    for (above, wanted) in &places {
        let Ok(above) = disk::canonical(above) else { continue };
        let Some(ground) = Ground::of(&above, is_one) else { continue };
        for directory in ground.directories(&above) {
            found.extend(wanted.rests.iter().filter_map(|rest| ground.environment(&directory, rest)));
            found.extend(wanted.within(&directory, &ground));
        }
        let Some(parent) = above.parent().filter(|parent| ground.holds(parent)) else { continue };
        found.extend(wanted.within(parent, &ground));
        let beside = ground.directories(parent);
        for directory in beside.iter().filter(|directory| **directory != above && !is_hidden(directory)) {
            found.extend(wanted.within(directory, &ground));
        }
    }
    found
}

/// What is missing from one directory.
#[derive(Debug, Default)]
struct Wanted {
    /// What follows the first name that is missing, as `.venv`.
    rests: BTreeSet<PathBuf>,
    /// The same by that name.
    by_name: BTreeMap<OsString, BTreeSet<PathBuf>>,
}

impl Wanted {
    /// The environments at the same paths in another directory.
    fn within(&self, directory: &Path, ground: &Ground) -> Vec<PathBuf> {
        // A few names are asked for one by one; of many the directory tells which it has.
        let few = self.by_name.len() <= 8;
        let names = if few { self.by_name.keys().cloned().collect() } else { names(directory) };
        let mut found = Vec::new();
        for (name, rests) in names.iter().filter_map(|name| self.by_name.get_key_value(name)) {
            let path = directory.join(name);
            if ground.has(&path) {
                found.extend(rests.iter().filter_map(|rest| ground.environment(&path, rest)));
            }
        }
        found
    }
}

/// The filesystem and mount that a look does not leave.
#[derive(Clone, Copy, Debug)]
struct Ground {
    device: u64,
    mount: Option<u64>,
    /// Whether a directory is what is looked for.
    is_one: fn(&Path) -> bool,
}

impl Ground {
    fn of(path: &Path, is_one: fn(&Path) -> bool) -> Option<Self> {
        Some(Self { device: FileStat::of(path).ok()?.device, mount: volume::mount(path), is_one })
    }

    /// Whether a path is a directory, and no symlink to one, of the same filesystem.
    fn has(&self, path: &Path) -> bool {
        FileStat::of(path).is_ok_and(|stat| stat.kind == FileKind::Directory && stat.device == self.device)
    }

    /// The same, on the same mount too.
    fn holds(&self, path: &Path) -> bool {
        self.has(path) && volume::mount(path) == self.mount
    }

    /// The directories in a directory.
    fn directories(&self, path: &Path) -> Vec<PathBuf> {
        let paths = names(path).into_iter().map(|name| path.join(name));
        paths.filter(|path| self.has(path)).collect()
    }

    /// The environment at a path below a directory, if there is one that no symlink and no other mount leads to.
    fn environment(&self, directory: &Path, rest: &Path) -> Option<PathBuf> {
        let mut path = directory.to_owned();
        for part in rest.components() {
            path.push(part);
            if !self.has(&path) {
                return None;
            }
        }
        ((self.is_one)(&path) && self.holds(&path)).then_some(path)
    }
}

/// Whether a directory is one that programs keep for themselves, as the temporary ones beside which another is missing.
fn is_hidden(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Names in a directory, as many as are looked at. What cannot be listed shows nothing.
fn names(directory: &Path) -> Vec<OsString> {
    let items = std::fs::read_dir(directory).into_iter().flatten().take(NAMES);
    items.flatten().map(|item| item.file_name()).collect()
}

/// Adds to what is away the environments that are missing with their projects, where the cache is known to be used by
/// symlinks.
pub(super) fn judge(search: &mut Search, request: &Request, readings: &[Reading], snapshot: &Snapshot) {
    let missing = std::mem::take(&mut search.missing);
    let mut missing: Vec<PathBuf> =
        missing.into_iter().filter(|it| it.with_project).map(|it| it.path).collect();
    if missing.is_empty() || !uses_symlinks(request, readings, snapshot) {
        return;
    }
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|path| !is_in_cache(path, readings, &snapshot.cache.canonical));
    for path in missing {
        search.away(&path);
    }
}

/// Whether an environment that is missing lies in the cache, and is recorded under the path that a container has for the cache.
fn is_in_cache(path: &Path, readings: &[Reading], cache: &Path) -> bool {
    let paths = readings.iter().flat_map(|reading| &reading.cache_paths);
    let mut below = paths.filter_map(|other| path.strip_prefix(other).ok());
    below.any(|rest| readings.iter().any(|reading| reading.environment.path == cache.join(rest)))
}

/// Whether anything shows that environments are linked to this cache by symlinks.
fn uses_symlinks(request: &Request, readings: &[Reading], snapshot: &Snapshot) -> bool {
    let remembered = || {
        let cache = &snapshot.cache.canonical;
        request.remembered.iter().any(|it| it.forgotten.is_none() && it.symlinks.contains(cache))
    };
    let reads = |reading: &Reading| {
        reading.environment.dangling > 0
            || !reading.named_elsewhere.is_empty()
            || reading.uses.iter().any(|used| used.counts.symlink > 0)
    };
    request.symlinks || !snapshot.user_links.is_empty() || readings.iter().any(reads) || remembered()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    fn environment(path: PathBuf) -> PathBuf {
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("pyvenv.cfg"), b"").unwrap();
        path
    }

    #[test]
    fn what_is_missing_is_looked_for_one_directory_up_and_down() {
        let directory = tempfile::tempdir().unwrap();
        let root = disk::canonical(directory.path()).unwrap();
        std::fs::create_dir_all(root.join("code/work")).unwrap();
        let missing = root.join("code/work/app/.venv");
        let look = || nearby(std::iter::once(missing.as_path())).into_iter().collect::<Vec<_>>();
        assert_eq!(look(), [] as [PathBuf; 0]);
        let mut there = vec![
            environment(root.join("code/work/renamed/.venv")),
            environment(root.join("code/work/old/app/.venv")),
            environment(root.join("code/app/.venv")),
            environment(root.join("code/archive/app/.venv")),
        ];
        // Not where it would be another one, or further away.
        environment(root.join("code/archive/other/.venv"));
        environment(root.join("code/work/deep/er/app/.venv"));
        environment(root.join("app/.venv"));
        environment(root.join("code/.tmpAbC123/app/.venv"));
        std::fs::create_dir_all(root.join("code/work/bare/.venv")).unwrap();
        there.sort_unstable();
        assert_eq!(look(), there);
    }

    #[test]
    fn an_environment_that_was_renamed_in_its_project_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = disk::canonical(directory.path()).unwrap();
        let renamed = environment(root.join("app/.venv-old"));
        let missing = root.join("app/.venv");
        assert_eq!(nearby(std::iter::once(missing.as_path())), BTreeSet::from([renamed]));
    }

    #[test]
    fn much_that_is_missing_from_one_directory_is_looked_for_by_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let root = disk::canonical(directory.path()).unwrap();
        std::fs::create_dir_all(root.join("code")).unwrap();
        let missing: Vec<PathBuf> =
            (0..300).map(|number| root.join(format!("code/app{number}/.venv"))).collect();
        let moved = environment(root.join("code/old/app271/.venv"));
        assert_eq!(nearby(missing.iter().map(PathBuf::as_path)), BTreeSet::from([moved]));
    }

    #[cfg(unix)]
    #[test]
    fn no_symlink_is_followed_on_the_way() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let root = disk::canonical(directory.path()).unwrap();
        std::fs::create_dir_all(root.join("code/linked")).unwrap();
        let elsewhere = environment(root.join("elsewhere/deep/app/.venv"));
        symlink(elsewhere.parent().unwrap(), root.join("code/other")).unwrap();
        symlink(&elsewhere, root.join("code/linked/.venv")).unwrap();
        let missing = root.join("code/app/.venv");
        assert_eq!(nearby(std::iter::once(missing.as_path())), BTreeSet::new());
    }
}
