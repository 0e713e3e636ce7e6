//! Walks one environment and sorts its files by how they lead into the cache.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::{Against, Ambiguous, Collected, DistInfo, LinkedFile, Loose, Named, Stray, Way};
use crate::disk::walk::{Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, temporary};
use crate::scan::away::Away;
use crate::scan::discover::is_path_file;
use crate::scan::failed::{Failed, is_fault};
use crate::scan::index::{ELSEWHERE, FileId, STORE, TRASHED};
use crate::scan::outside::{self, Lead};
use crate::scan::print;
use crate::scan::share::{self, Map};
use crate::scan::spot::Spots;
use crate::snapshot::{LastUseEvidence, Problem};
use crate::uv::distribution as names;
use crate::uv::link;

/// What the walk of an environment collects, and what it compares with.
pub(super) struct EnvironmentVisitor<'a> {
    pub(super) against: &'a Against<'a>,
    /// The entry this environment is stored as: what lies in it does not use it.
    pub(super) itself: Option<u32>,
    /// Other environments in this one, relative to it.
    pub(super) nested: &'a [PathBuf],
    pub(super) collected: Collected,
    pub(super) device: Option<u64>,
    /// A `--target` or `--prefix` directory.
    pub(super) target: bool,
    /// Where only directories are looked at, and what may be one in disguise: the packages, which are left to others.
    pub(super) outline: Option<Vec<PathBuf>>,
    /// Of the directory that is walked.
    pub(super) spots: Spots,
    pub(super) seen: rustc_hash::FxHashSet<(u64, u64)>,
    pub(super) away: Away,
}

