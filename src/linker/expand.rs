//! Symlinks to whole directories of an entry: made into real directories of file links, and, on request only, made.
//!
//! The caller holds the environment's lock exclusively.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::Error;
use super::mode::same_inode;
use super::place::{Calls as _, Leads, Missing, Place, Root, directory_and_name};
use super::tree::{Expect, TreeReport, TreeRequest, items_of, link_beneath, sweep};
use crate::control::{Cancel, Progress};
use crate::disk::temporary::{is_kept, is_temporary, kept_name, temporary_name};
use crate::disk::{FileKind, FileStat};
use crate::snapshot::{Identity, Mode};

/// A symlink that is to become a directory.
#[derive(Clone, Debug)]
pub struct ExpandRequest {
    /// The symlink, relative to the root.
    pub link: PathBuf,
    /// Its text, as it was seen when the plan was made.
    pub text: PathBuf,
    /// The cache entry it leads into.
    pub entry: PathBuf,
    /// Which directory that is; none where the path says enough.
    pub identity: Option<Identity>,
    /// The directory it leads to, relative to the entry.
    pub inside: PathBuf,
    /// How the files are linked.
    pub mode: Mode,
}

/// What became of a symlink.
#[derive(Debug)]
pub enum Expanded {
    /// It is a directory now.
    Done(Box<TreeReport>),
    /// It was a directory already.
    Already,
}

