//! Relinking in JSON: the plan, and what became of it.

use serde::Serialize;

use crate::apply::RelinkReport;
use crate::plan::Plan;

/// The keys of an answer of `relink`.
#[derive(Serialize)]
pub struct Body<'a> {
    /// The plan, the same whether it was carried out or not.
    pub plan: &'a Plan,
    /// What became of it, if it was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<&'a RelinkReport>,
}
