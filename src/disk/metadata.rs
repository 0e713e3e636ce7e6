//! What a file has beside its content and its times: who may do what with it, and what was attached to it.
//!
//! A file that takes the place of another one may lack some of that. Whoever replaces files compares both by this.
//!
//! # What does not count
//! Labels that a policy gives every file by where it lies, and that come again by themselves: those of `security.selinux`
//! and Smack, what `evm` computes from the inode, what macOS notes of every file that was downloaded, and what a
//! filesystem of layers or btrfs notes for itself. uv's own links do not keep them either. `trusted.*` is told to root
//! alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;

/// What a file has beside its content and its times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The user it belongs to.
    pub user: u32,
    /// The group it belongs to.
    pub group: u32,
    /// Its permission bits, those for set-user-ID and the like included.
    pub bits: u32,
    /// Extended attributes that count, access control lists and capabilities among them.
    pub attached: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether it may not be changed, or only be written to at its end.
    pub fixed: Option<Fixed>,
}

/// A flag that keeps a file from being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// Nobody may change it (`chattr +i`).
    Immutable,
    /// It may only grow (`chattr +a`).
    AppendOnly,
}

/// What a file would lose if another one took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It may not be replaced at all.
    Fixed(Fixed),
    /// Its bits for set-user-ID, set-group-ID or deletion.
    Special(u32),
    /// Its owner.
    Owner {
        /// Who owns it.
        own: u32,
        /// Who owns what would take its place.
        other: u32,
    },
    /// Its group.
    Group {
        /// The group it has.
        own: u32,
        /// The group of what would take its place.
        other: u32,
    },
    /// Its access control list.
    Acl,
    /// Its capabilities.
    Capabilities,
    /// Its permissions.
    Permissions {
        /// Those it has.
        own: u32,
        /// Those of what would take its place.
        other: u32,
    },
    /// Another extended attribute.
    Attached(String),
    /// What it has could not be read: the system's words.
    Unread(String),
}

const ACL: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];
const CAPABILITIES: &[u8] = b"security.capability";

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(Fixed::Immutable) => formatter.write_str("it is immutable (`chattr +i`)"),
            Self::Fixed(Fixed::AppendOnly) => formatter.write_str("it is append-only (`chattr +a`)"),
            Self::Special(bits) => write!(formatter, "it would lose its mode {bits:04o}"),
            Self::Owner { own, other } => {
                write!(formatter, "it belongs to user {own}, the cache's file to user {other}")
            }
            Self::Group { own, other } => {
                write!(formatter, "it belongs to group {own}, the cache's file to group {other}")
            }
            Self::Acl => formatter.write_str("its access control list differs from the cache's file"),
            Self::Capabilities => formatter.write_str("its capabilities differ from the cache's file"),
            Self::Permissions { own, other } => {
                write!(formatter, "it has mode {own:04o}, the cache's file {other:04o}")
            }
            Self::Attached(name) => write!(formatter, "it would lose its attribute `{name}`"),
            Self::Unread(words) => write!(formatter, "its attributes could not be read: {words}"),
        }
    }
}

impl std::error::Error for Loss {}

