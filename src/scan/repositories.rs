//! What uv keeps of git repositories: databases and checkouts, by repository. Only asked for where somebody wants to know it.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::Cancel;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileStat, read};
use crate::snapshot::Snapshot;

/// The most bytes of a `FETCH_HEAD`: one line for each branch and tag.
pub(super) const LONGEST: u64 = 4 << 20;

/// What uv keeps of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its bucket, as `git-v1`.
    pub bucket: String,
    /// Its URL without credentials, or the digest uv names it by. Not escaped.
    pub name: String,
    /// Allocated bytes of its database.
    pub database: u64,
    /// Allocated bytes of its checkouts.
    pub checkouts: u64,
    /// How many checkouts there are.
    pub number: u64,
}

/// The repositories in the buckets of git, the largest first.
pub fn repositories(snapshot: &Snapshot) -> Vec<Repository> {
    let mut all = Vec::new();
    for bucket in snapshot.cache.buckets.iter().filter(|bucket| bucket.name.starts_with("git-v")) {
        let root = snapshot.cache.path.join(&bucket.name);
        let mut found: BTreeMap<String, Repository> = BTreeMap::new();
        let empty = |digest: &str| Repository {
            bucket: bucket.name.clone(),
            name: digest.to_owned(),
            database: 0,
            checkouts: 0,
            number: 0,
        };
        // git links a checkout's objects to its database's: they count once.
        let mut seen = HashSet::new();
        for (digest, path) in directories(&root.join("db")) {
            let repository = found.entry(digest.clone()).or_insert_with(|| empty(&digest));
            repository.database = disk(&path, &mut seen);
            if let Some(url) = url_of(&path) {
                repository.name = url;
            }
        }
        for (digest, path) in directories(&root.join("checkouts")) {
            let repository = found.entry(digest.clone()).or_insert_with(|| empty(&digest));
            repository.checkouts = disk(&path, &mut seen);
            repository.number = directories(&path).len() as u64;
        }
        all.extend(found.into_values());
    }
    all.sort_by_key(|it| (std::cmp::Reverse(it.database + it.checkouts), it.name.clone()));
    all
}

/// The directories in a directory, by name.
fn directories(path: &Path) -> Vec<(String, PathBuf)> {
    let Ok(items) = std::fs::read_dir(path) else { return Vec::new() };
    let is_directory = |item: &std::fs::DirEntry| item.file_type().is_ok_and(|kind| kind.is_dir());
    let items = items.flatten().filter(is_directory);
    items.map(|item| (item.file_name().to_string_lossy().into_owned(), item.path())).collect()
}

/// From where a database was fetched.
fn url_of(database: &Path) -> Option<String> {
    let fetched = [".git/FETCH_HEAD", "FETCH_HEAD"].map(|name| database.join(name));
    url(&fetched.iter().find_map(|path| read::small(path, LONGEST).ok())?)
}

/// From where a database was fetched, by its `FETCH_HEAD`: git writes it behind each line. Without credentials.
pub(super) fn url(fetched: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(fetched);
    let line = text.lines().next()?;
    let url = line.rsplit_once(" of ").map(|(_, url)| url).or_else(|| line.rsplit('\t').next())?.trim();
    (!url.is_empty()).then(|| without_credentials(url))
}

/// A URL without a user and a password.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

/// Allocated bytes of a tree, less what was seen before.
fn disk(path: &Path, seen: &mut HashSet<(u64, u64)>) -> u64 {
    let mut sum = Sum { bytes: 0, seen };
    walk::walk(path, &Cancel::default(), &mut sum);
    sum.bytes
}

struct Sum<'a> {
    bytes: u64,
    /// Files with several names, by filesystem and number.
    seen: &'a mut HashSet<(u64, u64)>,
}

impl Visitor for Sum<'_> {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, _directory: &Directory<'_>, stat: &FileStat) -> Descend {
        self.bytes += stat.disk;
        Descend::Yes
    }

    fn file(&mut self, _parent: &Directory<'_>, _name: &OsStr, stat: &FileStat) {
        if stat.links < 2 || self.seen.insert((stat.device, stat.inode)) {
            self.bytes += stat.disk;
        }
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: io::Error) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_without_credentials() {
        assert_eq!(without_credentials("https://me:secret@git.example/a.git"), "https://git.example/a.git");
        assert_eq!(without_credentials("https://git.example/a@b.git"), "https://git.example/a@b.git");
        assert_eq!(without_credentials("ssh://git@git.example"), "ssh://git.example");
        assert_eq!(without_credentials("/srv/repository"), "/srv/repository");
    }
}
