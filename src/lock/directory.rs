//! cachetui's own lock files: one for each resource, in a directory that all who use the resource may share.
//!
//! They work where uv's files cannot be written, as beside a cache that may only be read, and between cachetuis that see
//! one cache in several containers, as long as those share this directory.
//!
//! # Names
//! A file is called by the first 16 bytes of the SHA-256 digest of the resource's path in hexadecimal digits, and
//! `.lock`. The path is made absolute; its longest existing prefix is canonicalised, and from the rest `.` and `..` are
//! taken by their text. On Unix the digest is of the path's bytes, on Windows of its WTF-8 form; upper and lower case are
//! as canonicalising gives them. The file's content is that path, so that a stranger can tell what it is for; it is
//! written only into an empty file, by whoever holds the lock exclusively or is the first to hold it.
//!
//! # Where it cannot be used
//! Reading needs no lock. For a change uv's own lock file suffices, which all cachetuis take too: a guard says in its notes
//! that this one was left out, and goes on. It is never left out because somebody holds it.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::Refused;
use super::file::{Access, Held};
use super::holder::Share;
use super::waiting::{self, Waiting};
use crate::disk::{self, FileStat};

/// Bytes of the digest that are part of a name.
const DIGEST: usize = 16;

/// Who uses a lock directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Its owner alone: it is below their state directory, and made with mode 0700.
    Own,
    /// Whoever it was named to: it keeps its mode, and files in it have mode 0666.
    Named,
}

/// A lock directory that is there and can be written.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    sharing: Sharing,
}

/// cachetui's own lock of one resource; released when dropped.
#[derive(Debug)]
pub struct OwnLock(Held);

impl OwnLock {
    /// Whether its path still names the file that is locked.
    pub fn still_valid(&self) -> bool {
        self.0.still_valid()
    }
}

impl Directory {
    /// Opens a lock directory, which is made if it is missing. Fails where it cannot be written.
    pub fn open(path: &Path, sharing: Sharing) -> Result<Self, disk::Error> {
        let failed = |error| disk::Error::new("create the lock directory", path, error);
        let made = create(path, sharing).map_err(failed)?;
        let path = crate::disk::canonical(path).map_err(failed)?;
        // The path that is used from now on is that of the directory whose owner could not lead root astray.
        let found = FileStat::of(&path).map_err(failed)?;
        if made.is_some_and(|made| (made.device, made.inode) != (found.device, found.inode)) {
            let text = "another directory has taken its place";
            return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, text)));
        }
        check(&path)?;
        Ok(Self { path, sharing })
    }

    /// Whether a lock directory could be opened, without making it.
    pub fn foresee(path: &Path) -> Result<(), disk::Error> {
        let there = path.ancestors().find(|above| above.exists()).unwrap_or(path);
        if !there.is_dir() {
            let error = std::io::ErrorKind::NotADirectory.into();
            return Err(disk::Error::new("create the lock directory", path, error));
        }
        check(there)
    }

    /// Its path, every symlink resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock file of a resource, which need not exist.
    pub fn file_of(&self, resource: &Path) -> PathBuf {
        self.path.join(file_name(&resource_path(resource)))
    }

    /// Takes the lock of a resource.
    pub fn acquire(&self, resource: &Path, share: Share, waiting: &Waiting<'_>) -> Result<OwnLock, Refused> {
        let resource = resource_path(resource);
        let access = if self.sharing == Sharing::Named { Access::All } else { Access::Own };
        let held = waiting::take(&self.path.join(file_name(&resource)), share, access, waiting)?;
        // Who shares a lock may write the same bytes at the same time. Without them the lock still holds: a full disk
        // must not keep anybody from freeing it. A file with another name elsewhere was put here by somebody else.
        let stat = FileStat::of_file(held.file());
        if stat.is_ok_and(|stat| stat.size == 0 && stat.links == 1) {
            drop(held.file().write_all(resource.as_os_str().as_encoded_bytes()));
        }
        Ok(OwnLock(held))
    }
}

/// Whether this user may make files in a directory, as far as that can be told without making one.
fn check(path: &Path) -> Result<(), disk::Error> {
    #[cfg(unix)]
    let answer = {
        use rustix::fs::Access;
        let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::access(path, wanted).map_err(std::io::Error::from)
    };
    #[cfg(not(unix))]
    let answer = std::fs::read_dir(path).map(drop);
    answer.map_err(|error| disk::Error::new("write in the directory", path, error))
}

#[cfg(unix)]
fn create(path: &Path, sharing: Sharing) -> std::io::Result<Option<FileStat>> {
    let bits = if sharing == Sharing::Own { 0o700 } else { 0o777 };
    let made = super::owner::reach(path, Some(bits))?;
    Ok(Some(FileStat::from_raw(&rustix::fs::fstat(made)?)))
}

#[cfg(not(unix))]
fn create(path: &Path, _sharing: Sharing) -> std::io::Result<Option<FileStat>> {
    match std::fs::DirBuilder::new().recursive(true).create(path) {
        // On a filesystem that may only be read, a directory that is there is not asked about first.
        Err(_) if path.is_dir() => Ok(None),
        answer => answer.map(|()| None),
    }
}

