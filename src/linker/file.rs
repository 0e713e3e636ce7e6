//! Files from bytes, directories, symlinks and times: the plain parts of making something appear.

#![expect(clippy::disallowed_methods, reason = "this is where files are made")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::TempDir;

use super::Error;
use super::place::{Missing, Root};
use crate::disk::Time;

/// Writes a file that must not exist yet, with these permission bits whatever the umask. On Windows they
/// only say whether it may be written.
pub fn write_new(path: &Path, bytes: &[u8], mode_bits: u32) -> Result<(), Error> {
    let write = || {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let root = Root::reach(above, Missing::Fail)?;
        let mut file = root.place().create_file(name)?;
        let written = file.write_all(bytes).and_then(|()| set_mode_bits(&file, mode_bits));
        // Windows removes nothing that is open.
        drop(file);
        // What cannot be removed either is told by the first error.
        written.inspect_err(|_| drop(root.place().remove_file(name)))
    };
    write().map_err(|error| Error::new("write the file", path, error))
}

/// Makes a directory and those above it, as far as they are missing.
pub fn create_directories(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|error| Error::new("create the directory", path, error))
}

/// Makes a symlink with this text, which need not lead anywhere.
pub fn symlink(target: &Path, path: &Path) -> Result<(), Error> {
    link_to(target, path).map_err(|error| Error::new("create the symlink", path, error))
}

/// Sets the modification time of a file, directory, or of a symlink itself.
pub fn set_time(path: &Path, time: Time) -> Result<(), Error> {
    modified(path, time).map_err(|error| Error::new("set the modification time of", path, error))
}

/// Makes a directory of one's own in `parent`, with a name that starts with `prefix`; it goes when the answer is dropped.
pub fn temporary_directory(parent: &Path, prefix: &str) -> Result<TempDir, Error> {
    let made = tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
    made.map_err(|error| Error::new("create a temporary directory in", parent, error))
}

/// Makes a directory and those above it, as far as they are missing.
#[cfg(windows)]
pub(super) fn create_all(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(unix)]
pub(super) fn link_to(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
pub(super) fn link_to(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)?;
    // Wine says of every symlink that it was made.
    if path.is_symlink() { Ok(()) } else { Err(nothing_made()) }
}

/// What is said where the system reports a symlink that is not there.
#[cfg(windows)]
pub(super) fn nothing_made() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the system said that it made a symlink, and made none")
}

/// Copies a regular file with its permissions to a path that must not exist yet.
pub(super) fn copy(source: &Path, destination: &Path) -> io::Result<()> {
    let mut from = File::open(source)?;
    let permissions = from.metadata()?.permissions();
    let mut to = create_new(destination)?;
    let copied = io::copy(&mut from, &mut to).and_then(|_| to.set_permissions(permissions));
    copied.or_else(|error| take_back(destination, error))
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Removes the file that was begun, so that nobody takes it for a whole one, and passes the error on.
fn take_back(path: &Path, error: io::Error) -> io::Result<()> {
    // What cannot be removed either is told by the first error.
    drop(std::fs::remove_file(path));
    Err(error)
}

/// Sets the permission bits of an open file.
#[cfg(unix)]
pub(super) fn set_mode_bits(file: &File, mode_bits: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(mode_bits))
}

/// Sets the permission bits of an open file; here they only say whether it may be written.
#[cfg(not(unix))]
pub(super) fn set_mode_bits(file: &File, mode_bits: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    let read_only = mode_bits & 0o222 == 0;
    if permissions.readonly() == read_only {
        return Ok(());
    }
    permissions.set_readonly(read_only);
    file.set_permissions(permissions)
}

#[cfg(unix)]
fn modified(path: &Path, time: Time) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: time.0.div_euclid(1_000_000_000),
            tv_nsec: time.0.rem_euclid(1_000_000_000),
        },
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(windows)]
fn modified(path: &Path, time: Time) -> io::Result<()> {
    use crate::win32::file::{self, Follow, Look};
    file::open(path, Look::Change, Follow::No)?.set_modified(time.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use crate::disk::FileStat;

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_its_bits_whatever_the_umask_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        write_new(&path, b"", 0o666).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let error = write_new(&path, b"new", 0o644).unwrap_err();
        assert!(error.to_string().starts_with("Failed to write the file `/"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[cfg(unix)]
    #[test]
    fn times_before_1970_and_times_of_symlinks_can_be_set() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink(Path::new("nowhere"), &link).unwrap();
        for time in [Time::new(-1, 500), Time::new(1_700_000_000, 1)] {
            set_time(&link, time).unwrap();
            assert_eq!(FileStat::of(&link).unwrap().modified, time);
        }
    }

    #[test]
    fn a_temporary_directory_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let directory = temporary_directory(parent.path(), "sample-").unwrap();
        create_directories(&directory.path().join("a/b")).unwrap();
        let path = directory.path().to_owned();
        assert!(path.join("a/b").is_dir());
        drop(directory);
        assert!(!path.exists());
    }
}
