//! What is not removed, with the reason.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{environment, kept, planned, remove, removed, sandbox};
use crate::support::holding::Running;
use crate::support::not_run;
use crate::support::uv::ran;

/// A person's own files, wherever they lie, keep an environment until that is allowed; what makers and installers leave does not.
#[test]
fn an_environment_with_files_of_a_persons_own_stays_until_that_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let site = "lib/python3.11/site-packages";
    let cases: &[(&str, bool)] = &[
        ("notes.txt", true),
        ("src/mine/.git/HEAD", true),
        ("src/mine/setup.py", true),
        ("share/doc/mine/.git/config", true),
        ("SITE/mine.py", true),
        ("SITE/mine/__init__.py", true),
        ("SITE/gone/__pycache__/gone.cpython-311.pyc", false),
        ("SITE/demo_a/__pycache__/x.cpython-311.pyc", false),
        (".DS_Store", false),
        ("etc/app.conf", true),
        ("bin/deploy.sh", true),
        ("SITE/demo_a/mine.py", true),
        ("lib/own.py", true),
        ("scripts/deploy.sh", true),
        ("SITE/~emo_a/core.py", false),
        ("etc/~backup/data.db", true),
        ("share/mine.egg-info/notes.txt", true),
        ("bin/pipeline.sh", true),
        ("SITE/mine.pyc", true),
        ("bin/activate_production", true),
        ("bin/python_backup.py", true),
        ("bin/activate.xsh", false),
        ("bin/pip-3.11", false),
    ];
    for (number, (path, is_foreign)) in cases.iter().enumerate() {
        let root = environment(&sandbox, &format!("case{number}"), "hardlink", &["demo-a"]);
        let python = root.join("lib").read_dir().unwrap().next().unwrap().unwrap().file_name();
        let own = site.replace("python3.11", python.to_str().unwrap());
        let file = root.join(path.replace("SITE", &own));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let text = root.to_str().unwrap();
        let plan = planned(&sandbox, &[text]);
        assert_eq!(plan["steps"].as_array().unwrap().is_empty(), *is_foreign, "{path}: {plan:#}");
        if *is_foreign {
            assert_eq!(kept(&plan)[text], "foreign", "{path}");
            let output = remove(&sandbox, &[text]);
            assert!(
                output.status.code() == Some(1) && file.exists(),
                "{path}: what was named was not removed"
            );
        }
        removed(&sandbox, &[text, "--allow", "foreign-files"]);
        assert!(!root.exists(), "{path}");
    }
    // The hooks that virtualenvwrapper makes say nothing until somebody writes into them.
    let root = environment(&sandbox, "hooks", "hardlink", &["demo-a"]);
    let hook = root.join("bin/postactivate");
    std::fs::write(&hook, "#!/bin/bash\n# This hook is sourced after this virtualenv is activated.\n\n")
        .unwrap();
    assert!(kept(&planned(&sandbox, &[root.to_str().unwrap()])).is_empty());
    std::fs::write(&hook, "#!/bin/bash\nexport SECRET=1\n").unwrap();
    assert_eq!(kept(&planned(&sandbox, &[root.to_str().unwrap()])).len(), 1);
    // An empty directory, as wheels leave them, is nothing that anybody would miss.
    let root = environment(&sandbox, "empty", "hardlink", &["demo-a"]);
    std::fs::create_dir(root.join("empty")).unwrap();
    removed(&sandbox, &[root.to_str().unwrap()]);
    assert!(!root.exists());
}

/// A plan in a file is believed no more than its look at the disk: what it must not remove it does not, whatever it says.
#[test]
fn a_plan_that_was_edited_removes_nothing_that_it_may_not() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "one", "hardlink", &["demo-a"]);
    let (file, text) = (sandbox.path("plan.json"), root.to_str().unwrap());
    ran(&mut sandbox.cachetui(&["remove", text, "--save", file.to_str().unwrap()]));
    let saved = std::fs::read_to_string(&file).unwrap();
    let project = root.parent().unwrap();
    std::fs::write(project.join("source.py"), "mine").unwrap();
    let inner = environment(&sandbox, "two", "copy", &["demo-b"]);
    let edits = [
        (format!("\"{text}\""), format!("{:?}", project.to_str().unwrap())),
        (format!("\"{text}\""), format!("{:?}", inner.to_str().unwrap())),
        (format!("\"{text}\""), "\"/\"".to_owned()),
        (format!("\"{text}\""), "\"../one/.venv\"".to_owned()),
        (format!("\"{text}\""), format!("{:?}", sandbox.cache().to_str().unwrap())),
    ];
    for (from, to) in edits {
        let edited = saved.replace(&from, &to);
        assert_ne!(edited, saved);
        std::fs::write(&file, edited).unwrap();
        let output = sandbox.cachetui(&["apply", file.to_str().unwrap(), "--yes"]).output().unwrap();
        assert!(!output.status.success(), "{to}: {}", String::from_utf8_lossy(&output.stdout));
        for path in [&root, &inner, &project.join("source.py"), &sandbox.cache().join("archive-v0")] {
            assert!(path.exists(), "{to}: {} is gone", path.display());
        }
    }
}

