//! What a person can do about contents that are not as `RECORD` says, and about what environments keep in the cache.
//!
//! Nothing of this is done by itself: whose edit it is, and whether it was meant, only a person knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::again::{Again, OFFLINE, Where, again, of_conda, place};
use super::repair::Command;
use super::{At, KeptBecause, Plan, detach, obstacles, prune, room};
use crate::scan::verify::{Fault, Finding, Verified};
use crate::snapshot::{Distribution, Entry, EntryIndex, EnvironmentIndex, LinkMode, Mode, Origins, Snapshot};
use crate::uv::distribution::is_plain;

/// A way out, for some of what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What it is good for, as a sentence. Not escaped.
    pub text: &'static str,
    /// What does it: each one by itself for edits that can be kept, else one after the other.
    pub commands: Vec<Command>,
    /// What belongs into blanks of the commands, or has to be known before, as sentences. Not escaped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The environments that could keep an edit, in the order of the commands.
    #[serde(skip)]
    pub keepers: Vec<EnvironmentIndex>,
}

/// What can be done about each kind of damage.
pub fn advice(snapshot: &Snapshot, verified: &Verified) -> Vec<Advice> {
    let (mut missing, mut keepers) = (BTreeSet::new(), BTreeSet::new());
    let (mut stored, mut alone) = (Reinstall::default(), Reinstall::default());
    let (mut lacking, mut added) = (Reinstall::default(), Reinstall::default());
    for finding in verified.damage() {
        let environments: BTreeSet<_> = finding.places.iter().filter_map(|it| it.environment).collect();
        let in_cache = finding.places.iter().any(|it| it.environment.is_none());
        match finding.fault {
            // Environments have no row for it, and nothing of theirs is damaged. A wheel that cannot be had again stays.
            Fault::Extra => {
                let again = |entry: EntryIndex| snapshot.entry(entry).source.gone.is_none();
                if finding.entry.is_some_and(again) {
                    added.add(finding, &BTreeSet::new());
                }
            }
            Fault::Missing if !in_cache => missing.extend(environments),
            _ if in_cache
                && finding.good.is_some()
                && !environments.is_empty()
                && detach::reaches(finding) =>
            {
                keepers.extend(environments);
            }
            _ if in_cache && finding.good.is_some() => lacking.add(finding, &environments),
            _ if in_cache => stored.add(finding, &environments),
            _ => alone.add(finding, &environments),
        }
    }
    // What goes for another reason takes it along.
    added.leave_to(&[&lacking, &stored]);
    let root = |index: &EnvironmentIndex| snapshot.environment(*index).path.display().to_string();
    let mut all = Vec::new();
    let (elsewhere, missing): (BTreeSet<_>, BTreeSet<_>) =
        missing.into_iter().partition(|index| snapshot.environment(*index).works_elsewhere());
    if !elsewhere.is_empty() {
        let text = "Symlinks in these environments name another path of the cache. They work where the cache has that path, as in \
            a container, and are left as they are:";
        let notes = elsewhere.iter().map(root).collect();
        all.push(Advice { text, commands: Vec::new(), notes, keepers: Vec::new() });
    }
    if !missing.is_empty() {
        let start = cachetui(snapshot, &["repair"]);
        let command = Command::new(start.iter().map(String::as_str), missing.iter().map(root).collect());
        let text = "What is missing in an environment is linked from a cache that has it; of the rest the commands are \
            named:";
        all.push(Advice { text, commands: vec![command], notes: Vec::new(), keepers: Vec::new() });
    }
    if !keepers.is_empty() {
        let commands = keepers
            .iter()
            .map(|index| cachetui(snapshot, &["verify", "--detach", &root(index)]))
            .map(|words| Command::new(words.iter().map(String::as_str), Vec::new()));
        all.push(Advice {
            text: "Who has edited a file that is shared? That environment keeps the edit, the cache and all others get \
                back what RECORD states:",
            commands: commands.collect(),
            notes: Vec::new(),
            keepers: keepers.iter().copied().collect(),
        });
    }
    let origins = Origins::of(snapshot);
    let (mut last, mut held) = (BTreeSet::new(), BTreeSet::new());
    for (what, text) in [
        (&lacking, "What is damaged in the cache alone goes, and uv makes it again when it needs it, by:"),
        (&stored, "No good copy is known. uv makes the entry again, and from it the environments, by:"),
        (
            &added,
            "A file that RECORD does not list goes with its entry, which uv makes again when it needs it:",
        ),
    ] {
        let found = what.again(snapshot, &origins, verified);
        last.extend(found.last);
        held.extend(found.held);
        // What is installed from there again is damaged again.
        alone.places.retain(|(environment, name, version)| {
            let distributions = &snapshot.environment(*environment).distributions;
            let found_from = |it: &&Distribution| it.name == *name && it.version == *version;
            let entry = distributions.iter().find(found_from).and_then(|it| it.entry);
            entry.is_none_or(|entry| !found.stuck.contains(&entry))
        });
        if !found.commands.is_empty() {
            all.push(Advice { text, commands: found.commands, notes: found.notes, keepers: Vec::new() });
        }
    }
    let mut found = Found::default();
    commands(snapshot, &origins, &alone.places, verified, &mut found);
    held.append(&mut found.held);
    if !found.commands.is_empty() {
        let text = "What was changed in one environment alone is as before after:";
        all.push(Advice { text, commands: found.commands, notes: found.notes, keepers: Vec::new() });
    }
    for (notes, text) in [
        (last, "No command is named for what has no known source: it would be lost."),
        (held, "More commands are named by `verify` once this is out of the way:"),
    ] {
        if !notes.is_empty() {
            let notes = notes.into_iter().collect();
            all.push(Advice { text, commands: Vec::new(), notes, keepers: Vec::new() });
        }
    }
    all
}

