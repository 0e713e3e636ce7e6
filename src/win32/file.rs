//! What the system knows of an open file, and of the volume it lies on.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_NO_MORE_FILES};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO,
    FILE_COMPRESSION_INFO, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_NO_RECALL,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_GENERIC_READ, FILE_ID_INFO, FILE_INFO_BY_HANDLE_CLASS,
    FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_STANDARD_INFO,
    FILE_WRITE_ATTRIBUTES, FileAttributeTagInfo, FileBasicInfo, FileCompressionInfo, FileFullDirectoryInfo,
    FileFullDirectoryRestartInfo, FileIdInfo, FileStandardInfo, GetFileInformationByHandle,
    GetFileInformationByHandleEx, GetFinalPathNameByHandleW, GetVolumeInformationByHandleW,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::FSCTL_GET_REPARSE_POINT;

use super::{failed, handle, relative, until_nul};

/// The longest path that the system knows, in code units.
const LONGEST: usize = 32_768;
/// The largest content of a reparse point (`MAXIMUM_REPARSE_DATA_BUFFER_SIZE`).
const REPARSE: usize = 16 << 10;
/// Directory entries are read in batches of this many bytes.
const BATCH: usize = 64 << 10;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The attributes alone, which is possible also where somebody else has it for himself.
    Attributes,
    /// The content too.
    Content,
    /// Changing times and attributes.
    Change,
    /// A directory to work in.
    Work,
    /// A directory that nobody can rename or remove meanwhile.
    Pinned,
}

/// Whether a reparse point is opened itself, or what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
}

/// What the system says about a file, in its own units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) attributes: u32,
    /// The tag of a reparse point; 0 for anything else.
    pub(crate) tag: u32,
    /// The serial number of the volume.
    pub(crate) volume: u64,
    /// The file's number on it.
    pub(crate) id: u128,
    pub(crate) size: i64,
    pub(crate) allocated: i64,
    /// What compressed and sparse data takes, where the filesystem tells.
    pub(crate) compressed: Option<i64>,
    pub(crate) links: u32,
    /// In units of 100 nanoseconds since 1601.
    pub(crate) written: i64,
    /// Likewise; 0 where the filesystem keeps no such time.
    pub(crate) changed: i64,
}

/// Opens something without keeping anybody from anything, and without fetching what lies elsewhere.
pub(crate) fn open(path: &Path, look: Look, follow: Follow) -> io::Result<File> {
    let access = match look {
        Look::Attributes => FILE_READ_ATTRIBUTES,
        Look::Content => FILE_GENERIC_READ,
        Look::Change => FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
        Look::Work | Look::Pinned => relative::WORK,
    };
    let shared = FILE_SHARE_READ | FILE_SHARE_WRITE;
    let share = if look == Look::Pinned { shared } else { shared | FILE_SHARE_DELETE };
    let reparse = if follow == Follow::No { FILE_FLAG_OPEN_REPARSE_POINT } else { 0 };
    OpenOptions::new()
        .access_mode(access)
        .share_mode(share)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_NO_RECALL | reparse)
        .open(path)
}

/// What is known of an open file, directory or reparse point.
pub(crate) fn told(file: &File) -> io::Result<Told> {
    let basic: FILE_BASIC_INFO = information(file, FileBasicInfo)?;
    let standard: FILE_STANDARD_INFO = information(file, FileStandardInfo)?;
    let tag = if basic.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        0
    } else {
        information::<FILE_ATTRIBUTE_TAG_INFO>(file, FileAttributeTagInfo)?.ReparseTag
    };
    let compressed = information::<FILE_COMPRESSION_INFO>(file, FileCompressionInfo);
    let (volume, id) = identity(file)?;
    Ok(Told {
        attributes: basic.FileAttributes,
        tag,
        volume,
        id,
        size: standard.EndOfFile,
        allocated: standard.AllocationSize,
        compressed: compressed.ok().map(|told| told.CompressedFileSize),
        links: standard.NumberOfLinks,
        written: basic.LastWriteTime,
        changed: basic.ChangeTime,
    })
}

/// The volume's serial number and the file's number on it.
fn identity(file: &File) -> io::Result<(u64, u128)> {
    if let Ok(id) = information::<FILE_ID_INFO>(file, FileIdInfo) {
        return Ok((id.VolumeSerialNumber, u128::from_le_bytes(id.FileId.Identifier)));
    }
    // Before Windows 8, and on some servers.
    let mut old = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open while `file` is borrowed, and the pointer is to a structure of the right type.
    if unsafe { GetFileInformationByHandle(handle(file), &raw mut old) } == 0 {
        return Err(failed());
    }
    let id = u64::from(old.nFileIndexHigh) << 32 | u64::from(old.nFileIndexLow);
    Ok((u64::from(old.dwVolumeSerialNumber), u128::from(id)))
}

/// A class of information of fixed size, which the system writes as a whole.
///
/// # Safety
/// It has to be made of numbers, and of truth values that the system sets to zero or one.
unsafe trait Information: Default {}

// SAFETY: numbers.
unsafe impl Information for FILE_BASIC_INFO {}
// SAFETY: numbers, and two truth values ([MS-FSCC] 2.4.47).
unsafe impl Information for FILE_STANDARD_INFO {}
// SAFETY: numbers.
unsafe impl Information for FILE_ATTRIBUTE_TAG_INFO {}
// SAFETY: numbers.
unsafe impl Information for FILE_COMPRESSION_INFO {}
// SAFETY: numbers.
unsafe impl Information for FILE_ID_INFO {}

