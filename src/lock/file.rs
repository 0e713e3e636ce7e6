//! One lock file: opened without harm, locked, and still the one that its path names.
//!
//! A file is opened for reading and writing, never truncated, and never through a symlink in its last component. Where it
//! is missing it appears with mode 0666 at once, whatever the umask, so that another user who comes in between can use
//! it too: made without a name, or where that cannot be done under a temporary one (as uv 0.13.8 does), and only if nothing
//! has the right name yet.
//!
//! uv up to 0.13.0 removes `<cache>/.lock` in `uv cache clean`, so that a lock may be held on a file that has no name any
//! more, while the next process locks a new one. After locking the path is therefore looked at again, and the file that
//! it names now is tried instead.

#![cfg_attr(any(test, not(unix)), expect(clippy::disallowed_methods, reason = "lock files are made here"))]

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::Refused;
use super::holder::Share;
use crate::disk::FileStat;

/// How often a file that was replaced meanwhile is opened again.
const ROUNDS: usize = 16;

/// Mode of a lock file that others may use too.
#[cfg(unix)]
const FOR_ALL: u32 = 0o666;

/// A lock that is held; it is released when this is dropped, and the file stays.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    path: PathBuf,
}

impl Drop for Held {
    /// Closing alone would not do: a process that another thread is starting at this moment has the file open, and with it
    /// the lock, until it has become another program.
    fn drop(&mut self) {
        // It is closed next whatever this answers.
        drop(self.file.unlock());
    }
}

/// Who may use a lock file that has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Every user.
    All,
    /// The user who makes it.
    Own,
}

/// The answer to one attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    Held(Held),
    Busy,
}

impl Held {
    /// Whether its path still names the file that is locked.
    pub(super) fn still_valid(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Removes the file, if its path still leads to it.
    #[cfg(unix)]
    pub(super) fn remove(&self) -> io::Result<()> {
        use rustix::fs::{AtFlags, statat, unlinkat};
        let Some((parent, name)) = self.path.parent().zip(self.path.file_name()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let parent = crate::lock::owner::reach(parent, None)?;
        let named = FileStat::from_raw(&statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?);
        let held = FileStat::of_file(&self.file)?;
        if (named.device, named.inode) != (held.device, held.inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(unlinkat(&parent, name, AtFlags::empty())?)
    }

    /// Removes the file.
    #[cfg(not(unix))]
    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Tries to lock a file, which is made if it is missing, without waiting.
pub(super) fn attempt(path: &Path, share: Share, access: Access) -> Result<Attempt, Refused> {
    for _ in 0..ROUNDS {
        let file = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path, access),
            opened => opened,
        };
        let file = match file {
            Ok(file) => regular(file, path)?,
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) if is_link_refusal(&error) && is_symlink(path) => {
                return Err(Refused::Odd { path: path.to_owned(), what: "a symlink" });
            }
            Err(error) => return Err(Refused::from_io("open the lock file", path, error)),
        };
        let locked = loop {
            match try_lock(&file, share) {
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => break answer,
            }
        };
        if let Err(TryLockError::Error(error)) = locked {
            return Err(Refused::from_io("lock", path, error));
        }
        if is_at(&file, path) {
            let held = Held { file, path: path.to_owned() };
            return Ok(if locked.is_ok() { Attempt::Held(held) } else { Attempt::Busy });
        }
    }
    Err(Refused::Vanished { path: path.to_owned() })
}

fn try_lock(file: &File, share: Share) -> Result<(), TryLockError> {
    match share {
        Share::Shared => file.try_lock_shared(),
        Share::Exclusive => file.try_lock(),
    }
}

/// Whether a path names this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let open = FileStat::of_file(file);
    match (open, FileStat::of(path)) {
        (Ok(open), Ok(named)) => (open.device, open.inode) == (named.device, named.inode),
        _ => false,
    }
}

fn regular(file: File, path: &Path) -> Result<File, Refused> {
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err(Refused::Odd { path: path.to_owned(), what: "not a regular file" }),
        Err(error) => Err(Refused::from_io("read the attributes of", path, error)),
    }
}

fn is_symlink(path: &Path) -> bool {
    path.is_symlink()
}

/// Opens an existing file. One that may only be read, or lies on a filesystem that may only be read, is opened so:
/// flock(2) asks for no permission to write.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    match rustix::fs::open(path, OFlags::RDWR | flags, Mode::empty()) {
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM | rustix::io::Errno::ROFS) => {
            Ok(File::from(rustix::fs::open(path, OFlags::RDONLY | flags, Mode::empty())?))
        }
        opened => Ok(File::from(opened?)),
    }
}

/// Opens an existing file.
#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    if is_symlink(path) {
        return Err(io::Error::other("a symlink"));
    }
    std::fs::OpenOptions::new().read(true).write(true).open(path)
}

/// Whether opening failed as it does at a symlink.
#[cfg(unix)]
fn is_link_refusal(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    // FreeBSD answers MLINK, NetBSD FTYPE.
    errno == Some(rustix::io::Errno::LOOP) || errno == Some(rustix::io::Errno::MLINK)
}

/// Whether opening failed as it does at a symlink.
#[cfg(not(unix))]
fn is_link_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other
}

