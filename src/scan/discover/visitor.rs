//! What a search takes from each directory it comes to.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::{Found, KERNEL, Place, Search, at, is_path_file, leads_nowhere};
use crate::control::Progress;
use crate::disk::walk::{Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, volume};
use crate::scan::outside::Lead;
use crate::uv::bucket::{Bucket, BucketKind, TRASH};
use crate::uv::distribution::parse_dist_info;

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

/// Walks one place.
pub(super) struct SearchVisitor<'a> {
    pub(super) search: &'a mut Search,
    pub(super) place: &'a Place,
    pub(super) cache: &'a Path,
    /// The device and inode of the cache's root, which may be seen through another mount.
    pub(super) cache_itself: Option<(u64, u64)>,
    pub(super) cross_mounts: bool,
    pub(super) device: Option<u64>,
    pub(super) mount: Option<u64>,
    /// Directories that symlinks in the named directory itself lead to.
    pub(super) linked: Vec<PathBuf>,
    /// The environment met last, relative to the root: its subdirectories are not searched.
    pub(super) inside: Option<PathBuf>,
    pub(super) progress: &'a Progress,
}

impl SearchVisitor<'_> {
    fn is_refused(&self, path: &Path) -> bool {
        path == self.cache || KERNEL.iter().any(|kernel| path == Path::new(kernel))
    }

    /// Whether a directory is a bucket of entries, of which is noted that a cache lies there.
    fn is_of_cache(&mut self, parent: &Directory<'_>, name: &OsStr) -> bool {
        let is_one = is_archive(name) && is_cache_beside(&parent.path());
        if is_one {
            self.search.caches.push(parent.path());
        }
        is_one
    }

    /// Takes note of a `.dist-info`: the directory it lies in is an installation.
    fn listed(&mut self, parent: &Directory<'_>, name: &OsStr) {
        if parse_dist_info(name).is_none() {
            return;
        }
        let path = parent.path();
        // An entry, as in a copy of a bucket without the rest of its cache: it is unpacked, and not installed.
        if path.parent().and_then(Path::file_name).is_some_and(is_archive) {
            return;
        }
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
        // What was removed is no environment any more, wherever a search begins.
        let skipped = inside
            || name == TRASH
            || name == "conda-meta"
            || !self.place.named && SKIPPED.iter().any(|skipped| name == *skipped)
            || self.is_of_cache(parent, name)
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

/// Whether a directory has what uv puts at the root of a cache beside its buckets of entries.
fn is_cache_beside(directory: &Path) -> bool {
    let mut items = std::fs::read_dir(directory).into_iter().flatten().flatten();
    items.any(|item| {
        let name = item.file_name();
        name == "CACHEDIR.TAG" || !is_archive(&name) && Bucket::parse(&name).is_some()
    })
}

/// Whether a directory is called as the buckets of entries are: what has distributions in there is an entry of another
/// cache, or of a copy of this one.
fn is_archive(name: &OsStr) -> bool {
    Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
}
