//! How the interface ends, stops and fails, and what never reaches the terminal.

use std::ffi::OsStr;
use std::path::Path;

use rustix::process::Signal;

use super::{Home, PROGRAM, SCANNED, open};
use crate::support::pty::{End, Session, Start, renditions};

fn assert_restored(end: &End) {
    assert!(!end.screen.alternate_screen(), "the alternate screen is left");
    assert!(!end.screen.hide_cursor(), "the cursor is shown");
    assert!(!end.screen.bracketed_paste(), "pasted text is no longer marked");
    assert_eq!(end.screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is free");
    assert!(end.cooked, "typed characters are echoed, and lines are waited for");
}

#[test]
fn signals_that_end_the_program_leave_the_terminal_as_it_was() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::HUP, 1), (Signal::INT, 2), (Signal::QUIT, 3)] {
        let home = Home::new();
        let mut session = home.open((80, 24), &[]);
        session.wait_for("1 Entries");
        assert!(!session.is_cooked(), "the interface reads single keys");
        session.signal(signal);
        let end = session.end();
        assert_eq!((end.code, end.signal.as_deref()), (128 + number, None), "{signal:?}");
        assert_restored(&end);
    }
}

#[test]
fn control_c_leaves_even_while_a_filter_is_written() {
    let home = Home::new();
    let mut session = home.open((80, 24), &[]);
    session.wait_for(SCANNED);
    session.press("/q", "/q");
    session.send("\x03");
    let end = session.end();
    assert_eq!(end.code, 0);
    assert_restored(&end);
}

#[test]
fn control_z_gives_the_shell_its_terminal_and_comes_back() {
    let home = Home::new();
    let script = format!(
        "set -m; '{PROGRAM}' --cache-dir cache --root app; echo SHELL AGAIN; read line; fg >/dev/null; echo CODE $?"
    );
    let mut session = Session::start(&Start {
        program: OsStr::new("sh"),
        arguments: ["-c", &script].map(OsStr::new).to_vec(),
        home: &home.path(),
        variables: &[],
        size: (80, 24),
    });
    session.wait_for(SCANNED);
    session.send("\x1a");
    session.wait("the shell", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("SHELL AGAIN")
    });
    assert!(session.is_cooked(), "the shell can be typed into");
    session.send("\n");
    session.wait("the list", |screen| screen.alternate_screen() && screen.contents().contains("entries 9"));
    session.press("2", "environments 2");
    assert!(!session.is_cooked());
    session.send("q");
    let end = session.end();
    assert!(end.screen.contents().contains("CODE 0"), "{}", end.screen.contents());
    assert_restored(&end);
}

#[test]
fn without_a_terminal_the_interface_names_the_command() {
    let home = Home::new();
    let output = std::process::Command::new(PROGRAM)
        .args(["--cache-dir", "cache"])
        .current_dir(home.path())
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "nothing pretends to be an answer");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("needs a terminal") && error.contains("cachetui list"), "{error}");
}

#[test]
fn no_color_means_no_colour() {
    let is_colour = |code: &u32| matches!(code, 30..=38 | 40..=48 | 58 | 90..=97 | 100..=107);
    let colours = |variables: &[(&str, &str)]| {
        let home = Home::new();
        let mut session = home.open((120, 40), variables);
        session.wait_for(SCANNED);
        session.press(" ", "1 marked");
        session.press("m", "what fills the cache");
        session.press("?", "go down one row");
        session.send("q");
        let end = session.end();
        assert_eq!(end.code, 0);
        let renditions = renditions(&end.raw);
        assert!(!renditions.is_empty(), "attributes are used in any case");
        renditions.iter().flatten().filter(|code| is_colour(code)).count()
    };
    assert_eq!(colours(&[("NO_COLOR", "1")]), 0);
    assert!(colours(&[]) > 0, "without it there are some, or the test would see nothing");
}

