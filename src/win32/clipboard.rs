//! The clipboard, for consoles that know no escape sequence for it.

use std::ffi::OsStr;
use std::io;

use windows_sys::Win32::Foundation::GlobalFree;
use windows_sys::Win32::System::DataExchange::{
    CloseClipboard, EmptyClipboard, OpenClipboard, SetClipboardData,
};
use windows_sys::Win32::System::Memory::{GMEM_MOVEABLE, GlobalAlloc, GlobalLock, GlobalUnlock};

use super::{failed, with_nul};

/// `CF_UNICODETEXT`.
const TEXT: u32 = 13;

/// The clipboard while it is open, which it is for one program at a time.
struct Open;

impl Open {
    fn now() -> io::Result<Self> {
        // SAFETY: the call may do without a window.
        if unsafe { OpenClipboard(std::ptr::null_mut()) } == 0 { Err(failed()) } else { Ok(Self) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: it is open.
        unsafe { CloseClipboard() };
    }
}

/// Puts text on the clipboard.
pub(crate) fn put(text: &str) -> io::Result<()> {
    let units = with_nul(OsStr::new(text))?;
    let open = Open::now()?;
    // SAFETY: the clipboard is open. The memory is as large as what is copied there, is unlocked before it is handed on,
    // and belongs to the system once that has succeeded.
    unsafe {
        if EmptyClipboard() == 0 {
            return Err(failed());
        }
        let memory = GlobalAlloc(GMEM_MOVEABLE, units.len() * size_of::<u16>());
        if memory.is_null() {
            return Err(failed());
        }
        let place = GlobalLock(memory).cast::<u16>();
        if !place.is_null() {
            std::ptr::copy_nonoverlapping(units.as_ptr(), place, units.len());
            GlobalUnlock(memory);
        }
        if place.is_null() || SetClipboardData(TEXT, memory).is_null() {
            let error = failed();
            GlobalFree(memory);
            return Err(error);
        }
    }
    drop(open);
    Ok(())
}
