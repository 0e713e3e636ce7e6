//! Reads from disk what is installed: the one place that opens a `RECORD`, of an environment's distribution or an entry.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::disk::{FileKind, FileStat, Time, read};
use crate::uv::{distribution as names, installed, link};

pub(super) use crate::uv::installed::{
    Class, EntryFile, InstalledFile, Layout, Listing, Several, Source, Sources,
};

/// Reads what a distribution in the environment at `root` lists; `dist_info` is relative to that.
///
/// What the system's package manager has installed is compared with nothing: packagers strip libraries, move scripts and
/// leave `RECORD` as the build wrote it, or leave it out (Debian 12).
pub(super) fn listing(root: &Path, dist_info: &Path) -> io::Result<Listing> {
    let whole = root.join(dist_info);
    let bytes = record(&whole);
    if dist_info.components().count() == 1 && is_of_system(&whole) {
        let bytes = bytes.unwrap_or_default();
        let mut listing = Listing::read(Layout::of(root, dist_info), &bytes);
        listing.unclear = 0;
        listing.files.iter_mut().for_each(|file| file.class = Class::Private);
        return Ok(listing);
    }
    let listing = Listing::read(Layout::of(root, dist_info), &bytes?);
    // uv and pip write it last of all, with a row for itself; the wheel may spell its `.dist-info` in another way.
    let is_itself = |file: &InstalledFile| {
        let is_in_info = file.path.parent().and_then(Path::extension).is_some_and(|it| it == "dist-info");
        is_in_info && file.path.file_name().is_some_and(|name| name == "RECORD")
    };
    if listing.unclear == 0 && !listing.files.iter().any(is_itself) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, CUT_OFF));
    }
    Ok(listing)
}

/// Reads the `RECORD` in a `.dist-info`.
///
/// Wheels that were packed on Windows by hand may separate names by `\`. uv reads that as `/` (0.13.8), or copies the row as it is
/// (0.9.30); the file is in its directory either way. What really has such a name keeps it.
fn record(dist_info: &Path) -> io::Result<Vec<u8>> {
    let bytes = read::small(&dist_info.join("RECORD"), read::RECORD)?;
    let Some(site) = dist_info.parent().filter(|_| bytes.contains(&b'\\')) else { return Ok(bytes) };
    let mut read = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b',').next().unwrap_or_default();
        // On Windows it separates always; a name that leads elsewhere is not looked at.
        let is_there = || {
            let name = std::str::from_utf8(name).ok().map(Path::new);
            let is_below = |it: &&Path| it.components().all(|part| matches!(part, Component::Normal(_)));
            name.filter(is_below).is_some_and(|name| !is_absent(&site.join(name)))
        };
        let is_separated = name.contains(&b'\\') && (cfg!(windows) || !is_there());
        read.extend(line.iter().map(|byte| if is_separated && *byte == b'\\' { b'/' } else { *byte }));
    }
    Ok(read)
}

/// What is said of a `RECORD` that lacks the row for itself.
const CUT_OFF: &str = "it does not list itself, so that its end is missing";

/// Whether the system's package manager has installed a distribution. `dist_info` is the whole path.
fn is_of_system(dist_info: &Path) -> bool {
    let installer = read::small(&dist_info.join("INSTALLER"), read::SMALL).ok();
    let installer = installer.and_then(|bytes| names::installer(&bytes));
    dist_info.parent().is_some_and(|site| names::is_of_system(site, installer.as_deref()))
}

/// Whether a `.dist-info` holds no file, as an uninstall leaves it that was interrupted.
pub(super) fn is_empty(dist_info: &Path) -> bool {
    let Ok(children) = std::fs::read_dir(dist_info) else { return false };
    children.into_iter().all(|child| {
        let is_directory = |child: &std::fs::DirEntry| child.file_type().is_ok_and(|kind| kind.is_dir());
        child.is_ok_and(|child| is_directory(&child) && is_empty(&child.path()))
    })
}

/// Whether a directory has nothing in it.
pub(super) fn is_bare(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut items| items.next().is_none())
}

/// Reads where uv installs each file of an entry; nothing where its `RECORD` cannot be read. `dist_info` is the name of the
/// entry's `.dist-info`, `name` that of the distribution.
pub(super) fn sources(entry: &Path, dist_info: &OsStr, layout: Layout<'_>, name: &str) -> Sources {
    record(&entry.join(dist_info)).map_or_else(
        |_| Sources::default(),
        |bytes| installed::sources(layout, name, &bytes, |path| is_executable(&entry.join(path))),
    )
}

/// Reads what an entry's own `RECORD` lists. `dist_info` is the name of its `.dist-info`.
pub(super) fn of_entry(entry: &Path, dist_info: &OsStr) -> io::Result<Vec<EntryFile>> {
    Ok(installed::entry_files(&record(&entry.join(dist_info))?).collect())
}

/// The same, with the SHA-256 of the `RECORD` itself: entries of which that is equal have the same files.
pub(super) fn of_entry_with_digest(
    entry: &Path,
    dist_info: &OsStr,
) -> io::Result<(Vec<EntryFile>, [u8; 32])> {
    let bytes = record(&entry.join(dist_info))?;
    Ok((installed::entry_files(&bytes).collect(), Sha256::digest(&bytes).into()))
}

/// How much newer than everything in it a directory may be that nothing was removed from. Files are written after their
/// directory has got their names.
pub(super) const SLACK: i64 = 10_000_000;

