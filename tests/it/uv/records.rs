//! `RECORD`, its paths, and where files of an entry are installed.

use std::path::{Path, PathBuf};

use cachetui::uv::record::{Base, Location, RecordError, Row, Scheme, data_target, rows};
use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::support::told::told;

/// The path, or the line of the error, of each row.
fn paths(bytes: &[u8]) -> Vec<Result<String, u64>> {
    let line = |error| match error {
        RecordError::Encoding { line } | RecordError::Fields { line } => line,
    };
    rows(bytes).map(|row| row.map(|row| row.path.into_owned()).map_err(line)).collect()
}

#[test]
fn rows_carry_digest_and_size() {
    let text =
        "a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nb,,\nc\nd,md5=x,9\ne,sha256=short,x\n";
    let found: Vec<Row> = rows(text.as_bytes()).map(Result::unwrap).collect();
    let empty: [u8; 32] = Sha256::digest(b"").into();
    assert_eq!(found[0], Row { path: "a.py".into(), digest: Some(empty), size: Some(0) });
    let rest: Vec<_> = found[1..].iter().map(|row| (row.path.as_ref(), row.digest, row.size)).collect();
    assert_eq!(rest, [("b", None, None), ("c", None, None), ("d", None, Some(9)), ("e", None, None)]);
}

#[test]
fn quotes_and_line_ends_of_any_kind_are_read() {
    let text = "demo/d\u{e4}ta.txt,,\r\n\"sp ace, comma \"\"q\"\".txt\",,17\r\n\n\"two\nlines\",,\nlast,,";
    let found = paths(text.as_bytes());
    let expected = ["demo/d\u{e4}ta.txt", "sp ace, comma \"q\".txt", "two\nlines", "last"];
    assert_eq!(found, expected.map(|path| Ok(path.to_owned())));
    assert_eq!(rows(b"\"q\",,17\r\n").next().unwrap().unwrap().size, Some(17));
}

#[test]
fn a_bad_row_does_not_hide_the_others() {
    let found = paths(b"a,,\n\xff,,\n,,\nb,c,d,e\n\"open,,\nf,,\n\"g\",,\nh,,");
    let expected = [Ok("a"), Err(2), Err(3), Err(4), Err(5), Ok("f"), Ok("g"), Ok("h")];
    assert_eq!(found, expected.map(|row| row.map(str::to_owned)));
}

#[test]
fn rows_that_go_over_lines_count_them() {
    assert_eq!(paths(b"\"a\nb\",,\n,,\n"), [Ok("a\nb".to_owned()), Err(3)]);
    assert_eq!(paths(b"\"a\r\nb\",,\r\n,,\r\n"), [Ok("a\r\nb".to_owned()), Err(3)]);
}

#[test]
fn a_path_may_climb_only_before_it_descends() {
    let read =
        |path: &str| Location::parse(path).map(|found| (found.ups, told(found.rest.to_str().unwrap())));
    assert_eq!(read("demo/core.py"), Some((0, "demo/core.py".into())));
    assert_eq!(read("../../../bin/x"), Some((3, "bin/x".into())));
    assert_eq!(read("./a//b/./c"), Some((0, "a/b/c".into())));
    assert_eq!(read("..a/b..c/..."), Some((0, "..a/b..c/...".into())));
    let refused = [
        "",
        "/",
        ".",
        "..",
        "../",
        "a/",
        "/etc/passwd",
        "//x",
        "a/../b",
        "../a/../b",
        "a/..",
        "C:/x",
        "c:x",
        "\\x",
        "\\\\h\\s",
        "a\\..\\b",
        "a\0b",
    ];
    for path in refused {
        assert_eq!(read(path), None, "`{path:?}`");
    }
    // A separator where the system has it for one, and nowhere else.
    assert_eq!(read("..\\..\\x"), cfg!(windows).then(|| (2, "x".into())));
    assert_eq!(read(&format!("{}x", "../".repeat(17))), None);
}

const SCHEME: Scheme<'_> = Scheme { scripts: "bin", python: "python3.11" };

fn target(path: &str) -> Option<(Base, PathBuf, bool)> {
    data_target(path, &SCHEME, "demo-scripts").map(|found| (found.base, found.path, found.may_be_rewritten))
}

#[test]
fn data_goes_where_uv_puts_it() {
    let site = |path: &str| Some((Base::SitePackages, PathBuf::from(path), false));
    let root = |path: &str| Some((Base::Root, PathBuf::from(path), false));
    assert_eq!(target("demo_scripts/__init__.py"), site("demo_scripts/__init__.py"));
    assert_eq!(target("demo_scripts-1.0.data/purelib/demo_scripts_pure.py"), site("demo_scripts_pure.py"));
    assert_eq!(target("demo_scripts-1.0.data/platlib/a/b.so"), site("a/b.so"));
    assert_eq!(
        target("demo_scripts-1.0.data/data/share/demo-scripts/readme.txt"),
        root("share/demo-scripts/readme.txt")
    );
    assert_eq!(
        target("demo_scripts-1.0.data/headers/demo.h"),
        root("include/site/python3.11/demo-scripts/demo.h")
    );
    assert_eq!(target("Demo.Scripts-1.0.data/scripts/x"), Some((Base::Root, "bin/x".into(), true)));
    assert_eq!(target("other-1.0.data/scripts/x"), site("other-1.0.data/scripts/x"));
    assert_eq!(target("demo_scripts.data/scripts/x"), site("demo_scripts.data/scripts/x"));
    for path in [
        "../x",
        "/x",
        "a/../b",
        "demo_scripts-1.0.data/new/x",
        "demo_scripts-1.0.data/x",
        "demo_scripts-1.0.data/data",
        "demo_scripts-1.0.data/scripts/../../x",
    ] {
        assert_eq!(target(path), None, "`{path}`");
    }
}

proptest! {
    #[test]
    fn written_records_are_read_back(paths in prop::collection::vec("[ -~\u{a0}-\u{2fff}\n]{1,20}", 0..20)) {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        for path in &paths {
            let digest = BASE64URL_NOPAD.encode(&Sha256::digest(path.as_bytes()));
            writer.write_record([path.as_str(), &format!("sha256={digest}"), &path.len().to_string()]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let found: Vec<_> = rows(&bytes).map(Result::unwrap).collect();
        prop_assert_eq!(found.len(), paths.len());
        for (row, path) in found.iter().zip(&paths) {
            let digest: [u8; 32] = Sha256::digest(path.as_bytes()).into();
            prop_assert_eq!(row, &Row { path: path.into(), digest: Some(digest), size: Some(path.len() as u64) });
        }
    }

    #[test]
    fn a_location_never_leaves_by_itself(path in "[./\\\\a:\0]{0,12}") {
        if let Some(location) = Location::parse(&path) {
            let plain = |component| matches!(component, std::path::Component::Normal(_));
            prop_assert!(location.rest.components().all(plain) && location.rest != Path::new(""));
        }
    }
}
