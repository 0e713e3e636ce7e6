//! Where environments are, without reading any: what a question about locks needs, in a fraction of a scan's time.
//!
//! The same places are searched as for a scan, and what uv's interpreter records name is looked at too; neither entries nor
//! the files of environments are. Environments that lie in the cache are left out: whoever walks it meets them.

use std::path::PathBuf;

use super::cache::{Harvest, Layout};
use super::discover::{self, Place, Search};
use super::{Request, cache, registry};
use crate::control::{Cancel, Progress};
use crate::disk::walk;
use crate::snapshot::{Completeness, FoundBy, Problem, Scope};
use crate::uv::bucket::BucketKind;

/// The environments outside the cache, and where they were looked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Their roots, every symlink resolved, ordered.
    pub environments: Vec<PathBuf>,
    /// What was searched.
    pub scope: Scope,
    /// What could not be read or understood.
    pub problems: Vec<Problem>,
}

enum Task<'a> {
    Records(usize),
    Search(&'a Place),
}

#[derive(Default)]
struct State {
    harvest: Harvest,
    searches: Vec<Search>,
}

/// Finds environments. A cache that cannot be read is a problem; everything else is still found.
pub fn known(request: &Request, cancel: &Cancel) -> Known {
    let begun = (request.clock)();
    let mut known = Known { problems: request.problems.clone(), ..Known::default() };
    let layout = Layout::read(&request.cache.path).unwrap_or_else(|error| {
        let path = request.cache.path.clone();
        known.problems.push(Problem { path: path.clone(), message: error.to_string() });
        Layout { canonical: crate::disk::canonical(&path).unwrap_or(path), ..Layout::default() }
    });
    let progress = Progress::default();
    let records = (0..layout.parts.len()).filter(|part| layout.parts[*part].is(BucketKind::Interpreter));
    let tasks: Vec<Task<'_>> =
        records.map(Task::Records).chain(request.places.iter().map(Task::Search)).collect();
    let states = walk::each(&tasks, request.threads, State::default, |state, _, task| match task {
        _ if cancel.is_cancelled() => {}
        Task::Records(number) => {
            let part = &layout.parts[*number];
            cache::bucket::read(&layout.root, *number, part, false, cancel, &progress, &mut state.harvest);
        }
        Task::Search(place) => {
            let cross = request.cross_mounts;
            state.searches.push(discover::search(place, &layout.canonical, cross, cancel, &progress));
        }
    });
    let unread = request.problems.iter().map(|problem| problem.path.clone());
    let mut search = Search { unreached: unread.collect(), ..Search::default() };
    for state in states {
        known.problems.extend(state.harvest.problems);
        search.unreached.extend(state.harvest.unreached);
        for (record, _) in state.harvest.recorded {
            let prefix = record.prefix;
            let answer = crate::disk::canonical(&prefix)
                .and_then(|path| discover::at(&path, FoundBy::InterpreterRecord));
            search.take(&prefix, answer);
        }
        for found in state.searches {
            search.add(found);
        }
    }
    for item in request.remembered.iter().filter(|item| item.project.is_none() && item.forgotten.is_none()) {
        let today = registry::today(item, &layout.canonical);
        if today.away || today.error.is_some() {
            search.unreached.push(item.path.clone());
        }
        search.found.extend(today.found);
    }
    let targets = request.targets.iter().filter_map(|path| crate::disk::canonical(path).ok());
    search.found.extend(targets.map(|path| discover::Found { path, found_by: FoundBy::Root, target: true }));
    discover::conda::add_below(&mut search);
    let roots = discover::unique(search.found).into_iter().map(|found| found.path);
    known.environments = roots.filter(|root| !root.starts_with(&layout.canonical)).collect();
    known.problems.extend(search.problems);
    known.problems.sort_unstable();
    known.problems.dedup();
    // Of one place the deepest search tells most.
    search.roots.sort_unstable_by(|a, b| (&a.path, b.depth, b.named).cmp(&(&b.path, a.depth, a.named)));
    search.roots.dedup_by(|a, b| a.path == b.path);
    search.unread.append(&mut search.unreached);
    search.unread.sort_unstable();
    search.unread.dedup();
    known.scope = Scope {
        dead_links: search.dead.clone(),
        roots: search.roots,
        unread: search.unread,
        completeness: if cancel.is_cancelled() { Completeness::Cancelled } else { Completeness::Complete },
        started: Some(request.started),
        elapsed: (request.clock)().saturating_duration_since(begun),
        ..Scope::default()
    };
    known
}
