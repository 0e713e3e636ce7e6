//! From the command line to a running scan.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::Places;
use super::failure::{FAILED, Failure, USAGE};
use super::settings::{self, Settings};
use super::surroundings::{self, Surroundings};
use crate::control::{Cancel, Progress};
use crate::disk::{self, walk};
use crate::lock::{Sharing, SurveyRequest};
use crate::plan;
use crate::scan::belonging::{self, Belonging};
use crate::scan::known::{self, Known};
use crate::scan::outline::outline;
use crate::scan::{self, Absent, discover, registry};
use crate::snapshot::{FoundBy, Problem, Snapshot};
use crate::uv::requirement::Requirement;
use crate::uv::root::{self, Root, RootInputs};
use crate::uv::sources::{self, Place};
use crate::worker::{self, ScanJob};

/// A scan that can be started as often as somebody wants to see it afresh.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    request: scan::Request,
    remember: Option<PathBuf>,
}

impl Prepared {
    /// Starts the scan; `now` is the time it starts at.
    pub(super) fn start(&self, now: jiff::Timestamp) -> ScanJob {
        let (request, remember) = self.request(now);
        worker::start_scan(request, remember)
    }

    /// What to scan from `now` on, with the environments that are remembered, and where to remember what is found.
    fn request(&self, now: jiff::Timestamp) -> (scan::Request, Option<PathBuf>) {
        let mut request = self.request.clone();
        request.started = now;
        let mut remember = self.remember.clone();
        if let Some(path) = &self.remember {
            match registry::read(path) {
                Ok(remembered) => request.remembered = remembered,
                Err(error) => {
                    // What cannot be understood is not overwritten either: it may name environments nobody else knows.
                    let message = format!(
                        "{error}; it is left as it is, and what has no known user is kept: `--no-remember` goes without it"
                    );
                    request.problems.push(Problem { path: path.clone(), message });
                    remember = None;
                }
            }
        }
        (request, remember)
    }

    /// The list of known environments, where it is kept.
    pub(super) fn registry(&self) -> Option<&Path> {
        self.remember.as_deref()
    }

    /// Reads the environments without their files, where they can be read so.
    pub(super) fn outline(
        &self,
        now: jiff::Timestamp,
        cancel: &Cancel,
        progress: &Progress,
    ) -> Option<Snapshot> {
        outline(&self.request(now).0, cancel, progress)
    }

    /// Finds environments without reading any.
    pub(super) fn known(&self, now: jiff::Timestamp) -> Known {
        known::known(&self.request(now).0, &Cancel::default())
    }
}

/// Notes of paths that what is missing there is gone.
pub(super) fn forget(places: &Places, paths: &[PathBuf], surroundings: &Surroundings) -> Result<(), Failure> {
    if paths.is_empty() {
        return Ok(());
    }
    let prepared = prepare(places, Absent::Empty, surroundings)?;
    let Some(path) = prepared.remember else {
        let text = "There is no list of environments to change: `--forget` does not go with `--no-remember`, and needs a home.";
        return Err(Failure::message(USAGE, text));
    };
    let paths = paths.iter().map(|path| super::commands::absolute(path, &surroundings.current_dir)).collect();
    worker::forget(&path, paths, surroundings.now).map_err(|error| Failure::new(FAILED, error))
}

/// Starts the scan that the arguments ask for. What in `named` is a directory is looked at too, wherever it is.
pub(super) fn start(
    places: &Places,
    named: &[PathBuf],
    absent: Absent,
    surroundings: &Surroundings,
) -> Result<ScanJob, Failure> {
    Ok(looking_at(places, named, absent, surroundings)?.start(surroundings.now))
}

/// Prepares the scan that the arguments ask for. What in `named` is a directory is looked at too, wherever it is.
pub(super) fn looking_at(
    places: &Places,
    named: &[PathBuf],
    absent: Absent,
    surroundings: &Surroundings,
) -> Result<Prepared, Failure> {
    let mut prepared = prepare(places, absent, surroundings)?;
    let named = named.iter().map(|path| super::commands::absolute(path, &surroundings.current_dir));
    for path in named.filter(|path| path.exists()) {
        prepared.look_at(&path);
    }
    Ok(prepared)
}

/// Starts looking for distributions. Nothing of it is remembered: environments without them are left out of what is found.
pub(super) fn start_finding(
    places: &Places,
    requirements: &[Requirement],
    surroundings: &Surroundings,
) -> Result<ScanJob, Failure> {
    let prepared = prepare(places, Absent::Empty, surroundings)?;
    let (mut request, _) = prepared.request(surroundings.now);
    request.wanted = requirements.to_vec();
    Ok(worker::start_scan(request, None))
}

impl Prepared {
    /// The same for some environments, or projects that hold them: nothing else is searched, and nothing of it is remembered.
    pub(super) fn only(mut self, directories: &[PathBuf]) -> Self {
        self.request.places.clear();
        self.remember = None;
        self.also(directories)
    }

