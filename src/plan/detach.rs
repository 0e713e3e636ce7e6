//! Chooses which edits of an environment to keep there, and to take back everywhere else.
//!
//! Whoever edits a hardlinked file edits the cache and all other environments too. What was compared with `RECORD` says
//! which files that happened to, who shares them, and whether a good copy exists anywhere. Where none does, nothing is
//! planned: the edit stays with all who have it.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::at::hexadecimal;
use super::{Action, At, Bytes, Kept, KeptBecause, Plan, Request, Scope, Step, Work};
use crate::scan::verify::{Finding, Good, Place, Verified};
use crate::snapshot::{EnvironmentIndex, FilePrint, Identity, Snapshot};

/// Which edits to leave to one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detach {
    /// The environment, by its root.
    pub environment: At,
}

/// How the environment keeps one file as it is, and the cache and the others get it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetachWork {
    /// The file in the environment that keeps it.
    pub keeps: Beneath,
    /// The entry, relative to the cache's root.
    pub entry: At,
    /// Which directory the entry has to be.
    pub entry_is: Identity,
    /// The file, relative to the entry.
    pub source: At,
    /// A file with the content that `RECORD` states, in an entry or an environment.
    pub good: Beneath,
    /// The file in other environments that have it.
    pub others: Vec<Beneath>,
    /// The SHA-256 that `RECORD` states.
    #[serde(with = "hexadecimal")]
    pub recorded: [u8; 32],
    /// Whether the entry's own file has the edit too. Where somebody stopped a run in the middle it may be restored by now,
    /// and others are not.
    pub in_cache: bool,
    /// What has to be found in the entry, if it has the edit, else in the environment.
    pub expects: FilePrint,
}

/// A file, and what it lies in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beneath {
    /// The root of the entry or environment, absolute.
    pub root: At,
    /// Where it is there.
    #[serde(flatten)]
    pub at: At,
}

/// Plans from what was found in an environment.
pub fn detach(snapshot: &Snapshot, environment: EnvironmentIndex, verified: &Verified) -> Plan {
    let request = Detach { environment: At::new(&snapshot.environment(environment).path) };
    let (cache, scope) = (At::new(&snapshot.cache.path), Scope::of(snapshot));
    let mut plan = Plan::empty(cache, scope, Request::Detach(request));
    for finding in verified.damage() {
        let Some(own) = finding.places.iter().find(|place| place.environment == Some(environment)) else {
            continue;
        };
        match step(snapshot, environment, finding) {
            Ok(step) => plan.steps.push(step),
            Err(reason) => {
                let shared = finding.places.len() > 1 || finding.twin.is_some();
                plan.kept.push(Kept {
                    name: Some(finding.name.clone()),
                    version: Some(finding.version.clone()),
                    reason: reason.to_owned(),
                    ..Kept::new(At::new(&own.path), KeptBecause::Edited { shared })
                });
            }
        }
    }
    plan.add_up();
    plan
}

/// Whether every name of a damaged file lies below the directory of its environment. Nothing is replaced elsewhere: the scripts
/// and data of a system Python lie beside its distributions.
pub(super) fn reaches(finding: &Finding) -> bool {
    let twin = finding.twin.iter().flat_map(|twin| &twin.places);
    let is_beside = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    finding.places.iter().chain(twin).all(|place| !is_beside(&place.path))
}

fn step(snapshot: &Snapshot, environment: EnvironmentIndex, finding: &Finding) -> Result<Step, &'static str> {
    let root_of = |index| &snapshot.environment(index).path;
    let Some(print) = finding.print else { return Err("nothing is there that could be kept") };
    if !reaches(finding) {
        return Err(
            "a name of it lies outside of the directory with the distributions, where nothing is replaced",
        );
    }
    let is_own = |place: &Place| place.environment == Some(environment);
    let is_cached = |places: &[Place]| places.iter().any(|place| place.environment.is_none());
    // What a run leaves that was stopped after it had given the environment a file of its own is in two files.
    let (sharing, expects) = match &finding.twin {
        Some(twin) => (&twin.places, twin.print),
        None => (&finding.places, print),
    };
    if sharing.iter().all(is_own) {
        return Err("it is this environment's alone already");
    }
    let known = finding.entry.zip(finding.source.as_ref()).zip(finding.recorded);
    let Some(((entry, source), recorded)) = known else { return Err("it is not known what it should be") };
    let Some(Good { root, path }) = &finding.good else {
        return Err("there is no good copy of it, so that it is left as it is");
    };
    let key = &snapshot.entry(entry).key;
    let within = key.path();
    let in_cache = is_cached(sharing);
    if !in_cache && (root, path) != (&snapshot.cache.path.join(&within), source) {
        return Err("others have it too, and the cache has something else that is not good either");
    }
    let beneath = |index: EnvironmentIndex, places: &[Place]| {
        let place = places.iter().find(|place| place.environment == Some(index))?;
        let at = At::new(place.path.strip_prefix(root_of(index)).ok()?);
        Some(Beneath { root: At::new(root_of(index)), at })
    };
    let keeps = beneath(environment, &finding.places).ok_or("it does not lie in the environment")?;
    let mut others: Vec<_> = sharing.iter().filter_map(|place| place.environment).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|index| *index != environment);
    Ok(Step {
        action: Action::Detach,
        at: At::new(&keeps.path()),
        name: Some(finding.name.clone()),
        version: Some(finding.version.clone()),
        reason: "it was edited there, and others have the same file".to_owned(),
        bytes: Bytes { files: 1, ..Bytes::default() },
        work: Work::Detach(DetachWork {
            keeps,
            entry: At::new(&within),
            entry_is: snapshot.entry(entry).print.identity(),
            source: At::new(source),
            good: Beneath { root: At::new(root), at: At::new(path) },
            others: others.into_iter().filter_map(|index| beneath(index, sharing)).collect(),
            recorded,
            in_cache,
            expects,
        }),
    })
}

impl Beneath {
    /// Where it is, absolute.
    pub fn path(&self) -> PathBuf {
        self.root.path().join(self.at.path())
    }
}
