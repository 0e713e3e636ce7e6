//! The filter: what it shows is what is marked, and what is marked out of sight is named.

use cachetui::plan::Request;
use cachetui::snapshot::{EntryState, Snapshot};
use cachetui::tui::Glyphs;
use cachetui::tui::{Effect, Event};
use cachetui::worker::ScanEvent;
use cachetui::worker::task::Task;
use std::sync::Arc;

use super::screen::Screen;
use crate::support::sample;

/// A cache whose used entry has the letters of `unused` in its row, over two columns.
fn misleading() -> Snapshot {
    let mut snapshot = sample::presentable();
    let used = snapshot.entries.iter_mut().find(|entry| entry.state == EntryState::Used).unwrap();
    used.name = Some("polars-runtime-32".to_owned());
    used.version = Some("1.38.1".to_owned());
    snapshot
}

fn number(snapshot: &Snapshot, state: EntryState) -> usize {
    snapshot.entries.iter().filter(|entry| entry.state == state).count()
}

/// The rows' number that the title tells.
fn shown(screen: &mut Screen) -> String {
    let line = screen.line("╭ ");
    let title = line.split(" · ").next().unwrap();
    title.trim_start_matches("╭ ").to_owned()
}

#[test]
fn a_word_never_matches_across_columns_so_that_used_entries_are_not_marked_as_unused() {
    for filter in ["unused", "unus", "state:unused", "UNUSED", "state:unus"] {
        let snapshot = misleading();
        let unused = number(&snapshot, EntryState::Unused);
        let mut screen = Screen::showing(snapshot, 160, 60);
        screen.press(&format!("/{filter}<enter>"));
        assert!(!screen.text().contains("polars-runtime-32"), "{filter}: {}", screen.text());
        screen.press("a");
        let text = screen.line("Marked ");
        assert!(text.contains(&format!("Marked {unused} unused entr")), "{filter}: {text}");
        assert!(text.contains("iB."), "it says how many bytes: {text}");
        screen.press("p");
        assert!(!screen.text().contains("polars-runtime-32"), "{filter}: {}", screen.text());
    }
}

#[test]
fn a_whole_state_means_that_state_and_none_that_contains_it() {
    let snapshot = misleading();
    let used = number(&snapshot, EntryState::Used);
    let mut screen = Screen::showing(snapshot, 160, 60);
    screen.press("/used<enter>a");
    assert!(screen.text().contains(&format!("Marked {used} used entr")), "{}", screen.text());
}

#[test]
fn words_of_one_row_may_stand_in_several_fields_but_each_in_one() {
    let mut screen = Screen::new(160, 60);
    screen.press("/torch 2.9<enter>");
    let both = shown(&mut screen);
    screen.press("/2.9 torch<enter>");
    assert_eq!(shown(&mut screen), both, "the order of words is free");
    screen.press("/torch2.9<enter>");
    assert!(screen.text().contains("No row matches the filter"), "{}", screen.text());
    screen.press("/TORCH<enter>");
    assert!(!screen.text().contains("No row matches"));
}

#[test]
fn letters_are_spread_over_names_only() {
    let mut screen = Screen::new(160, 60);
    screen.press("/nmpy<enter>");
    assert!(screen.text().contains("numpy"), "{}", screen.text());
    for filter in ["'nmpy", "2..0.5.3", "state:usd"] {
        screen.press(&format!("/{filter}<enter>"));
        assert!(screen.text().contains("No row matches the filter"), "{filter}: {}", screen.text());
    }
}

#[test]
fn fields_ask_for_state_name_environment_mode_size_age_and_version() {
    let snapshot = sample::presentable();
    let count = |is: &dyn Fn(&cachetui::snapshot::Entry) -> bool| {
        let all = snapshot.entries.len();
        match snapshot.entries.iter().filter(|entry| is(entry)).count() {
            0 => "No row matches the filter".to_owned(),
            number if number == all => format!("entries {all}"),
            number => format!("entries {number} of {all}"),
        }
    };
    let days = |entry: &cachetui::snapshot::Entry| {
        (sample::now().as_second() - entry.last_use.unwrap().time.as_second()) / 86_400
    };
    let cases: Vec<(&str, String)> = vec![
        ("state:protected", count(&|it| it.state == EntryState::Protected)),
        ("!state:protected", count(&|it| it.state != EntryState::Protected)),
        ("name:torch", count(&|it| it.name.as_deref().is_some_and(|name| name.contains("torch")))),
        ("size>50M", count(&|it| it.disk > 50 << 20)),
        ("size<=50M", count(&|it| it.disk <= 50 << 20)),
        ("size > 50M", count(&|it| it.disk > 50 << 20)),
        ("age>30d", count(&|it| it.last_use.is_some() && days(it) > 30)),
        (
            "torch<2.9",
            count(&|it| it.name.as_deref() == Some("torch") && it.version.as_deref() == Some("2.7.1")),
        ),
        (
            "torch==2.7.1",
            count(&|it| it.name.as_deref() == Some("torch") && it.version.as_deref() == Some("2.7.1")),
        ),
        ("Torch>=1,<3", count(&|it| it.name.as_deref() == Some("torch"))),
        ("size>5parsecs", "The filter matches nothing: `size>5parsecs`".to_owned()),
        ("numpy<", "The filter matches nothing: `numpy<`".to_owned()),
        ("mode:fast", "The filter matches nothing: `fast`".to_owned()),
    ];
    let mut screen = Screen::showing(snapshot.clone(), 160, 60);
    for (filter, expected) in cases {
        screen.press(&format!("/{filter}<enter>"));
        let text = screen.text();
        assert!(text.contains(&expected), "{filter}: expected {expected:?} in {text}");
    }
    for (filter, used) in [("env:ml-env", "torch"), ("mode:symlink", "rich"), ("env:tools/ruff", "ruff")] {
        screen.press(&format!("/{filter}<enter>"));
        let text = screen.text();
        assert!(text.contains(used) && !text.contains("No row"), "{filter}: {text}");
        assert!(!text.contains("jaxlib"), "no environment uses that: {text}");
    }
}

