//! What is not understood of the cache: buckets with an unknown number or kind in which something is odd.

use std::path::Path;

use rustc_hash::FxHashMap;

use super::Gathered;
use super::cache::bucket::read;
use super::cache::{Harvest, Layout};
use crate::control::{Cancel, Progress};
use crate::snapshot::{Bucket, Odd, PointerForm, PointerState, Problem, Snapshot, TreePrint};
use crate::uv::bucket::{Bucket as BucketName, BucketKind, TRASH};

/// What is odd, by the number of the part of the cache root. Where everything stays for it, every entry is one to which a
/// pointer may lead.
pub(super) fn judge(layout: &Layout, harvest: &mut Gathered, snapshot: &Snapshot) -> FxHashMap<usize, Odd> {
    let mut odd: FxHashMap<usize, Odd> = std::mem::take(&mut harvest.odd).into_iter().collect();
    for (number, part) in layout.parts.iter().enumerate().filter(|(_, part)| part.is(BucketKind::Archive)) {
        if part.bucket.is_some_and(|bucket| !bucket.is_known()) {
            odd.extend(archive(layout, harvest, snapshot, Path::new(&part.name)).map(|it| (number, it)));
        }
    }
    let keeps = |number: &usize| bucket(layout, *number, odd.get(number)).keeps_everything();
    harvest.pointers_unread |= odd.keys().any(keeps);
    odd
}

/// What is odd about a bucket of entries with an unknown number: everything in it has to be a wheel or an environment, and
/// a link has to lead into it, as links lead into every bucket that uv uses.
fn archive(layout: &Layout, harvest: &Gathered, snapshot: &Snapshot, name: &Path) -> Option<Odd> {
    let odd = |path: &Path, what: &str| Odd { path: path.to_owned(), what: what.to_owned() };
    let whole = layout.root.join(name);
    if let Some(problem) = layout.problems.iter().find(|problem| problem.path.starts_with(&whole)) {
        let path = problem.path.strip_prefix(&layout.root).unwrap_or(&problem.path);
        return Some(odd(path, "is no entry"));
    }
    let own = || (0..layout.keys.len()).filter(|number| Path::new(&*layout.keys[*number].bucket) == name);
    let is_entry = |number: &usize| {
        let facts = &harvest.facts[*number];
        !facts.unread && (facts.environment || facts.dist_info.is_some())
    };
    if let Some(number) = own().find(|number| !is_entry(number)) {
        let path = name.join(&layout.keys[number].id);
        return Some(odd(&path, "is neither a wheel nor an environment"));
    }
    let leads = snapshot.pointers.iter().any(|pointer| {
        matches!(pointer.form, PointerForm::Symlink | PointerForm::LinkFile)
            && pointer.state == PointerState::Live
            && pointer.entry.is_some_and(|entry| Path::new(&*snapshot.entry(entry).key.bucket) == name)
    });
    (own().next().is_some() && !leads).then(|| odd(name, "holds entries to which no link leads"))
}

/// A part of the cache root, with what is odd about it and nothing else.
pub(super) fn bucket(layout: &Layout, number: usize, odd: Option<&Odd>) -> Bucket {
    let part = &layout.parts[number];
    Bucket {
        name: part.name.to_string_lossy().into_owned(),
        known: part.bucket.is_some_and(BucketName::is_known) || part.name == TRASH,
        odd: odd.cloned(),
        files: 0,
        logical: 0,
        disk: 0,
        single: 0,
        moved: part.moved,
        linked: part.linked,
        print: TreePrint::default(),
    }
}

/// What is not understood of a cache, as problems.
pub(super) fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let of = |bucket: &Bucket| {
        let path = snapshot.cache.path.join(&bucket.odd.as_ref()?.path);
        Some(Problem { path, message: bucket.why_odd()? })
    };
    snapshot.cache.buckets.iter().filter_map(of).collect()
}

/// Looks again at the buckets of a cache with an unknown number or kind that may lead to entries, and answers those that
/// are not understood. Nothing is read where there are none.
pub fn again(cache: &Path) -> Result<Vec<Bucket>, super::Error> {
    let layout = Layout::read(cache)?;
    let mut found = Vec::new();
    for (number, part) in layout.parts.iter().enumerate() {
        let is_known = part.bucket.map_or(!crate::uv::bucket::is_shaped(&part.name), BucketName::is_known);
        if is_known || part.is(BucketKind::Archive) {
            continue;
        }
        let mut harvest = Harvest::default();
        read(&layout.root, number, part, false, &Cancel::default(), &Progress::default(), &mut harvest);
        let odd = harvest.odd.pop().map(|(_, odd)| odd);
        found.extend(odd.map(|odd| bucket(&layout, number, Some(&odd))));
    }
    Ok(found)
}
