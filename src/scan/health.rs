//! The cache's own health: what a snapshot shows, and one more walk that looks at owners, permissions and link counts.
//!
//! The walk is apart from the scan, which everybody waits for; only `doctor` asks for it.

mod contents;
pub mod finding;
mod tally;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::control::Cancel;
use crate::disk::{FileKind, FileStat, volume, walk};
use crate::scan::copied::{self, Compare, copied};
use crate::snapshot::{
    DamagedLink, EntryState, Environment, EnvironmentIndex, Health, Pointer, PointerState, Snapshot,
};
use crate::uv::bucket::TRASH;
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::link::archive_target;
use crate::uv::shard::{self, Place};
pub use finding::{Finding, FindingKind};
use tally::{Expected, Foreign, Symlinks, Tally};

/// Packages that are named in an advice.
const PACKAGES: usize = 6;

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The cache and its environments as a scan found them.
    pub snapshot: &'a Snapshot,
    /// The environments to look at.
    pub environments: &'a [EnvironmentIndex],
    /// The user this process acts as, where users have numbers.
    pub user: Option<u32>,
    /// How many threads to use.
    pub threads: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// The findings, faults first.
    pub findings: Vec<Finding>,
    /// Files of entries that may refuse to be hardlinked although others do not: one of another owner that this user
    /// may not write, and a few that have as many links as they may.
    pub suspects: Vec<PathBuf>,
}

/// Looks at a cache and its environments.
pub fn examine(request: &Request<'_>, cancel: &Cancel) -> Examined {
    let snapshot = request.snapshot;
    let mut findings = pointers(snapshot);
    findings.extend(entries(snapshot));
    findings.extend(contents::examine(snapshot, cancel));
    findings.extend(environments(request));
    findings.extend(of_kinds(request));
    findings.extend(root(snapshot));
    findings.extend(elsewhere(snapshot));
    findings.extend(not_understood(snapshot));
    findings.extend(old_buckets(snapshot));
    let mut suspects = Vec::new();
    if let Ok(stat) = FileStat::following(&snapshot.cache.path) {
        let mut tally = tally(request, &stat, cancel);
        let linked = std::mem::take(&mut tally.linked);
        let (symlinks, shared) = symlinks(request, linked, stat.owner, cancel);
        findings.extend(of_tally(snapshot, &stat, &tally, &shared));
        findings.extend(of_symlinks(symlinks));
        suspects.extend(tally.foreign);
        suspects.extend(tally.full);
    }
    findings.sort_by_key(|finding| !finding.kind.is_fault());
    Examined { findings, suspects }
}

fn pointers(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a pointer file beside it says can be mended, and is another matter.
    let mut damaged = snapshot.damaged_links();
    // A bucket that is not understood is a finding of its own, and nothing of it is said to be wrong.
    let is_odd = |path: &Path| snapshot.cache.bucket_of(path).is_some_and(|bucket| bucket.odd.is_some());
    damaged.retain(|link| !link.named_by.is_empty() && !is_odd(&link.path));
    findings.extend(copies(snapshot, &mut damaged));
    let links: &BTreeSet<&Path> = &damaged.iter().map(|link| link.path.as_path()).collect();
    if let Some(first) = damaged.first() {
        let path = snapshot.cache.path.join(&first.path);
        findings.push(Finding { kind: FindingKind::DamagedLinks, path, count: damaged.len() as u64 });
    }
    let of = |state: PointerState| {
        let pointers = snapshot.pointers.iter();
        let pointers = pointers.filter(move |pointer| pointer.state == state && !is_odd(&pointer.path));
        pointers
            .filter(move |pointer| state == PointerState::Foreign || !links.contains(pointer.path.as_path()))
    };
    for state in [PointerState::Dangling, PointerState::Malformed] {
        let Some(first) = of(state).next() else { continue };
        let packages = packages(of(state));
        let kind = match state {
            PointerState::Dangling => FindingKind::DanglingPointers { packages },
            _ => FindingKind::MalformedPointers { packages },
        };
        let path = snapshot.cache.path.join(&first.path);
        findings.push(Finding { kind, path, count: of(state).count() as u64 });
    }
    let mut foreign: Vec<Finding> = Vec::new();
    for pointer in of(PointerState::Foreign) {
        let prefix = archive_target(Path::new(&pointer.target)).map(|target| target.prefix);
        let kind = FindingKind::ForeignPointers { prefix };
        match foreign.iter_mut().find(|finding| finding.kind == kind) {
            Some(finding) => finding.count += 1,
            None => foreign.push(Finding { kind, path: snapshot.cache.path.join(&pointer.path), count: 1 }),
        }
    }
    findings.extend(foreign);
    findings
}

