//! What each action does.

use tui_input::InputRequest;

use crate::human;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::layout::Layout;
use crate::tui::model::column::Column;
use crate::tui::model::list::Sort;
use crate::tui::model::page::{Files, Menu, Page, PageKind, Picture, Subject, Target};
use crate::tui::model::planning::Planned;
use crate::tui::model::task::Question;
use crate::tui::model::{Model, Pane, View};
use crate::tui::theme::Role;

use super::{edit, environment, mark, task};

/// Does an action.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if !enabled(model, action) {
        if let Some(why) = why_not(model, action) {
            model.say(why, Role::Text);
        }
        return Vec::new();
    }
    let height = isize::try_from(height(model)).unwrap_or(isize::MAX).max(1);
    match action {
        Action::Down => step(model, 1),
        Action::Up => step(model, -1),
        Action::HalfPageDown => scroll(model, (height / 2).max(1)),
        Action::HalfPageUp => scroll(model, -(height / 2).max(1)),
        Action::PageDown => scroll(model, height),
        Action::PageUp => scroll(model, -height),
        Action::Top => jump(model, false),
        Action::Bottom => jump(model, true),
        Action::Open => return open(model),
        Action::Back => back(model),
        Action::Cancel => cancel(model),
        Action::Entries => show(model, View::Entries),
        Action::Environments => show(model, View::Environments),
        Action::Links => show(model, View::Links),
        Action::Locks => show(model, View::Locks),
        Action::Plan => show(model, View::Plan),
        Action::Prune => task::prune(model),
        Action::Remove => return environment::remove(model),
        Action::Relink => environment::menu(model, Menu::Relink),
        Action::Repair if model.view == View::Links => return environment::repair_links(model),
        Action::Repair => environment::menu(model, Menu::Repair),
        Action::Verify => return environment::verify(model),
        Action::Apply => task::apply(model),
        Action::Undo => task::undo(model),
        Action::Purge => task::purge(model),
        Action::NextView => turn(model, 1),
        Action::PreviousView => turn(model, View::ALL.len() - 1),
        Action::Filter => {
            if model.layers.is_empty() {
                model.pane = Pane::List;
            }
            model.typing = true;
            // What is there already is edited, or replaced by what is typed first.
            model.selected = !model.filter().value().is_empty();
            edit(model, InputRequest::GoToEnd);
        }
        Action::Sort => choose_order(model),
        Action::Bytes => {
            model.measure = model.measure.next();
            for view in View::ALL {
                let list = &mut model.lists[view as usize];
                list.arrange(&model.facts, model.measure, model.settings.home.as_deref(), None);
            }
            model.say(&format!("Sizes are now {}.", model.measure.about()), Role::Text);
        }
        Action::Picture => picture(model),
        Action::Why => {
            if let Some(key) = entry_at_cursor(model) {
                model.list_mut().chosen = true;
                model.layers.push(Page::new(PageKind::Why(key)));
            }
        }
        Action::Problems => toggle(model, PageKind::Problems),
        Action::Help => toggle(model, PageKind::Help),
        Action::Mark => mark::toggle(model),
        Action::MarkRange => mark::range(model),
        Action::MarkAll => mark::all(model),
        Action::InvertMarks => mark::invert(model),
        Action::ClearMarks => mark::clear(model),
        Action::Copy => return copy(model),
        Action::Rescan => return vec![Effect::Rescan],
        Action::Stop if model.task.is_some() => return task::stop(model),
        Action::Stop => {
            model.say("Stopping the scan.", Role::Text);
            return vec![Effect::StopScan];
        }
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit if model.task.is_some() => task::ask(model, Question::Quit),
        Action::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}

