//! A sample cache with environments in all link modes, made without uv, Python or a network, to look at cachetui with.
//!
//! What is made is what uv 0.13.8 would leave on a machine after a year of work, whose story `assets/demo.toml` tells:
//! healthy, broken and outdated environments, broken pointers, and files with unexplained links. It
//! lies in one directory: `home`, in which the cache has its usual place, and what lies outside of it and is not searched.

mod cache;
mod content;
mod environment;
mod ground;
mod manifest;
mod wheel;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::Places;
use super::surroundings::Surroundings;
use crate::linker;
use ground::Ground;
use manifest::Manifest;

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part of it could not be made.
    #[error(transparent)]
    Linker(#[from] linker::Error),
    /// Somebody asked to stop.
    #[error("Interrupted")]
    Interrupted,
}

/// A sample that lies in a directory.
#[derive(Clone, Debug)]
pub struct Sample {
    root: PathBuf,
}

impl Sample {
    /// Makes a sample in `root`, an absolute path without symlinks to an empty directory. Ages are counted from `now`,
    /// which was at `started`; `interrupted` is asked often, and ends the work where it answers yes.
    pub fn make(
        root: &Path,
        (now, started): (jiff::Timestamp, Instant),
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let manifest = Manifest::built_in();
        let mut ground = Ground::new(root, now, interrupted);
        cache::root(&mut ground)?;
        environment::interpreter(&manifest.python, &mut ground)?;
        let mut wheels = Vec::new();
        for wheel in &manifest.wheels {
            let unpacked = wheel::unpack(wheel, &mut ground)?;
            cache::pointers(&unpacked, &mut ground)?;
            wheels.push(unpacked);
        }
        for environment in &manifest.environments {
            environment::install(environment, &manifest.python, &wheels, &mut ground)?;
        }
        for stray in &manifest.strays {
            cache::stray(stray, &mut ground)?;
        }
        ground.refresh(started.elapsed())?;
        Ok(Self { root: root.to_owned() })
    }

    /// The home directory in it, which is to be searched.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The cache in it.
    pub fn cache(&self) -> PathBuf {
        self.home().join(".cache").join("uv")
    }

    /// Where to look: at the sample and nothing else.
    pub fn places(&self) -> Places {
        Places {
            cache_dir: Some(self.cache()),
            roots: vec![self.home()],
            no_remember: true,
            ..Places::default()
        }
    }

    /// The surroundings of somebody who is at home in the sample, so that nothing of this machine is searched or shown.
    pub fn surroundings(&self, real: &Surroundings) -> Surroundings {
        let mut sample = real.clone();
        sample.variables.retain(|name, _| SHOWING.iter().any(|kept| name == kept));
        sample.home = Some(self.home());
        sample.state_dir = None;
        sample.config_dir = None;
        // The change times of files cannot be set: all of it was made a moment ago.
        sample.grace = 0;
        // The top of the tree: neither searched itself, nor has it directories above that are.
        sample.current_dir = self.root.ancestors().last().map(Path::to_owned).unwrap_or_default();
        sample
    }
}

/// Variables that say how to show things rather than where they are.
const SHOWING: [&str; 9] =
    ["NO_COLOR", "TERM", "COLORTERM", "TERM_PROGRAM", "COLUMNS", "LINES", "LANG", "LC_ALL", "LC_CTYPE"];
