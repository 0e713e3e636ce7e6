//! Locks as witnesses: whoever changes a cache or an environment shows one of these.
//!
//! The order of uv is in the types: the lock of an environment is taken by someone who shows that they hold the cache's,
//! and cannot outlive it. Two environments at a time are locked in the order of their paths, or one after the other.
//!
//! A shared lock never becomes an exclusive one: flock(2) would let it go in between. Drop it, take the other, and look at
//! everything again.
//!
//! # What a lock does not keep away
//! `uv cache prune --force` and `uv cache clean --force` pass over the cache's lock, and uv waits for an environment's lock
//! no longer than its timeout, 300 s by default, and then goes on without it (uv 0.13.8). `--no-cache` runs do not look
//! at the cache's.

use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::Refused;
use super::directory::{Directory, OwnLock};
use super::file::{Access, Held};
use super::holder::Share;
use super::waiting::{self, Waiting};
use crate::disk::{self, FileKind, FileStat};
use crate::human::escape_os;
use crate::uv::bucket::{self, TRASH};

/// What uv leaves in a cache that it has emptied, and what cachetui does.
const LEFT: [&str; 5] = [".git", ".gitignore", ".lock", "CACHEDIR.TAG", TRASH];

/// Both locks of one resource, uv's and cachetui's. uv's is released first.
#[derive(Debug)]
struct Both {
    uv: Vec<Held>,
    /// Others of uv's in the root of a cache. They may come and go.
    further: Vec<Held>,
    own: Option<OwnLock>,
    root: PathBuf,
    notes: Vec<String>,
}

/// The cache's lock, held together with others: nobody prunes or cleans the cache meanwhile.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct CacheShared(Both);

/// The cache's lock, held alone: no uv since 0.8.20 reads or changes the cache meanwhile. Older releases take the lock for
/// a moment only, or not at all.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct CacheExclusive(Both);

/// An environment's lock, held alone, by someone who holds the cache's.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct EnvironmentExclusive<'cache>(Both, PhantomData<&'cache ()>);

/// By what a directory counts as an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// By its `pyvenv.cfg`.
    PyvenvCfg,
    /// Somebody says so: `uv pip install --target` or `--prefix` filled it.
    Target,
}

/// Whoever holds the lock of a cache, one way or the other.
pub trait HoldsCache: sealed::Sealed {
    /// The cache's root.
    fn cache(&self) -> &Path;
    /// Whether the lock still is the one that others would take: asked again before a change after a long time.
    fn still_valid(&self) -> bool;
    /// What `stat` says about the lock file in its root, which is held open: what lies beside that file is what is locked.
    fn lock_file(&self) -> std::io::Result<FileStat>;
    /// What to tell about the locks that were taken, as sentences.
    fn notes(&self) -> &[String];
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::CacheShared {}
    impl Sealed for super::CacheExclusive {}
}

impl CacheShared {
    /// Takes the lock of a cache together with others, and cachetui's own in `directory` before it.
    pub fn acquire(
        cache: &Path,
        directory: Option<&Directory>,
        waiting: &Waiting<'_>,
    ) -> Result<Self, Refused> {
        of_cache(cache, Share::Shared, directory, waiting).map(Self)
    }
}

impl CacheExclusive {
    /// Takes the lock of a cache alone, and cachetui's own in `directory` before it.
    pub fn acquire(
        cache: &Path,
        directory: Option<&Directory>,
        waiting: &Waiting<'_>,
    ) -> Result<Self, Refused> {
        of_cache(cache, Share::Exclusive, directory, waiting).map(Self)
    }
}

impl HoldsCache for CacheShared {
    fn cache(&self) -> &Path {
        &self.0.root
    }

    fn still_valid(&self) -> bool {
        self.0.still_valid()
    }

    fn lock_file(&self) -> std::io::Result<FileStat> {
        self.0.lock_file()
    }

    fn notes(&self) -> &[String] {
        &self.0.notes
    }
}

impl HoldsCache for CacheExclusive {
    fn cache(&self) -> &Path {
        &self.0.root
    }

    fn still_valid(&self) -> bool {
        self.0.still_valid()
    }

    fn lock_file(&self) -> std::io::Result<FileStat> {
        self.0.lock_file()
    }

    fn notes(&self) -> &[String] {
        &self.0.notes
    }
}

impl<'cache> EnvironmentExclusive<'cache> {
    /// Takes the lock of an environment alone, and cachetui's own in `directory` before it. Of a tool that uv installed
    /// the directory of tools is locked too, as uv itself does.
    pub fn acquire(
        root: &Path,
        sign: Sign,
        _cache: &'cache impl HoldsCache,
        directory: Option<&Directory>,
        waiting: &Waiting<'_>,
    ) -> Result<Self, Refused> {
        let is_one = match sign {
            Sign::PyvenvCfg => root.join("pyvenv.cfg").is_file(),
            Sign::Target => root.is_dir(),
        };
        if !is_one {
            return Err(Refused::Unlike { path: root.to_owned(), expected: "a Python environment" });
        }
        let mut files = Vec::new();
        if let Some(tools) = root.parent().filter(|_| root.join("uv-receipt.toml").is_file()) {
            files.push(tools.join(".lock"));
        }
        files.push(root.join(".lock"));
        Ok(Self(Both::acquire(root, &files, Share::Exclusive, directory, waiting)?, PhantomData))
    }