/// Whether an action can do anything now. The footer shows the others so.
pub(in crate::tui) fn enabled(model: &Model, action: Action) -> bool {
    let listed = model.layers.is_empty();
    let row = model.list().row().is_some();
    match action {
        Action::Mark | Action::MarkRange | Action::MarkAll | Action::InvertMarks => {
            listed
                && row
                && match model.view {
                    View::Links | View::Locks => false,
                    View::Plan => model.facts.planning.is_open(),
                    View::Entries | View::Environments => true,
                }
        }
        Action::Stop => model.scanning() || model.task.is_some(),
        Action::Prune => match model.view {
            View::Plan => listed && model.facts.planning.made().is_some(),
            // Why it cannot be done before the scan's end is told when the key is pressed.
            _ => listed && (model.doubt().is_some() || !task::entries_meant(model).is_empty()),
        },
        Action::Apply => {
            model.facts.planning.is_open()
                && model.facts.planning.chosen().is_some_and(|made| !made.is_empty())
        }
        Action::Undo => model.facts.planning.newest().is_some(),
        Action::Purge => !model.facts.planning.trash.is_empty(),
        Action::Repair if model.view == View::Links => true,
        Action::Remove | Action::Relink | Action::Repair => environment::any(model),
        Action::Verify => environment::any(model) || model.view == View::Entries && row,
        Action::ClearMarks => !model.marks.is_empty(),
        Action::Why => listed && entry_at_cursor(model).is_some(),
        Action::Open => match model.page() {
            Some(page) => page.target().is_some(),
            None => row,
        },
        Action::Back => !listed || model.pane == Pane::Detail || shows_plan(model),
        Action::Sort => {
            listed && !model.list().order.is_empty()
                || model.layers.last().is_some_and(|page| page.kind == PageKind::Sort)
        }
        Action::Filter => model
            .layers
            .last()
            .is_none_or(|page| !matches!(page.kind, PageKind::Sort | PageKind::Menu(_) | PageKind::Why(_))),
        Action::Copy => copied(model).is_some(),
        _ => true,
    }
}

/// Whether the view shows a plan that can be left.
fn shows_plan(model: &Model) -> bool {
    model.view == View::Plan && model.facts.planning.is_open()
}

/// Why an action can do nothing now, where that is worth a sentence.
fn why_not(model: &Model, action: Action) -> Option<&'static str> {
    let planning = &model.facts.planning;
    Some(match action {
        Action::Apply if planning.is_open() => "The plan has no step to carry out.",
        Action::Apply if planning.made().is_some() => "A plan is kept: 5 and Enter return to it.",
        Action::Apply => "There is no plan: mark entries and press p, or choose what to clean up in view 5.",
        Action::Prune if model.view == View::Plan => {
            "There is no plan: Enter plans the kind under the cursor."
        }
        Action::Prune if model.view == View::Environments => {
            "p removes entries of the cache, and no marked environment is one: x removes environments."
        }
        Action::Prune => "There is no entry to plan for: view 1 lists them.",
        Action::Remove | Action::Relink | Action::Repair => {
            "No environment is marked or under the cursor: view 2 lists them."
        }
        Action::Verify => "Nothing to compare is marked or under the cursor: views 1 and 2 list what is.",
        Action::Undo | Action::Purge if model.scanning() => {
            "A scan runs: what the trash holds is known when it ends."
        }
        Action::Undo => "The trash has nothing to put back.",
        Action::Purge => "The trash is empty.",
        Action::Stop => "No scan and no task is running.",
        Action::ClearMarks => "Nothing is marked.",
        Action::Mark | Action::MarkRange | Action::MarkAll | Action::InvertMarks => match model.view {
            View::Links | View::Locks => "Nothing is marked in this view: nothing here can be planned for.",
            View::Plan => "There is no plan whose steps could be marked: Enter makes one.",
            View::Entries | View::Environments => "There is no row to mark.",
        },
        Action::Why => "No entry is under the cursor.",
        Action::Sort => "There is no row to sort.",
        Action::Copy => "There is nothing to copy.",
        Action::Filter => "This page has no filter.",
        _ => return None,
    })
}

fn height(model: &Model) -> usize {
    model.page().map_or(model.list().height, Page::window)
}

fn step(model: &mut Model, by: isize) {
    match model.page_mut() {
        Some(page) => page.step(by),
        None => model.list_mut().step(by),
    }
}

