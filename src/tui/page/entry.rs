//! The detail of an entry: what it is, what removing it gives back, who uses it, and what leads to it.

use crate::human;
use crate::snapshot::{
    Certainty, Entry, EntryIndex, EntryState, Evidence, FilesRequest, PointerForm, PointerState, Reference,
    Snapshot,
};
use crate::tui::glyphs::{main_mode, mode_role};
use crate::tui::model::facts::{entry_title, environment_name};
use crate::tui::model::page::{Document, PageLine, Subject, Target};
use crate::tui::model::{Doubt, Model};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{fact, fact_path, gap, heading, kept, paragraph, push};

/// The detail of the entry in a row of the snapshot.
pub(super) fn document(model: &Model, row: usize, width: usize) -> Document {
    let snapshot = model.snapshot();
    let index = EntryIndex::new(row);
    let entry = snapshot.entry(index);
    let mut document = Document { title: entry_title(entry), ..Document::default() };
    identity(model, &mut document, index, width);
    gap(&mut document);
    bytes(model, &mut document, index, width);
    gap(&mut document);
    paragraph(&mut document, &kept::sentence(model, index), Role::Text, width);
    gap(&mut document);
    heading(model, &mut document, "used by", width);
    users(model, &mut document, index, width);
    if model.blank().is_none() {
        fact(&mut document, "links", &links(entry), links_role(entry), width);
    }
    gap(&mut document);
    heading(model, &mut document, "referenced by", width);
    pointers(model, &mut document, index, width);
    document
}

/// The role of an entry's state.
pub(in crate::tui) fn state_role(state: EntryState) -> Role {
    use EntryState as State;
    match state {
        State::Protected => Role::Protected,
        State::Used => Role::Used,
        State::HeldElsewhere => Role::Held,
        State::Unused => Role::Unused,
        State::Unreferenced => Role::Unreferenced,
    }
}

fn identity(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let entry = model.snapshot().entry(index);
    match model.facts.state(index.position()) {
        Some(state) => fact(document, "state", state.word(), state_role(state), width),
        None => fact(document, "state", unknown(model), Role::Unknown, width),
    }
    fact(document, "kind", entry.kind.word(), Role::Text, width);
    tags(model, document, &entry.tags, width);
    let id = format!("{}/{}", human::escape(&entry.key.bucket), human::escape_os(&entry.key.id));
    fact_path(model, document, "id", &id, width);
    match model.blank() {
        Some(_) => fact(document, "from", unknown(model), Role::Unknown, width),
        None => source(model, document, entry, width),
    }
    if let Some(created) = entry.created {
        fact(document, "created", &human::ago(created, model.moment.now), Role::Text, width);
    }
    if let Some(used) = last_use(model, entry) {
        fact(document, "last used", &used, Role::Text, width);
    }
}

/// What stands where a value is not known.
fn unknown(model: &Model) -> &'static str {
    if model.blank() == Some(Doubt::Running) { "not known yet" } else { "not known" }
}

/// Adds the wheel's tags, broken between them, on at most three lines.
fn tags(model: &Model, document: &mut Document, tags: &[String], width: usize) {
    const LINES: usize = 3;
    let room = width.saturating_sub(super::LABEL + 2).max(8);
    let ellipsis = model.settings.glyphs.ellipsis();
    let mut lines: Vec<String> = Vec::new();
    let mut shown = 0;
    for tag in tags {
        let tag = text::clip_middle(&human::escape(tag), room, ellipsis);
        let full = lines.len() == LINES;
        match lines.last_mut() {
            Some(line) if text::width(line) + 1 + text::width(&tag) <= room => {
                line.push(' ');
                line.push_str(&tag);
            }
            _ if full => break,
            _ => lines.push(tag),
        }
        shown += 1;
    }
    if let Some(line) = lines.last_mut().filter(|_| shown < tags.len()) {
        let more = format!(" +{}", tags.len() - shown);
        *line = format!("{}{more}", text::clip_middle(line, room.saturating_sub(more.len()), ellipsis));
    }
    for (number, line) in lines.into_iter().enumerate() {
        let label = text::pad(if number == 0 { "tags" } else { "" }, super::LABEL);
        push(document, vec![piece(format!(" {label}"), Role::Dim), piece(line, Role::Text)]);
    }
}

