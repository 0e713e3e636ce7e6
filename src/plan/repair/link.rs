//! Links of the cache itself: which are written anew, as what, and what is said of those that are not.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::remedy::{Cause, take_away};
use crate::human;
use crate::plan::{Action, At, Bytes, Kept, KeptBecause, Plan, Remedy, Step, Work};
use crate::scan::copied::Copied;
use crate::scan::repair::Facts;
use crate::scan::repair::links::{DamagedFacts, DeadFacts, LinkLies, LinkTarget, NoTarget, Writing};
use crate::snapshot::{Damage, FilePrint};
use crate::uv::link_file::{self, ArchiveTarget};
use crate::uv::shard::{self, Place};

/// How a link of the cache is written again, so that uv's prune keeps its entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkWork {
    /// The cache.
    pub cache: At,
    /// The entry that it is to lead to, relative to the cache's root.
    pub entry: At,
    /// The device and the inode that have to be found there.
    pub entry_inode: (u64, u64),
    /// What it is written as.
    pub form: LinkForm,
    /// What it is to say, to the byte.
    pub text: At,
    /// The pointer file that names the entry, relative to the cache's root; none where the link's own text does.
    pub named_by: Option<NamedBy>,
    /// What lies there and goes; nothing where nothing does.
    pub replaces: Option<FilePrint>,
    /// What the directory takes that lies there, with nothing but files of the entry, and goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<Twice>,
}

/// A directory with the files of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twice {
    /// Its files.
    pub files: u64,
    /// What they take on disk, in bytes.
    pub disk: u64,
}

/// A pointer file that names an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedBy {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there.
    pub expects: FilePrint,
}

/// What a link is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkForm {
    /// A symlink.
    Symlink,
    /// uv's link file.
    LinkFile,
}

impl LinkForm {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::LinkFile => "link-file",
        }
    }
}

/// Adds the steps that write links again, and what is left.
pub(super) fn plan(facts: &Facts, plan: &mut Plan) {
    for link in &facts.links.damaged {
        match &link.target {
            Ok(target) => plan.steps.push(step(facts, link, target)),
            Err(why) => plan.kept.push(left(facts, link, why)),
        }
    }
    plan.kept.extend(facts.links.dead.iter().map(|dead| dead_pointer(facts, dead)));
}

fn step(facts: &Facts, link: &DamagedFacts, target: &LinkTarget) -> Step {
    let entry = Path::new(&target.bucket).join(&target.id);
    let up = || -> PathBuf { link.path.iter().skip(1).map(|_| "..").collect() };
    let (form, text) = match &link.writing {
        Writing::Relative => (LinkForm::Symlink, up().join(&entry)),
        Writing::Absolute(root) => (LinkForm::Symlink, root.join(&entry)),
        Writing::LinkFile => {
            let target = ArchiveTarget { bucket: target.bucket.clone(), id: target.id.clone() };
            let text = String::from_utf8_lossy(&link_file::encode_text(&target)).into_owned();
            (LinkForm::LinkFile, PathBuf::from(text))
        }
    };
    let (name, version) = target.distribution.clone().unzip();
    let names = match &target.named_by {
        None if matches!(link.lies, LinkLies::Copy { .. }) => "one entry has the same files",
        Some(_) => "the pointer beside it names this entry",
        None => "its own text still names this entry",
    };
    Step {
        action: Action::RestoreLink,
        at: At::new(&link.path),
        name,
        version,
        reason: match link.lies {
            LinkLies::Copy { copied } => {
                format!("the wheel lies there a second time, {}; {names}", human::bytes(copied.disk))
            }
            _ => format!("{}; {names}", what_is_wrong(link.damage)),
        },
        bytes: Bytes::default(),
        work: Work::Link(LinkWork {
            cache: At::new(&facts.cache),
            entry: At::new(&entry),
            entry_inode: target.inode,
            form,
            text: At::new(&text),
            named_by: target
                .named_by
                .as_ref()
                .map(|(path, expects)| NamedBy { at: At::new(path), expects: *expects }),
            replaces: match link.lies {
                LinkLies::Link { print } => Some(print),
                LinkLies::Nothing | LinkLies::Copy { .. } | LinkLies::Other => None,
            },
            copy: match link.lies {
                LinkLies::Copy { copied: Copied { files, disk } } => Some(Twice { files, disk }),
                _ => None,
            },
        }),
    }
}

