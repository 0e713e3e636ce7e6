//! Buckets, entry ids, and the test for a cache.

use std::ffi::OsStr;

use cachetui::uv::archive_id::is_archive_id;
use cachetui::uv::bucket::{Bucket, BucketKind, looks_like_cache};

fn bucket(name: &str) -> Option<(BucketKind, u32)> {
    Bucket::parse(OsStr::new(name)).map(|bucket| (bucket.kind, bucket.version))
}

#[test]
fn a_bucket_is_a_known_word_and_a_plain_number() {
    assert_eq!(bucket("archive-v0"), Some((BucketKind::Archive, 0)));
    assert_eq!(bucket("flat-index-v7"), Some((BucketKind::FlatIndex, 7)));
    assert_eq!(bucket("simple-v27"), Some((BucketKind::Simple, 27)));
    assert_eq!(bucket("wheels-v4294967295"), Some((BucketKind::Wheels, u32::MAX)));
    let others = [
        "",
        "archive",
        "archive-v",
        "archive-v00",
        "archive-v01",
        "archive-v+1",
        "archive-v-1",
        "archive-v1 ",
        " archive-v1",
        "Archive-v0",
        "archive-V0",
        "archive-v0/",
        "archive-v4294967296",
        "archive-v1a",
        "-v1",
        "unheard-of-v1",
        "archive-v١",
    ];
    for name in others {
        assert_eq!(bucket(name), None, "`{name}`");
    }
}

#[test]
fn every_kind_of_bucket_reads_its_own_name_back() {
    for kind in BucketKind::ALL {
        let bucket = Bucket { kind, version: 3 };
        assert_eq!(Bucket::parse(OsStr::new(&bucket.to_string())), Some(bucket));
    }
}

#[test]
fn versions_seen_in_no_cache_are_unknown() {
    let known = |name: &str| Bucket::parse(OsStr::new(name)).unwrap().is_known();
    for name in [
        "archive-v0",
        "wheels-v3",
        "wheels-v8",
        "sdists-v6",
        "sdists-v11",
        "interpreter-v5",
        "git-v2",
        "simple-v28",
        "flat-index-v7",
        "files-v0",
    ] {
        assert!(known(name), "`{name}`");
    }
    for name in [
        "archive-v1",
        "wheels-v2",
        "wheels-v9",
        "sdists-v5",
        "sdists-v7",
        "sdists-v12",
        "built-wheels-v3",
        "interpreter-v6",
        "files-v1",
        "git-v3",
    ] {
        assert!(!known(name), "`{name}`");
    }
}

#[test]
fn only_a_directory_with_buckets_looks_like_a_cache() {
    let looks = |names: &[&str]| looks_like_cache(names.iter().map(OsStr::new));
    assert!(looks(&["CACHEDIR.TAG", ".lock", ".gitignore", "archive-v0", "wheels-v7"]));
    assert!(looks(&["CACHEDIR.TAG", ".gitignore", "interpreter-v4"]));
    assert!(looks(&["archive-v0"]));
    assert!(looks(&["wheels-v7", "something", ".tmpAbCdEf"]));
    assert!(looks(&[".lock", "archive-v9"]));
    assert!(looks(&["CACHEDIR.TAG", "archive-v9", "wheels-v99", "built-wheels-v0"]), "only unknown numbers");

    assert!(!looks(&[]), "an empty directory");
    assert!(!looks(&["CACHEDIR.TAG", ".lock", ".gitignore"]), "an emptied cache");
    assert!(!looks(&["archive-v9"]), "an unknown version without a mark");
    assert!(!looks(&[".gitignore", "git-v1", "python-v0"]), "other buckets without a mark");
    assert!(!looks(&["bin", "etc", "home", "usr", "archive-v0"]), "a root");
    assert!(!looks(&[".bashrc", ".lock", "archive-v0"]), "a home");
    assert!(!looks(&["pyproject.toml", ".gitignore", "archive-v0", "wheels-v7"]), "a project");
    assert!(!looks(&["pyvenv.cfg", ".gitignore", "CACHEDIR.TAG", ".lock", "lib"]), "an environment");
    assert!(!looks(&[".git", ".gitignore", "src"]), "a repository");
}

#[test]
fn an_entry_id_is_one_plain_name() {
    let ids = [
        "CtlZus2r5JH78fNw",
        "P_Jxt5pxIDhvn9E3_vm3p",
        "zkt1qvickg0neaswahh6swme",
        "-starts-with-a-dash",
        "_",
        "a.b=c",
    ];
    for id in ids {
        assert!(is_archive_id(OsStr::new(id)), "`{id}`");
    }
    let long = "a".repeat(256);
    for name in
        ["", ".", "..", ".hidden", "a/b", "a\\b", "/", "c:", "a\0b", "a b", "a\nb", "ü", "a*", long.as_str()]
    {
        assert!(!is_archive_id(OsStr::new(name)), "`{name:?}`");
    }
    assert!(is_archive_id(OsStr::new(&long[1..])));
}
