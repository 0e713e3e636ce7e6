//! What is broken in environments, and what could mend it: read by `RECORD`, changed by nobody.
//!
//! A file is broken when `RECORD` lists it and it is missing, or a symlink that leads nowhere. Nothing is imported to find
//! that out: a package without its files imports as an empty namespace. Whether an entry has the right file is not believed
//! but hashed. Whoever links it hashes it once more, unless that was just now and its change time shows that it is the same.

mod distribution;
mod hashing;
pub mod links;
mod look;
mod modified;
mod others;
mod stale;
mod store;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::conda;
use super::installed;
use super::obstacles::{self, Obstacles};
use crate::control::Cancel;
use crate::disk::FileStat;
use crate::disk::{Time, walk};
use crate::snapshot::{
    CameFrom, Distribution, Environment, EnvironmentIndex, EnvironmentKind, FilePrint, Identity, Manager,
    Mode, ModeCounts, Origins, PointerForm, PointerState, Snapshot,
};
use crate::uv::distribution::{DirectUrl, compare_versions, normalize};
use crate::uv::shard::{self, Place};

use distribution::{Reading, Seen};
pub use hashing::Hashed;
use hashing::Hashing;
use links::LinkFacts;
pub use modified::ModifiedFile;
pub use stale::{Linked, Stale, Supply};
use store::Store;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The cache and its environments as a scan found them.
    pub snapshot: &'a Snapshot,
    /// The environments to look at.
    pub environments: &'a [EnvironmentIndex],
    /// The caches that may have what is missing, the present one first.
    pub caches: &'a [PathBuf],
    /// `.venv` whose environments are gone, that somebody named or asked for.
    pub dead_links: &'a [PathBuf],
    /// Whether to look at the cache's own links.
    pub links: bool,
    /// Whether the snapshot is an [`outline`](super::outline), which does not tell how files are linked.
    pub outline: bool,
    /// Digests that were taken before, to which those are added that are taken now.
    pub hashed: &'a Hashed,
    /// How many threads to use.
    pub threads: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The cache's root.
    pub cache: PathBuf,
    /// The caches that were looked through, the present one first.
    pub caches: Vec<PathBuf>,
    /// The environments that were looked at, in the snapshot's order.
    pub environments: Vec<EnvironmentFacts>,
    /// `.venv` whose environments are gone, and where they lead.
    pub dead_links: Vec<(PathBuf, PathBuf)>,
    /// Pointer files that name an entry which is gone, by the package they belong to, with the link beside each.
    pub poison: BTreeMap<String, Vec<Poison>>,
    /// The cache's own links that do not keep their entries, where they were to be looked at.
    pub links: LinkFacts,
    /// Whether uv has to be told which cache is meant.
    pub named: bool,
    /// The options that say where was searched.
    pub places: Vec<String>,
}

impl Facts {
    /// Whether other environments matter: some may have what no cache has, or use an entry that has to go.
    pub fn concern_others(&self) -> bool {
        let mut distributions = self.environments.iter().flat_map(|it| &it.distributions);
        distributions
            .any(|it| it.files.iter().any(others::lacks) || it.stale.as_ref().is_some_and(|it| it.damaged))
    }

    /// Whether facts from an [`outline`](super::outline) lead to the very plan that those from a whole scan lead to: all that
    /// is broken can be mended at once, nothing else is wrong with the environments, and how files are to be linked is said
    /// or beyond doubt.
    pub fn suffice(&self, link_mode: Option<Mode>) -> bool {
        let mends = |it: &DistributionFacts| {
            it.record.is_some() && it.unclear == 0 && it.files.iter().all(|file| file.source.is_ok())
        };
        let is_plain = |it: &EnvironmentFacts| {
            let ModeCounts { symlink, copy, .. } = it.modes;
            let is_whole = it.distributions.iter().all(|it| it.files.is_empty());
            it.interpreter_alive
                && !it.stored
                && !it.unread
                && it.duplicates.is_empty()
                && it.leftovers.is_empty()
                && it.doubtful == 0
                && it.distributions.iter().all(mends)
                && (is_whole || link_mode.is_some() || symlink + it.dangling > copy)
        };
        self.dead_links.is_empty() && self.environments.iter().all(is_plain)
    }
}

/// A pointer file that names an entry which is gone: uv follows it, and fails (uv 0.13.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Where it is, relative to the cache's root.
    pub path: PathBuf,
    /// What identifies it.
    pub print: FilePrint,
    /// The link of the same name beside it, if that leads nowhere too.
    pub link: Option<(PathBuf, FilePrint)>,
}

