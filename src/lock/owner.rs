//! What root makes belongs to the owner of the directory it lies in.
//!
//! A user's uv stops at a directory of root in the user's own cache or environment. Everything that is made goes through
//! here therefore: where root works in a directory of another user, what it makes gets that directory's user and group.
//! Where that cannot be done (a user namespace that does not map the user, a server that maps root to somebody else), what
//! was made is removed again, and the error says why.
//!
//! The owner is set through an open handle, never by a path. A symlink has no handle that fchown(2) takes; one of `O_PATH`
//! stands for it on Linux.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat, openat, statat,
    unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

use crate::disk::temporary::temporary_name;

/// How many symlinks a path may lead through.
const LINKS: usize = 40;

/// The user and group that what is made in a directory gets, where root makes it for another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heir {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// The directory's permission bits: root's umask says nothing about that user's.
    bits: u32,
}

impl Heir {
    /// To whom belongs what is made in an open directory; nothing where that is this process anyway.
    pub fn of(directory: impl AsFd) -> io::Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let stat = fstat(directory)?;
        let heir = Self { user: stat.st_uid, group: stat.st_gid, bits: bits_of(&stat) };
        Ok((stat.st_uid != 0).then_some(heir))
    }

    /// Gives a file or directory that this process has made, and holds open, to its owner. It clears the bits for
    /// set-user-ID and the like, and capabilities (chown(2)).
    pub fn give(&self, made: impl AsFd) -> io::Result<()> {
        let stat = fstat(&made)?;
        if (stat.st_uid, stat.st_gid) == (self.user, self.group) {
            return Ok(());
        }
        let given = fchown(made, Some(Uid::from_raw(self.user)), Some(Gid::from_raw(self.group)));
        given.map_err(|errno| self.refused(errno))
    }

    /// Why something could not be given to its owner.
    fn refused(&self, errno: Errno) -> io::Error {
        let error = io::Error::from(errno);
        let text = format!(
            "root made it in a directory of user {} and cannot give it to that user ({}); run this as that user",
            self.user,
            crate::disk::error::words(&error)
        );
        io::Error::new(io::ErrorKind::PermissionDenied, text)
    }
}

/// Creates a directory that must not exist in an open one, and opens it. `bits` are what it gets at most: the umask takes from
/// them, or, where root works for another user, what the directory above has not.
///
/// That user's directory gets its name last: whoever meets it by its name meets it with its owner.
pub fn create_directory(
    parent: impl AsFd,
    name: &OsStr,
    bits: u32,
    heir: Option<Heir>,
) -> io::Result<OwnedFd> {
    let parent = parent.as_fd();
    let Some(heir) = heir else {
        mkdirat(parent, name, mode(bits))?;
        return enter(parent, name);
    };
    if statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(Errno::EXIST.into());
    }
    let temporary = temporary_name();
    let made = create_for(parent, &temporary, bits, heir)?;
    match rename_new(parent, &temporary, name) {
        Ok(()) => return Ok(made),
        Err(error) => {
            remove_empty(parent, &temporary);
            if error.kind() != io::ErrorKind::Unsupported {
                return Err(error);
            }
        }
    }
    create_for(parent, name, bits, heir)
}

fn create_for(parent: BorrowedFd<'_>, name: &OsStr, bits: u32, heir: Heir) -> io::Result<OwnedFd> {
    // A default ACL takes the place of the umask, and of the bits of the directory above.
    let inherits = has_default_acl(parent);
    // Else nobody enters it until it has its owner.
    mkdirat(parent, name, if inherits { mode(bits) } else { Mode::RWXU })?;
    let adopted = adopt(parent, name, heir).inspect(|made| {
        if !inherits {
            // Where there are no such bits, as on FAT, it stays its owner's alone.
            fchmod(made, mode(heir.bits & (bits & 0o777 | 0o2000))).ok();
        }
    });
    adopted.inspect_err(|_| remove_empty(parent, name))
}

/// Removes a directory that was begun; what cannot be removed is told by the error that came before.
fn remove_empty(parent: BorrowedFd<'_>, name: &OsStr) {
    unlinkat(parent, name, AtFlags::REMOVEDIR).ok();
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_new(parent: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    match renameat_with(parent, from, parent, to, RenameFlags::NOREPLACE) {
        // The kernel or the filesystem does not know the flag; see renameat2(2).
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_new(_parent: BorrowedFd<'_>, _from: &OsStr, _to: &OsStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn adopt(parent: BorrowedFd<'_>, name: &OsStr, heir: Heir) -> io::Result<OwnedFd> {
    let made = enter(parent, name)?;
    // The owner of the directory above may put another one in its place at any moment; none but an empty one is given away.
    if fstat(&made)?.st_uid != heir.user && !is_empty(&made)? {
        return Err(replaced());
    }
    heir.give(&made)?;
    Ok(made)
}

/// Gives a symlink that was made in an open directory to its owner. Only on Linux does anything stand for a symlink but its
/// path; elsewhere it stays root's, on which nothing depends.
pub fn give_symlink(parent: impl AsFd, name: &OsStr, heir: Heir) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::chownat;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(parent, name, flags, Mode::empty())?;
        let stat = fstat(&made)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Err(replaced());
        }
        if (stat.st_uid, stat.st_gid) == (heir.user, heir.group) {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(heir.user), Gid::from_raw(heir.group));
        chownat(&made, c"", Some(user), Some(group), AtFlags::EMPTY_PATH).map_err(|errno| heir.refused(errno))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (parent.as_fd(), name, heir);
        Ok(())
    }
}

