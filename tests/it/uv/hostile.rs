//! Every parser, fed with what no uv writes: it answers, and does not panic.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use cachetui::uv::archive_id::is_archive_id;
use cachetui::uv::bucket::Bucket;
use cachetui::uv::distribution::{
    DirectUrl, WheelFilename, compare_versions, installer, is_private, metadata_name_version, normalize,
    parse_dist_info, wheel_tags,
};
use cachetui::uv::link::{archive_target, archive_targets};
use cachetui::uv::link_file::{self, LinkFile, wide_to_path, wtf8_to_wide};
use cachetui::uv::pointer::{Payload, parse_http, parse_rev, parse_revision};
use cachetui::uv::record::{Location, Scheme, data_target, rows};
use cachetui::uv::root::{Platform, RootInputs, resolve_on};
use cachetui::uv::shard::{key_version, place};
use cachetui::uv::{environment, interpreter};
use proptest::prelude::*;

use crate::support::fixture::{ALL, Fixture};

/// Feeds bytes to every parser of bytes, and checks what must hold for any answer.
fn feed(bytes: &[u8]) {
    for payload in [parse_http(bytes), parse_rev(bytes), parse_revision(bytes)].into_iter().flatten() {
        let id = match payload {
            Payload::Archive(archive) => archive.id,
            Payload::Revision { id } => id,
        };
        assert!(is_archive_id(OsStr::new(&id)));
    }
    if let Ok(record) = interpreter::parse(bytes) {
        assert!(!record.prefix.as_os_str().is_empty());
    }
    match link_file::parse(bytes) {
        Ok(LinkFile::Text(target)) => assert_eq!(link_file::encode_text(&target), bytes),
        Ok(LinkFile::Wide(units)) => {
            assert_eq!(link_file::encode_wide(&units), bytes);
            feed_path(&wide_to_path(&units));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    assert!(
        link_file::parse_venv_file(bytes).is_ok_and(|path| !path.as_os_str().is_empty())
            || link_file::parse_venv_file(bytes).is_err()
    );
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let mut count = 0;
    for row in rows(bytes) {
        count += 1;
        if let Ok(row) = row {
            feed_location(&row.path);
        }
    }
    assert!(count <= lines);
    assert!(environment::parse(bytes).version.is_none_or(|version| version.split('.').count() <= 3));
    assert!(wheel_tags(bytes).len() <= lines && installer(bytes).is_none_or(|name| !name.is_empty()));
    assert!(metadata_name_version(bytes).0.is_none_or(|name| !name.is_empty()));
    assert!(DirectUrl::parse(bytes).is_none() || bytes.contains(&b'{') || bytes.contains(&b'['));
    assert!(wtf8_to_wide(bytes).is_none_or(|units| units.len() <= bytes.len()));
}

/// Feeds a path of a `RECORD` to what turns it into a path on disk.
fn feed_location(text: &str) {
    if let Some(location) = Location::parse(text) {
        assert!(location.rest.is_relative());
    }
    if let Some(target) = data_target(text, &Scheme { scripts: "bin", python: "python3.11" }, "demo") {
        assert!(target.path.is_relative());
    }
}

/// Feeds a text to every parser of names.
fn feed_text(text: &str) {
    feed_location(text);
    let name = OsStr::new(text);
    assert!(Bucket::parse(name).is_none_or(|bucket| bucket.to_string() == text));
    assert!(
        parse_dist_info(name)
            .is_none_or(|found| text == format!("{}-{}.dist-info", found.name, found.version))
    );
    assert!(WheelFilename::parse(text).is_none_or(|wheel| !wheel.tags.is_empty()));
    assert_eq!(normalize(&normalize(text)), normalize(text));
    assert_eq!(compare_versions(text, text), std::cmp::Ordering::Equal);
    assert!(!is_private(text) || text.contains('/'));
    assert!(key_version(text, "demo").is_none_or(|version| text.contains(&version)));
    feed_path(Path::new(text));
}

fn feed_path(path: &Path) {
    let first = archive_target(path);
    assert_eq!(archive_targets(path).first(), first.as_ref());
    if let Some(found) = first {
        assert!(is_archive_id(&found.id) && found.rest.components().all(|part| part.as_os_str() != ".."));
    }
    assert_eq!(place(path), place(path));
}

/// Files of all samples that some parser reads: of each sample one of each kind, without twins.
fn real_files() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for name in ALL {
        let fixture = Fixture::unpack(name);
        let mut kinds = BTreeSet::new();
        for path in fixture.files().into_iter().filter(|path| !path.is_symlink()) {
            let file_name = path.file_name().unwrap().to_string_lossy().into_owned();
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let kind = match extension.as_str() {
                "http" | "rev" if file_name.starts_with("revision") => file_name,
                "http" | "rev" | "msgpack" | "cfg" => extension,
                _ if file_name.ends_with("-none-any") => "link file".to_owned(),
                _ if KINDS.contains(&file_name.as_str()) => file_name,
                _ => continue,
            };
            let bytes = fs::read(&path).unwrap();
            if bytes.len() < 2_500 && !found.contains(&bytes) && kinds.insert(kind) {
                found.push(bytes);
            }
        }
    }
    found
}

/// The names of files that are read wherever they lie.
const KINDS: [&str; 5] = ["RECORD", "METADATA", "WHEEL", "INSTALLER", "direct_url.json"];

/// A budget per group of broken files, far above what the parsers need, so that only runaway work exceeds it.
const BUDGET: Duration = Duration::from_secs(120);

fn within_budget(work: impl FnOnce() + Send + 'static) {
    let (done, finished) = std::sync::mpsc::channel();
    #[expect(clippy::disallowed_methods, reason = "a hang must fail the test instead of stopping it")]
    let worker = std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match finished.recv_timeout(BUDGET) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("still busy after {BUDGET:?}"),
        _ => worker.join().unwrap(),
    }
}

