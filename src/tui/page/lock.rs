//! The detail of a lock file, and the words for locks.

use std::path::Path;

use jiff::Timestamp;

use crate::human;
use crate::lock::{Holder, LockFile, Maker, Resource, Share, State, ancestor};
use crate::snapshot::Snapshot;
use crate::tui::model::Model;
use crate::tui::model::facts::environment_name;
use crate::tui::model::page::{Document, PageLine, Subject, Target};
use crate::tui::text::{self, piece};
use crate::tui::theme::Role;

use super::{fact, fact_path, gap, heading, paragraph};

/// The detail of the lock file in a row of the list.
pub(super) fn document(model: &Model, row: usize, width: usize) -> Document {
    let file = &model.facts.locks.files[row];
    let home = model.settings.home.as_deref();
    let guards = resource(model.snapshot(), &file.resource, home);
    let mut document = Document { title: format!("lock of {guards}"), ..Document::default() };
    fact_path(model, &mut document, "file", &human::path(&file.path, home), width);
    let maker = match file.maker {
        Maker::Uv => "uv",
        Maker::Cachetui => "cachetui",
    };
    fact(&mut document, "made by", maker, Role::Text, width);
    guarded(model, &mut document, file, &guards, width);
    fact(&mut document, "state", &sentence(&file.state), lock_role(&file.state), width);
    if let Some(modified) = file.modified {
        fact(&mut document, "made", &human::ago(modified, model.moment.now), Role::Text, width);
    }
    for holder in &file.holders {
        gap(&mut document);
        let share = match (holder.waits, holder.share) {
            (false, Share::Shared) => "holds it shared",
            (false, Share::Exclusive) => "holds it alone",
            (true, Share::Shared) => "waits to share it",
            (true, Share::Exclusive) => "waits to have it alone",
        };
        heading(model, &mut document, &format!("{} {share}", process(holder)), width);
        let command = if holder.command.is_empty() { "cannot be read" } else { &holder.command };
        fact(&mut document, "command", &human::escape(command), Role::Text, width);
        if let Some(since) = holder.since {
            fact(&mut document, "started", &human::ago(since, model.moment.now), Role::Text, width);
        }
        if let Some(directory) = &holder.directory {
            fact_path(model, &mut document, "in", &human::path(directory, home), width);
        }
    }
    gap(&mut document);
    paragraph(&mut document, meaning(file), Role::Dim, width);
    if let Some(ancestor) = &model.facts.locks.ancestor {
        gap(&mut document);
        paragraph(&mut document, &ancestor::explanation(ancestor), Role::Warning, width);
    }
    for note in &model.facts.locks.notes {
        gap(&mut document);
        paragraph(&mut document, &human::escape(note), Role::Warning, width);
    }
    document
}

/// What it guards; an environment that is known can be gone to.
fn guarded(model: &Model, document: &mut Document, file: &LockFile, guards: &str, width: usize) {
    let subject = match &file.resource {
        Resource::Environment(path) => Some(Subject::Environment(path.clone())),
        _ => None,
    };
    let Some(subject) = subject.filter(|subject| model.row_of(subject).is_some()) else {
        fact(document, "guards", guards, Role::Text, width);
        return;
    };
    let glyphs = model.settings.glyphs;
    let room = width.saturating_sub(super::LABEL + 4).max(8);
    document.lines.push(PageLine {
        line: vec![
            piece(format!(" {}", text::pad("guards", super::LABEL)), Role::Dim),
            piece(text::clip_middle(guards, room, glyphs.ellipsis()), Role::Strong),
            piece(format!(" {}", glyphs.opens()), Role::Key),
        ],
        target: Some(Target::Go(subject)),
        copy: None,
    });
}

/// What a lock guards, in words. Escaped.
pub(in crate::tui) fn resource(snapshot: &Snapshot, resource: &Resource, home: Option<&Path>) -> String {
    match resource {
        Resource::Cache(_) => "the cache".to_owned(),
        Resource::Environment(path) => match snapshot.find_environment(path) {
            Some(index) => environment_name(snapshot, index, home),
            None => human::path(path, home),
        },
        Resource::Item(path) => {
            let inside = path.strip_prefix(&snapshot.cache.path).unwrap_or(path);
            human::escape_os(inside.as_os_str()).into_owned()
        }
        Resource::Tools(_) => "uv's tools".to_owned(),
        Resource::Project(Some(path)) => human::path(path, home),
        Resource::Project(None) => "a project or interpreter".to_owned(),
        Resource::Unknown => "not told".to_owned(),
    }
}

/// A state in a word.
pub(in crate::tui) fn state_word(state: &State) -> &'static str {
    match state {
        State::Free => "free",
        State::Shared => "shared",
        State::Exclusive => "exclusive",
        State::Missing => "no file",
        State::Unknown(_) => "not known",
    }
}

/// How a state looks.
pub(in crate::tui) fn lock_role(state: &State) -> Role {
    match state {
        State::Free | State::Missing => Role::Dim,
        State::Shared => Role::Held,
        State::Exclusive => Role::Warning,
        State::Unknown(_) => Role::Unknown,
    }
}

/// A process in a few words. Escaped.
pub(in crate::tui) fn holder(holder: &Holder) -> String {
    let waits = if holder.waits { "waits: " } else { "" };
    if holder.command.is_empty() || !holder.is_seen() {
        return format!("{waits}{}", process(holder));
    }
    // Of the program its name says enough, the detail has its path.
    let (program, arguments) = match holder.command.split_once(' ') {
        Some((program, arguments)) => (program, format!(" {arguments}")),
        None => (holder.command.as_str(), String::new()),
    };
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    format!("{waits}{} {}", process(holder), human::escape(&format!("{name}{arguments}")))
}

fn process(holder: &Holder) -> String {
    match holder.pid {
        // The kernel shows processes of other process namespaces with the number zero.
        0 => "a process outside this container".to_owned(),
        pid => format!("pid {pid}"),
    }
}

/// Since when a lock is held, or else when its file was made.
pub(in crate::tui) fn since(file: &LockFile) -> Option<Timestamp> {
    match file.holders.first() {
        Some(holder) => holder.since,
        None => file.modified,
    }
}

fn sentence(state: &State) -> String {
    match state {
        State::Free => "free: no process holds it".to_owned(),
        State::Shared => "shared: others may share it, none can have it alone".to_owned(),
        State::Exclusive => "exclusive: everybody else waits".to_owned(),
        State::Missing => "no file: no process can hold it".to_owned(),
        State::Unknown(why) => format!("not known: {}", human::escape(why)),
    }
}

/// What the lock is good for.
fn meaning(file: &LockFile) -> &'static str {
    match &file.resource {
        Resource::Cache(_) => {
            "Every uv command shares this lock while it runs, `uv run` and `uvx` as long as their program. `uv cache prune`, \
             `uv cache clean` and changes by cachetui need it alone. Looking needs no lock."
        }
        Resource::Environment(_) => {
            "uv holds it while it installs into the environment. After `UV_LOCK_TIMEOUT` seconds uv goes on without it."
        }
        Resource::Item(_) => "uv holds it while it downloads, unpacks or builds this one thing.",
        Resource::Tools(_) => "uv holds it while it installs, upgrades or removes a tool.",
        Resource::Project(_) | Resource::Unknown => {
            "uv keeps locks of projects and interpreters among the temporary files, named by a digest."
        }
    }
}
