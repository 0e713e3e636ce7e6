//! Names of files in the making.
//!
//! A file is made under such a name beside the place it is meant for and renamed when it is whole. A run that is killed
//! leaves at most such names behind, and the next run over the same directories takes them away.

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = ".cachetui-";
const SUFFIX: &str = ".tmp";
/// Ends the name of what was moved away to make room; it holds something that exists nowhere else, and is never swept.
const KEPT: &str = ".kept";
/// Ends the name of a file that was moved aside so that another can take its place. It holds the name it had, and goes
/// back there if nothing did.
const ASIDE: &str = ".aside";
/// Process id, counter and randomness.
const DIGITS: usize = 8 + 8 + 16;

/// A new name, as `.cachetui-<32 hex digits>.tmp`.
///
/// The process id and a counter keep the names of one machine apart, randomness those of several machines and of
/// containers; creation is exclusive in any case.
pub fn temporary_name() -> OsString {
    name(SUFFIX)
}

/// Whether a name is one of [`temporary_name`]'s.
pub fn is_temporary(name: &OsStr) -> bool {
    is_ours(name, SUFFIX)
}

/// Whether a name is one that uv gives to what it makes beside its place: `.tmp` and six letters or digits (uv 0.13.9).
pub fn is_of_uv(name: &OsStr) -> bool {
    let random = name.as_encoded_bytes().strip_prefix(b".tmp");
    random.is_some_and(|random| random.len() == 6 && random.iter().all(u8::is_ascii_alphanumeric))
}

/// The process that made one of [`temporary_name`]'s.
pub fn process_of(name: &OsStr) -> Option<u32> {
    let digits = name.to_str().filter(|_| is_temporary(name))?.strip_prefix(PREFIX)?.get(..8)?;
    u32::from_str_radix(digits, 16).ok()
}

/// A name for what is moved away until its successor stands.
pub fn kept_name() -> OsString {
    name(KEPT)
}

/// Whether a name is one of [`kept_name`]'s.
pub fn is_kept(name: &OsStr) -> bool {
    is_ours(name, KEPT)
}

/// A name for a file that is moved aside until its successor stands, as `.cachetui-<32 hex digits>-<its name>.aside`.
///
/// There is none for a name that is not valid Unicode.
pub fn aside_name(original: &OsStr) -> Option<OsString> {
    Some(name(&format!("-{}{ASIDE}", original.to_str()?)))
}

/// The name that a file had before it was moved aside, if the name is one of [`aside_name`]'s.
pub fn original_of(aside: &OsStr) -> Option<&OsStr> {
    let (digits, original) = aside.to_str()?.strip_prefix(PREFIX)?.strip_suffix(ASIDE)?.split_once('-')?;
    let is_name = !original.is_empty() && ![".", ".."].contains(&original) && !original.starts_with(PREFIX);
    (are_digits(digits) && is_name).then_some(OsStr::new(original))
}

fn name(suffix: &str) -> OsString {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    static PROCESS: LazyLock<u32> = LazyLock::new(std::process::id);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    // Each state of this kind has keys of its own, which come from the operating system's randomness.
    let random = RandomState::new().build_hasher().finish();
    format!("{PREFIX}{:08x}{counter:08x}{random:016x}{suffix}", *PROCESS).into()
}

fn is_ours(name: &OsStr, suffix: &str) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(suffix));
    digits.is_some_and(are_digits)
}

fn are_digits(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_and_differ() {
        let (first, second) = (temporary_name(), temporary_name());
        assert_ne!(first, second);
        assert!(is_temporary(&first) && is_temporary(&second) && !is_kept(&first));
        assert!(is_kept(&kept_name()) && !is_temporary(&kept_name()));
        assert_eq!((process_of(&first), process_of(&kept_name())), (Some(std::process::id()), None));
    }

    #[test]
    fn what_was_moved_aside_knows_where_it_was() {
        for original in ["__init__.py", "a-b.pyd", "größe", ".hidden", "x.aside"] {
            let aside = aside_name(OsStr::new(original)).unwrap();
            assert_eq!(original_of(&aside), Some(OsStr::new(original)));
            assert!(!is_temporary(&aside) && !is_kept(&aside), "{original}");
        }
        let digits = "0123456789abcdef0123456789abcdef";
        for name in ["", ".", "..", &format!(".cachetui-{digits}.tmp")] {
            assert_eq!(original_of(OsStr::new(&format!(".cachetui-{digits}-{name}.aside"))), None, "{name}");
        }
        assert_eq!(original_of(OsStr::new(".cachetui-0123-x.aside")), None);
    }

    #[test]
    fn what_merely_resembles_such_a_name_is_left_alone() {
        for name in [
            ".cachetui-.tmp",
            ".cachetui-notes.tmp",
            "x.cachetui-0123456789abcdef0123456789abcdef.tmp",
            ".cachetui-0123456789ABCDEF0123456789abcdef.tmp",
            ".cachetui-0123456789abcdef0123456789abcdef.tmp.py",
        ] {
            assert!(!is_temporary(OsStr::new(name)), "{name}");
        }
        assert!(is_temporary(OsStr::new(".cachetui-0123456789abcdef0123456789abcdef.tmp")));
    }
}
