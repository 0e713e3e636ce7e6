//! Which rows a filter lets through.
//!
//! A condition holds, does not hold, or cannot be answered, as who uses an entry before the scan's end. What cannot be
//! answered lets no row through, also where the condition is one that must not hold.

use std::path::Path;

use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::human;
use crate::snapshot::{EntryIndex, EntryState, EnvironmentIndex, Evidence, Mode, ModeCounts};
use crate::tui::model::View;
use crate::tui::model::facts::{Facts, Measure, entry_name, entry_title, environment_name};
use crate::tui::page;
use crate::uv::distribution::normalize;

use super::{Ask, Filter, Term, Word};

/// What the filter looks at in each row, kept while it is in use.
#[derive(Debug, Default)]
pub(in crate::tui) struct Fields {
    generation: Option<u64>,
    rows: Vec<Row>,
}

/// The texts of one row, in lower case.
#[derive(Debug, Default)]
struct Row {
    /// A package's name, over which letters may be spread.
    name: Option<String>,
    /// The version of that package.
    version: Option<String>,
    /// The state, where it is known.
    state: Option<String>,
    /// Every other column.
    others: Vec<String>,
}

/// What a condition is asked about.
struct Asked<'a> {
    facts: &'a Facts,
    view: View,
    home: Option<&'a Path>,
    matcher: Matcher,
    buffer: Vec<char>,
}

impl Filter {
    /// The rows it lets through, in the order of the snapshot.
    pub(in crate::tui) fn rows(
        &self,
        facts: &Facts,
        view: View,
        home: Option<&Path>,
        fields: &mut Fields,
    ) -> Vec<u32> {
        if self.trouble.is_some() {
            return Vec::new();
        }
        if fields.generation != Some(facts.generation) {
            fields.rows = (0..rows(facts, view)).map(|row| texts(facts, view, row as usize, home)).collect();
            fields.generation = Some(facts.generation);
        }
        let mut asked =
            Asked { facts, view, home, matcher: Matcher::new(Config::DEFAULT), buffer: Vec::new() };
        let passes = |asked: &mut Asked<'_>, row: usize| {
            self.terms.iter().all(|Term { not, ask }| {
                asked.holds(ask, row, &fields.rows[row]).is_some_and(|holds| holds != *not)
            })
        };
        (0..)
            .zip(0..fields.rows.len())
            .filter(|(_, row)| passes(&mut asked, *row))
            .map(|(at, _)| at)
            .collect()
    }
}

/// How many rows a view has without a filter.
pub(in crate::tui) fn rows(facts: &Facts, view: View) -> u32 {
    let rows = match view {
        View::Entries => facts.snapshot.entries.len(),
        View::Environments => facts.snapshot.environments.len(),
        View::Links => facts.snapshot.pointers.len(),
        View::Locks => facts.locks.files.len(),
        View::Plan => facts.planning.rows.len(),
    };
    u32::try_from(rows).expect("a snapshot has fewer than 2^32 rows of a kind")
}

/// What a row shows.
fn texts(facts: &Facts, view: View, row: usize, home: Option<&Path>) -> Row {
    let snapshot = &facts.snapshot;
    let mut texts = match view {
        View::Entries => {
            let entry = &snapshot.entries[row];
            Row {
                name: Some(entry_name(entry)),
                version: entry.version.clone(),
                // What is not known cannot be asked for.
                state: facts.state(row).map(|state| state.word().to_owned()),
                others: vec![entry.kind.word().to_owned()],
            }
        }
        View::Environments => {
            let environment = &snapshot.environments[row];
            let name = environment_name(snapshot, EnvironmentIndex::new(row), home);
            let path = human::escape_os(environment.path.as_os_str()).into_owned();
            let python = environment.python.clone().unwrap_or_default();
            let state = Some(environment.health.word().to_owned());
            Row { state, others: vec![name, path, python], ..Row::default() }
        }
        View::Links => {
            let pointer = &snapshot.pointers[row];
            let entry = pointer.entry.map(|entry| snapshot.entry(entry));
            let path = human::escape_os(pointer.path.as_os_str()).into_owned();
            let target = match entry {
                Some(entry) => entry_title(entry),
                None => human::escape(&pointer.target).into_owned(),
            };
            Row {
                name: entry.map(entry_name),
                version: entry.and_then(|entry| entry.version.clone()),
                state: Some(pointer.state.word().to_owned()),
                others: vec![path, pointer.form.word().to_owned(), target],
            }
        }
        View::Locks => {
            let file = &facts.locks.files[row];
            let mut others =
                vec![page::resource(snapshot, &file.resource, home), human::path(&file.path, home)];
            others.extend(file.holders.iter().map(page::holder));
            Row { state: Some(page::state_word(&file.state).to_owned()), others, ..Row::default() }
        }
        View::Plan => {
            let planning = &facts.planning;
            let (name, version) = page::planned_package(planning, row);
            let others = vec![page::planned_name(planning, row), page::planned_why(planning, row)];
            Row { name, version, state: Some(page::planned_sign(planning, row).0.to_owned()), others }
        }
    };
    if let Some(version) = &texts.version {
        texts.others.push(human::escape(version).into_owned());
    }
    let fields = texts.others.iter_mut().chain(&mut texts.name).chain(&mut texts.state);
    fields.for_each(|field| *field = field.to_lowercase());
    texts
}

