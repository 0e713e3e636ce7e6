//! What leads into entries from outside of environments: symlinks that a search meets, the lines of path files, and the
//! symlinks in a directory that an environment only links to.
//!
//! A user need not be an environment. Whatever reads through such a link breaks when the entry goes.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::candidates::ById;
use super::discover::{KERNEL, is_path_file};
use super::failed::is_fault;
use super::index::FileTable;
use crate::control::Cancel;
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{self, FileKind, FileStat};
use crate::snapshot::{EntryIndex, UserLink, UserLinkForm};
use crate::uv::distribution::parse_dist_info;
use crate::uv::link;
use crate::uv::path_file;

/// The most directories that are looked into behind one symlink; what has more counts as not read.
const FOLLOWED: u64 = 10_000;

/// A symlink or a path that may lead into an entry, before it is known whether it does.
#[derive(Clone, Debug)]
pub(super) struct Lead {
    /// Where the symlink or the path file lies.
    pub(super) path: PathBuf,
    pub(super) form: UserLinkForm,
    /// What it says, made absolute in the case of a path file.
    text: PathBuf,
    /// What is there, symlinks followed.
    target: Option<FileStat>,
}

impl Lead {
    /// Reads the symlink `name`.
    pub(super) fn symlink(parent: &Directory<'_>, name: &OsStr) -> io::Result<Self> {
        let text = parent.read_link(name)?;
        let target = match parent.following(name) {
            Ok(target) => Some(target),
            Err(error) if is_fault(&error) => return Err(error),
            Err(_) => None,
        };
        Ok(Self { path: parent.path().join(name), form: UserLinkForm::Symlink, text, target })
    }

    /// Reads a link of which it is known where it lies. An error that nothing is there says that it is no such link now.
    pub(super) fn at(path: &Path, form: UserLinkForm) -> io::Result<Vec<Self>> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
        let held = walk::Held::open(disk::canonical(above)?)?;
        let directory = held.directory();
        let kind = directory.stat(name)?.kind;
        match form {
            UserLinkForm::PathFile => Self::path_file(&directory, name),
            _ if kind == FileKind::Symlink => Self::symlink(&directory, name).map(|lead| vec![lead]),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads a path file, which may be a symlink to one; what else it leads to names nothing.
    pub(super) fn path_file(parent: &Directory<'_>, name: &OsStr) -> io::Result<Vec<Self>> {
        let directory = parent.path();
        let target = match parent.following(name) {
            Err(error) if is_fault(&error) => return Err(error),
            target => target.ok(),
        };
        if target.is_none_or(|target| target.kind != FileKind::File) {
            return Ok(Vec::new());
        }
        let bytes = disk::read::small(&disk::canonical(&directory.join(name))?, path_file::LONGEST_FILE)?;
        let lead = |named: PathBuf| {
            let text = directory.join(named);
            let target = FileStat::following(&text).ok();
            Self { path: directory.join(name), form: UserLinkForm::PathFile, text, target }
        };
        Ok(path_file::paths(&bytes).into_iter().map(lead).collect())
    }

    /// Whether it names an entry, of whatever cache, and leads to nothing.
    pub(super) fn is_dead(&self) -> bool {
        self.target.is_none() && link::archive_target(&self.text).is_some()
    }

    /// The directory it leads to, if it is one.
    pub(super) fn directory(&self) -> io::Result<Option<PathBuf>> {
        let is_one = self.target.is_some_and(|target| target.kind == FileKind::Directory);
        let place = match self.form {
            UserLinkForm::Symlink | UserLinkForm::Mount => &self.path,
            UserLinkForm::PathFile => &self.text,
        };
        if is_one { disk::canonical(place).map(Some) } else { Ok(None) }
    }
}

/// Entries by everything that a link may lead to them by.
#[derive(Clone, Copy)]
pub(super) struct Entries<'a> {
    pub(super) table: &'a FileTable,
    pub(super) by_id: &'a ById,
    /// The cache's root, every symlink resolved.
    pub(super) cache: &'a Path,
    /// Entries by device and inode of their directory.
    pub(super) directories: &'a FxHashMap<(u64, u64), u32>,
}

