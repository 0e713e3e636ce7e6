//! Everything below a directory as it is at one moment, and what may be different at another.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cachetui::uv::pointer::{Payload, parse_http, parse_rev};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Directory,
    File,
    Link(PathBuf),
}

/// One path.
#[derive(Clone, Debug)]
struct Node {
    what: What,
    bits: u32,
    inode: (u64, u64),
    /// Permissions and content of the file that is read there. None for what leads nowhere, or out of here.
    seen: Option<(u32, [u8; 32])>,
}

impl Node {
    fn read(path: &Path, base: &Path) -> Option<Self> {
        // Another thread of the program may be faster.
        let stat = path.symlink_metadata().ok()?;
        let link = std::fs::read_link(path).ok();
        let leads_out = link.as_ref().is_some_and(|text| text.is_absolute() && !text.starts_with(base));
        let target = (!leads_out).then(|| path.metadata().ok()).flatten().filter(std::fs::Metadata::is_file);
        let seen = target.and_then(|target| {
            let digest = Sha256::digest(std::fs::read(path).ok()?);
            Some((target.mode() & 0o7777, digest.into()))
        });
        let what = link.map_or(if stat.is_dir() { What::Directory } else { What::File }, What::Link);
        Some(Self { what, bits: stat.mode() & 0o7777, inode: (stat.dev(), stat.ino()), seen })
    }

    /// Whether somebody who reads there finds the same.
    fn reads_like(&self, other: &Self) -> bool {
        match (&self.seen, &other.seen) {
            (None, None) => (&self.what, self.bits) == (&other.what, other.bits),
            (own, other) => own == other,
        }
    }
}

/// Everything below a directory. Paths are relative to it.
pub(super) struct World {
    base: PathBuf,
    cache: PathBuf,
    nodes: BTreeMap<PathBuf, Node>,
}

impl World {
    /// Reads what is below `base`, where `cache` is a cache.
    pub(super) fn read(base: &Path, cache: &Path) -> Self {
        let items = WalkDir::new(base).min_depth(1).into_iter().filter_map(Result::ok);
        let relative = |path: &Path| path.strip_prefix(base).unwrap().to_owned();
        let nodes =
            items.filter_map(|item| Some((relative(item.path()), Node::read(item.path(), base)?))).collect();
        Self { base: base.to_owned(), cache: relative(cache), nodes }
    }

    /// What is not as it was in either of two states: every path reads as in the one or the other, and nothing else came
    /// or went but what is cachetui's own.
    pub(super) fn strays(&self, before: &Self, after: &Self) -> Vec<String> {
        let mut strays = Vec::new();
        let paths: BTreeSet<&PathBuf> =
            self.nodes.keys().chain(before.nodes.keys()).chain(after.nodes.keys()).collect();
        let (dead, uv) = (before.dangling(), UvsOwn::between(before, after));
        for path in paths.into_iter().filter(|path| !is_own(path) && !uv.has(path)) {
            let (now, then) = (self.nodes.get(path), [before.nodes.get(path), after.nodes.get(path)]);
            // A pointer that leads nowhere may go before uv makes it anew.
            let cleared = now.is_none() && dead.contains(path);
            let fits = cleared
                || then.iter().any(|then| match (now, then) {
                    (None, None) => true,
                    (Some(now), Some(then)) => now.reads_like(then),
                    _ => false,
                });
            if !fits {
                strays.push(format!("{}: {now:?}, neither {:?} nor {:?}", path.display(), then[0], then[1]));
            }
        }
        strays.extend(self.half_entries(before, after));
        strays.extend(self.half_environments(before, after));
        strays.extend(self.dangling().difference(&dead).map(|path| format!("{} dangles", path.display())));
        // That of an environment goes with it.
        let is_kept = |path: &&PathBuf| path.parent().is_some_and(|above| self.nodes.contains_key(above));
        for path in before.nodes.keys().filter(|path| path.ends_with(".lock")).filter(is_kept) {
            let same = self.nodes.get(path).is_some_and(|now| now.inode.1 == before.nodes[path].inode.1);
            if !same && !is_own(path) {
                strays.push(format!("the lock file {} is another one", path.display()));
            }
        }
        strays
    }

