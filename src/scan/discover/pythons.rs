//! Where installations of Python have their distributions: the system's, the user's own, pyenv's and uv's.
//!
//! uv records only those it was asked to use with this cache, and of none the directory of `pip install --user`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Place, children};
use crate::disk;
use crate::snapshot::FoundBy;

/// The prefixes of a system.
const SYSTEM: [&str; 2] = ["/usr", "/usr/local"];

/// The directories of distributions that a home and the environment variables name.
pub(super) fn places(
    variable: &dyn Fn(&str) -> Option<OsString>,
    home: Option<&Path>,
    data: Option<&Path>,
) -> Vec<Place> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let beneath = |rest: &str| home.map(|home| home.join(rest));
    let pyenv = path("PYENV_ROOT").or_else(|| beneath(".pyenv")).map(|root| root.join("versions"));
    let uv = path("UV_PYTHON_INSTALL_DIR").or_else(|| data.map(|data| data.join("uv").join("python")));
    let managed = [pyenv, uv].into_iter().flatten().flat_map(|directory| children(&directory));
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

/// The directories of distributions below a prefix, every symlink resolved: `site-packages`, on Debian `dist-packages`.
pub(in crate::scan) fn sites(prefix: &Path) -> Vec<PathBuf> {
    let mut sites = Vec::new();
    for library in ["lib", "lib64", "local/lib"] {
        let pythons = children(&prefix.join(library)).into_iter().filter(|path| is_of_python(path));
        let both = |python: PathBuf| ["site-packages", "dist-packages"].map(|name| python.join(name));
        sites.extend(pythons.flat_map(both));
    }
    if cfg!(windows) {
        sites.push(prefix.join("Lib").join("site-packages"));
    }
    let mut sites: Vec<PathBuf> = sites.iter().filter_map(|path| disk::canonical(path).ok()).collect();
    sites.retain(|path| path.is_dir());
    sites.sort_unstable();
    sites.dedup();
    sites
}

/// Whether a directory is called as that of the modules of a Python is, as `python3.12` or `pypy3.11`.
fn is_of_python(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b"python3") || name.starts_with(b"pypy3")
}
