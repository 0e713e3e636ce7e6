//! Requirements: a name, and which versions are meant, as `numpy<2` or `torch==2.7.*` (PEP 440, PEP 508 without extras, markers
//! and URLs).

use std::str::FromStr as _;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use super::distribution::{normalize, parse_version, same_version};

/// The longest text that is read as versions, in bytes.
const LONGEST: usize = 512;

/// Which distributions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The normalized name.
    name: String,
    versions: Versions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Versions {
    /// Every version.
    Any,
    /// What PEP 440 says of these: `==2.7.0` means `2.7.0+cu121` too.
    Specified(VersionSpecifiers),
    /// What `==` is followed by, which is no version of PEP 440.
    Exactly(String),
}

impl Requirement {
    /// Reads a requirement.
    ///
    /// # Errors
    /// When the text is none, as a sentence's part that names it. Not escaped.
    pub fn read(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_at(text.find(['<', '>', '=', '~', '!']).unwrap_or(text.len()));
        let (name, rest) = (name.trim(), rest.trim());
        let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        let is_name = name.starts_with(|it: char| it.is_ascii_alphanumeric()) && name.chars().all(is_plain);
        let wrong = || format!("`{text}` is no requirement; write numpy<2 or numpy==1.26.4");
        if !is_name || rest.len() > LONGEST {
            return Err(wrong());
        }
        let versions = if rest.is_empty() {
            Versions::Any
        } else {
            match (VersionSpecifiers::from_str(rest), rest.strip_prefix("==")) {
                (Ok(versions), _) => Versions::Specified(versions),
                (Err(_), Some(version)) if is_word(version.trim()) => {
                    Versions::Exactly(version.trim().to_owned())
                }
                _ => return Err(wrong()),
            }
        };
        Ok(Self { name: normalize(name), versions })
    }

    /// The normalized name that it is about.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which versions it means, as text; none where it means all.
    pub fn versions(&self) -> Option<String> {
        match &self.versions {
            Versions::Any => None,
            Versions::Specified(versions) => {
                Some(versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
            Versions::Exactly(version) => Some(format!("=={version}")),
        }
    }

    /// Whether it means some versions only.
    pub fn has_versions(&self) -> bool {
        self.versions != Versions::Any
    }

    /// Whether it means a distribution of this name, which may be written in any form, and version.
    pub fn is_met_by(&self, name: &str, version: &str) -> bool {
        normalize(name) == self.name && self.allows(version)
    }

    /// Whether it means a version.
    pub fn allows(&self, version: &str) -> bool {
        match &self.versions {
            Versions::Any => true,
            Versions::Specified(versions) => {
                parse_version(version).is_some_and(|it| versions.iter().all(|wanted| contains(wanted, &it)))
            }
            Versions::Exactly(wanted) => same_version(wanted, version),
        }
    }
}

/// Whether a version is one of those that a specifier means.
///
/// `==2.7.*` means what begins with 2.7, where missing parts are zeros (PEP 440): not 2. The crate compares the parts that both have
/// (`pep440_rs` 0.7.3).
fn contains(wanted: &VersionSpecifier, version: &Version) -> bool {
    let begins = || {
        let parts = wanted.version().release().iter().enumerate();
        let mut parts =
            parts.map(|(at, part)| version.release().get(at).copied().unwrap_or_default() == *part);
        wanted.version().epoch() == version.epoch() && parts.all(|is_same| is_same)
    };
    match wanted.operator() {
        Operator::EqualStar => begins(),
        Operator::NotEqualStar => !begins(),
        _ => wanted.contains(version),
    }
}

/// Whether a text can be a version that is not one of PEP 440: one word without operators.
fn is_word(text: &str) -> bool {
    let is_part = |it: char| it.is_alphanumeric() || matches!(it, '.' | '_' | '-' | '+' | '!');
    !text.is_empty() && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets(requirement: &str, name: &str, version: &str) -> bool {
        Requirement::read(requirement).unwrap().is_met_by(name, version)
    }

    #[test]
    fn versions_are_compared_as_pep_440_says() {
        for (requirement, version, expected) in [
            ("demo", "1.0", true),
            ("demo", "no version", true),
            ("demo<2", "1.26.4", true),
            ("demo<2", "2.0", false),
            // An excluded end excludes its own pre-releases.
            ("demo<2", "2.0rc1", false),
            ("demo<2", "1.9rc1", true),
            ("demo==2.7.*", "2.7.1", true),
            ("demo==2.7.*", "2.8", false),
            ("demo==2.7.*", "2", false),
            ("demo!=2.7.*", "2", true),
            ("demo!=2.7.*", "2.7.3", false),
            ("demo==2.0.*", "2", true),
            ("demo==2.*", "1!2.7", false),
            ("demo==2.7.*", "2.7.1+cu121", true),
            ("demo==2.7.0", "2.7.0+cu121", true),
            ("demo===2.7.0", "2.7.0+cu121", false),
            ("demo===2.7.0", "2.7.0", true),
            ("demo==2.7.0+cu121", "2.7.0", false),
            ("demo==1.0", "1.0.0", true),
            ("demo == 1.0", "1.0", true),
            ("demo>=1,<2", "1.5", true),
            ("demo>=1, <2", "2.5", false),
            ("demo!=1.5", "1.5", false),
            ("demo~=1.4", "1.9", true),
            ("demo<2", "no version", false),
            ("demo==of-mine_1", "of-mine_1", true),
            // A file name has `_` where the version has `+`.
            ("demo==1.0+cpu", "1.0_cpu", true),
        ] {
            assert_eq!(meets(requirement, "demo", version), expected, "{requirement} and {version}");
        }
    }

    #[test]
    fn names_are_compared_as_pep_503_says() {
        assert!(meets("Demo_Name", "demo.name", "1") && meets("demo-name>0", "DEMO__NAME", "1"));
        assert!(!meets("demo", "demo-name", "1"));
    }

    #[test]
    fn what_is_no_requirement_is_named() {
        for text in [
            "",
            "<2",
            "demo<",
            "demo<<2",
            "demo=1",
            "a b<2",
            "demo[extra]",
            "demo==",
            "-x",
            "demo @ x",
            "../x",
        ] {
            let error = Requirement::read(text).unwrap_err();
            assert!(error.contains(&format!("`{text}` is no requirement")), "{error}");
        }
        assert!(Requirement::read(&format!("demo=={}", "1".repeat(2_000))).is_err());
    }
}
