//! Finds environments: by searching directories, and in the places where tools are known to keep them.
//!
//! An environment is a directory with a `pyvenv.cfg` (PEP 405) or a `conda-meta` directory; a search does not go into
//! one. Any other directory with a `*.dist-info` in it is an installation, as `--target` and `--prefix` make them. A search
//! stays on the mount it started on unless told otherwise, and skips directories that hold no environment by their name,
//! but not below a directory that was named. It goes through a symlink only where that lies directly in a directory that
//! was named; of every other symlink it notes where that leads, since what it leads into is in use. A `.venv` may also be a
//! file that holds a path: that is how a project names its central environment (uv 0.13.8, preview).

mod caches;
pub(super) mod conda;
mod places;
pub(super) mod pythons;
mod visitor;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::failed::Failed;
use super::other_caches::is_cache;
use super::outside::Lead;
use super::presence::Missing;
use crate::control::{Cancel, Progress};
use crate::disk::{self, FileStat, volume, walk};
use crate::snapshot::{FilePrint, FoundBy, Problem, ScopeRoot};

use places::DEPTH;
pub use places::{Place, again, environment, known_places, named, near_places, only};
use visitor::SearchVisitor;

/// Directories of the kernel.
pub(super) const KERNEL: &[&str] = &["/proc", "/sys", "/dev"];

/// An environment that may be there.
#[expect(clippy::struct_field_names, reason = "`found_by` is the snapshot's word")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its root, every symlink resolved.
    pub(super) path: PathBuf,
    pub(super) found_by: FoundBy,
    /// Whether it is a `--target` or `--prefix` directory, without a `pyvenv.cfg`.
    pub(super) target: bool,
}

/// What one search brought.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) found: Vec<Found>,
    /// Directories outside of environments that have distributions in them.
    pub(super) installations: Vec<Found>,
    /// Symlinks and path files outside of environments, which may lead into entries.
    pub(super) leads: Vec<Lead>,
    pub(super) roots: Vec<ScopeRoot>,
    pub(super) unread: Vec<PathBuf>,
    /// Where an environment is, or may be, that nobody can look at.
    pub(super) unreached: Vec<PathBuf>,
    pub(super) failed: Vec<Failed>,
    /// Other caches.
    pub(super) caches: Vec<PathBuf>,
    /// `.venv` that lead to environments which are gone.
    pub(super) dead: Vec<PathBuf>,
    /// `.venv` that lead to environments elsewhere, and those environments.
    pub(super) led: Vec<(PathBuf, PathBuf)>,
    pub(super) problems: Vec<Problem>,
    /// Where an environment was once and is none now.
    pub(super) absent: Vec<PathBuf>,
    /// Of those that are not there, the ones that are not known to be gone.
    pub(super) away: Vec<PathBuf>,
    /// Those that are looked for nearby, and judged when it is known how the cache is used.
    pub(super) missing: Vec<Missing>,
    /// Mounts that were not entered, and whether that was below a directory that was named.
    pub(super) mounts: Vec<(PathBuf, bool)>,
    /// Directories of distributions that have nothing of the cache.
    pub(super) bystanders: Vec<(PathBuf, FilePrint)>,
}