/// One environment.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct EnvironmentFacts {
    /// Its root.
    pub path: PathBuf,
    /// What it is for.
    pub kind: EnvironmentKind,
    /// What made it.
    pub manager: Manager,
    /// The project that it belongs to, where that has a `pyproject.toml`.
    pub project: Option<PathBuf>,
    /// Who owns it, where users have numbers.
    pub owner: u32,
    /// Its Python version.
    pub python: Option<String>,
    /// Its own name for its interpreter, where there is one.
    pub program: Option<PathBuf>,
    /// The interpreter of an installation of Python, which is no environment of its own.
    pub installation: Option<PathBuf>,
    /// Whether that is marked as managed by something else (PEP 668).
    pub externally_managed: bool,
    /// The prefix that it is the directory of distributions of.
    pub prefix: Option<PathBuf>,
    /// Whether it lies in the cache's directory outside of uv's buckets.
    pub inside: bool,
    /// Where its interpreter is, or was.
    pub interpreter: Option<PathBuf>,
    /// Whether that is there.
    pub interpreter_alive: bool,
    /// Whether it is an entry of the cache itself.
    pub stored: bool,
    /// Something in it could not be read.
    pub unread: bool,
    /// Its files per link mode.
    pub modes: ModeCounts,
    /// Its symlinks into a cache that lead nowhere.
    pub dangling: u64,
    /// What keeps uv from installing there, where something is left to it.
    pub obstacles: Obstacles,
    /// Its distributions of which something is broken or cannot be told.
    pub distributions: Vec<DistributionFacts>,
    /// Files that may hold another content than `RECORD` says, as far as an outline can tell.
    pub doubtful: u64,
    /// Packages that have several `.dist-info` directories: the name, and the versions.
    pub duplicates: Vec<Duplicate>,
    /// `.dist-info` directories of nothing that is installed.
    pub leftovers: Vec<Leftover>,
}

/// A `.dist-info` directory that an uninstall has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The name that it states.
    pub name: String,
    /// The version that it states.
    pub version: String,
    /// Where it is, relative to the environment's root.
    pub dist_info: PathBuf,
    /// Whether it has nothing in it, and no directory either.
    pub bare: bool,
    /// The version that is installed, where it lies beside that; else it holds no file.
    pub beside: Option<String>,
}

/// A package with several `.dist-info` directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Its name.
    pub name: String,
    /// The versions, the oldest first.
    pub versions: Vec<String>,
    /// The one of which most files are there, as an entry has them; of several the newest.
    pub whole: String,
    /// Where that one came from.
    pub came: CameFrom,
}

/// One distribution.
#[derive(Clone, Debug, Default)]
pub struct DistributionFacts {
    /// Its normalized name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its `.dist-info` directory, relative to the environment's root.
    pub dist_info: PathBuf,
    /// What identifies its `RECORD`; none where that cannot be read.
    pub record: Option<FilePrint>,
    /// Why it cannot be read.
    pub unreadable: Option<String>,
    /// Lines of it that could not be understood.
    pub unclear: u64,
    /// Whether uv cannot read it either, and uninstalls nothing by it.
    pub invalid: bool,
    /// What its `direct_url.json` says.
    pub direct_url: Option<DirectUrl>,
    /// Whether conda has installed it.
    pub of_conda: bool,
    /// The package that it is of there, where that is known.
    pub conda: Option<conda::Package>,
    /// Where it came from.
    pub came: CameFrom,
    /// Whether uv built it here, so that no index may have a wheel with its content.
    pub built: bool,
    /// The entry of this cache that it was installed from: where that lacks what is broken, it goes before uv installs again.
    pub stale: Option<Stale>,
    /// The files that are missing or are broken links, ordered by path.
    pub files: Vec<BrokenFile>,
    /// The files whose content is not what `RECORD` says, ordered by path. They are never replaced.
    pub modified: Vec<ModifiedFile>,
}

impl DistributionFacts {
    /// Whether something of it is broken that no cache or environment has the content of.
    pub fn stays_broken(&self) -> bool {
        !self.modified.is_empty()
            || self.unreadable.is_some()
            || self.unclear > 0
            || self.files.iter().any(|file| file.source.is_err())
    }
}

