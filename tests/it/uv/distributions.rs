//! Names, versions, tags and the small files of distributions.

use std::cmp::Ordering;
use std::ffi::OsStr;

use cachetui::uv::distribution::{
    DirectUrl, WheelFilename, compare_versions, installer, is_compiled, is_private, is_private_row,
    metadata_name_version, normalize, parse_dist_info, same_version, script_names, wheel_tags,
};

#[test]
fn names_have_one_normal_form() {
    for name in ["Friendly-Bard", "FRIENDLY_BARD", "friendly.bard", "friendly--bard", "FrIeNdLy-._.-bArD"] {
        assert_eq!(normalize(name), "friendly-bard", "`{name}`");
    }
    assert_eq!(normalize(""), "");
    assert_eq!(normalize("_a_"), "-a-");
}

#[test]
fn a_dist_info_names_distribution_and_version() {
    let read = |name: &str| parse_dist_info(OsStr::new(name)).map(|found| (found.name, found.version));
    let expect = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
    assert_eq!(read("demo_a-1.0.dist-info"), expect("demo_a", "1.0"));
    assert_eq!(read("demo_a-1.0.post1+local.2.dist-info"), expect("demo_a", "1.0.post1+local.2"));
    assert_eq!(read("old-name-1.0.dist-info"), expect("old-name", "1.0"));
    for name in [
        "demo_a-1.0.egg-info",
        "demo_a.dist-info",
        "-1.0.dist-info",
        "a-.dist-info",
        ".dist-info",
        "~emo_a-1.0.dist-info",
        "a-1.0.dist-info.bak",
        "",
    ] {
        assert_eq!(read(name), None, "`{name}`");
    }
}

#[test]
fn versions_compare_as_pep_440_says() {
    let rising = [
        "not a version",
        "zebra",
        "0.9",
        "1.0.dev1",
        "1.0a1",
        "1.0rc1",
        "1.0",
        "1.0+local.2",
        "1.0.post1",
        "1.9",
        "1.10",
        "1!0.1",
    ];
    for (index, left) in rising.iter().enumerate() {
        for (other, right) in rising.iter().enumerate() {
            assert_eq!(compare_versions(left, right), index.cmp(&other), "`{left}` and `{right}`");
        }
    }
    assert_eq!(compare_versions("1.0", "1.0.0"), Ordering::Equal);
    assert!(
        same_version("1.0", "1.0.0")
            && same_version("1.0-1", "1.0.post1")
            && same_version("1.0_local", "1.0+local")
    );
    assert!(same_version("odd", "odd") && !same_version("odd", "Odd") && !same_version("1.0", "1.0.post1"));
    assert!(!same_version(&"1.".repeat(100_000), "1"));
}

#[test]
fn wheel_names_are_taken_apart() {
    let wheel = WheelFilename::parse("demo_a-1.0-2b-py2.py3-none-manylinux1_x86_64.manylinux2010_x86_64.whl")
        .unwrap();
    assert_eq!(
        (wheel.name.as_str(), wheel.version.as_str(), wheel.build.as_deref()),
        ("demo_a", "1.0", Some("2b"))
    );
    assert_eq!(
        wheel.tags,
        [
            "py2-none-manylinux1_x86_64",
            "py2-none-manylinux2010_x86_64",
            "py3-none-manylinux1_x86_64",
            "py3-none-manylinux2010_x86_64"
        ]
    );
    assert_eq!(WheelFilename::parse_stem("demo_a-1.0-py3-none-any").unwrap().tags, ["py3-none-any"]);
    for name in [
        "demo_a-1.0-py3-none-any",
        "1.0-py3-none-any.whl",
        "a-1-x-py3-none-any.whl",
        "a--py3-none-any.whl",
        "a/b-1-py3-none-any.whl",
        ".whl",
    ] {
        assert_eq!(WheelFilename::parse(name), None, "`{name}`");
    }
    let many = format!("a-1-{}-{}-any", "p.".repeat(5_000), "n.".repeat(5_000));
    assert_eq!(WheelFilename::parse_stem(&many).unwrap().tags.len(), 256);
}

