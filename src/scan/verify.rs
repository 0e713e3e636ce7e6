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

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::installed::{self, Expected};
use super::print;
use crate::control::{Cancel, Progress};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, read};
use crate::snapshot::{EntryIndex, EntryKind, EnvironmentIndex, FilePrint, Problem, Snapshot};
use crate::uv::distribution as names;
use crate::uv::record::{self, Location};

use digests::Digests;

pub use finding::{Fault, Finding, Good, Place, Twin, Verdict, Verified};

/// What is to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Entries.
    pub entries: Vec<EntryIndex>,
    /// Environments.
    pub environments: Vec<EnvironmentIndex>,
}

/// One piece of work.
enum Subject {
    Entry(EntryIndex),
    Distribution(EnvironmentIndex, usize),
}

/// Something wrong, before others were asked about the same file.
struct Raw {
    finding: Finding,
    inode: Option<(u64, u64)>,
}

/// What one thread brings.
#[derive(Default)]
struct State {
    files: u64,
    bytes: u64,
    raw: Vec<Raw>,
    problems: Vec<Problem>,
}

/// Compares. `progress` counts files and their bytes.
pub fn verify(
    snapshot: &Snapshot,
    wanted: &Wanted,
    threads: usize,
    cancel: &Cancel,
    progress: &Progress,
) -> Verified {
    let verifier = Verifier { snapshot, digests: Digests::new(cancel.clone()), cancel, progress };
    let subjects = subjects(snapshot, wanted);
    let states = walk::each(&subjects, threads, State::default, |state, _, subject| {
        if !cancel.is_cancelled() {
            match subject {
                Subject::Entry(index) => verifier.entry(*index, state),
                Subject::Distribution(index, position) => verifier.distribution(*index, *position, state),
            }
        }
    });
    let mut verified = Verified::default();
    let mut raw = Vec::new();
    for state in states {
        verified.files += state.files;
        verified.bytes += state.bytes;
        verified.problems.extend(state.problems);
        raw.extend(state.raw);
    }
    verified.findings = judge::judge(&verifier, raw);
    verified.problems.sort_unstable();
    verified.problems.dedup();
    verified.cancelled = cancel.is_cancelled();
    verified
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
    subjects
}

