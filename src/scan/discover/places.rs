//! The places where environments are looked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{caches, conda, pythons};
use crate::disk::walk;
use crate::snapshot::{FoundBy, ScopeRoot};

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
    /// Whether its absence is worth a problem: the user named it.
    pub named: bool,
}

/// Levels that are searched below directories that were not named; deep enough for any project's `.venv`.
pub(super) const DEPTH: usize = 6;

/// The places where environments are known to be kept, from what the environment variables say.
///
/// uv tools: `UV_TOOL_DIR`, else `$XDG_DATA_HOME/uv/tools` (uv 0.13.8). virtualenvwrapper: `WORKON_HOME`. pipx:
/// `PIPX_HOME`. Poetry: `POETRY_VIRTUALENVS_PATH`, `POETRY_CACHE_DIR`. Hatch: `HATCH_DATA_DIR`. Pipenv uses virtualenvwrapper's.
pub fn known_places(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Vec<Place> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let beneath = |rest: &str| home.map(|home| home.join(rest));
    let data = path("XDG_DATA_HOME").filter(|path| path.is_absolute()).or_else(|| beneath(".local/share"));
    let cached = path("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| beneath(".cache"));
    let in_data = |rest: &str| data.as_ref().map(|data| data.join(rest));
    let in_caches = |rest: &str| cached.as_ref().map(|cached| cached.join(rest));
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
    let more = conda::places(variable, home)
        .into_iter()
        .chain(pythons::places(variable, home, data.as_deref()))
        .chain(caches::places(variable, home, cached.as_deref()));
    for place in more {
        if !places.iter().any(|known| known.path == place.path) {
            places.push(place);
        }
    }
    places
}

impl Place {
    /// What is reported about it after the search.
    pub(super) fn root(&self, path: PathBuf, readable: bool) -> ScopeRoot {
        ScopeRoot { path, reason: self.reason, readable, depth: self.depth, named: self.named }
    }
}

/// A directory that a plan had searched so many levels deep.
pub fn again(path: PathBuf, depth: usize, named: bool) -> Place {
    Place { path, found_by: FoundBy::Root, reason: "the plan", depth, named }
}

/// A directory that the user named: searched to the bottom, and missed when it is not there.
pub fn named(path: PathBuf) -> Place {
    Place { path, found_by: FoundBy::Root, reason: "--root", depth: walk::MAX_DEPTH, named: true }
}

/// A directory that the user says is an environment, or a project with one in it.
pub fn environment(path: PathBuf) -> Place {
    Place { path, found_by: FoundBy::Root, reason: "named", depth: 1, named: true }
}

/// An environment that belongs to a directory that the user named; nothing below it is searched.
pub fn only(path: PathBuf) -> Place {
    Place { depth: 0, ..environment(path) }
}

/// The places that follow from where the user is: the roots they named, the current directory and those above it.
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
