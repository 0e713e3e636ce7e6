//! What comparing contents with `RECORD` brings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::scan::conda::Package;
use crate::scan::obstacles::Obstacles;
use crate::snapshot::{EntryIndex, EnvironmentIndex, FilePrint, Problem};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Files that were compared, each name counted.
    pub files: u64,
    /// Their sizes added up, in bytes.
    pub bytes: u64,
    /// Those of them of which `RECORD` states no SHA-256, so that only their sizes were compared.
    pub by_size: u64,
    /// Distributions of the system, which were not compared.
    pub of_system: u64,
    /// A person's own symlinks in the place of files, whose target is not there, ordered by path. They were not compared.
    pub away: Vec<PathBuf>,
    /// Everything that is not as `RECORD` says, ordered by path.
    pub findings: Vec<Finding>,
    /// What keeps uv from installing into environments in which something is damaged.
    pub obstacles: BTreeMap<EnvironmentIndex, Obstacles>,
    /// Where an undamaged entry is behind damage of an environment: those that uv is to install from again as they are, since other
    /// environments reach them by symlinks.
    pub offline: BTreeSet<(EnvironmentIndex, EntryIndex)>,
    /// The packages of conda that have damaged distributions, by environment and the distribution's name.
    pub conda: BTreeMap<(EnvironmentIndex, String), Package>,
    /// What could not be read, ordered by path.
    pub problems: Vec<Problem>,
    /// Whether somebody stopped it; then not everything was compared.
    pub cancelled: bool,
}

/// One file that is not as `RECORD` says. A file with several names is one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it is: the entry's name of it, if it has one there.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: Fault,
    /// Whether it is damage, or the wheel's own.
    pub verdict: Verdict,
    /// The distribution's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The entry it belongs to, or was installed from.
    pub entry: Option<EntryIndex>,
    /// Its path in that entry.
    pub source: Option<PathBuf>,
    /// The SHA-256 that `RECORD` states.
    pub recorded: Option<[u8; 32]>,
    /// The size that `RECORD` states, in bytes.
    pub recorded_size: Option<u64>,
    /// The SHA-256 that was found; not known of what is huge and has another size.
    pub found: Option<[u8; 32]>,
    /// What identifies it, where something is there.
    pub print: Option<FilePrint>,
    /// Another file with the content that `RECORD` states.
    pub good: Option<Good>,
    /// Everybody who has this very file, by hardlink or symlink.
    pub places: Vec<Place>,
    /// Hard links to it that were counted and not found.
    pub unexplained: u64,
    /// The cache's file, where that is another one with the same content.
    pub twin: Option<Twin>,
}

impl Finding {
    /// Whether an installation from there lacks something. Extra files do no harm, and Python compiles bytecode again.
    pub fn breaks_installations(&self) -> bool {
        self.fault != Fault::Extra && self.path.extension().is_none_or(|extension| extension != "pyc")
    }
}

/// Another file with the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// What identifies it.
    pub print: FilePrint,
    /// Everybody who has it, by hardlink or symlink.
    pub places: Vec<Place>,
}

/// A file that is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The entry or environment that it is in.
    pub root: PathBuf,
    /// Where it is there.
    pub path: PathBuf,
}

/// Where a file has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The whole path.
    pub path: PathBuf,
    /// The environment it is in; none for the cache.
    pub environment: Option<EnvironmentIndex>,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Its content is another one.
    Edited,
    /// It is shorter than it was, but not empty.
    Truncated,
    /// It is empty, and was not.
    Empty,
    /// It is not there, or a symlink that leads nowhere.
    Missing,
    /// `RECORD` does not list it.
    Extra,
}

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Something has changed since it was installed.
    Damage,
    /// It has been so from the start: nothing shows a change, and independent copies are the same.
    Wheel,
}

impl Fault {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::Missing => "missing",
            Self::Extra => "extra",
        }
    }
}

impl Verdict {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Wheel => "wheel",
        }
    }
}

impl Verified {
    /// What has changed since it was installed.
    pub fn damage(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.verdict == Verdict::Damage)
    }
}
