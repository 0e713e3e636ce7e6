//! Compares contents with `RECORD`: of entries, and of the distributions in environments.
//!
//! # What counts
//! A file that `RECORD` lists with a digest is *edited*, *truncated*, *empty* or *missing*. In an entry a file that `RECORD`
//! does not list is *extra*: uv would install it. What installers and Python write (`RECORD` itself, `INSTALLER`, `.pyc` and
//! so on) never is, and in environments nothing is: packages write into their own directories, and several share one. Of
//! two distributions that list one file, whoever wrote it last is right.
//!
//! # Locking
//! Looking takes no lock. What uv changes meanwhile may be told as damage; looking again shows whether it is.
//!
//! # Cost
//! Each file is read once, however many names it has, on all processors. Memory is some 60 bytes for each file
//! that was read, and what is told.

mod digests;
mod finding;
mod judge;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::conda::{self, Package};
use super::content;
use super::installed::{self, BrokenLink, Claim, Class, Layout, Listing, Origin, Several, Sources};
use super::obstacles::{self, Obstacles};
use super::offline;
use super::print;
use crate::control::{Cancel, Progress};
use crate::disk::walk;
use crate::disk::{FileKind, FileStat, Time, read};
use crate::snapshot::{Distribution, EntryIndex, EntryKind, EnvironmentIndex, FilePrint, Problem, Snapshot};
use crate::uv::installed::Stated;

use digests::Digests;
use tree::{Tree, is_generated};

pub use finding::{Fault, Finding, Good, Place, Twin, Verdict, Verified};

/// What is to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Entries.
    pub entries: Vec<EntryIndex>,
    /// Environments.
    pub environments: Vec<EnvironmentIndex>,
    /// Single distributions, by their environments and their places in them.
    pub distributions: Vec<(EnvironmentIndex, usize)>,
    /// Where more may be that is to be compared, but could not be read when it was looked for.
    pub unread: Vec<Problem>,
}

impl Wanted {
    /// All entries, and all environments with them or not.
    pub fn everything(snapshot: &Snapshot, environments: bool) -> Self {
        let concerns = |it: &&Problem| environments || snapshot.cache.relative(&it.path).is_some();
        Self {
            entries: snapshot.entries().map(|(index, _)| index).collect(),
            environments: snapshot.environments().filter(|_| environments).map(|(index, _)| index).collect(),
            distributions: Vec::new(),
            unread: snapshot.scope.failed.iter().filter(concerns).cloned().collect(),
        }
    }
}

/// One piece of work.
enum Subject {
    Entry(EntryIndex),
    Distribution(EnvironmentIndex, usize),
}

impl Subject {
    fn entry(&self) -> Option<EntryIndex> {
        match self {
            Self::Entry(index) => Some(*index),
            Self::Distribution(..) => None,
        }
    }
}

/// Something wrong, before others were asked about the same file.
struct Raw {
    finding: Finding,
    inode: Option<(u64, u64)>,
    /// Of a file in an environment.
    claim: Option<Claim>,
    /// Whether the wheel does not have it.
    absent: bool,
}

/// What one thread brings.
#[derive(Default)]
struct State {
    files: u64,
    by_size: u64,
    away: Vec<PathBuf>,
    bytes: u64,
    raw: Vec<Raw>,
    problems: Vec<Problem>,
}

impl State {
    /// Takes note of a `RECORD` that cannot be read.
    fn unread(&mut self, dist_info: &Path, error: &io::Error) {
        self.problems.push(super::problem(dist_info.join("RECORD"), "read", error));
    }
}

/// Compares. `progress` counts files and their bytes.
pub fn verify(
    snapshot: &Snapshot,
    wanted: &Wanted,
    threads: usize,
    cancel: &Cancel,
    progress: &Progress,
) -> Verified {
    let several = snapshot.environments().map(|_| OnceLock::new()).collect();
    let verifier = Verifier { snapshot, digests: Digests::new(cancel.clone()), several, cancel, progress };
    let subjects = subjects(snapshot, wanted);
    let is_of_system = |it: &&Subject| match it {
        Subject::Distribution(index, position) => {
            snapshot.environment(*index).distributions[*position].of_system
        }
        Subject::Entry(_) => false,
    };
    let of_system = subjects.iter().filter(is_of_system).count() as u64;
    let mut verified = Verified { of_system, ..Verified::default() };
    let mut raw = verifier.compare_all(&subjects, threads, &mut verified);
    // What is installed again comes from the entry, so that its state is part of the answer.
    let compared: BTreeSet<EntryIndex> = subjects.iter().filter_map(Subject::entry).collect();
    let behind: BTreeSet<EntryIndex> = raw
        .iter()
        .filter(|it| !it.absent)
        .filter_map(|it| it.finding.entry)
        .filter(|entry| !compared.contains(entry) && snapshot.entry(*entry).kind == EntryKind::Wheel)
        .collect();
    let behind: Vec<Subject> = behind.into_iter().map(Subject::Entry).collect();
    let behind = verifier.compare_all(&behind, threads, &mut verified).into_iter();
    raw.extend(behind.filter(|it| it.finding.breaks_installations()));
    verified.findings = judge::judge(&verifier, raw);
    verified.obstacles = obstacles(snapshot, &verified);
    verified.offline = offline(snapshot, &verified);
    verified.conda = of_conda(snapshot, &verified);
    verified.away.sort_unstable();
    verified.away.dedup();
    // What could not be compared, and why, says more than that it could not be looked at before.
    let known: BTreeSet<&PathBuf> = verified.problems.iter().map(|it| &it.path).collect();
    let more: Vec<Problem> = wanted.unread.iter().filter(|it| !known.contains(&it.path)).cloned().collect();
    verified.problems.extend(more);
    verified.problems.sort_unstable();
    verified.problems.dedup();
    verified.cancelled = cancel.is_cancelled();
    verified
}

