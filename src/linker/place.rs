//! Directories held open, beneath which everything happens.
//!
//! Each call names one plain component relative to an open directory, and no call follows a symlink or a junction. A
//! directory that somebody replaces by one, before or in the middle of the work, is therefore an error and never a way out.
//!
//! A [`Root`] or [`Place`] is one open file; whoever works on many directories opens them one after the other.

#[cfg(unix)]
mod handles;
#[cfg(windows)]
mod windows;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Error;
use crate::disk::{FileKind, FileStat};
use crate::snapshot::Identity;

#[cfg(unix)]
use handles::Directory;
#[cfg(windows)]
use windows::Directory;

/// Whether a file may have been kept from removal because somebody uses it, as only Windows does.
#[cfg(windows)]
pub(super) use windows::is_in_the_way as is_in_use;
/// Whether a file may have been kept from removal because somebody uses it, as only Windows does.
#[cfg(unix)]
pub(super) fn is_in_use(_: &io::Error) -> bool {
    false
}

/// What to do where a directory is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is created.
    Create,
    /// That is an error.
    Fail,
}

/// What lies under a name, the last symlink not followed.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What `stat` says.
    pub stat: FileStat,
    /// Its permission bits; on Windows only whether it can be written.
    pub bits: u32,
}

/// What a symlink leads to; only Windows asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    ToFile,
    ToDirectory,
}

/// The calls on an open directory; names are single components.
pub(super) trait Calls: Sized {
    /// Opens a directory; a symlink in the last component is not followed.
    fn open(path: &Path) -> io::Result<Self>;
    /// Opens a directory, symlinks followed, as far as nobody else could lead root astray. What is missing of the path is
    /// created, with these permission bits at most.
    fn reach(path: &Path, missing: Option<u32>) -> io::Result<Self>;
    /// Opens a directory in this one, unless it is a symlink.
    fn enter(&self, name: &OsStr) -> io::Result<Self>;
    /// Opens a directory some way down at once, unless a symlink lies on the way; none where the system cannot do that, or
    /// there is something to be said of a part of the way.
    fn descend(&self, _relative: &Path) -> Option<Self> {
        None
    }
    /// Another handle of the same directory.
    fn again(&self) -> io::Result<Self>;
    fn own_stat(&self) -> io::Result<FileStat>;
    fn stat(&self, name: &OsStr) -> io::Result<Found>;
    /// What a name leads to, symlinks followed.
    fn following(&self, name: &OsStr) -> io::Result<FileStat>;
    /// Opens a file for reading, unless it is a symlink, and without blocking on a FIFO.
    fn open_file(&self, name: &OsStr) -> io::Result<File>;
    /// Creates a file that must not exist, readable for its owner alone: the directory's owner, where root makes it.
    fn create_file(&self, name: &OsStr) -> io::Result<File>;
    /// Creates a directory that must not exist, of the same owner, with these permission bits at most, and opens it.
    fn create_directory(&self, name: &OsStr, bits: u32) -> io::Result<Self>;
    fn read_link(&self, name: &OsStr) -> io::Result<PathBuf>;
    fn symlink(&self, text: &Path, name: &OsStr, leads: Leads) -> io::Result<()>;
    /// Makes `new` in `to` another name of `name`, of a symlink itself if it is one.
    fn hardlink(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()>;
    /// Renames over whatever file is there.
    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    /// Renames to a name that must not exist, as far as the filesystem can hold to that.
    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    /// Moves into another directory of the same filesystem, to a name that must not exist, likewise.
    fn move_new(&self, from: &OsStr, to: &Self, new: &OsStr) -> io::Result<()>;
    fn mount(&self) -> Option<u64>;
    /// Gives the directory these permission bits, where there are such.
    fn set_bits(&self, bits: u32) -> io::Result<()>;
    /// Lets its owner write in the directory.
    fn make_writable(&self) -> io::Result<()>;
    /// Lets two names change places at once; `Unsupported` where that cannot be done.
    fn exchange(&self, one: &OsStr, other: &OsStr) -> io::Result<()>;
    fn remove_file(&self, name: &OsStr) -> io::Result<()>;
    fn remove_directory(&self, name: &OsStr) -> io::Result<()>;
    fn names(&self) -> io::Result<Vec<OsString>>;
    /// Makes the names in this directory durable, where directories can be synced.
    fn sync(&self) -> io::Result<()>;
    /// Makes everything written to the filesystem durable; files are synced one by one where that cannot be done.
    fn sync_filesystem(&self) -> io::Result<()>;
    /// Sets the modification time to the present.
    fn touch(&self) -> io::Result<()>;
}

/// The directory that nothing leaves: an environment's root, or a cache's.
#[derive(Debug)]
pub struct Root(Place);

/// One directory beneath a [`Root`], or the root itself.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    directory: Directory,
}

