//! What was changed and when, kept in the state directory: one file for each plan that was carried out.
//!
//! Nothing depends on it. It can be read by a person who wonders, and deleted at any time.

use serde::Serialize;

use crate::apply::{Report, state};
use crate::cli::surroundings::Surroundings;
use crate::disk;
use crate::plan::{Plan, SCHEMA_VERSION};

#[derive(Serialize)]
struct Page<'a> {
    schema_version: u32,
    cachetui: &'static str,
    time: jiff::Timestamp,
    plan: &'a Plan,
    report: &'a Report,
}

/// Writes a page. Where that is not possible, as on a full disk, the report says so.
pub(super) fn keep(plan: &Plan, report: &mut Report, surroundings: &Surroundings) {
    let Some(directory) = &surroundings.state_dir else { return };
    let name = format!("{}-{}.json", surroundings.now.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
    let page = Page {
        schema_version: SCHEMA_VERSION,
        cachetui: env!("CARGO_PKG_VERSION"),
        time: surroundings.now,
        plan,
        report,
    };
    let bytes = serde_json::to_vec(&page).expect("a plan and its report are plain data");
    if let Err(error) = state::save(&directory.join("journal").join(name), &bytes) {
        let why = disk::error::words(&error.source);
        report.notes.push(format!("The journal has no page of this: {error}: {why}."));
    }
}
