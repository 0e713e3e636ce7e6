//! What is asked for. A plan carries its request, so that it can be made again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::At;
use super::caution::Allowance;
use super::detach::Detach;
use super::relink::link_mode;
use super::repair::Repair;
use crate::snapshot::{FilePrint, Mode};

/// How long something stays after its last change when nobody says otherwise, in seconds.
pub const GRACE: u64 = 24 * 60 * 60;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// To remove entries and other things from the cache.
    Prune(Prune),
    /// To link the files of environments otherwise.
    Relink(Relink),
    /// To remove environments.
    Remove(Remove),
    /// To do what a policy says.
    Gc(Gc),
    /// To repair what is broken.
    Repair(Repair),
    /// To leave edits to one environment, and take them back everywhere else.
    Detach(Detach),
}

impl Request {
    /// What the request allows although it calls for a second look.
    pub fn allows(&self) -> &BTreeSet<Allowance> {
        static NOTHING: BTreeSet<Allowance> = BTreeSet::new();
        match self {
            Self::Prune(prune) => &prune.allow,
            Self::Remove(remove) => &remove.allow,
            Self::Gc(gc) => &gc.remove.allow,
            Self::Relink(_) | Self::Repair(_) | Self::Detach(_) => &NOTHING,
        }
    }

    /// What is asked for, as a verb: the command's name.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Prune(_) => "prune",
            Self::Relink(_) => "relink",
            Self::Remove(_) => "remove",
            Self::Gc(_) => "gc",
            Self::Repair(_) => "repair",
            Self::Detach(_) => "detach",
        }
    }

    /// Whether the environments that go were chosen by what they are, and not named.
    pub(super) fn chooses_environments(&self) -> bool {
        match self {
            Self::Remove(remove) => remove.chosen,
            Self::Gc(_) => true,
            Self::Prune(_) | Self::Relink(_) | Self::Repair(_) | Self::Detach(_) => false,
        }
    }
}

/// What to remove from the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune {
    /// Kinds of things to remove.
    pub classes: BTreeSet<Class>,
    /// Entries to remove, named as people name them: a name, a requirement as `numpy<2`, or an id. What is named is not held back by
    /// the grace period, nor because somebody uses it by hardlink, clone or copy.
    pub what: Vec<String>,
    /// Only what was last used longer ago than this, in seconds.
    pub older_than: Option<u64>,
    /// How long something stays after its last change, in seconds.
    pub grace: u64,
    /// How many generations of cached environments stay of each tool or set; one where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_newest: Option<usize>,
    /// What the cache is to be brought down to.
    pub budget: Budget,
    /// Distributions that lock files need.
    pub keep: Vec<Pinned>,
    /// What is allowed although it calls for a second look.
    pub allow: BTreeSet<Allowance>,
}

/// Which environments to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remove {
    /// The environments, by their roots.
    pub environments: Vec<At>,
    /// Symlinks and `.venv` files that lead to environments; what they lead to stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<NamedLink>,
    /// Whether they were chosen by what they are, as by `--idle`, and not named one by one.
    pub chosen: bool,
    /// Whether the entries go too that no other environment uses.
    pub with_entries: bool,
    /// How long such an entry stays after its last change, in seconds.
    pub grace: u64,
    /// What is allowed although it calls for a second look.
    pub allow: BTreeSet<Allowance>,
}

/// What a policy removes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gc {
    /// The environments that go, which are those that are idle, with the entries that only they use.
    pub remove: Remove,
    /// What else goes from the cache: of each what those before it leave.
    pub prunes: Vec<Prune>,
}

/// A symlink or a `.venv` file that was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedLink {
    /// Where it is, absolute.
    #[serde(flatten)]
    pub at: At,
    /// What identifies it.
    pub expects: FilePrint,
    /// Where it leads, as it says.
    pub leads_to: At,
}

/// How to link the files of environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relink {
    /// The environments, by their roots.
    pub environments: Vec<At>,
    /// How their files are to be linked.
    #[serde(with = "link_mode")]
    pub mode: Mode,
    /// Only these distributions, each a name or a requirement; all of them when there are none.
    pub packages: Vec<String>,
}

