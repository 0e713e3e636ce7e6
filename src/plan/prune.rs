//! Chooses what to remove from the cache.
//!
//! An entry goes only when nothing speaks against it; the first thing that does is why it is kept. What was named goes
//! although it is young, and although environments use it whose files stay (hardlinks, clones and copies); never although
//! an environment reaches it by symlink, or because nobody knows.

mod generations;
mod pieces;
mod whole;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use jiff::Timestamp;
use pep440_rs::Version;

use super::step::Bytes;
use super::{
    Action, Allowance, At, Class, Kept, KeptBecause, Pinned, Plan, PlannedPointer, Price, Prune, RemoveWork,
    Step, Work,
};
use super::{budget, objects, unread};
use crate::snapshot::{
    Entry, EntryIndex, EntryKind, EntryState, EnvironmentIndex, Evidence, Holder, Origin, Reference,
    Snapshot, What,
};
use crate::uv::bucket::Bucket;
use crate::uv::distribution::same_version;
use crate::uv::requirement::Requirement;

/// Something that may be removed.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) step: Step,
    /// What it is to the groups, where it is something to them.
    pub(super) holders: Vec<Holder>,
    /// Allocated bytes of it that are in no group and that nothing else has.
    pub(super) own: u64,
    /// When it was last used.
    pub(super) used: Option<Timestamp>,
}

/// What the choice rests on.
pub(super) struct Chooser<'a> {
    pub(super) snapshot: &'a Snapshot,
    request: &'a Prune,
    now: Timestamp,
    named: BTreeSet<EntryIndex>,
    /// Environments that go too: they do not count as users.
    going: BTreeSet<EnvironmentIndex>,
    /// The newest version of each name among the unpacked wheels.
    newest: HashMap<&'a str, (Version, &'a str)>,
}

/// Fills in the steps and what is kept.
pub(super) fn prune(snapshot: &Snapshot, request: &Prune, plan: &mut Plan) {
    after(snapshot, &BTreeSet::new(), Vec::new(), std::slice::from_ref(request), plan);
}

/// Fills in the steps of some prunes, and what they keep: of each what those before it leave. `first` goes before all that, and
/// `going` are the environments in it.
pub(super) fn after(
    snapshot: &Snapshot,
    going: &BTreeSet<EnvironmentIndex>,
    first: Vec<Candidate>,
    prunes: &[Prune],
    plan: &mut Plan,
) {
    let newest = newest(snapshot);
    let mut candidates = first;
    let first = candidates.len();
    let mut taken: BTreeSet<At> = BTreeSet::new();
    let mut going = going.clone();
    let mut requests = prunes.iter().peekable();
    let mut choices = 0;
    while let Some(request) = requests.peek() {
        choices += 1;
        let chooser = Chooser {
            snapshot,
            request,
            now: snapshot.scope.started.unwrap_or_default(),
            named: named(snapshot, &request.what),
            going: going.clone(),
            newest: newest.clone(),
        };
        taken.extend(candidates.iter().flat_map(|it| it.step.places()).cloned());
        let mut more = chooser.choose(plan);
        more.retain(|candidate| !candidate.step.places().any(|at| taken.contains(at)));
        let limited = budget::limit(snapshot, request.budget, &candidates, &mut more);
        let environments = cached_environments(snapshot, &more);
        candidates.append(&mut more);
        // With environments of the cache goes what only they use, where more is to go.
        let is_enough = request.budget.is_some() && limited.missing.is_none();
        let goes_on = !environments.is_empty() && !is_enough;
        going.extend(environments);
        if goes_on {
            continue;
        }
        plan.warnings.extend(limited.words);
        plan.missing = limited.missing.or(plan.missing);
        plan.kept.extend(limited.within.into_iter().map(|it| stays(it.step, KeptBecause::WithinBudget)));
        requests.next();
    }
    order(&mut candidates, first);
    leave_to_buckets(&mut candidates);
    if let Some(request) = prunes.first() {
        objects::add(&Chooser::without(snapshot, request, &going), &mut candidates);
    }
    give_back(snapshot, &mut candidates);
    plan.steps.extend(candidates.into_iter().map(|candidate| candidate.step));
    if choices > 1 {
        // What one prune keeps another may take, and several keep the same: the last one, which asks for most, says why.
        plan.kept.reverse();
        let mut goes: BTreeSet<At> = plan.steps.iter().flat_map(Step::places).cloned().collect();
        plan.kept.retain(|kept| goes.insert(kept.at.clone()));
    }
    plan.kept.sort_by_cached_key(|kept| (Reverse(kept.disk), kept.at.clone()));
}

