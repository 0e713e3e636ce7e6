//! What the screen answers, what it never hides, and what it shows at every width.

use std::sync::Arc;
use std::time::Duration;

use cachetui::lock::{LockFile, Maker, Resource, State, Survey};
use cachetui::snapshot::{Bucket, Snapshot, TreePrint};
use cachetui::tui::{Event, Glyphs, Keymap, Theme};
use cachetui::worker::task::{Task, TaskEvent};
use cachetui::worker::{Around, ScanEvent};
use ratatui::style::Color;

use super::screen::Screen;
use crate::support::sample;

fn presentable(width: u16, height: u16) -> Screen {
    Screen::showing(sample::presentable(), width, height)
}

/// A cache whose entries all changed a moment ago.
fn young() -> Snapshot {
    let mut snapshot = sample::presentable();
    for entry in &mut snapshot.entries {
        entry.print.newest = sample::now().as_nanosecond().try_into().unwrap();
    }
    snapshot
}

/// A cache with something in its trash.
fn with_trash() -> (Snapshot, Around) {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join(".cachetui-trash/20260101T120000Z-1-0");
    std::fs::create_dir_all(run).unwrap();
    let trash = cachetui::apply::beside::runs(directory.path(), None).unwrap();
    let mut snapshot = sample::presentable();
    snapshot.cache.buckets.push(Bucket {
        name: ".cachetui-trash".to_owned(),
        known: true,
        odd: None,
        files: 1_204,
        logical: 991 << 20,
        disk: 991 << 20,
        single: 991 << 20,
        moved: false,
        linked: false,
        print: TreePrint::default(),
    });
    (snapshot, Around { trash, locks: super::locks::free() })
}

#[test]
fn an_answer_lives_until_the_next_key_or_change_of_view() {
    let mut screen = presentable(120, 40);
    screen.press("X");
    assert!(screen.text().contains("The trash is empty."));
    screen.moment.elapsed += Duration::from_secs(100);
    assert!(
        screen.event(Event::Tick).text().contains("The trash is empty."),
        "time alone takes nothing away"
    );
    for keys in ["j", "2", "<tab>", "?", "m", "g", "D", "é"] {
        let mut screen = presentable(120, 40);
        screen.press("X").press(keys);
        assert!(!screen.text().contains("The trash is empty."), "after {keys}: {}", screen.text());
    }
    let mut screen = presentable(120, 40);
    screen.press("X").click(10, 6);
    assert!(!screen.text().contains("The trash is empty."), "a click is the next key");
}

#[test]
fn what_marks_plans_and_tasks_come_to_is_never_hidden_by_an_answer() {
    for (width, height) in [(80, 24), (120, 40), (200, 60), (100, 9), (200, 8)] {
        let mut screen = presentable(width, height);
        screen.press("<space>X");
        let text = screen.text();
        assert!(text.contains("1 marked") && text.contains("The trash is empty."), "{text}");
        screen.press("u5j<enter>X");
        let text = screen.text();
        assert!(text.contains("frees 1.8 GiB") && text.contains("The trash is empty."), "{text}");
        screen.press("/torch");
        assert!(screen.text().contains("/torch") || height < 9, "{}", screen.text());
        screen.press("<esc>Dy").event(Event::Task(TaskEvent::Working("removing".to_owned()))).press("D");
        let text = screen.text();
        assert!(text.contains("removing") && text.contains("A task is running") || height < 9, "{text}");
    }
}

#[test]
fn a_running_task_says_how_to_stop_it_at_every_width() {
    for width in [30, 40, 60, 80, 100, 120] {
        let mut screen = presentable(width, 24);
        screen.press("5j<enter>Dy");
        let waiting = TaskEvent::Waiting {
            holders: "process 4121 (uv run --with uvicorn uvicorn server:app --reload)".to_owned(),
            remaining: Duration::from_secs(300),
        };
        screen.event(Event::Task(waiting));
        assert!(screen.text().contains("S stops it"), "{width}: {}", screen.text());
    }
}

