//! Setting and taking marks.

use std::collections::BTreeMap;

use crate::human;
use crate::snapshot::{EntryIndex, EntryState, EnvironmentIndex, Selection};
use crate::tui::model::{Model, View};
use crate::tui::theme::Role;

/// Whether a row of the shown list is marked.
pub(in crate::tui) fn is_marked(model: &Model, row: u32) -> bool {
    let snapshot = model.snapshot();
    match model.view {
        View::Entries => model.marks.entries.contains(&snapshot.entries[row as usize].key),
        View::Environments => model.marks.environments.contains(&snapshot.environments[row as usize].path),
        View::Links | View::Locks => false,
        View::Plan => model.facts.planning.is_in(row as usize),
    }
}

/// Marks a row, or takes its mark away.
fn set(model: &mut Model, row: u32, marked: bool) {
    match model.view {
        View::Entries => {
            let key = model.facts.snapshot.entries[row as usize].key.clone();
            if marked {
                model.marks.entries.insert(key)
            } else {
                model.marks.entries.remove(&key)
            };
        }
        View::Environments => {
            let path = model.facts.snapshot.environments[row as usize].path.clone();
            if marked {
                model.marks.environments.insert(path)
            } else {
                model.marks.environments.remove(&path)
            };
        }
        View::Links | View::Locks => {}
        View::Plan => {
            model.facts.planning.set(row as usize, marked);
            model.facts.generation += 1;
        }
    }
}

/// Marks the row under the cursor, or takes its mark away, and steps down.
pub(super) fn toggle(model: &mut Model) {
    if let Some(row) = model.list().row() {
        let marked = is_marked(model, row);
        set(model, row, !marked);
        model.list_mut().step(1);
        model.count_marks();
    }
}

/// Begins a range, or marks the one that was begun.
pub(super) fn range(model: &mut Model) {
    let begun = model.list().anchor.and_then(|row| model.list().order.iter().position(|other| *other == row));
    let Some(begun) = begun else {
        model.list_mut().anchor = model.list().row();
        model.say("A range begins here; the same key at its other end marks it.", Role::Text);
        return;
    };
    let (first, last) = (begun.min(model.list().cursor), begun.max(model.list().cursor));
    let rows = model.list().order[first..=last].to_vec();
    for row in rows {
        set(model, row, true);
    }
    model.list_mut().anchor = None;
    model.notice = None;
    model.count_marks();
}

/// Marks all rows that the filter shows, and says how many.
pub(super) fn all(model: &mut Model) {
    let rows = model.list().order.clone();
    for row in &rows {
        set(model, *row, true);
    }
    let words = what(model, &rows);
    model.say(&words, Role::Text);
    model.count_marks();
}

/// What was marked, as `Marked 14 unused entries, 991.0 MiB`.
fn what(model: &Model, rows: &[u32]) -> String {
    let snapshot = model.snapshot();
    let (mut states, mut selection) = (BTreeMap::<&str, u64>::new(), Selection::new(snapshot));
    let mut state = |word: &'static str| *states.entry(word).or_default() += 1;
    let nouns = match model.view {
        View::Entries => {
            for row in rows.iter().map(|row| *row as usize) {
                selection.add_entry(EntryIndex::new(row));
                state(model.facts.state(row).map_or("", EntryState::word));
            }
            ("entry", "entries")
        }
        View::Environments => {
            for row in rows.iter().map(|row| *row as usize) {
                selection.add_environment(EnvironmentIndex::new(row));
                state(snapshot.environments[row].health.word());
            }
            ("environment", "environments")
        }
        View::Links | View::Locks | View::Plan => {
            let steps = rows.iter().filter(|row| model.facts.planning.is_in(**row as usize)).count() as u64;
            return format!("All {} shown are in the plan.", human::counted(steps, "step", "steps"));
        }
    };
    let number = rows.len() as u64;
    let bytes = if model.blank().is_some() {
        String::new()
    } else {
        format!(", {}", human::bytes(snapshot.reclaimable(&selection).total()))
    };
    let noun = if number == 1 { nouns.0 } else { nouns.1 };
    let mut states: Vec<(&str, u64)> = states.into_iter().collect();
    states.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    match states.as_slice() {
        [] | [("", _)] => format!("Marked {} {noun}{bytes}.", human::count(number)),
        [(one, _)] => format!("Marked {} {one} {noun}{bytes}.", human::count(number)),
        several => {
            let part = |(word, number): &(&str, u64)| {
                let word = if word.is_empty() { "not known" } else { word };
                format!("{} {word}", human::count(*number))
            };
            let parts: Vec<String> = several.iter().map(part).collect();
            format!("Marked {} {noun} ({}){bytes}.", human::count(number), parts.join(", "))
        }
    }
}

/// Marks what is not marked among the rows shown, and the other way round.
pub(super) fn invert(model: &mut Model) {
    for row in model.list().order.clone() {
        let marked = is_marked(model, row);
        set(model, row, !marked);
    }
    model.count_marks();
}

/// Takes all marks away.
pub(super) fn clear(model: &mut Model) {
    model.marks = crate::tui::model::marks::Marks::default();
    model.count_marks();
}
