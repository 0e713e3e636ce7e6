//! Calls that name one component relative to an open directory, as `openat(2)` and its kin do elsewhere.
//!
//! The kernel looks the name up in the directory that the handle stands for, wherever that has been moved meanwhile, and
//! opens a reparse point itself. Names are passed on as they are: what the Win32 layer reserves or cuts off (`NUL`,
//! `aux.py`, a dot at the end) and paths of any length are nothing special here.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{FromRawHandle as _, OwnedHandle};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_CREATE, FILE_DIRECTORY_FILE, FILE_DISPOSITION_DELETE, FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE,
    FILE_DISPOSITION_INFORMATION, FILE_DISPOSITION_INFORMATION_EX, FILE_DISPOSITION_POSIX_SEMANTICS,
    FILE_INFORMATION_CLASS, FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_OPEN_FOR_BACKUP_INTENT,
    FILE_OPEN_NO_RECALL, FILE_OPEN_REPARSE_POINT, FILE_RENAME_IGNORE_READONLY_ATTRIBUTE,
    FILE_RENAME_INFORMATION, FILE_RENAME_INFORMATION_0, FILE_RENAME_POSIX_SEMANTICS,
    FILE_RENAME_REPLACE_IF_EXISTS, FILE_SYNCHRONOUS_IO_NONALERT, FileDispositionInformation,
    FileDispositionInformationEx, FileLinkInformation, FileRenameInformation, FileRenameInformationEx,
    NtCreateFile, NtSetInformationFile,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, OBJ_CASE_INSENSITIVE, RtlNtStatusToDosError, STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_ADD_FILE, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_READONLY, FILE_BASIC_INFO,
    FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_LIST_DIRECTORY, FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_TRAVERSE, FILE_WRITE_ATTRIBUTES, FileBasicInfo, FlushFileBuffers,
    GetFileInformationByHandleEx, SYNCHRONIZE, SetFileInformationByHandle,
};
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, IO_STATUS_BLOCK_0};

use super::{failed, handle};

/// Access to a directory that one works in.
pub(crate) const WORK: u32 = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE;

/// What is opened, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A directory to work in; a reparse point is opened itself, and is to be told from one by its attributes.
    Directory,
    /// Whatever it is, for its attributes; a reparse point itself.
    Look,
    /// What it leads to, for its attributes.
    LookThrough,
    /// A file to be read; a reparse point itself.
    Read,
    /// A file to be read through the driver that answers for its content.
    ReadThrough,
    /// A file that must not exist.
    NewFile,
    /// A directory that must not exist.
    NewDirectory,
    /// Whatever it is, to be renamed or removed; a reparse point itself.
    Change,
    /// Whatever it is, to be given another name; a reparse point itself.
    Link,
    /// A directory whose names are made durable.
    Sync,
}

impl Purpose {
    fn access(self) -> u32 {
        match self {
            Self::Directory => WORK,
            Self::Look | Self::LookThrough | Self::NewDirectory => FILE_READ_ATTRIBUTES | SYNCHRONIZE,
            Self::Read | Self::ReadThrough => FILE_GENERIC_READ,
            Self::NewFile => FILE_GENERIC_READ | FILE_GENERIC_WRITE,
            Self::Change => DELETE | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
            Self::Link => FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
            Self::Sync => FILE_ADD_FILE | SYNCHRONIZE,
        }
    }

    fn options(self) -> u32 {
        let common = FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_NO_RECALL;
        let itself = common | FILE_OPEN_REPARSE_POINT;
        match self {
            Self::Directory | Self::NewDirectory | Self::Sync => itself | FILE_DIRECTORY_FILE,
            Self::Look | Self::Change | Self::Link => itself,
            Self::Read | Self::NewFile => itself | FILE_NON_DIRECTORY_FILE,
            Self::ReadThrough => common | FILE_NON_DIRECTORY_FILE,
            Self::LookThrough => common,
        }
    }

    fn disposition(self) -> u32 {
        if matches!(self, Self::NewFile | Self::NewDirectory) { FILE_CREATE } else { FILE_OPEN }
    }
}

