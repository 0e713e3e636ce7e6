//! The two lines at the bottom: what is marked or was just done, and the keys that are valid now.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::human;
use crate::plan::Request;
use crate::tui::action::Action;
use crate::tui::model::marks::Joint;
use crate::tui::model::page::PageKind;
use crate::tui::model::task::{Question, Running, Stage};
use crate::tui::model::{Model, Pane, View};
use crate::tui::page;
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;
use crate::tui::update::enabled;

use super::{map, paint, paint_right};

/// Draws what the running task, the plan or the marks come to.
pub(super) fn sums(model: &Model, buffer: &mut Buffer, area: Rect) {
    let theme = &model.settings.theme;
    let mut room = area;
    if let Some(task) = &model.task {
        let words = if task.stopping { "stopping " } else { "S stops it " };
        room.width -= paint_right(buffer, theme, area, &[piece(words, Role::Key)]);
    }
    let line = text::clip_line(summed(model), usize::from(room.width), model.settings.glyphs.ellipsis());
    paint(buffer, theme, room, &line);
}

/// The task, else the plan that is open, else the marks, else the plan that is kept.
fn summed(model: &Model) -> Line {
    let planning = &model.facts.planning;
    if let Some(running) = &model.task {
        return task(model, running);
    }
    let open = model.view == View::Plan && planning.is_open();
    match (&model.joint, plan_sums(model)) {
        (_, Some(sums)) if open => sums,
        (Some(joint), _) => marks(model, joint),
        (None, Some(sums)) => {
            let verb = planning.made().map_or("", |plan| plan.request.verb());
            let mut line = vec![piece(format!(" the plan to {verb} is kept:"), Role::Text)];
            line.extend(sums);
            line
        }
        (None, None) => Line::new(),
    }
}

/// Draws the status line: the filter that is being written, else the answer to the last key, else where the cursor is. Without
/// a line of their own, sums come first.
pub(super) fn status(model: &Model, buffer: &mut Buffer, area: Rect, alone: bool) {
    let glyphs = model.settings.glyphs;
    let theme = &model.settings.theme;
    let mut room = area;
    if !model.pending.is_empty() {
        let keys: String = model.pending.iter().map(ToString::to_string).collect();
        let wide = paint_right(buffer, theme, area, &[piece(format!("{keys} "), Role::Key)]);
        room.width -= wide;
    }
    let mut line = if alone && !model.typing && model.has_sums() { summed(model) } else { Line::new() };
    if model.typing {
        line.extend(filter(model));
    } else if let Some(notice) = &model.notice {
        line.push(piece(format!(" {}", notice.text), notice.role));
    } else if let Some(page) = model.layers.last().filter(|page| matches!(page.kind, PageKind::Picture(_))) {
        line.extend(map::legend(model, page, usize::from(room.width)));
    } else if model.layers.is_empty() && line.is_empty() {
        line = row(model);
    }
    paint(buffer, theme, room, &text::clip_line(line, usize::from(room.width), glyphs.ellipsis()));
}

fn filter(model: &Model) -> Line {
    let input = model.filter();
    let value = input.value();
    let hint = piece("   enter keeps it, esc clears it", Role::Dim);
    if model.selected {
        return vec![piece(" /", Role::Key), piece(human::escape(value), Role::Cursor), hint];
    }
    let split = value.char_indices().nth(input.cursor()).map_or(value.len(), |(at, _)| at);
    let (before, after) = value.split_at(split);
    let caret = model.settings.glyphs.caret();
    vec![
        piece(" /", Role::Key),
        piece(human::escape(before), Role::Match),
        piece(caret, Role::Key),
        piece(human::escape(after), Role::Match),
        hint,
    ]
}

