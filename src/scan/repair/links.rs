//! Links in the cache that do not keep their entries, and what each should lead to.
//!
//! Beside a wheel's link lies the pointer file that names the entry. A built wheel and a cached environment have a link
//! only: what it led to can be told as long as its own text still names it. In either case the entry has to be there, and
//! to be what the link's place says it is; nothing is guessed from what else lies about.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::disk::error::words;
use crate::disk::{FileKind, FileStat, read};
use crate::scan::copied::{self, Compare, Copied, copied};
use crate::scan::print;
use crate::snapshot::{
    Damage, DamagedLink, Entry, EntryIndex, EntryKind, EntryState, FilePrint, Pointer, PointerForm,
    PointerState, Snapshot, link_beside,
};
use crate::uv::distribution::{WheelFilename, normalize, same_version};
use crate::uv::link::archive_target;
use crate::uv::link_file;
use crate::uv::pointer::{self, Payload};
use crate::uv::shard::{self, Place};

/// The most bytes of a file that is taken for a damaged link file; what is larger is somebody's.
pub const LONGEST_DAMAGED: u64 = 4096;

/// What is wrong in the cache itself.
#[derive(Clone, Debug, Default)]
pub struct LinkFacts {
    /// Links that do not keep their entries, ordered by path.
    pub damaged: Vec<DamagedFacts>,
    /// Pointer files that name no entry which is there, ordered by path.
    pub dead: Vec<DeadFacts>,
}

/// A link that does not keep its entry.
#[derive(Clone, Debug)]
pub struct DamagedFacts {
    /// Where it is, or should be, relative to the cache's root.
    pub path: PathBuf,
    /// What is wrong with it.
    pub damage: Damage,
    /// What lies there.
    pub lies: LinkLies,
    /// The package that its place is for, as far as that tells, normalized.
    pub package: Option<String>,
    /// What it should lead to.
    pub target: Result<LinkTarget, NoTarget>,
    /// How the links around it are written.
    pub writing: Writing,
}

/// What lies where a link should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLies {
    /// Nothing.
    Nothing,
    /// A symlink, or a file that is short enough for a link file.
    Link {
        /// What identifies it.
        print: FilePrint,
    },
    /// A directory with the files of the entry that a link should lead to.
    Copy {
        /// What it takes.
        copied: Copied,
    },
    /// Something that is no link: it stays.
    Other,
}

/// What a link should lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTarget {
    /// The entry's bucket.
    pub bucket: String,
    /// Its id.
    pub id: String,
    /// The device and the inode of its directory.
    pub inode: (u64, u64),
    /// The normalized name and the version of the distribution in it; nothing for an environment.
    pub distribution: Option<(String, String)>,
    /// The pointer file that names it, relative to the cache's root; nothing where the link's own text does.
    pub named_by: Option<(PathBuf, FilePrint)>,
}

/// Why nobody can tell what a link should lead to, or why it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// Nothing beside it names an entry, and its own text does not either.
    Unnamed,
    /// What names an entry names several.
    Several,
    /// The entry that is named is something else than the place is for.
    Mismatch {
        /// The entry, relative to the cache's root.
        entry: PathBuf,
        /// What it is, for a person. Not escaped.
        holds: String,
    },
    /// It leads to another entry, which environments reach by symlinks and which only it keeps.
    Needed {
        /// That entry, relative to the cache's root.
        entry: PathBuf,
    },
    /// The bucket that it lies in, or its entry's, is not understood.
    NotUnderstood {
        /// Which, and why, as a sentence. Not escaped.
        why: String,
    },
    /// Something that is no link lies there.
    Occupied,
    /// It could not be looked at.
    Unread {
        /// What the operating system answered.
        why: String,
    },
}

/// How uv has written the links around a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writing {
    /// As relative symlinks (since uv 0.11.17).
    Relative,
    /// As symlinks with a whole path: what stands before the bucket.
    Absolute(PathBuf),
    /// As link files.
    LinkFile,
}

/// A pointer file that names no entry which is there.
#[derive(Clone, Debug)]
pub struct DeadFacts {
    /// Where it is, relative to the cache's root.
    pub path: PathBuf,
    /// The package, normalized.
    pub package: Option<String>,
    /// The link of the same name beside it, relative to the cache's root, if that leads nowhere too.
    pub link: Option<PathBuf>,
    /// Why nothing can be made of it where it could not be understood. Escaped.
    pub malformed: Option<String>,
}

