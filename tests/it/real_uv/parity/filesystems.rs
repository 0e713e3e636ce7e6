//! The filesystems, and pairs of them.

use std::path::PathBuf;
use std::process::Command;

use cachetui::linker::Item;
use cachetui::snapshot::Mode;

use super::ground::{Ground, is_made_anew};
use super::{Becomes, CROSSES, EVERYTHING, First, NO_CLONES, NOT_SUPPORTED, TWO_FILESYSTEMS, compare, facts};
use crate::support::loopdev::Mounted;
use crate::support::uv::ran;

#[test]
fn the_linker_makes_what_uv_makes_on_ext4() {
    let Some(ext4) = Mounted::new("ext4", 128) else { return };
    let Some(ground) = Ground::new(ext4.path()) else { return };
    compare(&ground, First::Uv, &NO_CLONES);
}

#[test]
fn the_linker_makes_what_uv_makes_on_tmpfs() {
    let Some(tmpfs) = Mounted::tmpfs("size=64m") else { return };
    let Some(ground) = Ground::new(tmpfs.path()) else { return };
    compare(&ground, First::Uv, &NO_CLONES);
}

#[test]
fn the_linker_makes_what_uv_makes_on_btrfs() {
    let Some(btrfs) = Mounted::new("btrfs", 256) else { return };
    let Some(ground) = Ground::new(btrfs.path()) else { return };
    compare(&ground, First::Uv, &EVERYTHING);
}

#[test]
fn the_linker_makes_what_uv_makes_on_xfs() {
    let Some(xfs) = Mounted::new("xfs", 320) else { return };
    let Some(ground) = Ground::new(xfs.path()) else { return };
    compare(&ground, First::Uv, &EVERYTHING);
}

#[test]
fn the_linker_makes_what_uv_makes_from_ext4_to_tmpfs() {
    let Some(ext4) = Mounted::new("ext4", 128) else { return };
    let Some(tmpfs) = Mounted::tmpfs("size=64m") else { return };
    let Some(ground) = Ground::apart(ext4.path(), tmpfs.path()) else { return };
    compare(&ground, First::Uv, &TWO_FILESYSTEMS);
}

#[test]
fn the_linker_makes_what_uv_makes_from_xfs_to_ext4() {
    let Some(xfs) = Mounted::new("xfs", 320) else { return };
    let Some(ext4) = Mounted::new("ext4", 128) else { return };
    let Some(ground) = Ground::apart(xfs.path(), ext4.path()) else { return };
    compare(&ground, First::Uv, &TWO_FILESYSTEMS);
}

/// A clone reaches another subvolume, a hardlink does not.
#[test]
fn the_linker_makes_what_uv_makes_across_subvolumes() {
    let Some(btrfs) = Mounted::new("btrfs", 256) else { return };
    let volume = btrfs.path().join("volume");
    ran(Command::new("btrfs").args(["subvolume", "create"]).arg(&volume));
    let Some(ground) = Ground::apart(btrfs.path(), &volume) else { return };
    compare(&ground, First::Uv, &TWO_MOUNTS);
}

/// The same device under another mount: a hardlink is refused all the same.
#[test]
fn the_linker_makes_what_uv_makes_across_a_bind_mount() {
    let Some(ext4) = Mounted::new("ext4", 128) else { return };
    let environments = ext4.path().join("environments");
    std::fs::create_dir(&environments).unwrap();
    let Some(bound) = Mounted::bind(&environments) else { return };
    let Some(ground) = Ground::apart(ext4.path(), bound.path()) else { return };
    let mut becomes = TWO_FILESYSTEMS;
    becomes[0].1 = &[(Mode::Clone, NOT_SUPPORTED), (Mode::Hardlink, CROSSES)];
    compare(&ground, First::Uv, &becomes);
}

/// A clone crosses mounts of one filesystem; kernels of before 2022 refused it.
#[test]
fn the_linker_makes_what_uv_makes_across_a_bind_mount_of_xfs() {
    let Some(xfs) = Mounted::new("xfs", 320) else { return };
    let environments = xfs.path().join("environments");
    std::fs::create_dir(&environments).unwrap();
    let Some(bound) = Mounted::bind(&environments) else { return };
    let Some(ground) = Ground::apart(xfs.path(), bound.path()) else { return };
    compare(&ground, First::Uv, &TWO_MOUNTS);
}

