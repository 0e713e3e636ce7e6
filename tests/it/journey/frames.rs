//! What somebody sees who looks around, at three sizes of the terminal.

use std::fmt::Write as _;

use super::{Home, SCANNED, redact};
use crate::support::pty::first_frame;

fn journey(size: (u16, u16)) -> String {
    let home = Home::new();
    let mut session = home.open(size, &[]);
    let mut told = String::new();
    let mut tell = |what: &str, frame: String| {
        writeln!(told, "=== {what}\n{}", redact::frame(&frame)).unwrap();
    };
    session.wait_for(SCANNED);
    // By name, because sizes differ between filesystems.
    session.press("s", "order of entries");
    session.press("gg\r", "by name");
    tell("the list", session.press("gg", "1 of 9"));
    session.press("/demo-a", "/demo-a");
    tell("filtered", session.press("\r", "3 of 9"));
    tell("two marked", session.press("  ", "2 marked"));
    session.press("u\x1b", "entries 9");
    session.send("gg");
    tell("the detail", session.press("\r", "frees"));
    tell("why", session.press("w", "what the answer rests on"));
    session.press("h", "frees");
    tell("help", session.press("?", "go down one row"));
    session.close("go down one row");
    tell("environments", session.press("2", "environments 2"));
    tell("links", session.press("3", "links "));
    // How its tiles are cut depends on sizes.
    session.press("m", "what fills the cache");
    session.wait_for("one environment");
    session.send("q");
    let end = session.end();
    assert_eq!((end.code, end.signal), (0, None));
    assert!(end.cooked && !end.screen.alternate_screen() && !end.screen.hide_cursor());
    told
}

#[test]
fn a_look_around_at_80x24() {
    insta::assert_snapshot!(journey((80, 24)));
}

#[test]
fn a_look_around_at_120x40() {
    insta::assert_snapshot!(journey((120, 40)));
}

#[test]
fn a_look_around_at_200x60() {
    insta::assert_snapshot!(journey((200, 60)));
}

#[test]
fn the_screen_survives_one_cell_and_comes_back() {
    let home = Home::new();
    let mut session = home.open((80, 24), &[]);
    session.wait_for(SCANNED);
    session.resize(1, 1);
    session.wait("one cell", |screen| screen.contents().trim() == "c");
    session.resize(7, 3);
    session.wait("a request for room", |screen| screen.contents().contains("cachetu"));
    session.resize(120, 40);
    let text = session.wait("the list", |screen| screen.contents().contains("entries 9"));
    assert!(text.contains("p trash") && text.contains("referenced by"), "{text}");
    session.send("q");
    assert_eq!(session.end().code, 0);
}

#[test]
#[expect(clippy::print_stdout, reason = "the time is told, and not judged: machines differ")]
fn the_first_frame_comes_before_anything_is_read() {
    let home = Home::new();
    let mut session = home.open((120, 40), &[]);
    let text = session.wait_for("1 Entries");
    let elapsed = session.elapsed();
    let bytes = first_frame(session.raw()).expect("a frame was seen");
    println!("the first frame came after {elapsed:?} and has {bytes} bytes");
    assert!(text.contains("~/cache"), "{text}");
    assert!(bytes < 120 * 40, "a nearly empty frame costs less than a byte for each cell: {bytes}");
    session.wait_for(SCANNED);
    session.send("q");
    assert_eq!(session.end().code, 0);
}
