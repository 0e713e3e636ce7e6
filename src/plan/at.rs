//! Paths in plans, written without loss.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

#[cfg(not(unix))]
use crate::uv::link_file;

/// A path as two fields: a text, and the bytes in base 64 where the text does not say everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct At {
    /// The path as text; what is not UTF-8 is replaced.
    path: String,
    /// Its bytes, standard base 64 with padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
}

/// The two fields as they were read, before anybody knows whether they say the same.
#[derive(Deserialize)]
struct Raw {
    path: String,
    #[serde(default)]
    path_bytes: Option<String>,
}

impl TryFrom<Raw> for At {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let at = Self { path: raw.path, path_bytes: raw.path_bytes };
        // What is shown has to be what is meant.
        if Self::new(&at.path()) == at { Ok(at) } else { Err("`path` and `path_bytes` do not say the same") }
    }
}

impl At {
    /// A path.
    pub fn new(path: &Path) -> Self {
        let name = path.as_os_str();
        match name.to_str() {
            Some(text) => Self { path: text.to_owned(), path_bytes: None },
            None => Self {
                path: name.to_string_lossy().into_owned(),
                path_bytes: Some(BASE64.encode(&encoded(path))),
            },
        }
    }

    /// The path; of bytes that nobody could have written, the text.
    pub fn path(&self) -> PathBuf {
        let bytes = self.path_bytes.as_ref().and_then(|text| BASE64.decode(text.as_bytes()).ok());
        bytes.and_then(|bytes| os_string(&bytes)).map_or_else(|| PathBuf::from(&self.path), PathBuf::from)
    }

    /// The path as text; what is not UTF-8 is replaced. Not escaped.
    pub fn text(&self) -> &str {
        &self.path
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not every sequence of bytes is a name")]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(OsStr::from_bytes(bytes).to_owned())
}

/// The bytes of a path, which on Windows are its code units in WTF-8.
#[cfg(unix)]
fn encoded(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Option<OsString> {
    link_file::wtf8_to_wide(bytes).map(|units| link_file::wide_to_path(&units).into_os_string())
}

/// The bytes of a path, which on Windows are its code units in WTF-8.
#[cfg(not(unix))]
fn encoded(path: &Path) -> Vec<u8> {
    link_file::path_to_wide(path).map(|units| link_file::wide_to_wtf8(&units)).unwrap_or_default()
}

impl From<&OsStr> for At {
    fn from(name: &OsStr) -> Self {
        Self::new(Path::new(name))
    }
}

/// SHA-256 in hexadecimal.
pub(super) mod hexadecimal {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(in crate::plan) fn serialize<S: Serializer>(
        digest: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        HEXLOWER.encode(digest).serialize(serializer)
    }

    pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| D::Error::custom(format!("`{text}` is no SHA-256")))
    }

    /// The same where there need not be one.
    pub(in crate::plan) mod or_none {
        use super::{Deserialize, Deserializer, HEXLOWER, Serializer};
        use serde::Serialize as _;

        #[derive(Deserialize)]
        struct Digest(#[serde(with = "super")] [u8; 32]);

        #[expect(clippy::ref_option, reason = "serde asks for a reference")]
        pub(in crate::plan) fn serialize<S: Serializer>(
            digest: &Option<[u8; 32]>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            digest.map(|digest| HEXLOWER.encode(&digest)).serialize(serializer)
        }

        pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<[u8; 32]>, D::Error> {
            Ok(Option::<Digest>::deserialize(deserializer)?.map(|Digest(digest)| digest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_comes_back_as_it_went() {
        use std::os::unix::ffi::OsStrExt as _;
        for bytes in [&b"/a/b"[..], b"caf\xc3\xa9", b"\xff\xfe/x"] {
            let path = Path::new(OsStr::from_bytes(bytes));
            let text = serde_json::to_string(&At::new(path)).unwrap();
            let at: At = serde_json::from_str(&text).unwrap();
            assert_eq!(at.path(), path);
            assert_eq!(text.contains("path_bytes"), std::str::from_utf8(bytes).is_err());
        }
    }

    #[cfg(windows)]
    #[test]
    fn an_unpaired_surrogate_comes_back_as_it_went() {
        for units in [vec![0x61, 0xd800, 0x62], vec![0xdc00], vec![0x61]] {
            let path = link_file::wide_to_path(&units);
            let text = serde_json::to_string(&At::new(&path)).unwrap();
            let at: At = serde_json::from_str(&text).unwrap();
            assert_eq!(at.path(), path);
            assert_eq!(text.contains("path_bytes"), path.to_str().is_none());
        }
    }

    #[test]
    fn a_path_that_shows_something_else_than_it_means_is_refused() {
        for text in [
            r#"{"path":"harmless","path_bytes":"YXJjaGl2ZS12MC94"}"#,
            r#"{"path":"x","path_bytes":"not base 64"}"#,
        ] {
            assert!(serde_json::from_str::<At>(text).is_err(), "{text}");
        }
    }
}
