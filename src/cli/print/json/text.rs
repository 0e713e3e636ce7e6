//! Names and paths in JSON without loss.

use std::borrow::Cow;
use std::ffi::OsStr;

use data_encoding::BASE64;
use serde::{Serialize, Serializer};

/// Bytes that are written as standard base64 with padding.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

/// The two values of a name or path: the text under its key, and the bytes under `<key>_bytes` where the text does not
/// say everything.
pub fn lossless(name: &(impl AsRef<OsStr> + ?Sized)) -> (Cow<'_, str>, Option<Bytes<'_>>) {
    let name = name.as_ref();
    match name.to_str() {
        Some(text) => (Cow::Borrowed(text), None),
        None => (name.to_string_lossy(), Some(Bytes(name.as_encoded_bytes()))),
    }
}
