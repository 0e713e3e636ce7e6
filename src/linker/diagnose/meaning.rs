//! What an error of the operating system means when a file could not be linked or made.
//!
//! On Linux and macOS the kind that the standard library derives is enough, apart from EPERM, by which link(2) says that
//! the filesystem has no hard links. Windows has codes of its own (`winerror.h`), some of which have no kind.

use std::io::ErrorKind;

use crate::linker::probe::Reason;
use crate::uv::root::Platform;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The two places are not on one filesystem, or not on one mount.
    Apart,
    /// The file has as many links as its filesystem allows.
    TooManyLinks,
    /// The filesystem cannot do it at all.
    Unsupported,
    /// The system lets this user not do it, or (on Unix) the filesystem cannot.
    NotPermitted,
    /// The user may not write there.
    Denied,
    /// Nothing can be written there.
    ReadOnly,
    /// There is no space left.
    NoSpace,
    /// The user's share of the space is used up.
    Quota,
    /// Another program has the file open, or looks at it.
    InUse,
    /// Symlinks need a privilege that this user has not.
    SymlinkPrivilege,
    /// The file is kept by a cloud folder, which refuses hardlinks.
    Cloud,
    /// Another process holds the cache's lock.
    Locked,
    /// Something is not there.
    Missing,
    /// None of these.
    Other,
}

/// What `reason` means on a platform.
pub fn meaning(reason: &Reason, platform: Platform) -> Meaning {
    let told = match (platform, reason.code) {
        (Platform::Windows, Some(code)) => windows(code),
        (_, Some(1)) => Some(Meaning::NotPermitted),
        _ => None,
    };
    told.unwrap_or(match reason.kind {
        ErrorKind::CrossesDevices => Meaning::Apart,
        ErrorKind::TooManyLinks => Meaning::TooManyLinks,
        ErrorKind::Unsupported => Meaning::Unsupported,
        ErrorKind::PermissionDenied => Meaning::Denied,
        ErrorKind::ReadOnlyFilesystem => Meaning::ReadOnly,
        ErrorKind::StorageFull => Meaning::NoSpace,
        ErrorKind::QuotaExceeded => Meaning::Quota,
        ErrorKind::WouldBlock => Meaning::Locked,
        ErrorKind::NotFound | ErrorKind::NotADirectory => Meaning::Missing,
        _ => Meaning::Other,
    })
}

/// The codes that Windows gives.
fn windows(code: i32) -> Option<Meaning> {
    Some(match code {
        // ERROR_INVALID_FUNCTION is what FAT and exFAT say of a hardlink.
        1 | 50 => Meaning::Unsupported,
        // ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION, which a virus scanner causes for a moment.
        5 | 32 => Meaning::InUse,
        17 => Meaning::Apart,
        19 => Meaning::ReadOnly,
        39 | 112 => Meaning::NoSpace,
        // ERROR_CLOUD_FILE_INCOMPATIBLE_HARDLINKS: the file, or another link to it, lies in a cloud folder.
        396 => Meaning::Cloud,
        1142 => Meaning::TooManyLinks,
        1295 => Meaning::Quota,
        1314 => Meaning::SymlinkPrivilege,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_windows_has_its_meaning_and_none_of_them_elsewhere() {
        let table = [
            (1, Meaning::Unsupported),
            (5, Meaning::InUse),
            (17, Meaning::Apart),
            (19, Meaning::ReadOnly),
            (32, Meaning::InUse),
            (39, Meaning::NoSpace),
            (50, Meaning::Unsupported),
            (112, Meaning::NoSpace),
            (396, Meaning::Cloud),
            (1142, Meaning::TooManyLinks),
            (1295, Meaning::Quota),
            (1314, Meaning::SymlinkPrivilege),
        ];
        for (code, expected) in table {
            let reason = Reason { code: Some(code), kind: ErrorKind::Other, message: String::new() };
            assert_eq!(meaning(&reason, Platform::Windows), expected, "{code}");
            let elsewhere = meaning(&reason, Platform::Unix);
            assert_eq!(elsewhere, if code == 1 { Meaning::NotPermitted } else { Meaning::Other }, "{code}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn errors_of_linux_have_their_meaning() {
        use rustix::io::Errno;
        let table = [
            (Errno::XDEV, Meaning::Apart),
            (Errno::MLINK, Meaning::TooManyLinks),
            (Errno::NOSYS, Meaning::Unsupported),
            (Errno::OPNOTSUPP, Meaning::Unsupported),
            (Errno::PERM, Meaning::NotPermitted),
            (Errno::ACCESS, Meaning::Denied),
            (Errno::ROFS, Meaning::ReadOnly),
            (Errno::NOSPC, Meaning::NoSpace),
            (Errno::DQUOT, Meaning::Quota),
            (Errno::AGAIN, Meaning::Locked),
            (Errno::NOENT, Meaning::Missing),
            (Errno::IO, Meaning::Other),
        ];
        for (errno, expected) in table {
            let reason = Reason::new(&std::io::Error::from(errno));
            assert_eq!(meaning(&reason, Platform::Unix), expected, "{errno:?}");
        }
    }
}
