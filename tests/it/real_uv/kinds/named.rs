//! What a person means who names a directory.

use std::path::{Path, PathBuf};

use super::{
    commands, distributions, environment, forget, install, json, paths, row, run, said, sandbox, site,
};
use crate::support::uv::Sandbox;

/// A project outside of what is searched, with an environment in each place that tools have.
struct Project {
    path: PathBuf,
    environments: Vec<PathBuf>,
}

fn project(sandbox: &Sandbox) -> Project {
    let path = sandbox.path("elsewhere/project");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("pyproject.toml"), b"[project]\nname = \"project\"\nversion = \"1\"\n").unwrap();
    let inside = ["venv", ".venv-3.12", ".tox/py311", ".nox/tests", ".pixi/envs/default"];
    let modes = ["hardlink", "copy", "symlink", "copy", "hardlink"];
    let mut environments: Vec<PathBuf> = inside
        .iter()
        .zip(modes)
        .map(|(name, mode)| environment(sandbox, &path.join(name), mode, &["demo-a"]))
        .collect();
    environments.push(environment(sandbox, &sandbox.path("elsewhere/central"), "copy", &["demo-a"]));
    std::fs::write(path.join(".venv"), "../central\nonly the first line counts\n").unwrap();
    environments.push(environment(sandbox, &sandbox.path("elsewhere/linked"), "copy", &["demo-a"]));
    std::os::unix::fs::symlink("../linked", path.join("env")).unwrap();
    let packages = path.join("__pypackages__/3.11/lib");
    install(sandbox, "copy", &["--target", packages.to_str().unwrap()], &["demo-a"]);
    environments.push(packages);
    environments.sort_unstable();
    forget(sandbox);
    Project { path, environments }
}

fn core(environment: &Path) -> PathBuf {
    let site =
        if environment.join("pyvenv.cfg").exists() { site(environment) } else { environment.to_owned() };
    site.join("demo_a/core.py")
}

#[test]
fn a_project_means_the_environments_of_all_its_tools() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let Project { path, environments } = project(&sandbox);
    let all: Vec<&str> = environments.iter().map(|path| path.to_str().unwrap()).collect();
    let name = path.to_str().unwrap();
    assert_eq!(paths(&json(&sandbox, &["envs", name])), all);
    let used = json(&sandbox, &["list", "--env", name]);
    assert_eq!(used["entries"][0]["users"].as_array().unwrap().len(), all.len(), "{used:#}");
    let examined = json(&sandbox, &["doctor", "--no-probe", name]);
    assert_eq!(examined["doctor"]["environments"].as_array().unwrap().len(), all.len(), "{examined:#}");
    for environment in &environments {
        std::fs::remove_file(core(environment)).unwrap();
    }
    let verified = said(&sandbox, &["verify", name]);
    let plan = said(&sandbox, &["relink", "--link-mode", "copy", "--dry-run", name]);
    for environment in &environments {
        let core = core(environment);
        assert!(verified.contains(core.to_str().unwrap()), "{}: {verified}", core.display());
    }
    assert!(plan.contains(&format!("{} stay", all.len())), "{plan}");
    let repaired = said(&sandbox, &["repair", name, "--yes"]);
    for environment in &environments {
        assert!(core(environment).is_file(), "{}: {repaired}", environment.display());
    }
}

#[test]
fn a_symlink_or_a_venv_file_that_is_named_means_what_it_leads_to() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let Project { path, .. } = project(&sandbox);
    for (name, leads) in [(".venv", "central"), ("env", "linked")] {
        let (name, leads) = (path.join(name), sandbox.path("elsewhere").join(leads));
        let found = paths(&json(&sandbox, &["envs", name.to_str().unwrap()]));
        assert_eq!(found, [leads.to_str().unwrap()], "{}", name.display());
    }
    let link = sandbox.path("link-to-project");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(paths(&json(&sandbox, &["envs", link.to_str().unwrap()])).len(), 8);
    // One that lies directly in a root is followed too.
    let root = sandbox.roots().join("through");
    std::os::unix::fs::symlink(sandbox.path("elsewhere/linked"), root).unwrap();
    let all = json(&sandbox, &["envs"]);
    assert_eq!(distributions(row(&all, &sandbox.path("elsewhere/linked"))), ["demo-a"]);
}

#[test]
fn a_prefix_or_target_is_named_by_the_option_that_filled_it() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    for (mode, option) in
        [("copy", "--prefix"), ("hardlink", "--prefix"), ("symlink", "--prefix"), ("copy", "--target")]
    {
        let root = sandbox.path(format!("elsewhere/{mode}{option}"));
        let name = root.to_str().unwrap();
        install(&sandbox, mode, &[option, name], &["demo-a", "demo-b"]);
        let (site, scripts) = match option {
            "--prefix" => (site(&root), root.join("bin")),
            _ => (root.clone(), root.join("bin")),
        };
        forget(&sandbox);
        let envs = json(&sandbox, &["envs", name]);
        assert_eq!(distributions(row(&envs, &site)), ["demo-a", "demo-b"], "{option}");
        if option == "--prefix" {
            assert_eq!(row(&envs, &site)["prefix"], name);
        }
        // An edit of its own, which only an installation takes back.
        let core = site.join("demo_a/core.py");
        std::fs::remove_file(&core).unwrap();
        std::fs::write(&core, "EDITED = True\n").unwrap();
        let verified = said(&sandbox, &["verify", name]);
        let named = commands(&verified, "uv ");
        let [command] = named.as_slice() else { panic!("{verified}") };
        assert!(command.contains(&format!(" {option} {name} ")), "{command}");
        let before = listed(&scripts);
        run(&sandbox, command);
        assert_eq!(std::fs::read_to_string(&core).unwrap(), super::core("demo-a"), "{command}");
        assert_eq!(listed(&scripts), before, "{command}");
        assert!(option == "--target" || !site.join("bin").exists(), "{command}");
        let again = said(&sandbox, &["verify", name]);
        assert!(again.contains("all as RECORD says"), "{again}");
        // It is repaired and relinked by its name too.
        std::fs::remove_file(&core).unwrap();
        said(&sandbox, &["repair", name, "--yes"]);
        assert!(core.is_file(), "{option}");
        let relinked = said(&sandbox, &["relink", name, "--link-mode", "copy", "--yes"]);
        assert!(!relinked.contains("No environment"), "{relinked}");
        assert_eq!(std::fs::read_to_string(&core).unwrap(), super::core("demo-a"), "{relinked}");
    }
}

fn listed(directory: &Path) -> Vec<String> {
    let items = std::fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<String> = items.map(|item| item.file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}
