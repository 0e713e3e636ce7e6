//! What is done to environments: the menus, the plans, the questions, and the reports.

#[cfg(unix)]
use cachetui::plan::{Action, Remove, plan};
use cachetui::plan::{At, Request};
use cachetui::plan::{Repair, repair::repair};
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
    assert!(!plan.steps.is_empty());
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
            Task::PlanRepair(Repair { with_uv, environments, .. }) => {
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
    let nothing = repair(&Facts::default(), &Repair::default());
    screen.event(Event::Task(TaskEvent::Finished(Done::Planned(Box::new(nothing)))));
    assert!(screen.text().contains("Nothing is broken there."), "{}", screen.text());
    assert!(screen.text().contains("environments"), "the view stays");
}

// The paths of the sample are absolute on Unix alone.
#[cfg(unix)]
#[test]
fn an_environment_is_removed_with_what_only_it_uses_and_no_part_is_taken_out_alone() {
    let mut screen = presentable(120, 40);
    screen.press("2/torch<enter>ax");
    let [Task::PlanRemoval(request)] = begun(&screen)[..] else { panic!("{:?}", screen.effects) };
    let roots = ["/home/ada/code/ml-env/.venv", "/home/ada/work/notebook/.venv"];
    let wanted = Remove {
        environments: roots.iter().map(|root| At::new(root.as_ref())).collect(),
        with_entries: true,
        grace: request.grace,
        ..Remove::default()
    };
    assert_eq!(*request, wanted);
    let made = plan(&sample::relinkable(), &Request::Remove(wanted));
    let entries = made.steps.iter().filter(|step| step.action == Action::RemoveEntry).count();
    assert!(entries > 1 && made.steps.len() == entries + 2, "{} {entries}", made.steps.len());
    screen.event(Event::Task(TaskEvent::Finished(Done::Planned(Box::new(made)))));
    insta::assert_snapshot!("removal_plan", screen.text());
    // Without one of them what both use stays too, and so does what was taken out by itself.
    screen.press("gg<space>D");
    insta::assert_snapshot!("removal_question", screen.text());
    screen.press("<tab><enter>");
    let [.., Task::Remove(plan)] = begun(&screen)[..] else { panic!("{:?}", screen.effects) };
    let actions: Vec<Action> = plan.steps.iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::RemoveEnvironment]);
}
