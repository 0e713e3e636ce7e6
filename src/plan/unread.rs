//! What is kept because an error kept something from being read: not a doubt that stays, but one that goes with the error.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::repair::Command;
use super::{At, Kept, KeptBecause, Plan};
use crate::human;
use crate::snapshot::{Doubt, Entry, Snapshot};
use crate::uv::bucket::{Bucket, BucketKind};

/// What an error kept from being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Where.
    #[serde(flatten)]
    pub at: At,
    /// What happened, as a sentence without the path. Not escaped.
    pub message: String,
}

impl Plan {
    /// What was asked for and is kept only because something could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().filter(|kept| kept.because == KeptBecause::ReadFailed)
    }
}

/// What the scan could not read.
pub(super) fn failed(snapshot: &Snapshot) -> Vec<Unread> {
    let failed = snapshot.scope.failed.iter();
    failed.map(|it| Unread { at: At::new(&it.path), message: it.message.clone() }).collect()
}

/// Why something is kept of which nobody knows whether it is used.
pub(super) fn in_doubt(snapshot: &Snapshot) -> KeptBecause {
    if snapshot.scope.failed.is_empty() { KeptBecause::Doubt } else { KeptBecause::ReadFailed }
}

/// Why everything stays, where a bucket of the cache is not understood.
pub(super) fn not_understood(snapshot: &Snapshot) -> Option<KeptBecause> {
    snapshot.cache.odd().next().map(|(_, why)| KeptBecause::NotUnderstood { why })
}

/// What speaks against removing an entry when it, its users or its pointers are not known.
pub(super) fn against(snapshot: &Snapshot, entry: &Entry) -> Option<KeptBecause> {
    match entry.doubt {
        Some(Doubt::Cancelled) => Some(KeptBecause::Doubt),
        // A link of which an error hides where it leads looks like one that leads to another cache.
        Some(Doubt::Unread | Doubt::Environment | Doubt::NamedElsewhere) => Some(in_doubt(snapshot)),
        None if entry.unread => Some(in_doubt(snapshot)),
        None if entry.unclear && !snapshot.scope.failed.is_empty() => Some(KeptBecause::ReadFailed),
        None if entry.unclear => Some(not_understood(snapshot).unwrap_or(KeptBecause::UnclearPointer)),
        None => None,
    }
}

/// What is said of environments and links that are away, with the way out; nothing where none is.
pub fn away(snapshot: &Snapshot) -> Option<String> {
    let (first, rest) = snapshot.scope.away.split_first()?;
    let mut words = Vec::new();
    for place in places(&snapshot.scope.away) {
        words.extend(["--forget".to_owned(), place.display().to_string()]);
    }
    let command = Command::new(["cachetui", "envs"], words);
    let (others, are, they) = match rest.len() {
        0 => (String::new(), "cannot be reached: it", "it is"),
        more => (format!(" and {} more", human::count(more as u64)), "cannot be reached: they", "they are"),
    };
    Some(format!(
        "`{}`{others} {are} may have been moved, may not be readable, or the filesystem is not mounted. What has no known user is kept. If {they} \
         gone, run `{}`",
        first.display(),
        command.text()
    ))
}

/// The most places that one command names.
const PLACES: usize = 6;

/// The places to forget for everything that is away: themselves, or, where they are many, directories above them. Only what
/// is missing there is forgotten.
fn places(away: &[PathBuf]) -> Vec<&Path> {
    let depth = |path: &Path| path.components().count();
    // What a command cannot name is named by a directory above.
    let nameable = |path: &Path| path.to_str().is_some();
    let mut places: BTreeSet<&Path> =
        away.iter().filter_map(|path| path.ancestors().find(|above| nameable(above))).collect();
    while places.len() > PLACES {
        let deepest = places.iter().map(|&path| depth(path)).max().unwrap_or(0);
        // A root and one name: `/home`.
        if deepest <= 2 {
            break;
        }
        // Those that a directory above has in common; else all of them.
        let is_deepest = |path: &Path| depth(path) == deepest;
        let shared = |path: &Path| {
            places.iter().filter(|&&other| is_deepest(other) && other.parent() == path.parent()).count() > 1
        };
        let any = places.iter().any(|&path| is_deepest(path) && shared(path));
        let goes_up = |path: &Path| is_deepest(path) && (!any || shared(path));
        let raised: BTreeSet<&Path> = places
            .iter()
            .map(|&path| if goes_up(path) { path.parent().unwrap_or(path) } else { path })
            .collect();
        places = raised;
    }
    let all = places.clone();
    let covered = |path: &Path| path.ancestors().skip(1).any(|above| all.contains(above));
    places.into_iter().filter(|path| !covered(path)).collect()
}

/// Archive buckets that could not be listed, and entries of which not even the kind could be told: nobody knows whether
/// they were asked for.
pub(super) fn unlisted(snapshot: &Snapshot) -> impl Iterator<Item = Kept> + '_ {
    let is_archive = |path: &Path| {
        let name = path.iter().next().unwrap_or(OsStr::new(""));
        Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
    };
    let is_listed = |path: &Path| {
        let names: Vec<&OsStr> = path.iter().take(2).collect();
        let [bucket, id] = names[..] else { return false };
        snapshot.entries.iter().any(|entry| OsStr::new(&*entry.key.bucket) == bucket && entry.key.id == id)
    };
    let places = snapshot.scope.failed.iter().filter_map(|it| snapshot.cache.relative(&it.path));
    let unlisted = places.filter(move |path| is_archive(path) && !is_listed(path));
    unlisted.map(|path| Kept::new(At::new(path), KeptBecause::ReadFailed))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn said(away: &[PathBuf]) -> Vec<String> {
        places(away).into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn a_few_that_are_away_are_named_and_many_by_the_directories_above() {
        let few = ["/home/me/a/.venv", "/home/me/b/.venv"].map(PathBuf::from);
        assert_eq!(said(&few), ["/home/me/a/.venv", "/home/me/b/.venv"]);
        let many = |place: &str| {
            (0..200).map(|it| PathBuf::from(format!("{place}/app{it}/.venv"))).collect::<Vec<_>>()
        };
        assert_eq!(said(&[many("/home/me/code"), many("/srv/x")].concat()), ["/home/me/code", "/srv/x"]);
        let wide: Vec<PathBuf> = (0..50).map(|it| PathBuf::from(format!("/d{it}"))).collect();
        assert_eq!(said(&wide).len(), 50, "never the root");
    }

    #[test]
    fn what_a_command_cannot_name_is_named_by_the_directory_above() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = PathBuf::from("/home/me").join(OsStr::from_bytes(b"caf\xe9/.venv"));
        assert_eq!(said(&[odd]), ["/home/me"]);
    }
}
