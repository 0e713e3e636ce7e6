//! What a person can do about contents that are not as `RECORD` says, and about what environments keep in the cache.
//!
//! Nothing of this is done by itself: whose edit it is, and whether it was meant, only a person knows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::repair::Command;
use super::{At, KeptBecause, Plan};
use crate::scan::verify::{Fault, Finding, Verified};
use crate::snapshot::{EntryIndex, EnvironmentIndex, LinkMode, Mode, Snapshot};
use crate::uv::distribution::{is_plain, requirement};

/// A way out, for some of what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What it is good for, as a sentence. Not escaped.
    pub text: &'static str,
    /// What does it: each one by itself for edits that can be kept, else one after the other.
    pub commands: Vec<Command>,
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
            _ if in_cache && finding.good.is_some() && !environments.is_empty() => {
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
    if !missing.is_empty() {
        let command = Command::new(["cachetui", "repair"], missing.iter().map(root).collect());
        let text = "What is missing in an environment comes back from a cache that has it; of the rest the commands are \
            named:";
        all.push(Advice { text, commands: vec![command], keepers: Vec::new() });
    }
    if !keepers.is_empty() {
        let commands = keepers
            .iter()
            .map(|index| Command::new(["cachetui", "verify", "--detach", &root(index)], Vec::new()));
        all.push(Advice {
            text: "Who has edited a file that is shared? That environment keeps the edit, the cache and all others get \
                back what RECORD states:",
            commands: commands.collect(),
            keepers: keepers.iter().copied().collect(),
        });
    }
    for (what, text) in [
        (&lacking, "What is damaged in the cache alone goes, and uv makes it anew when it needs it, by:"),
        (&stored, "Nobody has a good copy. uv makes the entry anew, and from it the environments, by:"),
        (
            &added,
            "A file that RECORD does not list goes with its entry, which uv makes again when it needs it:",
        ),
    ] {
        let commands = what.anew(snapshot);
        if !commands.is_empty() {
            all.push(Advice { text, commands, keepers: Vec::new() });
        }
    }
    let commands = commands(snapshot, &alone.places);
    if !commands.is_empty() {
        let text = "What was changed in one environment alone is as before after:";
        all.push(Advice { text, commands, keepers: Vec::new() });
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
    let roots = roots.into_iter().map(At::path).filter(|path| snapshot.cache.relative(path).is_none());
    let roots: Vec<String> = roots.map(|path| path.display().to_string()).collect();
    let mut start = vec!["cachetui".to_owned()];
    start.extend(other_cache(snapshot));
    start.extend(["relink", "--link-mode", "copy"].map(str::to_owned));
    (!roots.is_empty()).then(|| Advice {
        text: "What is reached by symlinks can go once these environments are linked otherwise:",
        commands: vec![Command::new(start.iter().map(String::as_str), roots)],
        keepers: Vec::new(),
    })
}

/// The option that names the cache, where it is not the one that would be taken without.
fn other_cache(snapshot: &Snapshot) -> Vec<String> {
    let named = snapshot.cache.found_by.contains("--cache-dir");
    let option = || vec!["--cache-dir".to_owned(), snapshot.cache.path.display().to_string()];
    if named { option() } else { Vec::new() }
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

    /// The commands that take entries away and have uv make them anew, the environments after them.
    ///
    /// Only an entry that is gone is unpacked again from a file of this machine (uv 0.13.8). One that an environment reaches
    /// by symlinks is not pruned; uv cleans all versions of it, which breaks every environment that reaches one.
    fn anew(&self, snapshot: &Snapshot) -> Vec<Command> {
        let (mut pruned, mut cleaned, mut places) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, entries) in &self.entries {
            let own = self.places.iter().filter(|(_, it, _)| it == name).cloned();
            if entries.iter().all(|entry| linking(snapshot, *entry).next().is_none()) {
                pruned
                    .extend(entries.iter().map(|entry| snapshot.entry(*entry).key.id.display().to_string()));
                places.extend(own);
                continue;
            }
            let versions: Vec<EntryIndex> = snapshot
                .entries()
                .filter(|(_, it)| it.name.as_ref() == Some(name))
                .map(|(index, _)| index)
                .collect();
            let broken: BTreeSet<Place> =
                versions.iter().flat_map(|entry| linking(snapshot, *entry)).collect();
            let stored =
                |(index, name, _): &Place| name.is_empty() || snapshot.environment(*index).entry.is_some();
            // What cannot be had again, or installed again, is not taken away.
            let lost = versions.iter().any(|entry| snapshot.entry(*entry).source.gone.is_some());
            if lost || !is_plain(name) || broken.iter().any(stored) {
                continue;
            }
            cleaned.push(name.clone());
            places.extend(own.chain(broken));
        }
        let start = |program: &str, words: &[&str]| -> Vec<String> {
            let program = vec![program.to_owned()];
            [program, other_cache(snapshot), words.iter().map(|it| (*it).to_owned()).collect()].concat()
        };
        let mut all = Vec::new();
        let mut add = |start: Vec<String>, about: Vec<String>| {
            if !about.is_empty() {
                all.push(Command::new(start.iter().map(String::as_str), about));
            }
        };
        add(start("cachetui", &["prune", "--"]), pruned);
        add(start("uv", &["cache", "clean"]), cleaned);
        all.extend(commands(snapshot, &places));
        all
    }
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

/// The commands that install distributions again where they are.
fn commands(snapshot: &Snapshot, places: &BTreeSet<Place>) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for (index, name, version) in places {
        let environment = snapshot.environment(*index);
        let root = environment.path.display().to_string();
        let mut rest = vec!["pip", "install", "--python", &root, "--reinstall", "--no-deps"];
        let installed =
            environment.distributions.iter().find(|it| it.name == *name && it.version == *version);
        // What was linked otherwise than uv does by itself stays so.
        if installed.is_some_and(|it| it.mode == LinkMode::Only(Mode::Symlink)) {
            rest.extend(["--link-mode", "symlink"]);
        }
        let from = installed.and_then(|it| it.direct_url.as_ref());
        let Some(about) = requirement(name, version, from) else { continue };
        let uv = uv(snapshot);
        let command = Command::new(uv.iter().map(String::as_str).chain(rest), about);
        let rest = match commands.last_mut() {
            Some(last) => last.join(command),
            None => Some(command),
        };
        commands.extend(rest);
    }
    commands
}