/// How much is to be removed. Without a limit it is everything that was asked for; with one, no more than it takes: what
/// was used longest ago first, and of that what is easiest to get back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The most allocated bytes that the cache should have; what lies in the trash is given up already and does not count.
    pub max_size: Option<u64>,
    /// The least bytes that should be free on the cache's volume.
    pub keep_free: Option<u64>,
    /// The least bytes that should be freed, whatever is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
}

impl Budget {
    /// Whether there is a limit.
    pub fn is_some(self) -> bool {
        self.max_size.is_some() || self.keep_free.is_some() || self.free.is_some()
    }
}

/// A distribution in one version, in some, or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pinned {
    /// Its normalized name (PEP 503).
    pub name: String,
    /// Its version; none for what a lock file has without one.
    pub version: Option<String>,
    /// Which versions, as `>=1,<2` (PEP 440); none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
}

/// A kind of things to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Entries to which no pointer leads and that no environment uses: what `uv cache prune` would take, less what
    /// environments use.
    Unreferenced,
    /// Unpacked wheels that no known environment uses, with every link explained.
    Unused,
    /// Of those, the ones of which a newer version is in the cache.
    Superseded,
    /// Environments that `uvx`, `uv run --with` and scripts left in the cache, unless a process runs in them.
    CachedEnvironments,
    /// Of those, the ones of which a newer one was made for the same tool or the same packages.
    OldGenerations,
    /// Environments that uv keeps in the cache for projects that have no `.venv` any more.
    OrphanedCentral,
    /// Buckets of older layouts beside a newer one of the same kind, in which nothing has changed for some time.
    StaleBuckets,
    /// What was built from older revisions of sources, which uv does not use again.
    OldBuilds,
    /// The unpacked sources of what was built.
    Sources,
    /// Git repositories that no environment has anything from.
    GitRepositories,
    /// Answers of package indexes.
    IndexCaches,
    /// What interrupted runs of uv left behind.
    CrashLeftovers,
    /// What was named.
    Named,
    /// Environments that lie outside of the cache.
    Environments,
    /// Entries that only environments use which go too.
    WithEnvironments,
}

impl Class {
    /// All that can be asked for by a flag.
    pub const ALL: [Self; 12] = [
        Self::Unreferenced,
        Self::Unused,
        Self::Superseded,
        Self::CachedEnvironments,
        Self::OldGenerations,
        Self::OrphanedCentral,
        Self::StaleBuckets,
        Self::OldBuilds,
        Self::Sources,
        Self::GitRepositories,
        Self::IndexCaches,
        Self::CrashLeftovers,
    ];

    /// The word for it, the same as a flag, on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreferenced => "unreferenced",
            Self::Unused => "unused",
            Self::Superseded => "superseded",
            Self::CachedEnvironments => "cached-environments",
            Self::OldGenerations => "old-generations",
            Self::OldBuilds => "old-builds",
            Self::Sources => "sources",
            Self::GitRepositories => "git-repositories",
            Self::IndexCaches => "index-caches",
            Self::OrphanedCentral => "orphaned-central",
            Self::StaleBuckets => "stale-buckets",
            Self::CrashLeftovers => "crash-leftovers",
            Self::Named => "named",
            Self::Environments => "environments",
            Self::WithEnvironments => "with-environments",
        }
    }

    /// What it takes, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unreferenced => "No pointer and no environment uses them: uv does not use them again.",
            Self::Unused => "No environment that was found uses them.",
            Self::Superseded => "No environment uses them, and the cache has a newer version.",
            Self::CachedEnvironments => {
                "Environments that uvx, uv run and scripts left; uv makes them again when it needs them."
            }
            Self::OldGenerations => {
                "Cached environments of which uvx or uv run has made a newer one for the same packages."
            }
            Self::OldBuilds => "Built from older revisions of their sources; uv does not use them again.",
            Self::Sources => {
                "Unpacked sources; uv has the wheels that it built from them, and fetches them to build again."
            }
            Self::IndexCaches => "Answers of package indexes; uv asks again when it needs them.",
            Self::GitRepositories => "No environment that was found has anything from them.",
            Self::OrphanedCentral => {
                "Environments that uv keeps in the cache for projects that have no .venv any more."
            }
            Self::StaleBuckets => "Older releases of uv wrote them; newer ones neither read nor remove them.",
            Self::CrashLeftovers => "Interrupted runs of uv left them behind.",
            Self::Named => "You named them.",
            Self::Environments => "You chose them.",
            Self::WithEnvironments => "Only environments use them that go too.",
        }
    }
}
