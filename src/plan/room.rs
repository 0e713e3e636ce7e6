//! Ways to make room: each with what it frees, and the command that does it.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::advice::cachetui;
use super::repair::Command;
use super::{
    Action, At, Class, GRACE, Plan, Prune, Relink, Remove, Request, against_removal, is_removable, plan,
};
use crate::human;
use crate::snapshot::{Certainty, Environment, EnvironmentIndex, EnvironmentKind, Mode, Snapshot};

/// How long an environment has shown no sign of use that is offered for removal, in seconds.
pub const IDLE: u64 = 90 * 24 * 60 * 60;

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
pub fn prunes(snapshot: &Snapshot, grace: u64) -> Vec<Way> {
    // What is superseded is unused too, and old generations are cached environments.
    let is_part = |class: &Class| matches!(class, Class::Superseded | Class::OldGenerations);
    let classes = Class::ALL.into_iter().filter(|class| !is_part(class));
    classes.filter_map(|class| of_class(snapshot, class, grace)).collect()
}

fn of_class(snapshot: &Snapshot, class: Class, grace: u64) -> Option<Way> {
    let request = Prune { classes: BTreeSet::from([class]), grace, ..Prune::default() };
    let made = plan(snapshot, &Request::Prune(request));
    let number = made.steps.iter().filter(|step| step.action != Action::RemoveObjects).count() as u64;
    let flag = format!("--{}", class.word());
    (!made.is_empty()).then(|| Way {
        kind: WayKind::Prune(class),
        number,
        frees: made.totals.bytes.reclaimable,
        certainty: made.totals.bytes.certainty,
        command: command(snapshot, &["prune", &flag]),
    })
}

/// What else would help where a plan does not reach its limit, the largest first: kinds of things that were not asked for, and the
/// ways besides pruning.
pub(super) fn more(snapshot: &Snapshot, request: &Request) -> Vec<Way> {
    let mut more = ways(snapshot);
    if let Request::Prune(prune) = request {
        let has = |class: Class| prune.classes.contains(&class);
        let is_covered = |class: Class| match class {
            Class::Superseded => has(Class::Unused),
            Class::OldGenerations => has(Class::CachedEnvironments),
            class => has(class),
        };
        let others = Class::ALL.into_iter().filter(|class| !is_covered(*class));
        more.extend(others.filter_map(|class| of_class(snapshot, class, prune.grace)));
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
pub fn ways(snapshot: &Snapshot) -> Vec<Way> {
    let mut ways: Vec<Way> =
        [trash(snapshot), copies(snapshot), idle(snapshot)].into_iter().flatten().collect();
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
    })
}

/// Copies that could be linked to the cache: to clones where the filesystem has them, else to hardlinks.
fn copies(snapshot: &Snapshot) -> Option<Way> {
    let mode = if snapshot.cache.reflinks { Mode::Clone } else { Mode::Hardlink };
    let environments = snapshot.environments.iter().filter(|it| it.entry.is_none() && it.copied > 0);
    let environments = environments.map(|it| At::new(&it.path)).collect();
    let made = plan(snapshot, &Request::Relink(Relink { environments, mode, packages: Vec::new() }));
    let frees = made.totals.bytes.reclaimable.saturating_sub(made.totals.bytes.needed);
    let mut roots: Vec<&At> = made.relinks.iter().map(|step| &step.at).collect();
    roots.sort_unstable();
    roots.dedup();
    (frees > 0).then(|| Way {
        kind: WayKind::Copies,
        number: roots.len() as u64,
        frees,
        certainty: made.totals.bytes.certainty,
        command: command(snapshot, &["relink", "--all", "--link-mode", mode.word()]),
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

fn idle(snapshot: &Snapshot) -> Option<Way> {
    let indices = idle_environments(snapshot, IDLE).into_iter();
    let environments: Vec<At> = indices.map(|index| At::new(&snapshot.environment(index).path)).collect();
    let request =
        Remove { environments, with_entries: true, chosen: true, grace: GRACE, ..Remove::default() };
    let made: Plan = plan(snapshot, &Request::Remove(request));
    let number = made.steps.iter().filter(|step| !step.is_in_cache()).count() as u64;
    (number > 0).then(|| Way {
        kind: WayKind::Idle,
        number,
        frees: made.totals.bytes.reclaimable,
        certainty: made.totals.bytes.certainty,
        command: command(snapshot, &["remove", "--idle", "90d", "--with-entries"]),
    })
}

/// A command of this program, with the option that names the cache where it would take another one.
fn command(snapshot: &Snapshot, words: &[&str]) -> Command {
    let words = cachetui(snapshot, words);
    Command::new(words.iter().map(String::as_str), Vec::new())
}