impl Entries<'_> {
    /// The entries that something leads into. What leads nowhere counts by the entry's id alone: it may name the cache by
    /// the path that a container knows.
    pub(super) fn behind(&self, lead: &Lead) -> Vec<u32> {
        match lead.target {
            Some(target) if target.kind == FileKind::Directory => {
                let real = lead.directory().ok().flatten();
                let found = real.and_then(|real| self.of_directory(&real));
                found.or_else(|| self.named(&lead.text)).into_iter().collect()
            }
            Some(target) => {
                let Some(id) = self.table.find(target.device, target.inode) else {
                    return self.named(&lead.text).into_iter().collect();
                };
                let mut places: Vec<u32> =
                    self.table.places(id).filter(|place| self.by_id.has(*place)).collect();
                places.sort_unstable();
                places.dedup();
                places
            }
            None => {
                let named = link::archive_target(&lead.text);
                named.and_then(|target| self.by_id.at(&target)).into_iter().collect()
            }
        }
    }

    /// The entry of this cache that the text of a symlink names by the cache's own path. It uses that entry whatever was
    /// found behind it: the cache may have changed since it was read, or in that moment.
    pub(super) fn named(&self, text: &Path) -> Option<u32> {
        let target = link::archive_target(text)?;
        if self.is_own(&target.prefix) { self.by_id.at(&target) } else { None }
    }

    /// Whether what a link names before the bucket is this cache.
    pub(super) fn is_own(&self, prefix: &Path) -> bool {
        prefix == self.cache || disk::canonical(prefix).is_ok_and(|prefix| prefix == self.cache)
    }

    /// The entry that a directory, every symlink resolved, is or lies in: by its path, or, where the cache is seen through
    /// another mount, by what the directory of the entry is.
    pub(super) fn of_directory(&self, real: &Path) -> Option<u32> {
        if let Ok(inside) = real.strip_prefix(self.cache) {
            return self.by_id.at(&link::archive_target(inside)?);
        }
        let target = link::archive_target(real)?;
        let entry = target.prefix.join(&target.bucket).join(&target.id);
        let stat = FileStat::of(&entry).ok()?;
        self.directories.get(&(stat.device, stat.inode)).copied()
    }

    /// What a search has met that leads into entries. What lies in one of `environments` was read with it, and the symlinks of
    /// `beside`, which lie beside one, are those of its distributions.
    pub(super) fn links(
        &self,
        leads: &[Lead],
        environments: &FxHashSet<&Path>,
        beside: &FxHashSet<&Path>,
    ) -> Vec<UserLink> {
        let is_installed = |lead: &Lead| {
            let (Some(above), Some(name)) = (lead.path.parent(), lead.path.file_name()) else { return false };
            lead.form == UserLinkForm::Symlink
                && !beside.is_empty()
                && disk::canonical(above).is_ok_and(|above| beside.contains(&*above.join(name)))
        };
        let mut links = Vec::new();
        for lead in leads {
            if lead.path.ancestors().skip(1).any(|above| environments.contains(above)) || is_installed(lead) {
                continue;
            }
            links.extend(self.behind(lead).into_iter().map(|entry| UserLink {
                entry: EntryIndex::new(entry as usize),
                path: lead.path.clone(),
                form: lead.form,
            }));
        }
        links.sort_unstable();
        links.dedup();
        links
    }
}

/// The most names of one directory that are looked at where it is not walked.
const NAMES: usize = 1_000;

/// The symlinks and path files in a directory, but not below it. What cannot be read is none.
pub(super) fn beside(directory: &Path) -> Vec<Lead> {
    let items = std::fs::read_dir(directory).into_iter().flatten().flatten().take(NAMES);
    let lead = |item: std::fs::DirEntry| {
        let kind = item.file_type().ok()?;
        let form = if is_path_file(&item.file_name()) {
            UserLinkForm::PathFile
        } else if kind.is_symlink() {
            UserLinkForm::Symlink
        } else {
            return None;
        };
        Lead::at(&item.path(), form).ok()
    };
    items.filter_map(lead).flatten().collect()
}

/// What lies in a directory on Python's search path that leads into entries: symlinks and path files in it, and below it
/// where distributions were linked into it, as `--target` does. A project's own sources are not walked.
pub(super) fn on_path(directory: PathBuf, entries: Entries<'_>, cancel: &Cancel) -> Followed {
    let mut items = std::fs::read_dir(&directory).into_iter().flatten().flatten().take(NAMES);
    if items.any(|item| parse_dist_info(&item.file_name()).is_some()) {
        return follow(directory, entries, cancel);
    }
    let found = beside(&directory).iter().flat_map(|lead| entries.behind(lead)).collect();
    Followed { entries: found, unread: Vec::new() }
}

/// What lies behind a symlink to a directory that is neither the cache's nor the environment's own.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// The entries that symlinks there lead into, with repetition.
    pub(super) entries: Vec<u32>,
    /// What could not be read there: where, what was tried, and why not.
    pub(super) unread: Vec<(PathBuf, &'static str, io::Error)>,
}

/// Looks for symlinks into entries below a directory, also behind symlinks to further directories.
pub(super) fn follow(start: PathBuf, entries: Entries<'_>, cancel: &Cancel) -> Followed {
    let mut visitor =
        Follower { entries, followed: Followed::default(), next: vec![start], directories: 0, device: None };
    let mut seen = FxHashSet::default();
    while let Some(directory) = visitor.next.pop() {
        if cancel.is_cancelled() || KERNEL.iter().any(|kernel| directory.starts_with(kernel)) {
            continue;
        }
        let around = seen.iter().any(|one: &PathBuf| one.starts_with(&directory));
        if !around && seen.insert(directory.clone()) {
            visitor.device = None;
            walk::walk(&directory, cancel, &mut visitor);
        }
    }
    visitor.followed
}

struct Follower<'a> {
    entries: Entries<'a>,
    followed: Followed,
    next: Vec<PathBuf>,
    directories: u64,
    device: Option<u64>,
}

impl Visitor for Follower<'_> {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        if self.directories > FOLLOWED { Descend::No } else { Descend::Yes }
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        self.directories += 1;
        if self.directories > FOLLOWED {
            let error = io::Error::other(format!("it has more than {FOLLOWED} directories"));
            self.failed(directory.path(), "look at everything behind a symlink", error);
            return Descend::No;
        }
        if *self.device.get_or_insert(stat.device) != stat.device {
            let error = io::Error::other("another filesystem is mounted here");
            self.failed(directory.path(), "enter the directory", error);
            return Descend::No;
        }
        Descend::Yes
    }

    fn skips(&self, _name: &OsStr, is_symlink: bool) -> bool {
        !is_symlink
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if stat.kind != FileKind::Symlink {
            return;
        }
        let further = Lead::symlink(parent, name).and_then(|lead| {
            let found = self.entries.behind(&lead);
            let further = if found.is_empty() { lead.directory()? } else { None };
            self.followed.entries.extend(found);
            Ok(further)
        });
        match further {
            Ok(further) => self.next.extend(further),
            Err(error) => self.failed(parent.path().join(name), "find where it leads", error),
        }
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.followed.unread.push((path, operation, error));
        }
    }
}
