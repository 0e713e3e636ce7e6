//! What keeps uv from installing into an environment: files that it or Python reads before, and directories where files belong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::installed;
use crate::disk::{FileKind, FileStat, read};
use crate::snapshot::Environment;

/// What uv reads of every distribution before it installs any (uv 0.13.8): it fails where one of them is not JSON.
const METADATA: [&str; 3] = ["direct_url.json", "uv_build.json", "uv_cache.json"];

/// What is in the way, as whole paths in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// Files that cannot be read as what they are, and that an installation writes again, or does not need.
    pub files: Vec<PathBuf>,
    /// Empty directories where files belong.
    pub directories: Vec<PathBuf>,
    /// Directories where files belong, and that hold something.
    pub full: Vec<PathBuf>,
}

impl Obstacles {
    /// Whether nothing is in the way.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty() && self.full.is_empty()
    }
}

/// Looks in an environment. `damaged`: files, as whole paths, that are not as `RECORD` says.
pub(super) fn of(environment: &Environment, damaged: impl Iterator<Item = PathBuf>) -> Obstacles {
    let mut obstacles = Obstacles::default();
    let infos = || environment.distributions.iter().map(|it| environment.path.join(&it.dist_info));
    for info in infos() {
        for file in METADATA.iter().map(|name| info.join(name)).filter(|file| !is_json(file)) {
            obstacles.add(file);
        }
    }
    let sites: BTreeSet<PathBuf> = infos().filter_map(|info| info.parent().map(Path::to_owned)).collect();
    let unreadable: Vec<PathBuf> = sites.iter().flat_map(|site| unreadable(site)).collect();
    if !unreadable.is_empty() {
        // What no RECORD lists is a person's own.
        let all = environment.distributions.iter();
        let listings = all.filter_map(|it| installed::listing(&environment.path, &it.dist_info).ok());
        let listed: BTreeSet<PathBuf> =
            listings.flat_map(|it| it.files).map(|file| environment.path.join(file.path)).collect();
        unreadable.into_iter().filter(|path| listed.contains(path)).for_each(|path| obstacles.add(path));
    }
    let is_directory = |path: &PathBuf| FileStat::of(path).is_ok_and(|stat| stat.kind == FileKind::Directory);
    damaged.filter(is_directory).for_each(|path| obstacles.add(path));
    for paths in [&mut obstacles.files, &mut obstacles.directories, &mut obstacles.full] {
        paths.sort_unstable();
        paths.dedup();
    }
    obstacles
}

impl Obstacles {
    fn add(&mut self, path: PathBuf) {
        let kind = FileStat::of(&path).map(|stat| stat.kind);
        let paths = match kind {
            Ok(FileKind::Directory) if installed::is_bare(&path) => &mut self.directories,
            Ok(FileKind::Directory) => &mut self.full,
            Ok(_) => &mut self.files,
            Err(_) => return,
        };
        paths.push(path);
    }
}

/// Whether a file can be read as JSON, or is not there.
fn is_json(path: &Path) -> bool {
    match read::followed(path, read::SMALL) {
        Ok(bytes) => serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok(),
        Err(error) => read::is_absent(&error),
    }
}

/// The `.pth` files of a directory that Python cannot decode. It reads them whenever it starts, and does not start then
/// (`CPython` 3.11, `site.addpackage`).
fn unreadable(site: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(site).into_iter().flatten().flatten().map(|item| item.path());
    let is_unreadable = |path: &PathBuf| {
        let decoded = |bytes: Vec<u8>| std::str::from_utf8(&bytes).is_ok();
        path.extension().is_some_and(|it| it == "pth")
            && read::followed(path, read::SMALL).is_ok_and(|bytes| !decoded(bytes))
    };
    files.filter(is_unreadable).collect()
}
