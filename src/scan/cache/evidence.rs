//! Whether a bucket with an unknown number may be read by the rules of the newest known one.
//!
//! It may when everything in it has a form that these rules expect: every pointer can be read and agrees with the link
//! beside it, every file and directory lies where such files and directories lie. The first thing that does not, by its
//! path, is what the bucket is kept for, and everything with it. What uv itself leaves lying about counts for nothing: locks,
//! and temporary files of a run that was killed.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashMap;

use super::bucket::RawPointer;
use super::target::Target;
use crate::disk::FileKind;
use crate::snapshot::{Odd, PointerForm, link_beside};
use crate::uv::bucket::BucketKind;
use crate::uv::distribution::WheelFilename;
use crate::uv::interpreter::InterpreterRecord;
use crate::uv::shard::{self, Place, SDISTS};

/// Top-level directories of a bucket of wheels, and how many levels above a wheel's files lie below each.
const WHEELS: [(&str, usize); 4] = [("pypi", 2), ("index", 3), ("url", 3), ("git", 4)];

/// Collects what a bucket with an unknown number holds.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The bucket's name.
    name: OsString,
    /// Its kind; none where that is not known either.
    kind: Option<BucketKind>,
    /// Whether its number is known: then only what is called odd is.
    known: bool,
    first: Option<Odd>,
    /// The ids that links name, by the link's path.
    links: FxHashMap<PathBuf, OsString>,
    /// The ids that pointer files name.
    files: Vec<(PathBuf, String)>,
}

impl Evidence {
    /// Nothing is known yet of a bucket of this name and kind.
    pub(super) fn new(name: &OsStr, kind: Option<BucketKind>) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            known: false,
            first: None,
            links: FxHashMap::default(),
            files: Vec::new(),
        }
    }

    /// The same of a bucket with a known number, in which something odd was met all the same.
    pub(super) fn known(name: &OsStr, kind: Option<BucketKind>) -> Self {
        Self { known: true, ..Self::new(name, kind) }
    }

    /// Whether the bucket's number is known, so that nothing in it has to be proven.
    pub(super) fn is_of_known(&self) -> bool {
        self.known
    }

    /// Takes note of something odd. The first by its path is the one that is told, in whatever order they are met.
    pub(super) fn odd(&mut self, path: PathBuf, what: impl Into<String>) {
        if self.first.as_ref().is_none_or(|first| path < first.path) {
            self.first = Some(Odd { path, what: what.into() });
        }
    }

    fn unknown(&mut self, path: &Path) {
        self.odd(path.to_owned(), "has an unknown form");
    }

    /// A directory, relative to the cache's root.
    pub(super) fn directory(&mut self, path: &Path) {
        let names = below(path);
        if self.known || is_temporary(path) || names.is_empty() {
            return;
        }
        let is_known = match self.kind {
            None => false,
            Some(BucketKind::Wheels) => level(&WHEELS, &names).is_some_and(|most| names.len() <= most),
            Some(BucketKind::Sdists | BucketKind::BuiltWheels) => {
                // Where a link belongs a directory says that the layout is another.
                level(&SDISTS, &names).is_some_and(|shard| {
                    names.len() <= shard
                        || is_source(path)
                        || WheelFilename::parse_stem(names[names.len() - 1]).is_none()
                })
            }
            Some(BucketKind::Environments) => names.len() == 1 && is_digest(names[0]),
            Some(BucketKind::Interpreter) => names.len() == 1,
            Some(BucketKind::Files) => names.len() == 1 && names[0].len() == 2,
            Some(_) => true,
        };
        if !is_known {
            self.unknown(path);
        }
    }

    /// Anything but a directory, relative to the cache's root; `pointer` is what was made of it.
    pub(super) fn file(&mut self, path: &Path, kind: FileKind, pointer: Option<&RawPointer>) {
        if self.known || is_temporary(path) || path.parent().is_some_and(is_source) {
            return;
        }
        if kind == FileKind::Other {
            return self.odd(path.to_owned(), "is a FIFO, socket or device");
        }
        if let Some(pointer) = pointer {
            return self.pointer(pointer);
        }
        let names = below(path);
        let name = names.last().copied().unwrap_or_default();
        let is_file = kind == FileKind::File;
        let ends = |endings: &[&str]| is_file && endings.iter().any(|ending| name.ends_with(ending));
        let is_known = match (self.kind, shard::place(path)) {
            (Some(BucketKind::Wheels), Place::Wheel { .. }) => ends(&[".lock", ".msgpack"]),
            (Some(BucketKind::Sdists | BucketKind::BuiltWheels), Place::BuiltWheel { .. }) => {
                // What a revision says is read where it is met.
                is_revision(name) || ends(&[".lock", ".msgpack", ".whl"])
            }
            (Some(BucketKind::Environments), _) => ends(&[".lock"]),
            // As are the records.
            (Some(BucketKind::Interpreter), _) => ends(&[".lock", ".msgpack"]) && names.len() <= 2,
            (Some(BucketKind::Files), _) => is_file && crate::uv::bucket::is_object(path),
            // What they hold is no pointer, as far as any release has gone.
            (Some(BucketKind::Simple | BucketKind::FlatIndex), _) => !ends(&[".http", ".rev"]),
            (None | Some(BucketKind::Wheels | BucketKind::Sdists | BucketKind::BuiltWheels), _) => false,
            _ => true,
        };
        // Locks are no pointers wherever they lie, nor is what a file manager leaves.
        let is_harmless = self.kind.is_some() && (ends(&[".lock"]) || name == ".DS_Store");
        let is_mark = names.len() == 1 && [".git", ".gitignore", "CACHEDIR.TAG", ".lock"].contains(&name);
        if !is_known && !is_mark && !is_harmless {
            self.unknown(path);
        }
    }

    fn pointer(&mut self, pointer: &RawPointer) {
        let path = &pointer.path;
        // A link in a place where no release keeps any says as little as one that leads to no entry.
        let is_placed = matches!(
            pointer.place,
            Place::Wheel { .. } | Place::BuiltWheel { .. } | Place::CachedEnvironment
        );
        let link = match &pointer.target {
            Target::Path(target, _) if target.rest.as_os_str().is_empty() && is_placed => target.id.clone(),
            Target::Entry { id, .. } if is_placed => OsString::from(id),
            Target::Id(archive) => {
                self.files.push((path.clone(), archive.id.clone()));
                return;
            }
            Target::Path(..) | Target::Entry { .. } => return self.unknown(path),
            Target::Elsewhere(_) => return self.odd(path.clone(), "leads to no entry"),
            Target::Malformed(_) | Target::Unread(_) if pointer.form == PointerForm::LinkFile => {
                return self.unknown(path);
            }
            Target::Malformed(_) | Target::Unread(_) => {
                return self.odd(path.clone(), "cannot be read as a pointer");
            }
        };
        self.links.insert(path.clone(), link);
    }

    /// A record of an interpreter that could be read. One that names no whole paths may have its fields in another order.
    pub(super) fn record(&mut self, path: PathBuf, record: &InterpreterRecord) {
        let named = [Some(&record.prefix), record.executable.as_ref(), record.base_prefix.as_ref()];
        if !named.into_iter().all(|it| it.is_some_and(|it| is_whole(it))) {
            self.odd(path, "names no interpreter");
        }
    }

    /// What is odd about the bucket, now that everything in it was seen.
    pub(super) fn verdict(mut self) -> Option<Odd> {
        for (path, id) in std::mem::take(&mut self.files) {
            let beside = self.links.get(&link_beside(&path));
            if beside.is_none_or(|link| **link != *id) {
                self.odd(path, "disagrees with the link beside it");
            }
        }
        match self.kind {
            Some(_) => self.first,
            // Of a kind that is not known the bucket itself is what is odd, whatever lies in it.
            None => self.first.map(|odd| Odd { path: PathBuf::from(self.name), what: odd.what }),
        }
    }
}

