//! One distribution: which of its files are broken, and which entry has each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::store::{Store, Stored};
use super::{BrokenFile, DistributionFacts, Lies, Source, Way, Why};
use crate::disk::{FileKind, FileStat, Time, error::words, read};
use crate::scan::installed::{self, Expected};
use crate::scan::{content, print};
use crate::snapshot::Distribution;
use crate::uv::distribution::{self as names, DirectUrl};
use crate::uv::link::{ArchivePath, archive_target};
use crate::uv::record::{self, Location};

/// A distribution, and what decides who a file belongs to that several list.
#[derive(Debug, Default)]
pub(super) struct Reading {
    facts: DistributionFacts,
    /// When it was installed.
    installed: Option<Time>,
    /// The entry that most of its dead links name.
    named: Option<(OsString, OsString)>,
    /// What the dead links of its files name, by path.
    links: BTreeMap<PathBuf, (OsString, OsString)>,
}

/// An entry that may have the files of a distribution.
struct Candidate<'a> {
    cache: usize,
    stored: &'a Stored,
    path: PathBuf,
    way: Way,
    expected: Expected,
    /// Whether it has the `.dist-info` of the distribution.
    is_it: bool,
}

/// A row of `RECORD` whose file is broken.
struct Broken {
    file: BrokenFile,
    target: Option<ArchivePath>,
}

/// Reads a distribution in the environment at `root`.
pub(super) fn read(root: &Path, distribution: &Distribution, stores: &[Store]) -> Reading {
    let dist_info = &distribution.dist_info;
    let mut facts = DistributionFacts {
        name: distribution.name.clone(),
        version: distribution.version.clone(),
        dist_info: dist_info.clone(),
        direct_url: read::small(&root.join(dist_info).join("direct_url.json"), read::SMALL)
            .ok()
            .and_then(|bytes| DirectUrl::parse(&bytes)),
        ..DistributionFacts::default()
    };
    let record = root.join(dist_info).join("RECORD");
    let bytes = FileStat::of(&record).and_then(|stat| Ok((stat, read::small(&record, read::RECORD)?)));
    let (stat, bytes) = match bytes {
        Ok(read) => read,
        Err(error) => {
            facts.unreadable = Some(words(&error));
            return Reading { facts, ..Reading::default() };
        }
    };
    facts.record = Some(print::of(&stat));
    let mut broken = broken(root, dist_info, &bytes, stores, &mut facts.unclear);
    let links: BTreeMap<PathBuf, _> = broken
        .iter()
        .filter_map(|it| {
            let target = it.target.as_ref()?;
            Some((it.file.path.clone(), (target.bucket.clone(), target.id.clone())))
        })
        .collect();
    let mut counts: BTreeMap<&(OsString, OsString), usize> = BTreeMap::new();
    for id in links.values() {
        *counts.entry(id).or_default() += 1;
    }
    let named = counts.into_iter().max_by_key(|(_, count)| *count).map(|(id, _)| id.clone());
    if broken.iter().any(|it| it.file.source == Err(Why::NoCandidate)) {
        let candidates = candidates(&facts, links.values().collect(), stores);
        for it in &mut broken {
            find(it, &candidates);
        }
    }
    facts.files = broken.into_iter().map(|it| it.file).collect();
    facts.files.sort_by(|one, other| one.path.cmp(&other.path));
    facts.files.dedup_by(|one, other| one.path == other.path);
    Reading { facts, installed: Some(stat.modified), named, links }
}