/// What can be done about what a plan keeps because environments reach it by symlink: link them otherwise. Those that uv
/// keeps in the cache are left as they are; they can go themselves.
pub fn relink_first(snapshot: &Snapshot, plan: &Plan) -> Option<Advice> {
    let protected = plan.kept.iter().filter_map(|kept| match &kept.because {
        KeptBecause::Protected { environments } => Some(environments),
        _ => None,
    });
    let roots: BTreeSet<&At> = protected.flatten().collect();
    let mut by_mode: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for path in roots.into_iter().map(At::path).filter(|path| snapshot.cache.relative(path).is_none()) {
        by_mode.entry(sharing(snapshot, &path).word()).or_default().push(path.display().to_string());
    }
    let commands: Vec<Command> = by_mode
        .into_iter()
        .map(|(mode, roots)| {
            let start = cachetui(snapshot, &["relink", "--link-mode", mode]);
            Command::new(start.iter().map(String::as_str), roots)
        })
        .collect();
    (!commands.is_empty()).then_some(Advice {
        text: "What is reached by symlinks can go once these environments are linked otherwise:",
        commands,
        notes: Vec::new(),
        keepers: Vec::new(),
    })
}

/// The mode in which an environment needs the least room for itself and no symlink: copies only where nothing can be shared.
fn sharing(snapshot: &Snapshot, root: &Path) -> Mode {
    let Some(index) = snapshot.find_environment(root) else { return Mode::Copy };
    let environment = snapshot.environment(index);
    let device = |it: &Distribution| Some((it.record?.device, snapshot.entry(it.entry?).print.device));
    let mut devices = environment.distributions.iter().filter_map(device);
    match devices.next() {
        Some((here, there)) if here == there && (snapshot.cache.reflinks || !environment.other_mount) => {
            room::sharing(snapshot)
        }
        _ => Mode::Copy,
    }
}

/// The option that names the cache, where it is not the one that would be taken without.
fn other_cache(snapshot: &Snapshot) -> Vec<String> {
    let named = snapshot.cache.found_by.contains("--cache-dir");
    let option = || vec!["--cache-dir".to_owned(), snapshot.cache.path.display().to_string()];
    if named { option() } else { Vec::new() }
}

/// A command of cachetui, with the options that name the cache, where it is not the default one, and the places that were searched.
pub(super) fn cachetui(snapshot: &Snapshot, words: &[&str]) -> Vec<String> {
    let words = words.iter().map(|it| (*it).to_owned()).collect();
    let places = snapshot.scope.options.clone();
    [vec!["cachetui".to_owned()], other_cache(snapshot), places, words].concat()
}

/// uv, told of the cache where it would take another one.
fn uv(snapshot: &Snapshot) -> Vec<String> {
    [vec!["uv".to_owned()], other_cache(snapshot)].concat()
}

/// A distribution in an environment: its name and version.
type Place = (EnvironmentIndex, String, String);

/// What has to be made anew.
#[derive(Default)]
struct Reinstall {
    /// The entries, by the name of their distribution.
    entries: BTreeMap<String, BTreeSet<EntryIndex>>,
    places: BTreeSet<Place>,
}

