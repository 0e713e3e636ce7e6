//! `pyvenv.cfg` and places in the cache.

use std::path::Path;

use cachetui::uv::environment::{Maker, PyvenvCfg, parse};
use cachetui::uv::shard::{Place, SdistSource, WheelSource, key_version, place};

#[test]
fn makers_are_told_by_their_keys() {
    let uv = parse(b"home = /usr/bin\nimplementation = CPython\nuv = 0.13.8\nversion_info = 3.11.7\ninclude-system-site-packages = false\nprompt = proj\nrelocatable = true\nextends-environment = /e\n");
    let expected = PyvenvCfg {
        home: Some("/usr/bin".into()),
        implementation: Some("CPython".into()),
        uv: Some("0.13.8".into()),
        version: Some("3.11.7".into()),
        prompt: Some("proj".into()),
        relocatable: true,
        extends: Some("/e".into()),
        ..PyvenvCfg::default()
    };
    assert_eq!(uv, expected);
    assert_eq!(uv.maker(), Maker::Uv);

    let virtualenv = parse(b"home = /usr/bin\nimplementation = CPython\nversion_info = 3.11.7.final.0\nvirtualenv = 21.15.7\ninclude-system-site-packages = true\nbase-prefix = /usr\nversion = 3.11.7\n");
    assert_eq!((virtualenv.maker(), virtualenv.version.as_deref()), (Maker::Virtualenv, Some("3.11.7")));
    assert!(virtualenv.include_system);

    let venv = parse(b"home = /usr/bin\r\ninclude-system-site-packages = false\r\nversion = 3.13.0rc1\r\nexecutable = /usr/bin/python3.13\r\ncommand = /usr/bin/python3 -m venv --prompt='x' /tmp/v\r\nprompt = 'x'\r\n");
    assert_eq!(
        (venv.maker(), venv.version.as_deref(), venv.prompt.as_deref()),
        (Maker::Venv, Some("3.13.0rc1"), Some("x"))
    );
    assert_eq!(parse(b"home = /usr/bin\n").maker(), Maker::Unknown);
}

#[test]
fn a_pyvenv_cfg_of_any_form_is_read() {
    let odd =
        parse(b"\xef\xbb\xbf HOME=/a = b\n=\n====\n\nnothing\nuv=\nhome\nprompt =  '\nversion = 1.2.3.4.5");
    assert_eq!(odd.home.as_deref(), Some(Path::new("/a = b")));
    assert_eq!((odd.uv, odd.prompt.as_deref(), odd.version.as_deref()), (None, Some("'"), Some("1.2.3")));
    assert_eq!(parse(b"home = /a\nhome = /b\n").home.as_deref(), Some(Path::new("/b")));
    assert_eq!(parse(b"home = /a\0b\n").home, None);
    assert_eq!(parse(b""), PyvenvCfg::default());
}

fn wheel(source: WheelSource, package: &str, key: &str) -> Place {
    Place::Wheel { source, package: package.into(), key: key.into() }
}

fn built(source: SdistSource, named: Option<(&str, &str)>, revision: Option<&str>) -> Place {
    let (package, version) = named.map(|(package, version)| (package.to_owned(), version.to_owned())).unzip();
    Place::BuiltWheel { source, package, version, revision: revision.map(str::to_owned) }
}

