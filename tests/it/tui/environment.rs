//! What is done to environments: the menus, the plans, the questions, and the reports.

use cachetui::plan::repair::{RepairRequest, repair};
use cachetui::plan::{At, Request};
use cachetui::scan::repair::Facts;
use cachetui::snapshot::Mode;
use cachetui::tui::{Effect, Event};
use cachetui::worker::task::{Done, Task, TaskEvent};

use super::screen::Screen;
use crate::support::sample;

fn presentable(width: u16, height: u16) -> Screen {
    Screen::showing(sample::relinkable(), width, height)
}

fn begun(screen: &Screen) -> Vec<&Task> {
    let tasks = screen.effects.iter().filter_map(|effect| match effect {
        Effect::Begin(task) => Some(task),
        _ => None,
    });
    tasks.collect()
}

#[test]
fn the_mode_is_chosen_from_a_menu_and_the_plan_is_asked_for() {
    let mut screen = presentable(80, 24);
    screen.press("2/ml-env<enter>L");
    insta::assert_snapshot!("relink_menu", screen.text());
    screen.press("G<enter>");
    insta::assert_snapshot!("relink_plan", screen.text());
    screen.press("D");
    insta::assert_snapshot!("relink_question", screen.text());
    screen.press("<enter>");
    assert!(begun(&screen).is_empty(), "the safe answer has the focus");
    screen.press("D<tab><enter>");
    let [Task::Relink(plan)] = begun(&screen)[..] else { panic!("{:?}", screen.effects) };
    let Request::Relink(request) = &plan.request else { panic!("{:?}", plan.request) };
    assert_eq!(request.mode, Mode::Copy);
    assert!(!plan.relinks.is_empty());
}

#[test]
fn the_answers_stay_in_sight_however_long_the_list_is() {
    let mut screen = presentable(80, 16);
    screen.press("2/ml-env<enter>LG<enter>D");
    let first = screen.text();
    assert!(first.contains("cancel: nothing is changed") && first.contains(" more ╯"), "{first}");
    screen.press("<pagedown>");
    let second = screen.text();
    assert!(second.contains("cancel: nothing is changed") && second != first, "{second}");
    // A click on an answer gives it the focus, so that Enter means what is seen.
    let row = second.lines().position(|line| line.contains("y  relink")).unwrap();
    screen.click(20, u16::try_from(row).unwrap());
    screen.press("<enter>");
    assert!(matches!(begun(&screen)[..], [Task::Relink(_)]), "{:?}", screen.effects);
}

#[test]
fn repairing_begins_with_finding_out_and_uv_is_called_only_when_chosen() {
    let mut screen = presentable(80, 24);
    screen.press("2/api<enter>R");
    insta::assert_snapshot!("repair_menu", screen.text());
    screen.press("<enter>");
    screen.event(Event::Task(TaskEvent::Failed("It was stopped; nothing was planned.".to_owned())));
    screen.press("<esc>Rj<enter>");
    let asked: Vec<bool> = begun(&screen)
        .into_iter()
        .map(|task| match task {
            Task::PlanRepair(RepairRequest { with_uv, environments, .. }) => {
                assert_eq!(environments, &[At::new("/home/ada/old/api/.venv".as_ref())]);
                *with_uv
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [false, true]);
}

#[test]
fn while_something_runs_nothing_else_is_begun() {
    let mut screen = presentable(80, 24);
    screen.press("2/api<enter>R<enter>");
    assert_eq!(begun(&screen).len(), 1);
    for keys in ["R", "L", "V", "1V"] {
        screen.press(keys);
        assert!(screen.text().contains("A task is running") || screen.text().contains("stops it"));
    }
    assert_eq!(begun(&screen).len(), 1);
    assert!(!screen.effects.iter().any(|effect| matches!(effect, Effect::Quit)));
}

#[test]
fn nothing_broken_is_said_and_no_plan_is_shown() {
    let mut screen = presentable(80, 24);
    screen.press("2R<enter>");
    let nothing = repair(&Facts::default(), &RepairRequest::default());
    screen.event(Event::Task(TaskEvent::Finished(Done::RepairPlanned(Box::new(nothing)))));
    assert!(screen.text().contains("Nothing is broken there."), "{}", screen.text());
    assert!(screen.text().contains("environments"), "the view stays");
}
