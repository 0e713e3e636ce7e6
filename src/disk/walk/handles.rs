//! The walk by directory handles, for Linux.

use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, fstat, openat, statat};

use super::{Descend, Directory, MAX_DEPTH, Visitor};
use crate::control::Cancel;
use crate::disk::stat::{FileKind, FileStat};

/// Directory entries are read in batches of this many bytes.
const BUFFER: usize = 64 << 10;

struct Walk<'a, V> {
    root: &'a Path,
    cancel: &'a Cancel,
    visitor: &'a mut V,
    buffer: Box<[MaybeUninit<u8>]>,
    relative: Vec<u8>,
}

pub(super) fn walk(root: &Path, cancel: &Cancel, visitor: &mut impl Visitor) {
    let mut walk = Walk {
        root,
        cancel,
        visitor,
        buffer: vec![MaybeUninit::uninit(); BUFFER].into_boxed_slice(),
        relative: Vec::new(),
    };
    match open(CWD, root) {
        Ok(handle) => walk.directory(&handle, 0),
        Err(error) => walk.visitor.failed(root.to_owned(), "open the directory", error.into()),
    }
}

fn open<P: rustix::path::Arg>(parent: BorrowedFd<'_>, name: P) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

impl<V: Visitor> Walk<'_, V> {
    fn directory(&mut self, handle: &OwnedFd, depth: usize) {
        let relative = std::mem::take(&mut self.relative);
        let here = Directory {
            root: self.root,
            relative: Path::new(OsStr::from_bytes(&relative)),
            handle: Some(handle.as_fd()),
        };
        let mut children = Vec::new();
        match fstat(handle) {
            Ok(stat) => {
                if self.visitor.entered(&here, &FileStat::from_raw(&stat)) == Descend::Yes {
                    self.list(&here, handle, &mut children);
                }
            }
            Err(error) => self.visitor.failed(here.path(), "read the attributes", error.into()),
        }
        self.relative.clone_from(&relative);
        self.children(&here, handle, depth, &children);
        self.relative = relative;
    }

    /// Reports the files of a directory and collects the names of its subdirectories, each ended by a NUL.
    fn list(&mut self, here: &Directory<'_>, handle: &OwnedFd, children: &mut Vec<u8>) {
        let mut listing = RawDir::new(handle, &mut self.buffer);
        while let Some(item) = listing.next() {
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    return self.visitor.failed(here.path(), "read the directory", error.into());
                }
            };
            let name = item.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if item.file_type() == FileType::Directory {
                children.extend_from_slice(name.to_bytes_with_nul());
                continue;
            }
            let kind = item.file_type();
            let shown = OsStr::from_bytes(name.to_bytes());
            if kind != FileType::Unknown && self.visitor.skips(shown, kind == FileType::Symlink) {
                continue;
            }
            match statat(handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    let stat = FileStat::from_raw(&stat);
                    // A listing need not tell the kind, and the file may have been replaced since.
                    if stat.kind == FileKind::Directory {
                        children.extend_from_slice(name.to_bytes_with_nul());
                    } else {
                        self.visitor.file(here, OsStr::from_bytes(name.to_bytes()), &stat);
                    }
                }
                Err(error) => {
                    let path = here.path().join(OsStr::from_bytes(name.to_bytes()));
                    self.visitor.failed(path, "read the attributes", error.into());
                }
            }
        }
    }

    fn children(&mut self, here: &Directory<'_>, handle: &OwnedFd, depth: usize, children: &[u8]) {
        for name in children.split_inclusive(|byte| *byte == 0) {
            if self.cancel.is_cancelled() {
                return;
            }
            let name = CStr::from_bytes_with_nul(name).expect("each name was stored with its NUL");
            let shown = OsStr::from_bytes(name.to_bytes());
            if self.visitor.directory(here, shown) == Descend::No {
                continue;
            }
            if depth + 1 > MAX_DEPTH {
                let error = std::io::Error::other(format!("deeper than {MAX_DEPTH} directories"));
                self.visitor.failed(here.path().join(shown), "enter the directory", error);
                continue;
            }
            match open(handle.as_fd(), name) {
                Ok(child) => {
                    let length = self.relative.len();
                    if length > 0 {
                        self.relative.push(b'/');
                    }
                    self.relative.extend_from_slice(name.to_bytes());
                    self.directory(&child, depth + 1);
                    self.relative.truncate(length);
                }
                Err(error) => {
                    self.visitor.failed(here.path().join(shown), "open the directory", error.into());
                }
            }
        }
    }
}
