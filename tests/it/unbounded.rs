//! Input that has no end, or never begins: every file that is read is read within bounds, and what is no file is a sentence.

use std::fs::File;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::made::{Form, Made, Unpacked};
use crate::support::pty::{Session, Start};

/// How long a command may take that has nothing to read; many times what it takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn made(directory: &Path) -> Made {
    let made = Made::new(directory);
    let wheel = Unpacked::new("Wheel67890123456", "demo-a", "1.0");
    made.unpack(&wheel);
    made.point(Form::Relative, 7, &wheel);
    made.point(Form::Rev, 7, &wheel);
    made
}

/// cachetui in a home of its own below the ground.
fn cachetui(made: &Made, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachetui"));
    let home = made.base().join("home");
    std::fs::create_dir_all(home.join(".config/cachetui")).unwrap();
    command.args(arguments).env_clear().env("HOME", &home).env("NO_COLOR", "1").current_dir(&home);
    command
}

/// What a command says; it must end.
fn ended(command: &mut Command) -> Output {
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{command:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Puts at a path what is no file that could be read whole, by a name.
const KINDS: [&str; 7] = ["fifo", "zero", "directory", "socket", "huge", "loop", "link-to-fifo"];

fn put(kind: &str, path: &Path) -> Option<UnixListener> {
    if path.is_dir() && !path.is_symlink() {
        std::fs::remove_dir(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        std::fs::remove_file(path).unwrap();
    }
    let fifo = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    match kind {
        "fifo" => fifo(path),
        "zero" => symlink("/dev/zero", path).unwrap(),
        "directory" => std::fs::create_dir(path).unwrap(),
        "huge" => File::create(path).unwrap().set_len(1 << 40).unwrap(),
        "loop" => symlink(path, path).unwrap(),
        "link-to-fifo" => {
            let other = path.with_extension("other");
            std::fs::remove_file(&other).ok();
            fifo(&other);
            symlink(other, path).unwrap();
        }
        _ => {
            // The name of a socket may have some hundred bytes only.
            let short = tempfile::tempdir_in("/tmp").unwrap();
            let listener = UnixListener::bind(short.path().join("s")).unwrap();
            std::fs::rename(short.path().join("s"), path).unwrap();
            return Some(listener);
        }
    }
    None
}

#[test]
fn settings_and_files_that_are_named_end_in_a_sentence_whatever_lies_there() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let cache = made.cache().to_str().unwrap().to_owned();
    let named = made.base().join("named");
    let named = named.to_str().unwrap();
    let settings = made.base().join("home/.config/cachetui/config.toml");
    for kind in KINDS {
        drop(ended(&mut cachetui(&made, &["list", "--cache-dir", &cache])));
        let _listens = put(kind, &settings);
        let output = ended(&mut cachetui(&made, &["list", "--cache-dir", &cache]));
        assert_eq!(output.status.code(), Some(1), "{kind}: {}", told(&output));
        assert!(told(&output).contains("config.toml"), "{kind}: {}", told(&output));
        let _none = put("huge", &settings);
        std::fs::remove_file(&settings).unwrap();
        let _listens = put(kind, Path::new(named));
        for arguments in [
            &["apply", named, "--yes", "--cache-dir", &cache][..],
            &["prune", "--unused", "--keep-lock", named, "--dry-run", "--cache-dir", &cache],
        ] {
            let output = ended(&mut cachetui(&made, arguments));
            assert!(matches!(output.status.code(), Some(1 | 2)), "{kind} {arguments:?}: {}", told(&output));
            assert!(told(&output).contains("named"), "{kind} {arguments:?}: {}", told(&output));
        }
    }
}

/// TOML that is nested deeper than any reader goes, and text of one long line that is none.
fn deep() -> [String; 5] {
    let many = 100_000;
    [
        format!("a = {}{}\n", "[".repeat(many), "]".repeat(many)),
        format!("a = {}1{}\n", "{b=".repeat(many), "}".repeat(many)),
        format!("{} = 1\n", vec!["a"; many].join(".")),
        format!("[{}]\nb = 1\n", vec!["a"; many].join(".")),
        format!("a = {}\n", "x".repeat(many)),
    ]
}

#[test]
fn files_that_are_nested_deeper_than_any_reader_goes_end_in_a_short_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let (cache, code) = (made.cache().to_str().unwrap().to_owned(), made.code());
    let settings = made.base().join("home/.config/cachetui/config.toml");
    let uv = made.base().join("home/.config/uv/uv.toml");
    let named = made.base().join("named");
    drop(ended(&mut cachetui(&made, &["list", "--cache-dir", &cache])));
    std::fs::create_dir_all(uv.parent().unwrap()).unwrap();
    std::fs::create_dir_all(code.join("app")).unwrap();
    for (number, text) in deep().into_iter().enumerate() {
        let short = |place: &Path, arguments: &[&str]| {
            std::fs::write(place, &text).unwrap();
            let output = ended(cachetui(&made, arguments).current_dir(&code));
            let said = told(&output);
            assert_eq!(output.status.code(), Some(2), "{number} {}: {said:.400}", place.display());
            assert!(said.len() < 1_000, "{number} {}: {} bytes", place.display(), said.len());
            std::fs::remove_file(place).unwrap();
        };
        short(&settings, &["list", "--cache-dir", &cache]);
        short(&uv, &["list"]);
        let lock =
            ["prune", "--unused", "--dry-run", "--cache-dir", &cache, "--keep-lock", named.to_str().unwrap()];
        short(&named, &lock);
        short(&named, &["apply", named.to_str().unwrap(), "--dry-run", "--cache-dir", &cache]);
        // What a project names is passed over where it cannot be understood.
        for name in ["pyproject.toml", "uv.toml", "uv.lock"] {
            std::fs::write(code.join("app").join(name), &text).unwrap();
        }
        let mut run = cachetui(&made, &["envs", "--cache-dir", &cache, "--root"]);
        let output = ended(run.arg(&code));
        assert!(output.status.success(), "{number}: {:.400}", told(&output));
    }
}

#[test]
fn a_configuration_that_cannot_be_read_whole_names_no_other_cache() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let cache = made.cache().to_str().unwrap().to_owned();
    drop(ended(&mut cachetui(&made, &["list"])));
    for name in ["uv.toml", "pyproject.toml", ".config/uv/uv.toml"] {
        let path = made.base().join("home").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for kind in ["fifo", "zero", "directory", "socket", "huge", "link-to-fifo"] {
            let _listens = put(kind, &path);
            let output = ended(&mut cachetui(&made, &["list"]));
            assert_eq!(output.status.code(), Some(1), "{name} {kind}: {}", told(&output));
            assert!(told(&output).contains(name), "{name} {kind}: {}", told(&output));
            let output = ended(&mut cachetui(&made, &["list", "--cache-dir", &cache]));
            assert!(output.status.success(), "{name} {kind}: {}", told(&output));
        }
        let _none = put("huge", &path);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_directory_of_settings_or_state_that_is_no_directory_is_as_one_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let cache = made.cache().to_str().unwrap().to_owned();
    let code = made.code();
    for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_DIRS", "HOME"] {
        for command in
            [&["list"][..], &["envs"], &["links"], &["verify", "--all"], &["prune", "--unused", "--dry-run"]]
        {
            let mut run = cachetui(&made, command);
            run.args(["--json", "--cache-dir", &cache, "--root"]).arg(&code).env(variable, "/dev/null");
            let output = ended(&mut run);
            assert!(output.status.success(), "{variable} {command:?}: {}", told(&output));
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                answer["scope"]["unread"],
                Value::Array(Vec::new()),
                "{variable} {command:?}: {answer:#}"
            );
        }
    }
    let mut run = cachetui(&made, &["list"]);
    let output = ended(run.env("XDG_CACHE_HOME", "/dev/null"));
    assert!(told(&output).contains("There is no uv cache at `/dev/null/uv`"), "{}", told(&output));
}

