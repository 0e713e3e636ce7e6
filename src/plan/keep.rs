//! What was asked for and is kept, and why.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::At;
use super::repair::{Cause, Command};
use crate::human;
use crate::uv::TESTED;

/// Something that was asked for and is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it is, relative to the cache's root; of a distribution the environment's root, absolute.
    #[serde(flatten)]
    pub at: At,
    /// The name of the distribution in it.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its allocated bytes.
    pub disk: u64,
    /// Files of the distribution whose content is known not to be what `RECORD` says.
    #[serde(default, skip_serializing_if = "is_none")]
    pub modified: u64,
    /// Why it is kept.
    pub because: KeptBecause,
    /// The same as a sentence. Not escaped.
    pub reason: String,
    /// Of what stays broken: which files, and what repairs it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

/// What repairs something that stays broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// The files, relative to the environment's root, or to the cache's for what is wrong in the cache itself.
    pub files: Vec<At>,
    /// What repairs it, one after the other.
    pub commands: Vec<Command>,
    /// What should be known before the commands are run, as a sentence. Not escaped.
    pub warning: Option<String>,
}

impl Kept {
    /// Something that is kept, of which no more is said than why.
    pub fn new(at: At, because: KeptBecause) -> Self {
        let reason = because.sentence();
        Self { at, name: None, version: None, disk: 0, modified: 0, because, reason, remedy: None }
    }

    pub(super) fn remedy_mut(&mut self) -> &mut Remedy {
        self.remedy.get_or_insert_default()
    }

    /// Why it stays broken, if it does.
    pub fn cause(&self) -> Option<Cause> {
        if let KeptBecause::Damaged(cause) = self.because { Some(cause) } else { None }
    }

    /// The commands that repair it.
    pub fn commands(&self) -> &[Command] {
        self.remedy.as_ref().map_or(&[], |it| &it.commands)
    }

    /// The files that it is about.
    pub fn files(&self) -> &[At] {
        self.remedy.as_ref().map_or(&[], |it| &it.files)
    }

