//! Environments and the distributions installed in them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::entry::LastUse;
use super::id::EntryIndex;
use super::print::{FilePrint, TreePrint};
use super::reference::ModeCounts;
use crate::uv::distribution::{DirectUrl, LocalSource};
use crate::uv::sources::Place;

/// One environment.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Its root, absolute.
    pub path: PathBuf,
    /// What it is for.
    pub kind: EnvironmentKind,
    /// What made it.
    pub manager: Manager,
    /// Its Python version, as `3.12.4`.
    pub python: Option<String>,
    /// The interpreter it points to.
    pub interpreter: Option<PathBuf>,
    /// Whether that interpreter is there.
    pub interpreter_alive: bool,
    /// Whether it is the base of conda, from which that runs.
    pub is_base: bool,
    /// Whether pipx made it.
    pub is_of_pipx: bool,
    /// The interpreter by which an installation of Python is named, which is no environment of its own.
    pub installation: Option<PathBuf>,
    /// Whether that installation is marked as managed by something else than pip and uv (PEP 668).
    pub externally_managed: bool,
    /// The prefix of an installation, or of what `--prefix` filled, of which this is the directory of distributions.
    pub prefix: Option<PathBuf>,
    /// Whether it lies in the cache's directory outside of uv's buckets, where `uv cache prune` deletes it.
    pub inside: bool,
    /// What lies in it as if it were installed, and is not.
    pub leftovers: Vec<Leftover>,
    /// Other caches that its files are linked to, ordered by path.
    pub other_caches: Vec<OtherCache>,
    /// How it was found.
    pub found_by: FoundBy,
    /// The entry it is stored as, for environments in an archive bucket.
    pub entry: Option<EntryIndex>,
    /// Its installed distributions, ordered by name.
    pub distributions: Vec<Distribution>,
    /// Files and symlinks in it.
    pub files: u64,
    /// The sizes of its files added up, in bytes; symlinks do not count.
    pub logical: u64,
    /// Allocated bytes including directories, each inode once.
    pub disk: u64,
    /// The part of `disk` that somebody else holds too.
    pub shared: u64,
    /// Files per link mode, over all distributions.
    pub modes: ModeCounts,
    /// Symlinks into a cache whose target is gone, over the whole environment.
    pub dangling: u64,
    /// Bytes of copied files whose content the cache also holds, so that relinking would give them back.
    pub copied: u64,
    /// Whether it works.
    pub health: Health,
    /// The newest installation seen in it.
    pub installed: Option<Timestamp>,
    /// The newest sign that it was used. A long time without one is no proof that it was not.
    pub last_use: Option<LastUse>,
    /// The distributions that no other one in it needs, of an environment that is an entry: what it was made for.
    pub wanted: Vec<String>,
    /// What other directories it needs to work: the environment that it extends, the directory of its interpreter, and what its
    /// path files name. Absolute, every symlink resolved.
    pub needs: Vec<PathBuf>,
    /// What identifies it.
    pub print: TreePrint,
    /// What identifies its content, without what others change: its lock file, and how many links its files have.
    pub content: TreePrint,
    /// Other environments, and the cache, that lie in it, relative to its root.
    pub nested: Vec<PathBuf>,
    /// Whether `uv sync` makes it again: it is the `.venv` of a project with a `uv.lock`.
    pub is_locked: bool,
    /// The directories of its distributions, relative to its root: an installation changes them.
    pub sites: Vec<(PathBuf, FilePrint)>,
    /// Of an environment that lies in the cache for a project: what has become of that project.
    pub project: Project,
    /// Processes that run in it, by their ids: looked for where an environment lies in the cache.
    pub running: Vec<u32>,
    /// Whether it is on another mount than the cache, to which no hard link leads, be it of the same filesystem.
    pub other_mount: bool,
    /// Something in it could not be read.
    pub unread: bool,
}

impl Environment {
    /// The part of `disk` that nobody else holds, in bytes.
    pub fn exclusive(&self) -> u64 {
        self.disk.saturating_sub(self.shared)
    }

