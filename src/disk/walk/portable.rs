//! The same walk on top of the `walkdir` crate, for other systems and as the reference for tests.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::{Descend, Directory, MAX_DEPTH, Visitor};
use crate::control::Cancel;
use crate::disk::stat::{FileKind, FileStat};

/// Walks the tree at `root`, which is itself not followed if it is a symlink.
pub fn walk(root: &Path, cancel: &Cancel, visitor: &mut impl Visitor) {
    match FileStat::of(root) {
        Ok(stat) if stat.kind == FileKind::Directory => {}
        Ok(_) => {
            return visitor.failed(
                root.to_owned(),
                "open the directory",
                io::ErrorKind::NotADirectory.into(),
            );
        }
        Err(error) => return visitor.failed(root.to_owned(), "open the directory", error),
    }
    let mut items = walkdir::WalkDir::new(root)
        .follow_links(false)
        .follow_root_links(false)
        .max_open(16)
        .sort_by_key(|item| item.file_type().is_dir())
        .into_iter();
    while let Some(item) = items.next() {
        if cancel.is_cancelled() {
            return;
        }
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let cause =
                    error.into_io_error().unwrap_or_else(|| io::Error::other("the walk went in a circle"));
                visitor.failed(path, "read the directory", cause);
                continue;
            }
        };
        if !item.file_type().is_dir() && visitor.skips(item.file_name(), item.file_type().is_symlink()) {
            continue;
        }
        let relative = item.path().strip_prefix(root).unwrap_or(item.path());
        let stat = match FileStat::of(item.path()) {
            Ok(stat) => stat,
            Err(error) => {
                visitor.failed(item.path().to_owned(), "read the attributes", error);
                continue;
            }
        };
        if stat.kind == FileKind::Directory {
            if descend(root, relative, item.depth(), &stat, visitor) == Descend::No {
                items.skip_current_dir();
            }
        } else {
            let parent = relative.parent().unwrap_or(Path::new(""));
            visitor.file(&directory(root, parent), item.file_name(), &stat);
        }
    }
}

fn directory<'a>(root: &'a Path, relative: &'a Path) -> Directory<'a> {
    Directory {
        root,
        relative,
        #[cfg(target_os = "linux")]
        handle: None,
    }
}

fn descend(
    root: &Path,
    relative: &Path,
    depth: usize,
    stat: &FileStat,
    visitor: &mut impl Visitor,
) -> Descend {
    if depth > 0 {
        let parent = relative.parent().unwrap_or(Path::new(""));
        let name = relative.file_name().unwrap_or(OsStr::new(""));
        if visitor.directory(&directory(root, parent), name) == Descend::No {
            return Descend::No;
        }
        if depth > MAX_DEPTH {
            let error = io::Error::other(format!("deeper than {MAX_DEPTH} directories"));
            visitor.failed(root.join(relative), "enter the directory", error);
            return Descend::No;
        }
    }
    visitor.entered(&directory(root, relative), stat)
}
