//! The view of the plan: what could be pruned, the plan made from marks, the question, the task, and the report.

use std::time::Duration;

use cachetui::apply::{Freed, Outcome, Report, State};
use cachetui::plan::{Action, At};
use cachetui::snapshot::Snapshot;
use cachetui::snapshot::{Doubt, EntryState};
use cachetui::tui::{Effect, Event, Glyphs};
use cachetui::worker::Around;
use cachetui::worker::task::{Done, Task, TaskEvent};

use super::screen::Screen;
use crate::support::sample;

fn presentable(width: u16, height: u16) -> Screen {
    Screen::showing(sample::presentable(), width, height)
}

/// The plan that was begun, if one was.
fn begun(screen: &Screen) -> Option<&cachetui::plan::Plan> {
    screen.effects.iter().find_map(|effect| match effect {
        Effect::Begin(Task::Remove(plan)) => Some(&**plan),
        _ => None,
    })
}

#[test]
fn what_could_be_pruned_looks_as_it_should_at_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5), (1, 1)] {
        insta::assert_snapshot!(
            format!("overview_{width}x{height}"),
            presentable(width, height).press("5").text()
        );
    }
}

#[test]
fn a_plan_looks_as_it_should_at_every_size() {
    for (width, height) in [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5), (1, 1)] {
        let text = presentable(width, height).press("5j<enter>").text();
        insta::assert_snapshot!(format!("plan_{width}x{height}"), text);
    }
}

#[test]
fn marked_entries_become_a_plan_that_is_asked_for_before_it_is_done() {
    let mut screen = presentable(120, 40);
    screen.press("/jaxlib<enter> <esc>/2.7.1<enter> p");
    insta::assert_snapshot!("plan_of_marks", screen.text());
    screen.press("D");
    insta::assert_snapshot!("plan_question", screen.text());
    assert!(begun(&screen).is_none(), "nothing happens before the answer");
    screen.press("<enter>");
    assert!(begun(&screen).is_none(), "the safe answer has the focus");
    assert!(screen.text().contains("Nothing was changed"));
    screen.press("Dy");
    assert!(!screen.text().contains("Nothing was changed"), "that is no longer so");
    let plan = begun(&screen).expect("the answer was yes");
    assert_eq!(plan.steps.len(), 2);
    assert_eq!(plan.steps[0].name.as_deref(), Some("torch"));
}

#[test]
fn a_step_can_be_taken_out_of_the_plan_and_put_in_again() {
    let mut screen = presentable(120, 40);
    screen.press("5j<enter>");
    let all = screen.text().matches(" remove ").count();
    screen.press(" ");
    assert_eq!(screen.text().matches(" remove ").count(), all - 1);
    screen.press("Dy");
    let plan = begun(&screen).unwrap();
    assert_eq!(plan.steps.len(), all - 1);
    assert!(plan.steps.iter().all(|step| step.version.as_deref() != Some("2.7.1")));
    let sum: u64 = plan.steps.iter().map(|step| step.bytes.reclaimable).sum();
    assert_eq!(plan.totals.bytes.reclaimable, sum);
}

#[test]
fn what_calls_for_a_second_look_has_to_be_typed() {
    let mut snapshot = sample::presentable();
    for entry in &mut snapshot.entries {
        entry.other_owner = true;
    }
    let mut screen = Screen::showing(snapshot, 120, 40);
    screen.press("5j<enter>Dy");
    assert!(screen.text().contains("type prune"), "{}", screen.text());
    screen.press("yes<enter>");
    assert!(begun(&screen).is_none());
    screen.press("Dyprune<enter>");
    assert!(begun(&screen).is_some());
}