/// Brings candidates into the order in which they go. The first so many are in order among themselves.
fn order(candidates: &mut [Candidate], first: usize) {
    // Buckets first: what goes with one need not be moved out of it before.
    candidates[first..].sort_by_cached_key(|candidate| {
        let step = &candidate.step;
        // What environments of the cache use goes after them.
        let is_used = step.users().iter().any(|user| !user.path().is_absolute());
        (step.action != Action::RemoveBucket, is_used, Reverse(step.bytes.disk), step.at.clone())
    });
    // Those that go in any case too: without its pointers, which go with the bucket, an entry must not go before it.
    candidates.sort_by_key(|candidate| match candidate.step.action {
        _ if !candidate.step.is_in_cache() => 0,
        Action::RemoveBucket => 1,
        _ => 2,
    });
}

/// The entries among some candidates.
pub(super) fn entries_among(candidates: &[Candidate]) -> BTreeSet<EntryIndex> {
    let holders = candidates.iter().flat_map(|candidate| &candidate.holders);
    let entry = |holder: &Holder| match holder {
        Holder::Entry(index) => Some(*index),
        _ => None,
    };
    holders.filter_map(entry).collect()
}

/// The environments among some candidates.
fn cached_environments(snapshot: &Snapshot, candidates: &[Candidate]) -> BTreeSet<EnvironmentIndex> {
    let entries = entries_among(candidates);
    let goes = |it: &crate::snapshot::Environment| it.entry.is_some_and(|entry| entries.contains(&entry));
    snapshot.environments().filter(|(_, it)| goes(it)).map(|(index, _)| index).collect()
}

/// The entries that somebody named.
fn named(snapshot: &Snapshot, what: &[String]) -> BTreeSet<EntryIndex> {
    what.iter().flat_map(|text| What::new(OsStr::new(text)).find(snapshot)).collect()
}

fn newest(snapshot: &Snapshot) -> HashMap<&str, (Version, &str)> {
    let mut newest: HashMap<&str, (Version, &str)> = HashMap::new();
    for entry in snapshot.entries.iter().filter(|entry| entry.kind == EntryKind::Wheel) {
        let (Some(name), Some(text)) = (entry.name.as_deref(), entry.version.as_deref()) else { continue };
        let Ok(version) = Version::from_str(text) else { continue };
        if newest.get(name).is_none_or(|(other, _)| version > *other) {
            newest.insert(name, (version, text));
        }
    }
    newest
}

/// Adds steps for those of some entries that nothing else speaks for than the environments that go. What others use was not asked
/// for.
pub(super) fn entries_of(
    chooser: &Chooser<'_>,
    entries: &BTreeSet<EntryIndex>,
    candidates: &mut Vec<Candidate>,
    plan: &mut Plan,
) {
    let class = Class::WithEnvironments;
    let mut found = Vec::new();
    for index in entries {
        let entry = chooser.snapshot.entry(*index);
        match chooser.against(*index, entry, class) {
            None => found.push(chooser.entry(*index, entry, class)),
            Some(KeptBecause::Used { .. } | KeptBecause::Protected { .. }) => {}
            Some(because) => plan.kept.push(kept(&entry_path(entry), entry, because)),
        }
    }
    if let Some(because) = unread::not_understood(chooser.snapshot) {
        plan.kept.extend(found.drain(..).map(|candidate| stays(candidate.step, because.clone())));
    }
    found.sort_by_cached_key(|candidate| (Reverse(candidate.step.bytes.disk), candidate.step.at.clone()));
    candidates.append(&mut found);
}

/// Adds the objects of stores that only entries among some candidates link to.
pub(super) fn objects_of(
    snapshot: &Snapshot,
    request: &Prune,
    going: &BTreeSet<EnvironmentIndex>,
    candidates: &mut Vec<Candidate>,
) {
    objects::add(&Chooser::without(snapshot, request, going), candidates);
}

/// Where an entry is, relative to the cache's root.
fn entry_path(entry: &Entry) -> PathBuf {
    entry.key.path()
}

