//! Decides where each pointer leads, and what pointers tell of their entries.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::cache::Layout;
use super::cache::bucket::{Prefix, RawPointer, prefix};
use super::cache::target::Target;
use super::candidates::ById;
use super::failed::{self, Failed};
use super::print;
use crate::human;
use crate::snapshot::{
    EntryIndex, Origin, Pointer, PointerForm, PointerIndex, PointerState, Problem, Snapshot, Source,
};
use crate::uv::distribution::WheelFilename;
use crate::uv::link::ArchivePath;
use crate::uv::shard::{Place, SdistSource, WheelSource};

struct Resolver<'a> {
    layout: &'a Layout,
    by_id: &'a ById,
    /// Whether a prefix is this cache; resolving a path costs a call per component.
    known: FxHashMap<PathBuf, Here>,
    failed: Vec<Failed>,
}

/// Whether a prefix is this cache.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    Yes,
    No,
    Unknown,
}

/// Resolves all pointers into the snapshot, and gives entries what their pointers tell: source, tags, names. Answers what
/// could not be looked at.
pub(super) fn resolve(
    layout: &Layout,
    by_id: &ById,
    mut raw: Vec<RawPointer>,
    snapshot: &mut Snapshot,
) -> Vec<Failed> {
    raw.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut resolver = Resolver { layout, by_id, known: FxHashMap::default(), failed: Vec::new() };
    for (position, raw) in raw.iter().enumerate() {
        let pointer = resolver.resolve(raw);
        if let Some(entry) = pointer.entry {
            let entry = &mut snapshot.entries[entry.position()];
            entry.pointers.push(PointerIndex::new(position));
            learn(layout, entry, raw);
        }
        if let (PointerState::Foreign, Target::Path(path, _)) = (pointer.state, &raw.target)
            && let Some(twin) = by_id.at(path)
        {
            snapshot.entries[twin as usize].foreign.push(PointerIndex::new(position));
        }
        // What could not be read is a problem of its own.
        if pointer.state == PointerState::Malformed && !matches!(raw.target, Target::Unread(_)) {
            snapshot.problems.push(Problem {
                path: layout.root.join(&pointer.path),
                message: format!("Failed to understand the pointer: {}", pointer.note),
            });
        }
        snapshot.pointers.push(pointer);
    }
    resolver.failed
}

impl Resolver<'_> {
    fn resolve(&mut self, raw: &RawPointer) -> Pointer {
        let mut pointer = Pointer {
            path: raw.path.clone(),
            form: raw.form,
            state: PointerState::Malformed,
            entry: None,
            target: String::new(),
            note: String::new(),
            modified: Some(raw.stat.modified.timestamp()),
            print: print::of(&raw.stat),
        };
        match &raw.target {
            Target::Path(path, text) => {
                pointer.target = human::escape_os(text.as_os_str()).into_owned();
                self.path(raw, path, &mut pointer);
            }
            Target::Entry { bucket, id } => {
                pointer.target = human::escape(&format!("{bucket}/{id}")).into_owned();
                self.entry(Some(OsStr::new(bucket)), OsStr::new(id), &mut pointer);
            }
            Target::Id(archive) => {
                pointer.target = human::escape(&archive.id).into_owned();
                self.entry(None, OsStr::new(&archive.id), &mut pointer);
            }
            Target::Elsewhere(text) => {
                pointer.target = human::escape_os(text.as_os_str()).into_owned();
                pointer.state = PointerState::Foreign;
                "It leads to no entry of any cache".clone_into(&mut pointer.note);
            }
            Target::Malformed(reason) | Target::Unread(reason) => pointer.note.clone_from(reason),
        }
        pointer
    }

    fn path(&mut self, raw: &RawPointer, path: &ArchivePath, pointer: &mut Pointer) {
        let here = match prefix(&self.layout.root, &raw.path, path, raw.form) {
            Prefix::Root => Here::Yes,
            Prefix::Path(prefix) => self.here(prefix),
        };
        match here {
            Here::Yes => return self.entry(Some(&path.bucket), &path.id, pointer),
            Here::Unknown => return "Which cache it leads to cannot be told".clone_into(&mut pointer.note),
            Here::No => {}
        }
        pointer.state = PointerState::Foreign;
        let prefix = human::escape_os(path.prefix.as_os_str());
        let twin =
            if self.by_id.at(path).is_some() { ", but this cache has an entry of that id" } else { "" };
        pointer.note = format!("It leads to the cache `{prefix}`{twin}");
    }

    fn here(&mut self, prefix: PathBuf) -> Here {
        let resolved = |prefix: &PathBuf| match crate::disk::canonical(prefix) {
            Ok(path) if path == self.layout.canonical => Here::Yes,
            // A cache that may not be looked at is somebody else's.
            Err(error) if failed::is_fault(&error) => {
                self.failed.extend(Failed::of(prefix, "find where it leads", &error));
                Here::Unknown
            }
            Ok(_) | Err(_) => Here::No,
        };
        *self.known.entry(prefix).or_insert_with_key(resolved)
    }

    fn entry(&self, bucket: Option<&OsStr>, id: &OsStr, pointer: &mut Pointer) {
        let found = self.by_id.all(bucket, id).next();
        if let Some(entry) = found {
            pointer.state = PointerState::Live;
            pointer.entry = Some(EntryIndex::new(entry as usize));
        } else {
            pointer.state = PointerState::Dangling;
            "It leads to an entry that is not there".clone_into(&mut pointer.note);
        }
    }
}

