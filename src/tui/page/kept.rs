//! Why an entry is kept, or could go, in sentences that always say their scope.

use crate::human;
use crate::plan;
use crate::snapshot::{
    EntryIndex, EntryKey, EntryKind, EntryState, Evidence, LinkMode, Mode, PointerState, Snapshot,
};
use crate::tui::model::facts::{entry_title, environment_name};
use crate::tui::model::page::Document;
use crate::tui::model::{Doubt, Model};
use crate::tui::theme::Role;

use super::{fact, gap, heading, paragraph, push};

/// Where environments were looked for, as `~/code and 3 other places`.
pub(super) fn scope(model: &Model) -> String {
    let scope = &model.snapshot().scope;
    let home = model.settings.home.as_deref();
    let searched: Vec<&_> = scope.roots.iter().filter(|root| root.readable).collect();
    let mut words = match searched.as_slice() {
        [] => "the cache alone".to_owned(),
        [one] => human::path(&one.path, home),
        [one, two] => format!("{} and {}", human::path(&one.path, home), human::path(&two.path, home)),
        [one, rest @ ..] => {
            format!(
                "{} and {}",
                human::path(&one.path, home),
                human::counted(rest.len() as u64, "other place", "other places")
            )
        }
    };
    let unread = scope.unread.len() + scope.roots.len() - searched.len();
    if unread > 0 {
        words.push_str(" (");
        words.push_str(&human::counted(unread as u64, "place", "places"));
        words.push_str(" could not be read)");
    }
    words
}

/// Why the entry is kept, or could go.
pub(super) fn sentence(model: &Model, index: EntryIndex) -> String {
    let snapshot = model.snapshot();
    let entry = snapshot.entry(index);
    let Some(state) = model.facts.state(index.position()) else {
        return match model.doubt() {
            Some(Doubt::Cancelled) => "Kept: no environment that uses it was found before the scan was cancelled, and what the scan did not reach counts as in use.".to_owned(),
            Some(Doubt::Failed) => "Nothing is known of who uses it: the scan failed.".to_owned(),
            _ => "Who uses it is not known yet: the scan is still running.".to_owned(),
        };
    };
    let scope = scope(model);
    let is_free = matches!(state, EntryState::Unused | EntryState::Unreferenced);
    if let (true, Some((_, why))) = (is_free, snapshot.cache.odd().next()) {
        return format!(
            "Kept: no environment was found in {scope} that uses it, but {}.",
            human::escape(&why)
        );
    }
    let sentence = match state {
        EntryState::Protected if snapshot.references_to(index).iter().all(|it| it.by.symlink == 0) => {
            format!("Kept: {}.", human::escape(&plan::linked(snapshot, index).sentence()))
        }
        EntryState::Protected => {
            let names = users(model, index, ["reaches it", "reach it"], |reference| reference.by.symlink > 0);
            format!("Kept: {names} by symlink, and would break without it. Relinking first is the way out.")
        }
        EntryState::Used => {
            let names =
                users(model, index, ["uses it", "use it"], |reference| reference.evidence > Evidence::Name);
            let how = match shared_how(snapshot, index) {
                LinkMode::Only(Mode::Hardlink) => {
                    "Its files are hardlinked, so that removing it frees only what nothing else links to"
                }
                LinkMode::Only(Mode::Clone) => {
                    "Its files are reflinked, so that removing it frees only blocks that nothing else shares"
                }
                LinkMode::Only(Mode::Copy) => {
                    "Its files were copied, so that removing it would break nothing, but the next install would have to fetch it again"
                }
                _ => "Its files were linked in several ways, so that removing it frees a part of it",
            };
            format!("Kept: {names}. {how}.")
        }
        EntryState::HeldElsewhere if entry.links.unexplained == 0 && entry.unexplained_extents == 0 => {
            format!(
                "Kept, because it may be in use: {} No environment was found in {scope} that uses it.",
                entry.doubt.map_or("the scan is not complete.", crate::snapshot::Doubt::words)
            )
        }
        EntryState::HeldElsewhere => {
            let mut held = Vec::new();
            if entry.links.unexplained > 0 {
                held.push(human::counted(entry.links.unexplained, "link is counted", "links are counted"));
            }
            if entry.unexplained_extents > 0 {
                held.push(human::counted(
                    entry.unexplained_extents,
                    "file shares blocks",
                    "files share blocks",
                ));
            }
            format!(
                "Kept: {} with something that was not found in {scope}. Searching more places may find it.",
                held.join(" and ")
            )
        }
        EntryState::Unused if entry.kind == EntryKind::Environment => format!(
            "Unused: no environment found in {scope} uses it. A pointer leads to it, so uv would run it again as it is."
        ),
        EntryState::Unused => format!(
            "Unused: no environment found in {scope} uses it. A pointer leads to it, so uv would install from it again without fetching."
        ),
        EntryState::Unreferenced => format!(
            "Unused: no environment found in {scope} uses it, and no pointer leads to it, so uv itself will never use it again."
        ),
    };
    match model.doubt() {
        Some(Doubt::Cancelled) => format!("{sentence} The scan was cancelled, so there may be more to it."),
        _ => sentence,
    }
}

