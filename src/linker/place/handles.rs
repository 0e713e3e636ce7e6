//! The calls on a directory handle, for Unix.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fchmod, fstat, fsync,
    futimens, linkat, openat, readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

use super::{Calls, Found, Leads};
use crate::disk::FileStat;
use crate::lock::owner::{self, Heir};

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd, OnceLock<Option<Heir>>);

impl From<OwnedFd> for Directory {
    fn from(directory: OwnedFd) -> Self {
        Self(directory, OnceLock::new())
    }
}

impl Directory {
    /// To whom belongs what is made here, where that is not this process.
    fn heir(&self) -> io::Result<Option<Heir>> {
        if let Some(known) = self.1.get() {
            return Ok(*known);
        }
        let heir = Heir::of(&self.0)?;
        Ok(*self.1.get_or_init(|| heir))
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn handle(&self) -> rustix::fd::BorrowedFd<'_> {
        use rustix::fd::AsFd as _;
        self.0.as_fd()
    }

    fn open_in<P: rustix::path::Arg + Copy>(parent: impl rustix::fd::AsFd, name: P) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| openat(parent.as_fd(), name, flags, Mode::empty()))?.into())
    }
}

impl Calls for Directory {
    fn open(path: &Path) -> io::Result<Self> {
        Self::open_in(CWD, path)
    }

    fn reach(path: &Path, missing: Option<u32>) -> io::Result<Self> {
        owner::reach(path, missing).map(Self::from)
    }

    fn enter(&self, name: &OsStr) -> io::Result<Self> {
        Self::open_in(&self.0, name)
    }

    #[cfg(target_os = "linux")]
    fn descend(&self, relative: &Path) -> Option<Self> {
        use rustix::fs::{ResolveFlags, openat2};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Linux 5.6. A kernel that does not know it, and a container that forbids it, say so each time, which is soon said.
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(&self.0, relative, flags, Mode::empty(), resolve).ok().map(Self::from)
    }

    fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?, self.1.clone()))
    }

    fn own_stat(&self) -> io::Result<FileStat> {
        Ok(FileStat::from_raw(&fstat(&self.0)?))
    }

    fn stat(&self, name: &OsStr) -> io::Result<Found> {
        let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        #[expect(clippy::useless_conversion, reason = "a mode has another width on other systems")]
        let bits = u32::from(stat.st_mode) & 0o7777;
        Ok(Found { stat: FileStat::from_raw(&stat), bits })
    }

    fn following(&self, name: &OsStr) -> io::Result<FileStat> {
        Ok(FileStat::from_raw(&statat(&self.0, name, AtFlags::empty())?))
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(File::from(retry_on_intr(|| openat(&self.0, name, flags, Mode::empty()))?))
    }

    fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let heir = self.heir()?;
        let file = File::from(retry_on_intr(|| openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR))?);
        if let Some(heir) = heir {
            // What cannot be removed either is told by the first error.
            heir.give(&file).inspect_err(|_| drop(self.remove_file(name)))?;
        }
        Ok(file)
    }

    fn create_directory(&self, name: &OsStr, bits: u32) -> io::Result<Self> {
        owner::create_directory(&self.0, name, bits, self.heir()?).map(Self::from)
    }

    fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        let text = readlinkat(&self.0, name, Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(text.into_bytes())))
    }

    fn symlink(&self, text: &Path, name: &OsStr, _leads: Leads) -> io::Result<()> {
        let heir = self.heir()?;
        symlinkat(text, &self.0, name)?;
        match heir {
            Some(heir) => {
                owner::give_symlink(&self.0, name, heir).inspect_err(|_| drop(self.remove_file(name)))
            }
            None => Ok(()),
        }
    }

    fn hardlink(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(linkat(&self.0, name, &to.0, new, AtFlags::empty())?)
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match self.rename_flagged(from, to, Flag::NoReplace) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            renamed => return renamed,
        }
        // A hardlink is exclusive too. What has none (a directory, some filesystems) is looked for before.
        match linkat(&self.0, from, &self.0, to, AtFlags::empty()) {
            Ok(()) => return self.remove_file(from),
            Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
            Err(_) => {}
        }
        match statat(&self.0, to, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(Errno::NOENT) => self.rename(from, to),
            Err(error) => Err(error.into()),
        }
    }

    fn move_new(&self, from: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        match self.move_flagged(from, to, new, Flag::NoReplace) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            moved => return moved,
        }
        match statat(&to.0, new, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(Errno::NOENT) => Ok(renameat(&self.0, from, &to.0, new)?),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn mount(&self) -> Option<u64> {
        use rustix::fs::{StatxFlags, statx};
        let answer = statx(&self.0, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
        (answer.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(answer.stx_mnt_id)
    }

    #[cfg(not(target_os = "linux"))]
    fn mount(&self) -> Option<u64> {
        None
    }

    fn set_bits(&self, bits: u32) -> io::Result<()> {
        Ok(fchmod(&self.0, owner::mode(bits))?)
    }

    fn make_writable(&self) -> io::Result<()> {
        let stat = fstat(&self.0)?;
        Ok(fchmod(&self.0, Mode::from_raw_mode(stat.st_mode) | Mode::RWXU)?)
    }

    fn exchange(&self, one: &OsStr, other: &OsStr) -> io::Result<()> {
        self.rename_flagged(one, other, Flag::Exchange)
    }

    fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for item in Dir::read_from(&self.0)? {
            let item = item?;
            let name = item.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn sync(&self) -> io::Result<()> {
        match retry_on_intr(|| fsync(&self.0)) {
            // Network and user-space filesystems have nothing to say to a directory.
            Err(errno) if is_unsupported(errno) => Ok(()),
            synced => Ok(synced?),
        }
    }

    #[cfg(target_os = "linux")]
    fn sync_filesystem(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::syncfs(&self.0))?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_filesystem(&self) -> io::Result<()> {
        Ok(())
    }

    fn touch(&self) -> io::Result<()> {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        Ok(futimens(&self.0, &times)?)
    }
}

/// Whether the kernel or the filesystem does not know a call or one of its flags.
fn is_unsupported(errno: Errno) -> bool {
    // The last two are one number on Linux and two on macOS.
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&errno)
}

/// What renameat2(2) does besides renaming.
#[derive(Clone, Copy)]
enum Flag {
    NoReplace,
    Exchange,
}

impl Directory {
    /// Moves a name to another directory, over what is there.
    #[cfg(target_os = "linux")]
    pub(super) fn move_over(&self, from: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &to.0, new)?)
    }

    fn rename_flagged(&self, from: &OsStr, to: &OsStr, flag: Flag) -> io::Result<()> {
        self.move_flagged(from, self, to, flag)
    }

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    fn move_flagged(&self, from: &OsStr, to: &Self, new: &OsStr, flag: Flag) -> io::Result<()> {
        use rustix::fs::{RenameFlags, renameat_with};
        let flags = match flag {
            Flag::NoReplace => RenameFlags::NOREPLACE,
            Flag::Exchange => RenameFlags::EXCHANGE,
        };
        match renameat_with(&self.0, from, &to.0, new, flags) {
            // The kernel or the filesystem does not know the flag; see renameat2(2).
            Err(errno) if is_unsupported(errno) => Err(io::ErrorKind::Unsupported.into()),
            renamed => Ok(renamed?),
        }
    }

    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    fn move_flagged(&self, _from: &OsStr, _to: &Self, _new: &OsStr, flag: Flag) -> io::Result<()> {
        match flag {
            Flag::NoReplace | Flag::Exchange => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
