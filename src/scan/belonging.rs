//! What a person may mean who names a directory: an environment, a project with its environments, or an installation.
//!
//! Tools keep the environments of a project in places of their own. Naming the project means all of them.

use std::path::{Path, PathBuf};

use super::discover::{self, children, pythons::sites};
use crate::disk;
use crate::snapshot::FoundBy;
use crate::uv::distribution::parse_dist_info;

/// Directories of a project that hold environments: tox's, nox's, pixi's, Hatch's and direnv's.
const HOLDERS: [&str; 6] = [".tox", ".nox", ".pixi/envs", ".pixi/solve-group-envs", ".hatch", ".direnv"];

/// What belongs to a directory, every symlink resolved, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belonging {
    /// Environments.
    pub environments: Vec<PathBuf>,
    /// Directories of distributions outside of environments: of `--target`, of a prefix, of `__pypackages__`.
    pub sites: Vec<PathBuf>,
}

impl Belonging {
    /// All of it.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.environments.iter().chain(&self.sites)
    }
}

/// Finds what belongs to a directory, or to what a `.venv` file or symlink leads to. What cannot be read has nothing.
pub fn belonging(path: &Path) -> Belonging {
    let mut found = Belonging::default();
    if let Some(environment) = environment(path) {
        found.environments.push(environment);
        return found;
    }
    let Ok(real) = disk::canonical(path) else { return found };
    if has_distributions(&real) {
        found.sites.push(real.clone());
    }
    found.sites.extend(sites(&real));
    for directory in HOLDERS.iter().map(|name| real.join(name)).chain([real.clone()]) {
        found.environments.extend(children(&directory).iter().filter_map(|path| environment(path)));
    }
    // As PDM makes them (PEP 582): one directory for each version of Python.
    for version in children(&real.join("__pypackages__")) {
        found.sites.extend(disk::canonical(&version.join("lib")).ok().filter(|path| has_distributions(path)));
    }
    for paths in [&mut found.environments, &mut found.sites] {
        paths.sort_unstable();
        paths.dedup();
    }
    found
}

/// The symlinks and `.venv` files by which a path itself, or a project, leads to environments, and where they say that these are; also
/// where nothing is there any more.
pub fn links(path: &Path) -> Vec<(PathBuf, PathBuf)> {
    if let Some(text) = link(path) {
        return vec![(path.to_owned(), text)];
    }
    let holders = HOLDERS.iter().map(|name| path.join(name)).chain([path.to_owned()]);
    let found = holders.flat_map(|directory| children(&directory));
    let mut links: Vec<(PathBuf, PathBuf)> =
        found.filter_map(|path| Some((path.clone(), link(&path)?))).collect();
    links.sort_unstable();
    links
}

/// Where a symlink to an environment, or anything else that is called `.venv` and leads somewhere, says that it leads.
pub fn link(path: &Path) -> Option<PathBuf> {
    let text = discover::leads_to(path)?;
    (path.file_name().is_some_and(|name| name == ".venv") || environment(path).is_some()).then_some(text)
}

/// The environment at a path, or that a symlink or a `.venv` file there leads to.
fn environment(path: &Path) -> Option<PathBuf> {
    let is_file = path.is_file();
    if is_file && path.file_name().is_none_or(|name| name != ".venv") {
        return None;
    }
    let found = if is_file {
        discover::linked(path, FoundBy::Root)
    } else {
        disk::canonical(path).and_then(|path| discover::at(&path, FoundBy::Root))
    };
    found.ok().flatten().map(|found| found.path)
}

fn has_distributions(directory: &Path) -> bool {
    let items = std::fs::read_dir(directory).into_iter().flatten().flatten();
    items.into_iter().any(|item| parse_dist_info(&item.file_name()).is_some())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the files they need")]

    use super::*;

    fn made(path: &Path) -> PathBuf {
        std::fs::create_dir_all(path).unwrap();
        path.to_owned()
    }

    fn environment(path: &Path) -> PathBuf {
        std::fs::write(made(path).join("pyvenv.cfg"), b"").unwrap();
        path.to_owned()
    }

    #[test]
    fn a_project_has_the_environments_of_all_its_tools() {
        let directory = tempfile::tempdir().unwrap();
        let root = crate::disk::canonical(directory.path()).unwrap();
        let project = root.join("project");
        let names = [
            ".venv-3.12",
            "venv",
            ".tox/py312",
            ".nox/tests-3-12",
            ".pixi/envs/default",
            ".hatch/demo",
            ".direnv/python-3.12",
        ];
        let mut expected: Vec<PathBuf> = names.map(|name| environment(&project.join(name))).into();
        let elsewhere = environment(&root.join("elsewhere/env"));
        std::fs::write(project.join(".venv"), b"../elsewhere/env\nmore that is not read\n").unwrap();
        expected.push(elsewhere.clone());
        // Neither a file of another name nor what lies deeper.
        std::fs::write(project.join("notes"), b"../elsewhere/env\n").unwrap();
        environment(&project.join("src/deep/env"));
        let packages = made(&project.join("__pypackages__/3.12/lib"));
        made(&packages.join("demo-1.0.dist-info"));
        expected.sort_unstable();
        let found = belonging(&project);
        assert_eq!((found.environments, found.sites), (expected, vec![packages]));
        assert_eq!(belonging(&project.join(".venv")).environments, [elsewhere]);
    }

    #[test]
    fn a_prefix_has_the_directories_of_its_pythons() {
        let directory = tempfile::tempdir().unwrap();
        let root = crate::disk::canonical(directory.path()).unwrap();
        let sites =
            ["lib/python3.11/site-packages", "lib/python3/dist-packages"].map(|it| made(&root.join(it)));
        made(&root.join("lib/node/site-packages"));
        let mut sites = Vec::from(sites);
        sites.sort_unstable();
        // On Windows one more is looked for, which is not there.
        assert_eq!(belonging(&root), Belonging { environments: Vec::new(), sites });
    }
}