impl Asked<'_> {
    /// Whether a condition holds; nothing where that is not known, or means nothing in this view.
    fn holds(&mut self, ask: &Ask, row: usize, texts: &Row) -> Option<bool> {
        match ask {
            Ask::Word(word) => Some(self.anywhere(word, row, texts)),
            Ask::State(word) => texts.state.as_deref().map(|state| word.within_state(state)),
            Ask::Name(word) if self.view == View::Environments => Some(self.has(row, word)),
            Ask::Name(word) => texts.name.as_deref().map(|name| self.named(word, name)),
            Ask::Environment(word) => self.used_by(word, row),
            Ask::Id(word) => self.id(row).map(|id| word.within(&id)),
            Ask::Mode(mode) => self.modes(row).map(|modes| count(modes, *mode) > 0),
            Ask::Size(compare, limit) => self.size(row).map(|size| compare.holds(size, *limit)),
            Ask::Age(compare, limit) => self.age(row).map(|age| compare.holds(age, *limit)),
            Ask::Requirement(wanted) => {
                if self.view == View::Environments {
                    let installed = &self.facts.snapshot.environments[row].distributions;
                    return Some(installed.iter().any(|it| wanted.is_met_by(&it.name, &it.version)));
                }
                let (known, version) = (texts.name.as_deref()?, texts.version.as_deref());
                Some(version.is_some_and(|version| wanted.is_met_by(known, version)))
            }
        }
    }

    /// Whether a word stands in one of the fields.
    fn anywhere(&mut self, word: &Word, row: usize, texts: &Row) -> bool {
        texts.state.as_deref().is_some_and(|state| word.within_state(state))
            || texts.others.iter().any(|field| word.within(field))
            || texts.name.as_deref().is_some_and(|name| self.named(word, name))
            || self.view == View::Environments && self.has(row, word)
    }

    /// Whether a word is in a name, its letters in their order at least.
    fn named(&mut self, word: &Word, name: &str) -> bool {
        if word.within(name) {
            return true;
        }
        if !word.is_fuzzy() {
            return false;
        }
        let atom = Atom::new(&word.text, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy, false);
        atom.score(Utf32Str::new(name, &mut self.buffer), &mut self.matcher).is_some()
    }

    /// Whether an environment has the package of this name.
    fn has(&self, row: usize, word: &Word) -> bool {
        let wanted = normalize(&word.text);
        self.facts.snapshot.environments[row].distributions.iter().any(|it| normalize(&it.name) == wanted)
    }

    /// The entry that a row is about.
    fn entry(&self, row: usize) -> Option<EntryIndex> {
        match self.view {
            View::Entries => Some(EntryIndex::new(row)),
            View::Environments => self.facts.snapshot.environments[row].entry,
            View::Links => self.facts.snapshot.pointers[row].entry,
            View::Locks | View::Plan => None,
        }
    }

    fn id(&self, row: usize) -> Option<String> {
        let key = &self.facts.snapshot.entry(self.entry(row)?).key;
        Some(format!("{}/{}", human::escape(&key.bucket), human::escape_os(&key.id)).to_lowercase())
    }

    /// Whether an environment that a word names uses the row's entry, or is the row.
    fn used_by(&self, word: &Word, row: usize) -> Option<bool> {
        let snapshot = &self.facts.snapshot;
        let is = |index: EnvironmentIndex| {
            let path = human::escape_os(snapshot.environment(index).path.as_os_str()).to_lowercase();
            word.within(&path) || word.within(&environment_name(snapshot, index, self.home).to_lowercase())
        };
        if self.view == View::Environments {
            return Some(is(EnvironmentIndex::new(row)));
        }
        let entry = self.known(row)?;
        let mut users = snapshot.references_to(entry).iter().filter(|it| it.evidence > Evidence::Name);
        Some(users.any(|reference| is(reference.environment)))
    }

    /// The entry of a row, once its users are known.
    fn known(&self, row: usize) -> Option<EntryIndex> {
        let entry = self.entry(row)?;
        let used = |state: EntryState| !matches!(state, EntryState::Unused | EntryState::Unreferenced);
        let complete = self.facts.snapshot.scope.completeness == crate::snapshot::Completeness::Complete;
        let state = self.facts.state(entry.position());
        (complete || state.is_some_and(used)).then_some(entry)
    }

    fn modes(&self, row: usize) -> Option<ModeCounts> {
        let snapshot = &self.facts.snapshot;
        if self.view == View::Environments {
            return Some(snapshot.environments[row].modes);
        }
        let entry = self.known(row)?;
        let mut modes = ModeCounts::default();
        snapshot
            .references_to(entry)
            .iter()
            .filter(|it| it.evidence > Evidence::Name)
            .for_each(|it| modes.add(it.by));
        Some(modes)
    }

    fn size(&self, row: usize) -> Option<u64> {
        match self.view {
            View::Entries => Some(self.facts.entry_bytes(EntryIndex::new(row), Measure::Disk)),
            View::Environments => {
                Some(self.facts.environment_bytes(EnvironmentIndex::new(row), Measure::Disk))
            }
            View::Plan => page::planned_bytes(&self.facts.planning, row),
            View::Links | View::Locks => None,
        }
    }

    /// Seconds from the last use to the scan.
    fn age(&self, row: usize) -> Option<u64> {
        let snapshot = &self.facts.snapshot;
        let then = match self.view {
            View::Entries => snapshot.entries[row].last_use?.time,
            View::Environments => snapshot.environments[row].installed?,
            View::Links => snapshot.pointers[row].modified?,
            View::Locks => page::since(&self.facts.locks.files[row])?,
            View::Plan => return None,
        };
        let now = snapshot.scope.started?;
        Some(u64::try_from(now.as_second().saturating_sub(then.as_second())).unwrap_or(0))
    }
}

fn count(modes: ModeCounts, mode: Mode) -> u64 {
    match mode {
        Mode::Clone => modes.clone,
        Mode::Hardlink => modes.hardlink,
        Mode::Symlink => modes.symlink,
        Mode::Copy => modes.copy,
    }
}