    /// Whether all that is broken in it is symlinks that name the cache by another path, where that may well be right: it
    /// lies in the cache, as a container may have made it.
    pub fn works_elsewhere(&self) -> bool {
        self.inside
            && self.dangling > 0
            && self.distributions.iter().all(|it| it.files.missing == 0 && it.files.modified == 0)
    }

    /// The link mode over all distributions.
    pub fn mode(&self) -> LinkMode {
        LinkMode::of(self.modes)
    }

    /// The directory of its project, where that is known: the one that it lies in, or the one for which it lies in the cache.
    pub fn project_directory(&self) -> Option<&Path> {
        match self.kind {
            EnvironmentKind::Project => self.path.parent(),
            _ => self.project.directory(),
        }
    }
}

/// Something in an environment that is not installed there any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// Where it lies, relative to the environment's root.
    pub path: PathBuf,
    /// What it is.
    pub kind: LeftoverKind,
}

/// What a leftover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftoverKind {
    /// The distributions of a Python that the environment had before it was upgraded.
    OtherPython,
    /// A `.dist-info` of a package that conda has removed.
    Removed,
}

/// Another cache that files of an environment are linked to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherCache {
    /// Its root.
    pub path: PathBuf,
    /// Files that are hardlinks of that cache's, or symlinks into it.
    pub files: u64,
}

/// What has become of the project of a central environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Project {
    /// Nothing tells where it is: the name of the environment has only a digest of that.
    #[default]
    Unknown,
    /// Its `.venv` leads to the environment. Its directory.
    Linked(PathBuf),
    /// It is there, and has no `.venv`. Its directory.
    Unlinked(PathBuf),
    /// It is there, and has a `.venv` of its own. Its directory.
    There(PathBuf),
    /// It is not where it was, which its own parent directory shows: it was deleted, or moved with a `.venv` that still leads
    /// here. Its directory.
    Missing(PathBuf),
    /// It is not where it was, and a person has said that it is gone. Its directory.
    Gone(PathBuf),
    /// It is not there, but may lie on a disk that is not mounted, or where nobody may look. Its directory.
    OutOfReach(PathBuf),
}

/// What an environment is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvironmentKind {
    /// It belongs to a project directory.
    Project,
    /// It was made by `uv tool install` or `pipx`.
    Tool,
    /// It was made by `uvx` or `uv run --with` and is stored as a cache entry.
    Cached,
    /// It was made for a script with inline metadata (PEP 723).
    Script,
    /// It belongs to a project but lies in the cache (uv's preview of central environments).
    Central,
    /// Anything else: named targets, system directories, environments kept by other managers.
    #[default]
    Other,
}

/// What made an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manager {
    /// uv.
    Uv,
    /// virtualenv.
    Virtualenv,
    /// The standard library's `venv`.
    Venv,
    /// conda and its kin.
    Conda,
    /// No environment of its own: a `--target` or `--prefix` directory, or a system installation.
    Target,
    /// Not told.
    #[default]
    Unknown,
}

/// How an environment was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoundBy {
    /// It was named with `--root` or lies beneath a root so named.
    Root,
    /// It lies in the current directory, beneath it, or in a directory above it.
    CurrentDirectory,
    /// uv's record of an interpreter names it.
    InterpreterRecord,
    /// `VIRTUAL_ENV` or `CONDA_PREFIX` names it.
    Variable,
    /// It lies in uv's directory of tools.
    UvTools,
    /// It lies in the cache.
    Cache,
    /// It lies where another manager keeps its environments.
    KnownPlace,
    /// An earlier scan found it.
    #[default]
    Remembered,
}

