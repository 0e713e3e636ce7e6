//! Plans, the questions before they are carried out, and the tasks that do it.

use crate::plan::Class;
use crate::snapshot::EntryKey;
use crate::tui::effect::Effect;
use crate::tui::event::Focus;
use crate::tui::key::{Code, Key};
use crate::tui::model::page::{Page, PageKind, Subject, Target};
use crate::tui::model::planning::{self, Row};
use crate::tui::model::task::{Answer, Question, Running, Stage};
use crate::tui::model::{Model, Pane, View};
use crate::tui::page;
use crate::tui::theme::Role;
use crate::worker::task::{Done, Task, TaskEvent};

/// Shows a plan to prune what is marked; in the view of the plan, drops it.
pub(super) fn prune(model: &mut Model) {
    if model.doubt().is_some() {
        model.say("A plan needs a scan that has come to its end.", Role::Warning);
        return;
    }
    if model.view == View::Plan {
        let snapshot = std::sync::Arc::clone(&model.facts.snapshot);
        model.facts.planning.drop(&snapshot);
        model.replan();
        model.pane = Pane::List;
        return;
    }
    if model.marks.entries.is_empty() {
        let text = if model.marks.environments.is_empty() {
            "Nothing is marked: here is what could be pruned."
        } else {
            "Environments are not pruned but for those in the cache: mark their entries. Here is what could be pruned."
        };
        model.say(text, Role::Text);
        let snapshot = std::sync::Arc::clone(&model.facts.snapshot);
        model.facts.planning.drop(&snapshot);
        model.replan();
        super::act::show(model, View::Plan);
        return;
    }
    let mut what: Vec<String> = model.marks.entries.iter().filter_map(what).collect();
    what.sort_unstable();
    make(model, planning::of_marks(what));
}

/// How an entry is named in a request; one whose name is no text cannot be.
fn what(key: &EntryKey) -> Option<String> {
    Some(format!("{}/{}", key.bucket, key.id.to_str()?))
}

/// Shows a plan to prune everything of a class.
pub(super) fn plan_class(model: &mut Model, class: Class) {
    make(model, planning::of_class(class));
}

fn make(model: &mut Model, request: crate::plan::Prune) {
    let snapshot = std::sync::Arc::clone(&model.facts.snapshot);
    model.facts.planning.make(&snapshot, request);
    model.replan();
    super::act::show(model, View::Plan);
    let list = model.list_mut();
    list.chosen = false;
    model.arrange();
}

/// Asks whether to carry out the plan.
pub(super) fn apply(model: &mut Model) {
    if busy(model) {
        return;
    }
    let Some(plan) = model.facts.planning.chosen() else {
        model.say("There is no plan: mark entries and press p, or choose what to prune here.", Role::Text);
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

fn busy(model: &mut Model) -> bool {
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
        Code::Char('c' | 'z' | 'l') if key.ctrl => return None,
        _ => return Some(Vec::new()),
    };
    Some(given.map_or_else(Vec::new, |given| answer_question(model, given)))
}

/// Gives the other answer the focus: what is highlighted is what Enter means.
fn focus_other(page: &mut Page) {
    let PageKind::Confirm(_, answer) = &mut page.kind else { return };
    *answer = if *answer == Answer::No { Answer::Yes } else { Answer::No };
    let target = Some(Target::Answer(*answer));
    page.cursor =
        (0..page.shown.len()).find(|place| page.line(*place).is_some_and(|line| line.target == target));
    page.made = None;
}

/// Does what an answer says.
pub(super) fn answer_question(model: &mut Model, answer: Answer) -> Vec<Effect> {
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
            Some(plan) => begin(model, "pruning", Task::Prune(Box::new(plan))),
            None => Vec::new(),
        },
        Question::Sure(typed) => match model.facts.planning.chosen() {
            Some(plan) if typed == page::SURE => begin(model, "pruning", Task::Prune(Box::new(plan))),
            _ => {
                model.say("Nothing was changed.", Role::Text);
                Vec::new()
            }
        },
        Question::Undo(run) => begin(model, "putting back", Task::Restore(run)),
        Question::Purge(runs) => begin(model, "emptying the trash", Task::Purge(runs)),
        Question::Quit => vec![Effect::Quit],
    }
}

fn begin(model: &mut Model, title: &'static str, task: Task) -> Vec<Effect> {
    let started = model.moment.elapsed;
    model.task = Some(Running { title, started, stage: Stage::Begun, stopping: false });
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
        TaskEvent::Working => {
            if let Some(task) = &mut model.task {
                task.stage = Stage::Working { files: 0 };
            }
            Vec::new()
        }
        TaskEvent::Finished(done) => {
            model.task = None;
            if matches!(done, Done::Pruned(_)) {
                // What was asked for is done; what is left of it is for another plan.
                let snapshot = std::sync::Arc::clone(&model.facts.snapshot);
                model.facts.planning.drop(&snapshot);
                model.replan();
            }
            let (title, lines) = page::report(&done);
            model.layers.push(Page::new(PageKind::Report(title, lines)));
            ended(model)
        }
        TaskEvent::Failed(message) => {
            model.task = None;
            let lines = vec![(crate::human::escape(&message).into_owned(), Role::Error)];
            model.layers.push(Page::new(PageKind::Report("nothing was done".to_owned(), lines)));
            ended(model)
        }
    }
}

/// After a task everything is looked at again.
fn ended(model: &mut Model) -> Vec<Effect> {
    let mut effects = vec![Effect::Rescan];
    if model.window == Focus::Lost {
        effects.push(Effect::Alert);
    }
    effects
}

/// Opens the row under the cursor, where opening it means something else than its detail: a class becomes a plan.
pub(super) fn open_row(model: &mut Model) -> bool {
    let Subject::Planned(planned) = model.subject() else { return false };
    let Some(class) = page::class_of(&planned) else { return false };
    let row = model.list().row().map(|row| row as usize);
    let steps = match row.and_then(|row| model.facts.planning.rows.get(row)) {
        Some(Row::Class(class)) => {
            let (totals, kept) = &model.facts.planning.classes[*class];
            totals.steps + *kept as u64
        }
        _ => 0,
    };
    if steps == 0 {
        return false;
    }
    plan_class(model, class);
    true
}