    /// What should be known before its commands are run.
    pub fn warning(&self) -> Option<&str> {
        self.remedy.as_ref()?.warning.as_deref()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

/// Why something is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum KeptBecause {
    /// Environments reach it by symlink and would break.
    Protected {
        /// Their roots.
        environments: Vec<At>,
    },
    /// Symlinks or path files outside of environments lead into it and would break.
    Linked {
        /// Where they lie.
        links: Vec<At>,
    },
    /// Environments use it.
    Used {
        /// Their roots.
        environments: Vec<At>,
    },
    /// Somebody who was not found holds a part of it.
    HeldElsewhere {
        /// Hard links that were counted and not found.
        links: u64,
        /// Files that share extents with something that was not found.
        extents: u64,
    },
    /// It or something that may use it could not be read.
    Doubt,
    /// An error kept it, something that may use it, or what may lead to it, from being read.
    ReadFailed,
    /// A pointer that could not be understood may lead to it.
    UnclearPointer,
    /// A bucket of the cache is not understood, and may lead to it.
    NotUnderstood {
        /// Which, and why, as a sentence. Not escaped.
        why: String,
    },
    /// It was named, and is not what else was asked for.
    NotChosen,
    /// It is not known what it is.
    Unknown,
    /// It changed too recently.
    Young {
        /// When it changed.
        changed: Timestamp,
    },
    /// It is of a layout that other releases of uv may have written to not long ago.
    RecentLayout {
        /// When it changed.
        changed: Timestamp,
    },
    /// Releases of uv write it that this program was not tested with.
    Untested {
        /// Whether they are older than every tested one.
        old: bool,
    },
    /// It was used too recently.
    Recent {
        /// When it was used.
        used: Timestamp,
    },
    /// A lock file needs it.
    Pinned,
    /// Processes run in it.
    Running {
        /// Their process ids.
        processes: Vec<u32>,
    },
    /// It belongs to a project that is there.
    Project {
        /// The project's directory.
        project: At,
    },
    /// The project that it belongs to is not where it was: it may have been moved.
    ProjectMissing {
        /// Where the project's directory was.
        project: At,
    },
    /// Nobody can tell whether the project that it belongs to is gone.
    ProjectUnknown {
        /// The project's directory, where that is known.
        project: Option<At>,
    },
    /// No source is known from which it could be had again, and removing that is not allowed.
    LastCopy {
        /// What it came from, where that is known to be gone.
        gone: Option<At>,
    },
    /// The budget is kept without removing it.
    WithinBudget,
    /// Its files are linked as was asked for already.
    AlreadySo {
        /// The word for the mode.
        mode: String,
    },
    /// No entry of the cache is known to have its content.
    NoEntry,
    /// conda has installed it, and links its files itself.
    OfConda,
    /// Its files were given other permissions than the entry's have.
    OtherPermissions,
    /// A file has what its replacement would lack: an owner, permissions, an access control list, capabilities or other
    /// A file of an installation that lies outside of the directory with its distributions, as its scripts and data do.
    Outside,
    /// attributes.
    WouldLose {
        /// What that is, as the rest of a sentence.
        what: String,
    },
    /// It is a directory of somebody's own, installed editable.
    Editable,
    /// Files of it are gone.
    Broken,
    /// It, or its entry, could not be read.
    Unread,
    /// It lies on another filesystem than the cache.
    OtherFilesystem,
    /// Its bucket, or that of a pointer to it, is a symlink to another filesystem or into another cache, or a mount.
    MovedBucket,
    /// It is an environment of the cache's own.
    InCache,
    /// It is no environment: a Python with its distributions, or what `--target` or `--prefix` filled.
    NoEnvironment,
    /// Another program made it, and removes it.
    Managed {
        /// The program, as `uv` or `conda`.
        by: String,
        /// The command that removes it. Not escaped.
        command: String,
    },
    /// Other environments need it, and would break.
    Needed {
        /// Their roots.
        environments: Vec<At>,
    },
    /// It has files that no environment has, as sources or a repository.
    Foreign {
        /// Some of them.
        what: Vec<At>,
    },
    /// Something is mounted at it, or in it.
    Mounted,
    /// Another environment, or the cache, lies in it.
    Holds {
        /// Where, relative to it.
        what: Vec<At>,
    },
    /// Nothing may remove it, whatever is allowed.
    Never {
        /// Why, as the rest of a sentence about it.
        why: String,
    },
    /// It differs from `RECORD`, and stays so in all that have it.
    Edited {
        /// Whether others have it too.
        shared: bool,
    },
    /// It stays broken. Written down it is the word of its cause.
    #[serde(untagged)]
    Damaged(Cause),
}

/// How much is kept for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeptCount {
    /// How much.
    pub number: u64,
    /// Why, in a few words that go with the number.
    pub because: &'static str,
}

/// How much is kept for each reason, in the order in which reasons are told.
pub fn kept_counts<'a>(kept: impl IntoIterator<Item = &'a Kept>) -> Vec<KeptCount> {
    let mut counts: BTreeMap<(u8, &str), u64> = BTreeMap::new();
    for kept in kept {
        *counts.entry(kept.because.in_short()).or_default() += 1;
    }
    counts.into_iter().map(|((_, because), number)| KeptCount { number, because }).collect()
}

/// What is kept by reason, as `4 too young, 1 in use outside the searched folders`; empty where nothing is.
pub fn kept_in_short(kept: &[Kept]) -> String {
    kept_in_words(&kept_counts(kept))
}

/// The same of what was counted.
pub fn kept_in_words(counts: &[KeptCount]) -> String {
    let parts: Vec<String> =
        counts.iter().map(|it| format!("{} {}", human::count(it.number), it.because)).collect();
    parts.join(", ")
}

