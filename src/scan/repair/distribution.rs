//! One distribution: which of its files are broken, and which entry has each of them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::hashing::{Compared, Hashing};
use super::look::{Beneath, Gone, is_absence};
use super::store::{Store, Stored};
use super::{BrokenFile, DistributionFacts, Lies, Source, Way, Why};
use crate::disk::walk::Directory;
use crate::disk::{FileKind, FileStat, Time, error::words, read};
use crate::scan::installed::{self, Claim, Class, InstalledFile, Layout, Listing, Origin, Sources};
use crate::scan::print;
use crate::snapshot::{Distribution, FilePrint};
use crate::uv::distribution::{self as names, DirectUrl};
use crate::uv::link::{self, ArchivePath, archive_target};

/// A distribution, and what decides who a file belongs to that several list.
#[derive(Debug, Default)]
pub(super) struct Reading {
    facts: DistributionFacts,
    /// When it was installed.
    installed: Option<Time>,
    /// Of each file whether its dead link names the entry that most of them name.
    own: Vec<bool>,
    seen: Seen,
}

/// Files by how they lie in the environment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Symlinks into an entry.
    pub(super) links: u64,
    /// Those that lead nowhere.
    pub(super) dead: u64,
    /// Whatever else is there.
    pub(super) others: u64,
    /// Those that may hold another content than their rows say.
    pub(super) doubtful: u64,
    /// Lines of `RECORD` that could not be understood.
    unclear: u64,
}

impl Seen {
    pub(super) fn sum(readings: &[Reading]) -> Self {
        readings.iter().fold(Self::default(), |sum, Reading { seen, .. }| Self {
            links: sum.links + seen.links,
            dead: sum.dead + seen.dead,
            others: sum.others + seen.others,
            doubtful: sum.doubtful + seen.doubtful,
            unclear: sum.unclear + seen.unclear,
        })
    }
}

/// An entry as a dead link names it: bucket and id.
type Named<'a> = (&'a OsStr, &'a OsStr);

/// An entry that may have the files of a distribution.
struct Candidate<'a> {
    cache: usize,
    stored: &'a Stored,
    path: PathBuf,
    way: Way,
    sources: Sources,
    /// Whether it has the `.dist-info` of the distribution.
    is_it: bool,
}

/// A row of `RECORD` whose file is broken.
struct Broken {
    file: BrokenFile,
    target: Option<ArchivePath>,
}

impl Broken {
    fn names(&self) -> Option<Named<'_>> {
        self.target.as_ref().map(|target| (target.bucket.as_os_str(), target.id.as_os_str()))
    }
}

/// Reads a distribution in the environment at `root`.
pub(super) fn read(
    root: &Path,
    distribution: &Distribution,
    stores: &[Store],
    hashing: Hashing<'_>,
) -> Reading {
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
    let read = FileStat::of(&record).and_then(|stat| Ok((stat, installed::listing(root, dist_info)?)));
    let (stat, listing) = match read {
        Ok(read) => read,
        Err(error) => {
            let is_cut = error.kind() == std::io::ErrorKind::UnexpectedEof;
            facts.invalid = is_cut && FileStat::of(&record).is_ok_and(|stat| stat.size > 0);
            facts.unreadable = Some(words(&error));
            return Reading { facts, ..Reading::default() };
        }
    };
    facts.record = Some(print::of(&stat));
    facts.invalid = listing.malformed;
    let (mut broken, seen) = broken(root, &listing, stat.modified, stores);
    facts.unclear = seen.unclear;
    generated(root, dist_info, &mut broken);
    if broken.iter().any(|it| it.file.source == Err(Why::NoCandidate)) {
        let named: BTreeSet<Named<'_>> = broken.iter().filter_map(Broken::names).collect();
        let candidates = candidates(root, &facts, &named, stores);
        let mut caches: Vec<Beneath> = stores.iter().map(|store| Beneath::new(store.root.clone())).collect();
        for it in &mut broken {
            find(it, &candidates, &mut caches, hashing);
        }
        // The wheel's own fault, whose `RECORD` has a row too many.
        let at = (root, Some(stat.modified));
        broken.retain(|it| it.file.lies != Lies::Missing || !is_absent(at, &it.file, &listing, &candidates));
    }
    broken.sort_by(|one, other| one.file.path.cmp(&other.file.path));
    broken.dedup_by(|one, other| one.file.path == other.file.path);
    let most = installed::most(broken.iter().filter_map(Broken::names));
    let own = broken.iter().map(|it| most.is_some() && it.names() == most).collect();
    facts.files = broken.into_iter().map(|it| it.file).collect();
    Reading { facts, installed: Some(stat.modified), own, seen }
}

