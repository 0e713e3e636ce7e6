//! What was changed and when, kept in the state directory: one page for each plan that was carried out.
//!
//! Nothing depends on it. It can be read by a person who wonders, and deleted at any time. Of all pages the newest
//! [`PAGES`] stay.

use std::ffi::OsStr;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::state;
use crate::disk::{Error, error::words, read};
use crate::linker::Missing;
use crate::plan::SCHEMA_VERSION;

/// How many pages are kept.
pub const PAGES: usize = 200;

/// The largest page that is read, in bytes.
const LONGEST: u64 = 256 << 20;

#[derive(Serialize)]
struct Page<'a, Plan: Serialize, Report: Serialize> {
    schema_version: u32,
    cachetui: &'static str,
    time: Timestamp,
    plan: &'a Plan,
    report: &'a Report,
}

/// Writes a page into the journal of a state directory. Where that is not possible, as on a full disk, answers with a
/// sentence that says so. Not escaped.
pub fn keep(state: &Path, now: Timestamp, plan: &impl Serialize, report: &impl Serialize) -> Option<String> {
    let directory = state.join("journal");
    let name = format!("{}-{}.json", now.strftime("%Y%m%dT%H%M%S.%6fZ"), std::process::id());
    let page =
        Page { schema_version: SCHEMA_VERSION, cachetui: env!("CARGO_PKG_VERSION"), time: now, plan, report };
    let path = directory.join(name);
    let bytes = serde_json::to_vec(&page).map_err(|error| Error::new("write", &path, error.into()));
    let saved = bytes.and_then(|bytes| state::save(&path, &bytes));
    trim(&directory);
    saved.err().map(|error| format!("The journal has no page of this: {error}: {}.", words(&error.source)))
}

/// The pages of a journal, the newest first. What cannot be read is left out.
pub fn pages(state: &Path) -> impl Iterator<Item = serde_json::Value> {
    let items = std::fs::read_dir(state.join("journal")).into_iter().flatten().flatten();
    let mut paths: Vec<std::path::PathBuf> =
        items.map(|item| item.path()).filter(|path| is_page(path)).collect();
    paths.sort_unstable();
    paths.into_iter().rev().filter_map(|path| {
        let bytes = read::small(&path, LONGEST).ok()?;
        serde_json::from_slice(&bytes).ok()
    })
}

/// Deletes the oldest pages. What cannot be read or deleted now is for another time.
fn trim(directory: &Path) {
    let Ok(directory) = state::open(directory, Missing::Fail) else { return };
    let mut pages = directory.place().names().unwrap_or_default();
    pages.retain(|name| is_page(Path::new(name)));
    // Their names begin with the time.
    pages.sort_unstable();
    for page in pages.iter().rev().skip(PAGES) {
        drop(directory.place().remove_file(page));
    }
}

/// Whether a file has the name of a page: what else lies there is somebody else's.
fn is_page(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("json"))
        && path.file_stem().and_then(OsStr::to_str).is_some_and(|stem| {
            stem.bytes().next().is_some_and(|first| first.is_ascii_digit()) && stem.contains("Z-")
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    #[test]
    fn the_oldest_pages_go_and_what_is_no_page_stays() {
        let state = tempfile::tempdir().unwrap();
        let journal = state.path().join("journal");
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        for second in 0..=i64::try_from(PAGES).unwrap() + 4 {
            assert_eq!(keep(state.path(), at(second), &"a plan", &"a report"), None);
            std::fs::write(journal.join("mine.json"), b"").unwrap();
        }
        let mut names: Vec<_> =
            std::fs::read_dir(&journal).unwrap().map(|item| item.unwrap().file_name()).collect();
        names.sort_unstable();
        assert_eq!(names.pop().unwrap(), "mine.json");
        assert_eq!(names.len(), PAGES);
        let oldest = at(5).strftime("%Y%m%dT%H%M%S").to_string();
        assert!(names[0].to_str().unwrap().starts_with(&oldest), "{names:?}");
    }

    #[test]
    fn a_page_that_cannot_be_written_is_told() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("journal"), b"").unwrap();
        let told = keep(state.path(), Timestamp::UNIX_EPOCH, &"a plan", &"a report").unwrap();
        assert!(told.starts_with("The journal has no page of this: "), "{told}");
    }
}
