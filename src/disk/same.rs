//! Whether two paths are the same text to the system: on Windows letters have no case, and `\\?\C:\x` is `C:\x`.
//!
//! This compares text alone; two texts that differ may still lead to one place.

use std::path::Path;

/// Whether two paths are the same text.
pub fn is(one: &Path, other: &Path) -> bool {
    one == other || (cfg!(windows) && folded(one) == folded(other))
}

/// Whether a path is a directory or lies in it.
pub fn lies_in(path: &Path, directory: &Path) -> bool {
    if path.starts_with(directory) {
        return true;
    }
    if !cfg!(windows) {
        return false;
    }
    let (path, directory) = (folded(path), folded(directory));
    let rest = path.strip_prefix(directory.trim_end_matches('\\'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

/// A path without its verbatim prefix, as people write it.
pub fn plain(path: &Path) -> &Path {
    match path.to_str().map(shown) {
        Some(shown) if cfg!(windows) => Path::new(shown),
        _ => path,
    }
}

/// Text that is equal for paths that Windows takes for the same. What is not valid Unicode stays different enough: it
/// only has to be equal to itself.
fn folded(path: &Path) -> String {
    let text = match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    };
    fold(&text)
}

fn fold(text: &str) -> String {
    let text = text.replace('/', "\\");
    let text = match text.strip_prefix(r"\\?\UNC\") {
        Some(rest) => format!(r"\\{rest}"),
        None => shown(&text).to_owned(),
    };
    // NTFS folds letter by letter: what has no single capital letter stays.
    text.chars()
        .map(|letter| {
            let mut upper = letter.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => letter,
            }
        })
        .collect()
}

/// The part of a path behind the prefix that switches the Win32 layer's reading of it off, where it is a drive's.
fn shown(text: &str) -> &str {
    match text.strip_prefix(r"\\?\") {
        Some(rest) if rest.as_bytes().get(1) == Some(&b':') => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_takes_case_slashes_and_the_verbatim_prefix_for_nothing() {
        for (one, other) in [
            (r"C:\Users\Ann", r"c:\users\ann"),
            (r"\\?\C:\Users\Ann", r"C:/users/ANN"),
            (r"\\?\UNC\server\share\x", r"\\Server\share\X"),
            ("C:\\Übung\\ß", "C:\\übung\\ß"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("C:\\ß"), fold("C:\\SS"));
        assert_ne!(fold(r"\\?\Volume{1}\x"), fold(r"Volume{1}\x"));
    }

    #[test]
    fn what_lies_in_a_directory_does_so_by_whole_names() {
        let path = |text: &str| Path::new(text).to_owned();
        let (directory, inside, neighbour) = if cfg!(windows) {
            (path(r"C:\env"), path(r"\\?\c:\ENV\Scripts\python.exe"), path(r"C:\env2\x"))
        } else {
            (path("/env"), path("/env/bin/python"), path("/env2/x"))
        };
        assert!(lies_in(&inside, &directory) && lies_in(&directory, &directory));
        assert!(!lies_in(&neighbour, &directory) && !lies_in(&directory, &inside));
        assert!(is(&directory, &directory) && !is(&directory, &neighbour));
    }

    #[test]
    fn a_path_is_shown_as_people_write_it() {
        assert_eq!(shown(r"\\?\C:\x"), r"C:\x");
        assert_eq!(shown(r"\\?\UNC\server\x"), r"\\?\UNC\server\x");
        assert_eq!(plain(Path::new("relative")), Path::new("relative"));
    }
}