fn what_is_wrong(damage: Damage) -> &'static str {
    match damage {
        Damage::Lost => "it is gone",
        Damage::Malformed => "uv does not understand it",
        Damage::Dangling => "it leads to an entry that is not there",
        Damage::Foreign => "it leads out of this cache",
        Damage::Astray => "it leads to another entry than uv follows",
    }
}

fn left(facts: &Facts, link: &DamagedFacts, why: &NoTarget) -> Kept {
    let shown = link.path.display();
    let wrong = what_is_wrong(link.damage);
    let (because, reason) = match why {
        NoTarget::Unnamed => {
            let unnamed = match shard::place(&link.path) {
                Place::BuiltWheel { .. } => {
                    "nothing else names what uv built, which it unpacks or builds again when it needs it"
                }
                Place::CachedEnvironment => {
                    "nothing else names the environment, which uv makes again when it needs it"
                }
                _ => "no pointer beside it names one that is",
            };
            (Cause::NoEntry, format!("the link `{shown}`: {wrong}, and {unnamed}"))
        }
        NoTarget::Several => {
            (Cause::Unclear, format!("the link `{shown}`: {wrong}, and several entries could be meant"))
        }
        NoTarget::Mismatch { entry, holds } => {
            let text = format!("`{}`, which is named for it, holds {holds}", entry.display());
            (Cause::Unclear, format!("the link `{shown}`: {wrong}, and {text}"))
        }
        NoTarget::Needed { entry } => {
            let text = format!("environments have symlinks into `{}`, which only it keeps", entry.display());
            (Cause::Unclear, format!("the link `{shown}`: {wrong}, but {text}: relink them first"))
        }
        NoTarget::NotUnderstood { why } => {
            (Cause::Unclear, format!("the link `{shown}`: {wrong}, but {why}"))
        }
        NoTarget::Occupied => {
            (Cause::Occupied, format!("`{shown}`: something lies where a link should be, and is left alone"))
        }
        NoTarget::Unread { why } => {
            (Cause::Unread, format!("the link `{shown}` could not be looked at: {why}"))
        }
    };
    of_cache(facts, &link.path, link.package.as_deref(), because, reason)
}

fn dead_pointer(facts: &Facts, dead: &DeadFacts) -> Kept {
    let shown = dead.path.display();
    let (because, reason) = match &dead.malformed {
        None => {
            let text = "names an entry that is gone: uv follows it and fails, or fetches it again";
            (Cause::NoEntry, format!("the pointer `{shown}` {text}"))
        }
        Some(why) => (Cause::Unclear, format!("the pointer `{shown}` cannot be understood: {why}")),
    };
    let mut left = of_cache(facts, &dead.path, dead.package.as_deref(), because, reason);
    // Of what is not understood nobody knows which link belongs to it.
    let link = dead.link.as_ref().filter(|_| dead.malformed.is_none());
    left.remedy_mut().commands.push(take_away(&facts.cache, std::iter::once(&dead.path).chain(link)));
    left
}

fn of_cache(facts: &Facts, path: &Path, package: Option<&str>, cause: Cause, reason: String) -> Kept {
    Kept {
        name: package.map(str::to_owned),
        reason,
        remedy: Some(Remedy { files: vec![At::new(path)], ..Remedy::default() }),
        ..Kept::new(At::new(&facts.cache), KeptBecause::Damaged(cause))
    }
}
