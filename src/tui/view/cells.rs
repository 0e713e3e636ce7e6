//! What stands in each cell of a list.

use crate::human;
use crate::lock::Maker;
use crate::snapshot::{
    EntryIndex, EntryKind, EntryState, EnvironmentIndex, Evidence, Health, Mode, ModeCounts, Reclaimable,
};
use crate::tui::glyphs::{by_mode, letter, main_mode, mode_role};
use crate::tui::model::column::Column;
use crate::tui::model::facts::{Measure, entry_name, entry_title, environment_name};
use crate::tui::model::{Model, View};
use crate::tui::page::{self, health, pointer_role, state_role};
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;

/// What stands in a cell, and at which edge.
pub(super) struct Cell {
    /// What stands in it.
    pub line: Line,
    /// Whether it stands at the right edge.
    pub right: bool,
}

/// What stands in the cell of a column and a row of the snapshot, for a width in cells.
pub(super) fn cell(model: &Model, column: Column, row: usize, width: usize) -> Cell {
    let line = match model.view {
        View::Entries => entry(model, column, row, width),
        View::Environments => environment(model, column, row, width),
        View::Links => link(model, column, row, width),
        View::Locks => lock(model, column, row, width),
        View::Plan => planned(model, column, row, width),
    };
    Cell { line, right: column.right() }
}

fn entry(model: &Model, column: Column, row: usize, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let snapshot = model.snapshot();
    let entry = &snapshot.entries[row];
    let index = EntryIndex::new(row);
    match column {
        Column::Name => {
            let role = if entry.name.is_some() { Role::Text } else { Role::Dim };
            let mut line = vec![piece(text::clip(&entry_name(entry), width, glyphs.ellipsis()), role)];
            let room = width.saturating_sub(text::line_width(&line) + 1);
            if let Some(label) = model.facts.distinctions.get(&index).filter(|_| room > 3) {
                let label = text::clip_middle(label, room, glyphs.ellipsis());
                line.push(piece(format!(" {label}"), Role::Dim));
            }
            line
        }
        Column::Version => {
            let version = entry.version.as_deref().map(human::escape);
            let text = match (version, entry.kind) {
                (version, EntryKind::Environment) => {
                    let version = version.unwrap_or_default();
                    let long = format!("{version} (environment)").trim_start().to_owned();
                    let fits = text::width(&long) <= width;
                    if fits { long } else { format!("{version} (env)").trim_start().to_owned() }
                }
                (Some(version), _) => version.into_owned(),
                (None, _) => glyphs.none().to_owned(),
            };
            vec![piece(text, Role::Dim)]
        }
        Column::Size if waits(model) => vec![piece(glyphs.ellipsis(), Role::Unknown)],
        Column::Size => {
            let bytes = model.facts.entry_bytes(index, model.measure);
            vec![size(model, bytes, model.facts.entries_alone[row])]
        }
        Column::Bar => {
            let bytes = model.facts.entry_bytes(index, model.measure);
            vec![piece(glyphs.bar(bytes, model.list().largest, width), Role::Bar)]
        }
        Column::Files => vec![piece(human::count(entry.files), Role::Dim)],
        Column::Users | Column::Age if model.blank().is_some() => {
            vec![piece(glyphs.ellipsis(), Role::Unknown)]
        }
        Column::Users => users(model, index, width),
        Column::Age => {
            let age = entry.last_use.map(|last_use| human::short_age(last_use.time, model.moment.now));
            vec![piece(age.unwrap_or_else(|| glyphs.none().to_owned()), Role::Dim)]
        }
        _ => match (model.facts.state(row), model.blank()) {
            (Some(known), _) => vec![state(known, width)],
            (None, Some(_)) => vec![piece(glyphs.ellipsis(), Role::Unknown)],
            (None, None) => vec![piece(if width < 9 { "?" } else { "not known" }, Role::Unknown)],
        },
    }
}

/// Whether the byte number that is shown comes only at the scan's end.
fn waits(model: &Model) -> bool {
    model.blank().is_some() && !matches!(model.measure, Measure::Disk | Measure::Logical)
}

/// A number of bytes; a bound says so.
fn size(model: &Model, bytes: u64, alone: Reclaimable) -> crate::tui::text::Piece {
    use crate::snapshot::Certainty;
    use crate::tui::Glyphs;
    let sign = match (alone.certainty, model.settings.glyphs) {
        _ if model.measure != Measure::Reclaimable => "",
        (Certainty::AtLeast, Glyphs::Ascii) => ">",
        (Certainty::AtMost, Glyphs::Ascii) => "<",
        (certainty, _) => certainty.sign().trim_end(),
    };
    let role = if bytes >= 1 << 30 {
        Role::Strong
    } else if bytes == 0 {
        Role::Dim
    } else {
        Role::Text
    };
    piece(format!("{sign}{}", human::bytes(bytes)), role)
}