#[test]
fn a_plan_is_left_by_escape_and_kept_as_it_was() {
    for leave in ["<esc>", "h", "<left>"] {
        let mut screen = presentable(120, 40);
        screen.press("/jaxlib<enter> <esc>/torch 2.7.1<enter> p <home>");
        let left = screen.text();
        assert!(left.contains("1 step to do"), "one was taken out: {left}");
        screen.press(leave);
        assert!(screen.text().contains("entries "), "back where it was made: {}", screen.text());
        assert!(
            screen.text().contains("The plan is kept (1 step): 5 and Enter return to it."),
            "{}",
            screen.text()
        );
        screen.press("D");
        assert!(screen.text().contains("A plan is kept: 5 and Enter return to it."), "{}", screen.text());
        screen.press("5<enter>");
        assert_eq!(screen.text(), left, "{leave}");
        screen.press("<esc>");
        assert!(
            screen.line("the plan to prune").contains("799.0 MiB") || screen.text().contains("240.0 MiB")
        );
        screen.press("p");
        assert_eq!(screen.text(), left, "p returns to it as well");
        screen.press("p");
        assert!(
            screen.text().contains("Dropped the plan (1 step). Nothing was changed."),
            "{}",
            screen.text()
        );
        assert!(!screen.text().contains("the plan to prune"), "{}", screen.text());
        assert!(screen.effects.is_empty());
    }
}

#[test]
fn escape_leaves_one_layer_of_a_plan_after_the_other() {
    let mut screen = presentable(120, 40);
    screen.press("5j<enter>/torch<enter><enter>");
    screen.press("<esc>");
    assert!(screen.text().contains("/torch"), "the detail first: {}", screen.text());
    screen.press("<esc>");
    assert!(!screen.text().contains("/torch") && screen.text().contains("plan to prune"), "then the filter");
    screen.press("<esc>");
    assert!(screen.text().contains("clean up "), "then the plan: {}", screen.text());
    screen.press("<esc><esc>");
    assert!(screen.text().contains("clean up ") && screen.effects.is_empty(), "and nothing quits");
}

#[test]
fn a_plan_without_steps_offers_nothing_to_carry_out() {
    let mut screen = presentable(120, 40);
    screen.press("5j<enter>");
    assert!(screen.text().contains("D do it"));
    screen.press("*");
    assert!(
        screen.text().contains("0 steps to do") && !screen.text().contains("D do it"),
        "{}",
        screen.text()
    );
    screen.press("D");
    assert!(screen.text().contains("The plan has no step to carry out."), "{}", screen.text());
}

#[test]
fn unused_is_one_number_and_what_of_it_can_go_stands_beside() {
    let snapshot = young();
    let totals = snapshot.totals();
    let (number, bytes) = (totals.unused_entries, cachetui::human::bytes(totals.unused.bytes));
    let mut screen = Screen::showing(snapshot, 200, 60);
    let header = screen.line("cachetui");
    assert!(header.contains(&format!("{bytes} unused (kept: {number} too young)")), "{header}");
    // Where there is no room the number stays.
    let header = Screen::showing(young(), 80, 24).line("cachetui");
    assert!(header.contains(&format!("{bytes} unused ·")), "{header}");
    screen.press("5");
    let row = screen.line("  unused ");
    assert!(
        row.contains(&format!("{number} unused, {bytes}: none can go now; kept: {number} too young")),
        "{row}"
    );
    let mut screen = presentable(200, 60);
    screen.press("5");
    assert!(screen.line("  unused ").contains(&format!("{number} unused, {bytes}: all can go now")));
}

#[test]
fn a_held_lock_is_told_at_every_width() {
    for (state, word) in [(State::Exclusive, "locked"), (State::Shared, "lock shared")] {
        for width in [30, 40, 50, 60, 80, 100, 120, 200] {
            let mut screen = presentable(width, 24);
            let lock = LockFile {
                path: "/home/ada/.cache/uv/.lock".into(),
                maker: Maker::Uv,
                resource: Resource::Cache("/home/ada/.cache/uv".into()),
                state: state.clone(),
                holders: Vec::new(),
                modified: None,
            };
            let locks = Survey { files: vec![lock], ..Survey::default() };
            screen.event(Event::Around(Around { locks, ..Around::default() }));
            let first = screen.text().lines().next().unwrap().to_owned();
            assert!(first.contains(word), "{width}: {first}");
        }
    }
}

#[test]
fn who_uses_an_entry_and_what_an_environment_frees_go_last() {
    for width in [60, 80, 100, 110, 120, 160, 200] {
        let mut screen = Screen::showing(sample::presentable(), width, 24);
        assert!(screen.text().contains("USERS"), "{width}: {}", screen.text());
        screen.press("2");
        if width >= 80 {
            let text = screen.text();
            assert!(text.contains("FREES") && text.contains("could share 298.0 MiB"), "{width}: {text}");
        }
    }
}

