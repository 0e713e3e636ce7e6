//! The environments that scans have found, and the links into entries outside of them, remembered outside the cache and
//! looked at again each time.
//!
//! What is gone is forgotten. What is away stays remembered, and counts among what could not be read: the filesystem it lay
//! on is not mounted, or another one is mounted there, or it may have been moved. Only what is missing on the very
//! filesystem on which it was seen is gone.
//!
//! A list that was damaged must not pass for one that names less. It carries a digest of itself, and one that does not fit,
//! or that cannot be read or understood, is left as it is and keeps everything without a known user.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::discover::Found;
use super::discover::{self, is_absence};
use super::outside::{self, Lead};
use super::presence::{self, Presence};
use crate::disk;
use crate::disk::located::{Compared, Located, located};
use crate::snapshot::{
    EnvironmentIndex, EnvironmentKind, FoundBy, Manager, Project, Snapshot, UserLink, UserLinkForm,
};

/// A remembered environment, or a link into an entry outside of environments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remembered {
    /// Its root; of a link where that lies.
    pub path: PathBuf,
    /// Of a link outside of environments, what it is; none of an environment.
    pub link: Option<UserLinkForm>,
    /// Whether it is a `--target` or `--prefix` directory, which nothing marks as an environment.
    pub target: bool,
    /// Where it lies: on which filesystem, mounted where.
    pub located: Option<Located>,
    /// The caches that it reached by symlinks: where it is moved to, it still does.
    pub symlinks: Vec<PathBuf>,
    /// Since when everything at or below the path counts as gone when it is not there, in nanoseconds of the Unix epoch: a
    /// person said so, or it was seen to be gone. What uv has recorded later does not.
    pub forgotten: Option<i64>,
    /// Of a central environment, which every scan of its cache finds: the directory of its project, which
    /// `located` is then about.
    pub project: Option<PathBuf>,
}

impl Remembered {
    /// Whether it is an environment that is looked for, and no project, link or note of what is gone.
    pub(super) fn is_environment(&self) -> bool {
        self.project.is_none() && self.forgotten.is_none() && self.link.is_none()
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    schema_version: u32,
    /// The digest of `environments`; a list that an earlier cachetui wrote has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The rows. A later cachetui may add to them what this one passes over, and the digest counts all of it.
    environments: Value,
}

#[derive(Serialize, Deserialize)]
struct Row {
    /// The path; where it is not UTF-8, its bytes in base 64 are in `path_bytes`.
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    target: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mount: Option<String>,
    /// What identifies the filesystem that is mounted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filesystem: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symlinks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<i64>,
    /// The path of a project as text; one that is not UTF-8 is not remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
}

const VERSION: u32 = 1;

/// Why a registry is not used, and must not be overwritten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read, or not be written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// It is damaged.
    #[error("Failed to understand the list of environments found earlier")]
    Damaged(#[from] serde_json::Error),
    /// A path of it cannot be had from its bytes.
    #[error(
        "Failed to understand the list of environments found earlier: it has a path that is not in base 64"
    )]
    Path,
    /// It is not what was written.
    #[error(
        "Failed to understand the list of environments found earlier: its content does not fit its digest"
    )]
    Altered,
    /// A newer cachetui wrote it.
    #[error("The list of environments found earlier has version {0}, which this cachetui does not know")]
    Version(u64),
}

/// Reads a registry; one that is missing is empty.
pub fn read(path: &Path) -> Result<Vec<Remembered>, Error> {
    let bytes = match disk::read::small(path, disk::read::SMALL * 16) {
        Ok(bytes) => bytes,
        Err(error) if disk::read::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(disk::Error::new("read", path, error).into()),
    };
    // The version first: a later one may have other rows.
    let whole: Value = serde_json::from_slice(&bytes)?;
    if let Some(version) = whole.get("schema_version").and_then(Value::as_u64)
        && version != u64::from(VERSION)
    {
        return Err(Error::Version(version));
    }
    let file: File = serde_json::from_value(whole)?;
    if file.digest.is_some_and(|digest| digest != digest_of(&file.environments)) {
        return Err(Error::Altered);
    }
    let rows: Vec<Row> = serde_json::from_value(file.environments)?;
    rows.into_iter().map(remembered).collect()
}

