//! What every answer carries: the cache, what was searched, and what could not be read.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::text::{Bytes, lossless};
use crate::snapshot::{Bucket, Cache, Completeness, Problem, Reclaimable, Scope, ScopeRoot, Space};

/// Two of the five byte numbers: sizes added up, and allocated bytes with each inode once.
#[derive(Serialize)]
pub struct SizeRow {
    logical: u64,
    disk: u64,
}

/// All five byte numbers of an entry or environment, and how sure the last one is.
#[derive(Serialize)]
pub struct BytesRow {
    logical: u64,
    disk: u64,
    shared: u64,
    exclusive: u64,
    reclaimable: u64,
    certainty: &'static str,
}

/// What `cache` has in every answer.
#[derive(Serialize)]
pub struct CacheName<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    found_by: &'a str,
}

/// `cache`.
#[derive(Serialize)]
pub struct CacheRow<'a> {
    #[serde(flatten)]
    name: CacheName<'a>,
    filesystem: Option<&'a str>,
    space: Option<SpaceRow>,
    files: u64,
    bytes: SizeRow,
    buckets: Vec<BucketRow<'a>>,
}

#[derive(Serialize)]
struct SpaceRow {
    total: u64,
    available: u64,
}

#[derive(Serialize)]
struct BucketRow<'a> {
    name: &'a str,
    known: bool,
    /// Why it is not understood, as a sentence; nothing where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_understood: Option<String>,
    files: u64,
    bytes: SizeRow,
}

/// `scope`.
#[derive(Serialize)]
pub struct ScopeRow<'a> {
    complete: bool,
    state: &'static str,
    started: Option<Timestamp>,
    elapsed_ms: u64,
    roots: Vec<RootRow<'a>>,
    unread: Vec<PathRow<'a>>,
}

#[derive(Serialize)]
struct RootRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    reason: &'a str,
    readable: bool,
}

#[derive(Serialize)]
struct PathRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
}

/// One of `problems`.
#[derive(Serialize)]
pub struct ProblemRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    message: &'a str,
}

impl SizeRow {
    /// These two numbers.
    pub fn new(logical: u64, disk: u64) -> Self {
        Self { logical, disk }
    }
}

impl BytesRow {
    /// The numbers of something that takes `disk` bytes, `shared` of them with others, and gives `alone` back.
    pub fn new(logical: u64, disk: u64, shared: u64, alone: Reclaimable) -> Self {
        Self {
            logical,
            disk,
            shared,
            exclusive: disk.saturating_sub(shared),
            reclaimable: alone.bytes,
            certainty: alone.certainty.word(),
        }
    }
}

impl<'a> CacheName<'a> {
    /// The path of a cache, and by what it was found.
    pub fn new(cache: &'a Cache) -> Self {
        let (path, path_bytes) = lossless(&cache.path);
        Self { path, path_bytes, found_by: &cache.found_by }
    }
}

impl<'a> CacheRow<'a> {
    /// The row of a cache.
    pub fn new(cache: &'a Cache) -> Self {
        Self {
            name: CacheName::new(cache),
            filesystem: cache.filesystem.as_deref(),
            space: cache.space.map(|Space { total, available, .. }| SpaceRow { total, available }),
            files: cache.files,
            bytes: SizeRow::new(cache.logical, cache.disk),
            buckets: cache.buckets.iter().map(BucketRow::new).collect(),
        }
    }
}

impl<'a> BucketRow<'a> {
    fn new(bucket: &'a Bucket) -> Self {
        Self {
            name: &bucket.name,
            known: bucket.known,
            not_understood: bucket.why_odd(),
            files: bucket.files,
            bytes: SizeRow::new(bucket.logical, bucket.disk),
        }
    }
}

impl<'a> ScopeRow<'a> {
    /// The row of a scope.
    pub fn new(scope: &'a Scope) -> Self {
        Self {
            complete: scope.completeness == Completeness::Complete,
            state: match scope.completeness {
                Completeness::Running => "running",
                Completeness::Complete => "complete",
                Completeness::Cancelled => "cancelled",
            },
            started: scope.started,
            elapsed_ms: u64::try_from(scope.elapsed.as_millis()).unwrap_or(u64::MAX),
            roots: scope.roots.iter().map(RootRow::new).collect(),
            unread: scope
                .unread
                .iter()
                .map(|path| {
                    let (path, path_bytes) = lossless(path);
                    PathRow { path, path_bytes }
                })
                .collect(),
        }
    }
}

impl<'a> RootRow<'a> {
    fn new(root: &'a ScopeRoot) -> Self {
        let (path, path_bytes) = lossless(&root.path);
        Self { path, path_bytes, reason: root.reason, readable: root.readable }
    }
}

impl<'a> ProblemRow<'a> {
    /// The row of a problem.
    pub fn new(problem: &'a Problem) -> Self {
        let (path, path_bytes) = lossless(&problem.path);
        Self { path, path_bytes, message: &problem.message }
    }
}
