//! The same calls by path, for systems without directory handles; on Unix only its tests use it.
//!
//! Each call looks again whether the directory is still one and not a link, which narrows the gap and does not close it.

#![expect(clippy::disallowed_methods, reason = "these are the calls that change the disk")]

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Calls, Found, Leads};
use crate::disk::temporary::temporary_name;
use crate::disk::{FileKind, FileStat};
use crate::linker::file::mode_bits;

/// A directory, by its path.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// The path of a name in this directory, if the directory still is one.
    fn at(&self, name: &OsStr) -> io::Result<PathBuf> {
        Self::open(&self.0)?;
        Ok(self.0.join(name))
    }
}

impl Calls for Directory {
    fn open(path: &Path) -> io::Result<Self> {
        match FileStat::of(path)?.kind {
            FileKind::Directory => Ok(Self(path.to_owned())),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn enter(&self, name: &OsStr) -> io::Result<Self> {
        Self::open(&self.at(name)?)
    }

    fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }

    fn own_stat(&self) -> io::Result<FileStat> {
        FileStat::of(&self.0)
    }

    fn stat(&self, name: &OsStr) -> io::Result<Found> {
        let path = self.at(name)?;
        Ok(Found { stat: FileStat::of(&path)?, bits: mode_bits(&std::fs::symlink_metadata(&path)?) })
    }

    fn following(&self, name: &OsStr) -> io::Result<FileStat> {
        FileStat::following(&self.at(name)?)
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.at(name)?;
        match FileStat::of(&path)?.kind {
            FileKind::File => File::open(path),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
        }
    }

    fn create_file(&self, name: &OsStr) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.at(name)?)
    }

    fn create_directory(&self, name: &OsStr) -> io::Result<()> {
        std::fs::create_dir(self.at(name)?)
    }

    fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        std::fs::read_link(self.at(name)?)
    }

    #[cfg(windows)]
    fn symlink(&self, text: &Path, name: &OsStr, leads: Leads) -> io::Result<()> {
        match leads {
            Leads::ToFile => std::os::windows::fs::symlink_file(text, self.at(name)?),
            Leads::ToDirectory => std::os::windows::fs::symlink_dir(text, self.at(name)?),
        }
    }

    #[cfg(unix)]
    fn symlink(&self, text: &Path, name: &OsStr, _leads: Leads) -> io::Result<()> {
        std::os::unix::fs::symlink(text, self.at(name)?)
    }

    #[cfg(not(any(unix, windows)))]
    fn symlink(&self, _text: &Path, _name: &OsStr, _leads: Leads) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn hardlink(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        std::fs::hard_link(self.at(name)?, to.at(new)?)
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        std::fs::rename(self.at(from)?, self.0.join(to))
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match self.stat(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.rename(from, to),
            Err(error) => Err(error),
        }
    }

    fn move_new(&self, from: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        match to.stat(new) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::rename(self.at(from)?, to.0.join(new))
            }
            Err(error) => Err(error),
        }
    }

    fn mount(&self) -> Option<u64> {
        None
    }

    fn set_bits(&self, _bits: u32) -> io::Result<()> {
        Ok(())
    }

    fn make_writable(&self) -> io::Result<()> {
        let mut permissions = std::fs::metadata(&self.0)?.permissions();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "what is in the way is the owner's own bit"
        )]
        permissions.set_readonly(false);
        std::fs::set_permissions(&self.0, permissions)
    }

    fn exchange(&self, _one: &OsStr, _other: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        let path = self.at(name)?;
        std::fs::remove_file(&path).or_else(|error| {
            // On Windows a symlink to a directory goes the way of directories; one that is not empty does not go so.
            let is_link = FileStat::of(&path).is_ok_and(|stat| stat.kind == FileKind::Symlink);
            if cfg!(windows) && is_link { std::fs::remove_dir(&path) } else { Err(error) }
        })
    }

    fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_dir(self.at(name)?)
    }

    fn names(&self) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(&self.0)?.map(|item| Ok(item?.file_name())).collect()
    }

    fn sync(&self) -> io::Result<()> {
        // Windows has no such call for directories.
        Ok(())
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        Ok(())
    }

    fn touch(&self) -> io::Result<()> {
        // A name that comes and goes does it everywhere, and needs no clock.
        let name = temporary_name();
        drop(self.create_file(&name)?);
        self.remove_file(&name)
    }
}
