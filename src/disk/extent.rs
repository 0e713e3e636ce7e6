//! Where a file's bytes lie on the device, by the extent map of Linux (`FIEMAP`, Documentation/filesystems/fiemap.rst).
//!
//! Two files whose extents start at the same physical offset share them: one is a reflink of the other. The flag
//! `SHARED` alone only says that somebody else has the extent too. Extents stored inline in metadata (btrfs up to
//! 2,047 bytes) and extents not yet written have no physical offset that would prove anything.

use std::fs::File;
use std::io;
use std::path::Path;

use super::FileStat;

/// One extent of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset on the device, in bytes.
    pub physical: u64,
    /// Length in bytes.
    pub length: u64,
    /// What the filesystem says about it.
    pub state: ExtentState,
    /// Whether it is stored compressed or otherwise changed, so that `length` is not what it takes on the device.
    pub encoded: bool,
}

/// What the filesystem says about an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentState {
    /// Only this file has it.
    Exclusive,
    /// Another file has it too.
    Shared,
    /// It has no offset that could be compared: inline, not yet allocated, or encoded.
    Opaque,
}

/// Reads the extent map of an open file. An error means that the filesystem has none, or will not say.
#[cfg(target_os = "linux")]
pub fn extents(file: &File) -> io::Result<Vec<Extent>> {
    linux::extents(file)
}

/// Reads the extent map of an open file; there is none here.
#[cfg(not(target_os = "linux"))]
pub fn extents(_file: &File) -> io::Result<Vec<Extent>> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// The allocated bytes of a file that no other file shares; all of them where the filesystem does not say.
pub fn exclusive(path: &Path, stat: &FileStat) -> u64 {
    let Ok(extents) = super::read::open(path).and_then(|file| extents(&file)) else { return stat.disk };
    let shared = extents.iter().filter(|extent| extent.state == ExtentState::Shared);
    stat.disk.saturating_sub(shared.map(|extent| extent.length).sum())
}

/// The bytes that only this file has, so that removing it gives them back, where the system tells (macOS).
///
/// With whom it shares the rest is not told.
#[cfg(target_os = "macos")]
pub fn private_bytes(file: &File) -> Option<u64> {
    macos::private_bytes(file)
}

/// The bytes that only this file has; not told here.
#[cfg(not(target_os = "macos"))]
pub fn private_bytes(_file: &File) -> Option<u64> {
    None
}

#[cfg(target_os = "macos")]
mod macos {
    use std::ffi::{c_int, c_void};
    use std::fs::File;
    use std::os::fd::AsRawFd as _;

    /// `ATTR_BIT_MAP_COUNT`.
    const BITMAPS: u16 = 5;
    /// `ATTR_CMNEXT_PRIVATESIZE`, asked for in place of attributes of forks.
    const PRIVATE_SIZE: u32 = 0x8;
    /// `FSOPT_ATTR_CMN_EXTENDED`.
    const EXTENDED: u32 = 0x20;
    /// The answer's own length, then the number, without a gap.
    const ANSWER: usize = 12;

    /// `struct attrlist` of `sys/attr.h`.
    #[repr(C)]
    struct Wanted {
        bitmaps: u16,
        reserved: u16,
        common: u32,
        volume: u32,
        directory: u32,
        file: u32,
        extended: u32,
    }

    #[expect(unsafe_code, reason = "the call is not in the standard library")]
    // SAFETY: this is the declaration in `unistd.h`.
    unsafe extern "C" {
        fn fgetattrlist(
            file: c_int,
            wanted: *const Wanted,
            answer: *mut c_void,
            size: usize,
            options: u32,
        ) -> c_int;
    }

