//! Versions compared as PEP 440 orders them.

use std::cmp::Ordering;
use std::str::FromStr as _;

use pep440_rs::Version;

/// The longest text that is read as a version; what is longer is compared as text.
const LONGEST: usize = 512;

/// Reads a version as written in a file name, where `_` may stand for the `-` or `+` that cannot.
pub fn parse(text: &str) -> Option<Version> {
    if text.len() > LONGEST {
        return None;
    }
    Version::from_str(text).ok().or_else(|| {
        let unescaped = text.replacen('_', "+", 1);
        Version::from_str(&unescaped).or_else(|_| Version::from_str(&text.replace('_', "-"))).ok()
    })
}

/// Whether two texts are the same version, as `1.0` and `1.0.0` are; texts that are no versions must be equal.
pub fn same_version(left: &str, right: &str) -> bool {
    left == right || matches!((parse(left), parse(right)), (Some(left), Some(right)) if left == right)
}

/// Orders two versions; a text that is no version comes before every version, and such texts are ordered as text.
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    match (parse(left), parse(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => left.cmp(right),
    }
}
