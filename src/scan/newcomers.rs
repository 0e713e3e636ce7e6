//! What one place on disk uses of a cache, read again after a scan because it has changed since.
//!
//! A whole scan would tell too, but takes long, and on a busy machine some directory of distributions always changes. Here
//! only that place is read. A hardlink needs no reading: it shows on the entry's own files.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::control::Cancel;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, read};
use crate::snapshot::FilePrint;
use crate::uv::distribution as names;
use crate::uv::link;
use crate::uv::path_file;

/// What a place uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newcomers {
    /// The ids of entries that symlinks or `.pth` files there name.
    pub entries: BTreeSet<OsString>,
    /// Distributions that were installed since, by normalized name and version: copies and clones of an entry's files show
    /// nowhere else.
    pub distributions: BTreeSet<(String, String)>,
    /// The first thing that could not be read, so that the place may use anything.
    pub unread: Option<PathBuf>,
}

struct Reading<'a> {
    found: Newcomers,
    /// Changes before that time are those the scan has seen.
    since: i64,
    device: Option<u64>,
    cancel: &'a Cancel,
}

/// Reads a place again. `was` is what it was when the scan read it; none where nothing was there. One that is gone uses
/// nothing.
pub fn newcomers(place: &Path, was: Option<&FilePrint>, cancel: &Cancel) -> Newcomers {
    if std::fs::symlink_metadata(place).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Newcomers::default();
    }
    let since = was.map_or(i64::MIN, |print| print.changed.max(print.modified));
    let mut reading = Reading { found: Newcomers::default(), since, device: None, cancel };
    // An environment's root may be a symlink to where it really is.
    match crate::disk::canonical(place) {
        Ok(real) => walk::walk(&real, cancel, &mut reading),
        Err(_) => reading.unread(place.to_owned()),
    }
    if reading.cancel.is_cancelled() {
        reading.unread(place.to_owned());
    }
    reading.found
}

impl Reading<'_> {
    fn unread(&mut self, path: PathBuf) {
        self.found.unread.get_or_insert(path);
    }

    fn is_new(&self, stat: &FileStat) -> bool {
        stat.modified.0.max(stat.changed.0) >= self.since
    }

    fn names(&mut self, text: &Path) -> bool {
        let targets = link::archive_targets(text);
        let any = !targets.is_empty();
        self.found.entries.extend(targets.into_iter().map(|target| target.id));
        any
    }

    fn symlink(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let path = parent.path().join(name);
        match parent.read_link(name) {
            Ok(text) if self.names(&text) => return,
            Ok(_) => {}
            Err(_) => return self.unread(path),
        }
        match crate::disk::canonical(&path) {
            Ok(real) if self.names(&real) => {}
            // What a directory elsewhere holds is not read here; the scan has seen those that were there before.
            Ok(real) => {
                let outside =
                    real.is_dir() && !parent_root(parent).is_some_and(|root| real.starts_with(root));
                if outside && self.is_new(stat) {
                    self.unread(path);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if self.is_new(stat) => self.unread(path),
            Err(_) => {}
        }
    }
}

/// The directory the walk began in.
fn parent_root(parent: &Directory<'_>) -> Option<PathBuf> {
    let path = parent.path();
    path.ancestors().nth(parent.depth()).map(Path::to_owned)
}

impl Visitor for Reading<'_> {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        if *self.device.get_or_insert(stat.device) != stat.device {
            if self.is_new(stat) {
                self.unread(directory.path());
            }
            return Descend::No;
        }
        let name = directory.relative().file_name().and_then(names::parse_dist_info);
        if let Some(name) = name.filter(|_| self.is_new(stat)) {
            self.found.distributions.insert((names::normalize(&name.name), name.version));
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        match stat.kind {
            FileKind::Symlink => self.symlink(parent, name, stat),
            FileKind::File
                if Path::new(name).extension().is_some_and(|it| it == "pth" || it == "egg-link") =>
            {
                match parent.read(name, read::SMALL) {
                    Ok(bytes) => {
                        for path in path_file::paths(&bytes) {
                            self.names(&path);
                            if let Ok(real) = crate::disk::canonical(&parent.path().join(path)) {
                                self.names(&real);
                            }
                        }
                    }
                    Err(_) => self.unread(parent.path().join(name)),
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, path: PathBuf, _operation: &'static str, error: io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.unread(path);
        }
    }
}
