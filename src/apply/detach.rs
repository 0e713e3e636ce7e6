//! Leaves an edit to one environment, and takes it back in the cache and everywhere else.
//!
//! # Locking
//! The cache's lock alone, because the cache is changed, and those of all environments that have the file.
//!
//! # Order
//! First the environment gets a name of its own for the edit, then the entry gets the good content, then the others are
//! linked to that. Whatever stops it in between, no edit is lost: at worst others still have it too, and the same command
//! finds them. It knows them by the file that they share with the environment, or with the entry. Therefore an environment
//! that cannot share the file any more, because nobody knows who else has it or because it lies on another filesystem,
//! has the others get the good content as copies before the entry has it, and become links to that afterwards.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ground;
use super::prune::Trouble;
use super::report::{RefusedMode, State};
use crate::control::{Cancel, Progress};
use crate::disk::{FileKind, FileStat, error::words};
use crate::linker::{Expect, Item, Kind, Root, TreeReport, TreeRequest, link_tree};
use crate::lock::{CacheExclusive, EnvironmentExclusive, HoldsCache as _};
use crate::plan::{At, DetachWork, Plan, Step};
use crate::scan::print;
use crate::snapshot::{Identity, Mode};

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DetachOutcome {
    /// The file, absolute.
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
    /// Modes that were refused, so that a file is a copy that was to be a hardlink.
    pub refused: Vec<RefusedMode>,
    /// Files that are copies because the file they were to be linked to can have no more links.
    pub link_limit: Vec<At>,
}

impl DetachOutcome {
    /// That a step was done, of which nothing more is known.
    pub fn of(step: &Step) -> Self {
        Self {
            at: step.at.clone(),
            state: State::Done,
            why: None,
            restored: Vec::new(),
            unknown: 0,
            refused: Vec::new(),
            link_limit: Vec::new(),
        }
    }
}

/// Carries a plan out. `environments` are the locks of every environment that it names.
pub fn detach(
    plan: &Plan,
    cache: &CacheExclusive,
    environments: &[EnvironmentExclusive<'_>],
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<DetachOutcome> {
    let mut outcomes = Vec::new();
    for (step, detach) in plan.detached() {
        let mut outcome = DetachOutcome::of(step);
        let valid = cache.still_valid() && environments.iter().all(EnvironmentExclusive::still_valid);
        let work = Work { cache: cache.cache(), environments, cancel, progress };
        let done = if cancel.is_cancelled() {
            outcome.state = State::Cancelled;
            Ok(())
        } else if valid {
            work.step(detach, &mut outcome)
        } else {
            Err(Trouble::Stale("a lock file was replaced".to_owned()))
        };
        if let Err(trouble) = done {
            let (state, why) = trouble.told();
            (outcome.state, outcome.why) = (state, Some(why));
        }
        outcomes.push(outcome);
    }
    outcomes
}

/// Who else has the edited file: roots, and where it is there.
struct Others<'a> {
    files: &'a [(PathBuf, PathBuf)],
    recorded: [u8; 32],
}

struct Work<'a> {
    cache: &'a Path,
    environments: &'a [EnvironmentExclusive<'a>],
    cancel: &'a Cancel,
    progress: &'a Progress,
}

