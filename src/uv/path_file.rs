//! The paths that a path file (`*.pth`) names: each line is a directory that Python puts on its search path, or a line of
//! Python (documentation of the `site` module). Nothing of it is run; of a line of Python the quoted strings count.

use std::path::PathBuf;

use super::link_file::path_from_bytes;

/// The longest path file that is read, in bytes.
pub const LONGEST_FILE: u64 = 1 << 20;

/// The paths that a path file names, as they stand there: relative ones are relative to its directory.
pub fn paths(bytes: &[u8]) -> Vec<PathBuf> {
    bytes.split(|byte| matches!(byte, b'\n' | b'\r')).flat_map(line).filter_map(path_from_bytes).collect()
}

fn line(line: &[u8]) -> Vec<&[u8]> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_end();
    match line {
        [] | [b'#', ..] => Vec::new(),
        _ if line.starts_with(b"import ") || line.starts_with(b"import\t") => quoted(line),
        _ => vec![line],
    }
}

/// The quoted strings of a line of Python, without regard to escapes.
fn quoted(line: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.iter().position(|byte| matches!(byte, b'"' | b'\'')) {
        let (quote, inner) = (rest[start], &rest[start + 1..]);
        let Some(end) = inner.iter().position(|byte| *byte == quote) else { break };
        if end > 0 {
            found.push(&inner[..end]);
        }
        rest = &inner[end + 1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        paths(text.as_bytes()).into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn lines_are_paths_and_of_python_the_quoted_strings_count() {
        assert_eq!(told("/a/b\n../c \r\n# no\n\n"), ["/a/b", "../c"]);
        assert_eq!(told("\u{feff}/a\n"), ["/a"]);
        assert_eq!(told("import site; site.addsitedir('/a b/c')\n"), ["/a b/c"]);
        assert_eq!(told("import sys; sys.path[:] = [\"/a\", '', '/b']"), ["/a", "/b"]);
        assert_eq!(told("import os; os.environ['x"), Vec::<String>::new());
        assert_eq!(told("importlib/dir"), ["importlib/dir"]);
    }

    #[test]
    fn no_bytes_end_the_program() {
        for end in 0..64_u8 {
            paths(&[end, b'\'', end ^ 0xff, b'\n', 0, b'"', b'i', end]);
        }
    }
}