/// Searches one place.
pub(super) fn search(
    place: &Place,
    cache: &Path,
    cross_mounts: bool,
    cancel: &Cancel,
    progress: &Progress,
) -> Search {
    let mut search = Search::default();
    let canonical = match crate::disk::canonical(&place.path) {
        Ok(canonical) => canonical,
        Err(error) => {
            if leads_nowhere(&place.path).is_some() {
                search.dead.push(place.path.clone());
            }
            if place.named {
                search.problems.push(super::problem(place.path.clone(), "read the directory", &error));
                search.unread.push(place.path.clone());
            }
            search.not_searched(place.path.clone(), "read the directory", &error);
            if place.named || !is_absence(&error) {
                search.roots.push(place.root(place.path.clone(), false));
            }
            return search;
        }
    };
    search.take(&canonical, at(&canonical, place.found_by));
    if place.depth == 0 && !place.named && is_cache(&canonical) {
        search.caches.push(canonical);
        return search;
    }
    if place.depth == 0 && is_site(&canonical) {
        search.installations.push(Found { path: canonical, found_by: place.found_by, target: true });
        return search;
    }
    if place.depth == 0 {
        // A `.venv` above the current directory may lead to a central environment, or be a file that holds its path.
        search.follow(&place.path, place.found_by);
        return search;
    }
    search.roots.push(place.root(canonical.clone(), true));
    let mut visitor = SearchVisitor {
        search: &mut search,
        place,
        cache,
        cache_itself: FileStat::of(cache).ok().map(|stat| (stat.device, stat.inode)),
        cross_mounts,
        device: None,
        mount: volume::mount(&canonical),
        inside: None,
        linked: Vec::new(),
        progress,
    };
    walk::walk(&canonical, cancel, &mut visitor);
    let linked = visitor.linked;
    for directory in linked {
        let around = |one: &Path, other: &Path| one.starts_with(other) || other.starts_with(one);
        if around(&directory, &canonical) || directory.starts_with(cache) {
            continue;
        }
        let reason = "a symlink in a named directory";
        let further =
            Place { path: directory, depth: place.depth.min(DEPTH), named: false, reason, ..place.clone() };
        search.add(self::search(&further, cache, cross_mounts, cancel, progress));
    }
    search
}

/// What lies in a directory; nothing where it cannot be read.
pub(super) fn children(directory: &Path) -> Vec<PathBuf> {
    let items = std::fs::read_dir(directory).into_iter().flatten().flatten();
    items.map(|item| item.path()).collect()
}

/// Whether a directory is called as one of distributions is.
pub(super) fn is_site(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "site-packages" || name == "dist-packages")
}

/// The environment at a directory, if it is one. An error means that nobody can tell.
pub(super) fn at(path: &Path, found_by: FoundBy) -> io::Result<Option<Found>> {
    let there = |name: &str| match std::fs::metadata(path.join(name)) {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    };
    let is_one = there("pyvenv.cfg")? || there("conda-meta")?;
    Ok(is_one.then(|| Found { path: path.to_owned(), found_by, target: false }))
}

/// Whether an error says that nothing is there, and not that nobody can tell.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The environment that a `.venv` leads to: a symlink, or a file that holds a path (uv 0.13.8, where it cannot link).
pub(super) fn linked(path: &Path, found_by: FoundBy) -> io::Result<Option<Found>> {
    let metadata = std::fs::symlink_metadata(path)?;
    let target = if metadata.is_symlink() {
        crate::disk::canonical(path)?
    } else if metadata.is_file() {
        let bytes = disk::read::small(path, disk::read::SMALL)?;
        match (crate::uv::link_file::parse_venv_file(&bytes), path.parent()) {
            (Ok(text), Some(parent)) => crate::disk::canonical(&parent.join(text))?,
            _ => return Ok(None),
        }
    } else {
        return Ok(None);
    };
    at(&target, found_by)
}

/// Where a symlink, or a `.venv` file, says that it leads.
pub(super) fn leads_to(path: &Path) -> Option<PathBuf> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    if metadata.is_symlink() {
        return std::fs::read_link(path).ok();
    }
    let is_venv = metadata.is_file() && path.file_name().is_some_and(|name| name == ".venv");
    let bytes = is_venv.then(|| disk::read::small(path, disk::read::SMALL).ok())??;
    crate::uv::link_file::parse_venv_file(&bytes).ok()
}

/// Where a `.venv` leads whose environment is gone: the target of a symlink, or the path in a file.
pub fn leads_nowhere(path: &Path) -> Option<PathBuf> {
    if path.file_name()? != ".venv" {
        return None;
    }
    let target = leads_to(path)?;
    let gone = std::fs::metadata(path.parent()?.join(&target)).is_err_and(|error| is_absence(&error));
    gone.then_some(target)
}

impl Search {
    /// Adds what another search brought.
    pub(super) fn add(&mut self, other: Self) {
        self.found.extend(other.found);
        self.installations.extend(other.installations);
        self.leads.extend(other.leads);
        self.roots.extend(other.roots);
        self.unread.extend(other.unread);
        self.unreached.extend(other.unreached);
        self.failed.extend(other.failed);
        self.caches.extend(other.caches);
        self.dead.extend(other.dead);
        self.led.extend(other.led);
        self.problems.extend(other.problems);
        self.mounts.extend(other.mounts);
    }

