//! What was staged, renamed into place or taken away.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::already::is_still;
use super::stage::{Group, Staged, StagedFile};
use super::{Error, TreeReport};
use crate::control::Cancel;
use crate::linker::mode::same_inode;
use crate::linker::place::{Calls as _, Missing, Place, Root};
use crate::snapshot::Mode;

/// Makes the data durable, renames every staged file into place, and makes the names durable.
///
/// Work that was cancelled while it was staged changes nothing; later it stops between two files.
pub(super) fn commit(root: &Root, staged: &mut Staged, cancel: &Cancel) {
    staged.report.cancelled |= cancel.is_cancelled();
    let mut groups = std::mem::take(&mut staged.groups);
    if !staged.report.cancelled {
        make_durable(root, &mut groups, &mut staged.report);
    }
    let mut changed: BTreeSet<&Path> = BTreeSet::new();
    for group in &groups {
        if in_directory(root, group, &mut staged.report, cancel) {
            changed.insert(&group.directory);
        }
    }
    if !changed.is_empty() {
        changed.extend(staged.created.iter().filter_map(|created| created.parent()));
        for directory in changed {
            let synced = root.directory(directory, Missing::Fail).and_then(|place| {
                let synced = place.calls().sync();
                synced.map_err(|error| Error::new("sync the directory", place.path(), error))
            });
            staged.report.failed.extend(synced.err());
        }
    }
    // Directories that nothing came into; one that is not empty stays.
    for created in staged.created.iter().rev().filter(|_| !staged.report.is_complete()) {
        remove_if_empty(root, created);
    }
}

/// Syncs each filesystem that new data lies on. Where that fails, nothing on it is renamed.
fn make_durable(root: &Root, groups: &mut Vec<Group>, report: &mut TreeReport) {
    let has_data =
        |group: &&Group| group.files.iter().any(|file| matches!(file.mode, Mode::Clone | Mode::Copy));
    let devices: BTreeSet<u64> = groups.iter().filter(has_data).map(|group| group.device).collect();
    for device in devices {
        let synced = groups
            .iter()
            .find(|group| group.device == device)
            .map_or(Ok(()), |group| sync_filesystem_of(root, &group.directory));
        let Err(error) = synced else { continue };
        report.failed.push(error);
        for group in groups.iter().filter(|group| group.device == device) {
            report.unmade += group.files.len() as u64;
            discard(root, group);
        }
        groups.retain(|group| group.device != device);
    }
}

fn sync_filesystem_of(root: &Root, directory: &Path) -> Result<(), Error> {
    let place = root.directory(directory, Missing::Fail)?;
    let synced = place.calls().sync_filesystem();
    synced.map_err(|error| Error::new("sync the filesystem of", place.path(), error))
}

/// Removes the temporary names of a directory; what cannot be reached is left to the next run's sweep.
fn discard(root: &Root, group: &Group) {
    if let Ok(place) = root.directory(&group.directory, Missing::Fail) {
        for file in &group.files {
            drop(place.calls().remove_file(&file.temporary));
        }
    }
}

/// Renames the files of one directory into place; answers whether anything changed.
fn in_directory(root: &Root, group: &Group, report: &mut TreeReport, cancel: &Cancel) -> bool {
    if group.files.is_empty() {
        return false;
    }
    // Opened anew: a directory that was replaced since does not hold what was staged, and nothing happens in it.
    let place = match root.directory(&group.directory, Missing::Fail) {
        Ok(place) => place,
        Err(error) => {
            report.failed.push(error);
            report.unmade += group.files.len() as u64;
            return false;
        }
    };
    let mut changed = false;
    for file in &group.files {
        report.cancelled |= cancel.is_cancelled();
        let outcome = if report.cancelled { Ok(Outcome::Cancelled) } else { replace(&place, file) };
        let path = || place.join(&file.name);
        match &outcome {
            Ok(Outcome::Renamed) => {
                changed = true;
                report.count(file.mode, file.size);
            }
            Ok(Outcome::Already) => report.already += 1,
            Ok(Outcome::Stale) => report.stale.push(path()),
            Ok(Outcome::Cancelled) => {}
            Err(_) => report.unmade += 1,
        }
        // A rename over another name of the same file leaves the temporary name where it is (rename(2)).
        if !matches!(outcome, Ok(Outcome::Renamed)) || file.mode == Mode::Hardlink {
            drop(place.calls().remove_file(&file.temporary));
        }
        if let Err(error) = outcome {
            report.failed.push(Error::new("replace", path(), error));
        }
    }
    changed
}

/// What became of a staged file.
enum Outcome {
    Renamed,
    Already,
    Stale,
    Cancelled,
}

/// Renames a staged file to its name, if there still is what was there before.
fn replace(place: &Place, file: &StagedFile) -> io::Result<Outcome> {
    let now = place.find(&file.name)?.map(|found| found.stat);
    match (&file.seen, &now) {
        (None, None) => {
            return match place.calls().rename_new(&file.temporary, &file.name) {
                Ok(()) => Ok(Outcome::Renamed),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Outcome::Stale),
                Err(error) => Err(error),
            };
        }
        (Some(seen), Some(now)) if is_still(seen, now) => {}
        _ => return Ok(Outcome::Stale),
    }
    if now.is_some_and(|now| same_inode(&now, &file.made.stat)) {
        return Ok(Outcome::Already);
    }
    place.calls().rename(&file.temporary, &file.name)?;
    Ok(Outcome::Renamed)
}

fn remove_if_empty(root: &Root, relative: &Path) {
    let parent = relative.parent().unwrap_or(Path::new(""));
    let name = relative.file_name().unwrap_or(OsStr::new(""));
    if let Ok(place) = root.directory(parent, Missing::Fail) {
        drop(place.calls().remove_directory(name));
    }
}