/// What the running task is at.
fn task(model: &Model, task: &Running) -> Line {
    let glyphs = model.settings.glyphs;
    let elapsed = model.moment.elapsed.saturating_sub(task.started);
    let spinner = glyphs.spinner(elapsed.as_millis() / 100);
    let what = match &task.stage {
        Stage::Working { what, .. } => what.clone(),
        Stage::Begun | Stage::Waiting { .. } => task.title.to_owned(),
    };
    let mut line = vec![piece(format!(" {spinner} "), Role::Progress), piece(what, Role::Strong)];
    match &task.stage {
        Stage::Begun => {}
        Stage::Waiting { holders, remaining, told } => {
            let left = remaining.saturating_sub(model.moment.elapsed.saturating_sub(*told)).as_secs();
            let words = format!("waits for the lock, held by {holders}, {left} s more at most");
            line.extend([piece(glyphs.dot(), Role::Dim), piece(words, Role::Warning)]);
        }
        Stage::Working { files, .. } => {
            let words = match (task.total.filter(|total| files <= total), task.percent()) {
                (Some(total), Some(percent)) => {
                    let of = human::counted(total, "file", "files");
                    format!("{percent} %, {} of {of}", human::count(*files))
                }
                _ => human::counted(*files, "file", "files"),
            };
            if *files > 0 {
                line.extend([piece(glyphs.dot(), Role::Dim), piece(words, Role::Text)]);
            }
        }
    }
    line
}

/// What the plan comes to.
fn plan_sums(model: &Model) -> Option<Line> {
    let dot = model.settings.glyphs.dot();
    let plan = model.facts.planning.chosen()?;
    let totals = plan.totals;
    let (sum, kept) = if matches!(plan.request, Request::Repair(_)) {
        let files = human::counted(totals.bytes.files, "file", "files");
        let links = human::counted(totals.links, "link", "links");
        let words = match (totals.links, totals.distributions) {
            (0, _) => format!(" repairs {files}"),
            (_, 0) => format!(" repairs {links}"),
            _ => format!(" repairs {links} and {files}"),
        };
        (words, "left")
    } else {
        let bytes = totals.bytes;
        let mut words = format!(" frees {}{}", bytes.certainty.before(), human::bytes(bytes.reclaimable));
        if bytes.needed > 0 {
            let _ = write!(words, ", takes {}", human::bytes(bytes.needed));
        }
        (words, "kept")
    };
    let mut line = vec![
        piece(sum, Role::Strong),
        piece(dot, Role::Dim),
        piece(format!("{} to do", human::counted(totals.steps, "step", "steps")), Role::Text),
    ];
    if totals.kept > 0 {
        line.push(piece(dot, Role::Dim));
        line.push(piece(format!("{} {kept}", human::count(totals.kept)), Role::Held));
    }
    let unseen = model.facts.planning.unseen_steps();
    if unseen > 0 {
        line.push(piece(dot, Role::Dim));
        line.push(piece(format!("{} marked out of sight", human::count(unseen)), Role::Warning));
    }
    Some(line)
}

/// What the marks come to.
fn marks(model: &Model, joint: &Joint) -> Line {
    let glyphs = model.settings.glyphs;
    let dot = glyphs.dot();
    let mut line =
        vec![piece(format!(" {} {} marked", glyphs.mark(), human::count(joint.rows as u64)), Role::Mark)];
    if let Some(unseen) = model.unseen().words() {
        line.push(piece(format!(", {unseen}"), Role::Warning));
    }
    line.push(piece(dot, Role::Dim));
    if model.blank().is_some() {
        line.push(piece("what they free is known when the scan is done", Role::Text));
        return line;
    }
    let sure = joint.now.certainty.before();
    line.extend([
        piece(human::bytes(joint.now.total()), Role::Text),
        piece(dot, Role::Dim),
        piece(format!("frees {sure}{} now", human::bytes(joint.now.bytes)), Role::Strong),
    ]);
    if joint.later > 0 {
        let with = match joint.holders.as_slice() {
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            many => human::counted(many.len() as u64, "environment", "environments"),
        };
        line.push(piece(format!(", {} more with {with}", human::bytes(joint.later)), Role::Text));
    }
    let rest = joint.now.held.saturating_sub(joint.later);
    if rest > 0 {
        line.push(piece(format!(", {} held elsewhere", human::bytes(rest)), Role::Held));
    }
    line
}

