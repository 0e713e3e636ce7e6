//! Mends environments: links what is missing or leads nowhere from entries that have it.
//!
//! # Locking
//! uv's order: the caches' locks together with others, so that nobody prunes them, then the environment's alone. The
//! cache's own links ([`restore_links`]) are written under its lock alone. uv is called ([`fetch`]) while no lock is held:
//! it would wait for this process.
//!
//! # What is touched
//! Only what the plan saw: a place where nothing is, or the very symlink that leads nowhere. Intact files stay. The content
//! is hashed through the handle that is then linked, unless it was hashed for the plan just now and its change time shows
//! that it is still the same. The distributions of an environment are linked together, on several threads.

pub mod clear;
pub mod fetch;
mod report;
pub mod restore_links;
mod scratch;

use std::path::{Component, Path};

use super::ground;
use super::prune::Trouble;
use super::report::{RefusedMode, State};
use crate::control::{Cancel, Progress};
use crate::disk::{Content, FileKind, FileStat, Time, error::words, walk};
use crate::linker::{Expect, Item, Kind, Root, TreeReport, TreeRequest, link_trees};
use crate::lock::{CacheShared, EnvironmentExclusive, HoldsCache as _};
use crate::plan::repair::{RepairFile, RepairWork};
use crate::plan::{At, Step};
use crate::scan::repair::Way;
use crate::snapshot::{FilePrint, Mode};
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::distribution::parse_dist_info;

pub use clear::clear;
pub use fetch::fetch;
pub use report::{RepairOutcome, RepairReport};
pub use restore_links::restore_links;
pub use scratch::sweep;

/// Links the files of the steps that are about one environment. `believed`: whether they were hashed just now, so that those
/// which have not changed since need not be hashed again. `progress` counts files and bytes.
///
/// One step that fails or is stale does not stop the others. The answers are in the order of the steps in this environment.
///
/// # Panics
/// Never: there is a report for each request.
pub fn link<'step>(
    steps: impl IntoIterator<Item = &'step Step>,
    environment: &EnvironmentExclusive<'_>,
    caches: &[CacheShared],
    believed: bool,
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<RepairOutcome> {
    let root = environment.root();
    let here = steps.into_iter().filter(|step| step.at.path() == root);
    let here: Vec<(&Step, &RepairWork)> = here.filter_map(|step| Some((step, step.repair()?))).collect();
    if cancel.is_cancelled() {
        return here
            .into_iter()
            .map(|(step, _)| RepairOutcome::ended(step, State::Cancelled, None))
            .collect();
    }
    let opened = match ground::open(environment) {
        Ok(opened) => opened,
        Err(trouble) => {
            let (state, why) = trouble.told();
            let ended = |(step, _)| RepairOutcome::ended(step, state, Some(why.clone()));
            return here.into_iter().map(ended).collect();
        }
    };
    let prepare = |(_, work): &(&Step, &RepairWork)| prepare(work, &opened, environment, caches, believed);
    let prepared = walk::map(&here, walk::threads(), prepare);
    let mut requests = Vec::new();
    let mut outcomes: Vec<Option<RepairOutcome>> = Vec::new();
    for ((step, _), prepared) in here.iter().zip(prepared) {
        match prepared {
            Ok(request) => {
                requests.push(request);
                outcomes.push(None);
            }
            Err(trouble) => outcomes.push(Some(ended(step, trouble))),
        }
    }
    let mut reports = link_trees(&opened, &requests, walk::threads(), cancel, progress).into_iter();
    let mut conclude = |step| conclude(step, reports.next().expect("there is a report for each request"));
    let steps = here.into_iter().zip(outcomes);
    steps.map(|((step, _), outcome)| outcome.unwrap_or_else(|| conclude(step))).collect()
}

fn ended(step: &Step, trouble: Trouble) -> RepairOutcome {
    let (state, why) = trouble.told();
    RepairOutcome::ended(step, state, Some(why))
}