impl Work<'_> {
    fn step(&self, step: &DetachWork, outcome: &mut DetachOutcome) -> Result<(), Trouble> {
        let root = &step.keeps.root.path();
        let entry = self.cache.join(step.entry.path());
        let (source, own) = (step.source.path(), step.keeps.at.path());
        let cached = entry.join(&source);
        let edited = look(&if step.in_cache { cached.clone() } else { root.join(&own) })?;
        if print::of(&edited) != step.expects {
            return Err(Trouble::Stale("the edited file has changed since it was looked at".to_owned()));
        }
        let is_locked = |root: &Path| self.environments.iter().any(|lock| lock.root() == root);
        if !is_locked(root) || !step.others.iter().all(|other| is_locked(&other.root.path())) {
            return Err(Trouble::Refused("not every environment that has the file is locked".to_owned()));
        }
        // What is a symlink leads to the entry, whatever that has; what is another file by now is not the edited one.
        let mut sharing = Vec::new();
        for other in &step.others {
            let other = (other.root.path(), other.at.path());
            let stat = look(&other.0.join(&other.1))?;
            if stat.kind == FileKind::File && same(&stat, &edited) {
                // Before anything is changed: else the cache would be restored, and those who have its file not.
                writable(&other.0.join(&other.1))?;
                sharing.push(other);
            }
        }
        let is_own = u64::from(same(&look(&root.join(&own))?, &edited));
        let known = u64::from(step.in_cache) + is_own + sharing.len() as u64;
        outcome.unknown = edited.links.saturating_sub(known);
        let others = Others { files: &sharing, recorded: step.recorded };
        if step.in_cache {
            let shares = self.keep(root, step, &entry, &edited, outcome)?;
            let good = (step.good.root.path(), step.good.at.path());
            if !shares {
                self.others(&others, (&good.0, &good.1, None), Mode::Copy, outcome)?;
            }
            let now = look(&cached)?;
            if (now.device, now.inode) != (step.expects.device, step.expects.inode) {
                return Err(Trouble::Stale("the cache's file was replaced meanwhile".to_owned()));
            }
            let item = item(&good.1, &source, Expect::Stat(now), Some(step.recorded));
            let opened = Root::open_as(&entry, Some(step.entry_is))?;
            self.link_in(&opened, (&good.0, None), Mode::Copy, item, outcome)?;
            outcome.restored.push(At::new(&cached));
        }
        self.others(&others, (&entry, &source, Some(step.entry_is)), Mode::Hardlink, outcome)?;
        outcome.restored.extend(step.others.iter().map(|it| At::new(&it.path())));
        Ok(())
    }

    /// Gives the environment a name of its own for the edit, which the entry has at this moment. Tells whether it is the
    /// entry's very file.
    fn keep(
        &self,
        root: &Path,
        step: &DetachWork,
        entry: &Path,
        edited: &FileStat,
        outcome: &mut DetachOutcome,
    ) -> Result<bool, Trouble> {
        let (source, own) = (step.source.path(), step.keeps.at.path());
        // A file that somebody else has too, whom nobody knows, is not the environment's own.
        let mode = if outcome.unknown == 0 { Mode::Hardlink } else { Mode::Copy };
        let is_own = look(&root.join(&own))?;
        if is_own.kind == FileKind::File && is_own.links == 1 {
            return Ok(false);
        }
        let item = item(&source, &own, Expect::SameContent, None);
        self.link((entry, Some(step.entry_is)), root, mode, item, outcome)?;
        Ok(same(&look(&root.join(own))?, edited))
    }

    /// Gives the others what lies at `good`.
    fn others(
        &self,
        others: &Others<'_>,
        good: (&Path, &Path, Option<Identity>),
        mode: Mode,
        outcome: &mut DetachOutcome,
    ) -> Result<(), Trouble> {
        for (root, relative) in others.files {
            let seen = Expect::Stat(look(&root.join(relative))?);
            let item = item(good.1, relative, seen, Some(others.recorded));
            self.link((good.0, good.2), root, mode, item, outcome)?;
        }
        Ok(())
    }

    /// Links one file into an environment that is locked.
    fn link(
        &self,
        entry: (&Path, Option<Identity>),
        root: &Path,
        mode: Mode,
        item: Item,
        outcome: &mut DetachOutcome,
    ) -> Result<(), Trouble> {
        let lock = self.environments.iter().find(|lock| lock.root() == root);
        let lock = lock.ok_or_else(|| Trouble::Refused("the environment is not locked".to_owned()))?;
        self.link_in(&ground::open(lock)?, entry, mode, item, outcome)
    }

    /// Links one file into a directory that is held open.
    fn link_in(
        &self,
        root: &Root,
        (entry, identity): (&Path, Option<Identity>),
        mode: Mode,
        item: Item,
        outcome: &mut DetachOutcome,
    ) -> Result<(), Trouble> {
        let request = TreeRequest {
            entry: entry.to_owned(),
            identity,
            root: root.place().path().to_owned(),
            mode,
            items: vec![item],
            touch: Vec::new(),
        };
        let report = link_tree(root, &request, self.cancel, self.progress);
        outcome.refused.extend(report.refused.iter().map(RefusedMode::new));
        outcome.link_limit.extend(report.link_limit.iter().map(|path| At::new(path)));
        one(&report)
    }
}

fn item(source: &Path, destination: &Path, expect: Expect, digest: Option<[u8; 32]>) -> Item {
    Item {
        source: source.to_owned(),
        destination: destination.to_owned(),
        kind: Kind::Link,
        expect,
        digest,
        hashed: None,
    }
}

/// Whether another file may take the place of one, as far as that can be told without trying.
#[cfg(unix)]
fn writable(path: &Path) -> Result<(), Trouble> {
    let directory = path.parent().unwrap_or(path);
    let allowed = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK);
    allowed.map_err(|error| Trouble::failed("write in the directory", directory.to_owned(), error.into()))
}

/// Whether another file may take the place of one: not known before it is tried.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn writable(_path: &Path) -> Result<(), Trouble> {
    Ok(())
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
    if let Some((_, loss)) = report.kept.first() {
        return Err(Trouble::Refused(format!("a file stays as it is: {loss}")));
    }
    if report.is_complete() && report.made.total() + report.already == 1 {
        return Ok(());
    }
    Err(Trouble::Stale("something else lies there than when it was looked at".to_owned()))
}
