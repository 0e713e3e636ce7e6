//! Relinking: the locks, the work environment by environment, and what the disk says of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use super::host::Host;
use crate::apply::relink::{Change, RelinkOutcome, RelinkReport, relink};
use crate::apply::report::State;
use crate::disk::open_files::{self, Holder};
use crate::disk::{Time, processes, volume, walk};
use crate::human;
use crate::linker::{Root, probe};
use crate::lock::Refused;
use crate::plan::{self, Plan, Step};
use crate::scan::losses::{self, Asked, Looked};
use crate::snapshot::{Certainty, Mode};

/// What came of it.
#[derive(Debug, Default)]
pub struct Relinked {
    /// What became of the plan.
    pub report: RelinkReport,
    /// The first environment whose lock somebody else holds.
    pub busy: Option<Refused>,
}

/// Looks at the files of a plan, and takes those out of it that would lose what the cache's files lack: they stay, and the plan
/// names them. Symlinks that take no block are not counted as if they did. `reflinks`: whether the cache's filesystem has them; where it has none clones become hardlinks.
pub fn look(plan: &mut Plan, reflinks: bool) {
    let cache = plan.cache.path();
    let look = |step: &Step| {
        let Some(work) = step.relink() else { return Looked::default() };
        let (root, dist_info, entry) = (step.at.path(), work.dist_info.path(), cache.join(work.entry.path()));
        let asked = Asked {
            root: &root,
            entry: &entry,
            dist_info: &dist_info,
            mode: if work.mode == Mode::Clone && !reflinks { Mode::Hardlink } else { work.mode },
            installed: Time(work.expects.record.modified),
            user: probe::user(),
        };
        // What cannot be read now is told when it is carried out.
        let looked = losses::look(&asked).unwrap_or_default();
        // An overlay has symlinks in its upper layer, which is ext4 or xfs almost always.
        let is_kept_in_inodes =
            !looked.short.is_empty() && matches!(volume::filesystem(&root).name, "ext4" | "overlayfs");
        Looked { short: if is_kept_in_inodes { looked.short } else { Vec::new() }, ..looked }
    };
    let found = walk::map(&plan.steps, walk::threads(), look);
    plan::keep(plan, &found, volume::block(&cache).unwrap_or_default());
}

/// Carries a plan out. Cancelled, it ends after the file it is busy with.
///
/// # Errors
/// When the cache's lock is not to be had; then nothing was changed.
pub fn carry_out(plan: &Plan, host: &Host<'_>) -> Result<Relinked, Refused> {
    let cache = host.shared(&plan.cache.path())?;
    let roots: BTreeSet<PathBuf> = plan.relinks().map(|(step, _)| step.at.path()).collect();
    running(&roots, host);
    let mut measured = Some(0);
    let (mut outcomes, mut busy) = (BTreeMap::new(), None);
    for root in &roots {
        let done = host.environment(root, &cache).map(|lock| {
            host.working("linking");
            // Between the locks, whose files take space too.
            let before = free(root);
            let outcomes = relink(plan, &lock, &cache, host.cancel, host.progress);
            // The volume tells only where the files do not: others write to it at the same time.
            let change = if outcomes.iter().any(|outcome| outcome.moved.unsaid) {
                before.zip(free(root)).map(|(before, after)| after - before)
            } else {
                Some(outcomes.iter().map(|it| signed(it.moved.freed) - signed(it.moved.taken)).sum())
            };
            (outcomes, change)
        });
        let of_root = match done {
            Ok((outcomes, change)) => {
                measured = measured.zip(change).map(|(sum, change)| sum + change);
                outcomes
            }
            Err(refused) => {
                let outcomes = ended(plan, root, &refused);
                if refused.is_busy() {
                    busy.get_or_insert(refused);
                }
                outcomes
            }
        };
        outcomes.insert(root.clone(), VecDeque::from(of_root));
    }
    drop(cache);
    // In the plan's order, which is not that of paths.
    let mut next = |root: PathBuf| outcomes.get_mut(&root).and_then(VecDeque::pop_front);
    let outcomes: Vec<RelinkOutcome> = plan.relinks().filter_map(|(step, _)| next(step.at.path())).collect();
    let open = still_open(&outcomes, &roots, host);
    let freed = freed(plan, &outcomes, measured.map(|measured| measured - signed(open)), open > 0);
    let mut report = RelinkReport { outcomes, freed, notes: host.notes() };
    host.journal(plan, &report);
    report.notes.extend(host.notes());
    Ok(Relinked { report, busy })
}

