//! The result of a scan: what the cache holds, which environments there are, and who uses what by which evidence.
//!
//! Everything here is data and pure queries over it. Rows refer to each other by index ([`EntryIndex`] and its kin),
//! which are valid within one snapshot only; what has to survive a rescan is named by [`EntryKey`] or by an
//! environment's path. Bytes that can be given back are answered jointly for a whole selection
//! ([`Snapshot::reclaimable`]) from [`Group`]s: sets of inodes or extents that have the same holders.

pub mod alike;
pub mod damage;
pub mod entry;
pub mod environment;
pub mod files;
pub mod group;
pub mod id;
pub mod layout;
pub mod object;
pub mod origin;
pub mod piece;
pub mod pointer;
pub mod print;
pub mod problem;
pub mod query;
pub mod reference;
pub mod scope;
pub mod user_link;

pub use damage::{Damage, DamagedLink, link_beside};
pub use entry::{
    Bucket, Cache, Doubt, Entry, EntryKind, EntryState, LastUse, LastUseEvidence, Links, Origin, Source,
    Space,
};
pub use environment::{
    Distribution, DistributionState, Environment, EnvironmentKind, FileBytes, FileCounts, FoundBy, Health,
    JointCopy, Leftover, LeftoverKind, LinkMode, Manager, Mode, OtherCache, Project,
};
pub use files::{FileFate, FileRow, FilesRequest};
pub use group::{Certainty, Given, Group, Holder, Outside, Reclaimable, Selection};
pub use id::{EntryIndex, EntryKey, EnvironmentIndex, PointerIndex};
pub use layout::Odd;
pub use object::StoreObject;
pub use origin::{CameFrom, Origins};
pub use piece::{Piece, PieceKind};
pub use pointer::{Pointer, PointerForm, PointerState};
pub use print::{FilePrint, Identity, TreePrint};
pub use problem::Problem;
pub use query::What;
pub use reference::{Evidence, EvidenceCounts, ModeCounts, Reference};
pub use scope::{Completeness, Scope, ScopeRoot};
pub use user_link::{UserLink, UserLinkForm};

/// What one scan found.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The cache itself.
    pub cache: Cache,
    /// What was searched, and what could not be.
    pub scope: Scope,
    /// The entries of all `archive-v*` buckets, ordered by bucket and id.
    pub entries: Vec<Entry>,
    /// The environments, ordered by path.
    pub environments: Vec<Environment>,
    /// What inside the cache leads to an entry or claims to, ordered by path.
    pub pointers: Vec<Pointer>,
    /// The objects of the content-addressed store, ordered by path.
    pub objects: Vec<StoreObject>,
    /// What lies in buckets and can go by itself, ordered by path.
    pub pieces: Vec<Piece>,
    /// Who uses what, ordered by entry, then environment, then distribution.
    pub references: Vec<Reference>,
    /// What leads into entries from outside every environment, ordered by entry.
    pub user_links: Vec<UserLink>,
    /// The storage behind entries and environments, by who holds it.
    pub groups: Vec<Group>,
    /// Indexes, directories, files and repositories that pointers name by a digest, as far as something tells which.
    pub places: std::collections::BTreeMap<String, crate::uv::sources::Place>,
    /// What could not be read or understood.
    pub problems: Vec<Problem>,
}

/// Sums over a whole snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries.
    pub entries: u64,
    /// Environments.
    pub environments: u64,
    /// Files of all entries.
    pub files: u64,
    /// Sizes of all entries' files added up, in bytes.
    pub logical: u64,
    /// Allocated bytes of all entries, each inode once.
    pub disk: u64,
    /// Entries that are unused or unreferenced.
    pub unused_entries: u64,
    /// What deleting exactly those entries gives back.
    pub unused: Reclaimable,
}

impl Snapshot {
    /// Whether nothing shows that an environment was used for so many seconds. Of one that shows nothing at all that is not known.
    pub fn is_idle(&self, environment: &Environment, seconds: u64) -> bool {
        let now = self.scope.started.unwrap_or_default();
        let longest = i64::try_from(seconds).unwrap_or(i64::MAX);
        let used = environment.last_use.map(|last_use| last_use.time);
        used.is_some_and(|used| now.as_second().saturating_sub(used.as_second()) >= longest)
    }

    /// The entry at `index`.
    ///
    /// # Panics
    /// When the index comes from another snapshot and is out of range.
    pub fn entry(&self, index: EntryIndex) -> &Entry {
        &self.entries[index.position()]
    }

    /// The environment at `index`.
    ///
    /// # Panics
    /// When the index comes from another snapshot and is out of range.
    pub fn environment(&self, index: EnvironmentIndex) -> &Environment {
        &self.environments[index.position()]
    }

    /// The pointer at `index`.
    ///
    /// # Panics
    /// When the index comes from another snapshot and is out of range.
    pub fn pointer(&self, index: PointerIndex) -> &Pointer {
        &self.pointers[index.position()]
    }

    /// All entries with their indices.
    pub fn entries(&self) -> impl Iterator<Item = (EntryIndex, &Entry)> {
        self.entries.iter().enumerate().map(|(position, entry)| (EntryIndex::new(position), entry))
    }

    /// All environments with their indices.
    pub fn environments(&self) -> impl Iterator<Item = (EnvironmentIndex, &Environment)> {
        self.environments.iter().enumerate().map(|(position, item)| (EnvironmentIndex::new(position), item))
    }

