//! Configuration files, as far as they say where the cache is.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{RootError, RootInputs};

/// A configuration file that uv would obey.
pub(super) struct ConfigFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The cache directory it asks for, as written.
    pub(super) cache_dir: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads a `uv.toml`. uv does not run beside one that it cannot read.
    pub(super) fn uv_toml(path: PathBuf, text: &str) -> Result<Self, RootError> {
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => return Err(RootError::Config { path, reason: error.message().to_owned() }),
        };
        match cache_dir(&table) {
            Ok(cache_dir) => Ok(Self { path, cache_dir }),
            Err(reason) => Err(RootError::Config { path, reason: reason.to_owned() }),
        }
    }

    /// Reads the section for uv of a `pyproject.toml`. uv passes over a file without it, and over one that it cannot read.
    fn pyproject(path: PathBuf, text: &str) -> Option<Self> {
        let table = text.parse::<Table>().ok()?;
        let section = table.get("tool")?.get("uv")?.as_table()?;
        Some(Self { path, cache_dir: cache_dir(section).ok()? })
    }
}

fn cache_dir(table: &Table) -> Result<Option<PathBuf>, &'static str> {
    match table.get("cache-dir") {
        None => Ok(None),
        Some(Value::String(path)) => Ok(Some(PathBuf::from(path))),
        Some(_) => Err("`cache-dir` is not a string"),
    }
}

/// Finds the project's configuration: the first file that speaks to uv, from `start` upwards. One without the key ends the
/// search too.
pub(super) fn of_project(start: &Path, inputs: &RootInputs<'_>) -> Result<Option<ConfigFile>, RootError> {
    for directory in start.ancestors() {
        let path = directory.join("uv.toml");
        if let Some(text) = (inputs.read)(&path) {
            return ConfigFile::uv_toml(path, &text).map(Some);
        }
        let path = directory.join("pyproject.toml");
        if let Some(file) = (inputs.read)(&path).and_then(|text| ConfigFile::pyproject(path, &text)) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}
