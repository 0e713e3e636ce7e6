//! The two lines on top: what the cache is and holds; the tabs, and where the scan is.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::control::Phase;
use crate::human;
use crate::lock::{LockFile, State, of_cache};
use crate::say;
use crate::snapshot::{Certainty, Completeness, Reclaimable};
use crate::tui::model::{Doubt, Model, Scan, View};
use crate::tui::page;
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;

use super::{paint, paint_right};

/// Draws the cache's path and its sums; sums go from the right when there is no room.
pub(super) fn header(model: &Model, buffer: &mut Buffer, area: Rect) {
    let glyphs = model.settings.glyphs;
    let snapshot = model.snapshot();
    let known = !snapshot.cache.path.as_os_str().is_empty();
    let path = if known { &snapshot.cache.path } else { &model.settings.cache };
    let path = human::path(path, model.settings.home.as_deref());
    let mut sums = sums(model, true);
    let width = usize::from(area.width);
    let name = match (model.settings.demo, width >= 60) {
        (true, true) => " cachetui demo  ",
        (true, false) => " demo ",
        (false, true) => " cachetui  ",
        (false, false) => " ",
    };
    // Who waits for a held lock has to see it at every width.
    let least = usize::from(is_held(model));
    let room = |sums: &[(String, Role)]| {
        let sums: usize = sums.iter().map(|(sum, _)| text::width(sum) + text::width(glyphs.dot())).sum();
        width.saturating_sub(text::width(name) + sums + 1)
    };
    if room(&sums) < text::width(&path).min(16) {
        sums = self::sums(model, false);
    }
    while sums.len() > least && room(&sums) < text::width(&path).min(16) {
        sums.pop();
    }
    let path = text::clip_middle(&path, room(&sums).max(8), glyphs.ellipsis());
    let left = vec![piece(name, Role::Title), piece(path, Role::Strong)];
    paint(buffer, &model.settings.theme, area, &left);
    let mut right = Line::new();
    for (sum, role) in sums {
        if !right.is_empty() {
            right.push(piece(glyphs.dot(), Role::Dim));
        }
        right.push(piece(sum, role));
    }
    right.push(piece(" ", Role::Text));
    paint_right(buffer, &model.settings.theme, area, &right);
}

/// The cache's sums, the most important first: a held lock before all. With why some of
/// what is unused cannot go, where there is room.
fn sums(model: &Model, with_stays: bool) -> Vec<(String, Role)> {
    let mut sums = unordered(model, with_stays);
    if is_held(model)
        && let Some(held) = sums.pop()
    {
        sums.insert(0, held);
    }
    sums
}

/// The sums, with the lock at their end.
fn unordered(model: &Model, with_stays: bool) -> Vec<(String, Role)> {
    let snapshot = model.snapshot();
    let totals = &model.facts.totals;
    if totals.entries + totals.environments == 0 && model.scanning() {
        let mut sums = vec![("reading the cache".to_owned(), Role::Dim)];
        sums.extend(lock(model));
        return sums;
    }
    let entries = human::counted(totals.entries, "entry", "entries");
    let free = |sums: &mut Vec<(String, Role)>| {
        if let Some(space) = snapshot.cache.space {
            sums.push((format!("{} free", human::bytes(space.available)), Role::Text));
        }
        sums.extend(lock(model));
    };
    if let Some(doubt) = model.blank() {
        let far = if doubt == Doubt::Running { " so far" } else { "" };
        let mut sums = vec![(format!("{}{far} in {entries}", human::bytes(totals.disk)), Role::Strong)];
        free(&mut sums);
        return sums;
    }
    let disk = if snapshot.cache.disk == 0 { totals.disk } else { snapshot.cache.disk };
    let ascii = model.settings.glyphs == crate::tui::Glyphs::Ascii;
    let frees = |figure: Reclaimable| {
        let sign = match figure.certainty {
            Certainty::AtLeast if ascii => ">=",
            Certainty::AtMost if ascii => "<=",
            other => other.sign().trim_end(),
        };
        format!("{sign}{}", human::bytes(figure.bytes))
    };
    let mut sums = vec![(human::bytes(disk), Role::Strong), (entries, Role::Text)];
    // Of a cancelled scan nothing counts as unused.
    if model.doubt().is_none() {
        let unused = model.facts.planning.unused.as_ref();
        let all = frees(unused.map_or(totals.unused, |it| it.frees));
        let stays = unused.filter(|_| with_stays).map(say::unused::stays).filter(|stays| !stays.is_empty());
        let stays = stays.map(|stays| format!(" (kept: {stays})")).unwrap_or_default();
        sums.push((format!("{all} unused{stays}"), Role::Unused));
    }
    sums.push((human::counted(totals.environments, "environment", "environments"), Role::Text));
    free(&mut sums);
    sums
}

/// The cache's lock, if uv has made one.
fn cache_lock(model: &Model) -> Option<&LockFile> {
    of_cache(&model.facts.locks.files)
}