/// The rows whose files are broken. Those that may be found in an entry are said to have no candidate yet.
fn broken(root: &Path, dist_info: &Path, bytes: &[u8], stores: &[Store], unclear: &mut u64) -> Vec<Broken> {
    let site = dist_info.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for row in record::rows(bytes) {
        let place = |row: &record::Row<'_>| {
            let location = Location::parse(&row.path)?;
            Some(site.ancestors().nth(location.ups)?.join(location.rest))
        };
        let Some((path, row)) = row.ok().and_then(|row| Some((place(&row)?, row))) else {
            *unclear += 1;
            continue;
        };
        if path.extension().is_some_and(|extension| extension == "pyc") {
            continue;
        }
        let mut add = |lies, why, target| {
            let private = names::is_private(&row.path);
            let why = if private && why == Why::NoCandidate { Why::Private } else { why };
            let (digest, size) = (row.digest, row.size.unwrap_or(0));
            let file = BrokenFile { path: path.clone(), lies, digest, size, source: Err(why) };
            found.push(Broken { file, target });
        };
        let whole = root.join(&path);
        match FileStat::of(&whole) {
            Ok(stat) if stat.kind == FileKind::Symlink => match FileStat::following(&whole) {
                Err(error) if is_absence(&error) => {
                    let target = std::fs::read_link(&whole).ok().and_then(|text| archive_target(&text));
                    add(Lies::Dangling { print: print::of(&stat) }, Why::NoCandidate, target);
                }
                Err(error) => {
                    let lies = Lies::Dangling { print: print::of(&stat) };
                    add(lies, Why::Unread { why: words(&error) }, None);
                }
                Ok(_) => {}
            },
            Ok(_) => {}
            Err(error) if is_absence(&error) => {
                let why = directory_link(root, &path, stores).unwrap_or(Why::NoCandidate);
                add(Lies::Missing, why, None);
            }
            Err(error) => add(Lies::Missing, Why::Unread { why: words(&error) }, None),
        }
    }
    found
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The directory above a file that is a symlink, if one is: uv makes none, and links no file behind one.
fn directory_link(root: &Path, path: &Path, stores: &[Store]) -> Option<Why> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty()).collect();
    above.reverse();
    let link = above
        .into_iter()
        .find(|it| FileStat::of(&root.join(it)).is_ok_and(|stat| stat.kind == FileKind::Symlink))?;
    // `lib64`, which leads to `lib`, is no such thing.
    if root.join(link).is_dir()
        && crate::disk::canonical(&root.join(link)).is_ok_and(|it| it.starts_with(root))
    {
        return None;
    }
    let text = std::fs::read_link(root.join(link)).ok()?;
    let leads = root.join(link).exists();
    let now = archive_target(&text).filter(|_| !leads).and_then(|target| {
        let stored = |store: &Store| {
            let path = store.root.join(&store.at(&target.bucket, &target.id)?.path).join(&target.rest);
            path.is_dir().then_some(path)
        };
        stores.iter().find_map(stored)
    });
    Some(Why::DirectoryLink { link: link.to_owned(), text, leads, now })
}

/// The entries that may have the files: those that dead links name, then those of the same name and version.
fn candidates<'a>(
    facts: &DistributionFacts,
    named: BTreeSet<&(OsString, OsString)>,
    stores: &'a [Store],
) -> Vec<Candidate<'a>> {
    let mut chosen: Vec<(usize, &Stored, Way)> = Vec::new();
    for (bucket, id) in named {
        let all = stores.iter().enumerate();
        chosen.extend(all.filter_map(|(number, store)| Some((number, store.at(bucket, id)?, Way::Moved))));
    }
    for (number, store) in stores.iter().enumerate() {
        for stored in store.named(&facts.name, &facts.version) {
            if !chosen.iter().any(|(other, it, _)| *other == number && it.path == stored.path) {
                chosen.push((number, stored, Way::Digest));
            }
        }
    }
    let site = facts.dist_info.parent().unwrap_or(Path::new(""));
    let scripts = installed::scripts(&facts.dist_info);
    let name = facts.dist_info.file_name().and_then(names::parse_dist_info).map(|parsed| parsed.name);
    let candidate = |(cache, stored, way): (usize, &'a Stored, Way)| {
        let path = stores[cache].root.join(&stored.path);
        let is_it = |dist_info: &&OsString| {
            names::parse_dist_info(dist_info).is_some_and(|parsed| {
                names::normalize(&parsed.name) == facts.name && parsed.version == facts.version
            })
        };
        let own = stored.dist_infos.iter().find(is_it);
        let expected = own.zip(name.as_deref()).map_or_else(Expected::default, |(dist_info, name)| {
            installed::expected(&path, dist_info, site, scripts, name)
        });
        Candidate { cache, stored, path, way, expected, is_it: own.is_some() }
    };
    chosen.into_iter().map(candidate).collect()
}

