//! Hostile input: nothing panics or hangs, what cannot be read is listed, and everything else is still shown.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

/// A small cache and one environment, which must look the same whatever lies beside them.
struct Scene {
    sandbox: Sandbox,
    before: Value,
    _directory: TempDir,
}

impl Scene {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let sandbox = Sandbox::new(directory.path())?;
        let wheels = sandbox.path("wheels");
        Wheel::new("good-a", "1.0").entry_point().bulk("good_a/bulk.bin", 8).save(&wheels);
        Wheel::new("good-b", "1.0").bulk("good_b/bulk.bin", 8).save(&wheels);
        let arguments = ["--no-index", "--find-links", wheels.to_str().unwrap(), "good-a", "good-b"];
        sandbox.install("good", "hardlink", &arguments);
        let mut scene = Self { sandbox, before: Value::Null, _directory: directory };
        scene.before = scene.good(&scene.sandbox.json(&["list"]), &scene.sandbox.json(&["envs"]));
        Some(scene)
    }

    /// What is said of the good entries and the good environment.
    fn good(&self, list: &Value, envs: &Value) -> Value {
        let entries: Vec<Value> = list["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["name"].as_str().is_some_and(|name| name.starts_with("good-")))
            .map(|row| {
                let users = row["users"].as_array().unwrap();
                // Whatever is called like a good distribution stands here too, proven by nothing but its name.
                let proven: Vec<&Value> = users.iter().filter(|user| user["evidence"] != "name").collect();
                json!([row["name"], row["files"], row["bytes"], proven, row["links"], row["state"]])
            })
            .collect();
        let good = self.environment();
        let environments: Vec<Value> = envs["environments"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["path"] == good.to_str().unwrap())
            .map(|row| row["distributions"].clone())
            .collect();
        assert_eq!((entries.len(), environments.len()), (2, 1));
        json!([entries, environments])
    }

    fn environment(&self) -> PathBuf {
        self.sandbox.roots().join("good/.venv")
    }

    fn bucket(&self, name: &str) -> PathBuf {
        self.sandbox.cache().join(name)
    }

    /// Looks again, and answers the problems.
    fn look(&self) -> Vec<Value> {
        let list = self.sandbox.json(&["list"]);
        assert_eq!(
            self.good(&list, &self.sandbox.json(&["envs"])),
            self.before,
            "everything else is still shown"
        );
        for command in [&["list", "--verbose"][..], &["envs", "--dists"], &["links"], &["why", "good-a"]] {
            let output = ran(&mut self.sandbox.cachetui(command));
            for text in [output.stdout, output.stderr] {
                let hostile =
                    |it: char| it != '\n' && (it.is_control() || ('\u{202a}'..='\u{202e}').contains(&it));
                let text = String::from_utf8(text).unwrap();
                assert_eq!(text.chars().find(|it| hostile(*it)), None, "{command:?} prints {text:?}");
            }
        }
        list["problems"].as_array().unwrap().clone()
    }
}

fn tells_of(problems: &[Value], path: &Path) -> bool {
    problems.iter().any(|problem| problem["path"].as_str().is_some_and(|it| Path::new(it) == path))
}

/// File names nobody should have.
fn names() -> Vec<Vec<u8>> {
    vec![
        b"\x1b[31mred\x1b]0;title\x07".to_vec(),
        b"new\nline\r".to_vec(),
        "bidi\u{202e}txt.exe".as_bytes().to_vec(),
        "c1\u{9b}31m".as_bytes().to_vec(),
        b"invalid\xff\xfe".to_vec(),
        b"-starts-with-a-dash".to_vec(),
        vec![b'x'; 255],
    ]
}

