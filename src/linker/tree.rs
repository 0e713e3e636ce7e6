//! Whole distributions linked into an environment, over what is there.
//!
//! # Order
//! 1. *Stage*: each file is made under a temporary name beside its destination, its content and what lies at the
//!    destination proven; a symlink that was seen there before only by the second look. 2. *Sync*: if anything has data of
//!    its own, the filesystem is synced once (each file, where that cannot be done). 3. *Commit*: what lies at each
//!    destination is looked at again, and the file renamed over it; then the directories are synced, or the filesystem
//!    where they are many. 4. The directories that `CPython` caches are touched.
//!
//! A crash in between leaves each file old or new, and temporary names that the next request takes away.
//!
//! # Locking
//! The caller holds the lock of the environment exclusively, and the cache's at least shared, for the whole call.
//!
//! # Limits
//! Each thread works on one directory after the other: a handful of open files at any time, whatever the tree. Memory is
//! a name and a few numbers per file. Between the second look at a destination and the rename lies one system call.

mod already;
mod bytes;
mod commit;
pub(super) mod content;
mod items;
mod stage;
mod sweep;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::mode::Refused;
use super::{Error, Root};
use crate::control::{Cancel, Progress};
use crate::disk::metadata::Loss;
use crate::disk::{FileStat, walk};
use crate::snapshot::{FilePrint, Identity, Mode, ModeCounts};

pub use bytes::Moved;
pub use items::{is_private, items_of};
use stage::Staged;
pub(super) use sweep::sweep;

/// What is to be linked where.
#[derive(Clone, Debug)]
pub struct TreeRequest {
    /// The cache entry, as the caller names the cache: symlinks get this path, made absolute, as uv writes them.
    pub entry: PathBuf,
    /// Which directory that is; none where the path says enough. Only its last component is known not to be a symlink.
    pub identity: Option<Identity>,
    /// The directory that nothing leaves: the environment's root. Its last component must not be a symlink.
    pub root: PathBuf,
    /// The wanted mode; where it is refused it becomes what uv falls back to.
    pub mode: Mode,
    /// The files. One destination appears once.
    pub items: Vec<Item>,
    /// Directories, relative to the root, whose modification time is set to the present if anything changed:
    /// `site-packages`. The path finder keeps a listing of each directory until its modification time changes
    /// (documentation of Python's `importlib.invalidate_caches`).
    pub touch: Vec<PathBuf>,
}

/// One file of a request.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its path in the entry.
    pub source: PathBuf,
    /// Its path beneath the root.
    pub destination: PathBuf,
    /// Whether it may be a link.
    pub kind: Kind,
    /// What must be at the destination.
    pub expect: Expect,
    /// The SHA-256 the source must have; it is taken from the very file that is then linked.
    pub digest: Option<[u8; 32]>,
    /// What identifies the source as it was when somebody found it to have that digest, if no write can leave that as it is.
    /// While it is the same, the digest is not taken again.
    pub hashed: Option<FilePrint>,
}

/// Whether a file may be a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is linked by the request's mode.
    Link,
    /// It is always copied, because the environment or an installer writes to it: see [`is_private`], and scripts that
    /// were rewritten.
    Private,
}

/// What must be at a destination; otherwise it is left alone.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// Nothing, or anything but a directory.
    NoDirectory,
    /// A file with the source's content, or a symlink that leads to the source. What has another content is reported as
    /// modified, what is missing as stale.
    SameContent,
    /// What was seen when the plan was made: device, inode, kind, size, modification time, and the number of links as far
    /// as this request has not changed it itself.
    Stat(FileStat),
}

/// What became of a request. Paths are whole paths of destinations, unless said otherwise.
#[derive(Debug, Default)]
pub struct TreeReport {
    /// Files that were made, by the mode that worked.
    pub made: ModeCounts,
    /// Files that were as wanted already, and were left alone.
    pub already: u64,
    /// Modes that were refused, each told once.
    pub refused: Vec<Refused>,
    /// Files that are no hardlinks because the file in the cache can have no more links. The cache's file stays.
    pub link_limit: Vec<PathBuf>,
    /// Files that were left alone because their content is not the source's.
    pub modified: Vec<PathBuf>,
    /// Files that were left alone because something else was there than expected.
    pub stale: Vec<PathBuf>,
    /// Files that were left alone because they have what would be lost, each with what that is.
    pub kept: Vec<(PathBuf, Loss)>,
    /// What failed. One error may concern all files of a directory: it is told once.
    pub failed: Vec<Error>,
    /// Files that were not made because of [`TreeReport::failed`]; what was there before is still there.
    pub unmade: u64,
    /// Whether the work was stopped before its end; the files that nothing is said about are as they were.
    pub cancelled: bool,
    /// Logical bytes of files that were copied. Where the filesystem can, a copy shares its bytes all the same.
    pub bytes_copied: u64,
    /// Logical bytes of files that were made and share their bytes with the cache.
    pub bytes_shared: u64,
    /// Temporary names of an earlier run that were removed.
    pub swept: u64,
    /// The allocated bytes that came free, and that were taken.
    pub moved: Moved,
}

