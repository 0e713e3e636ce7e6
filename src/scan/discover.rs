//! Finds environments: by searching directories, and in the places where tools are known to keep them.
//!
//! An environment is a directory with a `pyvenv.cfg` (PEP 405) or a `conda-meta` directory; a search does not go into
//! one. Any other directory with a `*.dist-info` in it is an installation, as `--target` and `--prefix` make them. A search
//! stays on the mount it started on unless told otherwise, and skips directories that hold no environment by their name,
//! but not below a directory that was named. It goes through a symlink only where that lies directly in a directory that
//! was named; of every other symlink it notes where that leads, since what it leads into is in use. A `.venv` may also be a
//! file that holds a path: that is how a project names its central environment (uv 0.13.8, preview).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::failed::Failed;
use super::outside::Lead;
use super::presence::Missing;
use crate::control::{Cancel, Progress};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{self, FileKind, FileStat, volume};
use crate::snapshot::{FilePrint, FoundBy, Problem, ScopeRoot};
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::distribution::parse_dist_info;

/// A place to look for environments in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub path: PathBuf,
    /// How what lies there counts as found.
    pub found_by: FoundBy,
    /// Why it is searched, for people.
    pub reason: &'static str,
    /// How many levels below it are searched: 0 looks only at the directory itself.
    pub depth: usize,
    /// Whether its absence is worth a problem: somebody named it.
    pub named: bool,
}

/// Levels that are searched below directories nobody named; deep enough for any project's `.venv`.
const DEPTH: usize = 6;

/// Directories of the kernel.
pub(super) const KERNEL: &[&str] = &["/proc", "/sys", "/dev"];

/// Names of directories that hold much, and no environment that was made on purpose.
const SKIPPED: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".jj",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".rustup",
    ".cargo",
    ".npm",
    ".gradle",
    ".m2",
];

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

