//! What an environment is, who made it, and whether its interpreter is there.

use std::path::{Path, PathBuf};

use super::Candidate;
use crate::disk::read;
use crate::snapshot::{Environment, EnvironmentKind, FoundBy, Manager};

/// Interpreters an environment may have, relative to its root.
const INTERPRETERS: &[&str] = &["bin/python", "bin/python3", "Scripts/python.exe", "python.exe"];

/// Everything about an environment that its own files tell, before its distributions are looked at.
pub(super) fn describe(candidate: &Candidate) -> Environment {
    let root = &candidate.found.path;
    let mut environment =
        Environment { path: root.clone(), found_by: candidate.found.found_by, ..Environment::default() };
    if let Ok(bytes) = read::small(&root.join("pyvenv.cfg"), crate::uv::environment::LONGEST_FILE as u64) {
        let settings = crate::uv::environment::parse(&bytes);
        environment.manager = super::manager(settings.maker());
        environment.python = settings.version;
    } else if root.join("conda-meta").is_dir() {
        environment.manager = Manager::Conda;
    } else if candidate.found.target {
        environment.manager = Manager::Target;
    }
    environment.kind = candidate.kind.unwrap_or_else(|| kind(root, candidate));
    if candidate.found.target {
        environment.interpreter_alive = true;
    } else {
        let interpreter =
            INTERPRETERS.iter().map(|name| root.join(name)).find(|path| path.symlink_metadata().is_ok());
        environment.interpreter_alive = interpreter.as_deref().is_some_and(Path::exists);
        environment.interpreter = interpreter.map(resolved);
    }
    environment
}

/// Where an interpreter really is, or what its link says where it is gone.
fn resolved(path: PathBuf) -> PathBuf {
    crate::disk::canonical(&path).or_else(|_| std::fs::read_link(&path)).unwrap_or(path)
}

fn kind(root: &Path, candidate: &Candidate) -> EnvironmentKind {
    if candidate.entry.is_some() {
        return EnvironmentKind::Cached;
    }
    if candidate.found.found_by == FoundBy::UvTools
        || root.join("uv-receipt.toml").is_file()
        || root.join("pipx_metadata.json").is_file()
    {
        return EnvironmentKind::Tool;
    }
    let beside_project = root.parent().is_some_and(|parent| {
        ["pyproject.toml", "uv.lock", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", ".git"]
            .iter()
            .any(|name| parent.join(name).exists())
    });
    let named_so = root.file_name().is_some_and(|name| name == ".venv" || name == "venv");
    if beside_project || named_so { EnvironmentKind::Project } else { EnvironmentKind::Other }
}