/// Control sequences in names; each has a mark that nothing the interface writes itself contains.
const TITLE: &str = "\x1b]0;OWNED\x07";
const COLOUR: &str = "\x1b[31mRED";
const BACKWARDS: char = '\u{202e}';
const C1: &str = "\u{9b}5mBLINK";

/// Adds an entry and an environment with names that would like to be obeyed.
fn spoil(home: &Path) {
    let entry = home.join("cache/archive-v0").join(format!("id{TITLE}{BACKWARDS}{C1}"));
    let info = entry.join(format!("evil{COLOUR}{BACKWARDS}gpj.exe-1.0{TITLE}.dist-info"));
    std::fs::create_dir_all(&info).unwrap();
    std::fs::write(info.join("RECORD"), format!("module{TITLE}{C1}.py,,\n")).unwrap();
    std::fs::write(info.join("WHEEL"), format!("Wheel-Version: 1.0\nTag: py3{TITLE}-none-any\n")).unwrap();
    std::fs::write(entry.join(format!("module{TITLE}{C1}.py")), "pass\n").unwrap();
    let pointers = home.join("cache/wheels-v7/pypi").join(format!("evil{TITLE}"));
    std::fs::create_dir_all(&pointers).unwrap();
    std::os::unix::fs::symlink(&entry, pointers.join(format!("1.0{C1}{BACKWARDS}-py3-none-any"))).unwrap();
    let gone = format!("../../../archive-v0/gone{TITLE}{BACKWARDS}");
    std::os::unix::fs::symlink(gone, pointers.join(format!("2.0{COLOUR}-py3-none-any"))).unwrap();
    let environment = home.join("app").join(format!("dir{TITLE}{BACKWARDS}")).join(".venv");
    let packages = environment.join("lib/python3.11/site-packages");
    let installed = packages.join(info.file_name().unwrap());
    std::fs::create_dir_all(&installed).unwrap();
    for name in ["RECORD", "WHEEL"] {
        std::fs::copy(info.join(name), installed.join(name)).unwrap();
    }
    let module = format!("module{TITLE}{C1}.py");
    std::fs::hard_link(entry.join(&module), packages.join(&module)).unwrap();
    let settings = format!("home = /nowhere{TITLE}\nuv = 0.13.8\nversion_info = 3.11{COLOUR}\n");
    std::fs::write(environment.join("pyvenv.cfg"), settings).unwrap();
}

#[test]
fn hostile_names_are_shown_and_never_sent() {
    let home = Home::new();
    spoil(&home.path());
    let mut session = home.open((200, 60), &[]);
    session.wait_for(SCANNED);
    session.press("/evil", "/evil");
    let text = session.press("\r", "entries 1 of 10");
    assert!(text.contains("evil\\x1b[31mred\\u{202e}gpj-exe"), "{text}");
    session.press("\r\x1b[B", "referenced by");
    session.press("w", "what the answer rests on");
    session.press("h", "referenced by");
    // The detail's line of files, then the list of them.
    session.press("y", "Copied");
    session.press("gg\r", "files of");
    session.press("hh", "entries 1 of 10");
    session.press("m", "what fills the cache");
    session.press("m", "what fills the cache");
    session.close("what fills the cache");
    session.press("!", "scope and problems");
    session.close("scope and problems");
    session.press("2", "environments");
    session.press("/OWNED\r", "environments 1 of 3");
    session.press("\r", "installed");
    session.press("G\r", "files of");
    session.press("3", "links");
    session.press("/'evil", "/'evil");
    session.press("\r", "links 2 of");
    session.press("\r", "leads to");
    session.send("q");
    let end = session.end();
    assert_eq!(end.code, 0);
    let raw = String::from_utf8(end.raw).expect("what is written is UTF-8");
    for hostile in [TITLE, COLOUR, C1, "\x1b]0;", "\u{9b}"] {
        assert!(!raw.contains(hostile), "{hostile:?} was written");
    }
    assert!(!raw.contains(BACKWARDS), "the direction of writing was changed");
}

