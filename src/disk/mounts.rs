//! The mounts that this process sees: where each begins, what filesystem it shows, and which part of it.
//!
//! Two paths on one device may still lie on two mounts (a bind mount, a container's volume), and link(2) and rename(2)
//! refuse to go from one to the other although the device number is the same. Only `/proc/self/mountinfo`
//! (`proc_pid_mountinfo(5)`) tells which mount a path is on, and what type a filesystem in userspace or an overlay has.

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Identifies it among the mounts of this moment.
    pub id: u64,
    /// The device number of its filesystem as the table writes it, the same for all mounts and subvolumes of one.
    pub device: Vec<u8>,
    /// Where it is.
    pub point: PathBuf,
    /// The directory of its filesystem that it shows: `/` for all of it, another for a bind mount or a btrfs subvolume.
    pub root: PathBuf,
    /// The type of its filesystem as the kernel calls it, as `ext4`, `fuse.sshfs` or `overlay`.
    pub filesystem: String,
    /// What is mounted: a device, `server:/export`, or a word.
    pub source: PathBuf,
    /// Whether nothing can be written through it.
    pub read_only: bool,
    /// The options of its filesystem, separated by commas, as the kernel writes them.
    pub options: Vec<u8>,
}

impl Mount {
    /// The value of an option of its filesystem. A value with a comma in it, which the kernel escapes, is none.
    pub fn option(&self, name: &str) -> Option<PathBuf> {
        let mut values = self.options.split(|byte| *byte == b',');
        let value = values.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        (!value.ends_with(b"\\")).then(|| path(value))
    }

    /// The directories that an overlay has as its layers, as they were named when it was mounted.
    pub fn layers(&self) -> Vec<PathBuf> {
        const NAMES: [&[u8]; 5] = [b"lowerdir", b"lowerdir+", b"datadir", b"datadir+", b"upperdir"];
        if self.filesystem != "overlay" {
            return Vec::new();
        }
        let value = |option: &'_ [u8]| {
            let rest = NAMES.iter().find_map(|name| option.strip_prefix(*name)?.strip_prefix(b"="))?;
            Some(rest.to_vec())
        };
        let values: Vec<Vec<u8>> = self.options.split(|byte| *byte == b',').filter_map(value).collect();
        let layers = values.iter().flat_map(|value| value.split(|byte| *byte == b':'));
        layers.filter(|layer| layer.starts_with(b"/")).map(path).collect()
    }
}

/// All mounts, in the order the kernel lists them; none where it does not say, as on systems other than Linux.
pub fn read() -> Vec<Mount> {
    #[cfg(target_os = "linux")]
    if let Ok(bytes) = super::read::small(Path::new("/proc/self/mountinfo"), 16 << 20) {
        return parse(&bytes);
    }
    Vec::new()
}

/// The table of the namespace of mounts that a process sees, as `read` gives that of this one. Where it may not be read, as
/// of a process of another user, it has no mounts.
#[cfg(target_os = "linux")]
fn of_process(process: u32) -> Vec<Mount> {
    let path = PathBuf::from(format!("/proc/{process}/mountinfo"));
    super::read::small(&path, 16 << 20).map(|bytes| parse(&bytes)).unwrap_or_default()
}

/// All mounts of the other namespaces of this machine, as containers have them: one process of each is asked.
pub fn of_others() -> Vec<Mount> {
    #[cfg(target_os = "linux")]
    {
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
        let mut seen = std::collections::BTreeSet::from_iter(namespace("self"));
        let items = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let processes = items.filter_map(|item| item.file_name().to_str()?.parse::<u32>().ok());
        let others = processes.filter(|process| {
            namespace(&process.to_string()).is_some_and(|namespace| seen.insert(namespace))
        });
        others.flat_map(of_process).collect()
    }
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// The mount that `path`, which must be absolute and free of symlinks, lies on.
pub fn of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    if let Some(id) = super::volume::mount(path)
        && let Some(mount) = mounts.iter().find(|mount| mount.id == id)
    {
        return Some(mount);
    }
    // Before Linux 5.8 the path itself has to tell. Later lines hide earlier ones at the same place.
    let around = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    around.max_by_key(|mount| mount.point.components().count())
}

/// Where filesystems are to be mounted, by the system's own list (fstab(5)), and none is now.
pub fn expected() -> Vec<PathBuf> {
    let Ok(bytes) = super::read::small(Path::new("/etc/fstab"), super::read::SMALL) else {
        return Vec::new();
    };
    let mounted = read();
    let is_mounted = |point: &PathBuf| mounted.iter().any(|mount| mount.point == *point);
    points(&bytes).into_iter().filter(|point| !is_mounted(point)).collect()
}

