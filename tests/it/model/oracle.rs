//! Who uses what, by `lstat`, by reading links and by reading files: nothing here is cachetui's.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::world::{World, infos, listed, record};
use crate::support::made::SITE;

/// What is known of an entry.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was looked for")]
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// A symlink of an environment leads into it.
    pub(super) symlinked: bool,
    /// An environment has a hardlink of one of its files under the distribution's own name.
    pub(super) linked: bool,
    /// An environment has a copy of all its files that are still there.
    pub(super) copied: bool,
    /// An environment has some of its files by content, but not all.
    pub(super) resembled: bool,
    /// A file of it has a link that lies neither in the cache nor in an environment.
    pub(super) held: bool,
    /// A pointer leads to it.
    pub(super) led: bool,
}

/// Looks at everything.
pub(super) fn facts(world: &World) -> BTreeMap<String, Facts> {
    let links = names_of_inodes(&[world.made.cache(), &world.made.code()]);
    let installed = listed(&world.made.code());
    let own: BTreeSet<u64> = installed.iter().map(|path| path.symlink_metadata().unwrap().ino()).collect();
    let leads: Vec<PathBuf> = installed
        .iter()
        .filter(|path| path.is_symlink())
        .filter_map(|path| std::fs::canonicalize(path).ok())
        .collect();
    let mut all = BTreeMap::new();
    for id in world.entries() {
        let entry = world.made.entry(&id);
        let files: Vec<_> = listed(&entry).into_iter().map(|path| path.symlink_metadata().unwrap()).collect();
        let mut facts = Facts {
            symlinked: leads.iter().any(|path| path.starts_with(&entry)),
            held: files.iter().any(|stat| stat.nlink() > links[&stat.ino()]),
            // An inode of several entries says nothing about each of them.
            linked: files.iter().any(|stat| own.contains(&stat.ino()) && !is_shared(world, stat.ino())),
            led: world.pointers.iter().any(|(path, led)| *led == id && world.leads(path, led) == Some(true)),
            ..Facts::default()
        };
        copies(world, &id, &mut facts);
        all.insert(id, facts);
    }
    all
}

fn is_shared(world: &World, inode: u64) -> bool {
    let files = world.made.cache().join("files-v0");
    files.is_dir() && listed(&files).iter().any(|path| path.symlink_metadata().unwrap().ino() == inode)
}

fn copies(world: &World, id: &str, facts: &mut Facts) {
    let wheel = &world.wheels[id];
    for environment in 0..3 {
        let root = world.root(environment);
        for info in infos(&root).iter().filter(|info| info.ends_with(wheel.info())) {
            let recorded = record(info);
            let entry = record(&world.made.entry(id).join(wheel.info()));
            let mut equal = 0;
            let mut all = 0;
            for (path, content) in wheel.linked() {
                let Ok(found) = std::fs::read(root.join(SITE).join(&path)) else { continue };
                all += 1;
                equal += usize::from(found == content && recorded.get(&path) == entry.get(&path));
            }
            facts.copied |= equal > 0 && equal == all && recorded.len() == entry.len() + 1;
            facts.resembled |= equal > 0 || all == 0;
        }
    }
}

/// How many names each inode has below some directories.
fn names_of_inodes(roots: &[&Path]) -> BTreeMap<u64, u64> {
    let mut names = BTreeMap::new();
    for path in roots.iter().flat_map(|root| listed(root)) {
        *names.entry(path.symlink_metadata().unwrap().ino()).or_default() += 1;
    }
    names
}

/// Allocated bytes of everything below a directory, by inode.
pub(super) fn allocated(root: &Path) -> BTreeMap<u64, u64> {
    let walk = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    walk.map(|item| {
        let stat = item.path().symlink_metadata().unwrap();
        (stat.ino(), stat.blocks() * 512)
    })
    .collect()
}
