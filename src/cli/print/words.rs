//! Short texts about a snapshot that several commands share: users by mode, link modes, sizes, and the sentence that
//! says where nobody was found.

use std::fmt::Write as _;
use std::path::Path;

use super::view::{Paint, View};
use crate::human;
use crate::plan;
use crate::snapshot::{
    Completeness, DistributionState, Doubt, Entry, EntryIndex, EntryKind, EntryState, EnvironmentIndex,
    Evidence, Health, LinkMode, Mode, ModeCounts, Origin, PointerForm, PointerState, Reclaimable, Scope,
    Snapshot, Source,
};

/// An entry's name, or its id where it has none.
pub fn name(entry: &Entry) -> String {
    match &entry.name {
        Some(name) => human::escape(name).into_owned(),
        None => human::escape_os(&entry.key.id).into_owned(),
    }
}

/// An entry's name and version, as `torch 2.9.0`; an environment without a version says what it is.
pub fn title(entry: &Entry) -> String {
    match version(entry) {
        version if version.is_empty() => name(entry),
        version => format!("{} {version}", name(entry)),
    }
}

/// An entry's version, or what stands in its place; may be empty.
pub fn version(entry: &Entry) -> String {
    match (&entry.version, entry.kind) {
        (Some(version), EntryKind::Environment) => format!("{} (env)", human::escape(version)),
        (Some(version), _) => human::escape(version).into_owned(),
        (None, EntryKind::Environment) => "(environment)".to_owned(),
        (None, _) => String::new(),
    }
}

/// An entry's path below the cache root, as `archive-v0/…`.
pub fn key(entry: &Entry) -> String {
    format!("{}/{}", human::escape(&entry.key.bucket), human::escape_os(&entry.key.id))
}

/// The letter that stands for a link mode.
pub fn letter(mode: LinkMode) -> char {
    match mode {
        LinkMode::Only(Mode::Clone) => 'C',
        LinkMode::Only(Mode::Hardlink) => 'H',
        LinkMode::Only(Mode::Symlink) => 'S',
        LinkMode::Only(Mode::Copy) => 'P',
        LinkMode::Mixed => 'M',
        LinkMode::Unknown => '?',
    }
}

/// How many environments use an entry in each mode, as `2 H 1 S`, and `+3?` for links that were not found. An
/// environment that is known by the name alone does not count.
pub fn users(snapshot: &Snapshot, index: EntryIndex) -> String {
    let mut parts = Vec::new();
    for (letter, number) in users_by_letter(snapshot, index) {
        parts.push(format!("{} {letter}", human::count(number)));
    }
    let entry = snapshot.entry(index);
    let unexplained = entry.links.unexplained.max(entry.unexplained_extents);
    if unexplained > 0 {
        parts.push(format!("+{}?", human::count(unexplained)));
    }
    parts.join(" ")
}

fn users_by_letter(snapshot: &Snapshot, index: EntryIndex) -> Vec<(char, u64)> {
    let mut environments: Vec<(EnvironmentIndex, ModeCounts)> = Vec::new();
    for reference in snapshot.references_to(index).iter().filter(|item| item.evidence > Evidence::Name) {
        match environments.last_mut() {
            Some((environment, modes)) if *environment == reference.environment => modes.add(reference.by),
            _ => environments.push((reference.environment, reference.by)),
        }
    }
    let mut counts: Vec<(char, u64)> = Vec::new();
    for letter in environments.iter().map(|(_, modes)| letter(LinkMode::of(*modes))) {
        match counts.iter_mut().find(|(known, _)| *known == letter) {
            Some((_, number)) => *number += 1,
            None => counts.push((letter, 1)),
        }
    }
    let order = |letter: char| "CHSPM?".find(letter);
    counts.sort_by_key(|(letter, _)| order(*letter));
    counts
}

