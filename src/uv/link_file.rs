//! Link files: ordinary files that stand where a symlink would.
//!
//! Two forms exist. uv's own text form, written on Windows, is `archive-v<number>/<id>` and not one byte more: after a
//! newline uv no longer sees a link, and prunes the entry. The wide form is a path as UTF-16 code units in big-endian
//! order, which holds any Windows path, unpaired surrogates included. They cannot be confused: a file in which the ASCII
//! bytes `archive-v` stand side by side is text (well formed or not), for in the wide form a zero lies between them.
//!
//! A `.venv` file, which uv writes where a link to a central project environment cannot be made, holds a bare path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use byteorder::{BigEndian, ByteOrder as _};

use super::archive_id::is_archive_id;
use super::bucket::{Bucket, BucketKind};

/// The most code units a Windows path can have.
pub const LONGEST_WIDE: usize = 32_767;

/// The most bytes a link file of either form can have; longer ones need not be read.
pub const LONGEST_FILE: usize = 2 * LONGEST_WIDE;

/// What a link file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFile {
    /// uv's text form: an entry of the same cache.
    Text(ArchiveTarget),
    /// The wide form: a path as UTF-16 code units.
    Wide(Vec<u16>),
}

/// An entry, named relative to the cache's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveTarget {
    /// The bucket's name, as `archive-v0`.
    pub bucket: String,
    /// The entry's id.
    pub id: String,
}

/// Why a file is not a link file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFileError {
    /// It is empty.
    #[error("It is empty")]
    Empty,
    /// It is longer than any path.
    #[error("It is longer than any path")]
    TooLong,
    /// The text form, and bytes that are white space around it.
    #[error("White space surrounds `archive-v…/…`, so that uv takes the link for dead")]
    WhiteSpace,
    /// The text form after a byte order mark.
    #[error("A byte order mark stands before `archive-v…/…`, so that uv takes the link for dead")]
    ByteOrderMark,
    /// The text form with a backslash.
    #[error("It separates bucket and entry by a backslash; uv writes `archive-v…/…`")]
    Backslash,
    /// The text form with other bytes before or after it, or without an id.
    #[error("It names an archive bucket, but not in the form `archive-v…/…`")]
    NotExact,
    /// Neither form: UTF-16 has two bytes per code unit.
    #[error("It is neither `archive-v…/…` nor UTF-16: its length is odd")]
    OddLength,
    /// The wide form with a NUL in it.
    #[error("It is neither `archive-v…/…` nor a path in UTF-16: it holds a NUL")]
    Nul,
    /// A `.venv` file that holds more than one line.
    #[error("It holds more than one line")]
    ManyLines,
    /// A `.venv` file whose text is not of this platform's encoding.
    #[error("Its text is not valid UTF-8")]
    Encoding,
}

/// What no wide path contains, since there a zero stands between two ASCII characters.
const TEXT_SIGN: &[u8] = b"archive-v";

/// Reads a link file of either form.
pub fn parse(bytes: &[u8]) -> Result<LinkFile, LinkFileError> {
    if bytes.is_empty() {
        return Err(LinkFileError::Empty);
    }
    if bytes.len() > LONGEST_FILE {
        return Err(LinkFileError::TooLong);
    }
    if bytes.windows(TEXT_SIGN.len()).any(|window| window == TEXT_SIGN) {
        return parse_text(bytes).map(LinkFile::Text);
    }
    if bytes.len() % 2 == 1 {
        return Err(LinkFileError::OddLength);
    }
    let mut units = vec![0; bytes.len() / 2];
    BigEndian::read_u16_into(bytes, &mut units);
    if units.contains(&0) {
        return Err(LinkFileError::Nul);
    }
    Ok(LinkFile::Wide(units))
}

fn parse_text(bytes: &[u8]) -> Result<ArchiveTarget, LinkFileError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(LinkFileError::ByteOrderMark);
    }
    if bytes.trim_ascii().len() != bytes.len() {
        return Err(LinkFileError::WhiteSpace);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| LinkFileError::NotExact)?;
    let exact = text
        .split_once('/')
        .filter(|(bucket, id)| is_archive_bucket(OsStr::new(bucket)) && is_archive_id(OsStr::new(id)));
    match exact {
        Some((bucket, id)) => Ok(ArchiveTarget { bucket: bucket.to_owned(), id: id.to_owned() }),
        None if text.contains('\\') => Err(LinkFileError::Backslash),
        None => Err(LinkFileError::NotExact),
    }
}