struct Verifier<'a> {
    snapshot: &'a Snapshot,
    digests: Digests,
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
    fn entry_path(&self, index: EntryIndex) -> PathBuf {
        let key = &self.snapshot.entry(index).key;
        self.snapshot.cache.path.join(&*key.bucket).join(&key.id)
    }

    fn entry(&self, index: EntryIndex, state: &mut State) {
        let entry = self.snapshot.entry(index);
        let path = self.entry_path(index);
        let mut listing = Listing::default();
        walk::walk(&path, self.cancel, &mut listing);
        state.problems.append(&mut listing.problems);
        let Some(dist_info) = listing.dist_infos.first().cloned() else { return };
        let Some(bytes) = record(&path.join(&dist_info), state) else { return };
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
        let mut listed: BTreeSet<PathBuf> = BTreeSet::new();
        for row in record::rows(&bytes).flatten() {
            let Some(location) = Location::parse(&row.path).filter(|location| location.ups == 0) else {
                continue;
            };
            let compares = row.digest.is_some() && !names::is_private_row(&row.path, row.digest.as_ref());
            let full = path.join(&location.rest);
            if compares && let Some(compared) = self.compare(&full, false, &row, state) {
                let finding = Finding {
                    path: full,
                    source: Some(location.rest.clone()),
                    recorded: row.digest,
                    recorded_size: row.size,
                    ..base.clone()
                };
                state.raw.push(raw(finding, compared));
            }
            listed.insert(location.rest);
            if self.cancel.is_cancelled() {
                return;
            }
        }
        for (file, stat) in listing.files {
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
        let Some(bytes) = record(&environment.path.join(&distribution.dist_info), state) else { return };
        let mut expected = None;
        for row in record::rows(&bytes).flatten() {
            if self.cancel.is_cancelled() {
                return;
            }
            let site = distribution.dist_info.parent().unwrap_or(Path::new(""));
            let place = Location::parse(&row.path)
                .and_then(|location| Some(site.ancestors().nth(location.ups)?.join(&location.rest)));
            let Some(relative) = place else { continue };
            if row.digest.is_none() || names::is_private_row(&row.path, row.digest.as_ref()) {
                continue;
            }
            let full = environment.path.join(&relative);
            // Python makes it anew where it is missing or old; a symlink that leads nowhere was made by an installer.
            if names::is_compiled(&row.path) && !dangles(&full) {
                continue;
            }
            let Some(compared) = self.compare(&full, true, &row, state) else { continue };
            if compared.found.is_some_and(|found| self.another_lists(index, position, &relative, found)) {
                continue;
            }
            let expected = expected.get_or_insert_with(|| self.expected(index, position));
            let source = expected.get(&relative).filter(|it| it.digest == row.digest);
            let finding = Finding {
                path: full,
                fault: compared.fault,
                verdict: Verdict::Damage,
                name: distribution.name.clone(),
                version: distribution.version.clone(),
                entry: distribution.entry,
                source: source.map(|it| it.source.clone()),
                recorded: row.digest,
                recorded_size: row.size,
                found: compared.found,
                print: None,
                good: None,
                places: Vec::new(),
                unexplained: 0,
                twin: None,
            };
            state.raw.push(raw(finding, compared));
        }
    }

    /// What the `RECORD` of a distribution's entry says, by where it is in the environment.
    fn expected(&self, index: EnvironmentIndex, position: usize) -> Expected {
        let distribution = &self.snapshot.environment(index).distributions[position];
        let (Some(entry), Some(name)) = (distribution.entry, distribution.dist_info.file_name()) else {
            return Expected::default();
        };
        let site = distribution.dist_info.parent().unwrap_or(Path::new(""));
        let scripts = installed::scripts(&distribution.dist_info);
        installed::expected(&self.entry_path(entry), name, site, scripts, &distribution.name)
    }

    /// Whether another distribution of the environment lists a file with this digest.
    fn another_lists(
        &self,
        index: EnvironmentIndex,
        position: usize,
        relative: &Path,
        found: [u8; 32],
    ) -> bool {
        let environment = self.snapshot.environment(index);
        let others = environment.distributions.iter().enumerate().filter(|(other, _)| *other != position);
        others.into_iter().any(|(_, other)| {
            let path = environment.path.join(&other.dist_info).join("RECORD");
            let Ok(bytes) = read::small(&path, read::RECORD) else { return false };
            let site = other.dist_info.parent().unwrap_or(Path::new(""));
            record::rows(&bytes).flatten().any(|row| {
                row.digest == Some(found)
                    && Location::parse(&row.path)
                        .and_then(|location| Some(site.ancestors().nth(location.ups)?.join(&location.rest)))
                        .is_some_and(|path| path == relative)
            })
        })
    }

    /// Compares a file with its row; none where both agree, and where it cannot be read, which is a problem.
    fn compare(
        &self,
        path: &Path,
        follow: bool,
        row: &record::Row<'_>,
        state: &mut State,
    ) -> Option<Compared> {
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

/// Whether there is a symlink that leads nowhere.
fn dangles(path: &Path) -> bool {
    FileStat::of(path).is_ok_and(|stat| stat.kind == FileKind::Symlink) && FileStat::following(path).is_err()
}

fn record(dist_info: &Path, state: &mut State) -> Option<Vec<u8>> {
    let path = dist_info.join("RECORD");
    let bytes = read::small(&path, read::RECORD);
    bytes.map_err(|error| state.problems.push(super::problem(path, "read", &error))).ok()
}

fn raw(finding: Finding, compared: Compared) -> Raw {
    let Compared { fault, print, found } = compared;
    Raw {
        finding: Finding { fault, found, print, ..finding },
        inode: print.map(|print| (print.device, print.inode)),
    }
}

/// Whether installers or Python write such a file into an entry's tree without listing it.
fn is_generated(path: &Path) -> bool {
    let is_compiled = path.extension() == Some(OsStr::new("pyc"));
    let text = path.to_string_lossy().replace('\\', "/");
    let signature = ["RECORD.jws", "RECORD.p7s"].iter().any(|name| path.ends_with(name));
    is_compiled || signature || names::is_private(&text)
}

/// Everything in an entry.
#[derive(Default)]
struct Listing {
    dist_infos: Vec<OsString>,
    files: Vec<(PathBuf, FileStat)>,
    problems: Vec<Problem>,
}

impl Visitor for Listing {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        if directory.depth() == 1 && names::parse_dist_info(directory.relative().as_os_str()).is_some() {
            self.dist_infos.push(directory.relative().as_os_str().to_owned());
            self.dist_infos.sort_unstable();
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        self.files.push((parent.relative().join(name), *stat));
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        self.problems.push(super::problem(path, operation, &error));
    }
}
