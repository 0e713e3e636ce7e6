//! Puts together what identifies files and trees.

use std::path::Path;

use crate::disk::{FileKind, FileStat};
use crate::snapshot::{FilePrint, TreePrint};

/// What identifies a file.
pub fn of(stat: &FileStat) -> FilePrint {
    FilePrint {
        device: stat.device,
        inode: stat.inode,
        size: stat.size,
        disk: stat.disk,
        links: stat.links,
        modified: stat.modified.0,
        changed: stat.changed.0,
    }
}

/// Adds a directory of a tree, by its path relative to the top.
pub fn directory(print: &mut TreePrint, relative: &Path, stat: &FileStat) {
    if relative.as_os_str().is_empty() {
        (print.device, print.inode) = (stat.device, stat.inode);
    }
    newest(print, stat);
}

/// Adds anything else in a tree.
pub fn file(print: &mut TreePrint, stat: &FileStat) {
    print.files += 1;
    if stat.kind == FileKind::File {
        print.logical += stat.size;
        print.links += stat.links;
    }
    newest(print, stat);
}

fn newest(print: &mut TreePrint, stat: &FileStat) {
    print.newest = print.newest.max(stat.modified.0).max(stat.changed.0);
}
