//! One file in an open directory, from a source that is held open, by exactly one mode.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek as _};
use std::path::PathBuf;

use crate::disk::metadata::{Loss, Metadata};
use crate::disk::{FileKind, FileStat, Time, read};
use crate::linker::file::set_mode_bits;
use crate::linker::place::{Calls as _, Found, Leads, Place, not_regular};
use crate::linker::tree::content;
use crate::scan::print;
use crate::snapshot::Mode;

/// A regular file, and the name it was found by.
#[derive(Debug)]
pub(in crate::linker) struct Source<'a> {
    pub(in crate::linker) place: &'a Place,
    pub(in crate::linker) name: &'a OsStr,
    file: OnceCell<File>,
    pub(in crate::linker) found: Found,
    /// The SHA-256 that it was found to have without being opened.
    pub(in crate::linker) digest: Option<[u8; 32]>,
    /// The absolute path that a symlink to it gets as its text.
    pub(in crate::linker) text: PathBuf,
    /// Whether a symlink with this text is known to lead to it: the directory that the text names is the one it lies in, and
    /// the system makes symlinks where it says so.
    pub(in crate::linker) leads: bool,
}

impl<'a> Source<'a> {
    /// Opens a file of a directory.
    pub(in crate::linker) fn open(place: &'a Place, name: &'a OsStr, text: PathBuf) -> io::Result<Self> {
        let file = place.calls().open_file(name)?;
        let stat = FileStat::of_file(&file)?;
        let found = Found { stat, bits: stat.mode_bits };
        Self { place, name, file: OnceCell::from(file), found, digest: None, text, leads: false }.regular()
    }

    /// Looks at a file of a directory, which is opened only where somebody wants to read it.
    pub(in crate::linker) fn look(place: &'a Place, name: &'a OsStr, text: PathBuf) -> io::Result<Self> {
        let found = place.calls().stat(name)?;
        Self { place, name, file: OnceCell::new(), found, digest: None, text, leads: false }.regular()
    }

    fn regular(self) -> io::Result<Self> {
        if self.found.stat.kind == FileKind::File { Ok(self) } else { Err(not_regular()) }
    }

    /// The file, open: the very one that was looked at. What is believed of its content is believed of the file as it was
    /// then; it is hashed where it has changed since, if only by a hardlink that somebody else has made.
    pub(in crate::linker) fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = self.place.calls().open_file(self.name)?;
        let stat = FileStat::of_file(&file)?;
        if !same_inode(&stat, &self.found.stat) {
            return Err(replaced());
        }
        let is_as_it_was = print::of(&stat) == print::of(&self.found.stat);
        if let (Some(digest), false) = (self.digest, is_as_it_was)
            && read::sha256(&file, stat.size)? != digest
        {
            return Err(replaced());
        }
        Ok(self.file.get_or_init(|| file))
    }
}

/// What a file of its own gets, which a link has from its source.
#[derive(Clone, Copy, Debug)]
pub(in crate::linker) struct Attributes<'a> {
    /// The permission bits.
    pub(in crate::linker) bits: u32,
    /// The modification time; the present where there is none.
    pub(in crate::linker) modified: Option<Time>,
    /// What the file has whose place it takes, and keeps.
    pub(in crate::linker) keeps: Option<Keeps<'a>>,
}

/// What a file has whose place another one takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::linker) struct Keeps<'a> {
    /// Its owner, permissions and attributes.
    pub(in crate::linker) own: &'a Metadata,
    /// Whether it is the source itself by another name: then its owner is the cache's, and the new file's is the maker's.
    pub(in crate::linker) shared: bool,
}

impl Attributes<'_> {
    /// Nothing but permissions.
    pub(in crate::linker) fn of_bits(bits: u32) -> Self {
        Self { bits, modified: None, keeps: None }
    }
}