/// Looks at the links of a cache.
pub(super) fn gather(snapshot: &Snapshot) -> LinkFacts {
    let damaged = snapshot.damaged_links();
    let mut writing: BTreeMap<OsString, Option<Writing>> = BTreeMap::new();
    let mut of_bucket = |path: &Path| {
        let bucket = path.iter().next().unwrap_or_default().to_owned();
        let around = |bucket: &OsString| {
            around(snapshot, &|path| path.iter().next() == Some(bucket))
                .or_else(|| around(snapshot, &|_| true))
        };
        writing.entry(bucket).or_insert_with_key(around).clone()
    };
    let mut facts = LinkFacts::default();
    for link in &damaged {
        let mut looked = Looked::new(snapshot, link);
        let target = looked.target();
        facts.damaged.push(DamagedFacts {
            path: link.path.clone(),
            damage: link.damage,
            lies: looked.lies,
            package: package(&link.path),
            target,
            writing: of_bucket(&link.path).unwrap_or_else(|| looked.own_writing()),
        });
    }
    for build in copied::builds(snapshot) {
        let entry = snapshot.entry(build.entry);
        let distribution = entry.name.clone().zip(entry.version.clone());
        let Ok(target) = target(entry, distribution) else { continue };
        facts.damaged.push(DamagedFacts {
            damage: Damage::Lost,
            lies: LinkLies::Copy { copied: build.copied },
            package: package(&build.path),
            target: Ok(target),
            writing: of_bucket(&build.path).unwrap_or(Writing::Relative),
            path: build.path,
        });
    }
    let is_odd = |path: &Path| snapshot.cache.bucket_of(path).is_some_and(|bucket| bucket.odd.is_some());
    let files = snapshot.pointers.iter().filter(|it| matches!(it.form, PointerForm::Http | PointerForm::Rev));
    // What is not understood may well lead to something.
    let files = files.filter(|it| !is_odd(&it.path));
    for pointer in files {
        let malformed = match pointer.state {
            PointerState::Malformed => Some(pointer.note.clone()),
            PointerState::Dangling => None,
            PointerState::Live | PointerState::Foreign => continue,
        };
        let beside = link_beside(&pointer.path);
        let dead =
            |it: &&DamagedFacts| it.path == beside && it.target.is_err() && it.damage == Damage::Dangling;
        let link = facts.damaged.iter().find(dead).map(|it| it.path.clone());
        let (path, package) = (pointer.path.clone(), package(&pointer.path));
        facts.dead.push(DeadFacts { path, package, link, malformed });
    }
    // A link that dies with the pointer file beside it is told once.
    let is_told = |path: &Path| facts.dead.iter().any(|dead| link_beside(&dead.path) == path);
    let told: Vec<bool> = facts.damaged.iter().map(|it| it.target.is_err() && is_told(&it.path)).collect();
    let mut told = told.into_iter();
    facts.damaged.retain(|_| !told.next().unwrap_or(false));
    facts
}

/// The package that a place in the cache is for.
fn package(path: &Path) -> Option<String> {
    match shard::place(path) {
        Place::Wheel { package, .. } => Some(normalize(&package)),
        Place::BuiltWheel { package, .. } => package.map(|package| normalize(&package)),
        _ => None,
    }
}

/// How most of some links that lead somewhere are written; nothing where there are none.
fn around(snapshot: &Snapshot, wanted: &dyn Fn(&Path) -> bool) -> Option<Writing> {
    if cfg!(windows) {
        // uv reads nothing else there.
        return Some(Writing::LinkFile);
    }
    let live = snapshot.pointers.iter().filter(|pointer| pointer.state == PointerState::Live);
    let live = live.filter(|pointer| wanted(&pointer.path));
    let (mut files, mut relative) = (0, 0);
    let mut absolute: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for pointer in live {
        match pointer.form {
            PointerForm::LinkFile => files += 1,
            PointerForm::Symlink => {
                let text = std::fs::read_link(snapshot.cache.path.join(&pointer.path)).unwrap_or_default();
                match archive_target(&text).filter(|_| text.is_absolute()) {
                    Some(target) => *absolute.entry(target.prefix).or_default() += 1,
                    None => relative += 1,
                }
            }
            PointerForm::Http | PointerForm::Rev => {}
        }
    }
    let most = absolute.into_iter().max_by_key(|(_, number)| *number);
    let absolute = most.as_ref().map_or(0, |(_, number)| *number);
    if files + relative + absolute == 0 {
        return None;
    }
    Some(match most {
        _ if files > relative.max(absolute) => Writing::LinkFile,
        Some((prefix, number)) if number > relative => Writing::Absolute(prefix),
        _ => Writing::Relative,
    })
}