/// The names of a path below its bucket; one that is not Unicode is empty, which no rule knows.
fn below(path: &Path) -> Vec<&str> {
    path.iter().skip(1).map(|name| name.to_str().unwrap_or_default()).collect()
}

fn level(known: &[(&str, usize)], names: &[&str]) -> Option<usize> {
    known.iter().find(|(word, _)| names.first() == Some(word)).map(|(_, level)| *level)
}

fn is_digest(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_revision(name: &str) -> bool {
    name == "revision.http" || name == "revision.rev"
}

/// Whether a path is that of a temporary file or directory of uv's, or lies in one.
fn is_temporary(path: &Path) -> bool {
    path.iter().skip(1).any(|name| name.as_encoded_bytes().starts_with(b".tmp"))
}

/// Whether a path of a bucket of source distributions is that of an unpacked one, or lies in it.
///
/// uv unpacks it into `src` beside what it builds; uv 0.4 and older into `source`, or a directory with the archive's own
/// name. The fourth component below the bucket is the earliest that can be either.
pub(super) fn is_source(path: &Path) -> bool {
    const ARCHIVES: [&str; 8] =
        [".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar", ".tar.lzma"];
    let kind = path.iter().next().and_then(crate::uv::bucket::Bucket::parse).map(|bucket| bucket.kind);
    matches!(kind, Some(BucketKind::Sdists | BucketKind::BuiltWheels))
        && path.iter().skip(4).filter_map(OsStr::to_str).any(|name| {
            name == "src" || name == "source" || ARCHIVES.iter().any(|ending| name.ends_with(ending))
        })
}

/// Whether a path is a whole one, of this platform or of Windows.
fn is_whole(path: &Path) -> bool {
    let drive = path.as_os_str().as_encoded_bytes();
    path.components().next() == Some(Component::RootDir)
        || path.is_absolute()
        || matches!(drive, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic())
}
