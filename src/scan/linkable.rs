//! Which files of a distribution in an environment are an entry's, by the `RECORD`s of both.
//!
//! What uv keeps private, scripts that it wrote or rewrote, and files for which the two `RECORD`s state different digests
//! are not among them. Whether the content is what the `RECORD`s say is for whoever changes something to prove.

use std::path::{Path, PathBuf};

use super::installed::{self, Class, Layout};
use crate::disk::{Error, FileStat, read};
use crate::uv::distribution as names;

/// One file that an environment and an entry have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linkable {
    /// Where it is in the entry, relative to it.
    pub source: PathBuf,
    /// Where it is in the environment, relative to its root.
    pub destination: PathBuf,
    /// The SHA-256 that both `RECORD`s state, if they state one.
    pub digest: Option<[u8; 32]>,
}

impl Linkable {
    /// Whether it lies outside of the directory that is read as the environment.
    pub(super) fn is_beside(&self) -> bool {
        self.destination.starts_with("..")
    }
}

/// Lists the files of a distribution that are an entry's, ordered by destination, each once. `dist_info` is relative to
/// the environment's root.
///
/// # Errors
/// When the environment's `RECORD` cannot be read. Without the entry's nothing is in common.
pub fn list(entry: &Path, environment: &Path, dist_info: &Path) -> Result<Vec<Linkable>, Error> {
    let mut files = all(entry, environment, dist_info)?;
    files.retain(|file| !file.is_beside());
    Ok(files)
}

/// The same files and those of the distribution that lie outside of the directory, as the scripts and data of a system Python.
pub(super) fn all(entry: &Path, environment: &Path, dist_info: &Path) -> Result<Vec<Linkable>, Error> {
    let listing = installed::listing(environment, dist_info);
    let mut listing =
        listing.map_err(|error| Error::new("read", environment.join(dist_info).join("RECORD"), error))?;
    let layout = Layout::of(environment, dist_info);
    let Some((name, parsed)) =
        dist_info.file_name().and_then(|name| Some((name, names::parse_dist_info(name)?)))
    else {
        return Ok(Vec::new());
    };
    listing.attach(layout, &installed::sources(entry, name, layout, &parsed.name));
    let mut files = Vec::new();
    for file in listing.files.into_iter().filter(|file| !file.is_private()) {
        // uv copies what it has to change; another digest is another file.
        let Some(source) = file.same_source().filter(|source| !source.always_copied) else { continue };
        // What Python has compiled again is the environment's own.
        let likeness = || likeness(&environment.join(&file.path), &entry.join(&source.path));
        if file.class == Class::Compiled && likeness() == 0 {
            continue;
        }
        if installed::never_had(entry, &source.path) {
            continue;
        }
        files.push(Linkable { source: source.path.clone(), digest: source.digest, destination: file.path });
    }
    files.sort_unstable_by(|one, other| one.destination.cmp(&other.destination));
    files.dedup_by(|one, other| one.destination == other.destination);
    Ok(files)
}

/// How much a file of an environment, symlinks followed, is one of an entry: 2 when both are one file, 1 when their content
/// is equal, 0 when it is not or cannot be read.
pub fn likeness(path: &Path, source: &Path) -> u8 {
    let (Ok(one), Ok(other)) = (FileStat::following(path), FileStat::of(source)) else { return 0 };
    if (one.device, one.inode) == (other.device, other.inode) {
        return 2;
    }
    let equal = || digest(path).is_some_and(|digest_of_path| Some(digest_of_path) == digest(source));
    u8::from(one.size == other.size && equal())
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    read::open(path).and_then(|file| read::sha256(&file, u64::MAX)).ok()
}
