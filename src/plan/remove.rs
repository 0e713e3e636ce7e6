//! Removes environments that lie outside of the cache, and the entries that only they use.
//!
//! What else there is to know of an environment, as the processes that run in it and the files of a person in it, is looked at
//! before the request is made, and again when a step is carried out.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::prune::{self, Candidate, Chooser};
use super::step::Bytes;
use super::{
    Action, At, Class, Gc, Kept, KeptBecause, NamedLink, Plan, Price, Prune, Remove, RemoveWork, Step, Work,
};
use crate::human;
use crate::snapshot::{
    EntryIndex, Environment, EnvironmentIndex, EnvironmentKind, Evidence, FoundBy, Health, Holder, Manager,
    Snapshot, TreePrint,
};
use crate::uv::bucket;

/// Fills in the steps and what is kept.
pub(super) fn remove(snapshot: &Snapshot, request: &Remove, plan: &mut Plan) {
    let entries = Prune { grace: request.grace, allow: request.allow.clone(), ..Prune::default() };
    let (going, mut candidates) = chosen(snapshot, request, &entries, plan);
    if request.with_entries {
        prune::objects_of(snapshot, &entries, &going, &mut candidates);
    }
    prune::give_back(snapshot, &mut candidates);
    plan.steps.extend(candidates.into_iter().map(|candidate| candidate.step));
    plan.kept.sort_by_cached_key(|kept| (std::cmp::Reverse(kept.disk), kept.at.clone()));
}

/// The same for a policy, which prunes the cache too.
pub(super) fn gc(snapshot: &Snapshot, request: &Gc, plan: &mut Plan) {
    let keep = request.prunes.first().map(|prune| prune.keep.clone()).unwrap_or_default();
    let (grace, allow) = (request.remove.grace, request.remove.allow.clone());
    let entries = Prune { grace, keep, allow, ..Prune::default() };
    let (going, candidates) = chosen(snapshot, &request.remove, &entries, plan);
    prune::after(snapshot, &going, candidates, &request.prunes, plan);
}

/// The environments that go, with what goes for that: the environments, links to some, and entries that `entries` lets go.
fn chosen(
    snapshot: &Snapshot,
    request: &Remove,
    entries: &Prune,
    plan: &mut Plan,
) -> (BTreeSet<EnvironmentIndex>, Vec<Candidate>) {
    let asked: BTreeSet<EnvironmentIndex> =
        request.environments.iter().filter_map(|at| snapshot.find_environment(&at.path())).collect();
    let mut going = BTreeSet::new();
    for index in asked {
        match against_removal(snapshot.environment(index)) {
            Some(because) => plan.kept.push(kept_environment(snapshot.environment(index), because)),
            None => {
                going.insert(index);
            }
        }
    }
    // One that stays keeps what it needs, which may need others in turn.
    loop {
        let needed = |index: &EnvironmentIndex| Some((*index, needs(snapshot, *index, &going)?));
        let Some((index, because)) = going.iter().find_map(needed) else { break };
        going.remove(&index);
        plan.kept.push(kept_environment(snapshot.environment(index), because));
    }
    let mut candidates: Vec<Candidate> =
        in_order(snapshot, &going).into_iter().map(|index| candidate(snapshot, index, &going)).collect();
    candidates.extend(request.links.iter().map(link));
    if request.with_entries {
        let chooser = Chooser::without(snapshot, entries, &going);
        prune::entries_of(&chooser, &used_by(snapshot, &going), &mut candidates, plan);
    }
    (going, candidates)
}

/// The entries that environments use.
fn used_by(snapshot: &Snapshot, going: &BTreeSet<EnvironmentIndex>) -> BTreeSet<EntryIndex> {
    let uses = |index: EntryIndex| {
        let mut references = snapshot.references_to(index).iter();
        references.any(|it| it.evidence > Evidence::Name && going.contains(&it.environment))
    };
    snapshot.entries().map(|(index, _)| index).filter(|index| uses(*index)).collect()
}

/// Whether something is an environment outside of the cache, which `remove` is about.
pub fn is_removable(environment: &Environment) -> bool {
    !matches!(against_removal(environment), Some(KeptBecause::NoEnvironment | KeptBecause::InCache))
}

/// What speaks against removing an environment, whatever else goes, and whatever is in it.
pub fn against_removal(environment: &Environment) -> Option<KeptBecause> {
    if environment.is_base {
        return Some(KeptBecause::NoEnvironment);
    }
    if matches!(environment.manager, Manager::Conda) {
        return Some(managed(
            "conda",
            format!("conda env remove --prefix {}", human::shell_os(environment.path.as_os_str())),
        ));
    }
    if environment.prefix.is_some()
        || environment.installation.is_some()
        || !matches!(
            environment.manager,
            Manager::Uv | Manager::Virtualenv | Manager::Venv | Manager::Unknown
        )
    {
        return Some(KeptBecause::NoEnvironment);
    }
    if environment.inside
        || environment.entry.is_some()
        || bucket::lies_in_one(&environment.path)
        || matches!(
            environment.kind,
            EnvironmentKind::Cached | EnvironmentKind::Script | EnvironmentKind::Central
        )
    {
        return Some(KeptBecause::InCache);
    }
    if environment.kind == EnvironmentKind::Tool {
        return Some(tool(environment));
    }
    if !environment.nested.is_empty() {
        let what = environment.nested.iter().map(|path| At::new(path)).collect();
        return Some(KeptBecause::Holds { what });
    }
    environment.unread.then_some(KeptBecause::Unread)
}

fn managed(by: &str, command: String) -> KeptBecause {
    KeptBecause::Managed { by: by.to_owned(), command }
}

