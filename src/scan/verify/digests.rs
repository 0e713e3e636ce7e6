//! The SHA-256 of files, each inode read once.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use crate::control::Cancel;
use crate::disk::{FileStat, read};

/// Bytes read at a time, and between two looks at whether to go on.
const BLOCK: usize = 1 << 18;

/// What has been read so far.
pub(super) struct Digests {
    known: Mutex<FxHashMap<(u64, u64), [u8; 32]>>,
    cancel: Cancel,
}

impl Digests {
    pub(super) fn new(cancel: Cancel) -> Self {
        Self { known: Mutex::default(), cancel }
    }

    /// The digest of what a path leads to, of which `stat` tells. `Interrupted` when somebody stopped it.
    pub(super) fn of(&self, path: &Path, stat: &FileStat) -> io::Result<[u8; 32]> {
        let key = (stat.device, stat.inode);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known().get(&key) {
            return Ok(*digest);
        }
        let digest = self.read(path)?;
        known().insert(key, digest);
        Ok(digest)
    }

    fn read(&self, path: &Path) -> io::Result<[u8; 32]> {
        // Only what a symlink leads to is opened, and only if it is a regular file.
        let mut file = match read::open(path) {
            Ok(file) => file,
            Err(_) => read::open(&crate::disk::canonical(path)?)?,
        };
        let mut state = Sha256::new();
        let mut block = vec![0; BLOCK];
        loop {
            if self.cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match file.read(&mut block) {
                Ok(0) => return Ok(state.finalize().into()),
                Ok(length) => state.update(&block[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
