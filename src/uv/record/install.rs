//! Where uv puts the files of an entry.
//!
//! Everything in an unpacked wheel goes to site-packages under its own path, except for `<name>-<version>.data`, whose five
//! directories each have a place of their own. Scripts and headers move by environment layout and interpreter, which the
//! caller names.

use std::path::PathBuf;

use super::Location;
use crate::uv::distribution::normalize;

/// How an environment lays out what is not in its site-packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme<'a> {
    /// Its directory of programs: `bin`, on Windows `Scripts`.
    pub scripts: &'a str,
    /// The name of its interpreter's directory, as `python3.11`.
    pub python: &'a str,
}

/// What a path is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// The directory of installed distributions.
    SitePackages,
    /// The environment's root.
    Root,
}

/// Where a file of an entry is installed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstallPath {
    /// What `path` is relative to.
    pub base: Base,
    /// The path, made of plain names only.
    pub path: PathBuf,
    /// Whether uv may rewrite the file while installing it: a script whose first line names Python.
    pub may_be_rewritten: bool,
}

/// Tells where uv installs a file of an entry, for a path relative to that entry with `/` between its components.
///
/// `distribution` is the distribution's name, in any form. `None` for paths that climb or are absolute, and for a `.data`
/// directory of a kind that the wheel format does not know, with which uv refuses to install.
pub fn data_target(archive_path: &str, scheme: &Scheme<'_>, distribution: &str) -> Option<InstallPath> {
    let location = Location::parse(archive_path)?;
    if location.ups > 0 {
        return None;
    }
    let in_site_packages =
        |path: PathBuf| InstallPath { base: Base::SitePackages, path, may_be_rewritten: false };
    let in_root = |path: PathBuf| InstallPath { base: Base::Root, path, may_be_rewritten: false };
    let mut names = location.rest.iter();
    let first = names.next()?.to_str()?;
    if !is_data_directory(first, distribution) {
        return Some(in_site_packages(location.rest));
    }
    let kind = names.next()?.to_str()?;
    let rest = names.as_path().to_path_buf();
    if rest.as_os_str().is_empty() {
        return None;
    }
    match kind {
        "purelib" | "platlib" => Some(in_site_packages(rest)),
        "data" => Some(in_root(rest)),
        "scripts" => {
            Some(InstallPath { may_be_rewritten: true, ..in_root(PathBuf::from(scheme.scripts).join(rest)) })
        }
        "headers" => {
            let headers = ["include", "site", scheme.python].iter().collect::<PathBuf>();
            Some(in_root(headers.join(normalize(distribution)).join(rest)))
        }
        _ => None,
    }
}

/// Whether a name is that of the distribution's `.data` directory; those of other distributions are ordinary directories.
fn is_data_directory(name: &str, distribution: &str) -> bool {
    let stem = name.strip_suffix(".data").and_then(|stem| stem.rsplit_once('-'));
    stem.is_some_and(|(name, _version)| normalize(name) == normalize(distribution))
}
