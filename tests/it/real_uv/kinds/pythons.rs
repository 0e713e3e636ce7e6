//! Installations of Python, environments that had several, and conda's.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{
    commands, distributions, environment, forget, install, json, paths, python, row, run, said, sandbox, site,
};
use crate::support::not_run;
use crate::support::uv::{Sandbox, ran};

/// The Python versions a test may find, the older one first: those of pyenv, or of the system.
fn two_pythons() -> Option<(PathBuf, PathBuf)> {
    let names = ["3.9", "3.10", "3.11", "3.12", "3.13"];
    let of_pyenv = std::fs::read_dir("/root/.pyenv/versions").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = of_pyenv.map(|item| item.path().join("bin")).collect();
    places.extend(["/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    let mut found = names.iter().filter_map(|version| {
        let program = places.iter().map(|place| place.join(format!("python{version}")));
        program.into_iter().find(|path| {
            path.is_file()
                && Command::new(path).args(["-c", "import venv"]).output().is_ok_and(|it| it.status.success())
        })
    });
    let both = found.next().zip(found.next());
    if both.is_none() {
        not_run("there are no two versions of Python here");
    }
    both
}

#[test]
fn an_environment_that_was_upgraded_has_the_distributions_of_its_own_python_only() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let Some((old, new)) = two_pythons() else { return };
    let app = sandbox.roots().join("app/.venv");
    let name = app.to_str().unwrap();
    ran(sandbox.command(&old).args(["-m", "venv", "--without-pip", name]));
    let python = app.join("bin/python");
    let whereto = ["--python", python.to_str().unwrap()];
    install(&sandbox, "copy", &whereto, &["demo-a", "demo-b"]);
    let left = site(&app);
    // As where the system's `python3` is another one after an upgrade.
    for link in ["python", "python3"] {
        std::fs::remove_file(app.join("bin").join(link)).unwrap();
        std::os::unix::fs::symlink(&new, app.join("bin").join(link)).unwrap();
    }
    ran(sandbox.command(&new).args(["-m", "venv", "--upgrade", "--without-pip", name]));
    let envs = json(&sandbox, &["envs", name]);
    assert_eq!(distributions(row(&envs, &app)), [""; 0], "nothing is installed for the new one");
    install(&sandbox, "hardlink", &whereto, &["demo-a"]);
    let envs = json(&sandbox, &["envs", name]);
    let found = row(&envs, &app);
    assert_eq!(distributions(found), ["demo-a"], "{found:#}");
    assert_eq!(found["health"], "ok");
    let relative = left.parent().unwrap().strip_prefix(&app).unwrap();
    assert_eq!(found["leftovers"][0]["path"], relative.to_str().unwrap());
    assert_eq!(found["leftovers"][0]["kind"], "other-python");
    let shown = said(&sandbox, &["envs", name]);
    assert!(shown.contains("is left over from another version of Python"), "{shown}");
    let examined = json(&sandbox, &["doctor", "--no-probe", name]);
    assert!(examined.to_string().contains("leftovers"), "{examined:#}");
    // What is damaged there is no damage, and no command brings it back.
    std::fs::remove_file(left.join("demo_b/core.py")).unwrap();
    let verified = said(&sandbox, &["verify", name]);
    assert!(verified.contains("all as RECORD says"), "{verified}");
    let repaired = sandbox.cachetui(&["repair", name, "--dry-run"]).output().unwrap();
    assert_eq!(repaired.status.code(), Some(0), "{}", super::text(&repaired));
}

#[test]
fn symlinks_that_an_older_python_left_keep_their_entries() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let app = environment(&sandbox, &sandbox.roots().join("app/.venv"), "symlink", &["demo-a"]);
    let library = app.join("lib");
    let (own, other) = (site(&app), library.join("python3.1/site-packages"));
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::rename(&own, &other).unwrap();
    std::fs::create_dir(&own).unwrap();
    let listed = json(&sandbox, &["list"]);
    assert_eq!(listed["entries"][0]["state"], "protected", "{listed:#}");
    assert_eq!(json(&sandbox, &["envs"])["environments"][0]["leftovers"][0]["path"], "lib/python3.1");
}

