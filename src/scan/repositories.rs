//! What uv keeps of git repositories: databases and checkouts, by repository.

use std::collections::BTreeMap;
use std::path::Path;

use crate::disk::read;
use crate::snapshot::{PieceKind, Snapshot};
use crate::uv::distribution::file_path;

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
    let mut all: BTreeMap<(String, String), Repository> = BTreeMap::new();
    for piece in &snapshot.pieces {
        let (Some(database), Some(bucket)) = (&piece.database, piece.path.iter().next()) else { continue };
        let bucket = bucket.to_string_lossy().into_owned();
        let found = all.entry((bucket.clone(), database.clone())).or_insert_with(|| Repository {
            bucket,
            name: database.clone(),
            database: 0,
            checkouts: 0,
            number: 0,
        });
        if let Some(url) = &piece.url {
            found.name.clone_from(url);
        }
        if piece.kind == PieceKind::Database {
            found.database += piece.disk;
        } else {
            found.checkouts += piece.disk;
            found.number += directories(&snapshot.cache.path.join(&piece.path));
        }
    }
    let mut all: Vec<Repository> = all.into_values().collect();
    all.sort_by_key(|it| (std::cmp::Reverse(it.database + it.checkouts), it.name.clone()));
    all
}

/// How many directories are in a directory.
fn directories(path: &Path) -> u64 {
    let Ok(items) = std::fs::read_dir(path) else { return 0 };
    items.flatten().filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir())).count() as u64
}

/// From where a database was fetched, by its `FETCH_HEAD`: git writes it behind each line. Without credentials.
pub(super) fn url(fetched: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(fetched);
    let line = text.lines().next()?;
    let url = line.rsplit_once(" of ").map(|(_, url)| url).or_else(|| line.rsplit('\t').next())?.trim();
    (!url.is_empty()).then(|| without_credentials(url))
}

/// Whether a repository was fetched from a directory of this machine that is not there.
pub(super) fn is_gone(url: &str) -> bool {
    let path = file_path(url).or_else(|| Path::new(url).is_absolute().then(|| Path::new(url).to_owned()));
    path.is_some_and(|path| std::fs::metadata(path).is_err_and(|error| read::is_absent(&error)))
}

/// The name of the database that a checkout was cloned from, by its `config`: the last part of the path of its remote.
pub(super) fn database(config: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(config);
    let url = text.lines().find_map(|line| line.trim().strip_prefix("url = "))?.trim_matches('"');
    let (above, name) = url.rsplit_once(['/', '\\'])?;
    above.ends_with("db").then(|| name.to_owned())
}

/// A URL without a user and a password.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_names_its_database() {
        let config = b"[core]\n\tbare = false\n[remote \"origin\"]\n\turl = /c/git-v2/db/832b5848bca22686\n";
        assert_eq!(database(config).as_deref(), Some("832b5848bca22686"));
        assert_eq!(database(b"\turl = C:\\c\\git-v2\\db\\832b\n").as_deref(), Some("832b"));
        assert_eq!(database(b"[remote \"origin\"]\n\turl = https://git.example/a.git\n"), None);
        assert_eq!(database(b"\xff"), None);
    }

    #[test]
    fn a_repository_is_named_without_credentials() {
        assert_eq!(without_credentials("https://me:secret@git.example/a.git"), "https://git.example/a.git");
        assert_eq!(without_credentials("https://git.example/a@b.git"), "https://git.example/a@b.git");
        assert_eq!(without_credentials("ssh://git@git.example"), "ssh://git.example");
        assert_eq!(without_credentials("/srv/repository"), "/srv/repository");
    }
}
