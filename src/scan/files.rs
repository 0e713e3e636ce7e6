//! Lists the files of one entry or one distribution, read from disk at the moment somebody asks.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::content;
use super::installed::{self, Expected};
use crate::control::Cancel;
use crate::disk::extent::{ExtentState, extents};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{Error, FileKind, FileStat, read};
use crate::snapshot::{EntryKey, FileFate, FileRow, FilesRequest, Mode};
use crate::uv::distribution as names;
use crate::uv::record::{self, Location};

/// Lists the files that are asked for, largest first. `cache` is the cache's root.
pub fn list(cache: &Path, request: &FilesRequest) -> Result<Vec<FileRow>, Error> {
    let mut rows = match request {
        FilesRequest::Entry(key) => entry(&entry_path(cache, key))?,
        FilesRequest::Distribution { environment, dist_info, entry } => {
            let source = entry.as_ref().map(|key| entry_path(cache, key));
            distribution(environment, dist_info, source.as_deref())?
        }
    };
    rows.sort_unstable_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    Ok(rows)
}

fn entry_path(cache: &Path, key: &EntryKey) -> PathBuf {
    cache.join(&*key.bucket).join(&key.id)
}

struct Lister {
    rows: Vec<FileRow>,
    failed: Option<Error>,
}

impl Visitor for Lister {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, _directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        self.rows.push(FileRow {
            path: parent.relative().join(name),
            size: stat.size,
            what: FileFate::Plain,
        });
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        self.failed.get_or_insert(Error::new(operation, path, error));
    }
}

fn entry(path: &Path) -> Result<Vec<FileRow>, Error> {
    let mut lister = Lister { rows: Vec::new(), failed: None };
    walk::walk(path, &Cancel::default(), &mut lister);
    match lister.failed {
        Some(error) if lister.rows.is_empty() => Err(error),
        _ => Ok(lister.rows),
    }
}

fn distribution(environment: &Path, dist_info: &Path, entry: Option<&Path>) -> Result<Vec<FileRow>, Error> {
    let record_path = environment.join(dist_info).join("RECORD");
    let failed = |error| Error::new("read", record_path.clone(), error);
    let bytes = read::small(&record_path, read::RECORD).map_err(failed)?;
    let installed = FileStat::of(&record_path).map_err(failed)?.modified;
    let site = dist_info.parent().unwrap_or(Path::new(""));
    let scripts = installed::scripts(dist_info);
    let parsed = dist_info.file_name().and_then(names::parse_dist_info);
    let expected = match (entry, parsed, dist_info.file_name()) {
        (Some(entry), Some(parsed), Some(name)) => {
            installed::expected(entry, name, site, scripts, &parsed.name)
        }
        _ => Expected::default(),
    };
    let mut rows = Vec::new();
    for row in record::rows(&bytes).flatten() {
        let Some(location) = Location::parse(&row.path) else { continue };
        let Some(base) = site.ancestors().nth(location.ups) else { continue };
        let path = base.join(&location.rest);
        let full = environment.join(&path);
        let Ok(stat) = FileStat::of(&full) else {
            rows.push(FileRow { path, size: 0, what: FileFate::Missing });
            continue;
        };
        let source = expected.get(&path);
        let private = names::is_private_row(&row.path, row.digest.as_ref())
            || row.digest.is_none()
            || source.map_or(path.starts_with(scripts), |item| {
                item.always_copied || item.may_be_rewritten && item.digest != row.digest
            });
        let young = stat.modified > installed;
        let differs = || content::differs(&full, &stat, row.size, row.digest.as_ref().filter(|_| young));
        let (what, size) = match stat.kind {
            FileKind::Symlink => match FileStat::following(&full) {
                Ok(target) => (FileFate::Linked(Mode::Symlink), target.size),
                Err(_) => (FileFate::Dangling, 0),
            },
            _ if private => (FileFate::Private, stat.size),
            _ if differs() && names::is_compiled(&row.path) => (FileFate::Private, stat.size),
            _ if differs() => (FileFate::Modified, stat.size),
            _ => {
                let twin = source.zip(entry).map(|(item, entry)| (entry.join(&item.source), item.digest));
                let same = twin.filter(|(_, digest)| *digest == row.digest);
                (same.map_or(FileFate::Own, |(twin, _)| linked(&full, &stat, &twin)), stat.size)
            }
        };
        rows.push(FileRow { path, size, what });
    }
    Ok(rows)
}

/// How a file that equals an entry's is linked to it.
fn linked(path: &Path, stat: &FileStat, twin: &Path) -> FileFate {
    match FileStat::of(twin) {
        Ok(twin) if (twin.device, twin.inode) == (stat.device, stat.inode) => {
            FileFate::Linked(Mode::Hardlink)
        }
        Ok(other) if other.device == stat.device && shares_extent(path, twin) => {
            FileFate::Linked(Mode::Clone)
        }
        Ok(_) => FileFate::Linked(Mode::Copy),
        Err(_) => FileFate::Own,
    }
}

fn shares_extent(left: &Path, right: &Path) -> bool {
    let first = |path: &Path| -> Option<u64> {
        let extent = *extents(&read::open(path).ok()?).ok()?.first()?;
        (extent.state == ExtentState::Shared).then_some(extent.physical)
    };
    first(left).is_some_and(|physical| first(right) == Some(physical))
}
