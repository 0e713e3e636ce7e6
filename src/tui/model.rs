//! Everything the screen shows, as one value: changed only by `update`, read only by `view`.
//!
//! The model knows neither clock nor disk nor terminal: the time comes with each event, the size with each resize.
//! What is derived (the order of rows, the windows, the pages' lines) is made when something changes, so that drawing
//! a frame costs only what is visible.

pub(super) mod column;
pub(super) mod facts;
pub(super) mod filter;
pub(super) mod list;
pub(super) mod marks;
pub(super) mod page;
pub(super) mod planning;
pub(super) mod suggestion;
pub(super) mod task;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::control::Counts;
use crate::plan::{At, Plan};
use crate::scan::verify::Verified;
use crate::snapshot::{Completeness, EntryIndex, EntryKey, EnvironmentIndex, Snapshot};

use crate::worker::Around;

use super::event::{Focus, Moment};
use super::glyphs::Glyphs;
use super::key::Key;
use super::keymap::Keymap;
use super::layout::{LEAST_HEIGHT, LEAST_WIDTH, Layout};
use super::page::document;
use super::theme::{Role, Theme};
use column::{Placed, place};
use facts::{Facts, Measure};
use list::List;
use marks::{Joint, Marks, Unseen};
use page::{Page, PageKind, Subject};
use task::Running;

/// What is chosen once, before the interface opens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which keys mean what.
    pub keymap: Keymap,
    /// The colours.
    pub theme: Theme,
    /// The signs.
    pub glyphs: Glyphs,
    /// The user's home directory, shown as `~`.
    pub home: Option<PathBuf>,
    /// The cache's root, for as long as no scan has told it.
    pub cache: PathBuf,
    /// How long something stays after its last change, in seconds, unless it was named.
    pub grace: u64,
    /// Whether the cache is a sample, which the header then says.
    pub demo: bool,
}

/// A list with its detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The cache's entries.
    Entries,
    /// The environments.
    Environments,
    /// What inside the cache leads to entries.
    Links,
    /// Lock files and who holds them.
    Locks,
    /// What could be pruned, the plan, and the trash.
    Plan,
}

/// Which pane keys go to, when no page lies over both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    /// The list.
    List,
    /// The detail beside it, or in its place on a narrow screen.
    Detail,
}

/// Where the scan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// None has started.
    Idle,
    /// One is running.
    Running {
        /// When it started.
        started: Duration,
        /// How far it has come.
        counts: Counts,
    },
    /// The last one has ended.
    Ended,
    /// The last one could not be done.
    Failed(String),
}

/// Why not everything can be said about who uses what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The scan is running: environments and pointers come at its end.
    Running,
    /// The scan failed before its end.
    Failed,
    /// The scan was cancelled: who was found is sure, that nobody was found is not.
    Cancelled,
}

impl Doubt {
    /// The doubt as a sentence.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Running => "Not known yet, the scan is still running.",
            Self::Failed => "Not known, the scan failed.",
            Self::Cancelled => "Not known, the scan was cancelled: what it did not reach counts as in use.",
        }
    }
}

/// An answer on the status line: it stays until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// The sentence. Escaped.
    pub text: String,
    /// How it looks.
    pub role: Role,
}

/// Everything the screen shows.
#[derive(Debug)]
pub struct Model {
    pub(super) settings: Settings,
    pub(super) size: (u16, u16),
    pub(super) moment: Moment,
    pub(super) facts: Facts,
    pub(super) scan: Scan,
    /// The task that runs.
    pub(super) task: Option<Running>,
    /// What was compared last, and what with.
    pub(super) verified: Option<(Arc<Snapshot>, Arc<Verified>)>,
    pub(super) view: View,
    /// The view from which the plan was made: leaving the plan goes back there.
    pub(super) came: View,
    /// Environments that were marked out of sight when a plan to repair them was asked for.
    pub(super) asked: BTreeMap<At, &'static str>,
    pub(super) pane: Pane,
    pub(super) lists: [List; 5],
    pub(super) detail: Page,
    pub(super) layers: Vec<Page>,
    pub(super) marks: Marks,
    pub(super) joint: Option<Joint>,
    pub(super) measure: Measure,
    /// Whether keys are written into a filter.
    pub(super) typing: bool,
    /// Whether all of that filter is selected, so that typing replaces it.
    pub(super) selected: bool,
    pub(super) pending: Vec<Key>,
    pub(super) notice: Option<Notice>,
    pub(super) window: Focus,
    /// When and on what row the mouse was last clicked.
    pub(super) clicked: Option<(Duration, u16, u16)>,
}

