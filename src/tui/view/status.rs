//! The two lines at the bottom: what is marked or was just done, and the keys that are valid now.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::human;
use crate::tui::action::Action;
use crate::tui::model::marks::Joint;
use crate::tui::model::page::PageKind;
use crate::tui::model::planning::Made;
use crate::tui::model::task::{Question, Running, Stage};
use crate::tui::model::{Model, Pane, View};
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;
use crate::tui::update::enabled;

use super::{map, paint, paint_right};

/// Draws the status line: the filter that is being written, else what was just done, else the marks, else the row.
pub(super) fn status(model: &Model, buffer: &mut Buffer, area: Rect) {
    let glyphs = model.settings.glyphs;
    let theme = &model.settings.theme;
    let mut room = area;
    if !model.pending.is_empty() {
        let keys: String = model.pending.iter().map(ToString::to_string).collect();
        let wide = paint_right(buffer, theme, area, &[piece(format!("{keys} "), Role::Key)]);
        room.width -= wide;
    }
    let line = if model.typing {
        filter(model)
    } else if let Some(running) = &model.task {
        task(model, running)
    } else if let Some(notice) = &model.notice {
        vec![piece(format!(" {}", notice.text), notice.role)]
    } else if let Some(page) = model.layers.last().filter(|page| matches!(page.kind, PageKind::Picture(_))) {
        map::legend(model, page, usize::from(room.width))
    } else if let Some(joint) = model.joint.as_ref().filter(|_| model.view != View::Plan) {
        marks(model, joint)
    } else if model.layers.is_empty() {
        row(model)
    } else {
        Line::new()
    };
    paint(buffer, theme, room, &text::clip_line(line, usize::from(room.width), glyphs.ellipsis()));
}

fn filter(model: &Model) -> Line {
    let input = model.layers.last().map_or(&model.list().filter, |page| &page.filter);
    let value = input.value();
    let split = value.char_indices().nth(input.cursor()).map_or(value.len(), |(at, _)| at);
    let (before, after) = value.split_at(split);
    let caret = model.settings.glyphs.caret();
    vec![
        piece(" /", Role::Key),
        piece(human::escape(before), Role::Match),
        piece(caret, Role::Key),
        piece(human::escape(after), Role::Match),
        piece("   enter keeps it, esc clears it", Role::Dim),
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
    let words = if task.stopping { "stopping" } else { "S stops it" };
    line.extend([piece(glyphs.dot(), Role::Dim), piece(words, Role::Dim)]);
    line
}

/// What the plan comes to.
fn plan_sums(model: &Model) -> Option<Line> {
    let dot = model.settings.glyphs.dot();
    let (sum, steps, kept) = match model.facts.planning.chosen()? {
        Made::Changes(plan) => {
            let bytes = plan.totals.bytes;
            let sure = bytes.certainty.before();
            let mut words = format!(" gives back {sure}{}", human::bytes(bytes.reclaimable));
            if bytes.needed > 0 {
                let _ = write!(words, ", takes {}", human::bytes(bytes.needed));
            }
            (words, plan.totals.steps, ("kept", plan.kept.len() as u64))
        }
        Made::Repair(plan) => {
            let files = human::counted(plan.totals.bytes.files, "file", "files");
            let links = human::counted(plan.totals.links, "link", "links");
            let words = match (plan.links.is_empty(), plan.steps.is_empty()) {
                (true, _) => format!(" mends {files}"),
                (false, true) => format!(" mends {links}"),
                (false, false) => format!(" mends {links} and {files}"),
            };
            (words, plan.totals.steps, ("left", plan.kept.len() as u64))
        }
    };
    let mut line = vec![
        piece(sum, Role::Strong),
        piece(dot, Role::Dim),
        piece(format!("{} to do", human::counted(steps, "step", "steps")), Role::Text),
    ];
    if kept.1 > 0 {
        line.push(piece(dot, Role::Dim));
        line.push(piece(format!("{} {}", human::count(kept.1), kept.0), Role::Held));
    }
    Some(line)
}

/// What the marks come to.
fn marks(model: &Model, joint: &Joint) -> Line {
    let glyphs = model.settings.glyphs;
    let dot = glyphs.dot();
    if model.blank().is_some() {
        let marked = format!(" {} {} marked", glyphs.mark(), human::count(joint.rows as u64));
        let words = "what they give back is not known before the scan's end";
        return vec![piece(marked, Role::Mark), piece(dot, Role::Dim), piece(words, Role::Text)];
    }
    let sure = joint.now.certainty.before();
    let mut line = vec![
        piece(format!(" {} {} marked", glyphs.mark(), human::count(joint.rows as u64)), Role::Mark),
        piece(dot, Role::Dim),
        piece(human::bytes(joint.now.total()), Role::Text),
        piece(dot, Role::Dim),
        piece(format!("gives back {sure}{} now", human::bytes(joint.now.bytes)), Role::Strong),
    ];
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

/// Where the cursor is, when there is nothing else to say.
fn row(model: &Model) -> Line {
    if model.view == View::Plan
        && let Some(sums) = plan_sums(model)
    {
        return sums;
    }
    let list = model.list();
    if list.order.is_empty() {
        return vec![piece(format!(" no {}", model.view.noun()), Role::Dim)];
    }
    let (at, of) = (human::count(list.cursor as u64 + 1), human::count(list.order.len() as u64));
    vec![piece(format!(" {at} of {of} {}", model.view.noun()), Role::Dim)]
}

/// Draws the keys that are valid now; those that are not are shown so. Keys go from the right when there is no room, but
/// help and quit stay.
pub(super) fn footer(model: &Model, buffer: &mut Buffer, area: Rect) {
    let theme = &model.settings.theme;
    if let Some(keys) = asked(model) {
        paint(buffer, theme, area, &text::clip_line(keys, usize::from(area.width), ""));
        return;
    }
    let mut bindings: Vec<_> =
        model.settings.keymap.bindings().iter().filter(|binding| shown(model, binding.action)).collect();
    // Where there is a plan, carrying it out is what somebody looks for, and stands where the room is never short.
    if model.view == View::Plan {
        bindings.sort_by_key(|binding| binding.action != Action::Apply || !enabled(model, Action::Apply));
    }
    let keys: Vec<Line> = bindings
        .into_iter()
        .filter_map(|binding| {
            let label = binding.footer.as_ref()?;
            let key = model.settings.glyphs.key(&model.settings.keymap.shown(binding.action)?);
            let able = enabled(model, binding.action);
            let (key_role, role) =
                if able { (Role::Key, Role::Text) } else { (Role::KeyDisabled, Role::KeyDisabled) };
            let (open, close) = if able { ("", "") } else { ("(", ")") };
            Some(vec![piece(format!(" {open}{key}"), key_role), piece(format!(" {label}{close} "), role)])
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

/// The keys of a question, of which none means what it means elsewhere.
fn asked(model: &Model) -> Option<Line> {
    let page = model.layers.last()?;
    let PageKind::Confirm(question, _) = &page.kind else { return None };
    let mut keys = match question {
        Question::Sure(_) => vec![("Enter", "do it, once the word stands there"), ("Esc", "no")],
        _ => {
            vec![("y", "yes"), ("n", "no"), ("Tab", "the other answer"), ("Enter", "the one with the cursor")]
        }
    };
    if page.below() > 0 || page.offset > 0 {
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
        Action::Relink | Action::Repair => listed && model.view == View::Environments,
        Action::Verify => listed && matches!(model.view, View::Entries | View::Environments),
        _ => true,
    }
}