/// What a file in the text form means although it is not exact: with white space or a byte order mark around it, or with
/// a backslash, as editors and copying tools leave it. uv takes such a link for dead.
pub fn meant(bytes: &[u8]) -> Option<ArchiveTarget> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    let text = std::str::from_utf8(bytes).ok()?.replace('\\', "/");
    parse_text(text.as_bytes()).ok()
}

fn is_archive_bucket(name: &OsStr) -> bool {
    Bucket::parse(name).is_some_and(|bucket| bucket.kind == BucketKind::Archive)
}

/// Writes uv's text form.
pub fn encode_text(target: &ArchiveTarget) -> Vec<u8> {
    format!("{}/{}", target.bucket, target.id).into_bytes()
}

/// Writes the wide form: each code unit as two bytes, the more significant first.
pub fn encode_wide(units: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0; units.len() * 2];
    BigEndian::write_u16_into(units, &mut bytes);
    bytes
}

/// Turns code units into a path of this platform without losing one.
///
/// On Windows that is the path itself. Elsewhere it is its WTF-8: UTF-8 in which an unpaired surrogate keeps the three
/// bytes that its number would have.
pub fn wide_to_path(units: &[u16]) -> PathBuf {
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStringExt as _;
        PathBuf::from(std::ffi::OsString::from_wide(units))
    }
    #[cfg(not(windows))]
    {
        use std::os::unix::ffi::OsStringExt as _;
        PathBuf::from(std::ffi::OsString::from_vec(wide_to_wtf8(units)))
    }
}

/// Turns a path of this platform into code units; the reverse of [`wide_to_path`].
///
/// `None` for a path that no code units stand for, because its bytes are not WTF-8 or it holds a NUL.
pub fn path_to_wide(path: &Path) -> Option<Vec<u16>> {
    #[cfg(windows)]
    let units = {
        use std::os::windows::ffi::OsStrExt as _;
        Some(path.as_os_str().encode_wide().collect::<Vec<_>>())
    };
    #[cfg(not(windows))]
    let units = wtf8_to_wide(path.as_os_str().as_encoded_bytes());
    units.filter(|units| !units.contains(&0))
}

/// Writes code units as WTF-8.
pub fn wide_to_wtf8(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(unpaired) => bytes.extend_from_slice(&surrogate_bytes(unpaired.unpaired_surrogate())),
        }
    }
    bytes
}

/// Reads WTF-8 as code units; `None` when the bytes are not WTF-8, in which a surrogate pair is never written as two.
pub fn wtf8_to_wide(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).ok()?,
        };
        units.extend(valid.encode_utf16());
        rest = &rest[valid.len()..];
        if let [first, second, third, ..] = *rest {
            let surrogate = surrogate_of([first, second, third])?;
            let is_second_half = (0xdc00..=0xdfff).contains(&surrogate);
            let after_first_half =
                valid.is_empty() && units.last().is_some_and(|last| (0xd800..=0xdbff).contains(last));
            if is_second_half && after_first_half {
                return None;
            }
            units.push(surrogate);
            rest = &rest[3..];
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(units)
}

fn surrogate_bytes(unit: u16) -> [u8; 3] {
    let [high, low] = unit.to_be_bytes();
    [0xe0 | (high >> 4), 0x80 | ((high & 0x0f) << 2) | (low >> 6), 0x80 | (low & 0x3f)]
}

fn surrogate_of([first, second, third]: [u8; 3]) -> Option<u16> {
    let shape = first == 0xed && (0xa0..=0xbf).contains(&second) && (0x80..=0xbf).contains(&third);
    shape.then(|| 0xd000 | (u16::from(second & 0x3f) << 6) | u16::from(third & 0x3f))
}

/// Reads a `.venv` file that holds the path of an environment: its first line (PEP 832). uv 0.13.8 writes it without a newline.
///
/// The path may be relative to the file's directory.
pub fn parse_venv_file(bytes: &[u8]) -> Result<PathBuf, LinkFileError> {
    if bytes.len() > LONGEST_FILE {
        return Err(LinkFileError::TooLong);
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return Err(LinkFileError::Empty);
    }
    if line.contains(&0) {
        return Err(LinkFileError::Nul);
    }
    if line.contains(&b'\r') {
        return Err(LinkFileError::ManyLines);
    }
    path_from_bytes(line).ok_or(LinkFileError::Encoding)
}

/// A path of this platform from the bytes of a file; `None` where the platform has no path with these bytes.
#[cfg(unix)]
pub fn path_from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(PathBuf::from(OsStr::from_bytes(bytes)))
}

/// A path of this platform from the bytes of a file; `None` where the platform has no path with these bytes.
#[cfg(not(unix))]
pub fn path_from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}