impl KeptBecause {
    /// The reason in a few words that go with a number, and its place in the order in which reasons are told.
    pub fn in_short(&self) -> (u8, &'static str) {
        match self {
            Self::Protected { .. } => (0, "reached by symlinks"),
            Self::Linked { .. } => (0, "needed by links"),
            Self::Used { .. } => (1, "used"),
            Self::HeldElsewhere { .. } => (2, "in use outside the searched folders"),
            Self::Doubt | Self::ReadFailed | Self::UnclearPointer => (3, "in doubt"),
            Self::NotUnderstood { .. } => (4, "for a bucket that is not understood"),
            Self::NotChosen => (5, "not chosen"),
            Self::Unknown => (5, "of unknown kind"),
            Self::Young { .. } => (6, "too young"),
            Self::RecentLayout { .. } => (6, "changed within 30 days"),
            Self::Untested { .. } => (6, "of untested releases of uv"),
            Self::Recent { .. } => (7, "used recently"),
            Self::Pinned => (8, "to be kept"),
            Self::Running { .. } => (9, "running"),
            Self::Project { .. } => (18, "of projects"),
            Self::ProjectMissing { .. } => (19, "of projects that may have been moved"),
            Self::ProjectUnknown { .. } => (19, "of unknown projects"),
            Self::LastCopy { .. } => (9, "without a known source"),
            Self::WithinBudget => (10, "within the limit"),
            Self::AlreadySo { .. } => (11, "already so"),
            Self::NoEntry => (12, "not from here"),
            Self::OfConda => (12, "installed by conda"),
            Self::OtherPermissions => (12, "of other permissions"),
            Self::WouldLose { .. } => (12, "with attributes of their own"),
            Self::Outside => (12, "outside of the environment's directory"),
            Self::Editable => (13, "editable"),
            Self::Broken => (14, "broken"),
            Self::Unread => (15, "unread"),
            Self::OtherFilesystem => (16, "elsewhere"),
            Self::MovedBucket => (16, "in a bucket that was moved"),
            Self::InCache => (17, "in the cache"),
            Self::NoEnvironment => (17, "of another kind"),
            Self::Managed { .. } => (17, "of other programs"),
            Self::Needed { .. } => (1, "needed by others"),
            Self::Foreign { .. } => (9, "with files of their own"),
            Self::Mounted => (16, "mounted"),
            Self::Holds { .. } => (16, "with others in them"),
            Self::Never { .. } => (17, "that nothing may remove"),
            Self::Damaged(_) => (20, "still broken"),
            Self::Edited { .. } => (12, "edited"),
        }
    }

