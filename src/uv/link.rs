//! What a symlink's text says about the entry it leads to.
//!
//! The text is read lexically, as it stands: it may be relative (uv's own pointers since 0.11.17), absolute (before, and
//! in environments), go through a symlinked root or `..`, belong to another machine, or be a Windows path that is read on
//! another system. Whether its prefix is the cache that is being looked at, is for the caller to find out.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::archive_id::is_archive_id;
use super::bucket::{Bucket, BucketKind};

/// A path that leads into an entry, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivePath {
    /// What stands before the bucket: the cache's root, possibly relative, with `..`, or empty.
    pub prefix: PathBuf,
    /// The bucket's name, as `archive-v0`.
    pub bucket: OsString,
    /// The entry's id.
    pub id: OsString,
    /// The path inside the entry, empty for the entry itself. It never climbs.
    pub rest: PathBuf,
}

/// Whether a symlink's text names a bucket of entries: then an installer made it. Any other is a person's own, and may lead
/// to a disk that is not there.
pub fn names_cache(text: &Path) -> bool {
    text.iter().filter_map(Bucket::parse).any(|bucket| bucket.kind == BucketKind::Archive)
        || archive_target(text).is_some()
}

/// Finds the entry that a symlink's text leads to; `None` when it names none.
///
/// Where several components look like an archive bucket the first one counts: a package may well carry a directory named
/// like a bucket (a cache kept as test data, say), while a cache kept inside another cache's entry is no cache that uv
/// fills. A caller that knows the root asks [`archive_targets`] and takes the one with that prefix.
pub fn archive_target(text: &Path) -> Option<ArchivePath> {
    targets(text, true).pop()
}

/// All readings of a symlink's text, from the left, for texts in which several components look like an archive bucket.
pub fn archive_targets(text: &Path) -> Vec<ArchivePath> {
    targets(text, false)
}

fn targets(text: &Path, only_first: bool) -> Vec<ArchivePath> {
    let word = BucketKind::Archive.word().as_bytes();
    let is_archive = |name: &OsStr| {
        name.as_encoded_bytes().starts_with(word)
            && Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
    };
    // Most texts lead nowhere near an entry.
    let bytes = text.as_os_str().as_encoded_bytes();
    if !bytes.windows(word.len()).any(|part| part == word) {
        return Vec::new();
    }
    let foreign = foreign_components(text);
    let names: Vec<&OsStr> = match &foreign {
        Some(components) => components.iter().map(OsString::as_os_str).collect(),
        None => text.components().map(Component::as_os_str).collect(),
    };
    let mut found = Vec::new();
    for (index, pair) in names.windows(2).enumerate() {
        let [bucket, id] = pair else { continue };
        let rest = &names[index + 2..];
        if !is_archive(bucket) || !is_archive_id(id) || rest.iter().any(|name| *name == "..") {
            continue;
        }
        let prefix = match &foreign {
            Some(_) => PathBuf::from(names[..index].join(OsStr::new("\\"))),
            None => joined(&names[..index]),
        };
        found.push(ArchivePath {
            prefix,
            bucket: (*bucket).to_owned(),
            id: (*id).to_owned(),
            rest: joined(rest),
        });
        if only_first {
            break;
        }
    }
    found
}

/// The path of some components, in memory that is asked for once.
fn joined(names: &[&OsStr]) -> PathBuf {
    let mut path = PathBuf::with_capacity(names.iter().map(|name| name.len() + 1).sum());
    path.extend(names);
    path
}

/// The components of a Windows path that this platform would take for one name.
#[cfg(unix)]
fn foreign_components(text: &Path) -> Option<Vec<OsString>> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let bytes = text.as_os_str().as_bytes();
    let has_drive = matches!(bytes, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let is_foreign =
        bytes.contains(&b'\\') && (has_drive || !bytes.contains(&b'/') || bytes.starts_with(b"\\\\"));
    is_foreign.then(|| {
        bytes
            .split(|byte| matches!(byte, b'\\' | b'/'))
            .map(|name| OsString::from_vec(name.to_vec()))
            .collect()
    })
}

/// The components of a path of another platform; Windows reads both separators itself.
#[cfg(not(unix))]
fn foreign_components(_text: &Path) -> Option<Vec<OsString>> {
    None
}
