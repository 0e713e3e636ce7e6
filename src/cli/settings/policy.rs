//! `[policy]`: what `gc` does, as it is written in the settings.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::cli::args::values::{self, Amount};
use crate::plan::Allowance;

/// How long what was removed stays in the trash when nothing else is said.
pub(in crate::cli) const TRASH_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A value that can be switched off, so that what was said elsewhere does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Choice<T> {
    /// It is off.
    Off,
    /// It is this.
    Set(T),
}

impl<T> Choice<T> {
    /// The value, where it is not off.
    pub(in crate::cli) fn value(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// What `gc` does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(in crate::cli) struct Policy {
    /// The most that the cache may take.
    #[serde(deserialize_with = "amount")]
    pub(in crate::cli) max_size: Option<Choice<Amount>>,
    /// The least that is to be free on the cache's volume.
    #[serde(deserialize_with = "amount")]
    pub(in crate::cli) keep_free: Option<Choice<Amount>>,
    /// How long something may go unused that nothing needs.
    #[serde(deserialize_with = "age")]
    pub(in crate::cli) older_than: Option<Choice<Duration>>,
    /// How long an environment may show no sign of use.
    #[serde(deserialize_with = "age")]
    pub(in crate::cli) idle_environments: Option<Choice<Duration>>,
    /// How many generations of cached environments stay of each tool or set of packages.
    #[serde(deserialize_with = "number")]
    pub(in crate::cli) keep_newest: Option<Choice<usize>>,
    /// What stays: names, requirements, and lock files.
    pub(in crate::cli) keep: Vec<String>,
    /// How long something stays after its last change.
    #[serde(deserialize_with = "age")]
    pub(in crate::cli) grace: Option<Choice<Duration>>,
    /// How long what was removed stays in the trash.
    #[serde(deserialize_with = "age")]
    pub(in crate::cli) trash_for: Option<Choice<Duration>>,
    /// What calls for a second look and is allowed.
    #[serde(deserialize_with = "allowances")]
    pub(in crate::cli) allow: Vec<Allowance>,
    /// The size of the cache beyond which `gc` fails.
    #[serde(deserialize_with = "amount")]
    pub(in crate::cli) fail_over: Option<Choice<Amount>>,
}

impl Policy {
    /// Whether it says to do anything.
    pub(in crate::cli) fn says_anything(&self) -> bool {
        let is_set = |amount: Option<Choice<Amount>>| amount.and_then(Choice::value).is_some();
        let lasts = |age: Option<Choice<Duration>>| age.and_then(Choice::value).is_some();
        is_set(self.max_size)
            || is_set(self.keep_free)
            || self.keep_newest.and_then(Choice::value).is_some()
            || [self.older_than, self.idle_environments, self.trash_for].into_iter().any(lasts)
    }

    /// How long something stays after its last change, in seconds.
    pub(in crate::cli) fn grace(&self) -> Option<u64> {
        Some(self.grace?.value().unwrap_or_default().as_secs())
    }
}

/// Reads a size or a part of the volume, or `off`.
pub(in crate::cli) fn amount_or_off(text: &str) -> Result<Choice<Amount>, String> {
    if text == "off" { Ok(Choice::Off) } else { values::amount(text).map(Choice::Set) }
}

/// Reads an age, or `off`.
pub(in crate::cli) fn age_or_off(text: &str) -> Result<Choice<Duration>, String> {
    if text == "off" { Ok(Choice::Off) } else { values::age(text).map(|age| Choice::Set(age.0)) }
}

/// Reads a number, or `off`.
pub(in crate::cli) fn number_or_off(text: &str) -> Result<Choice<usize>, String> {
    if text == "off" {
        return Ok(Choice::Off);
    }
    text.trim().parse().map(Choice::Set).map_err(|_| format!("`{text}` is no number; write 2"))
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Choice<usize>>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::Integer(number) if number >= 0 => Ok(usize::try_from(number).ok().map(Choice::Set)),
        toml::Value::String(text) => number_or_off(&text).map(Some).map_err(D::Error::custom),
        toml::Value::Boolean(false) => Ok(Some(Choice::Off)),
        _ => Err(D::Error::custom("write a number as 2, or \"off\"")),
    }
}

fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Choice<Amount>>, D::Error> {
    written(from, amount_or_off, "a size as \"40G\", a part of the volume as \"15%\", or \"off\"")
}

fn age<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Choice<Duration>>, D::Error> {
    written(from, age_or_off, "an age as \"30d\", or \"off\"")
}

/// Reads a text that is a value. A number has no unit.
fn written<'de, D: Deserializer<'de>, T>(
    from: D,
    read: impl Fn(&str) -> Result<Choice<T>, String>,
    form: &str,
) -> Result<Option<Choice<T>>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::String(text) => read(&text).map(Some).map_err(D::Error::custom),
        toml::Value::Boolean(false) => Ok(Some(Choice::Off)),
        _ => Err(D::Error::custom(format!("write {form}"))),
    }
}

fn allowances<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Allowance>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let known = |word: &String| {
        Allowance::ALL.into_iter().find(|it| it.word() == word).ok_or_else(|| {
            let words: Vec<&str> = Allowance::ALL.iter().map(|it| it.word()).collect();
            D::Error::custom(format!("`{word}` is none of {}", words.join(", ")))
        })
    };
    words.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_and_a_slip_in_it_is_named() {
        let policy: Policy = toml::from_str(
            "max-size = \"40G\"\nkeep-free = \"15%\"\nolder-than = \"30d\"\nidle-environments = false\n\
             keep = [\"torch\", \"uv.lock\"]\ngrace = \"off\"\ntrash-for = \"7d\"\nallow = [\"most\"]\n",
        )
        .unwrap();
        assert_eq!(policy.max_size, Some(Choice::Set(Amount::Bytes(40 << 30))));
        assert_eq!(policy.keep_free, Some(Choice::Set(Amount::Percent(15))));
        assert_eq!(policy.older_than.and_then(Choice::value), Some(Duration::from_secs(2_592_000)));
        assert_eq!((policy.idle_environments, policy.grace()), (Some(Choice::Off), Some(0)));
        assert_eq!((policy.allow, policy.trash_for), (vec![Allowance::Most], Some(Choice::Set(TRASH_FOR))));
        for (wrong, why) in [
            ("max-size = 40", "write a size as \"40G\""),
            ("max-size = \"40X\"", "`X` is no unit of size"),
            ("older-than = true", "write an age as \"30d\""),
            ("allow = [\"everything\"]", "`everything` is none of"),
            ("max-sise = \"40G\"", "unknown field"),
        ] {
            let error = toml::from_str::<Policy>(wrong).unwrap_err();
            assert!(error.message().contains(why), "{wrong}: {}", error.message());
        }
    }
}
