//! Entries of one name and version, and what tells them apart.

use std::collections::BTreeMap;

use super::{Entry, EntryIndex, EntryKind, Snapshot};

impl Snapshot {
    /// For each entry that has its name and version in common with another, what tells it from that one: its tags, where
    /// it came from, else its id. Not escaped.
    pub fn distinctions(&self) -> BTreeMap<EntryIndex, String> {
        // That one is an environment is shown beside its version.
        let mut alike: BTreeMap<(&str, Option<&str>, bool), Vec<EntryIndex>> = BTreeMap::new();
        for (index, entry) in self.entries() {
            if let Some(name) = entry.name.as_deref() {
                let is_environment = entry.kind == EntryKind::Environment;
                alike.entry((name, entry.version.as_deref(), is_environment)).or_default().push(index);
            }
        }
        alike.retain(|_, entries| entries.len() > 1);
        let mut labels = BTreeMap::new();
        for entries in alike.into_values() {
            let by = [tags, place, id];
            let distinct = |by: &fn(&Entry) -> String| {
                let mut told: Vec<String> = entries.iter().map(|index| by(self.entry(*index))).collect();
                told.sort_unstable();
                told.windows(2).all(|pair| pair[0] != pair[1]) && told.iter().all(|label| !label.is_empty())
            };
            let by = by.into_iter().find(distinct).unwrap_or(id);
            labels.extend(entries.into_iter().map(|index| (index, by(self.entry(index)))));
        }
        labels
    }
}

fn tags(entry: &Entry) -> String {
    match entry.tags.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    }
}

/// Where it came from, with as much of a digest as tells two apart.
fn place(entry: &Entry) -> String {
    let built = if entry.source.built { ", built" } else { "" };
    let detail = entry.source.detail.as_deref().map_or(String::new(), |detail| format!(" {detail}"));
    format!("{}{detail}{built}", entry.source.origin.word())
}

fn id(entry: &Entry) -> String {
    entry.key.id.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{EntryKey, Origin, Source};

    fn entry(id: &str, tags: &[&str], origin: Origin) -> Entry {
        Entry {
            key: EntryKey { bucket: "archive-v0".into(), id: id.into() },
            name: Some("numpy".to_owned()),
            version: Some("1.0".to_owned()),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            source: Source { origin, ..Source::default() },
            ..Entry::default()
        }
    }

    fn labels(entries: Vec<Entry>) -> Vec<String> {
        Snapshot { entries, ..Snapshot::default() }.distinctions().into_values().collect()
    }

    #[test]
    fn entries_of_one_name_are_told_apart_by_tags_then_source_then_id() {
        let pypi = Origin::Pypi;
        assert_eq!(labels(vec![entry("a", &["cp311"], pypi)]), [""; 0], "there is nothing to tell it from");
        let tagged = vec![entry("a", &["cp311"], pypi), entry("b", &["cp312", "abi3"], pypi)];
        assert_eq!(labels(tagged), ["cp311", "cp312 +1"]);
        let placed = vec![entry("a", &["cp311"], pypi), entry("b", &["cp311"], Origin::Index)];
        assert_eq!(labels(placed), ["pypi", "index"]);
        let alike = vec![entry("a", &["cp311"], pypi), entry("b", &["cp311"], pypi)];
        assert_eq!(labels(alike), ["a", "b"]);
        let mut other = entry("c", &[], pypi);
        other.version = Some("2.0".to_owned());
        let untagged = vec![entry("a", &[], pypi), entry("b", &[], Origin::Git), other];
        assert_eq!(labels(untagged), ["pypi", "git"], "another version is another row already");
    }
}