impl EnvironmentVisitor<'_> {
    /// Attributes a file to the entry its inode lies in, or remembers that several come into question.
    fn found(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat, id: FileId, way: Way) {
        let only = match self.itself {
            None => self.against.table.only_place(id),
            Some(itself) => {
                let mut others = self.against.table.places(id).filter(|place| *place != itself);
                match (others.next(), others.next()) {
                    (Some(place), None) => Some(place),
                    (None, _) => return,
                    _ => None,
                }
            }
        };
        let spot = self.against.table.spots(id).find(|(place, _)| Some(*place) == only);
        let named = Named::of(self.spots.file(name), spot.map(|(_, spot)| spot).unwrap_or_default());
        match (only, way) {
            (Some(ELSEWHERE | STORE | TRASHED), _) => {}
            (Some(entry), Way::Hardlink) => {
                self.collected.tallies.entry(entry).or_default().hardlink(stat.disk, named);
            }
            (Some(entry), Way::Symlink) => {
                let target = self.against.table.record(id).disk();
                self.collected.tallies.entry(entry).or_default().symlink(target, stat, named);
            }
            // A reflink may have been written to since, so that it has to be looked at by name as well.
            (Some(_), Way::Clone) | (None, _) => {
                let path = parent.relative().join(name).into_os_string().into_encoded_bytes();
                self.collected.ambiguous.insert(path, Ambiguous { id, way, stat: *stat });
            }
        }
    }

    fn symlink(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let target = parent.following(name);
        if let Ok(target) = &target {
            if target.kind == FileKind::File
                && let Some(id) = self.against.table.find(target.device, target.inode)
            {
                return self.symlink_into(parent, name, stat, id);
            }
            if target.kind == FileKind::Directory {
                return self.linked_directory(parent, name);
            }
        }
        if let Err(error) = &target
            && is_fault(error)
        {
            let path = parent.path().join(name);
            self.collected.failed.extend(Failed::of(&path, "find where it leads", error));
            self.collected.problems.push(crate::scan::problem(path, "find where it leads", error));
        }
        let text = match parent.read_link(name) {
            Ok(text) => text,
            // A directory may have come back into its place, whose content was then not looked at.
            Err(error) => return self.failed(parent.path().join(name), "read the link", error),
        };
        if link::archive_target(&text).is_some() {
            let dangling = target.is_err();
            self.collected.dangling += u64::from(dangling);
            if dangling {
                // Of a `.dist-info` that leads nowhere the name is left, and that it is broken.
                self.listed(parent, name);
            }
            let path = parent.relative().join(name).into_os_string().into_encoded_bytes();
            self.collected.strays.insert(path, Stray { text, dangling });
        }
    }

    /// A symlink names its entry, even where the inode lies in several.
    fn symlink_into(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat, id: FileId) {
        if self.against.table.only_place(id).is_none()
            && let Ok(text) = parent.read_link(name)
            && let Some(path) = link::archive_target(&text)
            && let Some(entry) = self.against.by_id.at(&path)
            && self.against.table.places(id).any(|place| place == entry)
        {
            let target = self.against.table.record(id).disk();
            let directory = path.rest.parent().unwrap_or(Path::new(""));
            let expected = path.rest.file_name().map(|name| Spots::of_entry(directory).file(name));
            let named = Named::of(self.spots.file(name), expected.unwrap_or_default());
            self.collected.tallies.entry(entry).or_default().symlink(target, stat, named);
            let path = parent.relative().join(name).into_os_string().into_encoded_bytes();
            self.collected.named.insert(path, entry);
            return;
        }
        self.found(parent, name, stat, id, Way::Symlink);
    }

    /// A directory that is a symlink into an entry holds that entry as a whole.
    fn linked_directory(&mut self, parent: &Directory<'_>, name: &OsStr) {
        let path = parent.path().join(name);
        let real = match crate::disk::canonical(&path) {
            Ok(real) => real,
            Err(error) => return self.failed(path, "find where it leads", error),
        };
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => {}
            Ok(_) => {
                return self.failed(path, "look at", io::Error::other("it changed while it was looked at"));
            }
            Err(error) => return self.failed(path, "look at", error),
        }
        let entries = self.against.entries();
        let named = || parent.read_link(name).ok().and_then(|text| entries.named(&text));
        if let Some(entry) = entries.of_directory(&real).or_else(named) {
            if Some(entry) != self.itself {
                self.directory_of(parent, name, entry);
            }
        } else if !real.starts_with(self.against.cache) {
            self.outside(parent, name, real);
        }
    }

    /// Whether distributions lie in a directory.
    fn is_site(&self, directory: &Directory<'_>) -> bool {
        self.target || is_site_packages(directory.relative())
    }

    /// Takes note of a directory that is a symlink into an entry.
    fn directory_of(&mut self, parent: &Directory<'_>, name: &OsStr, entry: u32) {
        self.listed(parent, name);
        self.collected.directories.push((parent.relative().join(name), entry));
    }

    /// Takes note of a directory that is a distribution's `.dist-info`.
    fn listed(&mut self, parent: &Directory<'_>, name: &OsStr) {
        if self.is_site(parent)
            && let Some(parsed) = names::parse_dist_info(name)
        {
            self.collected.dist_infos.push(DistInfo { path: parent.relative().join(name), name: parsed });
        }
    }

    /// A directory that is a symlink to somewhere else may have symlinks into entries in it. A directory of distributions
    /// is not followed: then it is not known what the environment uses. `lib64`, which leads to `lib`, is no such thing.
    fn outside(&mut self, parent: &Directory<'_>, name: &OsStr, real: PathBuf) {
        let depth = parent.depth();
        let holds_distributions = name == "site-packages"
            || depth == 0 && (name == "lib" || name == "Lib" || name == "lib64")
            || depth == 1 && name.as_encoded_bytes().starts_with(b"python");
        // In an outline nothing is looked up, so that nothing is to be followed.
        if !holds_distributions && self.outline.is_some() {
            return;
        }
        let above = match crate::disk::canonical(&parent.path()) {
            Ok(above) => above,
            Err(error) => return self.failed(parent.path(), "find where it is", error),
        };
        let within = above.ancestors().nth(depth).is_some_and(|root| real.starts_with(root));
        // One that leads to a directory around the environment leads to nothing of its own.
        let around = above.starts_with(&real);
        if within || around && !holds_distributions {
            return;
        }
        self.listed(parent, name);
        self.collected.needs.push(real.clone());
        if holds_distributions {
            self.collected.unread = true;
            self.collected.blind = true;
            self.collected.problems.push(Problem {
                path: parent.path().join(name),
                message: format!(
                    "This is a symlink to `{}`, which was not followed",
                    crate::human::escape_os(real.as_os_str())
                ),
            });
        } else {
            let followed = outside::follow(real, self.against.entries(), self.against.cancel);
            self.collected.indirect.extend(followed.entries);
            for (path, operation, error) in followed.unread {
                self.failed(path, operation, error);
            }
        }
    }

    /// Takes note of what shows that the environment was used: a module that Python compiled, a script, its `pyvenv.cfg`. A file of
    /// the cache's own has the time at which it was unpacked.
    fn used(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if stat.links > 1 || self.collected.used.is_some_and(|(time, _)| stat.modified <= time) {
            return;
        }
        let directory = parent.relative();
        let evidence = if directory.as_os_str().is_empty() && name == "pyvenv.cfg" {
            LastUseEvidence::Made
        } else if directory == Path::new("bin") || directory == Path::new("Scripts") {
            LastUseEvidence::Script
        } else if name.as_encoded_bytes().ends_with(b".pyc") && directory.ends_with("__pycache__") {
            LastUseEvidence::Compiled
        } else {
            return;
        };
        self.collected.used = Some((stat.modified, evidence));
    }

    /// What a path file names is on Python's search path.
    fn path_file(&mut self, parent: &Directory<'_>, name: &OsStr) {
        if self.outline.is_some() || !is_path_file(name) || !self.is_site(parent) {
            return;
        }
        match Lead::path_file(parent, name) {
            Ok(leads) => leads.iter().for_each(|lead| self.on_path(parent, lead)),
            Err(error) => self.failed(parent.path().join(name), "read the file", error),
        }
    }

    /// Takes note of what a line of a path file names: an entry, or a directory that may have links into entries.
    fn on_path(&mut self, parent: &Directory<'_>, lead: &Lead) {
        let entries = self.against.entries();
        let found = entries.behind(lead);
        if !found.is_empty() {
            return self.collected.indirect.extend(found);
        }
        let Ok(Some(real)) = lead.directory() else { return };
        self.collected.needs.push(real.clone());
        let above = crate::disk::canonical(&parent.path()).ok();
        let root = above.as_ref().and_then(|above| above.ancestors().nth(parent.depth()));
        if real.starts_with(self.against.cache) || root.is_none_or(|root| real.starts_with(root)) {
            return;
        }
        let followed = outside::on_path(real, entries, self.against.cancel);
        self.collected.indirect.extend(followed.entries);
        for (path, operation, error) in followed.unread {
            self.failed(path, operation, error);
        }
    }

    fn regular(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if let Some(id) = self.against.table.find(stat.device, stat.inode)
            && self.is_elsewhere(id)
        {
            self.collected.links.push(id);
            return self.found(parent, name, stat, id, Way::Hardlink);
        }
        let mut map = None;
        if self.against.reflinks && stat.size > 0 {
            let answer = share::note(&mut self.collected.shared, stat, parent.open(name));
            if let Map::Shared(physical) = answer
                && let Some(id) = self.clone_of(stat, physical)
            {
                self.count_own(stat);
                return self.found(parent, name, stat, id, Way::Clone);
            }
            map = Some(answer);
        }
        self.count_own(stat);
        let path = parent.relative().join(name).into_os_string().into_encoded_bytes();
        self.collected.loose.insert(path, Loose { stat: *stat, map });
    }

    /// What a run has left that was killed: a link of it is known, and is no file of a distribution.
    fn left(&mut self, stat: &FileStat) {
        match self.against.table.find(stat.device, stat.inode).filter(|id| self.is_elsewhere(*id)) {
            Some(id) => self.collected.links.push(id),
            None => self.count_own(stat),
        }
    }

    /// The file of the cache that shares its first extent and its size with this one.
    fn clone_of(&self, stat: &FileStat, physical: u64) -> Option<FileId> {
        let table = self.against.table;
        let inodes = self.against.sharing.inodes(stat.device, physical).iter();
        inodes
            .filter_map(|inode| table.find(stat.device, *inode))
            .find(|id| table.record(*id).size == stat.size && self.is_elsewhere(*id))
    }

    /// Whether an inode of the cache lies anywhere but in the environment itself, should it be stored as an entry.
    fn is_elsewhere(&self, id: FileId) -> bool {
        self.against.table.places(id).any(|place| Some(place) != self.itself)
    }

    fn count_own(&mut self, stat: &FileStat) {
        if stat.links > 1 {
            self.collected.linked.push(LinkedFile {
                device: stat.device,
                inode: stat.inode,
                size: stat.size,
                disk: stat.disk,
                links: stat.links,
            });
        } else {
            self.collected.own.inodes += 1;
            self.collected.own.logical += stat.size;
            self.collected.own.disk += stat.disk;
        }
    }
}

