//! Cancelling long work, and watching how far it has come.
//!
//! Both are shared counters, cheap enough for the innermost loop: the worker counts, whoever shows progress reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// A wish, shared between threads, that some work stop early.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the work to stop at its next convenient point.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked the work to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a scan is busy with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Nothing has started.
    #[default]
    Idle,
    /// The cache is walked.
    Cache,
    /// Environments are looked for.
    Search,
    /// Environments are walked and their files compared with the cache.
    Environments,
    /// Extents and changed files are looked at more closely.
    Evidence,
    /// Everything is done.
    Done,
}

/// How far some work has come.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    files: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
    environments: AtomicU64,
    directories: AtomicU64,
}

/// The numbers of a [`Progress`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What the work is busy with.
    pub phase: Phase,
    /// Files and links looked at.
    pub files: u64,
    /// Their logical size in bytes.
    pub bytes: u64,
    /// Cache entries read completely.
    pub entries: u64,
    /// Environments read completely.
    pub environments: u64,
    /// Directories searched for environments.
    pub directories: u64,
}

impl Progress {
    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Counts files and their logical size in bytes.
    pub fn add_files(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts one entry that has been read.
    pub fn add_entry(&self) {
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one environment that has been read.
    pub fn add_environment(&self) {
        self.environments.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts directories that have been searched for environments.
    pub fn add_directories(&self, directories: u64) {
        self.directories.fetch_add(directories, Ordering::Relaxed);
    }

    /// Reads all counters.
    pub fn counts(&self) -> Counts {
        Counts {
            phase: match self.phase.load(Ordering::Relaxed) {
                1 => Phase::Cache,
                2 => Phase::Search,
                3 => Phase::Environments,
                4 => Phase::Evidence,
                5 => Phase::Done,
                _ => Phase::Idle,
            },
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            entries: self.entries.load(Ordering::Relaxed),
            environments: self.environments.load(Ordering::Relaxed),
            directories: self.directories.load(Ordering::Relaxed),
        }
    }
}
