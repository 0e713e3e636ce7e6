//! What `stat` says about one file.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(windows)]
use std::sync::{LazyLock, Mutex, PoisonError};

#[cfg(windows)]
use crate::disk::attributes;
#[cfg(windows)]
use crate::disk::file_number::{self, FileNumbers};
#[cfg(windows)]
use crate::win32::file::{self, Follow, Look, Told};

/// A moment as nanoseconds since 1970, which holds the years 1678 to 2262; times beyond saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// From seconds and nanoseconds as the operating system gives them.
    pub fn new(seconds: i64, nanoseconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }

    /// From units of 100 nanoseconds since 1601, as Windows gives them.
    pub fn from_1601(units: i64) -> Self {
        /// 1970 in these units.
        const EPOCH: i64 = 116_444_736_000_000_000;
        Self(units.saturating_sub(EPOCH).saturating_mul(100))
    }

    /// From a timestamp.
    pub fn of_timestamp(timestamp: jiff::Timestamp) -> Self {
        let nanoseconds = timestamp.as_nanosecond();
        let end = if nanoseconds < 0 { i64::MIN } else { i64::MAX };
        Self(i64::try_from(nanoseconds).unwrap_or(end))
    }

    /// The same moment as a timestamp.
    ///
    /// # Panics
    /// Never: every moment this type can hold is one a timestamp can.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .expect("an i64 of nanoseconds is within a timestamp's range")
    }
}

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, or a junction on Windows.
    Symlink,
    /// A FIFO, socket or device.
    Other,
}

/// Where a file's content lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// On this machine, or on a server that gives it like a disk.
    #[default]
    Here,
    /// In a cloud or on a tape, from where reading it would fetch it: it is looked at and never read (Windows).
    Elsewhere,
}

/// What `stat` says about one file.
#[derive(Clone, Copy, Debug)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Where its content lies.
    pub content: Content,
    /// Identifies the filesystem.
    pub device: u64,
    /// Identifies the file within its filesystem.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Allocated bytes.
    pub disk: u64,
    /// Hard links.
    pub links: u64,
    /// The user it belongs to, where files have one.
    pub owner: u32,
    /// Permission bits, those for set-user-ID and the like included, where files have them.
    pub mode_bits: u32,
    /// Last change of its content.
    pub modified: Time,
    /// Last change of its content, mode, owner, name or link count.
    pub changed: Time,
}

impl FileStat {
    /// Reads a path without following a symlink in its last component.
    pub fn of(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        return std::fs::symlink_metadata(path).map(|metadata| Self::from_metadata(&metadata));
        #[cfg(windows)]
        return Self::of_file(&file::open(path, Look::Attributes, Follow::No)?);
    }

    /// Reads what a path leads to.
    pub fn following(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        return std::fs::metadata(path).map(|metadata| Self::from_metadata(&metadata));
        #[cfg(windows)]
        return Self::of_file(&file::open(path, Look::Attributes, Follow::Yes)?);
    }

    /// Reads an open file.
    pub fn of_file(file: &File) -> io::Result<Self> {
        #[cfg(unix)]
        return file.metadata().map(|metadata| Self::from_metadata(&metadata));
        #[cfg(windows)]
        return file::told(file).map(|told| Self::from_told(&told));
    }

    /// From what Windows tells.
    #[cfg(windows)]
    fn from_told(told: &Told) -> Self {
        // A file that is neither compressed nor sparse takes what was allocated for it.
        let disk = if told.attributes & (attributes::COMPRESSED | attributes::SPARSE) == 0 {
            told.allocated
        } else {
            told.compressed.unwrap_or(told.allocated)
        };
        Self {
            kind: attributes::kind(told.attributes, told.tag),
            content: attributes::content(told.attributes),
            device: told.volume,
            inode: number(told),
            size: u64::try_from(told.size).unwrap_or(0),
            disk: u64::try_from(disk).unwrap_or(0),
            links: u64::from(told.links),
            owner: 0,
            mode_bits: attributes::mode_bits(told.attributes),
            modified: Time::from_1601(told.written),
            changed: Time::from_1601(if told.changed == 0 { told.written } else { told.changed }),
        }
    }

    /// From the standard library's metadata.
    #[cfg(unix)]
    fn from_metadata(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            kind: kind_of(metadata.file_type()),
            content: Content::Here,
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            disk: metadata.blocks().saturating_mul(512),
            links: metadata.nlink(),
            owner: metadata.uid(),
            mode_bits: metadata.mode() & 0o7777,
            modified: Time::new(metadata.mtime(), metadata.mtime_nsec()),
            changed: Time::new(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// From the kernel's structure.
    #[cfg(unix)]
    pub(crate) fn from_raw(stat: &rustix::fs::Stat) -> Self {
        use rustix::fs::FileType;
        #[expect(
            clippy::unnecessary_cast,
            reason = "the widths of these fields differ between architectures"
        )]
        Self {
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => FileKind::File,
                FileType::Directory => FileKind::Directory,
                FileType::Symlink => FileKind::Symlink,
                _ => FileKind::Other,
            },
            content: Content::Here,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            disk: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            links: stat.st_nlink as u64,
            owner: stat.st_uid,
            mode_bits: stat.st_mode as u32 & 0o7777,
            modified: Time::new(stat.st_mtime as i64, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            changed: Time::new(stat.st_ctime as i64, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        }
    }
}

impl FileStat {
    /// Why a file must not be opened to read it, if so: it is no regular file, or reading would fetch its content.
    pub fn unreadable(&self) -> Option<io::Error> {
        if self.kind != FileKind::File {
            return Some(io::Error::other("not a regular file"));
        }
        (self.content == Content::Elsewhere).then(|| io::Error::other(ELSEWHERE))
    }
}

/// The number that a file goes by.
#[cfg(windows)]
fn number(told: &Told) -> u64 {
    static NUMBERS: LazyLock<Mutex<FileNumbers>> = LazyLock::new(Mutex::default);
    let given = || {
        let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.of(told.volume, told.id)
    };
    file_number::short(told.id).unwrap_or_else(given)
}

/// What is said of a file whose content would have to be fetched.
pub const ELSEWHERE: &str = "its content lies in a cloud or on a tape, and was not fetched";

/// Whether this user may write to what is at a path, as far as its permissions tell.
pub fn may_write(path: &Path) -> bool {
    #[cfg(unix)]
    let may = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    #[cfg(not(unix))]
    let may = std::fs::metadata(path).is_ok_and(|metadata| !metadata.permissions().readonly());
    may
}

#[cfg(unix)]
fn kind_of(kind: std::fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}
