//! What each event does to the model. Pure: the same model and event give the same result, and whatever has to happen
//! outside comes back as effects.

mod act;
mod environment;
mod mark;
mod mouse;
mod task;

pub(super) use act::enabled;
pub(super) use mark::is_marked;

use std::time::Duration;

use tui_input::InputRequest;

use crate::control::Counts;
use crate::snapshot::Completeness;
use crate::worker::ScanEvent;

use super::effect::Effect;
use super::event::{Event, Focus, Moment, Mouse, MouseKind};
use super::key::{Code, Key};
use super::keymap::Meaning;
use super::model::page::{Files, PageKind};
use super::model::task::{Running, Stage};
use super::model::{Model, Scan};
use super::theme::Role;

/// How long a scan has to run for its end to be worth a call to a user who is looking elsewhere.
const LONG: Duration = Duration::from_secs(10);

/// Lets an event happen.
pub fn update(model: &mut Model, event: Event, at: Moment) -> Vec<Effect> {
    model.moment = at;
    // An answer is the answer to the last key or click: what follows it is not answered by it.
    if matches!(event, Event::Key(_) | Event::Mouse(Mouse { kind: MouseKind::Click, .. })) {
        model.notice = None;
    }
    let effects = match event {
        Event::Key(key) => press(model, key),
        Event::Mouse(mouse) => mouse::mouse(model, mouse),
        Event::Paste(text) => paste(model, &text),
        Event::Resize { width, height } => {
            model.size = (width, height);
            Vec::new()
        }
        Event::Focus(focus) => {
            model.window = focus;
            Vec::new()
        }
        Event::ScanStarted => {
            model.scan = Scan::Running { started: at.elapsed, counts: Counts::default() };
            Vec::new()
        }
        Event::Scan(event) => scan(model, event),
        Event::Progress(new) => {
            if let Scan::Running { counts, .. } = &mut model.scan {
                *counts = new;
            }
            Vec::new()
        }
        Event::Files(request, result) => {
            let files = match result {
                Ok(mut rows) => {
                    rows.sort_by(|left, right| {
                        right.size.cmp(&left.size).then_with(|| left.path.cmp(&right.path))
                    });
                    Files::Listed(rows)
                }
                Err(message) => Files::Failed(message),
            };
            for page in &mut model.layers {
                if let PageKind::Files { request: asked, files: listed, .. } = &mut page.kind
                    && *asked == request
                {
                    *listed = files;
                    page.made = None;
                    break;
                }
            }
            Vec::new()
        }
        Event::Weighed(number, plan) => {
            model.take_weighed(number, plan);
            Vec::new()
        }
        Event::Around(around) => {
            model.take_around(around);
            Vec::new()
        }
        Event::Task(event) => task::heard(model, event),
        Event::TaskProgress(now) => {
            if let Some(Running { stage: Stage::Working { files, .. }, .. }) = &mut model.task {
                *files = now;
            }
            Vec::new()
        }
        Event::Notice(text) => {
            model.say(&text, Role::Error);
            Vec::new()
        }
        Event::Tick => Vec::new(),
    };
    model.settle();
    effects
}

fn scan(model: &mut Model, event: ScanEvent) -> Vec<Effect> {
    let started = match &model.scan {
        Scan::Running { started, .. } => *started,
        _ => model.moment.elapsed,
    };
    match event {
        ScanEvent::Partial(snapshot) => {
            // A second scan shows what it found only in the end: until then the first one's rows are the better answer.
            if model.snapshot().scope.completeness == Completeness::Running {
                model.take(snapshot);
            }
            return Vec::new();
        }
        ScanEvent::Finished(snapshot) => {
            model.scan = Scan::Ended;
            let cancelled = snapshot.scope.completeness == Completeness::Cancelled;
            if cancelled && model.doubt().is_none() {
                model.say("The scan was cancelled: this is what the scan before it found.", Role::Warning);
            } else {
                model.take(snapshot);
            }
        }
        ScanEvent::Failed(message) => {
            model.say(&message, Role::Error);
            model.scan = Scan::Failed(message);
            // Pages say why they know nothing, which has changed.
            model.facts.generation += 1;
        }
    }
    let long = model.moment.elapsed.saturating_sub(started) >= LONG;
    if long && model.window == Focus::Lost { vec![Effect::Alert] } else { Vec::new() }
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    if let Some(effects) = task::answer_key(model, key) {
        return effects;
    }
    if model.typing && !type_key(model, key) {
        return Vec::new();
    }
    model.pending.push(key);
    match model.settings.keymap.meaning(&model.pending) {
        Meaning::Prefix => Vec::new(),
        Meaning::Action(action) => {
            model.pending.clear();
            act::act(model, action)
        }
        Meaning::Nothing => {
            // A key that does not continue the sequence may begin another.
            let alone = model.pending.len() == 1;
            model.pending.clear();
            if alone { Vec::new() } else { press(model, key) }
        }
    }
}

/// Writes a key into the filter. Gives back whether the key is to be taken as an action instead.
fn type_key(model: &mut Model, key: Key) -> bool {
    let selected = std::mem::take(&mut model.selected);
    let request = match (key.code, key.ctrl, key.alt) {
        (Code::Char(character), false, false) => InputRequest::InsertChar(character),
        (Code::Backspace, false, false) => InputRequest::DeletePrevChar,
        (Code::Delete, ..) => InputRequest::DeleteNextChar,
        (Code::Left, ..) => InputRequest::GoToPrevChar,
        (Code::Right, ..) => InputRequest::GoToNextChar,
        (Code::Home, ..) | (Code::Char('a'), true, _) => InputRequest::GoToStart,
        (Code::End, ..) | (Code::Char('e'), true, _) => InputRequest::GoToEnd,
        (Code::Char('u'), true, _) => InputRequest::DeleteLine,
        (Code::Char('w') | Code::Backspace, ..) => InputRequest::DeletePrevWord,
        (Code::Enter, ..) => {
            model.typing = false;
            return false;
        }
        (Code::Esc, ..) => {
            model.typing = false;
            InputRequest::DeleteLine
        }
        // Moving and leaving work while a filter is written; everything else is meant for it.
        (Code::Up | Code::Down | Code::PageUp | Code::PageDown, ..)
        | (Code::Char('c' | 'z' | 'l'), true, _) => {
            return true;
        }
        _ => return false,
    };
    let replaces = matches!(
        request,
        InputRequest::InsertChar(_)
            | InputRequest::DeletePrevChar
            | InputRequest::DeleteNextChar
            | InputRequest::DeletePrevWord
    );
    if selected && replaces {
        edit(model, InputRequest::DeleteLine);
    }
    edit(model, request);
    false
}

/// Changes the filter of whatever has the focus, and filters anew.
fn edit(model: &mut Model, request: InputRequest) {
    if let Some(page) = model.layers.last_mut() {
        page.filter.handle(request);
        page.arrange();
        page.follow();
    } else {
        model.list_mut().filter.handle(request);
        model.arrange();
    }
}

/// Pasted text goes into the filter that is being written, and nowhere else: it is never taken for keys.
fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if !model.typing {
        model.say("Pasted text is taken only while a filter is written.", Role::Warning);
        return Vec::new();
    }
    if std::mem::take(&mut model.selected) {
        edit(model, InputRequest::DeleteLine);
    }
    for character in text.chars().filter(|character| !character.is_control()).take(200) {
        edit(model, InputRequest::InsertChar(character));
    }
    Vec::new()
}