fn kept(path: &Path, entry: &Entry, because: KeptBecause) -> Kept {
    Kept {
        name: entry.name.clone(),
        version: entry.version.clone(),
        disk: entry.disk,
        ..Kept::new(At::new(path), because)
    }
}

/// A part of a bucket that is kept.
fn kept_piece(path: &Path, disk: u64, because: KeptBecause) -> Kept {
    Kept { disk, ..Kept::new(At::new(path), because) }
}

/// Why a prune that names an entry would keep it, if it would.
pub(super) fn against_named(snapshot: &Snapshot, index: EntryIndex) -> Option<KeptBecause> {
    let chooser = Chooser {
        snapshot,
        request: &Prune::default(),
        now: snapshot.scope.started.unwrap_or_default(),
        named: BTreeSet::from([index]),
        going: BTreeSet::new(),
        newest: HashMap::new(),
    };
    chooser.against(index, snapshot.entry(index), Class::Named)
}

/// What leads into an entry from outside of environments.
pub fn linked(snapshot: &Snapshot, index: EntryIndex) -> KeptBecause {
    let links: BTreeSet<&Path> = snapshot.user_links_to(index).iter().map(|link| &*link.path).collect();
    KeptBecause::Linked { links: links.into_iter().map(At::new).collect() }
}

/// What was to be removed, and is kept.
fn stays(step: Step, because: KeptBecause) -> Kept {
    Kept { name: step.name, version: step.version, disk: step.bytes.disk, ..Kept::new(step.at, because) }
}

/// Takes pointers out of steps whose bucket goes before them.
fn leave_to_buckets(candidates: &mut [Candidate]) {
    let goes = |candidate: &&Candidate| candidate.step.action == Action::RemoveBucket;
    let buckets: Vec<PathBuf> = candidates.iter().filter(goes).map(|it| it.step.at.path()).collect();
    for candidate in candidates {
        let lies = |pointer: &PlannedPointer| {
            let path = pointer.at.path();
            buckets.iter().any(|bucket| path.starts_with(bucket))
        };
        if let Some(work) = candidate.step.removal_mut() {
            work.pointers.retain(|pointer| !lies(pointer));
        }
    }
}

/// Divides what all candidates give back among them, and adds their pointers.
pub(super) fn give_back(snapshot: &Snapshot, candidates: &mut [Candidate]) {
    let holders: Vec<Holder> =
        candidates.iter().flat_map(|candidate| candidate.holders.iter().copied()).collect();
    let mut answers = snapshot.reclaimable_in_order(&holders).into_iter();
    for candidate in candidates {
        let bytes = &mut candidate.step.bytes;
        bytes.reclaimable = candidate.own;
        if candidate.own > 0 || candidate.holders.is_empty() {
            bytes.certainty = bytes.certainty.and(snapshot.cache.certainty);
        }
        bytes.held = 0;
        for holder in &candidate.holders {
            let answer = answers.next().expect("there is an answer for each holder");
            bytes.reclaimable += answer.bytes;
            bytes.certainty = bytes.certainty.and(answer.certainty);
            bytes.held += if *holder == Holder::Store { 0 } else { answer.held + answer.opaque };
        }
        let Work::Remove(work) = &candidate.step.work else { continue };
        for pointer in &work.pointers {
            bytes.files += 1;
            if pointer.expects.disk > 0 {
                bytes.certainty = bytes.certainty.and(snapshot.cache.certainty);
            }
            bytes.disk += pointer.expects.disk;
            bytes.reclaimable += if pointer.expects.links == 1 { pointer.expects.disk } else { 0 };
        }
    }
}

impl<'a> Chooser<'a> {
    /// A choice among entries in which some environments do not count as users.
    pub(super) fn without(
        snapshot: &'a Snapshot,
        request: &'a Prune,
        going: &BTreeSet<EnvironmentIndex>,
    ) -> Self {
        Self {
            snapshot,
            request,
            now: snapshot.scope.started.unwrap_or_default(),
            named: BTreeSet::new(),
            going: going.clone(),
            newest: HashMap::new(),
        }
    }