    /// The environment's root.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Whether the lock still is the one that others would take.
    pub fn still_valid(&self) -> bool {
        self.0.still_valid()
    }

    /// What `stat` says about the lock file in its root, which is held open: what lies beside that file is what is locked.
    pub fn lock_file(&self) -> std::io::Result<FileStat> {
        self.0.lock_file()
    }

    /// What to tell about the locks that were taken, as sentences.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }
}

fn of_cache(
    cache: &Path,
    share: Share,
    directory: Option<&Directory>,
    waiting: &Waiting<'_>,
) -> Result<Both, Refused> {
    match names(cache) {
        Ok(names) if looks_like_cache(&names) => {}
        Ok(_) => return Err(Refused::Unlike { path: cache.to_owned(), expected: "a uv cache" }),
        Err(error) => return Err(Refused::from_io("read the directory", cache, error)),
    }
    for round in 1.. {
        let mut both = Both::acquire(cache, &[cache.join(".lock")], share, directory, waiting)?;
        let refused = match share {
            Share::Shared => None,
            Share::Exclusive => both.take_further(cache).err(),
        };
        match refused {
            None => return Ok(both),
            // It is waited for without the cache's own, so that no other uv waits meanwhile.
            Some(Refused::Busy { path, .. }) if round < ROUNDS => {
                drop(both);
                drop(waiting::take(&path, share, Access::All, waiting)?);
            }
            Some(refused) => return Err(refused),
        }
    }
    unreachable!("the last round answers")
}

/// How often a further lock is waited for that others take again and again.
const ROUNDS: usize = 8;

/// Whether a file in a cache's root is a lock beside the cache's own: a uv that gives that back while the program it has started
/// still runs keeps another one for what that needs (uv pull request 20116). What it guards is not known, so that the cache waits.
pub(super) fn is_further_lock(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name != b".lock" && (name.starts_with(b".lock") || name.ends_with(b".lock"))
}

/// Whether a directory may be locked as a cache.
pub(super) fn is_cache(path: &Path) -> bool {
    names(path).is_ok_and(|names| looks_like_cache(&names))
}

fn names(path: &Path) -> std::io::Result<Vec<OsString>> {
    std::fs::read_dir(path)?.map(|item| item.map(|item| item.file_name())).collect()
}

/// A cache, or one that uv has emptied: its marks, and nothing else, or its lock alone (uv 0.13.8).
fn looks_like_cache(names: &[OsString]) -> bool {
    let is_left = |name: &OsString| LEFT.iter().any(|left| name == left);
    bucket::looks_like_cache(names.iter().map(OsString::as_os_str))
        || (names.iter().any(|name| name == "CACHEDIR.TAG") && names.iter().all(is_left))
        || matches!(names, [only] if only == ".lock")
}

impl Both {
    fn acquire(
        root: &Path,
        files: &[PathBuf],
        share: Share,
        directory: Option<&Directory>,
        waiting: &Waiting<'_>,
    ) -> Result<Self, Refused> {
        let mut notes = Vec::new();
        let own = match directory.map(|directory| directory.acquire(root, share, waiting)).transpose() {
            Ok(own) => own,
            Err(refused) if refused.is_busy() || matches!(refused, Refused::Cancelled { .. }) => {
                return Err(refused);
            }
            Err(refused) => {
                notes.push(left_out(root, &refused));
                None
            }
        };
        let uv = files.iter().map(|file| waiting::take(file, share, Access::All, waiting));
        let uv = uv.collect::<Result<_, _>>()?;
        Ok(Self { uv, further: Vec::new(), own, root: root.to_owned(), notes })
    }

    /// Takes what other locks are in a cache's root, after its own, as uv would take them, and waits for none.
    fn take_further(&mut self, cache: &Path) -> Result<(), Refused> {
        for name in names(cache).unwrap_or_default() {
            let path = cache.join(&name);
            let is_file = || FileStat::of(&path).is_ok_and(|stat| stat.kind == FileKind::File);
            if is_further_lock(&name) && is_file() {
                self.further.push(waiting::take(&path, Share::Exclusive, Access::All, &Waiting::Never)?);
            }
        }
        Ok(())
    }

    fn lock_file(&self) -> std::io::Result<FileStat> {
        let own = self.uv.last().ok_or(std::io::ErrorKind::NotFound)?;
        FileStat::of_file(own.file())
    }

    fn still_valid(&self) -> bool {
        self.uv.iter().all(Held::still_valid) && self.own.as_ref().is_none_or(OwnLock::still_valid)
    }
}

/// Says that cachetui's own lock was left out.
fn left_out(root: &Path, refused: &Refused) -> String {
    let why = match std::error::Error::source(refused).and_then(std::error::Error::source) {
        Some(source) => format!("{refused} ({source})"),
        None => refused.to_string(),
    };
    format!("`{}` is locked with uv's lock file alone: {why}.", escape_os(root.as_os_str()))
}

