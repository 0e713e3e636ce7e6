//! Made-up contents: bytes that look like modules and libraries, ids and digests, the same in every run.

use std::fmt::Write as _;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// What a file of the sample holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes that no filesystem can compress, after the start of an ELF file.
    Noise(usize),
}

impl Content {
    /// The bytes; `seed` decides which ones noise is made of.
    pub(super) fn bytes(self, seed: &str) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Noise(length) => noise(seed, length),
        }
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

/// The SHA-256 of some bytes.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// An id of 16 characters as uv gives them to entries and revisions since 0.11.9.
pub(super) fn id(text: &str) -> String {
    BASE64URL_NOPAD.encode(&digest(text.as_bytes())[..12])
}

/// Lines, each with its end.
pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

/// 16 hexadecimal digits, as uv names what it knows by a URL.
pub(super) fn hex16(text: &str) -> String {
    HEXLOWER.encode(&digest(text.as_bytes())[..8])
}

/// 40 hexadecimal digits, as a Git commit has.
pub(super) fn commit(text: &str) -> String {
    HEXLOWER.encode(&digest(format!("commit of {text}").as_bytes())[..20])
}

/// A number below `below` that `text` decides.
pub(super) fn number(text: &str, below: usize) -> usize {
    let bytes = digest(text.as_bytes());
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % below.max(1)
}

fn noise(seed: &str, length: usize) -> Vec<u8> {
    let start = digest(seed.as_bytes());
    let mut state = start.iter().fold(1_u64, |state, byte| state.wrapping_mul(257) ^ u64::from(*byte)) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend_from_slice(b"\x7fELF\x02\x01\x01\0");
    while bytes.len() < length {
        // Xorshift, as good as any for bytes that only have to differ.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

const WORDS: [&str; 20] = [
    "api", "base", "cache", "cli", "client", "compat", "config", "core", "errors", "helpers", "io",
    "loaders", "models", "parser", "registry", "schema", "session", "types", "utils", "version",
];
const PARTS: [&str; 6] = ["backends", "contrib", "engine", "formats", "plugins", "runtime"];

/// The modules of a package: `count` of them, some in packages of their own.
pub(super) fn modules(package: &str, count: usize) -> Vec<(String, Content)> {
    let mut modules = Vec::with_capacity(count);
    for number in 0..count {
        let (part, position) = (number / (WORDS.len() + 1), number % (WORDS.len() + 1));
        let directory = match part.checked_sub(1) {
            None => package.to_owned(),
            Some(part) => format!("{package}/{}", PARTS[part % PARTS.len()]),
        };
        let path = match position.checked_sub(1) {
            None => format!("{directory}/__init__.py"),
            Some(word) => format!("{directory}/{}.py", WORDS[word]),
        };
        // As in real packages, the files that only mark a directory are empty.
        let text = if part > 0 && position == 0 { String::new() } else { module(&path) };
        modules.push((path, text.into()));
    }
    modules
}

/// A module of up to twelve KiB.
pub(super) fn module(path: &str) -> String {
    let length = 400 + number(path, 11_000);
    let mut text = format!("\"\"\"{path}, as made up for the sample.\"\"\"\n");
    let mut function = 0;
    while text.len() < length {
        function += 1;
        let step = number(&format!("{path}{function}"), 97);
        write!(
            text,
            "\n\ndef step_{function}(value, *, scale={step}):\n    return value * scale + {function}\n"
        )
        .expect("writing to a string succeeds");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_is_the_same_every_time_and_differs_by_name() {
        assert_eq!(id("torch").len(), 16);
        assert_eq!(hex16("torch").len(), 16);
        assert_eq!(noise("a", 4_096), noise("a", 4_096));
        assert_ne!(noise("a", 4_096), noise("b", 4_096));
        assert_eq!(noise("a", 5).len(), 5);
    }

    #[test]
    fn a_package_has_as_many_modules_as_it_should_each_once() {
        let modules = modules("numpy", 60);
        let paths: std::collections::BTreeSet<_> = modules.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), 60);
        assert_eq!(modules[0].0, "numpy/__init__.py");
    }
}
