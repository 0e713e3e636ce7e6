//! Leaves an edit to one environment, and takes it back in the cache and everywhere else.
//!
//! # Locking
//! The cache's lock alone, because the cache is changed, and those of all environments that have the file.
//!
//! # Order
//! First the environment gets a file of its own with the edit, then the entry gets the good content, then the others are
//! linked to that. Whatever stops it in between, no edit is lost: at worst others still have it too.

use std::path::Path;

use serde::Serialize;

use super::prune::Trouble;
use super::report::State;
use crate::control::{Cancel, Progress};
use crate::disk::{FileKind, FileStat, error::words};
use crate::linker::{Expect, Item, Kind, TreeReport, TreeRequest, link_tree};
use crate::lock::{CacheExclusive, EnvironmentExclusive, HoldsCache as _};
use crate::plan::{At, DetachPlan, DetachStep};
use crate::scan::print;
use crate::snapshot::{Identity, Mode};

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DetachOutcome {
    /// The file, relative to the environment.
    #[serde(flatten)]
    pub at: At,
    /// What became of it.
    pub state: State,
    /// Why, unless it was done. Not escaped.
    pub why: Option<String>,
    /// Who got the good content back: the entry, then environments.
    pub restored: Vec<At>,
    /// Names of the file that nobody knows, and that still have the edit.
    pub unknown: u64,
}

/// Carries a plan out. `environments` are the locks of every environment that it names.
pub fn detach(
    plan: &DetachPlan,
    cache: &CacheExclusive,
    environments: &[EnvironmentExclusive<'_>],
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<DetachOutcome> {
    let mut outcomes = Vec::new();
    for step in &plan.steps {
        let mut outcome = DetachOutcome {
            at: step.at.clone(),
            state: State::Done,
            why: None,
            restored: Vec::new(),
            unknown: 0,
        };
        let valid = cache.still_valid() && environments.iter().all(EnvironmentExclusive::still_valid);
        let work = Work { cache: cache.cache(), environments, cancel, progress };
        let done = if cancel.is_cancelled() {
            outcome.state = State::Cancelled;
            Ok(())
        } else if valid {
            work.step(&plan.environment.path(), step, &mut outcome)
        } else {
            Err(Trouble::Stale("a lock file was replaced".to_owned()))
        };
        if let Err(trouble) = done {
            (outcome.state, outcome.why) = match trouble {
                Trouble::Stale(why) => (State::Stale, Some(why)),
                Trouble::Refused(why) => (State::Failed, Some(why)),
                Trouble::Failed(error) => (State::Failed, Some(format!("{error}: {}", words(&error.source)))),
            };
        }
        outcomes.push(outcome);
    }
    outcomes
}

struct Work<'a> {
    cache: &'a Path,
    environments: &'a [EnvironmentExclusive<'a>],
    cancel: &'a Cancel,
    progress: &'a Progress,
}

impl Work<'_> {
    fn step(&self, root: &Path, step: &DetachStep, outcome: &mut DetachOutcome) -> Result<(), Trouble> {
        let entry = self.cache.join(step.entry.path());
        let (source, own) = (step.source.path(), step.at.path());
        let cached = entry.join(&source);
        let bad = look(&cached)?;
        if print::of(&bad) != step.expects {
            return Err(Trouble::Stale("the cache's file has changed since it was looked at".to_owned()));
        }
        let is_locked = |root: &Path| self.environments.iter().any(|lock| lock.root() == root);
        if !is_locked(root) || !step.others.iter().all(|other| is_locked(&other.root.path())) {
            return Err(Trouble::Refused("not every environment that has the file is locked".to_owned()));
        }
        let was_hardlink = FileStat::of(&root.join(&own)).is_ok_and(|stat| same(&stat, &bad));
        // A symlink to the cache's file becomes a file of its own as well.
        let item = Item {
            source: source.clone(),
            destination: own,
            kind: Kind::Link,
            expect: Expect::SameContent,
            digest: None,
        };
        one(&self.link(&entry, Some(step.entry_is), root, Mode::Copy, item))?;

        let bad = look(&cached)?;
        if (bad.device, bad.inode) != (step.expects.device, step.expects.inode) {
            return Err(Trouble::Stale("the cache's file was replaced meanwhile".to_owned()));
        }
        let (good_root, good) = (&step.good.root.path(), step.good.at.path());
        let recorded = Some(step.recorded);
        let item = Item {
            source: good,
            destination: source.clone(),
            kind: Kind::Link,
            expect: Expect::Stat(bad),
            digest: recorded,
        };
        one(&self.link(good_root, None, &entry, Mode::Copy, item))?;
        outcome.restored.push(At::new(&cached));
        let mut names = step.expects.links.saturating_sub(1 + u64::from(was_hardlink));
        for other in &step.others {
            let (other, relative) = (other.root.path(), other.at.path());
            let path = other.join(&relative);
            let stat = look(&path)?;
            // A symlink leads to the good content by now.
            if stat.kind == FileKind::File && same(&stat, &bad) {
                let item = Item {
                    source: source.clone(),
                    destination: relative,
                    kind: Kind::Link,
                    expect: Expect::Stat(stat),
                    digest: recorded,
                };
                one(&self.link(&entry, Some(step.entry_is), &other, Mode::Hardlink, item))?;
                names = names.saturating_sub(1);
            }
            outcome.restored.push(At::new(&path));
        }
        outcome.unknown = names;
        Ok(())
    }

    fn link(
        &self,
        entry: &Path,
        identity: Option<Identity>,
        root: &Path,
        mode: Mode,
        item: Item,
    ) -> TreeReport {
        let request = TreeRequest {
            entry: entry.to_owned(),
            identity,
            root: root.to_owned(),
            mode,
            items: vec![item],
            touch: Vec::new(),
        };
        link_tree(&request, self.cancel, self.progress)
    }
}

fn look(path: &Path) -> Result<FileStat, Trouble> {
    FileStat::of(path).map_err(|error| Trouble::failed("look at", path.to_owned(), error))
}

fn same(one: &FileStat, other: &FileStat) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}

/// Whether the one file of a request is as it was wanted.
fn one(report: &TreeReport) -> Result<(), Trouble> {
    if let Some(error) = report.failed.first() {
        return Err(Trouble::Refused(format!("{error}: {}", words(&error.source))));
    }
    if report.is_complete() && report.made.total() + report.already == 1 {
        return Ok(());
    }
    Err(Trouble::Stale("something else lies there than when it was looked at".to_owned()))
}