fn remembered(row: Row) -> Result<Remembered, Error> {
    let path = match row.path_bytes {
        None => PathBuf::from(row.path),
        Some(bytes) => decoded(&bytes).ok_or(Error::Path)?,
    };
    let located = row.mount.zip(row.filesystem);
    let located = located.map(|(point, identity)| Located { point: point.into(), identity });
    // A form that is not known here is looked at as a symlink is.
    let form = |word: String| [UserLinkForm::PathFile].into_iter().find(|form| form.word() == word);
    Ok(Remembered {
        path,
        link: row.link.map(|word| form(word).unwrap_or(UserLinkForm::Symlink)),
        target: row.target,
        located,
        symlinks: row.symlinks.into_iter().map(PathBuf::from).collect(),
        forgotten: row.forgotten,
        project: row.project.map(PathBuf::from),
    })
}

/// The digest of the rows as compact JSON with ordered keys, in base 64.
fn digest_of(rows: &Value) -> String {
    BASE64.encode(&Sha256::digest(rows.to_string()))
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
    let now =
        snapshot.scope.started.map_or(i64::MAX, |now| i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX));
    let kept = before.iter().filter(|item| item.project.is_none()).filter_map(|item| {
        if snapshot.scope.unread.contains(&item.path) {
            return Some(item.clone());
        }
        let found = match item.link {
            None => snapshot.find_environment(&item.path).is_some(),
            Some(_) => snapshot.user_links.iter().any(|link| link.path == item.path),
        };
        if found {
            return None;
        }
        // What is of no concern to this cache may be to another one.
        let others: Vec<PathBuf> =
            item.symlinks.iter().filter(|cache| **cache != snapshot.cache.canonical).cloned().collect();
        if !others.is_empty() {
            return Some(Remembered { symlinks: others, ..item.clone() });
        }
        if item.link.is_some() {
            return None;
        }
        // uv's record of it stays, and would name it as one that is not known to be gone.
        let since = item.forgotten.unwrap_or(now);
        Some(gone(item.path.clone(), since))
    });
    let inside =
        |kind| matches!(kind, EnvironmentKind::Cached | EnvironmentKind::Script | EnvironmentKind::Central);
    let found = snapshot.environments().filter(|(_, environment)| !inside(environment.kind));
    let all: Vec<Remembered> = found
        .map(|(index, item)| Remembered {
            path: item.path.clone(),
            link: None,
            target: item.manager == Manager::Target,
            located: located(&item.path),
            symlinks: reached_by_symlink(snapshot, index, before),
            forgotten: None,
            project: None,
        })
        .chain(kept)
        .chain(projects(snapshot, before))
        .chain(links(snapshot, before))
        .collect();
    written(all)
}

/// The most links that are remembered: a list that grows without a bound could not be read again.
const LINKS: usize = 10_000;

/// The links outside of environments that lead into entries. Where there are very many, so many of each entry that something
/// still keeps it when a few of them go.
fn links<'a>(snapshot: &'a Snapshot, before: &'a [Remembered]) -> impl Iterator<Item = Remembered> + 'a {
    let entries = snapshot.user_links.chunk_by(|a, b| a.entry == b.entry).count();
    let each = (LINKS / entries.max(1)).max(4);
    let of_entries = snapshot.user_links.chunk_by(|a, b| a.entry == b.entry);
    let kept = of_entries.flat_map(move |links| links.iter().filter(|it| it.form.is_kept()).take(each));
    let mut seen = std::collections::BTreeSet::new();
    kept.filter(move |link| seen.insert(link.path.as_path())).map(move |link| linked(link, snapshot, before))
}

fn linked(link: &UserLink, snapshot: &Snapshot, before: &[Remembered]) -> Remembered {
    let known = before.iter().filter(|item| item.link.is_some() && item.path == link.path);
    let mut symlinks: Vec<PathBuf> = known.flat_map(|item| item.symlinks.clone()).collect();
    symlinks.push(snapshot.cache.canonical.clone());
    symlinks.sort_unstable();
    symlinks.dedup();
    Remembered {
        path: link.path.clone(),
        link: Some(link.form),
        target: false,
        // Where the link lies, and not what it leads to.
        located: link.path.parent().and_then(located),
        symlinks,
        forgotten: None,
        project: None,
    }
}