#[test]
fn at_eighty_columns_the_footer_has_what_is_done_in_the_view() {
    let footer = |keys: &str| {
        let mut screen = Screen::showing(sample::relinkable(), 80, 24);
        screen.press(keys);
        screen.text().trim_end().lines().next_back().unwrap().to_owned()
    };
    for key in ["L relink", "R repair", "V verify", "? help", "q quit"] {
        assert!(footer("2").contains(key), "{key}: {}", footer("2"));
    }
    for key in ["p trash", "V verify", "/ filter"] {
        assert!(footer("").contains(key), "{key}: {}", footer(""));
    }
    assert!(!footer("2").contains('('), "what does nothing is not there: {}", footer("2"));
    assert!(footer("5j<enter>").contains("D do it") && footer("5j<enter>").contains("p drop plan"));
}

#[test]
fn every_key_in_the_footer_does_something() {
    for view in ["1", "2", "3", "4", "5", "5j<enter>", "1<enter>", "2<enter>"] {
        for width in [80, 120, 200] {
            let open = || {
                let mut screen = Screen::showing(sample::relinkable(), width, 40);
                screen.press(view);
                screen
            };
            let mut screen = open();
            let before = screen.text();
            let footer = before.trim_end().lines().next_back().unwrap().to_owned();
            for binding in Keymap::default().bindings() {
                let Some(label) = &binding.footer else { continue };
                let key = Keymap::default().shown(binding.action).unwrap();
                if !footer.contains(&format!(" {key} {label} ")) {
                    continue;
                }
                let mut screen = open();
                for key in &binding.keys[0] {
                    screen.event(Event::Key(*key));
                }
                let nothing = screen.text() == before && screen.effects.is_empty();
                assert!(!nothing, "{view} at {width}: {key} {label} does nothing");
            }
        }
    }
}

#[test]
fn no_text_is_bright_black() {
    for theme in [Theme::dark(), Theme::light()] {
        for role in theme.roles() {
            let style = theme.style(role);
            assert!(style.fg != Some(Color::DarkGray) && style.bg != Some(Color::DarkGray), "{role:?}");
        }
    }
}

#[test]
fn the_trash_is_not_called_empty_before_it_was_read() {
    let (snapshot, around) = with_trash();
    let mut screen = Screen::bare(120, 40, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    for key in ["X", "z"] {
        let text = screen.press(key).text();
        assert!(text.contains("A scan runs: what the trash holds is known when it ends."), "{key}: {text}");
    }
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(snapshot)))).event(Event::Around(around));
    assert!(screen.press("z").text().contains("cancel: nothing is changed"));
}

#[test]
fn questions_name_the_act_its_object_and_its_bytes() {
    let (snapshot, mut around) = with_trash();
    around.trash[0].environments = 2;
    let mut screen = Screen::showing(snapshot, 120, 40);
    screen.event(Event::Around(around));
    screen.press("X");
    assert!(screen.line("besides").contains("2 environments, in the trash beside them"));
    let text = screen.text();
    assert!(text.contains("Delete 1 run in the trash (991.0 MiB) for good?"), "{text}");
    assert!(text.contains("y  delete 1 run in the trash (991.0 MiB) for good"), "{text}");
    assert!(text.contains("n  cancel: nothing is changed") && text.contains("y delete for good"), "{text}");
    assert!(screen.line(" in it").contains("991.0 MiB, 1,204 files"), "{text}");
    screen.press("n");
    assert!(screen.effects.is_empty() && screen.text().contains("Nothing was changed."));
    screen.press("z");
    assert!(
        screen.text().contains("Put back what was removed at 2026-01-01 12:00:00 UTC?"),
        "{}",
        screen.text()
    );
    screen.press("n5j<enter>D");
    let text = screen.text();
    assert!(text.contains("Move 8 entries (1.8 GiB) to the trash?"), "{text}");
    assert!(text.contains("y  move 8 entries (1.8 GiB) to the trash"), "{text}");
    screen.press("y");
    let begun = screen.effects.iter().any(
        |effect| matches!(effect, cachetui::tui::Effect::Begin(Task::Remove(plan)) if plan.steps.len() == 8),
    );
    assert!(begun, "what was named is done");
    screen.press("q");
    assert!(screen.text().contains("y  stop the task and quit"), "{}", screen.text());
}

#[test]
fn menus_leave_the_view_in_sight() {
    let mut screen = Screen::showing(sample::relinkable(), 120, 40);
    for keys in ["2L", "<esc>R"] {
        screen.press(keys);
        assert!(screen.text().contains("LINK MODES"), "{keys}: {}", screen.text());
    }
}

#[test]
fn the_demo_says_that_it_is_one() {
    for width in [30, 80, 200] {
        let mut screen = Screen::demo(width, 24, Glyphs::Unicode);
        assert!(screen.text().lines().next().unwrap().contains("demo"), "{width}: {}", screen.text());
    }
}
