//! Reads everything in the cache root that is not an archive bucket: pointers, uv's records of interpreters,
//! environments, and the bytes of the rest.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashSet;

use super::super::away::Away;
use super::super::discover::{is_absence, is_path_file};
use super::super::failed::Failed;
use super::super::index::{ELSEWHERE, FileRecord, Place as FilePlace, Records, STORE, TRASHED};
use super::super::outside::Lead;
use super::super::print;
use super::super::share::{self, SharedExtent};
use super::super::spot::Spot;
use super::evidence::{self, Evidence};
use super::pieces::Pieces;
use super::target::{self, Target};
use super::{Harvest, Part};
use crate::control::{Cancel, Progress};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, Time};
use crate::snapshot::{EnvironmentKind, PointerForm, Problem, TreePrint, UserLinkForm};
use crate::uv::bucket::{BucketKind, TRASH};
use crate::uv::distribution::WheelFilename;
use crate::uv::interpreter::InterpreterRecord;
use crate::uv::link::ArchivePath;
use crate::uv::pointer;
use crate::uv::shard::{self, Place};

/// The bytes of one bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::scan) struct Sums {
    pub(in crate::scan) files: u64,
    pub(in crate::scan) logical: u64,
    /// Allocated bytes, each inode once.
    pub(in crate::scan) disk: u64,
    /// The part of `disk` that has one name only, so that no record of it was made.
    pub(in crate::scan) single: u64,
    /// What identifies it.
    pub(in crate::scan) print: TreePrint,
}

/// One pointer as it was read, before anybody knows whether its target exists.
#[derive(Clone, Debug)]
pub(in crate::scan) struct RawPointer {
    /// Relative to the cache root.
    pub(in crate::scan) path: PathBuf,
    pub(in crate::scan) form: PointerForm,
    pub(in crate::scan) stat: FileStat,
    pub(in crate::scan) target: Target,
    pub(in crate::scan) place: Place,
}

struct BucketVisitor<'a> {
    name: &'a OsStr,
    kind: Option<BucketKind>,
    /// Whether it is called as a bucket is, but of no kind that is known.
    is_shaped: bool,
    reflinks: bool,
    sums: Sums,
    place: FilePlace,
    records: &'a mut Records,
    shared: &'a mut Vec<SharedExtent>,
    pointers: &'a mut Vec<RawPointer>,
    objects: &'a mut Vec<(PathBuf, FileStat)>,
    recorded: &'a mut Vec<(InterpreterRecord, Time)>,
    environments: &'a mut Vec<(PathBuf, Option<EnvironmentKind>)>,
    leads: &'a mut Vec<Lead>,
    problems: &'a mut Vec<Problem>,
    pointers_unread: &'a mut bool,
    unreached: &'a mut Vec<PathBuf>,
    failed: &'a mut Vec<Failed>,
    /// What a bucket holds whose number or kind is not known.
    evidence: Option<Evidence>,
    /// What can go of it by itself.
    pieces: Option<Pieces>,
    linked: FxHashSet<(u64, u64)>,
    device: Option<u64>,
    away: Away,
}

/// Reads one part of the cache root into a thread's harvest.
pub(in crate::scan) fn read(
    root: &Path,
    number: usize,
    part: &Part,
    reflinks: bool,
    cancel: &Cancel,
    progress: &Progress,
    harvest: &mut Harvest,
) {
    let path = root.join(&part.name);
    let mut visitor = BucketVisitor {
        name: &part.name,
        kind: part.bucket.map(|bucket| bucket.kind),
        is_shaped: part.bucket.is_none() && crate::uv::bucket::is_shaped(&part.name),
        reflinks,
        sums: Sums::default(),
        place: match part.bucket {
            Some(bucket) if bucket.kind == BucketKind::Files => STORE,
            None if part.name == TRASH => TRASHED,
            _ => ELSEWHERE,
        },
        records: &mut harvest.records,
        shared: &mut harvest.shared,
        pointers: &mut harvest.pointers,
        objects: &mut harvest.objects,
        recorded: &mut harvest.recorded,
        environments: &mut harvest.environments,
        leads: &mut harvest.leads,
        problems: &mut harvest.problems,
        pointers_unread: &mut harvest.pointers_unread,
        unreached: &mut harvest.unreached,
        failed: &mut harvest.failed,
        evidence: evidence_of(part),
        pieces: Pieces::of(&part.name, part.bucket.map(|bucket| bucket.kind)),
        linked: FxHashSet::default(),
        device: None,
        away: Away::default(),
    };
    if part.kind == FileKind::Directory {
        // A bucket that was moved is a symlink; nothing below it is followed.
        let real = crate::disk::canonical(&path).unwrap_or_else(|_| path.clone());
        walk::walk(&real, cancel, &mut visitor);
    } else if let Ok(stat) = FileStat::of(&path) {
        visitor.add(&stat);
        if stat.kind == FileKind::Symlink && part.bucket.is_none() {
            visitor.leads.extend(Lead::at(&path, UserLinkForm::Symlink).unwrap_or_default());
        }
        // Where a symlink with the name of an unknown bucket leads nothing is read.
        if stat.kind == FileKind::Symlink
            && path.is_dir()
            && let Some(evidence) = &mut visitor.evidence
        {
            evidence.odd(PathBuf::from(&part.name), "is a symlink");
        }
        if stat.kind == FileKind::Other {
            visitor.problems.push(super::super::odd(path));
        }
    }
    visitor.problems.extend(visitor.away.problem(&root.join(&part.name)));
    let odd = visitor.evidence.take().and_then(Evidence::verdict);
    harvest.pieces.extend(visitor.pieces.take().map(Pieces::found).unwrap_or_default());
    let sums = visitor.sums;
    harvest.odd.extend(odd.map(|odd| (number, odd)));
    progress.add_files(sums.files, sums.logical);
    harvest.parts.push((number, sums));
}