/// The registry with everything at or below some paths forgotten that is not there any more: it counts as gone. What is
/// there stays remembered, on whatever filesystem it lies now.
pub fn forget(before: Vec<Remembered>, paths: Vec<PathBuf>, now: jiff::Timestamp) -> Vec<u8> {
    let is_below = |path: &Path| paths.iter().any(|above| path.starts_with(above));
    let after = |item: Remembered| {
        // A project is remembered for as long as its environment is there: that it was forgotten is told by its path.
        if item.project.is_some() || !is_below(&item.path) {
            return Some(item);
        }
        let absent = std::fs::symlink_metadata(&item.path).is_err_and(|error| is_absence(&error));
        if item.forgotten.is_some() || absent {
            return None;
        }
        let place = if item.link.is_some() { item.path.parent() } else { Some(item.path.as_path()) };
        let located = place.and_then(located);
        Some(Remembered { located, ..item })
    };
    let mut all: Vec<Remembered> = before.into_iter().filter_map(after).collect();
    let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
    all.extend(paths.into_iter().map(|path| gone(path, now)));
    written(all)
}

/// What says that everything at or below a path counts as gone.
fn gone(path: PathBuf, since: i64) -> Remembered {
    Remembered {
        path,
        link: None,
        target: false,
        located: None,
        symlinks: Vec::new(),
        forgotten: Some(since),
        project: None,
    }
}

/// Whether what was recorded at some time and is missing at a path is known to be gone.
pub(super) fn is_forgotten(remembered: &[Remembered], path: &Path, written: disk::Time) -> bool {
    let says = |item: &Remembered| {
        item.forgotten.is_some_and(|since| written.0 <= since) && path.starts_with(&item.path)
    };
    remembered.iter().any(says)
}

/// Whether an environment is remembered in its own right, so that nothing else has to tell what has become of it.
pub(super) fn is_remembered(remembered: &[Remembered], path: &Path) -> bool {
    remembered.iter().any(|item| item.is_environment() && item.path == path)
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
        link: item.link.map(|form| form.word().to_owned()),
        target: item.target,
        mount: item.located.as_ref().and_then(|it| it.point.to_str()).map(str::to_owned),
        filesystem: item.located.map(|it| it.identity),
        symlinks: item.symlinks.iter().filter_map(|cache| Some(cache.to_str()?.to_owned())).collect(),
        forgotten: item.forgotten,
        project: item.project.as_deref().and_then(Path::to_str).map(str::to_owned),
    };
    let rows: Vec<Row> = all.into_iter().map(row).collect();
    let environments = serde_json::to_value(rows).expect("strings and numbers always serialize");
    let file = File { schema_version: VERSION, digest: Some(digest_of(&environments)), environments };
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
            link: None,
            target: false,
            located: located(project),
            symlinks: Vec::new(),
            forgotten: None,
            project: Some(project.clone()),
        }),
        _ => before.iter().find(|it| it.project.is_some() && it.path == environment.path).cloned(),
    })
}

/// The caches whose entries an environment reaches by symlinks, or may, as what of it could not be read may: those of earlier
/// scans, and this one.
fn reached_by_symlink(snapshot: &Snapshot, index: EnvironmentIndex, before: &[Remembered]) -> Vec<PathBuf> {
    let environment = snapshot.environment(index);
    let reaches = environment.unread
        || environment.dangling > 0
        || snapshot.references_from(index).any(|reference| reference.counts.symlink > 0);
    let this = &snapshot.cache.canonical;
    let known = before.iter().filter(|item| item.path == environment.path && item.is_environment());
    let mut caches: Vec<PathBuf> =
        known.flat_map(|item| item.symlinks.clone()).filter(|it| it != this).collect();
    caches.extend(reaches.then(|| this.clone()));
    caches.sort_unstable();
    caches.dedup();
    caches
}

/// What has become of the project of a central environment that is remembered, if one is.
pub(super) fn project(remembered: &[Remembered], environment: &Path) -> Option<Project> {
    let item = remembered.iter().find(|it| it.project.is_some() && it.path == environment)?;
    let project = item.project.clone()?;
    Some(match (std::fs::metadata(&project), compared(item, &project)) {
        (Ok(_), Compared::Same) => project_there(project, environment),
        (Err(error), Compared::Same | Compared::Lost) if is_absence(&error) => missing(project),
        _ => Project::OutOfReach(project),
    })
}

/// What a project is that is not there. Only its own parent directory can show that.
pub(super) fn missing(project: PathBuf) -> Project {
    let shown = project.parent().is_some_and(Path::is_dir);
    if shown { Project::Missing(project) } else { Project::OutOfReach(project) }
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

/// Looks for a remembered environment. One that is not there is of no concern to a cache that it did not reach by symlinks:
/// hardlinks show on the cache's own files, and copies need nothing.
pub(super) fn today(item: &Remembered, cache: &Path) -> Today {
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
            let reached = item.symlinks.iter().any(|it| it == cache);
            let moved = reached && !parent && compared == Compared::Same;
            Today { away: moved || compared == Compared::Different, ..Today::default() }
        }
        Err(error) => Today { error: Some(error), ..Today::default() },
    }
}