    /// The same, and looks at some environments, or projects that hold them, wherever they are.
    pub(super) fn also(mut self, directories: &[PathBuf]) -> Self {
        for path in directories {
            self.look_at(path);
        }
        self
    }

    /// Looks at what a person has named too: an environment, or a project or an installation with all that belongs to it.
    fn look_at(&mut self, path: &Path) {
        let Belonging { environments, sites } = belonging::belonging(path);
        if path.is_dir() {
            self.request.places.push(discover::environment(path.to_owned()));
        }
        // What lies in the directory itself is found by looking there.
        let further = environments.into_iter().filter(|it| it != path && it.parent() != Some(path));
        self.request.places.extend(further.map(discover::only));
        self.request.targets.extend(sites);
    }

    /// The same, and looks where a plan had looked too. What somebody had named has to be there still; else it comes back.
    pub(super) fn searching(mut self, scope: &plan::Scope) -> Result<Self, PathBuf> {
        let canonical = |path: &Path| disk::canonical(path).unwrap_or_else(|_| path.to_owned());
        let mut known: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for place in &self.request.places {
            let depth = known.entry(canonical(&place.path)).or_default();
            *depth = place.depth.max(*depth);
        }
        let targets = scope.targets.iter().map(plan::At::path);
        let named = scope.searched.iter().filter(|it| it.named).map(|it| it.at.path());
        if let Some(gone) = targets.clone().chain(named).find(|path| !path.is_dir()) {
            return Err(gone);
        }
        let more =
            scope.searched.iter().filter(|it| known.get(&it.at.path()).is_none_or(|at| *at < it.depth));
        let more: Vec<_> = more.map(|it| discover::again(it.at.path(), it.depth, it.named)).collect();
        self.request.places.extend(more);
        self.request.targets.extend(targets);
        self.request.cross_mounts |= scope.cross_mounts;
        Ok(self)
    }

    /// The cache's root.
    pub(super) fn cache(&self) -> &Path {
        &self.request.cache.path
    }

    /// The cache's root, and by what it was found.
    pub(super) fn root(&self) -> &Root {
        &self.request.cache
    }

    /// What to ask about locks, without the environments, which only a scan or [`Self::known`] can tell.
    pub(super) fn survey(
        &self,
        places: &Places,
        surroundings: &Surroundings,
    ) -> Result<SurveyRequest, Failure> {
        let tools = self.request.places.iter().find(|place| place.found_by == FoundBy::UvTools);
        let above = surroundings.current_dir.ancestors().map(Path::to_owned);
        Ok(SurveyRequest {
            cache: self.cache().to_owned(),
            environments: Vec::new(),
            tools: tools.map(|place| place.path.clone()),
            temporary: Some(surroundings.temporary.clone()),
            projects: above.chain(self.request.places.iter().map(|place| place.path.clone())).collect(),
            directory: lock_directory(places, surroundings)?.map(|(path, _)| path),
            all: false,
        })
    }
}

/// Finds out which cache to scan and where to look for environments.
pub(super) fn prepare(
    places: &Places,
    absent: Absent,
    surroundings: &Surroundings,
) -> Result<Prepared, Failure> {
    let cache = cache(places, surroundings)?;
    let missing = std::fs::metadata(&cache.path).is_err_and(|error| disk::read::is_absent(&error));
    if missing && absent == Absent::Refused {
        let path = crate::human::path(&cache.path, surroundings.home.as_deref());
        return Err(Failure::no_cache(format!("There is no uv cache at `{path}` ({}).", cache.found_by)));
    }
    let variable = |name: &str| surroundings.variables.get(OsStr::new(name)).cloned();
    let home = surroundings.home.as_deref();
    let mut roots = Vec::new();
    for root in &places.roots {
        let root = absolute(root).map_err(|error| Failure::new(USAGE, error))?;
        // Whoever mistypes a directory must not lose what the environments in it use.
        let gone = std::fs::metadata(&root).is_err_and(|error| disk::read::is_absent(&error));
        if gone {
            let path = crate::human::path(&root, home);
            return Err(Failure::message(USAGE, format!("There is no directory at `{path}` (--root).")));
        }
        roots.push(root);
    }
    let mut search = discover::near_places(&roots, &surroundings.current_dir);
    search.extend(configured(&settings::read(surroundings)?, surroundings));
    search.extend(discover::known_places(&variable, home));
    let targets = places.targets.iter().map(|path| absolute(path)).collect::<Result<Vec<_>, _>>();
    let (sources, symlinks) = sources(surroundings);
    let request = scan::Request {
        cache,
        absent,
        places: search,
        targets: targets.map_err(|error| Failure::new(USAGE, error))?,
        remembered: Vec::new(),
        problems: Vec::new(),
        symlinks,
        sources,
        wanted: Vec::new(),
        cross_mounts: places.cross_mounts,
        options: options(places)?.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        threads: walk::threads(),
        started: surroundings.now,
        clock: surroundings::clock,
    };
    let remember = surroundings.state_dir.as_ref().filter(|_| !places.no_remember);
    Ok(Prepared { request, remember: remember.map(|directory| directory.join("environments.json")) })
}

