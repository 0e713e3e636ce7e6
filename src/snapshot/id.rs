//! Indices into one snapshot, and the key that names an entry across snapshots.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

macro_rules! index {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// The index of the row at `position`.
            ///
            /// # Panics
            /// Beyond four billion rows, which no snapshot has.
            pub fn new(position: usize) -> Self {
                Self(u32::try_from(position).expect("a snapshot has fewer than 2^32 rows of a kind"))
            }

            /// The position of the row in its vector.
            pub fn position(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(
    /// Position of an entry in `Snapshot::entries`.
    EntryIndex
);
index!(
    /// Position of an environment in `Snapshot::environments`.
    EnvironmentIndex
);
index!(
    /// Position of a pointer in `Snapshot::pointers`.
    PointerIndex
);

/// What names an entry across scans: its bucket and its id, both directory names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// The bucket's directory name, as `archive-v0`.
    pub bucket: Arc<str>,
    /// The entry's directory name. uv's ids are ASCII; a stray directory may be called anything.
    pub id: OsString,
}

impl EntryKey {
    /// Where the entry is, relative to the cache's root.
    pub fn path(&self) -> PathBuf {
        Path::new(&*self.bucket).join(&self.id)
    }
}
