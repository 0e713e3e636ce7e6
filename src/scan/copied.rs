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