/// The places where environments are known to be kept, from what the environment variables say.
///
/// uv tools: `UV_TOOL_DIR`, else `$XDG_DATA_HOME/uv/tools` (uv 0.13.8). virtualenvwrapper: `WORKON_HOME`. pipx:
/// `PIPX_HOME`. Poetry: `POETRY_VIRTUALENVS_PATH`, `POETRY_CACHE_DIR`. Hatch: `HATCH_DATA_DIR`. Pipenv uses virtualenvwrapper's.
pub fn known_places(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Vec<Place> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let beneath = |rest: &str| home.map(|home| home.join(rest));
    let data = path("XDG_DATA_HOME").filter(|path| path.is_absolute()).or_else(|| beneath(".local/share"));
    let caches = path("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| beneath(".cache"));
    let in_data = |rest: &str| data.as_ref().map(|data| data.join(rest));
    let in_caches = |rest: &str| caches.as_ref().map(|caches| caches.join(rest));
    let tools = "uv tools";
    let wanted = [
        (path("UV_TOOL_DIR").or_else(|| in_data("uv/tools")), FoundBy::UvTools, tools, 1),
        (path("WORKON_HOME"), FoundBy::KnownPlace, "virtualenvwrapper", 1),
        (beneath(".virtualenvs"), FoundBy::KnownPlace, "virtualenvwrapper", 1),
        (in_data("virtualenvs"), FoundBy::KnownPlace, "Pipenv", 1),
        (path("PIPX_HOME").map(|pipx| pipx.join("venvs")), FoundBy::KnownPlace, "pipx", 1),
        (in_data("pipx/venvs"), FoundBy::KnownPlace, "pipx", 1),
        (beneath(".local/pipx/venvs"), FoundBy::KnownPlace, "pipx", 1),
        (path("POETRY_VIRTUALENVS_PATH"), FoundBy::KnownPlace, "Poetry", 1),
        (path("POETRY_CACHE_DIR").map(|poetry| poetry.join("virtualenvs")), FoundBy::KnownPlace, "Poetry", 1),
        (in_caches("pypoetry/virtualenvs"), FoundBy::KnownPlace, "Poetry", 1),
        (path("HATCH_DATA_DIR").map(|hatch| hatch.join("env")), FoundBy::KnownPlace, "Hatch", 4),
        (in_data("hatch/env"), FoundBy::KnownPlace, "Hatch", 4),
        (beneath(".pyenv/versions"), FoundBy::KnownPlace, "pyenv", 3),
        (beneath(".conda/envs"), FoundBy::KnownPlace, "conda", 1),
        (beneath("miniconda3/envs"), FoundBy::KnownPlace, "conda", 1),
        (beneath("anaconda3/envs"), FoundBy::KnownPlace, "conda", 1),
        (beneath("miniforge3/envs"), FoundBy::KnownPlace, "conda", 1),
        (path("VIRTUAL_ENV"), FoundBy::Variable, "VIRTUAL_ENV", 0),
        (path("CONDA_PREFIX"), FoundBy::Variable, "CONDA_PREFIX", 0),
        (
            path("UV_PROJECT_ENVIRONMENT").filter(|path| path.is_absolute()),
            FoundBy::Variable,
            "UV_PROJECT_ENVIRONMENT",
            0,
        ),
    ];
    let mut places: Vec<Place> = Vec::new();
    for (path, found_by, reason, depth) in wanted {
        let Some(path) = path else { continue };
        if !places.iter().any(|place| place.path == path) {
            places.push(Place { path, found_by, reason, depth, named: false });
        }
    }
    places
}

impl Place {
    /// What is told of it after the search.
    fn root(&self, path: PathBuf, readable: bool) -> ScopeRoot {
        ScopeRoot { path, reason: self.reason, readable, depth: self.depth, named: self.named }
    }
}

/// A directory that a plan had searched so many levels deep.
pub fn again(path: PathBuf, depth: usize, named: bool) -> Place {
    Place { path, found_by: FoundBy::Root, reason: "the plan", depth, named }
}

/// A directory that somebody named: searched to the bottom, and missed when it is not there.
pub fn named(path: PathBuf) -> Place {
    Place { path, found_by: FoundBy::Root, reason: "--root", depth: walk::MAX_DEPTH, named: true }
}

/// A directory that somebody says is an environment, or a project with one in it.
pub fn environment(path: PathBuf) -> Place {
    Place { path, found_by: FoundBy::Root, reason: "named", depth: 1, named: true }
}

/// The places that follow from where somebody is: the roots they named, the current directory and those above it.
///
/// The current directory is searched [`DEPTH`] levels deep; of the directories above it only their own environments
/// count (`.venv`, `venv`, `env`).
pub fn near_places(roots: &[PathBuf], current_dir: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = roots.iter().cloned().map(named).collect();
    let beneath = |path: &Path, depth, reason| Place {
        path: path.to_owned(),
        found_by: FoundBy::CurrentDirectory,
        reason,
        depth,
        named: false,
    };
    if current_dir.parent().is_some() {
        places.push(beneath(current_dir, DEPTH, "the current directory, 6 levels deep"));
    }
    for above in current_dir.ancestors().skip(1) {
        for name in [".venv", "venv", "env"] {
            places.push(beneath(&above.join(name), 0, "above the current directory"));
        }
    }
    places
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

/// Where a `.venv` leads whose environment is gone: the target of a symlink, or the path in a file.
pub fn leads_nowhere(path: &Path) -> Option<PathBuf> {
    if path.file_name()? != ".venv" {
        return None;
    }
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let target = if metadata.is_symlink() {
        std::fs::read_link(path).ok()?
    } else if metadata.is_file() {
        let bytes = disk::read::small(path, disk::read::SMALL).ok()?;
        crate::uv::link_file::parse_venv_file(&bytes).ok()?
    } else {
        return None;
    };
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
                known.found_by = known.found_by.min(item.found_by);
                known.target &= item.target;
            })
            .or_insert(item);
    }
    // The same tree may be seen through a bind mount; its links are there once.
    let mut seen = std::collections::BTreeSet::new();
    by_path.retain(|path, _| FileStat::of(path).map_or(true, |stat| seen.insert((stat.device, stat.inode))));
    by_path.into_values().collect()
}

struct SearchVisitor<'a> {
    search: &'a mut Search,
    place: &'a Place,
    cache: &'a Path,
    /// The device and inode of the cache's root, which may be seen through another mount.
    cache_itself: Option<(u64, u64)>,
    cross_mounts: bool,
    device: Option<u64>,
    mount: Option<u64>,
    /// Directories that symlinks in the named directory itself lead to.
    linked: Vec<PathBuf>,
    /// The environment met last, relative to the root: its subdirectories are not searched.
    inside: Option<PathBuf>,
    progress: &'a Progress,
}

