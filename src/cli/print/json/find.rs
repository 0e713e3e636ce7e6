//! What `find` answers in JSON.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::environments::{EntryName, ProjectRow};
use super::text::{Bytes, lossless};
use crate::snapshot::{Distribution, Entry, Environment, Snapshot};

/// One of `found`: a distribution in an environment.
#[derive(Serialize)]
pub struct FoundRow<'a> {
    name: &'a str,
    version: &'a str,
    mode: &'static str,
    #[serde(flatten)]
    installed_from: EntryName<'a>,
    editable: bool,
    direct_url: Option<&'a str>,
    other_cache: Option<Cow<'a, str>>,
    installer: Option<&'a str>,
    of_system: bool,
    installed: Option<Timestamp>,
    dist_info: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dist_info_bytes: Option<Bytes<'a>>,
    environment: EnvironmentName<'a>,
}

/// The environment that has it.
#[derive(Serialize)]
struct EnvironmentName<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    kind: &'static str,
    manager: &'static str,
    python: Option<&'a str>,
    found_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<ProjectRow<'a>>,
}

/// One of `entries`: an entry of the cache that meets a requirement, used or not.
#[derive(Serialize)]
pub struct KnownEntryRow<'a> {
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_bytes: Option<Bytes<'a>>,
    bucket: &'a str,
    name: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> FoundRow<'a> {
    /// The row of a distribution.
    pub fn new(snapshot: &'a Snapshot, environment: &'a Environment, item: &'a Distribution) -> Self {
        let (dist_info, dist_info_bytes) = lossless(&item.dist_info);
        let (path, path_bytes) = lossless(&environment.path);
        Self {
            name: &item.name,
            version: &item.version,
            mode: item.mode_word(),
            installed_from: EntryName::new(snapshot, item.entry),
            editable: item.editable,
            direct_url: item.direct_url.as_ref().map(|direct| direct.url.as_str()),
            other_cache: item.other_cache.as_ref().map(|path| path.to_string_lossy()),
            installer: item.installer.as_deref(),
            of_system: item.of_system,
            installed: item.installed,
            dist_info,
            dist_info_bytes,
            environment: EnvironmentName {
                path,
                path_bytes,
                kind: environment.kind.word(),
                manager: environment.manager.word(),
                python: environment.python.as_deref(),
                found_by: environment.found_by.word(),
                project: ProjectRow::of(environment),
            },
        }
    }
}

impl<'a> KnownEntryRow<'a> {
    /// The row of an entry.
    pub fn new(entry: &'a Entry) -> Self {
        let (id, id_bytes) = lossless(&entry.key.id);
        Self {
            id,
            id_bytes,
            bucket: &entry.key.bucket,
            name: entry.name.as_deref(),
            version: entry.version.as_deref(),
        }
    }
}
