//! Where conda and its kin keep environments, and what tells one.
//!
//! A base environment has the others below `envs`, and in `pkgs` what they were unpacked from, which is not installed. Every
//! environment that a conda has made is listed in `~/.conda/environments.txt` (conda 4.4 and later).

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::{Found, Place, Search, at};
use crate::disk::read;
use crate::snapshot::FoundBy;

/// Where packages are unpacked, relative to a base environment. Nothing there is installed.
pub(in crate::scan) const PACKAGES: &str = "pkgs";

/// What the directory of a base environment is called in a home, beside every name with `conda` in it.
const NAMES: [&str; 4] = ["mambaforge", "miniforge", "micromamba", "mamba"];

/// The places of environments that a home and the environment variables name.
pub(super) fn places(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Vec<Place> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut bases: Vec<PathBuf> = path("MAMBA_ROOT_PREFIX").into_iter().collect();
    let mut directories = Vec::new();
    let mut environments = Vec::new();
    for directory in home.into_iter().chain(cfg!(unix).then_some(Path::new("/opt"))) {
        let items = std::fs::read_dir(directory).into_iter().flatten().flatten();
        bases.extend(items.filter(|item| is_base(&item.file_name())).map(|item| item.path()));
    }
    for name in ["CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"] {
        directories.extend(variable(name).iter().flat_map(std::env::split_paths));
    }
    if let Some(home) = home {
        directories.push(home.join(".conda").join("envs"));
        let list = home.join(".conda").join("environments.txt");
        let text = read::followed(&list, read::SMALL).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
        environments.extend(lines.map(PathBuf::from).filter(|path| path.is_absolute()));
    }
    directories.extend(bases.iter().map(|base| base.join("envs")));
    environments.extend(bases);
    let directories = directories.into_iter().map(|path| (path, 1));
    let all = directories.chain(environments.into_iter().map(|path| (path, 0)));
    let place =
        |(path, depth)| Place { path, found_by: FoundBy::KnownPlace, reason: "conda", depth, named: false };
    let mut places: Vec<Place> = all.map(place).collect();
    places.sort_by(|one, other| one.path.cmp(&other.path));
    places
}

/// Whether a directory in a home, or in `/opt`, may be a base environment, by its name.
fn is_base(name: &OsStr) -> bool {
    let Some(name) = name.to_str().map(str::to_ascii_lowercase) else { return false };
    // `~/.conda` has only what belongs to the user of one.
    !name.starts_with('.') && (name.contains("conda") || NAMES.iter().any(|it| name.starts_with(it)))
}

/// Adds the environments below those that are base environments of conda.
pub(in crate::scan) fn add_below(search: &mut Search) {
    let bases: Vec<Found> =
        search.found.iter().filter(|it| !it.target && is_one(&it.path)).cloned().collect();
    for Found { path, found_by, .. } in bases {
        let directory = path.join("envs");
        let items = std::fs::read_dir(&directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        match items {
            Ok(items) => {
                for path in items.into_iter().map(|item| item.path()) {
                    search.take(&path, crate::disk::canonical(&path).and_then(|it| at(&it, found_by)));
                }
            }
            Err(error) => search.take(&directory, Err(error)),
        }
    }
}

/// Whether conda has made an environment.
pub(in crate::scan) fn is_one(path: &Path) -> bool {
    path.join("conda-meta").is_dir()
}

/// The version of Python that conda has installed into an environment, as `3.12.4`.
pub(in crate::scan) fn python(root: &Path) -> Option<String> {
    let items = std::fs::read_dir(root.join("conda-meta")).ok()?.flatten();
    let version = |name: OsString| match package(name.to_str()?)? {
        ("python", version) => Some(version.to_owned()),
        _ => None,
    };
    items.map(|item| item.file_name()).find_map(version)
}

/// Name and version in the name of what conda has written about a package, as `python-3.12.4-h194c7f8_0_cpython.json`.
pub(in crate::scan) fn package(file: &str) -> Option<(&str, &str)> {
    let (rest, _build) = file.strip_suffix(".json")?.rsplit_once('-')?;
    rest.rsplit_once('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_known_by_their_names() {
        for name in ["miniconda3", "Anaconda3", "mambaforge", "miniforge3", "micromamba", "my-conda"] {
            assert!(is_base(OsStr::new(name)), "{name}");
        }
        for name in [".conda", ".mamba", "projects"] {
            assert!(!is_base(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_package_is_told_from_its_version_and_build() {
        assert_eq!(package("python-3.12.4-h194c7f8_0.json"), Some(("python", "3.12.4")));
        assert_eq!(package("python-dateutil-2.9.0-pyhd8ed1ab_0.json"), Some(("python-dateutil", "2.9.0")));
        assert_eq!(package("history"), None);
    }
}
