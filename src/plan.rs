//! Decides what to change, and says why: nothing here touches the disk.
//!
//! A [`Plan`] is made from a snapshot and a request, and depends on nothing else: the same two give the same plan, to the
//! byte, on whatever day. It holds every step with its reason and with what has to be found on disk when it is carried
//! out, everything that was asked for and is kept with the reason for that, and sums that are folded from the steps. The
//! dry run prints this value, and the run applies it.
//!
//! Planning cannot fail. What is in doubt is kept.

mod advice;
mod again;
mod at;
mod budget;
mod caution;
mod detach;
mod doubled;
mod keep;
mod objects;
mod obstacles;
mod prune;
mod relink;
mod remove;
pub mod repair;
mod request;
pub mod room;
mod step;
mod unread;
mod unused;
mod watch;

pub use advice::{Advice, advice, relink_first};
pub use at::At;
pub use caution::{Allowance, Caution};
pub use detach::{Beneath, Detach, DetachWork, detach};
pub use keep::{Kept, KeptBecause, KeptCount, Remedy, kept_counts, kept_in_short, kept_in_words};
pub use prune::linked;
pub use relink::{RelinkExpects, RelinkWork, keep};
pub use remove::{against_removal, is_removable, kept_environment};
pub use repair::Repair;
pub use request::{Budget, Class, GRACE, Gc, NamedLink, Pinned, Prune, Relink, Remove, Request};
pub use step::{
    Action, Bytes, PlannedObject, PlannedPointer, PlannedTree, Price, RemoveWork, Step, Totals, Work,
};
pub use unread::{Unread, away};
pub use unused::{CanGo, Unused};
pub use watch::{Watched, WatchedAs};

use serde::{Deserialize, Serialize};

use crate::snapshot::{Completeness, EnvironmentKind, Snapshot};

/// The version of the plan's form; a saved plan of another version is refused.
pub const SCHEMA_VERSION: u32 = 1;

/// What is to be changed, why, and what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What was asked for.
    pub request: Request,
    /// The cache's root, absolute.
    pub cache: At,
    /// What was searched for users, and what could not be.
    pub scope: Scope,
    /// What is to be done, in this order.
    pub steps: Vec<Step>,
    /// What was asked for and is kept.
    pub kept: Vec<Kept>,
    /// What must not have changed since the scan: where environments and pointers would show that somebody has begun to
    /// use something.
    pub watch: Vec<Watched>,
    /// What somebody should look at twice; a plan with a caution that the request does not allow is not carried out.
    pub cautions: Vec<Caution>,
    /// What somebody should know before, as sentences. Not escaped.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The bytes that a limit lacks although everything goes that may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    /// The sums of all steps.
    pub totals: Totals,
}

/// A place that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    /// The directory.
    #[serde(flatten)]
    pub at: At,
    /// How many levels deep.
    pub depth: usize,
    /// Whether somebody named it.
    pub named: bool,
}

/// What "no environment uses it" refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The places that were searched for environments.
    pub searched: Vec<Searched>,
    /// Directories that were read as environments because somebody said so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<At>,
    /// Whether the search went into other mounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cross_mounts: bool,
    /// What could not be read below them.
    pub unread: Vec<At>,
    /// What an error kept from being read, there or in the cache: what may depend on it is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Unread>,
    /// The environments that were found, but for those that `uvx`, `uv run` and scripts left in the cache.
    pub environments: u64,
}