fn information<T: Information>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS) -> io::Result<T> {
    let mut answer = T::default();
    // SAFETY: the handle is open while `file` is borrowed, and the system writes at most `size` bytes of the structure
    // that belongs to the class.
    let done = unsafe {
        GetFileInformationByHandleEx(
            handle(file),
            class,
            std::ptr::from_mut(&mut answer).cast(),
            small::<T>(),
        )
    };
    if done == 0 { Err(failed()) } else { Ok(answer) }
}

fn small<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("the structures are small")
}

/// The names in an open directory, without `.` and `..`, in the order of the filesystem.
///
/// The place in the listing belongs to the handle: one handle is listed by one caller at a time.
pub(crate) fn names(directory: &File) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    // Aligned as the entries are.
    let mut buffer = vec![0_u64; BATCH / 8];
    let mut class = FileFullDirectoryRestartInfo;
    loop {
        let bytes = u32::try_from(BATCH).expect("a batch is small");
        // SAFETY: the handle is open while `directory` is borrowed, and `buffer` has room for that many bytes.
        let done = unsafe {
            GetFileInformationByHandleEx(handle(directory), class, buffer.as_mut_ptr().cast(), bytes)
        };
        if done == 0 {
            let error = failed();
            return match error.raw_os_error().and_then(|code| u32::try_from(code).ok()) {
                Some(ERROR_NO_MORE_FILES) => Ok(names),
                _ => Err(error),
            };
        }
        let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        collect(&bytes, &mut names);
        class = FileFullDirectoryInfo;
    }
}

/// Takes the names out of a batch of `FILE_FULL_DIR_INFO`.
fn collect(batch: &[u8], names: &mut Vec<OsString>) {
    const LENGTH: usize = 60;
    const NAME: usize = 68;
    let number = |at: usize| {
        let bytes = batch.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        usize::try_from(u32::from_le_bytes(bytes.unwrap_or_default())).unwrap_or(0)
    };
    let mut start = 0;
    loop {
        let end = (start + NAME).saturating_add(number(start + LENGTH));
        let Some(name) = batch.get(start + NAME..end) else { return };
        let units: Vec<u16> =
            name.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        if units != [u16::from(b'.')] && units != [u16::from(b'.'); 2] {
            names.push(OsString::from_wide(&units));
        }
        match number(start) {
            0 => return,
            next => start += next,
        }
    }
}

/// The content of a reparse point that is open itself.
pub(crate) fn reparse_content(file: &File) -> io::Result<Vec<u8>> {
    let mut content = vec![0_u8; REPARSE];
    let mut length = 0;
    // SAFETY: the handle is open while `file` is borrowed, the system writes at most `REPARSE` bytes, and says how many.
    let done = unsafe {
        DeviceIoControl(
            handle(file),
            FSCTL_GET_REPARSE_POINT,
            std::ptr::null(),
            0,
            content.as_mut_ptr().cast(),
            u32::try_from(REPARSE).expect("the buffer is small"),
            &raw mut length,
            std::ptr::null_mut(),
        )
    };
    if done == 0 {
        return Err(failed());
    }
    content.truncate(usize::try_from(length).unwrap_or(0));
    Ok(content)
}

/// Where an open file or directory is now, as `\\?\C:\…`.
pub(crate) fn path(file: &File) -> io::Result<PathBuf> {
    let mut units = vec![0_u16; LONGEST];
    let room = u32::try_from(LONGEST).expect("a path is short");
    // SAFETY: the handle is open while `file` is borrowed, and `units` has room for that many.
    let length = unsafe { GetFinalPathNameByHandleW(handle(file), units.as_mut_ptr(), room, 0) };
    match usize::try_from(length) {
        Ok(length) if (1..LONGEST).contains(&length) => {
            Ok(PathBuf::from(OsString::from_wide(&units[..length])))
        }
        Ok(0) => Err(failed()),
        _ => Err(io::Error::from_raw_os_error(i32::try_from(ERROR_MORE_DATA).unwrap_or(0))),
    }
}

/// What the system says about a volume.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    /// The name of its filesystem, as `NTFS`.
    pub(crate) filesystem: String,
    /// `FILE_SUPPORTS_BLOCK_REFCOUNTING` and the like.
    pub(crate) flags: u32,
}

/// The volume that an open file or directory lies on.
pub(crate) fn volume(file: &File) -> io::Result<Volume> {
    let mut name = [0_u16; 64];
    let mut flags = 0;
    let room = u32::try_from(name.len()).expect("the name is short");
    let none = std::ptr::null_mut();
    // SAFETY: the handle is open while `file` is borrowed; pointers that are null ask for nothing, and `name` has room
    // for that many units.
    let done = unsafe {
        GetVolumeInformationByHandleW(
            handle(file),
            std::ptr::null_mut(),
            0,
            none,
            none,
            &raw mut flags,
            name.as_mut_ptr(),
            room,
        )
    };
    if done == 0 {
        return Err(failed());
    }
    Ok(Volume { filesystem: until_nul(&name).to_string_lossy().into_owned(), flags })
}