impl Reinstall {
    fn add(&mut self, finding: &Finding, environments: &BTreeSet<EnvironmentIndex>) {
        self.entries.entry(finding.name.clone()).or_default().extend(finding.entry);
        let place = |index: &EnvironmentIndex| (*index, finding.name.clone(), finding.version.clone());
        self.places.extend(environments.iter().map(place));
    }

    /// Leaves out the entries that others have.
    fn leave_to(&mut self, others: &[&Self]) {
        let taken: BTreeSet<EntryIndex> =
            others.iter().flat_map(|it| it.entries.values()).flatten().copied().collect();
        for entries in self.entries.values_mut() {
            entries.retain(|entry| !taken.contains(entry));
        }
        self.entries.retain(|_, entries| !entries.is_empty());
    }

    /// The commands that take entries away and have uv make them again, the environments after them.
    ///
    /// Only an entry that is gone is unpacked again from a file of this machine (uv 0.13.8). One that an environment reaches by
    /// symlinks is not pruned; uv cleans all versions of a package, which would break every environment that reaches another
    /// one.
    fn again(&self, snapshot: &Snapshot, origins: &Origins<'_>, verified: &Verified) -> Found {
        let (mut pruned, mut allowed, mut cleaned, mut removed) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut found, mut places) = (Found::default(), BTreeSet::new());
        for (name, entries) in &self.entries {
            let own = self.places.iter().filter(|(_, it, _)| it == name).cloned();
            let broken: BTreeSet<Place> =
                entries.iter().flat_map(|entry| linking(snapshot, *entry)).collect();
            let source = |entry: &EntryIndex| &snapshot.entry(*entry).source;
            let lost = entries.iter().find_map(|entry| source(entry).gone.as_ref());
            if let Some(gone) = lost {
                found.last.push(format!("{name} came from `{}`, which is gone.", gone.display()));
                continue;
            }
            // The way around a prune is for environments that symlinks hold, which are installed again afterwards.
            let kept = entries.iter().find_map(|entry| {
                let because = prune::against_named(snapshot, *entry)?;
                let outside = !snapshot.user_links_to(*entry).is_empty();
                match because {
                    KeptBecause::Protected { .. } if outside => {
                        Some((entry, prune::linked(snapshot, *entry)))
                    }
                    KeptBecause::Protected { .. } => None,
                    because => Some((entry, because)),
                }
            });
            if let Some((entry, because)) = kept {
                let id = snapshot.entry(*entry).key.id.display();
                found.stuck.extend(entries);
                found.held.insert(format!("{name}: `{id}` is kept, {}.", because.sentence()));
                continue;
            }
            let unlocated = entries.iter().any(|entry| source(entry).unlocated);
            if broken.is_empty() {
                let ids = entries.iter().map(|entry| snapshot.entry(*entry).key.id.display().to_string());
                if unlocated {
                    allowed.extend(ids);
                } else {
                    pruned.extend(ids);
                }
                places.extend(own);
                continue;
            }
            if unlocated {
                found.last.push(format!(
                    "{name} came from this machine, nothing tells from where, and environments reach it by symlinks."
                ));
                continue;
            }
            // What cannot be installed again is not taken away.
            let stored =
                |(index, name, _): &Place| name.is_empty() || snapshot.environment(*index).entry.is_some();
            if !is_plain(name) || broken.iter().any(stored) {
                continue;
            }
            let of_name = |(_, it): &(EntryIndex, &Entry)| it.name.as_ref() == Some(name);
            if snapshot.entries().filter(of_name).count() <= entries.len() || cfg!(windows) {
                cleaned.push(name.clone());
            } else {
                removed.extend(entries.iter().flat_map(|entry| files(snapshot, *entry)));
            }
            places.extend(own.chain(broken));
        }
        let mut add = |start: Vec<String>, about: Vec<String>| {
            if !about.is_empty() {
                found.commands.push(Command::new(start.iter().map(String::as_str), about));
            }
        };
        add(cachetui(snapshot, &["prune", "--"]), pruned);
        add(cachetui(snapshot, &["prune", "--allow", "gone", "--"]), allowed);
        add([uv(snapshot), vec!["cache".to_owned(), "clean".to_owned()]].concat(), cleaned);
        add(["rm", "-rf", "--"].map(str::to_owned).to_vec(), removed);
        commands(snapshot, origins, &places, verified, &mut found);
        if found.commands.len() > 1 {
            found.notes.insert(0, "The commands belong together, in this order.".to_owned());
        }
        found
    }
}

