//! Lists the files of one entry or one distribution, read from disk at the moment somebody asks.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::content;
use super::installed::{self, Claim, Class, InstalledFile, Layout, Listing, Origin, Several, Sources};
use crate::control::Cancel;
use crate::disk::extent::{ExtentState, extents};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{Error, FileKind, FileStat, Time, read};
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
    cache.join(key.path())
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
    let (root, at) = (environment, Some(installed));
    let origin = entry.map(|path| Origin { root, installed: at, path, sources: &sources, is_wheel });
    let fate = Fate { environment, dist_info, origin, installed, beside: OnceCell::new() };
    Ok(listing.files.iter().filter_map(|file| fate.of(file)).collect())
}

/// What tells what became of a file.
struct Fate<'a> {
    environment: &'a Path,
    dist_info: &'a Path,
    /// The entry that it came from.
    origin: Option<Origin<'a>>,
    /// When the distribution was installed: what is younger may have been changed.
    installed: Time,
    /// The distributions beside it, where that had to be known.
    beside: OnceCell<Beside>,
}

impl Fate<'_> {
    /// The row of a file; none of one that is not there and need not be. What is damaged is so in one distribution alone.
    fn of(&self, file: &InstalledFile) -> Option<FileRow> {
        let row = self.alone(file)?;
        match row.what {
            FileFate::Missing | FileFate::Dangling if !self.is_owner(file) => None,
            FileFate::Modified if !self.is_owner(file) => Some(FileRow { what: FileFate::Own, ..row }),
            _ => Some(row),
        }
    }

    /// The row of a file as if no other distribution listed it.
    fn alone(&self, file: &InstalledFile) -> Option<FileRow> {
        let path = file.path.clone();
        let full = self.environment.join(&path);
        let row = |what, size| Some(FileRow { path: path.clone(), size, what });
        let Ok(stat) = FileStat::of(&full) else {
            let lacked = self.origin.as_ref().is_some_and(|origin| origin.lacks(file));
            return if file.is_needed() && !lacked { row(FileFate::Missing, 0) } else { None };
        };
        let is_symlink = stat.kind == FileKind::Symlink;
        let stat = if is_symlink { FileStat::following(&full).ok() } else { Some(stat) };
        let Some(stat) = stat else {
            let is_damage = installed::broken_link(&full).is_none_or(|link| link.names_cache());
            let what = if is_damage && !file.is_private() { FileFate::Dangling } else { FileFate::Own };
            return row(what, 0);
        };
        let size = stat.size;
        if file.is_private() || content::agrees_without_digest(&stat, file.row) {
            return row(FileFate::Private, size);
        }
        if stat.kind != FileKind::File {
            // Python writes bytecode again, wherever it can.
            let is_damage = file.class != Class::Compiled;
            return row(if is_damage { FileFate::Modified } else { FileFate::Private }, 0);
        }
        let own = || row(if is_symlink { FileFate::Linked(Mode::Symlink) } else { FileFate::Own }, size);
        match self.differs(file, &full, &stat, is_symlink) {
            true if file.class == Class::Compiled => row(FileFate::Private, size),
            true if self.is_of_another(file, &full) => own(),
            true => row(FileFate::Modified, size),
            false if is_symlink => own(),
            false if file.class == Class::Generated => row(FileFate::Private, size),
            false => match file.same_source().zip(self.origin.as_ref()) {
                Some((source, origin)) => row(linked(&full, &stat, &origin.path.join(&source.path)), size),
                None => own(),
            },
        }
    }

    /// Whether the content is not what the row says. What is as long as that is hashed only where it is younger than the
    /// installation, or is not the entry's file although it is a link.
    fn differs(&self, file: &InstalledFile, full: &Path, stat: &FileStat, is_symlink: bool) -> bool {
        let is_young = stat.modified > self.installed;
        let is_known = || {
            let source = file.same_source().zip(self.origin.as_ref());
            source.is_some_and(|(source, origin)| {
                let twin = FileStat::of(&origin.path.join(&source.path));
                twin.is_ok_and(|twin| (twin.device, twin.inode) == (stat.device, stat.inode))
            })
        };
        let is_doubtful = is_young || (is_symlink || stat.links > 1) && !is_known();
        let row = Stated { digest: file.row.digest.filter(|_| is_doubtful), ..file.row };
        let path = if is_symlink { crate::disk::canonical(full).ok() } else { None };
        content::differs(path.as_deref().unwrap_or(full), stat, row)
    }

    /// Whether another distribution lists a file with the digest that it has.
    fn is_of_another(&self, file: &InstalledFile, full: &Path) -> bool {
        let beside = self.beside();
        if !beside.several.has(&file.path) {
            return false;
        }
        let path = crate::disk::canonical(full).unwrap_or_else(|_| full.to_owned());
        let digest = FileStat::of(&path).and_then(|stat| read::sha256(&read::open(&path)?, stat.size));
        digest.is_ok_and(|digest| beside.several.another_states(&file.path, beside.own, &digest))
    }

    /// Whether a damaged file is this distribution's, where several list it.
    fn is_owner(&self, file: &InstalledFile) -> bool {
        let beside = self.beside();
        if !beside.several.has(&file.path) {
            return true;
        }
        let named = installed::broken_link(&self.environment.join(&file.path)).and_then(|link| link.entry());
        let listed = beside.listings.iter().enumerate().filter_map(|(position, (listing, installed))| {
            let own = listing.files.iter().find(|it| it.path == file.path)?;
            let is_linked = named.is_some() && self.most_named(listing) == named;
            let claim = Claim { position, is_linked, installed: *installed };
            (own.is_needed() || own.is_comparable()).then_some(claim)
        });
        installed::owner(listed).is_none_or(|owner| owner == beside.own)
    }

    /// The entry that most broken links of a distribution name.
    fn most_named(&self, listing: &Listing) -> Option<(OsString, OsString)> {
        let links = listing.files.iter().filter_map(|file| {
            installed::broken_link(&self.environment.join(&file.path)).and_then(|link| link.entry())
        });
        installed::most(links)
    }

    /// The distributions beside this one, read once and only where that has to be known.
    fn beside(&self) -> &Beside {
        self.beside.get_or_init(|| {
            let site = Layout::of(self.environment, self.dist_info).site();
            let items = std::fs::read_dir(self.environment.join(site)).into_iter().flatten().flatten();
            let mut paths: Vec<(String, PathBuf)> = items
                .filter_map(|item| {
                    let name = names::parse_dist_info(&item.file_name())?.name;
                    Some((names::normalize(&name), site.join(item.file_name())))
                })
                .collect();
            // As the scan orders them.
            paths.sort_unstable();
            let own = paths.iter().position(|(_, path)| path == self.dist_info).unwrap_or(paths.len());
            let read = |(_, path): (String, PathBuf)| {
                let record = FileStat::of(&self.environment.join(&path).join("RECORD"));
                let listing = installed::listing(self.environment, &path).unwrap_or_default();
                (listing, record.ok().map(|record| record.modified))
            };
            let listings: Vec<(Listing, Option<Time>)> = paths.into_iter().map(read).collect();
            let all = listings.iter().enumerate().map(|(position, (listing, _))| (position, listing));
            Beside { several: Several::of(all, |_| true), own, listings }
        })
    }
}

/// The distributions of one directory.
struct Beside {
    /// What each lists, and when it was installed.
    listings: Vec<(Listing, Option<Time>)>,
    /// Which of them the files are asked of.
    own: usize,
    /// The files that several list.
    several: Several,
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
