//! How a distribution is repaired: the entry, the files, and what has to be found.

use serde::{Deserialize, Serialize};

use crate::plan::At;
use crate::plan::at::hexadecimal;
use crate::plan::relink::link_mode;
use crate::scan::repair::Way;
use crate::snapshot::{FilePrint, Identity, Mode};

/// How one distribution of one environment is repaired from one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairWork {
    /// Its `.dist-info` directory, relative to the environment's root.
    pub dist_info: At,
    /// How the entry was found: `moved` or `digest`; none before uv has fetched it.
    #[serde(with = "way")]
    pub way: Option<Way>,
    /// The cache that the entry lies in.
    pub cache: At,
    /// The entry, relative to that cache's root; none before uv has fetched it.
    pub entry: Option<At>,
    /// Which directory the entry has to be; none before uv has fetched it.
    pub entry_is: Option<Identity>,
    /// How its files are linked.
    #[serde(with = "link_mode")]
    pub link_mode: Mode,
    /// The files.
    pub files: Vec<RepairFile>,
    /// What uv is to do, where it is to do something.
    pub fetch: Option<Fetch>,
    /// What has to be found at the environment's `RECORD` of the distribution.
    pub expects: FilePrint,
}

impl RepairWork {
    /// Whether it is the same as that of another plan.
    pub(in crate::plan) fn is_same(&self, other: &Self) -> bool {
        let files = |it: &Self| -> Vec<_> {
            it.files
                .iter()
                .map(|file| (file.at.clone(), file.source.clone(), file.sha256, file.replaces))
                .collect()
        };
        (&self.dist_info, &self.cache, &self.entry, self.entry_is, self.link_mode, self.expects)
            == (&other.dist_info, &other.cache, &other.entry, other.entry_is, other.link_mode, other.expects)
            && self.fetch == other.fetch
            && files(self) == files(other)
    }
}

/// What uv is to fetch, and what is in its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLink {
    /// Where it is, relative to the cache's root.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there.
    pub expects: FilePrint,
}

/// One file of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairFile {
    /// Where it is made, relative to the environment's root.
    #[serde(flatten)]
    pub at: At,
    /// The file it is made from, relative to the entry; none before uv has fetched it.
    pub source: Option<At>,
    /// The SHA-256 it has to have.
    #[serde(with = "hexadecimal::or_none")]
    pub sha256: Option<[u8; 32]>,
    /// What identifies the source that was found to have it, if a write since then changes that. Not written down: it is
    /// found out anew by whoever reads a plan.
    #[serde(skip)]
    pub hashed: Option<FilePrint>,
    /// The dead symlink that lies there; nothing where there is none.
    pub replaces: Option<FilePrint>,
}

/// Ways by their words.
mod way {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::scan::repair::Way;

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(way: &Option<Way>, serializer: S) -> Result<S::Ok, S::Error> {
        way.map(Way::word).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Way>, D::Error> {
        let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let found = [Way::Moved, Way::Digest, Way::Environment].into_iter().find(|way| way.word() == word);
        found.map(Some).ok_or_else(|| D::Error::custom(format!("`{word}` is no way to find an entry")))
    }
}