#[test]
fn a_system_python_is_a_user_in_every_link_mode_and_is_named_by_its_interpreter() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    for (mode, managed) in [("copy", true), ("hardlink", false), ("symlink", false)] {
        let prefix = sandbox.path(format!("elsewhere/{mode}"));
        let Some(python) = python(&sandbox, &prefix) else { return };
        let whereto = ["--python", python.to_str().unwrap()];
        install(&sandbox, mode, &whereto, &["demo-a"]);
        let site = site(&prefix);
        if managed {
            std::fs::write(site.parent().unwrap().join("EXTERNALLY-MANAGED"), b"[externally-managed]\n")
                .unwrap();
        }
        let why = said(&sandbox, &["why", "demo-a"]);
        assert!(why.contains(site.to_str().unwrap()), "{mode}: {why}");
        let name = prefix.to_str().unwrap();
        let envs = json(&sandbox, &["envs", name]);
        let found = row(&envs, &site);
        assert_eq!((&found["prefix"], &found["health"]), (&name.into(), &"ok".into()), "{found:#}");
        let version = site.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!(found["python"], version.trim_start_matches("python"));
        let core = site.join("demo_a/core.py");
        std::fs::remove_file(&core).unwrap();
        std::fs::write(&core, "EDITED = True\n").unwrap();
        let verified = said(&sandbox, &["verify", name]);
        let named = commands(&verified, "uv ");
        let [command] = named.as_slice() else { panic!("{verified}") };
        assert!(command.contains(&format!(" --python {name}/bin/python")), "{command}");
        assert_eq!(command.contains("--break-system-packages"), managed, "{command}");
        run(&sandbox, command);
        assert_eq!(std::fs::read_to_string(&core).unwrap(), super::core("demo-a"), "{command}");
        assert!(prefix.join("bin/demo-a").is_file() && !site.join("bin").exists(), "{command}");
        let again = said(&sandbox, &["verify", name]);
        assert!(again.contains("all as RECORD says"), "{again}");
    }
}

#[test]
fn pythons_of_pyenv_of_uv_and_of_a_user_are_known_without_a_record() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let home = sandbox.path("home");
    let mut expected = Vec::new();
    for prefix in [".pyenv/versions/3.11.7", "data/uv/python/cpython-3.11-linux"] {
        let prefix = home.join(prefix);
        let Some(python) = python(&sandbox, &prefix) else { return };
        install(
            &sandbox,
            "copy",
            &["--python", python.to_str().unwrap(), "--break-system-packages"],
            &["demo-a"],
        );
        expected.push(site(&prefix));
    }
    let user = home.join(".local");
    install(&sandbox, "copy", &["--prefix", user.to_str().unwrap()], &["demo-a"]);
    let library = user.join("lib");
    let of_user = site(&user);
    // As Debian has it.
    let debian = library.join("python3/dist-packages");
    std::fs::create_dir_all(&debian).unwrap();
    ran(Command::new("cp")
        .arg("-a")
        .arg(of_user.join("demo_a"))
        .arg(of_user.join("demo_a-1.0.dist-info"))
        .arg(&debian));
    expected.extend([of_user, debian]);
    forget(&sandbox);
    // From elsewhere than the home, which would be searched as the current directory.
    let mut command = sandbox.cachetui(&["envs", "--json"]);
    let answer: serde_json::Value =
        serde_json::from_slice(&ran(command.current_dir(sandbox.roots())).stdout).unwrap();
    let mut expected: Vec<&str> = expected.iter().map(|path| path.to_str().unwrap()).collect();
    expected.sort_unstable();
    assert_eq!(paths(&answer), expected);
}

#[test]
fn what_a_user_installed_is_not_named_by_another_python_that_has_a_link_there() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let user = sandbox.path("home/.local");
    install(&sandbox, "copy", &["--prefix", user.to_str().unwrap()], &["demo-a"]);
    let (site, bin) = (site(&user), user.join("bin"));
    // As `uv python install` makes it, of the same version.
    let version = site.parent().unwrap().file_name().unwrap();
    std::os::unix::fs::symlink(sandbox.python(), bin.join(version)).unwrap();
    let core = site.join("demo_a/core.py");
    std::fs::remove_file(&core).unwrap();
    std::fs::write(&core, "EDITED = True\n").unwrap();
    let verified = said(&sandbox, &["verify", user.to_str().unwrap()]);
    let named = commands(&verified, "uv ");
    let [command] = named.as_slice() else { panic!("{verified}") };
    assert!(command.contains(&format!(" --prefix {} ", user.display())), "{command}");
    run(&sandbox, command);
    assert_eq!(std::fs::read_to_string(&core).unwrap(), super::core("demo-a"), "{command}");
}

