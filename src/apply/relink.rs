//! Links the files of live environments otherwise.
//!
//! # Locking
//! uv's order: the cache's lock together with others, so that nobody prunes it, then the environment's alone.
//!
//! # What is touched
//! Only files that both `RECORD`s list with the same digest, and of those only the ones whose bytes equal the entry's at
//! that moment. What was edited stays and is told; what uv keeps private is never looked at. Each file is old or new at
//! every moment, so that processes which run in the environment go on with what they have open.
//!
//! # Times
//! A copy or clone keeps the modification time of what it replaces. A hardlink or symlink has that of the entry's file, so
//! that `CPython`, which compares the time and size in a `.pyc` with its source, may compile the module once more. It can
//! never take a wrong one, since no content changes.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::check;
use super::ground;
use super::prune::{Trouble, is_same};
use super::report::{RefusedMode, State};
use crate::control::{Cancel, Progress};
use crate::disk::error::words;
use crate::human::escape_os;
use crate::linker::expand::{ExpandRequest, Expanded, expand};
use crate::linker::{Expect, Item, Kind, Root, TreeReport, TreeRequest, link_tree};
use crate::lock::{EnvironmentExclusive, HoldsCache};
use crate::plan::{Action, At, Plan, RelinkWork, Step};
use crate::scan::linkable::{self, Linkable};
use crate::scan::print;
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::distribution::parse_dist_info;

pub use report::{Change, KeptFile, RelinkOutcome, RelinkReport};

/// A step that may be carried out, with what it is about.
struct Ready<'a> {
    step: &'a Step,
    work: &'a RelinkWork,
    entry: PathBuf,
    files: Vec<Linkable>,
}

/// Carries out the steps of a plan in one environment. `progress` counts files and bytes.
///
/// One step that fails or is stale does not stop the others. The answers are in the plan's order, one for each step in
/// this environment.
pub fn relink(
    plan: &Plan,
    environment: &EnvironmentExclusive<'_>,
    cache: &impl HoldsCache,
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<RelinkOutcome> {
    let root = environment.root();
    let steps: Vec<(&Step, &RelinkWork)> =
        plan.relinks().filter(|(step, _)| step.at.path() == root).collect();
    if !is_same(cache.cache(), &plan.cache.path()) {
        let why = || Some("the plan is for another cache".to_owned());
        return steps.into_iter().map(|(step, _)| RelinkOutcome::ended(step, State::Failed, why())).collect();
    }
    let opened = match ground::open(environment) {
        Ok(opened) => opened,
        Err(trouble) => {
            let (state, why) = trouble.told();
            let ended = |(step, _)| RelinkOutcome::ended(step, state, Some(why.clone()));
            return steps.into_iter().map(ended).collect();
        }
    };
    let mut ready: Vec<Result<Ready<'_>, Trouble>> =
        steps.iter().map(|(step, work)| prepare(step, work, cache.cache(), &opened)).collect();
    settle(root, &mut ready);
    let mut outcomes = Vec::new();
    for ((step, _), ready) in steps.into_iter().zip(ready) {
        let done = match ready {
            _ if cancel.is_cancelled() => Ok(RelinkOutcome::ended(step, State::Cancelled, None)),
            Ok(_) if !(environment.still_valid() && cache.still_valid()) => {
                Err(Trouble::Stale("a lock file was replaced".to_owned()))
            }
            Ok(ready) => Ok(carry_out(&opened, &ready, cancel, progress)),
            Err(trouble) => Err(trouble),
        };
        outcomes.push(done.unwrap_or_else(|trouble| ended(step, trouble)));
    }
    outcomes
}

fn ended(step: &Step, trouble: Trouble) -> RelinkOutcome {
    let (state, why) = trouble.told();
    RelinkOutcome::ended(step, state, Some(why))
}

/// Proves that a step is one that a plan may have, and that what it is about is as it expects.
fn prepare<'a>(
    step: &'a Step,
    work: &'a RelinkWork,
    cache: &Path,
    opened: &Root,
) -> Result<Ready<'a>, Trouble> {
    let root = opened.place().path();
    let (entry, dist_info) = (work.entry.path(), work.dist_info.path());
    let is_entry = check::plain(&entry).is_some_and(|names| {
        names.len() == 2 && Bucket::parse(names[0]).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
    });
    let is_dist_info =
        check::plain(&dist_info).is_some() && dist_info.file_name().and_then(parse_dist_info).is_some();
    if step.action != Action::Relink || !is_entry || !is_dist_info || !root.is_absolute() {
        return Err(Trouble::Refused(format!("a plan cannot relink `{}`", work.dist_info.text())));
    }
    if !ground::has_record(opened, &dist_info, &work.expects.record) {
        return Err(Trouble::Stale("it was installed again or removed since the scan".to_owned()));
    }
    let entry = cache.join(entry);
    let expects = work.expects.entry;
    let same = print::tree(&entry).is_some_and(|now| {
        // Links and change times move with every installation from it; content is compared byte by byte.
        (now.device, now.inode, now.files, now.logical)
            == (expects.device, expects.inode, expects.files, expects.logical)
    });
    if !same {
        return Err(Trouble::Stale("its entry in the cache has changed since the scan".to_owned()));
    }
    let files = linkable::list(&entry, root, &dist_info)?;
    Ok(Ready { step, work, entry, files })
}