/// The mix of link modes by files: the word for a single mode, else shares as `hardlink 97% copy 3%`. A share that is
/// not nothing never reads 0%.
pub fn mode_mix(modes: ModeCounts) -> String {
    match LinkMode::of(modes) {
        LinkMode::Mixed => {}
        single => return single.word().to_owned(),
    }
    let mut counts = [
        (modes.clone, Mode::Clone),
        (modes.hardlink, Mode::Hardlink),
        (modes.symlink, Mode::Symlink),
        (modes.copy, Mode::Copy),
    ];
    counts.sort_by_key(|(files, _)| std::cmp::Reverse(*files));
    let total = u128::from(modes.total());
    let share = |files: u64| (u128::from(files) * 100 / total).max(u128::from(files > 0));
    // The largest share takes what rounding left, so that all add up to 100.
    let largest = 100 - counts[1..].iter().map(|(files, _)| share(*files)).sum::<u128>();
    let mut text = format!("{} {largest}%", counts[0].1.word());
    for (files, mode) in counts[1..].iter().filter(|(files, _)| *files > 0) {
        write!(text, " {} {}%", mode.word(), share(*files)).expect("writing to a string succeeds");
    }
    text
}

/// Bytes that come back, with `≥` or `≤` where the filesystem will not say how many more or fewer.
pub fn reclaimable(figure: Reclaimable) -> String {
    format!("{}{}", figure.certainty.sign(), human::bytes(figure.bytes))
}

/// Where an entry came from, as `index, built here, https://…`.
pub fn source(source: &Source) -> String {
    let place = match source.origin {
        Origin::Pypi => "PyPI",
        Origin::Index => "a package index",
        Origin::FindLinks => "a directory of wheels",
        Origin::Url => "a URL",
        Origin::Path => "a local path",
        Origin::Git => "a git repository",
        Origin::Editable => "an editable project",
        Origin::Command => "made for a command (uvx, uv run --with)",
        Origin::Unknown => "unknown: no pointer tells",
    };
    let mut text = place.to_owned();
    if let Some(detail) = &source.detail {
        text.push_str(" · ");
        text.push_str(&human::escape(detail));
    }
    if source.built {
        text.push_str(" · built here");
    }
    if let Some(gone) = &source.gone {
        text.push_str(" · it was at ");
        text.push_str(&human::escape_os(gone.as_os_str()));
        text.push_str(", which is gone: it cannot be had again");
    }
    text
}

/// The colour of an entry's state.
pub fn state_paint(state: EntryState) -> Paint {
    match state {
        EntryState::Protected => Paint::Kept,
        EntryState::Used => Paint::Good,
        EntryState::HeldElsewhere => Paint::Unsure,
        EntryState::Unused | EntryState::Unreferenced => Paint::Notice,
    }
}

/// The colour of an environment's health.
pub fn health_paint(health: Health) -> Paint {
    match health {
        Health::Ok => Paint::Good,
        Health::Broken | Health::NoInterpreter => Paint::Bad,
    }
}

/// The colour of a distribution's state.
pub fn distribution_paint(state: DistributionState) -> Paint {
    match state {
        DistributionState::Ok => Paint::Good,
        DistributionState::Broken => Paint::Bad,
        DistributionState::Modified => Paint::Notice,
        DistributionState::Unknown => Paint::Unsure,
    }
}

/// The colour of a pointer's state.
pub fn pointer_paint(state: PointerState) -> Paint {
    match state {
        PointerState::Live => Paint::Good,
        PointerState::Dangling | PointerState::Malformed => Paint::Bad,
        PointerState::Foreign => Paint::Unsure,
    }
}

/// Where nobody was found, as `in ~/code, ~/work and 2 more places`; the first few by name, all when verbose.
pub fn searched(scope: &Scope, view: &View) -> String {
    let roots: Vec<&Path> =
        scope.roots.iter().filter(|root| root.readable).map(|root| root.path.as_path()).collect();
    let named = if view.verbose { roots.len() } else { roots.len().min(3) };
    let mut parts: Vec<String> = roots[..named].iter().map(|path| view.path(path)).collect();
    if roots.len() > named {
        parts.push(human::counted((roots.len() - named) as u64, "more place", "more places"));
    }
    match parts.len() {
        0 => "in no place at all".to_owned(),
        _ => format!("in {}", human::list(&parts)),
    }
}

/// What the scan did not see, as sentences; empty when it saw everything it set out to see.
pub fn unseen(snapshot: &Snapshot) -> Vec<String> {
    let scope = &snapshot.scope;
    let mut sentences = Vec::new();
    match scope.completeness {
        Completeness::Complete => {}
        Completeness::Cancelled => {
            sentences.push("The scan was cancelled: what it did not reach counts as in use.".to_owned());
        }
        Completeness::Running => {
            sentences.push("The scan has not finished: every number may grow.".to_owned());
        }
    }
    let unreadable = scope.roots.iter().filter(|root| !root.readable).count() + scope.unread.len();
    if unreadable > 0 {
        sentences.push(format!(
            "{} not searched, so that users may be missing.",
            match unreadable {
                1 => "1 place was".to_owned(),
                many => format!("{} places were", human::count(many as u64)),
            }
        ));
    }
    sentences
        .extend(snapshot.cache.odd().map(|(_, why)| format!("Everything is kept: {}.", human::escape(&why))));
    sentences
}