#[test]
fn real_files_cut_at_every_byte_are_answered() {
    let files = real_files();
    // Not all samples can be unpacked where there are no symlinks.
    assert!(files.len() > if cfg!(windows) { 4 } else { 30 }, "{}", files.len());
    within_budget(move || {
        for bytes in &files {
            for length in 0..bytes.len() {
                feed(&bytes[..length]);
            }
        }
    });
}

#[test]
fn real_files_with_flipped_bits_are_answered() {
    let files = real_files();
    within_budget(move || {
        for bytes in &files {
            let mut broken = bytes.clone();
            for index in 0..broken.len() {
                let flip = [1, 0x80, 0xff, 0x10][index % 4];
                broken[index] ^= flip;
                feed(&broken);
                broken[index] ^= flip;
            }
        }
    });
}

#[test]
fn a_record_of_quotes_is_read_in_time() {
    within_budget(|| {
        for pattern in [&b"\"\n"[..], b"\"a\n", b"\"\"\"\n", b"a\"\n", b"\",\n\n"] {
            feed(&pattern.repeat(20_000));
        }
        let mut open = b"\"open,,\n".to_vec();
        open.extend_from_slice(&b"\"x\",,\n".repeat(50_000));
        assert!(rows(&open).flatten().count() >= 49_999);
    });
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        feed(&bytes);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        feed_text(&text);
        feed(text.as_bytes());
    }

    #[test]
    fn any_arrangement_of_familiar_parts_is_answered(parts in prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..12)) {
        let text = parts.concat();
        feed_text(&text);
        feed(text.as_bytes());
    }

    #[test]
    fn any_configuration_gives_an_absolute_root_or_an_error(texts in prop::collection::vec("[a-z=\\[\\]\" .\\-\n/*]{0,40}", 4), value in "\\PC{0,12}", platform in 0..3_usize) {
        let read = |path: &Path| texts.get(path.as_os_str().len() % 5).cloned();
        let variable = |name: &str| name.len().is_multiple_of(3).then(|| value.clone().into());
        let inputs = RootInputs { flag: None, variable: &variable, read: &read, is_dir: &|_| true, current_dir: Path::new(HERE), home: None };
        // What is absolute elsewhere is not so on Windows, and the other way round.
        let platforms = if cfg!(windows) { [Platform::Windows; 3] } else { [Platform::Unix, Platform::MacOs, Platform::Windows] };
        let platform = platforms[platform];
        if let Ok(root) = resolve_on(platform, &inputs) {
            prop_assert!(root.path.is_absolute() && !root.found_by.is_empty());
        }
    }
}

/// The current directory.
const HERE: &str = if cfg!(windows) { r"C:\a\b\c" } else { "/a/b/c" };

/// What hostile names are put together from.
const PARTS: [&str; 28] = [
    "archive-v0",
    "wheels-v7",
    "sdists-v10",
    "environments-v2",
    "/",
    "\\",
    "..",
    ".",
    "C:",
    "-",
    "c4b871378a779d5b",
    "index",
    "git",
    "url",
    "pypi",
    ".http",
    ".rev",
    ".data",
    ".dist-info",
    "demo-1.0",
    "scripts",
    "\"",
    ",",
    "\n",
    "\0",
    "sha256=",
    "\u{e4}",
    "name: x\n",
];