    /// What may go of what was asked for; notes what is kept.
    fn choose(&self, plan: &mut Plan) -> Vec<Candidate> {
        let snapshot = self.snapshot;
        let mut candidates = Vec::new();
        let taken = self.old_builds(&mut candidates, plan);
        let old = if self.wants(Class::OldGenerations) { self.old_generations() } else { BTreeSet::new() };
        for (index, entry) in snapshot.entries().filter(|(index, _)| !taken.contains(index)) {
            let old = old.contains(&index).then_some(Class::OldGenerations);
            let Some(class) = self.class(index, entry).or(old) else { continue };
            match self.against(index, entry, class) {
                None => candidates.push(self.entry(index, entry, class)),
                Some(because) => plan.kept.push(kept(&entry_path(entry), entry, because)),
            }
        }
        if !self.request.classes.is_empty() {
            plan.kept.extend(unread::unlisted(snapshot));
        }
        if plan.kept.iter().any(|kept| matches!(kept.because, KeptBecause::Doubt | KeptBecause::ReadFailed)) {
            let text = unread::away(snapshot).filter(|text| !plan.warnings.contains(text));
            plan.warnings.extend(text);
        }
        self.environments(&mut candidates, plan);
        self.buckets(&mut candidates, plan);
        self.repositories(&mut candidates, plan);
        self.fetched(&mut candidates, plan);
        if let Some(because) = unread::not_understood(snapshot) {
            plan.kept.extend(candidates.drain(..).map(|candidate| stays(candidate.step, because.clone())));
        }
        candidates
    }

    /// The state of an entry, without the environments that go.
    fn state(&self, index: EntryIndex, entry: &Entry) -> EntryState {
        if self.going.is_empty() {
            entry.state
        } else if !self.snapshot.user_links_to(index).is_empty() || !self.users(index, true).is_empty() {
            EntryState::Protected
        } else if !self.users(index, false).is_empty() {
            EntryState::Used
        } else if entry.links.unexplained > 0 || entry.unexplained_extents > 0 {
            EntryState::HeldElsewhere
        } else {
            EntryState::Unused
        }
    }

    pub(super) fn wants(&self, class: Class) -> bool {
        self.request.classes.contains(&class)
    }

    /// For what an entry was asked for, if it was.
    fn class(&self, index: EntryIndex, entry: &Entry) -> Option<Class> {
        let alone = entry.pointers.is_empty();
        let state = self.state(index, entry);
        let nobody = matches!(state, EntryState::Unused | EntryState::Unreferenced);
        let unclear = nobody || state == EntryState::HeldElsewhere;
        // What could not be read may be a wheel.
        let wheel = entry.kind == EntryKind::Wheel || entry.unread && entry.kind == EntryKind::Unknown;
        if self.named.contains(&index) {
            Some(Class::Named)
        } else if self.wants(Class::Unreferenced) && alone {
            Some(Class::Unreferenced)
        } else if self.wants(Class::Superseded) && wheel && unclear && self.successor(entry).is_some() {
            Some(Class::Superseded)
        } else if self.wants(Class::Unused) && wheel && unclear {
            Some(if state == EntryState::Unreferenced { Class::Unreferenced } else { Class::Unused })
        } else if self.wants(Class::CachedEnvironments) && entry.kind == EntryKind::Environment {
            Some(Class::CachedEnvironments)
        } else {
            None
        }
    }