fn state(state: EntryState, width: usize) -> crate::tui::text::Piece {
    let short = match state {
        EntryState::HeldElsewhere => "held",
        EntryState::Unreferenced => "unref.",
        other => other.word(),
    };
    piece(if state.word().len() <= width { state.word() } else { short }, state_role(state))
}

/// The environments that use an entry, counted by the mode most of its files have there.
fn users(model: &Model, index: EntryIndex, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let snapshot = model.snapshot();
    let mut counts: [u64; 5] = [0; 5];
    let mut last = None;
    for reference in snapshot.references_to(index) {
        if reference.evidence > Evidence::Name && last != Some(reference.environment) {
            last = Some(reference.environment);
            let (mode, _) = main_mode(reference.by);
            counts[mode.map_or(4, |mode| mode as usize)] += 1;
        }
    }
    let modes = [Some(Mode::Hardlink), Some(Mode::Clone), Some(Mode::Symlink), Some(Mode::Copy), None];
    let present: Vec<(Option<Mode>, u64)> = modes
        .into_iter()
        .map(|mode| (mode, counts[mode.map_or(4, |mode| mode as usize)]))
        .filter(|(_, count)| *count > 0)
        .collect();
    let mut line = Line::new();
    for (mode, count) in &present {
        let space = if line.is_empty() { "" } else { " " };
        let words = format!("{space}{} {} {}", glyphs.fill(*mode), human::count(*count), letter(*mode));
        line.push(piece(words, mode_role(*mode)));
    }
    if text::line_width(&line) > width {
        line = present.iter().map(|(mode, _)| piece(glyphs.fill(*mode), mode_role(*mode))).collect();
        let letters: String = present.iter().map(|(mode, _)| letter(*mode)).collect();
        let all = counts.iter().sum();
        line.push(piece(format!(" {} {letters}", human::count(all)), Role::Text));
    }
    let unexplained = snapshot.entry(index).links.unexplained;
    if unexplained > 0 {
        let space = if line.is_empty() { "" } else { " " };
        let more = format!("{space}+{}?", human::count(unexplained));
        if text::line_width(&line) + text::width(&more) <= width {
            line.push(piece(more, Role::Held));
        }
    }
    if line.is_empty() {
        line.push(piece(glyphs.none(), Role::Dim));
    }
    line
}

fn environment(model: &Model, column: Column, row: usize, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let snapshot = model.snapshot();
    let environment = &snapshot.environments[row];
    let index = EnvironmentIndex::new(row);
    match column {
        Column::Environment => {
            let name = environment_name(snapshot, index, model.settings.home.as_deref());
            vec![piece(text::clip_middle(&name, width, glyphs.ellipsis()), Role::Text)]
        }
        Column::Python => {
            let python = environment.python.as_deref().map_or(glyphs.none().into(), human::escape);
            vec![piece(python, Role::Dim)]
        }
        Column::Distributions => {
            vec![piece(human::count(environment.distributions.len() as u64), Role::Dim)]
        }
        Column::Modes => modes(model, environment.modes, environment.dangling, width),
        Column::Size => {
            let bytes = model.facts.environment_bytes(index, model.measure);
            vec![size(model, bytes, model.facts.environments_alone[row])]
        }
        Column::Exclusive => {
            vec![piece(human::bytes(model.facts.environments_alone[row].bytes), Role::Text)]
        }
        Column::Used => {
            let age = environment.last_use.map(|last_use| human::short_age(last_use.time, model.moment.now));
            vec![piece(age.unwrap_or_else(|| glyphs.none().to_owned()), Role::Dim)]
        }
        Column::Project => {
            let Some(project) = environment.project_directory() else {
                return vec![piece(glyphs.none(), Role::Dim)];
            };
            let path = human::path(project, model.settings.home.as_deref());
            vec![piece(text::clip_middle(&path, width, glyphs.ellipsis()), Role::Dim)]
        }
        _ => {
            let role = match environment.health {
                Health::Ok => Role::Good,
                Health::Broken | Health::NoInterpreter => Role::Error,
            };
            vec![piece(health(glyphs, environment, width), role)]
        }
    }
}

