//! The entries that distributions were installed from: what is broken in one uv would install again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{BrokenFile, DistributionFacts, EnvironmentFacts, Request, Why};
use crate::control::{Cancel, Progress};
use crate::scan::installed::{self, Layout};
use crate::scan::offline;
use crate::scan::verify::{Wanted, verify};
use crate::snapshot::{CameFrom, Distribution, EntryIndex, EnvironmentIndex, Manager, Origins, Snapshot};

/// An entry that a distribution was installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The entry, relative to the cache's root.
    pub entry: PathBuf,
    /// What leads to it, relative to the cache's root.
    pub pointers: Vec<PathBuf>,
    /// Whether files of it are missing, or not as its `RECORD` says.
    pub damaged: bool,
    /// The environments that reach it by symlinks, ordered by path.
    pub linked: Vec<Linked>,
    /// Whether what it came from is still there.
    pub supply: Supply,
    /// Whether uv is to install from it again without a network, since other environments reach it by symlinks.
    pub offline: bool,
    /// Whether something that was not seen may use it, or something outside of environments leads into it.
    pub held: bool,
}

/// What an entry can be had again from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// What it came from is there, as far as that can be told.
    Known,
    /// It came from this machine and nothing tells from where.
    Unlocated,
    /// What it came from is gone.
    Gone,
}

/// An environment that reaches an entry by symlinks, with what it takes to install the distribution there again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its root.
    pub path: PathBuf,
    /// What made it.
    pub manager: Manager,
    /// The interpreter of an installation of Python, which is no environment of its own.
    pub installation: Option<PathBuf>,
    /// Whether that is marked as managed by something else (PEP 668).
    pub externally_managed: bool,
    /// The prefix that it is the directory of distributions of.
    pub prefix: Option<PathBuf>,
    /// Its Python version.
    pub python: Option<String>,
    /// Whether it is an entry of the cache itself.
    pub stored: bool,
    /// Where the distribution came from; none where the links are no distribution's.
    pub came: Option<CameFrom>,
}

/// What is known of an entry before it is compared.
pub(super) fn of(
    snapshot: &Snapshot,
    index: EntryIndex,
    by: EnvironmentIndex,
    origins: &Origins<'_>,
) -> Stale {
    let entry = snapshot.entry(index);
    let links = snapshot.references_to(index).iter().filter(|it| it.by.symlink + it.counts.symlink > 0);
    let mut linked: Vec<Linked> = links
        .map(|it| {
            let environment = snapshot.environment(it.environment);
            let distribution = it.distribution.and_then(|at| environment.distributions.get(at as usize));
            Linked {
                path: environment.path.clone(),
                manager: environment.manager,
                installation: environment.installation.clone(),
                prefix: environment.prefix.clone(),
                python: environment.python.clone(),
                externally_managed: environment.externally_managed,
                stored: environment.entry.is_some(),
                came: distribution.map(|it| origins.came_from(it)),
            }
        })
        .collect();
    linked.sort_by(|one, other| one.path.cmp(&other.path));
    linked.dedup_by(|one, other| one.path == other.path);
    Stale {
        entry: entry.key.path(),
        pointers: entry.pointers.iter().map(|pointer| snapshot.pointer(*pointer).path.clone()).collect(),
        damaged: false,
        linked,
        offline: offline::is_needed(snapshot, index, by),
        supply: match &entry.source {
            source if source.gone.is_some() => Supply::Gone,
            source if source.unlocated => Supply::Unlocated,
            _ => Supply::Known,
        },
        held: !entry.is_certain() || !snapshot.user_links_to(index).is_empty(),
    }
}

/// Looks which entries are damaged that uv would install again from.
pub(super) fn compare(request: &Request<'_>, environments: &mut [EnvironmentFacts], cancel: &Cancel) {
    let distributions = environments.iter_mut().flat_map(|it| &mut it.distributions);
    let mut stale: Vec<&mut Stale> =
        distributions.filter(|it| it.stays_broken()).filter_map(|it| it.stale.as_mut()).collect();
    let named: BTreeSet<&Path> = stale.iter().map(|it| &*it.entry).collect();
    let entries = request.snapshot.entries().filter(|(_, it)| named.contains(&*it.key.path()));
    let wanted = Wanted { entries: entries.map(|(index, _)| index).collect(), ..Wanted::default() };
    if wanted.entries.is_empty() {
        return;
    }
    let verified = verify(request.snapshot, &wanted, request.threads, cancel, &Progress::default());
    let bad = verified.damage().filter(|it| it.breaks_installations()).filter_map(|it| it.entry);
    let bad: BTreeSet<PathBuf> = bad.map(|entry| request.snapshot.entry(entry).key.path()).collect();
    for it in &mut stale {
        it.damaged = bad.contains(&it.entry);
    }
}

/// Whether the entry that is attributed to a distribution is another wheel of the same name and version, by what the `RECORD` of
/// each says of a file that is missing. Then it tells nothing of the source, and stays.
pub(super) fn is_of_a_namesake(
    snapshot: &Snapshot,
    root: &Path,
    distribution: &Distribution,
    facts: &DistributionFacts,
) -> bool {
    let differs = |file: &&BrokenFile| matches!(file.source, Err(Why::OtherContent { .. }));
    let mut files = facts.files.iter().filter(differs).peekable();
    let (Some(entry), Some(name), Some(_)) =
        (distribution.entry, distribution.dist_info.file_name(), files.peek())
    else {
        return false;
    };
    let key = &snapshot.entry(entry).key;
    let path = snapshot.cache.path.join(key.path());
    let layout = Layout::of(root, &distribution.dist_info);
    let sources = installed::sources(&path, name, layout, &distribution.name);
    files.any(|file| {
        let item = sources.get(&file.path).filter(|item| !item.may_be_rewritten);
        item.is_some_and(|item| item.digest.is_some() && file.digest.is_some() && item.digest != file.digest)
    })
}