/// So it is with a link in a plan: what is no link to an environment, or lies in a cache, stays.
#[test]
fn a_plan_that_was_edited_removes_no_other_link() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "one", "hardlink", &["demo-a"]);
    let project = sandbox.roots().join("project");
    std::fs::create_dir_all(&project).unwrap();
    let (link, other) = (project.join(".venv"), project.join("current"));
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let file = sandbox.path("plan.json");
    ran(&mut sandbox.cachetui(&["remove", project.to_str().unwrap(), "--save", file.to_str().unwrap()]));
    let saved = std::fs::read_to_string(&file).unwrap();
    std::os::unix::fs::symlink("/etc", &other).unwrap();
    let pointer = walkdir::WalkDir::new(sandbox.cache()).into_iter().map(Result::unwrap);
    let pointer = pointer.into_iter().find(walkdir::DirEntry::path_is_symlink).unwrap().into_path();
    for path in [&other, &pointer] {
        use std::os::unix::fs::MetadataExt as _;
        let (was, is) = (link.symlink_metadata().unwrap(), path.symlink_metadata().unwrap());
        let edited = saved
            .replace(link.to_str().unwrap(), path.to_str().unwrap())
            .replace(&was.ino().to_string(), &is.ino().to_string())
            .replace(&format!("\"size\": {}", was.len()), &format!("\"size\": {}", is.len()))
            .replace(&format!("\"logical\": {}", was.len()), &format!("\"logical\": {}", is.len()));
        std::fs::write(&file, edited).unwrap();
        let output = sandbox.cachetui(&["apply", file.to_str().unwrap(), "--yes"]).output().unwrap();
        assert!(
            !output.status.success() && path.symlink_metadata().is_ok(),
            "{}: {output:?}",
            path.display()
        );
    }
}