#[test]
fn files_in_environments_and_in_the_cache_that_cannot_be_read_whole_end_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let wheel = Unpacked::new("Wheel67890123456", "demo-a", "1.0");
    made.venv("app");
    made.install("app", &wheel, cachetui::snapshot::Mode::Copy);
    let root = made.environment("app");
    let info = root.join("lib/python3.11/site-packages").join(wheel.info());
    let entry = made.entry(&wheel.id).join(wheel.info());
    let (cache, code) = (made.cache().to_str().unwrap().to_owned(), made.code());
    let pointer = made.cache().join(made.point(Form::Rev, 7, &wheel));
    let places = [
        info.join("RECORD"),
        info.join("METADATA"),
        info.join("INSTALLER"),
        info.join("direct_url.json"),
        info.join("entry_points.txt"),
        entry.join("RECORD"),
        entry.join("METADATA"),
        entry.join("WHEEL"),
        root.join("pyvenv.cfg"),
        made.code().join("other/.venv"),
        made.cache().join("interpreter-v5/0123456789abcdef/0123456789abcdef.msgpack"),
        pointer,
    ];
    for place in places {
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let before = std::fs::read(&place).ok();
        for kind in ["fifo", "zero", "huge", "socket"] {
            let _listens = put(kind, &place);
            for command in [&["envs"][..], &["list"], &["verify", "--all"], &["repair", "--all", "--dry-run"]]
            {
                let mut run = cachetui(&made, command);
                let output = ended(run.args(["--json", "--cache-dir", &cache, "--root"]).arg(&code));
                let shown = place.display();
                assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{kind} {shown}: {}", told(&output));
            }
        }
        std::fs::remove_file(&place).unwrap();
        if let Some(bytes) = before {
            std::fs::write(&place, bytes).unwrap();
        }
    }
}