/// One file that is missing or leads nowhere.
#[derive(Clone, Debug)]
pub struct BrokenFile {
    /// Where it should be, relative to the environment's root.
    pub path: PathBuf,
    /// What lies there.
    pub lies: Lies,
    /// The SHA-256 that `RECORD` states.
    pub digest: Option<[u8; 32]>,
    /// Its size by `RECORD`; 0 where it says none.
    pub size: u64,
    /// What has its content.
    pub source: Result<Source, Why>,
}

/// What lies where a file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lies {
    /// A symlink that leads nowhere.
    Dangling {
        /// What identifies the symlink.
        print: FilePrint,
    },
    /// Nothing.
    Missing,
}

/// A file of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Which of the caches the entry lies in.
    pub cache: usize,
    /// The entry, relative to the cache's root.
    pub entry: PathBuf,
    /// Which directory that is.
    pub entry_is: Identity,
    /// The file, relative to the entry.
    pub path: PathBuf,
    /// Who owns it, where users have numbers.
    pub owner: u32,
    /// How the entry was found.
    pub way: Way,
    /// What identifies the file whose content was found to be the right one, if a write since then changes that.
    pub hashed: Option<FilePrint>,
}

/// How an entry was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The dead links name it: its cache lies elsewhere now.
    Moved,
    /// It has the same name and version, and the content.
    Digest,
    /// No entry has it: another environment does, and the entry is that environment's root as a whole path.
    Environment,
}

impl Way {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Digest => "digest",
            Self::Environment => "environment",
        }
    }
}

/// Why nothing was found for a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No entry has it.
    NoCandidate,
    /// An entry has it with another content.
    OtherContent {
        /// The entry, as a whole path.
        entry: PathBuf,
    },
    /// `RECORD` states no SHA-256 that could be compared.
    NoDigest,
    /// The installer writes it for each environment: it is in no entry.
    Private,
    /// It belongs outside of the directory with the distributions, where nothing is linked.
    Outside,
    /// A directory above it is a symlink.
    DirectoryLink {
        /// The symlink, relative to the environment's root.
        link: PathBuf,
        /// Where it leads, as it says.
        text: PathBuf,
        /// Whether anything is there.
        leads: bool,
        /// Where the same directory is now, if its entry is still known and it is not there.
        now: Option<PathBuf>,
    },
    /// It could not be looked at.
    Unread {
        /// What the operating system answered.
        why: String,
    },
}