fn scroll(model: &mut Model, by: isize) {
    match model.page_mut() {
        Some(page) => page.scroll(by),
        None => model.list_mut().step(by),
    }
}

fn jump(model: &mut Model, end: bool) {
    if let Some(page) = model.page_mut() {
        page.jump(end);
    } else {
        let last = model.list().order.len().saturating_sub(1);
        model.list_mut().go(if end { last } else { 0 });
    }
}

pub(super) fn show(model: &mut Model, view: View) {
    model.layers.clear();
    model.pane = Pane::List;
    model.typing = false;
    model.view = view;
}

fn turn(model: &mut Model, by: usize) {
    show(model, View::ALL[(model.view as usize + by) % View::ALL.len()]);
}

/// Opens what the cursor is on.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    if model.page().is_none()
        && let Some(effects) = task::open_row(model)
    {
        return effects;
    }
    let Some(page) = model.page() else {
        model.list_mut().chosen = true;
        model.pane = Pane::Detail;
        return Vec::new();
    };
    match page.target().cloned() {
        None => Vec::new(),
        Some(Target::Files(request, title)) => {
            let kind = PageKind::Files { request: request.clone(), title, files: Files::Awaited };
            model.layers.push(Page::new(kind));
            vec![Effect::ListFiles(request)]
        }
        Some(Target::Go(subject)) => {
            go(model, &subject);
            Vec::new()
        }
        Some(Target::Sort(column)) => {
            model.layers.pop();
            order_by(model, column);
            Vec::new()
        }
        Some(Target::Run(action)) => {
            model.layers.pop();
            act(model, action)
        }
        Some(Target::Plan(class)) => {
            task::plan_class(model, class);
            Vec::new()
        }
        Some(Target::Menu(menu)) => {
            model.layers.push(Page::new(PageKind::Menu(menu)));
            Vec::new()
        }
        Some(Target::Relink(environments, mode)) => {
            model.layers.pop();
            environment::relink(model, &environments, mode);
            Vec::new()
        }
        Some(Target::Repair(environments, with_uv)) => {
            model.layers.pop();
            environment::repair(model, &environments, with_uv)
        }
        Some(Target::Detach(environment)) => {
            environment::detach(model, &environment);
            Vec::new()
        }
        Some(Target::Answer(answer)) => task::answer_question(model, answer),
        Some(Target::Package(name)) => {
            show(model, View::Entries);
            edit(model, InputRequest::DeleteLine);
            // A name may have a space, which ends a word.
            let words: Vec<&str> = name.split_whitespace().collect();
            let filter = words.join(" name:");
            for character in format!("name:^{filter}$").chars() {
                edit(model, InputRequest::InsertChar(character));
            }
            Vec::new()
        }
    }
}

/// Shows a subject in its own view, past any filter that hides it.
fn go(model: &mut Model, subject: &Subject) {
    let view = match subject {
        Subject::Nothing => return,
        Subject::Entry(_) => View::Entries,
        Subject::Environment(_) => View::Environments,
        Subject::Link(_) => View::Links,
        Subject::Lock(_) => View::Locks,
        Subject::Planned(_) => View::Plan,
    };
    let Some(row) = model.row_of(subject) else {
        model.say("That is no longer there.", Role::Warning);
        return;
    };
    show(model, view);
    if !model.list_mut().select(row) {
        edit(model, InputRequest::DeleteLine);
        let found = model.list_mut().select(row);
        debug_assert!(found, "without a filter every row of the snapshot is in the list");
    }
}

fn back(model: &mut Model) {
    if model.layers.pop().is_none() {
        if model.pane == Pane::List && shows_plan(model) {
            task::leave_plan(model);
        }
        model.pane = Pane::List;
    }
    model.typing = false;
}

/// Closes one layer: a sequence of keys, a range, a filter, a page, the detail. Never quits.
fn cancel(model: &mut Model) {
    if let Some(page) = model.layers.last() {
        if page.filter.value().is_empty() {
            model.layers.pop();
        } else {
            edit(model, InputRequest::DeleteLine);
        }
    } else if model.list().anchor.is_some() {
        model.list_mut().anchor = None;
    } else if model.pane == Pane::Detail {
        model.pane = Pane::List;
    } else if !model.list().filter.value().is_empty() {
        edit(model, InputRequest::DeleteLine);
    } else if shows_plan(model) {
        task::leave_plan(model);
    }
}

