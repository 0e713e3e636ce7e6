//! Where the files of an entry are in an environment, by the entry's `RECORD`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use crate::disk::read;
use crate::uv::record::{self, Base, Location, Scheme};

/// What the `RECORD` of an entry says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    /// Where it is in the entry, relative to it.
    pub(super) source: PathBuf,
    pub(super) digest: Option<[u8; 32]>,
    /// Whether uv may write a changed copy instead of linking the file.
    pub(super) may_be_rewritten: bool,
    /// Whether uv copies it in every link mode: a script that the wheel did not make executable, but for environments of
    /// Windows (uv 0.13.8).
    pub(super) always_copied: bool,
    /// Whether the entry's file is known to differ from its `RECORD`.
    pub(super) modified: bool,
}

/// Files of an entry by where they are installed, relative to the environment.
pub(super) type Expected = FxHashMap<PathBuf, Installed>;

/// The directory of programs, for an environment whose distributions have their `.dist-info` at `dist_info`.
pub(super) fn scripts(dist_info: &Path) -> &'static str {
    if dist_info.starts_with("Lib") { "Scripts" } else { "bin" }
}

/// Reads the `RECORD` in `entry` and tells where uv installs each file; empty where it cannot be read.
///
/// `dist_info` is the name of the entry's `.dist-info`, `site` the environment's site-packages relative to its root.
pub(super) fn expected(entry: &Path, dist_info: &OsStr, site: &Path, scripts: &str, name: &str) -> Expected {
    let Ok(bytes) = read::small(&entry.join(dist_info).join("RECORD"), read::RECORD) else {
        return Expected::default();
    };
    let python = site.parent().and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or("");
    let scheme = Scheme { scripts, python };
    let mut expected = Expected::default();
    for row in record::rows(&bytes).flatten() {
        let Some(target) = record::data_target(&row.path, &scheme, name) else { continue };
        let Some(source) = Location::parse(&row.path).map(|location| location.rest) else { continue };
        let path = match target.base {
            Base::SitePackages => site.join(target.path),
            Base::Root => target.path,
        };
        let may_be_rewritten = target.may_be_rewritten;
        expected.insert(
            path,
            Installed {
                // uv on Windows links them all, wherever they are looked at from.
                always_copied: may_be_rewritten && scripts == "bin" && !is_executable(&entry.join(&source)),
                source,
                digest: row.digest,
                may_be_rewritten,
                modified: false,
            },
        );
    }
    expected
}

/// Whether somebody may execute a file.
#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Whether somebody may execute a file; every file may be, here.
#[cfg(not(unix))]
fn is_executable(_path: &Path) -> bool {
    true
}