/// Looks at environments, and at what could mend them.
pub fn gather(request: &Request<'_>, cancel: &Cancel) -> Facts {
    let snapshot = request.snapshot;
    let began = snapshot.scope.started.map(Time::of_timestamp).unwrap_or_default();
    let hashing = Hashing { known: request.hashed, began };
    let stores: Vec<Store> = request.caches.iter().map(|path| Store::read(path)).collect();
    // All of them, whatever the scan says: where an environment has each inode of an entry it has not looked whether each
    // lies where `RECORD` says.
    let mut tasks: Vec<(EnvironmentIndex, usize)> = Vec::new();
    for index in request.environments {
        let environment = snapshot.environment(*index);
        let all = environment.distributions.iter().enumerate();
        let all = all.filter(|(_, it)| !it.of_system);
        tasks.extend(all.map(|(position, _)| (*index, position)));
    }
    let readings = walk::map(&tasks, request.threads, |(index, position)| {
        let environment = snapshot.environment(*index);
        let read =
            || distribution::read(&environment.path, &environment.distributions[*position], &stores, hashing);
        (!cancel.is_cancelled()).then(read)
    });
    let mut by_environment: BTreeMap<EnvironmentIndex, Vec<Reading>> = BTreeMap::new();
    for ((index, _), reading) in tasks.iter().zip(readings) {
        by_environment.entry(*index).or_default().extend(reading);
    }
    let mut modified = if request.outline { BTreeMap::new() } else { modified::find(request, cancel) };
    let origins = Origins::of(snapshot);
    let environments = request.environments.iter().map(|index| {
        let readings = by_environment.remove(index).unwrap_or_default();
        let seen = request.outline.then(|| Seen::sum(&readings));
        let of = snapshot.environment(*index);
        let mut distributions = distribution::settled(readings);
        others::find(snapshot, *index, &mut distributions);
        for it in &of.distributions {
            let Some(files) = modified.remove(&(*index, it.dist_info.clone())) else { continue };
            match distributions.iter_mut().find(|facts| facts.dist_info == it.dist_info) {
                Some(facts) => facts.modified = files,
                None => distributions.push(whole(of, it, files)),
            }
        }
        for facts in &mut distributions {
            let found = of.distributions.iter().find(|it| it.dist_info == facts.dist_info);
            let namesake =
                found.is_some_and(|found| stale::is_of_a_namesake(snapshot, &of.path, found, facts));
            facts.came = match (&facts.direct_url, found) {
                (Some(direct), _) => CameFrom::Direct(direct.clone()),
                (None, Some(found)) if namesake => {
                    origins.came_from(&Distribution { entry: None, ..found.clone() })
                }
                (None, Some(found)) => origins.came_from(found),
                (None, None) => CameFrom::Unknown,
            };
            facts.built = of.path.join(&facts.dist_info).join("uv_build.json").exists();
            facts.of_conda = found.is_some_and(Distribution::is_of_conda);
            facts.conda = (facts.of_conda && !request.outline)
                .then(|| conda::package(&of.path, &facts.dist_info))
                .flatten();
            let found = found.filter(|_| !namesake);
            facts.stale =
                found.and_then(|it| it.entry).map(|entry| stale::of(snapshot, entry, *index, &origins));
        }
        let facts = environment(of, seen, distributions, &origins);
        let modified = facts.distributions.iter().flat_map(|it| &it.modified);
        let damaged = modified.map(|file| of.path.join(&file.path));
        let stays = facts.distributions.iter().any(DistributionFacts::stays_broken);
        let obstacles =
            if stays && !request.outline { obstacles::of(of, damaged) } else { Obstacles::default() };
        EnvironmentFacts { obstacles, ..facts }
    });
    let mut environments: Vec<EnvironmentFacts> = environments.collect();
    if !request.outline {
        stale::compare(request, &mut environments, cancel);
    }
    let dead = request.dead_links.iter();
    Facts {
        cache: snapshot.cache.path.clone(),
        caches: request.caches.to_vec(),
        environments,
        dead_links: dead
            .filter_map(|path| Some((path.clone(), super::discover::leads_nowhere(path)?)))
            .collect(),
        poison: poison(snapshot),
        links: if request.links { links::gather(snapshot) } else { LinkFacts::default() },
        named: snapshot.cache.found_by.contains("--cache-dir"),
        places: snapshot.scope.options.clone(),
    }
}

/// A distribution of which nothing is missing.
fn whole(
    environment: &Environment,
    distribution: &Distribution,
    modified: Vec<ModifiedFile>,
) -> DistributionFacts {
    let record = environment.path.join(&distribution.dist_info).join("RECORD");
    DistributionFacts {
        name: distribution.name.clone(),
        version: distribution.version.clone(),
        dist_info: distribution.dist_info.clone(),
        record: FileStat::of(&record).ok().map(|stat| super::print::of(&stat)),
        direct_url: distribution.direct_url.clone(),
        modified,
        ..DistributionFacts::default()
    }
}

fn environment(
    environment: &Environment,
    seen: Option<Seen>,
    mut distributions: Vec<DistributionFacts>,
    origins: &Origins<'_>,
) -> EnvironmentFacts {
    let leftovers = leftovers(environment);
    let is_left = |dist_info: &Path| leftovers.iter().any(|it| it.dist_info == dist_info);
    distributions.retain(|it| !is_left(&it.dist_info));
    let installed = || environment.distributions.iter().filter(|it| !is_left(&it.dist_info));
    let (modes, dangling) = match seen {
        // Whether the rest are copies or something else nobody has looked for.
        Some(seen) => {
            (ModeCounts { symlink: seen.links, copy: seen.others, ..ModeCounts::default() }, seen.dead)
        }
        None => (environment.modes, environment.dangling),
    };
    EnvironmentFacts {
        path: environment.path.clone(),
        kind: environment.kind,
        manager: environment.manager,
        owner: FileStat::of(&environment.path).map_or(0, |stat| stat.owner),
        project: environment
            .path
            .parent()
            .filter(|parent| parent.join("pyproject.toml").is_file())
            .map(Path::to_owned),
        python: environment.python.clone(),
        program: ["bin/python", "Scripts/python.exe"]
            .iter()
            .map(|name| environment.path.join(name))
            .find(|path| environment.interpreter_alive && path.is_file()),
        installation: environment.installation.clone(),
        externally_managed: environment.externally_managed,
        prefix: environment.prefix.clone(),
        inside: environment.inside,
        interpreter: environment.interpreter.clone(),
        interpreter_alive: environment.interpreter_alive,
        stored: environment.entry.is_some(),
        unread: environment.unread,
        modes,
        dangling,
        distributions,
        obstacles: Obstacles::default(),
        doubtful: seen.map_or(0, |seen| seen.doubtful),
        duplicates: duplicates(installed(), origins),
        leftovers,
    }
}