/// Tools, conda's environments, Pythons and what lies in the cache are left to those who made them; the command is named.
#[test]
fn what_others_manage_is_left_to_them_and_the_command_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let links = sandbox.path("links");
    let index = ["--no-index", "--find-links", links.to_str().unwrap()];
    sandbox.run_uv(&[&["tool", "install", "--quiet"], &index[..], &["demo-a"]].concat());
    sandbox.run_uv(&[&["tool", "run"], &index[..], &["demo-b"]].concat());
    let conda = sandbox.roots().join("env with space");
    std::fs::create_dir_all(conda.join("conda-meta")).unwrap();
    let base = sandbox.roots().join("miniforge3");
    std::fs::create_dir_all(base.join("conda-meta")).unwrap();
    std::fs::create_dir_all(base.join("condabin")).unwrap();
    let target = sandbox.roots().join("target");
    let start = ["pip", "install", "--quiet", "--target", target.to_str().unwrap()];
    sandbox.run_uv(&[&start[..], &index, &["demo-c"]].concat());

    let conda_text = conda.to_str().unwrap();
    let envs = sandbox.json(&["envs"]);
    let rows = envs["environments"].as_array().unwrap();
    let path =
        |kind: &str| rows.iter().find(|row| row["kind"] == kind).map(|row| row["path"].as_str().unwrap());
    let (tool, cached) = (path("tool").unwrap(), path("cached").unwrap());
    let base = base.to_str().unwrap();
    let plan = planned(&sandbox, &[tool, cached, conda_text, base, target.to_str().unwrap()]);
    assert!(plan["steps"].as_array().unwrap().is_empty(), "{plan:#}");
    let kept = kept(&plan);
    assert_eq!(kept[tool], "managed");
    assert_eq!(kept[cached], "in-cache");
    assert_eq!(kept[conda_text], "managed");
    assert_eq!(kept[base], "no-environment", "conda runs from it");
    assert_eq!(kept[target.to_str().unwrap()], "no-environment");
    let reasons: Vec<&str> =
        plan["kept"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    let command = format!("`conda env remove --prefix '{conda_text}'`");
    assert!(reasons.iter().any(|reason| reason.contains(&command)), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("`uv tool uninstall demo-a`")), "{reasons:?}");
    // Of two tools of one name the command that is named removes the one that was meant.
    let tools = sandbox.roots().join("my tools");
    let mut other =
        sandbox.uv(&[&["tool", "install", "--quiet", "--force"], &index[..], &["demo-a"]].concat());
    ran(other.env("UV_TOOL_DIR", &tools));
    let there = tools.join("demo-a");
    let plan = planned(&sandbox, &[there.to_str().unwrap()]);
    let reason = plan["kept"][0]["reason"].as_str().unwrap();
    let line = reason.split('`').nth(1).unwrap();
    let uv = sandbox.uv(&[]);
    let mut shell = sandbox.command("sh");
    let program = format!("uv() {{ {} \"$@\"; }}; {line}", uv.get_program().to_str().unwrap());
    ran(shell.args(["-c", &program]));
    assert!(!there.exists() && Path::new(tool).exists(), "{line}");
    // The command that is named does it.
    sandbox.run_uv(&["tool", "uninstall", "--quiet", "demo-a"]);
    assert!(!Path::new(tool).exists());
    // By a rule only environments are meant.
    let plan = planned(&sandbox, &["--idle", "0d"]);
    assert!(!super::kept(&plan).contains_key(target.to_str().unwrap()), "{plan:#}");
}

/// An environment that another one extends, or whose packages another one reads by a path file, goes only together with that one.
#[test]
fn what_another_environment_needs_goes_only_with_that() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let base = environment(&sandbox, "base", "hardlink", &["demo-a"]);
    let extends = environment(&sandbox, "extends", "hardlink", &["demo-b"]);
    let config = extends.join("pyvenv.cfg");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}extends-environment = {}\n", base.display())).unwrap();
    let (base, extends) = (base.to_str().unwrap(), extends.to_str().unwrap());
    assert_eq!(kept(&planned(&sandbox, &[base]))[base], "needed");
    assert!(kept(&planned(&sandbox, &[base, extends])).is_empty());
    assert_eq!(kept(&planned(&sandbox, &[extends])).len(), 0);

    let reads = environment(&sandbox, "reads", "hardlink", &["demo-b"]);
    let python = reads.join("lib").read_dir().unwrap().next().unwrap().unwrap().path();
    let site = Path::new(extends).join("lib").join(python.file_name().unwrap()).join("site-packages");
    std::fs::write(python.join("site-packages/zz.pth"), format!("{}\n", site.display())).unwrap();
    // The one that reads has a path file of a person's own, so that it stays, and keeps both others.
    let plan = planned(&sandbox, &[base, extends, reads.to_str().unwrap()]);
    let kept = kept(&plan);
    assert_eq!(
        (&*kept[base], &*kept[extends], &*kept[reads.to_str().unwrap()]),
        ("needed", "needed", "foreign")
    );
}

/// One in which a process runs stays, also where the process starts between the plan and its execution.
#[test]
fn one_in_which_a_process_runs_stays() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "busy", "hardlink", &["demo-a"]);
    let (text, file) = (root.to_str().unwrap(), sandbox.path("plan.json"));
    ran(&mut sandbox.cachetui(&["remove", text, "--save", file.to_str().unwrap()]));
    let mut python = sandbox.command(root.join("bin/python"));
    let process = Running::start(python.args(["-c", "import sys; print(flush=True); sys.stdin.read()"]));
    let plan = planned(&sandbox, &[text]);
    let output = sandbox.cachetui(&["apply", file.to_str().unwrap(), "--yes"]).output().unwrap();
    assert!(process.end());
    assert_eq!(kept(&plan)[text], "running", "{plan:#}");
    assert!(!output.status.success() && root.exists());
    assert!(String::from_utf8_lossy(&output.stdout).contains("runs in it"), "{output:?}");
    removed(&sandbox, &[text]);
    assert!(!root.exists());
}

