//! `METADATA` of a distribution: which others it needs (core metadata, PEP 566 and PEP 508).

use std::collections::BTreeSet;

use super::distribution::normalize;

/// The most bytes of a file that are read: the fields stand before the description.
pub const LONGEST: u64 = 64 << 10;

/// The normalized names of the distributions that the fields of a `METADATA` file require, whatever markers and extras say.
pub fn requires(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    // The description follows after an empty line.
    let fields = text.lines().take_while(|line| !line.is_empty());
    let required = fields.filter_map(|line| line.strip_prefix("Requires-Dist:"));
    let name = |text: &str| {
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        let text = text.trim_start();
        normalize(&text[..text.find(|it| !is_name(it)).unwrap_or(text.len())])
    };
    required.map(name).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_fields_alone() {
        let text = "Metadata-Version: 2.4\nName: demo\nRequires-Dist: click>=8.0.0\nRequires-Dist: Typing_Extensions (>=4); \
                    python_version < \"3.11\"\r\nRequires-Dist: aiohttp[speedups]!=3.9 ; extra == \"d\"\nRequires-Dist:\n\n\
                    Requires-Dist: not-this\n";
        let names: Vec<String> = requires(text.as_bytes()).into_iter().collect();
        assert_eq!(names, ["aiohttp", "click", "typing-extensions"]);
        assert!(requires(b"\xff\xfe\nRequires-Dist: \xff\n").is_empty());
    }
}