impl SearchVisitor<'_> {
    fn is_refused(&self, path: &Path) -> bool {
        path == self.cache || KERNEL.iter().any(|kernel| path == Path::new(kernel))
    }

    /// Takes note of a `.dist-info`: the directory it lies in is an installation.
    fn listed(&mut self, parent: &Directory<'_>, name: &OsStr) {
        if parse_dist_info(name).is_none() {
            return;
        }
        let path = parent.path();
        if self.search.installations.last().is_none_or(|last| last.path != path) {
            self.search.installations.push(Found { path, found_by: self.place.found_by, target: true });
        }
    }

    /// Takes note of where a symlink leads: into an entry, to an environment, or to a directory that is searched too.
    fn symlink(&mut self, parent: &Directory<'_>, name: &OsStr) {
        let path = parent.path().join(name);
        let lead = match Lead::symlink(parent, name) {
            Ok(lead) => lead,
            Err(error) => return self.search.not_searched(path, "find where it leads", &error),
        };
        let directory = lead.directory();
        self.search.leads.push(lead);
        let directory = match directory {
            Ok(directory) => directory,
            Err(error) => return self.search.not_searched(path, "find where it leads", &error),
        };
        let Some(directory) = directory.filter(|directory| !directory.starts_with(self.cache)) else {
            return;
        };
        self.listed(parent, name);
        if name == ".venv" {
            return;
        }
        match at(&directory, self.place.found_by) {
            Ok(None) if self.place.named && parent.depth() == 0 => self.linked.push(directory),
            answer => self.search.take(&path, answer),
        }
    }
}

impl Visitor for SearchVisitor<'_> {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        let inside = self.inside.as_deref() == Some(parent.relative());
        if name == "conda-meta" && !inside {
            self.inside = Some(parent.relative().to_owned());
            let path = parent.path();
            self.search.take(&path, at(&path, self.place.found_by));
        }
        if !inside {
            self.listed(parent, name);
        }
        let skipped = inside
            || name == "conda-meta"
            || !self.place.named && SKIPPED.iter().any(|skipped| name == *skipped)
            || is_archive(name)
            || parent.depth() + 1 > self.place.depth
            || self.is_refused(&parent.path().join(name));
        if skipped { Descend::No } else { Descend::Yes }
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        if self.cache_itself == Some((stat.device, stat.inode)) {
            return Descend::No;
        }
        let device = *self.device.get_or_insert(stat.device);
        if device != stat.device && !self.cross_mounts {
            let path = directory.path();
            if self.mount.is_none() || volume::mount(&path) != self.mount {
                self.search.mounts.push((path, self.place.named));
                // Its subdirectories are not asked for: nothing was listed.
                return Descend::No;
            }
        }
        self.progress.add_directories(1);
        Descend::Yes
    }

    fn skips(&self, name: &OsStr, is_symlink: bool) -> bool {
        !is_symlink && name != "pyvenv.cfg" && name != ".venv" && !is_path_file(name)
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if stat.kind == FileKind::Symlink {
            self.symlink(parent, name);
        }
        if is_path_file(name) {
            match Lead::path_file(parent, name) {
                Ok(leads) => self.search.leads.extend(leads),
                Err(error) => self.search.not_searched(parent.path().join(name), "read the file", &error),
            }
        }
        if name == "pyvenv.cfg" {
            self.inside = Some(parent.relative().to_owned());
            self.search.found.push(Found {
                path: parent.path(),
                found_by: self.place.found_by,
                target: false,
            });
        } else if name == ".venv" {
            let path = parent.path().join(name);
            self.search.follow(&path, self.place.found_by);
            if leads_nowhere(&path).is_some() {
                self.search.dead.push(path);
            }
        }
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        // What vanished meanwhile holds no environment; a directory that may not be read may well hold one.
        self.search.not_searched(path, operation, &error);
    }
}

/// Whether a file is a path file, by its name.
pub(super) fn is_path_file(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b".pth")
}

/// Whether a directory is called as the buckets of entries are: what has distributions in there is an entry of another
/// cache, or of a copy of this one.
fn is_archive(name: &OsStr) -> bool {
    Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
}
