//! Locks between processes: who keeps whom out, who is named, and what is never removed.
//!
//! Other processes are this test binary again, see [`child`].

pub(crate) mod child;
mod command;
mod contend;
mod guards;
#[cfg(target_os = "linux")]
mod holders;
mod waiting;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory with an empty cache, an environment and a place for lock files, for everybody to use.
pub(crate) struct Scene {
    base: PathBuf,
    _directory: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = cachetui::disk::canonical(directory.path()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["cache/archive-v0", "cache/wheels-v7/pypi/demo", "roots/app/.venv", "home"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        std::fs::write(base.join("cache/CACHEDIR.TAG"), "").unwrap();
        std::fs::write(base.join("roots/app/.venv/pyvenv.cfg"), "home = /usr/bin\nuv = 0.13.8\n").unwrap();
        Self { base, _directory: directory }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        // With the separators of the system.
        self.base.join(relative).components().collect()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub(crate) fn environment(&self) -> PathBuf {
        self.path("roots/app/.venv")
    }
}

/// Whether a path is not there.
fn is_gone(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err()
}
