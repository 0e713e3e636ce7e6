//! Unlinks what lies in the trash, through directory handles.
//!
//! No symlink is followed, no mount is entered, and nothing outside the trash is touched whatever is swapped meanwhile.
//!
//! Nothing leads here, so the lock is held with others: installing goes on. It keeps away `uv cache prune` and `uv cache
//! clean`, which remove the trash as well and fail when something vanishes beneath them (uv 0.13.8).

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::trash::{DIRECTORY, Run};
use super::{ground, in_place};
use crate::control::{Cancel, Progress};
use crate::disk::FileKind;
use crate::disk::walk;
use crate::linker::{Error, Missing, Place, Root};
use crate::lock::HoldsCache;

/// How deep a removal goes before it moves what is deeper up, so as not to hold a handle for each level.
const DEEPEST: usize = 64;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Everything but directories.
    pub files: u64,
    /// Directories.
    pub directories: u64,
}

/// Purges some runs of a cache's trash, on several threads. What cannot be removed is told, and the rest is.
pub fn purge(lock: &impl HoldsCache, runs: &[Run], cancel: &Cancel, progress: &Progress) -> Vec<Error> {
    match ground::cache(lock) {
        Ok(root) => purge_in(&root, runs, Marks::Finished, cancel, progress),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![error],
    }
}

/// The same, of the trash in a directory: of a cache whose lock is held, or beside environments.
pub(super) fn purge_in(
    root: &Root,
    runs: &[Run],
    marks: Marks,
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<Error> {
    let mut errors = Vec::new();
    let trash = match root.directory(Path::new(DIRECTORY), Missing::Fail) {
        Ok(trash) => trash,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return errors,
        Err(error) => return vec![error],
    };
    // Claimed while nobody else works on the trash: what is being put back is not deleted.
    let claimed: Vec<Result<Run, Error>> = match super::trash::hold(root) {
        Ok(_held) => runs.iter().map(|run| run.claim(&trash)).collect(),
        Err(error) => return vec![error],
    };
    for claimed in claimed {
        match claimed {
            Ok(run) => errors.extend(purge_run(root, &trash, &run, marks, cancel, progress)),
            // Somebody else was faster.
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => errors.push(error),
        }
    }
    // The last one out takes the directory along; it stays while it holds anything.
    drop(trash);
    drop(root.place().remove_directory(OsStr::new(DIRECTORY)));
    errors
}

/// What becomes of marks in a run, which name what was being deleted where it lay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// What they name is deleted.
    Finished,
    /// They mean nothing: environments are never deleted where they lie.
    Ignored,
}

fn purge_run(
    root: &Root,
    trash: &Place,
    run: &Run,
    marks: Marks,
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<Error> {
    // Entries are the bulk: each is a task.
    let mut tasks: Vec<(PathBuf, OsString)> = Vec::new();
    let top = match root.directory(&run.path(), Missing::Fail) {
        Ok(top) => top,
        Err(error) => return vec![error],
    };
    let finishes = run.is_purging() && marks == Marks::Finished;
    let mut unfinished = if finishes { in_place::finish(root, run) } else { Vec::new() };
    let names = top.names().unwrap_or_default();
    // The marks go with the run, when all that they name is gone.
    for bucket in names.into_iter().filter(|name| name != in_place::MARKS) {
        let Ok(place) = top.directory(&bucket) else { continue };
        let names = place.names().unwrap_or_default();
        tasks.extend(names.into_iter().map(|name| (run.path().join(&bucket), name)));
    }
    let states =
        walk::each(&tasks, walk::threads(), Vec::new, |errors: &mut Vec<Error>, _, (directory, name)| {
            let removed = root
                .directory(directory, Missing::Fail)
                .and_then(|place| remove(&place, name, cancel, progress));
            errors.extend(removed.err());
        });
    let mut errors: Vec<Error> = states.into_iter().flatten().collect();
    errors.append(&mut unfinished);
    if errors.is_empty() && !cancel.is_cancelled() {
        errors.extend(remove(trash, run.name(), cancel, progress).err());
    }
    errors
}

/// Removes directories of a run that are empty, with those above them, and the run and the trash themselves when that is all there
/// is in them. `own` are the directories that were made to hold what was moved, below the run: what was moved may have empty
/// directories of its own, which are not touched. Never removes a file.
pub(super) fn tidy<'a>(root: &Root, run: &Run, own: impl IntoIterator<Item = &'a Path>) {
    let Ok(trash) = root.directory(Path::new(DIRECTORY), Missing::Fail) else { return };
    // Those that lie deepest first, each once.
    let own = own.into_iter().flat_map(Path::ancestors).filter(|path| !path.as_os_str().is_empty());
    let own: BTreeSet<&Path> = own.collect();
    for path in own.into_iter().rev() {
        let (Some(name), above) = (path.file_name(), path.parent().unwrap_or(Path::new(""))) else {
            continue;
        };
        if let Ok(above) = root.directory(&run.path().join(above), Missing::Fail) {
            // It stays while anything is in it.
            drop(above.remove_directory(name));
        }
    }
    drop(trash.remove_directory(run.name()));
    drop(trash);
    drop(root.place().remove_directory(OsStr::new(DIRECTORY)));
}

