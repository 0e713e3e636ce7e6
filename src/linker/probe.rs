//! Tries out how files can be linked from a cache into an environment, with a real pair of temporary files.
//!
//! # Why a file of its own
//! The source is a new file in a temporary directory of the cache's root, named so that uv's own prune would sweep it away
//! after a crash (uv 0.13.8 removes what it does not know there) and made while the cache's lock is held shared, as uv does
//! when it unpacks. A file of an entry would meet more (its owner, its number of links, a cloud folder's refusal), but a
//! link that succeeds changes that file's change time, which is what tells when an entry was last used and keeps it from
//! being removed too early. So an entry's file is taken only where no own file can be made or would not stand for the
//! entries (their bucket lies on another mount), and where the caller names one that is likely to refuse.
//!
//! # What it leaves
//! Nothing, after an error neither; what could not be removed is named in the answer. It works by directory handles, like
//! everything that changes the disk (see [`spot`]). The modification time of the
//! environment's directory is left as it became: setting it back could hide an installation of the same moment from
//! Python's import cache.

mod spot;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::place::{Missing, Place, Root};
use crate::disk::mounts::{self, Mount};
use crate::disk::{self, FileKind, FileStat, volume};
use crate::snapshot::Mode;
use crate::uv::bucket::{Bucket, BucketKind};
use spot::Spot;

/// How the temporary directories begin that a probe makes: like uv's own.
pub const PREFIX: &str = ".tmpcachetui-probe-";

/// More than btrfs stores inline (2,047 bytes), so that a clone shares an extent.
const SAMPLE: usize = 8192;

/// How large a file of an entry may be to be tried.
const LARGEST: u64 = 1 << 20;

/// How many entries are looked through for a file that can be tried.
const ENTRIES: usize = 64;

/// What a probe found out.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Where the cache's entries lie.
    pub cache: Ground,
    /// Where the environment's files lie.
    pub environment: Ground,
    /// Whether the kernel lets nobody hardlink a file of somebody else that they may not write
    /// (`fs.protected_hardlinks`, `proc_sys_fs(5)`).
    pub protected_hardlinks: Option<bool>,
    /// The user this process acts as, where users have numbers.
    pub user: Option<u32>,
    /// The file that was linked from; none where there was nothing to link from.
    pub source: Option<Source>,
    /// Why no file could be made in the cache.
    pub cache_refused: Option<Reason>,
    /// Why no file could be made in the environment.
    pub environment_refused: Option<Reason>,
    /// Whether a reflink can be made.
    pub clone: Answer,
    /// Whether a hardlink can be made.
    pub hardlink: Answer,
    /// Whether a symlink can be made.
    pub symlink: Answer,
    /// Whether a new file can be written, as a copy is.
    pub copy: Answer,
    /// Whether that copy can be hardlinked beside itself: whether the environment's filesystem has hardlinks at all.
    pub inside: Answer,
    /// Hardlinks from the files of entries that the caller named.
    pub entries: Vec<EntryAnswer>,
    /// What could not be removed again.
    pub left: Vec<PathBuf>,
}

/// One place, and what it lies on.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The directory, with every symlink resolved.
    pub path: PathBuf,
    /// The device its files are on.
    pub device: Option<u64>,
    /// The mount it lies on, where the kernel tells.
    pub mount: Option<u64>,
    /// Where that mount is.
    pub point: Option<PathBuf>,
    /// What is mounted there.
    pub medium: Option<PathBuf>,
    /// The type of the filesystem, as `ext4`.
    pub filesystem: String,
    /// Whether nothing can be written there.
    pub read_only: bool,
    /// The user it belongs to.
    pub owner: Option<u32>,
    /// What may still be written there, in bytes.
    pub available: Option<u64>,
}

/// The file that was linked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A new file in the cache's root.
    Own,
    /// An existing file of an entry.
    Entry {
        /// The file.
        path: PathBuf,
        /// The user it belongs to.
        owner: u32,
    },
}

/// Whether a mode works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It was not tried, because nothing could be made to try it with.
    #[default]
    Untried,
    /// It does: what came about was looked at.
    Works,
    /// It does not.
    Refused(Reason),
}

/// The answer for one file of an entry.
#[derive(Clone, Debug)]
pub struct EntryAnswer {
    /// The file.
    pub path: PathBuf,
    /// The user it belongs to.
    pub owner: u32,
    /// Its links before it was tried.
    pub links: u64,
    /// Whether it could be hardlinked.
    pub answer: Answer,
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The operating system's number for it.
    pub code: Option<i32>,
    /// The kind of error.
    pub kind: io::ErrorKind,
    /// What the operating system says, without its number.
    pub message: String,
}

impl Reason {
    /// What stands behind an error.
    pub fn new(error: &io::Error) -> Self {
        Self { code: error.raw_os_error(), kind: error.kind(), message: disk::error::words(error) }
    }
}

impl Answer {
    /// Whether the mode works.
    pub fn works(&self) -> bool {
        *self == Self::Works
    }

    /// Why it does not work.
    pub fn refused(&self) -> Option<&Reason> {
        match self {
            Self::Refused(reason) => Some(reason),
            Self::Works | Self::Untried => None,
        }
    }

