//! What is asked and shown in a terminal.

use std::ffi::OsStr;

use super::Ground;
use crate::lock::child;
use crate::support::pty::{Session, Start};

fn start(ground: &Ground, arguments: &[&str], timeout: &str) -> Session {
    let home = ground.path("home");
    std::fs::create_dir_all(&home).unwrap();
    let (cache, code) = (ground.cache(), ground.path("code"));
    let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    all.extend(["--grace", "0h", "--no-remember", "--cache-dir"].map(OsStr::new));
    all.extend([cache.as_os_str(), OsStr::new("--root"), code.as_os_str()]);
    Session::start(&Start {
        program: OsStr::new(env!("CARGO_BIN_EXE_cachetui")),
        arguments: all,
        home: &home,
        variables: &[("UV_LOCK_TIMEOUT", timeout)],
        size: (80, 40),
    })
}

#[test]
fn somebody_who_does_not_say_yes_keeps_everything() {
    let ground = Ground::new();
    let before = crate::prune::listing(&ground.cache());
    for answer in ["\r", "n\r", "yeah\r"] {
        let mut session = start(&ground, &["prune", "demo-b"], "0");
        session.wait_for("Remove 1 entry? That frees 40.0 KiB. [y/N]");
        session.send(answer);
        let end = session.end();
        assert_eq!(end.code, 0);
        assert!(end.screen.contents().contains("Nothing was removed."), "{}", end.screen.contents());
    }
    let mut session = start(&ground, &["prune", "demo-b"], "0");
    session.wait_for("[y/N]");
    session.send("\x03");
    assert_eq!(session.end().code, 130);
    assert_eq!(crate::prune::listing(&ground.cache()), before);
    let mut session = start(&ground, &["prune", "demo-b"], "0");
    session.wait_for("[y/N]");
    session.send("y\r");
    let end = session.end();
    assert_eq!((end.code, ground.entries()), (0, 8), "{}", end.screen.contents());
    assert!(end.screen.contents().contains("Removed 1 of 1."), "{}", end.screen.contents());
}

#[test]
fn the_wait_for_a_lock_counts_down_names_the_holder_and_ends_with_ctrl_c() {
    let ground = Ground::new();
    let before = crate::prune::listing(&ground.cache());
    let mut child = child::Child::run(&mut child::command("shared", &ground.cache()));
    assert_eq!(child.says(), "held");
    let mut session = start(&ground, &["prune", "demo-b", "--yes"], "120");
    let text = format!("seconds left, waiting for process {}", child.pid());
    session.wait_for(&text);
    session.send("\x03");
    let end = session.end();
    assert_eq!(end.code, 130, "{}", end.screen.contents());
    assert_eq!(crate::prune::listing(&ground.cache()), before);
    child.end();
}
