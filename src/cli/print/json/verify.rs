//! Findings in JSON: the rows of `verify`.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::environments::EntryName;
use super::text::{Bytes, lossless};
use crate::apply::detach::DetachOutcome;
use crate::plan::Plan;
use crate::scan::verify::{Finding, Place};
use crate::snapshot::Snapshot;

/// What was compared.
#[derive(Serialize)]
pub struct CheckedRow {
    /// Entries.
    pub entries: u64,
    /// Environments.
    pub environments: u64,
    /// Files, each name counted.
    pub files: u64,
    /// Their sizes added up, in bytes.
    pub bytes: u64,
    /// Files of which `RECORD` states no SHA-256: only their sizes were compared.
    pub by_size: u64,
    /// Distributions of the system, which were not compared.
    pub of_system: u64,
    /// Symlinks in the place of files that lead out of the cache, to what is not there. They were not compared.
    pub away: u64,
}

/// The keys of an answer of `verify --detach`.
#[derive(Serialize)]
pub struct DetachBody<'a> {
    /// The plan, the same whether it was carried out or not.
    pub plan: &'a Plan,
    /// What became of each step, if it was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<&'a [DetachOutcome]>,
}

/// One of `findings`.
#[derive(Serialize)]
pub struct FindingRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    fault: &'static str,
    verdict: &'static str,
    name: &'a str,
    version: &'a str,
    #[serde(flatten)]
    entry: EntryName<'a>,
    recorded: Option<String>,
    found: Option<String>,
    places: Vec<PlaceRow<'a>>,
    unexplained: u64,
}

/// Somebody who has the file: an environment by its root, or the cache.
#[derive(Serialize)]
struct PlaceRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    environment: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_bytes: Option<Bytes<'a>>,
}

impl<'a> FindingRow<'a> {
    /// The row of a finding.
    pub fn new(snapshot: &'a Snapshot, finding: &'a Finding) -> Self {
        let (path, path_bytes) = lossless(&finding.path);
        let hex = |digest: Option<[u8; 32]>| digest.map(|digest| HEXLOWER.encode(&digest));
        Self {
            path,
            path_bytes,
            fault: finding.fault.word(),
            verdict: finding.verdict.word(),
            name: &finding.name,
            version: &finding.version,
            entry: EntryName::new(snapshot, finding.entry),
            recorded: hex(finding.recorded),
            found: hex(finding.found),
            places: finding.places.iter().map(|place| PlaceRow::new(snapshot, place)).collect(),
            unexplained: finding.unexplained,
        }
    }
}

impl<'a> PlaceRow<'a> {
    fn new(snapshot: &'a Snapshot, place: &'a Place) -> Self {
        let (path, path_bytes) = lossless(&place.path);
        let root = place.environment.map(|index| lossless(&snapshot.environment(index).path));
        let (environment, environment_bytes) = root.unzip();
        Self { path, path_bytes, environment, environment_bytes: environment_bytes.flatten() }
    }
}