/// What a remembered link is today.
#[derive(Debug, Default)]
pub(super) struct LinkToday {
    /// The link, or what it names: it may lead into an entry still.
    pub(super) leads: Vec<Lead>,
    /// Whether it is away.
    pub(super) away: bool,
    /// What kept it from being looked at.
    pub(super) error: Option<io::Error>,
}

/// Looks for a remembered link outside of environments. One that is not there is of no concern to a cache that it did not
/// lead into.
pub(super) fn link_today(item: &Remembered, form: UserLinkForm, cache: &Path) -> LinkToday {
    let concerns = item.symlinks.iter().any(|it| it == cache);
    let directory = item.path.parent().unwrap_or(&item.path);
    let compared = compared(item, directory);
    match Lead::at(&item.path, form) {
        // Another filesystem may have one at the same path.
        Ok(leads) => {
            LinkToday { leads, away: concerns && compared == Compared::Different, ..LinkToday::default() }
        }
        Err(error) if is_absence(&error) => {
            let there = directory.is_dir();
            let moved = compared == Compared::Same && !there;
            let away = concerns && (moved || compared == Compared::Different);
            // It may have another name now.
            let leads = if there && concerns { outside::beside(directory) } else { Vec::new() };
            LinkToday { leads, away, ..LinkToday::default() }
        }
        Err(error) if concerns => LinkToday { error: Some(error), ..LinkToday::default() },
        Err(_) => LinkToday::default(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    fn some() -> Vec<Remembered> {
        let item = |path: &str, link| Remembered {
            path: PathBuf::from(path),
            link,
            target: false,
            located: Some(Located { point: PathBuf::from("/"), identity: "1-2".to_owned() }),
            symlinks: vec![PathBuf::from("/cache")],
            forgotten: None,
            project: None,
        };
        vec![
            item("/home/me/app/.venv", None),
            item("/home/me/link", Some(UserLinkForm::Symlink)),
            item("/home/me/names.pth", Some(UserLinkForm::PathFile)),
            gone(PathBuf::from("/home/me/old"), 7),
        ]
    }

    #[test]
    fn what_is_written_is_read_and_nothing_that_was_cut_or_altered_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("environments.json");
        let mut all = some();
        all.sort_unstable();
        let bytes = written(all.clone());
        let read_back = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).ok()
        };
        assert_eq!(read_back(&bytes).as_ref(), Some(&all));
        for end in 0..bytes.len() {
            assert_eq!(read_back(&bytes[..end]), None, "cut at {end}");
        }
        for position in 0..bytes.len() {
            for bit in [0x01, 0x02, 0x08, 0x20] {
                let mut altered = bytes.clone();
                altered[position] ^= bit;
                // Only what means the same may be read: a key that is passed over, or other spaces.
                let read = read_back(&altered);
                assert!(read.is_none() || read.as_ref() == Some(&all), "bit {bit} at {position}: {read:?}");
            }
        }
    }

    #[test]
    fn a_list_of_an_earlier_cachetui_has_no_digest_and_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("environments.json");
        let text = r#"{"schema_version": 1, "environments": [{"path": "/home/me/app/.venv"}]}"#;
        std::fs::write(&path, text).unwrap();
        assert_eq!(read(&path).unwrap()[0].path, Path::new("/home/me/app/.venv"));
        std::fs::write(&path, r#"{"schema_version": 2, "places": {}}"#).unwrap();
        assert!(matches!(read(&path), Err(Error::Version(2))));
    }

    #[test]
    fn what_is_there_is_not_forgotten_with_a_directory_above_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = disk::canonical(directory.path()).unwrap();
        let there = root.join("there");
        std::fs::create_dir(&there).unwrap();
        let item = |path: &Path| Remembered { path: path.to_owned(), ..some()[0].clone() };
        let before = vec![item(&there), item(&root.join("missing"))];
        let path = root.join("environments.json");
        std::fs::write(&path, forget(before, vec![root.clone()], jiff::Timestamp::UNIX_EPOCH)).unwrap();
        let after = read(&path).unwrap();
        let left: Vec<_> = after.iter().filter(|it| it.is_environment()).map(|it| it.path.clone()).collect();
        assert_eq!(left, [there]);
        assert!(is_forgotten(&after, &root.join("missing"), disk::Time(0)));
    }
}