#[test]
fn what_has_another_size_than_record_states_is_not_read_however_large_it_says_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let wheel = Unpacked::new("Wheel67890123456", "demo-a", "1.0");
    for mode in [
        cachetui::snapshot::Mode::Copy,
        cachetui::snapshot::Mode::Hardlink,
        cachetui::snapshot::Mode::Symlink,
    ] {
        let name = format!("{mode:?}");
        made.venv(&name);
        made.install(&name, &wheel, mode);
    }
    let (cache, code) = (made.cache().to_str().unwrap().to_owned(), made.code());
    let code_root = code.clone();
    let run = |arguments: &[&str]| {
        let mut run = cachetui(&made, arguments);
        let output = ended(run.args(["--json", "--cache-dir", &cache, "--root"]).arg(&code));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (answer, output.status.code())
    };
    let module = wheel
        .linked()
        .into_keys()
        .find(|path| Path::new(path).extension().is_some_and(|it| it == "py"))
        .unwrap();
    let in_cache = made.entry(&wheel.id).join(&module);
    let copied = made.environment("Copy").join("lib/python3.11/site-packages").join(&module);
    for path in [&copied, &in_cache] {
        let before = std::fs::read(path).unwrap();
        match File::options().write(true).open(path).unwrap().set_len(4 << 40) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                crate::support::not_run("files of 4 TiB cannot be made here");
                return;
            }
            grown => grown.unwrap(),
        }
        let (answer, code) = run(&["verify", "--all"]);
        assert_eq!(code, Some(3), "{answer:#}");
        let finding = &answer["findings"][0];
        assert_eq!(finding["fault"], "edited", "{answer:#}");
        assert_eq!(finding["found"], Value::Null, "{answer:#}");
        // What was not read is not counted as read.
        let read = answer["checked"]["bytes"].as_u64().unwrap();
        assert!(read > 0 && read < 1 << 20, "{answer:#}");
        let mut shown = cachetui(&made, &["verify", "--all", "--cache-dir", &cache, "--root"]);
        let output = ended(shown.arg(&code_root));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("sizes differ: 4.0 TiB, and RECORD states"), "{said}");
        run(&["repair", "--all", "--dry-run"]);
        File::options().write(true).open(path).unwrap().set_len(before.len() as u64).unwrap();
    }
    assert_eq!(run(&["verify", "--all"]).1, Some(0));
}

