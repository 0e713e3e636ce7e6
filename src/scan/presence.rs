//! Whether something that was somewhere once is gone, or only out of reach.
//!
//! A disk that is not mounted, a share that is offline and a directory of a container look like something that was deleted.
//! Only what is missing from a directory that is there, and holds other things, counts as gone.

use std::path::Path;

use super::discover::is_absence;

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

/// Looks for a path, symlinks followed.
pub(super) fn of(path: &Path) -> Presence {
    if !path.is_absolute() {
        return Presence::Unknown;
    }
    match std::fs::metadata(path) {
        Ok(_) => Presence::There,
        Err(error) if is_absence(&error) => {
            if is_missed(path) {
                Presence::Gone
            } else {
                Presence::Unknown
            }
        }
        Err(_) => Presence::Unknown,
    }
}

/// Whether the directory that should lead to something missing is there, is one that stays, and holds something else.
fn is_missed(path: &Path) -> bool {
    if COME_AND_GO.iter().any(|place| path.starts_with(place)) {
        return false;
    }
    for above in path.ancestors().skip(1) {
        match std::fs::metadata(above) {
            // An empty directory may be the place of a mount; of a path of which only the root is left nothing is known.
            Ok(_) => {
                let holds = std::fs::read_dir(above).is_ok_and(|mut items| items.next().is_some());
                return above.parent().is_some() && holds;
            }
            Err(error) if is_absence(&error) => {}
            Err(_) => return false,
        }
    }
    false
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

    #[cfg(unix)]
    #[test]
    fn what_a_symlink_leads_to_counts() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(of(&link), Presence::Gone);
    }
}