/// Where to collect what a part of the root holds, if that is a bucket whose number or kind is not known.
fn evidence_of(part: &Part) -> Option<Evidence> {
    let unknown = match part.bucket {
        Some(bucket) => !bucket.is_known(),
        None => {
            matches!(part.kind, FileKind::Directory | FileKind::Symlink)
                && crate::uv::bucket::is_shaped(&part.name)
        }
    };
    unknown.then(|| Evidence::new(&part.name, part.bucket.map(|bucket| bucket.kind)))
}

impl BucketVisitor<'_> {
    fn add(&mut self, stat: &FileStat) {
        self.sums.files += 1;
        self.away.add(stat);
        print::file(&mut self.sums.print, stat);
        if stat.kind == FileKind::File {
            self.sums.logical += stat.size;
        }
        if stat.links > 1 {
            // Only what has other names can be met again in an entry or an environment.
            self.records.entry(stat.device).or_default().push(FileRecord::new(
                stat,
                self.place,
                Spot::default(),
            ));
            if !self.linked.insert((stat.device, stat.inode)) {
                return;
            }
        } else {
            self.sums.single += stat.disk;
        }
        self.sums.disk += stat.disk;
    }

    fn pointer(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let mut relative = Path::new(self.name).join(parent.relative());
        // What a source distribution unpacked to is nobody's pointer, whatever it looks like.
        if evidence::is_source(&relative) {
            return;
        }
        relative.push(name);
        let place = shard::place(&relative);
        let (form, target) = match stat.kind {
            FileKind::Symlink => match (&place, target::symlink(parent, name)) {
                // Wherever it lies: what leads into an entry is a pointer.
                (Place::Other, Ok(target @ Target::Path(..))) => (PointerForm::Symlink, target),
                (Place::Other, Ok(_)) => return,
                (Place::Other, Err(error)) => {
                    *self.pointers_unread |= !is_absence(&error);
                    self.failed.extend(Failed::of(&parent.path().join(name), "read the link", &error));
                    return;
                }
                (_, target) => (PointerForm::Symlink, self.target(parent, name, "read the link", target)),
            },
            FileKind::File => match (&place, extension(name)) {
                (Place::Wheel { .. }, Some("http")) => {
                    let target = target::archive(parent, name, pointer::parse_http);
                    (PointerForm::Http, self.target(parent, name, "read the file", target))
                }
                (Place::Wheel { .. }, Some("rev")) => {
                    let target = target::archive(parent, name, pointer::parse_rev);
                    (PointerForm::Rev, self.target(parent, name, "read the file", target))
                }
                _ if is_link_place(&place, name) => {
                    let target = target::link_file(parent, name);
                    (PointerForm::LinkFile, self.target(parent, name, "read the file", target))
                }
                (Place::Other, Some("http" | "rev")) if !is_revision(name) => {
                    // An unknown layout, whatever the bucket's number: what it leads to is not known either.
                    let evidence = self.evidence.get_or_insert_with(|| Evidence::known(self.name, self.kind));
                    evidence.odd(relative, "has an unknown form");
                    return;
                }
                _ => return,
            },
            _ => return,
        };
        self.pointers.push(RawPointer { path: relative, form, stat: *stat, target, place });
    }

    /// What a pointer says, or why nobody can tell.
    fn target(
        &mut self,
        parent: &Directory<'_>,
        name: &OsStr,
        operation: &'static str,
        read: io::Result<Target>,
    ) -> Target {
        read.unwrap_or_else(|error| {
            let why = format!("Failed to {operation}: {}", crate::disk::error::words(&error));
            match Failed::of(&parent.path().join(name), operation, &error) {
                Some(failed) => {
                    self.failed.push(failed);
                    Target::Unread(why)
                }
                None => Target::Malformed(why),
            }
        })
    }

    /// Whether pointers to entries may lie here.
    fn may_hold_pointers(&self) -> bool {
        self.kind.map_or(self.is_shaped, BucketKind::holds_pointers)
    }

    fn interpreter(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if extension(name) != Some("msgpack") {
            return;
        }
        let limit = crate::uv::interpreter::LONGEST_FILE as u64;
        match parent.read(name, limit).map(|bytes| crate::uv::interpreter::parse(&bytes)) {
            Ok(Ok(record)) => {
                if let Some(evidence) = &mut self.evidence {
                    evidence.record(Path::new(self.name).join(parent.relative()).join(name), &record);
                }
                self.recorded.push((record, stat.modified));
            }
            Ok(Err(error)) => {
                if let Some(evidence) = &mut self.evidence {
                    let path = Path::new(self.name).join(parent.relative()).join(name);
                    evidence.odd(path, "cannot be read as the record of an interpreter");
                }
                self.problems.push(Problem {
                    path: parent.path().join(name),
                    message: format!("Failed to understand the record of an interpreter: {error}"),
                });
            }
            Err(error) => {
                self.unread_record(parent.path().join(name), "read the file", &error);
            }
        }
    }

    /// Takes note of a record of which nobody knows which environment it names.
    fn unread_record(&mut self, path: PathBuf, operation: &'static str, error: &io::Error) {
        self.failed.extend(Failed::of(&path, operation, error));
        if !is_absence(error) {
            self.unreached.push(path.clone());
        }
        self.problems.push(super::super::problem(path, operation, error));
    }

    /// Looks whether something in a bucket with an unknown number has the form that is expected there. `before`: how many
    /// pointers there were before it.
    fn weigh(&mut self, parent: &Directory<'_>, name: &OsStr, kind: FileKind, before: usize) {
        let Some(evidence) = &mut self.evidence else { return };
        let path = Path::new(self.name).join(parent.relative()).join(name);
        evidence.file(&path, kind, self.pointers.get(before));
        if evidence.is_of_known() {
            return;
        }
        if is_revision(name) && kind == FileKind::File && self.kind.is_some_and(BucketKind::holds_pointers) {
            let read = parent.read(name, pointer::LONGEST_FILE as u64);
            if !read.is_ok_and(|bytes| pointer::parse_revision(&bytes).is_ok()) {
                evidence.odd(path, "cannot be read as a revision");
            }
        } else if kind == FileKind::Symlink
            && self.kind.is_some_and(|kind| !kind.holds_pointers() && kind != BucketKind::Git)
            && !matches!(target::symlink(parent, name), Ok(Target::Elsewhere(_)))
        {
            evidence.odd(path, "leads into an entry");
        }
    }

    /// An environment that lies in a bucket of its own, or where uv keeps nothing, is walked later, as an environment.
    fn environment(&mut self, path: PathBuf) -> bool {
        if !print::is_environment(&path) {
            return false;
        }
        let kind = path.file_name().and_then(|name| match shard::place(&Path::new(self.name).join(name)) {
            _ if self.kind.is_none() => None,
            Place::ScriptEnvironment => Some(EnvironmentKind::Script),
            Place::ProjectEnvironment => Some(EnvironmentKind::Central),
            _ => Some(EnvironmentKind::Cached),
        });
        self.environments.push((path, kind));
        true
    }

    /// Takes note of what leads into entries from where uv keeps no pointers: a person's `--target` or prefix. A running build
    /// holds the cache's lock, and a killed one leaves an overlay that is not in use.
    fn lead(&mut self, parent: &Directory<'_>, name: &OsStr, kind: FileKind) {
        let is_uvs = |kind: BucketKind| kind.holds_pointers() || kind == BucketKind::Builds;
        if self.is_shaped || self.kind.is_some_and(is_uvs) || self.place == TRASHED {
            return;
        }
        let read = match kind {
            _ if is_path_file(name) => Lead::path_file(parent, name),
            FileKind::Symlink => Lead::symlink(parent, name).map(|lead| vec![lead]),
            _ => return,
        };
        match read {
            Ok(leads) => self.leads.extend(leads),
            Err(error) if is_absence(&error) => {}
            Err(error) => {
                let path = parent.path().join(name);
                self.failed.extend(Failed::of(&path, "find where it leads", &error));
                self.unreached.push(path);
            }
        }
    }

    /// Whether environments may lie at this depth: those that uv makes lie at the top of their bucket, those of a person
    /// (`UV_PROJECT_ENVIRONMENT` in the cache's directory) anywhere that is no bucket.
    fn may_hold_environments(&self, at_top: bool) -> bool {
        match self.kind {
            Some(kind) => kind == BucketKind::Environments && at_top,
            None => self.place != TRASHED,
        }
    }
}

