//! Values on the command line: sizes, ages, and the words that types are called by.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::human::read;
use crate::uv::requirement::Requirement;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub Duration);

/// Accepts exactly the words of `all`, and lists them in the help.
///
/// # Panics
/// Never: clap hands on only the words it was given.
pub fn words<T>(all: &'static [T], word: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(|value| word(*value))).map(move |text| {
        *all.iter().find(|value| word(**value) == text).expect("clap lets only these words through")
    })
}

/// Reads a size: a number with or without a unit. `K`, `KiB`, `M` … are powers of 1024, `kB`, `MB` … of 1000.
pub fn bytes(text: &str) -> Result<Bytes, String> {
    read::bytes(text).map(Bytes)
}

/// Reads a requirement.
pub fn requirement(text: &str) -> Result<Requirement, String> {
    Requirement::read(text)
}

/// Reads an age: a number and a unit, of which months have 30 days and years 365.
pub fn age(text: &str) -> Result<Age, String> {
    read::seconds(text).map(|seconds| Age(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_both_kinds_of_units() {
        assert_eq!(bytes("10"), Ok(Bytes(10)));
        assert_eq!(bytes("10M"), Ok(Bytes(10 << 20)));
        assert_eq!(bytes("1.5 GiB"), Ok(Bytes(3 << 29)));
        assert_eq!(bytes("2kB"), Ok(Bytes(2_000)));
        for wrong in ["", "M", "1.M.2", "10X", "10Mx", "99999999999T", "-1", "1..2", "10bb"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ages_are_counted_in_seconds() {
        assert_eq!(age("30d"), Ok(Age(Duration::from_secs(2_592_000))));
        assert_eq!(age("30"), age("30d"));
        assert_eq!(age("1mo"), age("30d"));
        assert_eq!(age("0.5h"), age("30min"));
        assert!(age("6m").unwrap_err().contains("minutes or months"));
        assert!(age("3 parsecs").is_err());
    }
}
