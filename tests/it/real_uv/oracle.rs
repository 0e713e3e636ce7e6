//! What the tests measure themselves: each file by `lstat`, `readlink`, `filefrag` and its content.
//!
//! Nothing here is shared with the scan: it is slow, simple, and looks at every byte.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::lab::Known;
use crate::support::uv::{Sandbox, ran};

/// Files of a distribution by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) clone: u64,
    pub(super) hardlink: u64,
    pub(super) symlink: u64,
    pub(super) copy: u64,
    pub(super) dangling: u64,
    pub(super) missing: u64,
    pub(super) modified: u64,
    pub(super) private: u64,
    pub(super) own: u64,
    pub(super) unprovable: u64,
}

impl Files {
    pub(super) fn mode(self) -> &'static str {
        let present = [
            (self.clone, "clone"),
            (self.hardlink, "hardlink"),
            (self.symlink, "symlink"),
            (self.copy, "copy"),
        ];
        let present: Vec<_> = present.iter().filter(|(files, _)| *files > 0).collect();
        match present[..] {
            [] => "unknown",
            [(_, word)] => word,
            _ => "mixed",
        }
    }

    pub(super) fn json(self) -> Value {
        json!({
            "clone": self.clone, "hardlink": self.hardlink, "symlink": self.symlink, "copy": self.copy,
            "dangling": self.dangling, "missing": self.missing, "modified": self.modified, "private": self.private,
            "own": self.own, "unprovable": self.unprovable,
        })
    }

    pub(super) fn by(self) -> Value {
        json!({ "clone": self.clone, "hardlink": self.hardlink, "symlink": self.symlink, "copy": self.copy })
    }
}

/// One distribution of an environment as it was measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) version: String,
    /// The entries that explain most of its files: several where they are equal in content and it is a copy.
    pub(super) entries: Vec<String>,
    pub(super) files: Files,
}

struct CacheFile {
    entry: Option<String>,
    size: u64,
    digest: String,
    executable: bool,
    script: bool,
}

/// Where a file begins on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Shared(u64),
    Exclusive,
    Opaque,
}

/// The cache as it was measured.
pub(super) struct Oracle {
    cache: PathBuf,
    files: Vec<CacheFile>,
    by_inode: HashMap<(u64, u64), Vec<usize>>,
    links: HashMap<(u64, u64), u64>,
    by_extent: HashMap<u64, Vec<usize>>,
    /// Entries by the name of their `.dist-info`.
    dist_infos: BTreeMap<String, BTreeSet<String>>,
    pub(super) entries: BTreeSet<String>,
    pub(super) reflinks: bool,
}

impl Oracle {
    /// Measures a cache. Environments that lie in a bucket of their own do not count as the cache's.
    pub(super) fn new(sandbox: &Sandbox, known: &[Known]) -> Self {
        let cache = sandbox.cache();
        let magic = rustix::fs::statfs(&cache).unwrap().f_type;
        let mut oracle = Self {
            files: Vec::new(),
            by_inode: HashMap::new(),
            links: HashMap::new(),
            by_extent: HashMap::new(),
            dist_infos: BTreeMap::new(),
            entries: BTreeSet::new(),
            reflinks: [0x5846_5342, 0x9123_683e].contains(&(magic & 0xffff_ffff)),
            cache,
        };
        // Extents of files that were written just now are not told before they are on the device.
        ran(Command::new("sync").arg("-f").arg(&oracle.cache));
        let buckets = oracle.cache.join("environments-v2");
        let apart: HashSet<&Path> = known
            .iter()
            .map(|known| known.path.as_path())
            .filter(|path| path.starts_with(&buckets))
            .collect();
        let walk = walkdir::WalkDir::new(&oracle.cache)
            .into_iter()
            .filter_entry(|item| !apart.contains(item.path()));
        let items: Vec<walkdir::DirEntry> = walk.map(Result::unwrap).collect();
        let mut regular = Vec::new();
        for item in &items {
            oracle.item(item.path(), &mut regular);
        }
        if oracle.reflinks {
            let extents = extents(&regular);
            for (number, extent) in extents.into_iter().enumerate() {
                if let Extent::Shared(physical) = extent {
                    oracle.by_extent.entry(physical).or_default().push(number);
                }
            }
        }
        oracle
    }

