//! Reads from disk what is installed: the one place that opens a `RECORD`, of an environment's distribution or an entry.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::disk::{FileKind, FileStat, read};
use crate::uv::{installed, link};

pub(super) use crate::uv::installed::{
    Class, EntryFile, InstalledFile, Layout, Listing, Several, Source, Sources,
};

/// Reads what a distribution in the environment at `root` lists; `dist_info` is relative to that.
pub(super) fn listing(root: &Path, dist_info: &Path) -> io::Result<Listing> {
    let bytes = read::small(&root.join(dist_info).join("RECORD"), read::RECORD)?;
    Ok(Listing::read(Layout::of(dist_info), &bytes))
}

/// Reads where uv installs each file of an entry; nothing where its `RECORD` cannot be read. `dist_info` is the name of the
/// entry's `.dist-info`, `name` that of the distribution.
pub(super) fn sources(entry: &Path, dist_info: &OsStr, layout: Layout<'_>, name: &str) -> Sources {
    let bytes = read::small(&entry.join(dist_info).join("RECORD"), read::RECORD);
    bytes.map_or_else(
        |_| Sources::default(),
        |bytes| installed::sources(layout, name, &bytes, |path| is_executable(&entry.join(path))),
    )
}

/// Reads what an entry's own `RECORD` lists. `dist_info` is the name of its `.dist-info`.
pub(super) fn of_entry(entry: &Path, dist_info: &OsStr) -> io::Result<Vec<EntryFile>> {
    let bytes = read::small(&entry.join(dist_info).join("RECORD"), read::RECORD)?;
    Ok(installed::entry_files(&bytes).collect())
}

/// The same, with the SHA-256 of the `RECORD` itself: entries of which that is equal have the same files.
pub(super) fn of_entry_with_digest(
    entry: &Path,
    dist_info: &OsStr,
) -> io::Result<(Vec<EntryFile>, [u8; 32])> {
    let bytes = read::small(&entry.join(dist_info).join("RECORD"), read::RECORD)?;
    Ok((installed::entry_files(&bytes).collect(), Sha256::digest(&bytes).into()))
}

/// Of a symlink whose target is gone whether it names a cache, so that an installer made it and it is damage; any other is a
/// person's own. None where there is no such symlink.
pub(super) fn broken_link(path: &Path) -> Option<bool> {
    let is_broken = FileStat::of(path).is_ok_and(|stat| stat.kind == FileKind::Symlink)
        && FileStat::following(path).is_err();
    is_broken.then(|| std::fs::read_link(path).map_or(true, |text| link::names_cache(&text)))
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
