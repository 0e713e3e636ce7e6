//! The environments that scans have found, remembered outside the cache and looked at again each time.
//!
//! An environment that is gone is forgotten. One that is away stays remembered, and counts among what could not be read: the
//! filesystem it lay on is not mounted, or another one is mounted there, or it may have been moved. Only what is missing on
//! the very filesystem on which it was seen is gone.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::discover::Found;
use super::discover::{self, is_absence};
use super::presence::{self, Presence};
use crate::disk;
use crate::disk::located::{Compared, Located, located};
use crate::snapshot::{EnvironmentIndex, EnvironmentKind, FoundBy, Manager, Project, Snapshot};

/// A remembered environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remembered {
    /// Its root.
    pub path: PathBuf,
    /// Whether it is a `--target` or `--prefix` directory, which nothing marks as an environment.
    pub target: bool,
    /// Where it lies: on which filesystem, mounted where.
    pub located: Option<Located>,
    /// Whether it reached entries by symlinks: where it is moved to, it still does.
    pub symlinks: bool,
    /// Whether it stands for everything at or below the path, which counts as gone when it is not there: a person said so.
    pub forgotten: bool,
    /// Of a central environment, which every scan of its cache finds: the directory of its project, which
    /// `located` is then about.
    pub project: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema_version: u32,
    environments: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    /// The path; where it is not UTF-8, its bytes in base 64 are in `path_bytes`.
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    target: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mount: Option<String>,
    /// What identifies the filesystem that is mounted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filesystem: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    symlinks: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    forgotten: bool,
    /// The path of a project as text; one that is not UTF-8 is not remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
}

const VERSION: u32 = 1;

/// Why a registry is not used, and must not be overwritten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] disk::Error),
    /// It is damaged.
    #[error("Failed to understand the list of environments found earlier")]
    Damaged(#[from] serde_json::Error),
    /// A path of it cannot be had from its bytes.
    #[error(
        "Failed to understand the list of environments found earlier: it has a path that is not in base 64"
    )]
    Path,
    /// A newer cachetui wrote it.
    #[error("The list of environments found earlier has version {0}, which this cachetui does not know")]
    Version(u32),
}

/// Reads a registry; one that is missing is empty.
pub fn read(path: &Path) -> Result<Vec<Remembered>, Error> {
    let bytes = match disk::read::small(path, disk::read::SMALL * 16) {
        Ok(bytes) => bytes,
        Err(error) if disk::read::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(disk::Error::new("read", path, error).into()),
    };
    let file: File = serde_json::from_slice(&bytes)?;
    if file.schema_version != VERSION {
        return Err(Error::Version(file.schema_version));
    }
    let remembered = file.environments.into_iter().map(|row| {
        let path = match row.path_bytes {
            None => PathBuf::from(row.path),
            Some(bytes) => decoded(&bytes).ok_or(Error::Path)?,
        };
        let located = row.mount.zip(row.filesystem);
        let located = located.map(|(point, identity)| Located { point: point.into(), identity });
        let project = row.project.map(PathBuf::from);
        let (target, symlinks, forgotten) = (row.target, row.symlinks, row.forgotten);
        Ok(Remembered { path, target, located, symlinks, forgotten, project })
    });
    remembered.collect()
}

fn decoded(bytes: &str) -> Option<PathBuf> {
    let bytes = BASE64.decode(bytes.as_bytes()).ok()?;
    #[cfg(unix)]
    return Some(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)));
    #[cfg(not(unix))]
    return crate::uv::link_file::wtf8_to_wide(&bytes)
        .map(|units| crate::uv::link_file::wide_to_path(&units));
}

/// The registry that follows from a scan: what it found outside the cache, and what it could not look at.
///
/// # Panics
/// Never: strings and numbers always serialize.
pub fn bytes(snapshot: &Snapshot, before: &[Remembered]) -> Vec<u8> {
    let stays = |item: &&Remembered| {
        item.forgotten || item.project.is_none() && snapshot.scope.unread.contains(&item.path)
    };
    let kept = before.iter().filter(stays).cloned();
    let inside =
        |kind| matches!(kind, EnvironmentKind::Cached | EnvironmentKind::Script | EnvironmentKind::Central);
    let found = snapshot.environments().filter(|(_, environment)| !inside(environment.kind));
    let all: Vec<Remembered> = found
        .map(|(index, item)| Remembered {
            path: item.path.clone(),
            target: item.manager == Manager::Target,
            located: located(&item.path),
            symlinks: reaches_by_symlink(snapshot, index),
            forgotten: false,
            project: None,
        })
        .chain(kept)
        .chain(projects(snapshot, before))
        .collect();
    written(all)
}

/// The registry with everything at or below some paths forgotten: what is not there any more counts as gone.
pub fn forget(before: Vec<Remembered>, paths: Vec<PathBuf>) -> Vec<u8> {
    let is_below = |item: &Remembered| paths.iter().any(|path| item.path.starts_with(path));
    let mut all: Vec<Remembered> = before.into_iter().filter(|item| !is_below(item)).collect();
    all.extend(paths.into_iter().map(|path| Remembered {
        path,
        target: false,
        located: None,
        symlinks: false,
        forgotten: true,
        project: None,
    }));
    written(all)
}

/// Whether a person has said that what is missing at a path is gone.
pub(super) fn is_forgotten(remembered: &[Remembered], path: &Path) -> bool {
    remembered.iter().any(|item| item.forgotten && path.starts_with(&item.path))
}

