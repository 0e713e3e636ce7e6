//! Why a lock was not taken. Busy, not permitted and not supported are different answers, with different ways out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::holder::{self, Holder, Share};
use crate::disk::{self, volume};
use crate::human::escape_os;

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Somebody holds it, and nobody wanted to wait.
    #[error("`{}` is locked by {}", escape_os(path.as_os_str()), holder::in_words(holders))]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How it was wanted.
        wanted: Share,
        /// Who holds it, then who waits for it.
        holders: Vec<Holder>,
    },
    /// Somebody held it for as long as it was waited for.
    #[error(
        "`{}` was locked for {} by {}",
        escape_os(path.as_os_str()),
        crate::human::counted(waited.as_secs(), "second", "seconds"),
        holder::in_words(holders)
    )]
    TimedOut {
        /// The lock file.
        path: PathBuf,
        /// How it was wanted.
        wanted: Share,
        /// Who holds it, then who waits for it.
        holders: Vec<Holder>,
        /// For how long it was waited for.
        waited: Duration,
    },
    /// Somebody asked to stop waiting.
    #[error("Waiting for the lock `{}` was cancelled", escape_os(path.as_os_str()))]
    Cancelled {
        /// The lock file.
        path: PathBuf,
    },
    /// This user may not use it, or nobody may change the filesystem it is on.
    #[error("No permission to use the lock `{}`", escape_os(error.path.as_os_str()))]
    Denied {
        /// What was tried, and what the operating system answered.
        #[source]
        error: disk::Error,
    },
    /// The filesystem has no such locks.
    #[error(
        "The filesystem ({filesystem}) of `{}` does not support locks",
        escape_os(error.path.as_os_str())
    )]
    Unsupported {
        /// The filesystem's name, or `unknown`.
        filesystem: &'static str,
        /// What was tried, and what the operating system answered.
        #[source]
        error: disk::Error,
    },
    /// The directory that it guards is gone, or the file was replaced again and again while it was being locked.
    #[error("The lock `{}` vanished while it was being taken", escape_os(path.as_os_str()))]
    Vanished {
        /// The lock file.
        path: PathBuf,
    },
    /// What lies there is no lock file.
    #[error("`{}` is {what}, not a lock file; it was left alone", escape_os(path.as_os_str()))]
    Odd {
        /// The path.
        path: PathBuf,
        /// What lies there, as `a symlink`.
        what: &'static str,
    },
    /// The directory is not of the kind that such a lock guards.
    #[error("`{}` does not look like {expected}; nothing was locked", escape_os(path.as_os_str()))]
    Unlike {
        /// The directory.
        path: PathBuf,
        /// What it should be, as `a uv cache`.
        expected: &'static str,
    },
    /// Something else went wrong.
    #[error(transparent)]
    Failed(#[from] disk::Error),
}

impl Refused {
    /// Whether somebody else holds the lock, so that trying again later may help.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::TimedOut { .. })
    }

    /// The answer to a failed operation on a lock file.
    pub(super) fn from_io(operation: &'static str, path: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
                Self::Denied { error: disk::Error::new(operation, path, error) }
            }
            Kind::NotFound | Kind::NotADirectory | Kind::StaleNetworkFileHandle => {
                Self::Vanished { path: path.to_owned() }
            }
            // NFS locks alone only what is open for writing, as the byte ranges that flock(2) becomes there ask for.
            _ if is_not_writable(&error) => Self::Denied { error: disk::Error::new(operation, path, error) },
            _ if is_unsupported(&error) => Self::Unsupported {
                filesystem: volume::filesystem(path).name,
                error: disk::Error::new(operation, path, error),
            },
            _ => Self::Failed(disk::Error::new(operation, path, error)),
        }
    }
}

/// Whether the answer of flock(2) means that it does not work there at all.
#[cfg(unix)]
fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let none = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS, Errno::INVAL];
    Errno::from_io_error(error).is_some_and(|errno| none.contains(&errno))
        || error.kind() == io::ErrorKind::Unsupported
}

/// Whether the answer of flock(2) means that the file would have to be open for writing.
#[cfg(unix)]
fn is_not_writable(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::BADF)
}

/// Whether an answer means that the file would have to be open for writing: never here.
#[cfg(not(unix))]
fn is_not_writable(_error: &io::Error) -> bool {
    false
}

/// Whether an answer means that locking does not work there at all.
#[cfg(not(unix))]
fn is_unsupported(error: &io::Error) -> bool {
    // ERROR_INVALID_FUNCTION and ERROR_NOT_SUPPORTED.
    matches!(error.raw_os_error(), Some(1 | 50)) || error.kind() == io::ErrorKind::Unsupported
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn busy_denied_unsupported_and_gone_are_different_answers() {
        let of = |errno: Errno| Refused::from_io("lock", Path::new("/x/.lock"), errno.into());
        for errno in [Errno::ACCESS, Errno::PERM, Errno::ROFS, Errno::BADF] {
            assert!(matches!(of(errno), Refused::Denied { .. }), "{errno}");
        }
        for errno in [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL] {
            assert!(matches!(of(errno), Refused::Unsupported { .. }), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::STALE] {
            assert!(matches!(of(errno), Refused::Vanished { .. }), "{errno}");
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::MFILE] {
            assert!(matches!(of(errno), Refused::Failed(_)), "{errno}");
        }
        assert!(!of(Errno::ACCESS).is_busy());
        let path = PathBuf::from("/x/.lock");
        assert!(Refused::Busy { path, wanted: Share::Shared, holders: Vec::new() }.is_busy());
    }
}
