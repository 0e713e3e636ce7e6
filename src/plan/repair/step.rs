//! One step of mending: the entry, the files, and what has to be found.

use serde::{Serialize, Serializer};

use crate::plan::At;
use crate::scan::repair::Way;
use crate::snapshot::{FilePrint, Identity, Mode};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepairAction {
    /// Links files from an entry.
    Link,
    /// Has uv fetch a distribution into the cache, then links files from its entry.
    Fetch,
    /// Writes a link of the cache anew.
    RestoreLink,
}

/// One distribution of one environment, mended from one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepairStep {
    /// What it does.
    pub action: RepairAction,
    /// In which environment: its root, absolute.
    #[serde(flatten)]
    pub at: At,
    /// The distribution's normalized name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its `.dist-info` directory, relative to the environment's root.
    pub dist_info: At,
    /// How the entry was found: `moved` or `digest`; none before uv has fetched it.
    #[serde(serialize_with = "way_or_none")]
    pub way: Option<Way>,
    /// The cache that the entry lies in.
    pub cache: At,
    /// The entry, relative to that cache's root; none before uv has fetched it.
    pub entry: Option<At>,
    /// Which directory the entry has to be; none before uv has fetched it.
    pub entry_is: Option<Identity>,
    /// How its files are linked.
    #[serde(serialize_with = "mode")]
    pub link_mode: Mode,
    /// Why, as a sentence. Not escaped.
    pub reason: String,
    /// What it makes.
    pub bytes: RepairBytes,
    /// The files.
    pub files: Vec<RepairFile>,
    /// What uv is to do, where it is to do something.
    pub fetch: Option<Fetch>,
    /// What has to be found at the environment's `RECORD` of the distribution.
    pub expects: FilePrint,
}

/// What uv is to fetch, and what is in its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetch {
    /// Where uv is to look: only what is known to have come from `PyPI`, or of which nothing tells, is asked for by its name
    /// alone.
    pub options: Vec<String>,
    /// The requirement, as uv understands it.
    pub requirement: String,
    /// The interpreter it is for: a program, or a version.
    pub python: At,
    /// The directory that uv works in, whose settings count.
    pub directory: At,
    /// Pointer files that lead nowhere, relative to the cache's root: they go first, each with the link beside it.
    pub pointers: Vec<DeadPointer>,
}

/// A pointer file that names an entry which is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadPointer {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there.
    pub expects: FilePrint,
    /// The link beside it.
    pub link: Option<DeadLink>,
}

/// A link in the cache that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLink {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there.
    pub expects: FilePrint,
}

/// One file of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepairFile {
    /// Where it is made, relative to the environment's root.
    #[serde(flatten)]
    pub at: At,
    /// The file it is made from, relative to the entry; none before uv has fetched it.
    pub source: Option<At>,
    /// The SHA-256 it has to have.
    #[serde(serialize_with = "hexadecimal")]
    pub sha256: Option<[u8; 32]>,
    /// What identifies the source that was found to have it, if a write since then changes that. Not written down: it is
    /// found out anew by whoever reads a plan.
    #[serde(skip)]
    pub hashed: Option<FilePrint>,
    /// The dead symlink that lies there; nothing where there is none.
    pub replaces: Option<FilePrint>,
}

/// What a step makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RepairBytes {
    /// Files.
    pub files: u64,
    /// The sizes of what they show, added up.
    pub logical: u64,
}

impl RepairAction {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Fetch => "fetch",
            Self::RestoreLink => "restore-link",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn mode<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.word())
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn mode_or_none<S: Serializer>(mode: &Option<Mode>, serializer: S) -> Result<S::Ok, S::Error> {
    mode.map(Mode::word).serialize(serializer)
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn way_or_none<S: Serializer>(way: &Option<Way>, serializer: S) -> Result<S::Ok, S::Error> {
    way.map(Way::word).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde asks for a reference")]
fn hexadecimal<S: Serializer>(digest: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    digest.map(|digest| data_encoding::HEXLOWER.encode(&digest)).serialize(serializer)
}
