//! What one pointer says: a symlink, a regular file in the place of one, or a pointer file.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

use crate::disk::walk::Directory;
use crate::uv::link::{self, ArchivePath};
use crate::uv::link_file::{self, LinkFile};
use crate::uv::pointer::{self, ArchivePointer, Payload};

/// What a pointer says.
#[derive(Clone, Debug)]
pub(in crate::scan) enum Target {
    /// A path into an archive bucket, and the text it came from.
    Path(ArchivePath, PathBuf),
    /// An entry of this cache, by bucket and id.
    Entry { bucket: String, id: String },
    /// The id of an entry of this cache, and what else the pointer knows of it.
    Id(ArchivePointer),
    /// Somewhere else.
    Elsewhere(PathBuf),
    /// Nothing that could be understood, and why.
    Malformed(String),
    /// What an error kept from being read.
    Unread(String),
}

/// Reads a symlink.
pub(super) fn symlink(parent: &Directory<'_>, name: &OsStr) -> io::Result<Target> {
    let text = parent.read_link(name)?;
    Ok(match link::archive_target(&text) {
        Some(path) => Target::Path(path, text),
        None => Target::Elsewhere(text),
    })
}

/// Reads a regular file in the place of a link.
pub(super) fn link_file(parent: &Directory<'_>, name: &OsStr) -> io::Result<Target> {
    let bytes = parent.read(name, link_file::LONGEST_FILE as u64)?;
    Ok(match link_file::parse(&bytes) {
        Ok(LinkFile::Text(target)) => Target::Entry { bucket: target.bucket, id: target.id },
        Ok(LinkFile::Wide(units)) => {
            let text = link_file::wide_to_path(&units);
            match link::archive_target(&text) {
                Some(path) => Target::Path(path, text),
                None => Target::Malformed(
                    "It is neither the path of an entry nor any other path uv writes".to_owned(),
                ),
            }
        }
        Err(error) => Target::Malformed(error.to_string()),
    })
}

/// Reads a pointer file.
pub(super) fn archive(
    parent: &Directory<'_>,
    name: &OsStr,
    parse: impl Fn(&[u8]) -> Result<Payload, pointer::PointerError>,
) -> io::Result<Target> {
    Ok(match parse(&parent.read(name, pointer::LONGEST_FILE as u64)?) {
        Ok(Payload::Archive(archive)) => Target::Id(archive),
        Ok(Payload::Revision { .. }) => {
            Target::Malformed("It names a revision where an entry belongs".to_owned())
        }
        Err(error) => Target::Malformed(error.to_string()),
    })
}