/// Whether a process holds the cache's lock.
fn is_held(model: &Model) -> bool {
    cache_lock(model).is_some_and(|file| matches!(file.state, State::Shared | State::Exclusive))
}

/// Whether the cache's lock is held.
fn lock(model: &Model) -> Option<(String, Role)> {
    let file = cache_lock(model)?;
    let words = match file.state {
        State::Free | State::Missing => "lock free",
        State::Shared => "lock shared",
        State::Exclusive => "locked",
        State::Unknown(_) => "lock not known",
    };
    Some((words.to_owned(), page::lock_role(&file.state)))
}

/// Where each tab is, from left to right.
pub(in crate::tui) fn tabs(model: &Model, area: Rect) -> Vec<(View, Rect)> {
    let mut x = area.x + u16::from(area.width >= 40);
    let mut tabs = Vec::new();
    for (number, view) in View::ALL.into_iter().enumerate() {
        let label = label(model, area.width, number, view);
        let width =
            u16::try_from(text::width(&label)).unwrap_or(area.width).min(area.right().saturating_sub(x));
        tabs.push((view, Rect { x, width, ..area }));
        x = (x + width + u16::from(area.width >= 120)).min(area.right());
    }
    tabs
}

/// A tab's label; on a narrow screen only the active one has its name.
fn label(model: &Model, width: u16, number: usize, view: View) -> String {
    let number = number + 1;
    if width >= 60 {
        format!(" {number} {} ", view.title())
    } else if view == model.view {
        let room = usize::from(width).saturating_sub(3 * View::ALL.len() + 1);
        format!(" {number} {} ", text::clip(view.title(), room, model.settings.glyphs.ellipsis()))
    } else {
        format!(" {number} ")
    }
}

/// Draws the tabs and where the scan is.
pub(super) fn tab_line(model: &Model, buffer: &mut Buffer, area: Rect) {
    let theme = &model.settings.theme;
    let mut end = area.x;
    for (number, (view, place)) in tabs(model, area).into_iter().enumerate() {
        let role = if view == model.view { Role::TabActive } else { Role::Tab };
        paint(buffer, theme, place, &[piece(label(model, area.width, number, view), role)]);
        end = place.right();
    }
    let room = Rect { x: end, width: area.right() - end, ..area };
    let scan = scan(model, usize::from(room.width.saturating_sub(2)));
    paint_right(buffer, theme, room, &scan);
}

/// Where the scan is, as long as fits.
fn scan(model: &Model, room: usize) -> Line {
    let glyphs = model.settings.glyphs;
    let scope = &model.snapshot().scope;
    let options: Vec<Line> = match &model.scan {
        Scan::Running { started, counts } => {
            let elapsed = model.moment.elapsed.saturating_sub(*started);
            let spinner = glyphs.spinner(elapsed.as_millis() / 100);
            let phase = match counts.phase {
                Phase::Idle | Phase::Cache => "cache",
                Phase::Search => "searching",
                Phase::Environments => "environments",
                Phase::Evidence | Phase::Done => "evidence",
            };
            let files = human::counted(counts.files, "file", "files");
            let rate = rate(counts.files, elapsed);
            let dot = glyphs.dot();
            [
                format!("{spinner} {phase}{dot}{files}{dot}{rate}/s "),
                format!("{spinner} {phase}{dot}{files} "),
                format!("{spinner} "),
            ]
            .map(|text| vec![piece(text, Role::Progress)])
            .to_vec()
        }
        Scan::Failed(_) => vec![vec![piece("scan failed ", Role::Error)]],
        Scan::Ended if scope.completeness == Completeness::Cancelled => {
            vec![
                vec![piece("scan cancelled: nothing counts as unused ", Role::Warning)],
                vec![piece("scan cancelled ", Role::Warning)],
            ]
        }
        Scan::Ended => {
            let problems = model.snapshot().problems.len() as u64;
            let took = format!("scanned in {} ", seconds(scope.elapsed));
            let mut full = Line::new();
            if problems > 0 {
                let words = human::counted(problems, "problem", "problems");
                full.push(piece(format!("{words}{}", glyphs.dot()), Role::Warning));
            }
            full.push(piece(took, Role::Dim));
            vec![full, vec![piece(if problems > 0 { "! " } else { "" }, Role::Warning)]]
        }
        Scan::Idle => Vec::new(),
    };
    options.into_iter().find(|line| text::line_width(line) <= room).unwrap_or_default()
}

fn rate(files: u64, elapsed: Duration) -> String {
    let milliseconds = elapsed.as_millis().max(1);
    human::count(u64::try_from(u128::from(files) * 1000 / milliseconds).unwrap_or(u64::MAX))
}

fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(1) {
        format!("{} ms", elapsed.as_millis())
    } else {
        format!("{:.1} s", elapsed.as_secs_f64())
    }
}
