//! The sample caches in `tests/fixtures`, unpacked into temporary directories.

#[cfg(unix)]
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Every sample, by the name of its archive without `.tar.gz`. Each holds `cache` and one or more environments.
#[cfg(unix)]
pub(crate) const ALL: [&str; 7] = [
    "uv-0.5.0-cache",
    "uv-0.6.0-cache",
    "uv-0.9.30-cache",
    "uv-0.12.5-cache",
    "uv-0.13.8-cache",
    "uv-0.13.9-cache",
    "uv-0.13.8-windows-cache",
];

/// The samples that can be unpacked where symlinks need a privilege.
#[cfg(windows)]
pub(crate) const ALL: [&str; 1] = ["uv-0.13.8-windows-cache"];

/// The sample that uv 0.13.8 wrote on this system.
pub(crate) const HERE: &str = if cfg!(windows) { "uv-0.13.8-windows-cache" } else { "uv-0.13.8-cache" };

#[cfg(unix)]
fn unpack(archive: &Path, directory: &Path) {
    let status =
        std::process::Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(directory).status().unwrap();
    assert!(status.success(), "`tar` unpacks `{}`", archive.display());
}

#[cfg(windows)]
fn unpack(archive: &Path, directory: &Path) {
    let file = std::fs::File::open(archive).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(directory).unwrap();
}

/// Where the samples were made.
const MADE_IN: [&[u8]; 4] = [b"/srv/demo/app", br"C:\v1", br"C:\v9", br"C:\py"];

/// An unpacked sample, removed when dropped.
pub(crate) struct Fixture {
    directory: TempDir,
}

impl Fixture {
    /// Unpacks a sample, without what names environments on another machine.
    pub(crate) fn unpack(name: &str) -> Self {
        let fixture = Self::whole(name);
        fixture.leave_the_other_machine();
        fixture
    }

    /// Unpacks a sample as it was packed.
    pub(crate) fn whole(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let archive =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.tar.gz"));
        unpack(&archive, directory.path());
        Self { directory }
    }

    /// Takes away uv's records of the environments on the machine where the sample was made: whether those are gone or only
    /// away would depend on the directories of this machine.
    fn leave_the_other_machine(&self) {
        let buckets = std::fs::read_dir(self.cache()).unwrap().map(|bucket| bucket.unwrap().path());
        for bucket in buckets.filter(|path| path.to_str().unwrap().contains("interpreter-v")) {
            for record in walkdir::WalkDir::new(bucket).into_iter().map(Result::unwrap) {
                let has = |bytes: &[u8], place: &[u8]| bytes.windows(place.len()).any(|part| part == place);
                let named = std::fs::read(record.path())
                    .is_ok_and(|bytes| MADE_IN.iter().any(|place| has(&bytes, place)));
                if named {
                    std::fs::remove_file(record.path()).unwrap();
                }
            }
        }
    }

    /// The directory that holds what was packed.
    pub(crate) fn root(&self) -> PathBuf {
        let has_cache = |directory: &PathBuf| directory.join("cache").is_dir();
        let inner = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        [self.directory.path().to_path_buf()].into_iter().chain(inner).find(has_cache).unwrap()
    }

    /// The cache's root.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root().join("cache")
    }

    /// The ids of the entries in the cache.
    pub(crate) fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.cache().join("archive-v0")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Everything beneath the sample's root that is not a directory, ordered by path.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let walk = walkdir::WalkDir::new(self.root()).sort_by_file_name().into_iter().map(Result::unwrap);
        walk.filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path).collect()
    }

    /// The files of the cache with one extension, outside the entries.
    #[cfg(unix)]
    pub(crate) fn cached_files(&self, extension: &str) -> Vec<PathBuf> {
        let cache = self.cache();
        let is_outside =
            |path: &PathBuf| path.strip_prefix(&cache).is_ok_and(|path| !path.starts_with("archive-v0"));
        let fits = |path: &PathBuf| is_outside(path) && path.extension() == Some(OsStr::new(extension));
        self.files().into_iter().filter(fits).collect()
    }
}