/// Takes out of the damaged links what is a copy of its entry.
fn copies(snapshot: &Snapshot, damaged: &mut Vec<DamagedLink>) -> Option<Finding> {
    let (mut disk, mut found) = (0, Vec::new());
    damaged.retain(|link| {
        let path = snapshot.cache.path.join(&link.path);
        let is_directory = FileStat::of(&path).is_ok_and(|stat| stat.kind == FileKind::Directory);
        let entry = link.entry(snapshot).filter(|_| is_directory).map(|index| &snapshot.entry(index).key);
        let entry = entry.map(|key| snapshot.cache.path.join(key.path()));
        let copied = entry.and_then(|entry| copied(&path, &entry, Compare::Sizes));
        if let Some(copied) = copied {
            disk += copied.disk;
            found.push(path);
        }
        copied.is_none()
    });
    for build in copied::builds(snapshot) {
        disk += build.copied.disk;
        found.push(snapshot.cache.path.join(build.path));
    }
    let path = found.first()?.clone();
    Some(Finding { kind: FindingKind::CopiedEntries { disk }, path, count: found.len() as u64 })
}

/// The packages that pointers belong to, as far as their places tell.
fn packages<'a>(pointers: impl Iterator<Item = &'a Pointer>) -> Vec<String> {
    let mut packages: Vec<String> = pointers
        .filter_map(|pointer| match shard::place(&pointer.path) {
            Place::Wheel { package, .. } | Place::BuiltWheel { package: Some(package), .. } => Some(package),
            _ => None,
        })
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages.truncate(PACKAGES);
    packages
}

fn entries(snapshot: &Snapshot) -> Option<Finding> {
    let alone = || snapshot.entries.iter().filter(|entry| entry.pointers.is_empty());
    let first = alone().next()?;
    let kind = FindingKind::EntriesWithoutPointers {
        disk: alone().map(|entry| entry.disk).sum(),
        protected: snapshot.entries.iter().filter(|entry| entry.state == EntryState::Protected).count()
            as u64,
    };
    let path = snapshot.cache.path.join(first.key.path());
    Some(Finding { kind, path, count: alone().count() as u64 })
}

fn environments(request: &Request<'_>) -> Vec<Finding> {
    let of = |health: Health| {
        let all = request.environments.iter().map(|index| request.snapshot.environment(*index));
        all.filter(move |it: &&Environment| it.health == health && !it.works_elsewhere())
    };
    let kinds = [
        (Health::Broken, FindingKind::BrokenEnvironments),
        (Health::NoInterpreter, FindingKind::NoInterpreter),
    ];
    let found = kinds.into_iter().filter_map(|(health, kind)| {
        let path = of(health).next()?.path.clone();
        Some(Finding { kind, path, count: of(health).count() as u64 })
    });
    found.collect()
}

/// Environments in the cache's directory, and what lies in environments and is not installed.
fn of_kinds(request: &Request<'_>) -> Vec<Finding> {
    let all = || request.environments.iter().map(|index| request.snapshot.environment(*index));
    let inside: Vec<&Environment> = all().filter(|it| it.inside).collect();
    let left: Vec<_> = all().flat_map(|it| it.leftovers.iter().map(move |left| (it, left))).collect();
    let inside = inside.first().map(|first| Finding {
        kind: FindingKind::InsideCache,
        path: first.path.clone(),
        count: inside.len() as u64,
    });
    let left = left.first().map(|(environment, first)| {
        let shown = format!("`{}`", crate::human::escape_os(first.path.as_os_str()));
        let (kind, path) =
            (FindingKind::Leftovers { first: first.sentence(&shown) }, environment.path.join(&first.path));
        Finding { kind, path, count: left.len() as u64 }
    });
    inside.into_iter().chain(left).collect()
}

/// What lies in the root beside the buckets.
fn root(snapshot: &Snapshot) -> Vec<Finding> {
    let (mut temporary, mut strays, mut trash) = (Vec::new(), Vec::new(), None);
    // Environments there are a finding of their own.
    let inside: Vec<&Environment> = snapshot.environments.iter().filter(|it| it.inside).collect();
    let is_environment = |item: &crate::snapshot::Bucket| {
        let path = snapshot.cache.canonical.join(&item.name);
        inside.iter().any(|it| it.path.starts_with(&path))
    };
    for item in &snapshot.cache.buckets {
        let own = [".lock", ".gitignore", "CACHEDIR.TAG", ".git"].contains(&item.name.as_str());
        if item.name == TRASH {
            let kind = FindingKind::Trash { disk: item.disk };
            trash = Some(Finding { kind, path: snapshot.cache.path.join(TRASH), count: item.files });
        } else if item.name.starts_with(".tmp") {
            temporary.push(item.name.as_str());
        } else if !own && item.parsed().is_none() && item.is_understood() && !is_environment(item) {
            strays.push(item.name.as_str());
        }
    }
    let mut findings = Vec::new();
    for (names, kind) in [(temporary, FindingKind::Temporary), (strays, FindingKind::Strays)] {
        if let Some(first) = names.first() {
            let path = snapshot.cache.path.join(first);
            findings.push(Finding { kind, path, count: names.len() as u64 });
        }
    }
    findings.extend(trash);
    findings
}

