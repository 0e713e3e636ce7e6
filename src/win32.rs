//! Calls of Windows that the standard library has not, each behind a function that cannot be called wrongly.
//!
//! This is the one place for them, and with the extent map of Linux the only one with unsafe code. It knows numbers,
//! names and handles; what they mean is said above it. [`file`] and [`process`] read, [`relative`] also changes the disk
//! and is used by `linker` alone, [`console`] listens for the end of the program, [`screen`] draws and [`clipboard`] copies
//! where there are no escape sequences for it.

#![expect(unsafe_code, reason = "calls into the operating system, with pointers into buffers of this module")]

pub(crate) mod clipboard;
pub(crate) mod console;
pub(crate) mod file;
pub(crate) mod process;
pub(crate) mod relative;
pub(crate) mod screen;

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle as _;

use windows_sys::Win32::Foundation::HANDLE;

/// The handle of an open file. It stays valid while the file is borrowed.
fn handle(file: &File) -> HANDLE {
    file.as_raw_handle()
}

/// The error of the call that just failed.
fn failed() -> io::Error {
    io::Error::last_os_error()
}

/// Text with the NUL that ends it for the system; none if there is one in it.
fn with_nul(text: &std::ffi::OsStr) -> io::Result<Vec<u16>> {
    use std::os::windows::ffi::OsStrExt as _;
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is a NUL in the name"));
    }
    units.push(0);
    Ok(units)
}

/// The text before the first NUL.
fn until_nul(units: &[u16]) -> std::ffi::OsString {
    use std::os::windows::ffi::OsStringExt as _;
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    std::ffi::OsString::from_wide(&units[..end])
}