/// Opens or creates what a name stands for in an open directory; an empty name stands for the directory itself.
pub(crate) fn open(directory: &File, name: &OsStr, purpose: Purpose) -> io::Result<File> {
    let mut units = if name.is_empty() { Vec::new() } else { component(name)? };
    let bytes = u16::try_from(units.len() * 2).map_err(|_| io::ErrorKind::InvalidFilename)?;
    let text = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: units.as_mut_ptr() };
    let attributes = OBJECT_ATTRIBUTES {
        Length: u32::try_from(size_of::<OBJECT_ATTRIBUTES>()).expect("the structure is small"),
        RootDirectory: handle(directory),
        ObjectName: &raw const text,
        Attributes: OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: std::ptr::null(),
        SecurityQualityOfService: std::ptr::null(),
    };
    let mut opened: HANDLE = std::ptr::null_mut();
    let mut block = status_block();
    // SAFETY: the directory's handle is open while it is borrowed, the name and the structures live until the call
    // returns, and nothing else is pointed to.
    let status = unsafe {
        NtCreateFile(
            &raw mut opened,
            purpose.access(),
            &raw const attributes,
            &raw mut block,
            std::ptr::null(),
            FILE_ATTRIBUTE_NORMAL,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            purpose.disposition(),
            purpose.options(),
            std::ptr::null(),
            0,
        )
    };
    answer(status)?;
    // SAFETY: the call succeeded and gave this handle to nobody else.
    Ok(File::from(unsafe { OwnedHandle::from_raw_handle(opened) }))
}

/// A name as a single component; anything that leads further, or to a stream of a file, is refused.
fn component(name: &OsStr) -> io::Result<Vec<u16>> {
    let units: Vec<u16> = name.encode_wide().collect();
    let is_dots = units.len() <= 2 && units.iter().all(|unit| *unit == u16::from(b'.'));
    let leads_on = |unit: &u16| matches!(char::from_u32(u32::from(*unit)), Some('\\' | '/' | ':' | '\0'));
    if is_dots || units.iter().any(leads_on) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain name"));
    }
    Ok(units)
}

/// Whether a rename may put one file in the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    Yes,
    No,
}

/// Renames an open file or directory to a name in an open directory of the same volume.
///
/// Where the system can (Windows 10 1709 on NTFS), a file that somebody has open is replaced all the same, and so is a
/// read-only one: whoever has it open keeps the old one.
pub(crate) fn rename(file: &File, to: &File, name: &OsStr, replace: Replace) -> io::Result<()> {
    let (modern, old) = match replace {
        Replace::Yes => (FILE_RENAME_REPLACE_IF_EXISTS, 1),
        Replace::No => (0, 0),
    };
    let modern = modern | FILE_RENAME_POSIX_SEMANTICS | FILE_RENAME_IGNORE_READONLY_ATTRIBUTE;
    match set_name(file, FileRenameInformationEx, modern, to, name)? {
        Done::Yes => Ok(()),
        Done::Unknown => set_name(file, FileRenameInformation, old, to, name)?.or_unsupported(),
    }
}

/// Gives an open file another name in an open directory of the same volume, which must not exist.
pub(crate) fn link(file: &File, to: &File, name: &OsStr) -> io::Result<()> {
    set_name(file, FileLinkInformation, 0, to, name)?.or_unsupported()
}

/// Removes the name that a file, an empty directory or a reparse point was opened by, for [`Purpose::Change`].
///
/// A read-only file goes too where the system can do that (Windows 10 1809); elsewhere its attribute is in the way.
pub(crate) fn remove(file: &File) -> io::Result<()> {
    let flags = FILE_DISPOSITION_DELETE
        | FILE_DISPOSITION_POSIX_SEMANTICS
        | FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE;
    let modern = FILE_DISPOSITION_INFORMATION_EX { Flags: flags };
    if let Done::Yes = set(file, FileDispositionInformationEx, &modern)? {
        return Ok(());
    }
    let old = FILE_DISPOSITION_INFORMATION { DeleteFile: true };
    set(file, FileDispositionInformation, &old)?.or_unsupported()
}