/// The filter, and where the cursor is.
fn row(model: &Model) -> Line {
    let list = model.list();
    let mut line = Line::new();
    let filter = human::escape(list.filter.value());
    if !filter.is_empty() {
        line.push(piece(format!(" /{filter}"), Role::Match));
    }
    if list.order.is_empty() {
        line.push(piece(format!(" no {}", model.view.noun()), Role::Dim));
        return line;
    }
    let (at, of) = (human::count(list.cursor as u64 + 1), human::count(list.order.len() as u64));
    line.push(piece(format!(" {at} of {of} {}", model.view.noun()), Role::Dim));
    line
}

/// Draws the keys that do something now. Keys go from the right when there is no room, but
/// help and quit stay.
pub(super) fn footer(model: &Model, buffer: &mut Buffer, area: Rect) {
    let theme = &model.settings.theme;
    if let Some(keys) = asked(model) {
        paint(buffer, theme, area, &text::clip_line(keys, usize::from(area.width), ""));
        return;
    }
    let bindings = model.settings.keymap.bindings().iter();
    let mut bindings: Vec<_> =
        bindings.filter(|it| shown(model, it.action) && enabled(model, it.action)).collect();
    // What is done in this view comes first, so that it stays where room is short.
    bindings.sort_by_key(|binding| worth(binding.action));
    let keys: Vec<Line> = bindings
        .into_iter()
        .filter_map(|binding| {
            let label = label(model, binding.action).or(binding.footer.as_deref())?;
            let key = model.settings.glyphs.key(&model.settings.keymap.shown(binding.action)?);
            Some(vec![piece(format!(" {key}"), Role::Key), piece(format!(" {label} "), Role::Text)])
        })
        .collect();
    let width = |lines: &[Line]| -> usize { lines.iter().map(|line| text::line_width(line)).sum() };
    let split = keys.len().saturating_sub(2);
    let (mut first, last) = (keys[..split].to_vec(), &keys[split..]);
    while width(&first) + width(last) > usize::from(area.width) && !first.is_empty() {
        first.pop();
    }
    let line: Line = first.iter().chain(last).flatten().cloned().collect();
    paint(buffer, theme, area, &text::clip_line(line, usize::from(area.width), ""));
}

/// The order of keys in the footer: smaller numbers stand further left.
fn worth(action: Action) -> u8 {
    match action {
        Action::Apply => 0,
        Action::Prune | Action::Remove => 1,
        Action::Relink => 2,
        Action::Repair => 3,
        Action::Verify => 4,
        Action::Help | Action::Quit => 7,
        Action::Open | Action::Mark | Action::Back => 5,
        _ => 6,
    }
}

/// What a key is called where it does something else than its name says.
fn label(model: &Model, action: Action) -> Option<&'static str> {
    match action {
        Action::Prune if model.view == View::Plan && model.facts.planning.is_open() => Some("drop plan"),
        Action::Prune if model.view == View::Plan => Some("the plan"),
        _ => None,
    }
}

/// The keys of a question, of which none means what it means elsewhere.
fn asked(model: &Model) -> Option<Line> {
    let layer = model.layers.last()?;
    let PageKind::Confirm(question, _) = &layer.kind else { return None };
    let below = layer.below() > 0 || layer.offset > 0;
    let mut keys = match question {
        Question::Sure(_) => vec![("Enter", "do it, once the word is typed"), ("Esc", "cancel")],
        _ => {
            vec![("y", page::verb(model, question)), ("n", "cancel"), ("Tab", "switch"), ("Enter", "choose")]
        }
    };
    if below {
        keys.push(("PgDn", "scroll"));
    }
    let pieces =
        |(key, words)| [piece(format!(" {key}"), Role::Key), piece(format!(" {words} "), Role::Text)];
    Some(keys.into_iter().flat_map(pieces).collect())
}

/// Whether an action belongs in the footer of what has the focus.
fn shown(model: &Model, action: Action) -> bool {
    let listed = model.layers.is_empty();
    match action {
        Action::Back => !listed || model.pane == Pane::Detail,
        Action::Mark | Action::Why | Action::Sort | Action::Rescan => listed,
        Action::Repair if model.view == View::Links => listed,
        Action::Remove | Action::Relink | Action::Repair => listed && model.view == View::Environments,
        Action::Verify => listed && matches!(model.view, View::Entries | View::Environments),
        _ => true,
    }
}