/// Takes over what a live pointer tells of its entry.
fn learn(layout: &Layout, entry: &mut crate::snapshot::Entry, raw: &RawPointer) {
    if let Target::Id(archive) = &raw.target
        && let Some(name) = archive.filename.as_deref().and_then(WheelFilename::parse)
    {
        entry.tags = name.tags;
    } else if entry.tags.is_empty()
        && let Some(name) = raw.path.file_name().and_then(OsStr::to_str).and_then(WheelFilename::parse_stem)
    {
        entry.tags = name.tags;
    }
    let source = source(layout, raw);
    // A wheel's own pointer knows more than a link beside a source distribution, and `.http` more than a bare link.
    let rank = |source: &Source| match source.origin {
        Origin::Unknown => 0,
        Origin::Index if !source.built => 1,
        _ => 2,
    };
    let download = entry.source.download.or(source.download);
    if rank(&source) > rank(&entry.source) {
        entry.source = source;
    }
    entry.source.download = download;
}

fn source(layout: &Layout, raw: &RawPointer) -> Source {
    // Local sources have `.rev` beside the link, remote ones `.http`.
    let local = |path: &Path| raw.form == PointerForm::Rev || layout.root.join(path).exists();
    let beside = with_ending(&raw.path, ".rev");
    let (origin, detail) = match &raw.place {
        Place::Wheel { source, .. } => match source {
            WheelSource::Pypi => (Origin::Pypi, None),
            WheelSource::Index(digest) if local(&beside) => (Origin::FindLinks, Some(digest)),
            WheelSource::Index(digest) => (Origin::Index, Some(digest)),
            WheelSource::Url(digest) if local(&beside) => (Origin::Path, Some(digest)),
            WheelSource::Url(digest) => (Origin::Url, Some(digest)),
            WheelSource::Git(digest) => (Origin::Git, Some(digest)),
        },
        Place::BuiltWheel { source, .. } => match source {
            SdistSource::Pypi => (Origin::Pypi, None),
            SdistSource::Index(digest) if has_local_revision(layout, &raw.path) => {
                (Origin::FindLinks, Some(digest))
            }
            SdistSource::Index(digest) => (Origin::Index, Some(digest)),
            SdistSource::Url(digest) => (Origin::Url, Some(digest)),
            SdistSource::Path(digest) => (Origin::Path, Some(digest)),
            SdistSource::Editable(digest) => (Origin::Editable, Some(digest)),
            SdistSource::Git(digest) => (Origin::Git, Some(digest)),
        },
        Place::CachedEnvironment => (Origin::Command, None),
        _ => (Origin::Unknown, None),
    };
    let download = match &raw.target {
        Target::Id(archive) => archive.size,
        _ => None,
    };
    let built = matches!(raw.place, Place::BuiltWheel { .. });
    // uv leaves the wheel that it built beside the link to what it unpacked from that (0.13.8).
    let wheel = built && layout.root.join(with_ending(&raw.path, ".whl")).is_file();
    Source { origin, built, wheel, detail: detail.cloned(), download, gone: None, unlocated: false }
}

/// The path with something more at the end of its name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

/// Whether the source distribution above a built wheel's link has a `revision.rev`: its archive lies on this machine.
fn has_local_revision(layout: &Layout, path: &Path) -> bool {
    path.ancestors().skip(1).take(3).any(|above| layout.root.join(above).join("revision.rev").exists())
}