    /// The newer version of an entry that the cache has.
    fn successor(&self, entry: &Entry) -> Option<&'a str> {
        let (newest, text) = self.newest.get(entry.name.as_deref()?)?;
        let version = Version::from_str(entry.version.as_deref()?).ok()?;
        (version < *newest).then_some(*text)
    }

    /// What speaks against removing an entry.
    fn against(&self, index: EntryIndex, entry: &Entry, class: Class) -> Option<KeptBecause> {
        let named = class == Class::Named;
        let known = Bucket::parse(OsStr::new(entry.key.bucket.as_ref())).is_some_and(Bucket::is_known);
        let nameless = entry.kind == EntryKind::Unknown && !entry.unread && class != Class::Unreferenced;
        let bucket = self.snapshot.cache.bucket_of(Path::new(entry.key.bucket.as_ref()));
        if let Some(why) = bucket.and_then(crate::snapshot::Bucket::why_odd) {
            return Some(KeptBecause::NotUnderstood { why });
        }
        if nameless || !known && bucket.is_none() {
            return Some(KeptBecause::Unknown);
        }
        // Of a layout that is understood only by what it holds, what nothing leads to may be what another uv is making.
        if !known && entry.pointers.is_empty() {
            return Some(KeptBecause::Untested { old: false });
        }
        // Its pointers go with it.
        let pointers = entry.pointers.iter().map(|pointer| &*self.snapshot.pointer(*pointer).path);
        let mut parts = pointers.chain([Path::new(entry.key.bucket.as_ref())]);
        if let Some(because) = parts.find_map(|path| self.moved(path)) {
            return Some(because);
        }
        if let Some(because) = unread::against(self.snapshot, entry) {
            return Some(because);
        }
        if class == Class::Unreferenced && entry.state == EntryState::Unused {
            return Some(KeptBecause::UnclearPointer);
        }
        match self.state(index, entry) {
            EntryState::Protected if self.users(index, true).is_empty() => {
                return Some(linked(self.snapshot, index));
            }
            EntryState::Protected => {
                return Some(KeptBecause::Protected { environments: self.users(index, true) });
            }
            EntryState::Used if !named => {
                return Some(KeptBecause::Used { environments: self.users(index, false) });
            }
            EntryState::HeldElsewhere if !named => {
                return Some(KeptBecause::HeldElsewhere {
                    links: entry.links.unexplained,
                    extents: entry.unexplained_extents,
                });
            }
            _ => {}
        }
        let stored = self.snapshot.environments.iter().find(|environment| environment.entry == Some(index));
        if let Some(environment) = stored.filter(|environment| !environment.running.is_empty()) {
            return Some(KeptBecause::Running { processes: environment.running.clone() });
        }
        if !named {
            let pointers = entry.pointers.iter().map(|pointer| &self.snapshot.pointer(*pointer).print);
            let changed = pointers.map(|print| print.modified.max(print.changed)).max().unwrap_or(i64::MIN);
            let young = self.young(changed.max(entry.print.newest));
            if young.is_some() {
                return young;
            }
        }
        let used = entry.last_use.map(|last_use| last_use.time);
        // What uv does not use again need not be kept as a last copy.
        let may_be_last = !named && class != Class::OldBuilds;
        self.recent(used)
            .or_else(|| self.pinned(entry))
            .or_else(|| self.last_copy(entry).filter(|_| may_be_last))
    }

    /// Whether no known source could supply an entry again, and removing such is not allowed.
    fn last_copy(&self, entry: &Entry) -> Option<KeptBecause> {
        let keeps = price(entry).is_last() && !self.request.allow.contains(&Allowance::Gone);
        keeps.then(|| KeptBecause::LastCopy { gone: entry.source.gone.as_deref().map(At::new) })
    }

    fn pinned(&self, entry: &Entry) -> Option<KeptBecause> {
        let (name, version) = (entry.name.as_deref()?, entry.version.as_deref()?);
        let needs = |it: &Pinned| {
            // What cannot be understood in a saved plan keeps every version.
            let is_meant = |versions: &String| {
                Requirement::read(&format!("{name}{versions}")).map_or(true, |wanted| wanted.allows(version))
            };
            it.name == name
                && it.version.as_ref().is_none_or(|locked| same_version(locked, version))
                && it.versions.as_ref().is_none_or(is_meant)
        };
        self.request.keep.iter().any(needs).then_some(KeptBecause::Pinned)
    }

    /// Whether something changed within the grace period; times in the future count as young.
    pub(super) fn young(&self, newest: i64) -> Option<KeptBecause> {
        let changed = Timestamp::from_nanosecond(i128::from(newest)).unwrap_or(Timestamp::MAX);
        self.within(changed, self.request.grace).then_some(KeptBecause::Young { changed })
    }

    /// Whether something was used more recently than was asked for; what nobody knows the last use of counts as recent.
    fn recent(&self, used: Option<Timestamp>) -> Option<KeptBecause> {
        let limit = self.request.older_than?;
        let used = used.unwrap_or(self.now);
        self.within(used, limit).then_some(KeptBecause::Recent { used })
    }

    fn within(&self, time: Timestamp, seconds: u64) -> bool {
        let limit = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.now.as_second().saturating_sub(time.as_second()) < limit
    }

    /// The environments that use an entry, or only those that do by symlink.
    fn users(&self, index: EntryIndex, symlinks: bool) -> Vec<At> {
        let wanted = |reference: &&Reference| {
            if symlinks { reference.counts.symlink > 0 } else { reference.evidence > Evidence::Name }
        };
        let references = self.snapshot.references_to(index).iter().filter(wanted);
        let references = references.filter(|it| !self.going.contains(&it.environment));
        self.roots(references)
    }

    /// The environments that use an entry and go.
    pub(super) fn users_that_go(&self, index: EntryIndex) -> Vec<At> {
        let references = self.snapshot.references_to(index).iter();
        let goes = |it: &&Reference| it.evidence > Evidence::Name && self.going.contains(&it.environment);
        let place = |reference: &Reference| {
            let environment = self.snapshot.environment(reference.environment);
            match environment.entry {
                // One of the cache is a step of it.
                Some(index) => At::new(&entry_path(self.snapshot.entry(index))),
                None => At::new(&environment.path),
            }
        };
        references.filter(goes).map(place).collect::<BTreeSet<At>>().into_iter().collect()
    }

    fn roots<'r>(&self, references: impl Iterator<Item = &'r Reference>) -> Vec<At> {
        let environments: BTreeSet<&Path> =
            references.map(|item| &*self.snapshot.environment(item.environment).path).collect();
        environments.into_iter().map(At::new).collect()
    }

    fn entry(&self, index: EntryIndex, entry: &Entry, class: Class) -> Candidate {
        let pointers = entry.pointers.iter().map(|pointer| {
            let pointer = self.snapshot.pointer(*pointer);
            PlannedPointer { at: At::new(&pointer.path), form: pointer.form, expects: pointer.print }
        });
        let users = match class {
            Class::Named => self.users(index, false),
            _ => self.users_that_go(index),
        };
        Candidate {
            holders: vec![Holder::Entry(index)],
            own: 0,
            used: entry.last_use.map(|last_use| last_use.time),
            step: Step {
                action: Action::RemoveEntry,
                at: At::new(&entry_path(entry)),
                name: entry.name.clone(),
                version: entry.version.clone(),
                reason: self.reason(entry, class, users.len()),
                bytes: Bytes { disk: entry.disk, files: entry.files, ..Bytes::default() },
                work: Work::Remove(RemoveWork {
                    pointers: pointers.collect(),
                    users,
                    ..RemoveWork::new(class, price(entry), entry.print)
                }),
            },
        }
    }

    fn reason(&self, entry: &Entry, class: Class, users: usize) -> String {
        match class {
            Class::Unreferenced => "no pointer and no environment uses it".to_owned(),
            Class::Superseded => {
                format!(
                    "no environment uses it, and {} is newer",
                    self.successor(entry).unwrap_or("another version")
                )
            }
            Class::OldGenerations if self.request.keep_newest != Some(0) => {
                "uvx or uv run has made a newer one for the same".to_owned()
            }
            Class::CachedEnvironments | Class::OldGenerations => {
                "an environment left by uvx or uv run".to_owned()
            }
            Class::Named => match users {
                0 => "you named it".to_owned(),
                1 => "you named it; an environment keeps files of its own".to_owned(),
                _ => format!("you named it; {users} environments keep files of their own"),
            },
            _ => match users {
                0 => "no environment uses it".to_owned(),
                1 => "only an environment uses it that goes too".to_owned(),
                _ => format!("only {users} environments use it that go too"),
            },
        }
    }
}

/// What it costs to have an entry again.
fn price(entry: &Entry) -> Price {
    if entry.kind == EntryKind::Environment {
        return Price::Make;
    }
    if entry.pointers.is_empty() {
        return Price::Nothing;
    }
    if entry.source.gone.is_some() {
        return Price::Gone;
    }
    if entry.source.unlocated && !entry.source.wheel {
        return Price::Unknown;
    }
    if entry.source.built {
        return if entry.source.wheel { Price::Unpack } else { Price::Build };
    }
    match entry.source.origin {
        Origin::Pypi | Origin::Index | Origin::Url => Price::Download { bytes: entry.source.download },
        Origin::FindLinks | Origin::Path => Price::Unpack,
        Origin::Git | Origin::Editable => Price::Build,
        Origin::Command => Price::Make,
        Origin::Unknown => Price::Unknown,
    }
}