/// The rows whose files are broken. Those that may be found in an entry are said to have no candidate yet.
fn broken(root: &Path, listing: &Listing, installed: Time, stores: &[Store]) -> (Vec<Broken>, Seen) {
    let mut found = Vec::new();
    let mut there = Vec::new();
    // What installers write is there as a rule, and no link.
    let private = listing.files.iter().filter(|file| file.class == Class::Private).count() as u64;
    let mut seen = Seen { unclear: listing.unclear, others: private, ..Seen::default() };
    let mut beneath = Beneath::new(root.to_owned());
    let mut gone = Gone::default();
    for file in listing.files.iter().filter(|file| !file.is_private()) {
        // What the wheel brings compiled is linked like the rest; what is missing of it Python makes.
        let is_needed = file.is_needed();
        let path = &file.path;
        let mut add = |lies, why, target| {
            let why = if file.is_beside() && why == Why::NoCandidate { Why::Outside } else { why };
            let (digest, size) = (file.row.digest, file.row.size.unwrap_or(0));
            let file = BrokenFile { path: path.clone(), lies, digest, size, source: Err(why) };
            found.push(Broken { file, target });
        };
        match beneath.look(path, |directory, name| look(directory, name, &mut gone)) {
            Ok(Looked::There(stat)) => {
                seen.others += 1;
                there.push((file, stat));
            }
            Ok(Looked::Linked) => seen.links += 1,
            Ok(Looked::Dangling(print, target)) => {
                seen.dead += u64::from(target.is_some());
                add(Lies::Dangling { print }, Why::NoCandidate, target);
            }
            Ok(Looked::Unclear(print, why)) => add(Lies::Dangling { print }, Why::Unread { why }, None),
            Err(error) if is_absence(&error) && !is_needed => {}
            Err(error) if is_absence(&error) => {
                let why = directory_link(root, path, stores).unwrap_or(Why::NoCandidate);
                add(Lies::Missing, why, None);
            }
            Err(error) => add(Lies::Missing, Why::Unread { why: words(&error) }, None),
        }
    }
    let is_linked = seen.links + seen.dead > 0 || there.iter().any(|(_, stat)| stat.links > 1);
    let is_doubtful = |(file, stat): &&(&InstalledFile, FileStat)| {
        let is_other = stat.modified > installed || file.row.size.is_some_and(|size| size != stat.size);
        // Of files that are links one that is none was replaced, whatever its times say.
        file.is_comparable()
            && file.class != Class::Compiled
            && (is_other || is_linked && file.class == Class::Linked && stat.links == 1)
    };
    seen.doubtful = there.iter().filter(is_doubtful).count() as u64;
    (found, seen)
}

/// Says of the scripts of entry points that are missing that an installer writes them: no entry ever has one.
fn generated(root: &Path, dist_info: &Path, broken: &mut [Broken]) {
    let scripts = Path::new(Layout::of(root, dist_info).scripts());
    let is_script = |it: &&mut Broken| {
        it.file.lies == Lies::Missing
            && it.file.source == Err(Why::NoCandidate)
            && it.file.path.parent() == Some(scripts)
    };
    let mut missing = broken.iter_mut().filter(is_script).peekable();
    if missing.peek().is_none() {
        return;
    }
    let bytes = read::small(&root.join(dist_info).join("entry_points.txt"), read::SMALL).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let names: BTreeSet<&str> = names::script_names(&text).collect();
    for it in missing {
        let name = it.file.path.file_name().and_then(OsStr::to_str).unwrap_or("");
        if names.contains(name.strip_suffix(".exe").unwrap_or(name)) {
            it.file.source = Err(Why::Private);
        }
    }
}