    fn item(&mut self, path: &Path, regular: &mut Vec<PathBuf>) {
        let metadata = path.symlink_metadata().unwrap();
        let inside =
            path.strip_prefix(self.cache.join("archive-v0")).ok().filter(|inside| inside.iter().count() > 0);
        let mut parts = inside.into_iter().flat_map(Path::iter).map(|part| part.to_str().unwrap());
        let entry = parts.next().map(str::to_owned);
        let rest: Vec<&str> = parts.collect();
        if metadata.is_dir() {
            self.entries.extend(entry.clone());
            if let (Some(entry), [name]) = (entry, &rest[..])
                && let Some(stem) = name.strip_suffix(".dist-info")
            {
                self.dist_infos.entry(stem.to_owned()).or_default().insert(entry);
            }
            return;
        }
        let inode = (metadata.dev(), metadata.ino());
        self.links.insert(inode, metadata.nlink());
        if metadata.is_file() {
            self.by_inode.entry(inode).or_default().push(self.files.len());
            self.files.push(CacheFile {
                entry,
                size: metadata.len(),
                digest: digest(path),
                executable: metadata.permissions().mode() & 0o111 != 0,
                script: matches!(&rest[..], [data, "scripts", ..] if data.strip_suffix(".data").is_some()),
            });
            regular.push(path.to_owned());
        }
    }

    /// The distributions of an environment, by name.
    pub(super) fn environment(&self, root: &Path) -> Vec<Measured> {
        let directories = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
        let dist_infos: Vec<PathBuf> = directories
            .filter(|item| {
                item.file_type().is_dir() && item.path().extension().is_some_and(|it| it == "dist-info")
            })
            .map(walkdir::DirEntry::into_path)
            .collect();
        let mut claims = Claims::new();
        for (path, hash) in dist_infos.iter().flat_map(|path| record(path)) {
            claims.entry(path).or_default().push(hash);
        }
        let mut found = Vec::new();
        for path in &dist_infos {
            let name = path.file_stem().unwrap().to_str().unwrap().split_once('-').unwrap();
            found.push(self.distribution(root, path, &claims, name));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn distribution(
        &self,
        root: &Path,
        dist_info: &Path,
        claims: &Claims,
        (name, version): (&str, &str),
    ) -> Measured {
        let none = BTreeSet::new();
        let candidates = self.dist_infos.get(&format!("{name}-{version}")).unwrap_or(&none);
        let mut files = Files::default();
        let mut tally: BTreeMap<&str, u64> = candidates.iter().map(|entry| (entry.as_str(), 0)).collect();
        for (path, hash) in record(dist_info) {
            let of = self.file(root, &path, &hash, claims, candidates, &mut files);
            for entry in of {
                *tally.get_mut(entry.as_str()).unwrap() += 1;
            }
        }
        let most = tally.values().copied().max().unwrap_or(0);
        let best = tally.into_iter().filter(|(_, files)| most > 0 && *files == most);
        let entries = best.map(|(entry, _)| entry.to_owned()).collect();
        Measured { name: name.replace('_', "-"), version: version.to_owned(), entries, files }
    }

    /// Counts one file and answers which of the candidates have it.
    fn file(
        &self,
        root: &Path,
        path: &Path,
        hash: &str,
        claims: &Claims,
        candidates: &BTreeSet<String>,
        files: &mut Files,
    ) -> Vec<&String> {
        const PRIVATE: [&str; 6] =
            ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"];
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.parent().unwrap().extension().is_some_and(|it| it == "dist-info") && PRIVATE.contains(&name) {
            files.private += 1;
            return Vec::new();
        }
        let Ok(metadata) = path.symlink_metadata() else {
            files.missing += 1;
            return Vec::new();
        };
        if metadata.is_symlink() {
            return self.symlink(path, candidates, files);
        }
        let of = |numbers: &[usize]| -> Vec<&String> {
            numbers
                .iter()
                .filter_map(|it| self.files[*it].entry.as_ref())
                .filter(|it| candidates.contains(*it))
                .collect()
        };
        let content = digest(path);
        let is_right = content == hash;
        // An environment that is stored as an entry does not use itself.
        let itself = root.strip_prefix(self.cache.join("archive-v0")).ok().and_then(Path::to_str);
        let elsewhere = |it: &&usize| itself.is_none() || self.files[**it].entry.as_deref() != itself;
        let numbers = self.by_inode.get(&(metadata.dev(), metadata.ino()));
        let numbers: Vec<usize> = numbers.into_iter().flatten().filter(elsewhere).copied().collect();
        if !numbers.is_empty() {
            let found = of(&numbers);
            *(if found.is_empty() { &mut files.own } else { &mut files.hardlink }) += 1;
            files.modified += u64::from(!found.is_empty() && !is_right);
            return found;
        }
        if !is_right {
            // Two distributions may own one file: what the last one wrote is not a change of the other's.
            let shared = claims.get(path).is_some_and(|digests| digests.contains(&content));
            *(if shared { &mut files.own } else { &mut files.modified }) += 1;
            return Vec::new();
        }
        let same: Vec<usize> = (0..self.files.len())
            .filter(|it| self.files[*it].entry.as_ref().is_some_and(|entry| candidates.contains(entry)))
            .filter(|it| self.files[*it].digest == content && self.files[*it].size == metadata.len())
            .collect();
        // uv copies scripts that are not executable in the wheel in every mode, to make them so.
        let made_executable =
            !same.is_empty() && same.iter().all(|it| self.files[*it].script && !self.files[*it].executable);
        if made_executable {
            files.private += 1;
            return Vec::new();
        }
        let extent = if self.reflinks && metadata.len() > 0 {
            extents(&[path.to_owned()])[0]
        } else {
            Extent::Exclusive
        };
        if let Extent::Shared(physical) = extent
            && let Some(numbers) = self.by_extent.get(&physical)
        {
            let found = of(numbers);
            *(if found.is_empty() { &mut files.own } else { &mut files.clone }) += 1;
            return found;
        }
        let found = of(&same);
        if found.is_empty() {
            let generated = path.parent() == Some(&root.join("bin"));
            *(if generated { &mut files.private } else { &mut files.own }) += 1;
        } else if self.reflinks && (metadata.len() == 0 || extent == Extent::Opaque) {
            files.unprovable += 1;
        } else {
            files.copy += 1;
        }
        found
    }

    fn symlink(&self, path: &Path, candidates: &BTreeSet<String>, files: &mut Files) -> Vec<&String> {
        let Ok(target) = path.canonicalize() else {
            files.dangling += 1;
            return Vec::new();
        };
        let inside = target.strip_prefix(self.cache.join("archive-v0")).unwrap();
        let entry = inside.iter().next().unwrap().to_str().unwrap();
        if !candidates.contains(entry) {
            files.own += 1;
            return Vec::new();
        }
        files.symlink += 1;
        self.entries.get(entry).into_iter().collect()
    }

    /// The links of an entry: those that lead out of the cache, and how many of them lie in the known environments.
    pub(super) fn links(&self, entry: &str, known: &[Known]) -> Value {
        let mut elsewhere: HashMap<(u64, u64), u64> = HashMap::new();
        for root in known.iter().filter(|known| known.kind != "cached") {
            for item in walkdir::WalkDir::new(&root.path).into_iter().map(Result::unwrap) {
                let metadata = item.path().symlink_metadata().unwrap();
                *elsewhere.entry((metadata.dev(), metadata.ino())).or_default() += 1;
            }
        }
        let (mut external, mut explained) = (0, 0);
        for (inode, numbers) in &self.by_inode {
            if numbers.iter().any(|number| self.files[*number].entry.as_deref() == Some(entry)) {
                external += self.links[inode] - numbers.len() as u64;
                explained += elsewhere.get(inode).copied().unwrap_or(0);
            }
        }
        json!({ "external": external, "explained": explained, "unexplained": external - explained })
    }
}

/// The digests that the `RECORD`s of an environment state for each file.
type Claims = HashMap<PathBuf, Vec<String>>;

/// The files of a `RECORD` and their digests.
fn record(dist_info: &Path) -> Vec<(PathBuf, String)> {
    let path = dist_info.join("RECORD");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path).unwrap();
    let rows = reader.records().map(Result::unwrap);
    let site = dist_info.parent().unwrap();
    rows.map(|row| (beneath(site, &row[0]), row[1].trim_start_matches("sha256=").to_owned())).collect()
}

fn digest(path: &Path) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(std::fs::read(path).unwrap()))
}

