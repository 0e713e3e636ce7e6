//! Plans, the questions before they are carried out, and the tasks that do it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::human;
use crate::plan::{At, Class, Plan, Request};
use crate::snapshot::EntryKey;
use crate::tui::effect::Effect;
use crate::tui::event::Focus;
use crate::tui::key::{Code, Key};
use crate::tui::model::page::{Page, PageKind, Subject, Target};
use crate::tui::model::planning::{Planned, Row};
use crate::tui::model::suggestion::Suggestion;
use crate::tui::model::task::{Answer, Question, Running, Stage};
use crate::tui::model::{Model, Pane, View};
use crate::tui::page;
use crate::tui::theme::Role;
use crate::worker::task::{Done, Task, TaskEvent};

use super::environment;

/// The entries that are meant: those that are marked, else the one under the cursor. In the view of environments also
/// those as which the meant environments are stored.
pub(super) fn entries_meant(model: &Model) -> Vec<EntryKey> {
    let snapshot = model.snapshot();
    let mut keys: Vec<EntryKey> = model.marks.entries.iter().cloned().collect();
    match model.view {
        View::Entries if keys.is_empty() => {
            keys.extend(model.list().row().map(|row| snapshot.entries[row as usize].key.clone()));
        }
        View::Environments => {
            let environments = environment::meant(model);
            let stored = environments.iter().filter_map(|path| snapshot.find_environment(path));
            let stored = stored.filter_map(|index| snapshot.environment(index).entry);
            keys.extend(stored.map(|entry| snapshot.entry(entry).key.clone()));
        }
        _ => {}
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Shows a plan to prune what is marked, or what the cursor is on; in the view of the plan, drops it or returns to it.
pub(super) fn prune(model: &mut Model) {
    if model.doubt().is_some() {
        model.say(environment::UNFINISHED, Role::Warning);
        return;
    }
    if model.view == View::Plan {
        model.pane = Pane::List;
        if model.facts.planning.is_open() {
            let steps = model.facts.planning.chosen().map_or(0, |plan| plan.totals.steps);
            drop_plan(model);
            let steps = human::counted(steps, "step", "steps");
            model.say(&format!("Dropped the plan ({steps}). Nothing was changed."), Role::Text);
        } else {
            return_to_plan(model);
        }
        return;
    }
    let keys = entries_meant(model);
    let unseen = keys
        .iter()
        .filter(|key| model.marks.entries.contains(*key))
        .filter_map(|key| Some((At::new(&key.path()), model.entry_hidden(key)?)))
        .collect();
    let what: Vec<String> = keys.iter().filter_map(what).collect();
    let lost = (keys.len() - what.len()) as u64;
    let request = Request::Prune(model.facts.planning.of_marks(what));
    make(model, &request, unseen);
    if lost > 0 {
        let entries = human::counted(lost, "marked entry is", "marked entries are");
        model.say(&format!("{entries} not in the plan: the id is no text."), Role::Warning);
    }
}

/// Leaves the plan for the view it was made from. It is kept.
pub(super) fn leave_plan(model: &mut Model) {
    let Some(steps) = model.facts.planning.chosen().map(|plan| plan.totals.steps) else { return };
    model.facts.planning.leave(true);
    model.replan();
    let came = model.came;
    super::act::show(model, came);
    model.lists[View::Plan as usize].chosen = false;
    model.replan();
    let steps = human::counted(steps, "step", "steps");
    let how = if came == View::Plan { "Enter" } else { "5 and Enter" };
    let verb = if how == "Enter" { "returns" } else { "return" };
    model.say(&format!("The plan is kept ({steps}): {how} {verb} to it."), Role::Text);
}

/// Shows the plan that was left.
fn return_to_plan(model: &mut Model) {
    model.facts.planning.leave(false);
    model.came = View::Plan;
    model.replan();
    model.lists[View::Plan as usize].chosen = false;
    model.arrange();
}

/// How an entry is named in a request; one whose name is no text cannot be.
fn what(key: &EntryKey) -> Option<String> {
    Some(format!("{}/{}", key.bucket, key.id.to_str()?))
}

/// Shows a plan to prune everything of a class.
pub(super) fn plan_class(model: &mut Model, class: Class) {
    let request = Request::Prune(model.facts.planning.of_class(class));
    make(model, &request, BTreeMap::new());
}

/// Makes a plan, and shows it. `unseen` is what of it was marked out of sight, and where.
pub(super) fn make(model: &mut Model, request: &Request, unseen: BTreeMap<At, &'static str>) {
    let snapshot = std::sync::Arc::clone(&model.facts.snapshot);
    model.facts.planning.make(&snapshot, request);
    model.facts.planning.note_unseen(unseen);
    show(model);
}

/// Shows the plan that was made.
fn show(model: &mut Model) {
    model.came = model.view;
    model.replan();
    super::act::show(model, View::Plan);
    let list = model.list_mut();
    list.chosen = false;
    model.arrange();
}

/// Drops the plan.
fn drop_plan(model: &mut Model) {
    let snapshot = std::sync::Arc::clone(&model.facts.snapshot);
    model.facts.planning.drop(&snapshot);
    model.replan();
}

/// Asks whether to carry out the plan.
pub(super) fn apply(model: &mut Model) {
    if busy(model) {
        return;
    }
    let Some(plan) = model.facts.planning.chosen() else {
        let words = "There is no plan: mark entries and press p, or choose what to prune here.";
        model.say(words, Role::Text);
        return;
    };
    if plan.is_empty() {
        model.say("The plan has nothing to do.", Role::Text);
        return;
    }
    ask(model, Question::Apply);
}

/// Asks whether to put back what was removed last.
pub(super) fn undo(model: &mut Model) {
    if busy(model) {
        return;
    }
    match model.facts.planning.newest().cloned() {
        Some(run) => ask(model, Question::Undo(run)),
        None => model.say("There is nothing in the trash to be put back.", Role::Text),
    }
}

/// Asks whether to empty the trash.
pub(super) fn purge(model: &mut Model) {
    if busy(model) {
        return;
    }
    let runs = model.facts.planning.trash.clone();
    if runs.is_empty() {
        model.say("The trash is empty.", Role::Text);
    } else {
        ask(model, Question::Purge(runs));
    }
}

pub(super) fn busy(model: &mut Model) -> bool {
    let busy = model.task.is_some();
    if busy {
        model.say("A task is running; S stops it.", Role::Warning);
    }
    busy
}

/// Asks a question; the safe answer has the focus.
pub(super) fn ask(model: &mut Model, question: Question) {
    model.layers.push(Page::new(PageKind::Confirm(question, Answer::default())));
}

/// Takes a key as an answer to the question on top. Gives back nothing when there is none.
pub(super) fn answer_key(model: &mut Model, key: Key) -> Option<Vec<Effect>> {
    let page = model.layers.last_mut()?;
    if !matches!(page.kind, PageKind::Confirm(..)) {
        return None;
    }
    let plain = !key.ctrl && !key.alt;
    if let PageKind::Confirm(Question::Sure(typed), _) = &mut page.kind {
        match key.code {
            Code::Char(character) if plain && typed.len() < 32 => typed.push(character),
            Code::Backspace => drop(typed.pop()),
            Code::Esc => return Some(answer_question(model, Answer::No)),
            Code::Enter => return Some(answer_question(model, Answer::Yes)),
            Code::Char('c' | 'z' | 'l') if key.ctrl => return None,
            _ => {}
        }
        page.made = None;
        return Some(Vec::new());
    }
    let PageKind::Confirm(_, answer) = &mut page.kind else { return None };
    let given = match key.code {
        Code::Char('y' | 'Y') if plain => Some(Answer::Yes),
        Code::Char('n' | 'N' | 'q') | Code::Esc if plain => Some(Answer::No),
        Code::Enter if plain => Some(*answer),
        Code::Tab
        | Code::BackTab
        | Code::Left
        | Code::Right
        | Code::Up
        | Code::Down
        | Code::Char('j' | 'k' | 'h' | 'l')
            if plain =>
        {
            focus_other(page);
            return Some(Vec::new());
        }
        // Looking through the list and leaving the program work as everywhere.
        Code::PageUp | Code::PageDown => return None,
        Code::Char('c' | 'z' | 'l' | 'd' | 'u' | 'f' | 'b') if key.ctrl => return None,
        _ => return Some(Vec::new()),
    };
    Some(given.map_or_else(Vec::new, |given| answer_question(model, given)))
}

/// Gives the other answer the focus.
fn focus_other(page: &mut Page) {
    if let PageKind::Confirm(_, answer) = page.kind {
        focus(page, if answer == Answer::No { Answer::Yes } else { Answer::No });
    }
}

/// Gives an answer the focus: what is highlighted is what Enter means.
pub(super) fn focus(page: &mut Page, given: Answer) {
    let PageKind::Confirm(_, answer) = &mut page.kind else { return };
    *answer = given;
    let target = Some(Target::Answer(given));
    page.cursor =
        (0..page.shown.len()).find(|place| page.line(*place).is_some_and(|line| line.target == target));
    page.made = None;
}

/// Does what an answer says.
pub(super) fn answer_question(model: &mut Model, answer: Answer) -> Vec<Effect> {
    // A key that was pressed before the question was drawn does not confirm it.
    if answer == Answer::Yes && model.layers.last().is_some_and(|page| !page.seen) {
        return Vec::new();
    }
    let Some(Page { kind: PageKind::Confirm(question, _), .. }) = model.layers.pop() else {
        return Vec::new();
    };
    if answer == Answer::No {
        model.say("Nothing was changed.", Role::Text);
        return Vec::new();
    }
    match question {
        Question::Apply => match model.facts.planning.chosen() {
            Some(plan) if plan.refused().next().is_some() => {
                ask(model, Question::Sure(String::new()));
                Vec::new()
            }
            Some(plan) => carry_out(model, plan),
            None => Vec::new(),
        },
        Question::Sure(typed) => match model.facts.planning.chosen() {
            Some(plan) if typed == plan.request.verb() => carry_out(model, plan),
            _ => {
                model.say("Nothing was changed.", Role::Text);
                Vec::new()
            }
        },
        Question::Detach(plan) => carry_out(model, plan),
        Question::Undo(run) => begin(model, "putting back", Task::Restore(run)),
        Question::Purge(runs) => begin(model, "emptying the trash", Task::Purge(runs)),
        Question::Quit => vec![Effect::Quit],
    }
}

/// Begins to carry out a plan.
fn carry_out(model: &mut Model, plan: Box<Plan>) -> Vec<Effect> {
    match plan.request {
        Request::Relink(_) => begin(model, "relinking", Task::Relink(plan)),
        Request::Repair(_) => begin(model, "repairing", Task::Repair(plan)),
        Request::Detach(_) => begin(model, "restoring", Task::Detach(plan)),
        Request::Prune(_) | Request::Remove(_) | Request::Gc(_) => {
            begin(model, "removing", Task::Remove(plan))
        }
    }
}

/// Begins a task.
pub(super) fn begin(model: &mut Model, title: &'static str, task: Task) -> Vec<Effect> {
    let started = model.moment.elapsed;
    model.notice = None;
    let total = match &task {
        Task::Remove(plan) | Task::Relink(plan) => Some(plan.totals.bytes.files),
        Task::Repair(plan) if plan.totals.fetched == 0 => Some(plan.totals.bytes.files),
        _ => None,
    };
    model.task = Some(Running { title, total, started, stage: Stage::Begun, stopping: false });
    vec![Effect::Begin(task)]
}

/// Asks the running task to stop.
pub(super) fn stop(model: &mut Model) -> Vec<Effect> {
    let Some(task) = &mut model.task else { return Vec::new() };
    task.stopping = true;
    model.say("Stopping after the step it is at.", Role::Text);
    vec![Effect::StopTask]
}

/// Takes what a task reports.
pub(super) fn heard(model: &mut Model, event: TaskEvent) -> Vec<Effect> {
    let now = model.moment.elapsed;
    match event {
        TaskEvent::Waiting { holders, remaining } => {
            if let Some(task) = &mut model.task {
                task.stage = Stage::Waiting { holders, remaining, told: now };
            }
            Vec::new()
        }
        TaskEvent::Working(what) => {
            if let Some(task) = &mut model.task {
                let files = match &task.stage {
                    Stage::Working { files, .. } => *files,
                    _ => 0,
                };
                task.stage = Stage::Working { what, files };
            }
            Vec::new()
        }
        TaskEvent::Finished(done) => {
            model.task = None;
            finished(model, done)
        }
        TaskEvent::Failed(message) => {
            model.task = None;
            let lines = vec![page::said(&message, Role::Error)];
            model.layers.push(Page::new(PageKind::Report("nothing was done".to_owned(), lines)));
            ended(model)
        }
    }
}

/// Shows what a task brought.
fn finished(model: &mut Model, done: Done) -> Vec<Effect> {
    // Whatever was said before is no longer so.
    model.notice = None;
    environment::remember(model, &done);
    match done {
        Done::Planned(plan)
            if matches!(plan.request, Request::Repair(_)) && plan.is_empty() && plan.kept.is_empty() =>
        {
            model.say("Nothing is broken there.", Role::Good);
            return Vec::new();
        }
        Done::Planned(plan) => {
            planned(model, plan);
            return Vec::new();
        }
        Done::Removed(_) | Done::Relinked(_) | Done::Repaired(_) => {
            let came = model.came;
            // What was asked for is done; what is left of it is for another plan.
            drop_plan(model);
            if !matches!(done, Done::Removed(_)) || came == View::Environments {
                super::act::show(model, View::Environments);
            }
        }
        Done::Verified(..) | Done::Detached(..) | Done::Restored(_) | Done::Purged { .. } => {}
    }
    // What was reported before is no longer so.
    model.layers.retain(|page| !matches!(page.kind, PageKind::Report(..)));
    let (title, lines) = page::report(&done);
    model.layers.push(Page::new(PageKind::Report(title, lines)));
    match done {
        // Nothing has changed.
        Done::Verified(..) => called(model),
        _ => ended(model),
    }
}

/// Shows a plan that a task has made.
fn planned(model: &mut Model, plan: Box<Plan>) {
    let snapshot = Arc::clone(&model.facts.snapshot);
    model.facts.planning.take(&snapshot, plan);
    let unseen = std::mem::take(&mut model.asked);
    model.facts.planning.note_unseen(unseen);
    show(model);
}

/// Calls the user, if another window has the focus.
fn called(model: &Model) -> Vec<Effect> {
    if model.window == Focus::Lost { vec![Effect::Alert] } else { Vec::new() }
}

/// After a task everything is looked at again.
fn ended(model: &Model) -> Vec<Effect> {
    let mut effects = vec![Effect::Rescan];
    effects.extend(called(model));
    effects
}

/// Opens the row under the cursor, where opening it means something else than its detail: a class becomes a plan.
pub(super) fn open_row(model: &mut Model) -> Option<Vec<Effect>> {
    let Subject::Planned(planned) = model.subject() else { return None };
    if planned == Planned::Return {
        return_to_plan(model);
        return Some(Vec::new());
    }
    let row = model.list().row().map(|row| row as usize);
    let row = row.and_then(|row| model.facts.planning.rows.get(row).cloned());
    if let Some(Row::Suggestion(place)) = row {
        let Suggestion { kind, environments, .. } = model.facts.planning.suggestions.get(place)?.clone();
        return Some(environment::take_suggestion(model, kind, environments));
    }
    let class = page::class_of(&planned)?;
    let empty = match row {
        Some(Row::Class(class)) => model.facts.planning.classes[class].is_empty(),
        _ => true,
    };
    if empty {
        return None;
    }
    plan_class(model, class);
    Some(Vec::new())
}