/// Where cachetui's own lock files are: `--lock-dir`, `UV_LOCK_DIR`, else the state directory. None without a home.
pub(super) fn lock_directory(
    places: &Places,
    surroundings: &Surroundings,
) -> Result<Option<(PathBuf, Sharing)>, Failure> {
    let variable = || surroundings.variable("UV_LOCK_DIR").map(Path::new);
    let own = || Some((surroundings.state_dir.as_ref()?.join("locks"), Sharing::Own));
    match places.lock_dir.as_deref().or_else(variable) {
        Some(path) if path.as_os_str().is_empty() => {
            Err(Failure::message(USAGE, "`--lock-dir` is empty; give it a directory or leave it out."))
        }
        Some(path) => {
            let path = absolute(path).map_err(|error| Failure::new(USAGE, error))?;
            Ok(Some((path, Sharing::Named)))
        }
        None => Ok(own()),
    }
}

/// The options that say where to search and lock, for the commands that answers name and timers run: with fewer places something
/// else would be unused.
pub(super) fn options(places: &Places) -> Result<Vec<OsString>, Failure> {
    let mut options: Vec<OsString> = Vec::new();
    let locks = places.lock_dir.iter();
    let named = places.roots.iter().map(|path| ("--root", path));
    let named = named.chain(places.targets.iter().map(|path| ("--target", path)));
    for (option, path) in named.chain(locks.map(|path| ("--lock-dir", path))) {
        let path = absolute(path).map_err(|error| Failure::new(USAGE, error))?;
        options.extend([option.into(), path.into_os_string()]);
    }
    let flags = [("--cross-mounts", places.cross_mounts), ("--no-remember", places.no_remember)];
    options.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag.into()));
    Ok(options)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path)
        .with_context(|| format!("Failed to make `{}` absolute", crate::human::escape_os(path.as_os_str())))
}

/// Where packages are taken from, by the variables and settings that uv obeys here, and whether these say that environments
/// are linked by symlinks.
fn sources(surroundings: &Surroundings) -> (Vec<Place>, bool) {
    let variable = |name: &str| surroundings.variable(name)?.to_str().map(str::to_owned);
    let mut found = sources::of_variables(&variable, &surroundings.current_dir);
    let files = root::settings_files(&RootInputs {
        flag: None,
        variable: &|name| surroundings.variables.get(OsStr::new(name)).cloned(),
        read: &|_| None,
        is_dir: &|_| false,
        current_dir: &surroundings.current_dir,
        home: surroundings.home.as_deref(),
    });
    let mut symlinks = variable("UV_LINK_MODE").is_some_and(|mode| mode == "symlink");
    for file in files {
        // What is not there, or not read, names nothing.
        let bytes = disk::read::followed(&file, disk::read::SMALL).unwrap_or_default();
        let directory = file.parent().unwrap_or(&surroundings.current_dir);
        let Ok(text) = String::from_utf8(bytes) else { continue };
        symlinks |= sources::links_by_symlinks(&text);
        found.extend(sources::of_settings(&text, directory));
    }
    (found, symlinks)
}

fn cache(places: &Places, surroundings: &Surroundings) -> Result<Root, Failure> {
    // uv would wait for a FIFO, and fail over a directory. Going on without would be going on with another cache.
    let unfit = std::cell::RefCell::new(None);
    let read = |path: &Path| match disk::read::followed(path, disk::read::SMALL) {
        Ok(bytes) => String::from_utf8(bytes).ok(),
        Err(error) => {
            if disk::read::is_unfit(&error) {
                unfit.borrow_mut().get_or_insert(disk::Error::new("read the configuration", path, error));
            }
            None
        }
    };
    let found = root::resolve(&RootInputs {
        flag: places.cache_dir.as_deref(),
        variable: &|name| surroundings.variables.get(OsStr::new(name)).cloned(),
        read: &read,
        is_dir: &|path| path.is_dir(),
        current_dir: &surroundings.current_dir,
        home: surroundings.home.as_deref(),
    });
    match unfit.into_inner() {
        Some(error) => Err(Failure::new(FAILED, error)
            .hint("`--cache-dir DIR` names the cache without it, and so does `UV_CACHE_DIR`.")),
        None => found.map_err(|error| Failure::new(USAGE, error)),
    }
}

/// The roots of the settings; `~/` stands for the home directory there.
fn configured(settings: &Settings, surroundings: &Surroundings) -> Vec<discover::Place> {
    let places = settings.roots.iter().map(|root| surroundings.at_home(root));
    places.map(|path| discover::Place { reason: "the settings", ..discover::named(path) }).collect()
}
