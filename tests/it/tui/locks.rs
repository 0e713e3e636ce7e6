//! The view of lock files, and what the header says of the cache's lock.

use std::path::PathBuf;

use cachetui::lock::{Holder, LockFile, Maker, Resource, Share, State, Survey};
use cachetui::snapshot::Snapshot;
use cachetui::tui::{Event, Glyphs};
use cachetui::worker::Around;
use jiff::{Span, Timestamp};

use super::screen::Screen;
use crate::support::sample;

const CACHE: &str = "/home/ada/.cache/uv";

fn ago(span: Span) -> Timestamp {
    sample::now() - span
}

fn file(path: String, maker: Maker, resource: Resource) -> LockFile {
    let modified = Some(ago(Span::new().hours(90)));
    LockFile { path: path.into(), maker, resource, state: State::Free, holders: Vec::new(), modified }
}

fn cache_lock() -> LockFile {
    file(format!("{CACHE}/.lock"), Maker::Uv, Resource::Cache(CACHE.into()))
}

/// What the screen is told of locks.
pub(super) fn around(locks: Survey) -> Event {
    Event::Around(Around { locks, ..Around::default() })
}

/// Nobody holds anything.
pub(super) fn free() -> Survey {
    Survey { files: vec![cache_lock()], ..Survey::default() }
}

fn holder(pid: u32, command: &str, share: Share) -> Holder {
    Holder {
        pid,
        command: command.to_owned(),
        since: Some(ago(Span::new().minutes(17))),
        directory: Some(PathBuf::from("/home/ada/code/server")),
        share,
        waits: false,
    }
}

/// A server runs under `uv run`, somebody wants to prune, a build is under way, and one lock cannot be read.
fn busy(snapshot: &Snapshot) -> Survey {
    let environment = snapshot.environments[0].path.clone();
    let prune = Holder { waits: true, ..holder(4290, "uv cache prune", Share::Exclusive) };
    let server = holder(4121, "uv run --with uvicorn uvicorn server:app \u{202e}--reload", Share::Shared);
    let build = holder(5003, "uv sync", Share::Exclusive);
    let item = format!("{CACHE}/wheels-v7/pypi/torch/2.9.0-cp312-cp312-manylinux_2_28_x86_64");
    Survey {
        files: vec![
            LockFile { state: State::Shared, holders: vec![server, prune], ..cache_lock() },
            LockFile {
                state: State::Exclusive,
                holders: vec![build],
                ..file(format!("{item}.lock"), Maker::Uv, Resource::Item(item.into()))
            },
            file(
                format!("{}/.lock", environment.display()),
                Maker::Uv,
                Resource::Environment(environment.clone()),
            ),
            LockFile {
                state: State::Unknown("Permission denied".to_owned()),
                ..file("/tmp/uv-5f3c2b1a09d8e7f6.lock".to_owned(), Maker::Uv, Resource::Project(None))
            },
            file(
                "/home/ada/.local/state/cachetui/locks/0f1e2d3c4b5a69788796a5b4c3d2e1f0.lock".to_owned(),
                Maker::Cachetui,
                Resource::Cache(CACHE.into()),
            ),
        ],
        notes: vec!["The cache lies on NFS: who holds a lock on another machine cannot be seen.".to_owned()],
        ..Survey::default()
    }
}

fn busy_screen(width: u16, height: u16) -> Screen {
    let snapshot = sample::realistic();
    let survey = busy(&snapshot);
    let mut screen = Screen::showing(snapshot, width, height);
    screen.event(around(survey));
    screen
}

#[test]
fn locks_look_as_they_should_at_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5), (1, 1)] {
        let text = busy_screen(width, height).press("4").text();
        insta::assert_snapshot!(format!("locks_{width}x{height}"), text);
    }
}

#[test]
fn the_detail_of_a_lock_names_every_process_and_what_the_lock_is_worth() {
    insta::assert_snapshot!("locks_detail", busy_screen(100, 40).press("4<enter>").text());
}

#[test]
fn a_command_line_cannot_reach_the_terminal_raw() {
    let text = busy_screen(200, 60).press("4j<enter>").text();
    assert!(!text.contains('\u{202e}'), "{text}");
    assert!(text.contains("server:app"), "{text}");
}

#[test]
fn the_header_says_whether_the_cache_is_locked() {
    let mut screen = Screen::showing(sample::realistic(), 140, 24);
    assert!(screen.text().contains("lock free"));
    let snapshot = sample::realistic();
    screen.event(around(busy(&snapshot)));
    assert!(screen.text().contains("lock shared"));
    let exclusive = LockFile { state: State::Exclusive, ..cache_lock() };
    screen.event(around(Survey { files: vec![exclusive], ..Survey::default() }));
    assert!(screen.line("cachetui").contains("locked"));
}

#[test]
fn the_cursor_stays_on_its_lock_when_others_come_and_go() {
    let mut screen = busy_screen(120, 40);
    screen.press("4jj");
    let row = screen.line("HELD BY");
    assert!(row.contains("GUARDS"), "{row}");
    let title = |screen: &mut Screen| screen.press("<enter>").line("lock of");
    let before = title(&mut screen);
    screen.press("<esc>");
    let mut survey = busy(&sample::realistic());
    survey.files.remove(1);
    screen.event(around(survey));
    assert_eq!(title(&mut screen), before);
}

#[test]
fn a_lock_of_an_environment_leads_to_it_and_locks_cannot_be_marked() {
    let mut screen = busy_screen(120, 40);
    screen.press("4/ruff<enter> ");
    assert!(screen.text().contains("Nothing is marked in this view") && !screen.text().contains("1 marked"));
    screen.press("<enter><enter>");
    assert!(screen.text().contains("LINK MODES"), "{}", screen.text());
}

#[test]
fn running_below_uv_is_said_once_at_the_start() {
    let mut screen = Screen::bare(120, 24, Glyphs::Unicode);
    let ancestor = holder(77, "uvx cachetui", Share::Shared);
    screen.event(around(Survey { ancestor: Some(ancestor), ..Survey::default() }));
    assert!(screen.text().contains("cachetui runs under `uvx`"), "{}", screen.text());
}
