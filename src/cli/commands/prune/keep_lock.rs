//! What a `uv.lock` needs.

use std::path::Path;

use serde::Deserialize;

use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::disk;
use crate::human;
use crate::plan::Pinned;
use crate::uv::distribution::normalize;

/// The largest lock file that is read, in bytes.
const LARGEST: u64 = 256 << 20;

#[derive(Deserialize)]
struct Lock {
    /// The version of its form, which every uv.lock has and few other files.
    #[serde(rename = "version")]
    _version: u64,
    #[serde(default)]
    package: Vec<Package>,
}

/// A package of a lock file. One without a version is the project itself, or another directory.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
}

/// Reads what a lock file needs.
pub(super) fn read(path: &Path) -> Result<Vec<Pinned>, Failure> {
    let shown = human::escape_os(path.as_os_str());
    let bytes = disk::read::followed(path, LARGEST);
    let bytes =
        bytes.map_err(|error| Failure::new(FAILED, disk::Error::new("read the lock file", path, error)))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::message(USAGE, format!("`{shown}` is no uv.lock: it is not UTF-8.")))?;
    pinned(&text).map_err(|error| {
        // Whole it takes several lines, with a picture of the place.
        let line =
            error.span().and_then(|span| text.get(..span.start)).map(|before| before.split('\n').count());
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let why = human::escape(error.message()).into_owned();
        Failure::message(USAGE, format!("Failed to understand `{shown}` as a uv.lock: {place}{why}."))
    })
}

fn pinned(text: &str) -> Result<Vec<Pinned>, toml::de::Error> {
    let lock: Lock = toml::from_str(text)?;
    let packages = lock.package.into_iter();
    let pinned = packages
        .filter_map(|package| Some(Pinned { name: normalize(&package.name), version: package.version? }));
    Ok(pinned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_with_a_version_is_needed() {
        let text = "version = 1\nrevision = 3\n\n[[package]]\nname = \"Demo_A\"\nversion = \"1.0\"\nsource = { registry = \
                    \"https://example.org\" }\n\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n";
        let pinned = pinned(text).unwrap();
        assert_eq!(pinned, [Pinned { name: "demo-a".to_owned(), version: "1.0".to_owned() }]);
    }

    #[test]
    fn what_is_no_lock_file_needs_nothing_by_mistake() {
        for text in
            ["", "[project]\nname = \"x\"\n", "version = 1\npackage = 3\n", "version = 1\n[[package]]\n", "{"]
        {
            assert!(pinned(text).is_err(), "{text}");
        }
        assert_eq!(pinned("version = 1\n").unwrap(), []);
    }
}
