//! Finds what lies in an environment and is none of it: sources, repositories, configuration, data, other environments.
//!
//! An environment is what its maker and installers put there. Removing one must not cost a person the only copy of anything. Every file
//! is looked at: it belongs to the environment when a `RECORD` lists it, or when makers of environments and installers are known to
//! put it there without listing it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::environments::is_site_packages;
use super::installed::listing;
use super::other_caches::is_cache;
use crate::control::Cancel;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileStat, read, temporary};
use crate::uv::bucket;
use crate::uv::distribution::parse_dist_info;

/// What makers of environments put into the top directory, in lower case: uv, venv, virtualenv, tox, pipenv, virtualenvwrapper.
const TOP: &[&str] = &[
    "cachedir.tag",
    "lib64",
    "pip-selfcheck.json",
    "pyvenv.cfg",
    ".ds_store",
    ".gitignore",
    ".lock",
    ".project",
    ".tox-config1",
    ".tox-info.json",
];

/// What tox and nox keep in an environment of theirs.
const RUNNERS: &[&str] = &["log", "tmp", "dist", "file.lock"];

/// Programs that makers of environments write, in lower case, which may have a version behind: `python3.12`, `pip-3.11`.
const PROGRAMS: &[&str] = &["python", "pythonw", "pypy", "pip", "pydoc", "wheel", "easy_install", "𝜋thon"];

/// Scripts that makers of environments write, in lower case.
const SCRIPTS: &[&str] = &[
    "activate",
    "activate.bat",
    "activate.csh",
    "activate.fish",
    "activate.nu",
    "activate.ps1",
    "activate.xsh",
    "activate_this.py",
    "deactivate.bat",
    "deactivate.nu",
    "pydoc.bat",
    "python-config",
];

/// The hooks that virtualenvwrapper makes, which have nothing but comments at first.
const HOOKS: &[&str] = &["get_env_details", "postactivate", "postdeactivate", "preactivate", "predeactivate"];

/// What installers put into a directory of distributions and list nowhere.
const SITE: &[&str] = &["_virtualenv.py", "_virtualenv.pth", "easy-install.pth", "README.txt", ".DS_Store"];

/// The largest list of files that is read, in bytes.
const LIST: u64 = 16 << 20;

/// What lies in an environment and is none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// Files and directories that were not installed: relative paths, ordered. Of a directory with nothing of the environment in it
    /// only the directory.
    pub foreign: Vec<PathBuf>,
    /// Other environments, and caches: relative paths, ordered.
    pub others: Vec<PathBuf>,
}

/// Looks for what lies in an environment and is none of it.
///
/// # Errors
/// When something in it cannot be read.
pub fn inside(root: &Path) -> io::Result<Inside> {
    let mut looking = Looking { root: root.to_owned(), ..Looking::default() };
    walk::walk(root, &Cancel::default(), &mut looking);
    if let Some(error) = looking.failed {
        return Err(error);
    }
    let mut own: BTreeSet<PathBuf> = BTreeSet::new();
    for dist_info in &looking.dist_infos {
        // What lists nothing that can be read has nothing to show for itself.
        own.extend(listing(root, dist_info).into_iter().flat_map(|it| it.files).map(|file| file.path));
    }
    for egg in &looking.eggs {
        own.extend(of_egg(root, egg));
    }
    let (files, foreign): (Vec<PathBuf>, Vec<PathBuf>) =
        looking.files.into_iter().partition(|path| own.contains(path));
    // Directories in which something of the environment lies, or that it always has.
    let kept = files.iter().chain(&looking.makers).flat_map(|path| path.ancestors().skip(1));
    let mut homes: BTreeSet<PathBuf> = kept.map(Path::to_owned).collect();
    homes.extend(
        ["", "bin", "etc", "include", "lib", "share", "Scripts", "Lib", "Include"].map(PathBuf::from),
    );
    // A directory that is a symlink into an entry has files that are listed behind it.
    let behind: BTreeSet<&Path> = own.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let others: BTreeSet<PathBuf> = foreign.iter().filter_map(|path| other(root, path)).collect();
    let mut found = BTreeSet::new();
    for path in foreign.iter().filter(|path| !behind.contains(path.as_path())) {
        let above: Vec<&Path> =
            path.ancestors().skip(1).take_while(|above| !homes.contains(*above)).collect();
        found.insert(above.last().map_or(path.as_path(), |top| *top).to_owned());
    }
    Ok(Inside { foreign: found.into_iter().collect(), others: others.into_iter().collect() })
}

/// The environment or the cache that a file is the sign of. The sign of the environment itself lies in its top directory.
fn other(root: &Path, file: &Path) -> Option<PathBuf> {
    let above = file.parent().filter(|above| !above.as_os_str().is_empty())?;
    if above.file_name().is_some_and(|name| name == "conda-meta") {
        return above.parent().filter(|above| !above.as_os_str().is_empty()).map(Path::to_owned);
    }
    let is_other = match file.file_name()?.to_str()? {
        "pyvenv.cfg" => true,
        "CACHEDIR.TAG" => is_cache(&root.join(above)),
        _ => false,
    };
    is_other.then(|| above.to_owned())
}

/// Names that a home directory or a whole system has, and no environment.
const HOMES: &[&str] = &[
    ".bash_profile",
    ".bashrc",
    ".config",
    ".profile",
    ".ssh",
    ".zshrc",
    "AppData",
    "Users",
    "Windows",
    "home",
    "proc",
    "usr",
];