/// A conda prefix made by hand: a Python, and what conda writes of it.
fn conda(sandbox: &Sandbox, prefix: &Path) -> Option<PathBuf> {
    let program = python(sandbox, prefix)?;
    let meta = prefix.join("conda-meta");
    std::fs::create_dir_all(&meta).unwrap();
    std::fs::write(meta.join("history"), b"").unwrap();
    let version = version(&program);
    let text = format!("{{\"name\": \"python\", \"version\": \"{version}\", \"files\": [\"bin/python\"]}}");
    std::fs::write(meta.join(format!("python-{version}-h0_cpython.json")), text).unwrap();
    std::fs::write(meta.join("python-dateutil-2.9.0-pyhd8ed1ab_0.json"), b"{\"files\": []}").unwrap();
    Some(program)
}

fn version(program: &Path) -> String {
    let code = "import platform; print(platform.python_version())";
    let output = ran(Command::new(program).args(["-c", code]));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Lets conda have installed a package that uv has.
fn give_to_conda(prefix: &Path, name: &str) {
    let info = format!("{}-1.0.dist-info", name.replace('-', "_"));
    let site = site(prefix);
    let relative = site.strip_prefix(prefix).unwrap().display();
    let installer = site.join(&info).join("INSTALLER");
    std::fs::remove_file(&installer).unwrap();
    std::fs::write(&installer, b"conda\n").unwrap();
    // conda may call it otherwise.
    let text = serde_json::json!({
        "name": format!("py-{name}"),
        "version": "1.0",
        "build": "py_0",
        "channel": "https://conda.anaconda.org/conda-forge/noarch",
        "subdir": "noarch",
        "files": [format!("{relative}/{info}/METADATA")],
    });
    let text = text.to_string();
    std::fs::write(prefix.join(format!("conda-meta/{name}-1.0-py_0.json")), text).unwrap();
}

#[test]
fn conda_has_environments_in_its_base_and_packages_that_are_not_installed() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let root = sandbox.path("home/miniforge3");
    let Some(program) = conda(&sandbox, &root) else { return };
    let (one, two) = (root.join("envs/one"), root.join("envs/two"));
    let elsewhere = sandbox.path("elsewhere/listed");
    install(&sandbox, "hardlink", &["--python", program.to_str().unwrap()], &["demo-a"]);
    for (prefix, mode) in [(&one, "symlink"), (&two, "copy"), (&elsewhere, "copy")] {
        let Some(program) = conda(&sandbox, prefix) else { return };
        install(&sandbox, mode, &["--python", program.to_str().unwrap()], &["demo-b"]);
    }
    let package = root.join("pkgs/demo-unused-1.0-py_0/lib/python3.11/site-packages");
    std::fs::create_dir_all(&package).unwrap();
    ran(Command::new("cp").arg("-a").arg(site(&root).join("demo_a-1.0.dist-info")).arg(&package));
    std::fs::create_dir_all(sandbox.path("home/.conda")).unwrap();
    std::fs::write(sandbox.path("home/.conda/environments.txt"), format!("{}\n", elsewhere.display()))
        .unwrap();
    forget(&sandbox);
    let mut command = sandbox.cachetui(&["envs", "--json"]);
    let answer: serde_json::Value =
        serde_json::from_slice(&ran(command.current_dir(sandbox.roots())).stdout).unwrap();
    let mut expected: Vec<&str> = [&root, &one, &two, &elsewhere].map(|path| path.to_str().unwrap()).into();
    expected.sort_unstable();
    assert_eq!(paths(&answer), expected);
    for (path, package) in [(&root, "demo-a"), (&one, "demo-b"), (&two, "demo-b"), (&elsewhere, "demo-b")] {
        let row = row(&answer, path);
        assert_eq!(distributions(row), [package], "{row:#}");
        assert_eq!(row["python"], version(&program), "{row:#}");
        assert_eq!((&row["manager"], &row["health"]), (&"conda".into(), &"ok".into()), "{row:#}");
    }
}