/// Says that the lock directory cannot be used, and what that means.
pub fn without_directory(error: &disk::Error) -> String {
    format!(
        "cachetui's own locks are left out: {error} ({}). uv's lock files suffice for changes; looking needs none.",
        disk::error::words(&error.source)
    )
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]
    #![expect(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

    use super::*;
    use crate::lock::Sharing;

    fn cache() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("archive-v0")).unwrap();
        directory
    }

    fn environment() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        directory
    }

    #[test]
    fn shared_locks_stand_beside_each_other_and_an_exclusive_one_alone() {
        let cache = cache();
        let shared = |path: &Path| CacheShared::acquire(path, None, &Waiting::Never);
        let exclusive = |path: &Path| CacheExclusive::acquire(path, None, &Waiting::Never);
        let (first, second) = (shared(cache.path()).unwrap(), shared(cache.path()).unwrap());
        assert!(exclusive(cache.path()).unwrap_err().is_busy());
        drop((first, second));
        let alone = exclusive(cache.path()).unwrap();
        assert!(alone.still_valid() && alone.cache() == cache.path());
        assert!(shared(cache.path()).unwrap_err().is_busy());
        assert!(exclusive(cache.path()).unwrap_err().is_busy());
        drop(alone);
        drop(shared(cache.path()).unwrap());
    }

    #[test]
    fn what_does_not_look_like_a_cache_or_an_environment_gets_no_lock_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("CACHEDIR.TAG"), "").unwrap();
        std::fs::write(directory.path().join("Cargo.toml"), "").unwrap();
        let refused = CacheExclusive::acquire(directory.path(), None, &Waiting::Never).unwrap_err();
        assert!(matches!(&refused, Refused::Unlike { expected: "a uv cache", .. }), "{refused:?}");
        std::fs::remove_file(directory.path().join("Cargo.toml")).unwrap();
        let emptied = CacheShared::acquire(directory.path(), None, &Waiting::Never).unwrap();
        let project = tempfile::tempdir().unwrap();
        let acquire =
            |sign| EnvironmentExclusive::acquire(project.path(), sign, &emptied, None, &Waiting::Never);
        assert!(matches!(acquire(Sign::PyvenvCfg), Err(Refused::Unlike { .. })));
        assert_eq!(std::fs::read_dir(project.path()).unwrap().count(), 0);
        assert_eq!(acquire(Sign::Target).unwrap().root(), project.path());
        let gone = CacheShared::acquire(Path::new("/nowhere/cache"), None, &Waiting::Never);
        assert!(matches!(gone, Err(Refused::Vanished { .. })));
    }

    #[test]
    fn both_locks_are_taken_and_either_one_keeps_others_out() {
        let (cache, locks) = (cache(), tempfile::tempdir().unwrap());
        let directory = Directory::open(&locks.path().join("locks"), Sharing::Own).unwrap();
        let acquire = |directory| CacheExclusive::acquire(cache.path(), directory, &Waiting::Never);
        let own = directory.acquire(cache.path(), Share::Shared, &Waiting::Never).unwrap();
        let refused = acquire(Some(&directory)).unwrap_err();
        assert!(matches!(&refused, Refused::Busy { path, .. } if path.starts_with(directory.path())));
        drop(own);
        let old = acquire(None).unwrap();
        let refused = acquire(Some(&directory)).unwrap_err();
        assert!(matches!(&refused, Refused::Busy { path, .. } if path.ends_with(".lock")));
        drop(old);
        let held = acquire(Some(&directory)).unwrap();
        assert!(held.notes().is_empty());
        assert!(directory.acquire(cache.path(), Share::Shared, &Waiting::Never).is_err());
        std::fs::remove_file(directory.file_of(cache.path())).unwrap();
        assert!(!held.still_valid());
    }

    #[test]
    fn a_lock_directory_that_fails_is_left_out_with_a_note() {
        let (cache, locks) = (cache(), tempfile::tempdir().unwrap());
        let directory = Directory::open(locks.path(), Sharing::Named).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.file_of(cache.path())).unwrap();
        let held = CacheExclusive::acquire(cache.path(), Some(&directory), &Waiting::Never).unwrap();
        assert!(held.notes()[0].contains("a symlink"), "{:?}", held.notes());
        assert!(held.still_valid());
    }

    #[test]
    fn the_lock_of_a_tool_is_that_of_all_tools_too() {
        let cache = cache();
        let tools = tempfile::tempdir().unwrap();
        let root = tools.path().join("ruff");
        std::fs::create_dir(&root).unwrap();
        for name in ["pyvenv.cfg", "uv-receipt.toml"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let shared = CacheShared::acquire(cache.path(), None, &Waiting::Never).unwrap();
        let acquire = |root: &Path| {
            EnvironmentExclusive::acquire(root, Sign::PyvenvCfg, &shared, None, &Waiting::Never).map(drop)
        };
        acquire(&root).unwrap();
        let all = std::fs::File::open(tools.path().join(".lock")).unwrap();
        all.try_lock().unwrap();
        assert!(acquire(&root).unwrap_err().is_busy());
        acquire(environment().path()).unwrap();
    }
}