/// Opens a page, or closes it when it is open.
fn toggle(model: &mut Model, kind: PageKind) {
    if model.layers.last().is_some_and(|page| page.kind == kind) {
        model.layers.pop();
    } else {
        model.layers.push(Page::new(kind));
    }
}

fn picture(model: &mut Model) {
    match model.layers.last_mut().map(|page| &mut page.kind) {
        Some(PageKind::Picture(form @ Picture::Map)) => *form = Picture::Bars,
        Some(PageKind::Picture(Picture::Bars)) => {
            model.layers.pop();
        }
        _ => model.layers.push(Page::new(PageKind::Picture(Picture::Map))),
    }
}

/// Opens the menu of orders; with the menu open, reverses the order.
fn choose_order(model: &mut Model) {
    let column = model.list().sort.column;
    if model.layers.last().is_some_and(|page| page.kind == PageKind::Sort) {
        model.layers.pop();
        order_by(model, column);
        return;
    }
    model.layers.push(Page::new(PageKind::Sort));
    model.settle();
    if let Some(page) = model.layers.last_mut() {
        page.cursor = (0..page.shown.len())
            .find(|place| page.line(*place).is_some_and(|line| line.target == Some(Target::Sort(column))))
            .or(page.cursor);
    }
}

/// Orders the list by a column; when it already is, the other way round.
pub(super) fn order_by(model: &mut Model, column: Column) {
    // A menu that was opened in another view means nothing in this one.
    if !column.sorts() || !model.view.columns().contains(&column) {
        return;
    }
    let sort = model.list().sort;
    let descending = if sort.column == column { !sort.descending } else { column.descends() };
    model.list_mut().sort = Sort { column, descending };
    model.arrange();
}

fn entry_at_cursor(model: &Model) -> Option<crate::snapshot::EntryKey> {
    let row = model.list().row()? as usize;
    let snapshot = model.snapshot();
    match model.view {
        View::Entries => Some(snapshot.entries[row].key.clone()),
        View::Environments => snapshot.environments[row].entry.map(|entry| snapshot.entry(entry).key.clone()),
        View::Links => snapshot.pointers[row].entry.map(|entry| snapshot.entry(entry).key.clone()),
        View::Locks | View::Plan => None,
    }
}

/// Copies the path of what the cursor is on, as one word for a shell: a name from elsewhere must not be a second command where
/// it is pasted. A plain path is that word already.
fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(text) = copied(model) else { return Vec::new() };
    model.say(&format!("Copied {text}"), Role::Text);
    vec![Effect::Copy(text)]
}

/// What would be copied.
fn copied(model: &Model) -> Option<String> {
    let page = model.page().and_then(|page| page.line(page.cursor?)?.copy.clone());
    page.or_else(|| {
        let snapshot = model.snapshot();
        let path = match model.subject() {
            Subject::Nothing
            | Subject::Planned(Planned::Class(_) | Planned::Suggestion(_) | Planned::Return) => return None,
            Subject::Entry(key) => snapshot.cache.path.join(key.path()),
            Subject::Environment(path) | Subject::Lock(path) => path,
            Subject::Planned(Planned::Thing(at)) => snapshot.cache.path.join(at.path()),
            Subject::Planned(Planned::Distribution(root, dist_info)) => root.path().join(dist_info.path()),
            Subject::Planned(Planned::Left(root, _)) => root.path(),
            Subject::Planned(Planned::Run(run)) => snapshot.cache.path.join(run.path()),
            Subject::Link(path) => snapshot.cache.path.join(path),
        };
        Some(human::shell_os(path.as_os_str()))
    })
}

/// Brings the layout in line before a page's lines are asked for.
pub(super) fn layout(model: &Model) -> Layout {
    Layout::of(model)
}
