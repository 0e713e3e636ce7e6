//! Links in the cache that no longer keep the entries they are there for.
//!
//! uv's prune takes every entry that no link leads to, and leaves the `.http` and `.rev` files that name it; when uv
//! installs a wheel it follows those files alone, and fails where their entry is gone (uv 0.13.8). A link that is lost or
//! leads elsewhere is therefore damage, although nothing is broken yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{EntryIndex, PointerForm, PointerIndex, PointerState, Snapshot};

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Damage {
    /// A pointer file names an entry, and beside it there is no link.
    Lost,
    /// It could not be read or understood.
    Malformed,
    /// It leads to an entry that is not there.
    Dangling,
    /// It leads outside this cache.
    Foreign,
    /// It leads to another entry than the pointer file beside it names.
    Astray,
}

impl Damage {
    /// The word for it, the same on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Malformed => "malformed",
            Self::Dangling => "dangling",
            Self::Foreign => "foreign",
            Self::Astray => "astray",
        }
    }
}

/// A link that does not lead where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedLink {
    /// Where it is, or should be, relative to the cache's root.
    pub path: PathBuf,
    /// What is wrong with it.
    pub damage: Damage,
    /// The link, where something lies there that looks like one.
    pub link: Option<PointerIndex>,
    /// The pointer files beside it that name entries which are there.
    pub named_by: Vec<PointerIndex>,
}

impl DamagedLink {
    /// The entry that the pointer files beside it name, where they agree.
    pub fn entry(&self, snapshot: &Snapshot) -> Option<EntryIndex> {
        let mut entries = self.named_by.iter().map(|index| snapshot.pointer(*index).entry);
        let first = entries.next()??;
        entries.all(|other| other == Some(first)).then_some(first)
    }
}

/// The pointers of one key: a link, and the pointer files beside it.
#[derive(Default)]
struct Beside {
    link: Option<PointerIndex>,
    files: Vec<PointerIndex>,
}

impl Snapshot {
    /// The links that do not keep their entries, ordered by path.
    pub fn damaged_links(&self) -> Vec<DamagedLink> {
        let mut keys: BTreeMap<PathBuf, Beside> = BTreeMap::new();
        for (position, pointer) in self.pointers.iter().enumerate() {
            let index = PointerIndex::new(position);
            match pointer.form {
                PointerForm::Symlink | PointerForm::LinkFile => {
                    keys.entry(pointer.path.clone()).or_default().link = Some(index);
                }
                PointerForm::Http | PointerForm::Rev => {
                    keys.entry(link_beside(&pointer.path)).or_default().files.push(index);
                }
            }
        }
        keys.into_iter().filter_map(|(path, beside)| self.damaged_link(path, beside)).collect()
    }

    fn damaged_link(&self, path: PathBuf, Beside { link, files }: Beside) -> Option<DamagedLink> {
        let is_live = |index: &PointerIndex| self.pointer(*index).state == PointerState::Live;
        let named_by: Vec<PointerIndex> = files.into_iter().filter(is_live).collect();
        let found = link.map(|index| self.pointer(index));
        let damage = match found.map(|found| found.state) {
            None if named_by.is_empty() => return None,
            None => Damage::Lost,
            Some(PointerState::Malformed) => Damage::Malformed,
            Some(PointerState::Dangling) => Damage::Dangling,
            Some(PointerState::Foreign) => Damage::Foreign,
            Some(PointerState::Live) => {
                let leads = found.and_then(|found| found.entry);
                if named_by.iter().all(|index| self.pointer(*index).entry == leads) {
                    return None;
                }
                Damage::Astray
            }
        };
        Some(DamagedLink { path, damage, link, named_by })
    }
}

/// Where the link lies that belongs to a pointer file.
pub fn link_beside(pointer_file: &Path) -> PathBuf {
    pointer_file.with_extension("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{FilePrint, Pointer};

    fn pointer(path: &str, form: PointerForm, state: PointerState, entry: Option<usize>) -> Pointer {
        Pointer {
            path: path.into(),
            form,
            state,
            entry: entry.map(EntryIndex::new),
            target: String::new(),
            note: String::new(),
            modified: None,
            print: FilePrint::default(),
        }
    }

    fn damaged(pointers: Vec<Pointer>) -> Vec<(String, &'static str)> {
        let snapshot = Snapshot { pointers, ..Snapshot::default() };
        let all = snapshot.damaged_links().into_iter();
        all.map(|it| (it.path.display().to_string(), it.damage.word())).collect()
    }

    #[test]
    fn a_link_is_damaged_when_it_is_not_where_its_pointer_file_leads() {
        use PointerForm::{Http, LinkFile, Rev, Symlink};
        use PointerState::{Dangling, Foreign, Live, Malformed};
        let rev = |key: &str, entry| pointer(&format!("w/{key}.rev"), Rev, Live, Some(entry));
        let found = damaged(vec![
            pointer("w/1.0-a", LinkFile, Live, Some(1)),
            rev("1.0-a", 1),
            rev("1.0-b", 1),
            pointer("w/1.0-c", LinkFile, Malformed, None),
            rev("1.0-c", 1),
            pointer("w/1.0-d", Symlink, Dangling, None),
            pointer("w/1.0-d.http", Http, Live, Some(2)),
            pointer("w/1.0-e", Symlink, Foreign, None),
            rev("1.0-e", 1),
            pointer("w/1.0-f", Symlink, Live, Some(2)),
            rev("1.0-f", 1),
            // What is dead on both sides leads to nothing that could be kept.
            pointer("w/1.0-g.http", Http, Dangling, None),
            // A build's link has nothing beside it.
            pointer("s/demo-1.0", Symlink, Live, Some(3)),
            pointer("s/dead-1.0", Symlink, Dangling, None),
        ]);
        let expected = [
            ("s/dead-1.0", "dangling"),
            ("w/1.0-b", "lost"),
            ("w/1.0-c", "malformed"),
            ("w/1.0-d", "dangling"),
            ("w/1.0-e", "foreign"),
            ("w/1.0-f", "astray"),
        ];
        assert_eq!(found, expected.map(|(path, word)| (path.to_owned(), word)));
    }

    #[test]
    fn pointer_files_that_disagree_name_no_entry() {
        use PointerForm::{Http, Rev};
        let both = |other| Snapshot {
            pointers: vec![
                pointer("w/1.0.http", Http, PointerState::Live, Some(1)),
                pointer("w/1.0.rev", Rev, PointerState::Live, Some(other)),
            ],
            ..Snapshot::default()
        };
        for (other, entry) in [(1, Some(EntryIndex::new(1))), (2, None)] {
            let snapshot = both(other);
            assert_eq!(snapshot.damaged_links()[0].entry(&snapshot), entry);
        }
    }
}
