//! Files in cachetui's own state directory, which is never inside a cache.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;

use crate::disk::{Error, temporary};

/// Writes a file of state: a reader sees the old content or the new one, whatever happens in between.
///
/// The directory is made, for its owner alone, if it is missing. The data is not synced: losing a state file to a power
/// cut costs a search, and a damaged one counts as empty.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_directory(directory).map_err(|error| Error::new("create the directory", directory, error))?;
    sweep(directory);
    let failed = |error| Error::new("write the file", path, error);
    let name = temporary::temporary_name();
    let made = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempfile_in(directory);
    let mut file = made.map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Removes what processes that were killed have left in a directory. What cannot be removed now is for another time.
fn sweep(directory: &Path) {
    let Ok(found) = std::fs::read_dir(directory) else { return };
    let was_left = |name: &OsStr| temporary::process_of(name).is_some_and(|process| !runs(process));
    for item in found.flatten().filter(|item| was_left(&item.file_name())) {
        #[expect(clippy::disallowed_methods, reason = "a file of the program's own")]
        drop(std::fs::remove_file(item.path()));
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

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
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