impl Visitor for BucketVisitor<'_> {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        let at_top = parent.relative().as_os_str().is_empty();
        if self.may_hold_environments(at_top) && self.environment(parent.path().join(name)) {
            return Descend::No;
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.directory(&Path::new(self.name).join(parent.relative()).join(name));
        }
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        if *self.device.get_or_insert(stat.device) != stat.device {
            self.problems.push(Problem {
                path: directory.path(),
                message: "Another filesystem is mounted here; it was not entered".to_owned(),
            });
            *self.pointers_unread |= self.may_hold_pointers();
            return Descend::No;
        }
        let at_top = directory.relative().as_os_str().is_empty();
        if at_top
            && self.kind.is_none()
            && self.may_hold_environments(at_top)
            && self.environment(directory.path())
        {
            print::directory(&mut self.sums.print, directory.relative(), stat);
            return Descend::No;
        }
        self.sums.single += stat.disk;
        self.sums.disk += stat.disk;
        print::directory(&mut self.sums.print, directory.relative(), stat);
        if let Some(pieces) = &mut self.pieces {
            pieces.directory(directory.relative(), stat);
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        self.add(stat);
        if stat.kind == FileKind::Other {
            self.problems.push(super::super::odd(parent.path().join(name)));
        }
        let before = self.pointers.len();
        match self.kind {
            Some(kind) if kind.holds_pointers() => {
                self.pointer(parent, name, stat);
            }
            // A kind of bucket that is not known may hold pointers.
            None if self.is_shaped => self.pointer(parent, name, stat),
            Some(BucketKind::Files) if stat.kind == FileKind::File => {
                let path = Path::new(self.name).join(parent.relative()).join(name);
                if crate::uv::bucket::is_object(&path) {
                    self.objects.push((path, *stat));
                }
            }
            Some(BucketKind::Interpreter) if stat.kind == FileKind::File => {
                self.interpreter(parent, name, stat);
            }
            _ => {}
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.file(parent, name, stat);
        }
        self.lead(parent, name, stat.kind);
        self.weigh(parent, name, stat.kind, before);
        if self.reflinks
            && stat.kind == FileKind::File
            && stat.size > 0
            && self.kind == Some(BucketKind::Files)
        {
            share::note(self.shared, stat, parent.open(name));
        }
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        if self.kind == Some(BucketKind::Interpreter) {
            return self.unread_record(path, operation, &error);
        }
        if self.may_hold_pointers() {
            *self.pointers_unread = true;
            self.failed.extend(Failed::of(&path, operation, &error));
        }
        self.problems.push(super::super::problem(path, operation, &error));
    }
}

