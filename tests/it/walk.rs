//! The fast walk sees what the portable one sees.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use cachetui::control::Cancel;
use cachetui::disk::walk::{self, Descend, Directory, Visitor, portable};
use cachetui::disk::{FileKind, FileStat};

/// Everything a walk tells, by relative path.
#[derive(Default)]
struct Record {
    seen: BTreeMap<PathBuf, (FileKind, u64, u64, u64)>,
    failed: Vec<PathBuf>,
    refuse: Option<&'static str>,
}

impl Visitor for Record {
    fn directory(&mut self, _parent: &Directory<'_>, name: &OsStr) -> Descend {
        if self.refuse.is_some_and(|refused| name == refused) { Descend::No } else { Descend::Yes }
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        self.seen.insert(directory.relative().to_owned(), (stat.kind, stat.inode, 0, stat.links));
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        self.seen.insert(parent.relative().join(name), (stat.kind, stat.inode, stat.size, stat.links));
    }

    fn failed(&mut self, path: PathBuf, _operation: &'static str, _error: io::Error) {
        self.failed.push(path);
    }
}

fn both(root: &Path, refuse: Option<&'static str>) -> (Record, Record) {
    let mut fast = Record { refuse, ..Record::default() };
    walk::walk(root, &Cancel::default(), &mut fast);
    let mut slow = Record { refuse, ..Record::default() };
    portable::walk(root, &Cancel::default(), &mut slow);
    (fast, slow)
}

/// Symlinks, and a name that is not UTF-8.
#[cfg(unix)]
fn odd_names(root: &Path) {
    use std::os::unix::ffi::OsStrExt as _;
    std::os::unix::fs::symlink("..", root.join("a1/loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("a1/dangling")).unwrap();
    std::fs::write(root.join(OsStr::from_bytes(b"not utf-8 \xff\n\x1b[31m")), "x").unwrap();
}

/// Names that the Win32 layer would take for devices, and a read-only file.
#[cfg(windows)]
fn odd_names(root: &Path) {
    let real = root.canonicalize().unwrap();
    for name in ["aux.py", "NUL", "read-only"] {
        std::fs::write(real.join(name), "x").unwrap();
    }
    let mut permissions = std::fs::metadata(real.join("read-only")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(real.join("read-only"), permissions).unwrap();
}

fn tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for number in 0..300 {
        let below = root.join(format!("a{}/b{}", number % 7, number % 3));
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join(format!("file{number}")), vec![b'x'; number]).unwrap();
    }
    std::fs::hard_link(root.join("a0/b0/file0"), root.join("second name")).unwrap();
    odd_names(root);
    std::fs::write(root.join("n".repeat(255)), "x").unwrap();
    directory
}

#[test]
fn the_fast_walk_and_the_portable_one_tell_the_same() {
    let directory = tree();
    let (fast, slow) = both(directory.path(), None);
    assert_eq!(fast.seen, slow.seen);
    assert!(fast.seen.len() > 300, "the tree was walked");
    assert_eq!(fast.failed, Vec::<PathBuf>::new());
    assert_eq!(slow.failed, Vec::<PathBuf>::new());
}

#[test]
fn a_refused_directory_is_not_entered() {
    let directory = tree();
    let (fast, slow) = both(directory.path(), Some("b1"));
    assert_eq!(fast.seen, slow.seen);
    assert!(fast.seen.keys().all(|path| !path.components().any(|part| part.as_os_str() == "b1")));
}

#[test]
fn a_root_that_is_missing_a_file_or_a_symlink_is_a_failure_not_a_walk() {
    let directory = tree();
    let mut roots = vec![directory.path().join("missing"), directory.path().join("second name")];
    #[cfg(unix)]
    {
        roots.push(directory.path().join("link"));
        std::os::unix::fs::symlink(directory.path().join("a1"), &roots[2]).unwrap();
    }
    #[cfg(windows)]
    roots.push(directory.path().join("aux.py"));
    for path in roots {
        let (fast, slow) = both(&path, None);
        assert_eq!((fast.seen.len(), fast.failed.len()), (0, 1), "{}", path.display());
        assert_eq!((slow.seen.len(), slow.failed.len()), (0, 1), "{}", path.display());
    }
}

#[test]
fn what_lies_too_deep_is_reported_and_the_rest_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let deep: PathBuf = std::iter::repeat_n("d", walk::MAX_DEPTH + 5).collect();
    std::fs::create_dir_all(directory.path().join(&deep)).unwrap();
    std::fs::write(directory.path().join("shallow"), "x").unwrap();
    let (fast, slow) = both(directory.path(), None);
    assert_eq!(fast.seen, slow.seen);
    assert!(fast.seen.contains_key(Path::new("shallow")));
    assert_eq!((fast.failed.len(), slow.failed.len()), (1, 1));
    assert_eq!(fast.failed, slow.failed);
}

#[test]
fn a_cancelled_walk_stops() {
    let directory = tree();
    let cancel = Cancel::default();
    cancel.cancel();
    let mut record = Record::default();
    walk::walk(directory.path(), &cancel, &mut record);
    assert!(record.seen.keys().all(|path| path.components().count() <= 1));
}