/// What is in the way where something is damaged.
fn obstacles(snapshot: &Snapshot, verified: &Verified) -> BTreeMap<EnvironmentIndex, Obstacles> {
    let mut damaged: BTreeMap<EnvironmentIndex, Vec<PathBuf>> = BTreeMap::new();
    for place in verified.damage().flat_map(|it| &it.places) {
        let Some(index) = place.environment else { continue };
        damaged.entry(index).or_default().push(place.path.clone());
    }
    let of = |(index, paths): (EnvironmentIndex, Vec<PathBuf>)| {
        let obstacles = obstacles::of(snapshot.environment(index), paths.into_iter());
        (!obstacles.is_empty()).then_some((index, obstacles))
    };
    damaged.into_iter().filter_map(of).collect()
}

/// The packages of conda in which something is damaged.
fn of_conda(snapshot: &Snapshot, verified: &Verified) -> BTreeMap<(EnvironmentIndex, String), Package> {
    let places = verified
        .damage()
        .flat_map(|it| it.places.iter().filter_map(|place| Some((place.environment?, it.name.clone()))));
    let damaged: BTreeSet<(EnvironmentIndex, String)> = places.collect();
    let of = |(index, name): (EnvironmentIndex, String)| {
        let environment = snapshot.environment(index);
        let is_it = |it: &&Distribution| it.name == name && it.is_of_conda();
        let distribution = environment.distributions.iter().find(is_it)?;
        Some(((index, name), conda::package(&environment.path, &distribution.dist_info)?))
    };
    damaged.into_iter().filter_map(of).collect()
}

/// What is installed again from where it is, without a network.
fn offline(snapshot: &Snapshot, verified: &Verified) -> BTreeSet<(EnvironmentIndex, EntryIndex)> {
    let in_cache = |it: &Finding| it.places.iter().any(|place| place.environment.is_none());
    let damaged: BTreeSet<EntryIndex> =
        verified.damage().filter(|it| in_cache(it)).filter_map(|it| it.entry).collect();
    let of = |it: &Finding| {
        let entry = it.entry.filter(|entry| !damaged.contains(entry));
        let places: Vec<_> =
            it.places.iter().filter_map(|place| Some((place.environment?, entry?))).collect();
        places
    };
    let found: BTreeSet<_> = verified.damage().flat_map(of).collect();
    found.into_iter().filter(|(index, entry)| offline::is_needed(snapshot, *entry, *index)).collect()
}

/// Entries that are environments are compared by the distributions in them.
fn subjects(snapshot: &Snapshot, wanted: &Wanted) -> Vec<Subject> {
    let entries: BTreeSet<EntryIndex> = wanted.entries.iter().copied().collect();
    let mut environments: BTreeSet<EnvironmentIndex> = wanted.environments.iter().copied().collect();
    let stored = snapshot.environments().filter(|(_, it)| it.entry.is_some_and(|it| entries.contains(&it)));
    environments.extend(stored.map(|(index, _)| index));
    let wheels = entries.into_iter().filter(|index| snapshot.entry(*index).kind == EntryKind::Wheel);
    let mut subjects: Vec<Subject> = wheels.map(Subject::Entry).collect();
    for index in environments {
        let distributions = &snapshot.environment(index).distributions;
        let verifiable = distributions.iter().enumerate().filter(|(_, it)| !it.name.is_empty());
        subjects.extend(verifiable.map(|(position, _)| Subject::Distribution(index, position)));
    }
    let single =
        wanted.distributions.iter().map(|(index, position)| Subject::Distribution(*index, *position));
    subjects.extend(single);
    subjects
}