/// Why nothing may remove a directory or a link as an environment, whatever is allowed: as the rest of a sentence about it.
pub fn never(path: &Path, cache: &Path) -> Option<&'static str> {
    let real = crate::disk::canonical(path).unwrap_or_else(|_| path.to_owned());
    let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
    if path.parent().is_none()
        || !is_link && HOMES.iter().any(|name| path.join(name).symlink_metadata().is_ok())
    {
        return Some("it is a home directory, or the root of a system");
    }
    if !is_link && (cache.starts_with(path) || cache.starts_with(&real)) {
        return Some("the cache lies in it");
    }
    let above = path.parent().and_then(|above| crate::disk::canonical(above).ok());
    let lies_in_one = above.is_some_and(|above| above.ancestors().any(is_cache));
    (lies_in_one || bucket::lies_in_one(path)).then_some("it lies in a cache")
}

/// What a distribution without a wheel has, by the lists that `setup.py install` and pip wrote into its `.egg-info`.
fn of_egg(root: &Path, egg: &Path) -> Vec<PathBuf> {
    let text = |name: &str| read::followed(&root.join(egg).join(name), LIST).unwrap_or_default();
    let installed = text("installed-files.txt");
    let lines = String::from_utf8_lossy(&installed).into_owned();
    lines.lines().filter_map(|line| plain(&egg.join(line))).collect()
}

/// A path without `..`; none where it leads out.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => plain.pop().then_some(())?,
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    Some(plain)
}

#[derive(Default)]
struct Looking {
    root: PathBuf,
    /// Files and symlinks that belong to nothing unless a distribution lists them.
    files: Vec<PathBuf>,
    /// What makers and installers put there.
    makers: Vec<PathBuf>,
    dist_infos: Vec<PathBuf>,
    /// `.egg-info` directories, of what was installed without a wheel.
    eggs: Vec<PathBuf>,
    failed: Option<io::Error>,
}

impl Looking {
    /// Whether a file is one that makers of environments and installers put there without listing it.
    fn is_of_makers(&self, parent: &Directory<'_>, name: &OsStr) -> bool {
        let (directory, depth) = (parent.relative(), parent.depth());
        let lower = name.to_ascii_lowercase();
        let is_in = |names: &[&str]| names.iter().any(|it| lower == *it);
        let begins =
            |names: &[&str]| names.iter().any(|it| lower.as_encoded_bytes().starts_with(it.as_bytes()));
        let in_programs =
            depth == 1 && directory.file_name().is_some_and(|it| it == "bin" || it == "Scripts");
        let top = directory.iter().next().unwrap_or(name);
        has_ending(name, ".pyc") && directory.ends_with("__pycache__")
            || depth == 0 && (is_in(TOP) || begins(&[".cachetui", ".install_state_v"]))
            || in_programs
                && (is_in(SCRIPTS)
                    || is_program(&lower)
                    || is_in(HOOKS) && self.says_nothing(&directory.join(name)))
            || is_site_packages(directory)
                && (SITE.iter().any(|it| name == *it)
                    || has_ending(name, ".egg-link")
                    || has_ending(name, ".egg-info")
                    || has_ending(name, ".virtualenv")
                    || begins(&["__editable__"]))
            || directory.ancestors().any(is_installers)
            || RUNNERS.iter().any(|it| top == *it) && self.is_of_runner()
    }

    /// Whether tox or nox made the environment.
    fn is_of_runner(&self) -> bool {
        self.root.join(".tox-info.json").is_file()
            || self.root.iter().any(|name| name == ".tox" || name == ".nox")
    }

    /// Whether a script has nothing but comments.
    fn says_nothing(&self, path: &Path) -> bool {
        let text = read::small(&self.root.join(path), read::SMALL).unwrap_or_default();
        let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        !text.is_empty() && lines.all(|line| line.is_empty() || line.starts_with(b"#"))
    }
}

/// Whether a name in lower case is that of a program of makers, with or without a version. `pipeline` is none.
fn is_program(name: &OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let is_version = |rest: &str| rest.chars().all(|it| it.is_ascii_digit() || "._-tdw".contains(it));
    PROGRAMS.iter().filter_map(|program| name.strip_prefix(program)).any(is_version)
}

/// Whether everything in a directory is an installer's: metadata, an egg, what pip has renamed while it replaced it. These lie directly
/// among the distributions.
fn is_installers(directory: &Path) -> bool {
    let Some(name) = directory.file_name().filter(|_| directory.parent().is_some_and(is_site_packages))
    else {
        return false;
    };
    parse_dist_info(name).is_some()
        || has_ending(name, ".egg-info")
        || has_ending(name, ".egg")
        || name.as_encoded_bytes().starts_with(b"~")
}

impl Visitor for Looking {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        if temporary::is_temporary(name) {
            return Descend::No;
        }
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
        temporary::is_temporary(name) || temporary::is_of_uv(name)
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, _stat: &FileStat) {
        let path = parent.relative().join(name);
        // A `.dist-info` that a person made a symlink.
        if is_site_packages(parent.relative()) && parse_dist_info(name).is_some() {
            self.dist_infos.push(path);
        } else if self.is_of_makers(parent, name) {
            self.makers.push(path);
        } else {
            self.files.push(path);
        }
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, error: io::Error) {
        self.failed.get_or_insert(error);
    }
}

fn has_ending(name: &OsStr, ending: &str) -> bool {
    name.as_encoded_bytes().ends_with(ending.as_bytes())
}