/// A damaged link as it lies there now.
struct Looked<'a> {
    snapshot: &'a Snapshot,
    link: &'a DamagedLink,
    lies: LinkLies,
    kind: Option<FileKind>,
    /// Why it could not be looked at.
    unread: Option<String>,
}

impl<'a> Looked<'a> {
    fn new(snapshot: &'a Snapshot, link: &'a DamagedLink) -> Self {
        let whole = snapshot.cache.path.join(&link.path);
        let (lies, kind, unread) = match FileStat::of(&whole) {
            Ok(stat) => {
                let short = match stat.kind {
                    FileKind::Symlink => true,
                    FileKind::File => stat.size <= LONGEST_DAMAGED,
                    FileKind::Directory | FileKind::Other => false,
                };
                let lies = if short { LinkLies::Link { print: print::of(&stat) } } else { LinkLies::Other };
                (lies, Some(stat.kind), None)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (LinkLies::Nothing, None, None),
            Err(error) => (LinkLies::Other, None, Some(words(&error))),
        };
        Self { snapshot, link, lies, kind, unread }
    }

    /// How it was written itself, where nothing around it tells.
    fn own_writing(&self) -> Writing {
        if cfg!(windows) || self.kind == Some(FileKind::File) { Writing::LinkFile } else { Writing::Relative }
    }

    fn target(&mut self) -> Result<LinkTarget, NoTarget> {
        if let Some(why) = &self.unread {
            return Err(NoTarget::Unread { why: why.clone() });
        }
        let cache = &self.snapshot.cache;
        let why = |path: &Path| cache.bucket_of(path).and_then(crate::snapshot::Bucket::why_odd);
        if let Some(why) = why(&self.link.path) {
            return Err(NoTarget::NotUnderstood { why });
        }
        let target = if self.link.named_by.is_empty() { self.by_itself() } else { self.by_pointer_file() }?;
        if let Some(why) = why(Path::new(&target.bucket)) {
            return Err(NoTarget::NotUnderstood { why });
        }
        if self.kind == Some(FileKind::Directory) {
            let entry = cache.path.join(&target.bucket).join(&target.id);
            let copied = copied(&cache.path.join(&self.link.path), &entry, Compare::Sizes);
            self.lies = copied.map_or(LinkLies::Other, |copied| LinkLies::Copy { copied });
        }
        if self.lies == LinkLies::Other {
            return Err(NoTarget::Occupied);
        }
        self.may_leave()?;
        Ok(target)
    }

    /// What the pointer files beside it name.
    fn by_pointer_file(&self) -> Result<LinkTarget, NoTarget> {
        let index = self.link.entry(self.snapshot).ok_or(NoTarget::Several)?;
        let pointer = self.snapshot.pointer(self.link.named_by[0]);
        let archive = archive(&self.snapshot.cache.path, pointer).ok_or(NoTarget::Unnamed)?;
        let entry = self.only(OsStr::new(&archive.id))?;
        if self.snapshot.entry(index).key != entry.key {
            return Err(NoTarget::Several);
        }
        // The key holds the version; older releases put the whole file name into the pointer as well.
        let Place::Wheel { package, key, .. } = shard::place(&self.link.path) else {
            return Err(NoTarget::Unnamed);
        };
        let version = shard::key_version(&key, &package);
        let mut named: Vec<(String, Option<String>)> = vec![(package, version)];
        if let Some(filename) = archive.filename {
            let parsed = WheelFilename::parse(&filename).ok_or(NoTarget::Unnamed)?;
            named.push((parsed.name, Some(parsed.version)));
        }
        let distribution = proven(entry, &named)?;
        let named_by = Some((pointer.path.clone(), pointer.print));
        Ok(LinkTarget { named_by, ..target(entry, Some(distribution))? })
    }

    /// What its own text still names.
    fn by_itself(&self) -> Result<LinkTarget, NoTarget> {
        let id = self.own_id().ok_or(NoTarget::Unnamed)?;
        let entry = self.only(&id)?;
        let stem = self.link.path.file_name().and_then(OsStr::to_str);
        match (shard::place(&self.link.path), stem.and_then(WheelFilename::parse_stem)) {
            (Place::BuiltWheel { .. }, Some(built)) => {
                let distribution = proven(entry, &[(built.name, Some(built.version))])?;
                target(entry, Some(distribution))
            }
            (Place::CachedEnvironment, _) if entry.kind == EntryKind::Environment => target(entry, None),
            (Place::CachedEnvironment, _) => Err(mismatch(entry)),
            _ => Err(NoTarget::Unnamed),
        }
    }

    /// The id in a symlink's text, or in a link file that is the right one but for what surrounds it.
    fn own_id(&self) -> Option<OsString> {
        let whole = self.snapshot.cache.path.join(&self.link.path);
        if self.kind == Some(FileKind::Symlink) {
            return Some(archive_target(&std::fs::read_link(whole).ok()?)?.id);
        }
        let bytes = read::small(&whole, LONGEST_DAMAGED).ok()?;
        link_file::meant(&bytes).map(|target| target.id.into())
    }

    /// The entry with an id, if there is exactly one in all buckets.
    fn only(&self, id: &OsStr) -> Result<&'a Entry, NoTarget> {
        let mut entries = self.snapshot.entries.iter().filter(|entry| entry.key.id == id);
        match (entries.next(), entries.next()) {
            (Some(entry), None) => Ok(entry),
            (None, _) => Err(NoTarget::Unnamed),
            (Some(_), Some(_)) => Err(NoTarget::Several),
        }
    }

