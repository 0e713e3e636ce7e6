//! The directory that uv installs into, and that is thrown away: also when its process was killed.
//!
//! While somebody works in one, a file in it is locked: by the process that made it, and by the uv that it has started. The
//! file gets its name when it is locked, so that one that can be locked tells that both are gone, whatever their numbers:
//! containers share directories, and not their processes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::apply::{purge, state};
use crate::control::{Cancel, Progress};
use crate::disk::{self, Error, FileStat, temporary};
use crate::linker::{Missing, Place, Root};

const PREFIX: &str = "cachetui-fetch-";
/// What is locked while somebody works there.
const LOCK: &str = "lock";
/// What it is called before.
const UNLOCKED: &str = "lock.new";

/// A directory of one's own among the temporary files; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    // Goes first: elsewhere than on Unix an open file is not removed.
    lock: Option<File>,
    above: Root,
    name: OsString,
    path: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.lock.take());
        // What cannot be removed now is removed by a later run.
        drop(purge::remove(self.above.place(), &self.name, &Cancel::default(), &Progress::default()));
    }
}

impl Scratch {
    pub(super) fn new(parent: &Path) -> Result<Self, Error> {
        let failed = |error| Error::new("create a temporary directory in", parent, error);
        let above = Root::reach(parent, Missing::Fail).map_err(failed)?;
        let random = temporary::temporary_name();
        let random = random.to_str().and_then(|text| text.get(10..42)).unwrap_or("0");
        let name = OsString::from(format!("{PREFIX}{:08x}-{random}", std::process::id()));
        let place = above.place().create_private_directory(&name).map_err(failed)?;
        let path = place.path().to_owned();
        let mut scratch = Self { lock: None, above, name, path };
        if !place.own_stat().is_ok_and(|stat| is_own(&stat)) {
            // A program that works there goes by paths, which that user could lead elsewhere.
            let text = "it belongs to another user; set `TMPDIR` to a directory that does not";
            return Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, text)));
        }
        scratch.lock = lock(&place);
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file without a name.
    pub(super) fn file(&self) -> io::Result<File> {
        let name = OsStr::new("said");
        let place = self.above.place().directory(&self.name)?;
        let file = place.create_file(name)?;
        // Windows removes nothing that is open; there it goes with the directory.
        drop(place.remove_file(name));
        Ok(file)
    }

    /// What a process reads that works there: nothing, from the file that is locked for as long as it runs.
    pub(super) fn stdin(&self) -> Stdio {
        // Elsewhere a lock belongs to its process.
        let shared = self.lock.as_ref().filter(|_| cfg!(unix)).and_then(|lock| lock.try_clone().ok());
        shared.map_or_else(Stdio::null, Stdio::from)
    }
}

/// Makes the lock. Without one, as on a filesystem that has none, the directory stays should this process be killed.
fn lock(directory: &Place) -> Option<File> {
    let file = directory.create_file(OsStr::new(UNLOCKED)).ok()?;
    file.try_lock().ok()?;
    directory.rename(OsStr::new(UNLOCKED), OsStr::new(LOCK)).ok()?;
    Some(file)
}

/// Removes what processes that were killed have left among the temporary files. What cannot be removed now is for another
/// time.
pub fn sweep(temporary: &Path) {
    let Some(root) = disk::canonical(temporary).ok().and_then(|real| Root::open(&real).ok()) else { return };
    let place = root.place();
    for name in place.names().unwrap_or_default() {
        if process_of(&name).is_some_and(|process| was_left(place, &name, process)) {
            let (cancel, progress) = (Cancel::default(), Progress::default());
            drop(purge::remove(place, &name, &cancel, &progress));
        }
    }
}

/// The process that made a directory of this name.
fn process_of(name: &OsStr) -> Option<u32> {
    let (process, random) = name.to_str()?.strip_prefix(PREFIX)?.split_once('-')?;
    let is_ours = process.len() == 8 && !random.is_empty();
    is_ours.then(|| u32::from_str_radix(process, 16).ok()).flatten()
}

/// Whether a directory is this user's, and nobody works in it any more.
fn was_left(place: &Place, name: &OsStr, process: u32) -> bool {
    let Ok(directory) = place.directory(name) else { return false };
    if !directory.own_stat().is_ok_and(|stat| is_own(&stat)) {
        return false;
    }
    let path: PathBuf = directory.join(OsStr::new(LOCK));
    match directory.find(OsStr::new(LOCK)) {
        Ok(Some(found)) => {
            found.stat.kind == disk::FileKind::File
                && disk::read::open(&path).is_ok_and(|file| file.try_lock().is_ok())
        }
        // It was killed before it had locked anything, or is about to.
        Ok(None) => state::is_gone(process),
        Err(_) => false,
    }
}

#[cfg(unix)]
fn is_own(stat: &FileStat) -> bool {
    stat.owner == rustix::process::geteuid().as_raw()
}

/// Temporary files are a user's own there.
#[cfg(not(unix))]
fn is_own(_stat: &FileStat) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    #[test]
    fn a_directory_goes_when_nobody_holds_its_lock_any_more() {
        let temporary = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(temporary.path()).unwrap();
        let path = scratch.path().to_owned();
        std::fs::create_dir_all(path.join("site/package")).unwrap();
        std::fs::write(path.join("site/package/module.py"), "1").unwrap();
        sweep(temporary.path());
        assert!(path.join("site/package/module.py").exists(), "somebody works there");
        // As after a kill: nobody removes it. What was started goes on for a while.
        let mut scratch = std::mem::ManuallyDrop::new(scratch);
        let lock = scratch.lock.take();
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .stdin(lock.as_ref().unwrap().try_clone().unwrap())
            .spawn()
            .unwrap();
        drop(lock);
        sweep(temporary.path());
        assert!(path.exists(), "what it started works there");
        child.kill().unwrap();
        child.wait().unwrap();
        // A process that another test is starting at this moment may have the file for as long as that takes.
        let file = File::open(path.join(LOCK)).unwrap();
        file.lock().unwrap();
        file.unlock().unwrap();
        sweep(temporary.path());
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_certainly_left_stays() {
        let temporary = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join(LOCK), "").unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (gone, runs) = (child.id(), std::process::id());
        let make = |name: String, lock: bool| {
            let path = temporary.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(if lock { LOCK } else { UNLOCKED }), "").unwrap();
            path
        };
        let left = [
            make(format!("{PREFIX}{gone:08x}-aaaaaa"), false),
            make(format!("{PREFIX}{gone:08x}-bbbbbb"), true),
            // Numbers are given again.
            make(format!("{PREFIX}{runs:08x}-cccccc"), true),
        ];
        let mut stay = vec![
            make(format!("{PREFIX}{runs:08x}-dddddd"), false),
            make(format!("{PREFIX}notes"), true),
            make(format!("{PREFIX}{gone:08x}-"), true),
            make(format!("{PREFIX}{gone:x}x-eeeeee"), true),
        ];
        let link = temporary.path().join(format!("{PREFIX}{gone:08x}-ffffff"));
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        stay.push(link);
        sweep(temporary.path());
        for path in left {
            assert!(!path.exists(), "{}", path.display());
        }
        for path in stay {
            assert!(path.join(LOCK).exists() || path.join(UNLOCKED).exists(), "{}", path.display());
        }
        assert!(elsewhere.path().join(LOCK).exists());
    }
}