impl View {
    /// All views, in the order of their tabs.
    pub(super) const ALL: [Self; 5] =
        [Self::Entries, Self::Environments, Self::Links, Self::Locks, Self::Plan];

    /// Its name on its tab.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Entries => "Entries",
            Self::Environments => "Environments",
            Self::Links => "Links",
            Self::Locks => "Locks",
            Self::Plan => "Clean up",
        }
    }

    /// What its rows are called.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Environments => "environments",
            Self::Links => "links",
            Self::Locks => "locks",
            Self::Plan => "rows",
        }
    }
}

impl Model {
    /// The interface before anything has happened, on a screen of `width` by `height` cells.
    pub fn new(settings: Settings, width: u16, height: u16, at: Moment) -> Self {
        let mut facts = Facts::new(Arc::new(Snapshot::default()), 0, None);
        facts.planning.grace = settings.grace;
        facts.planning.home.clone_from(&settings.home);
        let mut model = Self {
            settings,
            size: (width, height),
            moment: at,
            facts,
            scan: Scan::Idle,
            task: None,
            verified: None,
            view: View::Entries,
            came: View::Plan,
            asked: BTreeMap::new(),
            pane: Pane::List,
            lists: View::ALL.map(List::new),
            detail: Page::new(PageKind::Detail(Subject::Nothing)),
            layers: Vec::new(),
            marks: Marks::default(),
            joint: None,
            measure: Measure::default(),
            typing: false,
            selected: false,
            pending: Vec::new(),
            notice: None,
            window: Focus::Gained,
            clicked: None,
        };
        model.settle();
        model
    }

    /// Notes that what it is now was drawn.
    pub fn drawn(&mut self) {
        let (width, height) = self.size;
        let fits = width >= LEAST_WIDTH && height >= LEAST_HEIGHT;
        if let Some(page) = self.layers.last_mut() {
            page.seen |= fits;
        }
    }

