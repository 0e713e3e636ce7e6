//! Pointers are what uv writes, and are written whole or not at all.

use std::ffi::OsStr;

use super::*;
use crate::uv::link::archive_target;

fn target(id: &str) -> ArchiveTarget {
    ArchiveTarget { bucket: "archive-v0".to_owned(), id: id.to_owned() }
}

fn cache() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

const POINTER: &str = "wheels-v6/index/0123456789abcdef/name/1.0-py3-none-any";

/// The id a pointer leads to, read as the scan reads it.
fn id_of(path: &Path) -> String {
    match std::fs::read_link(path) {
        Ok(text) => archive_target(&text).unwrap().id.into_string().unwrap(),
        Err(_) => match link_file::parse(&std::fs::read(path).unwrap()).unwrap() {
            LinkFile::Text(target) => target.id,
            LinkFile::Wide(_) => panic!("uv writes no wide link files"),
        },
    }
}

#[test]
fn a_pointer_leads_to_its_entry_and_is_replaced_only_when_asked() {
    let (directory, root) = cache();
    let path = directory.path().join(POINTER);
    let form = write_pointer(
        &root,
        Path::new(POINTER),
        &target("First67890123456"),
        &Wanted::Fitting,
        Existing::Keep,
    )
    .unwrap();
    assert_eq!(form, if cfg!(windows) { Form::LinkFile } else { Form::Symlink });
    assert_eq!(id_of(&path), "First67890123456");
    let second = target("Second7890123456");
    let error =
        write_pointer(&root, Path::new(POINTER), &second, &Wanted::Fitting, Existing::Keep).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(id_of(&path), "First67890123456");
    write_pointer(&root, Path::new(POINTER), &second, &Wanted::Fitting, Existing::Replace).unwrap();
    assert_eq!(id_of(&path), "Second7890123456");
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
}

#[cfg(unix)]
#[test]
fn on_unix_it_is_the_relative_symlink_that_uv_writes() {
    let (directory, root) = cache();
    write_pointer(&root, Path::new(POINTER), &target("First67890123456"), &Wanted::Fitting, Existing::Keep)
        .unwrap();
    let path = directory.path().join(POINTER);
    assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("../../../../archive-v0/First67890123456"));
    let entry = directory.path().join("archive-v0/First67890123456");
    crate::linker::create_directories(&entry).unwrap();
    assert_eq!(path.canonicalize().unwrap(), entry.canonicalize().unwrap());
}

#[test]
fn a_link_file_is_replaced_and_any_other_file_stays() {
    let (directory, root) = cache();
    crate::linker::write_new(&directory.path().join("link"), b"archive-v0/First67890123456", 0o644).unwrap();
    crate::linker::write_new(&directory.path().join("1.0.http"), b"pointer data", 0o644).unwrap();
    let new = target("Second7890123456");
    write_pointer(&root, Path::new("link"), &new, &Wanted::Fitting, Existing::Replace).unwrap();
    assert_eq!(id_of(&directory.path().join("link")), "Second7890123456");
    let error =
        write_pointer(&root, Path::new("1.0.http"), &new, &Wanted::Fitting, Existing::Replace).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(directory.path().join("1.0.http")).unwrap(), b"pointer data");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary name is left");
}

#[test]
fn only_what_was_seen_is_replaced_whatever_it_holds() {
    let (directory, root) = cache();
    let path = directory.path().join("link");
    crate::linker::write_new(&path, b"archive-v0/First678\n", 0o644).unwrap();
    let seen = print::of(&root.place().find(OsStr::new("link")).unwrap().unwrap().stat);
    let other = FilePrint { inode: seen.inode + 1, ..seen };
    let write = |existing| {
        write_pointer(&root, Path::new("link"), &target("Second7890123456"), &Wanted::LinkFile, existing)
    };
    let error = write(Existing::Seen(other)).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"archive-v0/First678\n");
    assert_eq!(write(Existing::Seen(seen)).unwrap(), Form::LinkFile);
    assert_eq!(std::fs::read(&path).unwrap(), b"archive-v0/Second7890123456");
    let error = write(Existing::Seen(seen)).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists, "it is another file now");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary name is left");
}

#[cfg(unix)]
#[test]
fn before_uv_0_11_17_it_is_a_symlink_with_a_whole_path() {
    let (directory, root) = cache();
    let wanted = Wanted::Absolute("/caches/uv".into());
    let new = target("First67890123456");
    write_pointer(&root, Path::new(POINTER), &new, &wanted, Existing::Keep).unwrap();
    let text = std::fs::read_link(directory.path().join(POINTER)).unwrap();
    assert_eq!(text, Path::new("/caches/uv/archive-v0/First67890123456"));
}

#[test]
fn what_names_no_entry_is_refused() {
    let (directory, root) = cache();
    for (bucket, id) in
        [("archive-v0", "../x"), ("archive-v0", ""), ("wheels-v6", "a"), ("archive-v0", "a\n")]
    {
        let target = ArchiveTarget { bucket: bucket.to_owned(), id: id.to_owned() };
        let error =
            write_pointer(&root, Path::new("a/b"), &target, &Wanted::Fitting, Existing::Keep).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput, "{bucket}/{id}");
    }
    for pointer in ["../outside", "/outside", ""] {
        let entry = target("First67890123456");
        assert!(
            write_pointer(&root, Path::new(pointer), &entry, &Wanted::Fitting, Existing::Keep).is_err(),
            "{pointer}"
        );
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_link_file_is_exactly_what_uv_reads() {
    let (directory, root) = cache();
    let text = link_file::encode_text(&target("First67890123456"));
    let name = temporary_name();
    write_link_file(root.place(), &name, &text).unwrap();
    assert_eq!(std::fs::read(directory.path().join(&name)).unwrap(), b"archive-v0/First67890123456");
    let error = write_link_file(root.place(), &name, b"archive-v0/Second7890123456").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(id_of(&directory.path().join(&name)), "First67890123456");
    let name = OsStr::new("missing/inside");
    assert!(write_link_file(root.place(), name, &text).is_err());
}
