//! Directories that lie where links of the cache should be, with the same files as an entry.
//!
//! A copy of a cache that follows symlinks leaves them (`cp -rL`, `aws s3 sync`, `rclone --copy-links`): every wheel lies there
//! twice.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::Cancel;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, read};
use crate::snapshot::{EntryIndex, Snapshot};
use crate::uv::bucket::BucketKind;
use crate::uv::distribution::{WheelFilename, normalize, same_version};
use crate::uv::shard::{self, Place};

/// What such a directory takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Its files.
    pub files: u64,
    /// Their allocated bytes, as far as they have no other name.
    pub disk: u64,
}

/// How closely files are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// By their sizes, which is enough to tell what lies there.
    Sizes,
    /// By their contents, which is needed before anything goes.
    Contents,
}

/// What a directory takes that has nothing but files that an entry has too, under the same names; nothing where it has anything
/// else, or nothing at all.
pub fn copied(directory: &Path, entry: &Path, compare: Compare) -> Option<Copied> {
    let mut visitor = Comparison { entry, compare, copied: Copied::default(), differs: false };
    walk::walk(directory, &Cancel::default(), &mut visitor);
    (!visitor.differs && visitor.copied.files > 0).then_some(visitor.copied)
}

/// A built wheel that lies in the cache twice.
#[derive(Clone, Debug)]
pub struct CopiedBuild {
    /// The directory where a link should be, relative to the cache's root.
    pub path: PathBuf,
    /// The only entry with the same files.
    pub entry: EntryIndex,
    /// What it takes.
    pub copied: Copied,
}

/// Built wheels that lie in the cache twice. No pointer file names their entries; the same files under the same name do.
pub fn builds(snapshot: &Snapshot) -> Vec<CopiedBuild> {
    let root = &snapshot.cache.path;
    let buckets = snapshot.cache.buckets.iter().filter(|bucket| bucket.odd.is_none());
    let sdists = buckets.filter(|it| it.parsed().is_some_and(|bucket| bucket.kind == BucketKind::Sdists));
    let mut next: Vec<PathBuf> = sdists.map(|bucket| PathBuf::from(&bucket.name)).collect();
    let mut found = Vec::new();
    while let Some(directory) = next.pop() {
        let items = std::fs::read_dir(root.join(&directory)).into_iter().flatten().flatten();
        for item in items.filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir())) {
            let (name, path) = (item.file_name(), directory.join(item.file_name()));
            match (shard::place(&path), name.to_str().and_then(WheelFilename::parse_stem)) {
                (Place::BuiltWheel { .. }, Some(wheel)) => found.extend(build(snapshot, path, &wheel)),
                // What was unpacked to be built has no links.
                _ if name == "src" => {}
                _ => next.push(path),
            }
        }
    }
    found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    found
}

fn build(snapshot: &Snapshot, path: PathBuf, wheel: &WheelFilename) -> Option<CopiedBuild> {
    let root = &snapshot.cache.path;
    let of_name = snapshot.entries().filter(|(_, entry)| {
        entry.name.as_deref() == Some(normalize(&wheel.name).as_str())
            && entry.version.as_deref().is_some_and(|version| same_version(version, &wheel.version))
    });
    let mut same = of_name.filter_map(|(index, entry)| {
        let entry = root.join(entry.key.path());
        Some((index, copied(&root.join(&path), &entry, Compare::Sizes)?))
    });
    let (entry, copied) = same.next().filter(|_| same.next().is_none())?;
    Some(CopiedBuild { path, entry, copied })
}

struct Comparison<'a> {
    entry: &'a Path,
    compare: Compare,
    copied: Copied,
    differs: bool,
}

impl Comparison<'_> {
    fn is_same(&self, file: &Path, relative: &Path, stat: &FileStat) -> bool {
        let other = self.entry.join(relative);
        let same_size =
            FileStat::of(&other).is_ok_and(|other| other.kind == FileKind::File && other.size == stat.size);
        let digest = |path: &Path| read::open(path).and_then(|opened| read::sha256(&opened, stat.size));
        same_size
            && (self.compare == Compare::Sizes
                || digest(file).is_ok_and(|digest_here| digest(&other).is_ok_and(|it| it == digest_here)))
    }
}

impl Visitor for Comparison<'_> {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        if self.differs { Descend::No } else { Descend::Yes }
    }

    fn entered(&mut self, _directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let relative = parent.relative().join(name);
        let same = !self.differs
            && stat.kind == FileKind::File
            && self.is_same(&parent.path().join(name), &relative, stat);
        self.differs |= !same;
        self.copied.files += 1;
        self.copied.disk += if stat.links == 1 { stat.disk } else { 0 };
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: io::Error) {
        self.differs = true;
    }
}