#[test]
fn the_linker_makes_what_uv_makes_in_the_upper_layer_of_an_overlay() {
    for (kind, mebibytes, becomes) in [("ext4", 128, &NO_CLONES), ("xfs", 320, &EVERYTHING)] {
        let Some(layers) = Layers::new(kind, mebibytes) else { return };
        let Some(_overlay) = layers.mount() else { return };
        let Some(ground) = Ground::new(&layers.merged) else { return };
        compare(&ground, First::Uv, becomes);
    }
}

/// The first hardlink to a file of the lower layer copies it up; whoever links second finds it in the upper one.
#[test]
fn the_linker_makes_what_uv_makes_of_a_cache_in_the_lower_layer_of_an_overlay() {
    for (kind, mebibytes, becomes) in [("ext4", 128, &NO_CLONES), ("xfs", 320, &EVERYTHING)] {
        for first in [First::Uv, First::Linker] {
            let Some(layers) = Layers::new(kind, mebibytes) else { return };
            let Some(ground) = Ground::new(&layers.merged) else { return };
            let Some(_overlay) = layers.mount() else { return };
            compare(&ground, first, becomes);
            assert_eq!(ground.entries().len(), 2, "the entries of the lower layer were used");
        }
    }
}

/// uv keeps the name it was given, `..` and symlinks included; so does the text of the linker's symlinks.
#[test]
fn the_linker_makes_what_uv_makes_where_the_cache_is_named_through_a_symlink() {
    let Some(tmpfs) = Mounted::tmpfs("size=64m") else { return };
    let Some(ground) = Ground::new(tmpfs.path()).map(Ground::renamed) else { return };
    assert!(ground.cache.ends_with("home/../named") && ground.cache.is_dir());
    compare(&ground, First::Uv, &NO_CLONES);
    assert_eq!(ground.entries().len(), 2, "uv has found its entries by the other name");
}

/// The one known difference: uv 0.13.8 takes the umask from what it clones, though not from what it copies.
#[test]
fn a_clone_has_the_permissions_of_the_entry_whatever_the_umask() {
    let Some(xfs) = Mounted::new("xfs", 320) else { return };
    let Some(ground) = Ground::new(xfs.path()) else { return };
    for (mode, word, taken) in [(Mode::Clone, "clone", 0o077), (Mode::Copy, "copy", 0)] {
        let [mine, theirs] = ["linker", "uv"].map(|who| ground.environment(&format!("{who}-{word}")));
        ground.install_privately(&theirs, word);
        for request in ground.link(&mine, mode).into_iter().map(|linked| linked.request) {
            // uv lets everybody execute a program afterwards.
            let is_linked = |item: &&Item| !is_made_anew(item) && !item.destination.starts_with("bin");
            for item in request.items.iter().filter(is_linked) {
                let entry = facts::bits(&request.entry.join(&item.source));
                assert_eq!(facts::bits(&mine.join(&item.destination)), entry, "{item:?}");
                assert_eq!(facts::bits(&theirs.join(&item.destination)), entry & !taken, "{item:?}");
            }
        }
    }
}

/// One filesystem under two mounts or in two volumes, where clones get through. The copy that a hardlink becomes shares
/// its bytes.
const TWO_MOUNTS: [Becomes; 4] =
    [(Mode::Clone, &[]), (Mode::Copy, &[(Mode::Hardlink, CROSSES)]), (Mode::Symlink, &[]), (Mode::Copy, &[])];

/// The layers of an overlay on one filesystem. The lower one is seen at the same path before the overlay is mounted.
struct Layers {
    merged: PathBuf,
    upper: PathBuf,
    work: PathBuf,
    _filesystem: Mounted,
}

impl Layers {
    fn new(kind: &str, mebibytes: u64) -> Option<Self> {
        let filesystem = Mounted::new(kind, mebibytes)?;
        let [merged, upper, work] = ["merged", "upper", "work"].map(|name| filesystem.path().join(name));
        for path in [&merged, &upper, &work] {
            std::fs::create_dir(path).unwrap();
        }
        Some(Self { merged, upper, work, _filesystem: filesystem })
    }

    /// Mounts the overlay over its lower layer.
    fn mount(&self) -> Option<Mounted> {
        Mounted::overlay_over(&self.merged, &self.upper, &self.work)
    }
}
