//! What has become of the projects whose environments lie elsewhere: in the cache (uv's preview of central environments), or where
//! pipenv and virtualenvwrapper keep theirs.
//!
//! The name of such an environment is that of its project with a digest of the project's path and of the interpreter. The
//! digest also depends on numbers inside uv that change between releases (uv 0.13.8 hashes its own types), so that no
//! path is tested by it. A project is known by its `.venv` that leads here, by one that an earlier scan saw, or because it
//! is itself installed in the environment as editable. A project that is not where it was may have been moved, and its
//! `.venv` with it: only a directory that is there and has no `.venv` shows that the environment is no longer used. That a
//! project is gone is for a person to say, by `envs --forget`, or by `--allow gone` where its own parent directory lacks it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::discover::is_absence;
use super::environments::Reading;
use super::presence::{self, Presence};
use super::registry::{self, Remembered};
use crate::disk::{Time, read};
use crate::snapshot::{Environment, EnvironmentKind, Project};
use crate::uv::distribution::{file_path, normalize};
use crate::uv::link_file::path_from_bytes;

/// The file in an environment in which pipenv and virtualenvwrapper note the directory of its project.
const NOTE: &str = ".project";

/// Finds out what has become of each project. `led` are the `.venv` that lead elsewhere, and where.
pub(super) fn projects(readings: &mut [Reading], led: &[(PathBuf, PathBuf)], remembered: &[Remembered]) {
    for reading in readings.iter_mut().filter(|it| it.environment.kind == EnvironmentKind::Other) {
        reading.environment.project = noted(&reading.environment).unwrap_or_default();
    }
    let central = |reading: &&mut Reading| reading.environment.kind == EnvironmentKind::Central;
    for reading in readings.iter_mut().filter(central) {
        let environment = &mut reading.environment;
        let mut links = led.iter().filter(|(_, target)| *target == environment.path);
        environment.project = if let Some((link, _)) = links.next() {
            Project::Linked(link.parent().unwrap_or(link).to_owned())
        } else if let Some(project) = registry::project(remembered, &environment.path) {
            project
        } else {
            own(environment).map_or(Project::Unknown, |path| match presence::of(&path) {
                Presence::There => registry::project_there(path, &environment.path),
                Presence::Gone => registry::missing(path),
                Presence::Unknown => Project::OutOfReach(path),
            })
        };
        // What was made later than somebody said so is not meant.
        let made = Time(environment.print.newest);
        if let Project::Missing(path) | Project::OutOfReach(path) = &environment.project
            && registry::is_forgotten(remembered, path, made)
            && std::fs::symlink_metadata(path).is_err_and(|error| is_absence(&error))
        {
            environment.project = Project::Gone(path.clone());
        }
    }
}

/// What has become of the project that an environment outside of the cache names in its own file.
fn noted(environment: &Environment) -> Option<Project> {
    let bytes = read::small(&environment.path.join(NOTE), read::SMALL).ok()?;
    let path = path_from_bytes(bytes.trim_ascii()).filter(|path| path.is_absolute())?;
    Some(match presence::of(&path) {
        Presence::There => Project::There(path),
        Presence::Gone => Project::Missing(path),
        Presence::Unknown => Project::OutOfReach(path),
    })
}

/// The directory of the project, where it is installed in its own environment.
fn own(environment: &Environment) -> Option<PathBuf> {
    let name = project_name(environment.path.file_name()?)?;
    let is_it = |it: &&crate::snapshot::Distribution| it.editable && it.name == name;
    let own = environment.distributions.iter().find(is_it)?;
    file_path(&own.direct_url.as_ref()?.url)
}

/// The name of the project in the name of its environment, as `my-app` in `my-app-cp3.11.7-0123456789abcdef`.
fn project_name(name: &OsStr) -> Option<String> {
    let (rest, _digest) = name.to_str()?.rsplit_once('-')?;
    let (project, _interpreter) = rest.rsplit_once('-')?;
    Some(normalize(Path::new(project).to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_named_before_its_interpreter_and_digest() {
        let name = |text: &str| project_name(OsStr::new(text));
        assert_eq!(name("my-app-cp3.11.7-0123456789abcdef").as_deref(), Some("my-app"));
        assert_eq!(name("My_App-cp3.11.7-0123456789abcdef").as_deref(), Some("my-app"));
        assert_eq!(name("0123456789abcdef"), None);
    }
}
