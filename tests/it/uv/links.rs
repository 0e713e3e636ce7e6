//! Link files, `.venv` files and the texts of symlinks.

use std::path::{Path, PathBuf};

use cachetui::uv::link::{archive_target, archive_targets};
use cachetui::uv::link_file::{
    ArchiveTarget, LONGEST_FILE, LinkFile, LinkFileError, encode_text, encode_wide, parse, parse_venv_file,
    path_to_wide, wide_to_path, wide_to_wtf8, wtf8_to_wide,
};
use proptest::prelude::*;

use crate::support::told::told;

fn text(bucket: &str, id: &str) -> LinkFile {
    LinkFile::Text(ArchiveTarget { bucket: bucket.to_owned(), id: id.to_owned() })
}

fn wide(path: &str) -> Vec<u16> {
    path.encode_utf16().collect()
}

#[test]
fn the_text_form_is_exact() {
    assert_eq!(parse(b"archive-v0/CtlZus2r5JH78fNw"), Ok(text("archive-v0", "CtlZus2r5JH78fNw")));
    assert_eq!(parse(b"archive-v12/-x_"), Ok(text("archive-v12", "-x_")));
    let malformed: [(&[u8], LinkFileError); 14] = [
        (b"", LinkFileError::Empty),
        (b"archive-v0/CtlZus2r5JH78fNw\n", LinkFileError::WhiteSpace),
        (b"archive-v0/CtlZus2r5JH78fNw\r\n", LinkFileError::WhiteSpace),
        (b" archive-v0/CtlZus2r5JH78fNw", LinkFileError::WhiteSpace),
        (b"\xef\xbb\xbfarchive-v0/CtlZus2r5JH78fNw", LinkFileError::ByteOrderMark),
        (b"archive-v0\\CtlZus2r5JH78fNw", LinkFileError::Backslash),
        (b"archive-v0/", LinkFileError::NotExact),
        (b"archive-v0", LinkFileError::NotExact),
        (b"archive-v00/x", LinkFileError::NotExact),
        (b"archive-v0/../x", LinkFileError::NotExact),
        (b"archive-v0/..", LinkFileError::NotExact),
        (b"archive-v0/a/b", LinkFileError::NotExact),
        (b"/cache/archive-v0/abc", LinkFileError::NotExact),
        (b"archive-v0/ab\xffc", LinkFileError::NotExact),
    ];
    for (bytes, error) in malformed {
        assert_eq!(parse(bytes), Err(error), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn the_wide_form_puts_the_more_significant_byte_first() {
    assert_eq!(encode_wide(&wide("C:\\ü")), b"\0C\0:\0\\\0\xfc");
    assert_eq!(parse(b"\0C\0:\0\\\0\xfc"), Ok(LinkFile::Wide(wide("C:\\ü"))));
    assert_eq!(parse(b"\0C\0:\0"), Err(LinkFileError::OddLength));
    assert_eq!(parse(b"\0C\0\0\0:"), Err(LinkFileError::Nul));
    assert_eq!(parse(&vec![b'x'; LONGEST_FILE + 1]), Err(LinkFileError::TooLong));
}

#[test]
fn a_wide_path_through_an_archive_bucket_is_not_taken_for_text() {
    let units = wide("\\\\?\\C:\\uvcache\\archive-v0\\CtlZus2r5JH78fNw");
    assert_eq!(parse(&encode_wide(&units)), Ok(LinkFile::Wide(units.clone())));
    let found = archive_target(&wide_to_path(&units)).unwrap();
    assert_eq!(found.id, "CtlZus2r5JH78fNw");
}

#[test]
fn unpaired_surrogates_survive() {
    let units = [0x43, 0x3a, 0x5c, 0xd800, 0x61, 0xdc00, 0xd83d, 0xde00, 0xdbff];
    assert_eq!(parse(&encode_wide(&units)), Ok(LinkFile::Wide(units.to_vec())));
    assert_eq!(path_to_wide(&wide_to_path(&units)).as_deref(), Some(&units[..]));
    assert_eq!(wide_to_wtf8(&[0xd800]), b"\xed\xa0\x80");
    assert_eq!(wtf8_to_wide(b"\xed\xa0\x80\xed\xb0\x80"), None, "a pair written as two");
    assert_eq!(wtf8_to_wide(b"\xff"), None);
    assert_eq!(wtf8_to_wide(b"\xed\xa0"), None);
    assert_eq!(wtf8_to_wide(b"\xed\xa0\x80a\xed\xb0\x80"), Some(vec![0xd800, 0x61, 0xdc00]));
}

#[test]
fn a_venv_file_holds_one_path() {
    assert_eq!(
        parse_venv_file(b"/cache/environments-v2/p-cp3.11.7-0123456789abcdef"),
        Ok("/cache/environments-v2/p-cp3.11.7-0123456789abcdef".into())
    );
    assert_eq!(parse_venv_file(b"C:\\env\r\n"), Ok("C:\\env".into()));
    assert_eq!(parse_venv_file(b"../a b\n"), Ok("../a b".into()));
    assert_eq!(parse_venv_file(b" \n"), Err(LinkFileError::Empty));
    // The first line counts (PEP 832).
    assert_eq!(parse_venv_file(b"a\nb"), Ok("a".into()));
    assert_eq!(parse_venv_file(b"a\rb"), Err(LinkFileError::ManyLines));
    assert_eq!(parse_venv_file(b"a\0"), Err(LinkFileError::Nul));
}

/// A reading of a link text: prefix, id and rest.
fn reading(link: &str) -> Option<(String, String, String)> {
    let shown = |path: PathBuf| told(path.to_str().unwrap());
    archive_target(Path::new(link))
        .map(|found| (shown(found.prefix), found.id.into_string().unwrap(), shown(found.rest)))
}

#[test]
fn a_link_text_is_taken_apart_at_the_bucket() {
    let cases = [
        ("../../../../archive-v0/0nJOCemYucK86cWR", "../../../..", "0nJOCemYucK86cWR", ""),
        ("/srv/demo/cache/archive-v0/_id", "/srv/demo/cache", "_id", ""),
        ("/archive-v0/-id/a/b.py", "/", "-id", "a/b.py"),
        ("archive-v0/id", "", "id", ""),
        ("/p/real/../link/archive-v0/id/demo_a/core.py", "/p/real/../link", "id", "demo_a/core.py"),
        ("/c/archive-v3/id/", "/c", "id", ""),
        ("/c/archive-v0/id/tests/archive-v0/other/x", "/c", "id", "tests/archive-v0/other/x"),
        ("/archive-v0/../archive-v0/id", "/archive-v0/..", "id", ""),
    ];
    for (link, prefix, id, rest) in cases {
        assert_eq!(reading(link), Some((prefix.into(), id.into(), rest.into())), "`{link}`");
    }
    for link in [
        "",
        "/",
        "archive-v0",
        "/c/archive-v0/",
        "/c/archive-v0/..",
        "/c/wheels-v7/id",
        "/c/archive-v0/id/../other",
        "/c/archive-v00/id",
    ] {
        assert_eq!(reading(link), None, "`{link}`");
    }
}

#[cfg(unix)]
#[test]
fn a_link_text_of_windows_is_understood_elsewhere() {
    let expected = Some(("C:\\uvcache".into(), "yQlJIUx3OriAyD64".into(), "Lib/x.py".into()));
    assert_eq!(reading("C:\\uvcache\\archive-v0\\yQlJIUx3OriAyD64\\Lib\\x.py"), expected);
    assert_eq!(reading("C:/uvcache\\archive-v0/yQlJIUx3OriAyD64\\Lib/x.py"), expected);
    assert_eq!(
        reading("\\\\host\\share\\archive-v0\\id"),
        Some(("\\\\host\\share".into(), "id".into(), String::new()))
    );
    assert_eq!(reading("..\\..\\archive-v0\\id"), Some(("..\\..".into(), "id".into(), String::new())));
    assert_eq!(reading("/home/a\\archive-v0\\id"), None, "a backslash in a name of this system");
}

#[test]
fn every_reading_of_an_ambiguous_link_is_offered() {
    let found = archive_targets(Path::new("/archive-v0/outer/cache/archive-v0/inner/x"));
    let prefixes: Vec<_> =
        found.iter().map(|reading| (reading.prefix.as_path(), reading.id.to_str().unwrap())).collect();
    assert_eq!(prefixes, [(Path::new("/"), "outer"), (Path::new("/archive-v0/outer/cache"), "inner")]);
}

proptest! {
    #[test]
    fn any_wide_path_survives(units in prop::collection::vec(1_u16.., 1..80)) {
        prop_assert_eq!(parse(&encode_wide(&units)), Ok(LinkFile::Wide(units.clone())));
        prop_assert_eq!(path_to_wide(&wide_to_path(&units)), Some(units.clone()));
        prop_assert_eq!(wtf8_to_wide(&wide_to_wtf8(&units)), Some(units));
    }

    #[test]
    fn any_text_link_survives(version in 0_u32.., id in "[A-Za-z0-9_-]{1,64}") {
        let target = ArchiveTarget { bucket: format!("archive-v{version}"), id };
        prop_assert_eq!(parse(&encode_text(&target)), Ok(LinkFile::Text(target)));
    }

    #[test]
    fn what_wtf8_is_read_as_is_written_as_again(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some(units) = wtf8_to_wide(&bytes) {
            prop_assert_eq!(wide_to_wtf8(&units), bytes);
        }
    }

    #[test]
    fn a_text_link_with_anything_around_it_is_malformed(before in prop::collection::vec(any::<u8>(), 0..4), after in prop::collection::vec(any::<u8>(), 0..4)) {
        let bytes = [&before[..], b"archive-v0/CtlZus2r5JH78fNw", &after[..]].concat();
        let exact = before.is_empty() && cachetui::uv::archive_id::is_archive_id(std::ffi::OsStr::new(&String::from_utf8_lossy(&bytes[11..]).into_owned()));
        prop_assert_eq!(parse(&bytes).is_ok(), exact);
    }
}
