//! What pointers are ordered by.

use std::cmp::Reverse;

use crate::snapshot::{PointerIndex, Snapshot};

/// What pointers are ordered by; equal ones by their path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PointerSort {
    /// The path.
    #[default]
    Path,
    /// The form.
    Form,
    /// The state: what is wrong first.
    State,
    /// When they were written, oldest first.
    Age,
    /// What they say.
    Target,
}

impl PointerSort {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Path, Self::Form, Self::State, Self::Age, Self::Target];

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Form => "form",
            Self::State => "state",
            Self::Age => "age",
            Self::Target => "target",
        }
    }
}

/// Orders pointers.
pub fn sort(snapshot: &Snapshot, rows: &mut [PointerIndex], key: PointerSort, reverse: bool) {
    let item = |index: &PointerIndex| snapshot.pointer(*index);
    rows.sort_by(|one, other| item(one).path.cmp(&item(other).path));
    match key {
        PointerSort::Path => {}
        PointerSort::Form => rows.sort_by_key(|index| item(index).form),
        PointerSort::State => rows.sort_by_key(|index| Reverse(item(index).state)),
        PointerSort::Age => rows.sort_by_key(|index| (item(index).modified.is_none(), item(index).modified)),
        PointerSort::Target => rows.sort_by(|one, other| item(one).target.cmp(&item(other).target)),
    }
    if reverse {
        rows.reverse();
    }
}