/// A process that holds a lock file. It names the file as no process does that runs in an environment.
fn held(directory: &Path, lock: &str, how: &str) -> Running {
    let mut shell = Command::new("sh");
    let script = format!("exec 9<>\"$LOCK\"; flock {how} 9; echo; cat");
    Running::start(shell.env("LOCK", directory.join(lock)).args(["-c", &script]))
}

/// uv's lock of the environment, and of the cache where entries go, is respected: the one that is held says who holds it.
#[test]
fn a_held_lock_keeps_it_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "held", "hardlink", &["demo-a"]);
    let text = root.to_str().unwrap();
    {
        let holder = held(root.parent().unwrap(), ".venv/.lock", "--exclusive");
        let mut command = sandbox.cachetui(&["remove", text, "--yes"]);
        let output = command.env("UV_LOCK_TIMEOUT", "1").output().unwrap();
        assert_eq!(output.status.code(), Some(11), "{output:?}");
        assert!(root.exists());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(".lock"), "{said}");
        assert!(holder.end());
    }
    {
        // Without entries the cache's lock is held with others.
        let server = held(&sandbox.cache(), ".lock", "--shared");
        let output = sandbox
            .cachetui(&["remove", text, "--yes", "--with-entries", "--grace", "0h", "--allow", "most"])
            .env("UV_LOCK_TIMEOUT", "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(11), "{output:?}");
        assert!(root.exists());
        removed(&sandbox, &[text]);
        assert!(!root.exists());
        assert!(server.end());
    }
}

/// A mount point cannot be renamed: it stays, and so does one with something mounted in it.
#[test]
fn what_is_mounted_stays() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "mounted", "copy", &["demo-a"]);
    let (inside, mine) = (root.join("share/mine"), sandbox.path("mine"));
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir_all(&mine).unwrap();
    std::fs::write(mine.join("file"), "mine").unwrap();
    for at in [&inside, &root] {
        let source = if *at == root { sandbox.roots().join("copy") } else { mine.clone() };
        if *at == root {
            ran(Command::new("cp").arg("-a").arg(&root).arg(&source));
        }
        if !Command::new("mount").arg("--bind").arg(&source).arg(at).output().unwrap().status.success() {
            return not_run("nothing could be mounted");
        }
        let output = remove(&sandbox, &[root.to_str().unwrap()]);
        let stays = root.join("bin/python").symlink_metadata().is_ok() && mine.join("file").exists();
        ran(Command::new("umount").arg(at));
        assert!(stays, "{output:?}");
    }
    assert!(root.join("bin/python").symlink_metadata().is_ok());
}

/// Every link to an environment in a project goes as itself, whatever it is called, and what it leads to stays; so it does when a
/// rule is added to the name.
#[test]
fn what_a_link_of_a_project_leads_to_stays_whatever_the_link_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let shared = environment(&sandbox, "shared", "hardlink", &["demo-a"]);
    let project = sandbox.roots().join("project");
    std::fs::create_dir_all(&project).unwrap();
    let text = project.to_str().unwrap();
    for name in ["venv", ".venv", "current"] {
        let link = project.join(name);
        std::os::unix::fs::symlink(&shared, &link).unwrap();
        for rule in [&["--broken"][..], &["--idle", "0d"]] {
            let plan = planned(&sandbox, &[&[text], rule].concat());
            assert!(plan["steps"].as_array().unwrap().is_empty(), "{name} {rule:?}: {plan:#}");
        }
        removed(&sandbox, &[text]);
        assert!(link.symlink_metadata().is_err() && shared.join("pyvenv.cfg").exists(), "{name}");
    }
}

/// What another environment needs stays when that one could not be removed.
#[test]
fn what_is_needed_stays_when_what_needs_it_could_not_go() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let base = environment(&sandbox, "base", "hardlink", &["demo-a"]);
    let extends = environment(&sandbox, "extends", "hardlink", &["demo-b"]);
    let config = extends.join("pyvenv.cfg");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}extends-environment = {}\n", base.display())).unwrap();
    let holder = held(extends.parent().unwrap(), ".venv/.lock", "--exclusive");
    let arguments = ["remove", base.to_str().unwrap(), extends.to_str().unwrap(), "--yes", "--json"];
    let output = sandbox.cachetui(&arguments).env("UV_LOCK_TIMEOUT", "1").output().unwrap();
    assert!(holder.end());
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    assert!(base.exists() && extends.exists());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = answer["report"]["outcomes"].as_array().unwrap();
    assert_eq!(outcomes[0]["path"], extends.to_str().unwrap(), "{outcomes:#?}");
    assert!(outcomes[1]["why"].as_str().unwrap().contains("needs it, and stays"), "{outcomes:#?}");
    removed(&sandbox, &[base.to_str().unwrap(), extends.to_str().unwrap()]);
    assert!(!base.exists() && !extends.exists());
}

