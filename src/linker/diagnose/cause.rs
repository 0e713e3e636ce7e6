//! Why files cannot be linked as they could be, in words: what it is, what it costs, and what to do about it.
//!
//! An advice is never worse than the problem: a copy is not advised merely to silence uv's warning, and a symlink not
//! without saying what a pruned cache then breaks.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::human;
use crate::linker::probe::Ground;
use crate::snapshot::Mode;

/// One of the two places that files are linked between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The cache.
    Cache,
    /// The environment.
    Environment,
}

/// Where a place lies: its mount, or itself where mounts are not told, and the type of the filesystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// Where the mount is.
    pub point: PathBuf,
    /// The type of the filesystem, as `ext4`.
    pub filesystem: String,
}

/// Why files cannot be linked as they could be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Cache and environment lie on different filesystems.
    DifferentDevice {
        /// Where the cache lies.
        cache: Spot,
        /// Where the environment lies.
        environment: Spot,
    },
    /// One filesystem, but two mounts, as a bind mount makes them.
    OtherMount {
        /// Where the cache lies.
        cache: Spot,
        /// Where the environment lies.
        environment: Spot,
    },
    /// One of the two lies in the layers of a container's image, the other does not.
    ContainerLayer {
        /// Where the cache lies.
        cache: Spot,
        /// Where the environment lies.
        environment: Spot,
    },
    /// One btrfs filesystem, but two subvolumes: reflinks work, hardlinks do not.
    Subvolume,
    /// The filesystem has no links, as FAT and exFAT.
    NoLinks(Spot),
    /// The network filesystem, or its server, makes no hardlinks.
    NetworkFilesystem(Spot),
    /// Nothing can be written there.
    ReadOnly(Side, Spot),
    /// The user may not write there.
    NotWritable(Side, PathBuf, Option<u32>),
    /// Files of the cache belong to somebody else, and may not be linked.
    ForeignFiles {
        /// One of them.
        path: PathBuf,
        /// Their owner.
        owner: u32,
        /// Whether the kernel forbids it by `fs.protected_hardlinks`.
        protected: bool,
    },
    /// A file has as many links as its filesystem allows.
    LinkLimit {
        /// The file.
        path: PathBuf,
        /// Its links.
        links: u64,
    },
    /// There is no space left.
    NoSpace(Side, Spot),
    /// The user's share of the space is used up.
    Quota(Side, Spot),
    /// Windows lets this user make no symlinks.
    SymlinkPrivilege,
    /// The files are, or are linked to, in a folder that a cloud service keeps.
    CloudFolder,
    /// Another program has the files open, or looks at them.
    InUse(Mode),
    /// The filesystem cannot clone; hardlinks take no more space.
    NoReflink(Spot),
    /// Something else.
    Unexplained {
        /// The mode.
        mode: Mode,
        /// What the system says.
        message: String,
    },
}

impl Spot {
    /// The spot of a place.
    pub fn of(ground: &Ground) -> Self {
        Self {
            point: ground.point.clone().unwrap_or_else(|| ground.path.clone()),
            filesystem: ground.filesystem.clone(),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", quoted(&self.point), human::escape(&self.filesystem))
    }
}

impl Side {
    fn words(self) -> &'static str {
        match self {
            Self::Cache => "the cache",
            Self::Environment => "the environment",
        }
    }
}

fn quoted(path: &Path) -> String {
    format!("`{}`", human::escape_os(path.as_os_str()))
}

