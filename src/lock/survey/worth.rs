//! What a file lock is worth on the filesystem it is on (flock(2), nfs(5)).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::disk::volume;
use crate::human::escape_os;

/// Sentences about the filesystems of some places, each said once.
pub(super) fn notes<'a>(places: impl Iterator<Item = &'a PathBuf>) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut notes = Vec::new();
    for place in places.filter(|place| place.exists()) {
        let name = volume::filesystem(place).name;
        if told.insert(name) {
            notes.extend(note(place, name));
        }
    }
    notes
}

/// What a lock at `place` is worth, where that is less than it seems.
fn note(place: &Path, filesystem: &str) -> Option<String> {
    let place = format!("`{}`", escape_os(place.as_os_str()));
    let worth = match filesystem {
        "nfs" => {
            "lies on NFS, where Linux turns locks into byte-range locks of the server. They hold between machines, \
             unless it is mounted with `nolock` or `local_lock`; who holds one on another machine cannot be told, \
             and its file looks free."
        }
        "cifs" | "smb2" => {
            "lies on an SMB share, where locks reach the server since Linux 5.5 and are known on this machine only \
             before; who holds one on another machine cannot be told, and its file looks free."
        }
        "fuse" => {
            "lies on a FUSE filesystem, whose program decides whether a lock reaches other machines; many keep it \
             to this one."
        }
        "9p" => {
            "lies on a 9p share, where locks reach the host only with certain mount options: programs there and \
             here may not see each other's."
        }
        "overlayfs" => {
            "lies on overlayfs, as containers do: a lock there is seen by those who use the same mount, not by \
             another container with the same layers, nor by those who use the layers themselves."
        }
        _ => return None,
    };
    Some(format!("{place} {worth}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filesystems_on_which_a_lock_reaches_less_far_are_told_once() {
        for name in ["nfs", "cifs", "smb2", "fuse", "9p", "overlayfs"] {
            let note = note(Path::new("/srv/cache"), name).unwrap();
            assert!(note.starts_with("`/srv/cache` lies on ") && note.ends_with('.'), "{note}");
        }
        assert_eq!(note(Path::new("/srv"), "ext4"), None);
    }
}
