//! Locks in JSON: the answer of `locks`, which needs no scan, so that its `cache` says only where the cache is.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::frame::{ProblemRow, ScopeRow};
use super::text::{Bytes, lossless};
use crate::cli::print::View;
use crate::disk::volume;
use crate::lock::sweep::Swept;
use crate::lock::{Holder, LockFile, Resource, Share, State, Survey};
use crate::snapshot::{Problem, Scope};
use crate::uv::root::Root;

/// What `locks` answers.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The cache.
    pub cache: &'a Root,
    /// Where environments were looked for.
    pub scope: &'a Scope,
    /// What could not be read.
    pub problems: &'a [Problem],
    /// The locks.
    pub survey: &'a Survey,
    /// What `--clean` did.
    pub cleaned: Option<Cleaned<'a>>,
}

/// What `--clean` did, or would do.
#[derive(Clone, Copy, Debug)]
pub struct Cleaned<'a> {
    /// The lock directory, if there is one.
    pub directory: Option<&'a Path>,
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// The files.
    pub swept: &'a Swept,
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    cache: CacheRow<'a>,
    scope: ScopeRow<'a>,
    problems: Vec<ProblemRow<'a>>,
    locks: Vec<LockRow<'a>>,
    /// Free locks of single items and unknown projects, which `--all` lists.
    left_out: u64,
    notes: &'a [String],
    ancestor: Option<HolderRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleaned: Option<CleanedRow<'a>>,
}

#[derive(Serialize)]
struct PathRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
}

/// `cache` of an answer without a scan.
#[derive(Serialize)]
pub(super) struct CacheRow<'a> {
    #[serde(flatten)]
    path: PathRow<'a>,
    found_by: &'a str,
    filesystem: &'static str,
}

/// One of `locks`.
#[derive(Serialize)]
pub struct LockRow<'a> {
    #[serde(flatten)]
    path: PathRow<'a>,
    maker: &'static str,
    resource: ResourceRow<'a>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    holders: Vec<HolderRow<'a>>,
    modified: Option<Timestamp>,
}

#[derive(Serialize)]
struct ResourceRow<'a> {
    kind: &'static str,
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
}

#[derive(Serialize)]
struct HolderRow<'a> {
    /// None where the process cannot be seen.
    pid: Option<u32>,
    command: &'a str,
    since: Option<Timestamp>,
    directory: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory_bytes: Option<Bytes<'a>>,
    share: &'static str,
    waits: bool,
}

#[derive(Serialize)]
struct CleanedRow<'a> {
    directory: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory_bytes: Option<Bytes<'a>>,
    dry_run: bool,
    removed: Vec<PathRow<'a>>,
    kept: Vec<KeptRow<'a>>,
    failed: Vec<KeptRow<'a>>,
}

#[derive(Serialize)]
struct KeptRow<'a> {
    #[serde(flatten)]
    path: PathRow<'a>,
    reason: Cow<'a, str>,
}

/// Writes the answer.
pub fn write(answer: &Answer<'_>, view: &View, writer: &mut dyn Write) -> io::Result<()> {
    let survey = answer.survey;
    let document = Document {
        schema_version: super::SCHEMA_VERSION,
        cache: CacheRow::new(answer.cache),
        scope: ScopeRow::new(answer.scope),
        problems: answer.problems.iter().map(ProblemRow::new).collect(),
        locks: survey.files.iter().map(LockRow::new).collect(),
        left_out: survey.left_out,
        notes: &survey.notes,
        ancestor: survey.ancestor.as_ref().map(HolderRow::new),
        cleaned: answer.cleaned.map(CleanedRow::new),
    };
    super::write_document(&document, view, writer)
}

impl<'a> PathRow<'a> {
    fn new(path: &'a Path) -> Self {
        let (path, path_bytes) = lossless(path);
        Self { path, path_bytes }
    }
}

impl<'a> CacheRow<'a> {
    pub(super) fn new(cache: &'a Root) -> Self {
        Self {
            path: PathRow::new(&cache.path),
            found_by: &cache.found_by,
            filesystem: volume::filesystem(&cache.path).name,
        }
    }
}

impl<'a> LockRow<'a> {
    /// The row of a lock file.
    pub fn new(file: &'a LockFile) -> Self {
        Self {
            path: PathRow::new(&file.path),
            maker: file.maker.word(),
            resource: ResourceRow::new(&file.resource),
            state: file.state.word(),
            reason: match &file.state {
                State::Unknown(reason) => Some(reason),
                _ => None,
            },
            holders: file.holders.iter().map(HolderRow::new).collect(),
            modified: file.modified,
        }
    }
}

impl<'a> ResourceRow<'a> {
    fn new(resource: &'a Resource) -> Self {
        let (path, path_bytes) = resource.path().map(lossless).unzip();
        Self { kind: resource.word(), path, path_bytes: path_bytes.flatten() }
    }
}

impl<'a> HolderRow<'a> {
    fn new(holder: &'a Holder) -> Self {
        let (directory, directory_bytes) = holder.directory.as_deref().map(lossless).unzip();
        Self {
            pid: holder.is_seen().then_some(holder.pid),
            command: &holder.command,
            since: holder.since,
            directory,
            directory_bytes: directory_bytes.flatten(),
            share: match holder.share {
                Share::Shared => "shared",
                Share::Exclusive => "exclusive",
            },
            waits: holder.waits,
        }
    }
}

impl<'a> CleanedRow<'a> {
    fn new(cleaned: Cleaned<'a>) -> Self {
        let (directory, directory_bytes) = cleaned.directory.map(lossless).unzip();
        let swept = cleaned.swept;
        let kept = |(path, reason): &'a (PathBuf, String)| KeptRow {
            path: PathRow::new(path),
            reason: Cow::Borrowed(reason),
        };
        Self {
            directory,
            directory_bytes: directory_bytes.flatten(),
            dry_run: cleaned.dry_run,
            removed: swept.removed.iter().map(|path| PathRow::new(path)).collect(),
            kept: swept.kept.iter().map(kept).collect(),
            failed: swept
                .failed
                .iter()
                .map(|error| KeptRow {
                    path: PathRow::new(&error.path),
                    reason: Cow::Owned(error.source.to_string()),
                })
                .collect(),
        }
    }
}
