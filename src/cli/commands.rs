//! The commands: each takes a snapshot, its arguments and a view, and writes its answer.

pub mod apply;
pub mod completions;
pub mod config;
mod deciding;
pub mod demo;
pub mod doctor;
pub mod envs;
pub mod find;
pub mod gc;
pub mod links;
pub mod list;
pub mod locks;
pub mod man;
pub mod prune;
pub mod relink;
pub mod remove;
pub mod repair;
pub mod schedule;
pub mod status;
mod summary;
pub mod trash;
pub mod tui;
pub mod undo;
pub mod verify;
pub mod why;

use std::io;
use std::path::{Component, Path, PathBuf};

use super::args::Places;
use super::failure::{FAILED, Failure, USAGE};
use super::select::pattern::near_names;
use super::surroundings::Surroundings;
use crate::disk::FileStat;
use crate::human;
use crate::scan::belonging::belonging;
use crate::snapshot::{EnvironmentIndex, Snapshot, What};
use crate::uv::requirement::Requirement;

/// The environments that ENV arguments mean. Relative ones start at `current_dir`; one without a separator may name a
/// tool. The filesystem is asked where a path leads only when its text names no environment.
fn environments(
    snapshot: &Snapshot,
    arguments: &[PathBuf],
    current_dir: &Path,
) -> Result<Vec<EnvironmentIndex>, Failure> {
    let mut found = Vec::new();
    for argument in arguments {
        let these = environments_of(snapshot, argument, current_dir);
        if these.is_empty() {
            return Err(unknown_environment(argument, current_dir));
        }
        found.extend(these);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The failure for an ENV that means no environment, or one that cannot be looked at.
fn unknown_environment(argument: &Path, current_dir: &Path) -> Failure {
    let path = argument.display().to_string();
    let path_of_it = absolute(argument, current_dir);
    let error = FileStat::of(&path_of_it).err().or_else(|| std::fs::read_dir(&path_of_it).err());
    if let Some(error) = error.filter(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        let why = crate::disk::error::words(&error);
        return Failure::message(FAILED, format!("Failed to look at `{path}`: {why}."));
    }
    Failure::message(FAILED, format!("No environment is known at `{path}`.")).hint(
        "`cachetui envs` lists those that were found; `--root DIR` searches one more directory, and `--target DIR` \
         takes a directory that nothing marks as an environment.",
    )
}

fn environments_of(snapshot: &Snapshot, argument: &Path, current_dir: &Path) -> Vec<EnvironmentIndex> {
    let path = absolute(argument, current_dir);
    if let Some(found) = snapshot.find_environment(&path) {
        return vec![found];
    }
    // A project's `.venv` may lead to an environment in the cache, and any part of a path may be a symlink.
    let mut found = snapshot.environments_at(&path);
    found.extend(belonging(&path).paths().filter_map(|path| snapshot.find_environment(path)));
    if found.is_empty() {
        let real = crate::disk::canonical(&path).ok();
        found.extend(real.into_iter().flat_map(|path| snapshot.environments_at(&path)));
    }
    if !found.is_empty() {
        return found;
    }
    if argument.components().count() == 1 {
        return snapshot.tools_named(argument.as_os_str());
    }
    Vec::new()
}

/// The directories of `--under`, which are searched too; each has to be there.
fn under(
    named: &[PathBuf],
    places: &mut Places,
    surroundings: &Surroundings,
) -> Result<Vec<PathBuf>, Failure> {
    let under: Vec<PathBuf> = named.iter().map(|path| absolute(path, &surroundings.current_dir)).collect();
    for path in &under {
        if std::fs::metadata(path).is_err_and(|error| crate::disk::read::is_absent(&error)) {
            let path = human::path(path, surroundings.home.as_deref());
            return Err(Failure::message(USAGE, format!("There is no directory at `{path}` (--under).")));
        }
    }
    places.roots.extend(under.iter().cloned());
    Ok(under)
}

/// Whether a path lies below one of some directories, by their text or by where they really are; below none it always does.
fn is_under(path: &Path, directories: &[PathBuf]) -> bool {
    let lies_in = |directory: &PathBuf| {
        path.starts_with(directory)
            || crate::disk::canonical(directory).is_ok_and(|directory| path.starts_with(directory))
    };
    directories.is_empty() || directories.iter().any(lies_in)
}

/// Whether what could not be read may hide something below one of some directories; below none it always may.
fn may_hide(unread: &Path, directories: &[PathBuf]) -> bool {
    let holds = |directory: &PathBuf| {
        directory.starts_with(unread)
            || crate::disk::canonical(directory).is_ok_and(|directory| directory.starts_with(unread))
    };
    is_under(unread, directories) || directories.iter().any(holds)
}

/// Makes a path absolute by its text alone: `..` takes the part before it away.
pub(in crate::cli) fn absolute(path: &Path, current_dir: &Path) -> PathBuf {
    let mut absolute = PathBuf::new();
    for component in current_dir.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                absolute.pop();
            }
            part => absolute.push(part),
        }
    }
    absolute
}

/// Which environments have a distribution that no entry has, as a sentence.
fn installed(snapshot: &Snapshot, what: &What) -> Option<String> {
    const NAMED: usize = 20;
    let mut paths: Vec<String> = Vec::new();
    for environment in &snapshot.environments {
        let has =
            |it: &crate::snapshot::Distribution| what.names_distribution(Some(&it.name), Some(&it.version));
        if environment.distributions.iter().any(has) {
            paths.push(format!("`{}`", human::escape_os(environment.path.as_os_str())));
        }
    }
    let number = human::counted(paths.len() as u64, "environment has", "environments have");
    if paths.len() > NAMED {
        let more = paths.len() - NAMED;
        paths.truncate(NAMED);
        paths.push(format!("{more} more"));
    }
    (!paths.is_empty()).then(|| format!("{number} it installed: {}.", human::list(&paths)))
}

/// Says that a WHAT means nothing here.
fn no_such(noun: &str, what: &What) -> String {
    let text = what.text().to_string_lossy();
    let verb = if what.requirement().is_some_and(Requirement::has_versions) { "meets" } else { "is called" };
    format!("No {noun} {verb} `{}`.", human::escape(&text))
}

/// The failure for a WHAT that means nothing here, with the names somebody may have meant.
fn unknown_what(snapshot: &Snapshot, what: &What) -> Failure {
    let text = what.text().to_string_lossy();
    let failure = Failure::message(FAILED, no_such("entry", what));
    if let Some(installed) = installed(snapshot, what) {
        return failure.hint(installed);
    }
    let wanted = what.requirement().map_or(&*text, Requirement::name);
    let name = What::new(wanted.as_ref());
    let named: Vec<String> = snapshot
        .entries
        .iter()
        .filter(|entry| name.names(entry))
        .filter_map(|entry| Some(format!("{}=={}", entry.name.as_ref()?, entry.version.as_ref()?)))
        .collect();
    let near = if named.is_empty() {
        let names = snapshot.entries.iter().filter_map(|entry| entry.name.as_deref());
        near_names(wanted, names, 5).into_iter().map(str::to_owned).collect()
    } else {
        named
    };
    match near.as_slice() {
        [] => failure.hint("`cachetui list` shows every entry with its name and version."),
        near => {
            let near: Vec<String> = near.iter().map(|name| format!("`{}`", human::escape(name))).collect();
            failure.hint(format!("Here are {}.", crate::human::list(&near)))
        }
    }
}