impl Root {
    /// Opens a directory by a path that the caller trusts up to its last component, which must not be a symlink.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let opened = Directory::open(path).map_err(|error| Error::new("open the directory", path, error))?;
        Ok(Self(Place { path: path.to_owned(), directory: opened }))
    }

    /// Opens a directory, and proves that it is the one that was seen before: one that lies behind a symlink which took the
    /// place of a directory further up has the same path.
    pub fn open_as(path: &Path, identity: Option<Identity>) -> Result<Self, Error> {
        let root = Self::open(path)?;
        let own = root.0.own_stat().map_err(|error| Error::new("look at", path, error))?;
        if identity.is_none_or(|it| (it.device, it.inode) == (own.device, own.inode)) {
            return Ok(root);
        }
        let error =
            io::Error::new(io::ErrorKind::InvalidData, "it is another directory than was seen before");
        Err(Error::new("open the directory", path, error))
    }

    /// Opens a directory by a path that leads through directories of others, symlinks followed, and creates what is missing
    /// of it, for its owner alone.
    ///
    /// # Errors
    /// For root also where one of those others could have led it to a directory that is not theirs.
    pub fn reach(path: &Path, missing: Missing) -> io::Result<Self> {
        let directory = Directory::reach(path, (missing == Missing::Create).then_some(0o700))?;
        Ok(Self(Place { path: path.to_owned(), directory }))
    }

    /// A directory that is open already.
    pub(super) fn at(place: Place) -> Self {
        Self(place)
    }

    /// The directory itself.
    pub fn place(&self) -> &Place {
        &self.0
    }

    /// Walks down to a directory; an empty path is the root itself.
    ///
    /// Only plain components are accepted: an absolute path, `.` or `..` is an error, and so is a symlink on the way,
    /// wherever it leads. The error names the component that it is about.
    pub fn directory(&self, relative: &Path, missing: Missing) -> Result<Place, Error> {
        self.enter(relative, missing, &mut |_| {})
    }

    /// Like [`Root::directory`], and tells each directory that was created, relative to the root, from the top down.
    pub(super) fn enter(
        &self,
        relative: &Path,
        missing: Missing,
        created: &mut dyn FnMut(PathBuf),
    ) -> Result<Place, Error> {
        let wrong = |error| Error::new("enter the directory", self.0.path.join(relative), error);
        let names = plain_components(relative).map_err(wrong)?;
        if names.len() > 1
            && let Some(directory) = self.0.directory.descend(relative)
        {
            return Ok(Place { path: self.0.path.join(relative), directory });
        }
        let mut place = self.0.again().map_err(wrong)?;
        let mut walked = PathBuf::new();
        for name in names {
            walked.push(name);
            let next = match place.enter(name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && missing == Missing::Create => {
                    place
                        .create_directory(name)
                        .map_err(|error| Error::new("create the directory", place.join(name), error))?;
                    created(walked.clone());
                    place.enter(name)
                }
                entered => entered,
            };
            place = next.map_err(|error| Error::new("enter the directory", place.join(name), error))?;
        }
        Ok(place)
    }
}

impl Place {
    /// Its path, for messages and for the text of symlinks; nothing is opened by it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a name in it.
    pub fn join(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// What `stat` says about the directory.
    pub fn own_stat(&self) -> io::Result<FileStat> {
        self.directory.own_stat()
    }

    /// What lies under a name, if anything does.
    pub fn find(&self, name: &OsStr) -> io::Result<Option<Found>> {
        match self.directory.stat(name) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory in it. A symlink is an error that says so.
    pub(super) fn enter(&self, name: &OsStr) -> io::Result<Self> {
        match self.directory.enter(name) {
            Ok(directory) => Ok(Self { path: self.join(name), directory }),
            Err(error) => {
                let found = self.directory.stat(name).ok().map(|found| found.stat.kind);
                Err(if found == Some(FileKind::Symlink) {
                    let text = "it is a symlink; what it leads to is left alone";
                    io::Error::new(io::ErrorKind::NotADirectory, text)
                } else {
                    error
                })
            }
        }
    }

    /// Everything in it but `.` and `..`, in the order of the filesystem.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        self.directory.names()
    }

    /// What a symlink says.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        self.directory.read_link(name)
    }

    /// Opens a directory in it that must be one and no symlink.
    pub fn directory(&self, name: &OsStr) -> io::Result<Self> {
        self.enter(name)
    }