#[test]
fn a_name_or_a_requirement_means_has_this_package_among_environments() {
    let with = |filter: &str| {
        let mut screen = Screen::showing(sample::presentable(), 160, 60);
        screen.press(&format!("2/{filter}<enter>"));
        screen.text()
    };
    let has = with("ruff==0.14.2");
    assert!(has.contains("tools/ruff") && !has.contains("ml-env"), "{has}");
    assert!(with("ruff<0.14").contains("No row matches"), "a version that is not there");
    assert!(with("torch>=2").contains("ml-env") && !with("torch>=2").contains("tools/ruff"));
    assert!(with("name:torch").contains("ml-env"), "{}", with("name:torch"));
    assert!(with("name:torc").contains("No row matches"), "a package has its whole name");
    assert!(with("state:broken").contains("old/api"), "{}", with("state:broken"));
}

#[test]
fn what_is_not_known_matches_neither_a_field_nor_its_contrary() {
    let mut partial = sample::presentable();
    partial.scope.completeness = cachetui::snapshot::Completeness::Running;
    let mut screen = Screen::bare(160, 60, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Partial(Arc::new(partial))));
    for filter in ["state:unused", "!state:used", "mode:copy", "!mode:copy", "!env:ml"] {
        screen.press(&format!("/{filter}<enter>"));
        assert!(screen.text().contains("No row matches the filter"), "{filter}: {}", screen.text());
    }
}

#[test]
fn the_filter_key_edits_the_filter_selected_so_that_typing_replaces_it() {
    let mut screen = Screen::new(120, 40);
    screen.press("/numpy<enter>/torch<enter>");
    assert!(
        screen.line("╭ ").contains("· /torch ╮") || screen.line("╭ ").contains("/torch"),
        "{}",
        screen.text()
    );
    assert!(!screen.text().contains("/numpytorch"), "{}", screen.text());
    screen.press("/<end> 2.9<enter>");
    assert!(screen.text().contains("/torch 2.9"), "a movement keeps it: {}", screen.text());
    screen.press("/<backspace>");
    assert!(shown(&mut screen).starts_with("entries 28"), "all of it is deleted: {}", screen.text());
    screen.press("<esc>/numpy<enter>/").event(Event::Paste("rich".to_owned()));
    screen.press("<enter>");
    assert!(screen.text().contains("/rich"), "pasted text replaces it too: {}", screen.text());
    screen.press("/<enter>");
    assert!(screen.text().contains("/rich"), "Enter alone keeps it: {}", screen.text());
    screen.press("?/sort<enter>/quit<enter>");
    assert!(screen.text().contains("/quit"), "pages alike: {}", screen.text());
}

#[test]
fn marks_hidden_by_the_filter_are_counted_named_and_listed_before_they_go() {
    let mut screen = Screen::showing(sample::presentable(), 140, 50);
    screen.press("/jaxlib<enter> <esc>/torch 2.7.1<enter> ");
    assert!(screen.line("● 2 marked").contains("2 marked, 1 hidden by the filter"), "{}", screen.text());
    screen.press("p");
    let row = screen.line("jaxlib");
    assert!(row.contains("hidden by the filter; "), "{row}");
    assert!(!screen.line("torch 2.7.1  ").contains("hidden"), "{}", screen.text());
    assert!(screen.text().contains("1 marked out of sight"), "{}", screen.text());
    screen.press("D");
    assert!(screen.line("not shown").contains("1 hidden by the filter: jaxlib"), "{}", screen.text());
}

