//! What entries say that they need.

use std::io::{self, Read as _};
use std::path::Path;

use crate::disk::{self, read};
use crate::snapshot::{Entry, Snapshot};
use crate::uv::dependency::Dependency;
use crate::uv::distribution::parse_dist_info;
use crate::uv::metadata;

/// What the distribution in an entry needs, by its `METADATA`. Nothing where there is no such file.
///
/// # Errors
/// When it cannot be read.
pub fn of_entry(snapshot: &Snapshot, entry: &Entry) -> io::Result<Vec<Dependency>> {
    let path = snapshot.cache.canonical.join(entry.key.path());
    let mut needed = Vec::new();
    for item in std::fs::read_dir(&path)? {
        let name = item?.file_name();
        if parse_dist_info(&name).is_some() {
            needed.extend(of_dist_info(&path.join(name))?);
        }
    }
    Ok(needed)
}

/// The same of a `.dist-info` directory.
///
/// # Errors
/// When `METADATA` cannot be read.
pub(super) fn of_dist_info(path: &Path) -> io::Result<Vec<Dependency>> {
    // Of an environment in symlink mode it is a link into an entry.
    let file = disk::canonical(&path.join("METADATA")).and_then(|path| read::open(&path));
    let mut bytes = Vec::new();
    match file.and_then(|file| file.take(metadata::LONGEST).read_to_end(&mut bytes)) {
        Ok(_) => Ok(metadata::requires(&bytes)),
        Err(error) if read::is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
