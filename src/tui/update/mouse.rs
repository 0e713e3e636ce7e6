//! The mouse: a click selects, a second one opens, the wheel scrolls, a click on a heading orders the rows.

use std::time::Duration;

use ratatui::layout::{Position, Rect};

use crate::tui::effect::Effect;
use crate::tui::event::{Mouse, MouseKind};
use crate::tui::model::column::Column;
use crate::tui::model::page::{PageKind, Target};
use crate::tui::model::{Model, Pane, View};
use crate::tui::view;

use super::{act, task};

/// How soon a second click has to follow to count with the first.
const DOUBLE: Duration = Duration::from_millis(400);
/// How many rows one turn of the wheel moves.
const WHEEL: isize = 3;

/// Lets the mouse do something.
pub(super) fn mouse(model: &mut Model, mouse: Mouse) -> Vec<Effect> {
    let at = Position::new(mouse.column, mouse.row);
    match mouse.kind {
        MouseKind::ScrollDown => wheel(model, at, WHEEL),
        MouseKind::ScrollUp => wheel(model, at, -WHEEL),
        MouseKind::Click => return click(model, at),
    }
    Vec::new()
}

fn wheel(model: &mut Model, at: Position, by: isize) {
    let layout = act::layout(model);
    if let Some(layer) = model.layers.last_mut() {
        layer.scroll(by);
    } else if layout.detail.is_some_and(|detail| detail.outer.contains(at)) {
        model.detail.scroll(by);
    } else {
        model.list_mut().scroll(by);
    }
}

fn click(model: &mut Model, at: Position) -> Vec<Effect> {
    let again = model.clicked.is_some_and(|(when, x, y)| {
        model.moment.elapsed.saturating_sub(when) <= DOUBLE && y == at.y && x.abs_diff(at.x) <= 2
    });
    model.clicked = if again { None } else { Some((model.moment.elapsed, at.x, at.y)) };
    let layout = act::layout(model);
    if let Some(tabs) = layout.tabs.filter(|tabs| tabs.contains(at)) {
        let tab = view::tabs(model, tabs).into_iter().find(|(_, area)| area.contains(at));
        if let Some((view, _)) = tab {
            act::act(model, action_of(view));
        }
        return Vec::new();
    }
    if let Some(layer) = model.layers.last() {
        let area = layout.layer(layer);
        return if area.outer.contains(at) {
            click_layer(model, area.inner, at, again)
        } else {
            if layer.kind == PageKind::Sort {
                model.layers.pop();
            }
            Vec::new()
        };
    }
    if let Some(detail) = layout.detail.filter(|detail| detail.outer.contains(at)) {
        model.pane = Pane::Detail;
        return click_line(model, detail.inner, at, again);
    }
    if let Some(list) = layout.list.filter(|list| list.inner.contains(at)) {
        model.pane = Pane::List;
        model.typing = false;
        return click_list(model, list.inner, at, again);
    }
    Vec::new()
}

fn action_of(view: View) -> crate::tui::action::Action {
    use crate::tui::action::Action;
    match view {
        View::Entries => Action::Entries,
        View::Environments => Action::Environments,
        View::Links => Action::Links,
        View::Locks => Action::Locks,
        View::Plan => Action::Plan,
    }
}

fn click_layer(model: &mut Model, inner: Rect, at: Position, again: bool) -> Vec<Effect> {
    if let Some(page) = model.layers.last_mut()
        && let Some(tile) = view::tile_at(page, inner, at)
    {
        page.cursor = Some(tile);
        return if again { act::open(model) } else { Vec::new() };
    }
    let menu = model.layers.last().is_some_and(|page| page.kind == PageKind::Sort);
    click_line(model, inner, at, again || menu)
}

/// Puts the cursor of the page with the focus on the line that was clicked, and opens it on a second click.
fn click_line(model: &mut Model, inner: Rect, at: Position, open: bool) -> Vec<Effect> {
    let Some(page) = model.page_mut().filter(|_| inner.contains(at)) else { return Vec::new() };
    let place = page.place_at(usize::from(at.y - inner.y));
    if page.line(place).is_none_or(|line| line.target.is_none()) {
        return Vec::new();
    }
    page.cursor = Some(place);
    if let Some(Target::Answer(answer)) = page.target().cloned() {
        task::focus(page, answer);
    }
    if open { act::open(model) } else { Vec::new() }
}

fn click_list(model: &mut Model, inner: Rect, at: Position, again: bool) -> Vec<Effect> {
    if at.y == inner.y {
        let x = at.x - inner.x;
        let placed = model.placed(inner.width).into_iter();
        let heading = placed.rev().find(|placed| placed.start <= x);
        match heading.map(|placed| placed.column) {
            Some(Column::Bar) => act::order_by(model, Column::Size),
            Some(column) => act::order_by(model, column),
            None => {}
        }
        return Vec::new();
    }
    let row = model.list().offset + usize::from(at.y - inner.y - 1);
    if row >= model.list().order.len() {
        return Vec::new();
    }
    model.list_mut().go(row);
    // The gutter is where the mark is: a click there sets it.
    if at.x < inner.x + 2 && !again {
        act::act(model, crate::tui::action::Action::Mark);
        model.list_mut().go(row);
        return Vec::new();
    }
    if again { act::open(model) } else { Vec::new() }
}
