//! Entries beside what their `RECORD` lists: files that are gone, and entries with the same files.
//!
//! This reads every `RECORD` and looks at every file it lists, which only `doctor` asks for.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Finding, FindingKind};
use crate::control::Cancel;
use crate::disk::{FileStat, read};
use crate::scan::installed::{self, EntryFile};
use crate::snapshot::{EntryIndex, EntryKind, Holder, Snapshot};
use crate::uv::distribution::parse_dist_info;

/// How many packages are named.
const NAMED: usize = 6;

/// Files that were written this long after `RECORD` were written by the same installation, in nanoseconds.
const TOGETHER: i64 = 2_000_000_000;

/// Looks at the contents of all wheels in the cache.
pub(super) fn examine(snapshot: &Snapshot, cancel: &Cancel) -> Vec<Finding> {
    let mut damaged: Vec<(EntryIndex, u64)> = Vec::new();
    let mut same: BTreeMap<[u8; 32], Vec<EntryIndex>> = BTreeMap::new();
    for (index, entry) in snapshot.entries().filter(|(_, entry)| entry.kind == EntryKind::Wheel) {
        if cancel.is_cancelled() {
            return Vec::new();
        }
        let path = snapshot.cache.path.join(entry.key.path());
        let Some(dist_info) = dist_info(&path) else { continue };
        let Ok((files, digest)) = installed::of_entry_with_digest(&path, &dist_info) else { continue };
        let bad = bad_files(&path, &dist_info, &files);
        if bad > 0 {
            damaged.push((index, bad));
        } else {
            same.entry(digest).or_default().push(index);
        }
    }
    let mut findings: Vec<Finding> = of_damaged(snapshot, &damaged).into_iter().collect();
    findings.extend(of_same(snapshot, same.into_values().filter(|entries| entries.len() > 1).collect()));
    findings
}

/// The name of an entry's `.dist-info`.
fn dist_info(entry: &Path) -> Option<OsString> {
    let names = std::fs::read_dir(entry).ok()?.flatten().map(|item| item.file_name());
    names.filter(|name| parse_dist_info(name).is_some()).min()
}

/// How many files are gone, or of another size than `RECORD` says.
///
/// Some wheels list files that they never had, or wrong sizes. Their directories and files are as old as `RECORD`: only what
/// was changed after the installation, or is empty, counts as damage.
fn bad_files(entry: &Path, dist_info: &OsStr, files: &[EntryFile]) -> u64 {
    let Ok(record) = FileStat::of(&entry.join(dist_info).join("RECORD")) else { return 0 };
    let installed = record.modified.0.saturating_add(TOGETHER);
    let later = |stat: &FileStat| stat.modified.0 > installed;
    let mut bad = 0;
    for EntryFile { path, row, .. } in files.iter().filter(|file| file.row.digest.is_some()) {
        let file = entry.join(path);
        let is_bad = match FileStat::of(&file) {
            Ok(stat) => row.size.is_some_and(|size| size != stat.size && (stat.size == 0 || later(&stat))),
            Err(error) if read::is_absent(&error) => {
                // The nearest directory that is there shows whether something was taken out of it.
                installed::nearest(&file, entry).is_none_or(|(_, stat)| later(&stat))
            }
            Err(_) => false,
        };
        bad += u64::from(is_bad);
    }
    bad
}

fn title(snapshot: &Snapshot, index: EntryIndex) -> String {
    let entry = snapshot.entry(index);
    let name = entry.name.as_deref().unwrap_or_default();
    entry.version.as_deref().map_or(name.to_owned(), |version| format!("{name}=={version}"))
}

fn place(snapshot: &Snapshot, index: EntryIndex) -> PathBuf {
    let key = &snapshot.entry(index).key;
    snapshot.cache.path.join(key.path())
}

fn of_damaged(snapshot: &Snapshot, damaged: &[(EntryIndex, u64)]) -> Option<Finding> {
    let (first, _) = damaged.first()?;
    let mut packages: Vec<String> = damaged.iter().map(|(index, _)| title(snapshot, *index)).collect();
    packages.sort_unstable();
    packages.dedup();
    packages.truncate(NAMED);
    let files = damaged.iter().map(|(_, files)| files).sum();
    let kind = FindingKind::DamagedEntries { packages, files };
    Some(Finding { kind, path: place(snapshot, *first), count: damaged.len() as u64 })
}

/// Entries with the same files that do not share their bytes.
fn of_same(snapshot: &Snapshot, same: Vec<Vec<EntryIndex>>) -> Option<Finding> {
    let (mut twice, mut packages, mut count, mut first) = (0, Vec::new(), 0, None);
    let mut sources = std::collections::BTreeSet::new();
    for entries in same {
        let shares = |left: EntryIndex, right: EntryIndex| {
            snapshot.groups.iter().any(|group| {
                group.holders.contains(&Holder::Entry(left)) && group.holders.contains(&Holder::Entry(right))
            })
        };
        let mut apart: Vec<EntryIndex> = Vec::new();
        for index in entries {
            if !apart.iter().any(|other| shares(*other, index)) {
                apart.push(index);
            }
        }
        let Some((one, others)) = apart.split_first().filter(|(_, others)| !others.is_empty()) else {
            continue;
        };
        twice += others.iter().map(|index| snapshot.entry(*index).disk).sum::<u64>();
        count += apart.len() as u64;
        packages.push(title(snapshot, *one));
        sources.extend(apart.iter().map(|index| snapshot.entry(*index).source.origin.word()));
        first.get_or_insert(*one);
    }
    packages.truncate(NAMED);
    let kind = FindingKind::SameContents { packages, twice, sources: sources.into_iter().collect() };
    Some(Finding { kind, path: place(snapshot, first?), count })
}
