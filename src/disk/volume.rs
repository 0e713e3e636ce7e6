//! What a path lies on: the type of its filesystem, its space, what it can do.

use std::path::Path;

/// A filesystem as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// Its name, as `ext4`.
    pub name: &'static str,
    /// Whether files on it may share extents.
    pub reflinks: Reflinks,
    /// Whether allocated blocks tell what deleting gives back.
    pub accounting: Accounting,
}

/// Whether files of a filesystem may share extents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reflinks {
    /// Never, or without an extent map that could tell.
    Never,
    /// They may, and the extent map says which do.
    Possible,
}

/// Whether allocated blocks tell what deleting gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounting {
    /// They do, up to metadata, as far as the extent map says nothing else.
    Exact,
    /// They do not: layers below, compression, or a server that keeps its own accounts.
    Unknown,
}

const UNKNOWN: Filesystem =
    Filesystem { name: "unknown", reflinks: Reflinks::Possible, accounting: Accounting::Unknown };

/// Magic numbers from statfs(2) and `linux/magic.h`.
#[cfg(target_os = "linux")]
const TYPES: &[(u64, &str, Reflinks, Accounting)] = {
    use Reflinks::{Never, Possible};
    &[
        (0xef53, "ext4", Never, Accounting::Exact),
        (0x5846_5342, "xfs", Possible, Accounting::Exact),
        (0x9123_683e, "btrfs", Possible, Accounting::Exact),
        (0x0102_1994, "tmpfs", Never, Accounting::Exact),
        (0xf2f5_2010, "f2fs", Never, Accounting::Exact),
        (0xca45_1a4e, "bcachefs", Possible, Accounting::Exact),
        (0x2fc1_2fc1, "zfs", Never, Accounting::Unknown),
        (0x794c_7630, "overlayfs", Possible, Accounting::Unknown),
        (0x6969, "nfs", Never, Accounting::Unknown),
        (0xff53_4d42, "cifs", Never, Accounting::Unknown),
        (0xfe53_4d42, "smb2", Never, Accounting::Unknown),
        (0x6573_5546, "fuse", Never, Accounting::Unknown),
        (0x0102_1997, "9p", Never, Accounting::Unknown),
        (0x4d44, "vfat", Never, Accounting::Exact),
        (0x2011_bab0, "exfat", Never, Accounting::Exact),
        (0x5346_544e, "ntfs", Never, Accounting::Unknown),
        (0x7366_746e, "ntfs3", Never, Accounting::Unknown),
        (0x7371_7368, "squashfs", Never, Accounting::Unknown),
    ]
};

/// What `path` lies on; unknown filesystems are taken to share extents and to keep their accounts to themselves.
#[cfg(target_os = "linux")]
pub fn filesystem(path: &Path) -> Filesystem {
    let Some(magic) = magic(path) else { return UNKNOWN };
    TYPES.iter().find(|row| row.0 == magic).map_or(UNKNOWN, |&(_, name, reflinks, accounting)| Filesystem {
        name,
        reflinks,
        accounting,
    })
}

/// Whether `path` lies on a filesystem in which the kernel shows itself, and nothing is kept (`linux/magic.h`).
#[cfg(target_os = "linux")]
pub fn is_of_kernel(path: &Path) -> bool {
    const ONES: [u64; 14] = [
        0x9fa0,      // proc
        0x6265_6572, // sysfs
        0x1cd1,      // devpts
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x7363_6673, // securityfs
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0xcafe_4a11, // bpf
        0x6165_676c, // pstore
        0x1980_0202, // mqueue
        0x9584_58f6, // hugetlbfs
        0x6265_6570, // configfs
        0x4249_4e4d, // binfmt_misc
    ];
    magic(path).is_some_and(|magic| ONES.contains(&magic))
}

/// Whether `path` lies on a filesystem in which the kernel shows itself: there is none here.
#[cfg(not(target_os = "linux"))]
pub fn is_of_kernel(_path: &Path) -> bool {
    false
}

/// The number that tells the type of a filesystem.
#[cfg(target_os = "linux")]
fn magic(path: &Path) -> Option<u64> {
    let answer = rustix::fs::statfs(path).ok()?;
    // The field's width differs between architectures; magic numbers have 32 bits.
    Some(u64::from(u32::try_from(i128::from(answer.f_type) & 0xffff_ffff).unwrap_or(0)))
}

/// Whether a file on what `path` lies on cannot be written to by write(2) without its change time telling, whoever writes: the
/// filesystem is the kernel's own and has such times (inode(7)). A store through a mapping may tell only later (mmap(2)). A
/// server, a program that answers for the files, layers
/// over others, and FAT are not so.
pub fn tells_of_changes(path: &Path) -> bool {
    const ONES: [&str; 7] = ["ext4", "xfs", "btrfs", "tmpfs", "f2fs", "bcachefs", "zfs"];
    cfg!(target_os = "linux") && ONES.contains(&filesystem(path).name)
}