    fn of(result: io::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Works,
            Err(error) => Self::Refused(Reason::new(&error)),
        }
    }
}

impl Ground {
    /// What `path` lies on.
    pub fn of(path: &Path, mounts: &[Mount]) -> Self {
        let path = crate::disk::canonical(path).unwrap_or_else(|_| path.to_owned());
        let stat = FileStat::of(&path).ok();
        let mount = mounts::of(mounts, &path);
        let filesystem =
            mount.map_or_else(|| volume::filesystem(&path).name.to_owned(), |mount| mount.filesystem.clone());
        Self {
            device: stat.map(|stat| stat.device),
            mount: mount.map(|mount| mount.id).or_else(|| volume::mount(&path)),
            point: mount.map(|mount| mount.point.clone()),
            medium: mount.map(|mount| mount.source.clone()),
            filesystem,
            read_only: mount.is_some_and(|mount| mount.read_only),
            owner: stat.map(|stat| stat.owner),
            available: volume::space(&path).map(|(_, available)| available),
            path,
        }
    }
}

/// Where a cache's entries lie: its newest bucket of entries, or its root while it has none.
pub fn entries_directory(cache: &Path) -> PathBuf {
    let newest = std::fs::read_dir(cache).into_iter().flatten().flatten().filter_map(|item| {
        let bucket = Bucket::parse(&item.file_name())?;
        (bucket.kind == BucketKind::Archive && item.path().is_dir()).then(|| (bucket.version, item.path()))
    });
    newest.max_by_key(|(version, _)| *version).map_or_else(|| cache.to_owned(), |(_, path)| path)
}

/// Tries every mode from `cache`, a cache's root, into the directory `environment`, where an environment's files lie; and
/// hardlinks from `entries`, files of entries that may refuse although others do not.
pub fn probe(cache: &Path, environment: &Path, entries: &[PathBuf]) -> Probe {
    let mounts = mounts::read();
    let archive = entries_directory(cache);
    let mut probe = Probe {
        cache: Ground::of(&archive, &mounts),
        environment: Ground::of(environment, &mounts),
        protected_hardlinks: protected_hardlinks(),
        user: user(),
        source: None,
        cache_refused: None,
        environment_refused: None,
        clone: Answer::Untried,
        hardlink: Answer::Untried,
        symlink: Answer::Untried,
        copy: Answer::Untried,
        inside: Answer::Untried,
        entries: Vec::new(),
        left: Vec::new(),
    };
    let root = Ground::of(cache, &mounts);
    let stands_for_entries = (root.device, root.mount) == (probe.cache.device, probe.cache.mount);
    let own = Own::make(cache).map_err(|error| probe.cache_refused = Some(Reason::new(&error))).ok();
    // By the path as it was given: who controls it decides what root may make there.
    let target = match Spot::make(environment) {
        Ok(target) => target,
        Err(error) => {
            probe.environment_refused = Some(Reason::new(&error));
            probe.left.extend(own.and_then(Own::remove));
            return probe;
        }
    };
    let mut attempts = |from: &Place, name: &OsStr| {
        probe.clone = Answer::of(target.attempt(Mode::Clone, from, name));
        probe.hardlink = Answer::of(target.attempt(Mode::Hardlink, from, name));
        probe.symlink = Answer::of(target.attempt(Mode::Symlink, from, name));
    };
    if let Some(own) = own.as_ref().filter(|_| stands_for_entries) {
        attempts(own.spot.place(), OsStr::new(SOURCE));
        probe.source = Some(Source::Own);
    } else if let Some((path, owner)) = some_file(&archive)
        && let Ok(directory) = directory_of(&path)
    {
        attempts(directory.place(), path.file_name().unwrap_or_default());
        probe.source = Some(Source::Entry { path, owner });
    }
    probe.copy = Answer::of(target.write(BESIDE, &sample()));
    if probe.copy.works() {
        probe.inside = Answer::of(target.attempt(Mode::Hardlink, target.place(), OsStr::new(BESIDE)));
    }
    for path in entries {
        let Ok(stat) = FileStat::of(path) else { continue };
        if probe.user != Some(stat.owner) && probe.protected_hardlinks == Some(false) {
            continue;
        }
        let Ok(directory) = directory_of(path) else { continue };
        let name = path.file_name().unwrap_or_default();
        let answer = Answer::of(target.attempt(Mode::Hardlink, directory.place(), name));
        probe.entries.push(EntryAnswer { path: path.clone(), owner: stat.owner, links: stat.links, answer });
    }
    probe.left.extend(target.remove());
    probe.left.extend(own.and_then(Own::remove));
    probe
}

/// Opens the directory of a file of an entry.
fn directory_of(path: &Path) -> io::Result<Root> {
    Root::reach(path.parent().unwrap_or(path), Missing::Fail)
}

/// What is linked from, and what is linked beside itself.
const SOURCE: &str = "source";
const BESIDE: &str = "beside";

/// A sample file in the cache's root, and the lock that keeps uv from pruning meanwhile.
struct Own {
    spot: Spot,
    _lock: Option<File>,
}

