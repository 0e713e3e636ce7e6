//! Puts together what identifies files and trees.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::Cancel;
use crate::disk::volume;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, Time, temporary};
use crate::snapshot::{FilePrint, TreePrint};
use crate::uv::bucket::{Bucket, BucketKind};

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

/// What identifies a file, if no later write to it can leave that as it is: it has not changed since shortly before `began`,
/// when somebody began to read it.
///
/// A change time has the fineness of the kernel's tick, which is at most 10 ms (time(7)), or that of whole seconds, as on
/// ext3 (ext4(5)); a write within the same one as the last would not show.
pub fn settled(stat: &FileStat, began: Time) -> Option<FilePrint> {
    const SECOND: i64 = 1_000_000_000;
    let fineness = if stat.changed.0 % SECOND == 0 { 2 * SECOND } else { SECOND / 10 };
    (stat.changed.0.saturating_add(fineness) < began.0).then(|| of(stat))
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

/// Adds a directory of an environment to what identifies its content. Locking it may make a file in its top directory.
pub fn content_directory(print: &mut TreePrint, relative: &Path, stat: &FileStat) {
    if relative.as_os_str().is_empty() {
        (print.device, print.inode) = (stat.device, stat.inode);
    } else {
        print.newest = print.newest.max(stat.modified.0);
        mix(print, stat.inode, stat.modified);
    }
}

/// Adds anything else in an environment to what identifies its content. Change times and links are not of it: another
/// environment that is linked to the same files changes them.
pub fn content_file(print: &mut TreePrint, directory: &Path, name: &OsStr, stat: &FileStat) {
    if name == ".lock" && directory.as_os_str().is_empty() {
        return;
    }
    print.files += 1;
    if stat.kind == FileKind::File {
        print.logical += stat.size;
    }
    print.newest = print.newest.max(stat.modified.0);
    mix(print, stat.inode, stat.modified);
}

fn newest(print: &mut TreePrint, stat: &FileStat) {
    print.newest = print.newest.max(stat.modified.0).max(stat.changed.0);
    mix(print, stat.inode, stat.changed);
}

fn mix(print: &mut TreePrint, inode: u64, time: Time) {
    let one = (inode ^ (time.0.cast_unsigned()).rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    print.mix = print.mix.wrapping_add(one >> 11) & ((1 << 53) - 1);
}

/// Reads again what identifies the content of an environment, the way a scan reads it: what killed runs of cachetui left is none of
/// it. None when something in it cannot be read, or is mounted there.
pub fn environment(path: &Path) -> Option<TreePrint> {
    let mut printer = Printer { content: true, ..Printer::default() };
    walk::walk(path, &Cancel::default(), &mut printer);
    (printer.failed == 0 && printer.print.inode != 0).then_some(printer.print)
}

/// Reads again what identifies a tree; `None` when it is not there or something in it cannot be read.
pub fn tree(path: &Path) -> Option<TreePrint> {
    let mut printer = Printer::default();
    walk::walk(path, &Cancel::default(), &mut printer);
    (printer.failed == 0 && printer.print.inode != 0).then_some(printer.print)
}

/// Reads again what identifies a bucket, the way a scan reads it: environments that lie in it are left out.
pub fn bucket(cache: &Path, name: &OsStr) -> Option<TreePrint> {
    let path = cache.join(name);
    let kind = Bucket::parse(name)?.kind;
    let mut printer = Printer { environments: kind == BucketKind::Environments, ..Printer::default() };
    walk::walk(&crate::disk::canonical(&path).ok()?, &Cancel::default(), &mut printer);
    (printer.failed == 0 && printer.print.inode != 0).then_some(printer.print)
}

/// Whether a directory in the cache is an environment: in a bucket of their own uv makes some for scripts and projects.
pub(super) fn is_environment(path: &Path) -> bool {
    path.join("pyvenv.cfg").is_file()
}

#[derive(Default)]
struct Printer {
    print: TreePrint,
    environments: bool,
    /// Whether it is the content of an environment that is identified.
    content: bool,
    mount: Option<u64>,
    failed: u64,
}

impl Visitor for Printer {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        let at_top = parent.relative().as_os_str().is_empty();
        if self.content && temporary::is_temporary(name) {
            return Descend::No;
        }
        if self.environments && at_top && is_environment(&parent.path().join(name)) {
            Descend::No
        } else {
            Descend::Yes
        }
    }

    fn entered(&mut self, entered: &Directory<'_>, stat: &FileStat) -> Descend {
        let at_top = entered.relative().as_os_str().is_empty();
        let mount = volume::mount(&entered.path());
        if at_top {
            self.mount = mount;
        } else if stat.device != self.print.device || mount != self.mount {
            // What is mounted within may be of the same device, and is nobody's to remove.
            self.failed += 1;
            return Descend::No;
        }
        if self.content {
            content_directory(&mut self.print, entered.relative(), stat);
        } else {
            directory(&mut self.print, entered.relative(), stat);
        }
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if self.content {
            content_file(&mut self.print, parent.relative(), name, stat);
        } else {
            file(&mut self.print, stat);
        }
    }

    fn failed(&mut self, _path: PathBuf, _operation: &'static str, _error: io::Error) {
        self.failed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_settled_only_if_its_last_change_lies_further_back_than_the_fineness_of_its_times() {
        let stat = |changed| FileStat { changed: Time(changed), ..FileStat::of(Path::new("/")).unwrap() };
        let is = |changed, began| settled(&stat(changed), Time(began)).is_some();
        assert!(is(1_000_000_001, 1_100_000_002) && !is(1_000_000_001, 1_100_000_001));
        // Times of whole seconds.
        assert!(is(1_000_000_000, 3_000_000_001) && !is(1_000_000_000, 3_000_000_000));
        assert!(!is(i64::MAX, i64::MAX) && !is(5_000_000_001, 1_000_000_000), "a clock that was wrong");
    }
}
