//! Reads one entry: its files into the index, its names and times into [`Facts`].

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::super::away::Away;
use super::super::failed::Failed;
use super::super::index::{ByShard, FileRecord, Place, Records};
use super::super::installed;
use super::super::print;
use super::super::share::{self, SharedExtent};
use super::super::spot::Spots;
use crate::control::{Cancel, Progress};
use crate::disk::walk::{self, Descend, Directory, Visitor};
use crate::disk::{FileKind, FileStat, Time};
use crate::snapshot::{Problem, TreePrint};

/// What is known of one entry after its tree was walked.
#[derive(Debug, Default)]
pub(in crate::scan) struct Facts {
    /// The `.dist-info` directory at its top; the first one where there are several.
    pub(in crate::scan) dist_info: Option<OsString>,
    /// Whether `pyvenv.cfg` lies at its top.
    pub(in crate::scan) environment: bool,
    /// Everything but directories.
    pub(in crate::scan) files: u64,
    pub(in crate::scan) logical: u64,
    /// Allocated bytes, an inode with several names in the entry counted for each.
    pub(in crate::scan) disk: u64,
    /// Allocated bytes of directories.
    pub(in crate::scan) directories: u64,
    /// Files that uv links into environments: all but those of the `.dist-info` it writes anew.
    pub(in crate::scan) linkable: u64,
    /// Files under `*.data/scripts`, which uv may rewrite and copy.
    pub(in crate::scan) scripts: u64,
    pub(in crate::scan) oldest: Option<Time>,
    /// The newest modification time of a file other than `RECORD`.
    pub(in crate::scan) newest_content: Time,
    /// The newest modification time of a directory.
    pub(in crate::scan) newest_directory: Time,
    /// The newest of all modification and change times.
    pub(in crate::scan) newest: Time,
    /// The newest change time of a file.
    pub(in crate::scan) changed: Time,
    /// What identifies it.
    pub(in crate::scan) print: TreePrint,
    /// The users its files belong to.
    pub(in crate::scan) owners: Owners,
    /// The modification time of `RECORD`.
    pub(in crate::scan) record: Option<Time>,
    /// Whether `entry_points.txt` lies in the `.dist-info`: uv generates scripts for it.
    pub(in crate::scan) entry_points: bool,
    /// Whether something in it could not be read.
    pub(in crate::scan) unread: bool,
    /// Files whose content is not what `RECORD` says, relative to the entry.
    pub(in crate::scan) modified: Vec<PathBuf>,
}

struct EntryVisitor<'a> {
    facts: &'a mut Facts,
    problems: &'a mut Vec<Problem>,
    failed: &'a mut Vec<Failed>,
    records: &'a mut Records,
    shared: &'a mut Vec<SharedExtent>,
    reflinks: bool,
    place: Place,
    device: u64,
    /// The records of `device`, taken out of the map for the time of the walk.
    own: ByShard,
    within: Within,
    /// Where uv installs the files of the directory that is walked.
    spots: Spots,
    away: Away,
}

/// Files of a `.dist-info` that uv writes anew in each environment, should a wheel bring them along.
const PRIVATE: &[&str] =
    &["INSTALLER", "REQUESTED", "direct_url.json", "provenance_url.json", "uv_build.json", "uv_cache.json"];

/// Where in an entry the walk is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Root,
    DistInfo,
    Scripts,
    Content,
}

/// The users that the files of a tree belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::scan) enum Owners {
    /// There was no file yet.
    #[default]
    Nobody,
    /// One user.
    One(u32),
    /// Several.
    Several,
}

