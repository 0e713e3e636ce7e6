//! Where in the cache a pointer lies, and what that tells: the kind of source, the package, sometimes the version.
//!
//! Directories of hexadecimal digits are digests of an index or URL and say nothing more. uv 0.5 and 0.6 put the whole
//! wheel name into a key, later releases leave the package's name out of it.

use std::path::{Component, Path, PathBuf};

use super::bucket::{Bucket, BucketKind};
use super::distribution::{WheelFilename, normalize};

/// Where a wheel came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WheelSource {
    /// The Python Package Index.
    Pypi,
    /// Another index, or a directory of wheels; the digest of its URL.
    Index(String),
    /// A URL or a path; the digest of the URL.
    Url(String),
    /// A wheel inside a Git repository; the digest of its URL.
    Git(String),
}

/// Where a source distribution came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SdistSource {
    /// The Python Package Index.
    Pypi,
    /// Another index, or a directory of archives; the digest of its URL.
    Index(String),
    /// A URL; its digest.
    Url(String),
    /// A path of an archive or a directory; the digest of its URL.
    Path(String),
    /// A directory that is installed as editable; the digest of its URL.
    Editable(String),
    /// A Git repository; the digest of its URL.
    Git(String),
}

/// What a pointer is for, as its place in the cache tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A wheel as its source offers it.
    Wheel {
        /// Where it came from.
        source: WheelSource,
        /// The package's normalized name.
        package: String,
        /// The file's name without its extension: version and tags, see [`key_version`].
        key: String,
    },
    /// A wheel that was built from a source distribution, or that source distribution's revision.
    BuiltWheel {
        /// Where the source distribution came from.
        source: SdistSource,
        /// The package's name, as far as the place tells.
        package: Option<String>,
        /// The package's version, as far as the place tells; the commit for Git sources is not one.
        version: Option<String>,
        /// The directory of the revision (or Git commit), except for `revision.http` and `revision.rev` themselves.
        revision: Option<String>,
    },
    /// An environment that `uvx` or `uv run --with` keeps as an entry.
    CachedEnvironment,
    /// The environment of a script with inline metadata, in the bucket itself.
    ScriptEnvironment,
    /// The central environment of a project, in the bucket itself.
    ProjectEnvironment,
    /// Anywhere else.
    Other,
}

/// Tells what a path relative to the cache's root is for.
pub fn place(relative: &Path) -> Place {
    let mut names = Vec::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Place::Other,
        }
    }
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let Some((bucket, rest)) = names.split_first() else { return Place::Other };
    let found = match Bucket::parse(bucket.as_ref()).map(|bucket| bucket.kind) {
        Some(BucketKind::Wheels) => wheel(rest),
        Some(BucketKind::Sdists | BucketKind::BuiltWheels) => built_wheel(rest),
        Some(BucketKind::Environments) => environment(rest),
        _ => None,
    };
    found.unwrap_or(Place::Other)
}

/// Top-level directories of a bucket of source distributions, and how deep one source distribution lies below each.
pub const SDISTS: [(&str, usize); 6] =
    [("pypi", 3), ("index", 4), ("url", 2), ("path", 2), ("editable", 2), ("git", 3)];

/// The directory of the revision of a source distribution that a path, relative to the cache's root, is or lies in.
pub fn revision(relative: &Path) -> Option<PathBuf> {
    let mut names = relative.iter();
    let bucket = Bucket::parse(names.next()?)?;
    let top = names.next()?.to_str()?;
    let (_, depth) = SDISTS.iter().find(|(name, _)| *name == top && top != "git")?;
    let wanted = depth + 2;
    let is_one = bucket.kind == BucketKind::Sdists && relative.iter().count() >= wanted;
    is_one.then(|| relative.iter().take(wanted).collect())
}

/// The directory of the unpacked source of a revision that a path, relative to the cache's root, is or lies in.
pub fn source(relative: &Path) -> Option<PathBuf> {
    let revision = revision(relative)?;
    relative.strip_prefix(&revision).ok()?.starts_with("src").then(|| revision.join("src"))
}