/// What lies where a file should be.
enum Looked {
    /// Something that is no link into an entry.
    There(FileStat),
    /// A link to something in an entry.
    Linked,
    /// A link that leads nowhere, and where into an entry it says it leads.
    Dangling(FilePrint, Option<ArchivePath>),
    /// A link of which nobody can tell where it leads, and why.
    Unclear(FilePrint, String),
}

fn look(directory: &Directory<'_>, name: &OsStr, gone: &mut Gone) -> io::Result<Looked> {
    let stat = directory.stat(name)?;
    if stat.kind != FileKind::Symlink {
        return Ok(Looked::There(stat));
    }
    let text = directory.read_link(name).ok();
    let target = text.as_deref().and_then(archive_target);
    let names_cache = text.as_deref().is_none_or(link::names_cache);
    if text.zip(target.as_ref()).is_some_and(|(text, target)| gone.has(&text, target)) {
        return Ok(Looked::Dangling(print::of(&stat), target));
    }
    Ok(match directory.following(name) {
        Ok(_) if target.is_some() => Looked::Linked,
        Ok(_) => Looked::There(stat),
        // A person's own symlink, to a disk that is not there, is nothing that uv made or would put back.
        Err(error) if is_absence(&error) && !names_cache => Looked::There(stat),
        Err(error) if is_absence(&error) => Looked::Dangling(print::of(&stat), target),
        Err(error) => Looked::Unclear(print::of(&stat), words(&error)),
    })
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
    root: &Path,
    facts: &DistributionFacts,
    named: &BTreeSet<Named<'_>>,
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
    let layout = Layout::of(root, &facts.dist_info);
    let name = facts.dist_info.file_name().and_then(names::parse_dist_info).map(|parsed| parsed.name);
    let candidate = |(cache, stored, way): (usize, &'a Stored, Way)| {
        let path = stores[cache].root.join(&stored.path);
        let is_it = |dist_info: &&OsString| {
            names::parse_dist_info(dist_info).is_some_and(|parsed| {
                names::normalize(&parsed.name) == facts.name && parsed.version == facts.version
            })
        };
        let own = stored.dist_infos.iter().find(is_it);
        let sources = own.zip(name.as_deref()).map_or_else(Sources::default, |(dist_info, name)| {
            installed::sources(&path, dist_info, layout, name)
        });
        Candidate { cache, stored, path, way, sources, is_it: own.is_some() }
    };
    chosen.into_iter().map(candidate).collect()
}

/// Whether a file that no entry has was not in the wheel either. `at`: in which installation, and when it was installed there.
fn is_absent(
    at: (&Path, Option<Time>),
    broken: &BrokenFile,
    listing: &Listing,
    candidates: &[Candidate<'_>],
) -> bool {
    let Some(file) = listing.files.iter().find(|file| file.path == broken.path) else { return false };
    let lacks = |it: &Candidate<'_>| {
        let (root, installed) = at;
        let is_wheel = listing.is_of(&it.sources);
        Origin { root, installed, path: &it.path, sources: &it.sources, is_wheel }.lacks(file)
    };
    broken.source.is_err() && candidates.iter().filter(|it| it.is_it).any(lacks)
}

