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
        let Err(error) = sync_device(root, groups, device) else { continue };
        report.failed.push(error);
        for group in groups.iter().filter(|group| group.device == device) {
            report.unmade += group.files.len() as u64;
            discard(root, group);
        }
        groups.retain(|group| group.device != device);
    }
}

/// Syncs a filesystem by the root, if that lies on it: the root has been open since before anything was written, so that
/// syncfs(2) tells every write that failed since. Else by the first of its directories.
fn sync_device(root: &Root, groups: &[Group], device: u64) -> Result<(), Error> {
    let by = |place: &Place| {
        let synced = place.calls().sync_filesystem();
        synced.map_err(|error| Error::new("sync the filesystem of", place.path(), error))
    };
    if root.place().own_stat().is_ok_and(|stat| stat.device == device) {
        return by(root.place());
    }
    let group = groups.iter().find(|group| group.device == device);
    group.map_or(Ok(()), |group| by(&root.directory(&group.directory, Missing::Fail)?))
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

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::FileStat;
    use crate::disk::temporary::temporary_name;
    use crate::linker::write_new;

    /// A directory in which a file was staged as another name of `cached`, while `seen` lay at the destination.
    fn staged(root: &Root, seen: Option<FileStat>) -> Group {
        let place = root.place();
        let temporary = temporary_name();
        place.hardlink(OsStr::new("cached"), place, &temporary).unwrap();
        let made = place.find(&temporary).unwrap().unwrap();
        let device = made.stat.device;
        let file = StagedFile { temporary, name: "name".into(), made, mode: Mode::Hardlink, seen, size: 6 };
        Group { directory: "".into(), device, files: vec![file] }
    }

    fn names(path: &Path) -> Vec<String> {
        let items = std::fs::read_dir(path).unwrap();
        let mut names: Vec<String> =
            items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn another_name_of_the_same_file_at_the_destination_leaves_no_temporary_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        write_new(&path.join("cached"), b"cached", 0o644).unwrap();
        let root = Root::open(path).unwrap();
        root.place().hardlink(OsStr::new("cached"), root.place(), OsStr::new("name")).unwrap();
        let seen = FileStat::of(&path.join("name")).unwrap();
        let mut report = TreeReport::default();
        let group = staged(&root, Some(seen));
        assert!(!in_directory(&root, &group, &mut report, &Cancel::default()));
        assert_eq!((report.already, report.made.total()), (1, 0));
        assert_eq!(names(path), ["cached", "name"]);
        // What the check is for: the rename alone succeeds and does nothing.
        let group = staged(&root, Some(seen));
        root.place().calls().rename(&group.files[0].temporary, OsStr::new("name")).unwrap();
        assert_eq!(names(path).len(), 3);
    }

    #[test]
    fn what_came_to_the_destination_since_it_was_looked_at_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        write_new(&path.join("cached"), b"cached", 0o644).unwrap();
        write_new(&path.join("older"), b"older", 0o644).unwrap();
        let root = Root::open(path).unwrap();
        let older = FileStat::of(&path.join("older")).unwrap();
        for seen in [None, Some(older)] {
            let group = staged(&root, seen);
            if seen.is_none() {
                write_new(&path.join("name"), b"newcomer", 0o644).unwrap();
            }
            let mut report = TreeReport::default();
            assert!(!in_directory(&root, &group, &mut report, &Cancel::default()));
            assert_eq!(report.stale, [path.join("name")]);
            assert_eq!(std::fs::read(path.join("name")).unwrap(), b"newcomer");
            assert_eq!(names(path), ["cached", "name", "older"]);
        }
        root.place().calls().remove_file(OsStr::new("name")).unwrap();
        let group = staged(&root, Some(older));
        let mut report = TreeReport::default();
        assert!(!in_directory(&root, &group, &mut report, &Cancel::default()));
        assert_eq!((report.stale.len(), names(path)), (1, vec!["cached".to_owned(), "older".to_owned()]));
    }
}
