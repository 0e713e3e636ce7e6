//! `MessagePack` as a tree, within bounds.
//!
//! uv's records changed between arrays and maps, so they are read as they come and looked through afterwards. Hostile
//! input costs at most as many nodes as [`MOST_NODES`] and [`DEEPEST`] levels; a length that promises more than the input
//! holds is an error before anything is allocated for it.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The most values one record may have; real ones stay below a hundred.
const MOST_NODES: u32 = 16_384;

/// The deepest nesting; real records stay below ten levels.
const DEEPEST: usize = 32;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Nothing.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A number that is not negative.
    Unsigned(u64),
    /// A text.
    Text(String),
    /// A sequence.
    Array(Vec<Value>),
    /// Pairs, in their order.
    Map(Vec<(Value, Value)>),
    /// Anything else, of which uv stores nothing that is needed here.
    Other,
}

impl Value {
    /// Reads one value from the start of `bytes`; what follows it is not looked at.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        deserializer.set_max_depth(DEEPEST);
        let left = Cell::new(MOST_NODES);
        Seed(&left).deserialize(&mut deserializer).map_err(|error| error.to_string())
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one that is not negative.
    pub(super) fn unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(*number),
            _ => None,
        }
    }

    /// The values, if it is an array.
    pub(super) fn array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The value under a key, if it is a map with it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => {
                pairs.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// Reads one value while counting down what is left of the allowance.
#[derive(Clone, Copy)]
struct Seed<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.0.get().checked_sub(1) else {
            return Err(D::Error::custom("it holds more values than any record of uv"));
        };
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _deserializer: D) -> Result<Value, D::Error> {
        Err(D::Error::custom("it holds an extension value, which uv does not write"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(u64::try_from(value).map_or(Value::Other, Value::Unsigned))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(value))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, _value: &[u8]) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = access.next_key_seed(self)? {
            pairs.push((key, access.next_value_seed(self)?));
        }
        Ok(Value::Map(pairs))
    }
}
