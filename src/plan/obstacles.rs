//! What has to go before uv can install into an environment.

use std::path::{Path, PathBuf};

use super::repair::Command;
use crate::scan::obstacles::Obstacles;

/// What is said with the commands.
pub(super) const FIRST: &str = "The commands belong together, in this order: uv fails on what is removed first, and writes it \
    again where it is needed.";

/// The commands that remove what is in the way: files that cannot be read, and directories that are empty.
pub(super) fn removed(obstacles: &Obstacles) -> Vec<Command> {
    let directories = || {
        let paths = words(&obstacles.directories);
        if cfg!(windows) {
            Command::new(["cmd", "/c", "rmdir"], paths)
        } else {
            Command::new(["rmdir", "--"], paths)
        }
    };
    let files = (!obstacles.files.is_empty()).then(|| files(words(&obstacles.files)));
    let directories = (!obstacles.directories.is_empty()).then(directories);
    files.into_iter().chain(directories).collect()
}

/// The command that removes files.
pub(super) fn files(paths: Vec<String>) -> Command {
    if cfg!(windows) {
        Command::new(["cmd", "/c", "del"], paths)
    } else {
        Command::new(["rm", "-f", "--"], paths)
    }
}

/// What is said of a directory in the place of a file that is not empty: only its owner knows whether it is needed.
pub(super) fn full(directory: &Path) -> String {
    let path = directory.display();
    format!(
        "`{path}` is a directory where a file belongs, and it is not empty; uv can install there once it is moved away"
    )
}

fn words(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}