/// Buckets of entries on another mount, or another subvolume, than the root.
fn elsewhere(snapshot: &Snapshot) -> Vec<Finding> {
    let ground = |path: &Path| {
        let path = crate::disk::canonical(path).ok()?;
        Some((FileStat::of(&path).ok()?.device, volume::mount(&path)))
    };
    let root = ground(&snapshot.cache.path);
    let buckets = snapshot.cache.buckets.iter().filter(|item| is_archive(&item.name));
    let paths = buckets.map(|item| snapshot.cache.path.join(&item.name));
    let moved = paths.filter(|path| ground(path).is_some_and(|ground| Some(ground) != root));
    moved.map(|path| Finding { kind: FindingKind::EntriesElsewhere, path, count: 1 }).collect()
}

/// Buckets that are not understood, each with its own reason.
fn not_understood(snapshot: &Snapshot) -> Vec<Finding> {
    let of = |bucket: &crate::snapshot::Bucket| {
        let path = snapshot.cache.path.join(&bucket.odd.as_ref()?.path);
        let kind =
            FindingKind::NotUnderstood { why: bucket.why_odd()?, everything: bucket.keeps_everything() };
        Some(Finding { kind, path, count: 1 })
    };
    snapshot.cache.buckets.iter().filter_map(of).collect()
}

/// Buckets that only uv 0.4 and older wrote.
fn old_buckets(snapshot: &Snapshot) -> Option<Finding> {
    let is_old = |item: &&crate::snapshot::Bucket| item.parsed().is_some_and(Bucket::is_old);
    let old: Vec<_> = snapshot.cache.buckets.iter().filter(is_old).collect();
    let path = snapshot.cache.path.join(&old.first()?.name);
    let names = old.iter().map(|item| item.name.clone()).collect();
    let kind = FindingKind::OldBuckets { names, disk: old.iter().map(|item| item.disk).sum() };
    Some(Finding { kind, path, count: old.len() as u64 })
}

fn is_archive(name: &str) -> bool {
    Bucket::parse(name.as_ref()).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
}

/// Walks the cache; each entry is a task of its own.
fn tally(request: &Request<'_>, root: &FileStat, cancel: &Cancel) -> Tally {
    let snapshot = request.snapshot;
    let expected = Expected {
        owner: root.owner,
        sharing: root.mode_bits & 0o022,
        limit: link_limit(snapshot.cache.filesystem.as_deref()),
        user: request.user.filter(|user| *user != 0),
    };
    let mut all = Tally::new(expected);
    let mut tasks: Vec<(PathBuf, bool)> = Vec::new();
    for item in &snapshot.cache.buckets {
        let path = snapshot.cache.path.join(&item.name);
        let Ok(stat) = FileStat::following(&path) else { continue };
        if stat.kind != FileKind::Directory || is_archive(&item.name) {
            // Everybody may lock the lock file whoever owns it; its mode is looked at elsewhere.
            if item.name != ".lock" {
                all.look(|| path.clone(), &stat);
            }
        } else {
            tasks.push((path, false));
        }
    }
    let entry = |key: &crate::snapshot::EntryKey| snapshot.cache.path.join(key.path());
    tasks.extend(snapshot.entries.iter().map(|it| (entry(&it.key), true)));
    let states = walk::each(
        &tasks,
        request.threads,
        || Tally::new(expected),
        |tally, _, (path, entries)| {
            tally.entries = *entries;
            walk::walk(path, cancel, tally);
        },
    );
    for state in states {
        all.merge(state);
    }
    all
}

/// How many links a filesystem allows a file, where that is few enough to be reached (ext4: `Documentation/filesystems/ext4`,
/// NTFS: `CreateHardLinkW`).
fn link_limit(filesystem: Option<&str>) -> Option<u64> {
    match filesystem? {
        "ext4" => Some(65_000),
        "ntfs" | "ntfs3" => Some(1_024),
        _ => None,
    }
}

/// Files of the cache that an environment of their owner has too.
struct Shared {
    environment: PathBuf,
    owner: u32,
    files: FxHashSet<(u64, u64)>,
}

