//! What an environment is, who made it, and whether its interpreter is there.

use std::path::{Path, PathBuf};

use super::Candidate;
use crate::disk::read;
use crate::scan::discover::{conda, is_absence, is_site};
use crate::scan::presence::comes_and_goes;
use crate::snapshot::{Environment, EnvironmentKind, FoundBy, Manager};
use crate::uv::distribution::wheel_tags;

/// Interpreters an environment may have, relative to its root.
const INTERPRETERS: &[&str] = &["bin/python", "bin/python3", "Scripts/python.exe", "python.exe"];

/// The most symlinks in a row that are followed.
const MOST_LINKS: usize = 40;

/// Everything about an environment that its own files tell, before its distributions are looked at.
pub(super) fn describe(candidate: &Candidate) -> Environment {
    let root = &candidate.found.path;
    let mut environment =
        Environment { path: root.clone(), found_by: candidate.found.found_by, ..Environment::default() };
    if let Ok(bytes) = read::small(&root.join("pyvenv.cfg"), crate::uv::environment::LONGEST_FILE as u64) {
        let settings = crate::uv::environment::parse(&bytes);
        environment.manager = super::manager(settings.maker());
        let needs = settings.extends.into_iter().chain(settings.home);
        environment.needs.extend(needs.filter_map(|path| crate::disk::canonical(&path).ok()));
        environment.python = settings.version;
    } else if root.join("conda-meta").is_dir() {
        environment.manager = Manager::Conda;
        environment.is_base = root.join("condabin").is_dir();
        environment.python = conda::python(root);
        let minor = environment.python.as_deref().and_then(|it| it.rsplit_once('.'));
        let library = minor.map(|(minor, _)| root.join("lib").join(format!("python{minor}")));
        environment.externally_managed =
            library.is_some_and(|library| library.join("EXTERNALLY-MANAGED").is_file());
    } else if candidate.found.target {
        environment.manager = Manager::Target;
    }
    environment.inside = candidate.inside;
    if environment.manager == Manager::Target || environment.manager == Manager::Unknown {
        (environment.installation, environment.externally_managed) = installation(root);
        environment.prefix = prefix(root).map(Path::to_owned);
        environment.python = environment.prefix.as_ref().and_then(|_| version(root.parent()?));
    }
    environment.kind = candidate.kind.unwrap_or_else(|| kind(root, candidate));
    environment.is_of_pipx = root.join("pipx_metadata.json").is_file();
    environment.is_locked = root.file_name().is_some_and(|name| name == ".venv")
        && root.parent().is_some_and(|project| project.join("uv.lock").is_file());
    if candidate.found.target {
        environment.interpreter_alive = true;
    } else {
        let looked: Vec<_> = INTERPRETERS
            .iter()
            .map(|name| root.join(name))
            .map(|path| (path.symlink_metadata().err(), path))
            .collect();
        // What may not be looked at is not gone.
        let is_hidden = looked.iter().any(|(error, _)| error.as_ref().is_some_and(|it| !is_absence(it)));
        let interpreter = looked.into_iter().find(|(error, _)| error.is_none()).map(|(_, path)| path);
        environment.interpreter_alive = interpreter.as_deref().map_or(is_hidden, |path| !is_gone(path));
        environment.interpreter = interpreter.map(resolved);
    }
    environment
}

/// The interpreter of an installation of Python at a prefix, or with its distributions in a directory of it, and whether
/// something else manages it. Nothing for a directory of `--target`, which has none.
fn installation(root: &Path) -> (Option<PathBuf>, bool) {
    let library = root.parent().filter(|_| is_site(root));
    let Some(prefix) = prefix(root).or_else(|| library.is_none().then_some(root)) else {
        return (None, false);
    };
    // `/usr/local` may have only the distributions of what is in `/usr`.
    let prefixes = [Some(prefix), prefix.parent().filter(|_| prefix.ends_with("local"))];
    let versioned = library.and_then(Path::file_name).map(|name| Path::new("bin").join(name));
    let names = versioned.into_iter().chain(INTERPRETERS.iter().map(PathBuf::from));
    let programs =
        names.flat_map(|name| prefixes.iter().flatten().map(|it| (*it, it.join(&name))).collect::<Vec<_>>());
    // A link to the interpreter of another installation, as uv makes them in `~/.local/bin`, is none of this one.
    let is_own =
        |(prefix, path): &(&Path, PathBuf)| path.is_file() && resolved(path.clone()).starts_with(prefix);
    let found = programs.into_iter().find(is_own).map(|(_, path)| path);
    let managed = found.as_ref().is_some_and(|program| {
        let real = resolved(program.clone());
        let name = real.file_name().unwrap_or_default();
        let above = real.parent().and_then(Path::parent).unwrap_or(prefix);
        let marked = |library: &Path| library.join("EXTERNALLY-MANAGED").is_file();
        marked(&above.join("lib").join(name)) || marked(&above.join("Lib")) || library.is_some_and(marked)
    });
    (found, managed)
}

/// The prefix of the installation that has its distributions in a directory; nothing for a directory of `--target`.
fn prefix(site: &Path) -> Option<&Path> {
    let library = site.parent().filter(|_| is_site(site))?;
    if cfg!(windows) { library.parent() } else { library.parent()?.parent() }
}

/// The version of Python that distributions were installed for, as `3.12`: by the first that has libraries for one version
/// alone (`cp312-cp312-…` in its `WHEEL`).
pub(super) fn python_of_wheels<'a>(
    root: &Path,
    mut dist_infos: impl Iterator<Item = &'a Path>,
) -> Option<String> {
    dist_infos.find_map(|dist_info| {
        let wheel = root.join(dist_info).join("WHEEL");
        let tags = wheel_tags(&read::followed(&wheel, read::SMALL).ok()?);
        tags.iter().find_map(|tag| {
            let (python, rest) = tag.split_once('-')?;
            let version = python.strip_prefix("cp")?;
            let is_own = rest.strip_prefix(python).is_some_and(|rest| !rest.is_empty());
            let (major, minor) = version.split_at_checked(1)?;
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (is_own && is_number(major) && is_number(minor)).then(|| format!("{major}.{minor}"))
        })
    })
}

/// The version in the name of the directory of a Python's modules, as `3.12` of `python3.12`.
fn version(library: &Path) -> Option<String> {
    let version = library.file_name()?.to_str()?.strip_prefix("python")?;
    version.contains('.').then(|| version.to_owned())
}

/// Where an interpreter really is, or where its links lead when it is gone.
fn resolved(path: PathBuf) -> PathBuf {
    if let Ok(real) = crate::disk::canonical(&path) {
        return real;
    }
    let mut at = path;
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&at) else { break };
        at = at.parent().unwrap_or(Path::new("")).join(target);
    }
    at
}

/// Whether an interpreter is known to be gone: not what may not be reached, nor what lies on a disk that may not be mounted.
fn is_gone(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_err_and(|error| is_absence(&error) && !comes_and_goes(&resolved(path.to_owned())))
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
