//! The locks inside a cache: of wheels, source distributions, cached environments and repositories (uv 0.13.8).
//!
//! `wheels-v*/**/<key>.lock`, `sdists-v*/**/.lock` and `<key>.lock`, `environments-v*/**/<key>.lock`, and every file of
//! `git-v*/locks`. Environments that lie in a bucket of their own have a `.lock` like any other. Unpacked sources are not
//! looked through: what lies there belongs to a package.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::gather::Gather;
use super::{Maker, Resource};
use crate::control::Cancel;
use crate::disk::FileStat;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::uv::bucket::{Bucket, BucketKind};

/// Levels below a bucket at which uv keeps locks: `git/<digest>/<commit>/<revision>/<settings>` is the deepest.
const DEPTH: usize = 7;

/// Adds the locks inside a cache.
pub(super) fn add(cache: &Path, gather: &mut Gather) {
    for name in gather.names(cache) {
        let Some(bucket) = Bucket::parse(&name) else { continue };
        // A bucket that was moved is a symlink; nothing below it is followed.
        let path = cache.join(&name);
        let path = if path.is_symlink() { crate::disk::canonical(&path).unwrap_or(path) } else { path };
        match bucket.kind {
            BucketKind::Wheels | BucketKind::Sdists | BucketKind::BuiltWheels | BucketKind::Environments => {
                let mut visitor = ItemVisitor { kind: bucket.kind, name: &name, gather };
                walk::walk(&path, &Cancel::default(), &mut visitor);
            }
            BucketKind::Git => {
                let locks = path.join("locks");
                for lock in gather.names(&locks) {
                    let item = Path::new(&name).join("db").join(&lock);
                    gather.one_of_many(locks.join(lock), None, Resource::Item(item));
                }
            }
            _ => {}
        }
    }
}

struct ItemVisitor<'a> {
    kind: BucketKind,
    name: &'a OsStr,
    gather: &'a mut Gather,
}

impl Visitor for ItemVisitor<'_> {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        if self.kind == BucketKind::Environments && parent.relative().as_os_str().is_empty() {
            let root = parent.path().join(name);
            if root.join("pyvenv.cfg").is_file() {
                self.gather.always(root.join(".lock"), Maker::Uv, Resource::Environment(root));
                return Descend::No;
            }
        }
        let is_source = self.kind == BucketKind::Sdists && parent.depth() >= 2 && name == "src";
        if is_source || parent.depth() >= DEPTH { Descend::No } else { Descend::Yes }
    }

    fn entered(&mut self, _directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        Descend::Yes
    }

    fn skips(&self, name: &OsStr, _is_symlink: bool) -> bool {
        !is_lock_name(name)
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if !is_lock_name(name) {
            return;
        }
        let place = Path::new(self.name).join(parent.relative());
        let item = match Path::new(name).file_stem() {
            Some(stem) if name != ".lock" => place.join(stem),
            _ => place,
        };
        self.gather.one_of_many(parent.path().join(name), Some(stat.inode), Resource::Item(item));
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        self.gather.failed(path, operation, &error);
    }
}

fn is_lock_name(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b".lock")
}