fn written(mut all: Vec<Remembered>) -> Vec<u8> {
    all.sort_unstable();
    all.dedup();
    let row = |item: Remembered| Row {
        path: item.path.to_string_lossy().into_owned(),
        path_bytes: item
            .path
            .to_str()
            .is_none()
            .then(|| BASE64.encode(item.path.as_os_str().as_encoded_bytes())),
        target: item.target,
        mount: item.located.as_ref().and_then(|it| it.point.to_str()).map(str::to_owned),
        filesystem: item.located.map(|it| it.identity),
        symlinks: item.symlinks,
        forgotten: item.forgotten,
        project: item.project.as_deref().and_then(Path::to_str).map(str::to_owned),
    };
    let file = File { schema_version: VERSION, environments: all.into_iter().map(row).collect() };
    serde_json::to_vec_pretty(&file).expect("strings and numbers always serialize")
}

/// The projects of central environments, while those are there: of the ones whose `.venv` leads to them, and of those of
/// which it did once.
fn projects<'a>(snapshot: &'a Snapshot, before: &'a [Remembered]) -> impl Iterator<Item = Remembered> + 'a {
    let central = snapshot.environments.iter().filter(|it| it.kind == EnvironmentKind::Central);
    central.filter_map(|environment| match &environment.project {
        // A path that cannot be written as text would be remembered as another environment.
        Project::Linked(project) if project.to_str().is_some() => Some(Remembered {
            path: environment.path.clone(),
            target: false,
            located: located(project),
            symlinks: false,
            forgotten: false,
            project: Some(project.clone()),
        }),
        _ => before.iter().find(|it| it.project.is_some() && it.path == environment.path).cloned(),
    })
}

/// Whether an environment reaches entries by symlinks, or may, as what of it could not be read may.
fn reaches_by_symlink(snapshot: &Snapshot, index: EnvironmentIndex) -> bool {
    let environment = snapshot.environment(index);
    environment.unread
        || environment.dangling > 0
        || snapshot.references_from(index).any(|reference| reference.counts.symlink > 0)
}

/// What has become of the project of a central environment that is remembered, if one is.
pub(super) fn project(remembered: &[Remembered], environment: &Path) -> Option<Project> {
    let item = remembered.iter().find(|it| it.project.is_some() && it.path == environment)?;
    let project = item.project.clone()?;
    Some(match (std::fs::metadata(&project), compared(item, &project)) {
        (Ok(_), Compared::Same) => project_there(project, environment),
        (Err(error), Compared::Same | Compared::Lost) if is_absence(&error) => Project::Missing(project),
        _ => Project::OutOfReach(project),
    })
}

/// What the directory of a project that is there shows of its environment.
pub(super) fn project_there(project: PathBuf, environment: &Path) -> Project {
    let link = project.join(".venv");
    let absent = std::fs::symlink_metadata(&link).is_err_and(|error| is_absence(&error));
    match discover::linked(&link, FoundBy::Root) {
        _ if absent => Project::Unlinked(project),
        Ok(Some(found)) if found.path == environment => Project::Linked(project),
        Ok(_) => Project::There(project),
        // What leads nowhere names no environment that is there.
        Err(error) if is_absence(&error) => Project::There(project),
        Err(_) => Project::OutOfReach(project),
    }
}

/// Compares where something lay with where what is left of the path lies now. Without a memory of that the directories
/// have to tell.
fn compared(item: &Remembered, path: &Path) -> Compared {
    let Some(then) = &item.located else {
        let known = presence::of(path) != Presence::Unknown;
        return if known { Compared::Same } else { Compared::Different };
    };
    let there = path.ancestors().find(|above| std::fs::symlink_metadata(above).is_ok());
    let now = there.and_then(located);
    now.map_or(Compared::Different, |now| then.compare(&now))
}

/// What a remembered environment is today.
#[derive(Debug, Default)]
pub(super) struct Today {
    /// What is at its path.
    pub(super) found: Option<Found>,
    /// Whether it is away: it may lie on a disk that is not mounted, or may have been moved.
    pub(super) away: bool,
    /// What kept it from being looked at.
    pub(super) error: Option<io::Error>,
}

impl Today {
    /// Whether it is known to be gone.
    pub(super) fn gone(&self) -> bool {
        self.found.is_none() && !self.away && self.error.is_none()
    }
}

pub(super) fn today(item: &Remembered) -> Today {
    let found_by = FoundBy::Remembered;
    let look = |path: PathBuf| {
        if item.target {
            return Ok(Some(Found { path, found_by, target: true }));
        }
        discover::at(&path, found_by)
    };
    let answer = disk::canonical(&item.path).and_then(look);
    let compared = compared(item, &item.path);
    match answer {
        // Another filesystem may have one at the same path.
        Ok(Some(found)) => {
            Today { found: Some(found), away: compared == Compared::Different, ..Today::default() }
        }
        Ok(None) => Today { away: compared == Compared::Different, ..Today::default() },
        Err(error) if is_absence(&error) => {
            // A project that was moved takes an environment along that works on, by its symlinks.
            let parent = item.path.parent().is_some_and(Path::is_dir);
            let moved = item.symlinks && !parent && compared == Compared::Same;
            Today { away: moved || compared == Compared::Different, ..Today::default() }
        }
        Err(error) => Today { error: Some(error), ..Today::default() },
    }
}