/// Names that Windows gives, and what they mean.
#[cfg(any(windows, test))]
const WINDOWS: &[(&str, Accounting)] = &[
    ("NTFS", Accounting::Exact),
    ("ReFS", Accounting::Exact),
    ("FAT32", Accounting::Exact),
    ("FAT", Accounting::Exact),
    ("exFAT", Accounting::Exact),
    // Where a program answers for the files, as in a folder of the Linux subsystem or of a virtual machine.
    ("9P", Accounting::Unknown),
];

/// What a volume is by the name of its filesystem and its flags.
#[cfg(any(windows, test))]
fn from_windows(name: &str, flags: u32) -> Filesystem {
    /// `FILE_SUPPORTS_BLOCK_REFCOUNTING`: `ReFS`, and with it a Dev Drive, can clone blocks.
    const CLONES: u32 = 0x0800_0000;
    let known = WINDOWS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let reflinks = if flags & CLONES == 0 { Reflinks::Never } else { Reflinks::Possible };
    match known {
        // Nothing tells which blocks are shared, so that the numbers of files that may share some are not exact.
        Some((name, Accounting::Exact)) if reflinks == Reflinks::Possible => {
            Filesystem { name, reflinks, accounting: Accounting::Unknown }
        }
        Some(&(name, accounting)) => Filesystem { name, reflinks, accounting },
        None => Filesystem { reflinks, ..UNKNOWN },
    }
}

/// What `path` lies on; unknown filesystems are taken to keep their accounts to themselves.
#[cfg(windows)]
pub fn filesystem(path: &Path) -> Filesystem {
    use crate::win32::file::{Follow, Look, open, volume};
    match open(path, Look::Attributes, Follow::Yes).and_then(|file| volume(&file)) {
        Ok(volume) => from_windows(&volume.filesystem, volume.flags),
        Err(_) => UNKNOWN,
    }
}

/// What `path` lies on; nothing is known here.
#[cfg(not(any(target_os = "linux", windows)))]
pub fn filesystem(_path: &Path) -> Filesystem {
    UNKNOWN
}

/// The size of the volume `path` lies on, and what the user may still write to it, in bytes.
pub fn space(path: &Path) -> Option<(u64, u64)> {
    Some((fs2::total_space(path).ok()?, fs2::available_space(path).ok()?))
}

/// The bytes of one block of the volume `path` lies on, the least that a file takes there.
pub fn block(path: &Path) -> Option<u64> {
    fs2::allocation_granularity(path).ok()
}

/// The bytes of the volume `path` lies on that nobody uses, those among them that only root may use. Unlike what a user
/// may still write it moves with every block that is given back, also on a volume that is full.
pub fn free(path: &Path) -> Option<u64> {
    fs2::free_space(path).ok()
}

/// Whether a volume has so little left that a directory may not be made there: bytes for this user, or inodes where the filesystem
/// counts them (btrfs does not). What cannot be asked is not.
#[cfg(unix)]
pub fn is_nearly_full(path: &Path) -> bool {
    const BYTES: u64 = 16 << 20;
    const INODES: u64 = 1_000;
    rustix::fs::statvfs(path).is_ok_and(|told| {
        told.f_bavail.saturating_mul(told.f_frsize) < BYTES || told.f_files > 0 && told.f_favail < INODES
    })
}

/// The same by bytes alone.
#[cfg(not(unix))]
pub fn is_nearly_full(path: &Path) -> bool {
    fs2::available_space(path).is_ok_and(|bytes| bytes < 16 << 20)
}

/// Identifies the mount `path` lies on, where the kernel tells (Linux 5.8, statx(2)): btrfs gives each subvolume its own
/// device number, so that device numbers alone would take a subvolume for another mount.
#[cfg(target_os = "linux")]
pub fn mount(path: &Path) -> Option<u64> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let answer = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
    (answer.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(answer.stx_mnt_id)
}

/// Identifies the mount `path` lies on; not told here.
#[cfg(not(target_os = "linux"))]
pub fn mount(_path: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_of_windows_clones_blocks_if_it_says_so_and_its_numbers_are_inexact_then() {
        let told = |name, flags| {
            let told = from_windows(name, flags);
            (told.name, told.reflinks, told.accounting)
        };
        assert_eq!(told("NTFS", 0x03e7_2eff), ("NTFS", Reflinks::Never, Accounting::Exact));
        assert_eq!(told("refs", 0x0801_0000), ("ReFS", Reflinks::Possible, Accounting::Unknown));
        assert_eq!(told("ReFS", 0), ("ReFS", Reflinks::Never, Accounting::Exact));
        assert_eq!(told("WinFsp", 0), ("unknown", Reflinks::Never, Accounting::Unknown));
    }
}