/// The name of the lock file of a resource whose path is as [`resource_path`] answers it.
pub(super) fn file_name(resource: &Path) -> String {
    let digest = Sha256::digest(resource.as_os_str().as_encoded_bytes());
    format!("{}.lock", HEXLOWER.encode(&digest[..DIGEST]))
}

/// Whether a file could have been named by [`file_name`].
pub(super) fn is_file_name(name: &std::ffi::OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_suffix(".lock"));
    digits.is_some_and(|digits| {
        digits.len() == 2 * DIGEST && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The path that a lock file was made for, if its content fits its name.
pub(super) fn resource_in(path: &Path) -> Option<PathBuf> {
    let bytes = disk::read::small(path, 1 << 16).ok()?;
    let resource = decoded(&bytes)?;
    (path.file_name()?.to_str()? == file_name(&resource)).then_some(resource)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not all bytes are a path")]
fn decoded(bytes: &[u8]) -> Option<PathBuf> {
    Some(PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn decoded(bytes: &[u8]) -> Option<PathBuf> {
    crate::uv::link_file::wtf8_to_wide(bytes).map(|units| crate::uv::link_file::wide_to_path(&units))
}

/// The one path of a resource: absolute, its longest existing prefix canonicalised, without `.` and `..`.
///
/// What cannot be looked at counts as missing; its text is then taken as it is.
pub fn resource_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            // All symlinks so far are resolved, so that the text's parent is the directory's.
            Component::ParentDir => {
                resolved.pop();
            }
            part => {
                resolved.push(part);
                if let Ok(canonical) = crate::disk::canonical(&resolved) {
                    resolved = canonical;
                }
            }
        }
    }
    resolved
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn all_spellings_of_a_path_have_one_lock_file() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("real/cache")).unwrap();
        symlink(base.join("real"), base.join("link")).unwrap();
        let directory = Directory::open(&base.join("locks"), Sharing::Own).unwrap();
        let expected = directory.file_of(&base.join("real/cache"));
        for spelling in
            ["link/cache", "real/./cache", "real/cache/", "link/../real/cache", "gone/../link/cache"]
        {
            assert_eq!(directory.file_of(&base.join(spelling)), expected, "{spelling}");
        }
        assert_ne!(directory.file_of(&base.join("real")), expected);
        let missing = directory.file_of(&base.join("link/gone/x/../y"));
        assert_eq!(missing, directory.file_of(&base.join("real/gone/y")));
    }

    #[test]
    fn a_symlink_is_followed_before_the_dots_after_it() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("a/b")).unwrap();
        symlink(base.join("a/b"), base.join("link")).unwrap();
        assert_eq!(resource_path(&base.join("link/../x")), base.join("a/x"));
    }

    #[test]
    fn names_are_digests_and_contents_say_of_what() {
        let base = tempfile::tempdir().unwrap();
        let directory = Directory::open(&base.path().join("locks"), Sharing::Named).unwrap();
        let resource = Path::new("/nowhere/cache");
        let file = directory.file_of(resource);
        // `printf /nowhere/cache | sha256sum | cut -c 1-32`
        assert_eq!(file.file_name().unwrap(), "6fa20516a49a5bd70ea7914e3858f80c.lock");
        assert!(is_file_name(file.file_name().unwrap()));
        let lock = directory.acquire(resource, Share::Exclusive, &Waiting::Never).unwrap();
        assert!(lock.still_valid());
        assert_eq!(std::fs::read(&file).unwrap(), b"/nowhere/cache");
        assert_eq!(resource_in(&file), Some(resource.to_owned()));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o666);
        let busy = directory.acquire(resource, Share::Shared, &Waiting::Never).unwrap_err();
        assert!(matches!(busy, Refused::Busy { .. }));
        drop(lock);
        std::fs::write(&file, "/etc/passwd").unwrap();
        assert_eq!(resource_in(&file), None, "a content that does not fit the name is not believed");
        drop(directory.acquire(resource, Share::Shared, &Waiting::Never).unwrap());
        assert_eq!(std::fs::read(&file).unwrap(), b"/etc/passwd", "only an empty file is written");
    }

    #[test]
    fn only_names_of_our_shape_are_ours() {
        let digits = "0123456789abcdef0123456789abcdef";
        let is = |name: String| is_file_name(std::ffi::OsStr::new(&name));
        assert!(is(format!("{digits}.lock")));
        for name in [
            format!("{digits}.lock.bak"),
            format!("{}.lock", &digits[1..]),
            format!("{digits}0.lock"),
            format!("{}.lock", digits.to_uppercase()),
            format!("{}g.lock", &digits[1..]),
            ".lock".to_owned(),
        ] {
            assert!(!is(name.clone()), "{name}");
        }
    }

    #[test]
    fn the_state_directory_is_its_owners_and_a_named_one_keeps_its_mode() {
        let base = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let own = base.path().join("state/locks");
        drop(Directory::open(&own, Sharing::Own).unwrap());
        assert_eq!(mode(&own), 0o700);
        let named = base.path().join("named");
        std::fs::create_dir(&named).unwrap();
        std::fs::set_permissions(&named, std::fs::Permissions::from_mode(0o1777)).unwrap();
        drop(Directory::open(&named, Sharing::Named).unwrap());
        assert_eq!(mode(&named), 0o1777);
        std::fs::write(base.path().join("file"), "").unwrap();
        assert!(Directory::open(&base.path().join("file"), Sharing::Named).is_err());
    }
}