#[test]
fn a_plan_that_names_something_twice_is_refused() {
    type Change<'a> = dyn Fn(&mut Vec<Value>) + 'a;
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let other = Unpacked::new("Other67890123456", "demo-b", "1.0");
    made.unpack(&other);
    made.point(Form::Http, 7, &other);
    let (cache, code) = (made.cache().to_str().unwrap().to_owned(), made.code());
    let saved = made.base().join("plan.json");
    let mut prune = cachetui(
        &made,
        &["prune", "demo-a", "demo-b", "--allow", "gone", "--dry-run", "--cache-dir", &cache, "--save"],
    );
    let output = ended(prune.arg(&saved).arg("--root").arg(&code));
    assert!(output.status.success(), "{}", told(&output));
    let plan: Value = serde_json::from_slice(&std::fs::read(&saved).unwrap()).unwrap();
    assert_eq!(plan["steps"].as_array().unwrap().len(), 2, "{plan:#}");
    let changed = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut plan = plan.clone();
        change(plan["steps"].as_array_mut().unwrap());
        std::fs::write(&saved, plan.to_string()).unwrap();
        ended(
            cachetui(&made, &["apply"])
                .arg(&saved)
                .args(["--yes", "--cache-dir", &cache, "--root"])
                .arg(&code),
        )
    };
    let respelt = |step: &Value| {
        let mut step = step.clone();
        step["path"] = step["path"].as_str().unwrap().replace('/', "//./").into();
        step
    };
    let doubles: [&Change<'_>; 5] = [
        &|steps| steps.push(steps[0].clone()),
        &|steps| steps.insert(0, steps[1].clone()),
        &|steps| steps.push(respelt(&steps[0])),
        &|steps| {
            let pointer = steps[0]["pointers"][0].clone();
            steps[0]["pointers"].as_array_mut().unwrap().push(pointer);
        },
        &|steps| {
            let pointer = steps[0]["pointers"][0].clone();
            steps[1]["pointers"].as_array_mut().unwrap().push(pointer);
        },
    ];
    for (number, double) in doubles.iter().enumerate() {
        let output = changed(double);
        assert_eq!(output.status.code(), Some(2), "{number}: {}", told(&output));
        assert!(told(&output).contains("twice"), "{number}: {}", told(&output));
        assert!(made.entry("Wheel67890123456").is_dir() && made.entry("Other67890123456").is_dir());
    }
    let output = changed(&|_| {});
    assert!(output.status.success(), "{}", told(&output));
    assert!(!made.entry("Wheel67890123456").exists() && !made.entry("Other67890123456").exists());
}

#[test]
fn a_terminal_that_says_it_is_larger_than_any_is_drawn_on_in_part() {
    let directory = tempfile::tempdir().unwrap();
    let made = made(directory.path());
    let home = made.base().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let (cache, program) = (made.cache().to_str().unwrap(), env!("CARGO_BIN_EXE_cachetui"));
    let arguments = ["--cache-dir", cache].map(std::convert::AsRef::as_ref).to_vec();
    let mut session = Session::start(&Start {
        program: program.as_ref(),
        arguments,
        home: &home,
        variables: &[],
        size: (120, 40),
    });
    session.wait_for("demo-a");
    for (columns, rows) in [(30_000, 30_000), (u16::MAX, u16::MAX), (u16::MAX, 40), (80, u16::MAX)] {
        session.resize_told(columns, rows);
        assert!(session.wait_for_frame(), "{columns} x {rows}");
    }
    session.resize(120, 40);
    assert!(session.wait_for_frame(), "as it was");
    session.wait_for("demo-a");
    session.send("q");
    let end = session.end();
    assert_eq!((end.code, end.signal), (0, None));
}
