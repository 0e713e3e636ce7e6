//! `doctor`: which links could be made and which were, why, what it costs, and what is wrong with the cache itself.
//!
//! Environments that lie on the same mount, belong to the same user and have the same permissions get the same answer, so
//! that a hundred of them cost a few probes. An environment inside the cache is not written to: the cache's own root stands
//! for it. One inside another cache is not tried.

pub mod report;
mod text;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::args::DoctorArguments;
use crate::cli::failure::{DAMAGE, Failure};
use crate::cli::print::View;
use crate::cli::print::json::{self, doctor::DoctorRow};
use crate::cli::surroundings::Surroundings;
use crate::control::Cancel;
use crate::disk::{FileStat, volume, walk};
use crate::linker::diagnose::diagnose;
use crate::linker::probe::{probe, user};
use crate::scan::health;
use crate::snapshot::{EnvironmentIndex, Snapshot};
use crate::uv::bucket::{Bucket, BucketKind};
use report::{Inputs, Report, Tried};

/// Examines the cache and the environments that the arguments name, all when they name none.
///
/// # Errors
/// Ends quietly with [`DAMAGE`] when something is wrong.
pub fn run(
    snapshot: &Snapshot,
    arguments: &DoctorArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let environments: Vec<EnvironmentIndex> = if arguments.environments.is_empty() {
        snapshot.environments().map(|(index, _)| index).collect()
    } else {
        super::environments(snapshot, &arguments.environments, &surroundings.current_dir)?
    };
    let request =
        health::Request { snapshot, environments: &environments, user: user(), threads: walk::threads() };
    let examined = health::examine(&request, &Cancel::default());
    let tried =
        if arguments.no_probe { Vec::new() } else { try_all(snapshot, &environments, &examined.suspects) };
    let report = report::build(&Inputs {
        snapshot,
        environments: &environments,
        tried: &tried,
        findings: &examined.findings,
        named: !arguments.environments.is_empty(),
        link_mode: surroundings.variable("UV_LINK_MODE").and_then(|value| value.to_str()),
    });
    print(snapshot, &report, arguments.json, view, writer)
}

/// Prints a report.
///
/// # Errors
/// Ends quietly with [`DAMAGE`] when something is wrong.
pub fn print(
    snapshot: &Snapshot,
    report: &Report,
    as_json: bool,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    if as_json {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            doctor: DoctorRow<'a>,
        }
        json::write(snapshot, Body { doctor: DoctorRow::new(snapshot, report) }, view, writer)?;
    } else {
        text::print(snapshot, report, view, writer)?;
    }
    if report.faults() > 0 { Err(Failure::quiet(DAMAGE)) } else { Ok(()) }
}

/// What makes two directories answer alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    inside_cache: bool,
    device: u64,
    mount: Option<u64>,
    owner: u32,
    mode_bits: u32,
}

fn try_all(snapshot: &Snapshot, environments: &[EnvironmentIndex], suspects: &[PathBuf]) -> Vec<Tried> {
    let cache = &snapshot.cache.path;
    let canonical = crate::disk::canonical(cache).unwrap_or_else(|_| cache.clone());
    let mut groups: BTreeMap<Alike, (PathBuf, Vec<EnvironmentIndex>)> = BTreeMap::new();
    for index in environments {
        let inside_cache = snapshot.environment(*index).path.starts_with(&canonical)
            || snapshot.environment(*index).path.starts_with(cache);
        if !inside_cache && in_some_cache(&snapshot.environment(*index).path) {
            continue;
        }
        // Not resolved: what root may make somewhere depends on who controls the path to it.
        let directory = if inside_cache { cache.clone() } else { site(snapshot, *index) };
        let Ok(stat) = FileStat::following(&directory) else { continue };
        let alike = Alike {
            inside_cache,
            device: stat.device,
            mount: volume::mount(&directory),
            owner: stat.owner,
            mode_bits: stat.mode_bits,
        };
        groups.entry(alike).or_insert_with(|| (directory, Vec::new())).1.push(*index);
    }
    let tried = groups.into_values().map(|(directory, environments)| {
        let probe = probe(cache, &directory, suspects);
        Tried { diagnosis: diagnose(&probe), probe, environments }
    });
    tried.collect()
}

/// Whether an environment lies in a bucket of some cache, where nobody but uv may write.
fn in_some_cache(path: &Path) -> bool {
    let buckets = path.components().filter_map(|part| Bucket::parse(part.as_os_str()));
    buckets
        .map(|bucket| bucket.kind)
        .any(|kind| matches!(kind, BucketKind::Archive | BucketKind::Environments))
}

/// Where an environment's files lie: the directory of its distributions, or where one would be.
fn site(snapshot: &Snapshot, index: EnvironmentIndex) -> PathBuf {
    let environment = snapshot.environment(index);
    let root = &environment.path;
    let installed = environment.distributions.iter().filter_map(|it| it.dist_info.parent());
    let usual = std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten();
    let usual = usual.map(|item| Path::new("lib").join(item.file_name()).join("site-packages"));
    let mut places = installed.map(Path::to_owned).chain(usual).chain([PathBuf::from("Lib/site-packages")]);
    places.find(|place| root.join(place).is_dir()).map_or_else(|| root.clone(), |place| root.join(place))
}