/// Where several distributions list the same file, leaves it to the one whose entry's file it is, or equals.
fn settle(root: &Path, ready: &mut [Result<Ready<'_>, Trouble>]) {
    let mut listed: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (position, ready) in ready.iter().enumerate() {
        for file in ready.iter().flat_map(|ready| &ready.files) {
            listed.entry(&file.destination).or_default().push(position);
        }
    }
    let contended = listed.into_iter().filter(|(_, positions)| positions.len() > 1);
    let owners: BTreeMap<PathBuf, usize> = contended
        .map(|(path, positions)| {
            let likeness = |position: &&usize| {
                let ready = ready[**position].as_ref().ok();
                let file = ready.and_then(|it| it.files.iter().find(|file| file.destination == path));
                let source = ready.zip(file).map(|(ready, file)| ready.entry.join(&file.source));
                source.map_or(0, |source| linkable::likeness(&root.join(path), &source))
            };
            // The first of those that are most alike.
            let owner = positions.iter().rev().max_by_key(likeness).copied().unwrap_or_default();
            (path.to_owned(), owner)
        })
        .collect();
    for (position, ready) in ready.iter_mut().enumerate() {
        if let Ok(ready) = ready {
            ready.files.retain(|file| owners.get(&file.destination).is_none_or(|owner| *owner == position));
        }
    }
}

fn carry_out(opened: &Root, ready: &Ready<'_>, cancel: &Cancel, progress: &Progress) -> RelinkOutcome {
    let (step, work, root) = (ready.step, ready.work, opened.place().path());
    let mut outcome = RelinkOutcome::ended(step, State::Done, None);
    if let Err(trouble) = expand_all(opened, ready, cancel, progress, &mut outcome) {
        return RelinkOutcome { made: outcome.made, ..ended(step, trouble) };
    }
    let items = ready.files.iter().map(|file| Item {
        source: file.source.clone(),
        destination: file.destination.clone(),
        kind: Kind::Link,
        expect: Expect::SameContent,
        digest: None,
        hashed: None,
    });
    let dist_info = work.dist_info.path();
    let request = TreeRequest {
        entry: ready.entry.clone(),
        identity: Some(work.expects.entry.identity()),
        root: root.to_owned(),
        mode: work.mode,
        items: items.collect(),
        touch: dist_info.parent().map(Path::to_owned).into_iter().collect(),
    };
    let expanded = outcome.made.total();
    fill(&mut outcome, link_tree(opened, &request, cancel, progress));
    // What was just made in a directory that was a symlink was found to be as wanted.
    outcome.already = outcome.already.saturating_sub(expanded);
    conclude(&mut outcome, step, work);
    outcome
}

/// Adds what the linker says.
fn fill(outcome: &mut RelinkOutcome, report: TreeReport) {
    outcome.made.add(report.made);
    outcome.moved.add(report.moved);
    outcome.already += report.already;
    let paths = |paths: Vec<PathBuf>| paths.into_iter().map(|path| At::new(&path));
    outcome.modified.extend(paths(report.modified));
    outcome.kept.extend(report.kept.iter().map(KeptFile::new));
    outcome.stale.extend(paths(report.stale));
    outcome.link_limit.extend(paths(report.link_limit));
    outcome.refused.extend(report.refused.iter().map(RefusedMode::new));
    outcome.failed.extend(report.failed.iter().map(|error| format!("{error}: {}", words(&error.source))));
    if report.cancelled {
        outcome.state = State::Cancelled;
    }
}

/// Decides how it ended. Files that the plan knows to be modified, or to have what a link lacks, are left alone as planned.
fn conclude(outcome: &mut RelinkOutcome, step: &Step, work: &RelinkWork) {
    let (stale, modified) = (outcome.stale.len() as u64, outcome.modified.len() as u64);
    let left = |number, how| {
        let files = crate::human::counted(number, "file was", "files were");
        Some(format!("{files} left alone: {how}"))
    };
    (outcome.state, outcome.why) = if let Some(first) = outcome.failed.first() {
        (State::Failed, Some(first.clone()))
    } else if outcome.state == State::Cancelled {
        (State::Cancelled, None)
    } else if stale > 0 {
        (State::Stale, left(stale, "gone or replaced since the scan"))
    } else if modified > work.modified {
        (State::Stale, left(modified, "their content is not the entry's"))
    } else if outcome.kept.len() as u64 > work.keeps && outcome.made.total() < step.bytes.files {
        (State::Stale, left(outcome.kept.len() as u64, "they have attributes that the cache's files lack"))
    } else {
        (State::Done, None)
    };
}

/// Makes real directories of those on the way to the files that are symlinks into the entry.
fn expand_all(
    opened: &Root,
    ready: &Ready<'_>,
    cancel: &Cancel,
    progress: &Progress,
    outcome: &mut RelinkOutcome,
) -> Result<(), Trouble> {
    let mut directories: BTreeSet<&Path> = BTreeSet::new();
    for file in &ready.files {
        let above = file.destination.ancestors().skip(1);
        directories.extend(above.filter(|path| !path.as_os_str().is_empty()));
    }
    // Parents come before what is in them, and are directories by then.
    for directory in directories {
        let path = opened.place().path().join(directory);
        let Ok(text) = std::fs::read_link(&path) else { continue };
        let failed = |error| Trouble::failed("find where it leads", path.clone(), error);
        let (entry, real) = (crate::disk::canonical(&ready.entry), crate::disk::canonical(&path));
        let (entry, real) = (entry.map_err(failed)?, real.map_err(failed)?);
        let Ok(inside) = real.strip_prefix(&entry) else {
            let shown = escape_os(path.as_os_str()).into_owned();
            return Err(Trouble::Stale(format!("`{shown}` is a symlink that does not lead into the entry")));
        };
        let request = ExpandRequest {
            link: directory.to_owned(),
            text,
            entry: ready.entry.clone(),
            identity: Some(ready.work.expects.entry.identity()),
            inside: inside.to_owned(),
            mode: ready.work.mode,
        };
        if let Expanded::Done(report) = expand(opened, &request, cancel, progress)? {
            fill(outcome, *report);
        }
    }
    Ok(())
}
