//! Lists the files of one entry or one distribution, read from disk at the moment somebody asks.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::content;
use super::installed::{self, Class, Layout, Origin, Sources};
use crate::control::Cancel;
use crate::disk::extent::{ExtentState, extents};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{Error, FileKind, FileStat, read};
use crate::snapshot::{EntryKey, FileFate, FileRow, FilesRequest, Mode};
use crate::uv::distribution as names;
use crate::uv::installed::Stated;

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
    let mut listing = installed::listing(environment, dist_info).map_err(failed)?;
    let installed = FileStat::of(&record_path).map_err(failed)?.modified;
    let layout = Layout::of(environment, dist_info);
    let parsed = dist_info.file_name().and_then(names::parse_dist_info);
    let sources = match (entry, parsed, dist_info.file_name()) {
        (Some(entry), Some(parsed), Some(name)) => installed::sources(entry, name, layout, &parsed.name),
        _ => Sources::default(),
    };
    listing.attach(layout, &sources);
    let is_wheel = listing.is_of(&sources);
    let origin = entry.map(|path| Origin { path, sources: &sources, is_wheel });
    let mut rows = Vec::new();
    for file in listing.files {
        let path = file.path.clone();
        let full = environment.join(&path);
        let Ok(stat) = FileStat::of(&full) else {
            if !file.is_needed() || origin.as_ref().is_some_and(|origin| origin.lacks(&file)) {
                continue;
            }
            rows.push(FileRow { path, size: 0, what: FileFate::Missing });
            continue;
        };
        let private = file.is_private() || file.row.digest.is_none();
        let young = stat.modified > installed;
        let row = Stated { digest: file.row.digest.filter(|_| young), ..file.row };
        let differs = || content::differs(&full, &stat, row);
        let (what, size) = match stat.kind {
            FileKind::Symlink => match FileStat::following(&full) {
                Ok(target) => (FileFate::Linked(Mode::Symlink), target.size),
                Err(_) => (FileFate::Dangling, 0),
            },
            _ if private => (FileFate::Private, stat.size),
            _ if differs() && file.class == Class::Compiled => (FileFate::Private, stat.size),
            _ if differs() => (FileFate::Modified, stat.size),
            _ if file.class == Class::Generated => (FileFate::Private, stat.size),
            _ => {
                let twin = file.same_source().zip(entry).map(|(source, entry)| entry.join(&source.path));
                (twin.map_or(FileFate::Own, |twin| linked(&full, &stat, &twin)), stat.size)
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