/// What is known of an entry that a distribution came from.
pub(super) struct Origin<'a> {
    /// The installation's root.
    pub(super) root: &'a Path,
    /// When the distribution was installed there: the modification time of its `RECORD`.
    pub(super) installed: Option<Time>,
    /// The entry's directory.
    pub(super) path: &'a Path,
    /// Its files.
    pub(super) sources: &'a Sources,
    /// Whether it is unpacked from the very wheel that was installed: see [`Listing::is_of`].
    pub(super) is_wheel: bool,
}

impl Origin<'_> {
    /// Whether a file that is not in the environment was not in the wheel either: its `RECORD` has a row too many.
    ///
    /// uv 0.12 and later leave such rows out of the entry's `RECORD`, and out of what they install. Where headers are in the wheel
    /// is not known: their place depends on the interpreter.
    pub(super) fn lacks(&self, file: &InstalledFile) -> bool {
        match self.sources.get(&file.path) {
            Some(source) => {
                source.digest == file.row.digest
                    && (never_had(self.path, &source.path) || self.never_came(&file.path, &source.path))
            }
            None => file.class == Class::Linked && self.is_wheel && !is_header(&file.path),
        }
    }

    /// Whether a file was not installed: nothing was removed beside it since, and the entry was changed later than that.
    fn never_came(&self, file: &Path, source: &Path) -> bool {
        let Some(installed) = self.installed else { return false };
        let (here, there) = (self.root.join(file), self.path.join(source));
        let changed = |path: &Path, top| Some(nearest(path, top)?.1.modified);
        is_absent(&here)
            && is_absent(&there)
            && changed(&here, self.root).is_some_and(|at| at <= installed)
            && changed(&there, self.path).is_some_and(|at| at > installed)
    }
}

fn is_absent(path: &Path) -> bool {
    FileStat::of(path).is_err_and(|error| read::is_absent(&error))
}

/// The nearest directory above a file, up to `top`, that is there.
pub(super) fn nearest<'a>(file: &'a Path, top: &Path) -> Option<(&'a Path, FileStat)> {
    let mut above = file.ancestors().skip(1).take_while(|above| above.starts_with(top));
    above.find_map(|above| Some((above, FileStat::of(above).ok()?)))
}

/// Whether a path of an installation lies where headers do.
pub(super) fn is_header(path: &Path) -> bool {
    let mut names = path.iter().skip_while(|name| *name == "..");
    names.next().is_some_and(|first| first == "include" || first == "Include")
}

/// Whether an entry never had a file that its `RECORD` lists: it is not there, and nothing shows that it was removed.
///
/// uv unpacks a wheel beside its place and renames it, which sets the change time of the entry's directory. Removing a file sets
/// the modification time of the directory that it was in.
pub(super) fn never_had(entry: &Path, file: &Path) -> bool {
    let file = entry.join(file);
    if !is_absent(&file) {
        return false;
    }
    let (Some((path, stat)), Ok(top)) = (nearest(&file, entry), FileStat::of(entry)) else { return false };
    let children = std::fs::read_dir(path).into_iter().flatten().flatten();
    let newest = children.filter_map(|child| FileStat::of(&child.path()).ok()).map(|it| it.modified).max();
    stat.modified <= top.changed
        && newest.is_none_or(|newest| stat.modified.0 <= newest.0.saturating_add(SLACK))
}

/// What most of them name, as broken links name entries.
pub(super) fn most<Name: Ord>(names: impl Iterator<Item = Name>) -> Option<Name> {
    let mut counts: BTreeMap<Name, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name)
}

/// Whose a broken file is that several distributions list: of the one whose entry its broken link names, else of the one that was
/// installed last.
pub(super) fn owner(claims: impl IntoIterator<Item = Claim>) -> Option<usize> {
    let best =
        claims.into_iter().max_by_key(|it| (it.is_linked, it.installed, std::cmp::Reverse(it.position)));
    best.map(|claim| claim.position)
}

/// What a distribution has to say for itself about a broken file that it lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Which distribution of the environment it is.
    pub(super) position: usize,
    /// Whether the file is a broken link to the entry that most broken links of the distribution name.
    pub(super) is_linked: bool,
    /// When the distribution was installed.
    pub(super) installed: Option<Time>,
}

/// A symlink whose target is gone, with its text where that can be read.
pub(super) struct BrokenLink(Option<PathBuf>);

impl BrokenLink {
    /// Whether it names a cache, so that an installer made it and it is damage; any other is a person's own.
    pub(super) fn names_cache(&self) -> bool {
        self.0.as_deref().is_none_or(link::names_cache)
    }

    /// The bucket and the id of the entry that it names.
    pub(super) fn entry(&self) -> Option<(OsString, OsString)> {
        let target = link::archive_target(self.0.as_deref()?)?;
        Some((target.bucket, target.id))
    }
}

/// The symlink at a path, where there is one and its target is gone.
pub(super) fn broken_link(path: &Path) -> Option<BrokenLink> {
    let is_broken = FileStat::of(path).is_ok_and(|stat| stat.kind == FileKind::Symlink)
        && FileStat::following(path).is_err();
    is_broken.then(|| BrokenLink(std::fs::read_link(path).ok()))
}

/// Whether any user may execute a file.
#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Whether any user may execute a file; every file may be, here.
#[cfg(not(unix))]
fn is_executable(_path: &Path) -> bool {
    true
}