impl Own {
    fn make(cache: &Path) -> io::Result<Self> {
        // Without a lock file there is nobody to wait for; one that may not be opened is no reason not to look.
        let lock = disk::read::open(&cache.join(".lock")).ok();
        if let Some(lock) = &lock
            && let Err(std::fs::TryLockError::WouldBlock) = lock.try_lock_shared()
        {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "the cache is locked by another process"));
        }
        let spot = Spot::make(cache)?;
        match spot.write(SOURCE, &sample()) {
            Ok(()) => Ok(Self { spot, _lock: lock }),
            Err(error) => {
                // Nothing more can be told of it than that nothing can be made there.
                drop(spot.remove());
                Err(error)
            }
        }
    }

    /// Removes it; answers with its path where that fails.
    fn remove(self) -> Option<PathBuf> {
        self.spot.remove()
    }
}

/// Bytes that are not zero and do not repeat by blocks, which some filesystems would store as nothing.
fn sample() -> Vec<u8> {
    (0..SAMPLE).map(|index| u8::try_from((index * 31 + index / 251) % 251 + 1).unwrap_or(1)).collect()
}

/// A small file of some entry that may be read, and its owner.
fn some_file(archive: &Path) -> Option<(PathBuf, u32)> {
    let entries = std::fs::read_dir(archive).ok()?.flatten().take(ENTRIES);
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).find_map(|entry| {
        let mut directories = vec![entry.path()];
        for _ in 0..8 {
            let directory = directories.pop()?;
            for item in std::fs::read_dir(directory).ok()?.flatten().take(256) {
                let Ok(stat) = FileStat::of(&item.path()) else { continue };
                match stat.kind {
                    FileKind::Directory => directories.push(item.path()),
                    FileKind::File if stat.size <= LARGEST && disk::read::open(&item.path()).is_ok() => {
                        return Some((item.path(), stat.owner));
                    }
                    _ => {}
                }
            }
        }
        None
    })
}

fn protected_hardlinks() -> Option<bool> {
    let text = std::fs::read_to_string("/proc/sys/fs/protected_hardlinks").ok()?;
    Some(text.trim() != "0")
}

/// The user this process acts as, where users have numbers.
pub fn user() -> Option<u32> {
    #[cfg(unix)]
    let user = Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    let user = None;
    user
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linker::file;

    fn names(directory: &Path) -> Vec<std::ffi::OsString> {
        let mut names: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|item| item.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_works_is_told_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, site) = (directory.path().join("cache"), directory.path().join("site"));
        for path in [&cache.join("archive-v0"), &site] {
            file::create_directories(path).unwrap();
        }
        file::write_new(&cache.join(".lock"), b"", 0o666).unwrap();
        let before = FileStat::of(&cache.join("archive-v0")).unwrap();
        let probe = probe(&cache, &site, &[]);
        assert_eq!((&probe.hardlink, &probe.copy), (&Answer::Works, &Answer::Works));
        if cfg!(unix) {
            assert_eq!(probe.symlink, Answer::Works);
        }
        // On Windows they need a privilege, and Wine only says that it makes them.
        assert_ne!(probe.symlink, Answer::Untried);
        assert_ne!(probe.clone, Answer::Untried);
        assert_eq!((probe.source, probe.left), (Some(Source::Own), Vec::new()));
        assert_eq!(
            (probe.cache.device, probe.cache.mount),
            (probe.environment.device, probe.environment.mount)
        );
        assert_eq!(names(&cache), [".lock", "archive-v0"]);
        assert_eq!(names(&site), [""; 0]);
        let after = FileStat::of(&cache.join("archive-v0")).unwrap();
        assert_eq!(before.changed, after.changed, "nothing is written among the entries");
    }

    #[test]
    fn while_the_cache_is_locked_a_file_of_an_entry_is_tried() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, site) = (directory.path().join("cache"), directory.path().join("site"));
        let entry = cache.join("archive-v0/Entry67890123456/module");
        for path in [&entry, &site] {
            file::create_directories(path).unwrap();
        }
        let own = entry.join("file.py");
        file::write_new(&own, b"content", 0o644).unwrap();
        file::write_new(&cache.join(".lock"), b"", 0o666).unwrap();
        let lock = File::open(cache.join(".lock")).unwrap();
        lock.lock().unwrap();
        let probe = probe(&cache, &site, &[]);
        assert!(matches!(probe.source, Some(Source::Entry { path, .. }) if path == own));
        assert_eq!(probe.cache_refused.unwrap().kind, io::ErrorKind::WouldBlock);
        assert_eq!(probe.hardlink, Answer::Works);
        assert_eq!(FileStat::of(&own).unwrap().links, 1, "the link is gone again");
        assert_eq!(names(&cache), [".lock", "archive-v0"]);
    }

    #[test]
    fn an_environment_that_is_not_there_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let probe = probe(directory.path(), &directory.path().join("missing"), &[]);
        assert_eq!(probe.environment_refused.unwrap().kind, io::ErrorKind::NotFound);
        assert_eq!((probe.hardlink, names(directory.path())), (Answer::Untried, Vec::new()));
    }
}