#[test]
fn marks_of_another_view_are_counted_named_and_listed_before_they_go() {
    let mut screen = Screen::showing(sample::presentable(), 140, 50);
    screen.press("/jaxlib<enter> <esc>2");
    assert!(screen.line("marked").contains("1 marked, 1 in Entries"), "{}", screen.text());
    screen.press("p");
    assert!(screen.line("jaxlib").contains("marked in Entries; "), "{}", screen.text());
    screen.press("D");
    assert!(screen.line("not shown").contains("1 marked in Entries: jaxlib"), "{}", screen.text());
    // The other way round: environments that were marked, from where they are not seen.
    let mut screen = Screen::showing(sample::relinkable(), 140, 50);
    screen.press("2/ml-env<enter> <esc>1");
    assert!(screen.line("marked").contains("1 marked, 1 in Environments"), "{}", screen.text());
    screen.press("L");
    assert!(screen.line("ml-env/.venv  (").contains("(marked in Environments)"), "{}", screen.text());
    screen.press("<esc>2/notebook<enter>L");
    assert!(screen.line("ml-env/.venv  (").contains("(hidden by the filter)"), "{}", screen.text());
    screen.press("G<enter>D");
    assert!(
        screen.line("not shown").contains("1 hidden by the filter: ~/code/ml-env/.venv"),
        "{}",
        screen.text()
    );
    screen.press("<esc><esc>2V");
    assert!(screen.line("Comparing").contains("1 environment (1 hidden by the filter)"), "{}", screen.text());
}

#[test]
fn a_plan_to_repair_names_what_was_marked_out_of_sight_when_it_was_asked_for() {
    use cachetui::plan::{Repair, repair::repair};
    let mut screen = Screen::showing(sample::presentable(), 140, 50);
    screen.press("2/ml-env<enter> /notebook<enter>R");
    assert!(screen.line("ml-env/.venv  (").contains("(hidden by the filter)"), "{}", screen.text());
    screen.press("<enter>");
    let asked = screen.effects.iter().find_map(|effect| match effect {
        Effect::Begin(Task::PlanRepair(request)) => Some(request.clone()),
        _ => None,
    });
    let asked: Repair = asked.expect("it is looked for");
    assert_eq!(asked.environments.len(), 1);
    let plan = repair(&cachetui::scan::repair::Facts::default(), &asked);
    let done = cachetui::worker::task::Done::Planned(Box::new(plan));
    screen.event(Event::Task(cachetui::worker::task::TaskEvent::Finished(done)));
    assert!(screen.text().contains("Nothing is broken there"), "{}", screen.text());
}

#[test]
fn actions_take_the_row_under_the_cursor_where_nothing_is_marked() {
    let mut screen = Screen::showing(sample::presentable(), 140, 50);
    screen.press("/jaxlib<enter>p");
    assert!(screen.line("jaxlib").contains("remove"), "{}", screen.text());
    screen.press("Dy");
    let plan = screen.effects.iter().find_map(|effect| match effect {
        Effect::Begin(Task::Remove(plan)) => Some(plan.clone()),
        _ => None,
    });
    let plan = plan.expect("the answer was yes");
    assert_eq!(plan.steps.len(), 1);
    let Request::Prune(request) = &plan.request else { panic!("{:?}", plan.request) };
    assert_eq!(request.what.len(), 1);
    // Of an environment that is no entry there is nothing to prune, and the key says so.
    let mut screen = Screen::showing(sample::presentable(), 140, 50);
    screen.press("2/ml-env<enter>p");
    assert!(screen.text().contains("p removes entries of the cache"), "{}", screen.text());
    assert!(screen.text().contains("environments 1 of"), "nothing else happened: {}", screen.text());
}

#[test]
fn entries_of_one_name_and_version_are_told_apart_in_lists_plans_and_questions() {
    let mut snapshot = sample::presentable();
    let torch: Vec<usize> = (0..snapshot.entries.len())
        .filter(|at| snapshot.entries[*at].name.as_deref() == Some("torch"))
        .collect();
    for (at, tag) in torch.iter().zip(["cp311-cp311-any", "cp312-cp312-any"]) {
        snapshot.entries[*at].version = Some("2.7.1".to_owned());
        snapshot.entries[*at].tags = vec![tag.to_owned()];
    }
    let mut screen = Screen::showing(snapshot, 160, 50);
    assert!(
        screen.text().contains("torch cp311-cp311-any") && screen.text().contains("torch cp312-cp312-any")
    );
    screen.press("/torch<enter>ap");
    let text = screen.text();
    assert!(
        text.contains("torch 2.7.1 (cp311-cp311-any)") && text.contains("torch 2.7.1 (cp312-cp312-any)"),
        "{text}"
    );
    screen.press("D");
    assert!(screen.text().matches("torch 2.7.1 (cp31").count() >= 4, "{}", screen.text());
}