impl TreeReport {
    /// Whether every file is now as it was wanted, or differs only in its mode.
    pub fn is_complete(&self) -> bool {
        !self.cancelled
            && [self.failed.is_empty(), self.modified.is_empty(), self.stale.is_empty(), self.kept.is_empty()]
                .iter()
                .all(|empty| *empty)
    }

    /// The report of a request that could not be begun.
    fn unopened(error: Error, request: &TreeRequest) -> Self {
        Self { failed: vec![error], unmade: request.items.len() as u64, ..Self::default() }
    }

    fn count(&mut self, mode: Mode, size: u64) {
        let (files, bytes) = match mode {
            Mode::Clone => (&mut self.made.clone, &mut self.bytes_shared),
            Mode::Hardlink => (&mut self.made.hardlink, &mut self.bytes_shared),
            Mode::Symlink => (&mut self.made.symlink, &mut self.bytes_shared),
            Mode::Copy => (&mut self.made.copy, &mut self.bytes_copied),
        };
        *files += 1;
        *bytes += size;
    }
}

/// Links the files of an entry into an environment. See the documentation of [this module](self).
///
/// A file that takes the place of another one keeps its owner, permissions and attributes; where it cannot, as a link that
/// has those of the source, the file there stays. One file that fails does not stop the others. A request that wants what is there already changes nothing, not even a
/// time. `progress` counts each file that has been staged or found to be as wanted, and its bytes.
///
/// `root` is held open, because its path may lead elsewhere by now; the request's own path of it only appears in texts.
pub fn link_tree(root: &Root, request: &TreeRequest, cancel: &Cancel, progress: &Progress) -> TreeReport {
    match Root::open_as(&request.entry, request.identity) {
        Ok(entry) => link_beneath(&entry, root, request, cancel, progress),
        Err(error) => TreeReport::unopened(error, request),
    }
}

/// Does the same for several requests into one environment, on several threads, and answers with a report for each, in
/// their order. `root` is the root of all of them; their own paths of it only appear in texts.
///
/// Everything is staged before anything is renamed, and each filesystem is synced once for all of them. The requests do
/// not know of each other: of two that want one destination one ends as stale.
pub fn link_trees(
    root: &Root,
    requests: &[TreeRequest],
    threads: usize,
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<TreeReport> {
    let (changes, swept) = sweep::sweep_before(root, requests, threads);
    let stage = |request: &TreeRequest| {
        let entry = Root::open_as(&request.entry, request.identity);
        let staged = entry.and_then(|entry| stage(&entry, root, request, &changes, cancel, progress));
        staged.unwrap_or_else(|error| Staged::from(TreeReport::unopened(error, request)))
    };
    let mut trees = walk::map(requests, threads, stage);
    for (tree, swept) in trees.iter_mut().zip(swept) {
        tree.report.swept = swept.swept;
        tree.report.failed.splice(0..0, swept.failed);
    }
    finish(root, requests, trees, threads, cancel)
}

/// One request with both ends open already; its paths of them only appear in texts.
pub(super) fn link_beneath(
    entry: &Root,
    root: &Root,
    request: &TreeRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> TreeReport {
    let requests = std::slice::from_ref(request);
    let (changes, mut swept) = sweep::sweep_before(root, requests, 1);
    let swept = swept.pop().expect("there is a report for each request");
    let mut tree = match stage(entry, root, request, &changes, cancel, progress) {
        Ok(staged) => staged,
        Err(error) => Staged::from(TreeReport::unopened(error, request)),
    };
    tree.report.swept = swept.swept;
    tree.report.failed.splice(0..0, swept.failed);
    let mut reports = finish(root, requests, vec![tree], 1, cancel);
    reports.pop().expect("there is a report for each request")
}

fn stage(
    entry: &Root,
    root: &Root,
    request: &TreeRequest,
    changes: &stage::LinkChanges,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Staged, Error> {
    let text = std::path::absolute(&request.entry)
        .map_err(|error| Error::new("make the path absolute", &request.entry, error))?;
    let mut staging =
        stage::Staging::new(entry, root, &text, request.mode, changes.clone(), cancel, progress);
    staging.stage(&request.items);
    Ok(staging.finish())
}

/// Commits what was staged, and lets `CPython` notice.
fn finish(
    root: &Root,
    requests: &[TreeRequest],
    trees: Vec<Staged>,
    threads: usize,
    cancel: &Cancel,
) -> Vec<TreeReport> {
    let mut reports = commit::commit(root, trees, threads, cancel);
    let mut touched: BTreeSet<&Path> = BTreeSet::new();
    for (report, request) in reports.iter_mut().zip(requests) {
        if report.made.total() > 0 {
            for directory in request.touch.iter().filter(|directory| touched.insert(directory.as_path())) {
                touch(root, directory, report);
            }
        }
    }
    reports
}

fn touch(root: &Root, directory: &Path, report: &mut TreeReport) {
    use super::place::{Calls as _, Missing};
    let touched = root.directory(directory, Missing::Fail).and_then(|place| {
        let touched = place.calls().touch();
        touched.map_err(|error| Error::new("set the modification time of", place.path(), error))
    });
    report.failed.extend(touched.err());
}