/// Adds where the entry came from.
fn source(model: &Model, document: &mut Document, entry: &Entry, width: usize) {
    let dot = model.settings.glyphs.dot();
    let made = if entry.source.built { "built here" } else { "as downloaded" };
    let from = format!("{}{dot}{made}", entry.source.origin.word());
    fact(document, "from", &from, Role::Text, width);
    if let Some(detail) = &entry.source.detail {
        fact_path(model, document, "", &human::escape(detail), width);
    }
    if let Some(gone) = &entry.source.gone {
        fact_path(model, document, "was at", &human::path(gone, model.settings.home.as_deref()), width);
        fact(document, "", "that is gone: it cannot be had again", Role::Warning, width);
    }
}

/// When an entry was last used, and what shows it.
pub(super) fn last_use(model: &Model, entry: &Entry) -> Option<String> {
    Some(entry.last_use?.in_words(model.moment.now))
}

/// `at least ` before a number that may be larger, `at most ` before one that may be smaller.
pub(super) fn at_least(certainty: Certainty) -> &'static str {
    certainty.before()
}

fn bytes(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let entry = model.snapshot().entry(index);
    let dot = model.settings.glyphs.dot();
    let size = format!("{}{dot}logical {}", human::bytes(entry.disk), human::bytes(entry.logical));
    fact(document, "size", &size, Role::Strong, width);
    if model.blank().is_some() {
        fact(document, "frees", unknown(model), Role::Unknown, width);
    } else {
        let shares =
            format!("{}{dot}its own {}", human::bytes(entry.shared), human::bytes(entry.exclusive()));
        fact(document, "shared", &shares, Role::Text, width);
        back(model, document, index, width);
    }
    if entry.unread {
        fact(document, "unread", "a part could not be read: sizes are lower bounds", Role::Warning, width);
    }
    if entry.modified > 0 {
        let files = human::counted(entry.modified, "file is", "files are");
        fact(document, "modified", &format!("{files} not what RECORD says"), Role::Warning, width);
    }
    let label = text::pad("files", super::LABEL);
    document.lines.push(PageLine {
        line: vec![
            piece(format!(" {label}"), Role::Dim),
            piece(human::count(entry.files), Role::Text),
            piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
        ],
        target: Some(Target::Files(FilesRequest::Entry(entry.key.clone()), entry_title(entry))),
        copy: None,
    });
}

/// Adds what removing the entry gives back, and what would still hold the rest.
pub(super) fn back(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let alone = model.facts.entries_alone[index.position()];
    let kept = model.facts.entries_kept[index.position()];
    let now = format!("{}{} when removed alone", at_least(alone.certainty), human::bytes(alone.bytes));
    fact(document, "frees", &now, Role::Strong, width);
    let rest = [
        (kept.environments, "more once its environments go too", Role::Text),
        (kept.cache, "stay: other parts of the cache share them", Role::Text),
        (kept.elsewhere, "stay: something that was not found shares them", Role::Held),
    ];
    for (bytes, words, role) in rest.into_iter().filter(|(bytes, ..)| *bytes > 0) {
        fact(document, "", &format!("{} {words}", human::bytes(bytes)), role, width);
    }
}

/// The links of an entry's files, in words.
pub(super) fn links(entry: &Entry) -> String {
    let links = entry.links;
    if links.external + entry.unexplained_extents == 0 {
        return "none from outside the cache".to_owned();
    }
    let mut words =
        format!("{} counted, {} explained", human::count(links.external), human::count(links.explained));
    if links.unexplained > 0 {
        words = format!("{words}, {} not found", human::count(links.unexplained));
    }
    if entry.unexplained_extents > 0 {
        let files = human::counted(entry.unexplained_extents, "file shares blocks", "files share blocks");
        words = format!("{words}; {files} with something not found");
    }
    words
}

fn links_role(entry: &Entry) -> Role {
    if entry.links.unexplained + entry.unexplained_extents > 0 { Role::Held } else { Role::Text }
}

/// Adds a line for each environment that uses the entry.
pub(super) fn users(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let snapshot = model.snapshot();
    let references = snapshot.references_to(index);
    if let (Some(doubt), true) = (model.doubt(), references.is_empty()) {
        paragraph(document, doubt.sentence(), Role::Dim, width);
    } else if references.is_empty() && snapshot.user_links_to(index).is_empty() {
        paragraph(document, &format!("no environment found in {}", kept::scope(model)), Role::Dim, width);
    }
    for reference in references {
        document.lines.push(user(model, snapshot, index, reference, width));
    }
    for link in snapshot.user_links_to(index) {
        let path = human::path(&link.path, model.settings.home.as_deref());
        fact_path(model, document, link.form.word(), &path, width);
    }
}

