//! Which environments to read, from everything that names one; and how entries are found by name and id.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cache::Layout;
use super::discover::{self, Search};
use super::environments::{Candidate, EntryFacts};
use super::{Gathered, Request, registry};
use crate::snapshot::FoundBy;
use crate::uv::link::ArchivePath;

/// Entries by normalized name and version.
pub(super) type ByName = FxHashMap<(String, String), Vec<u32>>;

/// Entries by id. The same id may stand in several buckets.
#[derive(Debug, Default)]
pub(super) struct ById(FxHashMap<OsString, Vec<(Arc<str>, u32)>>);

impl ById {
    /// The entries with this id: in this bucket, or in any.
    pub(super) fn all<'a>(&'a self, bucket: Option<&'a OsStr>, id: &OsStr) -> impl Iterator<Item = u32> + 'a {
        let all = self.0.get(id).map_or(&[][..], Vec::as_slice).iter();
        all.filter(move |(own, _)| bucket.is_none_or(|bucket| bucket == OsStr::new(&**own)))
            .map(|(_, entry)| *entry)
    }

    /// The entry that a path leads into.
    pub(super) fn at(&self, path: &ArchivePath) -> Option<u32> {
        self.all(Some(&path.bucket), &path.id).next()
    }
}

/// Entries by the name and version of their `.dist-info`, and by id.
pub(super) fn lookups(layout: &Layout, facts: &[EntryFacts]) -> (ByName, ById) {
    let mut by_name = ByName::default();
    let mut by_id = ById::default();
    for (number, facts) in (0_u32..).zip(facts) {
        let key = &layout.keys[number as usize];
        by_id.0.entry(key.id.clone()).or_default().push((Arc::clone(&key.bucket), number));
        if let Some(name) = facts.dist_info.as_deref().and_then(crate::uv::distribution::parse_dist_info) {
            let key = (crate::uv::distribution::normalize(&name.name), name.version);
            by_name.entry(key).or_default().push(number);
        }
    }
    (by_name, by_id)
}

/// Every environment that may be there, each once. What nobody can look at, or was named and is not there, goes to
/// `search`.
pub(super) fn candidates(
    request: &Request,
    layout: &Layout,
    harvest: &Gathered,
    search: &mut Search,
) -> Vec<Candidate> {
    for prefix in &harvest.prefixes {
        let at = |path: PathBuf| discover::at(&path, FoundBy::InterpreterRecord);
        search.take(prefix, std::fs::canonicalize(prefix).and_then(at));
    }
    for item in &request.remembered {
        match registry::today(item) {
            registry::Today::Found(item) => search.found.push(item),
            registry::Today::OutOfReach => search.unreached.push(item.path.clone()),
            registry::Today::Gone => {}
        }
    }
    for path in &request.targets {
        match std::fs::canonicalize(path) {
            Ok(path) => {
                let known = discover::at(&path, FoundBy::Root).ok().flatten();
                let target = discover::Found { path, found_by: FoundBy::Root, target: true };
                search.found.push(known.unwrap_or(target));
            }
            Err(error) => {
                search.problems.push(super::problem(path.clone(), "read the directory", &error));
                search.unreached.push(path.clone());
            }
        }
    }
    let mut kinds = FxHashMap::default();
    for (path, kind) in &harvest.environments {
        match std::fs::canonicalize(path).and_then(|path| discover::at(&path, FoundBy::Cache)) {
            Ok(Some(found)) => {
                kinds.insert(found.path.clone(), *kind);
                search.found.push(found);
            }
            answer => search.take(path, answer),
        }
    }
    let mut entries = FxHashMap::default();
    for (number, facts) in (0_u32..).zip(&harvest.facts) {
        if facts.environment
            && let Ok(path) = std::fs::canonicalize(layout.entry_path(&layout.keys[number as usize]))
        {
            entries.insert(path.clone(), number);
            search.found.push(discover::Found { path, found_by: FoundBy::Cache, target: false });
        }
    }
    let found = discover::unique(std::mem::take(&mut search.found));
    let paths: Vec<PathBuf> = found.iter().map(|found| found.path.clone()).collect();
    let candidate = |(position, found): (usize, discover::Found)| {
        let (kind, entry) = (kinds.get(&found.path).copied(), entries.get(&found.path).copied());
        let inside = found.path.starts_with(&layout.canonical);
        Candidate {
            kind,
            entry,
            // What lies elsewhere in the cache, as an overlay of a running `uv run --with`, was counted with its bucket.
            counted: entry.is_some() || inside && kind.is_none(),
            // Ordered by path, what lies within follows at once.
            nested: paths[position + 1..]
                .iter()
                .map_while(|path| path.strip_prefix(&found.path).ok())
                .map(Path::to_owned)
                .collect(),
            found,
        }
    };
    found.into_iter().enumerate().map(candidate).collect()
}