#[test]
fn what_conda_installed_is_condas_and_what_it_removed_is_left_over() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    let root = sandbox.path("home/mambaforge");
    let Some(program) = conda(&sandbox, &root) else { return };
    let whereto = ["--python", program.to_str().unwrap()];
    install(&sandbox, "copy", &whereto, &["demo-a", "demo-b", "demo-unused"]);
    give_to_conda(&root, "demo-a");
    give_to_conda(&root, "demo-unused");
    let site = site(&root);
    let name = root.to_str().unwrap();
    // Its own edits and losses: nothing of a wheel is put there.
    let (own, of_uv) = (site.join("demo_a/core.py"), site.join("demo_b/core.py"));
    for file in [&own, &of_uv] {
        std::fs::remove_file(file).unwrap();
    }
    let command = format!(
        "conda install --force-reinstall --prefix {name} --channel https://conda.anaconda.org/conda-forge \
         py-demo-a=1.0=py_0"
    );
    let repaired = said(&sandbox, &["repair", name, "--yes"]);
    assert!(repaired.contains(&command), "{repaired}");
    assert!(!own.exists() && of_uv.is_file(), "{repaired}");
    std::fs::write(&own, "EDITED = True\n").unwrap();
    let verified = said(&sandbox, &["verify", name]);
    assert_eq!(commands(&verified, "conda "), [command], "{verified}");
    assert_eq!(commands(&verified, "uv "), [""; 0], "{verified}");
    // Another package whose `.dist-info` ends alike is not taken for it, and a channel with a password is a blank.
    let meta = root.join("conda-meta");
    let file = meta.join("demo-a-1.0-py_0.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let alike = text.replace("/demo_a-1.0", "/of_demo_a-1.0").replace("py-demo-a", "of-demo-a");
    std::fs::write(meta.join("a-1.0-py_0.json"), &alike).unwrap();
    std::fs::write(meta.join("z-1.0-py_0.json"), alike).unwrap();
    std::fs::write(&file, text.replace("https://conda", "https://me:word@conda")).unwrap();
    for arguments in [&["verify", name][..], &["repair", name, "--dry-run"]] {
        if arguments[0] == "repair" {
            std::fs::remove_file(&own).unwrap();
        }
        let told = said(&sandbox, arguments);
        assert!(told.contains("--channel '<CHANNEL-URL>' py-demo-a=1.0=py_0"), "{told}");
        assert!(told.contains("stands for the channel") && !told.contains("word@"), "{told}");
    }
    std::fs::write(&own, super::core("demo-a")).unwrap();
    let relinked = said(&sandbox, &["relink", name, "--link-mode", "hardlink", "--dry-run"]);
    assert!(relinked.contains("conda installed it"), "{relinked}");
    assert!(!relinked.contains("demo-a  1.0"), "{relinked}");
    // `conda remove` forgets the package, and takes what it has listed.
    std::fs::remove_file(root.join("conda-meta/demo-unused-1.0-py_0.json")).unwrap();
    std::fs::remove_dir_all(site.join("demo_unused")).unwrap();
    let mut left = vec![site.join("demo_unused-1.0.dist-info")];
    let other = site.join("gone-2.0.dist-info");
    std::fs::create_dir_all(other.join("licenses")).unwrap();
    left.push(other);
    let envs = json(&sandbox, &["envs", name]);
    let found = row(&envs, &root);
    assert_eq!(distributions(found), ["demo-a", "demo-b"], "{found:#}");
    let leftovers = found["leftovers"].as_array().unwrap();
    let shown: Vec<PathBuf> = leftovers.iter().map(|it| root.join(it["path"].as_str().unwrap())).collect();
    assert_eq!(shown, left);
    let repaired = said(&sandbox, &["repair", name, "--dry-run"]);
    assert!(!repaired.contains("unused") && !repaired.contains("gone"), "{repaired}");
}