fn extension(name: &OsStr) -> Option<&str> {
    Path::new(name).extension()?.to_str()
}

/// Whether a file names a revision of a source distribution, and no entry.
fn is_revision(name: &OsStr) -> bool {
    name == "revision.http" || name == "revision.rev"
}

/// Whether a regular file lies where uv on Windows writes a link file: beside the other files of its key, without an
/// extension of theirs.
fn is_link_place(place: &Place, name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let plain = shard::without_extension(name) == name
        && Path::new(name).extension() != Some(OsStr::new("whl"))
        && !name.starts_with('.');
    plain
        && match place {
            Place::Wheel { .. } | Place::CachedEnvironment => true,
            Place::BuiltWheel { .. } => WheelFilename::parse_stem(name).is_some(),
            _ => false,
        }
}

/// Where the prefix of an archive path leads, seen from the directory (relative to the root) its link lies in.
pub(in crate::scan) enum Prefix {
    /// The cache root, proven by counting `..`.
    Root,
    /// A path that has to be resolved.
    Path(PathBuf),
}

/// Resolves the prefix of a link's text lexically as far as that is safe.
pub(in crate::scan) fn prefix(root: &Path, link: &Path, target: &ArchivePath, form: PointerForm) -> Prefix {
    let parent = link.parent().unwrap_or(Path::new(""));
    let climbs = target.prefix.components().all(|component| component == Component::ParentDir);
    if climbs && form == PointerForm::Symlink {
        // The directories between the root and the link are real: the walk came through them without following any.
        if target.prefix.components().count() == parent.components().count() {
            return Prefix::Root;
        }
    }
    Prefix::Path(root.join(parent).join(&target.prefix))
}