/// Sets or clears the read-only attribute of an open file; answers with whether it was set.
///
/// The file has to be open for changing its attributes, as by [`Purpose::Link`].
pub(crate) fn set_read_only(file: &File, wanted: bool) -> io::Result<bool> {
    let mut basic = FILE_BASIC_INFO::default();
    let size = u32::try_from(size_of::<FILE_BASIC_INFO>()).expect("the structure is small");
    let pointer = (&raw mut basic).cast();
    // SAFETY: the handle is open while `file` is borrowed, and the structure is the one of this class.
    if unsafe { GetFileInformationByHandleEx(handle(file), FileBasicInfo, pointer, size) } == 0 {
        return Err(failed());
    }
    let was = basic.FileAttributes & FILE_ATTRIBUTE_READONLY != 0;
    if was == wanted {
        return Ok(was);
    }
    let rest = basic.FileAttributes & !FILE_ATTRIBUTE_READONLY;
    let attributes = if wanted { rest | FILE_ATTRIBUTE_READONLY } else { rest };
    // Zeros leave the times as they are, and would leave the attributes too.
    let new = FILE_BASIC_INFO {
        FileAttributes: if attributes == 0 { FILE_ATTRIBUTE_NORMAL } else { attributes },
        ..FILE_BASIC_INFO::default()
    };
    // SAFETY: as above.
    if unsafe { SetFileInformationByHandle(handle(file), FileBasicInfo, (&raw const new).cast(), size) } == 0
    {
        return Err(failed());
    }
    Ok(was)
}

/// Makes what was written to an open file, or the names of a directory that was opened for [`Purpose::Sync`], durable.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    // SAFETY: the handle is open while `file` is borrowed.
    if unsafe { FlushFileBuffers(handle(file)) } == 0 { Err(failed()) } else { Ok(()) }
}

/// Whether the system knows a call.
enum Done {
    Yes,
    Unknown,
}

impl Done {
    fn or_unsupported(self) -> io::Result<()> {
        match self {
            Self::Yes => Ok(()),
            Self::Unknown => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Calls with a name in a directory. A link's structure is laid out as a rename's is.
fn set_name(
    file: &File,
    class: FILE_INFORMATION_CLASS,
    flags: u32,
    to: &File,
    name: &OsStr,
) -> io::Result<Done> {
    let units = component(name)?;
    let start = offset_of!(FILE_RENAME_INFORMATION, FileName);
    let length = (start + units.len() * 2).max(size_of::<FILE_RENAME_INFORMATION>());
    // Aligned for the handle in it.
    let mut buffer = vec![0_usize; length.div_ceil(size_of::<usize>())];
    let header = FILE_RENAME_INFORMATION {
        Anonymous: FILE_RENAME_INFORMATION_0 { Flags: flags },
        RootDirectory: handle(to),
        FileNameLength: u32::try_from(units.len() * 2).map_err(|_| io::ErrorKind::InvalidFilename)?,
        FileName: [0],
    };
    // SAFETY: the buffer is aligned for the structure, and has room for it and for the name behind it.
    unsafe {
        buffer.as_mut_ptr().cast::<FILE_RENAME_INFORMATION>().write(header);
        let text = buffer.as_mut_ptr().byte_add(start).cast::<u16>();
        std::ptr::copy_nonoverlapping(units.as_ptr(), text, units.len());
    }
    // SAFETY: the buffer has that many bytes, of the structure of this class.
    unsafe { set_bytes(file, class, buffer.as_ptr().cast(), length) }
}

fn set<T>(file: &File, class: FILE_INFORMATION_CLASS, value: &T) -> io::Result<Done> {
    // SAFETY: a reference is to as many bytes as its type has.
    unsafe { set_bytes(file, class, std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// # Safety
/// The pointer has to be to `length` bytes, of the structure that belongs to the class.
unsafe fn set_bytes(
    file: &File,
    class: FILE_INFORMATION_CLASS,
    pointer: *const std::ffi::c_void,
    length: usize,
) -> io::Result<Done> {
    let mut block = status_block();
    let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidFilename)?;
    // SAFETY: the handle is open while `file` is borrowed; the caller promises the rest.
    let status = unsafe { NtSetInformationFile(handle(file), &raw mut block, pointer, length, class) };
    let unknown =
        [STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED];
    if unknown.contains(&status) {
        return Ok(Done::Unknown);
    }
    answer(status).map(|()| Done::Yes)
}

fn status_block() -> IO_STATUS_BLOCK {
    IO_STATUS_BLOCK { Anonymous: IO_STATUS_BLOCK_0 { Status: 0 }, Information: 0 }
}

/// A status of the kernel as an error of the standard library.
fn answer(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 {
        return Ok(());
    }
    // SAFETY: a table look-up.
    let code = unsafe { RtlNtStatusToDosError(status) };
    Err(io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX)))
}
