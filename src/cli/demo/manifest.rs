//! The demo's manifest, `assets/demo.toml`: which wheels, environments and oddities the sample has.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::snapshot::Mode;

/// The whole manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The version of the interpreter that the sample pretends to have.
    pub(super) python: String,
    #[serde(rename = "wheel")]
    pub(super) wheels: Vec<Wheel>,
    #[serde(rename = "environment")]
    pub(super) environments: Vec<Environment>,
    #[serde(rename = "stray")]
    pub(super) strays: Vec<Stray>,
}

/// A wheel that uv unpacked into an entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wheel {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default = "any")]
    pub(super) tag: String,
    #[serde(default)]
    pub(super) from: Source,
    /// What it installs, where that is not its name: a package, possibly in a namespace, or a module `name.py`.
    pub(super) package: Option<String>,
    /// How long ago it was unpacked, in days.
    pub(super) days: f64,
    /// How many modules its package has.
    #[serde(default)]
    pub(super) modules: usize,
    /// Large files, by path, in KiB.
    #[serde(default)]
    pub(super) large: BTreeMap<String, usize>,
    /// Console scripts that uv generates.
    #[serde(default)]
    pub(super) programs: Vec<String>,
    /// Programs it brings along, in KiB.
    #[serde(default)]
    pub(super) binaries: BTreeMap<String, usize>,
    /// A file of the entry that was changed after it was unpacked.
    pub(super) touched_up: Option<String>,
    #[serde(default)]
    pub(super) fate: Fate,
}

/// Where a wheel came from. Paths of local ones start at the sample's directory.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Source {
    #[default]
    Pypi,
    Index(String),
    FindLinks(String),
    Url(String),
    Path(String),
    /// Built from a source distribution of `PyPI`.
    Sdist,
    Git(String),
    Editable(String),
}

/// What became of a wheel.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fate {
    /// It is there, and so are its pointers.
    #[default]
    Kept,
    /// It is there without pointers.
    Unlinked,
    /// Entry and pointers are gone, as after `uv cache prune`.
    Pruned,
    /// The entry is gone, its pointers are not.
    Deleted,
}

/// An environment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    /// Where it lies in the sample; a name only for those that lie in the cache.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) mode: WantedMode,
    /// How long ago it was installed, in days.
    pub(super) days: f64,
    /// The version of an interpreter that is gone, where it has another one than the manifest's.
    pub(super) interpreter: Option<String>,
    /// What is installed, as `name==version`.
    pub(super) packages: Vec<String>,
    /// Files somebody changed there.
    #[serde(default)]
    pub(super) edited: Vec<String>,
}

/// What an environment is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// It lies in a project's directory.
    Project,
    /// `uv tool install` made it.
    Tool,
    /// `uvx` made it: it is stored as an entry.
    Command,
    /// `uv run` made it for a script with inline metadata: it lies in `environments-v2`.
    Script,
}

/// A link mode, as settings spell it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WantedMode {
    Clone,
    Hardlink,
    Symlink,
    Copy,
}

/// One file or symlink that does not belong where it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stray {
    /// Where it lies in the cache.
    pub(super) path: String,
    pub(super) symlink: Option<String>,
    pub(super) text: Option<String>,
}

impl From<WantedMode> for Mode {
    fn from(mode: WantedMode) -> Self {
        match mode {
            WantedMode::Clone => Self::Clone,
            WantedMode::Hardlink => Self::Hardlink,
            WantedMode::Symlink => Self::Symlink,
            WantedMode::Copy => Self::Copy,
        }
    }
}

impl Manifest {
    /// The manifest that is built into the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub(super) fn built_in() -> Self {
        toml::from_str(include_str!("../../../assets/demo.toml"))
            .expect("the manifest is valid; a test reads it")
    }
}

fn any() -> String {
    "py3-none-any".to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_environment_is_made_of_wheels_that_exist() {
        let manifest = Manifest::built_in();
        let wheels: BTreeSet<String> =
            manifest.wheels.iter().map(|wheel| format!("{}=={}", wheel.name, wheel.version)).collect();
        assert_eq!(wheels.len(), manifest.wheels.len(), "each wheel is named once");
        for environment in &manifest.environments {
            for package in &environment.packages {
                assert!(wheels.contains(package), "{package} of {}", environment.path);
            }
        }
    }

    #[test]
    fn its_large_files_stay_below_fifty_mebibytes() {
        let manifest = Manifest::built_in();
        let large =
            manifest.wheels.iter().flat_map(|wheel| wheel.large.values().chain(wheel.binaries.values()));
        assert!(large.sum::<usize>() < 50 * 1024);
    }
}