impl Loss {
    /// The loss behind an error, if it stands for one.
    pub fn behind(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Loss> for io::Error {
    fn from(loss: Loss) -> Self {
        Self::other(loss)
    }
}

impl Metadata {
    /// Reads an open file.
    #[cfg(unix)]
    pub fn of(file: &File) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let stat = file.metadata()?;
        Ok(Self {
            user: stat.uid(),
            group: stat.gid(),
            bits: stat.mode() & 0o7777,
            attached: attached::read(file)?,
            fixed: fixed(file),
        })
    }

    /// Reads an open file: other systems keep who may do what in lists of the directory.
    #[cfg(not(unix))]
    pub fn of(_file: &File) -> io::Result<Self> {
        Ok(Self::default())
    }

    /// What this file would lose if its name led to another one: a link.
    pub fn lost_to(&self, other: &Self) -> Option<Loss> {
        if let Some(fixed) = self.fixed {
            return Some(Loss::Fixed(fixed));
        }
        if self.bits & 0o7000 != other.bits & 0o7000 {
            return Some(Loss::Special(self.bits));
        }
        if self.user != other.user {
            return Some(Loss::Owner { own: self.user, other: other.user });
        }
        if self.group != other.group {
            return Some(Loss::Group { own: self.group, other: other.group });
        }
        let differing = |name: &Vec<u8>| self.attached.get(name) != other.attached.get(name);
        let names = self.attached.keys().chain(other.attached.keys());
        if let Some(loss) =
            names.filter(|name| differing(name)).map(|name| Loss::of_attached(name)).min_by_key(rank)
        {
            return Some(loss);
        }
        (self.bits != other.bits).then_some(Loss::Permissions { own: self.bits, other: other.bits })
    }

    /// Whether it has more than an owner and plain permissions, which every copy gets.
    pub fn is_special(&self) -> bool {
        self.bits & 0o7000 != 0 || !self.attached.is_empty()
    }

    /// Whether a file of another owner with the same bits and attributes would be something else: what runs as its owner, or
    /// lets somebody in.
    pub fn depends_on_owner(&self) -> Option<Loss> {
        if let Some(fixed) = self.fixed {
            return Some(Loss::Fixed(fixed));
        }
        if self.bits & 0o7000 != 0 {
            return Some(Loss::Special(self.bits));
        }
        let is_right = |loss: &Loss| matches!(loss, Loss::Acl | Loss::Capabilities);
        self.attached.keys().map(|name| Loss::of_attached(name)).filter(is_right).min_by_key(rank)
    }
}

impl Loss {
    /// What is lost with an extended attribute.
    pub fn of_attached(name: &[u8]) -> Self {
        if ACL.contains(&name) {
            Self::Acl
        } else if name == CAPABILITIES {
            Self::Capabilities
        } else {
            Self::Attached(String::from_utf8_lossy(name).into_owned())
        }
    }
}

/// The order in which losses are told.
fn rank(loss: &Loss) -> u8 {
    match loss {
        Loss::Acl => 0,
        Loss::Capabilities => 1,
        _ => 2,
    }
}

#[cfg(target_os = "linux")]
fn fixed(file: &File) -> Option<Fixed> {
    use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};
    // A kernel or filesystem that does not tell lets the replacing itself fail.
    let told = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()).ok()?.stx_attributes;
    if told.contains(StatxAttributes::IMMUTABLE) {
        Some(Fixed::Immutable)
    } else if told.contains(StatxAttributes::APPEND) {
        Some(Fixed::AppendOnly)
    } else {
        None
    }
}

/// Elsewhere the replacing itself fails.
#[cfg(all(unix, not(target_os = "linux")))]
fn fixed(_file: &File) -> Option<Fixed> {
    None
}

/// Extended attributes, where the system has them.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
mod attached {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io;

    use rustix::fs::{fgetxattr, flistxattr};
    use rustix::io::Errno;

    /// The longest list of names, and the longest value (`xattr(7)`).
    const LONGEST: usize = 64 << 10;

    /// Names that do not count, by how they begin.
    const OTHERS: [&[u8]; 9] = [
        b"security.selinux",
        b"security.SMACK64",
        b"security.apparmor",
        b"security.evm",
        b"trusted.overlay.",
        b"user.overlay.",
        b"btrfs.",
        b"com.apple.provenance",
        b"com.apple.quarantine",
    ];

    pub(super) fn read(file: &File) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut found = BTreeMap::new();
        // Most files have none, and a short list.
        let mut list = [0; 512];
        let names = match flistxattr(file, &mut list[..]) {
            Ok(length) => list[..length].to_vec(),
            Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(found),
            Err(Errno::RANGE) => {
                let mut long = vec![0; LONGEST];
                let length = flistxattr(file, &mut long[..])?;
                long.truncate(length);
                long
            }
            Err(errno) => return Err(errno.into()),
        };
        let counts = |name: &&[u8]| !name.is_empty() && !OTHERS.iter().any(|other| name.starts_with(other));
        for name in names.split(|byte| *byte == 0).filter(counts) {
            let mut value = vec![0; LONGEST];
            match fgetxattr(file, name, &mut value[..]) {
                Ok(length) => value.truncate(length),
                // It went since it was listed.
                #[cfg(target_os = "linux")]
                Err(Errno::NODATA) => continue,
                Err(errno) => return Err(errno.into()),
            }
            found.insert(name.to_vec(), value);
        }
        Ok(found)
    }
}

/// Extended attributes: not looked at on this system.
#[cfg(all(unix, not(any(target_os = "linux", target_vendor = "apple"))))]
mod attached {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io;

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(super) fn read(_file: &File) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        Ok(BTreeMap::new())
    }
}