    /// Entries of which only a part is there.
    fn half_entries(&self, before: &Self, after: &Self) -> Vec<String> {
        let files = |world: &Self, entry: &Path| -> Vec<PathBuf> {
            let below = world.nodes.keys().filter(|path| path.starts_with(entry) && !is_temporary(path));
            below.cloned().collect()
        };
        let (uv, archive) = (UvsOwn::between(before, after), self.cache.join("archive-v0"));
        let entries =
            self.nodes.keys().filter(|path| path.parent() == Some(archive.as_path()) && !uv.has(path));
        let halves = entries.filter(|entry| {
            let now = files(self, entry);
            now != files(before, entry) && now != files(after, entry)
        });
        halves.map(|entry| format!("of the entry {} only a part is there", entry.display())).collect()
    }

    /// Environments that go, or come, of which only a part is there.
    fn half_environments(&self, before: &Self, after: &Self) -> Vec<String> {
        let files = |world: &Self, root: &Path| -> Vec<PathBuf> {
            let below = world.nodes.keys().filter(|path| path.starts_with(root));
            below.filter(|path| !is_temporary(path) && !path.ends_with(".lock")).cloned().collect()
        };
        let marks = [before, after].into_iter().flat_map(|world| world.nodes.keys());
        let roots: BTreeSet<&Path> = marks
            .filter(|path| path.ends_with("pyvenv.cfg") && !is_trash(path))
            .filter_map(|path| path.parent())
            .filter(|root| before.nodes.contains_key(*root) != after.nodes.contains_key(*root))
            .collect();
        let halves = roots.into_iter().filter(|root| {
            let now = files(self, root);
            now != files(before, root) && now != files(after, root)
        });
        halves.map(|root| format!("of the environment {} only a part is there", root.display())).collect()
    }

    /// Pointers of the cache that lead to no entry.
    fn dangling(&self) -> BTreeSet<PathBuf> {
        let entry = |id: &str| self.cache.join("archive-v0").join(id);
        let dangles = |(path, node): &(&PathBuf, &Node)| {
            if matches!(node.what, What::Link(_)) {
                return !self.base.join(path).exists();
            }
            let bytes = || std::fs::read(self.base.join(path)).unwrap_or_default();
            let payload = match path.extension().and_then(|it| it.to_str()) {
                _ if path.file_stem().is_some_and(|stem| stem == "revision") => return false,
                Some("http") => parse_http(&bytes()),
                Some("rev") => parse_rev(&bytes()),
                _ => return false,
            };
            matches!(payload, Ok(Payload::Archive(archive)) if !self.nodes.contains_key(&entry(&archive.id)))
        };
        let in_cache = self.nodes.iter().filter(|(path, _)| path.starts_with(&self.cache));
        let pointers = in_cache.filter(|(path, _)| !is_own(path));
        pointers.filter(dangles).map(|(path, _)| path.clone()).collect()
    }