    /// Whether a directory in it cannot be moved to another one, as those of an overlay's lower layer. Nothing is moved:
    /// `full`, a name in `to`, has to be a directory with something in it, which no directory replaces (rename(2)).
    #[cfg(target_os = "linux")]
    pub fn is_stuck(&self, name: &OsStr, to: &Self, full: &OsStr) -> bool {
        let moved = self.directory.move_over(name, &to.directory, full);
        moved.is_err_and(|error| error.kind() == io::ErrorKind::CrossesDevices)
    }

    /// Whether a directory in it cannot be moved to another one; only Linux has such.
    #[cfg(not(target_os = "linux"))]
    pub fn is_stuck(&self, _name: &OsStr, _to: &Self, _full: &OsStr) -> bool {
        false
    }

    /// Moves what lies under a name to a name in another directory of the same filesystem, where nothing must be.
    pub fn move_new(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        self.directory.move_new(name, &to.directory, new)
    }

    /// Removes a file or a symlink.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.directory.remove_file(name)
    }

    /// Removes an empty directory.
    pub fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        self.directory.remove_directory(name)
    }

    /// Creates a directory that must not exist.
    pub fn create_new_directory(&self, name: &OsStr) -> io::Result<()> {
        self.directory.create_directory(name, 0o777).map(drop)
    }

    /// Creates a directory that must not exist, for its owner alone, and opens it.
    pub fn create_private_directory(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self { path: self.join(name), directory: self.directory.create_directory(name, 0o700)? })
    }

    /// Creates a file that must not exist, for its owner alone.
    pub fn create_file(&self, name: &OsStr) -> io::Result<File> {
        self.directory.create_file(name)
    }

    /// Renames over whatever file is there.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.directory.rename(from, to)
    }

    /// Lets its owner write in the directory itself, where that is what keeps its content from being removed.
    pub fn make_writable(&self) -> io::Result<()> {
        self.directory.make_writable()
    }

    /// Makes everything written to its filesystem durable, where one call does that (Linux); elsewhere does nothing.
    pub fn sync_filesystem(&self) -> io::Result<()> {
        self.directory.sync_filesystem()
    }

    /// Gives the directory itself the permission bits of another one, so that whoever may change that may change this.
    pub fn open_like(&self, other: &Self) -> io::Result<()> {
        let (own, wanted) = (self.own_stat()?.mode_bits, other.own_stat()?.mode_bits);
        if own == wanted { Ok(()) } else { self.directory.set_bits(wanted) }
    }

    /// Identifies the mount the directory lies on, where the kernel tells (Linux 5.8): a directory of the same filesystem
    /// that is mounted within has the same device.
    pub fn mount(&self) -> Option<u64> {
        self.directory.mount()
    }

    /// Another handle of the same directory.
    pub fn again(&self) -> io::Result<Self> {
        Ok(Self { path: self.path.clone(), directory: self.directory.again()? })
    }

    /// Opens a regular file for reading.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let file = self.directory.open_file(name)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
    }

    /// Reads a regular file of at most `limit` bytes.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Vec<u8>> {
        use io::Read as _;
        let mut bytes = Vec::new();
        self.open_file(name)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::other(format!("larger than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Links a file of this directory into another one.
    pub(super) fn hardlink(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        self.directory.hardlink(name, &to.directory, new)
    }

    /// Creates a directory in it; that one is there already is as good.
    pub(super) fn create_directory(&self, name: &OsStr) -> io::Result<()> {
        match self.directory.create_directory(name, 0o777) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            created => created.map(drop),
        }
    }

    /// The other calls.
    pub(super) fn calls(&self) -> &impl Calls {
        &self.directory
    }

    /// The directory itself, for a call that std has not.
    #[cfg(target_vendor = "apple")]
    pub(super) fn handle(&self) -> rustix::fd::BorrowedFd<'_> {
        self.directory.handle()
    }
}

/// What is said of something that was opened and cannot be linked.
pub(super) fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// The components of a path that can only lead down; none for an empty path.
fn plain_components(relative: &Path) -> io::Result<Vec<&OsStr>> {
    let names: Option<Vec<&OsStr>> = relative.components().map(plain).collect();
    names.ok_or_else(not_plain)
}

/// The name that a component is, if it can only lead down.
fn plain(component: Component<'_>) -> Option<&OsStr> {
    match component {
        Component::Normal(name) if !(cfg!(windows) && name.as_encoded_bytes().contains(&b':')) => Some(name),
        _ => None,
    }
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain path downwards")
}

/// Divides the path of a file that can only lead down into its directory and its name.
pub(super) fn directory_and_name(relative: &Path) -> io::Result<(&Path, &OsStr)> {
    if relative.components().any(|component| plain(component).is_none()) {
        return Err(not_plain());
    }
    let parts = relative.parent().zip(relative.file_name());
    parts.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))
}

#[cfg(test)]
mod tests;
