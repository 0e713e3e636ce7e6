//! The detail of an environment, down to its distributions.

use crate::human;
use crate::snapshot::{
    Distribution, DistributionState, Environment, EnvironmentIndex, EnvironmentKind, FilesRequest, Health,
    Project,
};
use crate::tui::glyphs::{Glyphs, main_mode, mode_role};
use crate::tui::model::Model;
use crate::tui::model::facts::environment_name;
use crate::tui::model::page::{Document, PageLine, Subject, Target};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{fact, fact_path, gap, heading, paragraph, push};

/// The detail of the environment in a row of the snapshot.
pub(super) fn document(model: &Model, row: usize, width: usize) -> Document {
    let snapshot = model.snapshot();
    let index = EnvironmentIndex::new(row);
    let environment = snapshot.environment(index);
    let home = model.settings.home.as_deref();
    let mut document = Document { title: environment_name(snapshot, index, home), ..Document::default() };
    identity(model, &mut document, environment, width);
    gap(&mut document);
    bytes(model, &mut document, index, width);
    gap(&mut document);
    let count = environment.distributions.len() as u64;
    heading(model, &mut document, &human::counted(count, "distribution", "distributions"), width);
    for distribution in &environment.distributions {
        line(model, &mut document, environment, distribution, width);
    }
    push(&mut document, Vec::new());
    document
}

fn identity(model: &Model, document: &mut Document, environment: &Environment, width: usize) {
    let dot = model.settings.glyphs.dot();
    let home = model.settings.home.as_deref();
    fact_path(model, document, "path", &human::path(&environment.path, home), width);
    let kind = format!("{}{dot}made by {}", environment.kind.word(), environment.manager.word());
    fact(document, "kind", &kind, Role::Text, width);
    let python = environment.python.as_deref().map_or("unknown".into(), human::escape);
    fact(document, "python", &python, Role::Text, width);
    if let Some(interpreter) = &environment.interpreter {
        fact_path(model, document, "", &human::path(interpreter, home), width);
    }
    if !environment.interpreter_alive {
        fact(document, "", "that interpreter is gone", Role::Error, width);
    }
    if environment.kind == EnvironmentKind::Central {
        project(model, document, &environment.project, width);
    }
    fact(document, "found by", environment.found_by.word(), Role::Text, width);
    if let Some(installed) = environment.installed {
        let ago = human::ago(installed, model.moment.now);
        fact(document, "installed", &ago, Role::Text, width);
    }
    if let Some(last_use) = environment.last_use {
        fact(document, "last used", &last_use.in_words(model.moment.now), Role::Text, width);
    }
    let role = if environment.health == Health::Ok { Role::Good } else { Role::Error };
    fact(document, "health", &health(model.settings.glyphs, environment, usize::MAX), role, width);
    special(model, document, environment, width);
    if environment.unread {
        fact(document, "unread", "a part could not be read: numbers are lower bounds", Role::Warning, width);
    }
}

/// What is special about where an environment lies and what it is linked to.
fn special(model: &Model, document: &mut Document, environment: &Environment, width: usize) {
    let home = model.settings.home.as_deref();
    if let Some(prefix) = &environment.prefix {
        fact_path(model, document, "prefix", &human::path(prefix, home), width);
    }
    if environment.inside {
        fact(document, "lies", "in the cache's directory: `uv cache prune` deletes it", Role::Warning, width);
    }
    for other in &environment.other_caches {
        let files = human::counted(other.files, "file is", "files are");
        let text = format!("{files} linked to another cache, {}", human::path(&other.path, home));
        fact(document, "linked", &text, Role::Text, width);
    }
    for left in &environment.leftovers {
        let text = left.sentence(&human::escape_os(left.path.as_os_str()));
        fact(document, "left", &text, Role::Warning, width);
    }
}

/// What has become of the project of a central environment.
fn project(model: &Model, document: &mut Document, project: &Project, width: usize) {
    if let Some(directory) = project.directory() {
        fact_path(model, document, "project", &human::path(directory, model.settings.home.as_deref()), width);
    }
    let (label, words, role) = match project {
        Project::Linked(_) => return,
        Project::Unknown => ("project", "not known: nothing that was found leads here", Role::Text),
        Project::Unlinked(_) => ("", "it has no .venv any more", Role::Warning),
        Project::There(_) => ("", "its .venv is another environment", Role::Text),
        Project::Missing(_) => ("", "not there: deleted, or moved", Role::Warning),
        Project::Gone(_) => ("", "gone, as you said", Role::Warning),
        Project::OutOfReach(_) => ("", "not found; its disk may not be mounted", Role::Warning),
    };
    fact(document, label, words, role, width);
}

/// Whether an environment works, and what could be better, in as many words as fit into `width` cells.
pub(in crate::tui) fn health(glyphs: Glyphs, environment: &Environment, width: usize) -> String {
    let dot = glyphs.dot();
    let (word, short) = match environment.health {
        Health::Ok => ("ok", "ok"),
        Health::Broken => ("broken", "broken"),
        Health::NoInterpreter => ("no interpreter", "no python"),
    };
    let mut more = Vec::new();
    if environment.dangling > 0 {
        more.push(format!("{} dangling", human::count(environment.dangling)));
    }
    if environment.copied > 0 {
        more.push(format!("could share {}", human::bytes(environment.copied)));
    }
    let all = [&[word.to_owned()], more.as_slice()].concat().join(dot);
    let first = more.first().map(|more| format!("{word}{dot}{more}")).unwrap_or_default();
    let fits =
        [all, first, word.to_owned()].into_iter().find(|words| (1..=width).contains(&text::width(words)));
    fits.unwrap_or_else(|| short.to_owned())
}