#[test]
fn keys_are_answered_while_the_scan_runs() {
    let home = Home::new();
    let original = home.path().join("cache/CACHEDIR.TAG");
    // Enough to read for some seconds, at no cost in bytes: many names of one file.
    for entry in 0..60 {
        let directory = home.path().join(format!("cache/archive-v0/many{entry}"));
        std::fs::create_dir(&directory).unwrap();
        for file in 0..500 {
            std::fs::hard_link(&original, directory.join(format!("file{file}"))).unwrap();
        }
    }
    let mut session = home.open((120, 40), &[]);
    // The keys are there before the scan is; only while one runs is there one to stop.
    let text = session.press("?S", "go down one row");
    assert!(!text.contains(SCANNED), "the help came before the scan's end");
    session.wait_for("scan cancelled");
    session.close("go down one row");
    session.send("q");
    assert_eq!(session.end().code, 0);
}

/// The interface with a part that fails, for the test below: it needs a terminal of its own.
#[test]
#[ignore = "another test starts it in a terminal"]
fn an_interface_that_panics() {
    let options = cachetui::tui::Options {
        start_scan: Box::new(|| panic!("THE PART THAT FAILS")),
        list_files: Box::new(|_| std::sync::mpsc::channel().1),
        start_task: Box::new(|_, _| panic!("no task is begun")),
        look_around: Box::new(|_| std::sync::mpsc::channel().1),
        weigh_plan: Box::new(|_, _| std::sync::mpsc::channel().1),
        cache: "/nowhere".into(),
        grace: cachetui::plan::GRACE,
        demo: false,
        keymap: cachetui::tui::Keymap::default(),
        notices: Vec::new(),
        theme: cachetui::tui::Theme::dark(),
        glyphs: cachetui::tui::Glyphs::Unicode,
        home: None,
        mouse: true,
        taskbar: true,
        notify: true,
        started: std::time::Instant::now(),
        now: jiff::Timestamp::now,
    };
    drop(cachetui::tui::run(options));
}

#[test]
fn a_panic_gives_the_terminal_back_before_its_message() {
    let home = Home::new();
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "journey::ends::an_interface_that_panics", "--ignored", "--nocapture"];
    let session = Session::start(&Start {
        program: program.as_os_str(),
        arguments: arguments.map(OsStr::new).to_vec(),
        home: &home.path(),
        variables: &[],
        size: (120, 40),
    });
    let end = session.end();
    assert_ne!(end.code, 0);
    assert_restored(&end);
    let place = |bytes: &[u8]| end.raw.windows(bytes.len()).position(|window| window == bytes);
    let (entered, left) = (place(b"\x1b[?1049h"), place(b"\x1b[?1049l"));
    assert!(entered.is_some() && entered < left && left < place(b"THE PART THAT FAILS"));
    assert!(end.screen.contents().contains("THE PART THAT FAILS"), "the message can be read");
}

#[test]
fn a_cache_that_is_not_there_is_said_before_the_screen_is_taken() {
    let home = Home::new();
    let end = open(&home.path().join("app"), (80, 24), &[]).end();
    assert_eq!(end.code, 1);
    assert_restored(&end);
    assert!(end.screen.contents().contains("There is no uv cache at"), "{}", end.screen.contents());
    assert!(!String::from_utf8_lossy(&end.raw).contains("\x1b[?1049h"));
}

#[test]
fn the_demo_has_something_to_prune_although_all_of_it_was_made_a_moment_ago() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start(&Start {
        program: OsStr::new(PROGRAM),
        arguments: vec![OsStr::new("demo")],
        home: home.path(),
        variables: &[],
        size: (120, 40),
    });
    let text = session.wait_for(SCANNED);
    assert!(text.contains("cachetui demo"), "the demo says that it is one: {text}");
    session.send("5");
    let gives = |line: &str| line.contains(" unused ") && line.contains("MiB");
    session.wait("unused entries give back some", |screen| screen.contents().lines().any(gives));
    session.send("q");
    assert_eq!(session.end().code, 0);
}
