//! Where the sample is built: its directory, its idea of the time, and every file on its way to the disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use crate::disk::Time;
use crate::linker;
use crate::snapshot::Mode;

/// A sample in the making.
pub(super) struct Ground<'a> {
    root: PathBuf,
    now: Time,
    directories: HashSet<PathBuf>,
    refreshed: Vec<PathBuf>,
    interrupted: &'a dyn Fn() -> bool,
}

impl<'a> Ground<'a> {
    /// Nothing yet, in the directory `root`; ages are counted from `now`.
    pub(super) fn new(root: &Path, now: jiff::Timestamp, interrupted: &'a dyn Fn() -> bool) -> Self {
        let now = Time::new(now.as_second(), i64::from(now.subsec_nanosecond()));
        Self { root: root.to_owned(), now, directories: HashSet::new(), refreshed: Vec::new(), interrupted }
    }

    /// The sample's directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The home directory of whoever is supposed to use this.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The cache's root, where uv has it by default.
    pub(super) fn cache(&self) -> PathBuf {
        self.home().join(".cache").join("uv")
    }

    /// The time so many days ago.
    pub(super) fn ago(&self, days: f64) -> Time {
        let age = Duration::from_secs_f64(days * 86_400.0).as_nanos();
        Time(self.now.0.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)))
    }

    /// Makes a directory and those above it.
    pub(super) fn directory(&mut self, path: &Path) -> Result<(), Error> {
        if self.directories.contains(path) {
            return Ok(());
        }
        if (self.interrupted)() {
            return Err(Error::Interrupted);
        }
        linker::create_directories(path)?;
        self.directories.insert(path.to_owned());
        Ok(())
    }

    /// Writes a file, and the directory it lies in.
    pub(super) fn write(
        &mut self,
        path: &Path,
        bytes: &[u8],
        mode_bits: u32,
        modified: Time,
    ) -> Result<(), Error> {
        self.directory_of(path)?;
        linker::write_new(path, bytes, mode_bits)?;
        Ok(linker::set_time(path, modified)?)
    }

    /// Makes a symlink with this text. On Windows the sample does without where this user may not make any.
    pub(super) fn symlink(&mut self, target: &Path, path: &Path, modified: Time) -> Result<(), Error> {
        self.directory_of(path)?;
        match linker::symlink(target, path) {
            Ok(()) => Ok(linker::set_time(path, modified)?),
            Err(_) if cfg!(windows) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Links a file of an entry to where it is installed. What becomes a file of its own gets a time of its own, as for uv.
    pub(super) fn link(&mut self, from: &Path, to: &Path, mode: Mode, installed: Time) -> Result<(), Error> {
        self.directory_of(to)?;
        match linker::link(from, to, mode)?.mode {
            Mode::Hardlink => Ok(()),
            Mode::Clone | Mode::Symlink | Mode::Copy => Ok(linker::set_time(to, installed)?),
        }
    }

    /// Remembers one file of an entry that gets the present time when everything is made.
    ///
    /// Change times cannot be set: they all say that the sample is new. A change time later than every modification time
    /// is what a link made or removed leaves behind, and would hide the ages that the sample is to show.
    pub(super) fn refresh_at_end(&mut self, path: PathBuf) {
        self.refreshed.push(path);
    }

    /// Sets the times that had to wait; `elapsed` is how long all of it took.
    pub(super) fn refresh(&mut self, elapsed: Duration) -> Result<(), Error> {
        let present = Time(self.now.0.saturating_add(i64::try_from(elapsed.as_nanos()).unwrap_or(0)));
        for path in self.refreshed.drain(..) {
            linker::set_time(&path, present)?;
        }
        Ok(())
    }

    fn directory_of(&mut self, path: &Path) -> Result<(), Error> {
        path.parent().map_or(Ok(()), |parent| self.directory(parent))
    }
}
