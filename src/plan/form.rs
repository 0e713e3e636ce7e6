//! How a plan is written down: all its steps in one list.

use serde::{Deserialize, Serialize};

use super::doubled;
use super::{At, Caution, Kept, Plan, RelinkStep, Request, Scope, Step, Totals, Watched};

/// A plan as it is written down.
#[derive(Serialize, Deserialize)]
pub(super) struct Form {
    schema_version: u32,
    request: Request,
    cache: At,
    scope: Scope,
    steps: Vec<Any>,
    kept: Vec<Kept>,
    watch: Vec<Watched>,
    cautions: Vec<Caution>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
    totals: Totals,
}

/// A step of any kind. Each kind has keys that the others have not, by which it is known again.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Relink(Box<RelinkStep>),
    Remove(Box<Step>),
}

impl From<Plan> for Form {
    fn from(plan: Plan) -> Self {
        let removals = plan.steps.into_iter().map(|step| Any::Remove(Box::new(step)));
        let relinks = plan.relinks.into_iter().map(|step| Any::Relink(Box::new(step)));
        Self {
            schema_version: plan.schema_version,
            request: plan.request,
            cache: plan.cache,
            scope: plan.scope,
            steps: removals.chain(relinks).collect(),
            kept: plan.kept,
            watch: plan.watch,
            cautions: plan.cautions,
            warnings: plan.warnings,
            missing: plan.missing,
            totals: plan.totals,
        }
    }
}

impl TryFrom<Form> for Plan {
    type Error = String;

    /// Understands a plan that was read. One that names something twice is refused.
    fn try_from(form: Form) -> Result<Self, String> {
        let (mut steps, mut relinks) = (Vec::new(), Vec::new());
        for step in form.steps {
            match step {
                Any::Remove(step) => steps.push(*step),
                Any::Relink(step) => relinks.push(*step),
            }
        }
        if let Some(text) = doubled::doubled(&form.cache, &steps, &relinks) {
            return Err(text);
        }
        Ok(Self {
            schema_version: form.schema_version,
            request: form.request,
            cache: form.cache,
            scope: form.scope,
            steps,
            relinks,
            kept: form.kept,
            watch: form.watch,
            cautions: form.cautions,
            warnings: form.warnings,
            missing: form.missing,
            totals: form.totals,
        })
    }
}
