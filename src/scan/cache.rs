//! Reads the cache: every entry, every pointer, and the bytes of everything else.
//!
//! Each entry and each bucket is one task; tasks run in parallel, each on one thread. A task adds to the thread's
//! [`Harvest`], so that nothing is locked while files are counted.

pub(super) mod bucket;
pub(super) mod entry;
pub(super) mod evidence;
mod pieces;
pub(super) mod target;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failed::Failed;
use super::index::Records;
use super::outside::Lead;
use super::share::SharedExtent;
use crate::disk::{self, FileKind, FileStat, Time};
use crate::snapshot::{EntryKey, EnvironmentKind, Odd, Piece, Problem};
use crate::uv::bucket::{self as bucket_names, Bucket, BucketKind};
use crate::uv::interpreter::InterpreterRecord;

/// What lies in the cache root.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) root: PathBuf,
    /// The root with every symlink resolved.
    pub(super) canonical: PathBuf,
    /// Everything in the root, ordered by name.
    pub(super) parts: Vec<Part>,
    /// The keys of all entries, ordered.
    pub(super) keys: Vec<EntryKey>,
    pub(super) problems: Vec<Problem>,
    pub(super) failed: Vec<Failed>,
    /// Whether it is not known of something in the root what it is.
    pub(super) unread: bool,
    /// The user the root belongs to.
    pub(super) owner: u32,
    /// Allocated bytes of the root and of the archive buckets' own directories.
    pub(super) disk: u64,
}

/// One thing in the cache root.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: OsString,
    pub(super) bucket: Option<Bucket>,
    pub(super) kind: FileKind,
    /// Whether it is a symlink to where the bucket was moved, or a mount, and nothing can be removed there.
    pub(super) moved: bool,
    /// Whether it is a symlink.
    pub(super) linked: bool,
}

/// What one thread brought from the cache.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    pub(super) records: Records,
    pub(super) entries: Vec<(usize, entry::Facts)>,
    pub(super) parts: Vec<(usize, bucket::Sums)>,
    pub(super) pointers: Vec<bucket::RawPointer>,
    /// What of buckets with an unknown number or kind is not understood.
    pub(super) odd: Vec<(usize, Odd)>,
    /// The objects of the content-addressed store.
    pub(super) objects: Vec<(PathBuf, FileStat)>,
    /// What lies in buckets and can go by itself.
    pub(super) pieces: Vec<Piece>,
    /// uv's records of interpreters, and when each was written.
    pub(super) recorded: Vec<(InterpreterRecord, Time)>,
    /// What leads into entries from a place of the cache in which uv keeps no pointers.
    pub(super) leads: Vec<Lead>,
    /// Environments that lie in the cache but not in an archive bucket.
    pub(super) environments: Vec<(PathBuf, Option<EnvironmentKind>)>,
    pub(super) shared: Vec<SharedExtent>,
    pub(super) problems: Vec<Problem>,
    /// Whether a bucket that holds pointers could not be read completely.
    pub(super) pointers_unread: bool,
    /// Where an environment may be named, and nobody can look.
    pub(super) unreached: Vec<PathBuf>,
    pub(super) failed: Vec<Failed>,
}

impl Layout {
    /// A cache that is not there has nothing in it.
    pub(super) fn missing(root: &Path) -> Self {
        Self { root: root.to_owned(), canonical: root.to_owned(), ..Self::default() }
    }

