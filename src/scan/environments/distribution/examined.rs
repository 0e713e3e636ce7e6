//! What was found out about a distribution, counted and in words.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::human;
use crate::scan::index::FileId;
use crate::snapshot::{EvidenceCounts, FileBytes, FileCounts, JointCopy, ModeCounts};

/// What was found out about one distribution.
#[derive(Debug, Default)]
pub(in crate::scan::environments) struct Examined {
    pub(in crate::scan::environments) files: FileCounts,
    /// The entries it uses; without a count where only the name is the same.
    pub(in crate::scan::environments) uses: Vec<(u32, ModeCounts, EvidenceCounts)>,
    pub(in crate::scan::environments) bytes: FileBytes,
    /// Copies that have other names, or are listed more than once.
    pub(in crate::scan::environments) joint: Vec<JointCopy>,
    /// Files whose content is not what its `RECORD` says, relative to the environment.
    pub(in crate::scan::environments) changed: Vec<PathBuf>,
    /// Files that are needed and not there, or broken links, relative to the environment.
    pub(in crate::scan::environments) broken: Vec<Broken>,
    /// Inodes of the cache that lie beside the directory that is read.
    pub(in crate::scan::environments) links: Vec<FileId>,
    /// Symlinks into the cache that lie beside the directory that is read, by their real directories.
    pub(in crate::scan::environments) symlinks: Vec<PathBuf>,
    /// Where only some entries were read: files that have other names or share extents, and may be links to one of the others,
    /// which has the same file.
    pub(in crate::scan::environments) undecided: u64,
    pub(in crate::scan::environments) has_record: bool,
    /// Rows of its `RECORD` that could not be understood.
    pub(in crate::scan::environments) unclear: u64,
    /// Why its `RECORD` could not be read.
    pub(in crate::scan::environments) unread: Option<String>,
    /// Another path of a cache, which its symlinks name.
    pub(in crate::scan::environments) elsewhere: Option<PathBuf>,
}

/// A file that is not there, or a broken link.
#[derive(Debug)]
pub(in crate::scan::environments) struct Broken {
    /// Relative to the environment.
    pub(in crate::scan::environments) path: PathBuf,
    /// The entry that the link names.
    pub(in crate::scan::environments) named: Option<(OsString, OsString)>,
    /// Whether it is a link.
    pub(in crate::scan::environments) dangling: bool,
}

impl Examined {
    /// Counts the undecided files. Where other files of the distribution are links, they are links to entries that were not read; where
    /// none is, they are copies.
    pub(super) fn decide(&mut self) {
        let modes = &mut self.files.modes;
        let of = if modes.hardlink + modes.clone > 0 { &mut self.files.own } else { &mut modes.copy };
        *of += std::mem::take(&mut self.undecided);
    }

    /// Counts a file whose content is not what its row says.
    pub(in crate::scan::environments) fn change(&mut self, path: &Path) {
        self.files.modified += 1;
        self.changed.push(path.to_owned());
    }

    /// Counts what is broken.
    pub(in crate::scan::environments) fn count_broken(&mut self) {
        if self.unread.is_some() {
            return;
        }
        let dangling = self.broken.iter().filter(|it| it.dangling).count() as u64;
        self.files.dangling = dangling;
        self.files.missing = self.broken.len() as u64 - dangling;
    }

    /// What is wrong with it or could not be proven, as a sentence.
    pub(in crate::scan::environments) fn note(&self) -> String {
        let files = &self.files;
        let mut notes = Vec::new();
        notes.extend(self.unread.as_ref().map(|why| format!("Failed to read `RECORD`: {why}")));
        if self.unclear > 0 {
            let lines = human::counted(self.unclear, "line", "lines");
            notes.push(format!("{lines} of `RECORD` could not be understood"));
        }
        if files.dangling > 0 && self.unread.is_none() {
            let links = human::counted(files.dangling, "symlink leads", "symlinks lead");
            notes.push(format!("{links} to files that are gone"));
        }
        if files.missing > 0 {
            notes.push(format!("{} missing", human::counted(files.missing, "file is", "files are")));
        }
        if files.unprovable > 0 {
            notes.push(format!(
                "{} stored inline or empty: reflink and copy look alike",
                human::counted(files.unprovable, "file is", "files are")
            ));
        }
        if let Some(prefix) = &self.elsewhere {
            notes.push(format!("symlinks name the cache `{}`", human::escape_os(prefix.as_os_str())));
        }
        notes.join("; ")
    }
}
