//! Paths without symlinks, in the form that people and other programs use.
//!
//! Windows answers with verbatim paths (`\\?\C:\cache`), which neither its shells nor uv understand everywhere. Where the
//! plain path means the same it is taken instead. Only equal forms compare equal: whoever canonicalises does it here.

use std::io;
use std::path::{Path, PathBuf};

/// The one path of something that is there: absolute, and without symlinks, `.` and `..`.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "this is where it is done")]
    std::fs::canonicalize(path).map(plain)
}

#[cfg(not(windows))]
fn plain(path: PathBuf) -> PathBuf {
    path
}

#[cfg(windows)]
fn plain(path: PathBuf) -> PathBuf {
    let short = path.to_str().and_then(without_prefix).map(PathBuf::from);
    short.unwrap_or(path)
}

/// The most UTF-16 code units of a path that every Windows program understands without the prefix.
#[cfg(any(windows, test))]
const LONGEST: usize = 259;

/// A verbatim path without its prefix, where Windows reads the rest as it stands.
#[cfg(any(windows, test))]
fn without_prefix(path: &str) -> Option<&str> {
    let plain = path.strip_prefix(r"\\?\")?;
    let below = match plain.as_bytes() {
        [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic() => &plain[3..],
        _ => return None,
    };
    let as_it_stands = |name: &str| {
        // Windows drops dots and spaces at the end, and takes the names of devices for those.
        !name.ends_with(['.', ' ']) && !name.contains('/') && !is_device(name)
    };
    let fits = plain.encode_utf16().count() <= LONGEST;
    (fits && (below.is_empty() || below.split('\\').all(|name| !name.is_empty() && as_it_stands(name))))
        .then_some(plain)
}

/// Whether Windows takes a name for that of a device, whatever its extension.
#[cfg(any(windows, test))]
fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or(name).trim_end_matches(' ').to_ascii_uppercase();
    let numbered = |start: &str| {
        stem.strip_prefix(start).is_some_and(|number| {
            matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verbatim_path_is_said_plainly_where_that_means_the_same() {
        for plain in [r"C:\", r"C:\lab\envs\.venv", r"z:\größe\a b", r"C:\console", r"C:\com10"] {
            assert_eq!(without_prefix(&format!(r"\\?\{plain}")), Some(plain));
        }
        for other in [
            r"C:\lab",
            r"\\?\UNC\server\share\x",
            r"\\?\Volume{1234}\x",
            r"\\?\C:",
            r"\\?\C:\a.",
            r"\\?\C:\a \b",
            r"\\?\C:\a\\b",
            r"\\?\C:\x\nul",
            r"\\?\C:\x\Com1.txt",
            r"\\?\C:\x\aux .py\y",
        ] {
            assert_eq!(without_prefix(other), None, "{other}");
        }
        let long = format!(r"\\?\C:\{}", "x".repeat(257));
        assert_eq!(without_prefix(&long), None);
        assert!(without_prefix(&long[..long.len() - 1]).is_some());
    }

    #[test]
    fn what_is_not_there_has_no_path() {
        let directory = tempfile::tempdir().unwrap();
        assert!(canonical(directory.path()).unwrap().is_absolute());
        assert!(canonical(&directory.path().join("missing")).is_err());
    }
}