/// The mix of link modes as a bar with one letter per mode behind it; dangling symlinks are its unknown part.
fn modes(model: &Model, counts: ModeCounts, dangling: u64, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let total = counts.total() + dangling;
    if total == 0 {
        return vec![piece(format!("{} none found", glyphs.fill(None)), Role::Unknown)];
    }
    let mut parts: Vec<(Option<Mode>, u64)> =
        by_mode(counts).into_iter().map(|(mode, files)| (Some(mode), files)).collect();
    parts.push((None, dangling));
    parts.retain(|(_, files)| *files > 0);
    let letters: String = parts.iter().map(|(mode, _)| mode.map_or('!', |mode| letter(Some(mode)))).collect();
    let room = width.saturating_sub(text::width(&letters) + 1).max(1);
    let mut line = Line::new();
    let (mut files, mut used) = (0, 0);
    for (at, (mode, part)) in parts.iter().enumerate() {
        files += part;
        let end = usize::try_from(u128::from(files) * room as u128 / u128::from(total)).unwrap_or(room);
        // Each part that there is gets at least one cell, and leaves one for each part behind it.
        let end = end.max(used + 1).min(room.saturating_sub(parts.len() - at - 1).max(used));
        line.push(piece(glyphs.fill(*mode).repeat(end - used), mode_role(*mode)));
        used = end;
    }
    line.push(piece(format!(" {letters}"), Role::Dim));
    line
}

fn link(model: &Model, column: Column, row: usize, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let snapshot = model.snapshot();
    let pointer = &snapshot.pointers[row];
    match column {
        Column::LinkState => vec![piece(pointer.state.word(), pointer_role(pointer.state))],
        Column::Form => vec![piece(pointer.form.word(), Role::Dim)],
        Column::Path => {
            let path = human::escape_os(pointer.path.as_os_str());
            vec![piece(text::clip_middle(&path, width, glyphs.ellipsis()), Role::Text)]
        }
        Column::Target => {
            if let Some(entry) = pointer.entry {
                let title = entry_title(snapshot.entry(entry));
                vec![piece(text::clip(&title, width, glyphs.ellipsis()), Role::Text)]
            } else {
                let target = human::escape(&pointer.target);
                vec![piece(text::clip_middle(&target, width, glyphs.ellipsis()), Role::Dim)]
            }
        }
        _ => {
            let age = pointer.modified.map(|modified| human::short_age(modified, model.moment.now));
            vec![piece(age.unwrap_or_else(|| glyphs.none().to_owned()), Role::Dim)]
        }
    }
}

fn lock(model: &Model, column: Column, row: usize, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let file = &model.facts.locks.files[row];
    let home = model.settings.home.as_deref();
    match column {
        Column::Held => vec![piece(page::state_word(&file.state), page::lock_role(&file.state))],
        Column::Resource => {
            let guards = page::resource(model.snapshot(), &file.resource, home);
            let whose = match file.maker {
                Maker::Uv => "",
                Maker::Cachetui => ", among cachetui's",
            };
            let room = width.saturating_sub(text::width(whose)).max(8);
            let guards = text::clip_middle(&guards, room, glyphs.ellipsis());
            vec![piece(guards, Role::Text), piece(whose, Role::Dim)]
        }
        Column::Holder => {
            let Some(first) = file.holders.first() else { return vec![piece(glyphs.none(), Role::Dim)] };
            let more = match file.holders.len() - 1 {
                0 => String::new(),
                more => format!(" +{more}"),
            };
            let room = width.saturating_sub(text::width(&more));
            let who = text::clip(&page::holder(first), room, glyphs.ellipsis());
            vec![piece(who, Role::Strong), piece(more, Role::Dim)]
        }
        Column::Since => {
            let age = page::since(file).map(|since| human::short_age(since, model.moment.now));
            vec![piece(age.unwrap_or_else(|| glyphs.none().to_owned()), Role::Dim)]
        }
        _ => {
            let path = human::path(&file.path, home);
            vec![piece(text::clip_middle(&path, width, glyphs.ellipsis()), Role::Dim)]
        }
    }
}

fn planned(model: &Model, column: Column, row: usize, width: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let planning = &model.facts.planning;
    match column {
        Column::Order => {
            let (word, role) = page::planned_sign(planning, row);
            vec![piece(word, role)]
        }
        Column::Thing => {
            let name = page::planned_name(planning, row);
            vec![piece(clip(&name, width, glyphs.ellipsis()), Role::Text)]
        }
        Column::Back => match page::planned_bytes(planning, row) {
            Some(bytes) => vec![piece(human::bytes(bytes), Role::Strong)],
            None => vec![piece(glyphs.none(), Role::Dim)],
        },
        _ => {
            let why = page::planned_why(planning, row);
            vec![piece(clip(&why, width, glyphs.ellipsis()), Role::Dim)]
        }
    }
}

/// Shortens what names a path in its middle, so that the path's end stays, and anything else at its end.
fn clip(words: &str, width: usize, ellipsis: &str) -> String {
    if words.contains(['/', '\\']) {
        text::clip_middle(words, width, ellipsis)
    } else {
        text::clip(words, width, ellipsis)
    }
}