/// A home, a directory with the cache in it, and what lies in another cache go whatever is allowed and however it is named: never.
#[test]
fn a_home_and_what_a_cache_lies_in_never_go() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let home = environment(&sandbox, "home", "hardlink", &["demo-a"]);
    std::fs::write(home.join(".bashrc"), "").unwrap();
    let around = directory.path().canonicalize().unwrap();
    std::fs::write(around.join("pyvenv.cfg"), "home = /usr/bin\nuv = 0.13.8\n").unwrap();
    let other = sandbox.roots().join("other-cache");
    std::fs::create_dir_all(other.join("archive-v0")).unwrap();
    let inside = other.join("env");
    sandbox.run_uv(&["venv", "--quiet", inside.to_str().unwrap()]);
    for root in [&home, &around, &inside] {
        let text = root.to_str().unwrap();
        let output = remove(&sandbox, &[text, "--allow", "foreign-files,most,gone"]);
        assert!(!output.status.success() && root.join("pyvenv.cfg").exists(), "{text}: {output:?}");
    }
    let plan = planned(&sandbox, &[home.to_str().unwrap(), "--allow", "foreign-files"]);
    assert_eq!(kept(&plan)[home.to_str().unwrap()], "never");
}

/// A server that was started by a relative path, or through a symlink, runs in the environment all the same; the shell that calls
/// cachetui does not because it names the environment.
#[test]
fn a_process_that_names_the_environment_in_another_way_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "app", "hardlink", &["demo-a"]);
    let (project, text) = (root.parent().unwrap(), root.to_str().unwrap());
    let alias = sandbox.path("alias");
    std::os::unix::fs::symlink(project, &alias).unwrap();
    for program in [PathBuf::from("./.venv/bin/python"), alias.join(".venv/bin/python")] {
        let mut server = sandbox.command(&program);
        let code = "import sys; print(flush=True); sys.stdin.read()";
        let process = Running::start(server.current_dir(project).args(["-c", code]));
        assert_eq!(kept(&planned(&sandbox, &[text]))[text], "running", "{}", program.display());
        assert!(process.end());
    }
    let program = env!("CARGO_BIN_EXE_cachetui");
    let (cache, roots) = (sandbox.cache(), sandbox.roots());
    let line = format!(
        "{program} remove {text} --yes --no-remember --cache-dir {} --root {}; true",
        cache.display(),
        roots.display()
    );
    ran(sandbox.command("sh").args(["-c", &line]));
    assert!(!root.exists());
}

/// The environment that cachetui itself was installed into stays.
#[test]
fn the_one_that_cachetui_runs_from_stays() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "own", "hardlink", &["demo-a"]);
    let program = root.join("bin/cachetui");
    std::fs::copy(env!("CARGO_BIN_EXE_cachetui"), &program).unwrap();
    let mut command = sandbox.command(&program);
    command.args(["remove", root.to_str().unwrap(), "--yes", "--allow", "foreign-files", "--no-remember"]);
    command.arg("--cache-dir").arg(sandbox.cache()).arg("--root").arg(sandbox.roots());
    let output = command.output().unwrap();
    assert!(output.status.code() == Some(1) && program.exists(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("cachetui runs from it"), "{output:?}");
}

