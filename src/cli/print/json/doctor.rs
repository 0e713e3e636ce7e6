//! `doctor` in JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::entries::ModesRow;
use super::text::{Bytes, lossless};
use crate::cli::commands::doctor::report::{Checked, Remark, Report};
use crate::linker::probe::{Answer, Ground, Probe};
use crate::scan::health::Finding;
use crate::snapshot::{Distribution, Mode, Snapshot};

/// `doctor`.
#[derive(Serialize)]
pub struct DoctorRow<'a> {
    verdict: &'static str,
    faults: usize,
    notes: usize,
    probes: usize,
    environments: Vec<EnvironmentRow<'a>>,
    cache: CacheRow<'a>,
    settings: Vec<RemarkRow<'a>>,
    left: Vec<PathRow<'a>>,
}

#[derive(Serialize)]
struct PathRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
}

#[derive(Serialize)]
struct EnvironmentRow<'a> {
    #[serde(flatten)]
    path: PathRow<'a>,
    could: Option<&'static str>,
    has: HasRow,
    tried: Option<TriedRow<'a>>,
    causes: Vec<RemarkRow<'a>>,
    damaged: Vec<DamagedRow<'a>>,
}

/// A distribution that is not whole, with the counts that `envs` gives.
#[derive(Serialize)]
struct DamagedRow<'a> {
    name: &'a str,
    version: &'a str,
    state: &'static str,
    dangling: u64,
    missing: u64,
    modified: u64,
}

#[derive(Serialize)]
struct HasRow {
    mode: &'static str,
    #[serde(flatten)]
    modes: ModesRow,
    copied: u64,
}

#[derive(Serialize)]
struct TriedRow<'a> {
    clone: AnswerRow<'a>,
    hardlink: AnswerRow<'a>,
    symlink: AnswerRow<'a>,
    copy: AnswerRow<'a>,
    cache: GroundRow<'a>,
    environment: GroundRow<'a>,
    protected_hardlinks: Option<bool>,
}

#[derive(Serialize)]
struct AnswerRow<'a> {
    works: Option<bool>,
    error: Option<&'a str>,
    code: Option<i32>,
}

#[derive(Serialize)]
struct GroundRow<'a> {
    #[serde(flatten)]
    path: PathRow<'a>,
    filesystem: &'a str,
    mount_point: Option<Cow<'a, str>>,
    device: Option<u64>,
    mount: Option<u64>,
    read_only: bool,
    available: Option<u64>,
}

#[derive(Serialize)]
struct RemarkRow<'a> {
    kind: &'static str,
    fault: bool,
    text: &'a str,
    cost: &'a str,
    bytes: u64,
    advice: &'a str,
}

#[derive(Serialize)]
struct CacheRow<'a> {
    findings: Vec<FindingRow<'a>>,
}

#[derive(Serialize)]
struct FindingRow<'a> {
    kind: &'static str,
    fault: bool,
    #[serde(flatten)]
    path: PathRow<'a>,
    count: u64,
    text: String,
    cost: String,
    advice: String,
}

impl<'a> PathRow<'a> {
    fn new(path: &'a std::path::Path) -> Self {
        let (path, path_bytes) = lossless(path);
        Self { path, path_bytes }
    }
}

impl<'a> DoctorRow<'a> {
    /// The row of a report.
    pub fn new(snapshot: &'a Snapshot, report: &'a Report) -> Self {
        let (faults, notes) = (report.faults(), report.notes());
        Self {
            verdict: match (faults, notes) {
                (0, 0) => "healthy",
                (0, _) => "notes",
                _ => "faults",
            },
            faults,
            notes,
            probes: report.probes,
            environments: report.environments.iter().map(|it| EnvironmentRow::new(snapshot, it)).collect(),
            cache: CacheRow { findings: report.findings.iter().map(FindingRow::new).collect() },
            settings: report.settings.iter().map(RemarkRow::new).collect(),
            left: report.left.iter().map(|path| PathRow::new(path)).collect(),
        }
    }
}

impl<'a> DamagedRow<'a> {
    fn new(distribution: &'a Distribution) -> Self {
        Self {
            name: &distribution.name,
            version: &distribution.version,
            state: distribution.state.word(),
            dangling: distribution.files.dangling,
            missing: distribution.files.missing,
            modified: distribution.files.modified,
        }
    }
}

impl<'a> EnvironmentRow<'a> {
    fn new(snapshot: &'a Snapshot, checked: &'a Checked) -> Self {
        let environment = snapshot.environment(checked.index);
        Self {
            path: PathRow::new(&environment.path),
            could: checked.probe.is_some().then(|| checked.could.map_or("none", Mode::word)),
            has: HasRow {
                mode: environment.mode().word(),
                modes: environment.modes.into(),
                copied: environment.copied,
            },
            tried: checked.probe.as_ref().map(TriedRow::new),
            causes: checked.remarks.iter().map(RemarkRow::new).collect(),
            damaged: checked
                .damaged
                .iter()
                .map(|position| DamagedRow::new(&environment.distributions[*position]))
                .collect(),
        }
    }
}

impl<'a> TriedRow<'a> {
    fn new(probe: &'a Probe) -> Self {
        Self {
            clone: AnswerRow::new(&probe.clone),
            hardlink: AnswerRow::new(&probe.hardlink),
            symlink: AnswerRow::new(&probe.symlink),
            copy: AnswerRow::new(&probe.copy),
            cache: GroundRow::new(&probe.cache),
            environment: GroundRow::new(&probe.environment),
            protected_hardlinks: probe.protected_hardlinks,
        }
    }
}

impl<'a> AnswerRow<'a> {
    fn new(answer: &'a Answer) -> Self {
        let reason = answer.refused();
        Self {
            works: (*answer != Answer::Untried).then(|| answer.works()),
            error: reason.map(|reason| reason.message.as_str()),
            code: reason.and_then(|reason| reason.code),
        }
    }
}

impl<'a> GroundRow<'a> {
    fn new(ground: &'a Ground) -> Self {
        Self {
            path: PathRow::new(&ground.path),
            filesystem: &ground.filesystem,
            mount_point: ground.point.as_ref().map(|point| point.to_string_lossy()),
            device: ground.device,
            mount: ground.mount,
            read_only: ground.read_only,
            available: ground.available,
        }
    }
}

impl<'a> RemarkRow<'a> {
    fn new(remark: &'a Remark) -> Self {
        Self {
            kind: remark.kind,
            fault: remark.fault,
            text: &remark.text,
            cost: &remark.cost,
            bytes: remark.bytes,
            advice: &remark.advice,
        }
    }
}

impl<'a> FindingRow<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self {
            kind: finding.kind.word(),
            fault: finding.kind.is_fault(),
            path: PathRow::new(&finding.path),
            count: finding.count,
            text: finding.to_string(),
            cost: finding.cost(),
            advice: finding.advice(),
        }
    }
}