fn wheel(names: &[&str]) -> Option<Place> {
    let (source, rest) = match names {
        ["pypi", rest @ ..] => (WheelSource::Pypi, rest),
        ["index", digest, rest @ ..] => (WheelSource::Index((*digest).to_owned()), rest),
        ["url", digest, rest @ ..] => (WheelSource::Url((*digest).to_owned()), rest),
        ["git", digest, rest @ ..] => (WheelSource::Git((*digest).to_owned()), rest),
        _ => return None,
    };
    // Between the digest and the package of a Git wheel stands its commit.
    let (package, file) = match rest {
        [package, file] => (package, file),
        [_, package, file] if matches!(source, WheelSource::Git(_)) => (package, file),
        _ => return None,
    };
    Some(Place::Wheel { source, package: (*package).to_owned(), key: without_extension(file).to_owned() })
}

fn built_wheel(names: &[&str]) -> Option<Place> {
    let (source, named, rest) = match names {
        ["pypi", package, version, rest @ ..] => (SdistSource::Pypi, Some((*package, *version)), rest),
        ["index", digest, package, version, rest @ ..] => {
            (SdistSource::Index((*digest).to_owned()), Some((*package, *version)), rest)
        }
        ["url", digest, rest @ ..] => (SdistSource::Url((*digest).to_owned()), None, rest),
        ["path", digest, rest @ ..] => (SdistSource::Path((*digest).to_owned()), None, rest),
        ["editable", digest, rest @ ..] => (SdistSource::Editable((*digest).to_owned()), None, rest),
        ["git", digest, rest @ ..] => (SdistSource::Git((*digest).to_owned()), None, rest),
        _ => return None,
    };
    let (file, directories) = rest.split_last()?;
    let built = WheelFilename::parse_stem(file);
    let named = named.map(|(package, version)| (package.to_owned(), version.to_owned()));
    let (package, version) = named.or(built.map(|built| (built.name, built.version))).unzip();
    Some(Place::BuiltWheel {
        source,
        package,
        version,
        revision: directories.first().map(|name| (*name).to_owned()),
    })
}

fn environment(names: &[&str]) -> Option<Place> {
    match names {
        [first, second] if is_digest(first) && is_digest(without_extension(second)) => {
            Some(Place::CachedEnvironment)
        }
        [first, ..] => {
            let (stem, digest) = first.rsplit_once('-').unwrap_or(("", first));
            if !is_digest(digest) {
                return None;
            }
            let interpreter = stem.rsplit_once('-').map(|(_, interpreter)| interpreter);
            if interpreter.is_some_and(is_interpreter) {
                Some(Place::ProjectEnvironment)
            } else if stem.is_empty() && names.len() == 1 {
                // The directory of cached environments and a script without a name look alike from outside.
                None
            } else {
                Some(Place::ScriptEnvironment)
            }
        }
        [] => None,
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An interpreter as uv abbreviates it in a name, as `cp3.11.7`.
fn is_interpreter(text: &str) -> bool {
    let implementation = text.bytes().take_while(u8::is_ascii_lowercase).count();
    (2..=8).contains(&implementation)
        && text[implementation..].starts_with(|digit: char| digit.is_ascii_digit())
}

/// The extensions uv gives to the files of one key; a key itself may contain dots.
const EXTENSIONS: [&str; 4] = [".http", ".rev", ".msgpack", ".lock"];

/// The name of a file of a key without the extension that uv added.
pub fn without_extension(name: &str) -> &str {
    EXTENSIONS.iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(name)
}

/// The version in a wheel's key, for a package by its name.
///
/// It comes first, or second where an older uv kept the package's name in the key; a build number may follow it.
pub fn key_version(key: &str, package: &str) -> Option<String> {
    let mut fields = key.split('-');
    let first = fields.next()?;
    let version = if normalize(first) == normalize(package) { fields.next()? } else { first };
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}
