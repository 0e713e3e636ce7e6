//! Whether something that was somewhere once is gone, or only out of reach.
//!
//! A disk that is not mounted, a share that is offline and a directory of a container look like something that was deleted.
//! Only what is missing from a directory that is there, and holds other things, counts as gone.
//!
//! An environment whose own parent directory is there, and lacks it, is gone. One that is missing with its whole project
//! may also have been moved with it. What a scan has seen counts as away then, if it reached the cache by symlinks
//! ([`super::registry`]). Of what only uv has recorded not even that is known: it counts as gone where the directory that
//! the project is missing from has changed since, unless the cache is known to be used by symlinks ([`super::moved`]). The
//! strict rule, that the own parent directory has to be there, would keep every unused entry on each machine on which a
//! project was ever deleted.

use std::path::{Path, PathBuf};

use super::discover::is_absence;
use crate::disk::{FileStat, Time, mounts, volume};

/// Where things are mounted that come and go: an empty place in there says nothing.
const COME_AND_GO: [&str; 7] = ["/mnt", "/media", "/run", "/Volumes", "/net", "/misc", "/afs"];

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is there.
    There,
    /// It was deleted or moved.
    Gone,
    /// Nobody can tell.
    Unknown,
}

/// An environment that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// Where it was.
    pub(super) path: PathBuf,
    /// Whether only uv's record names it, and the directory it was in is missing too.
    pub(super) with_project: bool,
}

/// Looks for a path, symlinks followed.
pub(super) fn of(path: &Path) -> Presence {
    look(path, is_missed)
}

/// Looks for something that was there at some time. Where it was removed since, the directory that it is missing from has
/// changed since; a directory over which another filesystem was mounted has not.
pub(super) fn since(path: &Path, then: Time) -> Presence {
    look(path, |path| was_removed(path, then))
}

fn look(path: &Path, is_gone: impl Fn(&Path) -> bool) -> Presence {
    if !path.is_absolute() {
        return Presence::Unknown;
    }
    match std::fs::metadata(path) {
        Ok(_) => Presence::There,
        Err(error) if is_absence(&error) && comes_and_goes(path) => Presence::Unknown,
        Err(error) if is_absence(&error) && is_gone(path) => Presence::Gone,
        Err(_) => Presence::Unknown,
    }
}

/// Whether a path lies where things are mounted that come and go, or on a filesystem that is not mounted now and should be.
pub(super) fn comes_and_goes(path: &Path) -> bool {
    COME_AND_GO.iter().any(|place| path.starts_with(place))
        || mounts::expected().iter().any(|point| path.starts_with(point))
}

/// The deepest directory of a path that is there; none where that cannot be told.
pub(super) fn what_is_left(path: &Path) -> Option<&Path> {
    for above in path.ancestors().skip(1) {
        match std::fs::metadata(above) {
            Ok(_) => return Some(above),
            Err(error) if is_absence(&error) => {}
            Err(_) => return None,
        }
    }
    None
}

fn was_removed(path: &Path, then: Time) -> bool {
    let Some(left) = what_is_left(path) else { return false };
    // The root of a container is another one each time.
    let is_root = left.parent().is_none();
    let of_container = is_root && volume::filesystem(left).name == "overlayfs";
    !of_container && FileStat::following(left).is_ok_and(|stat| stat.modified >= then)
}

/// Whether the directory that should lead to something missing is there, is one that stays, and holds something else.
fn is_missed(path: &Path) -> bool {
    // An empty directory may be the place of a mount; of a path of which only the root is left nothing is known.
    what_is_left(path).is_some_and(|left| {
        let holds = std::fs::read_dir(left).is_ok_and(|mut items| items.next().is_some());
        left.parent().is_some() && holds
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    #[test]
    fn only_what_is_missing_among_other_things_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (full, empty) = (root.join("full"), root.join("empty"));
        std::fs::create_dir_all(full.join("other")).unwrap();
        std::fs::create_dir(&empty).unwrap();
        assert_eq!(of(&full.join("other")), Presence::There);
        assert_eq!(of(&full.join("project")), Presence::Gone);
        assert_eq!(of(&full.join("above/project")), Presence::Gone);
        // The place of a mount, once it is not mounted, is empty.
        assert_eq!(of(&empty.join("project")), Presence::Unknown);
        assert_eq!(of(Path::new("full/project")), Presence::Unknown);
        #[cfg(unix)]
        for path in ["/nowhere/at/all", "/mnt/disk/project", "/run/media/somebody/disk/project"] {
            assert_eq!(of(Path::new(path)), Presence::Unknown, "{path}");
        }
    }

    // Elsewhere a directory's time cannot be set so.
    #[cfg(unix)]
    #[test]
    fn what_was_removed_has_left_a_trace_and_what_is_not_mounted_has_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (changed, unchanged) = (root.join("changed"), root.join("unchanged"));
        for place in [&changed, &unchanged] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("something"), b"").unwrap();
        }
        std::fs::create_dir(changed.join("app")).unwrap();
        // Later than the last change of the one, and not of the other.
        let then = Time(FileStat::of(&unchanged).unwrap().modified.0 + 1);
        let earlier = Time(i64::MIN);
        let older = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
        std::fs::File::open(&unchanged).unwrap().set_modified(older).unwrap();
        std::fs::remove_dir(changed.join("app")).unwrap();
        assert_eq!(since(&changed.join("app"), earlier), Presence::Gone);
        assert_eq!(since(&unchanged.join("app/.venv"), then), Presence::Unknown);
        assert_eq!(since(&unchanged, then), Presence::There);
        std::fs::File::open(&changed).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
        assert_eq!(since(&changed.join("app"), then), Presence::Gone);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_symlink_leads_to_counts() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(of(&link), Presence::Gone);
    }
}
