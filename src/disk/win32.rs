//! The calls of Windows that the standard library has not, each behind a function that cannot be called wrongly. They
//! only read.

#![expect(unsafe_code, reason = "calls into the operating system, with pointers into buffers of this module")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO, FILE_COMPRESSION_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_NO_RECALL, FILE_FLAG_OPEN_REPARSE_POINT, FILE_GENERIC_READ,
    FILE_ID_INFO, FILE_INFO_BY_HANDLE_CLASS, FILE_READ_ATTRIBUTES, FILE_STANDARD_INFO, FileAttributeTagInfo,
    FileBasicInfo, FileCompressionInfo, FileIdInfo, FileStandardInfo, GetFileInformationByHandle,
    GetFileInformationByHandleEx,
};

use super::attributes;
use super::stat::{FileStat, Time};

/// What opening for a look asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The attributes alone.
    Attributes,
    /// The content too.
    Content,
}

/// Whether a reparse point is opened itself, or what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    Yes,
    No,
}

/// Opens something without keeping anybody from anything, and without fetching what lies elsewhere.
pub(super) fn open(path: &Path, look: Look, follow: Follow) -> io::Result<File> {
    let access = match look {
        Look::Attributes => FILE_READ_ATTRIBUTES,
        Look::Content => FILE_GENERIC_READ,
    };
    let reparse = if follow == Follow::No { FILE_FLAG_OPEN_REPARSE_POINT } else { 0 };
    OpenOptions::new()
        .access_mode(access)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_NO_RECALL | reparse)
        .open(path)
}

/// What is known of an open file, directory or reparse point.
pub(super) fn stat(file: &File) -> io::Result<FileStat> {
    let basic: FILE_BASIC_INFO = information(file, FileBasicInfo)?;
    let standard: FILE_STANDARD_INFO = information(file, FileStandardInfo)?;
    let attributes = basic.FileAttributes;
    let tag = if attributes & attributes::REPARSE_POINT == 0 {
        0
    } else {
        information::<FILE_ATTRIBUTE_TAG_INFO>(file, FileAttributeTagInfo)?.ReparseTag
    };
    let mut disk = standard.AllocationSize;
    if attributes & (attributes::COMPRESSED | attributes::SPARSE) != 0
        && let Ok(compressed) = information::<FILE_COMPRESSION_INFO>(file, FileCompressionInfo)
    {
        disk = compressed.CompressedFileSize;
    }
    let (device, inode) = identity(file)?;
    Ok(FileStat {
        kind: attributes::kind(attributes, tag),
        content: attributes::content(attributes),
        device,
        inode,
        size: u64::try_from(standard.EndOfFile).unwrap_or(0),
        disk: u64::try_from(disk).unwrap_or(0),
        links: u64::from(standard.NumberOfLinks),
        owner: 0,
        mode_bits: attributes::mode_bits(attributes),
        modified: time(basic.LastWriteTime),
        // Some filesystems (FAT) keep no such time.
        changed: time(if basic.ChangeTime == 0 { basic.LastWriteTime } else { basic.ChangeTime }),
    })
}

/// The volume's serial number and the file's number on it.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    if let Ok(id) = information::<FILE_ID_INFO>(file, FileIdInfo) {
        return Ok((
            id.VolumeSerialNumber,
            attributes::file_number(u128::from_le_bytes(id.FileId.Identifier)),
        ));
    }
    // Before Windows 8, and on some servers.
    let mut old = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open for as long as `file` is borrowed, and the pointer is to a structure of the right type.
    if unsafe { GetFileInformationByHandle(handle(file), &raw mut old) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let inode = u64::from(old.nFileIndexHigh) << 32 | u64::from(old.nFileIndexLow);
    Ok((u64::from(old.dwVolumeSerialNumber), inode))
}

/// A class of information of fixed size, which the system writes as a whole.
///
/// # Safety
/// Any bytes must be a value of it.
unsafe trait Information: Default {}

// SAFETY: structures of numbers, as `windows-sys` declares them. The two `bool`s of the second one are bytes that the
// system sets to zero or one ([MS-FSCC] 2.4.47).
unsafe impl Information for FILE_BASIC_INFO {}
// SAFETY: as above.
unsafe impl Information for FILE_STANDARD_INFO {}
// SAFETY: as above.
unsafe impl Information for FILE_ATTRIBUTE_TAG_INFO {}
// SAFETY: as above.
unsafe impl Information for FILE_COMPRESSION_INFO {}
// SAFETY: as above.
unsafe impl Information for FILE_ID_INFO {}

fn information<T: Information>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS) -> io::Result<T> {
    let mut answer = T::default();
    let size = u32::try_from(size_of::<T>()).expect("the structures are small");
    // SAFETY: the handle is open for as long as `file` is borrowed, and the system writes at most `size` bytes to a
    // structure that any bytes are a value of.
    let done = unsafe {
        GetFileInformationByHandleEx(handle(file), class, std::ptr::from_mut(&mut answer).cast(), size)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn handle(file: &File) -> HANDLE {
    file.as_raw_handle()
}

/// From units of 100 nanoseconds since 1601.
fn time(units: i64) -> Time {
    /// 1970 in these units.
    const EPOCH: i64 = 116_444_736_000_000_000;
    Time(units.saturating_sub(EPOCH).saturating_mul(100))
}
