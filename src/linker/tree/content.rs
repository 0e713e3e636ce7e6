//! Whether content is the same, read through open files.

use std::fs::File;
use std::io::{self, Read, Seek as _};

/// Bytes compared at a time.
const BLOCK: usize = 64 << 10;

/// Whether two files have the same bytes.
pub(in crate::linker) fn equal(mut one: &File, mut other: &File) -> io::Result<bool> {
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    one.rewind()?;
    other.rewind()?;
    let (mut left, mut right) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let (length, other_length) = (full(&mut one, &mut left)?, full(&mut other, &mut right)?);
        if left[..length] != right[..other_length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(true);
        }
    }
}

/// Fills a block as far as the file goes.
fn full(file: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_means_every_byte_at_every_length() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            crate::linker::write_new(&path, bytes, 0o644).unwrap();
            File::open(path).unwrap()
        };
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let mut bytes = vec![7; length];
            let (one, other) = (file(&format!("{length}a"), &bytes), file(&format!("{length}b"), &bytes));
            assert!(equal(&one, &other).unwrap() && equal(&one, &other).unwrap());
            if let Some(last) = bytes.last_mut() {
                *last = 8;
                assert!(!equal(&one, &file(&format!("{length}c"), &bytes)).unwrap());
            }
        }
    }
}