/// Looks for the entry that has a file, in the order of the candidates.
fn find(broken: &mut Broken, candidates: &[Candidate<'_>]) {
    let file = &mut broken.file;
    if file.source != Err(Why::NoCandidate) {
        return;
    }
    let mut why = Why::NoCandidate;
    for candidate in candidates {
        let item = candidate.expected.get(&file.path);
        let is_named =
            |target: &&ArchivePath| candidate.stored.path == Path::new(&target.bucket).join(&target.id);
        let named = broken.target.as_ref().filter(is_named).map(|target| &target.rest);
        let Some(source) = named.or(item.map(|item| &item.source)) else { continue };
        // A link is proof that uv linked it; without one it may be a script that was rewritten or made executable.
        if file.lies == Lies::Missing
            && item.is_some_and(|it| it.always_copied || it.may_be_rewritten && it.digest != file.digest)
        {
            why = Why::Private;
            continue;
        }
        let path = candidate.path.join(source);
        let Ok(stat) = FileStat::of(&path) else { continue };
        let same = match &file.digest {
            Some(digest) => !content::differs(&path, &stat, None, Some(digest)),
            // The link itself names this file of this distribution.
            None if named.is_some() && candidate.is_it => stat.kind == FileKind::File,
            None => {
                why = Why::NoDigest;
                continue;
            }
        };
        if same && stat.kind == FileKind::File {
            file.size = stat.size;
            file.source = Ok(Source {
                cache: candidate.cache,
                entry: candidate.stored.path.clone(),
                entry_is: candidate.stored.identity,
                path: source.clone(),
                way: candidate.way,
            });
            return;
        }
        if why == Why::NoCandidate {
            why = Why::OtherContent { entry: candidate.path.clone() };
        }
    }
    // An entry point's script is in no entry, whichever one there is.
    if why == Why::NoCandidate && file.lies == Lies::Missing && candidates.iter().any(|it| it.is_it) {
        why = Why::Private;
    }
    file.source = Err(why);
}

/// The distributions, each file in one of them: where several list it, in the one whose entry its link names, else the one
/// that was installed last.
pub(super) fn settled(mut readings: Vec<Reading>) -> Vec<DistributionFacts> {
    let mut listed: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (position, reading) in readings.iter().enumerate() {
        for file in &reading.facts.files {
            listed.entry(file.path.clone()).or_default().push(position);
        }
    }
    let rank = |path: &PathBuf, position: usize| {
        let reading = &readings[position];
        let file = reading.facts.files.iter().find(|file| file.path == *path);
        let is_own = reading.named.is_some() && reading.links.get(path) == reading.named.as_ref();
        (is_own, reading.installed, file.is_some_and(|file| file.source.is_ok()))
    };
    let owners: BTreeMap<PathBuf, usize> = listed
        .into_iter()
        .filter(|(_, positions)| positions.len() > 1)
        .filter_map(|(path, positions)| {
            let digest = |position: &usize| {
                let files = &readings[*position].facts.files;
                files.iter().find(|file| file.path == path).and_then(|file| file.digest)
            };
            let same = positions.iter().all(|position| digest(position) == digest(&positions[0]));
            let owner = positions.iter().copied().max_by_key(|position| {
                let (is_own, installed, found) = rank(&path, *position);
                // Who mends it does not matter where all mean the same file.
                (same && found, is_own, installed, found, std::cmp::Reverse(*position))
            })?;
            Some((path, owner))
        })
        .collect();
    for (position, reading) in readings.iter_mut().enumerate() {
        reading.facts.files.retain(|file| owners.get(&file.path).is_none_or(|owner| *owner == position));
    }
    readings
        .into_iter()
        .map(|reading| reading.facts)
        .filter(|facts| !facts.files.is_empty() || facts.unclear > 0 || facts.record.is_none())
        .collect()
}
