//! The calls by handle and the calls by path do the same, and neither leaves the root.

use super::*;
use crate::disk::temporary::temporary_name;

fn names<C: Calls>(directory: &C) -> Vec<OsString> {
    let mut names = directory.names().unwrap();
    names.sort();
    names
}

fn does_what_it_says<C: Calls>(path: &Path) {
    use std::io::Write as _;
    let name = OsStr::new;
    let root = C::open(path).unwrap();
    root.create_directory(name("inside")).unwrap();
    let inside = root.enter(name("inside")).unwrap().again().unwrap();
    let mut file = inside.create_file(name("one")).unwrap();
    file.write_all(b"first").unwrap();
    assert_eq!(inside.create_file(name("one")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    inside.hardlink(name("one"), &root, name("other")).unwrap();
    let (one, other) = (inside.stat(name("one")).unwrap(), root.stat(name("other")).unwrap());
    assert_eq!((one.stat.inode, one.stat.size, other.stat.links), (other.stat.inode, 5, 2));
    assert_eq!(
        root.rename_new(name("other"), name("inside")).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    root.rename_new(name("other"), name("third")).unwrap();
    inside.symlink(Path::new("../third"), name("link"), Leads::ToFile).unwrap();
    assert_eq!(inside.read_link(name("link")).unwrap(), Path::new("../third"));
    assert_eq!(inside.stat(name("link")).unwrap().stat.kind, FileKind::Symlink);
    assert_eq!(inside.following(name("link")).unwrap().inode, one.stat.inode);
    assert!(inside.open_file(name("link")).is_err(), "symlinks are not followed");
    assert!(inside.enter(name("one")).is_err(), "a file is no directory");
    let mut read = String::new();
    io::Read::read_to_string(&mut root.open_file(name("third")).unwrap(), &mut read).unwrap();
    assert_eq!(read, "first");
    inside.rename(name("one"), name("link")).unwrap();
    assert_eq!(names(&inside), [name("link")]);
    assert!(root.remove_directory(name("inside")).is_err(), "it is not empty");
    inside.remove_file(name("link")).unwrap();
    let before = inside.own_stat().unwrap().changed;
    inside.touch().unwrap();
    assert!(inside.own_stat().unwrap().changed >= before);
    inside.sync().unwrap();
    root.sync_filesystem().unwrap();
    match root.exchange(name("inside"), name("third")) {
        Ok(()) => {
            assert_eq!(root.stat(name("third")).unwrap().stat.kind, FileKind::Directory);
            root.exchange(name("third"), name("inside")).unwrap();
        }
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
    }
    root.remove_directory(name("inside")).unwrap();
    assert_eq!(names(&root), [name("third")]);
}

#[test]
fn calls_by_handle_and_by_path_do_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    does_what_it_says::<Directory>(directory.path());
    let directory = tempfile::tempdir().unwrap();
    does_what_it_says::<paths::Directory>(directory.path());
}

#[test]
fn only_plain_paths_downwards_are_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    for path in ["..", "/", "/etc", "a/../..", "./a", "../a"] {
        let error = root.directory(Path::new(path), Missing::Create).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput, "{path}");
    }
    for path in ["", "..", "/", "a/..", "/etc/passwd"] {
        assert!(directory_and_name(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(root.directory(Path::new(""), Missing::Fail).unwrap().path(), directory.path().join(""));
}

#[cfg(unix)]
#[test]
fn a_symlink_on_the_way_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    crate::linker::create_directories(&directory.path().join("a")).unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("a/link")).unwrap();
    let root = Root::open(directory.path()).unwrap();
    let error = root.directory(Path::new("a/link/b"), Missing::Create).unwrap_err();
    assert_eq!(error.path, directory.path().join("a/link"));
    assert_eq!(error.source.to_string(), "it is a symlink; what it leads to is left alone");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    let error = Root::open(&directory.path().join("a/link")).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn missing_directories_are_created_only_when_asked_for_and_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let error = root.directory(Path::new("a/b"), Missing::Fail).unwrap_err();
    assert_eq!((error.path, error.source.kind()), (directory.path().join("a"), io::ErrorKind::NotFound));
    let mut created = Vec::new();
    root.directory(Path::new("a"), Missing::Create).unwrap();
    let place = root.enter(Path::new("a/b/c"), Missing::Create, &mut |path| created.push(path)).unwrap();
    assert_eq!(created, [Path::new("a/b"), Path::new("a/b/c")]);
    assert_eq!(place.path(), directory.path().join("a/b/c"));
    assert!(place.find(&temporary_name()).unwrap().is_none());
}
