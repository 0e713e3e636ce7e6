//! Collects lock files and finds out how each is held.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{LockFile, Maker, Resource, State, Survey};
use crate::disk::{self, FileStat};
use crate::lock::holder::{Holder, Share};

/// What a survey says where there is no table of locks.
#[cfg(windows)]
const NOTE: &str = "Windows tells who has a lock file open, and not who of them holds the lock.";
#[cfg(not(any(target_os = "linux", windows)))]
const NOTE: &str = "This platform does not tell who holds a lock.";

/// The survey in the making.
pub(super) struct Gather {
    survey: Survey,
    all: bool,
    #[cfg(target_os = "linux")]
    table: Option<crate::lock::holder::table::Table>,
}

impl Gather {
    /// Nothing yet.
    pub(super) fn new(all: bool) -> Self {
        let mut survey = Survey::default();
        #[cfg(target_os = "linux")]
        {
            let table = crate::lock::holder::table::Table::read();
            if let Err(error) = &table {
                survey.notes.push(format!(
                    "`/proc/locks` cannot be read ({}): who holds a lock is not known here.",
                    disk::error::words(error)
                ));
            } else if crate::lock::holder::process::is_contained() {
                survey.notes.push(
                    "This is a container: locks that processes outside it hold cannot be seen from here, and \
                     their files look free."
                        .to_owned(),
                );
            }
            Self { survey, all, table: table.ok() }
        }
        #[cfg(not(target_os = "linux"))]
        {
            survey.notes.push(NOTE.to_owned());
            Self { survey, all }
        }
    }

    /// Adds a lock file, which need not be there.
    pub(super) fn always(&mut self, path: PathBuf, maker: Maker, resource: Resource) {
        let file = self.look(path, maker, resource);
        self.survey.files.push(file);
    }

    /// Adds one of very many lock files if somebody holds it, and else counts it.
    pub(super) fn one_of_many(&mut self, path: PathBuf, inode: Option<u64>, resource: Resource) {
        if !self.all && !self.may_be_held(inode) {
            self.survey.left_out += 1;
            return;
        }
        let file = self.look(path, Maker::Uv, resource);
        let is_told = self.all || file.state.is_held() || !file.holders.is_empty();
        if is_told {
            self.survey.files.push(file);
        } else {
            self.survey.left_out += 1;
        }
    }

    /// Notes what could not be read. What is not there holds no lock.
    pub(super) fn failed(&mut self, path: PathBuf, operation: &str, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            let why = format!("Failed to {operation}: {}", disk::error::words(error));
            self.survey.unread.push((path, why));
        }
    }

    /// The names in a directory, in order.
    pub(super) fn names(&mut self, directory: &Path) -> Vec<OsString> {
        let mut names = Vec::new();
        match std::fs::read_dir(directory) {
            Ok(items) => {
                for item in items {
                    match item {
                        Ok(item) => names.push(item.file_name()),
                        Err(error) => self.failed(directory.to_owned(), "read the directory", &error),
                    }
                }
            }
            Err(error) => self.failed(directory.to_owned(), "read the directory", &error),
        }
        names.sort_unstable();
        names
    }

    /// The survey, in order.
    pub(super) fn finish(mut self) -> Survey {
        let key = |file: &LockFile| {
            let own_cache = !matches!(file.resource, Resource::Cache(_));
            (own_cache, file.resource.clone(), file.maker, file.path.clone())
        };
        self.survey.files.sort_by_cached_key(key);
        self.survey.files.dedup_by(|a, b| a.path == b.path);
        self.survey
    }

    #[cfg(target_os = "linux")]
    fn may_be_held(&self, inode: Option<u64>) -> bool {
        let Some(table) = &self.table else { return false };
        inode.is_none_or(|inode| table.mentions(inode))
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "elsewhere the table is asked")]
    fn may_be_held(&self, _inode: Option<u64>) -> bool {
        false
    }

    fn look(&self, path: PathBuf, maker: Maker, resource: Resource) -> LockFile {
        let stat = FileStat::of(&path);
        let modified = stat.as_ref().ok().map(|stat| stat.modified.timestamp());
        let (state, holders) = match stat {
            Ok(stat) if stat.kind == disk::FileKind::File => self.held(&path, &stat),
            Ok(_) => (State::Unknown("It is not a regular file".to_owned()), Vec::new()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                (State::Missing, Vec::new())
            }
            Err(error) => (State::Unknown(disk::error::words(&error)), Vec::new()),
        };
        LockFile { path, maker, resource, state, holders, modified }
    }

    #[cfg(target_os = "linux")]
    fn held(&self, path: &Path, stat: &FileStat) -> (State, Vec<Holder>) {
        match &self.table {
            Some(table) => (state(table.held(path, stat)), table.holders(path, stat)),
            None => (tried(path), Vec::new()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "elsewhere the table is asked")]
    fn held(&self, path: &Path, _stat: &FileStat) -> (State, Vec<Holder>) {
        let state = tried(path);
        let holders = if state.is_held() { crate::lock::holder::of(path) } else { Vec::new() };
        (state, holders)
    }
}

fn tried(path: &Path) -> State {
    match crate::lock::file::tried(path) {
        Ok(share) => state(share),
        Err(error) => State::Unknown(disk::error::words(&error)),
    }
}

fn state(share: Option<Share>) -> State {
    match share {
        None => State::Free,
        Some(Share::Shared) => State::Shared,
        Some(Share::Exclusive) => State::Exclusive,
    }
}