fn bytes(model: &Model, document: &mut Document, index: EnvironmentIndex, width: usize) {
    let environment = model.snapshot().environment(index);
    let dot = model.settings.glyphs.dot();
    let alone = model.facts.environments_alone[index.position()];
    let size = format!(
        "{} on disk{dot}{}",
        human::bytes(environment.disk),
        human::counted(environment.files, "file", "files")
    );
    fact(document, "size", &size, Role::Strong, width);
    let certainty = super::entry::at_least(alone.certainty);
    let back = format!("{certainty}{} when removed alone", human::bytes(alone.bytes));
    fact(document, "frees", &back, Role::Strong, width);
    if alone.held > 0 {
        let stay = format!("{} stay: the cache or others share them", human::bytes(alone.held));
        fact(document, "", &stay, Role::Text, width);
    }
    if environment.copied > 0 {
        let copied = format!("{}: copies of what the cache has", human::bytes(environment.copied));
        fact(document, "shareable", &copied, Role::Warning, width);
    }
    let modes: Vec<String> = crate::tui::glyphs::by_mode(environment.modes)
        .into_iter()
        .filter(|(_, files)| *files > 0)
        .map(|(mode, files)| format!("{} by {}", human::count(files), mode.word()))
        .collect();
    let modes = if modes.is_empty() { "no file could be attributed".to_owned() } else { modes.join(dot) };
    fact(document, "files", &modes, Role::Text, width);
    if let Some(entry) = environment.entry {
        let entry = model.snapshot().entry(entry);
        let label = text::pad("stored as", super::LABEL);
        let id = format!("{}/{}", human::escape(&entry.key.bucket), human::escape_os(&entry.key.id));
        document.lines.push(PageLine {
            line: vec![
                piece(format!(" {label}"), Role::Dim),
                piece(id, Role::Text),
                piece(format!(" {}", model.settings.glyphs.opens()), Role::Key),
            ],
            target: Some(Target::Go(Subject::Entry(entry.key.clone()))),
            copy: None,
        });
    }
}

/// Adds a distribution, and what is wrong with it below.
fn line(
    model: &Model,
    document: &mut Document,
    environment: &Environment,
    distribution: &Distribution,
    width: usize,
) {
    let glyphs = model.settings.glyphs;
    let (mode, letters) = main_mode(distribution.files.modes);
    let (files, role) = files(distribution);
    let name = human::escape(&distribution.name);
    let version = human::escape(&distribution.version);
    let room = width.saturating_sub(text::width(&files) + 9);
    let title = text::clip(&format!("{name} {version}"), room, glyphs.ellipsis());
    let split = text::width(&name).min(text::width(&title));
    let (head, tail) = split_at_width(&title, split);
    document.lines.push(PageLine {
        line: vec![
            piece(format!(" {} {}", glyphs.fill(mode), text::pad(&letters, 3)), mode_role(mode)),
            piece(head, Role::Text),
            piece(text::pad(tail, room.saturating_sub(split)), Role::Dim),
            piece(format!(" {files}"), role),
        ],
        target: Some(Target::Files(
            FilesRequest::Distribution {
                environment: environment.path.clone(),
                dist_info: distribution.dist_info.clone(),
                entry: distribution.entry.map(|entry| model.snapshot().entry(entry).key.clone()),
            },
            format!("{name} {version}"),
        )),
        copy: Some(human::shell_os(environment.path.join(&distribution.dist_info).as_os_str())),
    });
    if !distribution.note.is_empty() {
        for words in text::wrap(&human::escape(&distribution.note), width.saturating_sub(8)) {
            push(document, vec![piece(format!("       {words}"), Role::Dim)]);
        }
    }
    if distribution.editable {
        paragraph(document, "      editable", Role::Dim, width);
    }
}

fn split_at_width(title: &str, cells: usize) -> (&str, &str) {
    let mut at = 0;
    while at < title.len() && text::width(&title[..at]) < cells {
        at += title[at..].chars().next().map_or(1, char::len_utf8);
    }
    title.split_at(at)
}

/// What became of a distribution's files, worst first.
fn files(distribution: &Distribution) -> (String, Role) {
    let files = distribution.files;
    let linked = files.modes.total() + files.private + files.own;
    if files.dangling > 0 {
        return (format!("{} dangling", human::count(files.dangling)), Role::Error);
    }
    if files.missing > 0 {
        return (format!("{} missing", human::count(files.missing)), Role::Error);
    }
    if files.modified > 0 {
        return (format!("{} modified", human::count(files.modified)), Role::Warning);
    }
    match distribution.state {
        DistributionState::Unknown => ("not known".to_owned(), Role::Unknown),
        _ => (human::counted(linked, "file", "files"), Role::Dim),
    }
}
