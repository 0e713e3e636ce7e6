//! What there is to link in an entry.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::{Expect, Item, Kind};
use crate::control::Cancel;
use crate::disk::walk::{Descend, Directory, Visitor, walk};
use crate::disk::{Error, FileStat};
use crate::uv::distribution;

/// Whether a file is one that is never a link, by its path relative to `site-packages`: `RECORD`, `INSTALLER`,
/// `REQUESTED` and the JSON files that installers write into a `.dist-info`, and what Python compiles.
///
/// Scripts that were generated or rewritten cannot be told by their path; their digest in `RECORD` differs. Nor can a
/// file of `<name>-<version>.data/scripts` that nobody may execute in the entry: it has the recorded digest, and is a
/// copy all the same, to which uv 0.13.8 gives that permission. The caller makes it private, or a hardlink or symlink
/// takes the permission away.
pub fn is_private(relative: &Path) -> bool {
    let text = relative.to_string_lossy();
    if cfg!(windows) {
        distribution::is_private(&text.replace('\\', "/"))
    } else {
        distribution::is_private(&text)
    }
}

/// All files of an entry, each to be linked to its own path, ordered by path.
///
/// A directory that is there already (a namespace package, shared by several distributions) is entered; a file that is
/// there already is a matter of `expect`. Empty directories are not made. What the wheel keeps in `<name>-<version>.data`
/// is listed like the rest: the caller gives such items the destinations they have in an environment. An entry that
/// cannot be listed completely is an error.
pub fn items_of(entry: &Path, expect: Expect, cancel: &Cancel) -> Result<Vec<Item>, Error> {
    let mut listing = Listing { expect, items: Vec::new(), failed: None };
    walk(entry, cancel, &mut listing);
    if let Some(error) = listing.failed {
        return Err(error);
    }
    if cancel.is_cancelled() {
        return Err(Error::new("list the files of", entry, io::ErrorKind::Interrupted.into()));
    }
    listing.items.sort_by(|one, other| one.source.cmp(&other.source));
    Ok(listing.items)
}

struct Listing {
    expect: Expect,
    items: Vec<Item>,
    failed: Option<Error>,
}

impl Visitor for Listing {
    fn directory(&mut self, _parent: &Directory<'_>, _name: &OsStr) -> Descend {
        Descend::Yes
    }

    fn entered(&mut self, _directory: &Directory<'_>, _stat: &FileStat) -> Descend {
        Descend::Yes
    }

    fn file(&mut self, parent: &Directory<'_>, name: &OsStr, _stat: &FileStat) {
        let path = parent.relative().join(name);
        let kind = if is_private(&path) { Kind::Private } else { Kind::Link };
        self.items.push(Item {
            source: path.clone(),
            destination: path,
            kind,
            expect: self.expect,
            digest: None,
            hashed: None,
        });
    }

    fn failed(&mut self, path: PathBuf, operation: &'static str, error: io::Error) {
        self.failed.get_or_insert_with(|| Error::new(operation, path, error));
    }
}
