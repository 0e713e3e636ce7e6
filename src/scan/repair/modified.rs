//! Files of distributions whose content is not what `RECORD` says, as `verify` finds them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Request;
use crate::control::{Cancel, Progress};
use crate::scan::verify::{Fault, Wanted, verify};
use crate::snapshot::EnvironmentIndex;

/// A file whose content is not what `RECORD` says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModifiedFile {
    /// Where it is, relative to the environment's root.
    pub path: PathBuf,
    /// Whether the cache has the changed file too.
    pub in_cache: bool,
}

/// By environment and `.dist-info`.
pub(super) type Modified = BTreeMap<(EnvironmentIndex, PathBuf), Vec<ModifiedFile>>;

/// Lists the modified files of those distributions in which the scan has counted some.
pub(super) fn find(request: &Request<'_>, cancel: &Cancel) -> Modified {
    let snapshot = request.snapshot;
    let mut distributions = Vec::new();
    for index in request.environments {
        let all = snapshot.environment(*index).distributions.iter().enumerate();
        let changed = all.filter(|(_, it)| it.files.modified > 0);
        distributions.extend(changed.map(|(position, _)| (*index, position)));
    }
    let mut modified = Modified::new();
    if distributions.is_empty() {
        return modified;
    }
    let wanted = Wanted { distributions, ..Wanted::default() };
    let verified = verify(snapshot, &wanted, request.threads, cancel, &Progress::default());
    for finding in verified.damage() {
        if matches!(finding.fault, Fault::Missing | Fault::Extra) {
            continue;
        }
        let in_cache = finding.places.iter().any(|it| it.environment.is_none());
        for place in &finding.places {
            let Some(index) = place.environment.filter(|it| request.environments.contains(it)) else {
                continue;
            };
            let environment = snapshot.environment(index);
            let mut of_name = environment.distributions.iter();
            let found = of_name.find(|it| it.name == finding.name && it.version == finding.version);
            let path = place.path.strip_prefix(&environment.path);
            let (Some(distribution), Ok(path)) = (found, path) else { continue };
            let key = (index, distribution.dist_info.clone());
            modified.entry(key).or_default().push(ModifiedFile { path: path.to_owned(), in_cache });
        }
    }
    for files in modified.values_mut() {
        files.sort_unstable();
        files.dedup();
    }
    modified
}