/// Another environment, or a cache, in one keeps it, whatever is allowed and whoever knows of it.
#[test]
fn an_environment_with_another_one_in_it_stays_whatever_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let makes: [&dyn Fn(&Path); 4] = [
        &|root| {
            sandbox.run_uv(&["venv", "--quiet", root.join("deep/down/proj/.venv").to_str().unwrap()]);
        },
        &|root| {
            let inner = root.join("share/inner");
            std::fs::create_dir_all(&inner).unwrap();
            std::fs::write(inner.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        },
        &|root| {
            let meta = root.join("conda/conda-meta");
            std::fs::create_dir_all(&meta).unwrap();
            std::fs::write(meta.join("history"), "").unwrap();
        },
        &|root| {
            let cache = root.join("data/cache");
            std::fs::create_dir_all(cache.join("archive-v0/Entry67890123456")).unwrap();
            std::fs::write(cache.join("archive-v0/Entry67890123456/file.py"), "").unwrap();
            let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
            std::fs::write(cache.join("CACHEDIR.TAG"), tag).unwrap();
        },
    ];
    for (number, make) in makes.into_iter().enumerate() {
        let root = environment(&sandbox, &format!("outer{number}"), "hardlink", &["demo-a"]);
        make(&root);
        // What uv has recorded of it is not what keeps it.
        drop(std::fs::remove_dir_all(sandbox.cache().join("interpreter-v4")));
        let text = root.to_str().unwrap();
        for allowed in [&[][..], &["--allow", "foreign-files"]] {
            let plan = planned(&sandbox, &[&[text], allowed].concat());
            assert_eq!(kept(&plan)[text], "holds", "{number} {allowed:?}: {plan:#}");
            let output = remove(&sandbox, &[&[text], allowed].concat());
            assert!(output.status.code() == Some(1) && root.exists(), "{number} {allowed:?}");
        }
    }
    // One that came after the plan keeps it too.
    let root = environment(&sandbox, "late", "hardlink", &["demo-b"]);
    std::fs::write(root.join("notes.txt"), "mine").unwrap();
    let (file, text) = (sandbox.path("plan.json"), root.to_str().unwrap());
    let saves = ["remove", text, "--allow", "foreign-files", "--save", file.to_str().unwrap()];
    ran(&mut sandbox.cachetui(&saves));
    sandbox.run_uv(&["venv", "--quiet", root.join("inner").to_str().unwrap()]);
    let output = sandbox.cachetui(&["apply", file.to_str().unwrap(), "--yes"]).output().unwrap();
    assert!(output.status.code() == Some(1) && root.join("inner/pyvenv.cfg").exists());
}

/// What the calling shell has activated only the programs tell that it starts.
#[cfg(target_os = "linux")]
#[test]
fn the_environment_that_the_shell_has_activated_stays() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "active", "hardlink", &["demo-a"]);
    let other = environment(&sandbox, "other", "hardlink", &["demo-b"]);
    let cachetui = sandbox.cachetui(&["remove", "--yes", "--json"]);
    let mut script = sandbox.command("sh");
    script.arg("-c").arg(". \"$0/bin/activate\"; shift; \"$@\"; exit $?").arg(&root).arg("shift");
    script.arg(cachetui.get_program()).args(cachetui.get_args()).arg(&root).arg(&other);
    let output = script.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(kept(&answer["plan"])[root.to_str().unwrap()], "running", "{answer:#}");
    assert!(root.exists() && !other.exists(), "the other one goes");
    // Deactivated it goes.
    removed(&sandbox, &[root.to_str().unwrap()]);
}

/// An interpreter that may not be reached is not gone.
#[test]
fn an_environment_whose_interpreter_may_not_be_reached_is_not_broken() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    let root = environment(&sandbox, "app", "hardlink", &["demo-a"]);
    let real = std::fs::canonicalize(root.join("bin/python")).unwrap();
    // The same by way of a directory that only its owner may enter.
    let hidden = sandbox.path("hidden");
    std::fs::create_dir(&hidden).unwrap();
    std::os::unix::fs::symlink(&real, hidden.join("python3")).unwrap();
    std::fs::remove_file(root.join("bin/python")).unwrap();
    std::os::unix::fs::symlink(hidden.join("python3"), root.join("bin/python")).unwrap();
    std::fs::set_permissions(&hidden, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let broken = ["remove", "--broken", "--dry-run", "--json"];
    let command = sandbox.cachetui(&broken);
    let Some(mut command) = sandbox.unprivileged(command) else { return };
    let output = command.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(answer["plan"]["steps"], serde_json::json!([]), "{answer:#}");
    std::fs::set_permissions(&hidden, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // One that is gone is.
    std::fs::remove_file(hidden.join("python3")).unwrap();
    assert_eq!(planned(&sandbox, &["--broken"])["steps"].as_array().unwrap().len(), 1);
}
