//! What lies in an environment as if it were installed, and is not: distributions of another Python that it once had, and
//! what conda has left of packages that it removed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::DistInfo;
use crate::disk::read;
use crate::scan::{conda, installed};
use crate::snapshot::{Environment, Leftover, LeftoverKind, Manager};
use crate::uv::distribution::installer;

/// Takes what is not installed out of the `.dist-info` directories of an environment, and answers what it is.
pub(super) fn take(root: &Path, environment: &Environment, dist_infos: &mut Vec<DistInfo>) -> Vec<Leftover> {
    let mut left = BTreeSet::new();
    let mut is_left = |path: &Path, kind| left.insert(Leftover { path: path.to_owned(), kind });
    if let Some(own) = own_python(root, environment) {
        dist_infos.retain(|dist_info| {
            let python = python_of(&dist_info.path).filter(|it| it.file_name() != Some(own.as_os_str()));
            !python.is_some_and(|python| {
                is_left(python, LeftoverKind::OtherPython);
                true
            })
        });
    }
    if environment.manager == Manager::Conda {
        let conda = Conda { root };
        dist_infos.retain(|dist_info| {
            let removed = conda.has_removed(&dist_info.path);
            if removed {
                is_left(&dist_info.path, LeftoverKind::Removed);
            }
            !removed
        });
    }
    left.into_iter().collect()
}

/// The directory of the Python that a `.dist-info` is installed for, as `lib/python3.12`.
fn python_of(dist_info: &Path) -> Option<&Path> {
    let python = dist_info.parent()?.parent()?;
    let library = python.parent()?.as_os_str();
    ["lib", "lib64"].iter().any(|it| library == *it).then_some(python)
}

/// The name of the directory of the Python that an environment has now, where that directory is there.
///
/// The interpreter tells it better than `pyvenv.cfg`: `python -m venv --upgrade` writes the new version there and keeps an
/// interpreter that is a symlink to the old one (Python 3.11).
fn own_python(root: &Path, environment: &Environment) -> Option<OsString> {
    if environment.manager == Manager::Target {
        return None;
    }
    let real = environment.interpreter.as_deref().filter(|_| environment.interpreter_alive);
    let of_interpreter = real.and_then(Path::file_name).map(OsString::from);
    let of_settings = environment.python.as_deref().and_then(|version| {
        let mut parts = version.split('.');
        Some(OsString::from(format!("python{}.{}", parts.next()?, parts.next()?)))
    });
    let mut names = [of_interpreter, of_settings].into_iter().flatten();
    // An interpreter that is called `python3` tells nothing.
    names.find(|name| root.join("lib").join(name).is_dir())
}

struct Conda<'a> {
    root: &'a Path,
}

impl Conda<'_> {
    /// Whether a `.dist-info` is what conda has left of a package: it has no `METADATA`, or conda wrote it and knows of no
    /// package that has it.
    fn has_removed(&self, dist_info: &Path) -> bool {
        let path = self.root.join(dist_info);
        // conda leaves directories that it does not list; one with nothing in it is of an interrupted uninstall.
        if installed::is_bare(&path) {
            return false;
        }
        let metadata = std::fs::symlink_metadata(path.join("METADATA"));
        if metadata.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return true;
        }
        let bytes = read::small(&path.join("INSTALLER"), read::SMALL).unwrap_or_default();
        installer(&bytes).as_deref() == Some("conda") && !self.has(dist_info)
    }

    /// Whether conda knows of a package with a `.dist-info`. What cannot be read may have it.
    fn has(&self, dist_info: &Path) -> bool {
        conda::describing(self.root, dist_info).map_or(true, |found| found.is_some())
    }
}