impl Owners {
    fn add(&mut self, owner: u32) {
        *self = match *self {
            Self::Nobody => Self::One(owner),
            Self::One(one) if one == owner => Self::One(one),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// What reading an entry needs besides its path.
pub(in crate::scan) struct Reading<'a> {
    pub(in crate::scan) cancel: &'a Cancel,
    pub(in crate::scan) progress: &'a Progress,
    /// Whether files here may share extents.
    pub(in crate::scan) reflinks: bool,
}

/// Reads the entry at `path` into a thread's harvest.
pub(in crate::scan) fn read(path: &Path, number: usize, reading: &Reading<'_>, harvest: &mut super::Harvest) {
    let mut facts = Facts::default();
    let mut visitor = EntryVisitor {
        facts: &mut facts,
        problems: &mut harvest.problems,
        failed: &mut harvest.failed,
        records: &mut harvest.records,
        shared: &mut harvest.shared,
        reflinks: reading.reflinks,
        place: Place::try_from(number).expect("fewer than 2^32 entries"),
        device: 0,
        own: ByShard::default(),
        within: Within::Root,
        spots: Spots::default(),
        away: Away::default(),
    };
    walk::walk(path, reading.cancel, &mut visitor);
    visitor.problems.extend(visitor.away.problem(path));
    visitor.keep_records();
    if facts.record.is_some_and(|record| facts.newest_content > record) {
        find_modified(path, &mut facts);
    }
    reading.progress.add_files(facts.files, facts.logical);
    reading.progress.add_entry();
    harvest.entries.push((number, facts));
}

/// Looks at the names at the top of the entry at `path`.
pub(in crate::scan) fn outline(path: &Path) -> io::Result<Facts> {
    let mut facts = Facts::default();
    for item in std::fs::read_dir(path)? {
        let name = item?.file_name();
        if name == "pyvenv.cfg" {
            facts.environment = true;
        } else if crate::uv::distribution::parse_dist_info(&name).is_some()
            && facts.dist_info.as_ref().is_none_or(|first| name < *first)
        {
            facts.dist_info = Some(name);
        }
    }
    Ok(facts)
}

impl Facts {
    /// Whether something was added or removed after it was unpacked: a directory is newer than every file.
    pub(in crate::scan) fn was_disturbed(&self) -> bool {
        let newest = self.record.map_or(self.newest_content, |record| record.max(self.newest_content));
        self.newest_directory.0 > newest.0.saturating_add(installed::SLACK)
    }
}

/// Files written later than `RECORD` are compared with it: by size, then by digest. uv writes `RECORD` last, and
/// nothing should write to an entry afterwards; an editor that works through a hardlink does.
fn find_modified(path: &Path, facts: &mut Facts) {
    let (Some(dist_info), Some(written)) = (&facts.dist_info, facts.record) else { return };
    for listed in installed::of_entry(path, dist_info).into_iter().flatten() {
        let file = path.join(&listed.path);
        let Ok(stat) = FileStat::of(&file) else { continue };
        if stat.kind == FileKind::File
            && stat.modified > written
            && super::super::content::differs(&file, &stat, listed.row)
        {
            facts.modified.push(listed.path);
        }
    }
}

impl EntryVisitor<'_> {
    fn keep_records(self) {
        if !self.own.is_empty() {
            self.records.insert(self.device, self.own);
        }
    }

    fn add_record(&mut self, name: &OsStr, stat: &FileStat) {
        let record = FileRecord::new(stat, self.place, self.spots.file(name));
        if stat.device == self.device {
            self.own.push(record);
        } else {
            self.records.entry(stat.device).or_default().push(record);
        }
    }
}

impl Visitor for EntryVisitor<'_> {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, directory: &Directory<'_>, stat: &FileStat) -> Descend {
        let relative = directory.relative();
        if relative.as_os_str().is_empty() {
            self.device = stat.device;
            self.own = self.records.remove(&stat.device).unwrap_or_default();
            self.within = Within::Root;
        } else if stat.device != self.device {
            self.facts.unread = true;
            self.problems.push(Problem {
                path: directory.path(),
                message: "Another filesystem is mounted here; it was not entered".to_owned(),
            });
            return Descend::No;
        } else {
            self.within = within(relative);
            if self.within == Within::DistInfo
                && self.facts.dist_info.as_deref().is_none_or(|name| relative < name)
            {
                self.facts.dist_info = Some(relative.as_os_str().to_owned());
            }
        }
        self.spots = Spots::of_entry(relative);
        self.facts.directories += stat.disk;
        self.facts.disk += stat.disk;
        print::directory(&mut self.facts.print, relative, stat);
        self.facts.owners.add(stat.owner);
        self.facts.newest = self.facts.newest.max(stat.modified).max(stat.changed);
        self.facts.newest_directory = self.facts.newest_directory.max(stat.modified);
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, stat: &FileStat) {
        let facts = &mut *self.facts;
        facts.files += 1;
        self.away.add(stat);
        facts.disk += stat.disk;
        print::file(&mut facts.print, stat);
        facts.owners.add(stat.owner);
        facts.newest = facts.newest.max(stat.modified).max(stat.changed);
        if stat.kind == FileKind::File {
            facts.logical += stat.size;
            facts.changed = facts.changed.max(stat.changed);
            facts.oldest = Some(facts.oldest.map_or(stat.modified, |oldest| oldest.min(stat.modified)));
        }
        if stat.kind == FileKind::Other {
            self.problems.push(super::super::odd(parent.path().join(name)));
        }
        match self.within {
            Within::Root => {
                facts.environment |= name == "pyvenv.cfg";
                facts.linkable += 1;
            }
            Within::DistInfo if name == "RECORD" => facts.record = Some(stat.modified),
            Within::DistInfo if PRIVATE.iter().any(|private| name == *private) => {}
            Within::DistInfo if name == "entry_points.txt" => {
                facts.entry_points = true;
                facts.linkable += 1;
            }
            Within::Scripts => {
                facts.scripts += 1;
                facts.linkable += 1;
            }
            // uv copies every file of that name, wherever it lies (uv 0.13.8, bleach 6.4.0 has one in its `_vendor`).
            Within::DistInfo | Within::Content if name == "RECORD" => {}
            Within::DistInfo | Within::Content => facts.linkable += 1,
        }
        if name != "RECORD" && stat.kind == FileKind::File {
            facts.newest_content = facts.newest_content.max(stat.modified);
        }
        self.add_record(name, stat);
        if self.reflinks && stat.kind == FileKind::File && stat.size > 0 {
            share::note(self.shared, stat, parent.open(name));
        }
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        self.facts.unread = true;
        self.failed.extend(Failed::of(&path, operation, &error));
        self.problems.push(super::super::problem(path, operation, &error));
    }
}

fn within(relative: &Path) -> Within {
    let bytes = relative.as_os_str().as_encoded_bytes();
    let divides = |byte: &u8| *byte == b'/' || (cfg!(windows) && *byte == b'\\');
    if bytes.ends_with(b".dist-info") && !bytes.iter().any(divides) {
        return Within::DistInfo;
    }
    match bytes.iter().position(divides) {
        Some(end) if bytes[..end].ends_with(b".data") && bytes[end + 1..].starts_with(b"scripts") => {
            Within::Scripts
        }
        _ => Within::Content,
    }
}