/// A path of `RECORD` without its `..`.
fn beneath(site: &Path, path: &str) -> PathBuf {
    let mut whole = site.to_owned();
    for part in Path::new(path).components() {
        if part == Component::ParentDir {
            whole.pop();
        } else {
            whole.push(part);
        }
    }
    whole
}

/// Where files begin, as `filefrag` prints it.
fn extents(paths: &[PathBuf]) -> Vec<Extent> {
    let mut found = Vec::new();
    for some in paths.chunks(200) {
        let output = ran(Command::new("filefrag").arg("-v").args(some));
        let text = String::from_utf8_lossy(&output.stdout);
        for of_file in text.split("File size of ").skip(1) {
            let row = of_file.lines().find(|line| line.trim_start().starts_with("0:"));
            found.push(match row {
                None => Extent::Opaque,
                Some(row)
                    if ["inline", "unknown", "encoded", "not_aligned"]
                        .iter()
                        .any(|word| row.contains(word)) =>
                {
                    Extent::Opaque
                }
                Some(row) if row.contains("shared") => {
                    let physical = row.split(':').nth(2).unwrap().trim().split("..").next().unwrap();
                    Extent::Shared(physical.parse().unwrap())
                }
                Some(_) => Extent::Exclusive,
            });
        }
    }
    assert_eq!(found.len(), paths.len(), "`filefrag` speaks of every file");
    found
}