/// The mount points that a table such as `/etc/fstab` names.
fn points(bytes: &[u8]) -> Vec<PathBuf> {
    let second = |line: &[u8]| -> Option<PathBuf> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let is_comment = fields.next()?.starts_with(b"#");
        let point = path(fields.next()?);
        (!is_comment && point.is_absolute() && point.parent().is_some()).then_some(point)
    };
    bytes.split(|byte| *byte == b'\n').filter_map(second).collect()
}

/// Reads the kernel's table. Lines that are not understood are passed over.
pub fn parse(bytes: &[u8]) -> Vec<Mount> {
    bytes.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    // Optional fields stand between the sixth and a single dash.
    let dash = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    let [kind, source, rest @ ..] = fields.get(dash + 1..)? else { return None };
    let options = [fields[5], rest.first().copied().unwrap_or_default()];
    let read_only = options.iter().any(|list| list.split(|byte| *byte == b',').any(|word| word == b"ro"));
    Some(Mount {
        id: std::str::from_utf8(fields[0]).ok()?.parse().ok()?,
        device: fields[2].to_vec(),
        point: path(fields[4]),
        root: path(fields[3]),
        filesystem: String::from_utf8_lossy(kind).into_owned(),
        source: path(source),
        read_only,
        options: rest.first().copied().unwrap_or_default().to_vec(),
    })
}

/// Undoes the kernel's `\040` for a space and its kin.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', digits @ ..] => digits.get(..3).and_then(octal),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[4..] } else { tail };
    }
    from_bytes(&bytes)
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
        40 27 0:33 /sub /mnt/with\\040space\\134x ro,noatime master:1 shared:2 - btrfs /dev/loop0 rw,subvol=/sub\n\
        garbage\n\
        41 27 0:50 / /srv rw - nfs4 server:/export\n\
        42 27 7:0 / /media/stick rw,nosuid - vfat /dev/sdb1 ro,errors=remount-ro\n";

    #[test]
    fn each_line_becomes_a_mount_and_garbage_none() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.iter().map(|mount| mount.id).collect::<Vec<_>>(), [27, 40, 41, 42]);
        assert_eq!(mounts[1].point, Path::new("/mnt/with space\\x"));
        assert_eq!((mounts[1].root.as_path(), mounts[1].filesystem.as_str()), (Path::new("/sub"), "btrfs"));
        assert_eq!(mounts[2].source, Path::new("server:/export"));
        let read_only: Vec<bool> = mounts.iter().map(|mount| mount.read_only).collect();
        assert_eq!(read_only, [false, true, false, true], "the mount or its filesystem may be read-only");
    }

    #[cfg(unix)]
    #[test]
    fn the_points_of_a_table_are_absolute_and_never_the_root() {
        let table = b"# /dev/sda1 /old ext4\nUUID=1 / ext4 defaults 0 1\n\n/dev/sdb1\t/data\\0401  xfs noauto 0 0\nnone swap swap\n";
        assert_eq!(points(table), [Path::new("/data 1")]);
    }

    #[test]
    fn an_option_has_the_value_that_the_table_says() {
        let line =
            b"45 27 0:40 / /m rw - overlay o rw,lowerdir=/l,upperdir=/with\\040space,redirect_dir=on\n";
        let mounts = parse(line);
        assert_eq!(mounts[0].option("upperdir"), Some(PathBuf::from("/with space")));
        assert_eq!(mounts[0].option("redirect_dir"), Some(PathBuf::from("on")));
        assert_eq!((mounts[0].option("workdir"), mounts[0].option("rw")), (None, None));
    }

    #[test]
    fn the_layers_of_an_overlay_are_the_directories_it_names() {
        let line = b"45 27 0:40 / /m rw - overlay o rw,lowerdir=/a\\040b:/c,lowerdir+=/d,upperdir=/u,workdir=/w,index=off\n\
            46 27 0:41 / /n rw - tmpfs o rw,lowerdir=/a\n";
        let mounts = parse(line);
        let layers = ["/a b", "/c", "/d", "/u"].map(PathBuf::from);
        assert_eq!(mounts[0].layers(), layers);
        assert_eq!(mounts[1].layers(), [] as [PathBuf; 0]);
        assert_eq!(mounts[0].device, b"0:40");
    }

    #[test]
    fn no_table_however_broken_ends_the_program() {
        for end in 0..TABLE.len() {
            parse(&TABLE[..end]);
            let mut damaged = TABLE.to_vec();
            damaged[end] ^= 0x3c;
            parse(&damaged);
        }
        assert_eq!(path(b"a\\04"), Path::new("a\\04"));
        assert_eq!(path(b"a\\999"), Path::new("a\\999"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_root_of_this_machine_is_a_mount() {
        let mounts = read();
        let root = of(&mounts, Path::new("/")).unwrap();
        assert_eq!(root.point, Path::new("/"));
        let proc = of(&mounts, Path::new("/proc/self")).unwrap();
        assert_eq!((proc.point.as_path(), proc.filesystem.as_str()), (Path::new("/proc"), "proc"));
    }
}