#[test]
fn places_tell_source_and_package() {
    let hex = || "c4b871378a779d5b".to_owned();
    let cases = [
        (
            "wheels-v7/pypi/numpy/2.1.0-cp312-cp312-x.http",
            wheel(WheelSource::Pypi, "numpy", "2.1.0-cp312-cp312-x"),
        ),
        (
            "wheels-v7/index/c4b871378a779d5b/demo-a/1.0-py3-none-any",
            wheel(WheelSource::Index(hex()), "demo-a", "1.0-py3-none-any"),
        ),
        (
            "wheels-v3/url/c4b871378a779d5b/demo-c/demo_c-1.0-py3-none-any.rev",
            wheel(WheelSource::Url(hex()), "demo-c", "demo_c-1.0-py3-none-any"),
        ),
        (
            "wheels-v7/git/c4b871378a779d5b/0123abc/demo/1.0-py3-none-any.http",
            wheel(WheelSource::Git(hex()), "demo", "1.0-py3-none-any"),
        ),
        (
            "sdists-v10/pypi/demo-sd/1.0/revision.http",
            built(SdistSource::Pypi, Some(("demo-sd", "1.0")), None),
        ),
        (
            "sdists-v6/index/c4b871378a779d5b/demo-sd/1.0/vWW2/demo_sd-1.0-py3-none-any",
            built(SdistSource::Index(hex()), Some(("demo-sd", "1.0")), Some("vWW2")),
        ),
        (
            "sdists-v10/path/c4b871378a779d5b/rev/0011223344556677/demo_sd-1.0-py3-none-any",
            built(SdistSource::Path(hex()), Some(("demo_sd", "1.0")), Some("rev")),
        ),
        (
            "sdists-v10/editable/c4b871378a779d5b/revision.rev",
            built(SdistSource::Editable(hex()), None, None),
        ),
        ("sdists-v10/url/c4b871378a779d5b/revision.http", built(SdistSource::Url(hex()), None, None)),
        (
            "sdists-v10/git/c4b871378a779d5b/0123456789abcdef/demo-1.0-py3-none-any",
            built(SdistSource::Git(hex()), Some(("demo", "1.0")), Some("0123456789abcdef")),
        ),
        ("environments-v2/7fe2c1040d4a8780/3d3742567092b5f4", Place::CachedEnvironment),
        ("environments-v2/7fe2c1040d4a8780/3d3742567092b5f4.lock", Place::CachedEnvironment),
        ("environments-v2/proj-cp3.11.7-ceb36c69b94d55de", Place::ProjectEnvironment),
        ("environments-v2/my-proj-pypy3.10.1-ceb36c69b94d55de/Lib/x", Place::ProjectEnvironment),
        ("environments-v2/my-script-ceb36c69b94d55de", Place::ScriptEnvironment),
        ("environments-v2/my-script-ceb36c69b94d55de/pyvenv.cfg", Place::ScriptEnvironment),
        ("environments-v2/7fe2c1040d4a8780", Place::Other),
        ("environments-v2/7fe2c1040d4a8780/pyvenv.cfg", Place::ScriptEnvironment),
        ("environments-v2/short-abc", Place::Other),
        ("archive-v0/id", Place::Other),
        ("wheels-v7/pypi/numpy", Place::Other),
        ("wheels-v7/new/numpy/1", Place::Other),
        ("wheels-v7/../x", Place::Other),
        ("/wheels-v7/pypi/numpy/1.0-py3", Place::Other),
        ("", Place::Other),
    ];
    for (path, expected) in cases {
        assert_eq!(place(Path::new(path)), expected, "`{path}`");
    }
}

#[test]
fn a_key_tells_the_version() {
    let read = |key: &str| key_version(key, "demo-a");
    assert_eq!(read("1.0.post1+local.2-py3-none-any").as_deref(), Some("1.0.post1+local.2"));
    assert_eq!(read("demo_a-2.0-py3-none-any").as_deref(), Some("2.0"));
    assert_eq!(read("2.1.0-0123456789abcdef").as_deref(), Some("2.1.0"));
    assert_eq!(read("1.0-2-cp312-cp312-linux_x86_64").as_deref(), Some("1.0"), "a build number");
    assert_eq!(read("demo_a-1.0-2-cp312-cp312-linux_x86_64").as_deref(), Some("1.0"), "a build number");
    assert_eq!(key_version("7zip-1.0-py3-none-any", "7zip").as_deref(), Some("1.0"));
    assert_eq!(read("nonsense"), None);
    assert_eq!(read("demo_a"), None);
}
