//! The names of entries.
//!
//! They are opaque: 16 characters since uv 0.11.9, 21 before, 24 with the preview `content-addressed-cache`, and something
//! else tomorrow. What can be told is only whether a name may be one at all, which keeps hostile pointers from leading
//! out of the bucket.

use std::ffi::OsStr;

/// The longest name a directory can have on the filesystems that hold caches, in bytes.
const LONGEST: usize = 255;

/// Whether a name may be an entry's: one plain component of unsuspicious ASCII characters, not hidden.
pub fn is_archive_id(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=' | b'+' | b'~');
    (1..=LONGEST).contains(&bytes.len()) && bytes[0] != b'.' && bytes.iter().all(plain)
}
