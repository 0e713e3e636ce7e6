//! Where installations of Python have their distributions: the system's, the user's own, pyenv's and uv's.
//!
//! uv records only those it was asked to use with this cache, and of none the directory of `pip install --user`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Place;
use crate::scan::belonging::sites;
use crate::snapshot::FoundBy;

/// The prefixes of a system.
const SYSTEM: [&str; 2] = ["/usr", "/usr/local"];

/// The directories of distributions that a home and the environment variables name.
pub(super) fn places(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>, data: Option<&Path>) -> Vec<Place> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let beneath = |rest: &str| home.map(|home| home.join(rest));
    let pyenv = path("PYENV_ROOT").or_else(|| beneath(".pyenv")).map(|root| root.join("versions"));
    let uv = path("UV_PYTHON_INSTALL_DIR").or_else(|| data.map(|data| data.join("uv").join("python")));
    let managed = [pyenv, uv].into_iter().flatten().flat_map(|directory| {
        let items = std::fs::read_dir(directory).into_iter().flatten().flatten();
        items.map(|item| item.path()).collect::<Vec<_>>()
    });
    let user = path("PYTHONUSERBASE").or_else(|| beneath(".local"));
    let system = SYSTEM.iter().filter(|_| cfg!(unix)).map(PathBuf::from);
    let mut all: Vec<PathBuf> = system.chain(user).chain(managed).flat_map(|prefix| sites(&prefix)).collect();
    all.sort_unstable();
    // uv and pyenv name one installation by several symlinks.
    all.dedup();
    let place = |path| Place {
        path,
        found_by: FoundBy::KnownPlace,
        reason: "an installation of Python",
        depth: 0,
        named: false,
    };
    all.into_iter().map(place).collect()
}