/// One installed distribution.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// Its normalized name (PEP 503), as uv prints it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The entry it was installed from, by the strongest evidence.
    pub entry: Option<EntryIndex>,
    /// How its files were linked.
    pub mode: LinkMode,
    /// Its files by what became of them.
    pub files: FileCounts,
    /// The bytes behind its files.
    pub bytes: FileBytes,
    /// Copies of the entry's files that others have a name of, or list too: what they take comes free with the last name.
    pub joint: Vec<JointCopy>,
    /// What identifies its `RECORD`: an installation changes it. None where there is none, or it is a symlink.
    pub record: Option<FilePrint>,
    /// Whether it is whole.
    pub state: DistributionState,
    /// Where it was installed from, when `direct_url.json` tells.
    pub direct_url: Option<DirectUrl>,
    /// The file of this machine it came from, when `uv_cache.json` tells and there is no `direct_url.json`.
    pub local: Option<LocalSource>,
    /// The directory that has the very file it came from, or else the index that the lock file of the environment's project
    /// says it is from.
    pub registry: Option<Place>,
    /// Whether it is an editable installation.
    pub editable: bool,
    /// The tool that `INSTALLER` names.
    pub installer: Option<String>,
    /// Whether the system's package manager has installed it, which alone knows its files: they are compared with nothing.
    pub of_system: bool,
    /// When it was installed: the modification time of its `RECORD` or `.dist-info`.
    pub installed: Option<Timestamp>,
    /// Its `.dist-info` directory, relative to the environment's root.
    pub dist_info: PathBuf,
    /// The other cache that its files are linked to.
    pub other_cache: Option<PathBuf>,
    /// Whether its files have other names that were not found, as in a cache that was not searched.
    pub linked_elsewhere: bool,
    /// What is wrong with it or what could not be proven, as a sentence; empty when nothing is.
    pub note: String,
}

/// A copy of an entry's file with other names outside the cache, or one that several distributions list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointCopy {
    /// Where it is, relative to the environment's root.
    pub path: PathBuf,
    /// Identifies the filesystem.
    pub device: u64,
    /// Identifies the file within it.
    pub inode: u64,
    /// Its hard links.
    pub links: u64,
    /// Its allocated bytes.
    pub disk: u64,
}

/// Files of a distribution, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Files linked to or equal with a cache entry's, per mode.
    pub modes: ModeCounts,
    /// Symlinks whose target is gone.
    pub dangling: u64,
    /// Files that `RECORD` lists and that are not there.
    pub missing: u64,
    /// Files whose content is not what `RECORD` says.
    pub modified: u64,
    /// Files uv keeps private: `RECORD`, `INSTALLER`, `REQUESTED`, JSON files of the `.dist-info`, generated scripts.
    pub private: u64,
    /// Files equal to an entry's that a reflink or a copy could have made, because the filesystem can reflink and stores
    /// them where nothing can be compared: inline, or not at all when they are empty. They count for no mode.
    pub unprovable: u64,
    /// Files of no known entry: their content is what `RECORD` says, but no entry has it.
    pub own: u64,
}

/// Allocated bytes behind the files of a distribution, as far as linking them otherwise moves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileBytes {
    /// Of copies that have no other name: what links in their place give back.
    pub copied: u64,
    /// Of the entry's files that hardlinks and symlinks lead to: what copies in their place take.
    pub linked: u64,
    /// Of the symlinks themselves.
    pub symlinks: u64,
}

impl Distribution {
    /// How its files were linked, in words.
    pub fn mode_in_words(&self) -> &'static str {
        match () {
            () if self.of_system => "the system's",
            () if self.other_cache.is_some() => "linked to another cache",
            () if self.linked_elsewhere => "linked elsewhere",
            () => self.mode.word(),
        }
    }

    /// How its files were linked, in one word. Files with another name in another cache are no copies.
    pub fn mode_word(&self) -> &'static str {
        match self.mode {
            _ if self.linked_elsewhere => Mode::Hardlink.word(),
            LinkMode::Only(Mode::Copy) if self.other_cache.is_some() => Mode::Hardlink.word(),
            mode => mode.word(),
        }
    }

    /// Whether conda has installed it: its files are conda's, and no wheel belongs over them.
    pub fn is_of_conda(&self) -> bool {
        self.installer.as_deref() == Some("conda")
    }
}

