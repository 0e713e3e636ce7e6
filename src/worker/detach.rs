//! Detaching: an environment keeps its edits, the cache and all others get the good content back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::host::Host;
use crate::apply::detach::{DetachOutcome, detach};
use crate::lock::Refused;
use crate::plan::{DetachWork, Plan};

/// Carries a plan out under the cache's lock and those of all environments that it names.
///
/// # Errors
/// When a lock is not to be had; then nothing was changed.
pub fn carry_out(plan: &Plan, cache: &Path, host: &Host<'_>) -> Result<Vec<DetachOutcome>, Refused> {
    let cache = host.alone(cache)?;
    let of_step = |(_, work): (_, &DetachWork)| -> Vec<PathBuf> {
        std::iter::once(&work.keeps).chain(&work.others).map(|it| it.root.path()).collect()
    };
    // In the order of their paths, as everybody does who locks several.
    let roots: BTreeSet<PathBuf> = plan.detached().flat_map(of_step).collect();
    let locks = roots.iter().map(|root| host.environment(root, &cache)).collect::<Result<Vec<_>, _>>()?;
    host.working("restoring");
    let outcomes = detach(plan, &cache, &locks, host.cancel, host.progress);
    host.journal(plan, &outcomes);
    Ok(outcomes)
}