/// Makes `name`, which must not exist, from the source; `attributes` are those of what becomes a file of its own.
///
/// Answers with what came about, if it had to be looked at. After an error nothing is there. A hardlink is made by the
/// source's name and then proven to be the file that was found, or at least equal to it: where a filesystem of layers copies
/// a file up when it is linked, its identity changes.
pub(in crate::linker) fn make(
    source: &Source<'_>,
    place: &Place,
    name: &OsStr,
    mode: Mode,
    attributes: Attributes<'_>,
) -> io::Result<Option<Found>> {
    let made = match mode {
        Mode::Clone => clone(source, place, name, attributes),
        Mode::Copy => copy(source, place, name, attributes),
        Mode::Hardlink => source.place.hardlink(source.name, place, name),
        Mode::Symlink => place.calls().symlink(&source.text, name, Leads::ToFile),
    };
    // What could not be made at all has nothing to take back; the rest has taken it back.
    made?;
    let looked = match mode {
        Mode::Clone | Mode::Copy => place.calls().stat(name).map(Some),
        Mode::Hardlink => prove_hardlink(source, place, name).map(Some),
        Mode::Symlink if source.leads => Ok(None),
        Mode::Symlink => prove_symlink(source, place, name).map(Some),
    };
    looked.inspect_err(|_| take_back(place, name))
}

/// Removes what was begun; what cannot be removed is left to the next run's sweep.
fn take_back(place: &Place, name: &OsStr) {
    drop(place.calls().remove_file(name));
}

fn copy(source: &Source<'_>, place: &Place, name: &OsStr, attributes: Attributes<'_>) -> io::Result<()> {
    let mut to = place.calls().create_file(name)?;
    let copied = source
        .file()
        .and_then(|mut from| {
            from.rewind()?;
            io::copy(&mut from, &mut to)
        })
        .and_then(|_| finish(&to, attributes));
    copied.inspect_err(|_| take_back(place, name))
}

#[cfg(not(target_vendor = "apple"))]
fn clone(source: &Source<'_>, place: &Place, name: &OsStr, attributes: Attributes<'_>) -> io::Result<()> {
    let to = place.calls().create_file(name)?;
    let cloned = source.file().and_then(|from| {
        reflink_copy::reflink_file(from, &to)?;
        finish(&to, attributes)
    });
    cloned.inspect_err(|_| take_back(place, name))
}

#[cfg(target_vendor = "apple")]
fn clone(source: &Source<'_>, place: &Place, name: &OsStr, attributes: Attributes<'_>) -> io::Result<()> {
    use rustix::fs::{CloneFlags, fclonefileat};
    fclonefileat(source.file()?, place.handle(), name, CloneFlags::empty())?;
    let finished = place.open_file(name).and_then(|to| finish(&to, attributes));
    finished.inspect_err(|_| take_back(place, name))
}

/// Gives a file its permissions and its time, through its handle and before anybody else knows it.
fn finish(to: &File, attributes: Attributes<'_>) -> io::Result<()> {
    match attributes.keeps {
        Some(keeps) => keep(to, keeps, attributes.bits)?,
        None => set_mode_bits(to, attributes.bits)?,
    }
    if let Some(modified) = attributes.modified {
        to.set_modified(modified.timestamp().into())?;
    }
    // Linux syncs the filesystem once instead, when all files of a tree are staged.
    if cfg!(target_os = "linux") { Ok(()) } else { to.sync_all() }
}

