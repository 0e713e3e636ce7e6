//! When somebody should look twice before a plan is carried out.

use serde::{Deserialize, Serialize};

use super::{Action, Class, Plan, Step};
use crate::human;
use crate::snapshot::Snapshot;

/// What has to be allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// To remove what nobody uses although no environment is known at all.
    NoEnvironments,
    /// To remove more than half of the cache.
    Most,
    /// To remove from a cache that holds what belongs to other users.
    OtherOwners,
    /// To remove what no known source could supply again.
    Gone,
    /// To remove environments of the cache although nobody can tell whether a process runs in one.
    HiddenProcesses,
    /// To remove environments with files that no environment has, as sources.
    ForeignFiles,
}

impl Allowance {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NoEnvironments,
        Self::Most,
        Self::OtherOwners,
        Self::Gone,
        Self::HiddenProcesses,
        Self::ForeignFiles,
    ];

    /// The word for it, as it stands behind `--allow`.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoEnvironments => "no-environments",
            Self::Most => "most",
            Self::OtherOwners => "other-owners",
            Self::Gone => "gone",
            Self::HiddenProcesses => "hidden-processes",
            Self::ForeignFiles => "foreign-files",
        }
    }
}

/// A reason to look twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caution {
    /// What has to be allowed.
    pub allowance: Allowance,
    /// The reason, as a sentence. Not escaped.
    pub text: String,
}

/// The reasons to look twice at a plan.
pub(super) fn cautions(snapshot: &Snapshot, plan: &Plan) -> Vec<Caution> {
    let mut cautions = Vec::new();
    // What was named by somebody, or goes whoever uses it, does not rest on who was found.
    let guessed = |class| matches!(class, Some(Class::Unreferenced | Class::Unused | Class::Superseded));
    let guessed: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.action == Action::RemoveEntry && guessed(step.class()))
        .collect();
    if !guessed.is_empty() && plan.scope.environments == 0 {
        cautions.push(Caution {
            allowance: Allowance::NoEnvironments,
            text: "No environment was found but what uv left in the cache, so that everything looks unused. Name the places where your \
                   environments are with --root DIR."
                .to_owned(),
        });
    }
    // Nor does what is known to be of no use to anybody.
    let chosen = plan.request.chooses_environments();
    let known = |class| match class {
        Some(Class::Named | Class::CachedEnvironments | Class::OrphanedCentral | Class::Environments)
        | None => true,
        Some(Class::WithEnvironments) => !chosen,
        Some(_) => false,
    };
    let counts = |step: &&Step| !known(step.class()) && step.action != Action::RemoveObjects;
    let bytes: u64 = plan.steps.iter().filter(counts).map(|step| step.bytes.disk).sum();
    // A step takes the pointers along.
    let pointers = snapshot.pointers.iter().filter(|pointer| pointer.entry.is_some());
    let all = snapshot.entries.iter().map(|entry| entry.disk).sum::<u64>()
        + pointers.map(|pointer| pointer.print.disk).sum::<u64>();
    if bytes > all / 2 {
        cautions.push(Caution {
            allowance: Allowance::Most,
            text: format!(
                "More than half of the cache would go: {}, where all entries with their pointers take {}.",
                human::bytes(bytes),
                human::bytes(all)
            ),
        });
    }
    let gone = plan.steps.iter().filter(|step| step.price().is_last()).count() as u64;
    if gone > 0 {
        cautions.push(Caution {
            allowance: Allowance::Gone,
            text: format!(
                "{}: what {} came from is gone, or not known.",
                human::counted(gone, "entry may be the last copy", "entries may be the last copies"),
                if gone == 1 { "it" } else { "they" }
            ),
        });
    }
    let owned: u64 = snapshot.entries.iter().filter(|entry| entry.other_owner).count() as u64;
    if owned > 0 && plan.steps.iter().any(Step::is_in_cache) {
        cautions.push(Caution {
            allowance: Allowance::OtherOwners,
            text: format!(
                "{} of the cache {} to other users, whose environments may not have been found.",
                human::counted(owned, "entry", "entries"),
                if owned == 1 { "belongs" } else { "belong" }
            ),
        });
    }
    let roots = || snapshot.environments.iter().filter_map(|it| snapshot.cache.relative(&it.path));
    let holds_one = |step: &Step| !step.is_in_cache() || roots().any(|root| root.starts_with(step.at.path()));
    if snapshot.scope.processes_hidden && plan.steps.iter().any(holds_one) {
        cautions.push(Caution {
            allowance: Allowance::HiddenProcesses,
            text: "Which processes run cannot be seen here: one may run in an environment that would go."
                .to_owned(),
        });
    }
    cautions
}