fn user(
    model: &Model,
    snapshot: &Snapshot,
    index: EntryIndex,
    reference: &Reference,
    width: usize,
) -> PageLine {
    let glyphs = model.settings.glyphs;
    let (mode, letters) = main_mode(reference.by);
    let entry = snapshot.entry(index);
    let environment = snapshot.environment(reference.environment);
    let distribution =
        reference.distribution.and_then(|position| environment.distributions.get(position as usize));
    let elsewhere = distribution.is_some_and(|it| it.other_cache.is_some());
    let proof = match reference.evidence {
        _ if elsewhere && width < 60 => "other cache".to_owned(),
        _ if elsewhere => "linked to another cache".to_owned(),
        Evidence::Name => "name only".to_owned(),
        // Where room is short the letter of the link mode has to do.
        evidence => {
            let (found, of) = (human::count(reference.by.total()), human::count(entry.files));
            if width < 60 {
                format!("{found}/{of}")
            } else {
                format!("{found} of {of} files by {}", evidence.word())
            }
        }
    };
    let name = environment_name(snapshot, reference.environment, model.settings.home.as_deref());
    let room = width.saturating_sub(text::width(&proof) + 9);
    let name = text::clip_middle(&name, room, glyphs.ellipsis());
    let target = match distribution {
        Some(distribution) => Target::Files(
            FilesRequest::Distribution {
                environment: environment.path.clone(),
                dist_info: distribution.dist_info.clone(),
                entry: distribution.entry.map(|entry| snapshot.entry(entry).key.clone()),
            },
            format!(
                "{} in {}",
                human::escape(&distribution.name),
                human::path(&environment.path, model.settings.home.as_deref())
            ),
        ),
        None => Target::Go(Subject::Environment(environment.path.clone())),
    };
    PageLine {
        line: vec![
            piece(format!(" {} {}", glyphs.fill(mode), text::pad(&letters, 3)), mode_role(mode)),
            piece(text::pad(&name, room), Role::Text),
            piece(format!(" {proof}"), Role::Dim),
        ],
        target: Some(target),
        copy: Some(human::shell_os(environment.path.as_os_str())),
    }
}

/// Adds a line for each pointer that leads to the entry.
pub(super) fn pointers(model: &Model, document: &mut Document, index: EntryIndex, width: usize) {
    let snapshot = model.snapshot();
    let glyphs = model.settings.glyphs;
    let pointers = &snapshot.entry(index).pointers;
    if let Some(doubt) = model.blank() {
        paragraph(document, doubt.sentence(), Role::Dim, width);
        return;
    }
    if pointers.is_empty() && model.doubt().is_some() {
        paragraph(document, "nothing that was reached before the scan was cancelled", Role::Dim, width);
        return;
    }
    if pointers.is_empty() {
        paragraph(document, "nothing: uv itself will never use it again", Role::Dim, width);
        return;
    }
    for pointer in pointers {
        let pointer = snapshot.pointer(*pointer);
        let room = width.saturating_sub(11 + pointer.state.word().len());
        let path = text::clip_middle(&human::escape_os(pointer.path.as_os_str()), room, glyphs.ellipsis());
        document.lines.push(PageLine {
            line: vec![
                piece(format!(" {}", text::pad(form(pointer.form), 8)), Role::Dim),
                piece(text::pad(&path, room), Role::Text),
                piece(format!(" {}", pointer.state.word()), pointer_role(pointer.state)),
            ],
            target: Some(Target::Go(Subject::Link(pointer.path.clone()))),
            copy: Some(human::shell_os(snapshot.cache.path.join(&pointer.path).as_os_str())),
        });
    }
}

/// A pointer's form in at most seven cells.
fn form(form: PointerForm) -> &'static str {
    match form {
        PointerForm::Symlink => "symlink",
        PointerForm::LinkFile => "file",
        PointerForm::Http => ".http",
        PointerForm::Rev => ".rev",
    }
}

/// The role of a pointer's state.
pub(in crate::tui) fn pointer_role(state: PointerState) -> Role {
    match state {
        PointerState::Live => Role::Good,
        PointerState::Dangling | PointerState::Malformed => Role::Error,
        PointerState::Foreign => Role::Warning,
    }
}
