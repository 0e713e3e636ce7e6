//! What is done to environments: relinking, repairing, comparing, and keeping an edit in one of them alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::human;
use crate::plan::Repair;
use crate::plan::room;
use crate::plan::{self, At, Relink, Remove, Request};
use crate::scan::verify::Wanted;
use crate::snapshot::Mode;
use crate::tui::effect::Effect;
use crate::tui::model::page::{Menu, Page, PageKind};
use crate::tui::model::suggestion::SuggestionKind;
use crate::tui::model::task::Question;
use crate::tui::model::{Model, View};
use crate::tui::page::said;
use crate::tui::theme::Role;
use crate::worker::task::Task;

use super::task;

/// Why nothing can be planned yet.
pub(super) const UNFINISHED: &str =
    "The scan is still running or was stopped: a plan needs its end. r scans again.";

/// Which of some environments are marked out of sight, and where.
fn unseen(model: &Model, environments: &[PathBuf]) -> BTreeMap<At, &'static str> {
    let marked = environments.iter().filter(|path| model.marks.environments.contains(*path));
    marked.filter_map(|path| Some((At::new(path), model.environment_hidden(path)?))).collect()
}

/// The environments that are meant: those that are marked, else the one the cursor is on.
pub(super) fn meant(model: &Model) -> Vec<PathBuf> {
    let marked = &model.marks.environments;
    if marked.is_empty() {
        let row = model.list().row().filter(|_| model.view == View::Environments);
        return row.map(|row| model.snapshot().environments[row as usize].path.clone()).into_iter().collect();
    }
    let mut paths: Vec<PathBuf> = marked.iter().cloned().collect();
    paths.sort_unstable();
    paths
}

/// Whether any are.
pub(super) fn any(model: &Model) -> bool {
    !meant(model).is_empty()
}

/// Whether something can be done now; says why not.
fn ready(model: &mut Model) -> bool {
    if model.doubt().is_some() {
        model.say(UNFINISHED, Role::Warning);
        return false;
    }
    !task::busy(model)
}

/// Shows what can be chosen for the environments that are meant.
pub(super) fn menu(model: &mut Model, of: impl FnOnce(Vec<PathBuf>) -> Menu) {
    if !ready(model) {
        return;
    }
    let menu = of(meant(model));
    model.layers.push(Page::new(PageKind::Menu(menu)));
}

/// Shows a plan to relink environments.
pub(super) fn relink(model: &mut Model, environments: &[PathBuf], mode: Mode) {
    let unseen = unseen(model, environments);
    let environments = environments.iter().map(|path| At::new(path)).collect();
    let request = Request::Relink(Relink { environments, mode, packages: Vec::new() });
    task::make(model, &request, unseen);
}

/// Looks at what is in the environments that are meant, and plans to remove them with the entries that only they use; the plan comes
/// when that is done.
pub(super) fn remove(model: &mut Model) -> Vec<Effect> {
    if !ready(model) {
        return Vec::new();
    }
    let environments = meant(model);
    remove_these(model, &environments)
}

/// Begins what is suggested.
pub(super) fn take_suggestion(
    model: &mut Model,
    kind: SuggestionKind,
    environments: Vec<PathBuf>,
) -> Vec<Effect> {
    if !ready(model) {
        return Vec::new();
    }
    match kind {
        SuggestionKind::Repair => model.layers.push(Page::new(PageKind::Menu(Menu::Repair(environments)))),
        SuggestionKind::Share => {
            let mode = room::sharing(model.snapshot());
            relink(model, &environments, mode);
        }
        SuggestionKind::RemoveIdle => return remove_these(model, &environments),
    }
    Vec::new()
}

fn remove_these(model: &mut Model, environments: &[PathBuf]) -> Vec<Effect> {
    model.asked = unseen(model, environments);
    let request = Remove {
        environments: environments.iter().map(|path| At::new(path)).collect(),
        with_entries: true,
        grace: model.facts.planning.grace,
        ..Remove::default()
    };
    task::begin(model, "looking at the environments", Task::PlanRemoval(request))
}

/// Finds out how environments could be repaired; the plan comes when that is done.
pub(super) fn repair(model: &mut Model, environments: &[PathBuf], with_uv: bool) -> Vec<Effect> {
    if !ready(model) {
        return Vec::new();
    }
    model.asked = unseen(model, environments);
    let environments = environments.iter().map(|path| At::new(path)).collect();
    let request = Repair { environments, with_uv, ..Repair::default() };
    task::begin(model, "looking for what is broken", Task::PlanRepair(request))
}

/// Finds out how the cache's own links could be mended; the plan comes when that is done.
pub(super) fn repair_links(model: &mut Model) -> Vec<Effect> {
    if !ready(model) {
        return Vec::new();
    }
    model.asked.clear();
    let request = Repair { links: true, ..Repair::default() };
    task::begin(model, "looking at the cache's links", Task::PlanRepair(request))
}

/// Compares the contents of what is marked, or of what the cursor is on, with `RECORD`.
pub(super) fn verify(model: &mut Model) -> Vec<Effect> {
    if !ready(model) {
        return Vec::new();
    }
    let snapshot = model.snapshot();
    let mut wanted = Wanted::default();
    if model.marks.is_empty() && model.view == View::Entries {
        wanted.entries.extend(model.list().row().map(|row| crate::snapshot::EntryIndex::new(row as usize)));
    } else {
        wanted.entries.extend(model.marks.entries.iter().filter_map(|key| snapshot.find_entry(key)));
        wanted.environments.extend(meant(model).iter().filter_map(|path| snapshot.find_environment(path)));
    }
    wanted.entries.sort_unstable();
    if wanted == Wanted::default() {
        return Vec::new();
    }
    let entries = human::counted(wanted.entries.len() as u64, "entry", "entries");
    let environments = human::counted(wanted.environments.len() as u64, "environment", "environments");
    let what = match (wanted.entries.is_empty(), wanted.environments.is_empty()) {
        (false, false) => format!("{entries} and {environments}"),
        (true, _) => environments,
        (false, true) => entries,
    };
    let unseen = model.unseen().words().map_or(String::new(), |words| format!(" ({words})"));
    let effects = task::begin(model, "verifying", Task::Verify(wanted));
    model.say(&format!("Comparing {what}{unseen} with RECORD."), Role::Text);
    effects
}

/// Asks whether an environment is to keep its edits alone.
pub(super) fn detach(model: &mut Model, environment: &Path) {
    if task::busy(model) {
        return;
    }
    let Some((snapshot, verified)) = model.verified.clone() else { return };
    let Some(index) = snapshot.find_environment(environment) else { return };
    let plan = plan::detach(&snapshot, index, &verified);
    if plan.steps.is_empty() {
        let mut lines = vec![said("There is nothing to be kept in this environment alone.", Role::Text)];
        for kept in &plan.kept {
            lines.push(said(&format!("{}: {}", kept.at.text(), kept.reason), Role::Warning));
        }
        model.layers.push(Page::new(PageKind::Report("nothing to do".to_owned(), lines)));
    } else {
        task::ask(model, Question::Detach(Box::new(plan)));
    }
}

/// Keeps what was compared, for as long as nothing has changed.
pub(super) fn remember(model: &mut Model, done: &crate::worker::task::Done) {
    model.verified = match done {
        crate::worker::task::Done::Verified(snapshot, verified) => {
            Some((Arc::clone(snapshot), Arc::new(verified.clone())))
        }
        _ => None,
    };
}
