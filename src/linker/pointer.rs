//! Pointers in a cache: what leads from a wheel's or source distribution's place to its entry.
//!
//! On Unix a pointer is a symlink: relative, as uv has written it since 0.11.17, or with a whole path, as before. On
//! Windows, and where symlinks cannot be made, it is uv's link file, whose text is `archive-v0/<id>` without a newline. A
//! cache that Windows wrote keeps its link files when it is looked at from elsewhere. Whether symlinks can be made is
//! found out by making one and looking at it. The caller holds the cache's lock exclusively.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Error;
use super::file::set_mode_bits;
use super::mode::cannot_be_made;
use super::place::{Calls as _, Leads, Missing, Place, Root, directory_and_name};
use super::tree::sweep;
use crate::disk::FileKind;
use crate::disk::temporary::temporary_name;
use crate::scan::print;
use crate::snapshot::{FilePrint, Mode};
use crate::uv::link_file::{self, ArchiveTarget, LinkFile};

/// What a pointer is to be written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A relative symlink, where one can be made; else uv's link file.
    Fitting,
    /// A relative symlink and nothing else: uv on Unix takes a link file for no link at all.
    Relative,
    /// A symlink with a whole path and nothing else: the cache's root as it is to be named.
    Absolute(PathBuf),
    /// uv's link file.
    LinkFile,
}

/// What a pointer was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A symlink.
    Symlink,
    /// uv's link file.
    LinkFile,
}

/// What happens to a pointer that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and that is an error.
    Keep,
    /// It is replaced, if it is a symlink or uv's link file; anything else stays, and is an error.
    Replace,
    /// It is replaced if it is the very symlink or file that was seen; anything else stays, and is an error.
    Seen(FilePrint),
}

/// Writes a pointer to an entry, at once: a reader sees what was there before, or the whole pointer.
///
/// `pointer` is relative to the cache's root, as `wheels-v6/index/0123456789abcdef/name/1.0-py3-none-any`; the directories
/// above it are created. Answers with the form that it has.
pub fn write_pointer(
    cache: &Root,
    pointer: &Path,
    target: &ArchiveTarget,
    wanted: &Wanted,
    existing: Existing,
) -> Result<Form, Error> {
    let failed = |error| Error::new("write the pointer", cache.place().path().join(pointer), error);
    let (directory, name) = directory_and_name(pointer).map_err(failed)?;
    let text = link_file::encode_text(target);
    if link_file::parse(&text) != Ok(LinkFile::Text(target.clone())) {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "its target is not the name of an entry",
        )));
    }
    let place = cache.directory(directory, Missing::Create)?;
    sweep(&place)?;
    let (temporary, form) = stage(&place, directory, target, wanted, &text).map_err(failed)?;
    let renamed = may_replace(&place, name, existing).and_then(|replace| {
        if replace {
            place.calls().rename(&temporary, name)
        } else {
            place.calls().rename_new(&temporary, name)
        }
    });
    if let Err(error) = renamed {
        // What cannot be removed now is removed by the next call.
        drop(place.calls().remove_file(&temporary));
        return Err(failed(error));
    }
    place.calls().sync().map_err(failed)?;
    Ok(form)
}

/// Makes the pointer under a temporary name.
fn stage(
    place: &Place,
    directory: &Path,
    target: &ArchiveTarget,
    wanted: &Wanted,
    text: &[u8],
) -> io::Result<(OsString, Form)> {
    let temporary = temporary_name();
    let leads_to = match wanted {
        // uv on Windows reads nothing but link files.
        Wanted::Relative | Wanted::Absolute(_) if cfg!(windows) => {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Wanted::Fitting if cfg!(windows) => None,
        Wanted::Fitting | Wanted::Relative => Some(relative(directory, target)),
        Wanted::Absolute(root) => Some(root.join(&target.bucket).join(&target.id)),
        Wanted::LinkFile => None,
    };
    if let Some(leads_to) = leads_to {
        match symlink(place, &temporary, &leads_to) {
            Ok(()) => return Ok((temporary, Form::Symlink)),
            Err(error) if *wanted == Wanted::Fitting && cannot_be_made(Mode::Symlink, &error) => {}
            Err(error) => return Err(error),
        }
    }
    write_link_file(place, &temporary, text).map(|()| (temporary, Form::LinkFile))
}

/// Writes a link file that must not exist yet, durably.
fn write_link_file(place: &Place, name: &OsStr, text: &[u8]) -> io::Result<()> {
    let mut file = place.calls().create_file(name)?;
    let written =
        file.write_all(text).and_then(|()| set_mode_bits(&file, 0o644)).and_then(|()| file.sync_all());
    // What cannot be removed now is removed by the next call.
    written.inspect_err(|_| drop(place.calls().remove_file(name)))
}

/// Makes a symlink and looks whether it is one: there are systems that say they made it and did not.
fn symlink(place: &Place, name: &OsStr, text: &Path) -> io::Result<()> {
    place.calls().symlink(text, name, Leads::ToDirectory)?;
    let is_one = place.find(name)?.is_some_and(|found| found.stat.kind == FileKind::Symlink)
        && place.calls().read_link(name)? == text;
    if is_one {
        return Ok(());
    }
    drop(place.calls().remove_file(name));
    Err(io::ErrorKind::Unsupported.into())
}

/// From the directory of a pointer to an entry.
fn relative(directory: &Path, target: &ArchiveTarget) -> PathBuf {
    let mut path: PathBuf = directory.components().map(|_| "..").collect();
    path.push(&target.bucket);
    path.push(&target.id);
    path
}

/// Whether there is something that is to be replaced; an error where something is that must stay.
fn may_replace(place: &Place, name: &OsStr, existing: Existing) -> io::Result<bool> {
    let Some(found) = place.find(name)? else { return Ok(false) };
    let kind = found.stat.kind;
    let replace = match existing {
        Existing::Keep => false,
        Existing::Replace => {
            kind == FileKind::Symlink || kind == FileKind::File && is_link_file(place.open_file(name)?)?
        }
        Existing::Seen(print) => {
            matches!(kind, FileKind::Symlink | FileKind::File) && print::of(&found.stat) == print
        }
    };
    if replace { Ok(true) } else { Err(io::ErrorKind::AlreadyExists.into()) }
}

fn is_link_file(file: File) -> io::Result<bool> {
    let mut bytes = Vec::new();
    file.take(link_file::LONGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    // Not the wide form: almost any file of an even length could be one.
    Ok(matches!(link_file::parse(&bytes), Ok(LinkFile::Text(_))))
}

#[cfg(test)]
mod tests;
