//! How people name entries and environments, and which ones they mean.
//!
//! WHAT is a name, a requirement as `numpy<2`, or an entry's id, alone or behind its bucket; ENV is an environment's root or a
//! project that holds one. An id wins over a name: it can mean one entry only.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::entry::Entry;
use super::id::{EntryIndex, EnvironmentIndex};
use super::{EnvironmentKind, Snapshot};
use crate::uv::distribution::normalize;
use crate::uv::requirement::Requirement;

/// What somebody calls one or several entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct What {
    text: OsString,
    requirement: Option<Requirement>,
    /// Normalized, of what is no requirement: cached environments are called `ruff +2`.
    name: Option<String>,
}

impl What {
    /// Reads what somebody typed; every text means something, if only a stray directory's id.
    pub fn new(text: &OsStr) -> Self {
        let requirement = text.to_str().and_then(|text| Requirement::read(text).ok());
        let name = text.to_str().filter(|_| requirement.is_none()).map(normalize);
        Self { text: text.to_owned(), requirement, name }
    }

    /// What was typed.
    pub fn text(&self) -> &OsStr {
        &self.text
    }

    /// The requirement that it is, if it is one: a name, or one with versions.
    pub fn requirement(&self) -> Option<&Requirement> {
        self.requirement.as_ref()
    }

    /// Whether it means this entry by its name, and versions if some were given.
    pub fn names(&self, entry: &Entry) -> bool {
        self.names_distribution(entry.name.as_deref(), entry.version.as_deref())
    }

    /// Whether it means a distribution of this name and version.
    pub fn names_distribution(&self, name: Option<&str>, version: Option<&str>) -> bool {
        let Some(name) = name else { return false };
        match &self.requirement {
            Some(wanted) => wanted.is_met_by(name, version.unwrap_or_default()),
            None => self.name.as_ref().is_some_and(|own| *own == normalize(name)),
        }
    }

    /// Whether it is this entry's id, alone or behind its bucket.
    pub fn identifies(&self, entry: &Entry) -> bool {
        if self.text == entry.key.id {
            return true;
        }
        let text = self.text.as_encoded_bytes();
        let bucket = entry.key.bucket.as_bytes();
        text.strip_prefix(bucket)
            .and_then(|rest| rest.strip_prefix(b"/").or_else(|| rest.strip_prefix(b"\\")))
            .is_some_and(|id| id == entry.key.id.as_encoded_bytes())
    }

    /// The entries it means, in the order of the snapshot.
    pub fn find(&self, snapshot: &Snapshot) -> Vec<EntryIndex> {
        let all = |wanted: &dyn Fn(&Entry) -> bool| -> Vec<EntryIndex> {
            snapshot.entries().filter(|(_, entry)| wanted(entry)).map(|(index, _)| index).collect()
        };
        let identified = all(&|entry| self.identifies(entry));
        if identified.is_empty() { all(&|entry| self.names(entry)) } else { identified }
    }
}

impl Snapshot {
    /// The environments whose root is `path`, or that lie directly in it as a project's environment does.
    pub fn environments_at(&self, path: &Path) -> Vec<EnvironmentIndex> {
        if let Some(index) = self.find_environment(path) {
            return vec![index];
        }
        self.environments()
            .filter(|(_, environment)| environment.path.parent() == Some(path))
            .filter(|(_, environment)| environment.kind != EnvironmentKind::Tool)
            .map(|(index, _)| index)
            .collect()
    }

    /// The tools' environments of this name: `uv tool install` names the directory after the tool.
    pub fn tools_named(&self, name: &OsStr) -> Vec<EnvironmentIndex> {
        self.environments()
            .filter(|(_, environment)| environment.kind == EnvironmentKind::Tool)
            .filter(|(_, environment)| environment.path.file_name() == Some(name))
            .map(|(index, _)| index)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::EntryKey;

    fn entry(id: &str, name: &str, version: &str) -> Entry {
        Entry {
            key: EntryKey { bucket: "archive-v0".into(), id: id.into() },
            name: Some(name.to_owned()),
            version: Some(version.to_owned()),
            ..Entry::default()
        }
    }

    fn found(text: &str, entries: &[Entry]) -> Vec<usize> {
        let snapshot = Snapshot { entries: entries.to_vec(), ..Snapshot::default() };
        What::new(OsStr::new(text)).find(&snapshot).into_iter().map(EntryIndex::position).collect()
    }

    #[test]
    fn what_is_a_name_a_version_or_an_id() {
        let entries =
            [entry("-id1", "Ruamel.YAML", "1.0"), entry("torch", "x", "2"), entry("id3", "torch", "2.9.0")];
        assert_eq!(found("ruamel_yaml", &entries), [0]);
        assert_eq!(found("ruamel-yaml==1.0.0", &entries), [0]);
        assert_eq!(found("ruamel-yaml==1.1", &entries), [] as [usize; 0]);
        assert_eq!(found("-id1", &entries), [0]);
        assert_eq!(found("archive-v0/id3", &entries), [2]);
        assert_eq!(found("archive-v1/id3", &entries), [] as [usize; 0]);
    }

    #[test]
    fn an_id_wins_over_a_name() {
        let entries = [entry("torch", "x", "2"), entry("id3", "torch", "2.9.0")];
        assert_eq!(found("torch", &entries), [0]);
    }
}
