//! The environments that scans have found, remembered outside the cache and looked at again each time.
//!
//! An environment whose directory is gone is forgotten, unless the filesystem it lay on is not mounted either: then it is
//! remembered, and counts among what could not be read.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::discover::Found;
use crate::disk;
use crate::snapshot::{EnvironmentKind, FoundBy, Manager, Project, Snapshot};

/// A remembered environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remembered {
    /// Its root.
    pub path: PathBuf,
    /// Whether it is a `--target` or `--prefix` directory, which nothing marks as an environment.
    pub target: bool,
    /// Where the filesystem it lies on is mounted.
    pub mount: Option<PathBuf>,
    /// Of a central environment, which every scan of its cache finds: the directory of its project, whose filesystem
    /// `mount` is then about.
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
        let (mount, project) = (row.mount.map(PathBuf::from), row.project.map(PathBuf::from));
        Ok(Remembered { path, target: row.target, mount, project })
    });
    remembered.collect()
}

/// Where the filesystem that a path lies on is mounted, as far as device numbers tell: the path's highest ancestor on
/// the same device. Of a path that is not there, the deepest ancestor that is counts.
fn mount_of(path: &Path) -> Option<PathBuf> {
    let stat = |path: &Path| disk::FileStat::following(path).ok();
    let (there, device) = path.ancestors().find_map(|above| Some((above, stat(above)?.device)))?;
    there
        .ancestors()
        .take_while(|above| stat(above).is_some_and(|stat| stat.device == device))
        .last()
        .map(Path::to_owned)
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
    let kept = before
        .iter()
        .filter(|item| item.project.is_none() && snapshot.scope.unread.contains(&item.path))
        .cloned();
    let inside =
        |kind| matches!(kind, EnvironmentKind::Cached | EnvironmentKind::Script | EnvironmentKind::Central);
    let found = snapshot.environments.iter().filter(|environment| !inside(environment.kind));
    let mut all: Vec<Remembered> = found
        .map(|item| Remembered {
            path: item.path.clone(),
            target: item.manager == Manager::Target,
            mount: mount_of(&item.path),
            project: None,
        })
        .chain(kept)
        .chain(projects(snapshot, before))
        .collect();
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
        mount: item.mount.as_deref().and_then(Path::to_str).map(str::to_owned),
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
            mount: mount_of(project),
            project: Some(project.clone()),
        }),
        _ => before.iter().find(|it| it.project.is_some() && it.path == environment.path).cloned(),
    })
}

/// What has become of the project of a central environment that is remembered, if one is.
pub(super) fn project(remembered: &[Remembered], environment: &Path) -> Option<Project> {
    let item = remembered.iter().find(|it| it.project.is_some() && it.path == environment)?;
    let project = item.project.clone()?;
    Some(match std::fs::metadata(&project) {
        Ok(_) => Project::There(project),
        Err(error) if super::discover::is_absence(&error) && item.mount.is_some() => {
            // Gone for good only where the filesystem it lay on is there.
            let same = mount_of(&project) == item.mount;
            if same { Project::Gone(project) } else { Project::OutOfReach(project) }
        }
        Err(_) => Project::OutOfReach(project),
    })
}

/// What a remembered environment is today.
pub(super) enum Today {
    Found(Found),
    /// It may lie on a disk that is not mounted, or, with an error, behind a directory that cannot be read.
    OutOfReach(Option<io::Error>),
    Gone,
}

pub(super) fn today(item: &Remembered) -> Today {
    let found_by = FoundBy::Remembered;
    let look = |path: PathBuf| {
        if item.target {
            return Ok(Some(Found { path, found_by, target: true }));
        }
        super::discover::at(&path, found_by)
    };
    let answer = crate::disk::canonical(&item.path).and_then(look);
    match answer {
        Ok(Some(found)) => Today::Found(found),
        Ok(None) => Today::Gone,
        Err(error) if super::discover::is_absence(&error) => {
            // Gone for good only where the filesystem it lay on is there.
            let same = item.mount.is_none() || mount_of(&item.path) == item.mount;
            if same { Today::Gone } else { Today::OutOfReach(None) }
        }
        Err(error) => Today::OutOfReach(Some(error)),
    }
}