/// FIFOs, sockets, devices, links in circles and strange names in a directory; answers what uv never makes.
fn plant(directory: &Path) -> Vec<PathBuf> {
    let mut odd = vec![directory.join("fifo"), directory.join("socket")];
    mknodat(CWD, &odd[0], FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    mknodat(CWD, &odd[1], FileType::Socket, Mode::from_raw_mode(0o644), 0).unwrap();
    if rustix::process::geteuid().is_root() {
        odd.push(directory.join("device"));
        mknodat(CWD, &odd[2], FileType::CharacterDevice, Mode::from_raw_mode(0o644), makedev(1, 3)).unwrap();
    }
    symlink("circle", directory.join("circle")).unwrap();
    symlink("pong", directory.join("ping")).unwrap();
    symlink("ping", directory.join("pong")).unwrap();
    symlink(".", directory.join("here")).unwrap();
    symlink("../../..", directory.join("above")).unwrap();
    for name in names() {
        std::fs::write(directory.join(OsStr::from_bytes(&name)), "content").unwrap();
        let mut nested = name;
        nested.truncate(250);
        nested.extend(b".d");
        std::fs::create_dir(directory.join(OsStr::from_bytes(&nested))).unwrap();
    }
    odd
}

#[test]
fn odd_nodes_and_names_are_listed_and_hide_nothing() {
    let Some(scene) = Scene::new() else { return };
    let site = scene.environment().parent().unwrap().to_owned();
    let mut odd = Vec::new();
    for place in
        ["archive-v0", "archive-v0/Junk567890123456", "wheels-v7/index", "sdists-v10", "environments-v2"]
    {
        let place = scene.bucket(place);
        std::fs::create_dir_all(&place).unwrap();
        odd.extend(plant(&place));
    }
    let pointers = scene.bucket("wheels-v7/pypi/odd");
    std::fs::create_dir_all(&pointers).unwrap();
    for name in ["1.0-py3-none-any.http", "1.0-py3-none-any.rev", "1.0-py3-none-any"] {
        let path = pointers.join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        odd.push(path);
    }
    plant(&site);
    for name in names().iter().filter(|name| name.len() < 200) {
        let mut stem = name.clone();
        stem.extend(b"-1.0.dist-info");
        for above in [
            scene.bucket("archive-v0/Junk567890123456"),
            scene.sandbox.roots().join("odd/.venv/lib/python3.11/site-packages"),
        ] {
            let dist_info = above.join(OsStr::from_bytes(&stem));
            std::fs::create_dir_all(&dist_info).unwrap();
            std::fs::write(dist_info.join("METADATA"), [b"Name: ", &name[..], b"\nVersion: 1.0\n"].concat())
                .unwrap();
            std::fs::write(
                dist_info.join("RECORD"),
                [b"../../../../../../etc/passwd,,\n/etc/passwd,,\n", &name[..], b",,\n"].concat(),
            )
            .unwrap();
            let url = b"{\"url\":\"file:///\\u001b[31m\\u202e\"}";
            std::fs::write(dist_info.join("direct_url.json"), url).unwrap();
            std::fs::write(dist_info.join("INSTALLER"), name).unwrap();
        }
    }
    let environment = scene.sandbox.roots().join("odd/.venv");
    std::fs::write(environment.join("pyvenv.cfg"), "home = /\x1b[31m\nuv = 0.13.8\nversion_info = 3\x1b.1\n")
        .unwrap();
    odd.extend(plant(&environment));
    let record = environment.join("lib/python3.11/site-packages/fifo-1.0.dist-info/RECORD");
    std::fs::create_dir_all(record.parent().unwrap()).unwrap();
    mknodat(CWD, &record, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    odd.push(record);

    let roots = scene.sandbox.roots();
    plant(&roots);
    for (name, what) in [("a", ".venv"), ("b", "pyvenv.cfg")] {
        std::fs::create_dir(roots.join(name)).unwrap();
        symlink(what, roots.join(name).join(what)).unwrap();
        let piped = roots.join(format!("{name}-fifo"));
        std::fs::create_dir(&piped).unwrap();
        mknodat(CWD, piped.join(what), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    }
    let problems = scene.look();
    for path in odd {
        assert!(tells_of(&problems, &path), "`{}` is listed in {problems:#?}", path.display());
    }
}

#[test]
fn damaged_files_are_malformed_pointers_and_unknown_distributions() {
    let Some(scene) = Scene::new() else { return };
    let mut samples: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for item in walkdir::WalkDir::new(scene.bucket("wheels-v7")).into_iter().map(Result::unwrap) {
        if item.path().extension().is_some_and(|extension| extension == "rev") {
            samples.push((item.path().to_owned(), std::fs::read(item.path()).unwrap()));
        }
    }
    assert_eq!(samples.len(), 2);
    let damaged = scene.bucket("wheels-v7/pypi/damaged");
    std::fs::create_dir_all(&damaged).unwrap();
    let mut truncated = 0;
    for (_, bytes) in &samples {
        for length in 0..bytes.len() {
            truncated += 1;
            std::fs::write(damaged.join(format!("{truncated}.0-py3-none-any.rev")), &bytes[..length])
                .unwrap();
            let mut flipped = bytes.clone();
            flipped[length] ^= 0x80;
            std::fs::write(damaged.join(format!("{truncated}.1-py3-none-any.http")), flipped).unwrap();
            std::fs::write(damaged.join(format!("{truncated}.2-py3-none-any")), &bytes[length..]).unwrap();
        }
    }
    let python = scene.sandbox.roots().join("good/.venv/bin/python");
    let mut environments = Vec::new();
    let long = vec![b'a'; 100_000];
    let garbage: [&[u8]; 6] =
        [b"", b"\xff\xfe\x00", b"home", b"=\n=\n", b"home = \0\nuv = \x1b[31m\n", &long];
    for (number, text) in garbage.iter().enumerate() {
        let environment = scene.sandbox.roots().join(format!("garbage-{number}"));
        let info = environment.join("lib/python3.11/site-packages/good_a-1.0.dist-info");
        std::fs::create_dir_all(&info).unwrap();
        std::fs::create_dir(environment.join("bin")).unwrap();
        symlink(python.canonicalize().unwrap(), environment.join("bin/python")).unwrap();
        std::fs::write(environment.join("pyvenv.cfg"), text).unwrap();
        std::fs::write(info.join("RECORD"), text).unwrap();
        std::fs::write(info.join("INSTALLER"), text).unwrap();
        std::fs::write(info.join("direct_url.json"), text).unwrap();
        environments.push(environment);
    }
    for (number, text) in garbage.iter().enumerate() {
        let records = scene.bucket(&format!("interpreter-v5/garbage-{number}"));
        std::fs::create_dir_all(&records).unwrap();
        std::fs::write(records.join("record.msgpack"), text).unwrap();
    }
    let problems = scene.look();
    let records =
        problems.iter().filter(|it| it["path"].as_str().unwrap().ends_with("record.msgpack")).count();
    assert_eq!(records, garbage.len(), "{problems:#?}");
    let links = scene.sandbox.json(&["links"]);
    let rows = links["pointers"].as_array().unwrap();
    for number in 1..=truncated {
        let path = format!("wheels-v7/pypi/damaged/{number}.0-py3-none-any.rev");
        let row = rows
            .iter()
            .find(|row| row["path"] == path.as_str())
            .unwrap_or_else(|| panic!("`{path}` is listed"));
        assert_eq!(row["state"], "malformed", "{row:#}");
    }
    let envs = scene.sandbox.json(&["envs"]);
    for path in environments {
        let found =
            envs["environments"].as_array().unwrap().iter().any(|row| row["path"] == path.to_str().unwrap());
        assert!(found, "`{}` is listed", path.display());
    }
}

#[test]
fn what_may_not_be_read_counts_as_in_use() {
    let Some(scene) = Scene::new() else { return };
    let entry = scene.bucket("archive-v0/Locked7890123456");
    let hidden = scene.sandbox.roots().join("hidden");
    std::fs::create_dir_all(entry.join("inside")).unwrap();
    std::fs::create_dir(&hidden).unwrap();
    for path in [&entry.join("inside"), &hidden] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let command = scene.sandbox.cachetui(&["list", "--json"]);
    let Some(mut command) = scene.sandbox.unprivileged(command) else { return };
    let list: Value = serde_json::from_slice(&ran(&mut command).stdout).unwrap();
    for path in [&entry.join("inside"), &hidden] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let problems = list["problems"].as_array().unwrap();
    assert!(tells_of(problems, &entry.join("inside")), "{problems:#?}");
    let unread: Vec<&str> =
        list["scope"]["unread"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert!(unread.contains(&hidden.to_str().unwrap()), "{unread:?}");
    let rows = list["entries"].as_array().unwrap();
    let locked = rows.iter().find(|row| row["id"] == "Locked7890123456").unwrap();
    assert_eq!((&locked["unread"], &locked["state"]), (&json!(true), &json!("held-elsewhere")));
    assert_eq!(rows.iter().filter(|row| row["users"] != json!([])).count(), 2);
}

#[test]
fn what_vanishes_during_the_scan_hides_nothing_else() {
    let Some(scene) = Scene::new() else { return };
    let stop = AtomicBool::new(false);
    let victims: Vec<PathBuf> =
        (0..4).map(|number| scene.bucket(&format!("archive-v0/Victim{number}"))).collect();
    let environment = scene.sandbox.roots().join("victim/.venv");
    let make = |directory: &Path| {
        for number in 0..20 {
            let inside = directory.join(format!("package{number}"));
            std::fs::create_dir_all(&inside).ok();
            std::fs::write(inside.join("module.py"), "content").ok();
        }
        std::fs::write(directory.join("pyvenv.cfg"), "home = /usr/bin\n").ok();
    };
    let before = scene.before.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for path in victims.iter().chain([&environment]) {
                    make(path);
                }
                for path in victims.iter().chain([&environment]) {
                    std::fs::remove_dir_all(path).ok();
                }
            }
        });
        let looked: Vec<Value> = (0..12)
            .map(|_| {
                let list = scene.sandbox.json(&["list"]);
                let envs = scene.sandbox.json(&["envs"]);
                scene.good(&list, &envs)
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        assert!(looked.iter().all(|good| *good == before));
    });
}

/// Directories in one another, made by handles because their path is longer than any path may be.
fn nest(directory: &Path, name: &str, levels: usize) {
    std::fs::create_dir_all(directory).unwrap();
    let flags = OFlags::DIRECTORY | OFlags::RDONLY;
    let mut handle = openat(CWD, directory, flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        mkdirat(&handle, name, Mode::from_raw_mode(0o755)).unwrap();
        handle = openat(&handle, name, flags, Mode::empty()).unwrap();
    }
    openat(&handle, "file", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o644)).unwrap();
}