/// Gives a file what the one has whose place it takes.
///
/// # Errors
/// With the [`Loss`] that would come of it.
#[cfg(unix)]
fn keep(to: &File, Keeps { own, shared }: Keeps<'_>, _bits: u32) -> io::Result<()> {
    use rustix::fs::{Gid, Uid, fchown};
    if let Some(fixed) = own.fixed {
        return Err(Loss::Fixed(fixed).into());
    }
    let made = Metadata::of(to)?;
    if shared && made.user != own.user {
        if let Some(loss) = own.depends_on_owner() {
            return Err(loss.into());
        }
    } else if (made.user, made.group) != (own.user, own.group) {
        // Who changes the group alone need not be root.
        let user = (made.user != own.user).then_some(Uid::from_raw(own.user));
        fchown(to, user, Some(Gid::from_raw(own.group))).map_err(|_| match user {
            Some(_) => Loss::Owner { own: own.user, other: made.user },
            None => Loss::Group { own: own.group, other: made.group },
        })?;
    }
    // After the owner: a change of that takes capabilities away, and the bits for set-user-ID and the like.
    attach(to, own, &made)?;
    set_mode_bits(to, own.bits)?;
    let bits = FileStat::of_file(to)?.mode_bits;
    if bits == own.bits { Ok(()) } else { Err(Loss::Special(own.bits).into()) }
}

#[cfg(not(unix))]
fn keep(to: &File, Keeps { own, shared }: Keeps<'_>, bits: u32) -> io::Result<()> {
    match own.fixed {
        Some(fixed) if !shared => Err(Loss::Fixed(fixed).into()),
        _ => set_mode_bits(to, bits),
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn attach(to: &File, own: &Metadata, made: &Metadata) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr};
    // What the directory's default ACL has brought.
    for name in made.attached.keys().filter(|name| !own.attached.contains_key(*name)) {
        fremovexattr(to, name.as_slice()).map_err(|_| Loss::of_attached(name))?;
    }
    for (name, value) in &own.attached {
        let set = fsetxattr(to, name.as_slice(), value, XattrFlags::empty());
        set.map_err(|_| Loss::of_attached(name))?;
    }
    Ok(())
}

#[cfg(all(unix, not(any(target_os = "linux", target_vendor = "apple"))))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn attach(_to: &File, _own: &Metadata, _made: &Metadata) -> io::Result<()> {
    Ok(())
}

fn prove_hardlink(source: &Source<'_>, place: &Place, name: &OsStr) -> io::Result<Found> {
    let made = place.calls().stat(name)?;
    let same = same_inode(&made.stat, &source.found.stat)
        || content::equal(source.file()?, &place.open_file(name)?)?;
    if same { Ok(made) } else { Err(replaced()) }
}

/// A symlink is only text; where it leads is looked at, because some systems say that they made one and did not.
fn prove_symlink(source: &Source<'_>, place: &Place, name: &OsStr) -> io::Result<Found> {
    let made = place.calls().stat(name)?;
    let leads = place.calls().following(name)?;
    if same_inode(&leads, &source.found.stat) { Ok(made) } else { Err(replaced()) }
}

fn replaced() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the source was replaced meanwhile")
}

/// Whether two names are one file.
pub(in crate::linker) fn same_inode(one: &FileStat, other: &FileStat) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test changes the files that it made")]

    use super::*;
    use crate::linker::file::{set_time, write_new};
    use crate::linker::place::Root;

    #[test]
    fn what_changed_between_the_look_and_the_opening_is_hashed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("core.py");
        write_new(&path, b"good", 0o644).unwrap();
        let root = Root::open(directory.path()).unwrap();
        let digest = read::sha256(&File::open(&path).unwrap(), 4).unwrap();
        let look = || {
            let source = Source::look(root.place(), OsStr::new("core.py"), path.clone()).unwrap();
            Source { digest: Some(digest), ..source }
        };
        let source = look();
        std::fs::hard_link(&path, directory.path().join("linked")).unwrap();
        assert!(source.file().is_ok(), "somebody else has linked it, and it is what it was");

        let source = look();
        let modified = FileStat::of(&path).unwrap().modified;
        // More than a tick of the kernel later.
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::write(&path, "evil").unwrap();
        set_time(&path, modified).unwrap();
        assert!(source.file().is_err(), "it has other content");

        std::fs::write(&path, "good").unwrap();
        let source = look();
        let other = directory.path().join("other");
        write_new(&other, b"good", 0o644).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(source.file().is_err(), "it is another file");
    }
}
