//! Environments and their distributions in JSON: the rows of `envs`.

use std::borrow::Cow;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::entries::{LastUseRow, ModesRow};
use super::frame::BytesRow;
use super::text::{Bytes, lossless};
use crate::snapshot::{
    Distribution, EntryIndex, Environment, EnvironmentIndex, EnvironmentKind, FileCounts, Project,
    Reclaimable, Snapshot,
};

/// One of `environments`.
#[derive(Serialize)]
pub struct EnvironmentRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    kind: &'static str,
    manager: &'static str,
    python: Option<&'a str>,
    interpreter: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interpreter_bytes: Option<Bytes<'a>>,
    interpreter_alive: bool,
    found_by: &'static str,
    #[serde(flatten)]
    stored_as: EntryName<'a>,
    mode: &'static str,
    modes: ModesRow,
    files: u64,
    bytes: BytesRow,
    copied: u64,
    dangling: u64,
    installed: Option<Timestamp>,
    last_use: Option<LastUseRow>,
    health: &'static str,
    unread: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<Cow<'a, str>>,
    inside_cache: bool,
    leftovers: Vec<LeftoverRow<'a>>,
    other_caches: Vec<OtherCacheRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<ProjectRow<'a>>,
    distributions: Vec<DistributionRow<'a>>,
}

/// Something in an environment that is not installed there any more.
#[derive(Serialize)]
struct LeftoverRow<'a> {
    path: Cow<'a, str>,
    kind: &'static str,
}

/// Another cache that files of an environment are linked to.
#[derive(Serialize)]
struct OtherCacheRow<'a> {
    path: Cow<'a, str>,
    files: u64,
}

/// The entry that a row belongs to, as the keys `entry` and `entry_bucket`.
#[derive(Serialize)]
pub struct EntryName<'a> {
    entry: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_bytes: Option<Bytes<'a>>,
    entry_bucket: Option<&'a str>,
}

/// What has become of the project of an environment.
#[derive(Serialize)]
pub struct ProjectRow<'a> {
    state: &'static str,
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
}

impl<'a> ProjectRow<'a> {
    /// The row of an environment's project: of one that lies in the cache for its project, or in its project.
    pub fn of(environment: &'a Environment) -> Option<Self> {
        let state = match environment.kind {
            EnvironmentKind::Project => Project::There(PathBuf::new()).word(),
            EnvironmentKind::Central => environment.project.word(),
            _ if environment.project != Project::Unknown => environment.project.word(),
            _ => return None,
        };
        let (path, path_bytes) = environment.project_directory().map(lossless).unzip();
        Some(Self { state, path, path_bytes: path_bytes.flatten() })
    }
}

#[derive(Serialize)]
struct DistributionRow<'a> {
    name: &'a str,
    version: &'a str,
    #[serde(flatten)]
    installed_from: EntryName<'a>,
    mode: &'static str,
    files: FilesRow,
    state: &'static str,
    direct_url: Option<&'a str>,
    editable: bool,
    other_cache: Option<Cow<'a, str>>,
    linked_elsewhere: bool,
    installer: Option<&'a str>,
    of_system: bool,
    installed: Option<Timestamp>,
    dist_info: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dist_info_bytes: Option<Bytes<'a>>,
    note: &'a str,
}

#[derive(Serialize)]
struct FilesRow {
    #[serde(flatten)]
    modes: ModesRow,
    dangling: u64,
    missing: u64,
    modified: u64,
    private: u64,
    unprovable: u64,
    own: u64,
}

impl<'a> EntryName<'a> {
    /// The name of this entry, or nulls.
    pub fn new(snapshot: &'a Snapshot, index: Option<EntryIndex>) -> Self {
        let Some(entry) = index.map(|index| snapshot.entry(index)) else {
            return Self { entry: None, entry_bytes: None, entry_bucket: None };
        };
        let (id, entry_bytes) = lossless(&entry.key.id);
        Self { entry: Some(id), entry_bytes, entry_bucket: Some(&entry.key.bucket) }
    }
}

impl<'a> EnvironmentRow<'a> {
    /// The row of an environment; `alone` is what deleting it alone gives back.
    pub fn new(snapshot: &'a Snapshot, index: EnvironmentIndex, alone: Reclaimable) -> Self {
        let item = snapshot.environment(index);
        let (path, path_bytes) = lossless(&item.path);
        let (interpreter, interpreter_bytes) = item.interpreter.as_ref().map(lossless).unzip();
        Self {
            path,
            path_bytes,
            kind: item.kind.word(),
            manager: item.manager.word(),
            python: item.python.as_deref(),
            interpreter,
            interpreter_bytes: interpreter_bytes.flatten(),
            interpreter_alive: item.interpreter_alive,
            found_by: item.found_by.word(),
            stored_as: EntryName::new(snapshot, item.entry),
            mode: item.mode().word(),
            modes: item.modes.into(),
            files: item.files,
            bytes: BytesRow::new(item.logical, item.disk, item.shared, alone),
            copied: item.copied,
            dangling: item.dangling,
            installed: item.installed,
            last_use: item.last_use.map(LastUseRow::new),
            health: item.health.word(),
            unread: item.unread,
            prefix: item.prefix.as_ref().map(|path| path.to_string_lossy()),
            inside_cache: item.inside,
            leftovers: item
                .leftovers
                .iter()
                .map(|it| LeftoverRow { path: it.path.to_string_lossy(), kind: it.kind.word() })
                .collect(),
            other_caches: item
                .other_caches
                .iter()
                .map(|it| OtherCacheRow { path: it.path.to_string_lossy(), files: it.files })
                .collect(),
            project: ProjectRow::of(item),
            distributions: item.distributions.iter().map(|it| DistributionRow::new(snapshot, it)).collect(),
        }
    }
}

impl<'a> DistributionRow<'a> {
    fn new(snapshot: &'a Snapshot, item: &'a Distribution) -> Self {
        let (dist_info, dist_info_bytes) = lossless(&item.dist_info);
        Self {
            name: &item.name,
            version: &item.version,
            installed_from: EntryName::new(snapshot, item.entry),
            mode: item.mode_word(),
            files: FilesRow::new(&item.files),
            state: item.state.word(),
            direct_url: item.direct_url.as_ref().map(|direct| direct.url.as_str()),
            editable: item.editable,
            other_cache: item.other_cache.as_ref().map(|path| path.to_string_lossy()),
            linked_elsewhere: item.linked_elsewhere,
            installer: item.installer.as_deref(),
            of_system: item.of_system,
            installed: item.installed,
            dist_info,
            dist_info_bytes,
            note: &item.note,
        }
    }
}

impl FilesRow {
    fn new(files: &FileCounts) -> Self {
        Self {
            modes: files.modes.into(),
            dangling: files.dangling,
            missing: files.missing,
            modified: files.modified,
            private: files.private,
            unprovable: files.unprovable,
            own: files.own,
        }
    }
}