impl Cause {
    /// The word for it in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DifferentDevice { .. } => "different-device",
            Self::OtherMount { .. } => "other-mount",
            Self::ContainerLayer { .. } => "container-layer",
            Self::Subvolume => "subvolume",
            Self::NoLinks(_) => "no-links",
            Self::NetworkFilesystem(_) => "network-filesystem",
            Self::ReadOnly(..) => "read-only",
            Self::NotWritable(..) => "not-writable",
            Self::ForeignFiles { .. } => "foreign-files",
            Self::LinkLimit { .. } => "link-limit",
            Self::NoSpace(..) => "no-space",
            Self::Quota(..) => "quota",
            Self::SymlinkPrivilege => "symlink-privilege",
            Self::CloudFolder => "cloud-folder",
            Self::InUse(_) => "in-use",
            Self::NoReflink(_) => "no-reflink",
            Self::Unexplained { .. } => "unexplained",
        }
    }

    /// Whether something is wrong, rather than merely worth knowing.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Subvolume | Self::LinkLimit { .. } | Self::SymlinkPrivilege | Self::NoReflink(_) => false,
            Self::Unexplained { mode, .. } | Self::InUse(mode) => *mode != Mode::Symlink,
            _ => true,
        }
    }

    /// Whether it makes uv copy what could else be linked.
    pub fn copies(&self) -> bool {
        match self {
            Self::DifferentDevice { .. }
            | Self::OtherMount { .. }
            | Self::ContainerLayer { .. }
            | Self::NoLinks(_)
            | Self::NetworkFilesystem(_)
            | Self::CloudFolder
            | Self::ForeignFiles { .. } => true,
            Self::Unexplained { mode, .. } => *mode == Mode::Hardlink,
            _ => false,
        }
    }

    /// What it costs, as a sentence.
    pub fn cost(&self) -> &'static str {
        match self {
            Self::DifferentDevice { .. }
            | Self::OtherMount { .. }
            | Self::ContainerLayer { .. }
            | Self::NoLinks(_)
            | Self::NetworkFilesystem(_)
            | Self::CloudFolder => {
                "Every file that is installed there is copied, and takes its space a second time."
            }
            Self::ForeignFiles { .. } => {
                "Those files are copied when they are installed, and take their space a second time."
            }
            Self::Subvolume => {
                "None while uv clones, which it does by default; with `--link-mode hardlink` it copies."
            }
            Self::ReadOnly(Side::Cache, _) | Self::NotWritable(Side::Cache, ..) => {
                "uv ends with an error as soon as it has to put something there, even a temporary file."
            }
            Self::ReadOnly(Side::Environment, _) | Self::NotWritable(Side::Environment, ..) => {
                "Nothing can be installed, upgraded, repaired or relinked there."
            }
            Self::LinkLimit { .. } => {
                "That one file is copied into every further environment; all others are linked."
            }
            Self::NoSpace(..) | Self::Quota(..) => "Nothing more can be installed there.",
            Self::SymlinkPrivilege => "None unless symlinks are asked for; uv then copies.",
            Self::InUse(_) => {
                "What is in use while uv installs is copied instead, or the installation fails."
            }
            Self::NoReflink(_) => "None: hardlinks take no more space than clones.",
            Self::Unexplained { .. } => "What cannot be linked is copied, and takes its space a second time.",
        }
    }

    /// What to do about it, as sentences.
    pub fn advice(&self) -> String {
        match self {
            Self::DifferentDevice { cache: _, environment } => format!(
                "Keep one cache per filesystem: for projects below {0}, set `UV_CACHE_DIR`, or `cache-dir` in their \
                 `uv.toml`, to a directory there. Or leave it: an environment that is seldom made again costs its copies \
                 once. Symlinks would work too, but then `uv cache prune` or `uv cache clean` may break the environment.",
                quoted(&environment.point)
            ),
            Self::OtherMount { .. } => "Mount the directory above both once, instead of each for itself: files can \
                be linked within one mount only, although the filesystem is the same. Where that cannot be, set \
                `UV_CACHE_DIR` to a directory within the environment's mount."
                .to_owned(),
            Self::ContainerLayer { .. } => "Where the container runs for long, put cache and environments on one volume, \
                with `UV_CACHE_DIR`. While an image is built with a cache mount, a copy is what the image needs: the mount \
                is not part of the image, so that links into it would be lost. The price is that each image holds its files \
                in full. `UV_LINK_MODE=copy` then says that this is meant."
                .to_owned(),
            Self::Subvolume => "Leave uv's default link mode, clone: reflinks cross subvolumes.".to_owned(),
            Self::NoLinks(spot) => format!(
                "Move what lies on {} to a filesystem with links (ext4, xfs, btrfs, APFS, NTFS); `UV_CACHE_DIR` moves the \
                 cache. On this one there is nothing but copies.",
                quoted(&spot.point)
            ),
            Self::NetworkFilesystem(_) => "Keep cache and environments on a local disk, with `UV_CACHE_DIR`, or ask for hardlinks \
                on the server. A cache on a server also depends on its locks."
                .to_owned(),
            Self::ReadOnly(side, spot) => format!(
                "If {0} is meant to be fixed, nothing need be done: it can be used as it is. Otherwise mount {1} writable; a \
                 filesystem that became read-only by itself has met errors, which the kernel's log names.",
                side.words(),
                quoted(&spot.point)
            ),
            Self::NotWritable(side, path, owner) => format!(
                "Run as the user that {} belongs to, or give this one write access to {}.{}",
                side.words(),
                quoted(path),
                // Only of root's directories is it plain where they came from.
                if *owner == Some(0) { " Do not run uv with `sudo`: what it makes then belongs to root." } else { "" }
            ),
            Self::ForeignFiles { owner, .. } => format!(
                "If the cache is yours alone, make its files yours as root, after each environment of user {owner} that shares \
                 them has files of its own: `cachetui relink ENV --link-mode copy`. The price is that it holds them in full. If \
                 several users share the cache, each must be able to read and write its files: a common group, and a umask \
                 of 002."
            ),
            Self::LinkLimit { .. } => "Nothing needs to be done. Environments that are removed give links back.".to_owned(),
            Self::NoSpace(_, spot) => format!(
                "Make room on {}: `cachetui list --state unused` shows what no environment uses, and `uv cache prune` removes what uv \
                 itself no longer needs. Environments that are linked by symlink may break by that: `cachetui envs` shows them.",
                quoted(&spot.point)
            ),
            Self::Quota(_, spot) => format!(
                "Make room within your quota on {}, or have it raised: `cachetui list --state unused` shows what no environment uses.",
                quoted(&spot.point)
            ),
            Self::SymlinkPrivilege => "Nothing needs to be done: hardlinks need no privilege, and survive `uv cache prune`, \
                which symlinks do not. Windows' developer mode would allow symlinks."
                .to_owned(),
            Self::CloudFolder => "Move the environment out of the cloud folder. One file of the cache that has a link in such a \
                folder refuses further links everywhere, so move every environment out of it, then run \
                `uv cache clean` once; symlinked environments would break by that."
                .to_owned(),
            Self::InUse(_) => "Try again. If it stays, exempt the cache and the environments from the virus scanner's live \
                watch, and end programs that run from the environment."
                .to_owned(),
            Self::NoReflink(_) => "Nothing needs to be done. An edit of a hardlinked file is an edit of the cache's, though: \
                reinstall what was edited."
                .to_owned(),
            Self::Unexplained { .. } => "uv behaves here as this shows: it falls back to the next link mode.".to_owned(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DifferentDevice { cache, environment } => write!(
                formatter,
                "The cache lies on {cache}, the environment on {environment}: no file can be hardlinked or cloned from one \
                 filesystem to another."
            ),
            Self::OtherMount { cache, environment } => write!(
                formatter,
                "Cache and environment lie on one filesystem, but on two mounts of it, {cache} and {environment}: no file can \
                 be hardlinked from one mount to another."
            ),
            Self::ContainerLayer { cache, environment } => write!(
                formatter,
                "The cache lies on {cache}, the environment on {environment}; overlay is the layered filesystem of a \
                 container's image, and no file can be hardlinked into or out of its layers."
            ),
            Self::Subvolume => write!(
                formatter,
                "Cache and environment lie in two subvolumes of one btrfs: no file can be hardlinked from one to the other, but \
                 files can be cloned."
            ),
            Self::NoLinks(spot) => {
                write!(formatter, "The filesystem at {spot} has no hardlinks, like every FAT and exFAT.")
            }
            Self::NetworkFilesystem(spot) => {
                write!(formatter, "The network filesystem at {spot}, or its server, makes no hardlinks.")
            }
            Self::ReadOnly(side, spot) => {
                write!(formatter, "Nothing can be written to {}: {spot} is mounted read-only.", side.words())
            }
            Self::NotWritable(side, path, _) => write!(
                formatter,
                "This user may not write to {}, which is where {} has its files.",
                quoted(path),
                side.words()
            ),
            Self::ForeignFiles { path, owner, protected } => {
                let why = if *protected {
                    ", and the kernel refuses hardlinks to a file of another user that one may not write \
                     (fs.protected_hardlinks)"
                } else {
                    ", and this user may not hardlink them"
                };
                write!(formatter, "Files of the cache, as {}, belong to user {owner}{why}.", quoted(path))
            }
            Self::LinkLimit { path, links } => write!(
                formatter,
                "The file {} has {} links, which is as many as its filesystem allows.",
                quoted(path),
                human::count(*links)
            ),
            Self::NoSpace(side, spot) => {
                write!(formatter, "No space is left on {spot}, where {} lies.", side.words())
            }
            Self::Quota(side, spot) => {
                write!(formatter, "Your quota on {spot}, where {} lies, is used up.", side.words())
            }
            Self::SymlinkPrivilege => {
                write!(formatter, "Windows lets this user make no symlinks (error 1314).")
            }
            Self::CloudFolder => write!(
                formatter,
                "The files lie in a folder that a cloud service such as OneDrive keeps, or have a link there, and the service \
                 refuses hardlinks to them (error 396)."
            ),
            Self::InUse(mode) => write!(
                formatter,
                "Another program, often a virus scanner, has the files open, so that no {} could be made (error 5 or 32).",
                mode.word()
            ),
            Self::NoReflink(spot) => write!(formatter, "The filesystem at {spot} cannot clone files."),
            Self::Unexplained { mode, message } => {
                write!(formatter, "A {} could not be made: {}.", mode.word(), human::escape(message))
            }
        }
    }
}