#[test]
fn deep_trees_are_read_as_far_as_256_open_files_allow() {
    let Some(scene) = Scene::new() else { return };
    let long = "n".repeat(200);
    let places = [
        scene.bucket("archive-v0/Deep567890123456"),
        scene.sandbox.roots().join("deep"),
        scene.environment().join("deep"),
    ];
    for place in &places[..2] {
        nest(place, &long, 40);
    }
    let endless = scene.bucket("archive-v0/Endless890123456");
    for place in [&endless, &scene.bucket("archive-v0/Endless2"), &scene.sandbox.roots().join("endless")] {
        nest(place, "d", 300);
    }
    let problems = scene.look();
    let told = |path: &Path| {
        problems.iter().any(|it| it["path"].as_str().is_some_and(|it| it.starts_with(path.to_str().unwrap())))
    };
    assert!(told(&endless), "{problems:#?}");
    assert!(!told(&places[0]), "a path longer than PATH_MAX is no problem by itself: {problems:#?}");
    let command = scene.sandbox.cachetui(&["list", "--json"]);
    let mut limited = scene.sandbox.command("sh");
    limited
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    let list: Value = serde_json::from_slice(&ran(&mut limited).stdout).unwrap();
    assert_eq!(list["problems"], json!(problems), "256 open files are enough");
    let deep =
        list["entries"].as_array().unwrap().iter().find(|row| row["id"] == "Deep567890123456").unwrap();
    assert_eq!((&deep["files"], &deep["unread"]), (&json!(1), &json!(false)));
}
