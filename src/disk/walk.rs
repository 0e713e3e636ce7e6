//! Walking one directory tree, and working through many trees on several threads.
//!
//! On Linux a tree is walked by directory handles: `getdents64` in large batches, every other call relative to the
//! directory's handle. A symlink that is swapped in for a directory while the walk runs is therefore not followed.
//! Elsewhere [`portable`] does the same on top of the `walkdir` crate; it is the reference the fast walk is tested
//! against.
//!
//! # Limits
//! One walk holds at most [`MAX_DEPTH`] directory handles; what lies deeper is reported and not entered. Two threads
//! therefore stay within 256 open files. Memory is bounded by the names of the subdirectories on the current path.

#[cfg(target_os = "linux")]
mod handles;
pub mod portable;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::read;
use super::stat::FileStat;
use crate::control::Cancel;

/// How deep a walk goes below its root.
pub const MAX_DEPTH: usize = 96;

/// Whether a walk enters a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descend {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// The directory whose content is being reported.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    root: &'a Path,
    relative: &'a Path,
    #[cfg(target_os = "linux")]
    handle: Option<rustix::fd::BorrowedFd<'a>>,
}

/// What is told of a tree, in the order in which it is found: a directory's own files before its subdirectories.
pub trait Visitor {
    /// A subdirectory called `name` of `parent` is about to be opened.
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend;

    /// A directory (the root first) has been opened; its content follows.
    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend;

    /// Whether something that is not a directory need not be looked at, by its name and by whether it is a symlink.
    fn skips(&self, _name: &OsStr, _is_symlink: bool) -> bool {
        false
    }

    /// Something that is not a directory.
    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat);

    /// Something could not be read.
    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error);
}

impl<'a> Directory<'a> {
    /// The directory's path relative to the root of the walk; empty for the root.
    pub fn relative(&self) -> &'a Path {
        self.relative
    }

    /// The directory's whole path.
    pub fn path(&self) -> PathBuf {
        if self.relative.as_os_str().is_empty() {
            self.root.to_owned()
        } else {
            self.root.join(self.relative)
        }
    }

    /// How many directories lie between the root of the walk and this one, itself included.
    pub fn depth(&self) -> usize {
        self.relative.components().count()
    }

    #[cfg(target_os = "linux")]
    fn fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.handle.unwrap_or(rustix::fs::CWD)
    }

    #[cfg(target_os = "linux")]
    fn target<'name>(&self, name: &'name OsStr) -> std::borrow::Cow<'name, Path> {
        match self.handle {
            Some(_) => std::borrow::Cow::Borrowed(Path::new(name)),
            None => std::borrow::Cow::Owned(self.path().join(name)),
        }
    }

    /// What `name` in this directory is, a symlink not followed.
    pub fn stat(&self, name: &OsStr) -> io::Result<FileStat> {
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.handle {
            let stat = rustix::fs::statat(handle, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
            return Ok(FileStat::from_raw(&stat));
        }
        FileStat::of(&self.path().join(name))
    }

    /// What `name` in this directory leads to, symlinks followed.
    pub fn following(&self, name: &OsStr) -> io::Result<FileStat> {
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.handle {
            let stat = rustix::fs::statat(handle, name, rustix::fs::AtFlags::empty())?;
            return Ok(FileStat::from_raw(&stat));
        }
        FileStat::following(&self.path().join(name))
    }

    /// The text of the symlink `name` in this directory.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.handle {
            use std::os::unix::ffi::OsStringExt as _;
            let text = rustix::fs::readlinkat(handle, name, Vec::new())?;
            return Ok(PathBuf::from(std::ffi::OsString::from_vec(text.into_bytes())));
        }
        std::fs::read_link(self.path().join(name))
    }

    /// Opens the regular file `name` in this directory for reading, without following a symlink and without blocking.
    pub fn open(&self, name: &OsStr) -> io::Result<File> {
        self.opened(name).map(|(file, _)| file)
    }

    /// The same, and what `stat` says of the open file.
    pub fn opened(&self, name: &OsStr) -> io::Result<(File, FileStat)> {
        #[cfg(target_os = "linux")]
        let file = {
            use rustix::fs::{Mode, OFlags, openat};
            let flags =
                OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            File::from(openat(self.fd(), &*self.target(name), flags, Mode::empty())?)
        };
        #[cfg(not(target_os = "linux"))]
        let file = read::open(&self.path().join(name))?;
        let stat = FileStat::of_file(&file)?;
        match stat.unreadable() {
            Some(error) => Err(error),
            None => Ok((file, stat)),
        }
    }

    /// Reads the regular file `name` in this directory, of at most `limit` bytes.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Vec<u8>> {
        read::whole(self.open(name)?, limit)
    }
}

/// A directory outside of a walk, in which many files are looked at: by its handle, on Linux.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    #[cfg(target_os = "linux")]
    handle: rustix::fd::OwnedFd,
}

impl Held {
    /// Finds a directory by its path, every symlink followed. Its content need not be listed for that.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, Mode, OFlags, openat};
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let handle = openat(CWD, &path, flags, Mode::empty())?;
            Ok(Self { path, handle })
        }
        #[cfg(not(target_os = "linux"))]
        if std::fs::metadata(&path)?.is_dir() {
            Ok(Self { path })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// The directory.
    pub fn directory(&self) -> Directory<'_> {
        Directory {
            root: &self.path,
            relative: Path::new(""),
            #[cfg(target_os = "linux")]
            handle: Some(rustix::fd::AsFd::as_fd(&self.handle)),
        }
    }
}

/// Walks the tree at `root`, which is itself not followed if it is a symlink.
pub fn walk(root: &Path, cancel: &Cancel, visitor: &mut impl Visitor) {
    #[cfg(target_os = "linux")]
    handles::walk(root, cancel, visitor);
    #[cfg(not(target_os = "linux"))]
    portable::walk(root, cancel, visitor);
}

/// How many threads a scan uses: as many as there are processors, at most eight.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(8)
}

/// Works through `tasks` on several threads, each with a state of its own that `start` makes; answers with the states.
///
/// Tasks are handed out in order, one at a time, so that one long task does not hold up the others. A panic in a task
/// is passed on.
pub fn each<Task: Sync, State: Send>(
    tasks: &[Task],
    threads: usize,
    start: impl Fn() -> State + Sync,
    work: impl Fn(&mut State, usize, &Task) + Sync,
) -> Vec<State> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = start();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(position) else { return state };
            work(&mut state, position, task);
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the walker's threads start here and nowhere else")]
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(tasks.len())).map(|_| scope.spawn(run)).collect();
        let mut states = vec![run()];
        for thread in others {
            match thread.join() {
                Ok(state) => states.push(state),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        states
    })
}

/// Works through `tasks` on several threads, and answers for each, in their order.
pub fn map<Task: Sync, Answer: Send>(
    tasks: &[Task],
    threads: usize,
    work: impl Fn(&Task) -> Answer + Sync,
) -> Vec<Answer> {
    let states = each(tasks, threads, Vec::new, |done, number, task| done.push((number, work(task))));
    let mut done: Vec<(usize, Answer)> = states.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, answer)| answer).collect()
}