/// What leads to an entry, and the entry after it, as whole paths.
fn files(snapshot: &Snapshot, entry: EntryIndex) -> Vec<String> {
    let entry = snapshot.entry(entry);
    let pointers = entry.pointers.iter().map(|pointer| snapshot.pointer(*pointer).path.clone());
    let itself = entry.key.path();
    pointers.chain([itself]).map(|path| snapshot.cache.path.join(path).display().to_string()).collect()
}

/// The distributions that reach an entry by symlinks.
fn linking(snapshot: &Snapshot, entry: EntryIndex) -> impl Iterator<Item = Place> + '_ {
    let links = snapshot.references_to(entry).iter().filter(|it| it.by.symlink + it.counts.symlink > 0);
    links.map(move |it| {
        let environment = snapshot.environment(it.environment);
        let distribution = it.distribution.and_then(|number| environment.distributions.get(number as usize));
        // What no distribution claims is still broken, by nobody's name.
        distribution.map_or_else(
            || (it.environment, String::new(), String::new()),
            |found| (it.environment, found.name.clone(), found.version.clone()),
        )
    })
}

/// Commands, and what has to be said with them.
#[derive(Default)]
struct Found {
    commands: Vec<Command>,
    notes: Vec<String>,
    /// What has no source that is known, as sentences.
    last: Vec<String>,
    /// What is in the way of commands, as sentences.
    held: BTreeSet<String>,
    /// Damaged entries that cannot go.
    stuck: BTreeSet<EntryIndex>,
}

/// Adds the commands that install distributions again where they are, from where they came.
fn commands(
    snapshot: &Snapshot,
    origins: &Origins<'_>,
    places: &BTreeSet<Place>,
    verified: &Verified,
    found: &mut Found,
) {
    let in_the_way = &verified.obstacles;
    let environments: BTreeSet<EnvironmentIndex> = places.iter().map(|(index, ..)| *index).collect();
    for it in environments.iter().filter_map(|index| in_the_way.get(index)) {
        found.held.extend(it.full.iter().map(|path| format!("{}.", obstacles::full(path))));
        let removed = obstacles::removed(it);
        if !removed.is_empty() && found.notes.iter().all(|note| note != obstacles::FIRST) {
            found.notes.push(obstacles::FIRST.to_owned());
        }
        found.commands.extend(removed);
    }
    let blocked = |index: &EnvironmentIndex| in_the_way.get(index).is_some_and(|it| !it.full.is_empty());
    for (index, name, version) in places.iter().filter(|(index, ..)| !blocked(index)) {
        let environment = snapshot.environment(*index);
        let text = |path: &std::path::Path| path.display().to_string();
        let (root, program) = (text(&environment.path), environment.installation.as_deref().map(text));
        let prefix = environment.prefix.as_deref().map(text);
        let installed =
            environment.distributions.iter().find(|it| it.name == *name && it.version == *version);
        if installed.is_some_and(Distribution::is_of_conda) {
            let package = verified.conda.get(&(*index, name.clone()));
            if let Some((command, note)) = of_conda(&root, package, name, version) {
                found.commands.push(command);
                found.notes.extend(note);
            }
            continue;
        }
        let came = installed.map(|it| origins.came_from(it)).unwrap_or_default();
        let Some(Again { options, about, note }) = again(name, version, &came) else { continue };
        let mut words = uv(snapshot);
        words.extend(["pip", "install"].map(str::to_owned));
        words.extend(place(Where::of(environment, &root, program.as_deref(), prefix.as_deref())));
        words.extend(["--reinstall", "--no-deps"].map(str::to_owned));
        // What was linked otherwise than uv does by itself stays so.
        if installed.is_some_and(|it| it.mode == LinkMode::Only(Mode::Symlink)) {
            words.extend(["--link-mode", "symlink"].map(str::to_owned));
        }
        let entry = installed.and_then(|it| it.entry);
        if entry.is_some_and(|entry| verified.offline.contains(&(*index, entry))) {
            words.push(OFFLINE.to_owned());
        }
        words.extend(options);
        if let Some(note) = note.filter(|note| !found.notes.contains(note)) {
            found.notes.push(note);
        }
        let command = Command::new(words.iter().map(String::as_str), about);
        let rest = match found.commands.last_mut() {
            Some(last) => last.join(command),
            None => Some(command),
        };
        found.commands.extend(rest);
    }
}
