//! Looks again whether things are as a plan expects, under the lock.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::disk::FileStat;
use crate::linker::{Missing, Place, Root};
use crate::plan::{Action, Plan, PlannedTree, Step, WatchedAs};
use crate::scan::{print, understood};
use crate::snapshot::{FilePrint, TreePrint};
use crate::uv::bucket::{Bucket, BucketKind, is_object};
use crate::uv::distribution::parse_dist_info;
use crate::uv::pointer::{self, Payload};

use super::buckets::Buckets;
use super::prune::Trouble;

/// Names of directories of distributions.
const SITES: [&str; 2] = ["site-packages", "dist-packages"];

/// Something that has changed since the plan was made, of what shows that something came into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A place where an environment is, or may be. Reading it again tells what it uses now.
    Place {
        /// The directory of distributions, or the environment's root.
        path: PathBuf,
        /// What it was; none where there was no environment.
        was: Option<FilePrint>,
        /// Whether an environment of a project that was gone is there again.
        returned: bool,
    },
    /// A part of the cache, in which new pointers or new environments show: only a scan tells which.
    Cache(PathBuf),
}

impl Changed {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Place { path, .. } | Self::Cache(path) => path,
        }
    }
}

/// What has changed since the plan was made, of what shows that something came into use. Empty when the plan can be carried
/// out as it is.
pub fn changed(cache: &Path, plan: &Plan) -> Vec<Changed> {
    let mut changed = Vec::new();
    let mut watched = Vec::new();
    for item in &plan.watch {
        let path = item.at.path();
        let place = |was, returned| Changed::Place { path: path.clone(), was, returned };
        let found = match item.expects {
            WatchedAs::Site { print: expects } => {
                let same = FileStat::of(&path).is_ok_and(|stat| print::of(&stat) == expects);
                (!same).then(|| place(Some(expects), false))
            }
            WatchedAs::Absent => {
                let there = path.join("pyvenv.cfg").exists() || path.join("conda-meta").exists();
                there.then(|| place(None, true))
            }
            WatchedAs::Bare => has_site(&path).then(|| place(None, false)),
            WatchedAs::Bucket { print: expects } => {
                watched.push(path.clone());
                // A symlink that leads to no bucket was none when the plan was made, either.
                let same = match print::bucket(cache, path.as_os_str()) {
                    Some(now) => now == expects,
                    None => expects.inode == 0 && !cache.join(&path).is_dir(),
                };
                (!same).then(|| Changed::Cache(cache.join(&path)))
            }
        };
        changed.extend(found);
    }
    // A release of uv that is new here brings buckets of its own.
    let Ok(parts) = std::fs::read_dir(cache) else { return vec![Changed::Cache(cache.to_owned())] };
    for part in parts.flatten() {
        let kind = Bucket::parse(&part.file_name()).map(|bucket| bucket.kind);
        let counts = kind.is_some_and(|kind| kind.holds_pointers() || kind == BucketKind::Interpreter);
        if counts && !watched.iter().any(|path| path.as_os_str() == part.file_name()) {
            changed.push(Changed::Cache(part.path()));
        }
    }
    // Whether a bucket with an unknown number is understood is looked at again: a saved plan may have been edited.
    match understood::again(cache) {
        Ok(odd) => {
            let needed = |name: &str| plan.steps.iter().any(|step| step.at.path().starts_with(name));
            let odd = odd.into_iter().filter(|bucket| bucket.keeps_everything() || needed(&bucket.name));
            let place = |odd: Option<crate::snapshot::Odd>| odd.map_or_else(PathBuf::new, |odd| odd.path);
            changed.extend(odd.map(|bucket| Changed::Cache(cache.join(place(bucket.odd)))));
        }
        Err(_) => changed.push(Changed::Cache(cache.to_owned())),
    }
    changed
}

