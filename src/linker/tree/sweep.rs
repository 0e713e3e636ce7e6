//! What killed runs left under temporary names.

use std::io;
use std::path::Path;

use rustc_hash::FxHashSet;

use super::stage::LinkChanges;
use super::{Error, TreeReport, TreeRequest};
use crate::disk::temporary::{is_temporary, original_of};
use crate::disk::{FileKind, FileStat, walk};
use crate::linker::place::{Calls as _, Missing, Place, Root, directory_and_name, is_in_use};

/// Removes what killed runs left in the directories of some requests, before anything is staged for any of them: it changes
/// the number of links of files elsewhere in the tree. Answers with those changes, and with what each request has to
/// report of it. A directory that is missing has nothing, one that cannot be entered is told when it is needed.
pub(super) fn sweep_before(
    root: &Root,
    requests: &[TreeRequest],
    threads: usize,
) -> (LinkChanges, Vec<TreeReport>) {
    let mut seen = FxHashSet::default();
    let mut directories: Vec<(usize, &Path)> = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        for item in &request.items {
            let Ok((directory, _)) = directory_and_name(&item.destination) else { continue };
            if seen.insert(directory.as_os_str()) {
                directories.push((number, directory));
            }
        }
    }
    let swept = walk::map(&directories, threads, |(_, directory)| {
        Some(sweep(&root.directory(directory, Missing::Fail).ok()?))
    });
    let mut changes = LinkChanges::default();
    let mut reports: Vec<TreeReport> = requests.iter().map(|_| TreeReport::default()).collect();
    for ((number, _), swept) in directories.into_iter().zip(swept) {
        let report = &mut reports[number];
        match swept {
            Some(Ok(swept)) => {
                report.swept += swept.len() as u64;
                for stat in &swept {
                    changes.add(stat, -1);
                }
            }
            Some(Err(error)) => report.failed.push(error),
            None => {}
        }
    }
    (changes, reports)
}

/// Removes the temporary names in a directory that are files or symlinks, and tells what they were. A file that was
/// moved aside goes back first, unless another has taken its place.
pub(in crate::linker) fn sweep(place: &Place) -> Result<Vec<FileStat>, Error> {
    let names =
        place.calls().names().map_err(|error| Error::new("read the directory", place.path(), error))?;
    let mut swept = Vec::new();
    for name in &names {
        let original = original_of(name);
        if original.is_none() && !is_temporary(name) {
            continue;
        }
        let failed = |error| Error::new("remove the temporary file", place.join(name), error);
        let Some(found) = place.find(name).map_err(failed)? else { continue };
        let is_ours = matches!(found.stat.kind, FileKind::File | FileKind::Symlink);
        if let Some(original) = original.filter(|_| is_ours) {
            match place.calls().rename_new(name, original) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                moved => {
                    moved.map_err(|error| Error::new("put back the file", place.join(name), error))?;
                    continue;
                }
            }
        }
        if is_ours {
            match place.calls().remove_file(name) {
                // A later run takes it away, when the program that runs from it has ended.
                Err(error) if is_in_use(&error) => continue,
                removed => removed.map_err(failed)?,
            }
            swept.push(found.stat);
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    use crate::disk::temporary::{aside_name, temporary_name};
    use crate::linker::write_new;

    #[cfg(windows)]
    #[test]
    fn what_somebody_uses_is_left_to_a_later_run() {
        use std::os::windows::fs::OpenOptionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(temporary_name());
        write_new(&path, b"moved aside", 0o644).unwrap();
        let root = Root::open(directory.path()).unwrap();
        // As what runs is open: others may read it, and not remove it.
        let user = std::fs::OpenOptions::new().read(true).share_mode(1).open(&path).unwrap();
        assert_eq!(sweep(root.place()).unwrap().len(), 0);
        drop(user);
        assert_eq!(sweep(root.place()).unwrap().len(), 1);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_a_killed_run_moved_aside_goes_back_unless_its_successor_stands() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let aside = |name: &str, text: &[u8]| {
            write_new(&path.join(aside_name(OsStr::new(name)).unwrap()), text, 0o644).unwrap();
        };
        // Killed before the successor came, and after.
        aside("module.pyd", b"old");
        write_new(&path.join("other.py"), b"new", 0o644).unwrap();
        aside("other.py", b"old");
        write_new(&path.join(temporary_name()), b"half", 0o644).unwrap();
        let root = Root::open(path).unwrap();
        assert_eq!(sweep(root.place()).unwrap().len(), 2, "what went for good");
        let mut names = root.place().calls().names().unwrap();
        names.sort();
        assert_eq!(names, ["module.pyd", "other.py"]);
        assert_eq!(std::fs::read(path.join("module.pyd")).unwrap(), b"old");
        assert_eq!(std::fs::read(path.join("other.py")).unwrap(), b"new");
        assert_eq!(sweep(root.place()).unwrap().len(), 0);
    }
}