    pub(super) fn private_bytes(file: &File) -> Option<u64> {
        let wanted = Wanted {
            bitmaps: BITMAPS,
            reserved: 0,
            common: 0,
            volume: 0,
            directory: 0,
            file: 0,
            extended: PRIVATE_SIZE,
        };
        let mut answer = [0_u8; ANSWER];
        #[expect(unsafe_code, reason = "the call writes through a pointer")]
        // SAFETY: the descriptor is open while `file` is borrowed, and at most as many bytes are written as there are.
        let done = unsafe {
            fgetattrlist(
                file.as_raw_fd(),
                &raw const wanted,
                answer.as_mut_ptr().cast(),
                answer.len(),
                EXTENDED,
            )
        };
        let (length, number) = answer.split_first_chunk::<4>()?;
        let whole = u32::from_ne_bytes(*length) as usize == ANSWER;
        let number = i64::from_ne_bytes(number.try_into().ok()?);
        if done == 0 && whole { u64::try_from(number).ok() } else { None }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::c_void;
    use std::fs::File;
    use std::io;

    use rustix::ioctl::{Ioctl, IoctlOutput, Opcode};

    use super::{Extent, ExtentState};

    /// Extents per request; files with more take several.
    const BATCH: usize = 64;
    const LAST: u32 = 0x1;
    /// Written, but with no place on the device yet; whatever else is said, it cannot be shared.
    const DELAYED: u32 = 0x4;
    /// Compressed, most often: the offset can be compared, the length is that of the content.
    const ENCODED: u32 = 0x8;
    /// Unknown, encrypted, not aligned, inline, tail: offsets that cannot be compared.
    const OPAQUE: u32 = 0x2 | 0x80 | 0x100 | 0x200 | 0x400;
    const SHARED: u32 = 0x2000;

    /// `struct fiemap_extent` of `linux/fiemap.h`.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct RawExtent {
        logical: u64,
        physical: u64,
        length: u64,
        reserved64: [u64; 2],
        flags: u32,
        reserved: [u32; 3],
    }

    /// `struct fiemap` of `linux/fiemap.h`, with room for the extents it is followed by.
    #[repr(C)]
    struct Request {
        start: u64,
        length: u64,
        flags: u32,
        mapped: u32,
        capacity: u32,
        reserved: u32,
        extents: [RawExtent; BATCH],
    }

    #[expect(unsafe_code, reason = "an ioctl's argument is a pointer the kernel writes through")]
    // SAFETY: `FS_IOC_FIEMAP` reads the header and writes the header and at most `capacity` extents, all of which lie in
    // `Request`, whose layout is that of the kernel's structure.
    unsafe impl Ioctl for &mut Request {
        type Output = ();
        const IS_MUTATING: bool = true;

        fn opcode(&self) -> Opcode {
            // _IOWR('f', 11, struct fiemap), whose header has 32 bytes.
            0xc020_660b
        }

        fn as_ptr(&mut self) -> *mut c_void {
            std::ptr::from_mut::<Request>(self).cast()
        }

        unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn extents(file: &File) -> io::Result<Vec<Extent>> {
        let mut found = Vec::new();
        let mut start = 0;
        loop {
            let mut request = Request {
                start,
                length: u64::MAX - start,
                flags: 0,
                mapped: 0,
                capacity: 64,
                reserved: 0,
                extents: [RawExtent::default(); BATCH],
            };
            #[expect(unsafe_code, reason = "an ioctl's argument is a pointer the kernel writes through")]
            // SAFETY: see the implementation of `Ioctl` above.
            unsafe {
                rustix::ioctl::ioctl(file, &mut request)?;
            }
            let mapped = usize::try_from(request.mapped).unwrap_or(0).min(BATCH);
            for raw in &request.extents[..mapped] {
                let state = match raw.flags {
                    flags if flags & DELAYED != 0 => ExtentState::Exclusive,
                    flags if flags & OPAQUE != 0 => ExtentState::Opaque,
                    flags if flags & SHARED != 0 => ExtentState::Shared,
                    _ => ExtentState::Exclusive,
                };
                let encoded = raw.flags & ENCODED != 0;
                found.push(Extent { physical: raw.physical, length: raw.length, state, encoded });
            }
            match request.extents[..mapped].last() {
                // A filesystem that does not get on must not keep us here for ever.
                Some(last) if last.flags & LAST == 0 && last.logical.saturating_add(last.length) > start => {
                    start = last.logical.saturating_add(last.length);
                }
                _ => return Ok(found),
            }
        }
    }
}
