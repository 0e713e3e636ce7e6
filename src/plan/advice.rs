//! What a person can do about contents that are not as `RECORD` says, and about what environments keep in the cache.
//!
//! Nothing of this is done by itself: whose edit it is, and whether it was meant, only a person knows.

use std::collections::BTreeSet;

use serde::Serialize;

use super::repair::Command;
use super::{At, KeptBecause, Plan};
use crate::scan::verify::{Fault, Finding, Verified};
use crate::snapshot::{EnvironmentIndex, LinkMode, Mode, Snapshot};
use crate::uv::distribution::requirement;

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
    let mut lacking = Reinstall::default();
    for finding in verified.damage() {
        let environments: BTreeSet<_> = finding.places.iter().filter_map(|it| it.environment).collect();
        let in_cache = finding.places.iter().any(|it| it.environment.is_none());
        match finding.fault {
            Fault::Extra => {}
            Fault::Missing if !in_cache => missing.extend(environments),
            _ if in_cache && finding.good.is_some() && !environments.is_empty() => {
                keepers.extend(environments);
            }
            _ if in_cache && finding.good.is_some() => lacking.add(finding, &environments),
            _ if in_cache => stored.add(finding, &environments),
            _ => alone.add(finding, &environments),
        }
    }
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
        (&lacking, "What is damaged in the cache alone uv makes anew by:"),
        (&stored, "Nobody has a good copy. uv makes the entry anew, and from it the environments, by:"),
    ] {
        if what.names.is_empty() {
            continue;
        }
        let start: Vec<String> =
            uv(snapshot).into_iter().chain(["cache", "clean"].map(str::to_owned)).collect();
        let clean = Command::new(start.iter().map(String::as_str), what.names.iter().cloned().collect());
        let commands = std::iter::once(clean).chain(what.commands(snapshot)).collect();
        all.push(Advice { text, commands, keepers: Vec::new() });
    }
    if !alone.names.is_empty() {
        let text = "What was changed in one environment alone is as before after:";
        all.push(Advice { text, commands: alone.commands(snapshot), keepers: Vec::new() });
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

/// What has to be installed again, and where.
#[derive(Default)]
struct Reinstall {
    names: BTreeSet<String>,
    places: BTreeSet<(EnvironmentIndex, String, String)>,
}

impl Reinstall {
    fn add(&mut self, finding: &Finding, environments: &BTreeSet<EnvironmentIndex>) {
        self.names.insert(finding.name.clone());
        let place = |index: &EnvironmentIndex| (*index, finding.name.clone(), finding.version.clone());
        self.places.extend(environments.iter().map(place));
    }

    fn commands(&self, snapshot: &Snapshot) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        for (index, name, version) in &self.places {
            let environment = snapshot.environment(*index);
            let root = environment.path.display().to_string();
            let mut rest = vec!["pip", "install", "--python", &root, "--reinstall", "--no-deps"];
            let installed =
                environment.distributions.iter().find(|it| it.name == *name && it.version == *version);
            // What was linked otherwise than uv does by itself stays so.
            if installed.is_some_and(|it| it.mode == LinkMode::Only(Mode::Symlink)) {
                rest.extend(["--link-mode", "symlink"]);
            }
            let uv = uv(snapshot);
            let start = uv.iter().map(String::as_str).chain(rest);
            let from = installed.and_then(|it| it.direct_url.as_ref());
            let command = Command::new(start, requirement(name, version, from));
            let rest = match commands.last_mut() {
                Some(last) => last.join(command),
                None => Some(command),
            };
            commands.extend(rest);
        }
        commands
    }
}