/// Proves that a step is one that a plan may have, and that the distribution is the one it was.
fn prepare(
    work: &RepairWork,
    opened: &Root,
    environment: &EnvironmentExclusive<'_>,
    caches: &[CacheShared],
    believed: bool,
) -> Result<TreeRequest, Trouble> {
    let root = environment.root();
    let refused = || Trouble::Refused(format!("a plan cannot repair `{}`", work.dist_info.text()));
    let plain = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let entry = work.entry.as_ref().map(At::path).ok_or_else(refused)?;
    let dist_info = work.dist_info.path();
    let names: Vec<_> = entry.iter().collect();
    // Another environment is read like an entry: what is copied is proven by its digest.
    let is_entry = match work.way {
        Some(Way::Environment) => entry.is_absolute() && entry != root && work.link_mode == Mode::Copy,
        _ => {
            plain(&entry)
                && names.len() == 2
                && Bucket::parse(names[0]).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
        }
    };
    let is_dist_info = plain(&dist_info) && dist_info.file_name().and_then(parse_dist_info).is_some();
    if !is_entry || !is_dist_info {
        return Err(refused());
    }
    let cache = work.cache.path();
    let lock = caches.iter().find(|lock| lock.cache() == cache);
    let lock = lock.ok_or_else(|| Trouble::Refused("its cache is not locked".to_owned()))?;
    if !environment.still_valid() || !lock.still_valid() {
        return Err(Trouble::Stale("a lock file was replaced".to_owned()));
    }
    if !ground::has_record(opened, &dist_info, &work.expects) {
        return Err(Trouble::Stale("it was installed again or removed meanwhile".to_owned()));
    }
    Ok(TreeRequest {
        entry: cache.join(entry),
        identity: Some(work.entry_is.ok_or_else(refused)?),
        root: root.to_owned(),
        mode: work.link_mode,
        items: work
            .files
            .iter()
            .map(|file| item(file, believed))
            .collect::<Option<_>>()
            .ok_or_else(refused)?,
        touch: dist_info.parent().map(Path::to_owned).into_iter().collect(),
    })
}

fn item(file: &RepairFile, believed: bool) -> Option<Item> {
    Some(Item {
        source: file.source.as_ref()?.path(),
        destination: file.at.path(),
        kind: Kind::Link,
        expect: file.replaces.map_or(Expect::Absent, |print| Expect::Stat(stat_of(&print))),
        digest: file.sha256,
        hashed: file.hashed.filter(|_| believed),
    })
}

/// A symlink as it was seen.
fn stat_of(print: &FilePrint) -> FileStat {
    FileStat {
        content: Content::Here,
        kind: FileKind::Symlink,
        device: print.device,
        inode: print.inode,
        size: print.size,
        disk: print.disk,
        links: print.links,
        owner: 0,
        mode_bits: 0,
        modified: Time(print.modified),
        changed: Time(print.changed),
    }
}

/// Decides how a step ended.
fn conclude(step: &Step, report: TreeReport) -> RepairOutcome {
    let mut outcome = RepairOutcome::ended(step, State::Done, None);
    let paths = |paths: Vec<std::path::PathBuf>| paths.iter().map(|path| At::new(path)).collect();
    outcome.made = report.made;
    outcome.refused = report.refused.iter().map(RefusedMode::new).collect();
    outcome.failed = report.failed.iter().map(|error| format!("{error}: {}", words(&error.source))).collect();
    outcome.link_limit = paths(report.link_limit);
    outcome.stale = paths(report.stale);
    let left = outcome.stale.len() as u64;
    (outcome.state, outcome.why) = if let Some(first) = outcome.failed.first() {
        (State::Failed, Some(first.clone()))
    } else if report.cancelled {
        (State::Cancelled, None)
    } else if left > 0 {
        let files = crate::human::counted(left, "file was", "files were");
        (State::Stale, Some(format!("{files} left alone: something else lies there now")))
    } else {
        (State::Done, None)
    };
    outcome
}
