//! `RECORD`: the files of a distribution with their digests and sizes, and where uv installs each file of an entry.
//!
//! A `RECORD` is CSV, and hostile until proven otherwise: [`Location`] is the only way from one of its paths to a path on
//! disk. Reading costs one allocation per row at most, and none for the ordinary row without quotes.

use std::borrow::Cow;
use std::path::PathBuf;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use data_encoding::BASE64URL_NOPAD;

mod install;

pub use install::{Base, InstallPath, Scheme, data_target};

/// One file of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its path as written: relative to site-packages, with `/` between its components. See [`Location`].
    pub path: Cow<'a, str>,
    /// Its SHA-256, if that is the digest it has.
    pub digest: Option<[u8; 32]>,
    /// Its size in bytes, if recorded.
    pub size: Option<u64>,
}

/// Why a row could not be read. The rows after it are read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A path that is not UTF-8.
    #[error("Line {line} of `RECORD` holds a path that is not valid UTF-8")]
    Encoding {
        /// The line, counted from one.
        line: u64,
    },
    /// A row without a path, or with more fields than a path, a digest and a size.
    #[error("Line {line} of `RECORD` is not a path, a digest and a size")]
    Fields {
        /// The line, counted from one.
        line: u64,
    },
}

/// The most bytes a row with quotes may have; paths are far shorter.
const LONGEST_QUOTED: usize = 1 << 16;

/// Reads the rows of a `RECORD`. Empty lines are passed over; a digest or size that cannot be read counts as absent.
pub fn rows(bytes: &[u8]) -> Rows<'_> {
    Rows { rest: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), line: 1 }
}

/// The rows of a `RECORD`, made by [`rows`].
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    rest: &'a [u8],
    line: u64,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let length = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
            let text = &self.rest[..length];
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let line = self.line;
            if text.contains(&b'"') {
                return Some(self.quoted(line));
            }
            self.skip_line();
            if !text.is_empty() {
                return Some(plain(text, line));
            }
        }
    }
}

impl<'a> Rows<'a> {
    /// Reads a row with quotes, which may go over several lines. After a quote that nothing closes, only its line is lost.
    fn quoted(&mut self, line: u64) -> Result<Row<'a>, RecordError> {
        let window = &self.rest[..self.rest.len().min(LONGEST_QUOTED)];
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n')).buffer_capacity(1024);
        let mut reader = builder.from_reader(window);
        let mut record = ByteRecord::new();
        let outcome = reader.read_byte_record(&mut record);
        let consumed = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX).clamp(1, window.len());
        let is_closed = pieces(&window[..consumed], b'"') % 2 == 1;
        if !is_closed || !matches!(outcome, Ok(true)) {
            self.skip_line();
            return Err(RecordError::Fields { line });
        }
        self.line += pieces(&window[..consumed], b'\n') - 1;
        self.rest = &self.rest[consumed..];
        let mut fields: Vec<&[u8]> = record.iter().collect();
        if let Some(last) = fields.last_mut() {
            *last = last.strip_suffix(b"\r").unwrap_or(last);
        }
        row(&fields, line).map(|row| Row { path: Cow::Owned(row.path.into_owned()), ..row })
    }

    fn skip_line(&mut self) {
        let length = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        self.rest = self.rest.get(length + 1..).unwrap_or_default();
        self.line += 1;
    }
}

/// Into how many pieces a byte divides a text.
fn pieces(text: &[u8], by: u8) -> u64 {
    text.split(|byte| *byte == by).count() as u64
}

/// Reads a row without quotes.
fn plain(text: &[u8], line: u64) -> Result<Row<'_>, RecordError> {
    let mut fields = [&[][..]; 3];
    let mut count = 0;
    for field in text.split(|byte| *byte == b',') {
        *fields.get_mut(count).ok_or(RecordError::Fields { line })? = field;
        count += 1;
    }
    row(&fields[..count], line)
}

fn row<'r>(fields: &[&'r [u8]], line: u64) -> Result<Row<'r>, RecordError> {
    let (path, digest, size) = match *fields {
        [path] => (path, &[][..], &[][..]),
        [path, digest] => (path, digest, &[][..]),
        [path, digest, size] => (path, digest, size),
        _ => return Err(RecordError::Fields { line }),
    };
    if path.is_empty() {
        return Err(RecordError::Fields { line });
    }
    let path = std::str::from_utf8(path).map_err(|_| RecordError::Encoding { line })?;
    let size = std::str::from_utf8(size).ok().and_then(|size| size.trim().parse().ok());
    Ok(Row { path: Cow::Borrowed(path), digest: sha256(digest), size })
}

/// The digest in `sha256=<url-safe base 64>`; padding, which the format forbids, is forgiven.
fn sha256(field: &[u8]) -> Option<[u8; 32]> {
    let encoded = field.trim_ascii().strip_prefix(b"sha256=")?;
    let encoded = encoded.strip_suffix(b"=").unwrap_or(encoded);
    let mut digest = [0; 32];
    let fits = BASE64URL_NOPAD.decode_len(encoded.len()) == Ok(digest.len());
    (fits && BASE64URL_NOPAD.decode_mut(encoded, &mut digest).is_ok()).then_some(digest)
}

/// A path of a `RECORD`, proven to be safe to append to a directory once its climbing has been resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// How many directories it climbs above site-packages before it descends.
    pub ups: usize,
    /// What follows: plain names only, at least one.
    pub rest: PathBuf,
}

/// The most directories a path may climb; from site-packages to an environment's root it takes three at most.
const MOST_UPS: usize = 16;

impl Location {
    /// Reads a path; `None` when it is absolute, names a drive, holds a NUL, climbs after it has descended, or is empty.
    ///
    /// Backslashes separate on Windows only, but a path that would climb if they did is refused everywhere.
    pub fn parse(path: &str) -> Option<Self> {
        let starts_like_windows =
            matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
        let on_windows = cfg!(windows);
        if path.contains('\0')
            || path.starts_with(['/', '\\'])
            || starts_like_windows
            || (on_windows && path.contains(':'))
        {
            return None;
        }
        let climbs = path.contains("..");
        let (mut ups, mut rest) = (0, PathBuf::with_capacity(path.len()));
        let separators: &[char] = if on_windows { &['/', '\\'] } else { &['/'] };
        for name in path.split(separators) {
            match name {
                "" | "." => {}
                ".." if rest.as_os_str().is_empty() && ups < MOST_UPS => ups += 1,
                _ if climbs && name.split('\\').any(|part| part == "..") => return None,
                _ => rest.push(name),
            }
        }
        let is_file = !rest.as_os_str().is_empty() && !path.ends_with('/');
        is_file.then_some(Self { ups, rest })
    }
}
