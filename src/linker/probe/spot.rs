//! A directory that a probe makes to work in, held open, and what is made in it.
//!
//! Whoever owns the directory above may let a symlink, or a directory of their own, take its place at any moment. Everything
//! happens through its handle therefore, and nothing is removed but what was made here: a name that leads to something else
//! by then stays, and is told.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::PREFIX;
use crate::disk::FileStat;
use crate::disk::temporary::temporary_name;
use crate::linker::file::set_mode_bits;
use crate::linker::mode::{Attributes, Source, make_at, same_inode};
use crate::linker::place::{Missing, Place, Root};
use crate::linker::tree::content;
use crate::snapshot::Mode;

/// A directory of a probe's own.
#[derive(Debug)]
pub(super) struct Spot {
    above: Root,
    name: OsString,
    place: Place,
    /// The files that are still here.
    made: RefCell<Vec<(String, FileStat)>>,
}

impl Spot {
    /// Makes one.
    pub(super) fn make(above: &Path) -> io::Result<Self> {
        let above = Root::reach(above, Missing::Fail)?;
        let mut name = OsString::from(PREFIX);
        let random = temporary_name();
        let digits = random.to_str().and_then(|text| text.strip_prefix(".cachetui-")?.strip_suffix(".tmp"));
        name.push(digits.unwrap_or_default());
        let place = above.place().create_private_directory(&name)?;
        Ok(Self { above, name, place, made: RefCell::default() })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Writes a file that must not exist.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.place.create_file(OsStr::new(name))?;
        let made = FileStat::of_file(&file)?;
        let written = file.write_all(bytes).and_then(|()| set_mode_bits(&file, 0o644));
        // Windows removes nothing that is open.
        drop(file);
        written.inspect_err(|_| self.take_away(name, &made))?;
        self.made.borrow_mut().push((name.to_owned(), made));
        Ok(())
    }

    /// Makes a file from another one by exactly one mode, looks whether it is what was asked for, and takes it away again.
    pub(super) fn attempt(&self, mode: Mode, from: &Place, name: &OsStr) -> io::Result<()> {
        let source = Source::open(from, name, from.join(name))?;
        let made = OsStr::new(mode.word());
        let attributes = Attributes::of_bits(0o644);
        make_at(&source, &self.place, made, mode, attributes)?;
        let stat = self.place.find(made)?.ok_or_else(something_else)?.stat;
        let same = || content::equal(source.file()?, &self.place.open_file(made)?);
        let is_it = match mode {
            Mode::Clone => same(),
            // What these are was looked at when they were made.
            Mode::Hardlink | Mode::Symlink | Mode::Copy => Ok(true),
        };
        self.take_away(mode.word(), &stat);
        if is_it? { Ok(()) } else { Err(something_else()) }
    }

    /// Removes a file that was made here. What is still there is told with the directory.
    fn take_away(&self, name: &str, made: &FileStat) {
        let name = OsStr::new(name);
        let found = self.place.find(name).ok().flatten();
        if found.is_some_and(|found| same_inode(&found.stat, made)) {
            drop(self.place.remove_file(name));
        }
    }

    /// Removes the directory, which has to be empty by now; answers with its path where that fails.
    pub(super) fn remove(self) -> Option<PathBuf> {
        for (name, made) in self.made.borrow().iter() {
            self.take_away(name, made);
        }
        let path = self.place.path().to_owned();
        let own = self.place.own_stat().ok();
        let found = self.above.place().find(&self.name).ok().flatten().map(|found| found.stat);
        // What has taken its place is somebody else's, and so is the directory that was moved.
        let is_here = own.zip(found).is_some_and(|(own, found)| same_inode(&own, &found));
        drop(self.place);
        if is_here && self.above.place().remove_directory(&self.name).is_ok() { None } else { Some(path) }
    }
}

fn something_else() -> io::Error {
    io::Error::other("the system said that it was done, and something else came about")
}