/// Looks for the entry that has a file, in the order of the candidates.
fn find(broken: &mut Broken, candidates: &[Candidate<'_>], caches: &mut [Beneath], hashing: Hashing<'_>) {
    let file = &mut broken.file;
    if file.source != Err(Why::NoCandidate) {
        return;
    }
    // Whether an entry has lost the very file that it should have.
    let mut lacks = false;
    let mut why = Why::NoCandidate;
    let size = Some(file.size).filter(|size| *size > 0);
    for candidate in candidates {
        let item = candidate.sources.get(&file.path);
        let stored = candidate.stored;
        let is_named =
            |target: &&ArchivePath| stored.path.iter().eq([target.bucket.as_os_str(), target.id.as_os_str()]);
        let named = broken.target.as_ref().filter(is_named).map(|target| &target.rest);
        let Some(source) = named.or(item.map(|item| &item.path)) else { continue };
        // A link is proof that uv linked it; without one it may be a script that was rewritten or made executable.
        if file.lies == Lies::Missing
            && item.is_some_and(|it| it.always_copied || it.may_be_rewritten && it.digest != file.digest)
        {
            why = Why::Private;
            continue;
        }
        let looked =
            caches[candidate.cache].look(&stored.path.join(source), |directory, name| match &file.digest {
                Some(digest) => hashing.compare(directory, name, digest, size, stored),
                None => Ok(Compared { stat: directory.stat(name)?, same: true, hashed: None }),
            });
        let Ok(Compared { stat, same, hashed }) = looked else {
            lacks |= item.is_some_and(|it| it.digest.is_some());
            continue;
        };
        // The link itself may name this file of this distribution.
        if file.digest.is_none() && !(named.is_some() && candidate.is_it) {
            why = Why::NoDigest;
            continue;
        }
        if same && stat.kind == FileKind::File {
            file.size = stat.size;
            file.source = Ok(Source {
                cache: candidate.cache,
                entry: stored.path.clone(),
                entry_is: stored.identity,
                path: source.clone(),
                owner: stat.owner,
                way: candidate.way,
                hashed,
            });
            return;
        }
        if why == Why::NoCandidate {
            why = Why::OtherContent { entry: candidate.path.clone() };
        }
    }
    // An entry point's script is in no entry, whichever one there is.
    if why == Why::NoCandidate && !lacks && file.lies == Lies::Missing && candidates.iter().any(|it| it.is_it)
    {
        why = Why::Private;
    }
    file.source = Err(why);
}

/// The distributions, each file in one of them: where several list it, in the one whose entry its link names, else the one
/// that was installed last.
pub(super) fn settled(mut readings: Vec<Reading>) -> Vec<DistributionFacts> {
    let mut owners = owners(&readings);
    for (position, reading) in readings.iter_mut().enumerate() {
        reading.facts.files.retain_mut(|file| {
            let Some(owner) = owners.get_mut(&file.path) else { return true };
            let is_own = owner.position == position;
            if let Some(source) = owner.source.take_if(|_| is_own) {
                file.source = source;
            }
            is_own
        });
    }
    readings
        .into_iter()
        .map(|reading| reading.facts)
        .filter(|facts| !facts.files.is_empty() || facts.unclear > 0 || facts.record.is_none())
        .collect()
}

/// The distribution that a file belongs to which several list.
struct Owner {
    position: usize,
    /// What another of them has found for it.
    source: Option<Result<Source, Why>>,
}

/// Of the files that several distributions list, by the places of the distributions, whose each is.
fn owners(readings: &[Reading]) -> FxHashMap<PathBuf, Owner> {
    let files = |(position, reading): (usize, &'_ Reading)| -> Vec<(usize, usize)> {
        (0..reading.facts.files.len()).map(|number| (position, number)).collect()
    };
    let file = |(position, number): (usize, usize)| &readings[position].facts.files[number];
    let path = |listed: &(usize, usize)| file(*listed).path.as_os_str();
    let mut listed: Vec<(usize, usize)> = readings.iter().enumerate().flat_map(files).collect();
    listed.sort_unstable_by(|one, other| path(one).cmp(path(other)).then(one.cmp(other)));
    let several = listed.chunk_by(|one, other| path(one) == path(other)).filter(|them| them.len() > 1);
    let claim = |(position, number): (usize, usize)| {
        let reading = &readings[position];
        Claim { position, is_linked: reading.own[number], installed: reading.installed }
    };
    let owner = |them: &[(usize, usize)]| {
        let owner = installed::owner(them.iter().copied().map(claim))?;
        let owner = *them.iter().find(|(position, _)| *position == owner)?;
        // What has the content repairs it, whichever of them it belongs to.
        let found = them.iter().copied().find(|it| {
            file(*it).source.is_ok() && file(*it).digest == file(owner).digest && file(*it).digest.is_some()
        });
        let source = found.filter(|_| file(owner).source.is_err()).map(|it| file(it).source.clone());
        Some((file(owner).path.clone(), Owner { position: owner.0, source }))
    };
    several.filter_map(owner).collect()
}
