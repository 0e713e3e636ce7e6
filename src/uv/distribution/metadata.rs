//! The files of a `.dist-info` that are written like a mail's header.

use std::path::Path;

/// The most lines of a header that are looked at.
const MOST_LINES: usize = 10_000;

/// The most tags that are taken from one file; real wheels have about a dozen.
const MOST_TAGS: usize = 256;

/// The fields of a header in order, each with its value on the first line; invalid UTF-8 is replaced.
fn fields(bytes: &[u8]) -> impl Iterator<Item = (&[u8], String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let header = lines.take(MOST_LINES).take_while(|line| !line.is_empty());
    // Folded lines start with white space and continue a value whose first line is all that is wanted.
    header.filter(|line| !line[0].is_ascii_whitespace()).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned();
        Some((line[..colon].trim_ascii(), value))
    })
}

/// The tags of a `WHEEL` file, each as `py3-none-any`.
pub fn wheel_tags(bytes: &[u8]) -> Vec<String> {
    let tags = fields(bytes).filter(|(name, value)| name.eq_ignore_ascii_case(b"Tag") && !value.is_empty());
    tags.map(|(_, value)| value).take(MOST_TAGS).collect()
}

/// The name and the version in a `METADATA` (or `PKG-INFO`) file, as written there; of a repeated field the first counts.
pub fn metadata_name_version(bytes: &[u8]) -> (Option<String>, Option<String>) {
    let (mut name, mut version) = (None, None);
    for (field, value) in fields(bytes) {
        if value.is_empty() {
            continue;
        }
        if name.is_none() && field.eq_ignore_ascii_case(b"Name") {
            name = Some(value);
        } else if version.is_none() && field.eq_ignore_ascii_case(b"Version") {
            version = Some(value);
        }
        if name.is_some() && version.is_some() {
            break;
        }
    }
    (name, version)
}

/// Whether the system's package manager has installed a distribution: `INSTALLER` says so (Fedora writes `rpm`), or it has none
/// and lies where only Debian's packages do (Debian 12 leaves `INSTALLER` out; pip and uv install to `/usr/local` there).
///
/// `site` is the directory that its `.dist-info` lies in.
pub fn is_of_system(site: &Path, installer: Option<&str>) -> bool {
    match installer {
        Some(installer) => ["rpm", "debian", "dpkg", "apk", "pacman", "portage"].contains(&installer),
        None => site.ends_with("lib/python3/dist-packages"),
    }
}

/// The program named in an `INSTALLER` file, as `uv` or `pip`.
pub fn installer(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    Some(String::from_utf8_lossy(line).into_owned())
}
