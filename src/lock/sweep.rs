//! Removes cachetui's own lock files that nobody needs any more.
//!
//! Only a file that is proven free goes: it is locked exclusively, its path is looked at again, and it is removed while the
//! lock is held. Whoever opened it before finds, after locking, that the path names another file or none, and takes that.
//! Files of other names are never touched, nor is anything of uv's.

#![cfg_attr(all(test, unix), expect(clippy::disallowed_methods, reason = "tests make the files they need"))]

use std::path::{Path, PathBuf};

use super::directory::is_file_name;
use super::file::{self, Access, Attempt};
use super::holder::{self, Share};
use super::{Directory, Refused};
use crate::disk;

/// What became of the files of a lock directory, in order of their names.
#[derive(Debug, Default)]
pub struct Swept {
    /// Those that were removed.
    pub removed: Vec<PathBuf>,
    /// Those that were kept, each with the reason as a sentence.
    pub kept: Vec<(PathBuf, String)>,
    /// Those that could not be removed.
    pub failed: Vec<disk::Error>,
}

/// Removes these lock files from a directory, as far as nobody holds them.
pub fn sweep(directory: &Directory, files: &[PathBuf]) -> Swept {
    let mut swept = Swept::default();
    for path in files {
        if path.parent() != Some(directory.path()) || !path.file_name().is_some_and(is_file_name) {
            swept.kept.push((path.clone(), "Its name is not one that cachetui gives.".to_owned()));
            continue;
        }
        match remove(path) {
            Ok(()) => swept.removed.push(path.clone()),
            Err(Refused::Vanished { .. }) => {}
            Err(Refused::Failed(error)) => swept.failed.push(error),
            Err(Refused::Busy { holders, .. }) => {
                let why = format!("It is held by {}.", holder::in_words(&holders));
                swept.kept.push((path.clone(), why));
            }
            Err(refused) => swept.kept.push((path.clone(), format!("{refused}."))),
        }
    }
    swept
}

/// The files of a lock directory that could be removed if they are free: those with a name that cachetui gives.
pub fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for item in std::fs::read_dir(directory)? {
        let name = item?.file_name();
        if is_file_name(&name) {
            files.push(directory.join(name));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn remove(path: &Path) -> Result<(), Refused> {
    // One that is gone by now is not made anew.
    if !path.exists() && !path.is_symlink() {
        return Err(Refused::Vanished { path: path.to_owned() });
    }
    match file::attempt(path, Share::Exclusive, Access::Own)? {
        Attempt::Held(held) => {
            // A name of our shape may be somebody else's; what it says tells.
            if super::directory::resource_in(path).is_none() {
                return Err(Refused::Odd {
                    path: path.to_owned(),
                    what: "a file that cachetui did not write",
                });
            }
            held.remove().map_err(|error| disk::Error::new("remove the lock file", path, error))?;
            Ok(())
        }
        Attempt::Busy => Err(Refused::Busy {
            path: path.to_owned(),
            wanted: Share::Exclusive,
            holders: holder::of_busy(path, Share::Exclusive),
        }),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::lock::{Sharing, Waiting};

    #[test]
    fn only_free_files_of_our_own_names_go() {
        let base = tempfile::tempdir().unwrap();
        let directory = Directory::open(base.path(), Sharing::Named).unwrap();
        let acquire = |name| directory.acquire(Path::new(name), Share::Shared, &Waiting::Never).unwrap();
        let held = acquire("/held");
        drop(acquire("/free"));
        let symlink = directory.file_of(Path::new("/link"));
        let victim = directory.path().join("victim");
        std::fs::write(&victim, "content").unwrap();
        std::os::unix::fs::symlink(&victim, &symlink).unwrap();
        let found = files(directory.path()).unwrap();
        assert_eq!(found.len(), 3);
        let outside = base.path().join("sub").join(symlink.file_name().unwrap());
        let asked: Vec<PathBuf> = found.iter().cloned().chain([victim.clone(), outside.clone()]).collect();
        let swept = sweep(&directory, &asked);
        assert_eq!(swept.removed, [directory.file_of(Path::new("/free"))]);
        assert!(swept.failed.is_empty());
        let why = |path: &Path| {
            swept.kept.iter().find(|(kept, _)| kept == path).map(|(_, why)| why.as_str()).unwrap()
        };
        assert!(why(&directory.file_of(Path::new("/held"))).starts_with("It is held by "));
        assert!(why(&symlink).contains("is a symlink, not a lock file"));
        assert_eq!(why(&victim), "Its name is not one that cachetui gives.");
        assert_eq!(why(&outside), "Its name is not one that cachetui gives.");
        assert!(held.still_valid() && victim.exists() && symlink.is_symlink());
        assert!(sweep(&directory, &swept.removed).removed.is_empty());
    }
}
