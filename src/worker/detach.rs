//! Detaching: an environment keeps its edits, the cache and all others get the good content back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::host::Host;
use crate::apply::detach::{DetachOutcome, detach};
use crate::lock::Refused;
use crate::plan::DetachPlan;

/// Carries a plan out under the cache's lock and those of all environments that it names.
///
/// # Errors
/// When a lock is not to be had; then nothing was changed.
pub fn carry_out(plan: &DetachPlan, cache: &Path, host: &Host<'_>) -> Result<Vec<DetachOutcome>, Refused> {
    let cache = host.alone(cache)?;
    let others = plan.steps.iter().flat_map(|step| &step.others).map(|it| it.root.path());
    // In the order of their paths, as everybody does who locks several.
    let roots: BTreeSet<PathBuf> = others.chain([plan.environment.path()]).collect();
    let locks = roots.iter().map(|root| host.environment(root, &cache)).collect::<Result<Vec<_>, _>>()?;
    host.working("restoring");
    let outcomes = detach(plan, &cache, &locks, host.cancel, host.progress);
    host.journal(plan, &outcomes);
    Ok(outcomes)
}
