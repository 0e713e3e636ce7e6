//! Finds what lies in an environment and is none of it: sources, repositories, other environments, a person's own modules.
//!
//! An environment is what its maker and installers put there. Whoever removes one does not expect to lose the only copy of anything.
//! Looked at are its top directory, its directories of distributions, and every directory for repositories and environments.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::environments::is_site_packages;
use super::installed::listing;
use crate::control::Cancel;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileStat, read, temporary};
use crate::uv::distribution::parse_dist_info;

/// What makers of environments put into the top directory, in lower case: uv, venv, virtualenv, tox, pipenv, virtualenvwrapper, and
/// what wheels and installers put beside that.
const TOP: &[&str] = &[
    "bin",
    "cachedir.tag",
    "doc",
    "etc",
    "include",
    "lib",
    "lib64",
    "local",
    "man",
    "pip-selfcheck.json",
    "pyvenv.cfg",
    "sbin",
    "scripts",
    "share",
    ".ds_store",
    ".gitignore",
    ".lock",
    ".project",
    ".tox-config1",
    ".tox-info.json",
];

/// What tox keeps in an environment of its own.
const TOX: &[&str] = &["log", "tmp"];

/// What installers put into a directory of distributions and list nowhere.
const SITE: &[&str] = &["__pycache__", "_virtualenv.py", "_virtualenv.pth", "easy-install.pth", "README.txt"];

/// Directories and files by which a version control system knows its working copy.
const REPOSITORIES: &[&str] = &[".git", ".hg", ".svn", ".jj", ".bzr"];

/// What an environment has that is none of it: relative paths, ordered. Of a directory that is none of it only the directory.
///
/// # Errors
/// When something in it cannot be read.
pub fn foreign(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut looking = Looking::default();
    walk::walk(root, &Cancel::default(), &mut looking);
    if let Some(error) = looking.failed {
        return Err(error);
    }
    let mut listed = BTreeSet::new();
    for dist_info in looking.dist_infos {
        let site = dist_info.parent().unwrap_or(Path::new(""));
        // What lists nothing that can be read has nothing to show for itself.
        for file in listing(root, &dist_info).into_iter().flat_map(|listing| listing.files) {
            listed.extend(file.path.iter().next().map(PathBuf::from));
            let below = file.path.strip_prefix(site).ok().and_then(|path| path.iter().next());
            listed.extend(below.map(|name| site.join(name)));
        }
    }
    for egg in looking.eggs {
        let site = egg.parent().unwrap_or(Path::new(""));
        let names = read::followed(&root.join(&egg).join("top_level.txt"), read::SMALL).unwrap_or_default();
        for name in String::from_utf8_lossy(&names).lines() {
            listed.extend([site.join(name), site.join(format!("{name}.py"))]);
        }
    }
    let mut found = looking.certain;
    found.extend(
        looking
            .unlisted
            .into_iter()
            .filter(|(path, holds)| *holds && !listed.contains(path))
            .map(|(path, _)| path),
    );
    // What lies in something that is named already says nothing more.
    let within = |path: &PathBuf| path.ancestors().skip(1).any(|above| found.contains(above));
    Ok(found.iter().filter(|path| !within(path)).cloned().collect())
}

#[derive(Default)]
struct Looking {
    /// What no environment has, whatever is listed.
    certain: BTreeSet<PathBuf>,
    /// What is foreign unless a distribution lists it, and whether it is, or holds, a file: wheels leave empty directories, and
    /// distributions that were uninstalled leave compiled modules.
    unlisted: BTreeMap<PathBuf, bool>,
    dist_infos: Vec<PathBuf>,
    /// `.egg-info` directories, of what was installed without a wheel.
    eggs: Vec<PathBuf>,
    failed: Option<io::Error>,
}

impl Looking {
    fn look(&mut self, parent: &Directory<'_>, name: &OsStr, is_file: bool) {
        let path = || parent.relative().join(name);
        if REPOSITORIES.iter().any(|it| name == *it) || name == "pyvenv.cfg" && parent.depth() > 0 {
            // A working copy or an environment is what it lies in.
            let lies_in = parent.relative().to_owned();
            self.certain.insert(if lies_in.as_os_str().is_empty() { path() } else { lies_in });
            return;
        }
        if parent.depth() == 0 && !is_of_top(&parent.path(), name)
            || is_site_packages(parent.relative()) && !is_of_site(name)
        {
            self.unlisted.insert(path(), false);
        }
        if is_file && !has_ending(name, ".pyc") && !self.unlisted.is_empty() {
            for above in path().ancestors() {
                if let Some(holds) = self.unlisted.get_mut(above) {
                    *holds = true;
                }
            }
        }
    }
}

impl Visitor for Looking {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        if temporary::is_temporary(name) {
            return Descend::No;
        }
        self.look(parent, name, false);
        if is_site_packages(parent.relative()) {
            let path = parent.relative().join(name);
            if parse_dist_info(name).is_some() {
                self.dist_infos.push(path);
            } else if has_ending(name, ".egg-info") {
                self.eggs.push(path);
            }
        }
        Descend::Yes
    }

    fn entered(&mut self, _directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        Descend::Yes
    }

    fn skips(&self, name: &OsStr, _is_symlink: bool) -> bool {
        temporary::is_temporary(name)
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, _stat: &FileStat) {
        self.look(parent, name, true);
        // uv links a `.dist-info` as a whole only where somebody else made the symlink.
        if is_site_packages(parent.relative()) && parse_dist_info(name).is_some() {
            self.dist_infos.push(parent.relative().join(name));
        }
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, error: io::Error) {
        self.failed.get_or_insert(error);
    }
}

fn is_of_top(root: &Path, name: &OsStr) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_in = |names: &[&str]| names.iter().any(|it| lower == *it);
    is_in(TOP)
        || is_in(TOX) && root.join(".tox-info.json").is_file()
        || name.as_encoded_bytes().starts_with(b".cachetui")
}

fn is_of_site(name: &OsStr) -> bool {
    SITE.iter().any(|it| name == *it)
        || parse_dist_info(name).is_some()
        || [".egg-info", ".egg-link", ".egg", ".virtualenv"].iter().any(|ending| has_ending(name, ending))
        || name.as_encoded_bytes().starts_with(b"__editable__")
}

fn has_ending(name: &OsStr, ending: &str) -> bool {
    name.as_encoded_bytes().ends_with(ending.as_bytes())
}