/// Makes a file that is not there, in the directory that its path leads to now. Answers `AlreadyExists` where it is by now.
#[cfg(unix)]
fn create(path: &Path, access: Access) -> io::Result<File> {
    use crate::disk::temporary::temporary_name;
    use crate::lock::owner::{self, Heir};
    use rustix::fs::{AtFlags, OFlags, fchmod, linkat, openat, unlinkat};
    let bits = owner::mode(if access == Access::All { FOR_ALL } else { 0o600 });
    let Some((parent, name)) = path.parent().zip(path.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let directory = owner::reach(parent, None)?;
    let heir = Heir::of(&directory)?;
    let give = |file: &File| match heir {
        // Everybody may use such a file, whoever owns it.
        Some(heir) => {
            heir.give(file).or_else(|error| if access == Access::All { Ok(()) } else { Err(error) })
        }
        None => Ok(()),
    };
    #[cfg(target_os = "linux")]
    if let Some(file) = create_without_a_name(&directory, bits) {
        give(&file)?;
        if let Some(named) = name_it(&file, &directory, name) {
            return named.map(|()| file);
        }
    }
    let new = |name: &std::ffi::OsStr| {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok::<_, io::Error>(File::from(openat(&directory, name, flags, bits)?))
    };
    let temporary = temporary_name();
    let staged = new(&temporary)?;
    let ready = fchmod(&staged, bits).map_err(io::Error::from).and_then(|()| give(&staged));
    let linked = ready.and_then(|()| Ok(linkat(&directory, &temporary, &directory, name, AtFlags::empty())?));
    // The file has its name, or there is nothing to keep.
    unlinkat(&directory, &temporary, AtFlags::empty()).ok();
    match linked {
        Ok(()) => Ok(staged),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            // No hard links: a filesystem without permission bits most likely, where they cannot be set, and need not.
            let file = new(name)?;
            fchmod(&file, bits).ok();
            give(&file)?;
            Ok(file)
        }
    }
}

/// Makes a file that gets its name last, so that whoever is killed meanwhile leaves nothing behind. Nothing where the
/// filesystem cannot do that.
#[cfg(target_os = "linux")]
fn create_without_a_name(directory: &rustix::fd::OwnedFd, bits: rustix::fs::Mode) -> Option<File> {
    use rustix::fs::{OFlags, fchmod, openat};
    let file = openat(directory, c".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, bits).ok()?;
    fchmod(&file, bits).ok()?;
    Some(File::from(file))
}

/// Gives such a file its name, by the one way that needs no privilege (open(2), on `O_TMPFILE`). Nothing where that does not
/// work.
#[cfg(target_os = "linux")]
fn name_it(file: &File, directory: &rustix::fd::OwnedFd, name: &std::ffi::OsStr) -> Option<io::Result<()>> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd as _;
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, unnamed, directory, name, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Some(Ok(())),
        Err(rustix::io::Errno::EXIST) => Some(Err(io::ErrorKind::AlreadyExists.into())),
        Err(_) => None,
    }
}

/// Makes a file that is not there. Answers `AlreadyExists` where it is by now.
#[cfg(not(unix))]
fn create(path: &Path, _access: Access) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// How an existing file is held, found out by trying each lock for a moment: for platforms that do not tell.
pub(super) fn tried(path: &Path) -> io::Result<Option<Share>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(Share::Shared)),
        Err(TryLockError::WouldBlock) => Ok(Some(Share::Exclusive)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn held(path: &Path, share: Share) -> Held {
        match attempt(path, share, Access::All) {
            Ok(Attempt::Held(held)) => held,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lock_file_keeps_its_content_and_mode_and_appears_with_0666() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        drop(held(&path, Share::Exclusive));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o666);
        std::fs::write(&path, "content").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        drop(held(&path, Share::Shared));
        assert_eq!(mode(&path), 0o640);
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_process_that_is_just_being_started_does_not_keep_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let first = held(&path, Share::Exclusive);
        // What a process has between fork(2) and execve(2).
        let inherited = first.file.try_clone().unwrap();
        drop(first);
        drop(held(&path, Share::Exclusive));
        drop(inherited);
    }

    #[test]
    fn symlinks_fifos_and_directories_are_no_lock_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("victim"), "content").unwrap();
        symlink(path("victim"), path("link")).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
        for name in ["link", "dangling"] {
            let error = attempt(&path(name), Share::Exclusive, Access::All).unwrap_err();
            assert!(matches!(&error, Refused::Odd { what: "a symlink", .. }), "{error:?}");
        }
        assert!(!path("nowhere").exists());
        let error = attempt(&path("fifo"), Share::Shared, Access::All).unwrap_err();
        assert!(matches!(&error, Refused::Odd { .. }), "{error:?}");
        std::fs::create_dir(path("directory")).unwrap();
        assert!(attempt(&path("directory"), Share::Shared, Access::All).is_err());
        assert!(matches!(
            attempt(&path("gone/.lock"), Share::Shared, Access::All),
            Err(Refused::Vanished { .. })
        ));
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let first = held(&path, Share::Exclusive);
        assert!(first.still_valid());
        assert!(matches!(attempt(&path, Share::Shared, Access::All), Ok(Attempt::Busy)));
        std::fs::remove_file(&path).unwrap();
        assert!(!first.still_valid());
        let second = held(&path, Share::Exclusive);
        assert!(second.still_valid() && !first.still_valid());
    }

    #[test]
    fn trying_tells_how_a_file_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        assert!(tried(&path).is_err());
        let shared = held(&path, Share::Shared);
        assert_eq!(tried(&path).unwrap(), Some(Share::Shared));
        drop(shared);
        let exclusive = held(&path, Share::Exclusive);
        assert_eq!(tried(&path).unwrap(), Some(Share::Exclusive));
        drop(exclusive);
        assert_eq!(tried(&path).unwrap(), None);
    }
}