#[test]
fn headers_are_read_until_the_first_empty_line() {
    let metadata = b"Metadata-Version: 2.1\r\nname:  Demo_A \r\nSummary: x\r\n Name: folded\r\nVersion: 1.0\r\nVersion: 2.0\r\n\r\nName: body\r\n";
    assert_eq!(metadata_name_version(metadata), (Some("Demo_A".into()), Some("1.0".into())));
    assert_eq!(metadata_name_version(b"\n\nName: late\n"), (None, None));
    assert_eq!(metadata_name_version(b"Name: \xff\n"), (Some("\u{fffd}".into()), None));
    assert_eq!(
        wheel_tags(b"Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\nTag:\n"),
        ["py2-none-any", "py3-none-any"]
    );
    assert_eq!(wheel_tags(&b"Tag: x\n".repeat(100_000)).len(), 256);
    assert_eq!(installer(b"uv"), Some("uv".into()));
    assert_eq!(installer(b"\n pip\r\n"), Some("pip".into()));
    assert_eq!(installer(b" \n"), None);
}

#[test]
fn a_direct_url_tells_what_was_installed() {
    let editable = DirectUrl::parse(br#"{"url":"file:///srv/p","dir_info":{"editable":true}}"#).unwrap();
    assert!(editable.editable && editable.local_directory && editable.url == "file:///srv/p");
    let directory = DirectUrl::parse(br#"{"url":"file:///srv/p","dir_info":{}}"#).unwrap();
    assert!(!directory.editable && directory.local_directory);
    let git = DirectUrl::parse(br#"{"url":"https://h/r","subdirectory":"sub","vcs_info":{"vcs":"git","commit_id":"abc","requested_revision":"main"}}"#).unwrap();
    assert_eq!(
        (git.vcs.as_deref(), git.commit.as_deref(), git.subdirectory.as_deref()),
        (Some("git"), Some("abc"), Some("sub"))
    );
    let archive = DirectUrl::parse(br#"{"url":"https://h/x.whl","archive_info":{}}"#).unwrap();
    assert_eq!(archive, DirectUrl { url: "https://h/x.whl".into(), ..DirectUrl::default() });
    for bytes in [&b""[..], b"{}", b"[]", b"null", br#"{"url":1}"#, br#"{"url":"x","dir_info":[]"#] {
        assert_eq!(DirectUrl::parse(bytes), None, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn files_that_installers_write_are_private() {
    for path in [
        "a-1.dist-info/RECORD",
        "a-1.dist-info/INSTALLER",
        "a-1.dist-info/REQUESTED",
        "a-1.dist-info/direct_url.json",
        "a-1.dist-info/uv_cache.json",
        "a-1.dist-info/uv_build.json",
        "__pycache__/x.cpython-311.pyc",
        "a/__pycache__/x.pyc",
        // uv copies every file of that name.
        "a-1.dist-info/licenses/RECORD",
        "a/_vendor/b-1.dist-info/RECORD",
    ] {
        assert!(is_private(path), "`{path}`");
    }
    for path in [
        "a-1.dist-info/METADATA",
        "a-1.dist-info/pbr.json",
        "a/x.pyc",
        "a/__pycache__/x.py",
        "",
        "a-1.dist-info",
    ] {
        assert!(!is_private(path), "`{path}`");
    }
}

#[test]
fn what_a_wheel_brings_compiled_is_known_by_its_digest() {
    let (compiled, digest) = ("numpy/__pycache__/core.cpython-310.pyc", Some(&[7; 32]));
    assert!(is_compiled(compiled) && is_private_row(compiled, None) && !is_private_row(compiled, digest));
    // Without a module beside it nobody can make it anew.
    assert!(!is_compiled("closed/core.pyc") && !is_private_row("closed/core.pyc", digest));
    assert!(is_private_row("numpy-2.2.6.dist-info/RECORD", digest));
}

#[test]
fn the_names_of_generated_scripts_are_those_of_two_sections() {
    let text = "# generated\n[console_scripts]\nflask = flask.cli:main\n ; no = more\nf2py=numpy.f2py:main [extra]\n\n\
                [gui_scripts]\nwindow = app:run\n[flask.commands]\nother = a:b\n[broken\nflask2 = c:d\n";
    assert_eq!(script_names(text).collect::<Vec<_>>(), ["flask", "f2py", "window"]);
    assert_eq!(script_names("name = outside").count(), 0);
}
