//! A last look at a plan to prune, under the cache's lock, for the command line and the screen.
//!
//! A plan is made without any lock. Under the lock the watched places are compared with what they were. A place where an
//! environment is, and which has changed, is read again; the steps that remove what it uses now are dropped, and the rest
//! holds. Where the cache itself has new pointers or records of new environments, only a scan tells which: the lock is
//! released for it, so that uv is not kept waiting, except in the last round, in which nothing of uv can change any more.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::agreed::still;
use super::host::Host;
use super::removal::{Removal, Stopped};
use crate::apply::check::{self, Changed};
use crate::apply::{Outcome, State};
use crate::control::Cancel;
use crate::human;
use crate::lock::{CacheExclusive, HoldsCache as _};
use crate::plan::{Action, At, Class, Plan, Step, plan};
use crate::scan::newcomers::newcomers;

/// How often a plan is made again. In the last round the lock is held during the scan.
const ROUNDS: usize = 3;

/// A plan that may be carried out now, unless nothing is left of it, and what is no longer in it.
pub(super) struct Ready {
    /// What may be carried out, and the lock under which that is so.
    pub(super) go: Option<(Plan, CacheExclusive)>,
    /// What became of the other steps.
    pub(super) left: Vec<Outcome>,
}

/// What was agreed to as it still holds. `current` is that plan or what a later scan left of it, and `left` what became of the
/// rest.
///
/// # Errors
/// When the lock or a scan is not to be had, or the plan is now one that needs a second agreement. Nothing was changed then.
pub(super) fn ready(
    reviewed: &Plan,
    mut current: Plan,
    mut left: Vec<Outcome>,
    removal: &Removal<'_>,
    host: &Host<'_>,
) -> Result<Ready, Stopped> {
    for round in 1.. {
        if current.is_empty() {
            return Ok(Ready { go: None, left });
        }
        removal.cautious(&current)?;
        let mut guard = Some(removal.lock(host)?);
        host.working("looking again");
        let cache = |guard: &Option<CacheExclusive>| {
            guard.as_ref().map(|guard| guard.cache().to_owned()).unwrap_or_default()
        };
        let root = cache(&guard);
        let mut changed = check::changed(&root, &current);
        if changed.iter().any(|it| matches!(it, Changed::Cache(_))) {
            let last = round >= ROUNDS;
            if !last {
                guard = None;
            }
            host.working("scanning again");
            let snapshot = removal.rescan.wait(host.cancel)?;
            (current, left) = still(reviewed, plan(&snapshot, &reviewed.request), &snapshot);
            if !last {
                continue;
            }
            removal.cautious(&current)?;
            changed = check::changed(&root, &current);
        }
        left.extend(drop_used(&mut current, &changed, host.cancel));
        let guard = guard.filter(|_| !current.is_empty());
        return Ok(Ready { go: guard.map(|guard| (current, guard)), left });
    }
    Ok(Ready { go: None, left })
}

/// What places that have changed use now.
#[derive(Default)]
struct Used {
    entries: BTreeMap<OsString, PathBuf>,
    distributions: BTreeMap<(String, String), PathBuf>,
    unread: Option<PathBuf>,
    returned: Option<PathBuf>,
}

/// Drops the steps that what has changed speaks against, and tells why.
fn drop_used(plan: &mut Plan, changed: &[Changed], cancel: &Cancel) -> Vec<Outcome> {
    if changed.is_empty() {
        return Vec::new();
    }
    let mut used = Used::default();
    for change in changed {
        let Changed::Place { path, was, returned } = change else {
            // It changes although the lock is held: something else than uv works on it.
            used.unread.get_or_insert_with(|| change.path().to_owned());
            continue;
        };
        if *returned {
            used.returned.get_or_insert_with(|| path.clone());
        }
        let found = newcomers(path, was.as_ref(), cancel);
        used.entries.extend(found.entries.into_iter().map(|id| (id, path.clone())));
        used.distributions.extend(found.distributions.into_iter().map(|it| (it, path.clone())));
        used.unread = used.unread.take().or(found.unread);
    }
    let mut left = Vec::new();
    let mut entries = BTreeSet::new();
    let mut keep = |step: &Step, left: &mut Vec<Outcome>, why: Option<String>| {
        let Some(why) = why else { return true };
        if matches!(step.action, Action::RemoveEntry | Action::RemoveBuild) {
            entries.insert(step.at.clone());
        }
        left.push(stale(step, why));
        false
    };
    plan.steps.retain(|step| {
        let why = against(step, &used);
        keep(step, &mut left, why)
    });
    if !entries.is_empty() {
        drop_objects(plan, &mut left);
    }
    left
}

/// Drops the objects of a store from a plan: what an entry that stays is linked to stays too.
pub(super) fn drop_objects(plan: &mut Plan, left: &mut Vec<Outcome>) {
    plan.steps.retain(|step| {
        let goes = step.action != Action::RemoveObjects;
        if !goes {
            left.push(stale(step, "an entry that may be linked to it stays".to_owned()));
        }
        goes
    });
}

pub(super) fn stale(step: &Step, why: String) -> Outcome {
    Outcome { action: step.action, at: step.at.clone(), state: State::Stale, why: Some(why), moved: false }
}

/// What speaks against a step.
fn against(step: &Step, used: &Used) -> Option<String> {
    let shown = |path: &Path| human::escape_os(path.as_os_str()).into_owned();
    let may_be_used =
        matches!(step.action, Action::RemoveEntry | Action::RemoveEnvironment | Action::RemoveBuild);
    // Who uses an environment outside of the cache is looked at when it is removed.
    if let Some(path) = used.unread.as_ref().filter(|_| may_be_used && step.is_in_cache()) {
        return Some(format!("`{}` has changed since the scan and could not be read", shown(path)));
    }
    if let Some(path) = used.returned.as_ref().filter(|_| step.class() == Some(Class::OrphanedCentral)) {
        return Some(format!("`{}` is there again", shown(path)));
    }
    if !matches!(step.action, Action::RemoveEntry | Action::RemoveBuild) {
        return None;
    }
    let mut entries = step.places().map(At::path);
    if let Some(place) = entries.find_map(|path| used.entries.get(path.file_name()?)) {
        return Some(format!("`{}` uses it now", shown(place)));
    }
    // Whoever named an entry takes it from environments that keep their files.
    let (name, version) = (step.name.clone()?, step.version.clone()?);
    let place = used.distributions.get(&(name, version)).filter(|_| step.class() != Some(Class::Named))?;
    Some(format!("it was installed in `{}` since the scan", shown(place)))
}
