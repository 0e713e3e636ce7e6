//! Which files of a distribution would lose something if they were linked in another way: their owner, permissions, access
//! control list, capabilities or other attributes. They stay as they are, and a plan names them.
//!
//! A scan does not look at attributes, which takes a call for each file; this is asked for what a plan is about.

use std::path::{Path, PathBuf};

use super::linkable::{self, Linkable};
use crate::disk::metadata::{Loss, Metadata};
use crate::disk::{Error, FileKind, FileStat, Time, read};
use crate::snapshot::Mode;

/// A file that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Losing {
    /// Where it is in the environment, relative to its root.
    pub path: PathBuf,
    /// Why it stays.
    pub why: Stays,
    /// The bytes that a link in its place would free.
    pub frees: u64,
    /// The bytes that a copy in its place would take.
    pub needed: u64,
    /// Whether the scan has left it out already, because its permissions were changed.
    pub left_out: bool,
}

/// What the files of a distribution are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Those that stay.
    pub stay: Vec<Losing>,
    /// Those that become symlinks of which ext2 to ext4 keep the target in the inode, so that they take no block.
    pub short: Vec<PathBuf>,
}

/// Why a file stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// What it would lose.
    Loses(Loss),
    /// It lies outside of the environment's directory, where nothing is linked: a script or data of a system Python.
    Outside,
}

/// What is to be done to the files of a distribution.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The environment's root.
    pub root: &'a Path,
    /// The entry.
    pub entry: &'a Path,
    /// The distribution's `.dist-info`, relative to the root.
    pub dist_info: &'a Path,
    /// How its files are to be linked.
    pub mode: Mode,
    /// When it was installed.
    pub installed: Time,
    /// Who does it, where users have numbers.
    pub user: Option<u32>,
}

/// Looks at the files. Those that cannot be read are reported when the plan is carried out.
///
/// # Errors
/// When the environment's `RECORD` cannot be read.
pub fn look(asked: &Asked<'_>) -> Result<Looked, Error> {
    let mut looked = Looked::default();
    for file in linkable::all(asked.entry, asked.root, asked.dist_info)? {
        let stays = if file.is_beside() { outside(asked, &file) } else { one(asked, &file) };
        match stays {
            Some(stays) => looked.stay.push(stays),
            None if is_short(asked, &file) => looked.short.push(file.destination),
            None => {}
        }
    }
    Ok(looked)
}

/// Whether a file becomes a symlink of at most 59 bytes (kernel documentation, `filesystems/ext4/symlink.rst`).
fn is_short(asked: &Asked<'_>, file: &Linkable) -> bool {
    const MOST: usize = 59;
    let source = asked.entry.join(&file.source);
    if asked.mode != Mode::Symlink || file.is_beside() || source.as_os_str().len() > MOST {
        return false;
    }
    let (path, other) = (FileStat::of(&asked.root.join(&file.destination)), FileStat::of(&source));
    path.is_ok_and(|stat| stat.kind == FileKind::File && other.is_ok_and(|other| other.size == stat.size))
}

/// A file outside of the environment's directory that is not linked as is asked for.
fn outside(asked: &Asked<'_>, file: &Linkable) -> Option<Losing> {
    let (path, source) = (asked.root.join(&file.destination), asked.entry.join(&file.source));
    let (stat, other) = (FileStat::of(&path).ok()?, FileStat::of(&source).ok()?);
    let shared = (stat.device, stat.inode) == (other.device, other.inode);
    let links = matches!(asked.mode, Mode::Hardlink | Mode::Symlink);
    let is_so = match asked.mode {
        _ if stat.kind == FileKind::Symlink => asked.mode == Mode::Symlink,
        Mode::Hardlink => shared,
        Mode::Symlink => false,
        Mode::Copy | Mode::Clone => !shared,
    };
    let is_edited = match stat.kind {
        FileKind::File => stat.size != other.size,
        _ => !leads_to(&path, &other),
    };
    (!is_so && !is_edited).then(|| Losing {
        path: file.destination.clone(),
        why: Stays::Outside,
        frees: if links && stat.kind == FileKind::File && stat.links == 1 { stat.disk } else { 0 },
        needed: if asked.mode == Mode::Copy { other.disk } else { 0 },
        left_out: false,
    })
}

fn one(asked: &Asked<'_>, file: &Linkable) -> Option<Losing> {
    let (path, source) = (asked.root.join(&file.destination), asked.entry.join(&file.source));
    let (stat, other) = (FileStat::of(&path).ok()?, FileStat::of(&source).ok()?);
    if stat.kind == FileKind::Symlink && matches!(asked.mode, Mode::Copy | Mode::Clone) {
        if !leads_to(&path, &other) {
            return None;
        }
        let seen = Metadata::of(&read::open(&source).ok()?).ok().filter(Metadata::is_special)?;
        let loss = lost_to_copy(asked, &Metadata { fixed: None, ..seen }, true)?;
        let needed = if asked.mode == Mode::Copy { other.disk } else { 0 };
        let why = Stays::Loses(loss);
        return Some(Losing { path: file.destination.clone(), why, frees: 0, needed, left_out: false });
    }
    let shared = (stat.device, stat.inode) == (other.device, other.inode);
    // What has another size is edited, and stays for that.
    if stat.kind != FileKind::File || stat.size != other.size {
        return None;
    }
    let own = Metadata::of(&read::open(&path).ok()?).ok()?;
    let loss = match asked.mode {
        Mode::Hardlink if shared => None,
        Mode::Symlink if shared => own.fixed.map(Loss::Fixed),
        Mode::Hardlink | Mode::Symlink => own.lost_to(&Metadata::of(&read::open(&source).ok()?).ok()?),
        Mode::Copy if stat.links == 1 => None,
        Mode::Copy | Mode::Clone => lost_to_copy(asked, &own, shared),
    }?;
    let differs = stat.mode_bits & 0o777 != other.mode_bits & 0o777;
    let left_out = differs && stat.changed > asked.installed;
    let links = matches!(asked.mode, Mode::Hardlink | Mode::Symlink);
    let frees = if links && stat.links == 1 { stat.disk } else { 0 };
    let needed = if asked.mode == Mode::Copy { stat.disk } else { 0 };
    Some(Losing { path: file.destination.clone(), why: Stays::Loses(loss), frees, needed, left_out })
}

/// Whether a symlink leads to a file; one that leads to another is an edit, and stays.
fn leads_to(link: &Path, file: &FileStat) -> bool {
    FileStat::following(link).is_ok_and(|stat| (stat.device, stat.inode) == (file.device, file.inode))
}

/// What this user cannot give to a copy.
fn lost_to_copy(asked: &Asked<'_>, own: &Metadata, shared: bool) -> Option<Loss> {
    if let Some(fixed) = own.fixed {
        return Some(Loss::Fixed(fixed));
    }
    let user = asked.user?;
    if user == 0 {
        return None;
    }
    if own.user != user {
        return if shared {
            own.depends_on_owner()
        } else {
            Some(Loss::Owner { own: own.user, other: user })
        };
    }
    let root_alone = |name: &&Vec<u8>| name.starts_with(b"security.") || name.starts_with(b"trusted.");
    own.attached.keys().find(root_alone).map(|name| Loss::of_attached(name))
}
