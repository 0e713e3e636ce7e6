//! Numbers of 64 bits for the 128-bit ids that Windows gives files.
//!
//! NTFS has 64 bits and leaves the upper half at zero: those ids are their own numbers. `ReFS` has both halves, the
//! directory's number and that of the file in it. Such an id goes by a hash of it, the same in every run; should two ever
//! have the same, the second gets another one, so that within a run two numbers are equal only for one file. Between runs
//! (a plan that was saved) size and times are compared as well.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Set in every number that is a hash, so that none is the number of a file with a short id.
const HASHED: u64 = 1 << 63;

/// The numbers that were given to long ids.
#[derive(Debug, Default)]
pub struct FileNumbers {
    /// Whose number it is, by volume and number.
    given: HashMap<(u64, u64), u128>,
}

impl FileNumbers {
    /// The number of a file on a volume with 128-bit ids; none for an id of 64 bits, which is its own number.
    pub fn of(&mut self, volume: u64, id: u128) -> u64 {
        self.by(volume, id, seahash::hash)
    }

    fn by(&mut self, volume: u64, id: u128, hash: impl Fn(&[u8]) -> u64) -> u64 {
        let mut bytes = id.to_le_bytes().to_vec();
        loop {
            let number = hash(&bytes) | HASHED;
            match self.given.entry((volume, number)) {
                Entry::Vacant(free) => {
                    free.insert(id);
                    return number;
                }
                Entry::Occupied(taken) if *taken.get() == id => return number,
                Entry::Occupied(_) => bytes.push(0),
            }
        }
    }
}

/// An id that fits into 64 bits.
pub fn short(id: u128) -> Option<u64> {
    u64::try_from(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_64_bits_are_their_own_numbers_and_long_ones_never_meet_them() {
        assert_eq!(short(0x0001_0000_0000_0203), Some(0x0001_0000_0000_0203));
        assert_eq!(short(1 << 64), None);
        assert!(FileNumbers::default().of(1, 7 << 64 | 9) >= HASHED);
    }

    #[test]
    fn two_files_never_have_one_number_even_if_their_ids_hash_alike() {
        let mut numbers = FileNumbers::default();
        // As bad as a hash can be: it knows nothing but how much there is.
        let length = |bytes: &[u8]| bytes.len() as u64;
        let ids: Vec<u128> = (1..40).map(|file| 5 << 64 | file).collect();
        let first: Vec<u64> = ids.iter().map(|id| numbers.by(1, *id, length)).collect();
        let different: std::collections::HashSet<&u64> = first.iter().collect();
        assert_eq!(different.len(), ids.len());
        let again: Vec<u64> = ids.iter().rev().map(|id| numbers.by(1, *id, length)).collect();
        assert!(first.iter().rev().eq(&again), "a file keeps its number");
        assert_eq!(numbers.by(2, ids[30], length), first[0], "volumes have numbers of their own");
    }
}