    /// Takes over where a `.venv` leads that is no directory.
    fn follow(&mut self, path: &Path, found_by: FoundBy) {
        let answer = linked(path, found_by);
        if let Ok(Some(found)) = &answer {
            self.led.push((path.to_owned(), found.path.clone()));
        }
        self.take(path, answer);
    }

    /// Takes over what is at a path: an environment, nothing, or something that nobody can tell.
    pub(super) fn take(&mut self, path: &Path, answer: io::Result<Option<Found>>) {
        match answer {
            Ok(found) => self.found.extend(found),
            Err(error) if is_absence(&error) => {}
            Err(error) => self.out_of_reach(path, "look for an environment", &error),
        }
    }

    /// Tells of the mounts that were not entered, when all searches are done. One that was named as well was searched as a
    /// place of its own. Below a directory that was named anything may be in use in one that was not.
    pub(super) fn settle_mounts(&mut self) {
        let mut mounts = std::mem::take(&mut self.mounts);
        // Of one place the search from a named directory tells most.
        mounts.sort_unstable_by(|a, b| (&a.0, b.1).cmp(&(&b.0, a.1)));
        mounts.dedup_by(|a, b| a.0 == b.0);
        for (path, named) in mounts {
            if self.roots.iter().any(|root| root.named && root.readable && root.path == path) {
                continue;
            }
            if named && !volume::is_of_kernel(&path) {
                self.unreached.push(path.clone());
                self.problems.push(Problem {
                    path: path.clone(),
                    message: "Another filesystem is mounted here and was not searched, so entries without a known user are \
                              kept; `--cross-mounts` searches it"
                        .to_owned(),
                });
            }
            self.unread.push(path);
        }
    }

    /// Takes note of an environment that is not there and not known to be gone.
    pub(super) fn away(&mut self, path: &Path) {
        self.is_away(path, "An environment was");
    }

    /// The same for a link into an entry that lay outside of environments.
    pub(super) fn link_away(&mut self, path: &Path) {
        self.is_away(path, "A link into the cache was");
    }

    fn is_away(&mut self, path: &Path, what: &str) {
        self.unreached.push(path.to_owned());
        self.away.push(path.to_owned());
        self.problems.push(Problem {
            path: path.to_owned(),
            message: format!(
                "{what} here. It may be on a filesystem that is not mounted now, or may have been moved, so entries without \
                 a known user are kept. If it is gone, run `cachetui envs --forget` with this path"
            ),
        });
    }

    /// Takes note of where an environment is, or may be, that nobody can look at.
    pub(super) fn out_of_reach(&mut self, path: &Path, operation: &'static str, error: &io::Error) {
        self.unreached.push(path.to_owned());
        self.failed.extend(Failed::of(path, operation, error));
    }

    /// Takes note of what could not be searched below a searched directory: anything may be in use there.
    fn not_searched(&mut self, path: PathBuf, operation: &'static str, error: &io::Error) {
        if is_absence(error) {
            return;
        }
        self.unreached.push(path.clone());
        self.failed.push(Failed::named(&path, operation, error));
        self.unread.push(path);
    }
}

/// Removes what was found twice: by the first way it was found, ordered by path.
pub(super) fn unique(found: Vec<Found>) -> Vec<Found> {
    let mut by_path: BTreeMap<PathBuf, Found> = BTreeMap::new();
    for item in found {
        by_path
            .entry(item.path.clone())
            .and_modify(|known| {
                // That uv has it among its tools says more than any other way.
                let is_tool = [known.found_by, item.found_by].contains(&FoundBy::UvTools);
                let first = known.found_by.min(item.found_by);
                known.found_by = if is_tool { FoundBy::UvTools } else { first };
                known.target &= item.target;
            })
            .or_insert(item);
    }
    // The same tree may be seen through a bind mount; its links are there once.
    let mut seen = std::collections::BTreeSet::new();
    by_path.retain(|path, _| FileStat::of(path).map_or(true, |stat| seen.insert((stat.device, stat.inode))));
    by_path.into_values().collect()
}

/// Whether a file is a path file, by its name.
pub(super) fn is_path_file(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b".pth")
}
