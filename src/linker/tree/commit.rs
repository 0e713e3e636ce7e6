//! What was staged, renamed into place or taken away.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::already::is_still;
use super::bytes::Scales;
use super::stage::{Group, Staged, StagedFile};
use super::{Error, TreeReport};
use crate::control::Cancel;
use crate::disk::walk;
use crate::linker::mode::same_inode;
use crate::linker::place::{Calls as _, Missing, Place, Root};
use crate::snapshot::Mode;

/// So many directories are synced one by one; where there are more, the filesystem is synced, which is one wait for the disk
/// in place of one for each.
const FEW: usize = 8;

/// Makes the data durable, renames every staged file into place, and makes the names durable.
///
/// Work that was cancelled while it was staged changes nothing; later it stops between two files.
pub(super) fn commit(
    root: &Root,
    mut trees: Vec<Staged>,
    threads: usize,
    cancel: &Cancel,
) -> Vec<TreeReport> {
    let cancelled = cancel.is_cancelled() || trees.iter().any(|tree| tree.report.cancelled);
    for tree in &mut trees {
        tree.report.cancelled |= cancelled;
    }
    if !cancelled {
        make_durable(root, &mut trees);
    }
    let trees: Vec<Mutex<Staged>> = trees.into_iter().map(Mutex::new).collect();
    // Nobody else has it; a panic is passed on before anybody could meet it.
    let own = |tree: &Mutex<Staged>| {
        let mut tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
        let Staged { report, groups, .. } = &mut *tree;
        groups.retain(|group| in_directory(root, group, report, cancel));
    };
    drop(walk::each(&trees, threads, || (), |(), _, tree| own(tree)));
    let trees = trees.into_iter().map(|tree| tree.into_inner().unwrap_or_else(PoisonError::into_inner));
    let mut trees: Vec<Staged> = trees.collect();
    sync_names(root, &mut trees);
    // Directories that nothing came into; one that is not empty stays.
    for tree in trees.iter().filter(|tree| !tree.report.is_complete()) {
        for created in tree.created.iter().rev() {
            remove_if_empty(root, created);
        }
    }
    trees.into_iter().map(|tree| tree.report).collect()
}

/// Syncs each filesystem that new data lies on. Where that fails, nothing on it is renamed.
fn make_durable(root: &Root, trees: &mut [Staged]) {
    let has_data =
        |group: &&Group| group.files.iter().any(|file| matches!(file.mode, Mode::Clone | Mode::Copy));
    let groups = || trees.iter().flat_map(|tree| &tree.groups);
    let devices: BTreeMap<u64, &Path> =
        groups().filter(has_data).map(|group| (group.device, group.directory.as_path())).collect();
    let failed: Vec<(u64, Error)> = devices
        .into_iter()
        .filter_map(|(device, directory)| Some((device, sync_device(root, device, directory).err()?)))
        .collect();
    for (device, error) in failed {
        for tree in trees.iter_mut() {
            let Staged { report, groups, .. } = tree;
            if !groups.iter().any(|group| group.device == device) {
                continue;
            }
            report.failed.push(again(&error));
            groups.retain(|group| {
                if group.device == device {
                    report.unmade += group.files.len() as u64;
                    discard(root, group);
                }
                group.device != device
            });
        }
    }
}

/// Makes the names in every directory durable that something came into; only the groups that have such are left.
fn sync_names(root: &Root, trees: &mut [Staged]) {
    let mut directories: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for tree in trees.iter().filter(|tree| !tree.groups.is_empty()) {
        directories.extend(tree.groups.iter().map(|group| (group.directory.clone(), group.device)));
        for created in &tree.created {
            // A new directory lies on the filesystem of the one it is in.
            let beneath = tree.groups.iter().find(|group| group.directory.starts_with(created));
            directories.extend(created.parent().zip(beneath).map(|(path, it)| (path.to_owned(), it.device)));
        }
    }
    let mut failed: Vec<(PathBuf, Error)> = Vec::new();
    if cfg!(target_os = "linux") && directories.len() > FEW {
        let devices: BTreeMap<u64, PathBuf> =
            directories.into_iter().map(|(path, device)| (device, path)).collect();
        let synced =
            |(device, path): (u64, PathBuf)| Some((PathBuf::new(), sync_device(root, device, &path).err()?));
        failed.extend(devices.into_iter().filter_map(synced));
    } else {
        for directory in directories.into_keys() {
            let synced = root.directory(&directory, Missing::Fail).and_then(|place| {
                let synced = place.calls().sync();
                synced.map_err(|error| Error::new("sync the directory", place.path(), error))
            });
            failed.extend(synced.err().map(|error| (directory, error)));
        }
    }
    for (directory, error) in &failed {
        let concerns = |tree: &&mut Staged| tree.groups.iter().any(|it| it.directory.starts_with(directory));
        for tree in trees.iter_mut().filter(concerns) {
            tree.report.failed.push(again(error));
        }
    }
}

/// The same error for another report.
fn again(error: &Error) -> Error {
    let source = match error.source.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.source.kind(), error.source.to_string()),
    };
    Error::new(error.operation, &error.path, source)
}

/// Syncs a filesystem by the root, if that lies on it: the root has been open since before anything was written, so that
/// syncfs(2) tells every write that failed since. Else by a directory that does.
fn sync_device(root: &Root, device: u64, directory: &Path) -> Result<(), Error> {
    let by = |place: &Place| {
        let synced = place.calls().sync_filesystem();
        synced.map_err(|error| Error::new("sync the filesystem of", place.path(), error))
    };
    if root.place().own_stat().is_ok_and(|stat| stat.device == device) {
        return by(root.place());
    }
    by(&root.directory(directory, Missing::Fail)?)
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
    let scales = Scales::of(&place);
    for file in &group.files {
        report.cancelled |= cancel.is_cancelled();
        let last = if report.cancelled { None } else { scales.before(&place, file) };
        let outcome = if report.cancelled { Ok(Outcome::Cancelled) } else { replace(&place, file) };
        let path = || place.join(&file.name);
        match &outcome {
            Ok(Outcome::Renamed) => {
                changed = true;
                report.count(file.mode, file.size);
                scales.renamed(&place, file, last, &mut report.moved);
            }
            Ok(Outcome::Already) => report.already += 1,
            Ok(Outcome::Stale) => report.stale.push(path()),
            Ok(Outcome::Cancelled) => {}
            Err(_) => report.unmade += 1,
        }
        // A rename over another name of the same file leaves the temporary name where it is (rename(2)). Where entries share
        // inodes, another thread may have made such a one since the look.
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
    if now.zip(file.made).is_some_and(|(now, made)| same_inode(&now, &made.stat)) {
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
        let made = place.find(&temporary).unwrap();
        let device = made.unwrap().stat.device;
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
