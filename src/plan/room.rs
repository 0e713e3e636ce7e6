//! Ways to make room: each with what it frees, and the command that does it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::advice::cachetui;
use super::repair::Command;
use super::{
    Action, At, Class, GRACE, Plan, Prune, Relink, Remove, Request, against_removal, is_removable, plan,
};
use crate::human;
use crate::snapshot::{Certainty, Environment, EnvironmentIndex, EnvironmentKind, Health, Mode, Snapshot};

/// How long an environment has shown no sign of use that is offered for removal, in seconds.
pub const IDLE: u64 = 90 * 24 * 60 * 60;

/// How many environments a command names one by one.
const NAMED: usize = 3;

/// A way to make room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// What kind of thing it is about.
    #[serde(serialize_with = "kind")]
    pub kind: WayKind,
    /// How many of them there are.
    pub number: u64,
    /// The bytes that it frees, alone.
    pub frees: u64,
    /// How sure that is.
    #[serde(serialize_with = "certainty")]
    pub certainty: Certainty,
    /// What does it.
    pub command: Command,
    /// The environments that it is about.
    #[serde(skip)]
    pub environments: Vec<PathBuf>,
}

/// What a way to make room is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayKind {
    /// What a prune of this kind of things removes.
    Prune(Class),
    /// The trash of the cache.
    Trash,
    /// Copies of files that the cache has too, and could share.
    Copies,
    /// Environments that show no sign of use for long, with the entries that only they use.
    Idle,
}

/// The mode in which copies are linked to the cache: clones where the filesystem has them, else hardlinks.
pub fn sharing(snapshot: &Snapshot) -> Mode {
    if snapshot.cache.reflinks { Mode::Clone } else { Mode::Hardlink }
}

/// The environments that do not work, and not only because they belong to another machine.
pub fn broken(snapshot: &Snapshot) -> Vec<&Path> {
    let is_broken = |it: &&Environment| it.health != Health::Ok && !it.works_elsewhere();
    snapshot.environments.iter().filter(is_broken).map(|it| it.path.as_path()).collect()
}

/// How long something stays after its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// In seconds.
    pub seconds: u64,
    /// Whether a command has to say so, because it would take another one.
    pub said: bool,
}

impl Grace {
    fn command(self, snapshot: &Snapshot, words: &[&str]) -> Command {
        let age = match self.seconds {
            seconds if seconds % 86_400 == 0 && seconds > 0 => format!("{}d", seconds / 86_400),
            seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
            seconds => format!("{}min", seconds / 60),
        };
        let said: &[&str] = if self.said { &["--grace", &age] } else { &[] };
        command(snapshot, &[words, said].concat())
    }
}

