//! `.http` and `.rev` files and interpreter records, shape by shape.

use std::collections::BTreeMap;
use std::path::Path;

use cachetui::uv::interpreter::{self, InterpreterError};
use cachetui::uv::pointer::{ArchivePointer, Payload, PointerError, parse_http, parse_rev, parse_revision};
use serde::Serialize;

fn pack(value: impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(&value).unwrap()
}

/// A record as uv 0.12 writes it, with field names.
#[derive(Serialize)]
struct Named<'a> {
    id: &'a str,
    hashes: Vec<(&'a str, &'a str)>,
    filename: &'a str,
    version: u8,
    size: Option<u64>,
}

fn archive(id: &str, filename: Option<&str>, hashes: &[(&str, &str)], size: Option<u64>) -> Payload {
    let hashes =
        hashes.iter().map(|(algorithm, digest)| ((*algorithm).to_owned(), (*digest).to_owned())).collect();
    Payload::Archive(ArchivePointer {
        id: id.to_owned(),
        filename: filename.map(str::to_owned),
        hashes,
        size,
    })
}

const NO_HASHES: &[(&str, &str)] = &[];

const STAMP: (u32, u32) = (1_795_233_365, 590_436_724);

#[test]
fn archives_of_every_release_are_read() {
    let wheel = "demo_a-1.0-py3-none-any.whl";
    let pair = [("Sha256", "ab12")];
    let digest = BTreeMap::from(pair);
    let named = Named { id: "i", hashes: pair.to_vec(), filename: wheel, version: 0, size: Some(5) };
    let named = rmp_serde::to_vec_named(&named).unwrap();
    let cases = [
        ("0.5.0", pack(("i", pair)), archive("i", None, &pair, None)),
        ("0.6.0", pack(("i", pair, 0)), archive("i", None, &pair, None)),
        ("0.9.30", pack(("i", pair, wheel, 0)), archive("i", Some(wheel), &pair, None)),
        ("0.12.5", named, archive("i", Some(wheel), &pair, Some(5))),
        ("0.13.8", pack(("i", [digest.clone()], wheel, 0, 5)), archive("i", Some(wheel), &pair, Some(5))),
        (
            "0.13.8, without a size",
            pack(("i", NO_HASHES, wheel, 0, None::<u64>)),
            archive("i", Some(wheel), &[], None),
        ),
    ];
    for (release, bytes, expected) in cases {
        let mut http = bytes.clone();
        http.extend_from_slice(b"whatever policy follows \xff\xc1\0");
        assert_eq!(parse_http(&http), Ok(expected.clone()), "{release}");
        let rev = [b"\x92".to_vec(), pack(STAMP), bytes].concat();
        assert_eq!(parse_rev(&rev), Ok(expected), "{release}");
    }
}

#[test]
fn revisions_of_every_release_are_read() {
    let expected = || Ok(Payload::Revision { id: "vWW2JEmKjkVg7Sm-8571x".into() });
    let revision = ("vWW2JEmKjkVg7Sm-8571x", NO_HASHES);
    assert_eq!(parse_revision(&pack(revision)), expected());
    assert_eq!(parse_revision(&pack((revision.0, NO_HASHES, 7))), expected());
    assert_eq!(parse_revision(&pack((STAMP, revision))), expected());
    assert_eq!(parse_revision(&pack(([STAMP.0], (revision.0, NO_HASHES, 7)))), expected());
    let named = Named { id: revision.0, hashes: Vec::new(), filename: "", version: 0, size: None };
    assert_eq!(parse_revision(&rmp_serde::to_vec_named(&named).unwrap()), expected());
    let stamped = BTreeMap::from([("cache_info", pack(0)), ("revision", Vec::new())]);
    assert!(parse_revision(&pack(stamped)).is_err());
}

#[test]
fn a_pointer_that_could_lead_anywhere_is_refused() {
    for id in ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "a\0"] {
        assert_eq!(parse_http(&pack((id, ()))), Err(PointerError::BadId), "`{id:?}`");
    }
}

#[test]
fn shapes_of_no_release_are_refused() {
    let no_shapes = [
        pack(()),
        pack(1),
        pack("i"),
        pack((1, ())),
        pack(("i",)),
        pack(("i", "x")),
        pack(BTreeMap::from([("id", "i")])),
    ];
    for bytes in no_shapes {
        assert_eq!(parse_http(&bytes), Err(PointerError::UnknownShape), "{bytes:x?}");
    }
    assert_eq!(parse_rev(&pack(("i", ()))), Err(PointerError::UnknownShape), "without a stamp");
    assert_eq!(parse_rev(&pack((STAMP, ("i", ()), 1))), Err(PointerError::UnknownShape));
    for bytes in [&b""[..], b"\xc1", b"\x92", b"\xd9\xff", b"\xd4\x01\x02"] {
        assert!(matches!(parse_http(bytes), Err(PointerError::NotMessagePack(_))), "{bytes:x?}");
    }
}

#[test]
fn promised_lengths_cost_nothing() {
    let huge: [&[u8]; 6] = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff",
    ];
    for bytes in huge {
        assert!(
            parse_http(bytes).is_err() && parse_rev(bytes).is_err() && interpreter::parse(bytes).is_err(),
            "{bytes:x?}"
        );
    }
    assert!(parse_http(&vec![0x91; 1_000_000]).is_err(), "deeply nested");
    let mut wide = b"\xdd\x00\x0f\x42\x40".to_vec();
    wide.resize(1_000_005, 0xc0);
    assert!(matches!(parse_http(&wide), Err(PointerError::NotMessagePack(_))), "a million values");
}

#[test]
fn interpreter_records_of_every_release_are_read() {
    let markers = || BTreeMap::from([("os_name", "posix")]);
    let scheme = ["/e/lib", "/e/bin"];
    let platform = (("manylinux", 2, 36), "x86_64");
    let early = (
        platform,
        markers(),
        scheme,
        scheme,
        true,
        "/e",
        "/usr",
        "/usr",
        "/usr/bin/python3.11",
        "/e/bin/python",
    );
    let late = (markers(), scheme, scheme, false, "/e", "/usr", "/usr", None::<&str>, "/e/bin/python");
    for bytes in [pack((STAMP, early)), pack((STAMP, ((("windows",), "x86_64", ()), late)))] {
        let record = interpreter::parse(&bytes).unwrap();
        assert_eq!(record.prefix, Path::new("/e"));
        assert_eq!(record.executable.as_deref(), Some(Path::new("/e/bin/python")));
        assert_eq!(record.base_prefix.as_deref(), Some(Path::new("/usr")));
        assert!(record.is_environment());
    }
    let named = BTreeMap::from([
        ("sys_prefix", "/usr"),
        ("sys_executable", "/usr/bin/python"),
        ("sys_base_prefix", "/usr"),
    ]);
    let record = interpreter::parse(&pack((STAMP, named))).unwrap();
    assert_eq!((record.prefix.as_path(), record.is_environment()), (Path::new("/usr"), false));
    for bytes in [
        pack(()),
        pack((STAMP, ())),
        pack((STAMP, (true, 1, 2, 3, 4, 5))),
        pack((STAMP, (true, "/e"))),
        pack((STAMP, (true, "", 1, 1, 1, 1))),
    ] {
        assert_eq!(interpreter::parse(&bytes), Err(InterpreterError::UnknownShape), "{bytes:x?}");
    }
}