/// Opens a directory by its path to work in it. What is missing of the path is created, with at most `missing` as
/// permission bits, where there are such.
///
/// # Errors
/// For root also where a user who controls a part of the path could have led it to a directory of somebody else: what is
/// made there would be made wherever that user likes.
pub fn reach(path: &Path, missing: Option<u32>) -> io::Result<OwnedFd> {
    if !is_root() {
        if let Some(bits) = missing {
            create_all(path, bits)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        return Ok(retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))?);
    }
    // What is still to be walked, the next part last; symlinks add to it.
    let mut left = parts(&std::path::absolute(path)?);
    let mut here = top()?;
    let (mut control, mut links) = (Control::default(), 0);
    while let Some(name) = left.pop() {
        let found = match statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) if let Some(bits) = missing => {
                control.ends_at(&here)?;
                match create_directory(&here, &name, bits, Heir::of(&here)?) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => drop(made?),
                }
                statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW)?
            }
            found => found?,
        };
        if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
            links += 1;
            if links > LINKS {
                return Err(Errno::LOOP.into());
            }
            control.passes(&found)?;
            let text = rustix::fs::readlinkat(&here, &name, Vec::new())?;
            let text = PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(text.as_bytes()));
            if text.is_absolute() {
                here = top()?;
            }
            left.extend(parts(&text));
        } else {
            here = enter(here.as_fd(), &name)?;
            control.passes(&fstat(&here)?)?;
        }
    }
    control.ends_at(&here)?;
    Ok(here)
}

/// The user who could lead a path elsewhere, because a directory or symlink on the way is that user's.
#[derive(Clone, Copy, Debug, Default)]
struct Control(Option<u32>);

impl Control {
    fn passes(&mut self, stat: &Stat) -> io::Result<()> {
        let user = stat.st_uid;
        if is_trusted(user) {
            return Ok(());
        }
        match self.0.replace(user) {
            Some(other) if other != user => Err(led(other)),
            _ => Ok(()),
        }
    }

    /// What is made lies where that user could make it as well.
    fn ends_at(self, directory: &OwnedFd) -> io::Result<()> {
        match self.0 {
            Some(user) if user != fstat(directory)?.st_uid => Err(led(user)),
            _ => Ok(()),
        }
    }
}

fn led(user: u32) -> io::Error {
    let text = format!(
        "user {user} controls the path and could lead root to a directory of another user; run this as that user"
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// Whether root need not fear a user: root itself, and in a user namespace whoever is outside.
fn is_trusted(user: u32) -> bool {
    /// Ranges of users that this namespace knows: the first, and how many.
    static KNOWN: LazyLock<Option<Vec<(u32, u32)>>> = LazyLock::new(|| {
        let text = std::fs::read_to_string("/proc/self/uid_map").ok()?;
        let range = |line: &str| {
            let mut fields = line.split_whitespace();
            Some((fields.next()?.parse().ok()?, fields.nth(1)?.parse().ok()?))
        };
        text.lines().map(range).collect()
    });
    let is_known = |ranges: &Vec<(u32, u32)>| {
        ranges.iter().any(|(first, length)| user.checked_sub(*first).is_some_and(|it| it < *length))
    };
    user == 0 || !KNOWN.as_ref().is_none_or(is_known)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn top() -> io::Result<OwnedFd> {
    enter(CWD, OsStr::new("/"))
}

/// Opens a directory in another one, unless it is a symlink.
fn enter(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| openat(parent, name, flags, Mode::empty()))?)
}

/// The names of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

fn is_empty(directory: &OwnedFd) -> io::Result<bool> {
    for item in rustix::fs::Dir::read_from(directory)? {
        if !matches!(item?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(target_os = "linux")]
fn has_default_acl(directory: BorrowedFd<'_>) -> bool {
    let mut none: [u8; 0] = [];
    rustix::fs::fgetxattr(directory, c"system.posix_acl_default", &mut none[..]).is_ok()
}

/// Other systems have no such thing, or tell nobody.
#[cfg(not(target_os = "linux"))]
fn has_default_acl(_directory: BorrowedFd<'_>) -> bool {
    false
}

fn create_all(path: &Path, bits: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    match builder.recursive(true).mode(bits).create(path) {
        // On a filesystem that may only be read, a directory that is there is not asked about first.
        Err(_) if path.is_dir() => Ok(()),
        created => created,
    }
}

fn bits_of(stat: &Stat) -> u32 {
    #[expect(clippy::useless_conversion, reason = "a mode has another width on other systems")]
    let bits = u32::from(stat.st_mode) & 0o7777;
    bits
}

/// Permission bits as the system takes them.
///
/// # Panics
/// Never for permission bits, which have twelve binary digits.
pub fn mode(bits: u32) -> Mode {
    #[expect(clippy::useless_conversion, reason = "a mode has another width on other systems")]
    let bits = bits.try_into().expect("permission bits have twelve binary digits");
    Mode::from_raw_mode(bits)
}

fn replaced() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it was replaced while it was made")
}
