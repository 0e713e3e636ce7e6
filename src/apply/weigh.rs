//! Weighs what a plan frees by the files themselves: those that processes hold open, and those in an overlay's lower layer.
//!
//! A scan does not ask either, which would cost a call for each file of the cache. Here only what a plan removes is looked at, and
//! only where some file of the cache may be open, or the cache lies on an overlay.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::Cancel;
use crate::disk::FileStat;
use crate::disk::open_files::{self, Holder, Inode};
use crate::disk::overlay::{self, Frees, Overlay};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::human;
use crate::plan::{Action, Plan, Step};
use crate::snapshot::Certainty;

const HIDDEN: &str = "Other users may write to this cache, and what their processes have open cannot be seen: its bytes come \
     free when they close it.";

/// What is looked for.
struct Weighing<'a> {
    overlay: Option<Overlay>,
    open: &'a BTreeMap<Inode, Holder>,
    /// For each inode with several names how many of them go, with all steps so far.
    names: BTreeMap<Inode, u64>,
    /// Of the step that is looked at.
    found: Found,
    /// The processes that hold something that goes.
    holders: BTreeSet<Holder>,
}

/// What was found in one step.
#[derive(Clone, Copy, Default)]
struct Found {
    /// Bytes that stay until a process closes them.
    open: u64,
    /// Bytes of a lower layer.
    below: u64,
    /// Bytes that may be a lower layer's.
    unclear: u64,
}

/// Corrects what the steps of a plan free, and says why in its warnings. One that was weighed before is weighed again.
pub fn weigh(plan: &mut Plan, cache: &Path) {
    let Ok(real) = crate::disk::canonical(cache) else { return };
    if plan.steps.is_empty() {
        return;
    }
    for bytes in plan.steps.iter_mut().map(|step| &mut step.bytes) {
        bytes.reclaimable += bytes.open + bytes.below;
        (bytes.open, bytes.below) = (0, 0);
    }
    plan.add_up();
    let open = open_files::read(&real);
    let overlay = overlay::at(&real);
    let hidden = open_files::may_be_hidden(&real) && plan.totals.bytes.reclaimable > 0;
    if hidden {
        plan.warnings.push(HIDDEN.to_owned());
        for step in plan.steps.iter_mut().filter(|step| step.bytes.reclaimable > 0) {
            step.bytes.certainty = step.bytes.certainty.and(Certainty::AtMost);
        }
        plan.add_up();
    }
    if open.is_empty() && overlay.is_none() {
        return;
    }
    let stuck = overlay.as_ref().map_or(0, |overlay| stuck(overlay, &plan.steps, &real));
    let mut weighing = Weighing {
        overlay,
        open: &open,
        names: BTreeMap::new(),
        found: Found::default(),
        holders: BTreeSet::new(),
    };
    let mut sum = Found::default();
    for step in plan.steps.iter_mut().filter(|step| step.bytes.disk > 0) {
        let found = weighing.step(step, &real);
        let bytes = &mut step.bytes;
        let open = found.open.min(bytes.reclaimable);
        let below = found.below.min(bytes.reclaimable - open);
        (bytes.open, bytes.below) = (open, below);
        bytes.reclaimable -= open + below;
        if !hidden
            && weighing.overlay.is_some()
            && found.below + found.unclear == 0
            && bytes.certainty == Certainty::AtMost
        {
            bytes.certainty = Certainty::Exact;
        }
        sum.open += open;
        sum.below += found.below;
        sum.unclear += found.unclear;
    }
    plan.add_up();
    let holders = std::mem::take(&mut weighing.holders);
    plan.warnings.extend(warnings(sum, &holders, stuck));
}

/// How many steps remove a directory that the overlay cannot rename.
fn stuck(overlay: &Overlay, steps: &[Step], cache: &Path) -> u64 {
    if overlay.renames() != Some(false) {
        return 0;
    }
    let is_tree = |step: &&Step| step.is_in_cache() && step.action != Action::RemoveObjects;
    let trees = steps.iter().filter(is_tree);
    trees.filter(|step| !overlay.is_movable(&cache.join(step.at.path()))).count() as u64
}

fn warnings(sum: Found, holders: &BTreeSet<Holder>, stuck: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(who) = holders.first().filter(|_| sum.open > 0) {
        let more = human::bytes(sum.open);
        let text = match holders.len() - 1 {
            0 => format!("{more} more come free when {who} ends, which has them open."),
            others => format!(
                "{more} more come free when {who} and {} end, which have them open.",
                human::counted(others as u64, "other", "others")
            ),
        };
        warnings.push(text);
    }
    if sum.below > 0 {
        let below = human::bytes(sum.below);
        warnings.push(format!("{below} lie in the lower layer of an overlay: removing them frees nothing."));
    }
    if sum.unclear > 0 {
        warnings.push(format!(
            "Of {} this overlay does not tell in which layer they lie; removing what is in the lower layer frees nothing.",
            human::bytes(sum.unclear)
        ));
    }
    if stuck > 0 {
        let things = human::counted(stuck, "step deletes", "steps delete");
        warnings.push(format!(
            "This overlay cannot rename directories of its lower layer: {things} in place, which cannot be undone, and \
             `--trash` is not possible."
        ));
    }
    warnings
}

impl Weighing<'_> {
    fn step(&mut self, step: &Step, cache: &Path) -> Found {
        self.found = Found::default();
        for at in step.pointers().iter().map(|it| &it.at).chain(step.objects().iter().map(|it| &it.at)) {
            let path = cache.join(at.path());
            if let Ok(stat) = FileStat::of(&path) {
                self.add(&path, &stat);
            }
        }
        if !matches!(step.action, Action::RemoveObjects | Action::RemoveLink)
            && let Ok(real) = crate::disk::canonical(&cache.join(step.at.path()))
        {
            walk::walk(&real, &Cancel::default(), self);
        }
        self.found
    }

    /// Adds a file that goes. Its bytes come free with its last name.
    fn add(&mut self, path: &Path, stat: &FileStat) {
        let inode = (stat.device, stat.inode);
        let holder = self.open.get(&inode);
        if holder.is_none() && self.overlay.is_none() {
            return;
        }
        if stat.links > 1 {
            let names = self.names.entry(inode).or_default();
            *names += 1;
            if *names < stat.links {
                return;
            }
        }
        if let Some(holder) = holder {
            self.found.open += stat.disk;
            self.holders.insert(holder.clone());
            return;
        }
        self.layer(path, stat);
    }

    fn layer(&mut self, path: &Path, stat: &FileStat) {
        match self.overlay.as_ref().map(|overlay| overlay.frees(path, stat)) {
            Some(Frees::Exactly(bytes)) => self.found.below += stat.disk.saturating_sub(bytes),
            Some(Frees::AtMost(bytes)) => self.found.unclear += bytes,
            None => {}
        }
    }
}

impl Visitor for Weighing<'_> {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        if self.overlay.is_some() {
            self.layer(&directory.path(), stat);
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if self.overlay.is_some() || self.open.contains_key(&(stat.device, stat.inode)) {
            self.add(&parent.path().join(name), stat);
        }
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: io::Error) {}
}