fn of_tally(snapshot: &Snapshot, root: &FileStat, tally: &Tally, sharing: &[Shared]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let shared = root.mode_bits & 0o022 != 0;
    let mut add = |kind: FindingKind, found: &tally::Found| {
        if let Some(path) = &found.first {
            findings.push(Finding { kind, path: path.clone(), count: found.count });
        }
    };
    if shared {
        add(FindingKind::ClosedDirectories, &tally.closed_directories);
        add(FindingKind::ClosedFiles, &tally.closed_files);
    } else {
        // Where several users may write, several owners are as it should be.
        let mut owners: Vec<_> = tally.owners.iter().collect();
        owners.sort_unstable_by_key(|(owner, _)| **owner);
        let expected = root.owner;
        for (owner, found) in owners {
            let of_owner = || sharing.iter().filter(|shared| shared.owner == *owner);
            let files: FxHashSet<_> = of_owner().flat_map(|shared| &shared.files).collect();
            for Shared { environment, files, .. } in of_owner() {
                let kind = FindingKind::SharedWithEnvironment { owner: *owner, expected };
                let first = Some(environment.clone());
                let found = tally::Found { count: files.len() as u64, first, top: None };
                add(kind, &found);
            }
            // A file that several entries have was met several times.
            let count = found.count.saturating_sub(files.len() as u64);
            if count > 0 {
                let (top, shared) = (found.top.clone().unwrap_or_default(), !files.is_empty());
                let kind = FindingKind::ForeignOwner { owner: *owner, expected, top, shared };
                add(kind, &tally::Found { count, ..found.clone() });
            }
        }
    }
    if let Some(limit) = link_limit(snapshot.cache.filesystem.as_deref()) {
        add(FindingKind::ManyLinks { most: tally.most_links, limit }, &tally.many_links);
    }
    let path = snapshot.cache.path.join(".lock");
    if cfg!(unix)
        && let Ok(stat) = FileStat::of(&path)
        && stat.mode_bits & 0o666 != 0o666
    {
        findings.push(Finding {
            kind: FindingKind::LockMode { bits: stat.mode_bits, shared },
            path,
            count: 1,
        });
    }
    findings
}

/// Walks the environments: which symlinks lead elsewhere, and which share files of the cache that belong to their owner and not
/// to the cache's.
fn symlinks(
    request: &Request<'_>,
    linked: FxHashMap<(u64, u64), u32>,
    expected: u32,
    cancel: &Cancel,
) -> (Foreign, Vec<Shared>) {
    let cache = &request.snapshot.cache.path;
    let cache = crate::disk::canonical(cache).unwrap_or_else(|_| cache.clone());
    let linked = &Arc::new(linked);
    let ids: FxHashSet<&std::ffi::OsStr> =
        request.snapshot.entries.iter().map(|entry| entry.key.id.as_os_str()).collect();
    let start = || (Symlinks::new(&cache, linked, &ids), Vec::new());
    // Following an advice could take a file from its owner, in an environment that was asked about or in another.
    let all = request.snapshot.environments().map(|(index, _)| index);
    let wanted = |index: &EnvironmentIndex| request.environments.contains(index);
    let environments: Vec<EnvironmentIndex> = all.filter(|it| !linked.is_empty() || wanted(it)).collect();
    let states = walk::each(&environments, request.threads, start, |(found, sharing), _, index| {
        let environment = request.snapshot.environment(*index);
        let mut looking = Symlinks::new(&cache, linked, &ids);
        walk::walk(&environment.path, cancel, &mut looking);
        let mut files = std::mem::take(&mut looking.shared);
        if wanted(index) {
            found.merge(looking);
        }
        // Its own root may belong to somebody else than what is installed in it.
        let sites = environment.sites.iter().map(|(site, _)| environment.path.join(site));
        let owners: Vec<u32> = [environment.path.clone()]
            .into_iter()
            .chain(sites)
            .filter_map(|path| FileStat::of(&path).ok())
            .map(|stat| stat.owner)
            .filter(|owner| *owner != expected)
            .collect();
        for owner in owners.iter().collect::<BTreeSet<_>>() {
            let files: FxHashSet<_> = files.extract_if(|file| linked.get(file) == Some(owner)).collect();
            if !files.is_empty() {
                sharing.push(Shared { environment: environment.path.clone(), owner: *owner, files });
            }
        }
    });
    let (mut all, mut shared) = start();
    for (found, sharing) in states {
        all.merge(found);
        shared.extend(sharing);
    }
    shared.sort_by(|one: &Shared, other| one.environment.cmp(&other.environment));
    (all.found, shared)
}

fn of_symlinks(symlinks: Foreign) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = symlinks.temporary.first {
        findings.push(Finding { kind: FindingKind::Temporary, path, count: symlinks.temporary.count });
    }
    for ((prefix, is_this), found) in symlinks.by_prefix {
        if let Some(path) = found.first {
            let kind = if is_this {
                FindingKind::OtherName { prefix }
            } else {
                FindingKind::ForeignSymlinks { prefix }
            };
            findings.push(Finding { kind, path, count: found.count });
        }
    }
    findings
}