/// That a tool's own program uninstalls it. Where it was not found in the place that the program uses by itself, it is told the place:
/// it would uninstall another one of the name there.
fn tool(environment: &Environment) -> KeptBecause {
    let name = human::shell_os(environment.path.file_name().unwrap_or_default());
    let (by, command, variable, above) = if environment.is_of_pipx {
        ("pipx", "pipx uninstall", "PIPX_HOME", 2)
    } else {
        ("uv", "uv tool uninstall", "UV_TOOL_DIR", 1)
    };
    let place = environment.path.ancestors().nth(above).filter(|_| environment.found_by != FoundBy::UvTools);
    let place = place.map(|place| human::shell_os(place.as_os_str()));
    managed(
        by,
        match place {
            None => format!("{command} {name}"),
            Some(place) if cfg!(windows) => format!("$env:{variable} = {place}; {command} {name}"),
            Some(place) => format!("{variable}={place} {command} {name}"),
        },
    )
}

/// The environments that stay and need this one, as the reason why it stays too. What uv left in its cache it makes again.
fn needs(
    snapshot: &Snapshot,
    index: EnvironmentIndex,
    going: &BTreeSet<EnvironmentIndex>,
) -> Option<KeptBecause> {
    let stays = |index: &EnvironmentIndex| {
        let kind = snapshot.environment(*index).kind;
        !going.contains(index) && !matches!(kind, EnvironmentKind::Cached | EnvironmentKind::Script)
    };
    let environments = needing(snapshot, index).into_iter().filter(stays);
    let environments: Vec<At> =
        environments.map(|index| At::new(&snapshot.environment(index).path)).collect();
    (!environments.is_empty()).then_some(KeptBecause::Needed { environments })
}

/// The environments that need another one.
fn needing(snapshot: &Snapshot, index: EnvironmentIndex) -> Vec<EnvironmentIndex> {
    let root = &snapshot.environment(index).path;
    let needs = |(other, item): &(EnvironmentIndex, &Environment)| {
        *other != index && item.needs.iter().any(|path| path.starts_with(root))
    };
    snapshot.environments().filter(needs).map(|(index, _)| index).collect()
}

/// Environments in the order in which they go: each after those that need it, and else the largest first.
fn in_order(snapshot: &Snapshot, going: &BTreeSet<EnvironmentIndex>) -> Vec<EnvironmentIndex> {
    let mut left: Vec<EnvironmentIndex> = going.iter().copied().collect();
    left.sort_by_key(|index| std::cmp::Reverse(snapshot.environment(*index).disk));
    let mut order = Vec::new();
    while !left.is_empty() {
        let is_free =
            |index: &EnvironmentIndex| needing(snapshot, *index).iter().all(|it| !left.contains(it));
        // Two that need each other go in any order.
        let next = left.iter().position(is_free).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}

/// That an environment is kept.
pub fn kept_environment(environment: &Environment, because: KeptBecause) -> Kept {
    Kept { disk: environment.disk, ..Kept::new(At::new(&environment.path), because) }
}

fn candidate(snapshot: &Snapshot, index: EnvironmentIndex, going: &BTreeSet<EnvironmentIndex>) -> Candidate {
    let environment = snapshot.environment(index);
    let users = needing(snapshot, index).into_iter().filter(|index| going.contains(index));
    Candidate {
        holders: vec![Holder::Environment(index)],
        own: 0,
        used: environment.last_use.map(|last_use| last_use.time),
        step: Step {
            action: Action::RemoveEnvironment,
            at: At::new(&environment.path),
            name: None,
            version: None,
            reason: reason(environment, snapshot.scope.started.unwrap_or_default()),
            bytes: Bytes { disk: environment.disk, files: environment.files, ..Bytes::default() },
            work: Work::Remove(RemoveWork {
                users: users.map(|index| At::new(&snapshot.environment(index).path)).collect(),
                ..RemoveWork::new(
                    Class::Environments,
                    if environment.is_locked { Price::Sync } else { Price::Make },
                    environment.content,
                )
            }),
        },
    }
}

/// The step for a link. Nothing but itself goes.
fn link(link: &NamedLink) -> Candidate {
    let print = &link.expects;
    Candidate {
        holders: Vec::new(),
        own: print.disk,
        used: None,
        step: Step {
            action: Action::RemoveLink,
            at: link.at.clone(),
            name: None,
            version: None,
            reason: format!("it leads to `{}`, which stays", link.leads_to.text()),
            bytes: Bytes { disk: print.disk, files: 1, ..Bytes::default() },
            work: Work::Remove(RemoveWork::new(
                Class::Environments,
                Price::Nothing,
                TreePrint {
                    device: print.device,
                    inode: print.inode,
                    files: 1,
                    logical: print.size,
                    newest: print.modified,
                    ..TreePrint::default()
                },
            )),
        },
    }
}

/// What an environment is, and when it was last used.
fn reason(environment: &Environment, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if let Some(last_use) = environment.last_use {
        parts.push(format!("last used {}", last_use.in_words(now)));
    }
    let number = environment.distributions.len() as u64;
    parts.push(human::counted(number, "distribution", "distributions"));
    let edited: u64 = environment.distributions.iter().map(|it| it.files.modified).sum();
    if edited > 0 {
        parts.push(format!("{} edited", human::counted(edited, "file was", "files were")));
    }
    match environment.health {
        Health::Ok => {}
        Health::Broken => parts.push("broken".to_owned()),
        Health::NoInterpreter => parts.push("its interpreter is gone".to_owned()),
    }
    parts.join("; ")
}
