//! Writes links of the cache anew, so that uv's prune keeps the entries they are there for.
//!
//! # What is touched
//! Only what the plan saw: a place where nothing is, or the very link that was found damaged. The pointer file that names
//! the entry must be the one that was read, and is read again; the entry must be the directory that was seen, and hold the
//! distribution that was named. The link appears at once, under its name, whole.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::report::RepairOutcome;
use crate::apply::check;
use crate::apply::ground;
use crate::apply::prune::Trouble;
use crate::apply::purge;
use crate::apply::report::State;
use crate::apply::trash::Run;
use crate::control::{Cancel, Progress};
use crate::disk::FileKind;
use crate::disk::error::words;
use crate::linker::{self, Existing, Missing, Place, Root, Wanted};
use crate::lock::{CacheExclusive, HoldsCache as _};
use crate::plan::Step;
use crate::plan::repair::{LinkForm, LinkWork, NamedBy};
use crate::scan::copied::{Compare, copied};
use crate::scan::print;
use crate::uv::bucket::{Bucket, BucketKind};
use crate::uv::distribution::{normalize, parse_dist_info};
use crate::uv::link::archive_target;
use crate::uv::link_file::{self, ArchiveTarget, LinkFile};
use crate::uv::pointer::{self, Payload};

/// Writes links again. One that fails or is stale does not stop the others. `progress` counts files and bytes; `now` names what
/// goes by way of the trash.
pub fn restore_links(
    steps: &[(&Step, &LinkWork)],
    lock: &CacheExclusive,
    now: Timestamp,
    cancel: &Cancel,
    progress: &Progress,
) -> Vec<RepairOutcome> {
    let real = ground::cache(lock);
    let outcome = |&(step, work): &(&Step, &LinkWork)| {
        if cancel.is_cancelled() {
            return RepairOutcome::ended(step, State::Cancelled, None);
        }
        let done = match &real {
            Err(error) => Err(Trouble::Refused(format!("{error}: {}", words(&error.source)))),
            Ok(_) if !lock.still_valid() => {
                Err(Trouble::Stale("the cache's lock file was replaced".to_owned()))
            }
            Ok(cache) => restore(cache, step, work, now),
        };
        match done {
            Ok(()) => {
                progress.add_files(1, work.text.path().as_os_str().len() as u64);
                RepairOutcome::ended(step, State::Done, None)
            }
            Err(Trouble::Stale(why)) => RepairOutcome::ended(step, State::Stale, Some(why)),
            Err(Trouble::Refused(why)) => RepairOutcome::ended(step, State::Failed, Some(why)),
            Err(Trouble::Failed(error)) => {
                RepairOutcome::ended(step, State::Failed, Some(format!("{error}: {}", words(&error.source))))
            }
        }
    };
    steps.iter().map(outcome).collect()
}

fn restore(cache: &Root, step: &Step, work: &LinkWork, now: Timestamp) -> Result<(), Trouble> {
    let path = step.at.path();
    let (directory, name) = check::pointer(&path)?;
    let (target, wanted) = meant(step, work)?;
    entry(cache, step, work, &target)?;
    if let Some(named_by) = &work.named_by {
        pointer_file(cache, &path, named_by, &target)?;
    }
    let place = cache.directory(&directory, Missing::Fail)?;
    let name = name.as_os_str();
    let found = place.find(name).map_err(|error| Trouble::failed("look at", place.join(name), error))?;
    let existing = match (found, work.replaces) {
        (None, None) => Existing::Keep,
        (Some(found), None) if work.copy.is_some() && found.stat.kind == FileKind::Directory => {
            return replace_copy(cache, &place, &directory, step, &target, &wanted, now);
        }
        (Some(found), Some(print)) if print::of(&found.stat) == print => Existing::Seen(print),
        _ => return Err(Trouble::Stale("something else lies there now".to_owned())),
    };
    linker::write_pointer(cache, &path, &target, &wanted, existing)?;
    Ok(())
}

