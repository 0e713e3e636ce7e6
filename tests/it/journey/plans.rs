//! Marking by a filter, and leaving a plan, on a cache that uv made.

use std::path::PathBuf;

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

#[test]
fn an_environment_goes_with_what_only_it_uses_and_comes_back() {
    let home = Home::new();
    let (cache, app) = (home.path().join("cache"), home.path().join("app"));
    let before = (seen(&cache), seen(&app));
    let mut session = home.open((120, 40), &[("CACHETUI_GRACE", "0h")]);
    session.wait_for(SCANNED);
    session.press("2", "environments 2");
    session.press("/app\r", "environments 1 of 2");
    let text = session.press("x", "plan to remove");
    assert!(text.contains("~/app/.venv") && text.contains("demo-a 1.0"), "{text}");
    assert!(!text.contains("plan to prune"), "{text}");
    // Without the environment what only it uses stays too.
    let text = session.press("gg ", "0 steps to do");
    assert!(text.contains("leave") && !text.contains("D do it"), "{text}");
    session.press("gg ", "D do it");
    let text = session.press("D", "Move 1 environment and ");
    assert!(text.contains("cancel: nothing is changed"), "{text}");
    assert_eq!((seen(&cache), seen(&app)), before, "a plan and a question change nothing");
    let text = session.press("y", "Moved 1 environment and 4 entries");
    assert!(text.contains("X empties the trash"), "{text}");
    assert!(!app.join(".venv").exists());
    // What was removed is known to be in the trash when everything was looked at again.
    session.press("\x1b", "environments 0 of 1");
    session.press("z", "put back what was removed at");
    session.press("y", "Put back 1 environment");
    session.press("\x1b", "environments 1 of 2");
    session.send("q");
    assert_eq!(session.end().code, 0);
    assert!(app.join(".venv/pyvenv.cfg").exists());
    // Moving there and back changes nothing but the times of the directories around.
    let places = |seen: Vec<(PathBuf, String)>| -> Vec<(PathBuf, String)> {
        let kept = seen.into_iter().filter(|(path, _)| !path.ends_with(".lock"));
        kept.map(|(path, what)| (path, what.split(") (").next().unwrap().to_owned())).collect()
    };
    assert_eq!(places(seen(&app)), places(before.1), "the environment is as it was");
}