impl Scope {
    /// The scope of a scan.
    pub fn of(snapshot: &Snapshot) -> Self {
        let scope = &snapshot.scope;
        let root = |root: &crate::snapshot::ScopeRoot| Searched {
            at: At::new(&root.path),
            depth: root.depth,
            named: root.named,
        };
        Self {
            searched: scope.roots.iter().map(root).collect(),
            targets: scope.targets.iter().map(|path| At::new(path)).collect(),
            cross_mounts: scope.cross_mounts,
            unread: scope.unread.iter().map(|path| At::new(path)).collect(),
            failed: unread::failed(snapshot),
            environments: environments(snapshot),
        }
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a step removes something from the cache.
    pub fn changes_cache(&self) -> bool {
        self.steps.iter().any(Step::is_in_cache)
    }

    /// A plan with nothing in it yet.
    fn empty(cache: At, scope: Scope, request: Request) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            request,
            cache,
            scope,
            steps: Vec::new(),
            kept: Vec::new(),
            watch: Vec::new(),
            cautions: Vec::new(),
            warnings: Vec::new(),
            missing: None,
            totals: Totals::default(),
        }
    }

    /// Adds up what its steps come to.
    pub fn add_up(&mut self) {
        self.totals = Totals { kept: self.kept.len() as u64, ..Totals::of(&self.steps) };
    }

    /// The distributions of which something broken is linked.
    pub fn repairs(&self) -> impl Iterator<Item = (&Step, &repair::RepairWork)> {
        self.steps.iter().filter_map(|step| Some((step, step.repair()?)))
    }

    /// The links of the cache that are written again.
    pub fn links(&self) -> impl Iterator<Item = (&Step, &repair::LinkWork)> {
        self.steps.iter().filter_map(|step| Some((step, step.link()?)))
    }

    /// The edits that are left to one environment.
    pub fn detached(&self) -> impl Iterator<Item = (&Step, &DetachWork)> {
        self.steps.iter().filter_map(|step| Some((step, step.detach()?)))
    }

    /// The distributions that are linked otherwise.
    pub fn relinks(&self) -> impl Iterator<Item = (&Step, &RelinkWork)> {
        self.steps.iter().filter_map(|step| Some((step, step.relink()?)))
    }

    /// Reads a plan that was written down. One that names something twice is refused.
    ///
    /// # Errors
    /// When it is no plan, or names something twice.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let plan: Self = serde_json::from_slice(bytes)?;
        match doubled::doubled(&plan) {
            Some(text) => Err(<serde_json::Error as serde::de::Error>::custom(text)),
            None => Ok(plan),
        }
    }

    /// The cautions that the request does not allow.
    pub fn refused(&self) -> impl Iterator<Item = &Caution> {
        self.cautions.iter().filter(|caution| !self.request.allows().contains(&caution.allowance))
    }
}

/// Environments that somebody made for themselves: what uv left in the cache tells nothing of where they are.
fn environments(snapshot: &Snapshot) -> u64 {
    let left = |kind| matches!(kind, EnvironmentKind::Cached | EnvironmentKind::Script);
    snapshot.environments.iter().filter(|environment| !left(environment.kind)).count() as u64
}

/// Makes a plan. From a snapshot that is not complete there is nothing to be planned.
pub fn plan(snapshot: &Snapshot, request: &Request) -> Plan {
    let mut plan = Plan::empty(At::new(&snapshot.cache.path), Scope::of(snapshot), request.clone());
    if snapshot.scope.completeness == Completeness::Complete {
        match request {
            Request::Prune(prune) => prune::prune(snapshot, prune, &mut plan),
            Request::Relink(relink) => relink::relink(snapshot, relink, &mut plan),
            Request::Remove(remove) => remove::remove(snapshot, remove, &mut plan),
            Request::Gc(gc) => remove::gc(snapshot, gc, &mut plan),
            // What is broken, and what was edited, is not in a snapshot: [`repair::repair`] and [`detach`] plan that.
            Request::Repair(_) | Request::Detach(_) => {}
        }
    }
    if plan.missing.is_some() {
        plan.warnings.extend(room::more(snapshot, request).iter().map(room::Way::in_words));
    }
    if plan.changes_cache() {
        plan.watch = watch::watched(snapshot);
    }
    plan.add_up();
    plan.cautions = caution::cautions(snapshot, &plan);
    plan
}
