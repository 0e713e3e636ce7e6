//! What the view of the plan suggests beside pruning: to repair, to share copies, to remove idle environments.

use std::path::{Path, PathBuf};

use crate::human;
use crate::plan::room::{self, Grace, WayKind};
use crate::snapshot::Snapshot;

/// What is suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::tui) enum SuggestionKind {
    /// To repair what does not work.
    Repair,
    /// To link copies to the cache.
    Share,
    /// To remove environments without a sign of use.
    RemoveIdle,
}

/// Something useful that is not a prune, and the environments it is about.
#[derive(Clone, Debug)]
pub(in crate::tui) struct Suggestion {
    pub(in crate::tui) kind: SuggestionKind,
    pub(in crate::tui) environments: Vec<PathBuf>,
    /// The bytes that it frees, where it is about that.
    pub(in crate::tui) frees: u64,
    /// The sentence that says so. Not escaped.
    pub(in crate::tui) sentence: String,
}

/// What is useful now: repair first, then what frees most.
pub(in crate::tui) fn suggestions(snapshot: &Snapshot, grace: u64) -> Vec<Suggestion> {
    let broken: Vec<PathBuf> = room::broken(snapshot).into_iter().map(Path::to_owned).collect();
    let number = human::counted(broken.len() as u64, "environment does", "environments do");
    let repair = Suggestion {
        kind: SuggestionKind::Repair,
        frees: 0,
        sentence: format!("{number} not work"),
        environments: broken,
    };
    let ways = room::ways(snapshot, Grace { seconds: grace, said: false }).into_iter();
    let ways = ways.filter_map(|way| {
        let kind = match way.kind {
            WayKind::Copies => SuggestionKind::Share,
            WayKind::Idle => SuggestionKind::RemoveIdle,
            WayKind::Prune(_) | WayKind::Trash => return None,
        };
        let (sentence, frees) = (way.sentence(), way.frees);
        Some(Suggestion { kind, frees, sentence, environments: way.environments })
    });
    std::iter::once(repair).chain(ways).filter(|it| !it.environments.is_empty()).collect()
}