/// Why an entry is kept, or what would remove it. `linking` are the environments that reach it by symlink, `users` all
/// that use it.
pub fn reason(
    snapshot: &Snapshot,
    index: EntryIndex,
    linking: &[String],
    users: &[String],
    view: &View,
) -> String {
    let entry = snapshot.entry(index);
    let searched = searched(&snapshot.scope, view);
    // An environment that uses the entry is the better reason; the bucket is named where nothing else keeps it.
    let is_free = matches!(entry.state, EntryState::Unused | EntryState::Unreferenced);
    if let (true, Some((_, why))) = (is_free, snapshot.cache.odd().next()) {
        return format!("Kept: no environment found {searched} uses it, but {}.", human::escape(&why));
    }
    match entry.state {
        EntryState::Protected if linking.is_empty() => linked_reason(snapshot, index),
        EntryState::Protected => format!(
            "Kept: {} {} it by symlink and would break without it. It can go once {} been installed again with another \
             link mode.",
            human::list(linking),
            if linking.len() == 1 { "reaches" } else { "reach" },
            if linking.len() == 1 { "that environment has" } else { "those environments have" },
        ),
        EntryState::Used => format!(
            "Kept: {} {} it. Deleting it would break nothing there, since hardlinks, clones and copies stand on their own; \
             but what they share stays taken, and the next installation has to fetch or build it again.",
            human::list(users),
            if users.len() == 1 { "uses" } else { "use" },
        ),
        EntryState::HeldElsewhere if entry.links.unexplained == 0 && entry.unexplained_extents == 0 => {
            format!(
                "Kept, because it may be in use: {}",
                entry.doubt.map_or("the scan is not complete.", Doubt::words)
            )
        }
        EntryState::HeldElsewhere => format!(
            "Kept: no environment found {searched} uses it, but something outside holds {}. Name more places with `--root DIR` to \
             find it.",
            held(entry)
        ),
        EntryState::Unused => format!(
            "Nothing keeps it: no environment found {searched} uses it. {}",
            match (entry.kind, survives_prune(snapshot, entry)) {
                (EntryKind::Environment, _) =>
                    "uv would use it again for the same command; `uv cache prune` removes it.",
                (_, true) => {
                    "A pointer still leads to it, so uv would use it for the next installation, and `uv cache prune` of \
                     the uv that wrote the pointer leaves it."
                }
                (_, false) => "Only a `.http` or `.rev` file names it, so `uv cache prune` removes it.",
            }
        ),
        EntryState::Unreferenced => format!(
            "Nothing keeps it: no environment found {searched} uses it, and no pointer leads to it, so uv will never use it \
             again. `uv cache prune` removes it."
        ),
    }
}

/// Why an entry is kept into which only links outside of environments lead.
fn linked_reason(snapshot: &Snapshot, index: EntryIndex) -> String {
    format!("Kept: {}.", human::escape(&plan::linked(snapshot, index).sentence()))
}

fn held(entry: &Entry) -> String {
    if entry.links.unexplained > 0 {
        human::counted(entry.links.unexplained, "link to its files", "links to its files")
    } else {
        human::counted(entry.unexplained_extents, "extent of its files", "extents of its files")
    }
}

/// Whether a live link in a bucket of wheels or source distributions leads to the entry: all that `uv cache prune` asks
/// (uv 0.13.8), and only in the buckets of its own version.
fn survives_prune(snapshot: &Snapshot, entry: &Entry) -> bool {
    entry.pointers.iter().map(|index| snapshot.pointer(*index)).any(|pointer| {
        let bucket = pointer.path.components().next().map(|it| it.as_os_str().to_string_lossy());
        matches!(pointer.form, PointerForm::Symlink | PointerForm::LinkFile)
            && bucket.is_some_and(|it| it.starts_with("wheels-v") || it.starts_with("sdists-v"))
    })
}