/// The mode of all references to an entry together.
fn shared_how(snapshot: &Snapshot, index: EntryIndex) -> LinkMode {
    let mut modes = crate::snapshot::ModeCounts::default();
    for reference in snapshot.references_to(index) {
        modes.add(reference.by);
    }
    LinkMode::of(modes)
}

/// The environments that use an entry, with a verb for one and for several, as `~/a/.venv uses it`.
fn users(
    model: &Model,
    index: EntryIndex,
    verbs: [&str; 2],
    counts: impl Fn(&crate::snapshot::Reference) -> bool,
) -> String {
    let snapshot = model.snapshot();
    let mut environments: Vec<_> = snapshot
        .references_to(index)
        .iter()
        .filter(|reference| counts(reference))
        .map(|reference| reference.environment)
        .collect();
    environments.dedup();
    let name = |at: usize| environment_name(snapshot, environments[at], model.settings.home.as_deref());
    let [one, several] = verbs;
    match environments.len() {
        0 => format!("an environment {one}"),
        1 => format!("{} {one}", name(0)),
        2 => format!("{} and {} {several}", name(0), name(1)),
        more => format!("{} and {} {several}", name(0), human::counted(more as u64 - 1, "other", "others")),
    }
}

/// The page that explains one entry.
pub(super) fn document(model: &Model, key: &EntryKey, width: usize) -> Document {
    let snapshot = model.snapshot();
    let Some(index) = snapshot.find_entry(key) else {
        let mut document = Document { title: "why".to_owned(), ..Document::default() };
        paragraph(&mut document, "This entry is no longer in the cache.", Role::Dim, width);
        return document;
    };
    let entry = snapshot.entry(index);
    let mut document = Document { title: format!("why {}", entry_title(entry)), ..Document::default() };
    let width = width.min(96);
    gap(&mut document);
    paragraph(&mut document, &sentence(model, index), Role::Strong, width);
    gap(&mut document);
    heading(model, &mut document, "who holds its bytes", width);
    storage(model, &mut document, index, width);
    gap(&mut document);
    heading(model, &mut document, "who uses it", width);
    super::entry::users(model, &mut document, index, width);
    gap(&mut document);
    heading(model, &mut document, "referenced by", width);
    super::entry::pointers(model, &mut document, index, width);
    gap(&mut document);
    heading(model, &mut document, "what the answer rests on", width);
    basis(model, &mut document, index, width);
    document
}

/// Adds how the entry's storage is shared.
fn storage(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let entry = model.snapshot().entry(index);
    fact(document, "on disk", &human::bytes(entry.disk), Role::Text, width);
    match model.blank() {
        Some(doubt) => fact(document, "frees", doubt.sentence(), Role::Dim, width),
        None => super::entry::back(model, document, index, width),
    }
}

/// Adds what was searched and counted.
fn basis(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let snapshot = model.snapshot();
    let entry = snapshot.entry(index);
    if let Some(doubt) = model.blank() {
        fact(document, "searched", doubt.sentence(), Role::Dim, width);
    } else {
        fact(document, "searched", &scope(model), Role::Text, width);
        fact(document, "links", &super::entry::links(entry), Role::Text, width);
    }
    if let Some(used) = super::entry::last_use(model, entry) {
        fact(document, "last used", &used, Role::Text, width);
    }
    let dead = entry
        .pointers
        .iter()
        .filter(|pointer| snapshot.pointer(**pointer).state != PointerState::Live)
        .count();
    if dead > 0 {
        fact(document, "pointers", &format!("{dead} that lead here are not live"), Role::Warning, width);
    }
    if entry.modified > 0 {
        let files = human::counted(entry.modified, "file is", "files are");
        fact(document, "modified", &format!("{files} not what RECORD says"), Role::Warning, width);
    }
    push(document, Vec::new());
}
