//! Plans, reports and the trash in JSON.
//!
//! `plan` is the plan itself, to the byte the same whether it is only shown or carried out.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::frame::ScopeRow;
use super::locks::CacheRow;
use super::text::{Bytes, lossless};
use crate::apply::beside::Whole;
use crate::apply::trash::Held;
use crate::apply::{Report, State};
use crate::cli::print::View;
use crate::plan::{Class, Plan, Searched, Totals};
use crate::snapshot::{Completeness, Scope, ScopeRoot};
use crate::uv::root::Root;

/// `plan`, and `report` after a run.
#[derive(Serialize)]
pub struct PlanBody<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<&'a Report>,
}

/// `classes`: what each kind of things would give back.
#[derive(Serialize)]
pub struct OverviewBody<'a> {
    /// A row for each kind.
    pub classes: Vec<ClassRow<'a>>,
}

/// One kind of things.
#[derive(Serialize)]
pub struct ClassRow<'a> {
    /// Its word, which is its flag.
    pub class: Class,
    /// What it is, as a sentence.
    pub sentence: &'static str,
    /// What removing all of them gives back.
    pub totals: &'a Totals,
    /// How many are kept that would be asked for.
    pub kept: u64,
}

/// An answer without a scan: its `cache` says only where the cache is.
#[derive(Serialize)]
struct Document<'a, Body: Serialize> {
    schema_version: u32,
    cache: CacheRow<'a>,
    scope: ScopeRow<'a>,
    problems: [(); 0],
    #[serde(flatten)]
    body: Body,
}

/// One of `runs` of `trash list`.
#[derive(Debug, Serialize)]
pub struct RunRow<'a> {
    /// Its name.
    run: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_bytes: Option<Bytes<'a>>,
    time: Option<Timestamp>,
    /// `kept`, `stale` when nothing of it can be put back now, or `purging` when nothing can any more.
    state: &'static str,
    entries: u64,
    environments: u64,
    files: u64,
    bytes: RunBytes,
    /// How many things undoing would bring back; only in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    restorable: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct RunBytes {
    disk: u64,
    reclaimable: u64,
    certainty: &'static str,
    #[serde(skip_serializing_if = "is_none")]
    open: u64,
}

/// One of `restored`.
#[derive(Debug, Serialize)]
pub struct RestoredRow<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Bytes<'a>>,
    state: State,
    why: Option<&'a str>,
}

impl<'a> RunRow<'a> {
    /// The row of a run.
    pub fn new(whole: &'a Whole, held: &Held) -> Self {
        let run = &whole.run;
        let (name, run_bytes) = lossless(run.name());
        Self {
            run: name,
            run_bytes,
            time: run.time(),
            state: if run.is_purging() { "purging" } else { "kept" },
            entries: held.entries,
            environments: whole.environments,
            files: held.files,
            bytes: RunBytes {
                disk: held.disk,
                reclaimable: held.reclaimable,
                certainty: held.certainty.word(),
                open: held.open,
            },
            restorable: None,
        }
    }

    /// The row of a run in a list; `restorable` things of it could be put back.
    pub fn listed(whole: &'a Whole, held: &Held, restorable: u64) -> Self {
        let row = Self::new(whole, held);
        let state = if row.state == "kept" && restorable == 0 { "stale" } else { row.state };
        Self { state, restorable: Some(restorable), ..row }
    }
}

impl<'a> RestoredRow<'a> {
    /// The row of something that was in the trash.
    pub fn new(restored: &'a crate::apply::restore::Restored) -> Self {
        let (path, path_bytes) = lossless(&restored.path);
        Self { path, path_bytes, state: restored.state, why: restored.why.as_deref() }
    }
}

/// Writes an answer without a scan.
pub fn write(
    cache: &Root,
    scope: &Scope,
    body: impl Serialize,
    view: &View,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let document = Document {
        schema_version: super::SCHEMA_VERSION,
        cache: CacheRow::new(cache),
        scope: ScopeRow::new(scope),
        problems: [],
        body,
    };
    super::write_document(&document, view, writer)
}

/// The scope of a saved plan, as answers carry it.
pub fn scope_of(plan: &Plan) -> Scope {
    let root = |it: &Searched| ScopeRoot {
        path: it.at.path(),
        reason: "the plan",
        readable: true,
        depth: it.depth,
        named: it.named,
    };
    Scope {
        roots: plan.scope.searched.iter().map(root).collect(),
        unread: plan.scope.unread.iter().map(crate::plan::At::path).collect(),
        completeness: Completeness::Complete,
        ..Scope::default()
    }
}

/// The scope of an answer that needs no users.
pub fn no_scope() -> Scope {
    Scope { completeness: Completeness::Complete, ..Scope::default() }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(bytes: &u64) -> bool {
    *bytes == 0
}
