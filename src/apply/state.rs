//! Files in cachetui's own state directory, which is never inside a cache.

use std::io::{self, Write as _};
use std::path::Path;

use crate::disk::Error;

/// Writes a file of state: a reader sees the old content or the new one, whatever happens in between.
///
/// The directory is made, for its owner alone, if it is missing. The data is not synced: losing a state file to a power
/// cut costs a search, and a damaged one counts as empty.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_directory(directory).map_err(|error| Error::new("create the directory", directory, error))?;
    let failed = |error| Error::new("write the file", path, error);
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
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
}
