//! Removes where renaming is not possible: on an overlay that cannot rename the directories of its lower layer.
//!
//! Containers have such overlays (Docker's have no `redirect_dir`). Nothing can be moved into the trash there, so a step's
//! directory is removed where it lies, under the cache's lock. Its pointers go first. Then a directory in the trash says that
//! the rest is to go, by path, device and inode: after a crash, the next purge removes what is left of it. Until then it is an
//! entry without pointers, which uv never reads, and which `uv cache prune` removes too.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::buckets::Buckets;
use super::purge;
use super::trash::{DIRECTORY, Run};
use crate::control::{Cancel, Progress};
use crate::disk::{FileKind, overlay};
use crate::linker::{Error, Missing, Place, Root};
use crate::plan::{Action, Step};
use crate::snapshot::Identity;

/// The directory in a run's trash that says what is being removed in place. No bucket has such a name.
pub(super) const MARKS: &str = ".in-place";

/// What is made in a run to find out whether a directory can be renamed.
pub(super) const PROBE: &str = ".in-place/full/of-something";

/// What makes a directory an environment; it goes last, so that uv takes what is left for one that is broken.
const CONFIG: &str = "pyvenv.cfg";

/// Why a step cannot go into the trash.
pub(super) const STUCK: &str = "this overlay cannot rename directories of its lower layer. Nothing was changed. \
     `cachetui prune` without `--trash` deletes them in place, which cannot be undone";

/// For each step, whether its target cannot be renamed. Nothing is moved to find out.
pub(super) fn stuck(buckets: &Buckets, run: &Run, steps: &[Step]) -> Result<Vec<bool>, Error> {
    // Where they can be renamed, trying would copy the directory up, and change it.
    let overlay = overlay::at(buckets.root().place().path());
    if overlay.and_then(|overlay| overlay.renames()) != Some(false) {
        return Ok(vec![false; steps.len()]);
    }
    let full = Path::new("full");
    drop(buckets.directory(&run.path().join(PROBE), Missing::Create)?);
    let probe = buckets.directory(&run.path().join(MARKS), Missing::Fail)?;
    let is_stuck = |step: &Step| {
        let is_tree = step.action != Action::RemoveObjects;
        let mut places = step.places();
        is_tree
            && places.any(|at| {
                let path = at.path();
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
                let place = buckets.directory(parent, Missing::Fail);
                place.is_ok_and(|place| place.is_stuck(name, &probe, full.as_os_str()))
            })
    };
    Ok(steps.iter().map(is_stuck).collect())
}

/// Whether a step failed because an overlay cannot rename a directory, which was not known before.
pub(super) fn is_stuck(root: &Root, error: &Error) -> bool {
    error.source.kind() == io::ErrorKind::CrossesDevices && overlay::at(root.place().path()).is_some()
}

/// Removes a tree where it lies, with a mark in `run` for as long as that takes.
pub(super) fn remove(
    root: &Root,
    run: &Run,
    place: &Place,
    path: &Path,
    expected: Identity,
) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default();
    let identity = format!("{}-{}", expected.device, expected.inode);
    let mark = run.path().join(MARKS).join(identity);
    drop(root.directory(&mark.join(path), Missing::Create)?);
    let found = place.find(name).map_err(|error| Error::new("look at", place.join(name), error))?;
    let is_it =
        found.is_some_and(|found| (found.stat.device, found.stat.inode) == (expected.device, expected.inode));
    if is_it {
        tree(place, name)?;
    }
    let marks = root.directory(&run.path().join(MARKS), Missing::Fail)?;
    purge::remove(&marks, mark.file_name().unwrap_or_default(), &Cancel::default(), &Progress::default())?;
    Ok(())
}

/// Removes the directories of the marks where no mark is left.
pub(super) fn close(root: &Root, run: &Run) {
    if let Ok(top) = root.directory(&run.path(), Missing::Fail) {
        drop(top.remove_directory(OsStr::new(MARKS)));
        drop(top);
        if let Ok(trash) = root.directory(Path::new(DIRECTORY), Missing::Fail) {
            drop(trash.remove_directory(run.name()));
        }
    }
}

/// Removes a tree, what makes it an environment last.
fn tree(place: &Place, name: &OsStr) -> Result<(), Error> {
    let (cancel, progress) = (Cancel::default(), Progress::default());
    if let Ok(directory) = place.directory(name)
        && directory.find(OsStr::new(CONFIG)).is_ok_and(|found| found.is_some())
    {
        for child in directory.names().unwrap_or_default().iter().filter(|child| *child != CONFIG) {
            purge::remove(&directory, child, &cancel, &progress)?;
        }
    }
    purge::remove(place, name, &cancel, &progress).map(drop)
}

/// Finishes what a run that was stopped was removing in place.
pub(super) fn finish(root: &Root, run: &Run) -> Vec<Error> {
    let Ok(marks) = root.directory(&run.path().join(MARKS), Missing::Fail) else { return Vec::new() };
    let Ok(buckets) = Root::open(root.place().path()).map(Buckets::of) else { return Vec::new() };
    let mut errors = Vec::new();
    for mark in marks.names().unwrap_or_default() {
        if let Some((identity, path)) = read(&marks, &mark) {
            errors.extend(finish_one(&buckets, identity, &path).err());
        }
    }
    errors
}

fn finish_one(buckets: &Buckets, identity: Identity, path: &Path) -> Result<(), Error> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let place = match buckets.directory(parent, Missing::Fail) {
        Ok(place) => place,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let found = place.find(name).map_err(|error| Error::new("look at", place.join(name), error))?;
    let is_it = found.is_some_and(|found| {
        found.stat.kind == FileKind::Directory
            && (found.stat.device, found.stat.inode) == (identity.device, identity.inode)
    });
    if is_it { tree(&place, name) } else { Ok(()) }
}

/// What a mark says: the directory by its device and inode, and its path below the cache, which the directories in the mark
/// spell.
fn read(marks: &Place, mark: &OsStr) -> Option<(Identity, PathBuf)> {
    let (device, inode) = mark.to_str()?.split_once('-')?;
    let identity = Identity { device: device.parse().ok()?, inode: inode.parse().ok()? };
    let mut path = PathBuf::new();
    let mut place = marks.directory(mark).ok()?;
    while let [name] = place.names().ok()?.as_slice() {
        path.push(name);
        place = place.directory(name).ok()?;
    }
    // Only what a step may remove lies so near the root, and never in the trash itself.
    let depth = path.components().count();
    let fits = (1..=2).contains(&depth) && !path.starts_with(DIRECTORY);
    fits.then_some((identity, path))
}