/// Whether an environment has a directory of distributions, at one of the places where they are, or may have one.
fn has_site(root: &Path) -> bool {
    let has = |path: &Path| SITES.iter().any(|name| path.join(name).is_dir());
    ["lib", "lib64", "Lib"].iter().any(|library| {
        let library = root.join(library);
        match std::fs::read_dir(&library) {
            Ok(mut versions) => has(&library) || versions.any(|it| it.is_ok_and(|it| has(&it.path()))),
            // What cannot be read may hold anything.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    })
}

/// The directory and the name of a step's target, when it is one that such a step may have: a plan that was saved may have
/// been changed by anybody.
pub(super) fn target(step: &Step) -> Result<(PathBuf, PathBuf), Trouble> {
    let path = step.at.path();
    let refused = || Trouble::Refused(format!("a plan cannot {} `{}`", step.action.word(), step.at.text()));
    let names = plain(&path).ok_or_else(refused)?;
    let bucket = |name: &OsStr| Bucket::parse(name);
    let is_entry = |tree: &PlannedTree| {
        let path = tree.at.path();
        let names = plain(&path).unwrap_or_default();
        names.len() == 2 && bucket(names[0]).is_some_and(|it| it.kind == BucketKind::Archive && it.is_known())
    };
    let is_repository = |names: &[&OsStr]| {
        let is_part = names.len() == 3 && (names[1] == "db" || names[1] == "checkouts");
        is_part && bucket(names[0]).is_some_and(|it| it.kind == BucketKind::Git && it.is_known())
    };
    let is_of_repository = |tree: &PlannedTree| {
        let path = tree.at.path();
        plain(&path).is_some_and(|other| is_repository(&other) && other[0] == names[0])
    };
    let fits = match (step.action, names.as_slice()) {
        (Action::RemoveEntry, [top, _]) => {
            // What nothing leads to in a layout with an unknown number stays.
            bucket(top).is_some_and(|it| {
                it.kind == BucketKind::Archive && (it.is_known() || !step.pointers().is_empty())
            })
        }
        (Action::RemoveEnvironment, [top, _]) => {
            bucket(top).is_some_and(|it| it.kind == BucketKind::Environments)
        }
        (Action::RemoveObjects, [top]) => bucket(top).is_some_and(|it| it.kind == BucketKind::Files),
        (Action::RemoveBucket, [top]) => bucket(top).is_some_and(|it| {
            let keeps =
                [BucketKind::Archive, BucketKind::Files, BucketKind::Environments, BucketKind::Interpreter];
            it.is_known() && !keeps.contains(&it.kind)
        }),
        (Action::RemoveBuild, [top, .., _]) => {
            let is_one = |it: Bucket| it.kind == BucketKind::Sdists && it.is_known();
            bucket(top).is_some_and(is_one) && names.len() > 3 && step.trees().iter().all(is_entry)
        }
        (Action::RemoveSource, [top, .., last]) => {
            let is_one = |it: Bucket| it.kind == BucketKind::Sdists && it.is_known();
            bucket(top).is_some_and(is_one) && *last == "src" && names.len() > 4
        }
        (Action::RemoveIndex, [top, _]) => bucket(top)
            .is_some_and(|it| matches!(it.kind, BucketKind::Simple | BucketKind::FlatIndex) && it.is_known()),
        (Action::RemoveRepository, _) => is_repository(&names) && step.trees().iter().all(is_of_repository),
        (Action::RemoveLeftover, [top]) => {
            top.as_encoded_bytes().starts_with(b".tmp")
                || bucket(top).is_some_and(|it| it.kind == BucketKind::Builds)
        }
        _ => false,
    };
    let bare = step.action != Action::RemoveEntry && !step.pointers().is_empty();
    let others = step.action != Action::RemoveObjects && !step.objects().is_empty();
    let more =
        !matches!(step.action, Action::RemoveBuild | Action::RemoveRepository) && !step.trees().is_empty();
    if !fits || bare || others || more {
        return Err(refused());
    }
    split(&path).ok_or_else(refused)
}

/// The directory and the name of a pointer, when it lies where pointers do.
pub(super) fn pointer(path: &Path) -> Result<(PathBuf, PathBuf), Trouble> {
    let refused = || {
        Trouble::Refused(format!(
            "a plan cannot remove `{}` as a pointer",
            crate::human::escape_os(path.as_os_str())
        ))
    };
    let names = plain(path).ok_or_else(refused)?;
    let holds = names.len() > 2 && Bucket::parse(names[0]).is_some_and(|bucket| bucket.kind.holds_pointers());
    if holds { split(path).ok_or_else(refused) } else { Err(refused()) }
}

/// The directory and the name of an object of a store, when it is one.
pub(super) fn object(store: &Path, path: &Path) -> Result<(PathBuf, PathBuf), Trouble> {
    let is_one = path.starts_with(store) && is_object(path);
    let refused = || {
        let shown = crate::human::escape_os(path.as_os_str());
        Trouble::Refused(format!("a plan cannot remove `{shown}` as a file of the store"))
    };
    if is_one { split(path).ok_or_else(refused) } else { Err(refused()) }
}

/// The directory and the name of another tree of a step.
pub(super) fn other(tree: &PlannedTree) -> Result<(PathBuf, PathBuf), Trouble> {
    let text = tree.at.text();
    split(&tree.at.path()).ok_or_else(|| Trouble::Refused(format!("a plan cannot remove `{text}`")))
}

pub(super) fn plain(path: &Path) -> Option<Vec<&OsStr>> {
    path.components()
        .map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect()
}

fn split(path: &Path) -> Option<(PathBuf, PathBuf)> {
    Some((path.parent()?.to_owned(), PathBuf::from(path.file_name()?)))
}

/// Whether what lies there is what such a step may remove: a bucket only where a newer one of its kind lies beside it, and
/// of a bucket of entries with an unknown number only what is a wheel or an environment.
fn fits(cache: &Root, place: &Place, name: &OsStr, step: &Step) -> io::Result<bool> {
    let path = step.at.path();
    let bucket = path.iter().next().and_then(Bucket::parse);
    match (step.action, bucket) {
        (Action::RemoveBucket, Some(bucket)) => {
            let newer = |other: Bucket| other.kind == bucket.kind && other.version > bucket.version;
            Ok(cache.place().names()?.iter().filter_map(|name| Bucket::parse(name)).any(newer))
        }
        // The plan may have been edited: uv uses the revision that the file beside it names.
        (Action::RemoveBuild, _) => {
            let mut named = Vec::new();
            for file in ["revision.http", "revision.rev"].map(OsStr::new) {
                if place.find(file)?.is_some() {
                    let bytes = place.read(file, pointer::LONGEST_FILE as u64)?;
                    let Ok(Payload::Revision { id }) = pointer::parse_revision(&bytes) else {
                        return Ok(false);
                    };
                    named.push(id);
                }
            }
            Ok(!named.is_empty() && named.iter().all(|it| OsStr::new(it) != name))
        }
        (Action::RemoveEntry, Some(bucket)) if !bucket.is_known() => {
            let names = place.directory(name)?.names()?;
            Ok(names.iter().any(|name| name == "pyvenv.cfg" || parse_dist_info(name).is_some()))
        }
        _ => Ok(true),
    }
}

/// Opens the directory of a step's target and proves that what lies there is what the plan expects.
pub(super) fn tree(cache: &Buckets, directory: &Path, name: &OsStr, step: &Step) -> Result<Place, Trouble> {
    let place = there(cache, directory, name, step.expects())?;
    let is_fit = fits(cache.root(), &place, name, step);
    if !is_fit.map_err(|error| Trouble::failed("look at", place.join(name), error))? {
        let refused = format!("a plan cannot {} `{}` as it is", step.action.word(), step.at.text());
        return Err(Trouble::Refused(refused));
    }
    let path = place.join(name);
    let now = if step.action == Action::RemoveBucket || step.action == Action::RemoveLeftover {
        print::bucket(cache.root().place().path(), name).or_else(|| print::tree(&path))
    } else {
        print::tree(&path)
    };
    unchanged(now, step.expects()).map(|()| place)
}

/// Opens the directory of another tree of a step and proves that what lies there is what the plan expects.
pub(super) fn same(
    cache: &Buckets,
    directory: &Path,
    name: &OsStr,
    expects: TreePrint,
) -> Result<Place, Trouble> {
    let place = there(cache, directory, name, expects)?;
    unchanged(print::tree(&place.join(name)), expects).map(|()| place)
}

/// Opens the directory of a tree where the tree is the one that a plan expects, whatever is in it.
pub(super) fn there(
    cache: &Buckets,
    directory: &Path,
    name: &OsStr,
    expects: TreePrint,
) -> Result<Place, Trouble> {
    let place = cache.directory(directory, Missing::Fail)?;
    let found = place.find(name).map_err(|error| Trouble::failed("look at", place.join(name), error))?;
    let Some(found) = found else { return Err(Trouble::Stale("it is gone already".to_owned())) };
    if (found.stat.device, found.stat.inode) == (expects.device, expects.inode) {
        Ok(place)
    } else {
        Err(Trouble::Stale("something else lies there now".to_owned()))
    }
}

fn unchanged(now: Option<TreePrint>, expects: TreePrint) -> Result<(), Trouble> {
    match now {
        Some(now) if now == expects => Ok(()),
        Some(now) if now.links > expects.links => {
            Err(Trouble::Stale("hardlinks were made to it since the scan".to_owned()))
        }
        Some(_) => Err(Trouble::Stale("it has changed since the scan".to_owned())),
        None => Err(Trouble::Stale("something in it could not be read".to_owned())),
    }
}
