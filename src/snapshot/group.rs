//! Storage by who holds it, and what deleting a selection gives back.
//!
//! A scan folds every inode (and, where the filesystem can reflink, every shared extent) into a [`Group`]: all storage
//! with the same set of holders. A cache of a million files has a few groups per entry, so that the bytes of a selection
//! can be answered anew for each mark a person sets.

use super::Snapshot;
use super::id::{EntryIndex, EnvironmentIndex};

/// Who holds a piece of storage. An environment that is stored as an entry holds it as that entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// An entry.
    Entry(EntryIndex),
    /// An environment outside the archive buckets.
    Environment(EnvironmentIndex),
    /// The content-addressed file store, `files-v*`.
    Store,
    /// Any other part of the cache.
    Cache,
    /// What cachetui has removed and not unlinked yet.
    Trash,
}

/// Whether anybody outside the scan's knowledge holds the storage too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outside {
    /// Every link and every shared extent is accounted for.
    Nobody,
    /// Links are counted, or extents shared, that were not found.
    Unexplained,
    /// The filesystem does not say what these bytes really take: compression, inline files.
    Unknown,
    /// The filesystem keeps its accounts to itself, so that fewer bytes may come free: layers, a server.
    Unsaid,
}

/// Storage with the same holders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Who holds it, sorted, without repetition.
    pub holders: Box<[Holder]>,
    /// Whether somebody unknown holds it too.
    pub outside: Outside,
    /// Inodes in the group.
    pub inodes: u64,
    /// Their sizes added up, in bytes.
    pub logical: u64,
    /// Their allocated bytes.
    pub disk: u64,
    /// The part of `disk` of which the filesystem does not say what it really takes: compressed or inline extents.
    pub opaque: u64,
}

/// Entries and environments somebody has chosen.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    entries: Vec<bool>,
    environments: Vec<bool>,
    entry_of_environment: Vec<Option<EntryIndex>>,
    store: bool,
}

/// How sure a number of bytes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Exactly so many.
    #[default]
    Exact,
    /// At least so many; the filesystem will not say how many more.
    AtLeast,
    /// At most so many; fewer where they lie in a layer below, or where a server or an open file keeps them.
    AtMost,
    /// About so many: of one part there are at least so many, of another at most.
    Unknown,
}

/// What deleting a selection gives back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaimable {
    /// Bytes the filesystem has free afterwards that it has not now.
    pub bytes: u64,
    /// How sure that is.
    pub certainty: Certainty,
    /// Inodes that go.
    pub inodes: u64,
    /// Bytes of the selection that stay, because somebody outside it holds them too.
    pub held: u64,
    /// Bytes that go, but of which the filesystem does not say what they really take.
    pub opaque: u64,
}

impl Certainty {
    /// The word for it, the same on screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AtLeast => "at-least",
            Self::AtMost => "at-most",
            Self::Unknown => "unknown",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Exact, Self::AtLeast, Self::AtMost, Self::Unknown];

    /// How sure a sum is of two numbers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exact, other) | (other, Self::Exact) => other,
            (one, other) if one == other => one,
            _ => Self::Unknown,
        }
    }

    /// What stands before the number in a sentence.
    pub fn before(self) -> &'static str {
        match self {
            Self::Exact => "",
            Self::AtLeast => "at least ",
            Self::AtMost => "at most ",
            Self::Unknown => "about ",
        }
    }

    /// What stands before the number in a column.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Exact => "",
            Self::AtLeast => "≥ ",
            Self::AtMost => "≤ ",
            Self::Unknown => "~ ",
        }
    }
}

impl Selection {
    /// An empty selection over `snapshot`.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            entries: vec![false; snapshot.entries.len()],
            environments: vec![false; snapshot.environments.len()],
            entry_of_environment: snapshot.environments.iter().map(|environment| environment.entry).collect(),
            store: false,
        }
    }

    /// Adds an entry.
    pub fn add_entry(&mut self, entry: EntryIndex) {
        self.entries[entry.position()] = true;
    }

    /// Adds an environment; one that is stored as an entry adds that entry.
    pub fn add_environment(&mut self, environment: EnvironmentIndex) {
        match self.entry_of_environment[environment.position()] {
            Some(entry) => self.entries[entry.position()] = true,
            None => self.environments[environment.position()] = true,
        }
    }

    /// Adds the objects of the content-addressed store that nobody outside the selection links to, as `uv cache prune`
    /// removes them after their entries (uv 0.13.8).
    pub fn add_store(&mut self) {
        self.store = true;
    }

    fn has(&self, holder: Holder) -> bool {
        match holder {
            Holder::Entry(index) => self.entries[index.position()],
            Holder::Environment(index) => self.environments[index.position()],
            Holder::Store => self.store,
            Holder::Cache | Holder::Trash => false,
        }
    }
}

