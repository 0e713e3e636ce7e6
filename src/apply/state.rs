//! Files in cachetui's own state directory, which is never inside a cache.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::disk::{Error, temporary};
use crate::linker::{Missing, Place, Root};

/// The file of a kind in the state directory that is about some paths.
pub fn named(state: &Path, kind: &str, paths: &[&Path]) -> PathBuf {
    let mut digest = Sha256::new();
    for path in paths {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    state.join(kind).join(format!("{}.json", HEXLOWER.encode(&digest[..16])))
}

/// Writes a file of state: a reader sees the old content or the new one, whatever happens in between.
///
/// The directory is made, for its owner alone, if it is missing. The data is not synced: losing a state file to a power
/// cut costs a search, and a damaged one counts as empty.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write(path, bytes, false)
}

/// Writes a file of state that has to outlive a power cut.
pub fn save_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write(path, bytes, true)
}

fn write(path: &Path, bytes: &[u8], durable: bool) -> Result<(), Error> {
    let failed = |error| Error::new("write the file", path, error);
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let directory = open(path.parent().unwrap_or(Path::new(".")), Missing::Create)?;
    let place = directory.place();
    sweep(place);
    let temporary = temporary::temporary_name();
    let mut file = place.create_file(&temporary).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| if durable { file.sync_all() } else { Ok(()) });
    drop(file);
    let saved = written.and_then(|()| place.rename(&temporary, name));
    // What cannot be removed now is removed by a later call.
    saved.inspect_err(|_| drop(place.remove_file(&temporary))).map_err(failed)?;
    if durable {
        // The name itself. Where a directory cannot be synced the filesystem orders names by itself.
        drop(place.sync_filesystem());
    }
    Ok(())
}

/// Removes a file of state, or one that was written like one.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::new("remove the file", path, error);
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let directory = open(path.parent().unwrap_or(Path::new(".")), Missing::Fail)?;
    match directory.place().remove_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed),
    }
}

/// Opens a directory of state.
pub(super) fn open(directory: &Path, missing: Missing) -> Result<Root, Error> {
    let operation = match missing {
        Missing::Create => "create the directory",
        Missing::Fail => "open the directory",
    };
    Root::reach(directory, missing).map_err(|error| Error::new(operation, directory, error))
}

/// Removes what processes that were killed have left in a directory. What cannot be removed now is for another time.
fn sweep(directory: &Place) {
    let was_left = |name: &OsStr| temporary::process_of(name).is_some_and(|process| !runs(process));
    for name in directory.names().unwrap_or_default().iter().filter(|name| was_left(name)) {
        drop(directory.remove_file(name));
    }
}

/// Whether a process has certainly ended, as far as this machine knows its processes.
#[cfg(unix)]
pub(super) fn is_gone(process: u32) -> bool {
    !runs(process)
}

/// Whether a process has certainly ended: not known.
#[cfg(not(unix))]
pub(super) fn is_gone(_process: u32) -> bool {
    false
}

/// Whether a process of this machine has a number. One of another machine that shares the directory may be taken for
/// gone: then it cannot save its file, and says so.
#[cfg(unix)]
fn runs(process: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Whether a process has a number: not known, and not needed, because here an open file is not removed.
#[cfg(not(unix))]
fn runs(_process: u32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_file_is_replaced_as_a_whole_and_leaves_no_temporary_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/state.json");
        save(&path, b"one").unwrap();
        save(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_process_left_that_is_gone_is_removed_and_what_one_makes_that_runs_is_not() {
        #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]
        let directory = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        let name = |process: u32| format!(".cachetui-{process:08x}000000000123456789abcdef.tmp");
        for name in [name(gone), name(std::process::id()), ".tmpAbCdEf".to_owned()] {
            std::fs::write(directory.path().join(name), b"").unwrap();
        }
        save(&directory.path().join("state.json"), b"one").unwrap();
        let left = |name: &str| directory.path().join(name).exists();
        assert!(!left(&name(gone)));
        assert!(left(&name(std::process::id())) && left(".tmpAbCdEf"));
    }
}