    /// The snapshot that is shown.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.facts.snapshot
    }

    /// The list of the view that is shown.
    pub(super) fn list(&self) -> &List {
        &self.lists[self.view as usize]
    }

    /// The list of the view that is shown, to change it.
    pub(super) fn list_mut(&mut self) -> &mut List {
        &mut self.lists[self.view as usize]
    }

    /// The columns of the shown list, for its width in cells.
    pub(super) fn placed(&self, width: u16) -> Vec<Placed> {
        place(self.view, width, self.facts.widest[self.view as usize], self.facts.widest_health)
    }

    /// The page that keys go to, if they go to one.
    pub(super) fn page(&self) -> Option<&Page> {
        match (self.layers.last(), self.pane) {
            (Some(layer), _) => Some(layer),
            (None, Pane::Detail) => Some(&self.detail),
            (None, Pane::List) => None,
        }
    }

    /// The page that keys go to, to change it.
    pub(super) fn page_mut(&mut self) -> Option<&mut Page> {
        match (self.layers.last_mut(), self.pane) {
            (Some(layer), _) => Some(layer),
            (None, Pane::Detail) => Some(&mut self.detail),
            (None, Pane::List) => None,
        }
    }

    /// Whether a task, a plan or marks have sums to show.
    pub(super) fn has_sums(&self) -> bool {
        self.task.is_some() || self.facts.planning.made().is_some() || !self.marks.is_empty()
    }

    /// The filter of what keys go to.
    pub(super) fn filter(&self) -> &tui_input::Input {
        self.layers.last().map_or(&self.list().filter, |page| &page.filter)
    }

    /// Whether a scan is running.
    pub(super) fn scanning(&self) -> bool {
        matches!(self.scan, Scan::Running { .. })
    }

    /// Whether the passing of time alone changes the screen: the clock of a scan or a task runs.
    pub fn is_due(&self) -> bool {
        self.scanning() || self.task.is_some()
    }

    /// Whether a screen of this size, in cells, is the one it was made for.
    pub fn fits(&self, width: u16, height: u16) -> bool {
        self.size == (width, height)
    }

    /// Whether a scan is running, for the terminal's own progress display.
    pub fn is_scanning(&self) -> bool {
        self.scanning()
    }

    /// Whether a task is running, for the same display.
    pub fn is_working(&self) -> bool {
        self.task.is_some()
    }

    /// How much of the running task is done, in hundredths, where that is known.
    pub fn part_done(&self) -> Option<u8> {
        self.task.as_ref()?.percent()
    }

    /// Why not everything can be said about who uses what; nothing once a scan has come to its end.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        match (self.snapshot().scope.completeness, &self.scan) {
            (Completeness::Complete, _) => None,
            (Completeness::Cancelled, _) => Some(Doubt::Cancelled),
            (Completeness::Running, Scan::Failed(_)) => Some(Doubt::Failed),
            (Completeness::Running, _) => Some(Doubt::Running),
        }
    }

    /// Why nothing at all is known about environments, pointers and who holds what.
    pub(super) fn blank(&self) -> Option<Doubt> {
        self.doubt().filter(|doubt| *doubt != Doubt::Cancelled)
    }

    /// Shows a sentence until the next key. The sentence is escaped here.
    pub(super) fn say(&mut self, text: &str, role: Role) {
        let text = crate::human::escape(text).into_owned();
        self.notice = Some(Notice { text, role });
    }

    /// What the cursor of the shown list is on.
    pub(super) fn subject(&self) -> Subject {
        self.list().row().map_or(Subject::Nothing, |row| self.subject_at(self.view, row))
    }

    fn subject_at(&self, view: View, row: u32) -> Subject {
        let row = row as usize;
        match view {
            View::Entries => Subject::Entry(self.snapshot().entries[row].key.clone()),
            View::Environments => Subject::Environment(self.snapshot().environments[row].path.clone()),
            View::Links => Subject::Link(self.snapshot().pointers[row].path.clone()),
            View::Locks => Subject::Lock(self.facts.locks.files[row].path.clone()),
            View::Plan => self.facts.planning.name(row).map_or(Subject::Nothing, Subject::Planned),
        }
    }

    /// The row of a subject in the snapshot that is shown, if it is there.
    pub(super) fn row_of(&self, subject: &Subject) -> Option<u32> {
        let snapshot = self.snapshot();
        let position = match subject {
            Subject::Nothing => None,
            Subject::Entry(key) => snapshot.find_entry(key).map(EntryIndex::position),
            Subject::Environment(path) => snapshot.find_environment(path).map(EnvironmentIndex::position),
            Subject::Link(path) => {
                let found = snapshot.pointers.binary_search_by(|pointer| pointer.path.cmp(path)).ok();
                found.or_else(|| snapshot.pointers.iter().position(|pointer| pointer.path == *path))
            }
            Subject::Lock(path) => self.facts.locks.files.iter().position(|file| file.path == *path),
            Subject::Planned(planned) => self.facts.planning.find(planned),
        };
        position.and_then(|position| u32::try_from(position).ok())
    }

    /// Takes a new snapshot; every cursor stays on what it is on, as far as that is still there.
    pub(super) fn take(&mut self, snapshot: Arc<Snapshot>) {
        let subject =
            |view: View, row: Option<u32>| row.map_or(Subject::Nothing, |row| self.subject_at(view, row));
        let subjects = View::ALL.map(|view| {
            let list = &self.lists[view as usize];
            [subject(view, list.row()), subject(view, list.anchor)]
        });
        let locks = Arc::clone(&self.facts.locks);
        let asked = self.facts.asked_locks;
        let planning = std::mem::take(&mut self.facts.planning);
        self.facts = Facts::new(snapshot, self.facts.generation + 1, self.settings.home.as_deref());
        self.facts.locks = locks;
        self.facts.asked_locks = asked;
        self.facts.planning = planning;
        self.facts.planning.renew(&self.facts.snapshot);
        if self.snapshot().scope.completeness == Completeness::Complete {
            self.marks.retain(&self.facts.snapshot);
        }
        let rows = subjects.each_ref().map(|both| both.each_ref().map(|subject| self.row_of(subject)));
        for (list, [row, anchor]) in self.lists.iter_mut().zip(rows) {
            list.anchor = anchor;
            // The rows of the last snapshot mean nothing in this one.
            list.order.clear();
            list.arrange(&self.facts, self.measure, self.settings.home.as_deref(), row);
        }
        self.count_marks();
    }

    /// Whether something about locks or the trash is new.
    pub fn learns(&self, around: &Around) -> bool {
        let facts = &self.facts;
        !facts.asked_locks || *facts.locks != around.locks || facts.planning.trash != around.trash
    }

    /// The snapshot that is shown, to ask more about what it holds.
    pub fn shown(&self) -> Arc<Snapshot> {
        Arc::clone(&self.facts.snapshot)
    }

    /// The plan that is to be looked at, with its number.
    pub(super) fn unweighed(&self) -> Option<(u64, &Plan)> {
        self.facts.planning.unweighed()
    }

    /// Takes what was found about a plan; the cursor stays on what it is on. None where nothing could be found out.
    pub(super) fn take_weighed(&mut self, number: u64, plan: Option<Box<Plan>>) {
        let list = &self.lists[View::Plan as usize];
        let subject = list.row().map(|row| self.subject_at(View::Plan, row));
        self.facts.planning.take_weighed(number, plan);
        self.facts.generation += 1;
        let row = subject.and_then(|subject| self.row_of(&subject));
        let list = &mut self.lists[View::Plan as usize];
        list.order.clear();
        list.arrange(&self.facts, self.measure, self.settings.home.as_deref(), row);
    }

    /// Takes what is known about locks and the trash now; cursors stay on what they are on, as far as that is still there.
    pub(super) fn take_around(&mut self, around: Around) {
        let Around { locks, trash } = around;
        let here = |view: View| {
            let list = &self.lists[view as usize];
            list.row().map_or(Subject::Nothing, |row| self.subject_at(view, row))
        };
        let first = !self.facts.asked_locks;
        let subjects = [View::Locks, View::Plan].map(|view| (view, here(view)));
        if first && let Some(ancestor) = &locks.ancestor {
            let command = ancestor.command.split_whitespace().next().unwrap_or("uv");
            let text = format!(
                "cachetui runs under `{command}`, which holds the cache's lock: looking works, changing the cache does not."
            );
            self.say(&text, Role::Warning);
        }
        self.facts.asked_locks = true;
        self.facts.locks = Arc::new(locks);
        // Pages and filters made from what was known before are made again.
        self.facts.generation += 1;
        self.facts.planning.take_trash(trash);
        for (view, subject) in subjects {
            let row = self.row_of(&subject);
            let list = &mut self.lists[view as usize];
            list.order.clear();
            list.arrange(&self.facts, self.measure, self.settings.home.as_deref(), row);
        }
    }

    /// Brings the view of the plan in line after the plan has changed.
    pub(super) fn replan(&mut self) {
        self.facts.generation += 1;
        let list = &mut self.lists[View::Plan as usize];
        list.order.clear();
        list.arrange(&self.facts, self.measure, self.settings.home.as_deref(), None);
    }

    /// Filters and orders the shown list anew.
    pub(super) fn arrange(&mut self) {
        let list = &mut self.lists[self.view as usize];
        list.arrange(&self.facts, self.measure, self.settings.home.as_deref(), None);
    }

    /// Why a marked entry is not in sight, if it is not.
    pub(super) fn entry_hidden(&self, key: &EntryKey) -> Option<&'static str> {
        let row = self.snapshot().find_entry(key)?;
        self.out_of_sight(View::Entries, row.position())
    }

    /// Why a marked environment is not in sight, if it is not.
    pub(super) fn environment_hidden(&self, path: &Path) -> Option<&'static str> {
        let row = self.snapshot().find_environment(path)?;
        self.out_of_sight(View::Environments, row.position())
    }

    fn out_of_sight(&self, view: View, row: usize) -> Option<&'static str> {
        if self.view != view {
            return Some(match view {
                View::Entries => "marked in Entries",
                _ => "marked in Environments",
            });
        }
        let list = &self.lists[view as usize];
        let shown = list.filter.value().trim().is_empty()
            || u32::try_from(row).is_ok_and(|row| list.order.contains(&row));
        (!shown).then_some("hidden by the filter")
    }

    /// The marks that the shown list does not show.
    pub(super) fn unseen(&self) -> Unseen {
        let (entries, environments) = (self.marks.entries.len(), self.marks.environments.len());
        let snapshot = self.snapshot();
        let list = self.list();
        let filtered = !list.filter.value().trim().is_empty();
        let shown = |is: &dyn Fn(usize) -> bool| {
            if filtered { list.order.iter().filter(|row| is(**row as usize)).count() } else { usize::MAX }
        };
        match self.view {
            View::Entries => {
                let shown = shown(&|row| self.marks.entries.contains(&snapshot.entries[row].key));
                Unseen { hidden: entries.saturating_sub(shown), environments, ..Unseen::default() }
            }
            View::Environments => {
                let shown = shown(&|row| self.marks.environments.contains(&snapshot.environments[row].path));
                Unseen { hidden: environments.saturating_sub(shown), entries, ..Unseen::default() }
            }
            View::Links | View::Locks | View::Plan => Unseen { hidden: 0, entries, environments },
        }
    }

    /// Sums the marks up anew.
    pub(super) fn count_marks(&mut self) {
        self.joint = (!self.marks.is_empty())
            .then(|| self.marks.joint(&self.facts.snapshot, self.settings.home.as_deref()));
    }

    /// Brings windows and pages in line with everything else. Runs after each event.
    pub(super) fn settle(&mut self) {
        let layout = Layout::of(self);
        let height = layout.rows().map_or(0, |rows| rows.height as usize);
        for list in &mut self.lists {
            if list.height != height {
                list.height = height;
                list.follow();
            }
        }
        if self.view == View::Plan && self.facts.planning.look(&Arc::clone(&self.facts.snapshot)) {
            self.replan();
        }
        let subject = self.subject();
        if self.detail.kind != PageKind::Detail(subject.clone()) {
            self.detail = Page::new(PageKind::Detail(subject));
        }
        if let Some(area) = layout.detail {
            let mut detail = std::mem::replace(&mut self.detail, Page::new(PageKind::Help));
            self.fit(&mut detail, area.inner.width, area.inner.height);
            self.detail = detail;
        }
        if let Some(mut layer) = self.layers.pop() {
            let area = layout.layer(&layer);
            self.fit(&mut layer, area.inner.width, area.inner.height);
            // A box is as high as its text, which is known only now.
            let area = layout.layer(&layer);
            self.fit(&mut layer, area.inner.width, area.inner.height);
            self.layers.push(layer);
        }
    }

    fn fit(&self, page: &mut Page, width: u16, height: u16) {
        page.height = height as usize;
        if page.made != Some((self.facts.generation, width)) {
            page.document = document(self, &page.kind, width as usize);
            page.made = Some((self.facts.generation, width));
            page.arrange();
        }
        page.follow();
    }
}