    /// The reason as a sentence. Not escaped.
    pub fn sentence(&self) -> String {
        match self {
            Self::Protected { environments } => {
                format!("{} would break: files there are symlinks into it; relink first", named(environments))
            }
            Self::Linked { links } => match links.as_slice() {
                [] => "something outside of environments leads into it".to_owned(),
                [one] => format!("`{}` leads into it and would break; remove that link or mount first", one.text()),
                [one, rest @ ..] => {
                    let more = human::counted(rest.len() as u64, "more link leads", "more links lead");
                    format!("`{}` and {more} into it and would break; remove them first", one.text())
                }
            },
            Self::Used { environments } => format!("used by {}", named(environments)),
            Self::HeldElsewhere { links, extents } => match (links, extents) {
                (0, _) => {
                    format!("held elsewhere: {extents} files share extents with something that was not found")
                }
                (1, _) => "held elsewhere: one link was counted that was not found".to_owned(),
                _ => format!("held elsewhere: {links} links were counted that were not found"),
            },
            Self::Doubt => "something that may use it could not be read, or is not there now".to_owned(),
            Self::ReadFailed => {
                "an error kept it, or something that may use it or lead to it, from being read".to_owned()
            }
            Self::UnclearPointer => "a pointer that may lead to it could not be understood".to_owned(),
            Self::NotUnderstood { why } => why.clone(),
            Self::NotChosen => "the other options do not choose it".to_owned(),
            Self::Unknown => "it is not known what it is".to_owned(),
            Self::Young { changed } => format!("changed too recently, on {}", moment(*changed)),
            Self::RecentLayout { changed } => {
                format!("changed within 30 days, on {}: an older uv may still use it", moment(*changed))
            }
            Self::Untested { old } => {
                let whose = if *old { "uv 0.4 or older wrote it" } else { "another uv writes it" };
                format!("{whose}; cachetui was tested with {TESTED}")
            }
            Self::Recent { used } => format!("used too recently, on {}", moment(*used)),
            Self::Pinned => "a lock file or `keep` needs it".to_owned(),
            Self::Running { processes } => match processes.as_slice() {
                [one] => format!("process {one} runs in it"),
                many => format!("{} processes run in it", many.len()),
            },
            Self::Project { project } => format!("its project `{}` is there", project.text()),
            Self::ProjectMissing { project } => format!(
                "its project is no longer at `{}`: it may have been moved, with a .venv that leads here; `--allow gone` \
                 removes it",
                project.text()
            ),
            Self::ProjectUnknown { project: Some(project) } => format!(
                "its project `{}` was not found, and may lie on a disk that is not mounted; `cachetui envs --forget` with \
                 that path says that it is gone",
                project.text()
            ),
            Self::ProjectUnknown { project: None } => {
                "no project was found that it belongs to, and nothing tells where that was".to_owned()
            }
            Self::LastCopy { gone: Some(gone) } => format!(
                "it may be the last copy: `{}`, from which it came, is gone; `--allow gone` removes it",
                gone.text()
            ),
            Self::LastCopy { gone: None } => {
                "it may be the last copy: it came from this machine, and nothing tells from where; `--allow gone` \
                 removes it"
                    .to_owned()
            }
            Self::WithinBudget => "the limit is kept without removing it".to_owned(),
            Self::AlreadySo { mode } => match mode.as_str() {
                "copy" => "copied already".to_owned(),
                mode => format!("linked by {mode} already"),
            },
            Self::NoEntry => "no entry of the cache is known to have the content".to_owned(),
            Self::OfConda => "conda installed it, and links its files itself".to_owned(),
            Self::OtherPermissions => {
                "its files were given other permissions than the entry's have, and keep them".to_owned()
            }
            Self::WouldLose { what } => what.clone(),
            Self::Outside => {
                "it lies outside of the directory with the distributions, where relink changes nothing".to_owned()
            }
            Self::Editable => "it is installed editable".to_owned(),
            Self::Broken => "files of it are missing or broken links; it has to be repaired first".to_owned(),
            Self::Unread => "something of it could not be read".to_owned(),
            Self::OtherFilesystem => {
                "the cache is on another filesystem or mount, to which no hard link can lead".to_owned()
            }
            Self::MovedBucket => "a bucket that it needs is a symlink or a mount, and what lies there cannot be moved to the trash; \
                 `uv cache prune` works there"
                .to_owned(),
            Self::InCache => "it lies in the cache, where uv makes it again whenever it is needed".to_owned(),
            Self::NoEnvironment
            | Self::Managed { .. }
            | Self::Needed { .. }
            | Self::Foreign { .. }
            | Self::Holds { .. }
            | Self::Never { .. }
            | Self::Damaged(_)
            | Self::Edited { .. }
            | Self::Mounted => self.of_environment(),
        }
    }

    /// Why an environment outside of the cache is kept, as a sentence. Not escaped.
    fn of_environment(&self) -> String {
        match self {
            Self::NoEnvironment => {
                "it is no environment, but a Python with its distributions, or what `--target` or `--prefix` filled".to_owned()
            }
            Self::Managed { by, command } => format!("{by} installed it; `{command}` removes it"),
            Self::Needed { environments } => match environments.len() {
                1 => format!("{} needs it", named(environments)),
                _ => format!("{} need it", named(environments)),
            },
            Self::Foreign { what } => {
                let text = what.first().map_or("", At::text);
                let subject = match what.len().saturating_sub(1) {
                    0 => format!("`{text}` in it was"),
                    more => format!("`{text}` and {more} more in it were"),
                };
                format!("{subject} not installed; `--allow foreign-files` removes it all the same")
            }
            Self::Mounted => "something is mounted at it or in it".to_owned(),
            Self::Holds { what } => {
                format!("`{}` in it is an environment or a cache of its own", what.first().map_or("", At::text))
            }
            Self::Never { why } => why.clone(),
            // What is broken or edited, and how, is said with it.
            _ => String::new(),
        }
    }
}

/// Some environments as the subject of a sentence.
fn named(environments: &[At]) -> String {
    match environments {
        [one] => format!("`{}`", one.text()),
        [one, two] => format!("`{}` and `{}`", one.text(), two.text()),
        [one, rest @ ..] => format!("`{}` and {} more environments", one.text(), rest.len()),
        [] => "an environment".to_owned(),
    }
}

fn moment(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%d at %H:%M:%S UTC")
}