impl FileBytes {
    /// Adds other bytes to these.
    pub fn add(&mut self, other: Self) {
        self.copied += other.copied;
        self.linked += other.linked;
        self.symlinks += other.symlinks;
    }
}

/// One way of linking a file. Read from files, never from settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A reflink.
    Clone,
    /// A hardlink.
    Hardlink,
    /// A symlink.
    Symlink,
    /// A copy.
    Copy,
}

/// How a distribution's files were linked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkMode {
    /// All by one mode.
    Only(Mode),
    /// By several.
    Mixed,
    /// No file could be attributed.
    #[default]
    Unknown,
}

impl LinkMode {
    /// The mode of a set of files.
    pub fn of(counts: ModeCounts) -> Self {
        let present = [
            (counts.clone, Mode::Clone),
            (counts.hardlink, Mode::Hardlink),
            (counts.symlink, Mode::Symlink),
            (counts.copy, Mode::Copy),
        ];
        let mut modes = present.iter().filter(|(files, _)| *files > 0).map(|(_, mode)| *mode);
        match (modes.next(), modes.next()) {
            (None, _) => Self::Unknown,
            (Some(mode), None) => Self::Only(mode),
            _ => Self::Mixed,
        }
    }

    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Only(mode) => mode.word(),
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        }
    }
}

impl Mode {
    /// All of them, in uv's order.
    pub const ALL: [Self; 4] = [Self::Clone, Self::Hardlink, Self::Symlink, Self::Copy];

    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::Hardlink => "hardlink",
            Self::Symlink => "symlink",
            Self::Copy => "copy",
        }
    }
}

/// Whether a distribution is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DistributionState {
    /// Everything that was looked at is as it should be.
    Ok,
    /// Files dangle or are missing.
    Broken,
    /// Files were changed after installation.
    Modified,
    /// `RECORD` is missing or cannot be read, so that nothing can be said.
    #[default]
    Unknown,
}

/// Whether an environment works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Nothing is known to be wrong.
    #[default]
    Ok,
    /// A distribution is broken.
    Broken,
    /// Its interpreter is gone.
    NoInterpreter,
}

impl Project {
    /// The word for it in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Linked(_) => "linked",
            Self::Unlinked(_) => "unlinked",
            Self::There(_) => "there",
            Self::Missing(_) => "missing",
            Self::Gone(_) => "gone",
            Self::OutOfReach(_) => "out-of-reach",
        }
    }

    /// Its directory, where that is known.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Unknown => None,
            Self::Linked(path)
            | Self::Unlinked(path)
            | Self::There(path)
            | Self::Missing(path)
            | Self::Gone(path)
            | Self::OutOfReach(path) => Some(path),
        }
    }
}

impl LeftoverKind {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::OtherPython => "other-python",
            Self::Removed => "removed",
        }
    }
}

impl Leftover {
    /// What it is, as a sentence without its end. `path` is how it is named.
    pub fn sentence(&self, path: &str) -> String {
        match self.kind {
            LeftoverKind::OtherPython => {
                format!("{path} is left over from another version of Python; nothing there is installed")
            }
            LeftoverKind::Removed => format!("{path} is left over from a package that conda removed"),
        }
    }
}

impl EnvironmentKind {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Tool => "tool",
            Self::Cached => "cached",
            Self::Script => "script",
            Self::Central => "central",
            Self::Other => "other",
        }
    }
}

impl Manager {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Virtualenv => "virtualenv",
            Self::Venv => "venv",
            Self::Conda => "conda",
            Self::Target => "none",
            Self::Unknown => "unknown",
        }
    }
}

impl FoundBy {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::CurrentDirectory => "current-directory",
            Self::InterpreterRecord => "interpreter-record",
            Self::Variable => "variable",
            Self::UvTools => "uv-tools",
            Self::Cache => "cache",
            Self::KnownPlace => "known-place",
            Self::Remembered => "remembered",
        }
    }
}

impl DistributionState {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Modified => "modified",
            Self::Unknown => "unknown",
        }
    }
}

impl Health {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::NoInterpreter => "no-interpreter",
        }
    }
}