    /// The index of the entry with this key, if this snapshot has it.
    pub fn find_entry(&self, key: &EntryKey) -> Option<EntryIndex> {
        self.entries
            .binary_search_by(|entry| {
                (entry.key.bucket.as_ref(), entry.key.id.as_os_str())
                    .cmp(&(key.bucket.as_ref(), key.id.as_os_str()))
            })
            .ok()
            .map(EntryIndex::new)
    }

    /// The index of the environment with this root, if this snapshot has it.
    pub fn find_environment(&self, path: &std::path::Path) -> Option<EnvironmentIndex> {
        self.environments.iter().position(|item| item.path == path).map(EnvironmentIndex::new)
    }

    /// The references to one entry, ordered by environment.
    pub fn references_to(&self, entry: EntryIndex) -> &[Reference] {
        let start = self.references.partition_point(|reference| reference.entry < entry);
        let end = self.references.partition_point(|reference| reference.entry <= entry);
        &self.references[start..end]
    }

    /// What leads into one entry from outside every environment, ordered by path.
    pub fn user_links_to(&self, entry: EntryIndex) -> &[UserLink] {
        let start = self.user_links.partition_point(|link| link.entry < entry);
        let end = self.user_links.partition_point(|link| link.entry <= entry);
        &self.user_links[start..end]
    }

    /// The references from one environment, ordered by entry.
    pub fn references_from(&self, environment: EnvironmentIndex) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(move |reference| reference.environment == environment)
    }

    /// How many environments use an entry (by whatever evidence but its name).
    pub fn user_count(&self, entry: EntryIndex) -> usize {
        let mut users = 0;
        let mut last = None;
        for reference in self.references_to(entry).iter().filter(|item| item.evidence > Evidence::Name) {
            if last != Some(reference.environment) {
                users += 1;
                last = Some(reference.environment);
            }
        }
        users
    }

    /// What deleting exactly `selection` gives back, jointly.
    pub fn reclaimable(&self, selection: &Selection) -> Reclaimable {
        group::reclaimable(&self.groups, selection)
    }

    /// What deleting entries and environments one after the other gives back: the sum is what deleting all of them does.
    pub fn reclaimable_in_order(&self, order: &[Holder]) -> Vec<Reclaimable> {
        group::reclaimable_in_order(&self.groups, order)
    }

    /// What goes with entries and environments of the cache that go one after the other.
    pub fn given_in_order(&self, order: &[Holder]) -> Vec<Given> {
        group::given_in_order(&self.groups, order, |holder| match holder {
            Holder::Environment(index) => self.cache.relative(&self.environment(index).path).is_some(),
            Holder::Entry(_) | Holder::Store | Holder::Cache | Holder::Trash => true,
        })
    }

    /// Allocated bytes of everything in the cache but what only the trash has, which is given up already.
    pub fn kept(&self) -> u64 {
        let outside = |holder: &Holder| match holder {
            Holder::Environment(index) => self.cache.relative(&self.environment(*index).path).is_none(),
            _ => false,
        };
        let trashed = self.groups.iter().filter(|group| {
            let has = group.holders.contains(&Holder::Trash);
            has && group.holders.iter().all(|holder| *holder == Holder::Trash || outside(holder))
        });
        let single = self.cache.trash().map_or(0, |trash| trash.single);
        self.cache.disk.saturating_sub(single + trashed.map(|group| group.disk).sum::<u64>())
    }

    /// What deleting each entry alone gives back, in the order of [`Snapshot::entries`].
    pub fn reclaimable_per_entry(&self) -> Vec<Reclaimable> {
        group::reclaimable_alone(&self.groups, self.entries.len(), |holder| match holder {
            Holder::Entry(index) => Some(index.position()),
            _ => None,
        })
    }

    /// What deleting each environment alone gives back: its exclusive bytes, in the order of
    /// [`Snapshot::environments`]. An environment that is stored as an entry has its entry's figure.
    pub fn reclaimable_per_environment(&self) -> Vec<Reclaimable> {
        let mut own =
            group::reclaimable_alone(&self.groups, self.environments.len(), |holder| match holder {
                Holder::Environment(index) => Some(index.position()),
                _ => None,
            });
        if self.environments.iter().any(|environment| environment.entry.is_some()) {
            let entries = self.reclaimable_per_entry();
            for (figure, environment) in own.iter_mut().zip(&self.environments) {
                if let Some(entry) = environment.entry {
                    *figure = entries[entry.position()];
                }
            }
        }
        own
    }

    /// What removing some entries frees.
    pub fn reclaimable_of(&self, entries: impl IntoIterator<Item = EntryIndex>) -> Reclaimable {
        let mut selection = Selection::new(self);
        for index in entries {
            selection.add_entry(index);
        }
        self.reclaimable(&selection)
    }

    /// Sums over the whole snapshot.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            entries: self.entries.len() as u64,
            environments: self.environments.len() as u64,
            ..Totals::default()
        };
        let mut selection = Selection::new(self);
        for (index, entry) in self.entries() {
            totals.files += entry.files;
            totals.logical += entry.logical;
            if matches!(entry.state, EntryState::Unused | EntryState::Unreferenced) {
                totals.unused_entries += 1;
                selection.add_entry(index);
            }
        }
        totals.disk = self
            .groups
            .iter()
            .filter(|group| group.holders.iter().any(|holder| matches!(holder, Holder::Entry(_))))
            .map(|group| group.disk)
            .sum();
        totals.unused = self.reclaimable(&selection);
        totals
    }
}