impl WayKind {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prune(class) => class.word(),
            Self::Trash => "trash",
            Self::Copies => "copies",
            Self::Idle => "idle-environments",
        }
    }

    /// What it is about, as the head of a row.
    pub fn label(self) -> String {
        match self {
            Self::Prune(class) => class.word().replace('-', " "),
            Self::Trash => "trash".to_owned(),
            Self::Copies => "environments with copies".to_owned(),
            Self::Idle => "idle environments".to_owned(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn kind<S: Serializer>(kind: &WayKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn certainty<S: Serializer>(certainty: &Certainty, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(certainty.word())
}

impl Way {
    /// What it is and what it frees, as a sentence without its command. Not escaped.
    pub fn sentence(&self) -> String {
        let frees = format!("{}{}", self.certainty.before(), human::bytes(self.frees));
        match self.kind {
            WayKind::Prune(class @ (Class::Unreferenced | Class::Unused | Class::Superseded)) => {
                format!("Pruning {} entries frees {frees}", class.word())
            }
            WayKind::Prune(class) => format!("Pruning {} frees {frees}", class.word().replace('-', " ")),
            WayKind::Trash => format!("Emptying the trash frees {frees}"),
            WayKind::Copies => format!(
                "Linking the copies of {} to the cache frees {frees}",
                human::counted(self.number, "environment", "environments")
            ),
            WayKind::Idle => format!(
                "Removing {} without a sign of use for 90 days, with the entries that only they use, frees {frees}",
                human::counted(self.number, "environment", "environments")
            ),
        }
    }

    /// The same with its command. Not escaped.
    pub fn in_words(&self) -> String {
        format!("{}: `{}`.", self.sentence(), self.command.text())
    }
}

/// What a prune of each kind of things would free; kinds of which nothing can go are left out.
pub fn prunes(snapshot: &Snapshot, grace: Grace) -> Vec<Way> {
    // What is superseded is unused too, and old generations are cached environments.
    let is_part = |class: &Class| matches!(class, Class::Superseded | Class::OldGenerations);
    let classes = Class::ALL.into_iter().filter(|class| !is_part(class));
    classes.filter_map(|class| of_class(snapshot, class, grace)).collect()
}

fn of_class(snapshot: &Snapshot, class: Class, grace: Grace) -> Option<Way> {
    let request = Prune { classes: BTreeSet::from([class]), grace: grace.seconds, ..Prune::default() };
    let made = plan(snapshot, &Request::Prune(request));
    let number = made.steps.iter().filter(|step| step.action != Action::RemoveObjects).count() as u64;
    let flag = format!("--{}", class.word());
    (!made.is_empty()).then(|| Way {
        kind: WayKind::Prune(class),
        number,
        frees: made.totals.bytes.reclaimable,
        certainty: made.totals.bytes.certainty,
        command: grace.command(snapshot, &["prune", &flag]),
        environments: Vec::new(),
    })
}

/// What else would help where a plan does not reach its limit, the largest first: kinds of things that were not asked for, and the
/// ways besides pruning.
pub(super) fn more(snapshot: &Snapshot, request: &Request) -> Vec<Way> {
    // A policy removes idle environments itself, where it says so.
    let is_done = |way: &Way| {
        way.kind == WayKind::Idle
            && matches!(request, Request::Gc(policy) if !policy.remove.environments.is_empty())
    };
    let grace = match request {
        Request::Prune(prune) if prune.grace != GRACE => Grace { seconds: prune.grace, said: true },
        _ => Grace { seconds: GRACE, said: false },
    };
    let mut more = ways(snapshot, grace);
    more.retain(|way| !is_done(way));
    if let Request::Prune(prune) = request {
        let has = |class: Class| prune.classes.contains(&class);
        let is_covered = |class: Class| match class {
            Class::Superseded => has(Class::Unused),
            Class::OldGenerations => has(Class::CachedEnvironments),
            class => has(class),
        };
        let others = Class::ALL.into_iter().filter(|class| !is_covered(*class));
        more.extend(others.filter_map(|class| of_class(snapshot, class, grace)));
        more.sort_by_key(|way| std::cmp::Reverse(way.frees));
    }
    more
}

/// The plan for everything that nothing uses.
pub fn unused(snapshot: &Snapshot, grace: u64) -> Plan {
    let request = Prune { classes: BTreeSet::from([Class::Unused]), grace, ..Prune::default() };
    plan(snapshot, &Request::Prune(request))
}

/// The command that repairs what can be repaired, in every environment.
pub fn repair_all(snapshot: &Snapshot) -> Command {
    command(snapshot, &["repair", "--all"])
}

/// The ways besides pruning that free something, the largest first.
pub fn ways(snapshot: &Snapshot, grace: Grace) -> Vec<Way> {
    let mut ways: Vec<Way> =
        [trash(snapshot), copies(snapshot), idle(snapshot, grace)].into_iter().flatten().collect();
    ways.sort_by_key(|way| std::cmp::Reverse(way.frees));
    ways
}

fn trash(snapshot: &Snapshot) -> Option<Way> {
    let frees = snapshot.cache.trash_gives();
    let trash = snapshot.cache.trash().filter(|_| frees > 0)?;
    let certainty = if frees == trash.disk { Certainty::Exact } else { Certainty::AtLeast };
    Some(Way {
        kind: WayKind::Trash,
        number: 1,
        frees,
        certainty,
        command: command(snapshot, &["trash", "purge"]),
        environments: Vec::new(),
    })
}

/// Copies that could be linked to the cache: to clones where the filesystem has them, else to hardlinks.
fn copies(snapshot: &Snapshot) -> Option<Way> {
    let mode = sharing(snapshot);
    let of = |is_meant: &dyn Fn(&Environment) -> bool| {
        let environments = snapshot.environments.iter().filter(|it| it.entry.is_none() && is_meant(it));
        let environments = environments.map(|it| At::new(&it.path)).collect();
        let made = plan(snapshot, &Request::Relink(Relink { environments, mode, packages: Vec::new() }));
        let roots: BTreeSet<At> = made.steps.iter().map(|step| step.at.clone()).collect();
        (made.totals.bytes, roots)
    };
    let (mut bytes, mut roots) = of(&|it| it.copied > 0);
    let mut words = vec!["relink".to_owned(), "--link-mode".to_owned(), mode.word().to_owned()];
    if roots.len() > NAMED {
        // That links others too, which are not copies.
        (bytes, roots) = of(&|_| true);
        words.push("--all".to_owned());
    } else {
        words.extend(roots.iter().map(|root| root.path().display().to_string()));
    }
    let frees = bytes.reclaimable.saturating_sub(bytes.needed);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    (frees > 0).then(|| Way {
        kind: WayKind::Copies,
        number: roots.len() as u64,
        frees,
        certainty: bytes.certainty,
        command: command(snapshot, &words),
        environments: roots.iter().map(At::path).collect(),
    })
}

/// Environments without a sign of use for so many seconds, but for those that stay in any case, and tools.
pub fn idle_environments(snapshot: &Snapshot, seconds: u64) -> Vec<EnvironmentIndex> {
    let is_idle = |(_, item): &(EnvironmentIndex, &Environment)| {
        item.kind != EnvironmentKind::Tool
            && is_removable(item)
            && against_removal(item).is_none()
            && snapshot.is_idle(item, seconds)
    };
    snapshot.environments().filter(is_idle).map(|(index, _)| index).collect()
}

fn idle(snapshot: &Snapshot, grace: Grace) -> Option<Way> {
    let indices = idle_environments(snapshot, IDLE).into_iter();
    let roots: Vec<PathBuf> = indices.map(|index| snapshot.environment(index).path.clone()).collect();
    let environments = roots.iter().map(|root| At::new(root)).collect();
    let request =
        Remove { environments, with_entries: true, chosen: true, grace: grace.seconds, ..Remove::default() };
    let made: Plan = plan(snapshot, &Request::Remove(request));
    let number = made.steps.iter().filter(|step| !step.is_in_cache()).count() as u64;
    (number > 0).then(|| Way {
        kind: WayKind::Idle,
        number,
        frees: made.totals.bytes.reclaimable,
        certainty: made.totals.bytes.certainty,
        command: grace.command(snapshot, &["remove", "--idle", "90d", "--with-entries"]),
        environments: roots,
    })
}

/// A command of this program, with the option that names the cache where it would take another one.
fn command(snapshot: &Snapshot, words: &[&str]) -> Command {
    let words = cachetui(snapshot, words);
    Command::new(words.iter().map(String::as_str), Vec::new())
}
