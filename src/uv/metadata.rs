//! `METADATA` of a distribution: which others it needs (core metadata, PEP 566).

use super::dependency::Dependency;

/// The most bytes of a file that are read: the fields stand before the description.
pub const LONGEST: u64 = 256 << 10;

/// What the fields of a `METADATA` file require.
pub fn requires(bytes: &[u8]) -> Vec<Dependency> {
    let text = String::from_utf8_lossy(bytes);
    // The description follows after an empty line.
    let fields = text.lines().take_while(|line| !line.is_empty());
    fields.filter_map(|line| line.strip_prefix("Requires-Dist:")).filter_map(Dependency::lenient).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_fields_alone() {
        let text = "Metadata-Version: 2.4\nName: demo\nRequires-Dist: click>=8.0.0\nRequires-Dist: Typing_Extensions (>=4); \
                    python_version < \"3.11\"\r\nRequires-Dist: aiohttp[speedups]!=3.9 ; extra == \"d\"\nRequires-Dist:\n\n\
                    Requires-Dist: not-this\n";
        let names: Vec<String> =
            requires(text.as_bytes()).into_iter().map(|it| it.requirement.name().to_owned()).collect();
        assert_eq!(names, ["click", "typing-extensions", "aiohttp"]);
        assert!(requires(b"\xff\xfe\nRequires-Dist: \xff\n").is_empty());
    }
}