/// Turns a symlink to a directory of an entry into a real directory of file links.
///
/// The directory is made whole beside the symlink, then the two change places at once, where the system can do that. Where
/// it cannot, the symlink is moved away first, and the next call puts it back if this one is killed right then. After an
/// error the symlink is as it was. A symlink with another text, or one that leads elsewhere, is left alone.
pub fn expand(
    root: &Root,
    request: &ExpandRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Expanded, Error> {
    let path = root.place().path().join(&request.link);
    let failed = |error| Error::new("expand the symlink", &path, error);
    let (directory, name) = directory_and_name(&request.link).map_err(failed)?;
    let place = root.directory(directory, Missing::Fail)?;
    sweep(&place)?;
    clear(&place, name, &request.text).map_err(failed)?;
    let found = place.find(name).map_err(failed)?.map(|found| found.stat.kind);
    if found == Some(FileKind::Directory) {
        return Ok(Expanded::Already);
    }
    check(&place, name, &request.text).map_err(failed)?;
    let entry = Root::open_as(&request.entry, request.identity)?;
    let inside = entry.directory(&request.inside, Missing::Fail)?;
    let leads = place.calls().following(name).map_err(failed)?;
    if !same_inode(&leads, &inside.own_stat().map_err(failed)?) {
        return Err(failed(unexpected("it leads elsewhere")));
    }
    let temporary = temporary_name();
    drop(place.calls().create_directory(&temporary, 0o777).map_err(failed)?);
    let made = place.find(&temporary).map_err(failed)?.map(|found| found.stat);
    let filled = fill(&place, &temporary, &entry, request, cancel, progress);
    let swapped = filled
        .and_then(|report| swap(&place, &temporary, name, &request.text).map_err(failed).map(|()| report));
    match swapped {
        Ok(report) => {
            place.calls().sync().map_err(failed)?;
            Ok(Expanded::Done(Box::new(report)))
        }
        Err(error) => {
            // What cannot be removed now is removed by the next call; what is not what was made here is left alone.
            let now = place.find(&temporary).ok().flatten().map(|found| found.stat);
            if made.zip(now).is_some_and(|(made, now)| same_inode(&made, &now)) {
                drop(remove_tree(&place, &temporary));
            }
            Err(error)
        }
    }
}

/// Links the files of the directory into a new one; anything but all of them is an error.
fn fill(
    place: &Place,
    temporary: &OsStr,
    entry: &Root,
    request: &ExpandRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<TreeReport, Error> {
    let from = request.entry.join(&request.inside);
    let mut items = items_of(&from, Expect::Absent, cancel)?;
    for item in &mut items {
        item.source = request.inside.join(&item.source);
    }
    let path = place.join(temporary);
    let opened = place.enter(temporary).map_err(|error| Error::new("enter the directory", &path, error))?;
    let tree = TreeRequest {
        entry: request.entry.clone(),
        identity: request.identity,
        root: path.clone(),
        mode: request.mode,
        items,
        touch: Vec::new(),
    };
    let mut report = link_beneath(entry, &Root::at(opened), &tree, cancel, progress);
    if report.is_complete() {
        return Ok(report);
    }
    let incomplete = || Error::new("fill the directory", path, io::ErrorKind::Interrupted.into());
    Err(if report.failed.is_empty() { incomplete() } else { report.failed.swap_remove(0) })
}

/// Puts the directory where the symlink is, and removes the symlink.
fn swap(place: &Place, temporary: &OsStr, name: &OsStr, text: &Path) -> io::Result<()> {
    match place.calls().exchange(temporary, name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            return replace(place, temporary, name, text);
        }
        Err(error) => return Err(error),
    }
    if let Err(error) = check(place, temporary, text) {
        place.calls().exchange(temporary, name)?;
        return Err(error);
    }
    place.calls().remove_file(temporary)
}

/// The same in two steps.
fn replace(place: &Place, temporary: &OsStr, name: &OsStr, text: &Path) -> io::Result<()> {
    let kept = kept_name();
    place.calls().rename_new(name, &kept)?;
    let replaced = check(place, &kept, text).and_then(|()| place.calls().rename_new(temporary, name));
    if let Err(error) = replaced {
        place.calls().rename_new(&kept, name)?;
        return Err(error);
    }
    place.calls().remove_file(&kept)
}

/// Whether a name is a symlink with this text.
fn check(place: &Place, name: &OsStr, text: &Path) -> io::Result<()> {
    match place.find(name)? {
        Some(found) if found.stat.kind == FileKind::Symlink => {}
        Some(_) => return Err(unexpected("it is no symlink")),
        None => return Err(io::ErrorKind::NotFound.into()),
    }
    if place.calls().read_link(name)? == text {
        Ok(())
    } else {
        Err(unexpected("its text is not the expected one"))
    }
}

fn unexpected(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Takes away what a killed call left: half-filled directories, and a symlink that had been moved away, which goes back
/// if nothing took its place.
fn clear(place: &Place, name: &OsStr, text: &Path) -> io::Result<()> {
    for left in place.calls().names()? {
        if is_temporary(&left) {
            remove_tree(place, &left)?;
        } else if is_kept(&left) && check(place, &left, text).is_ok() {
            match place.calls().rename_new(&left, name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    place.calls().remove_file(&left)?;
                }
                other => other?,
            }
        }
    }
    Ok(())
}

/// Removes a directory and what is in it, without leaving its filesystem and without following a symlink.
fn remove_tree(place: &Place, name: &OsStr) -> io::Result<()> {
    // Each open directory with the names in it that are still to do; the handles are as many as the tree is deep.
    let mut open: Vec<(Place, Vec<OsString>)> = Vec::new();
    let (device, mount) = (place.own_stat()?.device, place.mount());
    let enter = |parent: &Place, name: &OsStr| {
        let inner = parent.enter(name)?;
        if inner.own_stat()?.device == device && inner.mount() == mount {
            let names = inner.calls().names()?;
            Ok((inner, names))
        } else {
            Err(unexpected("something is mounted on it"))
        }
    };
    open.push(enter(place, name)?);
    let mut path: Vec<OsString> = vec![name.to_owned()];
    while let Some((inner, names)) = open.last_mut() {
        let Some(child) = names.pop() else {
            open.pop();
            let parent = open.last().map_or(place, |(parent, _)| parent);
            if let Some(name) = path.pop() {
                parent.calls().remove_directory(&name)?;
            }
            continue;
        };
        match inner.find(&child)?.map(|found| found.stat.kind) {
            Some(FileKind::Directory) => {
                let next = enter(inner, &child)?;
                open.push(next);
                path.push(child);
            }
            Some(_) => inner.calls().remove_file(&child)?,
            None => {}
        }
    }
    Ok(())
}

/// Says that whoever asks for symlinks to whole directories has read [`AcceptSharedWrites::WARNING`].
#[derive(Clone, Copy, Debug)]
pub struct AcceptSharedWrites(());

impl AcceptSharedWrites {
    /// What must be shown before.
    pub const WARNING: &'static str = "A directory that is a symlink into the cache is the cache's own: a package that \
        writes into itself, Python when it compiles modules, or an uninstaller that follows the link then changes the \
        cache, and every environment that uses the entry.";

    /// The warning was shown, and answered with yes.
    pub fn after_the_warning() -> Self {
        Self(())
    }
}

/// Makes a symlink to a whole directory of an entry where nothing is yet.
///
/// # Warning
/// What is written through the link lands in the cache, for all environments: see [`AcceptSharedWrites::WARNING`]. File
/// links ([`link_tree`](super::link_tree)) do not have that property, and [`expand`] gets rid of it.
pub fn link_directory(
    root: &Root,
    link: &Path,
    target: &Path,
    _accepted: AcceptSharedWrites,
) -> Result<(), Error> {
    let failed = |error| Error::new("create the symlink", root.place().path().join(link), error);
    let (directory, name) = directory_and_name(link).map_err(failed)?;
    let leads = FileStat::following(target).map_err(|error| Error::new("link to", target, error))?;
    if !target.is_absolute() || leads.kind != FileKind::Directory {
        let error = io::Error::new(io::ErrorKind::NotADirectory, "it is not an absolute path of a directory");
        return Err(Error::new("link to", target, error));
    }
    let place = root.directory(directory, Missing::Create)?;
    place.calls().symlink(target, name, Leads::ToDirectory).map_err(failed)?;
    match place.calls().following(name) {
        Ok(stat) if same_inode(&stat, &leads) => place.calls().sync().map_err(failed),
        Ok(_) => Err(failed(unexpected("the link leads elsewhere"))),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::linker::{create_directories, symlink, write_new};

    #[test]
    fn where_names_cannot_change_places_it_takes_two_steps_and_goes_back_on_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (name, staged, text) = (OsStr::new("demo"), OsStr::new("staged"), Path::new("somewhere"));
        let root = Root::open(path).unwrap();
        let place = root.place();
        let left = || place.calls().names().unwrap().len();

        symlink(text, &path.join(name)).unwrap();
        assert!(replace(place, staged, name, text).is_err(), "nothing is staged");
        assert_eq!((std::fs::read_link(path.join(name)).unwrap().as_path(), left()), (text, 1));

        create_directories(&path.join(staged)).unwrap();
        write_new(&path.join(staged).join("core.py"), b"core", 0o644).unwrap();
        assert!(replace(place, staged, name, Path::new("elsewhere")).is_err(), "it is another symlink");
        assert_eq!((std::fs::read_link(path.join(name)).unwrap().as_path(), left()), (text, 2));

        replace(place, staged, name, text).unwrap();
        assert_eq!((std::fs::read(path.join("demo/core.py")).unwrap().as_slice(), left()), (&b"core"[..], 1));
    }

    #[test]
    fn a_symlink_that_is_swapped_at_the_last_moment_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        create_directories(&path.join("staged")).unwrap();
        symlink(Path::new("newcomer"), &path.join("demo")).unwrap();
        let root = Root::open(path).unwrap();
        let expected = Path::new("expected");
        assert!(swap(root.place(), OsStr::new("staged"), OsStr::new("demo"), expected).is_err());
        assert_eq!(std::fs::read_link(path.join("demo")).unwrap(), Path::new("newcomer"));
        assert!(path.join("staged").is_dir());
    }
}
