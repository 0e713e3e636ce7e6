//! Many files in few directories: each directory is found once, and what is true of all links into an entry is asked once.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use crate::disk::FileStat;
use crate::disk::walk::{Directory, Held};
use crate::uv::link::ArchivePath;

/// The files beneath a directory, looked at one after the other: one handle is open at a time.
#[derive(Debug)]
pub(super) struct Beneath {
    root: PathBuf,
    /// The directory that the last file lay in.
    last: Option<(PathBuf, Held)>,
}

impl Beneath {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, last: None }
    }

    /// Looks at a file in its directory, symlinks above it followed as by its whole path.
    pub(super) fn look<T>(
        &mut self,
        path: &Path,
        look: impl FnOnce(&Directory<'_>, &OsStr) -> io::Result<T>,
    ) -> io::Result<T> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let held = match self.last.take().filter(|(last, _)| last.as_os_str() == parent.as_os_str()) {
            Some(last) => last,
            None => (parent.to_owned(), Held::open(self.root.join(parent))?),
        };
        let (_, held) = self.last.insert(held);
        look(&held.directory(), name)
    }
}

/// Entries that links name and that are not there: whatever such a link says lies in one, it leads nowhere.
#[derive(Debug, Default)]
pub(super) struct Gone(FxHashMap<PathBuf, bool>);

impl Gone {
    /// Whether a link with this text leads nowhere for want of its entry.
    pub(super) fn has(&mut self, text: &Path, target: &ArchivePath) -> bool {
        // What a relative text says depends on where the link lies.
        if !text.is_absolute() {
            return false;
        }
        let entry = target.prefix.join(&target.bucket).join(&target.id);
        let gone = |entry: &PathBuf| FileStat::following(entry).is_err_and(|error| is_absence(&error));
        *self.0.entry(entry).or_insert_with_key(gone)
    }
}

pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;
    use crate::uv::link::archive_target;

    #[test]
    fn a_link_into_an_entry_leads_nowhere_only_if_the_entry_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("cache");
        std::fs::create_dir_all(cache.join("archive-v0/AAAAAAAAAAAAAAAAAAAAA/package")).unwrap();
        let mut gone = Gone::default();
        let mut has = |text: PathBuf| gone.has(&text, &archive_target(&text).unwrap());
        assert!(!has(cache.join("archive-v0/AAAAAAAAAAAAAAAAAAAAA/package/missing.py")));
        assert!(has(cache.join("archive-v0/BBBBBBBBBBBBBBBBBBBBB/package/missing.py")));
        assert!(has(directory.path().join("moved/archive-v0/AAAAAAAAAAAAAAAAAAAAA/package/file.py")));
        assert!(!has("archive-v0/BBBBBBBBBBBBBBBBBBBBB/file.py".into()), "relative to nobody knows what");
        // Through what is no directory nothing leads either.
        std::fs::write(directory.path().join("file"), b"").unwrap();
        assert!(has(directory.path().join("file/archive-v0/AAAAAAAAAAAAAAAAAAAAA/file.py")));
    }

    #[test]
    fn a_file_is_looked_at_as_by_its_whole_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir_all(root.join("lib/package")).unwrap();
        std::fs::write(root.join("lib/package/one.py"), b"one").unwrap();
        std::fs::write(root.join("lib/two.py"), b"two!").unwrap();
        std::os::unix::fs::symlink("lib", root.join("lib64")).unwrap();
        let mut beneath = Beneath::new(root.to_owned());
        let mut size = |path: &str| beneath.look(Path::new(path), |it, name| Ok(it.stat(name)?.size));
        assert_eq!(size("lib/package/one.py").unwrap(), 3);
        assert_eq!(size("lib/two.py").unwrap(), 4);
        assert_eq!(size("lib64/package/one.py").unwrap(), 3);
        assert!(is_absence(&size("lib/package/none.py").unwrap_err()));
        assert!(is_absence(&size("lib/two.py/none.py").unwrap_err()));
        assert!(is_absence(&size("gone/none.py").unwrap_err()));
        assert_eq!(size("lib/package/one.py").unwrap(), 3);
    }
}
