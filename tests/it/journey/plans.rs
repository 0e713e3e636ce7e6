//! Marking by a filter, and leaving a plan, on a cache that uv made.

use super::{Home, SCANNED};
use crate::support::swap::seen;

#[test]
fn what_a_filter_shows_is_marked_planned_left_kept_and_dropped_and_nothing_changes() {
    let home = Home::new();
    let before = seen(&home.path().join("cache"));
    let mut session = home.open((120, 40), &[]);
    session.wait_for(SCANNED);
    session.press("/state:unused\r", "entries 1 of 9");
    let text = session.press("a", "Marked 1 unused entry");
    assert!(text.contains("1 marked"), "{text}");
    let text = session.press("p", "plan to prune 1");
    assert!(text.contains("remove") && text.contains("1 step to do"), "{text}");
    let text = session.press("\x1b", "The plan is kept (1 step): 5 and Enter return to it.");
    assert!(text.contains("entries 1 of 9"), "back where it was made: {text}");
    session.press("5", "the plan to prune");
    session.press("\r", "plan to prune 1");
    let text = session.press("D", "Move 1 entry (");
    assert!(text.contains("cancel: nothing is changed"), "{text}");
    session.press("n", "Nothing was changed.");
    session.press("p", "Dropped the plan (1 step). Nothing was changed.");
    session.press("1", "/state:unused");
    session.press("/demo-b", "/demo-b");
    let text = session.press("\r", "1 hidden by the filter");
    assert!(!text.contains("/state:unused"), "typing replaced the filter: {text}");
    session.send("q");
    assert_eq!(session.end().code, 0);
    assert_eq!(seen(&home.path().join("cache")), before);
}
