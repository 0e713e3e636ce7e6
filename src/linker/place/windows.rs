//! The calls on a directory handle, for Windows.
//!
//! Names are looked up by the kernel in the open directory, so that nobody can lead a call elsewhere by swapping a
//! directory for a junction; see [`relative`]. Only symlinks are made by path, which the handle gives and pins.
//!
//! A file that somebody has open may be in the way of a rename or a removal. Newer systems replace and remove it all the
//! same; elsewhere a rename is tried again, since most such users are gone after a moment, and then the old file is moved
//! aside under a name that the next run sweeps.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::{Calls, Found, Leads};
use crate::disk::temporary::{aside_name, temporary_name};
use crate::disk::{FileKind, FileStat, attributes};
use crate::win32::file::{self, Follow, Look};
use crate::win32::process;
use crate::win32::relative::{self, Purpose, Replace};

/// How long a rename waits before it is tried again: a virus scanner or an indexer is done after some milliseconds.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(20), Duration::from_millis(80)];

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory(File);

impl Directory {
    fn child(&self, name: &OsStr, purpose: Purpose) -> io::Result<File> {
        relative::open(&self.0, name, purpose)
    }

    /// A directory that was opened, unless it turns out to be a reparse point that leads elsewhere.
    fn real(file: File) -> io::Result<Self> {
        match FileStat::of_file(&file)?.kind {
            FileKind::Directory => Ok(Self(file)),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn move_with(&self, from: &OsStr, to: &Self, new: &OsStr, replace: Replace) -> io::Result<()> {
        relative::rename(&self.child(from, Purpose::Change)?, &to.0, new, replace)
    }

    /// Renames over a file that is in use or read-only, where the system does not do that in one step: the old file is
    /// moved aside first, and back if the new one cannot take its place. If the program is killed between the two, the
    /// next run over the directory moves it back.
    pub(super) fn rename_beside(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let aside = aside_name(to).ok_or(io::ErrorKind::InvalidFilename)?;
        self.move_with(to, self, &aside, Replace::No)?;
        if let Err(error) = self.move_with(from, self, to, Replace::No) {
            self.move_with(&aside, self, to, Replace::No)?;
            return Err(error);
        }
        // Whoever uses it goes on doing so; under this name the next run takes it away.
        if self.remove_file(&aside).is_err() {
            drop(self.move_with(&aside, self, &temporary_name(), Replace::No));
        }
        Ok(())
    }

    /// Removes what was opened for [`Purpose::Change`]. Where its read-only attribute is in the way, that is taken off and
    /// put back, since other names of the same file share it.
    fn remove(&self, name: &OsStr, file: &File) -> io::Result<()> {
        let Err(error) = relative::remove(file) else { return Ok(()) };
        if !is_in_the_way(&error) || file::told(file)?.attributes & attributes::READ_ONLY == 0 {
            return Err(error);
        }
        let same = self.child(name, Purpose::Link)?;
        let identity = |file: &File| file::told(file).map(|told| (told.volume, told.id));
        if identity(&same)? != identity(file)? {
            return Err(error);
        }
        relative::set_read_only(&same, false)?;
        let removed = relative::remove(file);
        relative::set_read_only(&same, true)?;
        removed
    }
}

impl Calls for Directory {
    fn open(path: &Path) -> io::Result<Self> {
        Self::real(file::open(path, Look::Work, Follow::No)?)
    }

    fn reach(path: &Path, missing: Option<u32>) -> io::Result<Self> {
        if missing.is_some() {
            crate::linker::file::create_all(path)?;
        }
        Self::open(&crate::disk::canonical(path)?)
    }

    fn enter(&self, name: &OsStr) -> io::Result<Self> {
        Self::real(self.child(name, Purpose::Directory)?)
    }

    fn again(&self) -> io::Result<Self> {
        // A handle of its own has a place of its own in the listing; a copy would share it.
        Ok(Self(self.child(OsStr::new(""), Purpose::Directory).or_else(|_| self.0.try_clone())?))
    }

    fn own_stat(&self) -> io::Result<FileStat> {
        FileStat::of_file(&self.0)
    }

    fn stat(&self, name: &OsStr) -> io::Result<Found> {
        let stat = FileStat::of_file(&self.child(name, Purpose::Look)?)?;
        Ok(Found { stat, bits: stat.mode_bits })
    }

    fn following(&self, name: &OsStr) -> io::Result<FileStat> {
        FileStat::of_file(&self.child(name, Purpose::LookThrough)?)
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let file = self.child(name, Purpose::Read)?;
        let stat = FileStat::of_file(&file)?;
        if let Some(error) = stat.unreadable() {
            return Err(error);
        }
        if file::told(&file)?.attributes & attributes::REPARSE_POINT == 0 {
            return Ok(file);
        }
        // What a driver answers for (deduplicated or compressed data) can only be read through it.
        let through = self.child(name, Purpose::ReadThrough)?;
        let opened = FileStat::of_file(&through)?;
        if (opened.device, opened.inode, opened.kind) == (stat.device, stat.inode, stat.kind) {
            Ok(through)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it was replaced while it was opened"))
        }
    }

    fn create_file(&self, name: &OsStr) -> io::Result<File> {
        self.child(name, Purpose::NewFile)
    }

    fn create_directory(&self, name: &OsStr, _bits: u32) -> io::Result<Self> {
        drop(self.child(name, Purpose::NewDirectory)?);
        self.enter(name)
    }

    fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        use std::os::windows::ffi::OsStringExt as _;
        let content = file::reparse_content(&self.child(name, Purpose::Look)?)?;
        let units = attributes::target(&content);
        let units = units.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no symlink"))?;
        Ok(PathBuf::from(OsString::from_wide(&units)))
    }

    fn symlink(&self, text: &Path, name: &OsStr, leads: Leads) -> io::Result<()> {
        if self.stat(name).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // While this is open, nobody can rename the directory or one above it.
        let here = file::path(&self.0)?;
        let pinned = file::open(&here, Look::Pinned, Follow::No)?;
        let same = |file: &File| FileStat::of_file(file).map(|stat| (stat.device, stat.inode));
        if same(&pinned)? != same(&self.0)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Only an absolute text may have slashes that lead forward.
        let text: PathBuf = text.components().map(Component::as_os_str).collect();
        match leads {
            Leads::ToFile => std::os::windows::fs::symlink_file(text, here.join(name))?,
            Leads::ToDirectory => std::os::windows::fs::symlink_dir(text, here.join(name))?,
        }
        match self.stat(name) {
            Ok(found) if found.stat.kind == FileKind::Symlink => Ok(()),
            _ => Err(crate::linker::file::nothing_made()),
        }
    }

    fn hardlink(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        relative::link(&self.child(name, Purpose::Link)?, &to.0, new)
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let mut renamed = self.move_with(from, self, to, Replace::Yes);
        for pause in PAUSES {
            if !renamed.as_ref().is_err_and(is_in_the_way) || self.is_read_only(to) {
                break;
            }
            std::thread::sleep(pause);
            renamed = self.move_with(from, self, to, Replace::Yes);
        }
        match renamed {
            // The first error says more than that moving aside does not work either.
            Err(error) if is_in_the_way(&error) => {
                self.rename_beside(from, to).map_err(|_| self.explain(to, error))
            }
            other => other,
        }
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.move_with(from, self, to, Replace::No)
    }

    fn move_new(&self, from: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        self.move_with(from, to, new, Replace::No)
    }

    fn mount(&self) -> Option<u64> {
        // What is mounted in a directory is a reparse point there, and not entered.
        None
    }

    fn set_bits(&self, _bits: u32) -> io::Result<()> {
        Ok(())
    }

    fn make_writable(&self) -> io::Result<()> {
        // A directory's read-only attribute keeps nobody from what is in it; who may write there is a matter of its
        // access list, which is left alone.
        Ok(())
    }

    fn exchange(&self, _one: &OsStr, _other: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        let file = self.child(name, Purpose::Change).map_err(|error| self.explain(name, error))?;
        if FileStat::of_file(&file)?.kind == FileKind::Directory {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.remove(name, &file).map_err(|error| self.explain(name, error))
    }

    fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        let file = self.child(name, Purpose::Change)?;
        if FileStat::of_file(&file)?.kind != FileKind::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        self.remove(name, &file)
    }

    fn names(&self) -> io::Result<Vec<OsString>> {
        file::names(&self.again()?.0)
    }

    fn sync(&self) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
        // The filesystem writes names in order by itself; being asked, it writes them now, where it lets this user ask.
        match self.child(OsStr::new(""), Purpose::Sync).and_then(|directory| relative::sync(&directory)) {
            Err(error) if [InvalidInput, PermissionDenied, Unsupported].contains(&error.kind()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(INVALID_FUNCTION) => Ok(()),
            synced => synced,
        }
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        // Only an administrator may flush a volume: new files are flushed one by one.
        Ok(())
    }

    fn touch(&self) -> io::Result<()> {
        // A name that comes and goes does it, and needs no clock.
        let name = temporary_name();
        drop(self.create_file(&name)?);
        self.remove_file(&name)
    }
}

impl Directory {
    /// An error about a file that is in use, with who uses it where the Restart Manager tells.
    fn explain(&self, name: &OsStr, error: io::Error) -> io::Error {
        if !is_in_the_way(&error) {
            return error;
        }
        let users = file::path(&self.0).ok().and_then(|here| process::users_of(&here.join(name)));
        let users: Vec<String> = users.unwrap_or_default().into_iter().map(in_words).collect();
        if users.is_empty() {
            return error;
        }
        io::Error::new(error.kind(), format!("it is in use by {}", users.join(", ")))
    }

    fn is_read_only(&self, name: &OsStr) -> bool {
        let told = self.child(name, Purpose::Look).and_then(|file| file::told(&file));
        told.is_ok_and(|told| told.attributes & attributes::READ_ONLY != 0)
    }
}

/// A process as a part of a sentence.
fn in_words(pid: u32) -> String {
    let program = process::image(pid);
    match program.as_deref().and_then(Path::file_name) {
        Some(name) => format!("process {pid} (`{}`)", crate::human::escape_os(name)),
        None => format!("process {pid}"),
    }
}

/// `ERROR_INVALID_FUNCTION`.
const INVALID_FUNCTION: i32 = 1;

/// Whether a file that is in use or read-only may be why something was refused: `ERROR_ACCESS_DENIED`,
/// `ERROR_SHARING_VIOLATION`, `ERROR_LOCK_VIOLATION`, `ERROR_USER_MAPPED_FILE`.
pub(in crate::linker) fn is_in_the_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 32 | 33 | 1224))
}