    /// Lists the cache root and its archive buckets.
    pub(super) fn read(root: &Path) -> Result<Self, super::Error> {
        let failed = |source| super::Error::Read(disk::Error::new("read the cache directory", root, source));
        let canonical = crate::disk::canonical(root).map_err(failed)?;
        let mut layout = Self { canonical, ..Self::missing(root) };
        for item in std::fs::read_dir(root).map_err(failed)? {
            let item = item.map_err(failed)?;
            let stat = match FileStat::of(&item.path()) {
                Ok(stat) => stat,
                Err(error) => {
                    let failed = Failed::of(&item.path(), "read the attributes", &error);
                    layout.unread |= failed.is_some();
                    layout.failed.extend(failed);
                    continue;
                }
            };
            // A bucket may have been moved to another disk, with a symlink in its place; uv follows it.
            let moved = stat.kind == FileKind::Symlink && item.path().is_dir();
            let bucket = (stat.kind == FileKind::Directory || moved)
                .then(|| Bucket::parse(&item.file_name()))
                .flatten();
            let kind = if moved && bucket.is_some() { FileKind::Directory } else { stat.kind };
            if stat.kind == FileKind::Symlink && !moved {
                layout.missing_bucket(&item.path());
            }
            layout.parts.push(Part {
                name: item.file_name(),
                moved: bucket.is_some() && !super::near::is_near(root, &item.file_name()),
                linked: stat.kind == FileKind::Symlink,
                bucket,
                kind,
            });
        }
        layout.parts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let names = || layout.parts.iter().map(|part| part.name.as_os_str());
        if !bucket_names::looks_like_cache(names()) && !bucket_names::may_be_emptied(names()) {
            return Err(super::Error::NotACache { path: root.to_owned() });
        }
        let top = FileStat::of(&layout.canonical);
        layout.owner = top.as_ref().map_or(0, |stat| stat.owner);
        layout.disk = top.map_or(0, |stat| stat.disk);
        let mut keys = Vec::new();
        for part in layout.parts.iter().filter(|part| part.is(BucketKind::Archive)) {
            let name: Arc<str> = part.name.to_string_lossy().into();
            layout.disk += FileStat::of(&layout.root.join(&part.name)).map_or(0, |stat| stat.disk);
            let failed = list_entries(&layout.root.join(&part.name), &name, &mut keys, &mut layout.problems);
            layout.failed.extend(failed);
        }
        keys.sort_unstable();
        layout.keys = keys;
        Ok(layout)
    }

    /// Takes note of a symlink in the place of a bucket that leads to no directory, as when a disk is not mounted: what lies in
    /// that bucket may lead to any entry, or name any environment.
    fn missing_bucket(&mut self, path: &Path) {
        let tells = Bucket::parse(path.file_name().unwrap_or_default()).is_some_and(|bucket| {
            bucket.kind.holds_pointers()
                || matches!(bucket.kind, BucketKind::Archive | BucketKind::Interpreter)
        });
        if tells && let Err(error) = std::fs::metadata(path) {
            self.unread = true;
            self.failed.push(Failed::named(path, "find the bucket that this symlink leads to", &error));
        }
    }

    /// The directory of an entry.
    pub(super) fn entry_path(&self, key: &EntryKey) -> PathBuf {
        let mut path = self.root.join(&*key.bucket);
        path.push(&key.id);
        path
    }
}

impl Part {
    /// Whether this is a bucket of a kind.
    pub(super) fn is(&self, kind: BucketKind) -> bool {
        self.bucket.is_some_and(|bucket| bucket.kind == kind)
    }
}

/// Lists the entries of a bucket; answers what of it failed.
fn list_entries(
    directory: &Path,
    bucket: &Arc<str>,
    keys: &mut Vec<EntryKey>,
    problems: &mut Vec<Problem>,
) -> Vec<Failed> {
    let mut failed = Vec::new();
    let mut fail = |path: &Path, operation, error: &std::io::Error| {
        problems.push(super::problem(path.to_owned(), operation, error));
        failed.extend(Failed::of(path, operation, error));
    };
    let items = match std::fs::read_dir(directory) {
        Ok(items) => items,
        Err(error) => {
            fail(directory, "read the directory", &error);
            return failed;
        }
    };
    let mut odd = Vec::new();
    for item in items {
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                fail(directory, "read the directory", &error);
                break;
            }
        };
        match item.file_type() {
            Ok(kind) if kind.is_dir() => {
                keys.push(EntryKey { bucket: Arc::clone(bucket), id: item.file_name() });
            }
            Ok(kind) => odd.push(Problem {
                path: item.path(),
                message: format!(
                    "A {} lies among the entries, where uv keeps only directories",
                    if kind.is_symlink() { "symlink" } else { "file" }
                ),
            }),
            Err(error) => fail(&item.path(), "read the attributes", &error),
        }
    }
    problems.append(&mut odd);
    failed
}
