//! Mending in JSON: the plan, and what became of it.

use serde::Serialize;

use crate::apply::repair::RepairReport;
use crate::plan::Plan;

/// The keys of an answer of `repair`.
#[derive(Serialize)]
pub struct RepairBody<'a> {
    /// The plan, to the byte the same whether it is only shown or carried out.
    pub plan: &'a Plan,
    /// What became of it, if it was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<&'a RepairReport>,
}
