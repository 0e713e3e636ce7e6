//! Dependencies: requirements with extras and a marker, as `demo[fast]>=1 ; python_version < "3.12"` (PEP 508).
//!
//! Who asks wants to know what may be needed on any machine. So a marker is asked for one thing alone: the extras that it is about.

use std::collections::BTreeSet;

use super::distribution::normalize;
use super::requirement::Requirement;

/// What a distribution, or a file of requirements, says that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Which distribution, in which versions. With a URL it means every version.
    pub requirement: Requirement,
    /// The normalized names of the extras that are wanted of it.
    pub extras: BTreeSet<String>,
    /// The marker, as it was written; empty where there is none.
    marker: String,
}

impl Dependency {
    /// Reads a dependency.
    ///
    /// # Errors
    /// When the text is none, as a part of a sentence that names it. Not escaped.
    pub fn read(text: &str) -> Result<Self, String> {
        let is_url = text.split_once('@').is_some_and(|(name, _)| !name.contains(['/', ':', ';']));
        // A semicolon can be a part of a URL, unless a blank is before it.
        let (wanted, marker) = text.split_once(if is_url { " ;" } else { ";" }).unwrap_or((text, ""));
        let wanted = if is_url { wanted.split_once('@').map_or(wanted, |(name, _)| name) } else { wanted };
        let (plain, extras) = match (wanted.find('['), wanted.find(']')) {
            (Some(open), Some(close)) if open < close => {
                (format!("{}{}", &wanted[..open], &wanted[close + 1..]), &wanted[open + 1..close])
            }
            _ => (wanted.to_owned(), ""),
        };
        // Versions can be in brackets.
        let requirement = Requirement::read(plain.replace(['(', ')'], " ").trim())?;
        Ok(Self { requirement, extras: names(extras), marker: marker.trim().to_owned() })
    }

    /// Reads what a distribution says of itself. Where its versions are not understood it means all of them.
    pub fn lenient(text: &str) -> Option<Self> {
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        let text = text.trim();
        let name = &text[..text.find(|it| !is_name(it)).unwrap_or(text.len())];
        Self::read(text).or_else(|_| Self::read(name)).ok()
    }

    /// Whether some machine may need it when these extras, by their normalized names, are wanted of what names it.
    pub fn may_be_needed(&self, wanted: &BTreeSet<String>) -> bool {
        // `or` and `!=` can make it needed without the extra; `in` is not written with extras.
        if [" or ", "!=", " in ", " not "].iter().any(|word| self.marker.contains(word)) {
            return true;
        }
        let mut extras = self.marker.split(" and ").filter_map(extra);
        extras.all(|extra| wanted.contains(&extra))
    }
}

/// Names of extras, normalized.
pub fn names(text: &str) -> BTreeSet<String> {
    text.split(',').map(|it| normalize(it.trim())).filter(|it| !it.is_empty()).collect()
}

/// The extra that a comparison of a marker is about, normalized.
fn extra(comparison: &str) -> Option<String> {
    let plain = comparison.trim().trim_matches(['(', ')']).trim();
    let (left, right) = plain.split_once("==")?;
    let (left, right) = (left.trim(), right.trim_start_matches('=').trim());
    let quoted = if left == "extra" {
        right
    } else if right == "extra" {
        left
    } else {
        return None;
    };
    Some(normalize(quoted.trim_matches(['\'', '"'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_a_requirement_with_extras_and_a_marker() {
        for (text, name, versions, extras) in [
            ("click", "click", None, ""),
            ("Typing_Extensions (>=4) ; python_version < \"3.11\"", "typing-extensions", Some(">=4"), ""),
            ("aiohttp[Speed_Ups, x]!=3.9", "aiohttp", Some("!=3.9"), "speed-ups,x"),
            ("demo [x] >=1,<2", "demo", Some(">=1, <2"), "x"),
            ("demo[x] @ https://example.org/a;b/demo.zip ; extra == 'y'", "demo", None, "x"),
        ] {
            let read = Dependency::read(text).unwrap();
            let expected = versions.map(|it| it.replace(' ', ""));
            assert_eq!((read.requirement.name(), read.requirement.versions()), (name, expected), "{text}");
            assert_eq!(read.extras, names(extras), "{text}");
        }
        for wrong in ["", ">=1", "demo<<2", "a b", "./demo", "[x]"] {
            assert!(Dependency::read(wrong).is_err(), "{wrong}");
        }
        let lenient = Dependency::lenient("demo>=1.*.2; extra == 'x'").unwrap();
        assert_eq!((lenient.requirement.name(), lenient.requirement.versions()), ("demo", None));
        assert!(lenient.may_be_needed(&BTreeSet::new()));
        assert!(Dependency::lenient("").is_none() && Dependency::lenient(" ; x").is_none());
    }

    #[test]
    fn a_marker_rules_out_extras_that_nobody_wants_and_nothing_else() {
        for (marker, without, with) in [
            ("", true, true),
            ("python_version < '3'", true, true),
            ("sys_platform == 'win32' and os_name == 'nt'", true, true),
            ("extra == 'Fast_One'", false, true),
            ("'fast-one' == extra", false, true),
            ("(extra == \"fast-one\") and python_version < '3'", false, true),
            ("python_version < '3' and extra=='fast.one'", false, true),
            ("extra === 'fast-one'", false, true),
            ("extra == 'other'", false, false),
            ("extra == 'other' or python_version < '3'", true, true),
            ("extra != 'fast-one'", true, true),
            ("extra == 'other' and extra == 'fast-one'", false, false),
        ] {
            let read = Dependency::read(&format!("demo ; {marker}")).unwrap();
            assert_eq!(read.may_be_needed(&BTreeSet::new()), without, "{marker}");
            assert_eq!(read.may_be_needed(&names("fast-one")), with, "{marker}");
        }
    }
}
