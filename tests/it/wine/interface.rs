//! The interface of the Windows program in a console of Wine's, which shows it in a pseudo-terminal.
//!
//! What is looked for is what the console shows in the end: it says nothing of where a frame begins.

use crate::support::pty::{Session, renditions};

use super::lab::Lab;

/// Types, then waits until the screen shows all of some texts.
fn shows(session: &mut Session, keys: &str, texts: &[&str]) -> String {
    session.send(keys);
    let has_all = |contents: &str| texts.iter().all(|text| contents.contains(text));
    session.wait(&format!("{texts:?} after {keys:?}"), |screen| has_all(&screen.contents()))
}

#[test]
fn all_views_are_drawn_and_keys_are_answered() {
    let Some(lab) = Lab::new() else { return };
    lab.install("app", "hardlink", &["demo-a==1.0", "demo-b"]);
    lab.install("copied", "copy", &["demo-a==1.0"]);
    let all = lab.entries();
    let mut session = lab.interface((120, 40));
    let first = shows(&mut session, "", &["scanned in", "demo-a", "demo-b", "used", "q quit"]);
    assert_eq!(first.lines().count(), 40, "it fills the screen:\n{first}");
    assert!(first.lines().next().unwrap().starts_with(" cachetui "), "{first}");
    shows(&mut session, "2", &["environments 2", r"app\.venv", r"copied\.venv", "3.11.7", "could share"]);
    shows(&mut session, "3", &["links 4", "link-file", r"wheels-v7\index\", "demo-b 1.0", "live"]);
    shows(&mut session, "4", &["locks ", "GUARDS", "the cache", "free"]);
    shows(&mut session, "5", &["clean up", "unreferenced", "superseded", "crash leftovers"]);
    shows(&mut session, "?", &["help", "go down one row", "Ctrl-d"]);
    session.close("go down one row");
    shows(&mut session, "1", &["entries 2"]);
    shows(&mut session, "m", &["what fills the cache", "demo-a"]);
    shows(&mut session, "m", &["what fills the cache", "▒▒▒"]);
    shows(&mut session, "m", &["entries 2"]);
    shows(&mut session, "w", &["why demo-", "Kept: "]);
    session.close("why demo-");
    shows(&mut session, "!", &["scope and problems", "searched for environments", r"\envs"]);
    session.close("scope and problems");
    shows(&mut session, "s", &["order of "]);
    session.close("order of ");
    shows(&mut session, "/demo-b\r", &["entries 1 of 2", "/demo-b"]);
    shows(&mut session, "\r\r", &["demo_b", "RECORD"]);
    session.send("q");
    // Wine's console ends a moment after the last program in it.
    session.wait_until_cooked();
    let end = session.end();
    assert_eq!((end.code, end.cooked), (0, true));
    assert!(renditions(&end.raw).iter().any(|parameters| parameters.contains(&32)), "in colours");
    assert!(!end.screen.contents().contains("demo-a"), "what was there before is shown again");
    assert_eq!(lab.entries(), all);
}

#[test]
fn an_entry_is_removed_and_put_back() {
    let Some(lab) = Lab::new() else { return };
    lab.install("app", "hardlink", &["demo-a==1.0", "demo-b"]);
    let (all, links) = (lab.entries(), lab.link_files());
    let mut session = lab.interface((80, 24));
    shows(&mut session, "", &["scanned in", "demo-b"]);
    shows(&mut session, "/demo-b\r", &["entries 1 of 2"]);
    shows(&mut session, " ", &["1 marked"]);
    shows(&mut session, "p", &["plan to prune 1", "remove", "demo-b"]);
    shows(&mut session, "D", &["cancel: nothing is changed"]);
    assert_eq!(lab.entries(), all, "nothing happens before the answer");
    shows(&mut session, "y", &["Moved 1 entry"]);
    assert_eq!((lab.entries().len(), lab.link_files().len()), (1, 1));
    session.close("Moved 1 entry");
    shows(&mut session, "", &["can be put back"]);
    shows(&mut session, "z", &["cancel: nothing is changed"]);
    shows(&mut session, "y", &["what was put back"]);
    assert_eq!((lab.entries(), lab.link_files()), (all, links));
    session.send("q");
    assert_eq!(session.end().code, 0);
}
