//! The calls by handle do what they say, and do not leave the root.

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
    root.create_directory(name("inside"), 0o777).unwrap();
    let inside = root.enter(name("inside")).unwrap().again().unwrap();
    let mut file = inside.create_file(name("one")).unwrap();
    file.write_all(b"first").unwrap();
    drop(file);
    assert_eq!(inside.create_file(name("one")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    inside.hardlink(name("one"), &root, name("other")).unwrap();
    let (one, other) = (inside.stat(name("one")).unwrap(), root.stat(name("other")).unwrap());
    assert_eq!((one.stat.inode, one.stat.size, other.stat.links), (other.stat.inode, 5, 2));
    assert_eq!(
        root.rename_new(name("other"), name("inside")).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    root.rename_new(name("other"), name("third")).unwrap();
    match inside.symlink(Path::new("../third"), name("link"), Leads::ToFile) {
        Ok(()) => {
            let text: PathBuf = ["..", "third"].iter().collect();
            assert_eq!(inside.read_link(name("link")).unwrap(), text);
            assert_eq!(inside.stat(name("link")).unwrap().stat.kind, FileKind::Symlink);
            assert_eq!(inside.following(name("link")).unwrap().inode, one.stat.inode);
            assert!(inside.open_file(name("link")).is_err(), "symlinks are not followed");
        }
        // On Windows they need a privilege, and Wine only says that it makes them.
        Err(_) if cfg!(windows) => drop(inside.create_file(name("link")).unwrap()),
        Err(error) => panic!("{error}"),
    }
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
    // Older systems keep the name of what is removed until nobody has it open.
    drop(inside);
    root.remove_directory(name("inside")).unwrap();
    assert_eq!(names(&root), [name("third")]);
}

#[test]
fn calls_by_handle_do_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    does_what_it_says::<Directory>(directory.path());
}

#[test]
fn only_plain_paths_downwards_are_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let elsewhere = if cfg!(windows) { ["C:x", "C:\\", "a:stream"] } else { ["/", "/etc", "//"] };
    for path in ["..", "/", "/etc", "a/../..", "./a", "../a"].into_iter().chain(elsewhere) {
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

#[cfg(windows)]
mod windows {
    //! What only Windows has.

    use std::io::Write as _;
    use std::os::windows::fs::OpenOptionsExt as _;

    use super::*;

    fn write(directory: &Directory, name: &str, text: &str) {
        directory.create_file(OsStr::new(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn set_read_only(path: &Path) {
        let mut permissions = std::fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(true);
        #[expect(clippy::disallowed_methods, reason = "a test makes the files it needs")]
        std::fs::set_permissions(path, permissions).unwrap();
    }

    #[test]
    fn a_read_only_file_goes_and_its_other_name_stays_read_only() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        let name = OsStr::new;
        write(&directory, "cached", "content");
        directory.hardlink(name("cached"), &directory, name("linked")).unwrap();
        set_read_only(&temporary.path().join("cached"));
        assert_eq!(directory.stat(name("linked")).unwrap().bits, 0o444, "an attribute is the file's");
        directory.remove_file(name("linked")).unwrap();
        let left = directory.stat(name("cached")).unwrap();
        assert_eq!((left.bits, left.stat.links), (0o444, 1));
        assert_eq!(names(&directory), [name("cached")]);
        write(&directory, "new", "other");
        directory.rename(name("new"), name("cached")).unwrap();
        assert_eq!(std::fs::read(temporary.path().join("cached")).unwrap(), b"other");
        assert_eq!(names(&directory), [name("cached")]);
    }

    #[test]
    fn a_file_that_is_open_is_replaced_or_left_whole() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        let name = OsStr::new;
        write(&directory, "module.pyd", "old");
        let path = temporary.path().join("module.pyd");
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        // Somebody who lets others rename and remove it, as a program does that is running.
        let user = File::open(&path).unwrap();
        write(&directory, "new", "new");
        directory.rename(name("new"), name("module.pyd")).unwrap();
        assert_eq!(read(&path), "new");
        assert_eq!(io::read_to_string(&user).unwrap(), "old");
        drop(user);
        // Somebody who does not.
        let user = std::fs::OpenOptions::new().read(true).share_mode(1).open(&path).unwrap();
        write(&directory, "newer", "newer");
        directory.rename(name("newer"), name("module.pyd")).unwrap_err();
        assert_eq!(read(&path), "new");
        assert!(directory.remove_file(name("module.pyd")).is_err());
        drop(user);
        let left: Vec<_> =
            names(&directory).into_iter().filter(|it| !crate::linker::is_temporary(it)).collect();
        assert_eq!(left, [name("module.pyd"), name("newer")], "nothing was moved aside for good");
        directory.rename(name("newer"), name("module.pyd")).unwrap();
        assert_eq!(read(&path), "newer");
    }

    #[test]
    fn a_file_is_moved_aside_and_back_when_nothing_takes_its_place() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        let name = OsStr::new;
        write(&directory, "module.pyd", "old");
        write(&directory, "new", "new");
        directory.rename_beside(name("gone"), name("module.pyd")).unwrap_err();
        assert_eq!(names(&directory), [name("module.pyd"), name("new")]);
        assert_eq!(std::fs::read(temporary.path().join("module.pyd")).unwrap(), b"old");
        directory.rename_beside(name("new"), name("module.pyd")).unwrap();
        assert_eq!(names(&directory), [name("module.pyd")]);
        assert_eq!(std::fs::read(temporary.path().join("module.pyd")).unwrap(), b"new");
    }

    #[test]
    fn names_that_the_win32_layer_reserves_or_shortens_are_plain_names() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        let odd = ["CON", "NUL", "aux.py", "com1.txt"];
        for name in odd {
            write(&directory, name, name);
            assert_eq!(directory.stat(OsStr::new(name)).unwrap().stat.size, name.len() as u64);
            let mut read = String::new();
            io::Read::read_to_string(&mut directory.open_file(OsStr::new(name)).unwrap(), &mut read).unwrap();
            assert_eq!(read, name);
        }
        assert_eq!(names(&directory), odd);
        for name in odd {
            directory.remove_file(OsStr::new(name)).unwrap();
        }
        for name in [".", "..", "a\\b", "a/b", "a:b", "a\0b"] {
            let error = directory.create_file(OsStr::new(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        assert_eq!(names(&directory).len(), 0);
    }

    #[test]
    fn letters_have_no_case_and_paths_may_be_long() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Root::open(temporary.path()).unwrap();
        let deep: PathBuf = std::iter::repeat_n("twenty characters __", 24).collect();
        let place = root.directory(&deep, Missing::Create).unwrap();
        assert!(place.path().as_os_str().len() > 400);
        drop(place.calls().create_file(OsStr::new("Module.py")).unwrap());
        assert!(place.find(OsStr::new("module.PY")).unwrap().is_some());
        assert_eq!(place.names().unwrap(), ["Module.py"]);
        assert_eq!(
            place.calls().create_file(OsStr::new("MODULE.py")).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn a_name_has_as_many_links_as_the_system_allows_and_then_says_so() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        write(&directory, "0", "content");
        let link =
            |number: u32| directory.hardlink(OsStr::new("0"), &directory, OsStr::new(&number.to_string()));
        let refused = (1..1200).find_map(|number| link(number).err());
        let links = directory.stat(OsStr::new("0")).unwrap().stat.links;
        match refused {
            Some(error) => assert_eq!((error.kind(), links), (io::ErrorKind::TooManyLinks, 1024)),
            // Another filesystem, which has another limit.
            None => assert_eq!(links, 1200),
        }
    }

    #[test]
    fn an_open_directory_stays_the_same_when_another_takes_its_place() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Directory::open(temporary.path()).unwrap();
        let name = OsStr::new;
        root.create_directory(name("environment"), 0o777).unwrap();
        root.create_directory(name("outside"), 0o777).unwrap();
        let inside = root.enter(name("environment")).unwrap();
        write(&inside, "mine", "");
        write(&root.enter(name("outside")).unwrap(), "precious", "");
        root.rename_new(name("environment"), name("away")).unwrap();
        root.rename_new(name("outside"), name("environment")).unwrap();
        write(&inside, "later", "");
        assert!(inside.stat(name("mine")).is_ok() && inside.stat(name("precious")).is_err());
        assert_eq!(names(&root.enter(name("away")).unwrap()), [name("later"), name("mine")]);
        assert_eq!(names(&root.enter(name("environment")).unwrap()), [name("precious")]);
    }
}

#[cfg(unix)]
#[test]
fn what_lies_some_way_down_is_entered_at_once_and_never_through_a_symlink() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test makes the directories it needs")]
    std::fs::create_dir_all(directory.path().join("root/one/two/three")).unwrap();
    for (text, name) in [("one", "way"), ("two", "one/way"), ("../..", "one/out")] {
        symlink(text, directory.path().join("root").join(name)).unwrap();
    }
    let root = Root::open(&directory.path().join("root")).unwrap();
    let inode = |place: &Place| place.own_stat().unwrap().inode;
    let three = root.directory(Path::new("one/two/three"), Missing::Fail).unwrap();
    let stepwise = ["one", "two", "three"]
        .iter()
        .fold(root.place().again().unwrap(), |place, name| place.enter(OsStr::new(name)).unwrap());
    assert_eq!(inode(&three), inode(&stepwise));
    assert_eq!(three.path(), directory.path().join("root/one/two/three"));
    for path in ["way/two/three", "one/way/three", "one/out/root", "one/two/three/.."] {
        assert!(root.place().calls().descend(Path::new(path)).is_none() || path.ends_with(".."));
        assert!(root.directory(Path::new(path), Missing::Fail).is_err(), "{path}");
    }
    let made = root.directory(Path::new("one/two/new/er"), Missing::Create).unwrap();
    assert_eq!(made.path(), directory.path().join("root/one/two/new/er"));
}
