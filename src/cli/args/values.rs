//! Values on the command line: sizes, ages, and the words that types are called by.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::human::read;
use crate::uv::requirement::Requirement;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A number of bytes, or a part of a volume's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Bytes.
    Bytes(u64),
    /// So many hundredths of what the volume holds.
    Percent(u8),
}

impl Amount {
    /// The bytes, on a volume of this size; none where that is not known and needed.
    pub fn of(self, total: Option<u64>) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Percent(percent) => Some(total? / 100 * u64::from(percent)),
        }
    }
}

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

/// Reads a size, or a part of the volume's size as `15%`.
pub fn amount(text: &str) -> Result<Amount, String> {
    let Some(number) = text.trim().strip_suffix('%') else {
        return bytes(text).map(|it| Amount::Bytes(it.0));
    };
    match number.trim().parse() {
        Ok(percent @ 0..=100) => Ok(Amount::Percent(percent)),
        _ => Err("a part of the volume is a whole number up to 100, as 15%".to_owned()),
    }
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
    fn amounts_are_sizes_or_hundredths_of_the_volume() {
        assert_eq!(amount("20G"), Ok(Amount::Bytes(20 << 30)));
        assert_eq!(amount("15%"), Ok(Amount::Percent(15)));
        assert_eq!(Amount::Percent(15).of(Some(1_000)), Some(150));
        assert_eq!((Amount::Percent(15).of(None), Amount::Bytes(7).of(None)), (None, Some(7)));
        for wrong in ["101%", "-1%", "1.5%", "%", "x%"] {
            assert!(amount(wrong).is_err(), "{wrong}");
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
