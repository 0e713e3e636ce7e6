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

/// The version of the form that is known. uv raises it when older releases could no longer read it, and a revision else.
const VERSION: u64 = 1;

#[derive(Deserialize)]
struct Lock {
    /// The version of its form, which every uv.lock has and few other files. Revisions of a version can be read alike.
    version: u64,
    #[serde(default)]
    package: Vec<Package>,
}

/// A package of a lock file. One without a version is a directory, a repository or a member of the workspace whose version is
/// found out when it is built.
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
    if lock.version != VERSION {
        let text = format!("it has version {} of its form, and {VERSION} is known", lock.version);
        return Err(serde::de::Error::custom(text));
    }
    let packages = lock.package.into_iter();
    Ok(packages.map(|it| Pinned { name: normalize(&it.name), version: it.version }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_needed_and_one_without_a_version_in_all_of_them() {
        let text = "version = 1\nrevision = 3\n\n[[package]]\nname = \"Demo_A\"\nversion = \"1.0\"\nsource = { registry = \
                    \"https://example.org\" }\n\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n";
        let pinned = pinned(text).unwrap();
        let needed = |name: &str, version: Option<&str>| Pinned {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        assert_eq!(pinned, [needed("demo-a", Some("1.0")), needed("app", None)]);
    }

    #[test]
    fn what_is_no_lock_file_needs_nothing_by_mistake() {
        for text in [
            "",
            "[project]\nname = \"x\"\n",
            "version = 1\npackage = 3\n",
            "version = 2\n",
            "version = 4\n[[package]]\nname = \"crate\"\n",
            "lock-version = \"1.0\"\n",
            "version = 1\n[[package]]\n",
            "{",
        ] {
            assert!(pinned(text).is_err(), "{text}");
        }
        for revision in ["", "revision = 1\n", "revision = 5\n"] {
            assert_eq!(pinned(&format!("version = 1\n{revision}")).unwrap(), []);
        }
    }
}