#[test]
fn nothing_is_planned_before_the_scan_has_ended() {
    let mut screen = Screen::bare(120, 40, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    screen.press("p");
    assert!(screen.text().contains("a plan needs its end"), "{}", screen.text());
    screen.press("Dy");
    assert!(begun(&screen).is_none());
}

#[test]
fn a_task_is_shown_stopped_and_reported_and_leaving_asks_first() {
    let mut screen = presentable(120, 24);
    screen.press("5j<enter>Dy");
    let waiting = TaskEvent::Waiting {
        holders: "process 4121 (uvx ruff server)".to_owned(),
        remaining: Duration::from_secs(300),
    };
    screen.event(Event::Task(waiting));
    let line = screen.line("removing");
    assert!(line.contains("waits for the lock, held by process 4121"), "{line}");
    screen.press("q");
    assert!(screen.text().contains("Stop the task and quit?"), "{}", screen.text());
    assert!(!screen.effects.iter().any(|effect| matches!(effect, Effect::Quit)));
    screen.press("n");
    screen.event(Event::Task(TaskEvent::Working("removing".to_owned()))).event(Event::TaskProgress(1));
    let of = screen.line("removing").split_once("%, 1 of ").map(|(_, of)| of.to_owned());
    assert!(of.is_some_and(|of| of.contains(" files") && of.ends_with("S stops it")), "{}", screen.text());
    screen.event(Event::TaskProgress(1_234_567));
    assert!(screen.line("removing").contains("1,234,567 files "), "more than was planned has no percentage");
    screen.press("S");
    assert!(screen.effects.iter().any(|effect| matches!(effect, Effect::StopTask)));
    let outcome = |path: &str, state, why: Option<&str>| Outcome {
        action: Action::RemoveEntry,
        at: At::new(path.as_ref()),
        state,
        why: why.map(str::to_owned),
        moved: false,
    };
    let report = Report {
        outcomes: vec![
            outcome("archive-v0/one", State::Done, None),
            outcome("archive-v0/two\u{1b}[31m", State::Stale, Some("it has changed since the scan")),
            outcome("archive-v0/three", State::Cancelled, None),
        ],
        freed: Freed { predicted: 799 << 20, ..Freed::default() },
        trash: None,
        beside: Vec::new(),
        notes: vec!["Locks are worth little here.".to_owned()],
    };
    screen.event(Event::Task(TaskEvent::Finished(Done::Removed(report))));
    insta::assert_snapshot!("plan_report", screen.text());
    assert!(
        screen.effects.iter().any(|effect| matches!(effect, Effect::Rescan)),
        "everything is looked at again"
    );
}

#[test]
fn the_trash_is_shown_and_can_be_put_back_or_emptied() {
    let directory = tempfile::tempdir().unwrap();
    for run in ["20260101T120000Z-1-0", "20260102T130501Z-1-0"] {
        std::fs::create_dir_all(directory.path().join(".cachetui-trash").join(run)).unwrap();
    }
    let trash = cachetui::apply::beside::runs(directory.path(), None).unwrap();
    let mut screen = presentable(120, 40);
    screen.press("zX");
    assert!(screen.effects.is_empty());
    screen.event(Event::Around(Around { trash: trash.clone(), locks: super::locks::free() }));
    screen.press("5");
    assert!(screen.line("2026-01-02 13:05:01 UTC").contains("can be put back"));
    screen.press("zy");
    let restored = |effect: &Effect| matches!(effect, Effect::Begin(Task::Restore(run)) if *run == trash[1]);
    assert!(screen.effects.iter().any(restored), "the newest comes back first");
    screen.event(Event::Task(TaskEvent::Finished(Done::Restored(Vec::new()))));
    screen.press("<esc>Xy");
    let purged = |effect: &Effect| matches!(effect, Effect::Begin(Task::Purge(runs)) if *runs == trash);
    assert!(screen.effects.iter().any(purged));
}

#[test]
fn links_of_the_cache_are_planned_from_their_view_and_written_anew_after_a_question() {
    use cachetui::plan::repair::repair;
    let mut screen = presentable(120, 40);
    screen.press("3R");
    let asked = screen.effects.iter().find_map(|effect| match effect {
        Effect::Begin(Task::PlanRepair(request)) => Some(request.clone()),
        _ => None,
    });
    let request = asked.expect("the links are looked at");
    assert!(request.links && request.environments.is_empty());
    let plan = repair(&sample::damaged_links(), &request);
    screen.event(Event::Task(TaskEvent::Finished(Done::Planned(Box::new(plan.clone())))));
    insta::assert_snapshot!("plan_of_links", screen.text());
    screen.press("D");
    assert!(screen.text().contains("Writes 1 link of the cache again"), "{}", screen.text());
    screen.press("y");
    let begun = screen.effects.iter().find_map(|effect| match effect {
        Effect::Begin(Task::Repair(plan)) => Some(plan.clone()),
        _ => None,
    });
    assert_eq!(*begun.expect("the answer was yes"), plan);
}

#[test]
fn what_is_away_is_named_with_the_command_that_forgets_it() {
    let mut snapshot = sample::presentable();
    snapshot.scope.away = ["/srv/gone/.venv", "/srv/moved/.venv"].map(Into::into).into();
    let doubtful = snapshot.entries.iter_mut().filter(|entry| entry.state == EntryState::Unused).skip(1);
    for entry in doubtful {
        entry.state = EntryState::HeldElsewhere;
        entry.doubt = Some(Doubt::Environment);
    }
    let command = "cachetui envs --forget /srv/gone/.venv --forget /srv/moved/.venv";
    let says = |screen: &mut Screen| {
        // Lines are broken between words, within the box that they stand in.
        let columns = |line: &str| line.split('│').rev().nth(1).unwrap_or(line).trim().to_owned();
        let text = screen.text().lines().map(columns).collect::<Vec<_>>().join(" ");
        text.split_whitespace().collect::<Vec<_>>().join(" ").contains(command)
    };
    let mut screen = Screen::showing(snapshot, 200, 60);
    assert!(says(screen.press("5j")), "the view names it: {}", screen.text());
    let review = screen.press("<enter>D").text();
    let named = review.contains("`cachetui envs --forget /srv/gone/.venv --forget")
        && review.contains("/srv/moved/.venv`");
    assert!(named, "the review names it: {review}");
}

#[test]
fn what_can_be_done_besides_pruning_has_rows_and_one_key() {
    let mut screen = Screen::showing(sample::relinkable(), 120, 40);
    screen.press("5");
    let text = screen.text();
    for row in ["broken environments", "environments with copies"] {
        assert!(text.contains(row), "{row}: {text}");
    }
    assert!(text.contains("2 environments do not work"), "{text}");
    screen.press("/broken env<enter><enter>");
    assert!(screen.text().contains("Repair 2 environments from:"), "{}", screen.text());
    screen.press("<esc>/with copies<enter><enter>");
    let text = screen.text();
    assert!(text.contains("plan to relink") && text.contains("relink"), "{text}");
    assert!(screen.effects.iter().all(|effect| !matches!(effect, Effect::Begin(Task::Relink(_)))));
}

// The paths of the sample are absolute on Unix alone.
#[cfg(unix)]
#[test]
fn idle_environments_are_planned_for_removal_from_the_same_place() {
    let mut snapshot = sample::relinkable();
    let year = jiff::SignedDuration::from_hours(24 * 365);
    for environment in &mut snapshot.environments {
        let time = sample::now().checked_sub(year).unwrap();
        let evidence = cachetui::snapshot::LastUseEvidence::Link;
        environment.last_use = Some(cachetui::snapshot::LastUse { time, evidence });
    }
    let mut screen = Screen::showing(snapshot, 120, 40);
    screen.press("5/idle env<enter><enter>");
    let asked = screen.effects.iter().find_map(|effect| match effect {
        Effect::Begin(Task::PlanRemoval(request)) => Some(request.clone()),
        _ => None,
    });
    let request = asked.unwrap_or_else(|| panic!("{}", screen.text()));
    assert!(request.with_entries && request.environments.len() > 2, "{request:#?}");
}

#[test]
fn a_question_that_was_not_on_the_screen_yet_is_answered_by_no_key() {
    let mut screen = Screen::showing(sample::presentable(), 120, 40);
    screen.press("5j<enter>").press_at_once("Dy");
    let begun = |screen: &Screen| screen.effects.iter().any(|effect| matches!(effect, Effect::Begin(_)));
    assert!(!begun(&screen));
    assert!(screen.text().contains("cancel: nothing is changed"), "it is still asked");
    screen.press_at_once("<tab><enter>");
    assert!(!begun(&screen), "no other way to say so either");
    screen.press("<tab><tab>").press("y");
    assert!(begun(&screen));
}

#[test]
fn a_heading_that_orders_nothing_can_be_clicked() {
    // The kinds of things are more than the entries.
    let whole = sample::presentable();
    let snapshot = Snapshot { cache: whole.cache, scope: whole.scope, ..Snapshot::default() };
    let mut screen = Screen::showing(snapshot, 120, 40);
    screen.press("5");
    let text = screen.text();
    let heading = text.lines().position(|line| line.contains("WHAT")).unwrap();
    for column in 0..120 {
        screen.click(column, u16::try_from(heading).unwrap());
    }
    assert!(screen.text().contains("unreferenced"), "{}", screen.text());
}