/// Writes a link in the place of a directory with the files of its entry. That goes by way of the trash, where it lies when
/// this is stopped half-way; it comes back where it has anything that the entry has not, or the link cannot be written.
fn replace_copy(
    cache: &Root,
    place: &Place,
    directory: &Path,
    step: &Step,
    target: &ArchiveTarget,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(), Trouble> {
    let path = step.at.path();
    let name = path.file_name().unwrap_or_default();
    let entry = cache.place().path().join(&target.bucket).join(&target.id);
    let run = Run::begin(cache, now, None)?;
    let away = match run.take(cache, place, directory, name) {
        Ok(away) => away,
        Err(error) => {
            purge::tidy(cache, &run, [directory]);
            return Err(error.into());
        }
    };
    let done = match copied(&away.join(name), &entry, Compare::Contents) {
        Some(_) => linker::write_pointer(cache, &path, target, wanted, Existing::Keep)
            .map(|_| ())
            .map_err(Trouble::from),
        None => Err(Trouble::Stale("it has files that the entry does not have".to_owned())),
    };
    if let Err(trouble) = done {
        run.give_back(cache, place, directory, name)?;
        drop(away);
        purge::tidy(cache, &run, [directory]);
        return Err(trouble);
    }
    // What cannot be removed stays in the trash, which says so itself.
    drop(purge::remove(&away, name, &Cancel::default(), &Progress::default()));
    drop(away);
    purge::tidy(cache, &run, [directory]);
    Ok(())
}

/// What a step is to write, when it is what such a step may write: a link to its entry and nothing else.
fn meant(step: &Step, work: &LinkWork) -> Result<(ArchiveTarget, Wanted), Trouble> {
    let refused = || Trouble::Refused(format!("a plan cannot write `{}` again", step.at.text()));
    let entry = work.entry.path();
    let names = check::plain(&entry).ok_or_else(refused)?;
    let [bucket, id] = names.as_slice() else { return Err(refused()) };
    // Whatever its number is: that the entry holds what it is named for is proven before anything is written.
    let is_entry = Bucket::parse(bucket).is_some_and(|bucket| bucket.kind == BucketKind::Archive);
    let (Some(bucket), Some(id), true) = (bucket.to_str(), id.to_str(), is_entry) else {
        return Err(refused());
    };
    let target = ArchiveTarget { bucket: bucket.to_owned(), id: id.to_owned() };
    let text = work.text.path();
    let wanted = match work.form {
        LinkForm::LinkFile => {
            let bytes = link_file::encode_text(&target);
            let same = bytes == work.text.text().as_bytes()
                && link_file::parse(&bytes) == Ok(LinkFile::Text(target.clone()));
            same.then_some(Wanted::LinkFile)
        }
        LinkForm::Symlink => archive_target(&text)
            .filter(|it| it.rest.as_os_str().is_empty() && it.bucket == *target.bucket && it.id == *target.id)
            .map(|it| if text.is_absolute() { Wanted::Absolute(it.prefix) } else { Wanted::Relative }),
    };
    Ok((target, wanted.ok_or_else(refused)?))
}

/// Proves that the entry is the one that was seen, and holds what it is named for.
fn entry(cache: &Root, step: &Step, work: &LinkWork, target: &ArchiveTarget) -> Result<(), Trouble> {
    let (bucket, id) = (OsStr::new(&target.bucket), OsStr::new(&target.id));
    let place = cache.directory(Path::new(bucket), Missing::Fail)?;
    let found = place.find(id).map_err(|error| Trouble::failed("look at", place.join(id), error))?;
    let same = found.is_some_and(|found| {
        found.stat.kind == FileKind::Directory && (found.stat.device, found.stat.inode) == work.entry_inode
    });
    if !same {
        return Err(Trouble::Stale("its entry is gone, or another one".to_owned()));
    }
    let inside = place.directory(id).map_err(|error| Trouble::failed("open", place.join(id), error))?;
    if holds(&inside, step)? {
        return Ok(());
    }
    Err(Trouble::Stale("its entry does not hold what it is named for".to_owned()))
}

fn holds(entry: &Place, step: &Step) -> Result<bool, Trouble> {
    let names = entry.names();
    let names = names.map_err(|error| Trouble::failed("read", entry.path().to_owned(), error))?;
    let Some((name, version)) = step.name.as_ref().zip(step.version.as_ref()) else {
        return Ok(names.iter().any(|name| name == "pyvenv.cfg"));
    };
    let mut found = names.iter().filter_map(|name| parse_dist_info(name));
    let only = found.next().filter(|_| found.next().is_none());
    Ok(only.is_some_and(|it| normalize(&it.name) == *name && it.version == *version))
}

/// Proves that the pointer file beside the link is the one that was read, and still names the entry.
fn pointer_file(
    cache: &Root,
    link: &Path,
    named_by: &NamedBy,
    target: &ArchiveTarget,
) -> Result<(), Trouble> {
    let path: PathBuf = named_by.at.path();
    if crate::snapshot::link_beside(&path) != link {
        return Err(Trouble::Refused(format!("`{}` does not lie beside it", named_by.at.text())));
    }
    let (directory, name) = check::pointer(&path)?;
    let place = cache.directory(&directory, Missing::Fail)?;
    let name = name.as_os_str();
    let found = place.find(name).map_err(|error| Trouble::failed("look at", place.join(name), error))?;
    let stale = || Trouble::Stale("the pointer beside it has changed since the scan".to_owned());
    if found.is_none_or(|found| print::of(&found.stat) != named_by.expects) {
        return Err(stale());
    }
    let bytes = place.read(name, pointer::LONGEST_FILE as u64);
    let bytes = bytes.map_err(|error| Trouble::failed("read", place.join(name), error))?;
    let payload = match path.extension().and_then(OsStr::to_str) {
        Some("http") => pointer::parse_http(&bytes),
        Some("rev") => pointer::parse_rev(&bytes),
        _ => return Err(stale()),
    };
    match payload {
        Ok(Payload::Archive(archive)) if archive.id == target.id => Ok(()),
        _ => Err(stale()),
    }
}