/// The `.dist-info` directories that an interrupted uninstall has left: without RECORD, and empty or beside that of another
/// installation of the package. uv can uninstall neither (0.13.8).
fn leftovers(environment: &Environment) -> Vec<Leftover> {
    let lacks_record = |it: &&Distribution| {
        let record = environment.path.join(&it.dist_info).join("RECORD");
        match FileStat::of(&record) {
            Ok(stat) => stat.size == 0,
            Err(error) => it.record.is_none() && look::is_absence(&error),
        }
    };
    let left = environment.distributions.iter().filter(lacks_record).filter_map(|it| {
        let is_beside = |other: &&Distribution| {
            other.name == it.name && other.dist_info.parent() == it.dist_info.parent() && !lacks_record(other)
        };
        let beside = environment.distributions.iter().find(is_beside).map(|other| other.version.clone());
        let path = environment.path.join(&it.dist_info);
        (beside.is_some() || installed::is_empty(&path)).then(|| Leftover {
            name: it.name.clone(),
            version: it.version.clone(),
            dist_info: it.dist_info.clone(),
            bare: installed::is_bare(&path),
            beside,
        })
    });
    left.collect()
}

/// Packages with several `.dist-info` directories in one directory of distributions.
fn duplicates<'a>(
    distributions: impl Iterator<Item = &'a Distribution>,
    origins: &Origins<'_>,
) -> Vec<Duplicate> {
    let mut seen: BTreeMap<(&str, Option<&Path>), Vec<&Distribution>> = BTreeMap::new();
    for it in distributions {
        seen.entry((&it.name, it.dist_info.parent())).or_default().push(it);
    }
    let several = seen.into_iter().filter(|(_, several)| several.len() > 1);
    several
        .filter_map(|((name, _), mut several)| {
            several.sort_by(|a, b| compare_versions(&a.version, &b.version));
            let versions = several.iter().map(|it| it.version.clone()).collect();
            // The files that several list can be those of one only.
            let whole = several.iter().max_by_key(|it| it.files.modes.total())?;
            Some(Duplicate {
                name: name.to_owned(),
                versions,
                whole: whole.version.clone(),
                came: origins.came_from(whole),
            })
        })
        .collect()
}

/// Pointer files that name an entry which is gone, by package.
fn poison(snapshot: &Snapshot) -> BTreeMap<String, Vec<Poison>> {
    let mut poison: BTreeMap<String, Vec<Poison>> = BTreeMap::new();
    let is_odd = |path: &Path| snapshot.cache.bucket_of(path).is_some_and(|bucket| bucket.odd.is_some());
    let dead = || {
        let dead = snapshot.pointers.iter().filter(|pointer| pointer.state == PointerState::Dangling);
        dead.filter(move |pointer| !is_odd(&pointer.path))
    };
    let links: BTreeMap<&Path, FilePrint> = dead()
        .filter(|pointer| matches!(pointer.form, PointerForm::Symlink | PointerForm::LinkFile))
        .map(|pointer| (pointer.path.as_path(), pointer.print))
        .collect();
    for pointer in dead().filter(|pointer| matches!(pointer.form, PointerForm::Http | PointerForm::Rev)) {
        let Place::Wheel { package, .. } = shard::place(&pointer.path) else { continue };
        let beside = pointer.path.with_extension("");
        let link = links.get(beside.as_path()).map(|print| (beside.clone(), *print));
        poison.entry(normalize(&package)).or_default().push(Poison {
            path: pointer.path.clone(),
            print: pointer.print,
            link,
        });
    }
    poison
}

/// Whether a directory is a cache that can be named as a source: it has a bucket of entries.
pub fn has_entries(path: &Path) -> bool {
    use crate::uv::bucket::{Bucket, BucketKind};
    let items = std::fs::read_dir(path).into_iter().flatten().flatten();
    let is_archive = |name: &OsStr| Bucket::parse(name).is_some_and(|it| it.kind == BucketKind::Archive);
    items.into_iter().any(|item| is_archive(&item.file_name()))
}
