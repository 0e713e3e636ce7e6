//! One list: which rows there are, in which order, and which of them the screen shows.
//!
//! Rows are positions in a snapshot's vectors. Ordering and filtering make a new vector of positions when something
//! changes; drawing a frame only reads the window of it that is visible.

use std::cmp::Ordering;
use std::path::Path;
use std::str::FromStr;

use pep440_rs::Version;
use tui_input::Input;

use crate::lock::State;
use crate::snapshot::{EntryIndex, EnvironmentIndex};
use crate::tui::page;

use super::View;
use super::column::Column;
use super::facts::{Facts, Measure, entry_name};
use super::filter::Filter;
use super::filter::rows::{Fields, rows};

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Sort {
    /// By which column.
    pub column: Column,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// One list.
#[derive(Debug)]
pub(in crate::tui) struct List {
    /// Which view it belongs to.
    pub view: View,
    /// Its order.
    pub sort: Sort,
    /// Its filter, as it was typed.
    pub filter: Input,
    /// Why the filter matches nothing, where it could not be read. Not escaped.
    pub trouble: Option<String>,
    /// The rows that pass the filter, ordered.
    pub order: Vec<u32>,
    /// The place of the cursor in `order`.
    pub cursor: usize,
    /// The first visible place in `order`.
    pub offset: usize,
    /// How many rows are visible.
    pub height: usize,
    /// Whether somebody has chosen the cursor's row. Until then it is the first, whichever that is.
    pub chosen: bool,
    /// The row at which a range was begun.
    pub anchor: Option<u32>,
    /// The largest value of the shown byte number, for the bars.
    pub largest: u64,
    fields: Fields,
}

impl List {
    /// An empty list.
    pub(in crate::tui) fn new(view: View) -> Self {
        let column = match view {
            View::Entries | View::Environments => Column::Size,
            View::Links => Column::LinkState,
            View::Locks => Column::Held,
            View::Plan => Column::Order,
        };
        Self {
            view,
            sort: Sort { column, descending: column.descends() },
            filter: Input::default(),
            order: Vec::new(),
            cursor: 0,
            offset: 0,
            height: 0,
            chosen: false,
            anchor: None,
            largest: 0,
            trouble: None,
            fields: Fields::default(),
        }
    }

    /// The row under the cursor.
    pub(in crate::tui) fn row(&self) -> Option<u32> {
        self.order.get(self.cursor).copied()
    }

    /// The rows that the screen shows.
    pub(in crate::tui) fn visible(&self) -> &[u32] {
        let end = (self.offset + self.height).min(self.order.len());
        &self.order[self.offset.min(end)..end]
    }

    /// Puts the cursor on a place, as near as there is one, because somebody chose it.
    pub(in crate::tui) fn go(&mut self, place: usize) {
        self.chosen = true;
        self.put(place);
    }

    fn put(&mut self, place: usize) {
        self.cursor = place.min(self.order.len().saturating_sub(1));
        self.follow();
    }

    /// Moves the cursor by some places.
    pub(in crate::tui) fn step(&mut self, by: isize) {
        self.go(self.cursor.saturating_add_signed(by));
    }

    /// Moves the window by some places; the cursor stays inside it.
    pub(in crate::tui) fn scroll(&mut self, by: isize) {
        let last = self.order.len().saturating_sub(self.height.max(1));
        self.offset = self.offset.saturating_add_signed(by).min(last);
        self.chosen = true;
        let end = self.offset + self.height.max(1) - 1;
        self.cursor = self.cursor.clamp(self.offset, end).min(self.order.len().saturating_sub(1));
    }

    /// Moves the window so that the cursor is in it and no row is wasted.
    pub(in crate::tui) fn follow(&mut self) {
        let height = self.height.max(1);
        if self.cursor < self.offset {
            self.offset = self.cursor;
        } else if self.cursor >= self.offset + height {
            self.offset = self.cursor + 1 - height;
        }
        self.offset = self.offset.min(self.order.len().saturating_sub(height));
    }

    /// Puts the cursor on a row; leaves it where it is when the row is not there.
    pub(in crate::tui) fn select(&mut self, row: u32) -> bool {
        match self.order.iter().position(|other| *other == row) {
            Some(place) => {
                self.go(place);
                true
            }
            None => false,
        }
    }

    /// Filters and orders all rows anew. A cursor that somebody chose stays on `keep`, or on its row when that is still
    /// there; any other stays on the first row.
    pub(in crate::tui) fn arrange(
        &mut self,
        facts: &Facts,
        measure: Measure,
        home: Option<&Path>,
        keep: Option<u32>,
    ) {
        let keep = if self.chosen { keep.or_else(|| self.row()) } else { None };
        self.largest = largest(facts, self.view, measure);
        self.order = self.matching(facts, home);
        sort(&mut self.order, facts, self.view, self.sort, measure);
        let kept = keep.and_then(|row| self.order.iter().position(|other| *other == row));
        self.put(kept.unwrap_or(if self.chosen { self.cursor } else { 0 }));
    }

    fn matching(&mut self, facts: &Facts, home: Option<&Path>) -> Vec<u32> {
        let filter = Filter::read(self.filter.value());
        self.trouble.clone_from(&filter.trouble);
        if filter.is_empty() {
            self.fields = Fields::default();
            return (0..rows(facts, self.view)).collect();
        }
        filter.rows(facts, self.view, home, &mut self.fields)
    }
}

fn largest(facts: &Facts, view: View, measure: Measure) -> u64 {
    let snapshot = &facts.snapshot;
    match view {
        View::Entries => snapshot.entries().map(|(index, _)| facts.entry_bytes(index, measure)).max(),
        View::Environments => {
            snapshot.environments().map(|(index, _)| facts.environment_bytes(index, measure)).max()
        }
        View::Links | View::Locks | View::Plan => None,
    }
    .unwrap_or(0)
}

/// Orders rows. Equal ones stay in the snapshot's order, whichever direction is asked for, so that nothing jumps.
fn sort(order: &mut [u32], facts: &Facts, view: View, sort: Sort, measure: Measure) {
    let direct = |ordering: Ordering| if sort.descending { ordering.reverse() } else { ordering };
    if let Some(number) = numbers(facts, view, sort.column, measure) {
        order.sort_by_cached_key(|row| {
            let number = number(*row as usize);
            if sort.descending { u64::MAX - number } else { number }
        });
        return;
    }
    let snapshot = &facts.snapshot;
    match sort.column {
        Column::Version => {
            let version = |row: &u32| {
                let entry = &snapshot.entries[*row as usize];
                entry.version.as_deref().and_then(|version| Version::from_str(version).ok())
            };
            let mut keyed: Vec<(Option<Version>, u32)> =
                order.iter().map(|row| (version(row), *row)).collect();
            keyed.sort_by(|left, right| direct(left.0.cmp(&right.0)));
            for (place, (_, row)) in order.iter_mut().zip(keyed) {
                *place = row;
            }
        }
        Column::Python => {
            order.sort_by_cached_key(|row| {
                let python = snapshot.environments[*row as usize].python.as_deref();
                python.and_then(|version| Version::from_str(version).ok())
            });
            if sort.descending {
                order.reverse();
            }
        }
        Column::Path => order.sort_by(|left, right| {
            let path = |row: u32| &snapshot.pointers[row as usize].path;
            direct(path(*left).cmp(path(*right)))
        }),
        Column::Resource => order.sort_by(|left, right| {
            let resource = |row: u32| &facts.locks.files[row as usize].resource;
            direct(resource(*left).cmp(resource(*right)))
        }),
        Column::Holder => order.sort_by(|left, right| {
            let holder = |row: u32| {
                let first = facts.locks.files[row as usize].holders.first();
                first.map(|holder| (holder.command.as_str(), holder.pid))
            };
            // Locks that nobody holds come last in ascending order.
            let key = |row: u32| (holder(row).is_none(), holder(row));
            direct(key(*left).cmp(&key(*right)))
        }),
        Column::LockFile => order.sort_by(|left, right| {
            let path = |row: u32| &facts.locks.files[row as usize].path;
            direct(path(*left).cmp(path(*right)))
        }),
        Column::Target => order.sort_by(|left, right| {
            let target = |row: u32| &snapshot.pointers[row as usize].target;
            direct(target(*left).cmp(target(*right)))
        }),
        Column::Project => order.sort_by(|left, right| {
            let project = |row: u32| snapshot.environments[row as usize].project_directory();
            // Those without one come last in ascending order.
            let key = |row: u32| (project(row).is_none(), project(row));
            direct(key(*left).cmp(&key(*right)))
        }),
        Column::Environment => order.sort_by(|left, right| {
            let path = |row: u32| &snapshot.environments[row as usize].path;
            direct(path(*left).cmp(path(*right)))
        }),
        // Of other views no column has names of entries.
        _ if view != View::Entries => {}
        _ => {
            let name = |row: &u32| entry_name(&snapshot.entries[*row as usize]).to_lowercase();
            let mut keyed: Vec<(String, u32)> = order.iter().map(|row| (name(row), *row)).collect();
            keyed.sort_by(|left, right| direct(left.0.cmp(&right.0)));
            for (place, (_, row)) in order.iter_mut().zip(keyed) {
                *place = row;
            }
        }
    }
}

/// The number by which a column orders rows, for columns that have one.
fn numbers<'a>(
    facts: &'a Facts,
    view: View,
    column: Column,
    measure: Measure,
) -> Option<Box<dyn Fn(usize) -> u64 + 'a>> {
    let snapshot = &*facts.snapshot;
    let seconds = |time: Option<jiff::Timestamp>| {
        // Later times are younger: the smallest age comes first in ascending order, and no time at all comes last.
        time.map_or(u64::MAX, |time| i64::MAX.abs_diff(time.as_second()))
    };
    Some(match (column, view) {
        (Column::Size | Column::Bar, View::Entries) => {
            Box::new(move |row| facts.entry_bytes(EntryIndex::new(row), measure))
        }
        (Column::Size, _) => {
            Box::new(move |row| facts.environment_bytes(EnvironmentIndex::new(row), measure))
        }
        (Column::Exclusive, _) => Box::new(|row| facts.environments_alone[row].bytes),
        (Column::Files, _) => Box::new(|row| snapshot.entries[row].files),
        (Column::Users, _) => Box::new(|row| snapshot.user_count(EntryIndex::new(row)) as u64),
        (Column::Age, View::Links) => Box::new(move |row| seconds(snapshot.pointers[row].modified)),
        (Column::Age, _) => {
            Box::new(move |row| seconds(snapshot.entries[row].last_use.map(|last_use| last_use.time)))
        }
        (Column::Used, _) => {
            Box::new(move |row| seconds(snapshot.environments[row].last_use.map(|last_use| last_use.time)))
        }
        (Column::State, _) => Box::new(|row| snapshot.entries[row].state as u64),
        (Column::Distributions, _) => Box::new(|row| snapshot.environments[row].distributions.len() as u64),
        (Column::Modes, _) => Box::new(|row| snapshot.environments[row].mode_rank()),
        (Column::Health, _) => Box::new(|row| snapshot.environments[row].health as u64),
        // What is wrong comes first in ascending order.
        (Column::LinkState, _) => Box::new(|row| 3 - snapshot.pointers[row].state as u64),
        (Column::Held, _) => Box::new(|row| held_rank(&facts.locks.files[row].state)),
        (Column::Since, _) => Box::new(move |row| seconds(page::since(&facts.locks.files[row]))),
        (Column::Order, _) => Box::new(|row| row as u64),
        (Column::Back, _) => Box::new(|row| page::planned_bytes(&facts.planning, row).unwrap_or(0)),
        (Column::Form, _) => Box::new(|row| snapshot.pointers[row].form as u64),
        _ => return None,
    })
}

/// The order of lock states: what is held comes first in ascending order.
fn held_rank(state: &State) -> u64 {
    match state {
        State::Exclusive => 0,
        State::Shared => 1,
        State::Unknown(_) => 2,
        State::Free => 3,
        State::Missing => 4,
    }
}

/// The order of link modes in a list of environments.
trait ModeRank {
    /// Environments of the same mode have the same rank.
    fn mode_rank(&self) -> u64;
}

impl ModeRank for crate::snapshot::Environment {
    fn mode_rank(&self) -> u64 {
        use crate::snapshot::LinkMode;
        match self.mode() {
            LinkMode::Only(mode) => mode as u64,
            LinkMode::Mixed => 4,
            LinkMode::Unknown => 5,
        }
    }
}