impl Visitor for EnvironmentVisitor<'_> {
    fn directory(&mut self, parent: &Directory<'_>, name: &OsStr) -> Descend {
        let nested = !self.nested.is_empty() && self.nested.contains(&parent.relative().join(name));
        // What a run has left that was killed is not installed.
        if nested || temporary::is_temporary(name) {
            return Descend::No;
        }
        self.listed(parent, name);
        match &mut self.outline {
            Some(packages) if is_site_packages(parent.relative()) && !is_site_packages(Path::new(name)) => {
                packages.push(parent.relative().join(name));
                Descend::No
            }
            _ => Descend::Yes,
        }
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        // The cache may be seen in here through a mount of its own.
        if self.against.cache_itself == Some((stat.device, stat.inode)) {
            return Descend::No;
        }
        if *self.device.get_or_insert(stat.device) != stat.device {
            self.collected.unread = true;
            self.collected.blind = true;
            self.collected.problems.push(Problem {
                path: directory.path(),
                message: "Another filesystem is mounted here; it was not entered".to_owned(),
            });
            return Descend::No;
        }
        self.spots = Spots::installed(directory.relative(), self.target);
        self.collected.own.disk += stat.disk;
        self.collected.disk += stat.disk;
        print::directory(&mut self.collected.print, directory.relative(), stat);
        print::content_directory(&mut self.collected.content, directory.relative(), stat);
        let is_top = directory.relative().as_os_str().is_empty();
        if is_site_packages(directory.relative()) || self.target && is_top {
            self.collected.sites.push((directory.relative().to_owned(), print::of(stat)));
        }
        Descend::Yes
    }

    fn skips(&self, name: &OsStr, _is_symlink: bool) -> bool {
        self.outline.is_some() && !may_hold_distributions(name) && names::parse_dist_info(name).is_none()
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        if self.outline.is_some() && names::parse_dist_info(name).is_some() {
            // What is listed behind it would have to be looked for in the cache.
            self.collected.unread = true;
            return;
        }
        self.collected.files += 1;
        self.away.add(stat);
        print::file(&mut self.collected.print, stat);
        print::content_file(&mut self.collected.content, parent.relative(), name, stat);
        if stat.links < 2 || self.seen.insert((stat.device, stat.inode)) {
            self.collected.disk += stat.disk;
        }
        match stat.kind {
            FileKind::File => {
                self.collected.logical += stat.size;
                self.used(parent, name, stat);
                if is_left(name) {
                    self.left(stat);
                } else {
                    self.regular(parent, name, stat);
                    self.path_file(parent, name);
                }
            }
            FileKind::Symlink => {
                self.collected.own.disk += stat.disk;
                self.collected.own.inodes += 1;
                if !is_left(name) {
                    self.symlink(parent, name, stat);
                    self.path_file(parent, name);
                }
            }
            FileKind::Other => {
                self.count_own(stat);
                self.collected.problems.push(crate::scan::odd(parent.path().join(name)));
            }
            FileKind::Directory => {}
        }
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        // Wherever it lies, there may be symlinks into any entry.
        self.collected.unread = true;
        self.collected.blind = true;
        self.collected.failed.extend(Failed::of(&path, operation, &error));
        self.collected.problems.push(crate::scan::problem(path, operation, &error));
    }
}

/// Whether a file is what a run that was killed has left: one of cachetui, or one of uv, which since 0.13.9 makes the file
/// that replaces another beside it.
fn is_left(name: &OsStr) -> bool {
    temporary::is_temporary(name) || temporary::is_of_uv(name)
}

/// Whether a directory, relative to an environment, holds its distributions.
pub(in crate::scan) fn is_site_packages(relative: &Path) -> bool {
    relative.file_name().is_some_and(|name| name == "site-packages" || name == "dist-packages")
}

/// Whether distributions may be kept in or below a directory of this name.
fn may_hold_distributions(name: &OsStr) -> bool {
    is_site_packages(Path::new(name))
        || ["lib", "Lib", "lib64"].iter().any(|it| name == *it)
        || name.as_encoded_bytes().starts_with(b"python")
}
