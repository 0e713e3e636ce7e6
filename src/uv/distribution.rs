//! Installed and unpacked distributions: their names, versions, tags and the small files in `*.dist-info`.
//!
//! All of it comes from packages, which anybody can write; nothing here trusts a length, an encoding or a form.

use std::ffi::OsStr;

mod direct_url;
mod local;
mod metadata;
mod version;
mod wheel;

pub use direct_url::{DirectUrl, file_path, is_plain, requirement};
pub use local::LocalSource;
pub use metadata::{installer, is_of_system, metadata_name_version, wheel_tags};
pub use version::{compare_versions, parse as parse_version, same_version};
pub use wheel::WheelFilename;

/// Writes a package's name in its one normal form (PEP 503): lower case, with single dashes.
pub fn normalize(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    let mut separated = false;
    for character in name.chars() {
        if matches!(character, '-' | '_' | '.') {
            separated = true;
            continue;
        }
        if separated {
            normal.push('-');
            separated = false;
        }
        normal.extend(character.to_lowercase());
    }
    if separated {
        normal.push('-');
    }
    normal
}

/// What the name of a `.dist-info` directory says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistInfoName {
    /// The distribution's name as written there, usually with underscores.
    pub name: String,
    /// Its version as written there.
    pub version: String,
}

/// Reads the name of a directory as that of a distribution's `.dist-info`; `None` for every other one, `.egg-info` too.
pub fn parse_dist_info(file_name: &OsStr) -> Option<DistInfoName> {
    let stem = file_name.to_str()?.strip_suffix(".dist-info")?;
    // A name holds no dash in its escaped form, but older tools left some in; a version never holds one.
    let (name, version) = stem.rsplit_once('-')?;
    let is_plain = |text: &str| !text.is_empty() && !text.contains(['/', '\\', '\0']);
    let fits = is_plain(name) && is_plain(version) && !name.starts_with(['.', '~']);
    fits.then(|| DistInfoName { name: name.to_owned(), version: version.to_owned() })
}

/// Files in a `.dist-info` that installers write themselves, so that they are never links into the cache.
const PRIVATE: [&str; 7] = [
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "provenance_url.json",
    "uv_build.json",
    "uv_cache.json",
];

/// The names of the scripts that installers generate, by an `entry_points.txt`
/// ([Entry points specification](https://packaging.python.org/en/latest/specifications/entry-points/)).
pub fn script_names(entry_points: &str) -> impl Iterator<Item = &str> {
    let mut generates = false;
    entry_points.lines().map(str::trim).filter_map(move |line| {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            generates = matches!(section.trim(), "console_scripts" | "gui_scripts");
            return None;
        }
        let is_comment = line.starts_with(['#', ';']);
        let (name, _) = line.split_once('=').filter(|_| generates && !is_comment)?;
        Some(name.trim())
    })
}

/// Whether a file is one that Python makes anew whenever it likes, from the module beside it.
pub fn is_compiled(path: &str) -> bool {
    path.strip_suffix(".pyc").is_some() && path.rsplit('/').nth(1) == Some("__pycache__")
}

/// Whether a row of `RECORD` is about a file that an installer or Python writes for one environment alone: [`is_private`], but
/// for what Python has compiled and the wheel brings along, as numpy 2.2.6 does. uv links that like the rest, and `RECORD`
/// states its digest, which pip leaves out of the rows of what it compiles itself.
pub fn is_private_row(path: &str, digest: Option<&[u8; 32]>) -> bool {
    is_private(path) && !(digest.is_some() && is_compiled(path))
}

/// Whether a file is one that an installer or Python writes for one environment alone.
///
/// `path` is relative to site-packages, with `/` between its components. Other `.json` files in a `.dist-info` came with
/// the wheel and are not private.
pub fn is_private(path: &str) -> bool {
    if is_compiled(path) {
        return true;
    }
    // uv copies every file of that name, wherever it lies (uv 0.13.8; bleach 6.4.0 has one in its `_vendor`).
    if path.rsplit('/').next() == Some("RECORD") {
        return true;
    }
    match path.split_once('/') {
        Some((directory, name)) => directory.ends_with(".dist-info") && PRIVATE.contains(&name),
        None => false,
    }
}