    /// Whether the link may leave the entry that it leads to now: one that environments reach by symlinks has to be kept
    /// by another link.
    fn may_leave(&self) -> Result<(), NoTarget> {
        let leads_to = |index: EntryIndex| {
            let entry = self.snapshot.entry(index);
            let is_link = |pointer: &Pointer| {
                matches!(pointer.form, PointerForm::Symlink | PointerForm::LinkFile)
                    && pointer.path != self.link.path
            };
            let kept = entry.pointers.iter().any(|index| is_link(self.snapshot.pointer(*index)));
            (entry.state == EntryState::Protected && !kept).then(|| relative(entry))
        };
        let now = self.link.link.and_then(|index| self.snapshot.pointer(index).entry);
        match now.and_then(leads_to) {
            Some(entry) => Err(NoTarget::Needed { entry }),
            None => Ok(()),
        }
    }
}

/// What a pointer file of a wheel says, if it still is the file that was seen.
fn archive(cache: &Path, pointer: &Pointer) -> Option<pointer::ArchivePointer> {
    let bytes = read::small(&cache.join(&pointer.path), pointer::LONGEST_FILE as u64).ok()?;
    let payload = match pointer.form {
        PointerForm::Http => pointer::parse_http(&bytes),
        PointerForm::Rev => pointer::parse_rev(&bytes),
        PointerForm::Symlink | PointerForm::LinkFile => return None,
    };
    match payload {
        Ok(Payload::Archive(archive)) => Some(archive),
        _ => None,
    }
}

/// The name and version of the distribution in an entry, if every name that it is given fits, and one of them tells a
/// version.
fn proven(entry: &Entry, named: &[(String, Option<String>)]) -> Result<(String, String), NoTarget> {
    let (Some(name), Some(version)) = (&entry.name, &entry.version) else { return Err(mismatch(entry)) };
    let fits = |(other, told): &(String, Option<String>)| {
        normalize(other) == *name && told.as_ref().is_none_or(|told| same_version(told, version))
    };
    let is_proven = entry.kind == EntryKind::Wheel
        && named.iter().all(fits)
        && named.iter().any(|(_, version)| version.is_some());
    if is_proven { Ok((name.clone(), version.clone())) } else { Err(mismatch(entry)) }
}

fn mismatch(entry: &Entry) -> NoTarget {
    let holds = match (&entry.name, &entry.version) {
        _ if entry.kind == EntryKind::Environment => "an environment".to_owned(),
        (Some(name), Some(version)) => format!("{name} {version}"),
        _ => "no distribution".to_owned(),
    };
    NoTarget::Mismatch { entry: relative(entry), holds }
}

fn relative(entry: &Entry) -> PathBuf {
    entry.key.path()
}

fn target(entry: &Entry, distribution: Option<(String, String)>) -> Result<LinkTarget, NoTarget> {
    let id = entry.key.id.to_str().ok_or(NoTarget::Unnamed)?;
    Ok(LinkTarget {
        bucket: entry.key.bucket.to_string(),
        id: id.to_owned(),
        inode: (entry.print.device, entry.print.inode),
        distribution,
        named_by: None,
    })
}