impl Reclaimable {
    /// All allocated bytes of the selection, whatever becomes of them.
    pub fn total(&self) -> u64 {
        self.bytes + self.held + self.opaque
    }

    fn take(&mut self, group: &Group) {
        // Where the filesystem's numbers are an upper bound anyway, so are those of what it does not say.
        let opaque = if group.outside == Outside::Unsaid { 0 } else { group.opaque };
        self.bytes += group.disk.saturating_sub(opaque);
        self.opaque += opaque;
        self.inodes += group.inodes;
        self.certainty = self.certainty.and(match group.outside {
            Outside::Unknown => Certainty::AtLeast,
            Outside::Unsaid if group.disk > 0 => Certainty::AtMost,
            _ => Certainty::Exact,
        });
    }
}

/// What deleting `selection` gives back: a group counts once, and only when all its holders are selected and nobody
/// unknown holds it. Where the filesystem does not say, the group's bytes count as the bound they are, and so does the sum.
pub(super) fn reclaimable(groups: &[Group], selection: &Selection) -> Reclaimable {
    let mut answer = Reclaimable::default();
    for group in groups {
        let selected = group.holders.iter().filter(|holder| selection.has(**holder)).count();
        let only_store = group.holders.iter().all(|holder| *holder == Holder::Store);
        if selected == 0 || only_store {
            continue;
        }
        if selected == group.holders.len() && group.outside != Outside::Unexplained {
            answer.take(group);
        } else {
            answer.held += group.disk;
        }
    }
    answer
}

/// What deleting holders one after the other gives back: each group counts with the holder that is the last to go, and
/// what stays of it with the first that goes. The sum is what deleting all of them gives back.
pub(super) fn reclaimable_in_order(groups: &[Group], order: &[Holder]) -> Vec<Reclaimable> {
    let place: std::collections::HashMap<Holder, usize> =
        order.iter().enumerate().map(|(place, holder)| (*holder, place)).collect();
    let mut answers = vec![Reclaimable::default(); order.len()];
    for group in groups {
        let places = || group.holders.iter().filter_map(|holder| place.get(holder).copied());
        let (Some(first), Some(last)) = (places().min(), places().max()) else { continue };
        if places().count() == group.holders.len() && group.outside != Outside::Unexplained {
            answers[last].take(group);
        } else {
            answers[first].held += group.disk;
        }
    }
    answers
}

/// What a holder takes along when it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Bytes by which the cache gets smaller.
    pub leaves: u64,
    /// Bytes that the filesystem has free then.
    pub back: u64,
}

/// What goes with holders that go one after the other, each group with the last of them. An object of the store goes along with
/// the entries that link to it, unless others do. `inside`: who lies in the cache.
pub(super) fn given_in_order(
    groups: &[Group],
    order: &[Holder],
    inside: impl Fn(Holder) -> bool,
) -> Vec<Given> {
    let place: std::collections::HashMap<Holder, usize> =
        order.iter().enumerate().map(|(place, holder)| (*holder, place)).collect();
    let mut answers = vec![Given::default(); order.len()];
    for group in groups {
        let is_store = |holder: &Holder| *holder == Holder::Store;
        let is_trash = |holder: &Holder| *holder == Holder::Trash;
        // The place of the last one; none where one of them stays. What the trash has is given up already.
        let last = |only_inside: bool| {
            let holders = group.holders.iter().filter(|it| !is_store(it) && !is_trash(it));
            let mut last = None;
            for holder in holders.filter(|it| !only_inside || inside(**it)) {
                last = last.max(Some(*place.get(holder)?));
            }
            last
        };
        let everyone = last(false)
            .filter(|_| group.outside != Outside::Unexplained && !group.holders.iter().any(is_trash));
        let has_store = group.holders.iter().any(is_store);
        if let Some(last) = last(true).filter(|_| everyone.is_some() || !has_store) {
            answers[last].leaves += group.disk;
        }
        if let Some(last) = everyone {
            answers[last].back += group.disk.saturating_sub(group.opaque);
        }
    }
    answers
}

/// What deleting one holder each gives back, for many, in one pass; `position` tells which of `count` a holder is.
pub(super) fn reclaimable_alone(
    groups: &[Group],
    count: usize,
    position: impl Fn(Holder) -> Option<usize>,
) -> Vec<Reclaimable> {
    let mut answers = vec![Reclaimable::default(); count];
    for group in groups {
        let free = group.outside != Outside::Unexplained && group.holders.len() == 1;
        for answer in group.holders.iter().filter_map(|holder| position(*holder)) {
            if free {
                answers[answer].take(group);
            } else {
                answers[answer].held += group.disk;
            }
        }
    }
    answers
}
