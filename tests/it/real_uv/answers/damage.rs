//! What happens to installed files: by hand, by editors, by other tools, and in the cache.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::ground::{Ground, Installation};
use super::truth::{self, Row};
use crate::support::random::Random;

/// What is done to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// It is deleted.
    Missing,
    /// An editor writes another file in its place.
    Edited,
    /// The same, with as many bytes as before.
    Swapped,
    /// An editor writes into the file, and into whatever is the same file.
    EditedThrough,
    Emptied,
    Truncated,
    /// `x.pth` becomes `x.pth.disabled`.
    Renamed,
    /// `sed -i.bak`, `patch -b`: the file itself is renamed, and the edited one takes its place.
    BackedUp,
    /// A backup by `cp -l`, nothing else.
    Linked,
    /// A symlink to an entry that is gone.
    Dangling,
    /// A symlink to another disk, which is not there.
    Away,
    /// A symlink or hardlink to another file of the cache.
    WrongLink,
    WrongHardlink,
    /// A symlink of a person to the same content elsewhere.
    OwnLink,
    Directory,
    /// Permissions or times, and not a byte.
    Touched,
    Executable,
    /// A file beside it that no RECORD lists.
    Extra,
    /// The directory that it lies in is deleted.
    DirectoryGone,
}

const ACTS: [Act; 19] = [
    Act::Missing,
    Act::Edited,
    Act::Swapped,
    Act::EditedThrough,
    Act::Emptied,
    Act::Truncated,
    Act::Renamed,
    Act::BackedUp,
    Act::Linked,
    Act::Dangling,
    Act::Away,
    Act::WrongLink,
    Act::WrongHardlink,
    Act::OwnLink,
    Act::Directory,
    Act::Touched,
    Act::Executable,
    Act::Extra,
    Act::DirectoryGone,
];

/// The classes of files, each of which is as likely to be damaged.
const CLASSES: [fn(&Row) -> bool; 8] = [
    |row| row.path.extension().is_some_and(|it| it == "py"),
    |row| row.path.parent().is_some_and(|it| it.ends_with("bin")),
    |row| row.path.iter().any(|it| it == "share" || it == "include"),
    |row| row.path.parent().and_then(Path::extension).is_some_and(|it| it == "dist-info"),
    |row| row.path.extension().is_some_and(|it| it == "pth"),
    Row::is_compiled,
    Row::is_provenance,
    |row| row.path.iter().any(|it| it == "demo_ns"),
];

/// Damages everything on the ground; tells what was done.
pub(super) fn spread(ground: &Ground, random: &mut Random) -> Vec<String> {
    // Times tell what came after the installation, as far as the filesystem's clock goes.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut log = Vec::new();
    let mut lost = BTreeSet::new();
    if random.once_in(3) {
        log.push(in_cache(ground, random, &mut lost));
    }
    for installation in &ground.installations {
        let count = random.below(6);
        for _ in 0..count {
            log.extend(one(ground, installation, random, &lost));
        }
    }
    log
}

/// Damages a file of an entry. What is lost there is not lost in an installation too: both together are a wheel's own fault
/// for who sees it afterwards.
fn in_cache(ground: &Ground, random: &mut Random, lost: &mut BTreeSet<Box<str>>) -> String {
    let files = cached(ground);
    let path = random.pick(&files).clone();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let what = match random.below(3) {
        0 => {
            std::fs::remove_file(&path).unwrap();
            lost.insert(name.into_boxed_str());
            "deleted"
        }
        1 => {
            std::fs::write(&path, "# edited in the cache\n").unwrap();
            "edited"
        }
        _ => {
            replace(&path, b"");
            "emptied"
        }
    };
    format!("{what} in the cache: {}", path.display())
}

/// The files of entries that installations have as they are.
fn cached(ground: &Ground) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(ground.sandbox.cache().join("archive-v0")).sort_by_file_name();
    let files = walk.into_iter().map(Result::unwrap).filter(|it| it.file_type().is_file());
    let files = files.map(walkdir::DirEntry::into_path);
    let plain = |path: &PathBuf| {
        let text = path.to_string_lossy();
        !text.contains(".dist-info") && !text.contains("/scripts/") && !text.contains("__pycache__")
    };
    let mut files: Vec<PathBuf> = files.filter(plain).collect();
    // Ids are random, names are not.
    files.sort_by_key(|path| path.iter().rev().take(2).map(ToOwned::to_owned).collect::<Vec<_>>());
    files
}