struct Verifier<'a> {
    snapshot: &'a Snapshot,
    digests: Digests,
    /// By the environment's index.
    several: Vec<OnceLock<Several>>,
    cancel: &'a Cancel,
    progress: &'a Progress,
}

/// A file beside what `RECORD` says of it.
#[derive(Clone, Copy)]
struct Compared {
    fault: Fault,
    print: Option<FilePrint>,
    found: Option<[u8; 32]>,
}

impl Verifier<'_> {
    /// Compares files with several threads.
    fn compare_all(&self, subjects: &[Subject], threads: usize, verified: &mut Verified) -> Vec<Raw> {
        let states = walk::each(subjects, threads, State::default, |state, _, subject| {
            if !self.cancel.is_cancelled() {
                match subject {
                    Subject::Entry(index) => self.entry(*index, state),
                    Subject::Distribution(index, position) => self.distribution(*index, *position, state),
                }
            }
        });
        let mut raw = Vec::new();
        for state in states {
            verified.files += state.files;
            verified.by_size += state.by_size;
            verified.away.extend(state.away);
            verified.bytes += state.bytes;
            verified.problems.extend(state.problems);
            raw.extend(state.raw);
        }
        raw
    }

    fn entry_path(&self, index: EntryIndex) -> PathBuf {
        let key = &self.snapshot.entry(index).key;
        self.snapshot.cache.path.join(key.path())
    }

    fn entry(&self, index: EntryIndex, state: &mut State) {
        let entry = self.snapshot.entry(index);
        let path = self.entry_path(index);
        let mut tree = Tree::default();
        walk::walk(&path, self.cancel, &mut tree);
        state.problems.append(&mut tree.problems);
        let Some(dist_info) = tree.dist_infos.first().cloned() else { return };
        let listed = match installed::of_entry(&path, &dist_info) {
            Ok(listed) => listed,
            Err(error) => return state.unread(&path.join(dist_info), &error),
        };
        let base = Finding {
            path: PathBuf::new(),
            fault: Fault::Extra,
            verdict: Verdict::Damage,
            name: entry.name.clone().unwrap_or_default(),
            version: entry.version.clone().unwrap_or_default(),
            entry: Some(index),
            source: None,
            recorded: None,
            recorded_size: None,
            found: None,
            print: None,
            good: None,
            places: Vec::new(),
            unexplained: 0,
            twin: None,
        };
        for file in &listed {
            let full = path.join(&file.path);
            if !file.is_private
                && let Some(compared) = self.compare(&full, false, file.row, state)
            {
                let finding = Finding {
                    path: full,
                    source: Some(file.path.clone()),
                    recorded: file.row.digest,
                    recorded_size: file.row.size,
                    ..base.clone()
                };
                state.raw.push(raw(finding, compared));
            }
            if self.cancel.is_cancelled() {
                return;
            }
        }
        let listed: BTreeSet<PathBuf> = listed.into_iter().map(|file| file.path).collect();
        for (file, stat) in tree.files {
            if !listed.contains(&file) && !is_generated(&file) {
                let compared = Compared { fault: Fault::Extra, print: Some(print::of(&stat)), found: None };
                let finding = Finding { path: path.join(&file), source: Some(file), ..base.clone() };
                state.raw.push(raw(finding, compared));
            }
        }
    }

    fn distribution(&self, index: EnvironmentIndex, position: usize, state: &mut State) {
        let environment = self.snapshot.environment(index);
        let distribution = &environment.distributions[position];
        let mut listing = match installed::listing(&environment.path, &distribution.dist_info) {
            Ok(listing) => listing,
            Err(error) => return state.unread(&environment.path.join(&distribution.dist_info), &error),
        };
        let sources = self.sources(index, position);
        listing.attach(Layout::of(&environment.path, &distribution.dist_info), &sources);
        let is_wheel = listing.is_of(&sources);
        let entry = distribution.entry.map(|entry| self.entry_path(entry));
        let installed = distribution.record.map(|record| Time(record.modified));
        let origin = entry.as_ref().map(|path| Origin {
            root: &environment.path,
            installed,
            path,
            sources: &sources,
            is_wheel,
        });
        let mut raws = Vec::new();
        for file in listing.files.iter().filter(|file| file.is_needed() || file.is_comparable()) {
            if self.cancel.is_cancelled() {
                return;
            }
            let full = environment.path.join(&file.path);
            let link = installed::broken_link(&full);
            let is_of_cache = link.as_ref().map(BrokenLink::names_cache);
            // Python writes it again where it is missing or old; a broken symlink into a cache was made by an installer.
            if file.class == Class::Compiled && is_of_cache != Some(true) {
                continue;
            }
            let Some(compared) = self.compare(&full, true, file.row, state) else { continue };
            // A person's own symlink, to a disk that is not there.
            if compared.fault == Fault::Missing && is_of_cache == Some(false) {
                state.away.push(full);
                continue;
            }
            let another = |found| self.several(index).another_states(&file.path, position, found);
            if compared.found.as_ref().is_some_and(another) {
                continue;
            }
            let finding = Finding {
                path: full,
                fault: compared.fault,
                verdict: Verdict::Damage,
                name: distribution.name.clone(),
                version: distribution.version.clone(),
                entry: distribution.entry,
                source: file.same_source().map(|source| source.path.clone()),
                recorded: file.row.digest,
                recorded_size: file.row.size,
                found: compared.found,
                print: None,
                good: None,
                places: Vec::new(),
                unexplained: 0,
                twin: None,
            };
            let named = link.as_ref().and_then(BrokenLink::entry);
            let is_missing = compared.fault == Fault::Missing && link.is_none();
            let absent = is_missing && origin.as_ref().is_some_and(|origin| origin.lacks(file));
            raws.push((Raw { absent, ..raw(finding, compared) }, named));
        }
        let most = installed::most(raws.iter().filter_map(|(_, named)| named.as_ref())).cloned();
        state.raw.extend(raws.into_iter().map(|(raw, named)| {
            let is_linked = named.is_some() && named == most;
            Raw { claim: Some(Claim { position, is_linked, installed }), ..raw }
        }));
    }

    /// What the `RECORD` of a distribution's entry says, by where it is in the environment.
    fn sources(&self, index: EnvironmentIndex, position: usize) -> Sources {
        let environment = self.snapshot.environment(index);
        let distribution = &environment.distributions[position];
        let (Some(entry), Some(name)) = (distribution.entry, distribution.dist_info.file_name()) else {
            return Sources::default();
        };
        let layout = Layout::of(&environment.path, &distribution.dist_info);
        installed::sources(&self.entry_path(entry), name, layout, &distribution.name)
    }

    /// The files of an environment that several distributions list, looked for once, when the first file differs.
    fn several(&self, index: EnvironmentIndex) -> &Several {
        self.several[index.position()].get_or_init(|| {
            let environment = self.snapshot.environment(index);
            let read = |it: &Distribution| installed::listing(&environment.path, &it.dist_info).ok();
            let listings: Vec<Option<Listing>> = environment.distributions.iter().map(read).collect();
            let listings = listings.iter().enumerate();
            Several::of(listings.filter_map(|(position, it)| Some((position, it.as_ref()?))), |_| true)
        })
    }

    /// Compares a file with its row; none where both agree, and where it cannot be read, which is a problem.
    fn compare(&self, path: &Path, follow: bool, row: Stated, state: &mut State) -> Option<Compared> {
        let looked = if follow { FileStat::following(path) } else { FileStat::of(path) };
        let stat = match looked {
            Ok(stat) => stat,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Some(Compared { fault: Fault::Missing, print: None, found: None });
            }
            Err(error) => {
                state.problems.push(super::problem(path.to_owned(), "look at", &error));
                return None;
            }
        };
        state.files += 1;
        if content::agrees_without_digest(&stat, row) {
            state.by_size += u64::from(stat.kind == FileKind::File && row.size != Some(0));
            self.progress.add_files(1, 0);
            return None;
        }
        if stat.kind != FileKind::File {
            return Some(Compared { fault: Fault::Edited, print: None, found: None });
        }
        // What is larger or smaller is another file already. Of what is not huge the content is known all the same: another
        // distribution may list it, and so may every copy of a wheel that is wrong about itself.
        let found = if read::is_huge_beside(stat.size, row.size) {
            None
        } else {
            match self.digests.of(path, &stat) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return None,
                Err(error) => {
                    state.problems.push(super::problem(path.to_owned(), "read", &error));
                    return None;
                }
            }
        };
        // What was not read counts as looked at, and its bytes for nothing: a sparse file may claim any size.
        let read = found.map_or(0, |_| stat.size);
        state.bytes = state.bytes.saturating_add(read);
        self.progress.add_files(1, read);
        if found.is_some() && row.digest == found {
            return None;
        }
        let shorter = row.size.is_some_and(|size| stat.size < size);
        let fault = match stat.size {
            0 => Fault::Empty,
            _ if shorter => Fault::Truncated,
            _ => Fault::Edited,
        };
        Some(Compared { fault, print: Some(print::of(&stat)), found })
    }
}

fn raw(finding: Finding, compared: Compared) -> Raw {
    let Compared { fault, print, found } = compared;
    Raw {
        finding: Finding { fault, found, print, ..finding },
        inode: print.map(|print| (print.device, print.inode)),
        claim: None,
        absent: false,
    }
}