/// Removes the empty directories of a tree.
pub(super) fn remove_empty(place: &Place, name: &OsStr) {
    let Ok(directory) = place.directory(name) else { return };
    for child in directory.names().unwrap_or_default() {
        if directory
            .find(&child)
            .is_ok_and(|found| found.is_some_and(|it| it.stat.kind == FileKind::Directory))
        {
            remove_empty(&directory, &child);
        }
    }
    drop(directory);
    // It stays while anything is in it.
    drop(place.remove_directory(name));
}

/// Removes what lies under a name: a file, a symlink, or a directory with everything in it, as far as it lies on one
/// filesystem. Stops at the first thing that cannot be removed.
pub(super) fn remove(
    place: &Place,
    name: &OsStr,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Removed, Error> {
    let failed = |error| Error::new("remove", place.join(name), error);
    let Some(found) = place.find(name).map_err(failed)? else { return Ok(Removed::default()) };
    let mut removal = Removal {
        top: place,
        device: found.stat.device,
        mount: place.mount(),
        cancel,
        progress,
        removed: Removed::default(),
        deep: Vec::new(),
    };
    removal.any(place, name, found.stat.kind, 0)?;
    while let Some(name) = removal.deep.pop() {
        removal.directory(place, &name, 0)?;
    }
    Ok(removal.removed)
}

struct Removal<'a> {
    /// Where what lies too deep is moved to.
    top: &'a Place,
    device: u64,
    /// The mount it lies on, where the kernel tells: what is mounted within may be of the same device.
    mount: Option<u64>,
    cancel: &'a Cancel,
    progress: &'a Progress,
    removed: Removed,
    /// What lay too deep, by its name in `top`.
    deep: Vec<OsString>,
}

impl Removal<'_> {
    fn any(&mut self, place: &Place, name: &OsStr, kind: FileKind, depth: usize) -> Result<(), Error> {
        if kind == FileKind::Directory { self.directory(place, name, depth) } else { self.file(place, name) }
    }

    fn file(&mut self, place: &Place, name: &OsStr) -> Result<(), Error> {
        let removed =
            place.remove_file(name).or_else(|error| retry(place, error, || place.remove_file(name)));
        match removed {
            Ok(()) => {
                self.removed.files += 1;
                self.progress.add_files(1, 0);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::new("remove", place.join(name), error)),
        }
    }

    fn directory(&mut self, place: &Place, name: &OsStr, depth: usize) -> Result<(), Error> {
        let failed = |operation, error| Error::new(operation, place.join(name), error);
        if depth >= DEEPEST {
            match self.move_up(place, name) {
                // What an overlay cannot rename is removed from here.
                Err(error) if error.source.kind() == io::ErrorKind::CrossesDevices => {}
                moved => return moved,
            }
        }
        let directory = place.directory(name).map_err(|error| failed("open the directory", error))?;
        let stat = directory.own_stat().map_err(|error| failed("look at", error))?;
        if stat.device != self.device || directory.mount() != self.mount {
            let error = io::Error::new(io::ErrorKind::CrossesDevices, "something is mounted there");
            return Err(failed("remove", error));
        }
        let names = directory.names().or_else(|error| {
            directory.make_writable().map_err(|_| error)?;
            directory.names()
        });
        for child in names.map_err(|error| failed("read the directory", error))? {
            if self.cancel.is_cancelled() {
                let error = io::Error::new(io::ErrorKind::Interrupted, "the work was stopped");
                return Err(failed("remove", error));
            }
            // Most are files, and unlink(2) refuses directories: looking first would cost a call for each.
            match directory.remove_file(&child) {
                Ok(()) => {
                    self.removed.files += 1;
                    self.progress.add_files(1, 0);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    let found = directory.find(&child);
                    let found =
                        found.map_err(|error| Error::new("look at", directory.join(&child), error))?;
                    if let Some(found) = found {
                        self.any(&directory, &child, found.stat.kind, depth + 1)?;
                    }
                }
            }
        }
        drop(directory);
        let removed = place
            .remove_directory(name)
            .or_else(|error| retry(place, error, || place.remove_directory(name)));
        match removed {
            Ok(()) => {
                self.removed.directories += 1;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove the directory", error)),
        }
    }

    /// Moves a directory that lies too deep up to where the removal began, to be removed from there when the handles above
    /// it are closed.
    fn move_up(&mut self, place: &Place, name: &OsStr) -> Result<(), Error> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let new = OsString::from(format!(".deep-{:x}-{number:x}", std::process::id()));
        let moved = place.move_new(name, self.top, &new);
        moved.map_err(|error| Error::new("move up", place.join(name), error))?;
        self.deep.push(new);
        Ok(())
    }
}

/// Tries again what failed because the directory may not be written, which wheels can bring about.
fn retry(place: &Place, error: io::Error, again: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return Err(error);
    }
    place.make_writable().map_err(|_| error)?;
    again()
}