fn one(
    ground: &Ground,
    installation: &Installation,
    random: &mut Random,
    lost: &BTreeSet<Box<str>>,
) -> Option<String> {
    let act = *random.pick(&ACTS);
    let class = random.pick(&CLASSES);
    let rows: Vec<Row> = truth::rows(installation).into_iter().filter(class).collect();
    if rows.is_empty() {
        return None;
    }
    let row = random.pick(&rows);
    let path = installation.root.join(&row.path);
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_lost = lost.contains(name) || act == Act::DirectoryGone && !lost.is_empty();
    if is_lost || !path.symlink_metadata().is_ok_and(|it| !it.is_dir()) {
        return None;
    }
    done(ground, act, &path, random)?;
    Some(format!("{act:?} {}", path.display()))
}

/// Does it; nothing where it cannot be done to this file.
fn done(ground: &Ground, act: Act, path: &Path, random: &mut Random) -> Option<()> {
    let content = || std::fs::read(path).ok();
    let beside = |suffix: &str| {
        let mut name = path.file_name().unwrap().to_owned();
        name.push(suffix);
        path.with_file_name(name)
    };
    match act {
        Act::Missing => std::fs::remove_file(path).unwrap(),
        Act::Edited => replace(path, &[&content()?[..], b"# edited\n"].concat()),
        Act::Swapped => {
            let mut bytes = content()?;
            *bytes.first_mut()? ^= 1;
            replace(path, &bytes);
        }
        Act::EditedThrough => {
            let bytes = [&content()?[..], b"# edited in place\n"].concat();
            std::fs::write(path, bytes).unwrap();
        }
        Act::Emptied => replace(path, b""),
        Act::Truncated => {
            let bytes = content()?;
            replace(path, &bytes[..bytes.len() / 2]);
        }
        Act::Renamed => std::fs::rename(path, beside(".disabled")).unwrap(),
        Act::BackedUp => {
            let bytes = [&content()?[..], b"# patched\n"].concat();
            std::fs::rename(path, beside(".bak")).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        Act::Linked => std::fs::hard_link(path, beside(".orig")).ok()?,
        Act::Dangling => {
            std::fs::remove_file(path).unwrap();
            symlink(ground.sandbox.cache().join("archive-v0/GONEGONEGONE").join("x.py"), path).unwrap();
        }
        Act::Away => {
            std::fs::remove_file(path).unwrap();
            symlink("/nowhere/disk/file.py", path).unwrap();
        }
        Act::WrongLink | Act::WrongHardlink => {
            let files = cached(ground);
            let other = random.pick(&files);
            std::fs::remove_file(path).unwrap();
            if act == Act::WrongLink {
                symlink(other, path).unwrap();
            } else {
                std::fs::hard_link(other, path).unwrap();
            }
        }
        Act::OwnLink => {
            let own = ground.sandbox.path("home").join(format!("own{}", random.below(1 << 20)));
            std::fs::write(&own, content()?).unwrap();
            std::fs::remove_file(path).unwrap();
            symlink(own, path).unwrap();
        }
        Act::Directory => {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        }
        Act::Touched => {
            let file = std::fs::File::open(path).ok()?;
            file.set_modified(std::time::SystemTime::now()).unwrap();
        }
        Act::Executable => {
            use std::os::unix::fs::PermissionsExt as _;
            // The same file may be the cache's.
            let bytes = content()?;
            replace(path, &bytes);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Act::Extra => std::fs::write(beside(".extra.py"), "EXTRA = 1\n").unwrap(),
        Act::DirectoryGone => {
            let directory = path.parent()?;
            let own = directory.file_name()?.to_str()?;
            // Not the interpreter's, nor what the environment rests on.
            if !own.starts_with("demo") || own.ends_with(".dist-info") {
                return None;
            }
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
    Some(())
}

/// Writes a new file in the place of whatever is there.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_file_name(".new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(&new, path).unwrap();
}