    /// What is different from another state in anything but times: also links, and names that were left.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let (shapes, others) = (self.shapes(), other.shapes());
        let paths: BTreeSet<&PathBuf> = shapes.keys().chain(others.keys()).collect();
        for path in paths {
            let (own, other) = (shapes.get(path), others.get(path));
            if own != other {
                differences.push(format!("{}: {own:?} instead of {other:?}", path.display()));
            }
        }
        // In its state directory cachetui sweeps when it next saves something; what uv has left among the temporary files
        // the system clears.
        let is_left = |path: &&PathBuf| {
            is_temporary(path)
                && !other.nodes.contains_key(*path)
                && !path.starts_with("home/state/cachetui/journal")
                && (!path.starts_with("tmp") || is_fetched(path))
        };
        let left = self.nodes.keys().filter(is_left);
        differences.extend(left.map(|path| format!("{} is left", path.display())));
        differences
    }

    /// What reads otherwise than in another state, and names that were left: links do not count.
    pub(super) fn reads_unlike(&self, other: &Self) -> Vec<String> {
        let of = |world: &Self| -> BTreeMap<PathBuf, _> {
            let shapes = world.shapes().into_iter();
            shapes.map(|(path, (what, _, digest, _))| (path, (what == What::Directory, digest))).collect()
        };
        let (own, others) = (of(self), of(other));
        let paths: BTreeSet<&PathBuf> = own.keys().chain(others.keys()).collect();
        let unlike = paths.into_iter().filter(|path| own.get(*path) != others.get(*path));
        unlike.map(|path| format!("{} reads otherwise", path.display())).collect()
    }

    pub(super) fn has_trash(&self) -> bool {
        self.nodes.keys().any(|path| is_trash(path))
    }

    /// Whether nothing but directories lies in the trash.
    pub(super) fn has_empty_trash(&self) -> bool {
        self.nodes.iter().all(|(path, node)| !is_trash(path) || node.what == What::Directory)
    }

    /// What each path is, and the first path that is the same file. Entries go by the name of what they hold: uv makes up
    /// their ids, and states them in pointer files.
    fn shapes(&self) -> BTreeMap<PathBuf, Shape> {
        let ids = self.ids();
        let renamed = |path: &Path| -> PathBuf {
            let name = |name| ids.get(name).copied().unwrap_or(name);
            path.iter().map(name).collect()
        };
        let counted = || self.nodes.iter().filter(|(path, _)| !is_state(path));
        let mut first: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
        for (path, node) in counted() {
            let path = renamed(path);
            first.entry(node.inode).and_modify(|it| *it = it.clone().min(path.clone())).or_insert(path);
        }
        let shape = |(path, node): (&PathBuf, &Node)| {
            let what = match &node.what {
                What::Link(text) => What::Link(renamed(text)),
                other => other.clone(),
            };
            let is_pointer = path.extension().is_some_and(|it| it == "rev" || it == "http");
            let digest = node.seen.filter(|_| !is_pointer).map(|(_, digest)| digest);
            (renamed(path), (what, node.bits, digest, first[&node.inode].clone()))
        };
        counted().map(shape).collect()
    }

    /// The names of what entries hold, by the entries' ids.
    fn ids(&self) -> BTreeMap<&std::ffi::OsStr, &std::ffi::OsStr> {
        let archive = self.cache.join("archive-v0");
        let below = self.nodes.keys().filter_map(|path| path.strip_prefix(&archive).ok());
        let named = below.filter_map(|path| {
            let mut names = path.iter();
            let (id, name, rest) = (names.next()?, names.next()?, names.next());
            (rest.is_none() && Path::new(name).extension()? == "dist-info").then_some((id, name))
        });
        named.collect()
    }
}

/// What cachetui may make while it works.
fn is_own(path: &Path) -> bool {
    is_state(path) || is_trash(path) || is_temporary(path)
}

/// Whether something is the trash of the cache or of an environment, or lies in it.
fn is_trash(path: &Path) -> bool {
    path.iter().any(|name| name == ".cachetui-trash")
}

/// The entries that uv has made between two states, and what leads to them: an id is another one each time.
struct UvsOwn(BTreeSet<PathBuf>);

impl UvsOwn {
    fn between(before: &World, after: &World) -> Self {
        let archive = before.cache.join("archive-v0");
        let has_entries =
            |world: &World| world.nodes.keys().any(|path| path.parent() == Some(archive.as_path()));
        let made = (!has_entries(before) && has_entries(after)).then(|| before.cache.clone());
        Self(made.into_iter().collect())
    }

    fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|above| path.starts_with(above) && path != above)
    }
}

/// What a path is, its bits, its digest, and the first path that is the same file.
type Shape = (What, u32, Option<[u8; 32]>, PathBuf);

/// What cachetui keeps for itself, and what uv and it make anew each time.
fn is_state(path: &Path) -> bool {
    path.starts_with("home") || path.starts_with("tmp")
}

/// Whether a path is, or lies in, a directory that uv was to install into for cachetui.
fn is_fetched(path: &Path) -> bool {
    path.iter().filter_map(|name| name.to_str()).any(|name| name.starts_with("cachetui-fetch-"))
}

/// Whether a path is, or lies in, something that is made under a name of its own first.
fn is_temporary(path: &Path) -> bool {
    let names = path.iter().filter_map(|name| name.to_str());
    let is_one =
        |name: &str| cachetui::disk::temporary::is_temporary(name.as_ref()) || name.starts_with(".tmp");
    is_fetched(path) || names.into_iter().any(is_one)
}
