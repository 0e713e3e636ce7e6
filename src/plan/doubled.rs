//! Finds what a plan names twice.
//!
//! cachetui never writes such a plan. One that was edited or merged by hand may have a step twice, and its sums then promise
//! twice the bytes, while the second step finds nothing and is reported as stale.

use std::ffi::OsStr;
use std::path::{Component, Path};

use super::{At, Plan, RelinkWork, Step};

/// Whether names that differ in case only may be one: the usual filesystems of these systems keep the case and ignore it.
const FOLDS: bool = cfg!(any(windows, target_os = "macos"));

/// A path by its components, as the filesystem compares them.
type Key = Vec<String>;

/// The first thing that a plan's steps name twice, as a sentence. Not escaped.
pub(super) fn doubled(plan: &Plan) -> Option<String> {
    let steps = &plan.steps;
    let mut removed: Vec<(Key, &At)> =
        steps.iter().flat_map(Step::places).map(|at| (key(&at.path(), FOLDS), at)).collect();
    if let Some(text) = nested(&mut removed) {
        return Some(text);
    }
    let pointers = steps.iter().flat_map(Step::pointers).map(|pointer| &pointer.at);
    let objects = steps.iter().flat_map(Step::objects).map(|object| &object.at);
    let mut within: Vec<(Key, &At)> = pointers.map(|at| (key(&at.path(), FOLDS), at)).collect();
    if let Some((_, at)) = within.iter().find(|(key, _)| is_within(key, &removed)) {
        return Some(format!("`{}` goes with one step, and another step removes what it lies in", at.text()));
    }
    within.extend(objects.map(|at| (key(&at.path(), FOLDS), at)));
    if let Some(text) = nested(&mut within) {
        return Some(text);
    }
    relinked(&plan.cache, &removed, steps)
}

/// What is relinked twice, or relinked and removed.
fn relinked(cache: &At, removed: &[(Key, &At)], steps: &[Step]) -> Option<String> {
    let cache = cache.path();
    let relinks: Vec<(&At, &RelinkWork)> =
        steps.iter().filter_map(|step| Some((&step.at, step.relink()?))).collect();
    let inside = |at: &At| {
        let path = at.path();
        path.strip_prefix(&cache).is_ok_and(|relative| is_within(&key(relative, FOLDS), removed))
    };
    if let Some((at, _)) = relinks.iter().find(|(at, _)| inside(at)) {
        return Some(format!("`{}` is relinked by one step and removed by another", at.text()));
    }
    let mut keys: Vec<(Key, &At)> = relinks
        .iter()
        .map(|(at, work)| (key(&at.path().join(work.dist_info.path()), FOLDS), &work.dist_info))
        .collect();
    keys.sort_unstable();
    let twice = keys.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    Some(format!("`{}` is relinked by two steps", twice[1].1.text()))
}

/// Sorts paths, and finds one that is there twice or lies in another one.
fn nested(paths: &mut [(Key, &At)]) -> Option<String> {
    paths.sort_unstable();
    // What lies in a directory stands right behind it. An empty path is refused when the plan is carried out.
    let within = |pair: &&[(Key, &At)]| !pair[0].0.is_empty() && pair[1].0.starts_with(&pair[0].0);
    let pair = paths.windows(2).find(within)?;
    Some(if pair[0].0 == pair[1].0 {
        format!("`{}` is in it twice", pair[1].1.text())
    } else {
        format!("`{}` is in it, and `{}`, in which it lies", pair[1].1.text(), pair[0].1.text())
    })
}

/// Whether a path is one of some sorted paths, or lies in one.
fn is_within(path: &Key, paths: &[(Key, &At)]) -> bool {
    (1..=path.len())
        .any(|length| paths.binary_search_by(|(other, _)| other.as_slice().cmp(&path[..length])).is_ok())
}

/// A path's components without loss; `.` and repeated separators do not count.
fn key(path: &Path, folds: bool) -> Key {
    let text = |name: &OsStr| {
        let text = name
            .to_str()
            .map_or_else(|| format!("\0{}", name.as_encoded_bytes().escape_ascii()), ToOwned::to_owned);
        if folds { text.to_lowercase() } else { text }
    };
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| text(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_by_its_components_and_by_case_where_the_system_does() {
        let of = |text: &str, folds| key(Path::new(text), folds);
        assert_eq!(of("archive-v0/./a", false), of("archive-v0//a", false));
        assert_ne!(of("archive-v0/A", false), of("archive-v0/a", false));
        assert_eq!(of("archive-v0/A", true), of("archive-v0/a", true));
        let (one, two, three) =
            (At::new(Path::new("a")), At::new(Path::new("a/b")), At::new(Path::new("a-b")));
        let keyed = |at: &'_ At| key(&at.path(), false);
        assert!(nested(&mut [(keyed(&two), &two), (keyed(&three), &three), (keyed(&one), &one)]).is_some());
        assert_eq!(nested(&mut [(keyed(&three), &three), (keyed(&one), &one)]), None);
        assert!(is_within(&of("a/b/c", false), &[(keyed(&one), &one)]));
        assert!(!is_within(&of("a-b/c", false), &[(keyed(&one), &one)]));
    }
}