/// The outcomes of an environment whose lock was not to be had.
fn ended(plan: &Plan, root: &Path, refused: &Refused) -> Vec<RelinkOutcome> {
    let (state, why) = match refused {
        Refused::Cancelled { .. } => (State::Cancelled, None),
        other => (State::Failed, Some(other.to_string())),
    };
    let steps = plan.relinks().filter(|(step, _)| step.at.path() == root);
    steps.map(|(step, _)| RelinkOutcome::ended(step, state, why.clone())).collect()
}

/// The bytes of what was replaced that processes still have open; which ones is a note.
fn still_open(outcomes: &[RelinkOutcome], roots: &BTreeSet<PathBuf>, host: &Host<'_>) -> u64 {
    let gone: HashMap<_, _> =
        outcomes.iter().filter(|it| !it.moved.unsaid).flat_map(|it| it.moved.gone.iter().copied()).collect();
    if gone.is_empty() {
        return 0;
    }
    let mut held: BTreeMap<(u64, u64), Holder> = BTreeMap::new();
    for root in roots {
        held.extend(open_files::read(root).into_iter().filter(|(inode, _)| gone.contains_key(inode)));
    }
    let bytes = held.keys().filter_map(|inode| gone.get(inode)).sum();
    if let Some(holder) = held.values().min_by_key(|holder| holder.pid).filter(|_| bytes > 0) {
        let more = human::bytes(bytes);
        host.note(format!("{more} more come free when {holder} ends, which has them open."));
    }
    bytes
}

fn freed(plan: &Plan, outcomes: &[RelinkOutcome], measured: Option<i64>, open: bool) -> Change {
    let done = plan.relinks().zip(outcomes).filter(|(_, it)| it.state == State::Done);
    let (mut predicted, mut certainty, mut refused) = (0, Certainty::Exact, false);
    for ((step, work), outcome) in done {
        predicted += signed(step.bytes.reclaimable) - signed(step.bytes.needed);
        certainty = certainty.and(step.bytes.certainty);
        // Where nothing can be cloned the plan has hardlinks already.
        let foreseen = work.mode == Mode::Clone && outcome.made.copy == 0;
        refused |= !outcome.refused.is_empty() && !foreseen || !outcome.link_limit.is_empty();
    }
    // What was stopped, or was left half done, is not in the plan's figure.
    let halves = outcomes.iter().any(|it| it.state != State::Done && it.made.total() > 0);
    let differs = measured.is_some_and(|it| it.abs_diff(predicted) * 100 > predicted.unsigned_abs());
    let why = differs.then(|| {
        let why = match (refused, certainty) {
            _ if open => "processes still have open what was replaced",
            _ if halves => "a distribution was relinked in part, which the plan has no figure for",
            (true, _) => "a mode that was refused became another one",
            (false, Certainty::AtLeast | Certainty::AtMost | Certainty::Unknown) => {
                "the filesystem does not say what the files share"
            }
            (false, Certainty::Exact) => {
                "something changed since the scan, or others wrote to the disk at the same time"
            }
        };
        why.to_owned()
    });
    Change { predicted, measured, why }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Tells which processes run in the environments; they keep what they have open.
fn running(roots: &BTreeSet<PathBuf>, host: &Host<'_>) {
    let paths: Vec<PathBuf> = roots.iter().cloned().collect();
    let found = processes::within(&paths);
    for (path, processes) in paths.iter().zip(found).filter(|(_, processes)| !processes.is_empty()) {
        let who = match processes.as_slice() {
            [one] => format!("Process {one} runs"),
            many => format!("{} processes run", many.len()),
        };
        let path = path.display();
        host.note(format!("{who} in `{path}`; what is open there stays as it is until it is closed."));
    }
}

/// The free bytes of the volume that an environment lies on, once everything written to it has its place.
fn free(root: &Path) -> Option<i64> {
    Root::open(root).ok()?.place().sync_filesystem().ok()?;
    Some(signed(volume::space(root)?.1))
}
